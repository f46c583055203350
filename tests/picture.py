# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of terminal output for the README: reads text, writes an SVG that needs no font or file from elsewhere.

python tests/picture.py TITLE < text > docs/images/demo.svg
"""

from __future__ import annotations

import sys
from xml.sax.saxutils import escape

CHARACTER, LINE, MARGIN = 8.4, 20, 16  # pixels, for 14 px monospace


def svg(title: str, lines: list) -> str:
    width = round(max(len(line) for line in [title, *lines]) * CHARACTER + 2 * MARGIN)
    height = (len(lines) + 2) * LINE + 2 * MARGIN
    text = [
        '<text x="%d" y="%d" xml:space="preserve" fill="#e6edf3">%s</text>' % (MARGIN, (number + 3) * LINE + MARGIN - 6, escape(line))
        for number, line in enumerate(lines)
    ]
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d"' % (width, height, width, height),
            '  font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">',
            '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
            '<text x="%d" y="%d" fill="#7d8590">%s</text>' % (MARGIN, LINE + 4, escape(title)),
            *text,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(svg(sys.argv[1], sys.stdin.read().rstrip("\n").split("\n")))
