# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of an account, over providers that live in memory: with names, without names, without the content."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import Ambiguous, ProviderUnavailable, RentedError, Unsupported
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import CanRegisterKey, Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting._account_keys import AccountKeys, default_name
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import SshKey

MINE = "ssh-ed25519 AAAA me@laptop"
OTHER = "ssh-ed25519 BBBB me@desktop"


class Plain(Provider):
    NAME, TITLE = "acme", "Acme"

    def list_instances(self):
        return []


class Named(Plain, CanRegisterKey):
    fails = None  # raised by add_key, after (`done`) or instead of adding
    done = False

    def __init__(self, *keys):
        super().__init__()
        self.keys = list(keys)
        self.did = []

    def list_keys(self):
        return list(self.keys)

    def add_key(self, name, public_key):
        self.did.append(("add", name, public_key))
        if self.fails is None or self.done:
            self.keys.append(self.made(name, public_key))
        if self.fails:
            raise self.fails
        return "9"

    def made(self, name, public_key):
        return SshKey("9", name, public_key)

    def remove_key(self, key_id):
        self.did.append(("remove", key_id))
        self.keys = [key for key in self.keys if key.id != key_id]


class Nameless(Named):
    def made(self, name, public_key):
        return SshKey("9", None, public_key)


def test_a_key_is_added_once():
    provider = Named(SshKey("1", "desktop", OTHER))
    keys = AccountKeys(provider)
    assert keys.present("laptop", MINE) == SshKey("9", "laptop", MINE) and keys.changed
    assert keys.diff["before"] == {"keys": [{"name": "desktop", "public_key": OTHER}]}
    assert keys.diff["after"]["keys"][1] == {"name": "laptop", "public_key": MINE}
    again = AccountKeys(provider)
    assert again.present("laptop", "ssh-ed25519 AAAA another comment").id == "9" and not again.changed
    assert len(provider.did) == 1


def test_check_mode_adds_and_removes_nothing():
    provider = Named(SshKey("1", "desktop", OTHER))
    keys = AccountKeys(provider, check=True)
    assert keys.present("laptop", MINE) == SshKey("", "laptop", MINE)
    assert keys.changed and len(keys.diff["after"]["keys"]) == 2
    keys = AccountKeys(provider, check=True)
    assert [key.id for key in keys.absent("desktop", None)] == ["1"]
    assert keys.changed and keys.diff["after"] == {"keys": []} and provider.did == []


@pytest.mark.parametrize(("key", "name"), [(MINE, "me@laptop"), ("ssh-ed25519 AAAA", "rented-gpu-63c1dd95")])
def test_a_key_without_a_name_gets_one(key, name):
    provider = Named()
    AccountKeys(provider).present(None, key)
    assert provider.did == [("add", name, key)] and default_name(key) == name


def test_a_name_that_another_key_has():
    with pytest.raises(RentedError, match=r"account 'acme' at Acme has another key under the name 'laptop' \(1\)"):
        AccountKeys(Named(SshKey("1", "laptop", OTHER))).present("laptop", MINE)


def test_the_key_under_another_name_is_left_and_said():
    keys = AccountKeys(Named(SshKey("1", "old", MINE)))
    assert keys.present("new", MINE).id == "1" and not keys.changed and "under the name 'old'" in keys.warnings[0]


def test_a_key_whose_content_is_not_shown_counts_by_its_name():
    keys = AccountKeys(Named(SshKey("1", "laptop", None)))
    assert keys.present("laptop", MINE).id == "1" and not keys.changed and "taken for the same" in keys.warnings[0]


def test_providers_without_names():
    provider = Nameless()
    assert AccountKeys(provider).present("laptop", MINE) == SshKey("9", None, MINE)
    with pytest.raises(RentedError, match="have no names: say which one with 'public_key'"):
        AccountKeys(provider).absent("laptop", None)
    keys = AccountKeys(provider)
    assert [key.id for key in keys.absent("laptop", MINE)] == ["9"] and keys.changed
    nothing = AccountKeys(provider)
    assert nothing.absent("laptop", None) == [] and not nothing.changed


@pytest.mark.parametrize(
    ("name", "key", "gone"),
    [
        ("laptop", None, ["1"]),
        (None, MINE, ["1", "3"]),
        ("copy", MINE, ["3"]),
        ("desktop", MINE, []),
        ("nobody", None, []),
        (None, "ssh-ed25519 CCCC", []),
    ],
)
def test_removing(name, key, gone):
    provider = Named(SshKey("1", "laptop", MINE), SshKey("2", "desktop", OTHER), SshKey("3", "copy", MINE))
    keys = AccountKeys(provider)
    assert [found.id for found in keys.absent(name, key)] == gone
    assert keys.changed is bool(gone) and provider.did == [("remove", number) for number in gone]


def test_two_keys_of_one_name():
    with pytest.raises(Ambiguous, match=r"2 keys called 'laptop' \(1, 2\)"):
        AccountKeys(Named(SshKey("1", "laptop", MINE), SshKey("2", "laptop", OTHER))).absent("laptop", None)


def test_an_answer_that_was_lost_is_looked_for_in_the_list():
    provider = Named()
    provider.fails, provider.done = ProviderUnavailable("Acme is down."), True
    keys = AccountKeys(provider)
    assert keys.present("laptop", MINE).id == "9" and "added nevertheless" in keys.warnings[0]
    provider = Named()
    provider.fails = ProviderUnavailable("Acme is down.")
    with pytest.raises(ProviderUnavailable, match="Acme is down"):
        AccountKeys(provider).present("laptop", MINE)
    assert len(provider.did) == 1


def test_providers_that_keep_no_keys_say_so():
    with pytest.raises(Unsupported, match="Acme cannot keep SSH keys of the account from here; give 'ssh_public_key' when renting"):
        AccountKeys(Plain())
