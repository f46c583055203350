# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lambda: the provider against the fake server, over real HTTP, and rows in every shape against the mapping."""

from __future__ import annotations

import json
import logging
import pathlib

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingCredentials,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RateLimited,
    RentedError,
    Unsupported,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers import _base, lambda_cloud
from ansible_collections.rented.gpu.plugins.module_utils._providers._arguments import build
from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda import machines
from ansible_collections.rented.gpu.plugins.module_utils._providers.lambda_cloud import LambdaProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import NotReached, Resource
from ansible_collections.rented.gpu.tests.fakes.lambda_cloud import KEY, KINDS, FakeLambda, identity, kind, row
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import Time, with_time

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "lambda"
LAPTOP = "ssh-ed25519 AAAAC3Nlaptop someone else's comment"
OTHER = "ssh-ed25519 AAAAC3Nother ada@example.org"
NEW = identity(4096)  # the id of the first instance that the fake rents


class Stranger(FakeLambda):
    """Another server: remembers the headers of whoever asks, and lets nobody in."""

    seen: list = []

    def authorized(self, headers):
        self.seen = [*self.seen, dict(headers)]
        return False


@pytest.fixture
def fake():
    with FakeLambda(rows=[row(number) for number in range(1, 4)]) as server:
        yield server
    assert server.violations == []


def provider_of(fake, **arguments):
    return with_time(LambdaProvider(api_key=arguments.pop("api_key", fake.key), endpoint=fake.url, **arguments))


@pytest.fixture
def provider(fake):
    return provider_of(fake)


def wanted(**arguments):
    return LaunchRequest(**{"name": "hw", "gpu": "A10", **arguments})


# --- the list ----------------------------------------------------------------------------------------------------------


def test_the_whole_list_comes_in_one_request():
    with FakeLambda(rows=[row(number) for number in range(1, 1001)]) as fake:
        found = provider_of(fake).list_instances()
        assert [instance.id for instance in found] == [identity(number) for number in range(1, 1001)]
        assert fake.calls("list") == [{}] and fake.violations == []


def test_no_instances():
    with FakeLambda() as fake:
        assert provider_of(fake).list_instances() == []


@pytest.mark.parametrize(
    ("fault", "details", "waits"),
    [
        ("502", {}, [1.0, 2.0]),
        ("503", {"retry_after": 3}, [3.0, 3.0]),
    ],
)
def test_passing_trouble_is_waited_out(fake, provider, fault, details, waits):
    fake.fault("list", fault, times=2, **details)
    assert len(provider.list_instances()) == 3
    assert provider.time.slept == waits


@pytest.mark.parametrize(
    ("fault", "details", "error", "words"),
    [
        ("502", {}, ProviderUnavailable, r"failed to list the instances \(502"),
        ("404", {}, NotFound, "knows nothing of this: list the instances"),
        ("null", {}, ProviderUnavailable, "answered no list when asked to list the instances"),
        ("answer", {"status": 200, "body": {}}, ProviderUnavailable, "holds no data"),
        ("answer", {"status": 200, "body": []}, ProviderUnavailable, "holds no data"),
        ("answer", {"status": 200, "body": {"data": {}}}, ProviderUnavailable, "answered no list"),
        ("answer", {"status": 200, "body": {"data": [None]}}, ProviderUnavailable, "not an instance"),
        ("answer", {"status": 200, "body": {"data": [{"name": "x"}]}}, ProviderUnavailable, "not an instance"),
        ("answer", {"status": 200, "body": {"data": [row(1), {"id": None}]}}, ProviderUnavailable, "not an instance"),
        ("401", {}, AuthenticationError, r"refused the API key \(401: API key was invalid, expired, or deleted"),
        ("403", {}, AuthenticationError, "does not allow this key to list the instances"),
        ("inactive", {}, AuthenticationError, "The account at Lambda is inactive. Confirm its e-mail address"),
        ("provider", {}, ProviderUnavailable, r"own supplier failed to list the instances \(400, provider/internal-unavailable\)"),
        ("provider", {"status": 500}, ProviderUnavailable, "Provider unavailable"),
        ("cut", {}, ProviderUnavailable, "did not answer when asked to list the instances"),
    ],
)
def test_lasting_trouble_is_one_sentence_and_never_an_empty_list(fake, provider, fault, details, error, words):
    fake.fault("list", fault, times=-1, **details)
    with pytest.raises(error, match=words) as caught:
        provider.list_instances()
    assert caught.type is error
    assert fake.key not in str(caught.value) and "SECRET" not in str(caught.value)
    assert len(fake.calls("list")) <= _http.TRIES


def test_a_wrong_key_is_named_as_such(fake):
    with pytest.raises(AuthenticationError, match="refused the API key") as caught:
        provider_of(fake, api_key="another-key-that-is-wrong").list_instances()
    assert "another-key" not in str(caught.value) and caught.value.code == "global/invalid-api-key"


def test_the_key_does_not_follow_a_redirect_to_another_server(fake, provider):
    with Stranger() as other:
        fake.fault("*", "redirect", times=-1, to=other.url.replace("127.0.0.1", "localhost") + "/instances")
        with pytest.raises(ProviderUnavailable, match="redirects to another server"):
            provider.list_instances()
        with pytest.raises(ProviderUnavailable, match="redirects to another server"):
            provider.destroy(identity(1))
        assert other.seen == []


