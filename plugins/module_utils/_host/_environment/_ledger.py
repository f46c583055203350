# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""``~/.rented/environments.json``: which environments this role made on a host, and how far it came.

An install that was interrupted is known by it, and so is what local packages were built from.
"""

from __future__ import annotations

import json
import os

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps


class Ledger:
    """One entry for each environment: ``state`` ("working", "failed", "ready"), ``made`` by this role, and ``built``."""

    def __init__(self, home: str) -> None:
        self.file = os.path.join(home, _stamps.HOME, "environments.json")

    def entries(self) -> dict:
        """Path of the environment -> entry. A file of another shape has none."""
        known = _stamps.read_json(self.file) or {}
        return {path: entry for path, entry in known.items() if isinstance(entry, dict)}

    def entry(self, path: str) -> dict:
        return self.entries().get(path, {})

    def built(self, path: str) -> dict:
        """What the local packages in the environment were built from."""
        built = self.entry(path).get("built")
        return built if isinstance(built, dict) else {}

    def write(self, path: str, state: str, made: bool, built: dict) -> None:
        entries = dict(self.entries(), **{path: {"state": state, "made": bool(made), "built": built}})
        _stamps.write_private(self.file, json.dumps(entries, sort_keys=True, indent=1) + "\n")
