# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How a message shows a value that a user gave. A value in the wrong place may be a secret, so every message shows it through `shown`."""

from __future__ import annotations

import re

LONGEST = 255  # characters; no name of a file is longer

# Beginnings that only keys and tokens have.
TOKENS = re.compile(
    r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|xox[abprs]-[\w-]{10,}"
    r"|A[KS]IA[A-Z0-9]{16}\b|AIza[\w-]{30,}|rpa_[A-Za-z0-9]{20,}|dop_v1_[0-9a-f]{20,})"
)
# Also where a URL was taken for a relative path, which made https:/ of it.
_AUTHORITY = re.compile(r"^(?P<scheme>.*?[\w+.-]*:/{1,3}|[\w+.-]*//)(?P<rest>.*)$", re.DOTALL)
# A password may hold a slash, against the rules; what follows the colon is not a port then.
_SLASH_IN_PASSWORD = re.compile(r"^[^/@:]*:(?!\d{1,5}(?:/|$))[^@]*@")
_LOGIN = re.compile(r"[^\s:/@]+:(?!\d{1,5}/|//)[^\s@]+@(?=[^\s@])")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SECRET_PARAMETER = re.compile(r"(?i)\b(\w*(?:token|secret|passw|signature|credential|api_?key|access_?key)\w*\s*[=:]\s*)[^\s,;&'\"]+")


def shown(value) -> str:
    """The value for a sentence; what may be a secret is described instead of shown."""
    if isinstance(value, str):
        return _reason(value) or _masked(str(value))
    if isinstance(value, (bytes, bytearray)):
        return "(binary data)"
    for text in texts(value):
        if _reason(text):
            return f"({kind(value)} that holds {_reason(text).strip('()')})"
    try:
        text = repr(_plain(value))
    except (ValueError, RecursionError):  # an integer of thousands of digits, or a list that holds itself
        return f"({kind(value)})"
    return _masked(text) if len(text) <= LONGEST else f"({kind(value)} of {len(text)} characters)"


def kind(value) -> str:
    """What YAML calls a value of this type, with an article."""
    for types, name in (
        ((bool,), "a truth value (true or false)"),
        ((int, float), "a number"),
        ((str,), "a text"),
        ((dict,), "a dictionary"),
        ((list, tuple), "a list"),
        ((set, frozenset), "a set"),
        ((bytes, bytearray), "binary data"),
    ):
        if isinstance(value, types):
            return name
    return "empty" if value is None else f"a value of type {type(value).__name__}"


def _reason(text: str) -> str:
    if "PRIVATE KEY" in text or "PuTTY-User-Key-File" in text:
        return "(a private key, which is not shown)"
    if _CONTROLS.search(text.strip("\n")):
        return "(a text with line ends or control characters, which is not shown)"
    if len(text) > LONGEST:
        return f"(a text of {len(text)} characters, which is not shown)"
    return ""


def _masked(text: str) -> str:
    words = [_url(word) for word in re.split(r"(\s+|['\"])", text.strip("\n"))]
    return _SECRET_PARAMETER.sub(r"\1***", TOKENS.sub("***", _LOGIN.sub("***@", "".join(words))))


def _url(word: str) -> str:
    """A URL without login, query and fragment."""
    found = _AUTHORITY.match(word)
    if not found:
        return word
    rest, mark, _query = re.sub(r"[?#]", "\0", found["rest"], count=1).partition("\0")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        rest = authority.rpartition("@")[2] + slash + path
    elif _SLASH_IN_PASSWORD.match(rest):
        rest = rest.rpartition("@")[2]
    return found["scheme"] + rest + ("?***" if mark else "")


def texts(value, depth: int = 0):
    """Every text inside of a value, keys too."""
    if isinstance(value, str):
        yield value
    elif depth < 20 and isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(key, depth + 1)
            yield from texts(inner, depth + 1)
    elif depth < 20 and isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from texts(inner, depth + 1)


def _plain(value):
    """Without the types that mark where a text came from, whose names mean nothing to people."""
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, str) else value
