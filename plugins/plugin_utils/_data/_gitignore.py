# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Patterns of a .gitignore (gitignore(5)) as filter rules of rsync(1).

The two differ in what a backslash means, in runs of asterisks, and in spaces at the end.
"""

from __future__ import annotations

import re

SPECIAL = "*?["
BRACKET = re.compile(r"\[[!^]?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
NOTHING = "\0"  # stands for a bracket that matches no character
QUOTED_OR_BRACKET = re.compile(r"\\.|" + BRACKET.pattern, re.DOTALL)


def rules(pattern: str) -> list:
    """The rules for one pattern; empty for a comment and for a pattern that can match nothing."""
    rule = "-"
    if pattern.startswith("#"):
        return []
    if pattern.startswith("!"):
        rule, pattern = "+", pattern[1:]
    pattern = _with_plain_slashes(_without_blanks(pattern))
    if pattern.startswith("\\/") or "//" in pattern:
        return []
    folder = "/" if pattern.endswith("/") else ""
    anchored = "/" in pattern.rstrip("/")
    pattern = QUOTED_OR_BRACKET.sub(_without_slash, pattern)
    if NOTHING in pattern:
        return []
    parts: list = []
    for part in pattern.strip("/").split("/"):
        if part != "**" or parts[-1:] != ["**"]:
            parts.append(part)
    if parts[0] == "**" and len(parts) < 3:
        # "**/x" is "x", and "**" alone is "*".
        anchored, parts = False, parts[1:] or ["*"]
    read = [part if part == "**" else _tokens(part) for part in parts]
    tokens: list = [part for part in read if part is not None]
    if not pattern.strip("/") or len(tokens) < len(read):
        return []
    # A backslash means something to rsync only in a pattern that has one of these.
    wild = any(part == "**" or any(not literal or text in SPECIAL for text, literal in part) for part in tokens)
    texts = [part if part == "**" else _written(part, wild) for part in tokens]
    found = []
    for variant in _variants(texts):
        found.append("%s %s%s%s" % (rule, "/" if anchored and not variant.startswith("**") else "", variant, folder))
    return found


def _without_blanks(pattern: str) -> str:
    """The pattern without the spaces at its end, but with one that a backslash quotes."""
    end = position = 0
    while position < len(pattern):
        step = 2 if pattern[position] == "\\" else 1
        if pattern[position] != " ":
            end = position + step
        position += step
    return pattern[:end]


def _with_plain_slashes(pattern: str) -> str:
    """The pattern with ``/`` for ``\\/``, which is the same to git, except at both ends of the pattern."""

    def plain(pair) -> str:
        return "/" if pair[0] == "\\/" and pair.start() > 0 and pair.end() < len(pattern) else pair[0]

    return re.sub(r"\\.", plain, pattern, flags=re.DOTALL)


def _without_slash(match) -> str:
    """A bracket without the slash in it: no bracket matches a slash, but here a slash would end a component of the path."""
    if not match[0].startswith("[") or "/" not in match[0]:
        return match[0]
    # First the ranges that begin or end at a slash: 0 is the character after it, and a dot the one before it.
    members = re.sub(r"\\?/-(?=[^\]])", "0-", re.sub(r"(?<=[^!^\[])-\\?/", "-.", match[0]))
    members = re.sub(r"\\?/", "", members)
    if members in ("[!]", "[^]"):
        return "?"
    return members if members != "[]" else NOTHING


def _tokens(part: str) -> list | None:
    """``[text, literal?]`` for each piece of a path's component; None when it is malformed and matches nothing."""
    found, position = [], 0
    while position < len(part):
        sign = part[position]
        if sign == "\\":
            if position + 1 == len(part):
                return None
            found.append((part[position + 1], True))
            position += 2
        elif sign == "[":
            bracket = BRACKET.match(part, position)
            if not bracket:
                return None
            found.append((bracket.group(), False))
            position = bracket.end()
        else:
            # Git takes a run of asterisks inside of a name for one; rsync's "**" would match slashes.
            if sign != "*" or found[-1:] != [("*", False)]:
                found.append((sign, sign not in SPECIAL))
            position += 1
    return found


def _written(tokens: list, wild: bool) -> str:
    return "".join("\\" + text if wild and literal and text in SPECIAL + "\\" else text for text, literal in tokens)


def _variants(texts: list) -> list:
    """``a/**/b`` also means ``a/b``, for which rsync needs a rule of its own."""
    found: list = [[]]
    for number, text in enumerate(texts):
        if text == "**" and 0 < number < len(texts) - 1:
            found = [before + [text] for before in found] + found
        else:
            found = [before + [text] for before in found]
    return ["/".join(parts) for parts in found]
