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

# What bootstrap.yml and check.yml run. A test compares the playbooks with this list.
CORE = ("ready", "known_hosts", "git_keys", "repos", "python_env", "cuda_check", "tmux", "data_sync")
# What they run only when `rented_extra_roles` names it.
OPTIONAL: tuple[str, ...] = ()
EXTRA = "rented_extra_roles"
IN_A_COLLECTION = re.compile(r"[a-z_]\w*\.[a-z_]\w*(\.[a-z_]\w*)+")


def check_extra(value) -> list[str]:
    """The names in `rented_extra_roles`. Raises `RentedError` for what is not a list of roles that are installed here."""
    if value is None or value == "":
        return []
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        raise RentedError(f"{EXTRA} has to be a list of role names, not {shown(value)}.")
    for number, name in enumerate(names, 1):
        if not isinstance(name, str) or not name.strip():
            raise RentedError(f"{EXTRA}, item {number} has to be the name of a role, not {shown(name)}.")
        if name.rpartition(".")[2] in CORE and name.startswith("rented.gpu."):
            raise RentedError(f"{EXTRA}, item {number}: {shown(name)} is one of the core roles, which run anyway. Leave it out.")
        places = _places(name)
        if not any(os.path.isdir(place) for place in places):
            raise RentedError(
                "%s, item %d: there is no role '%s'; looked for %s. Install its collection, give its path, or set roles_path."
                % (EXTRA, number, shown(name), ", ".join(shown(place) for place in places) or "its collection")
            )
    return list(names)


def _places(name: str) -> list[str]:
    """Where Ansible looks for a role with this name."""
    if IN_A_COLLECTION.fullmatch(name):
        found = _get_collection_role_path(name, [])
        if found:
            return [found[1]]
        collection, _dot, role = name.rpartition(".")
        return [os.path.join(path, *collection.split("."), "roles", role) for path in AnsibleCollectionConfig.collection_paths]
    return [os.path.join(path, name) for path in C.DEFAULT_ROLES_PATH] + [os.path.abspath(os.path.expanduser(name))]
