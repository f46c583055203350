# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Values of an API as plain values. What is missing, null or nonsense is ``None``: never an exception, never a guess."""

from __future__ import annotations

import datetime
import logging
import math
import re

from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules

_PORT = re.compile(r"0{0,5}[0-9]{1,5}")


def number(value) -> float | None:
    """A finite number, also where the API writes it as text. Its range is a matter of the field, and checked by `_field_rules`."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):  # JSON has numbers that are too large for a float
        return None
    return found if math.isfinite(found) else None


def scaled(value, factor: float, digits: int = 1) -> float | None:
    """A number in another unit, rounded."""
    found = number(value)
    return None if found is None else round(found * factor, digits)


def whole(value) -> int | None:
    """A whole number."""
    found = number(value)
    return int(found) if found is not None else None


def port(value) -> int | None:
    """A TCP port."""
    if isinstance(value, str):
        value = value.strip()
        value = int(value) if _PORT.fullmatch(value) else None
    return value if _field_rules.is_port(value) else None


def text(value) -> str | None:
    """A text without spaces at its ends, also where the API writes it as a number; None for an empty one."""
    if value is None or isinstance(value, (dict, list, bool)):
        return None
    try:
        return str(value).strip() or None
    except ValueError:  # Python writes no integers of more than 4300 digits
        return None


def mapping(value) -> dict:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value) -> list:
    """The objects of a list; what is not an object is passed over."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def state(states: dict, word, provider: str, instance_id) -> str:
    """Our word for the state of an instance: ``states`` by the API's word; "unknown" for any other, with a debug line."""
    found = states.get(word) if isinstance(word, str) else None
    if found is None:
        logging.getLogger("rented.gpu." + provider).debug(
            "%s: unknown state %s of instance %s", provider, _field_rules.brief(word), _field_rules.brief(instance_id)
        )
    return found or "unknown"


def moment(value) -> str | None:
    """UTC, ISO 8601, whole seconds: from seconds since 1970, or from ISO 8601 with a zone (without one it counts as UTC)."""
    try:
        if isinstance(value, datetime.datetime):
            found = value
        elif isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            found = datetime.datetime.fromisoformat(_iso(value))
        else:
            seconds = number(value)
            if not seconds or seconds <= 0:
                return None
            found = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.timezone.utc)
        return found.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return None


def _iso(value: str) -> str:
    # Python before 3.11 takes neither "Z" nor fractions of other lengths than three and six digits.
    head, dot, rest = value.strip().replace("Z", "+00:00").partition(".")
    if not dot:
        return head
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return head + rest[digits:]
