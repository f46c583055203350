# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The option ``query``: a JMESPath expression over a list. Every error is one sentence that repeats the query, never the data."""

from __future__ import annotations

from typing import Any

from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingLibrary, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _missing_package


def compiled(query):
    """The expression; raises `RentedError`."""
    try:
        import jmespath
    except ImportError as error:
        raise MissingLibrary(_missing_package.missing("'query'", ["jmespath"], error)) from None
    try:
        return jmespath.compile(query)
    except jmespath.exceptions.JMESPathError as error:
        place = getattr(error, "lex_position", None)
        column = "" if place is None else ", at column %d" % (place + 1)
        raise RentedError(f"The query {str(query)!r} is not JMESPath. {_short(error)}{column}.")


def searched(expression, rows):
    """What the expression gives; raises `RentedError` when it does not fit the data."""
    try:
        return expression.search(rows)
    except ValueError as error:  # JMESPath's own errors at run time are ValueErrors too
        raise RentedError(
            f"The query {expression.expression!r} cannot be evaluated: {_short(error)}. Unknown values are null: test for them first."
        )


def _short(error: Exception) -> str:
    """JMESPath's message on one line: without the drawing under the expression, and without the whole value that did not fit."""
    if hasattr(error, "actual_type"):
        wrong: Any = error  # JMESPath's JMESPathTypeError
        return f"{wrong.function_name}() takes {' or '.join(wrong.expected_types)} and got {wrong.actual_type}"
    lines = [line.split(": Parse error at")[0] for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(":. ") if lines else type(error).__name__
