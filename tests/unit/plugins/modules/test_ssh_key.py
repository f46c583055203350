# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ssh_key as a process of its own, with Vast's real client, over the fake Vast.ai."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.tests.fakes.lambda_cloud import FakeLambda
from ansible_collections.rented.gpu.tests.fakes.runpod import FakeRunpod
from ansible_collections.rented.gpu.tests.fakes.vast import FakeVast
from ansible_collections.rented.gpu.tests.unit.plugins.modules._process import answers

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample ada@example.org"


@pytest.fixture
def fake():
    with FakeVast() as server:
        yield server
    assert server.violations == []


def call(fake, *several):
    account = {"provider": fake.NAME, "endpoint": fake.url, "api_key": fake.key, "_ansible_diff": True}
    return answers("ssh_key", [{**account, **arguments} for arguments in several], secrets=[fake.key])


def test_a_life(fake, tmp_path):
    path = tmp_path / "id.pub"
    path.write_text(KEY + "\n")
    predicted, added, again, file, gone, nothing = call(
        fake,
        {"public_key": KEY, "_ansible_check_mode": True},
        {"public_key": KEY},
        {"public_key": KEY.replace("ada@example.org", "another comment"), "name": "laptop"},
        {"public_key": str(path)},
        {"public_key": KEY, "state": "absent"},
        {"public_key": KEY, "state": "absent"},
    )
    assert predicted["changed"] and predicted["key"]["id"] == ""
    assert added["changed"] and added["key"] == {"id": "401", "name": None, "public_key": KEY}
    assert added["diff"] == {"before": {"keys": []}, "after": {"keys": [{"public_key": KEY}]}}
    assert not again["changed"] and again["key"]["id"] == "401" and not file["changed"]
    assert gone["changed"] and gone["key"] is None and [key["id"] for key in gone["removed"]] == ["401"]
    assert not nothing["changed"] and nothing["removed"] == []
    assert fake.account_keys == {} and [len(fake.calls("add_key")), len(fake.calls("remove_key"))] == [1, 1]


@pytest.mark.parametrize("cls", [FakeVast, FakeLambda, FakeRunpod], ids=lambda cls: cls.NAME)
def test_the_same_words_at_every_provider(cls):
    other = KEY.replace("IExample", "IAnother")
    named = {"public_key": KEY, "name": "of the class"}
    with cls() as server:
        first, again, second, gone, nothing, left = call(
            server,
            named,
            {"public_key": KEY.replace("ada@example.org", "")},
            {"public_key": other},
            {"public_key": KEY, "state": "absent"},
            {"public_key": KEY, "state": "absent"},
            {"public_key": other, "_ansible_check_mode": True},
        )
        assert server.violations == []
    assert first["changed"] and first["key"]["id"] and first["key"]["public_key"].split()[:2] == KEY.split()[:2]
    assert not again["changed"] and again["key"]["id"] == first["key"]["id"]
    assert second["changed"] and second["key"]["id"] != first["key"]["id"]
    assert gone["changed"] and [key["id"] for key in gone["removed"]] == [first["key"]["id"]] and not nothing["changed"]
    assert not left["changed"] and left["key"]["id"] == second["key"]["id"]


MISTAKES = [
    ({}, "one of the following is required: name, public_key"),
    ({"name": "x"}, "state is present but all of the following are missing: public_key"),
    ({"public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "public_key is a private key; give the public one"),
    ({"public_key": "hello"}, "public_key is not one SSH public key on one line."),
    ({"public_key": " "}, "'public_key' is empty; give the key or the path of its file."),
    ({"public_key": KEY, "name": " x"}, "A name has at least one character and no spaces at its ends."),
    ({"public_key": KEY, "api_key": "another-key-that-is-wrong"}, "Vast.ai refused the API key"),
    (
        {"public_key": KEY, "provider": "rehearsal", "endpoint": None, "api_key": None},
        "Rehearsal cannot keep SSH keys of the account from here",
    ),
    ({"name": "laptop", "state": "absent"}, "The keys of an account at Vast.ai have no names: say which one with 'public_key'."),
]


def test_one_sentence_for_each_mistake(fake):
    fake.account_keys = {1: "ssh-ed25519 BBBB"}
    for (_given, sentence), answer in zip(MISTAKES, call(fake, *[given for given, _sentence in MISTAKES])):
        assert answer["failed"] and answer["msg"].startswith(sentence)
    assert fake.calls("add_key") == []


def test_a_request_whose_answer_is_lost_adds_no_second_key(fake):
    fake.fault("add_key", "answer", status=502, body="Bad gateway", done=True)
    (added,) = call(fake, {"public_key": KEY})
    assert added["changed"] and added["key"]["id"] == "401" and len(fake.account_keys) == 1
