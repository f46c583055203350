# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Every secret that this process knows, whichever account it belongs to, is masked in every message.

A server repeats what it was sent, and a proxy or a wrong endpoint may have seen the key of another account. Accounts are asked for their
secrets when a message is made, because some of them (tokens) come later than the account.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import urllib.parse
import weakref

MASK = "***"
LEAST = 8  # characters; masking shorter texts everywhere would mask common words
MOST_TEXT = 1024 * 1024  # characters of a text that is searched; a message is much shorter

_holders: weakref.WeakSet = weakref.WeakSet()
_variables: set = set()


def holder(account) -> None:
    """From now on what ``account.secrets()`` gives is masked, as long as the account is there."""
    _holders.add(account)


def variables(names) -> None:
    """From now on the values of these environment variables are masked."""
    _variables.update(names)


def known() -> set:
    """Every secret that is known now and long enough to be masked."""
    found = {os.environ.get(name, "").strip() for name in _variables}
    for account in list(_holders):
        try:
            found.update(str(secret) for secret in account.secrets())
        except Exception:  # an account that is being built does not know its secrets yet
            continue
    return {secret for secret in found if len(secret) >= LEAST}


def mask(text: str) -> str:
    """``text`` without any secret: as it is, quoted for a URL or for JSON, or in base64."""
    return mask_these(text[:MOST_TEXT], known())


def mask_these(text: str, secrets) -> str:
    """``text`` without these secrets, in any of those forms, and without the word after "Bearer"."""
    forms = {form for secret in secrets for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return re.sub(r"(?i)(bearer\s+)[^\s\"']{8,}", r"\1" + MASK, text)


@functools.lru_cache(maxsize=256)
def _forms(secret: str) -> frozenset:
    quoted = urllib.parse.quote(secret, safe="")
    lower = re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), quoted)
    found = {secret, quoted, lower, urllib.parse.quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    if len(secret) >= LEAST:
        data = secret.encode("utf-8", "surrogatepass")
        for before in range(3):  # the text of a secret within a longer one depends on where it begins
            # The characters at both ends also hold bits of what stands before and after.
            whole = base64.b64encode(b"\0" * before + data).decode()
            inner = whole[(0, 2, 3)[before] : (len(data) + before) * 8 // 6]
            found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return frozenset(found)