def test_the_pace_satisfies_a_server_that_insists_on_it():
    """One request a second, and a launch in twelve, both by the clock that the server goes by."""
    time = Time()
    with FakeLambda(
        rows=[row(1)], pace=True, clock=time.clock, capacity={"gpu_1x_a10": ["us-west-1", "us-east-1", "europe-central-1"]}
    ) as fake:
        fake.taken = {("gpu_1x_a10", "us-west-1"), ("gpu_1x_a10", "us-east-1")}
        provider = LambdaProvider(api_key=fake.key, endpoint=fake.url)
        provider.clock, provider.sleep = time.clock, time.sleep
        for _number in range(3):
            provider.list_instances()
        assert provider.launch(wanted(ssh_public_key=LAPTOP)) == NEW
        provider.destroy(NEW)
        assert [len(fake.calls(name)) for name in ("list", "types", "keys", "launch", "terminate")] == [3, 1, 1, 3, 1]
        assert time.slept == [1.0, 1.0, 1.0, 1.0, 1.0, 12.0, 12.0, 1.0] and fake.violations == []


# --- what an instance is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["list_running", "list_not_running"])
def test_answers_of_the_fixtures(name):
    fixture = json.loads((FIXTURES / (name + ".json")).read_text())
    for given, expected in zip(fixture["answer"]["data"], fixture["expected"], strict=True):
        found = lambda_cloud.instance(given, "lambda").as_dict()
        assert {field: found[field] for field in expected} == expected


def test_only_the_id_is_needed():
    found = lambda_cloud.instance({"id": "5"}, "work")
    known = {name for name, value in found.as_dict().items() if value not in (None, {})}
    assert known == {"provider", "account", "id", "state", "kind", "ssh_user", "trust", "interruptible"}
    assert found.state == "unknown" and found.ssh_port is None


def test_null_everywhere():
    nulls = {name: None for name in row(1)} | {"id": "6"}
    assert lambda_cloud.instance(nulls, "x").as_dict() == lambda_cloud.instance({"id": "6"}, "x").as_dict()


@pytest.mark.parametrize("value", ["", "nonsense", -1, 1e400, [], [1], {}, {"name": None, "specs": [None]}, True, None], ids=repr)
def test_nonsense_in_one_field_never_raises(value):
    for name in set(row(1)) - {"id"}:
        assert lambda_cloud.instance({**row(1), name: value}, "x").id == identity(1)
    for name in KINDS["gpu_1x_a10"]:
        assert lambda_cloud.instance(row(1, instance_type={**KINDS["gpu_1x_a10"], name: value}), "x").id == identity(1)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("booting", "pending"),
        ("active", "running"),
        ("unhealthy", "error"),
        ("terminating", "stopping"),
        ("terminated", "terminated"),
        ("preempted", "terminated"),
        ("hibernating", "unknown"),
        ("", "unknown"),
        (7, "unknown"),
    ],
)
def test_states(status, state):
    assert lambda_cloud.instance(row(1, status=status), "x").state == state


def test_an_unknown_state_comes_through_and_is_told_to_the_log(caplog):
    with FakeLambda(rows=[row(1, status="hibernating")], check=False) as fake, caplog.at_level(logging.DEBUG, "rented.gpu.lambda"):
        found = provider_of(fake).list_instances()[0]
    assert (found.state, found.state_raw) == ("unknown", "hibernating") and "hibernating" in caplog.text


