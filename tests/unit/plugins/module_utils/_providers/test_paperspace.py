# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paperspace: the provider against the fake server, rows in every shape against the mapping, and the script of the first boot run."""

from __future__ import annotations

import getpass
import json
import os
import pathlib
import socket
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    Ambiguous,
    AuthenticationError,
    MissingCredentials,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
    Unsupported,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers import paperspace
from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace import launching, machines, scripts
from ansible_collections.rented.gpu.plugins.module_utils._providers.paperspace import PaperspaceProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import NotReached, Resource
from ansible_collections.rented.gpu.tests.fakes.paperspace import GIB, KEY, TYPES, FakePaperspace, row, script, template
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import with_time

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "paperspace"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExample ada@example.org"


@pytest.fixture
def fake():
    with FakePaperspace(rows=[row(number) for number in range(1, 301)]) as server:
        yield server
    assert server.violations == []


@pytest.fixture
def empty():
    """A team without machines."""
    with FakePaperspace() as server:
        yield server
    assert server.violations == []


def provider_of(fake, **arguments):
    return with_time(PaperspaceProvider(api_key=arguments.pop("api_key", fake.key), endpoint=fake.url, **arguments))


@pytest.fixture
def provider(fake):
    return provider_of(fake)


def ask_for(**arguments):
    return LaunchRequest(**{"name": "hw", "gpu": "A100 80GB", **arguments})


# --- the list ----------------------------------------------------------------------------------------------------------


def test_three_pages(fake, provider):
    assert {instance.id for instance in provider.list_instances()} == {"ps%06d" % number for number in range(1, 301)}
    assert [query.get("after") for query in fake.calls("list")] == [None, "after-120", "after-240"]
    assert {(query["limit"], query["orderBy"], query["order"]) for query in fake.calls("list")} == {("120", "dtCreated", "asc")}


def test_no_machines(empty):
    assert provider_of(empty).list_instances() == []


def test_a_machine_that_moved_between_two_pages_comes_once():
    with FakePaperspace(rows=[row(1), row(2)]) as fake:
        fake.fault("list", "answer", status=200, body={"hasMore": True, "nextPage": "after-1", "items": [row(1), row(2)]})
        assert [instance.id for instance in provider_of(fake).list_instances()] == ["ps000001", "ps000002"]


@pytest.mark.parametrize(
    ("fault", "details", "waits"),
    [
        ("502", {}, [1.0, 2.0]),
        ("503", {"retry_after": 3}, [3.0, 3.0]),
    ],
)
def test_passing_trouble_is_waited_out(fake, provider, fault, details, waits):
    fake.fault("list", fault, times=2, **details)
    assert len(provider.list_instances()) == 300
    assert provider.time.slept == waits


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("502", ProviderUnavailable, r"failed to list the machines \(502\)"),
        ("no-list", ProviderUnavailable, "answered no list"),
        ("null", ProviderUnavailable, "answered no list"),
        ("no-next", ProviderUnavailable, "says that there is more, but not where"),
        ("cursor", ProviderUnavailable, "has no end"),
        ("401", AuthenticationError, "refused the API key .401: Unauthorized"),
        ("403", AuthenticationError, "does not allow this key to list the machines .403: forbidden"),
        ("error-200", AuthenticationError, "does not allow this key to list the machines .403: Your team may not do this"),
        ("cut", ProviderUnavailable, "did not answer when asked to list the machines"),
    ],
)
def test_lasting_trouble_is_one_sentence_and_never_an_empty_list(fake, provider, fault, error, words):
    fake.fault("list", fault, times=-1)
    with pytest.raises(error, match=words) as caught:
        provider.list_instances()
    assert fake.key not in str(caught.value)
    assert len(fake.calls("list")) <= _http.TRIES


@pytest.mark.parametrize("fault", ["500", "html", "403", "null", "no-next"])
def test_a_page_that_fails_fails_the_list(fake, provider, fault):
    fake.fault("list", fault, skip=2, times=-1)
    with pytest.raises(RentedError, match="list the machines"):
        provider.list_instances()
    assert len(fake.calls("list")) >= 3


@pytest.mark.parametrize("items", [[None], ["ps1"], [{"name": "x"}], [{"id": None}], [{"id": ""}]])
def test_what_is_no_machine_fails_the_list(fake, provider, items):
    fake.fault("list", "answer", status=200, body={"hasMore": False, "items": items})
    with pytest.raises(ProviderUnavailable, match=r"in an unknown form|something that is not an instance"):
        provider.list_instances()


def test_a_wrong_key_is_named_as_such(fake):
    with pytest.raises(AuthenticationError, match=r"refused the API key .401: Unauthorized.*Check the key") as caught:
        provider_of(fake, api_key="another-key-that-is-wrong").list_instances()
    assert "another-key" not in str(caught.value)


def test_a_key_that_the_server_repeats_is_not_shown(fake, provider):
    fake.fault("list", "answer", status=400, body={"code": "BAD_REQUEST", "message": "no good: " + fake.key})
    fake.fault("list", "answer", status=200, body={"code": "CONFLICT", "message": "Bearer " + fake.key})
    for _number in range(2):
        with pytest.raises(RentedError, match=r"\*\*\*") as caught:
            provider.list_instances()
        assert fake.key not in str(caught.value)


def test_the_key_does_not_follow_a_redirect_to_another_server(fake, provider):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(0.3)
        fake.fault("list", "redirect", times=-1, to="http://127.0.0.1:%d/v1/machines" % stranger.getsockname()[1])
        with pytest.raises(ProviderUnavailable, match=r"redirects to another server .*the key was not sent there"):
            provider.list_instances()
        with pytest.raises(TimeoutError):  # nobody even connected
            stranger.accept()


# --- what an instance is -----------------------------------------------------------------------------------------------


