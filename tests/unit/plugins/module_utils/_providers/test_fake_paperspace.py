# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake of Paperspace: it refuses what the real one refuses, and its own answers are as its schema says."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.tests.fakes import check_schemas, schema
from ansible_collections.rented.gpu.tests.fakes.paperspace import TYPES, FakePaperspace, row, script, template, templates
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._ask import ask

FAKES = pathlib.Path(schema.__file__).resolve().parent
WANTED = {"name": "x", "machineType": "A4000", "templateId": "t0000004", "diskSize": 50, "region": "ny2"}


@pytest.fixture
def fake():
    with FakePaperspace(rows=[row(1)]) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "/machines?limit=121", None, "limit: 121 is above 120"),
        ("GET", "/machines?limit=0", None, "limit: 0 is below 1"),
        ("GET", "/machines?cursor=x", None, "cursor: unknown field"),
        ("GET", "/machines?orderBy=price", None, "'price' is none of"),
        ("GET", "/machine-availability?region=ny2", None, "machineType: missing"),
        ("GET", "/machine-availability?machineType=A4000&region=ny9", None, "'ny9' is none of"),
        ("POST", "/machines", {**WANTED, "diskSize": 60}, "60 is none of"),
        ("POST", "/machines", {**WANTED, "diskSize": "50"}, "'50' is not number"),
        ("POST", "/machines", {**WANTED, "name": ""}, "is shorter than 1"),
        ("POST", "/machines", {key: value for key, value in WANTED.items() if key != "templateId"}, "templateId: missing"),
        ("POST", "/machines", {**WANTED, "sshKey": "x"}, "sshKey: unknown field"),
        ("POST", "/machines", {**WANTED, "publicIpType": "floating"}, "'floating' is none of"),
        ("POST", "/machines", {**WANTED, "startOnCreate": "true"}, "'true' is not boolean"),
        ("POST", "/machines", {**WANTED, "accessorIds": [7]}, "7 is not string"),
        ("POST", "/startup-scripts", {"name": "x"}, "script: missing"),
        ("PATCH", "/machines/ps000001/stop", {"force": True}, "force: unknown field"),
        ("PUT", "/machines/ps000001", {"label": "x"}, "label: unknown field"),
    ],
)
def test_it_refuses_what_breaks_the_schema(fake, method, path, body, words):
    status, answer = ask(fake, method, path, body)
    assert (status, answer["code"]) == (400, "BAD_REQUEST") and words in answer["issues"][0]["message"] and words in fake.violations[0]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/machines?after=x", None, 400, "not a cursor"),
        ("POST", "/machines", {**WANTED, "templateId": "t9"}, 404, "Template not found"),
        ("POST", "/machines", {**WANTED, "startupScriptId": "ss9"}, 404, "Startup script not found"),
        ("POST", "/machines", {**WANTED, "region": "ams1"}, 409, "out of capacity"),
        ("POST", "/machines", {**WANTED, "machineType": "H100x8", "templateId": "t0000003"}, 400, "not available on H100x8"),
        ("PATCH", "/machines/ps000001/start", None, 409, "currently ready"),
        ("PATCH", "/machines/ps000009/start", None, 404, "Machine not found"),
        ("DELETE", "/machines/ps000009", None, 404, "Machine not found"),
        ("DELETE", "/startup-scripts/ss9", None, 404, "Startup script not found"),
        ("GET", "/machine-availability?machineType=X9&region=ny2", None, 404, "Machine type not found"),
        ("GET", "/gpus", None, 404, "no such path"),
    ],
)
def test_it_refuses_what_makes_no_sense(fake, method, path, body, status, words):
    found, answer = ask(fake, method, path, body)
    assert found == status and words in json.dumps(answer) and set(answer) <= {"code", "message", "issues"}
    assert list(fake.rows) == ["ps000001"]


def test_it_notices_its_own_mistakes(fake):
    fake.rows["ps000001"]["state"] = False
    status, answer = ask(fake, "GET", "/machines")
    assert status == 500 and "state: False is not string" in answer
    fake.rows["ps000001"] = {**row(1), "colour": "red"}
    assert "colour: unknown field" in ask(fake, "GET", "/machines")[1]


def test_a_wrong_key_is_401(fake):
    assert ask(fake, "GET", "/machines", key="x") == (401, {"code": "UNAUTHORIZED", "message": "Unauthorized"})


def test_pages():
    with FakePaperspace(rows=[row(number) for number in range(1, 6)], page=2) as fake:
        cursor, seen = "", []
        for _page in range(3):
            answer = ask(fake, "GET", "/machines?limit=120" + cursor)[1]
            seen += [item["id"] for item in answer["items"]]
            cursor = "&after=%s" % answer["nextPage"]
        assert (answer["hasMore"], answer["nextPage"], len(set(seen))) == (False, None, 5)


def test_it_runs_as_a_program(tmp_path):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"id": "ps7", "name": "x"}]))
    process = subprocess.Popen(
        [sys.executable, str(FAKES / "paperspace.py"), "--rows", str(rows), "--fault", "stop:500:1"], stdout=subprocess.PIPE, text=True
    )
    try:
        said = json.loads(process.stdout.readline())
        fake = type("Fake", (), said)
        assert said["env"] == {"PAPERSPACE_API_URL": said["url"], "PAPERSPACE_API_KEY": said["key"]}
        assert [item["name"] for item in ask(fake, "GET", "/machines")[1]["items"]] == ["x"]
        assert [ask(fake, "PATCH", "/machines/ps7/stop", {})[0] for _number in range(2)] == [500, 200]
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()


def test_what_is_made_up_holds_nothing_that_the_schema_does_not_know():
    whole = schema.load("paperspace")
    made = [("machine", row(1, machineType=label)) for label in TYPES] + [("os_template", item) for item in templates()]
    made += [("custom_template", template(9, "x", "Ubuntu 22.04", region="ny2", parentMachineId="ps1")), ("script", script("ss1"))]
    for name, item in made:
        assert schema.defects(item, whole["objects"][name], name, whole) == []


def test_its_schema_follows_the_official_file():
    specs = check_schemas.folder()
    if specs is None:
        pytest.skip("the official specs are not here; nothing was compared")
    result = check_schemas.results(specs)["paperspace"]
    assert (result.wrong, result.idle) == ([], []) and result.compared > 1000
