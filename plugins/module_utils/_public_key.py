# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""An SSH public key on one line: what its parts are, and when two lines are the same key.

The form is that of sshd(8), AUTHORIZED_KEYS FILE FORMAT: options (may be omitted; spaces only within double quotes), the type of the
key, the key in base64, and a comment. Types begin with "ssh-", "ecdsa-" or "sk-". Whether the base64 is whole, only `content` says.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError

# Each alternative begins with another character, so that nothing is tried twice. A first word that is a type is never read as options.
_OPTIONS = r'(?:\\"|\\(?!")|[^\s"\\]|"(?:\\"|\\(?!")|[^"\\])*")+'
_LINE = re.compile(
    rf"(?!#)(?:(?P<options>{_OPTIONS})[ \t]+)??(?P<kind>(?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+)[ \t]+(?P<blob>\S+)(?:[ \t]+(?P<comment>.+))?"
)


@dataclasses.dataclass(frozen=True)
class PublicKey:
    """A public key. Two are equal by type and base64, whatever their comments and options."""

    kind: str
    blob: str  # base64, as it is written
    comment: str | None = dataclasses.field(default=None, compare=False)
    options: str | None = dataclasses.field(default=None, compare=False)

    @property
    def body(self) -> str:
        """Type and base64: what identifies the key."""
        return f"{self.kind} {self.blob}"

    @property
    def line(self) -> str:
        """The key as a .pub file has it: with its comment, without options, one space between the parts."""
        return f"{self.body} {self.comment}" if self.comment else self.body

    @property
    def content(self) -> bytes | None:
        """What the base64 says; None where it is none."""
        try:
            return base64.b64decode(self.blob, validate=True)
        except (binascii.Error, ValueError):
            return None


def parse(line: str | None) -> PublicKey | None:
    """The key of one line; None for what is not a key, and for more than one line."""
    text = (line or "").strip()
    found = None if "\n" in text or "\r" in text else _LINE.fullmatch(text)
    return PublicKey(found["kind"], found["blob"], found["comment"], found["options"]) if found else None


def parsed(line: str | None) -> PublicKey:
    """The key of a line that was checked before. Raises ValueError for what is not a key."""
    key = parse(line)
    if key is None:
        raise ValueError("This is not a public key.")
    return key


def required(text: str, what: str, provider: str | None = None) -> PublicKey:
    """The key of a text that must be one, without options. Raises `RentedError` that begins with ``what`` and never repeats the text."""
    key = parse(text)
    if key is None or key.options or is_private(text):
        raise RentedError(f"{what} must be one public key on one line (a .pub file).", provider)
    return key


def same(one: str | None, other: str | None) -> bool:
    """Whether two lines are the same key. A line that is not a key is the same as its like alone."""
    keys = parse(one), parse(other)
    if any(keys):
        return keys[0] == keys[1]
    words = (one or "").split()
    return bool(words) and words == (other or "").split()


def is_private(text: str) -> bool:
    """Whether a text is, or holds, a private key."""
    return "PRIVATE KEY" in text


def fingerprint(content: bytes) -> str:
    """``SHA256:…`` of what a key's base64 says, as ``ssh-keygen -l`` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
