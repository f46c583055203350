# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The roles' argument specs, and which role a variable belongs to."""

from __future__ import annotations

import difflib
import os

import yaml

ROLES = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "roles"))

# A variable that is this close to a known one is a typing error, not somebody's own variable.
CLOSE = 0.85


def options_of(role: str) -> dict:
    """The options of a role's main entry point, by variable name, as its argument_specs.yml has them."""
    with open(os.path.join(ROLES, role, "meta", "argument_specs.yml"), encoding="utf-8") as handle:
        return yaml.safe_load(handle)["argument_specs"]["main"].get("options", {})


def misspelt(names, roles, known) -> list:
    """``(name, nearest)`` for every variable that begins like a role's, is not one of ``known``, and looks like one of them."""
    found = []
    for name in sorted(names):
        if name in known or not any(name.startswith(role + "_") for role in roles):
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=CLOSE)
        if close:
            found.append((name, close[0]))
    return found