@pytest.mark.parametrize(
    ("ip", "host"),
    [
        ("198.51.100.7", "198.51.100.7"),
        (" 198.51.100.7\n", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
        (None, None),
        ("", None),
        ("soon", None),
    ],
)
def test_addresses(ip, host):
    found = lambda_cloud.instance({**row(1), "ip": ip}, "x")
    assert (found.ssh_host, found.ssh_port, found.ssh_via) == (host, 22 if host else None, "direct" if host else None)


@pytest.mark.parametrize(
    ("changes", "count", "model", "variant", "vram_mb"),
    [
        ({}, 1, "A10", "PCIe", 24576),
        ({"gpu_description": "Tesla V100 (16 GB)", "specs": {"gpus": 8}}, 8, "V100", None, 16384),
        ({"gpu_description": "RTX 6000 (24 GB)"}, 1, "RTX 6000", None, 24576),
        ({"gpu_description": "A6000 (48 GB)"}, 1, "RTX A6000", None, 49152),
        ({"gpu_description": "GH200 (96 GB)"}, 1, "GH200", None, 98304),
        ({"gpu_description": "B300 (288 GB SXM6)"}, 1, "B300", "SXM", 294912),
        ({"gpu_description": "Example GPU (42 GB SXM4)"}, 1, "Example GPU (42 GB SXM4)", None, 43008),
        ({"gpu_description": "H100", "description": "16x H100 (80 GB SXM5)", "specs": None}, 16, "H100", None, 81920),
        ({"gpu_description": None, "description": "16x H100 (80 GB SXM5)", "specs": {}}, 16, "H100", "SXM", 81920),
        ({"gpu_description": "", "description": None, "name": "gpu_16x_h100_sxm5", "specs": None}, 16, "H100", "SXM", 81920),
        ({"gpu_description": "A100 (SXM4)", "description": None}, 1, "A100", "SXM", None),
        ({"gpu_description": "N/A", "specs": {"gpus": 0}}, 0, None, None, None),
        (
            {"gpu_description": "N/A", "name": "cpu_4x_general", "description": "4x CPU General (16 GiB)", "specs": None},
            0,
            None,
            None,
            None,
        ),
        ({"gpu_description": None, "description": None, "name": None, "specs": None}, None, None, None, None),
    ],
)
def test_gpus_from_what_is_written(changes, count, model, variant, vram_mb):
    found_count, _raw, gpu = machines.gpus({**KINDS["gpu_1x_a10"], **changes})
    assert (found_count, gpu.model, gpu.variant, gpu.vram_mb) == (count, model, variant, vram_mb)


def test_cents_are_of_the_whole_instance():
    assert lambda_cloud.instance(row(1, instance_type=KINDS["gpu_8x_h100_sxm5"]), "x").price_per_hour == 23.92
    assert lambda_cloud.instance(row(1, instance_type={**KINDS["gpu_1x_a10"], "price_cents_per_hour": None}), "x").price_per_hour is None


def test_what_is_reserved_has_no_price_by_the_hour():
    assert lambda_cloud.instance(row(1, is_reserved=True), "x").price_per_hour is None


@pytest.mark.parametrize("label", ["{{ lookup('pipe', 'id') }}", "#jinja2: variable_start_string: '<<'", "ärger 🚀", "a" * 64])
def test_a_label_comes_through_as_it_is(label):
    with FakeLambda(rows=[row(1, name=label, tags=[{"key": "note", "value": label}])]) as fake:
        found = provider_of(fake).list_instances()[0]
        assert (found.label, found.tags) == (label, {"note": label})


def test_equal_names_stay_two_instances():
    with FakeLambda(rows=[row(1, name="twin"), row(2, name="twin")]) as fake:
        assert [(found.id, found.label) for found in provider_of(fake).list_instances()] == [(identity(1), "twin"), (identity(2), "twin")]


def test_no_secret_comes_out(fake, provider):
    provider.keep_raw = True
    found = provider.list_instances()
    assert "SECRET" not in json.dumps([instance.as_dict() for instance in found])
    raw = provider.scrubbed_raw(identity(1))
    assert "SECRET" not in json.dumps(raw) and raw["ssh_key_names"] == ["laptop"] and raw["is_reserved"] is False


# --- renting -----------------------------------------------------------------------------------------------------------


def test_the_cheapest_type_that_fits_is_rented(fake, provider):
    fake.capacity = {"gpu_1x_a100": ["us-east-1"], "gpu_1x_a100_sxm4": ["us-west-1"], "gpu_1x_a10": ["us-west-1"]}
    fake.kinds["gpu_1x_a100_sxm4"]["price_cents_per_hour"] = 119
    assert provider.launch(wanted(gpu="a100", max_price_per_hour=2, ssh_public_key=LAPTOP)) == NEW
    assert fake.calls("launch") == [
        {"name": "hw", "instance_type_name": "gpu_1x_a100_sxm4", "region_name": "us-west-1", "ssh_key_names": ["laptop"]}
    ]
    assert fake.calls("add_key") == []


def test_every_option_is_sent_as_the_specification_says(fake, provider):
    provider.launch(
        wanted(
            region="us-west-1",
            image="lambda-stack-22-04",
            disk_gb=1000,
            ssh_public_key=LAPTOP,
            startup_script="echo hello\n",
            options={
                "instance_type": "gpu_1x_a10",
                "file_systems": ["data"],
                "file_system_mounts": [{"mount_point": "/data/set-1", "file_system_id": fake.file_systems[0]["id"]}],
                "hostname": "headnode1",
                "tags": {"course": "ml", "term": 2026},
                "firewall_rulesets": ["c4d291f47f9d436fa39f58493ce3b50d"],
            },
        )
    )
    assert fake.calls("launch") == [
        {
            "name": "hw",
            "instance_type_name": "gpu_1x_a10",
            "region_name": "us-west-1",
            "ssh_key_names": ["laptop"],
            "image": {"family": "lambda-stack-22-04"},
            "user_data": "#!/bin/sh\necho hello\n",
            "file_system_names": ["data"],
            "file_system_mounts": [{"mount_point": "/data/set-1", "file_system_id": fake.file_systems[0]["id"]}],
            "hostname": "headnode1",
            "tags": [{"key": "course", "value": "ml"}, {"key": "term", "value": "2026"}],
            "firewall_rulesets": [{"id": "c4d291f47f9d436fa39f58493ce3b50d"}],
        }
    ]
    found = provider.get_instance(NEW)
    assert (found.label, found.state, found.tags) == ("hw", "running", {"course": "ml", "term": "2026"})


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"startup_script": "#!/usr/bin/env python3\nprint()\n"}, "#!/usr/bin/env python3\nprint()\n"),
        ({"startup_script": "x" * 999_990}, "#!/bin/sh\n" + "x" * 999_990),
        ({"options": {"user_data": "#cloud-config\nruncmd: [true]\n"}}, "#cloud-config\nruncmd: [true]\n"),
    ],
    ids=["own interpreter", "largest", "cloud-config"],
)
def test_startup_scripts(fake, provider, given, sent):
    provider.launch(wanted(ssh_public_key=LAPTOP, **given))
    assert fake.calls("launch")[0]["user_data"] == sent


def test_an_image_by_its_id(fake, provider):
    provider.launch(wanted(image=fake.images[1]["id"], ssh_public_key=LAPTOP))
    body = fake.calls("launch")[0]
    assert (body["image"], body["region_name"]) == ({"id": fake.images[1]["id"]}, "us-east-1")


