# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake of Vast.ai: it refuses what the real one refuses, and its schemas say what the official file says."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.tests.fakes import schema
from ansible_collections.rented.gpu.tests.fakes.vast import FakeVast, offer, row
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._ask import ask

FAKES = pathlib.Path(schema.__file__).resolve().parent


@pytest.fixture
def fake():
    with FakeVast(rows=[row(1)]) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "/api/v1/instances/?limit=26", None, "limit: 26 is above 25"),
        ("GET", "/api/v1/instances/?lmit=5", None, "lmit: unknown field"),
        ("PUT", "/api/v0/instances/1/", {"state": "halted"}, "'halted' is none of"),
        ("PUT", "/api/v0/asks/501/", {"image": "x", "disk": 4}, "disk: 4 is below 8"),
        ("PUT", "/api/v0/asks/501/", {"image": "x", "label": "y" * 257}, "is longer than 256"),
        ("PUT", "/api/v0/asks/501/", {"image": "x", "runtype": "ssh sssh"}, "words that are none of"),
        ("PUT", "/api/v0/asks/501/", {"image": "x", "price": True}, "True is not number"),
        ("POST", "/api/v0/instances/1/ssh/", {"ssh_key": ""}, "is shorter than 1"),
    ],
)
def test_it_refuses_what_breaks_the_schema(fake, method, path, body, words):
    status, answer = ask(fake, method, path, body)
    assert status == 400 and words in answer["msg"] and words in fake.violations[0]


def test_it_notices_its_own_mistakes(fake):
    fake.rows[1]["gpu_name"] = 4090
    status, answer = ask(fake, "GET", "/api/v1/instances/")
    assert status == 500 and "gpu_name" in answer
    fake.rows[1] = {**row(1), "colour": "red"}
    assert "colour: unknown field" in ask(fake, "GET", "/api/v1/instances/")[1]


def test_the_old_list_is_gone_and_a_wrong_key_is_404(fake):
    assert ask(fake, "GET", "/api/v0/instances/")[0] == 410
    assert ask(fake, "GET", "/api/v1/instances/", key="x") == (404, {"success": False, "error": "auth_error", "msg": "Invalid user key"})


def test_it_insists_on_the_pace():
    with FakeVast(pace=True) as fake:
        assert ask(fake, "GET", "/api/v1/instances/")[0] == 200
        assert ask(fake, "GET", "/api/v1/instances/") == (429, "API requests too frequent: endpoint threshold=1.0")


def test_it_runs_as_a_program(tmp_path):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"id": 7, "label": "x"}]))
    process = subprocess.Popen(
        [sys.executable, str(FAKES / "vast.py"), "--rows", str(rows), "--fault", "manage:500:1"], stdout=subprocess.PIPE, text=True
    )
    try:
        said = json.loads(process.stdout.readline())
        fake = type("Fake", (), said)
        assert ask(fake, "GET", "/api/v1/instances/")[1]["instances"][0]["label"] == "x"
        assert [ask(fake, "PUT", "/api/v0/instances/7/", {"state": "stopped"})[0] for _number in range(2)] == [500, 200]
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()


def test_a_made_up_row_and_offer_hold_nothing_that_the_schema_does_not_know():
    whole = schema.load("vast")
    for name, made in (("instance", row(1)), ("offer", offer(1))):
        assert schema.defects(made, whole["objects"][name], name, whole) == []