def test_a_row_of_the_list():
    found = paperspace.instance(row(12, name="ML job"), "work")
    assert found.as_dict() == {
        **dict.fromkeys(found.as_dict()),
        "provider": "paperspace",
        "account": "work",
        "id": "ps000012",
        "label": "ML job",
        "state": "running",
        "state_raw": "ready",
        "kind": "vm",
        "ssh_host": "198.51.100.13",
        "ssh_port": 22,
        "ssh_user": "paperspace",
        "ssh_via": "direct",
        "gpu_name_raw": "A100-80G",
        "gpu_model": "A100",
        "gpu_count": 1,
        "gpu_vram_mb": 81920,
        "cpu_cores": 12.0,
        "ram_gb": 90.0,
        "disk_gb": 100.0,
        "region": "ny2",
        "price_per_hour": 3.1896,
        "storage_price_per_hour": 0.0096,
        "interruptible": False,
        "trust": "datacenter",
        "started_at": "2026-11-13T08:30:00Z",
        "tags": {"os": "Ubuntu 22.04", "machine_type": "A100-80G"},
    }


def test_only_the_id_is_needed():
    found = paperspace.instance({"id": "ps1"}, "paperspace")
    known = {name for name, value in found.as_dict().items() if value not in (None, {}, False)}
    assert known == {"provider", "account", "id", "state", "kind", "ssh_user", "trust"}
    assert found.state == "unknown"


def test_null_everywhere():
    nothing = {name: None for name in row(1)} | {"id": "ps1"}
    assert paperspace.instance(nothing, "x").as_dict() == paperspace.instance({"id": "ps1"}, "x").as_dict()


@pytest.mark.parametrize(
    "value", ["", "nonsense", -1, 1e400, float("nan"), [], [1], {}, [{}], [{"name": 7, "memory": "x", "count": []}], True]
)
def test_nonsense_in_one_field_never_raises(value):
    for name in set(row(1)) - {"id"}:
        for private in (False, True):
            assert paperspace.instance({**row(1), name: value}, "x", private).id == "ps000001"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"state": "off"}, "stopped"),
        ({"state": "provisioning"}, "pending"),
        ({"state": "starting"}, "pending"),
        ({"state": "restarting"}, "pending"),
        ({"state": "upgrading"}, "pending"),
        ({"state": "serviceready"}, "pending"),
        ({"state": "ready"}, "running"),
        ({"state": "stopping"}, "stopping"),
        ({"state": "hibernating"}, "unknown"),
        ({"state": False}, "unknown"),  # what YAML makes of a bare off
        ({"state": ["off"]}, "unknown"),
        ({"state": "off", "dtDeleted": "2026-11-20T00:00:00.000Z"}, "terminated"),
    ],
)
def test_states(changes, state):
    assert paperspace.instance(row(1, **changes), "x").state == state


def test_every_state_of_the_schema_is_known(fake):
    assert set(fake.schema["objects"]["machine"]["state"]["enum"]) == set(machines.STATES)


def test_an_unknown_state_is_told_to_the_log(caplog):
    with caplog.at_level("DEBUG", logger="rented.gpu.paperspace"):
        paperspace.instance(row(1, state="hibernating"), "x")
    assert "hibernating" in caplog.text


@pytest.mark.parametrize(
    ("changes", "private", "host"),
    [
        ({}, False, "198.51.100.2"),
        ({}, True, "198.51.100.2"),
        ({"publicIp": None}, True, None),  # a dynamic address that is not there yet
        ({"publicIp": None, "publicIpType": "none"}, False, None),
        ({"publicIp": None, "publicIpType": "none"}, True, "10.64.0.2"),
        ({"publicIp": None, "publicIpType": None}, True, "10.64.0.2"),
        ({"publicIp": None, "publicIpType": "none", "privateIp": None}, True, None),
        ({"publicIp": "2001:db8::17"}, False, "2001:db8::17"),
    ],
)
def test_addresses(changes, private, host):
    found = paperspace.instance(row(1, **changes), "x", private)
    assert (found.ssh_host, found.ssh_port, found.ssh_via) == ((host, 22, "direct") if host else (None, None, None))


@pytest.mark.parametrize(
    ("label", "model", "count", "vram"),
    [
        ("A100-80Gx8", "A100", 8, 81920),
        ("A100-80GBx8", "A100", 8, 81920),
        ("A100", "A100", 1, 40960),
        ("A100x2", "A100", 2, 40960),
        ("H100x8", "H100", 8, 81920),
        ("H100", "H100", 1, 81920),
        ("P4000", "P4000", 1, 8192),
        ("P5000x2", "P5000", 2, 16384),
        ("P6000", "P6000", 1, 24576),
        ("V100", "V100", 1, 16384),
        ("V100-32G", "V100", 1, 32768),
        ("V100-32Gx4", "V100", 4, 32768),
        ("GPU+", "M4000", 1, 8192),
        ("RTX4000", "RTX 4000", 1, 8192),
        ("RTX5000", "RTX 5000", 1, 16384),
        ("A4000x4", "RTX A4000", 4, 16384),
        ("A5000", "RTX A5000", 1, 24576),
        ("A6000", "RTX A6000", 1, 49152),
        ("C5", None, 0, None),
        ("C10", None, 0, None),
        ("Air", None, None, None),
        (None, None, None, None),
    ],
)
@pytest.mark.parametrize("accelerators", [None, [], [{"name": None}], "nonsense"], ids=repr)
def test_machine_types_stand_in_for_accelerators(label, model, count, vram, accelerators):
    found = paperspace.instance(row(1, machineType=label, accelerators=accelerators), "x")
    assert (found.gpu_model, found.gpu_count, found.gpu_vram_mb) == (model, count, vram)
    assert bool(found.gpu_name_raw) == bool(model)