def test_an_image_fits_the_processor_of_the_type(fake, provider):
    """The GH200 is arm64; the family has an image for it in one of the two regions only."""
    fake.capacity = {"gpu_1x_gh200": ["us-west-1", "us-east-1"]}
    provider.launch(wanted(gpu="GH200", image="lambda-stack-22-04", ssh_public_key=LAPTOP))
    assert fake.calls("launch")[0]["region_name"] == "us-east-1"
    with pytest.raises(NotFound, match="only in us-east-1, us-west-1, where the image 'ubuntu-24-04' is not to be had for its processor"):
        provider.launch(wanted(gpu="GH200", image="ubuntu-24-04", ssh_public_key=LAPTOP))


def test_a_file_system_decides_the_region(fake, provider):
    provider.launch(wanted(ssh_public_key=LAPTOP, options={"file_systems": ["models"]}))
    assert fake.calls("launch")[0]["region_name"] == "us-east-1"


@pytest.mark.parametrize(
    ("options", "arguments", "words"),
    [
        ({"file_systems": ["dta"]}, {}, "has no file system 'dta'. Did you mean 'data'?"),
        ({"file_system_mounts": [{"mount_point": "/data", "file_system_id": "x"}]}, {}, "has no file system 'x'. Known: a098"),
        ({"file_systems": ["data", "models"]}, {}, "file systems of its own region, but 'data' is in us-west-1, 'models' is in us-east-1"),
        ({"file_systems": ["data"]}, {"region": "us-east-1"}, "cannot be in us-east-1: the file system 'data' is in us-west-1"),
        ({"file_systems": ["data"]}, {"gpu": "H100", "gpu_count": 8}, "only in us-east-1, and the file systems are in us-west-1"),
        ({}, {"image": "lambda-stack-2204"}, "no image family and no image id 'lambda-stack-2204'. Did you mean 'lambda-stack-22-04'?"),
        ({"instance_type": "gpu_1x_a11"}, {}, "has no instance type 'gpu_1x_a11'. Did you mean 'gpu_1x_a10'?"),
        ({"instance_type": 7}, {"gpu": None}, "has no instance type '7'. Known: "),
        ({"instance_type": "gpu_1x_a10"}, {"gpu": "H100"}, "no instance type with gpu_1x_a10 with H100"),
        ({"ssh_key_name": "labtop"}, {}, "has no SSH key 'labtop'. Did you mean 'laptop'?"),
        ({}, {"gpu": "RTX 4090"}, r"no instance type with 1× RTX 4090. It has .*1× A10,.*8× V100"),
        ({}, {"gpu": "A10", "gpu_count": 3}, "no instance type with 3× A10"),
        ({}, {"gpu": "A100 80GB"}, "no instance type with 1× A100 80GB"),
        ({}, {"gpu": "H100 NVL"}, "no instance type with 1× H100 NVL"),
        ({}, {"disk_gb": 1401}, "A10 has a disk of 1401 GB; disks come with the type"),
        ({}, {"max_price_per_hour": 0.74}, r"nothing for 1× A10 for up to 0.740 USD/h. The cheapest costs 0.75 USD/h"),
        ({}, {"region": "us-wset-1"}, "has no region 'us-wset-1'. Did you mean 'us-west-1'?"),
        ({}, {"region": "europe-central-1"}, "no capacity for 1× A10 in europe-central-1 now: only in us-east-1, us-west-1"),
        ({}, {"gpu": "B200"}, "no capacity for 1× B200 now: none at all. Try again later"),
    ],
)
def test_what_cannot_be_had_is_said_before_anything_is_changed(fake, provider, options, arguments, words):
    with pytest.raises(RentedError, match=words.replace("?", r"\?")):
        provider.launch(wanted(options=options, **arguments))
    assert {entry[0] for entry in fake.requests} <= {"types", "regions", "images", "file_systems", "keys"}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"options": {"instancetype": "x"}}, RentedError, "takes no launch option 'instancetype'. Did you mean 'instance_type'?"),
        ({"interruptible": True}, Unsupported, "Lambda rents nothing interruptible"),
        ({"bid_per_hour": 0.2}, Unsupported, "takes no bids"),
        ({"gpu": None}, RentedError, "Name the GPU to rent at Lambda"),
        ({"gpu_count": 0}, RentedError, "'gpu_count' is 1 or more"),
        ({"name": "x" * 65}, RentedError, "1 to 64 characters; this one has 65"),
        ({"name": ""}, RentedError, "1 to 64 characters; this one has 0"),
        ({"startup_script": "x" * 999_991}, RentedError, "up to 1 MB; this one has 1000001 bytes"),
        ({"startup_script": "#!/bin/sh\n" + "ä" * 500_000}, RentedError, "this one has 1000010 bytes"),
        ({"startup_script": "a\0b"}, RentedError, "holds a NUL character"),
        ({"startup_script": "#cloud-config\n"}, RentedError, "goes into the launch option 'user_data'"),
        ({"startup_script": "ls", "options": {"user_data": "#!/bin/sh"}}, RentedError, "not both: they are one thing"),
        ({"options": {"user_data": {"runcmd": []}}}, RentedError, "'user_data' of Lambda is a text"),
        ({"options": {"file_systems": "data"}}, RentedError, "'file_systems' of Lambda is a list"),
        ({"options": {"file_system_mounts": [{"mount_point": "/data"}]}}, RentedError, "mapping of mount_point and file_system_id"),
        ({"options": {"file_system_mounts": [{"mount_point": "/mnt", "file_system_id": "1"}]}}, RentedError, "'/mnt' is not"),
        ({"options": {"hostname": "Head_Node"}}, RentedError, "'Head_Node' is not"),
        ({"options": {"tags": ["a"]}}, RentedError, "'tags' of Lambda is a mapping"),
        ({"options": {"tags": {"Course": "x"}}}, RentedError, "'Course' is not"),
        ({"options": {"tags": {"course": "x" * 129}}}, RentedError, "text of up to 128 characters"),
        ({"ssh_public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, RentedError, "must be one public key on one line"),
        ({"ssh_public_key": "ssh-rsa " + "A" * 4096}, RentedError, "up to 4096 characters"),
        ({"ssh_public_key": LAPTOP, "options": {"ssh_key_name": "laptop"}}, RentedError, "exactly one SSH key: give"),
    ],
)
def test_an_impossible_launch_makes_no_request(fake, provider, arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        provider.launch(wanted(**arguments))
    assert caught.type is error and "PRIVATE" not in str(caught.value)
    assert fake.requests == []


def test_a_type_without_a_gpu_can_be_named(fake, provider):
    provider.launch(wanted(gpu=None, ssh_public_key=LAPTOP, options={"instance_type": "cpu_4x_general"}))
    found = provider.get_instance(NEW)
    assert (found.gpu_count, found.gpu_model, found.price_per_hour) == (0, None, 0.2)


def test_a_price_that_is_not_known_is_above_every_limit(fake, provider):
    kinds = {"gpu_1x_a10": {"instance_type": {**KINDS["gpu_1x_a10"], "price_cents_per_hour": None}, "regions_with_capacity_available": []}}
    fake.fault("types", "answer", times=-1, status=200, body={"data": kinds})
    with pytest.raises(NotFound, match="Lambda does not say what it costs"):
        provider.launch(wanted(max_price_per_hour=100))


@pytest.mark.parametrize("data", [None, [], "none"])
def test_instance_types_in_another_form(fake, provider, data):
    fake.fault("types", "answer", times=-1, status=200, body={"data": data})
    with pytest.raises(ProviderUnavailable, match="answered no list when asked to list the instance types"):
        provider.launch(wanted())
    with pytest.raises(ProviderUnavailable, match="answered no list"):
        provider.list_offers(Wish())


def test_where_the_last_one_was_taken_the_next_region_and_type_are_tried(fake, provider):
    fake.capacity = {"gpu_1x_a100": ["us-west-1", "us-east-1"], "gpu_1x_a100_sxm4": ["europe-central-1"]}
    fake.taken = {("gpu_1x_a100", "us-west-1"), ("gpu_1x_a100", "us-east-1")}
    assert provider.launch(wanted(gpu="A100", ssh_public_key=LAPTOP)) == NEW
    assert [(body["instance_type_name"], body["region_name"]) for body in fake.calls("launch")] == [
        ("gpu_1x_a100", "us-west-1"),
        ("gpu_1x_a100", "us-east-1"),
        ("gpu_1x_a100_sxm4", "europe-central-1"),
    ]
    assert [seconds for seconds in provider.time.slept if seconds > 1] == [12.0, 12.0]


def test_when_all_are_taken_the_sentence_names_what_was_tried(fake, provider):
    fake.taken = {("gpu_1x_a10", "us-west-1"), ("gpu_1x_a10", "us-east-1")}
    with pytest.raises(NotFound, match=r"no capacity left for 1× A10; tried gpu_1x_a10 in us-west-1, gpu_1x_a10 in us-east-1\. Try again"):
        provider.launch(wanted(ssh_public_key=LAPTOP))
    with pytest.raises(NotFound, match=r"; tried gpu_1x_a10 in us-east-1\. Try"):
        provider.launch(wanted(ssh_public_key=LAPTOP, region="us-east-1"))
    assert len(fake.rows) == 3


def test_tries_have_an_end(fake, provider):
    fake.kinds = {name: kind(name, "A10 (24 GB PCIe)", 1, 75) for name in ("gpu_1x_a10_%d" % number for number in range(20))}
    fake.capacity = {name: ["us-west-1"] for name in fake.kinds}
    fake.taken = {(name, "us-west-1") for name in fake.kinds}
    with pytest.raises(NotFound, match="no capacity left"):
        provider.launch(wanted(ssh_public_key=LAPTOP))
    assert len(fake.calls("launch")) == lambda_cloud.LAUNCHES


@pytest.mark.parametrize(
    ("fault", "details", "error", "words"),
    [
        ("cut", {}, ProviderUnavailable, "did not answer when asked to rent gpu_1x_a10 in us-west-1"),
        ("500", {}, ProviderUnavailable, "Internal error"),
        ("503", {}, ProviderUnavailable, "503"),
        ("429", {}, RateLimited, "too many requests"),
        ("html-200", {}, ProviderUnavailable, "web page"),
        ("provider", {}, ProviderUnavailable, "own supplier failed to rent"),
        ("answer", {"status": 200, "body": {"data": {"instance_ids": []}}}, ProviderUnavailable, "without an instance id"),
        ("answer", {"status": 200, "body": {"data": {"instance_ids": None}}}, ProviderUnavailable, "without an instance id"),
        ("answer", {"status": 200, "body": {}}, ProviderUnavailable, "holds no data"),
        ("401", {}, AuthenticationError, "refused the API key"),
        ("inactive", {}, AuthenticationError, "account at Lambda is inactive"),
        ("404", {}, NotFound, "knows nothing of this: rent gpu_1x_a10"),
    ],
)
def test_a_request_that_rents_is_sent_once(fake, provider, fault, details, error, words):
    fake.fault("launch", fault, times=-1, **details)
    with pytest.raises(error, match=words):
        provider.launch(wanted(ssh_public_key=LAPTOP))
    assert len(fake.calls("launch")) == 1 and len(fake.rows) == 3


def test_a_quota_that_is_used_up(fake, provider):
    fake.quota = 3
    with pytest.raises(RentedError, match=r"The quota of the account at Lambda is used up\. Destroy an instance") as caught:
        provider.launch(wanted(ssh_public_key=LAPTOP))
    assert len(fake.calls("launch")) == 1 and not isinstance(caught.value, ProviderUnavailable)


def test_a_billing_address_that_is_refused(fake, provider):
    fake.fault(
        "launch", "answer", status=403, body={"error": {"code": "global/invalid-address", "message": "Your billing address is invalid."}}
    )
    with pytest.raises(RentedError, match="does not accept the account's billing address") as caught:
        provider.launch(wanted(ssh_public_key=LAPTOP))
    assert not isinstance(caught.value, AuthenticationError)


@pytest.mark.parametrize(
    ("broken", "words"),
    [(False, "What this had created was destroyed again: "), (True, "What this had created could not be destroyed and may be billed: ")],
)
def test_more_than_was_asked_for_is_destroyed_again(fake, provider, broken, words):
    fake.rows.update({identity(number): row(number) for number in (7, 8)})
    fake.fault("launch", "answer", status=200, body={"data": {"instance_ids": [identity(7), identity(8)]}})
    if broken:
        fake.fault("terminate", "500", times=-1)
    with pytest.raises(PartlyCreated, match="Lambda made 2. " + words) as caught:
        provider.launch(wanted(ssh_public_key=LAPTOP))
    assert caught.value.instance_id == identity(7) and identity(8) in str(caught.value)
    assert (identity(7) in fake.rows) is (identity(8) in fake.rows) is broken


# --- the key of a launch -----------------------------------------------------------------------------------------------


def test_a_key_that_the_account_lacks_is_registered_once(fake, provider):
    provider.launch(wanted(ssh_public_key=OTHER + "\n"))
    provider.launch(wanted(name="hw2", ssh_public_key=OTHER.rsplit(" ", 1)[0]))
    (added,) = fake.calls("add_key")
    assert added["public_key"] == OTHER and added["name"].startswith("rented-gpu-") and len(added["name"]) == 27
    assert [body["ssh_key_names"] for body in fake.calls("launch")] == [[added["name"]]] * 2
    assert len(fake.keys) == 2


def test_no_key_is_registered_for_what_cannot_be_rented(fake, provider):
    with pytest.raises(NotFound):
        provider.launch(wanted(gpu="B200", ssh_public_key=OTHER))
    assert fake.calls("add_key") == []


def test_a_key_that_cannot_be_registered_ends_the_launch(fake, provider):
    fake.fault("add_key", "answer", status=200, body={"data": {}})
    with pytest.raises(ProviderUnavailable, match="register an SSH key without an id"):
        provider.launch(wanted(ssh_public_key=OTHER))
    assert fake.calls("launch") == []


def test_without_a_key_the_only_one_of_the_account_is_taken(fake, provider):
    provider.launch(wanted())
    assert fake.calls("launch")[0]["ssh_key_names"] == ["laptop"]


def test_of_several_keys_one_is_named(fake, provider):
    fake.keys["k2"] = {"id": "k2", "name": "desk", "public_key": OTHER}
    with pytest.raises(RentedError, match=r"exactly one SSH key, and the account has several \(desk, laptop\). Give 'ssh_public_key'"):
        provider.launch(wanted())
    assert fake.calls("launch") == []
    provider.launch(wanted(options={"ssh_key_name": "desk"}))
    assert fake.calls("launch")[0]["ssh_key_names"] == ["desk"]


def test_an_account_without_keys(fake, provider):
    fake.keys = {}
    with pytest.raises(RentedError, match=r"the account has none\. Give 'ssh_public_key'"):
        provider.launch(wanted())


# --- the rest of a life ------------------------------------------------------------------------------------------------


def test_rename_and_destroy(fake, provider):
    provider.set_label(identity(2), "renamed")
    assert provider.get_instance(identity(2)).label == "renamed"
    provider.destroy(identity(2))
    assert provider.get_instance(identity(2)) is None
    provider.destroy(identity(2))  # gone already is as good
    assert fake.calls("terminate") == [{"instance_ids": [identity(2)]}] * 2


def test_one_that_is_going_already_is_as_good(fake, provider):
    fake.gone_lists = 5
    provider.destroy(identity(2))
    assert provider.get_instance(identity(2)).state == "stopping"
    provider.destroy(identity(2))


@pytest.mark.parametrize("fault", ["502", "429", "cut"])
def test_destroying_is_tried_again(fake, provider, fault):
    fake.fault("terminate", fault, times=2)
    provider.destroy(identity(2))
    assert identity(2) not in fake.rows and len(fake.calls("terminate")) == 3


@pytest.mark.parametrize(
    ("fault", "details", "error", "words"),
    [
        ("401", {}, AuthenticationError, "refused the API key"),
        ("403", {}, AuthenticationError, "does not allow this key to destroy"),
        ("html", {}, ProviderUnavailable, "web page"),
        ("answer", {"status": 404, "body": "<html>not here</html>"}, NotFound, "web page"),
        ("answer", {"status": 404, "body": {"error": {"code": "global/not-found", "message": "No such path."}}}, NotFound, "No such path"),
        ("answer", {"status": 400, "body": {"error": {"code": "global/invalid-parameters", "message": "No."}}}, RentedError, "No."),
        ("answer", {"status": 200, "body": {"data": {"terminated_instances": []}}}, RentedError, "did not do it. It is billed"),
        ("answer", {"status": 200, "body": {"data": None}}, RentedError, "did not do it"),
    ],
)
def test_destroying_is_success_only_where_it_is_gone(fake, provider, fault, details, error, words):
    fake.fault("terminate", fault, times=-1, **details)
    with pytest.raises(error, match=words):
        provider.destroy(identity(2))
    assert identity(2) in fake.rows


def test_names_that_lambda_would_refuse(fake, provider):
    for name in ("", "x" * 65):
        with pytest.raises(RentedError, match="1 to 64 characters"):
            provider.set_label(identity(1), name)
    with pytest.raises(NotFound, match="rename instance 999"):
        provider.set_label("999", "x")
    assert fake.calls("rename") == [{"name": "x"}]


def test_an_id_stays_within_its_place_in_the_address(fake, provider):
    with pytest.raises(NotFound):
        provider.set_label("../ssh-keys", "x")
    assert [entry[:2] for entry in fake.requests] == [("rename", "../ssh-keys")]


# --- through Resource --------------------------------------------------------------------------------------------------


def resource(provider, name="hw", **arguments):
    return Resource(provider, name=name, clock=provider.clock, sleep=provider.sleep, **arguments)


def test_a_life(fake, provider):
    fake.boot_lists = 3
    fake.gone_lists = 2
    request = wanted(ssh_public_key=OTHER, region="us-east-1")
    rented = resource(provider, request=request).reach("present")
    assert rented.changed and rented.instance.state == "running" and rented.instance.ssh_host and rented.instance.region == "us-east-1"
    again = resource(provider, request=request).reach("present")
    assert not again.changed and again.instance.id == rented.instance.id and again.warnings == []
    assert len(fake.calls("launch")) == 1
    assert not resource(provider).reach("started").changed
    with pytest.raises(Unsupported, match=r"^Lambda cannot stop an instance, only destroy it\.$"):
        resource(provider).reach("stopped")
    renamed = resource(provider, "hw2", instance_id=rented.instance.id).reach("present")
    assert renamed.changed and renamed.instance.label == "hw2"
    assert resource(provider, "hw2").reach("absent").changed
    assert rented.instance.id not in fake.rows and len(fake.rows) == 3
    assert not resource(provider, "hw2").reach("absent").changed


def test_one_that_is_unhealthy_cannot_be_started(fake, provider):
    fake.rows[identity(1)]["status"] = "unhealthy"
    with pytest.raises(Unsupported, match="cannot stop an instance"):
        resource(provider, "box-1").reach("started")


def test_one_that_never_becomes_healthy(fake, provider):
    fake.boot_lists = 10**6
    with pytest.raises(NotReached, match="After 30 s, the instance %s is not running but 'pending', and may be billed" % NEW):
        resource(provider, request=wanted(), wait_timeout=30).reach("present")


def test_an_answer_that_is_lost_does_not_rent_twice(fake, provider):
    fake.fault("launch", "answer", status=502, body="Bad gateway", done=True)
    found = resource(provider, request=wanted()).reach("present")
    assert found.instance.id == NEW and "rented nevertheless" in found.warnings[0]
    assert len(fake.calls("launch")) == 1 and len(fake.rows) == 4


def test_an_answer_that_is_lost_of_what_was_not_rented(fake, provider):
    fake.fault("launch", "cut")
    with pytest.raises(RentedError, match="The list shows no instance 'hw', so nothing was rented"):
        resource(provider, request=wanted()).reach("present")


def test_nothing_is_rented_while_the_list_fails(fake, provider):
    fake.fault("list", "html", times=-1)
    with pytest.raises(ProviderUnavailable):
        resource(provider, request=wanted()).reach("present")
    assert fake.calls("launch") == []


def test_what_it_can_do():
    has = {ability for ability in _base.ABILITIES if LambdaProvider.can(ability)}
    assert has == {"launch", "label", "list_offers", "register_key"}


# --- offers ------------------------------------------------------------------------------------------------------------


def test_offers_of_the_fixture(fake, provider):
    fixture = json.loads((FIXTURES / "offers.json").read_text())
    fake.fault("types", "answer", status=200, body=fixture["answer"])
    found = [item.as_dict() for item in provider.list_offers(Wish())]
    for given, expected in zip(found, fixture["expected"], strict=True):
        assert {field: given[field] for field in expected} == expected


def test_an_offer_is_what_a_launch_takes(fake, provider):
    fake.capacity = {"gpu_16x_h100_sxm5": ["us-east-1"], "gpu_1x_a10": ["europe-central-1"]}
    offers = {item.id: item for item in provider.list_offers(Wish(gpus=("H100",)))}
    chosen = offers["gpu_16x_h100_sxm5/us-east-1"]
    assert (chosen.gpu_count, chosen.price_per_hour, chosen.account) == (16, 47.84, "lambda")
    provider.launch(LaunchRequest(name="hw", region=chosen.region, options=chosen.options, max_price_per_hour=chosen.price_per_hour))
    body = fake.calls("launch")[0]
    assert (body["instance_type_name"], body["region_name"]) == ("gpu_16x_h100_sxm5", "us-east-1")


def test_a_type_whose_gpus_are_not_counted_is_still_an_offer(fake, provider):
    kinds = {"new": {"instance_type": {"name": "new"}, "regions_with_capacity_available": [{"name": "us-west-1"}, {}, None]}, "odd": None}
    fake.fault("types", "answer", status=200, body={"data": kinds})
    (found,) = provider.list_offers(Wish())
    assert (found.id, found.gpu_count, found.price_per_hour, found.gpu_vram_mb) == ("new/us-west-1", None, None, None)


def test_nothing_to_be_had():
    with FakeLambda(capacity={}) as fake:
        assert provider_of(fake).list_offers(Wish()) == []


# --- keys --------------------------------------------------------------------------------------------------------------


def test_keys_come_and_go(fake, provider):
    number = provider.add_key("desk", OTHER + "\n")
    assert [(key.id, key.name, key.public_key) for key in provider.list_keys()][1:] == [(number, "desk", OTHER)]
    assert provider.add_key("desk", OTHER.rsplit(" ", 1)[0] + " new-comment") == number
    provider.remove_key(number)
    provider.remove_key(number)  # gone already is as good
    assert [key.name for key in provider.list_keys()] == ["laptop"] and len(fake.calls("add_key")) == 1


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("laptop", OTHER, "has another SSH key under the name 'laptop'. Choose another name"),
        ("", OTHER, "The name of a key at Lambda has 1 to 64 characters"),
        ("x" * 65, OTHER, "this one has 65"),
        ("desk", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "must be one public key on one line"),
        ("desk", "", "must be one public key"),
    ],
)
def test_keys_that_cannot_be_added(fake, provider, name, key, words):
    with pytest.raises(RentedError, match=words) as caught:
        provider.add_key(name, key)
    assert fake.calls("add_key") == [] and "AAAA" not in str(caught.value)


