# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Other people's text in our messages: without secrets, without anything that a terminal obeys, and not endless."""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils import _masking

# What moves the cursor, colours, rings, or turns the direction of writing; and halves of characters, which cannot be printed.
# Tab and line feed stay.
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]")
MOST = 8000  # characters of one message; the failures of thirty accounts fit in
END = 2000  # of them at its end, where our own advice stands


def plain(text) -> str:
    """The text with everything that a terminal would obey made visible."""
    return COMMANDS.sub(lambda found: ascii(found.group())[1:-1], str(text).replace("\r\n", "\n"))


def bounded(text: str, most: int = MOST) -> str:
    """The text; from a longer one, its middle is left out."""
    if len(text) <= most:
        return text
    end = min(END, most // 4)
    return "%s … (%d characters left out) … %s" % (text[: most - end], len(text) - most, text[-end:])


def harmless(text) -> str:
    """The text as it may be shown: secrets masked, then made plain, then bounded."""
    return bounded(plain(_masking.mask(str(text))))