@pytest.mark.parametrize(
    ("name", "memory", "count", "expected"),
    [
        ("A100-80G", 80 * GIB, 8, ("A100", 8, 81920)),
        ("A100-80G", 80, 8, ("A100", 8, 81920)),
        ("A100-80G", 81920, 8, ("A100", 8, 81920)),
        ("A100-80G", None, 8, ("A100", 8, 81920)),
        ("A100-80G", 0, None, ("A100", 8, 81920)),
        ("NVIDIA A100", None, None, ("A100", 8, 81920)),  # the machine type says which
        ("Quadro P4000", None, 2, ("P4000", 2, 8192)),
        ("V100", None, 1, ("V100", 1, 16384)),
        ("Imaginary 9", 24 * GIB, 1, ("Imaginary 9", 1, 24576)),
    ],
)
def test_accelerators(name, memory, count, expected):
    accelerators = [{"name": name, "memory": memory, "count": count}]
    found = paperspace.instance(row(1, machineType="A100-80Gx8", accelerators=accelerators), "x")
    assert (found.gpu_model, found.gpu_count, found.gpu_vram_mb) == expected


@pytest.mark.parametrize(
    ("changes", "price", "storage"),
    [
        ({"usageRate": 0.51, "storageRate": 0.01}, 0.52, 0.01),
        ({"usageRate": 0.51, "storageRate": 7.0}, 0.519589, 0.009589),  # 7 USD for 100 GB is a month's
        ({"usageRate": 0.51, "storageRate": 0.0}, 0.51, 0.0),
        ({"usageRate": 0.51, "storageRate": 7.0, "storageTotal": None}, 0.51, None),
        ({"usageRate": 0.51, "storageRate": 0.01, "storageTotal": 100}, 0.52, 0.01),  # GB
        ({"usageRate": None}, None, 0.0096),
        ({"state": "off", "usageRate": 0.51, "storageRate": 0.01}, 0.01, 0.01),
        ({"state": "off", "storageRate": None}, None, None),
        ({"dtDeleted": "2026-11-20T00:00:00.000Z"}, None, 0.0096),
    ],
)
def test_prices(changes, price, storage):
    found = paperspace.instance(row(1, **changes), "x")
    assert (found.price_per_hour, found.storage_price_per_hour) == (price, storage)


@pytest.mark.parametrize("changes", [{"agentType": "WindowsDesktop"}, {"os": "Windows 10 (Server 2022)", "agentType": "x"}], ids=repr)
def test_windows_is_listed_and_destroyed_but_never_a_host(changes, caplog):
    with FakePaperspace(rows=[row(1, **changes), row(2)]) as fake:
        provider = provider_of(fake, private_network=True)
        windows, linux = provider.list_instances()
        assert (windows.state, windows.ssh_host, windows.ssh_port, windows.ssh_user) == ("running", None, None, None)
        with caplog.at_level("DEBUG", logger="rented.gpu.paperspace"):
            assert [provider.is_host(one) for one in (windows, linux)] == [False, True]
        assert "machine ps000001 runs Windows" in caplog.text
        assert Resource(provider, name="box-1", not_mine=windows.id).reach("absent").changed and list(fake.rows) == ["ps000002"]


@pytest.mark.parametrize("label", ["{{ lookup('pipe', 'id') }}", "#jinja2: variable_start_string: '<<'", "ärger 🚀", "a" * 1024])
def test_a_label_comes_through_as_it_is(label):
    with FakePaperspace(rows=[row(1, name=label)]) as fake:
        assert provider_of(fake).list_instances()[0].label == label


def test_equal_names_stay_two_machines_and_are_never_guessed_at():
    with FakePaperspace(rows=[row(1, name="twin"), row(2, name="twin")]) as fake:
        provider = provider_of(fake)
        assert [(one.id, one.label) for one in provider.list_instances()] == [("ps000001", "twin"), ("ps000002", "twin")]
        with pytest.raises(Ambiguous, match="ps000001, ps000002"):
            Resource(provider, name="twin").reach("absent")
        assert len(fake.rows) == 2


def test_no_secret_comes_out(fake, provider):
    secrets = {"password": "SECRET-1", "agentToken": "SECRET-2", "startupScript": "export X=SECRET-3", "os": "token=SECRET-4"}
    fake.fault("list", "answer", status=200, body={"hasMore": False, "items": [{**row(1), **secrets, "name": fake.key}]})
    provider.keep_raw = True
    (found,) = provider.list_instances()
    raw = provider.scrubbed_raw("ps000001")
    assert raw["machineType"] == "A100-80G" and raw["name"] == "REMOVED" and "SECRET" not in json.dumps(raw)
    assert not any("SECRET-%d" % number in json.dumps(found.as_dict()) for number in (1, 2, 3))


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("list_*.json")))
def test_answers_of_the_fixtures(name):
    fixture = json.loads((FIXTURES / (name + ".json")).read_text())
    for given, expected in zip(fixture["answer"]["items"], fixture["expected"], strict=True):
        found = paperspace.instance(given, "paperspace").as_dict()
        assert {field: found[field] for field in expected} == expected


# --- offers ------------------------------------------------------------------------------------------------------------


def test_offers_are_what_is_free_where(empty):
    offers = provider_of(empty, account="work").list_offers(Wish())
    assert {(offer.instance_type, offer.region) for offer in offers} == {
        (label, region) for label, region in empty.free if TYPES[label][2] == 1
    }
    (offer,) = [offer for offer in offers if offer.instance_type == "A100-80G"]
    assert {name: value for name, value in offer.as_dict().items() if value is not None} == {
        "provider": "paperspace",
        "account": "work",
        "id": "ny2/A100-80G",
        "kind": "vm",
        "instance_type": "A100-80G",
        "gpu_name_raw": "A100-80G",
        "gpu_model": "A100",
        "gpu_count": 1,
        "gpu_vram_mb": 81920,
        "disk_gb": 16000.0,
        "region": "ny2",
        "inet_down_price_per_gb": 0.0,
        "inet_up_price_per_gb": 0.0,
        "interruptible": False,
        "trust": "datacenter",
        "options": {"machine_type": "A100-80G"},
    }