@pytest.mark.parametrize(("fault", "error"), [("401", AuthenticationError), ("html", ProviderUnavailable), ("403", AuthenticationError)])
def test_a_key_is_gone_only_when_lambda_says_so(fake, provider, fault, error):
    fake.fault("remove_key", fault, times=-1)
    with pytest.raises(error):
        provider.remove_key("k1")
    assert "k1" in fake.keys


def test_not_found_is_believed_only_when_the_list_agrees(fake, provider):
    fake.fault("remove_key", "answer", times=-1, status=404, body={"error": {"code": "global/not-found", "message": "No such path."}})
    with pytest.raises(NotFound, match="No such path"):
        provider.remove_key("k1")
    provider.remove_key("k2")


# --- the key and the endpoint of the account ---------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A home without any key."""
    for name in (*LambdaProvider.API_KEY_ENV, *LambdaProvider.ENDPOINT_ENV):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_no_key_lists_where_it_looked(nowhere):
    assert not LambdaProvider.available()
    with pytest.raises(MissingCredentials, match=r"Looked at \$LAMBDA_API_KEY, .*\$LAMBDA_API_TOKEN, ~/.lambda_cloud/lambda_keys"):
        LambdaProvider()


@pytest.mark.parametrize("text", ["api_key = %s\n", "# mine\nother = 1\n  api_key=%s  \n", 'api_key = "%s"'])
def test_the_key_file_and_the_variables(nowhere, monkeypatch, text):
    (nowhere / ".lambda_cloud").mkdir()
    (nowhere / ".lambda_cloud" / "lambda_keys").write_text(text % "key-of-the-file")
    assert LambdaProvider().api_key == "key-of-the-file"
    for name in reversed(LambdaProvider.API_KEY_ENV):
        monkeypatch.setenv(name, "key-of-" + name)
        assert LambdaProvider().api_key == "key-of-" + name
    assert LambdaProvider(api_key="given").api_key == "given"


