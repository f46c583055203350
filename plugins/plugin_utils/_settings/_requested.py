# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What the settings of a run ask for. What earlier runs left on a host is another question."""

from __future__ import annotations

import posixpath

from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _option_values

NOTHING = "These settings ask for no repository, no packages and no data: only the login, the keys and the GPU are checked."
LIST = {"type": "list", "elements": "raw"}


def asked(settings: dict) -> list:
    """A few words for each thing that the settings bring to a host; an empty list when they bring nothing."""
    found = []
    for item in _list(settings.get("repos_list")):
        name = _paths.first_repository([item])
        if name:
            found.append(f"repository {shown(name)}")
    found += [f"packages of {shown(name)}" for name in _list(settings.get("python_env_requirements"))]
    found += [f"extra {shown(name)}" for name in _list(settings.get("python_env_extras"))]
    packages = _list(settings.get("python_env_packages"))
    if packages:
        found.append(f"{len(packages)} package{'' if len(packages) == 1 else 's'} by name")
    if settings.get("python_env_project") and not found:
        found.append(f"Python environment of {shown(settings['python_env_project'])}")
    for item in _list(settings.get("data_sync_items")):
        item = {"src": item} if isinstance(item, str) else item if isinstance(item, dict) else {}
        source = item.get("dest") or posixpath.basename(str(item.get("src") or "").rstrip("/")) or item.get("url")
        if source:
            found.append(f"data in {shown(source)}")
    return found


def _list(value) -> list:
    try:
        return _option_values.read(LIST, value) or []
    except _option_values.Wrong:
        return []