@pytest.mark.parametrize(
    ("wish", "found", "asked"),
    [
        ({"gpus": ("A100",)}, {"A100", "A100-80G"}, 6),
        ({"gpus": ("A100 80GB",)}, {"A100-80G"}, 3),
        ({"gpus": ("RTX A4000", "H100"), "regions": ("NY2",)}, {"A4000"}, 1),
        ({"gpus": ("H100",), "gpu_count": 8}, {"H100x8"}, 3),
        ({"gpu_vram_mb": 40000, "regions": ("ny2",)}, {"A100", "A100-80G"}, 2),
        ({"gpus": ("A100",), "regions": ("US",)}, {"A100", "A100-80G"}, 6),
        ({"gpus": ("A100",), "interruptible": None}, {"A100", "A100-80G"}, 6),
        ({"gpus": ("RTX 4090",)}, set(), 0),
        ({"interruptible": True}, set(), 0),
        ({"gpus": ("V100",), "regions": ("ams1",)}, set(), 2),
    ],
)
def test_a_wish_narrows_what_is_asked(empty, wish, found, asked):
    offers = provider_of(empty).list_offers(Wish(**wish))
    assert {offer.instance_type for offer in offers} == found
    assert len(empty.calls("available")) == asked


def test_a_type_that_is_only_for_windows_is_no_offer(empty):
    empty.templates = [template(1, "Windows 10", "Windows 10")]
    assert provider_of(empty).list_offers(Wish()) == []


@pytest.mark.parametrize("fault", ["500", "403", "null"])
def test_offers_that_fail_are_never_a_part(empty, fault):
    empty.fault("available", fault, skip=3, times=-1)
    with pytest.raises(RentedError, match=r"ask for a free .* in "):
        provider_of(empty).list_offers(Wish())


def test_a_type_that_a_region_does_not_know_is_not_free_there(empty):
    empty.fault("available", "404")
    assert provider_of(empty).list_offers(Wish(gpus=("A100 80GB",), regions=("ny2",))) == []


def test_it_says_that_there_are_no_prices():
    assert "paperspace.com/pricing" in PaperspaceProvider.NO_PRICES


# --- renting -----------------------------------------------------------------------------------------------------------


def test_a_launch_says_all_that_it_asks_for(empty):
    machine_id = provider_of(empty).launch(ask_for(name="train", disk_gb=120, region="NY2", ssh_public_key=PUBLIC_KEY + "\n"))
    assert empty.rows[machine_id]["name"] == "train"
    assert empty.calls("create") == [
        {
            "name": "train",
            "machineType": "A100-80G",
            "templateId": "t0000004",
            "diskSize": 250,
            "region": "ny2",
            "publicIpType": "dynamic",
            "startOnCreate": True,
            "emailPassword": False,
            "autoShutdownEnabled": False,
            "autoSnapshotEnabled": False,
            "startupScriptId": "ss000001",
        }
    ]
    (stored,) = empty.calls("add_script")
    assert (stored["name"], stored["isRunOnce"]) == ("rented-gpu train", True) and PUBLIC_KEY in stored["script"]
    assert empty.scripts["ss000001"]["assignedMachineIds"] == [machine_id]


def test_every_option_reaches_the_request(empty):
    options = {
        "machine_type": "A100-80Gx8",
        "network_id": "nw0000002",
        "public_ip_type": "static",
        "enable_nvlink": "yes",
        "email_password": False,
        "auto_shutdown_hours": 6.0,
        "auto_shutdown_force": True,
        "auto_snapshot": "daily",
        "auto_snapshot_keep": 3,
        "take_initial_snapshot": True,
        "accessor_ids": ["us1"],
    }
    assert {*options, "startup_script_id"} == set(launching.LAUNCH_OPTIONS)
    provider_of(empty).launch(LaunchRequest(name="hw", options=options))
    body = empty.calls("create")[0]
    assert {name: body[field] for name, (field, _kind) in launching.LAUNCH_OPTIONS.items() if name in options} == {
        **options,
        "enable_nvlink": True,
    }
    assert (body["autoShutdownEnabled"], body["autoSnapshotEnabled"], body["diskSize"]) == (True, True, 100)
    assert "startupScriptId" not in body and empty.calls("add_script") == []


def test_a_script_of_ones_own_at_paperspace(empty):
    empty.scripts["ss9"] = script("ss9")
    provider_of(empty).launch(ask_for(options={"startup_script_id": "ss9"}))
    assert empty.calls("create")[0]["startupScriptId"] == "ss9" and empty.calls("create")[0]["emailPassword"] is True


@pytest.mark.parametrize(
    ("arguments", "label", "region"),
    [
        ({"gpu": "A100"}, "A100", "ny2"),  # the smaller one
        ({"gpu": "A100-80G"}, "A100-80G", "ny2"),
        ({"gpu": "a100 80gb", "gpu_count": 8}, "A100-80Gx8", "ny2"),
        ({"gpu": "RTX A4000"}, "A4000", "ny2"),
        ({"gpu": "A4000", "region": "ca1"}, "A4000", "ca1"),
        ({"gpu": "V100"}, "V100", "ny2"),
        ({"gpu": None, "options": {"machine_type": "C5"}, "region": "ams1"}, "C5", "ams1"),
        ({"gpu": "H100", "options": {"machine_type": "H100x8"}}, "H100x8", "ny2"),
    ],
)
def test_the_machine_type(empty, arguments, label, region):
    provider_of(empty).launch(ask_for(**arguments))
    body = empty.calls("create")[0]
    assert (body["machineType"], body["region"]) == (label, region)


def test_the_smallest_comes_first():
    labels = ["A100-80G", "A6000", "Air", "V100", "A100", "V100-32G"]
    assert sorted(labels, key=launching.size_of) == ["V100", "V100-32G", "A100", "A6000", "A100-80G", "Air"]


