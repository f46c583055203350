# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Tables for terminals: plain text, aligned, no colour, numbers to the right."""

from __future__ import annotations

import os

from ansible.utils.display import Display

from ansible_collections.rented.gpu.plugins.module_utils import _plain


def width() -> int:
    """The columns of the terminal, or of ``$COLUMNS``; 79 where there is no terminal."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() and int(columns) > 0 else Display().columns or 79


def fitting(rows: list, columns: list, dispensable, limit: int, numbers=()) -> tuple:
    """``(lines, columns)`` of the widest table that fits: columns of ``dispensable`` go one by one, the first first."""
    columns = [name for name in columns if any(row.get(name) not in (None, "") for row in rows)]
    for name in (None, *dispensable):
        columns = [column for column in columns if column != name]
        found = lines(rows, columns, numbers)
        if max(map(len, found)) <= limit:
            break
    return found, columns


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
        return f"{value:.1f}"
    return " ".join(_plain.plain(value).split("\n"))
