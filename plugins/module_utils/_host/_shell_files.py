# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Marked blocks in files that belong to the user: only what lies between our two marks is ever ours."""

from __future__ import annotations

import os
import stat
import tempfile

BEGIN = "# >>> rented.gpu: %s >>>"
END = "# <<< rented.gpu: %s <<<"


def with_block(text: str, name: str, lines: list, top: bool = False) -> str:
    """``text`` with the block ``name`` holding ``lines``: changed where it is when it is there, else put at the top or the end."""
    begin, end = BEGIN % name, END % name
    block = "\n".join([begin] + lines + [end]) + "\n"
    start, stop = text.find(begin + "\n"), text.find(end)
    if 0 <= start < stop:
        return text[:start] + block + text[stop + len(end) + 1 :]
    if top:
        head, rest = "", text
        if text.startswith("#!"):
            head, _newline, rest = text.partition("\n")
            head += "\n"
        return head + block + rest
    return text + ("" if not text or text.endswith("\n") else "\n") + block


def without_block(text: str, name: str) -> str:
    """``text`` without the block ``name``."""
    begin, end = BEGIN % name, END % name
    start, stop = text.find(begin + "\n"), text.find(end)
    return text[:start] + text[stop + len(end) + 1 :] if 0 <= start < stop else text


def read(path: str) -> str:
    """The text of a file; empty when it is not there."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            return handle.read()
    except FileNotFoundError:
        return ""


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Replace a file in one rename: through a link (dotfiles are often links), with the mode it had."""
    path = os.path.realpath(path)
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".rented-")
    try:
        os.fchmod(handle, mode)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
