# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""A JMESPath expression chooses, sorts and slices instances."""

from __future__ import annotations

import sys

from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingLibrary, RentedError


def choose(expression: str, instances: list) -> list:
    """The instances that the expression chooses, in its order. Raises `RentedError`."""
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError, ParseError
    except ImportError:
        raise MissingLibrary("The option 'query' needs the Python package jmespath: %s -m pip install jmespath" % sys.executable)
    by_key = {(instance.provider, instance.account, instance.id): instance for instance in instances}
    try:
        answer = jmespath.search(expression, [instance.as_dict() for instance in instances])
    except ParseError as error:
        # Its own text spans lines, with a pointer that would stand anywhere once it is indented.
        raise RentedError(
            "The query %r is not JMESPath. %s, at column %d." % (str(expression), _short(error), (error.lex_position or 0) + 1)
        )
    except JMESPathError as error:
        raise RentedError(
            "The query %r cannot be evaluated: %s. Unknown values are null: test for them first." % (str(expression), _short(error))
        )
    if not isinstance(answer, list):
        raise RentedError(
            "The query %r must give a list of instances, such as [?gpu_count >= `2`]; it gave %s."
            % (str(expression), "nothing" if answer is None else "a single value")
        )
    try:
        return [by_key[(item["provider"], item["account"], item["id"])] for item in answer]
    except (TypeError, KeyError):
        raise RentedError("The query %r must choose instances, not parts of them: leave out what follows the last ']'." % str(expression))


def _short(error: Exception) -> str:
    """One line of jmespath's message: without the drawing under the expression, and without the whole value that did not fit."""
    if hasattr(error, "function_name"):
        expected = getattr(error, "expected_types", None)
        return "%s() takes %s and got %s" % (
            error.function_name,
            " or ".join(expected or ["something else"]),
            getattr(error, "actual_type", "this"),
        )
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(":. ") if lines else type(error).__name__
