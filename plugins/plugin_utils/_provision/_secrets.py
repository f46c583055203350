# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Finds what must not be written into a script that a provider keeps and shows: vaulted values, and texts that look like secrets."""

from __future__ import annotations

import functools
import importlib
import re
import urllib.parse

from ansible.parsing.vault import VaultHelper

from ansible_collections.rented.gpu.plugins.module_utils._shown import TOKENS

PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"]+", re.I)
# Names of what a URL carries after its question mark.
QUERY = re.compile(r"token|secret|passw|signature|credential|api.?key|access.?key|^(sig|key|auth|pwd)$", re.I)
SHORTEST = 6  # a vaulted text of fewer letters ("root", "true") says nothing when it is found elsewhere


def looks_like(text: str) -> str | None:
    """What secret a text seems to hold; None when it seems to hold none."""
    if PRIVATE_KEY.search(text):
        return "a private key"
    if TOKENS.search(text):
        return "a token"
    for address in URL.findall(text):
        try:
            parts = urllib.parse.urlsplit(address)
        except ValueError:  # https://[::1/x; what uses it says what is wrong with it
            continue
        if parts.password or (parts.username and parts.scheme.lower() in ("http", "https", "git+https", "git+http")):
            return "a URL with a password or a token in it"
        if any(QUERY.search(name) for name, _value in urllib.parse.parse_qsl(parts.query, keep_blank_values=True)):
            return "a signed URL"
    return None


def texts(value):
    """Every text in a value: keys too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(key)
            yield from texts(inner)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from texts(inner)
    elif _is_vaulted(value) or isinstance(value, str):
        yield value


def vaulted(variables: dict) -> set:
    """The plain texts of all vaulted values among these variables. What cannot be decrypted cannot have been used."""
    found = set()
    for value in variables.values():
        for text in texts(value):
            if _is_vaulted(text):
                try:
                    found.add(str(text))
                except Exception:  # Ansible's own, without the right password
                    continue
    return {text for text in found if len(text.strip()) >= SHORTEST}


def _is_vaulted(value) -> bool:
    if VaultHelper.get_ciphertext(value, with_tags=False) is not None:
        return True
    path = _origin(value)
    return path is not None and _is_vaulted_file(path)


def _origin(value) -> str | None:
    """The file that a value was read from, where this ansible-core says it (2.19 and later do, without a public name for it)."""
    try:
        tag = importlib.import_module("ansible._internal._datatag._tags").Origin.get_tag(value)
    except (ImportError, AttributeError, TypeError):
        return None
    return str(tag.path) if tag and tag.path else None


@functools.lru_cache(maxsize=None)
def _is_vaulted_file(path: str) -> bool:
    try:
        with open(path, "rb") as handle:
            return handle.read(14) == b"$ANSIBLE_VAULT"
    except OSError:
        return False