def test_a_key_file_without_a_key(nowhere):
    (nowhere / ".lambda_cloud").mkdir()
    (nowhere / ".lambda_cloud" / "lambda_keys").write_text("my_api_key = x\nssh_key = y\n")
    assert not LambdaProvider.available()


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        (None, "https://cloud.lambda.ai/api/v1"),
        ("https://cloud.lambdalabs.com", "https://cloud.lambdalabs.com/api/v1"),
        ("https://cloud.lambdalabs.com/", "https://cloud.lambdalabs.com/api/v1"),
        ("http://127.0.0.1:9/api/v1/", "http://127.0.0.1:9/api/v1"),
        ("http://127.0.0.1:9/proxy/lambda", "http://127.0.0.1:9/proxy/lambda"),
    ],
)
def test_endpoints(nowhere, monkeypatch, given, endpoint):
    assert LambdaProvider(api_key="k", endpoint=given).endpoint == endpoint
    if given:
        monkeypatch.setenv("LAMBDA_CLOUD_BASE_URL", given)
        assert LambdaProvider(api_key="k").endpoint == endpoint


def test_the_account_is_built_from_a_modules_arguments():
    given = {"provider": "lambda", "api_key": KEY, "timeout": 5, "account": "work", "account_options": {}, "endpoint": None}
    provider = build(given)
    assert isinstance(provider, LambdaProvider) and provider.secrets() == [KEY] and provider.account == "work"
    with pytest.raises(RentedError, match=r"An account of Lambda has no option 'region'\. It has none\."):
        build({**given, "account_options": {"region": "us-east-1"}})
