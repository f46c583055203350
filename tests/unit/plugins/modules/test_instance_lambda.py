# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module instance as a process of its own, at Lambda's real pace, over the fake of a provider that cannot stop."""

from __future__ import annotations

import json

import pytest

from ansible_collections.rented.gpu.tests.fakes.lambda_cloud import FakeLambda, row
from ansible_collections.rented.gpu.tests.unit.plugins.modules._process import run


@pytest.fixture
def fake():
    with FakeLambda(rows=[row(1, name="other")]) as server:
        yield server
    assert server.violations == []


def answers(fake, *several):
    """What the module answers to each set of arguments, all in one process."""
    given = [{"provider": "lambda", **arguments} for arguments in several]
    done = run("instance", given, {"PATH": "/usr/bin:/bin", **fake.environment()})
    assert fake.key not in done.stdout + done.stderr and "SECRET" not in done.stdout and "Traceback" not in done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    assert len(made) == len(several), done.stdout + done.stderr
    return made


def test_a_life(fake):
    wanted = {"name": "hw", "gpu": "A10", "ssh_public_key": "ssh-ed25519 AAAA me", "startup_script": "echo hello\n"}
    predicted, rented, again, stopped, gone = answers(
        fake,
        {**wanted, "_ansible_check_mode": True},
        wanted,
        wanted,
        {"name": "hw", "state": "stopped"},
        {"name": "hw", "state": "absent"},
    )
    assert predicted["changed"] and predicted["instance"]["id"] == ""
    assert rented["changed"] and (rented["instance"]["state"], rented["instance"]["ssh_user"]) == ("running", "ubuntu")
    assert not again["changed"] and again["instance"]["id"] == rented["instance"]["id"]
    assert stopped["failed"] and stopped["msg"] == "Lambda cannot stop an instance, only destroy it."
    assert gone["changed"] and [item["name"] for item in fake.rows.values()] == ["other"]
    assert [body["user_data"] for body in fake.calls("launch")] == ["#!/bin/sh\necho hello\n"]


def test_one_sentence_for_each_mistake(fake):
    mistakes = {
        "Lambda takes no launch option 'imag'.": {"options": {"imag": "x"}},
        "Lambda rents nothing interruptible. ": {"interruptible": True},
        "Lambda refused the API key (401: API key was invalid, expired, or deleted.). Check the key.": {"api_key": "a-wrong-key-0000"},
        "Lambda has no instance type with 1× RTX 9090. It has ": {"gpu": "RTX 9090"},
    }
    for answer, sentence in zip(answers(fake, *({"name": "hw", "gpu": "A10", **given} for given in mistakes.values())), mistakes):
        assert answer["failed"] and answer["msg"].startswith(sentence), answer["msg"]
    assert fake.calls("launch") == []
