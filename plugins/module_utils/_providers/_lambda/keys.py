# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""SSH keys as Lambda takes them."""

from __future__ import annotations

import hashlib

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda.connection import NAME, wrong

LONGEST_KEY = 4096


def check(text: str) -> str:
    """The key on one line. Never repeats the text: it may be private."""
    key = _public_key.required(text, "The SSH key for Lambda", NAME).line
    if len(key) > LONGEST_KEY:
        raise wrong(f"Lambda takes SSH keys of up to {LONGEST_KEY} characters; this one has {len(key)}.")
    return key


def name_for(key: str) -> str:
    """The name of a key that is registered for a launch: the same key has the same name."""
    return "rented-gpu-" + hashlib.sha256(_public_key.parsed(key).body.encode()).hexdigest()[:16]
