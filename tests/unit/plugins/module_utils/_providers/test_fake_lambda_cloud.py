# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake of Lambda: it refuses what the real one refuses, and its own answers obey the schema."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.tests.fakes import schema
from ansible_collections.rented.gpu.tests.fakes.lambda_cloud import KINDS, FakeLambda, file_system, identity, image, row
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._ask import ask

FAKES = pathlib.Path(schema.__file__).resolve().parent
LAUNCH = {"region_name": "us-west-1", "instance_type_name": "gpu_1x_a10", "ssh_key_names": ["laptop"]}


@pytest.fixture
def fake():
    with FakeLambda(rows=[row(1)]) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "/instances?limit=26", None, "limit: unknown field"),
        ("POST", "/instance-operations/launch", {**LAUNCH, "quantity": 1}, "quantity: unknown field"),
        ("POST", "/instance-operations/launch", {**LAUNCH, "ssh_key_names": []}, "has less than 1"),
        ("POST", "/instance-operations/launch", {**LAUNCH, "ssh_key_names": ["a", "b"]}, "has more than 1"),
        ("POST", "/instance-operations/launch", {"region_name": "us-west-1", "instance_type_name": "gpu_1x_a10"}, "ssh_key_names: missing"),
        ("POST", "/instance-operations/launch", {**LAUNCH, "name": "y" * 65}, "is longer than 64"),
        ("POST", "/instance-operations/launch", {**LAUNCH, "hostname": "Node"}, "'Node' is not like"),
        ("POST", "/instance-operations/launch", {**LAUNCH, "tags": [{"key": "Course", "value": "x"}]}, "'Course' is not like"),
        ("POST", "/instance-operations/launch", {**LAUNCH, "tags": {"course": "x"}}, "is not array"),
        ("POST", "/instance-operations/launch", {**LAUNCH, "image": "ubuntu"}, "'ubuntu' is not object"),
        (
            "POST",
            "/instance-operations/launch",
            {**LAUNCH, "file_system_mounts": [{"mount_point": "/mnt", "file_system_id": "1"}]},
            "'/mnt' is not like",
        ),
        ("POST", "/instances/" + identity(1), {"name": 7}, "7 is not string"),
        ("POST", "/ssh-keys", {"name": "k", "public_key": ""}, "is shorter than 1"),
        ("POST", "/instance-operations/terminate", {"instance_ids": identity(1)}, "is not array"),
    ],
)
def test_it_refuses_what_breaks_the_schema(fake, method, path, body, words):
    status, answer = ask(fake, method, path, body)
    assert status == 400 and words in answer["error"]["message"] and words in fake.violations[0]
    assert answer["error"]["code"] == "global/invalid-parameters" and len(fake.rows) == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"region_name": "us-east-9"}, 404, "global/object-does-not-exist"),
        ({"instance_type_name": "gpu_1x_a11"}, 404, "global/object-does-not-exist"),
        ({"ssh_key_names": ["labtop"]}, 404, "global/object-does-not-exist"),
        ({"image": {"family": "windows"}}, 404, "global/object-does-not-exist"),
        ({"file_system_names": ["models"]}, 400, "instance-operations/launch/file-system-in-wrong-region"),
        ({"user_data": "ä" * 500_001}, 400, "global/invalid-parameters"),
        ({"instance_type_name": "gpu_1x_gh200"}, 400, "instance-operations/launch/insufficient-capacity"),
    ],
)
def test_a_launch_that_lambda_would_refuse(fake, changes, status, code):
    found, answer = ask(fake, "POST", "/instance-operations/launch", {**LAUNCH, **changes})
    assert (found, answer["error"]["code"], len(fake.rows)) == (status, code, 1)


def test_a_quota(fake):
    fake.quota = 1
    status, answer = ask(fake, "POST", "/instance-operations/launch", LAUNCH)
    assert (status, answer["error"]["code"]) == (400, "global/quota-exceeded")


def test_without_a_public_key_it_makes_a_pair(fake):
    assert "SECRET" in ask(fake, "POST", "/ssh-keys", {"name": "made"})[1]["data"]["private_key"]
    assert ask(fake, "POST", "/ssh-keys", {"name": "made"})[0] == 400


def test_one_instance_by_its_id(fake):
    assert ask(fake, "GET", "/instances/" + identity(1))[1]["data"]["name"] == "box-1"
    assert ask(fake, "GET", "/instances/" + identity(2))[0] == 404
    assert ask(fake, "GET", "/instances?cluster_id=x") == (200, {"data": []})


def test_it_notices_its_own_mistakes(fake):
    fake.rows[identity(1)]["status"] = "sleeping"
    status, answer = ask(fake, "GET", "/instances")
    assert status == 500 and "'sleeping' is none of" in answer
    fake.rows[identity(1)] = {**row(1), "colour": "red"}
    assert "colour: unknown field" in ask(fake, "GET", "/instances")[1]
    fake.rows[identity(1)] = {**row(1), "ip": None}
    assert "None is not string" in ask(fake, "GET", "/instances")[1]  # what is not known is left out, never null


def test_keys_and_paths_that_are_wrong(fake):
    assert ask(fake, "GET", "/instances", key="x")[1]["error"]["code"] == "global/invalid-api-key"
    assert ask(fake, "GET", "/instances", key="x")[0] == 401
    assert ask(fake, "GET", "/machines") == (404, {"error": {"code": "global/not-found", "message": "No such path."}})


def test_it_insists_on_both_paces():
    now = [0.0]
    with FakeLambda(pace=True, clock=lambda: now[0]) as fake:

        def status(seconds, method="GET", path="/instances", body=None):
            now[0] += seconds
            return ask(fake, method, path, body)[0]

        launch = ("POST", "/instance-operations/launch", LAUNCH)
        assert [status(0), status(0.5), status(1.0, path="/ssh-keys")] == [200, 429, 200]
        assert [status(1.0, *launch), status(0.5), status(1.0), status(1.0, *launch)] == [200, 429, 200, 429]
        assert [status(11.0, *launch), status(12.0, *launch), status(0.5, *launch), status(1.0)] == [429, 200, 429, 200]


def test_it_runs_as_a_program(tmp_path):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"id": "abc", "name": "x"}]))
    process = subprocess.Popen(
        [sys.executable, str(FAKES / "lambda_cloud.py"), "--rows", str(rows), "--fault", "rename:500:1"], stdout=subprocess.PIPE, text=True
    )
    try:
        said = json.loads(process.stdout.readline())
        assert said["env"] == {"LAMBDA_CLOUD_BASE_URL": said["url"], "LAMBDA_API_KEY": said["key"]}
        fake = type("Fake", (), said)
        assert ask(fake, "GET", "/instances")[1]["data"][0]["name"] == "x"
        assert [ask(fake, "POST", "/instances/abc", {"name": "y"})[0] for _number in range(2)] == [500, 200]
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()


def test_what_is_made_up_holds_nothing_that_the_schema_does_not_know():
    whole = schema.load("lambda")
    made = [
        ("instance", row(1)),
        ("instance", row(2, ip=None, name=None, tags=None)),
        ("image", image(1)),
        ("file_system", file_system(1, "data")),
    ]
    made += [("instance_type", kind) for kind in KINDS.values()]
    for name, item in made:
        assert schema.defects(item, whole["objects"][name], name, whole) == []
