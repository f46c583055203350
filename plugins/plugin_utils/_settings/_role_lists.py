# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The roles of this collection, in the order in which bootstrap.yml runs them, and the roles that a user adds."""

from __future__ import annotations

import os
import re

from ansible import constants as C
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import _get_collection_role_path

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _specs

# What bootstrap.yml and check.yml run. A test compares the playbooks with this list.
CORE = ("ready", "known_hosts", "git_keys", "repos", "python_env", "cuda_check", "tmux", "data_sync")
# What they run only when `rented_extra_roles` names it.
OPTIONAL: tuple[str, ...] = ()
EXTRA = "rented_extra_roles"
OPTIONS = {EXTRA: {"type": "raw"}}
OURS = "rented.gpu."
IN_A_COLLECTION = re.compile(r"[a-z_]\w*\.[a-z_]\w*(\.[a-z_]\w*)+")
# Ansible takes a folder for a role when it has one of these.
MAIN = [os.path.join(folder, "main" + ending) for folder in ("tasks", "meta") for ending in (".yml", ".yaml", ".json", "")]


def check_extra(value) -> list[str]:
    """The names in `rented_extra_roles`. Raises `RentedError` for what is not a list of roles that are installed here."""
    if value is None or value == "":
        return []
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        raise RentedError(f"{EXTRA} has to be a list of role names, not {shown(value)}.")
    found: dict = {}
    for number, name in enumerate(names, 1):
        place = f"{EXTRA}, item {number}"
        if not isinstance(name, str) or not name.strip():
            raise RentedError(f"{place} has to be the name of a role, not {shown(name)}.")
        folder = _folder(name, place)
        if folder in [os.path.realpath(os.path.join(_specs.ROLES, role)) for role in CORE]:
            raise RentedError(f"{place}: {shown(name)} is one of the core roles, which run anyway. Leave it out.")
        if folder in found:
            raise RentedError(f"{place}: {shown(name)} is the same role as item {found[folder]}. Leave one of them out.")
        found[folder] = number
    return list(names)


def preflight_extra_roles(settings: dict) -> None:
    """Raises `RentedError`."""
    check_extra(settings.get(EXTRA))


def optional_in(value) -> list[str]:
    """The optional roles of this collection in `rented_extra_roles`, whatever else is there."""
    names = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
    return [role for role in OPTIONAL if OURS + role in names]


def _folder(name: str, place: str) -> str:
    places = _places(name)
    folders = [folder for folder in places if os.path.isdir(folder)]
    for folder in folders:
        if any(os.path.isfile(os.path.join(folder, file)) for file in MAIN):
            return os.path.realpath(folder)
    if folders:
        raise RentedError(f"{place}: the folder {shown(folders[0])} is not a role: it has neither tasks/main.yml nor meta/main.yml.")
    raise RentedError(
        f"{place}: there is no role '{shown(name)}'; looked for {', '.join(shown(folder) for folder in places) or 'its collection'}. "
        "Install its collection, give its path, or set roles_path."
    )


def _places(name: str) -> list[str]:
    """Where Ansible looks for a role with this name."""
    if IN_A_COLLECTION.fullmatch(name):
        found = _get_collection_role_path(name, [])
        if found:
            return [found[1]]
        collection, _dot, role = name.rpartition(".")
        return [os.path.join(path, *collection.split("."), "roles", role) for path in AnsibleCollectionConfig.collection_paths]
    return [os.path.join(path, name) for path in C.DEFAULT_ROLES_PATH] + [os.path.abspath(os.path.expanduser(name))]
