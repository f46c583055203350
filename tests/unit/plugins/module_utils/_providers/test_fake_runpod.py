# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake of RunPod: it refuses what the real one refuses, and its schema says what the official file says."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from ansible_collections.rented.gpu.tests.fakes import check_schemas, schema
from ansible_collections.rented.gpu.tests.fakes.runpod import CENTRES, FakeRunpod, catalogue, row

FAKES = pathlib.Path(schema.__file__).resolve().parent
WISH = {"name": "x", "image": "y", "gpu": {"id": "NVIDIA GeForce RTX 4090"}}


def ask(fake, method, path, body=None, key=None):
    """(status, JSON or text, headers) of one request."""
    request = urllib.request.Request(fake.url + path, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Authorization", "Bearer " + (key or fake.key))
    try:
        answer = urllib.request.urlopen(request, timeout=5)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read().decode()
        return answer.status, json.loads(text) if text.startswith("{") else text, answer.headers


@pytest.fixture
def fake():
    with FakeRunpod(rows=[row(1), row(2, cluster={"id": "cl1", "rank": 0})], keys=["ssh-ed25519 AAAA ada@example.org"]) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "/pods?limit=1001", None, "limit: 1001 is above 1000"),
        ("GET", "/pods?limit=0", None, "limit: 0 is below 1"),
        ("GET", "/pods?includeClusterPods=yes", None, "'yes' is not boolean"),
        ("GET", "/catalog/gpus?include=A,B", None, "include: ['A', 'B'] has more than 1"),
        ("POST", "/pods", {**WISH, "bid": 0.1}, "bid: unknown field"),
        ("POST", "/pods", {"image": "y", "gpu": WISH["gpu"]}, "name: missing"),
        ("POST", "/pods", {**WISH, "name": ""}, "is shorter than 1"),
        ("POST", "/pods", {**WISH, "disk": 20.5}, "20.5 is not integer"),
        ("POST", "/pods", {**WISH, "cloud": "ALL"}, "'ALL' is none of"),
        ("POST", "/pods", {**WISH, "gpu": {"id": "x", "minCudaVersion": "12"}}, "is not like"),
        ("POST", "/pods", {**WISH, "mounts": {"persistent": {"size": 9, "path": "/x"}}}, "9 is below 10"),
        ("POST", "/pods", {**WISH, "mounts": {"network": [{}, {}]}}, "has more than 1"),
        ("POST", "/pods", {**WISH, "env": {"A": 1}}, "env.A: not a string"),
        ("POST", "/pods", {"name": "x", "gpu": WISH["gpu"]}, "image: required without templateId"),
        ("POST", "/pods/pod00001/action", {"action": "pause"}, "'pause' is none of"),
        ("PUT", "/account/ssh-keys", {"keys": ["nonsense"]}, "keys[0]: does not match the pattern"),
    ],
)
def test_it_refuses_what_breaks_the_schema(fake, method, path, body, words):
    status, answer, headers = ask(fake, method, path, body)
    assert status == 422 and words in " ".join(answer["errors"])
    assert headers["Content-Type"] == "application/problem+json" and answer["status"] == 422


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/pods", {"name": "x", "image": "y"}, 400, "exactly one of gpu or cpu"),
        ("POST", "/pods", {**WISH, "cpu": {"id": "cpu5c", "vcpuCount": 2}}, 400, "exactly one of gpu or cpu"),
        ("POST", "/pods", {**WISH, "gpu": {"id": "NVIDIA None"}}, 400, "no longer any instances"),
        ("POST", "/pods", {**WISH, "dataCenterIds": ["us-ks-2"]}, 400, "no longer any instances"),
        ("POST", "/pods", {**WISH, "templateId": "tpl9"}, 404, "template not found"),
        ("GET", "/catalog/gpus?include=AVAILABILITY", None, 400, "go together"),
        ("GET", "/catalog/gpus?count=2", None, 400, "go together"),
        ("GET", "/pods?cursor=x", None, 400, "invalid cursor"),
        ("POST", "/pods/pod00001/action", {"action": "start"}, 409, "not valid for current"),
        ("PATCH", "/pods/pod00002", {"name": "x"}, 409, "belongs to a cluster"),
        ("DELETE", "/pods/pod00002", None, 409, "belongs to a cluster"),
        ("DELETE", "/pods/none", None, 404, "pod not found"),
        ("GET", "/nothing", None, 404, "resource not found"),
    ],
)
def test_it_refuses_what_breaks_a_rule(fake, method, path, body, status, words):
    found, answer, _headers = ask(fake, method, path, body)
    assert found == status and words in answer["detail"]


