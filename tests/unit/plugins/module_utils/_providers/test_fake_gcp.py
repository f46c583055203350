# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake of Google Cloud: it refuses what the real one refuses, and its schema says what Google's discovery document says."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

from ansible_collections.rented.gpu.tests.fakes import check_schemas, schema
from ansible_collections.rented.gpu.tests.fakes.gcp import FAMILY, JWT_GRANT, PROJECT, SCOPES, FakeGcp, key_pair, row
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._ask import ask

FAKES = pathlib.Path(schema.__file__).resolve().parent
PLACE = "/projects/%s/zones/us-central1-a/instances" % PROJECT
ID = "00000000-1111-2222-3333-444444444444"


def new(**changes):
    """What rents one L4."""
    made = {
        "name": "hw",
        "machineType": "zones/us-central1-a/machineTypes/g2-standard-4",
        "disks": [
            {"boot": True, "initializeParams": {"sourceImage": "projects/deeplearning-platform-release/global/images/family/" + FAMILY}}
        ],
        "networkInterfaces": [{"network": "global/networks/default"}],
        "scheduling": {"onHostMaintenance": "TERMINATE"},
    }
    return {**made, **changes}


@pytest.fixture
def fake():
    with FakeGcp(rows=[row(3)]) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", PLACE + "?maxResults=501", None, "maxResults: 501 is above 500"),
        ("GET", PLACE + "?pageTokn=x", None, "pageTokn: unknown field"),
        ("POST", PLACE, new(), "requestId: missing"),
        ("POST", PLACE + "?requestId=1", new(), "requestId: '1' is not like"),
        ("POST", PLACE + "?requestId=" + ID, new(name="Hw"), "name: 'Hw' is not like"),
        ("POST", PLACE + "?requestId=" + ID, new(scheduling={"onHostMaintenance": "STOP"}), "'STOP' is none of"),
        ("POST", PLACE + "?requestId=" + ID, new(gpus=1), "gpus: unknown field"),
        ("POST", PLACE + "?requestId=" + ID, new(disks=[]), "disks: [] has less than 1"),
        ("POST", PLACE + "/box-3/stop?discardLocalSsd=maybe", None, "'maybe' is not boolean"),
        ("POST", PLACE + "/box-3/setLabels", {"labels": {}}, "labelFingerprint: missing"),
        ("GET", PLACE + "/box-3/serialPort?port=5", None, "5 is above 4"),
    ],
)
def test_it_refuses_what_breaks_the_schema(fake, method, path, body, words):
    status, answer = ask(fake, method, path, body)
    assert status == 400 and words in answer["error"]["message"] and words in fake.violations[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scheduling": {}}, "do not support live migration"),
        ({"machineType": "zones/us-central1-a/machineTypes/g9-standard-4"}, "does not exist in zone"),
        ({"machineType": "zones/us-east4-c/machineTypes/g2-standard-4"}, "of another zone"),
        (
            {
                "machineType": "zones/us-central1-a/machineTypes/n1-standard-8",
                "guestAccelerators": [{"acceleratorType": "zones/us-central1-a/acceleratorTypes/nvidia-tesla-v100", "acceleratorCount": 1}],
            },
            "not in this zone",
        ),
        (
            {"scheduling": {"onHostMaintenance": "TERMINATE", "provisioningModel": "SPOT", "automaticRestart": True}},
            "automatic restart off",
        ),
        (
            {"disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/x/global/images/y"}}]},
            "image resource cannot be found",
        ),
    ],
)
def test_it_refuses_what_cannot_be_rented(fake, changes, words):
    status, answer = ask(fake, "POST", PLACE + "?requestId=" + ID, new(**changes))
    assert status == 400 and words in answer["error"]["message"] and len(fake.rows) == 1


def test_it_rents_once_under_one_name(fake):
    assert ask(fake, "POST", PLACE + "?requestId=" + ID, new())[0] == 200
    assert ask(fake, "POST", PLACE + "?requestId=" + ID, new())[0] == 409


def test_it_notices_its_own_mistakes(fake):
    path = "/projects/%s/aggregated/instances" % PROJECT
    only = next(iter(fake.rows.values()))
    only["status"] = "HALTED"
    status, answer = ask(fake, "GET", path)
    assert status == 500 and "'HALTED' is none of" in answer
    only["status"], only["colour"] = "RUNNING", "red"
    assert "colour: unknown field" in ask(fake, "GET", path)[1]


def token(fake, **claims):
    """What the token server says to a JWT with these claims."""
    from google.auth import crypt, jwt

    now = int(fake.wall())
    whole = {"iss": fake.service_account()["client_email"], "scope": SCOPES["read"], "aud": "https://oauth2.googleapis.com/token"}
    signed = jwt.encode(crypt.RSASigner.from_string(claims.pop("key", key_pair()[0])), {**whole, "iat": now, "exp": now + 3600, **claims})
    form = urllib.parse.urlencode({"grant_type": JWT_GRANT, "assertion": signed}).encode()
    try:
        with urllib.request.urlopen(fake.origin + "/token", data=form, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_tokens_are_for_a_scope_and_a_signature(fake):
    status, answer = token(fake)
    assert status == 200
    key = answer["access_token"]
    assert ask(fake, "GET", PLACE, key=key)[0] == 200
    status, answer = ask(fake, "POST", PLACE + "/box-3/stop", key=key)
    assert status == 403 and answer["error"]["errors"][0]["reason"] == "insufficientPermissions"
    assert ask(fake, "GET", PLACE, key="x")[0] == 401
    assert token(fake, iss="grace@example.org")[1]["error_description"] == "Invalid grant: account not found"
    assert "short-lived" in token(fake, iat=1, exp=3600)[1]["error_description"]


def test_a_foreign_signature_gets_no_token(fake):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    status, answer = token(fake, key=pem)
    assert (status, answer["error_description"]) == (400, "Invalid JWT Signature.") and fake.issued == {}


def test_it_runs_as_a_program(tmp_path):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"labels": {"name": "x"}}]))
    process = subprocess.Popen(
        [sys.executable, str(FAKES / "gcp.py"), "--rows", str(rows), "--fault", "stop:500:1"], stdout=subprocess.PIPE, text=True
    )
    try:
        said = json.loads(process.stdout.readline())
        fake = type("Fake", (), said)
        place = "/projects/%s/zones/us-central1-b/instances" % PROJECT
        assert ask(fake, "GET", place)[1]["items"][0]["labels"]["name"] == "x"
        assert [ask(fake, "POST", place + "/box-1/stop")[0] for _number in range(2)] == [500, 200]
        assert json.loads(pathlib.Path(said["env"]["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())["project_id"] == PROJECT
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()


def test_a_made_up_row_holds_nothing_that_the_schema_does_not_know():
    whole = schema.load("gcp")
    assert schema.defects(row(1), whole["objects"]["instance"], "instance", whole) == []


def test_the_schema_follows_googles_document():
    result = check_schemas.compare(schema.load("gcp"), check_schemas.discovery_document("compute.v1"))
    assert (result.wrong, result.idle) == ([], []) and result.compared > 1000
