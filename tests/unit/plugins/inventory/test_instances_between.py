# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-inventory`` as a user calls it, where one of the accounts is answered by something else than its API."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.tests.fakes import lambda_cloud
from ansible_collections.rented.gpu.tests.fakes.between import Drip, Wire, wire_answer

ROOT = pathlib.Path(__file__).absolute().parents[4]
COLLECTIONS = ROOT / ".collections" if (ROOT / ".collections").is_dir() else ROOT.parents[2]
OTHER = "key-of-the-other-account-0123"


def listed(tmp_path, fake, endpoint, settings):
    """The finished command for two accounts: one at the fake, one at ``endpoint``."""
    accounts = [
        {"provider": "lambda", "api_key": fake.key, "endpoint": fake.url},
        {"provider": "runpod", "api_key": OTHER, "endpoint": endpoint},
    ]
    config = {"plugin": "rented.gpu.instances", "accounts": accounts, **settings}
    (tmp_path / "rented.yml").write_text(json.dumps(config))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "RENTED", "XDG_"))}
    env.update(HOME=str(tmp_path), ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1")
    command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(tmp_path / "rented.yml"), "--list"]
    return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)


def said(done) -> str:
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("settings", [{"timeout": 0.5}, {"timeout": 60, "account_timeout": 1}], ids=["request", "account"])
def test_an_account_that_drips_does_not_hold_the_others(tmp_path, settings):
    with lambda_cloud.FakeLambda(rows=[lambda_cloud.row(1)]) as fake, Drip("body") as drip:
        done = listed(tmp_path, fake, drip.url, {**settings, "on_provider_error": "warn"})
    assert "lambda-" + lambda_cloud.identity(1) in json.loads(done.stdout)["_meta"]["hostvars"], done.stderr
    assert "The list of instances is not complete, 1 of 2 accounts did not answer. RunPod account 'runpod':" in said(done)
    assert ("account_timeout" in settings) == ("raise 'account_timeout'" in said(done))


def test_an_error_commands_no_terminal_and_shows_no_key(tmp_path):
    with lambda_cloud.FakeLambda(rows=[lambda_cloud.row(1)]) as fake:
        body = json.dumps({"detail": "\x1b[2J\x1b]0;pwn\x07 \u202e no such key: %s or %s" % (fake.key, OTHER)})
        with Wire(wire_answer("400 Bad Request", body)) as wire:
            done = listed(tmp_path, fake, wire.url, {})
            warned = listed(tmp_path, fake, wire.url, {"on_provider_error": "warn"})
    for text in (done.stderr, warned.stderr):
        assert "\\x1b[2J\\x1b]0;pwn\\x07 \\u202e no such key: *** or ***" in " ".join(text.split())
        assert not any(sign in text for sign in ("\x1b", "\x07", "\u202e", fake.key, OTHER))