def test_it_notices_its_own_mistakes(fake):
    fake.rows["pod00001"]["disk"] = "50"
    status, answer, _headers = ask(fake, "GET", "/pods")
    assert status == 500 and "disk" in answer
    fake.rows["pod00001"] = {**row(1), "colour": "red"}
    assert "colour: unknown field" in ask(fake, "GET", "/pods")[1]


def test_a_wrong_key_is_401_and_members_of_clusters_are_left_out_unless_asked_for(fake):
    assert ask(fake, "GET", "/pods", key="x")[:2] == (401, {"title": "Unauthorized", "status": 401, "detail": "invalid bearer token"})
    assert [pod["id"] for pod in ask(fake, "GET", "/pods")[1]["pods"]] == ["pod00001"]
    assert len(ask(fake, "GET", "/pods?includeClusterPods=true")[1]["pods"]) == 2


def test_it_insists_on_the_quota_and_says_what_is_left():
    with FakeRunpod(pace=True) as fake:
        for left in range(59, -1, -1):
            status, _answer, headers = ask(fake, "GET", "/account/ssh-keys")
            assert (status, headers["RateLimit"]) == (200, '"minute";r=%d;t=60' % left)
        status, answer, headers = ask(fake, "GET", "/pods")
        assert (status, answer["detail"]) == (429, "rate limit exceeded for the minute window")
        assert 1 <= int(headers["Retry-After"]) <= 61 and headers["RateLimit-Policy"] == '"minute";q=60;w=60'


def test_keys_of_the_account_reach_a_pod_only_with_start_ssh(fake):
    for flags, logins in (
        ({}, []),
        ({"startSsh": True}, fake.keys),
        ({"env": {"PUBLIC_KEY": "ssh-rsa B"}, "startSsh": True}, ["ssh-rsa B"]),
    ):
        status, pod, _headers = ask(fake, "POST", "/pods", {**WISH, **flags})
        assert status == 201 and fake.logins[pod["id"]] == logins


def test_it_runs_as_a_program(tmp_path):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"id": "seven", "name": "x"}]))
    process = subprocess.Popen(
        [sys.executable, str(FAKES / "runpod.py"), "--rows", str(rows), "--fault", "act:500:1"], stdout=subprocess.PIPE, text=True
    )
    try:
        said = json.loads(process.stdout.readline())
        assert set(said["env"]) == {"RUNPOD_REST_V2_URL", "RUNPOD_API_KEY"}
        fake = type("Fake", (), said)
        assert ask(fake, "GET", "/pods")[1]["pods"][0]["name"] == "x"
        assert [ask(fake, "POST", "/pods/seven/action", {"action": "stop"})[0] for _number in range(2)] == [500, 200]
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()


def test_what_is_made_up_holds_nothing_that_the_schema_does_not_know():
    whole = schema.load("runpod")
    assert schema.defects(row(1), whole["objects"]["pod"], "pod", whole) == []
    for gpu in catalogue():
        shown = FakeRunpod._gpu(gpu, {"include": "AVAILABILITY"})
        assert schema.defects(shown, whole["objects"]["gpuType"], "gpuType", whole) == []
        places = [place for stock in gpu["stock"].values() if isinstance(stock, dict) for place in stock]
        assert set(places) <= set(CENTRES)


def test_the_official_examples_are_as_the_schema_says():
    specs = check_schemas.folder()
    if specs is None:
        pytest.skip("the official specs are not here")
    whole = schema.load("runpod")
    examples = {
        "runpod-v2-pods-list": whole["operations"]["list"]["answer"],
        "runpod-v2-pod-create": whole["operations"]["create"]["answer"],
        "runpod-v2-pod-get": whole["operations"]["get"]["answer"],
        "runpod-v2-catalog-gpus": whole["operations"]["gpus"]["answer"],
        "runpod-v2-ssh-keys": whole["operations"]["keys"]["answer"],
    }
    for name, fields in examples.items():
        data = json.loads((specs / "examples" / (name + ".verbatim.json")).read_text())
        assert schema.defects(data, fields, name, whole) == []