def test_what_is_not_free_is_passed_over(empty):
    empty.free = {("A100-80G", "ams1")}
    provider_of(empty).launch(ask_for(gpu="A100"))
    assert (empty.calls("create")[0]["machineType"], empty.calls("create")[0]["region"]) == ("A100-80G", "ams1")
    assert [(query["machineType"], query["region"]) for query in empty.calls("available")] == [
        (label, region) for label in ("A100", "A100-80G") for region in ("ny2", "ca1", "ams1")
    ]


def test_nothing_free_rents_nothing(empty):
    empty.free = set()
    with pytest.raises(NotFound, match="has no A100 or A100-80G free in ny2, ca1, ams1 now"):
        provider_of(empty).launch(ask_for(gpu="A100", ssh_public_key=PUBLIC_KEY))
    assert empty.calls("create") == empty.calls("add_script") == []


@pytest.mark.parametrize(
    ("image", "template_id"),
    [
        (None, "t0000004"),
        ("t0000002", "t0000002"),
        ("ubuntu 24.04", "t0000002"),
        ("ML-in-a-Box Ubuntu 20.04", "t0000003"),
        ("my image", "t0000009"),
        ("t0000009", "t0000009"),
    ],
)
def test_templates(empty, image, template_id):
    empty.own_templates = [template(9, "My image", "Ubuntu 22.04", region="ny2", parentMachineId="ps000001")]
    provider_of(empty).launch(ask_for(image=image))
    assert empty.calls("create")[0]["templateId"] == template_id
    assert len(empty.calls("own_templates")) == (1 if template_id == "t0000009" else 0)


@pytest.mark.parametrize(
    ("names", "label", "chosen"),
    [
        (["Ubuntu 22.04 Server", "Ubuntu 24.04"], "A4000", 1),
        (["Ubuntu 24.04", "ML in a Box Ubuntu 20.04"], "A4000", 1),
        (["ML-in-a-Box Ubuntu 22.04", "ML-in-a-Box Ubuntu 20.04", "CentOS 7"], "A4000", 0),
        (["CentOS 7"], "A4000", 0),
    ],
)
def test_the_template_when_none_is_asked_for(names, label, chosen):
    made = [template(number, name, name) for number, name in enumerate(names)]
    assert launching.best_template(made, label) is made[chosen]


def test_the_template_must_be_for_the_machine(empty):
    empty.templates = [
        template(1, "ML-in-a-Box Ubuntu 24.04", "Ubuntu 24.04", types=["P4000"]),
        template(2, "Ubuntu 22.04", "Ubuntu 22.04"),
    ]
    provider_of(empty).launch(ask_for())
    assert empty.calls("create")[0]["templateId"] == "t0000002"


