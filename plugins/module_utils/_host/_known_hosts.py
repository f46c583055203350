# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Reading and completing a known_hosts file (sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT)."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import re
import struct

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps

MARKERS = ("@cert-authority", "@revoked")


class KeyFormatError(ValueError):
    """Not a public key; the message says what it is instead."""


def parse_key(text: str) -> tuple:
    """``(type, base64)`` of "type base64 [comment]". Raises `KeyFormatError`."""
    if _public_key.is_private(text):
        raise KeyFormatError("it is a private key: give the host's public key, and treat that private key as published")
    words = text.split()
    if len(words) < 2:
        raise KeyFormatError("a public key has the form 'ssh-ed25519 AAAA…'")
    kind, blob = words[0], words[1]
    try:
        raw = base64.b64decode(blob, validate=True)
        length = struct.unpack(">I", raw[:4])[0]
        inner = raw[4 : 4 + length].decode("ascii")
    except (binascii.Error, struct.error, ValueError):
        if len(words) > 2 and re.match(r"(ssh|ecdsa|sk)-", words[1]):
            raise KeyFormatError(f"it begins with '{kind}': give only the type and the key, and the name in 'host'")
        raise KeyFormatError("its second word is not the base64 of a key; it may be cut off")
    if inner != kind:
        raise KeyFormatError(f"it says {kind}, but holds a key of the type {inner}")
    rest = raw[4 + length :]
    while rest:  # the fields of a key fill it exactly; a key that was cut off does not
        if len(rest) < 4 or len(rest) < 4 + struct.unpack(">I", rest[:4])[0]:
            raise KeyFormatError("it is cut off")
        rest = rest[4 + struct.unpack(">I", rest[:4])[0] :]
    return kind, blob


def fingerprint(blob: str) -> str:
    """``SHA256:…`` of a key's base64, as ssh-keygen -l prints it."""
    return _public_key.fingerprint(base64.b64decode(blob))


def name_of(host: str, port: int = 22) -> str:
    """How a host and port stand in the file."""
    host = host.lower()
    return host if port == 22 else f"[{host}]:{port}"


def matches(pattern: str, name: str) -> bool:
    """Whether the first field of a line means ``name``: a hash, or a list of patterns, some of them negated."""
    if pattern.startswith("|1|"):
        try:
            _empty, _one, salt, wanted = pattern.split("|")
            found = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
            return hmac.compare_digest(found, base64.b64decode(wanted))
        except ValueError:
            return False
    yes = False
    for item in pattern.lower().split(","):
        negated = item.startswith("!")
        # In the file [ and ] are letters; fnmatch would read a set.
        if fnmatch.fnmatchcase(name, item.lstrip("!").replace("[", "[[]")):
            if negated:
                return False
            yes = True
    return yes


class Line:
    """One line of the file, the ``number``-th; ``names`` is None for a comment, an empty line or one that cannot be read."""

    def __init__(self, text: str, number: int = 0) -> None:
        self.text = text
        self.number = number
        self.marker = self.names = self.kind = self.blob = None
        words = text.split()
        if words and words[0] in MARKERS:
            self.marker = words.pop(0)
        if len(words) >= 3 and not text.lstrip().startswith("#"):
            self.names, self.kind, self.blob = words[:3]

    def fingerprint(self) -> str:
        try:
            return fingerprint(self.blob or "")
        except (ValueError, TypeError):
            return "(unreadable)"


def is_of(text: str, name: str) -> bool:
    """Whether a line of the file holds a key of this host alone, as ssh writes it: its name, or its hash."""
    line = Line(text)
    if line.names is None or line.marker is not None:
        return False
    return line.names == name or (line.names.startswith("|1|") and matches(line.names, name))


class Conflict(Exception):
    """A line of the file that stands against a wanted key."""

    def __init__(self, line: Line, name: str, wanted: str, revoked: bool = False) -> None:
        super().__init__(name)
        self.line = line
        self.name = name
        self.wanted = wanted
        self.revoked = revoked


def complete(text: str, keys: list, withdrawn: dict, ours: list) -> tuple:
    """The file with all of ``keys`` in it, once: ``(text, lines that hold them, what was added, what was taken out)``.

    ``keys``       list of ``(name, type, base64)``
    ``withdrawn``  name -> fingerprints that its host has withdrawn: such lines go
    ``ours``       the marks (`_stamps.line_mark`) of lines that we wrote earlier: they may be replaced

    Raises `Conflict` for a line of another owner that has another key of the same type for a name, or that revokes a wanted key.
    """
    lines = [Line(raw, number) for number, raw in enumerate(text.splitlines(), 1)]
    added = []
    taken = []

    def take(line: Line, why: str) -> None:
        lines.remove(line)
        taken.append(f"{line.names} {line.kind} {line.fingerprint()} ({why})")

    for name, gone in withdrawn.items():
        for line in list(lines):
            if line.names and line.marker is None and matches(line.names, name) and line.fingerprint() in gone:
                take(line, f"withdrawn by {name}")
    kept = []
    for name, kind, blob in keys:
        there = None
        for line in list(lines):
            if not line.names or not matches(line.names, name):
                continue
            if line.marker == "@revoked" and line.blob == blob:
                raise Conflict(line, name, fingerprint(blob), revoked=True)
            if line.marker is not None or line.kind != kind:
                continue
            if line.blob == blob:
                there = there or line
            elif _stamps.line_mark(line.text) in ours:
                take(line, "replaced by the new key")
            else:
                raise Conflict(line, name, fingerprint(blob))
        if there is None:
            there = Line(f"{name} {kind} {blob}")
            lines.append(there)
            added.append(there.text)
        kept.append(there.text)
    if not added and not taken:
        return text, kept, added, taken
    return "".join(line.text + "\n" for line in lines), kept, added, taken
