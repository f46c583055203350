# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The SSH keys of the account: lines without names and ids, which are read and written all at once."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import ProviderUnavailable
from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod.connection import NAME, TITLE
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http, _values


def check(text: str) -> str:
    """One public key on one line, in the form of the API's pattern. The error does not repeat it: it may be private."""
    return _public_key.required(text, f"The SSH key for {TITLE}", NAME).line


def fingerprint(line: str) -> str:
    """SHA-256 of a key as ssh-keygen shows it, of a line that is not a key as it stands: RunPod has no ids for keys."""
    key = _public_key.parse(line)
    content = key.content if key else None
    return _public_key.fingerprint(line.strip().encode() if content is None else content)


def listed(api) -> list:
    """The lines of all keys of the account, as they are there."""
    what = "read the account's SSH keys"
    keys = _http.list_in(api.get("/account/ssh-keys", what=what), "keys", TITLE, NAME, what)
    # What is read here is written back: a list that is not whole would take keys away.
    if not all(isinstance(key, str) for key in keys):
        raise _http.no_list(TITLE, NAME, what)
    return keys


def replace(api, keys: list) -> None:
    """Write the whole set: the API has no other way. Keys that were read come back to the letter."""
    answer = api.call("PUT", "/account/ssh-keys", body={"keys": keys}, what="write the account's SSH keys")
    kept = _values.mapping(answer).get("keys")
    lost = (
        [key for key in keys if not any(_public_key.same(key, other) for other in kept if isinstance(other, str))]
        if isinstance(kept, list)
        else keys
    )
    if lost:
        raise ProviderUnavailable(
            f"{TITLE} did not confirm {len(lost)} of the {len(keys)} SSH keys of the account. Look at them in its web page.",
            NAME,
        )
