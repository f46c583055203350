# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The option ``query`` of the modules that list: a JMESPath expression over the rows of their answer."""

from __future__ import annotations

import sys

from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingLibrary, RentedError


def compiled(query):
    """The expression, or None where none is given; raises `RentedError` before anybody is asked."""
    if not query:
        return None
    try:
        import jmespath
    except ImportError:
        raise MissingLibrary(
            "'query' needs the Python package 'jmespath' for %s. Install it with: %s -m pip install jmespath"
            % (sys.executable, sys.executable)
        )
    try:
        return jmespath.compile(query)
    except jmespath.exceptions.JMESPathError as error:
        raise RentedError("The query is not JMESPath: %s" % " ".join(str(error).split()))


def searched(expression, rows, what="instances"):
    """What the expression gives; raises `RentedError` when it does not fit the data."""
    try:
        return expression.search(rows)
    except ValueError as error:  # jmespath's errors at run time are ValueErrors
        raise RentedError("The query does not fit the list of %s: %s" % (what, " ".join(str(error).split())[:300]))
