# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The SSH keys that an account keeps for later instances: present or absent. Knows no provider and nothing of Ansible.

Nothing is added before a whole list has shown that the key is not there, and after a request with unknown outcome the list is read again.
"""

from __future__ import annotations

import hashlib

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import Ambiguous, ProviderUnavailable, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import SshKey
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource_words import unsupported


class AccountKeys:
    """The keys of one account, and what was done to them: ``changed``, ``diff``, ``warnings``."""

    def __init__(self, provider, check: bool = False) -> None:
        if not provider.can("register_key"):
            raise unsupported(provider, "register_key")
        self.provider = provider
        self.check = check
        self.changed = False
        self.warnings: list = []
        self._before: list = []
        self._after: list = []

    @property
    def diff(self) -> dict:
        """The keys of the account before and after."""
        return {"before": {"keys": for_diff(self._before)}, "after": {"keys": for_diff(self._after)}}

    def present(self, name: str | None, public_key: str) -> SshKey:
        """The key, added where no key of the account is the same. A name that another key has is an error."""
        self._list()
        for key in self._before:
            if _public_key.same(key.public_key, public_key):
                if name is not None and key.name not in (None, name):
                    self.warnings.append(f"{self._title()} has this key under the name '{key.name}' ({key.id}); it was left so.")
                return key
        taken = [key for key in self._before if name is not None and key.name == name]
        for key in taken:
            if key.public_key is None:
                self.warnings.append(f"{self._title()} does not show the content of the key '{name}'; it is taken for the same.")
                return key
            raise RentedError(
                f"{self._title()} has another key under the name '{name}' ({key.id}). Choose another name, or remove "
                "that key first (state: absent).",
                self.provider.NAME,
            )
        self.changed = True
        name = name or default_name(public_key)
        key = SshKey("", name, public_key)
        self._after = [*self._before, key]
        if not self.check:
            number = self._add(name, public_key)
            self._after = list(self.provider.list_keys())
            key = next((there for there in self._after if there.id == number), SshKey(number, name, public_key))
        return key

    def absent(self, name: str | None, public_key: str | None) -> list:
        """The keys that were removed: all copies of ``public_key``, or the one called ``name``."""
        self._list()
        gone = [key for key in self._before if meant(key, name, public_key)]
        if public_key is None and not gone and self._before and all(key.name is None for key in self._before):
            raise RentedError(
                f"The keys of an account at {self.provider.TITLE} have no names: say which one with 'public_key'.", self.provider.NAME
            )
        if public_key is None and len(gone) > 1:
            raise Ambiguous(
                f"{self._title()} has {len(gone)} keys called '{name}' ({', '.join(key.id for key in gone)}): say "
                "which one with 'public_key'.",
                self.provider.NAME,
            )
        self.changed = bool(gone)
        self._after = [key for key in self._before if key not in gone]
        if not self.check:
            for key in gone:
                self.provider.remove_key(key.id)
        return gone

    def _list(self) -> None:
        self._before = self._after = list(self.provider.list_keys())

    def _add(self, name: str, public_key: str) -> str:
        try:
            return self.provider.add_key(name, public_key)
        except ProviderUnavailable as error:
            for key in self.provider.list_keys():
                if _public_key.same(key.public_key, public_key):
                    self.warnings.append(f"{error.message} It was added nevertheless, as the list shows: {key.id}.")
                    return key.id
            raise

    def _title(self) -> str:
        return f"The account '{self.provider.account}' at {self.provider.TITLE}"


def meant(key: SshKey, name: str | None, public_key: str | None) -> bool:
    """Whether a key is the one to remove. Where keys have no names, a name beside the key itself says nothing."""
    if public_key is not None and not _public_key.same(key.public_key, public_key):
        return False
    return name in (None, key.name) or (public_key is not None and key.name is None)


def default_name(public_key: str) -> str:
    """How a key without a name is called: by its comment, else by its fingerprint's beginning."""
    key = _public_key.parsed(public_key)
    return key.comment or "rented-gpu-" + hashlib.sha256(key.blob.encode()).hexdigest()[:8]


def for_diff(keys: list) -> list:
    """What a diff shows of keys."""
    return [{name: value for name, value in (("name", key.name), ("public_key", key.public_key)) if value} for key in keys]
