# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What `_field_rules` refused of an account's answers, as sentences for a person: one for each field, however many rows have it."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._renting._remove_secrets import scrub

NAMED = 5  # of a sentence; the others are counted
DEEPEST = 32  # of an API's own words


class Refused:
    """Collects over all lists of a provider object. A list that is read again adds nothing."""

    def __init__(self) -> None:
        self._found: dict = {}  # (kind, field) -> {id: short value}

    def note(self, kind: str, records) -> None:
        """Remember what was refused of these records."""
        for record in records:
            for field, value in getattr(record, "refused", ()):
                self._found.setdefault((kind, field), {}).setdefault(record.id, value)

    def sentences(self, account: str, secrets=()) -> list:
        """One sentence for each field of each kind."""
        made = []
        for (kind, field), values in self._found.items():
            ids = list(values)
            named = ", ".join(ids[:NAMED]) + (" and %d more" % (len(ids) - NAMED) if len(ids) > NAMED else "")
            made.append(
                scrub(
                    f"{account}: '{field}' of {kind}{'s' if len(ids) > 1 else ''} {named} has no usable value and "
                    f"was replaced or left out ({'for example ' if len(ids) > 1 else ''}{values[ids[0]]}).",
                    known=secrets,
                )
            )
        return made


def shallow(value, depth: int = DEEPEST):
    """A copy of an answer that is not deeper than this, so that code that walks or prints it needs no protection."""
    if not isinstance(value, (dict, list, tuple)):
        return value
    if not depth:
        return "REMOVED"
    if isinstance(value, dict):
        return {name: shallow(item, depth - 1) for name, item in value.items()}
    return [shallow(item, depth - 1) for item in value]
