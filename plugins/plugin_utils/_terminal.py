# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Text of a stranger's machine on a person's terminal. Ansible prints messages as they are."""

from __future__ import annotations

import re

# What moves the cursor, colours, rings, or turns the direction of writing; tab and line feed stay.
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text) -> str:
    """The text with everything that a terminal would obey made visible."""
    return COMMANDS.sub(lambda found: ascii(found.group())[1:-1], str(text).replace("\r\n", "\n"))
