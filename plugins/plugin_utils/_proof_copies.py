# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The controller's copies of the hosts' proofs: ``ready/<host>.json`` below the state directory."""

from __future__ import annotations

import json
import os

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps


def exists(host: str) -> bool:
    """Whether this computer made the host ready before."""
    return os.path.exists(_path(host))


def _path(host: str) -> str:
    return os.path.join(_state.home_path(), "ready", host.replace(os.sep, "_") + ".json")


def keep(host: str, proof: dict) -> str:
    """Write the copy, 0600; the path. ``host`` is the inventory's name, not what the host calls itself. Raises `RentedError`."""
    path = os.path.join(_state.folder("ready"), host.replace(os.sep, "_") + ".json")
    try:
        _stamps.write_private(path, json.dumps(dict(proof, host=host), indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise _state.unusable(path, error) from None
    return path
