# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""A checkout in which an environment is made: it must look to git as if the environment were not there."""

from __future__ import annotations

import os
import re

from ansible_collections.rented.gpu.plugins.module_utils._host import _shell_files, _sources

# What installers leave in a checkout.
_PRODUCTS = re.compile(r"(^|/)([^/]+\.egg-info/|build/|dist/|\.eggs/|_skbuild/|uv\.lock|[^/]+\.so)$")
_ALWAYS = re.compile(r"\.egg-info/$")
_BLOCK = "python_env"


def tracked(project: str, path: str) -> list:
    """The files below ``path`` that the checkout tracks; empty where there is no checkout or ``path`` is outside it."""
    inside = os.path.relpath(path, project)
    if inside.startswith("..") or not os.path.isdir(project):
        return []
    return [name for name in _sources.git_list(project, "ls-files", "-z", "--", ":(literal)" + inside) or [] if name]


def untracked(folder: str) -> set:
    """What git sees in a folder and does not know: relative to it, folders end in a slash."""
    if not os.path.isdir(folder):
        return set()
    listed = _sources.git_list(folder, "ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    return {name for name in listed or [] if name}


def hide(folder: str, before: set) -> list:
    """Tell the checkout's own list of ignored files (.git/info/exclude) what an install left behind since ``before``."""
    new = {name for name in untracked(folder) if _PRODUCTS.search(name) and (name not in before or _ALWAYS.search(name))}
    if not new:
        return []
    told = _sources.git_list(folder, "rev-parse", "--show-prefix", "--git-path", "info/exclude")
    lines = "".join(told or []).splitlines()
    if len(lines) != 2:
        return []
    path = os.path.normpath(os.path.join(folder, lines[1]))
    text = _shell_files.read(path)
    begin, end = text.find(_shell_files.BEGIN % _BLOCK), text.find(_shell_files.END % _BLOCK)
    known = text[begin:end].splitlines()[1:] if 0 <= begin < end else []
    patterns = sorted(set(known) | {"/" + re.sub(r"([\\*?\[!#])", r"\\\1", lines[0] + name) for name in new})
    _shell_files.write(path, _shell_files.with_block(text, _BLOCK, patterns))
    return sorted(new)
