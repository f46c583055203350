# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.rented.gpu.plugins.plugin_utils._show import _table


def test_columns_are_aligned_and_numbers_stand_to_the_right():
    rows = [{"host": "a", "seconds": 9.5}, {"host": "longer", "seconds": 120.0}]
    assert _table.lines(rows, ["host", "seconds"]) == [
        "host    seconds",
        "------  -------",
        "a           9.5",
        "longer    120.0",
    ]


def test_a_column_without_any_value_is_left_out():
    assert _table.lines([{"host": "a", "price": None}], ["host", "price"])[0] == "host"


def test_a_missing_value_is_blank_and_the_line_has_no_trailing_blanks():
    rows = [{"host": "a", "GPU": "x"}, {"host": "b"}]
    assert _table.lines(rows, ["host", "GPU"])[-1] == "b"


def test_what_a_terminal_would_obey_is_shown_instead():
    rows = [{"host": "a", "GPU": "H100\x1b[2J\x9b31m\u202e\r\nb  yes"}]
    assert _table.lines(rows, ["host", "GPU"])[2:] == ["a     H100\\x1b[2J\\x9b31m\\u202e b  yes"]
