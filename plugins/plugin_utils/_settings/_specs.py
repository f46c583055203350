# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The roles' argument specs. Read with libyaml where it is there: each task reads one."""

from __future__ import annotations

import os

from ansible.module_utils.common.yaml import yaml_load

ROLES = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "roles"))


def options_of(role: str) -> dict:
    """The options of a role's main entry point, by variable name, as its argument_specs.yml has them."""
    with open(os.path.join(ROLES, role, "meta", "argument_specs.yml"), encoding="utf-8") as handle:
        return yaml_load(handle)["argument_specs"]["main"].get("options", {})
