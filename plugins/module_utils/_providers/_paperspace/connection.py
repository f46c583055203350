# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How Paperspace says what it did not do, and what an id is. Codes: the table of the official client (Paperspace/cli)."""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import NotFound
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values

NAME = "paperspace"
TITLE = "Paperspace"

# The status that stands for a code of an error (the table of the official client).
CODES = {
    "BAD_REQUEST": 400,
    "PARSE_ERROR": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "PRECONDITION_FAILED": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL_SERVER_ERROR": 500,
}


def event_trouble(answer) -> str | None:
    """Why what was asked for will not be done, where the answer's event says so already."""
    event = _values.mapping(_values.mapping(answer).get("event"))
    if event.get("state") not in ("error", "cancelled"):
        return None
    return _values.text(event.get("error")) or "it was %s" % ("cancelled" if event["state"] == "cancelled" else "given up without a reason")


def segment(instance_id) -> str:
    """An id as a part of a path. Raises `NotFound` for what cannot be one: a slash would be another path."""
    if not re.fullmatch(r"[\w-]+", str(instance_id)):
        raise NotFound(f"Paperspace's ids are letters and digits; '{instance_id}' is none.", NAME)
    return str(instance_id)
