# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Tables for terminals: plain text, aligned, no colour, numbers to the right."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.plugin_utils import _terminal


def lines(rows: list, columns: list, numbers=()) -> list:
    """The lines of a table. ``rows`` are dicts; a column that is empty in every row is left out.

    Columns of numbers stand to the right; ``numbers`` names those whose numbers come as text.
    """
    columns = [name for name in columns if any(row.get(name) not in (None, "") for row in rows)]
    texts = [[_text(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(columns, *texts)]
    right = [name in numbers or all(_is_number(row.get(name)) for row in rows if row.get(name) not in (None, "")) for name in columns]
    out = [_line(columns, widths, right), "  ".join("-" * width for width in widths)]
    return out + [_line(cells, widths, right) for cells in texts]


def _line(cells, widths, right):
    return "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in zip(cells, widths, right)).rstrip()


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return "%.1f" % value
    return " ".join(_terminal.plain(value).split("\n"))