def test_a_template_of_ones_own_binds_to_its_region(empty):
    empty.free |= {("A100-80G", "ca1")}
    empty.own_templates = [template(9, "My image", "Ubuntu 22.04", region="ca1", parentMachineId="ps000001")]
    provider_of(empty).launch(ask_for(image="My image"))
    assert empty.calls("create")[0]["region"] == "ca1"
    with pytest.raises(NotFound, match="is in ca1"):
        provider_of(empty).launch(ask_for(image="My image", region="ny2"))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"image": "Ubunto 24.04"}, NotFound, "no template 'Ubunto 24.04'. Did you mean 'Ubuntu 24.04'"),
        ({"image": "Windows 10 (Server 2022)"}, Unsupported, "is Windows, which has no SSH"),
        ({"gpu": "RTX 4090"}, NotFound, r"no machine type for 1× RTX 4090. It has A100, A100-80G, "),
        ({"gpu": "A100 SXM"}, NotFound, "no machine type for 1× A100 SXM"),
        ({"gpu": "A100", "gpu_count": 3}, NotFound, "no machine type for 3× A100"),
        (
            {"gpu": None, "options": {"machine_type": "A100-80Gx9"}},
            NotFound,
            "no machine type 'A100-80Gx9' here. Did you mean 'A100-80Gx8'",
        ),
        ({"image": "ML-in-a-Box Ubuntu 20.04", "gpu": "H100", "gpu_count": 8}, NotFound, "no machine type for 8× H100"),
    ],
)
def test_what_does_not_exist_is_found_out_before_renting(empty, arguments, error, words):
    with pytest.raises(error, match=words):
        provider_of(empty).launch(ask_for(**arguments))
    assert empty.calls("create") == empty.calls("add_script") == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"options": {"machinetype": "x"}}, RentedError, "no launch option 'machinetype'. Did you mean 'machine_type'"),
        ({"options": {"public_ip_type": "floating"}}, RentedError, "'public_ip_type' is dynamic or static or none"),
        ({"options": {"public_ip_type": "none"}}, RentedError, "private_network: true"),
        ({"options": {"auto_snapshot": True}}, RentedError, "'auto_snapshot' is hourly or"),
        ({"options": {"auto_shutdown_hours": "soon"}}, RentedError, "'auto_shutdown_hours' is a number above 0"),
        ({"options": {"auto_shutdown_hours": -1}}, RentedError, "'auto_shutdown_hours' is a number above 0"),
        ({"options": {"enable_nvlink": "perhaps"}}, RentedError, "'enable_nvlink' is true or false"),
        ({"options": {"accessor_ids": "us1"}}, RentedError, "'accessor_ids' is a list of texts"),
        ({"options": {"machine_type": "P4000"}}, RentedError, "The machine type P4000 is not 1× A100 80GB"),
        ({"options": {"machine_type": "A100-80Gx8"}, "gpu_count": 4}, RentedError, "A100-80Gx8 is not 4× A100 80GB"),
        ({"options": {"startup_script_id": "ss9"}, "ssh_public_key": PUBLIC_KEY}, RentedError, "runs one startup script"),
        ({"options": {"startup_script_id": "ss9"}, "startup_script": "date"}, RentedError, "runs one startup script"),
        ({"gpu": None}, RentedError, "Name the GPU to rent"),
        ({"name": ""}, RentedError, "needs a name"),
        ({"region": "ny3"}, RentedError, "no region 'ny3'. Did you mean 'ny2'"),
        ({"region": "Oslo"}, RentedError, "no region 'Oslo'. Known: ams1, ca1, ny2"),
        ({"disk_gb": 16001}, RentedError, "up to 16000 GB; 16001 were asked for"),
        ({"disk_gb": 0}, RentedError, "up to 16000 GB"),
        ({"ssh_public_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"}, RentedError, "must be one public key"),
        ({"interruptible": True}, Unsupported, "rents nothing interruptible"),
        ({"bid_per_hour": 0.5}, Unsupported, "takes no bids"),
        ({"max_price_per_hour": 2.0}, Unsupported, "limit of the price cannot be kept.*no prices.*paperspace.com/pricing"),
    ],
)
def test_an_impossible_launch_makes_no_request(empty, arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        provider_of(empty).launch(ask_for(**arguments))
    assert empty.requests == [] and "AAAA" not in str(caught.value)


@pytest.mark.parametrize(("asked", "size"), [(None, 100), (1, 100), (100, 100), (100.5, 250), (251, 500), (9000, 12000), (16000, 16000)])
def test_disks_come_in_sizes(empty, asked, size):
    provider_of(empty).launch(ask_for(disk_gb=asked))
    assert empty.calls("create")[0]["diskSize"] == size  # the template needs 100


def test_no_ability_that_the_api_does_not_have():
    assert not any(PaperspaceProvider.can(ability) for ability in ("attach_key", "bid", "read_console", "register_key"))


# --- renting that goes wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["cut", "503", "429", "500", "html", "text-200", "null"])
def test_a_request_that_rents_is_sent_once_and_leaves_its_script(empty, fault):
    empty.fault("create", fault)
    with pytest.raises(ProviderUnavailable):
        provider_of(empty).launch(ask_for(ssh_public_key=PUBLIC_KEY))
    assert len(empty.calls("create")) == 1 and len(empty.scripts) == 1


def test_capacity_that_went_meanwhile(empty):
    empty.fault("create", "answer", status=409, body={"code": "CONFLICT", "message": "We are out of capacity."})
    with pytest.raises(RentedError, match=r"refused to rent a machine A100-80G in ny2 \(409: We are out of capacity.?\)"):
        provider_of(empty).launch(ask_for(ssh_public_key=PUBLIC_KEY))
    assert empty.rows == {} and empty.scripts == {}


def test_a_refusal_names_the_field(empty):
    empty.fault(
        "create",
        "answer",
        status=400,
        body={"code": "BAD_REQUEST", "message": "Input validation failed", "issues": [{"message": "diskSize"}]},
    )
    with pytest.raises(RentedError, match="400: Input validation failed: diskSize"):
        provider_of(empty).launch(ask_for())


@pytest.mark.parametrize("fault", ["403", "500"])
def test_a_script_that_cannot_be_stored_rents_nothing(empty, fault):
    empty.fault("add_script", fault)
    with pytest.raises(RentedError, match="store the startup script"):
        provider_of(empty).launch(ask_for(ssh_public_key=PUBLIC_KEY))
    assert empty.calls("create") == [] and len(empty.calls("add_script")) == 1


def test_what_will_not_come_up_is_destroyed_again(empty):
    empty.fault("create", "event-error")
    with pytest.raises(
        PartlyCreated, match=r"No host has room for this machine\. What this had created was destroyed again: ps900002\."
    ) as caught:
        provider_of(empty).launch(ask_for(ssh_public_key=PUBLIC_KEY))
    assert caught.value.instance_id == "ps900002" and empty.rows == {} and empty.scripts == {}


def test_what_cannot_be_destroyed_again_is_named(empty):
    empty.fault("create", "event-error")
    empty.fault("destroy", "500", times=-1)
    with pytest.raises(PartlyCreated, match=r"could not be destroyed and may be billed: ps900001 .*Destroy it now") as caught:
        provider_of(empty).launch(ask_for())
    assert caught.value.instance_id in empty.rows


# --- the rest of a life ------------------------------------------------------------------------------------------------


def resource(provider, **arguments):
    arguments.setdefault("name", "hw")
    request = arguments.pop("request", None) or ask_for(name=arguments["name"], ssh_public_key=PUBLIC_KEY)
    return Resource(provider, request=request, clock=provider.time.clock, sleep=provider.time.sleep, **arguments)


def test_a_whole_life():
    with FakePaperspace(rows=[row(1)], boot_lists=2, gone_lists=2) as fake:
        provider = provider_of(fake)
        rented = resource(provider).reach("present")
        machine_id = rented.instance.id
        assert rented.changed and (rented.instance.state, rented.instance.ssh_user, rented.instance.ssh_port) == (
            "running",
            "paperspace",
            22,
        )
        assert not resource(provider).reach("present").changed and len(fake.calls("create")) == 1
        stopped = resource(provider).reach("stopped")
        assert stopped.changed and (stopped.instance.state, stopped.instance.ssh_host) == ("stopped", None)
        assert not resource(provider).reach("stopped").changed
        started = resource(provider).reach("started")
        assert started.changed and started.instance.ssh_host not in (None, rented.instance.ssh_host)
        renamed = resource(provider, name="again", instance_id=machine_id).reach("present")
        assert renamed.changed and renamed.instance.label == "again" and fake.calls("rename") == [{"name": "again"}]
        assert resource(provider, name="again").reach("absent").changed
        assert not resource(provider, name="again").reach("absent").changed
        assert list(fake.rows) == ["ps000001"] and fake.scripts == {}
        assert fake.calls("stop") == fake.calls("start") == [{}]
        assert fake.violations == []


def test_after_doubt_the_list_decides(empty):
    provider = provider_of(empty)
    empty.fault("create", "answer", status=502, body="", done=True)
    outcome = resource(provider).reach("present")
    assert outcome.instance.id in empty.rows and len(empty.calls("create")) == 1 and "rented nevertheless" in outcome.warnings[0]
    empty.rows.clear()
    empty.fault("create", "cut")
    with pytest.raises(RentedError, match="shows no instance 'hw', so nothing was rented"):
        resource(provider).reach("present")
    assert len(empty.calls("create")) == 2


def test_a_machine_without_an_address_is_not_ready(empty):
    provider = provider_of(empty)
    request = ask_for(options={"public_ip_type": "none"})
    with pytest.raises(RentedError, match="private_network"):
        resource(provider, request=request).reach("present")
    private = provider_of(empty, private_network="true")
    outcome = resource(private, request=request).reach("present")
    assert outcome.instance.ssh_host.startswith("10.64.")
    with pytest.raises(NotReached, match="without an address for SSH"):
        resource(provider, wait_timeout=30).reach("started")


def test_a_word_that_is_no_truth_for_private_network():
    with pytest.raises(RentedError, match="'private_network' is true or false"):
        PaperspaceProvider(api_key=KEY, private_network="vpn")


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_what_is_refused_says_why(fake, provider, verb):
    fake.rows["ps000003"]["state"] = "upgrading"
    with pytest.raises(RentedError, match=r"refused to %s machine ps000003 \(409: This machine is currently upgrading" % verb):
        getattr(provider, verb)("ps000003")
    fake.rows["ps000003"]["state"] = {"start": "off", "stop": "ready"}[verb]
    fake.fault(verb, "event-error")
    with pytest.raises(RentedError, match="could not %s machine ps000003: No host has room" % verb):
        getattr(provider, verb)("ps000003")


def test_what_is_asked_of_one_that_is_gone(fake, provider):
    for act in (provider.stop, provider.start, lambda machine_id: provider.set_label(machine_id, "x")):
        with pytest.raises(NotFound, match="ps999999"):
            act("ps999999")
    asked = len(fake.requests)
    for wrong in ("../public-ips/1", "a b", "", "ps1\n", "ps1?x=1"):
        for act in (provider.stop, provider.destroy):
            with pytest.raises(NotFound, match="letters and digits"):
                act(wrong)
    assert len(fake.requests) == asked


def test_destroying_what_is_gone_is_success(fake, provider):
    provider.destroy("ps000003")
    provider.destroy("ps000003")
    assert "ps000003" not in fake.rows and len(fake.rows) == 299


@pytest.mark.parametrize(("fault", "error"), [("401", AuthenticationError), ("403", AuthenticationError), ("500", ProviderUnavailable)])
def test_destroying_that_is_refused_is_not_success(fake, provider, fault, error):
    fake.fault("destroy", fault, times=-1)
    with pytest.raises(error):
        provider.destroy("ps000003")
    fake.fault("destroy", "event-error")
    with pytest.raises(AuthenticationError):
        provider_of(fake, api_key="another-key-that-is-wrong").destroy("ps000003")
    assert "ps000003" in fake.rows


def test_an_event_that_failed_is_not_a_destroyed_machine(fake, provider):
    fake.fault("destroy", "event-error")
    with pytest.raises(RentedError, match="could not destroy machine ps000003: No host has room"):
        provider.destroy("ps000003")


def test_only_our_own_scripts_go_with_a_machine(fake, provider):
    long_ago, now = "2026-11-20T10:00:00.000Z", "2026-11-20T11:30:00.000Z"
    ours, mine = "rented-gpu hw", ["ps000003"]
    fake.scripts = {
        "gone1": script("gone1", name=ours, assignedMachineIds=mine, dtCreated=now),
        "gone2": script("gone2", name=ours, assignedMachineIds=[], dtCreated=long_ago),
        "kept1": script("kept1", name="my own", assignedMachineIds=mine, dtCreated=long_ago),
        "kept2": script("kept2", name=ours, assignedMachineIds=["ps000004"], dtCreated=long_ago),
        "kept3": script("kept3", name=ours, assignedMachineIds=[*mine, "ps000004"], dtCreated=long_ago),
        "kept4": script("kept4", name=ours, assignedMachineIds=[], dtCreated=now),  # its machine is being made
        "kept5": script("kept5", name="my own", assignedMachineIds=[], dtCreated=long_ago),
    }
    provider.destroy("ps000003")
    assert sorted(fake.scripts) == ["kept1", "kept2", "kept3", "kept4", "kept5"]


@pytest.mark.parametrize(
    ("operation", "fault"), [("scripts", "403"), ("scripts", "500"), ("remove_script", "403"), ("remove_script", "500")]
)
def test_a_script_that_cannot_be_removed_does_not_keep_a_machine(fake, provider, operation, fault, caplog):
    fake.scripts = {"ss1": script("ss1", name="rented-gpu hw", assignedMachineIds=["ps000003"])}
    fake.fault(operation, fault, times=-1)
    with caplog.at_level("DEBUG", logger="rented.gpu.paperspace"):
        provider.destroy("ps000003")
    assert "ps000003" not in fake.rows and "left" in caplog.text


# --- the first boot ----------------------------------------------------------------------------------------------------


@pytest.fixture
def box(tmp_path):
    """Runs a script as a box would: the user's home is a folder of the test, everything else is real."""
    home = tmp_path / "home"
    home.mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "getent").write_text('#!/bin/sh\necho "$2:x:1:1::%s:/bin/sh"\n' % home)
    (tools / "getent").chmod(0o755)

    def run(request):
        program = tmp_path / "first_boot"
        program.write_text(scripts.first_boot(request).replace("chown -R paperspace:", "chown -R %s:" % getpass.getuser()))
        program.chmod(0o755)
        environment = {**os.environ, "PATH": "%s:%s" % (tools, os.environ["PATH"]), "OUT": str(tmp_path)}
        return subprocess.run([str(program)], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    run.home = home
    run.folder = tmp_path
    return run


@pytest.mark.parametrize("before", [None, "", "ssh-rsa AAAA other", "ssh-rsa AAAA other\n"], ids=repr)
def test_the_key_is_let_in_once(box, before):
    keys = box.home / ".ssh" / "authorized_keys"
    if before is not None:
        keys.parent.mkdir(mode=0o755)
        keys.write_text(before)
    for _number in range(2):
        done = box(LaunchRequest(name="x", ssh_public_key=PUBLIC_KEY))
        assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in keys.read_text().splitlines() if line]
    assert lines == [*([before.strip()] if before else []), PUBLIC_KEY]
    assert (keys.stat().st_mode & 0o777, keys.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_key_is_data_and_never_code(box):
    key = PUBLIC_KEY + " it's $(touch owned) `touch owned` -e"
    assert box(LaunchRequest(name="x", ssh_public_key=key)).returncode == 0
    assert key in (box.home / ".ssh" / "authorized_keys").read_text().splitlines() and not (box.folder / "owned").exists()


@pytest.mark.parametrize(
    "text",
    [
        'echo "$0 ran" > "$OUT/said"\nexit 3',
        '#!/bin/bash\nset -u; list=(a b); echo "${list[1]}" > "$OUT/said"; exit 3\n',
        "#!/usr/bin/env python3\nimport os, sys\nopen(os.environ['OUT'] + '/said', 'w').write('$HOME `x` \\\\ EOF')\nsys.exit(3)",
        "cat > \"$OUT/said\" <<'END'\nEND_0123456789abcdef $x\nEND\nexit 3\n\n",
    ],
)
def test_the_users_script_runs_as_it_is(box, text):
    done = box(LaunchRequest(name="x", ssh_public_key=PUBLIC_KEY, startup_script=text))
    assert (done.returncode, done.stderr) == (3, "")
    assert (box.folder / "said").read_text().strip()
    assert PUBLIC_KEY in (box.home / ".ssh" / "authorized_keys").read_text()
    assert list(pathlib.Path("/var/tmp").glob("rented-gpu.*")) == []


def test_a_script_alone_touches_no_keys(box):
    assert box(LaunchRequest(name="x", startup_script='date > "$OUT/said"')).returncode == 0
    assert (box.folder / "said").exists() and not (box.home / ".ssh").exists()


# --- where the key is --------------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A home without any key."""
    for name in ("PAPERSPACE_API_KEY", "PAPERSPACE_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".paperspace").mkdir()
    return tmp_path / ".paperspace"


def test_no_key_lists_where_it_looked(nowhere):
    assert not PaperspaceProvider.available()
    looked = r"Looked at \$PAPERSPACE_API_KEY, ~/.paperspace/credentials.toml, ~/.paperspace/config.json"
    with pytest.raises(MissingCredentials, match=looked):
        PaperspaceProvider()


@pytest.mark.parametrize(
    ("credentials", "config", "key"),
    [
        ('version = 1\n\n[keys]\nmine = "key-1"\n', None, "key-1"),
        (
            'version = 1\n[keys]\nmine = "key-1"\n"the other" = \'key-2\' # new\n',
            'version = 1\nteam = "the other"\n[projects]\nteam = "mine"',
            "key-2",
        ),
        ('[keys]\nmine = "key-1"\ntheirs = "key-2"\n', "version = 1\nteam = 'mine'\n", "key-1"),
        ('[keys]\nmine = "key-1"\n', 'version = 1\n[projects.x]\nid = "1"\n', "key-1"),
        ("version = 1\n\n[keys]\n", None, "old"),
        ("", 'team = "mine"\n', "old"),
    ],
)
def test_the_key_of_the_current_team(nowhere, monkeypatch, credentials, config, key):
    (nowhere / "credentials.toml").write_text(credentials)
    (nowhere / "config.json").write_text('{"apiKey": "old", "name": "x"}')
    if config is not None:
        (nowhere / "config.toml").write_text(config)
    assert PaperspaceProvider().api_key == key and PaperspaceProvider.available()
    monkeypatch.setenv("PAPERSPACE_API_KEY", "the-key-in-the-environment")
    assert PaperspaceProvider().api_key == "the-key-in-the-environment"
    assert PaperspaceProvider(api_key="given").api_key == "given"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "keys of mine, theirs, and ~/.paperspace/config.toml names no team. Choose one with: pspace config set team mine"),
        ('team = "gone"\n', "names the team 'gone', whose key is not there"),
    ],
)
def test_which_team_is_never_guessed(nowhere, config, words):
    (nowhere / "credentials.toml").write_text('[keys]\nmine = "key-1"\ntheirs = "key-2"\n')
    if config:
        (nowhere / "config.toml").write_text(config)
    with pytest.raises(MissingCredentials, match=words) as caught:
        PaperspaceProvider()
    assert "key-1" not in str(caught.value)


def test_files_that_cannot_be_read(nowhere):
    (nowhere / "config.json").write_text("{nonsense")
    with pytest.raises(MissingCredentials, match=r"config.json is not JSON"):
        PaperspaceProvider()
    (nowhere / "credentials.toml").write_text('[keys]\nmine = "key-1"\n')
    (nowhere / "config.toml").mkdir()  # root reads every file, but nobody reads a folder
    with pytest.raises(MissingCredentials, match=r"config.toml cannot be read: Is a directory"):
        PaperspaceProvider()


def test_the_endpoint_from_the_environment(nowhere, monkeypatch):
    monkeypatch.setenv("PAPERSPACE_API_URL", "http://127.0.0.1:9/v1/")
    assert PaperspaceProvider(api_key="given").endpoint == "http://127.0.0.1:9/v1"


def test_two_accounts_differ_by_how_they_are_reached():
    one, other = PaperspaceProvider(api_key="given"), PaperspaceProvider(api_key="given", private_network=True)
    assert one.identity() != other.identity()
