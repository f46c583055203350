# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What the collection knows of itself."""

from __future__ import annotations

import json
import os

from ansible.module_utils.common.yaml import yaml_load

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def version() -> str:
    """The version: from galaxy.yml in a checkout, from MANIFEST.json where the collection was installed."""
    checkout = os.path.join(ROOT, "galaxy.yml")
    if os.path.exists(checkout):
        with open(checkout, encoding="utf-8") as handle:
            return yaml_load(handle)["version"]
    with open(os.path.join(ROOT, "MANIFEST.json"), encoding="utf-8") as handle:
        return json.load(handle)["collection_info"]["version"]
