# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RunPod: the provider against the fake server over HTTP, and pods in every shape against the mapping."""

from __future__ import annotations

import base64
import http.server
import json
import pathlib
import shlex
import subprocess
import threading
import time

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
from ansible_collections.rented.gpu.plugins.module_utils._providers import runpod
from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod import launching, machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers.runpod import RunpodProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _http
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import NotReached, Resource
from ansible_collections.rented.gpu.tests.fakes.runpod import KEY, FakeRunpod, catalogue, gpu_type, row, way
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import Time, with_time

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "runpod"
ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAda ada@example.org"
BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBob bob@example.org"


@pytest.fixture
def fake():
    with FakeRunpod(rows=[row(number) for number in range(1, 8)], keys=[BOB], page=3) as server:
        yield server
    assert server.violations == []


def provider_of(fake, **arguments):
    return with_time(RunpodProvider(api_key=arguments.pop("api_key", fake.key), endpoint=arguments.pop("endpoint", fake.url), **arguments))


@pytest.fixture
def provider(fake):
    return provider_of(fake)


def operations(fake):
    return [entry[0] for entry in fake.requests]


# --- the list ----------------------------------------------------------------------------------------------------------


def test_three_pages_with_members_of_clusters_and_the_catalogue_once(fake, provider):
    fake.rows["pod00007"]["cluster"] = {"id": "cl1", "rank": 0}
    found = provider.list_instances()
    assert [instance.id for instance in found] == ["pod%05d" % number for number in range(1, 8)]
    assert found[-1].tags["cluster"] == "cl1" and found[-1].tags["cluster_rank"] == "0"
    assert [query.get("cursor") for query in fake.calls("list")] == [None, "after-3", "after-6"]
    assert {(query["limit"], query["includeClusterPods"]) for query in fake.calls("list")} == {("1000", "true")}
    provider.list_instances()
    assert len(fake.calls("gpus")) == 1 and "include" not in fake.calls("gpus")[0]


def test_a_server_without_pages_has_one(fake, provider):
    fake.paged = False
    assert len(provider.list_instances()) == 7
    assert len(fake.calls("list")) == 1


def test_a_short_page_is_not_the_last(fake, provider):
    fake.page = 1
    assert len(provider.list_instances()) == 7
    assert len(fake.calls("list")) == 7


def test_a_pod_that_moved_between_two_pages_comes_once(fake, provider):
    fake.fault("list", "answer", status=200, body={"pods": [row(4), row(4)], "pagination": {"hasNextPage": True, "nextCursor": "after-3"}})
    assert [instance.id for instance in provider.list_instances()] == ["pod%05d" % number for number in (4, 5, 6, 7)]


def test_no_pods_and_no_question_about_gpus():
    with FakeRunpod() as fake:
        assert provider_of(fake).list_instances() == []
        assert operations(fake) == ["list"]


def test_pods_without_gpu_need_no_catalogue():
    with FakeRunpod(rows=[row(1, gpu=..., cpu={"id": "cpu5c", "vcpuCount": 4, "memory": 8})]) as fake:
        found = provider_of(fake).list_instances()[0]
        assert (found.gpu_count, found.gpu_model, found.cpu_cores, found.ram_gb) == (0, None, 4.0, 8.0)
        assert operations(fake) == ["list"]


def test_memory_comes_from_the_catalogue(fake, provider):
    fake.rows = {"a": row(1, id="a", gpu={"id": "NVIDIA Strange 1", "count": 2})}
    fake.gpus.append(gpu_type("NVIDIA Strange 1", "Strange", 40, 1.0, 1.0, {}))
    found = provider.list_instances()[0]
    assert (found.gpu_vram_mb, found.gpu_count, found.gpu_name_raw) == (40960, 2, "NVIDIA Strange 1")


@pytest.mark.parametrize("fault", ["500", "html", "html-200", "text-200", "403", "cut", "429"])
def test_a_catalogue_that_fails_costs_the_table_and_not_the_list(fake, provider, fault, caplog):
    fake.rows["pod00002"]["gpu"] = {"id": "NVIDIA Unheard Of", "count": 1}
    fake.fault("gpus", fault, times=-1)
    with caplog.at_level("DEBUG", logger="rented.gpu.runpod"):
        found = provider.list_instances()
    assert [instance.gpu_vram_mb for instance in found[:2]] == [24576, None]
    assert "from the table" in caplog.text
    provider.list_instances()
    assert len(fake.calls("gpus")) <= 2  # and it is not asked again and again


@pytest.mark.parametrize(
    ("fault", "details", "waits"),
    [
        ("502", {}, [1.0, 2.0]),
        ("503", {"retry_after": 3}, [3.0, 3.0]),
    ],
)
def test_passing_trouble_is_waited_out(fake, provider, fault, details, waits):
    fake.fault("list", fault, times=2, **details)
    assert len(provider.list_instances()) == 7
    assert provider.time.slept[:2] == waits


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("429", RateLimited, "kept answering 'too many requests'.*minute window"),
        ("502", ProviderUnavailable, "502"),
        ("no-list", ProviderUnavailable, "answered no list when asked to list the instances"),
        ("null", ProviderUnavailable, "answered no list when asked to list the instances"),
        ("cursor", ProviderUnavailable, "has no end"),
        ("lost-cursor", ProviderUnavailable, "goes on, but not where"),
        ("401", AuthenticationError, "refused the API key"),
        ("403", AuthenticationError, "does not allow this key to list the instances .403: access denied.*rights"),
        ("cut", ProviderUnavailable, "did not answer when asked to list the instances"),
    ],
)
def test_lasting_trouble_is_one_sentence_and_never_an_empty_list(fake, provider, fault, error, words):
    fake.fault("list", fault, times=-1)
    with pytest.raises(error, match=words) as caught:
        provider.list_instances()
    assert fake.key not in str(caught.value)
    assert len(fake.calls("list")) <= _http.TRIES


@pytest.mark.parametrize("fault", ["500", "html-200", "no-list", "403"])
def test_half_of_the_pages_failing_fails_the_list(fake, provider, fault):
    fake.fault("list", fault, times=-1, skip=1)
    with pytest.raises(RentedError):
        provider.list_instances()


@pytest.mark.parametrize("item", [None, "pod", 7, {}, {"id": None}, {"id": ""}, {"id": {}}])
def test_what_is_no_pod_fails_the_list(fake, provider, item):
    fake.fault("list", "answer", status=200, body={"pods": [row(1), item]})
    with pytest.raises(ProviderUnavailable, match="something that is not an instance"):
        provider.list_instances()


def test_a_wrong_key_is_named_as_such(fake):
    with pytest.raises(AuthenticationError, match="invalid bearer token") as caught:
        provider_of(fake, api_key="another-key-that-is-wrong").list_instances()
    assert "another-key" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_key_does_not_follow_a_redirect_to_another_server(fake, provider, host):
    seen = []

    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(dict(self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
    try:
        fake.fault("list", "redirect", times=-1, to="http://%s:%d/v2/pods" % (host, server.server_address[1]))
        with pytest.raises(ProviderUnavailable, match=r"redirects to another server .*the key was not sent there"):
            provider.list_instances()
    finally:
        server.shutdown()
        server.server_close()
    assert seen == []


# --- the pace ----------------------------------------------------------------------------------------------------------


def test_a_server_that_insists_on_its_quota_is_satisfied():
    clock = Time()
    with FakeRunpod(rows=[row(number) for number in range(1, 131)], page=1, pace=True, clock=clock.clock) as fake:
        provider = provider_of(fake)
        provider.clock, provider.sleep = clock.clock, clock.sleep
        assert len(provider.list_instances()) == 130
        assert len(fake.calls("list")) == 130  # none was refused and asked again
    assert fake.violations == []
    # 131 requests: the first eight at once, the others 1.2 s apart
    assert sum(clock.slept) == pytest.approx((131 - 8) * 1.2)


def test_a_few_requests_wait_for_nothing(fake, provider):
    provider.list_instances()
    assert provider.time.slept == []


def test_the_fake_would_have_refused_a_greedy_client():
    clock = Time()
    with FakeRunpod(rows=[row(number) for number in range(1, 131)], page=1, pace=True, clock=clock.clock) as fake:
        provider = provider_of(fake)
        provider._quota = _http.Pace(0)
        with pytest.raises(RateLimited):
            provider.list_instances()
        assert provider.time.slept == [60.0] * 3  # Retry-After says 61; no wait is longer than a minute


# --- what a pod is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_answers_of_the_fixtures(path):
    fixture = json.loads(path.read_text())
    vram = {gpu["id"]: gpu["memory"] * 1024 for gpu in fixture.get("catalogue", [])}
    for given, expected in zip(fixture["answer"]["pods"], fixture["expected"], strict=True):
        found = runpod.instance(given, "runpod", vram).as_dict()
        assert {field: found[field] for field in expected} == expected
        assert "SECRET" not in json.dumps(found)


def test_only_the_id_is_needed():
    found = runpod.instance({"id": "x"}, "runpod")
    known = {name for name, value in found.as_dict().items() if value not in (None, {})}
    assert known == {"provider", "account", "id", "state", "kind", "ssh_user"}
    assert found.state == "unknown"


def test_null_everywhere():
    assert runpod.instance({name: None for name in row(1)} | {"id": "x"}, "runpod") == runpod.instance({"id": "x"}, "runpod")


@pytest.mark.parametrize("value", ["", "nonsense", -1, 1e400, [], [1], {}, {"direct": [], "id": {}, "persistent": 1}, True], ids=repr)
def test_nonsense_in_one_field_never_raises(value):
    for name in set(row(1)) - {"id"}:
        assert runpod.instance({**row(1), name: value}, "runpod").id == "pod00001"
    for name in ("gpu", "cpu", "ssh", "runtime", "mounts", "cluster"):
        assert runpod.instance({**row(1), name: {"id": value, "count": value, "direct": value, "ports": value, "network": value}}, "r").id


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PROVISIONING", "pending"),
        ("STARTING", "pending"),
        ("RUNNING", "running"),
        ("EXITED", "stopped"),
        ("ERROR", "error"),
        ("TERMINATED", "terminated"),
        ("HIBERNATING", "unknown"),
        ("running", "unknown"),
        (7, "unknown"),
        (None, "unknown"),
    ],
)
def test_states(status, state):
    found = runpod.instance(row(1, status=status), "runpod")
    assert (found.state, found.state_raw) == (state, None if status is None else str(status))


def test_an_unknown_state_is_told_to_the_log(caplog):
    with caplog.at_level("DEBUG", logger="rented.gpu.runpod"):
        runpod.instance(row(1, status="HIBERNATING"), "runpod")
    assert "HIBERNATING" in caplog.text


def ports(ip, public=34446, private=22, kind="tcp"):
    return {
        "ports": [
            {"private": 8888, "public": 60001, "type": "http", "ip": "198.51.100.9"},
            {"private": private, "public": public, "type": kind, "ip": ip},
        ]
    }


@pytest.mark.parametrize(
    ("direct", "runtime", "expected"),
    [
        (way("198.51.100.7", 34446, "root"), None, ("198.51.100.7", 34446, "root")),
        (way("198.51.100.7", 34446, "ada"), {}, ("198.51.100.7", 34446, "ada")),
        (way("pod.example.org", 22, "root"), None, ("pod.example.org", 22, "root")),
        (way("2001:db8::7", 22022, "root"), None, ("2001:db8::7", 22022, "root")),
        (way("[2001:db8::7]", 22022, "root"), None, ("2001:db8::7", 22022, "root")),
        (None, ports("198.51.100.7"), ("198.51.100.7", 34446, "root")),
        (None, ports("2001:db8::9"), ("2001:db8::9", 34446, "root")),
        (way("100.65.0.119", 34446, "root"), ports("198.51.100.7"), ("198.51.100.7", 34446, "root")),
        # nothing of this can be reached
        (None, None, None),
        (None, {}, None),
        (None, ports(None), None),
        (None, ports("198.51.100.7", public=None), None),
        (None, ports("198.51.100.7", private=8022), None),
        (None, ports("198.51.100.7", kind="http"), None),
        (None, ports("100.65.0.119"), None),
        (None, ports("10.65.1.42"), None),
        (way("100.64.0.1", 34446, "root"), None, None),
        (way("100.127.255.254", 34446, "root"), None, None),
        (way("192.168.0.7", 34446, "root"), None, None),
        (way("172.31.0.7", 34446, "root"), None, None),
        (way("fd00::7", 34446, "root"), None, None),
        (way("::ffff:100.65.0.119", 34446, "root"), None, None),
        (way("ssh.runpod.io", 22, "x-64411eb2"), None, None),
        (way("-oProxyCommand=id", 22, "root"), None, None),
        ({"host": "198.51.100.7", "port": 0, "username": "root"}, None, None),
        ({"host": "198.51.100.7", "port": None}, None, None),
    ],
)
def test_only_the_direct_way_counts(direct, runtime, expected):
    found = runpod.instance(row(1, ssh={"proxy": way("ssh.runpod.io", 22, "x-6441"), "direct": direct}, runtime=runtime), "runpod")
    assert (found.ssh_host, found.ssh_port, found.ssh_user) == (expected or (None, None, "root"))
    assert found.ssh_via == ("direct" if expected else None)
    assert (found.ssh_proxy_host, found.ssh_proxy_port) == (None, None)


def test_the_edges_of_the_carriers_addresses():
    assert [machines.is_public(host) for host in ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0")] == [
        True,
        False,
        False,
        True,
    ]


def test_an_address_that_is_passed_over_is_told_to_the_log(caplog):
    with caplog.at_level("DEBUG", logger="rented.gpu.runpod"):
        runpod.instance(row(1, ssh={"direct": way("100.65.0.119", 34446, "root")}, runtime=None), "runpod")
    assert "100.65.0.119" in caplog.text


@pytest.mark.parametrize(
    ("changes", "now", "stopped"),
    [
        ({}, 0.44, round(20 * 0.20 / 730, 6)),
        ({"status": "EXITED"}, round(20 * 0.20 / 730, 6), round(20 * 0.20 / 730, 6)),
        ({"status": "EXITED", "mounts": {}}, 0.0, 0.0),
        ({"status": "EXITED", "mounts": None}, None, None),
        ({"status": "EXITED", "mounts": {"network": [{"volumeId": "v", "path": "/workspace"}]}}, None, None),
        ({"status": "RUNNING", "cost": None}, None, round(20 * 0.20 / 730, 6)),
        ({"status": "TERMINATED", "mounts": {}}, 0.0, 0.0),
    ],
)
def test_prices(changes, now, stopped):
    found = runpod.instance(row(1, **changes), "runpod")
    assert (found.price_per_hour, found.storage_price_per_hour) == (now, stopped)


def test_the_memory_of_a_pod_is_not_that_of_its_gpu():
    found = runpod.instance(row(1, gpu={"id": "NVIDIA L4", "count": 2, "vcpuCount": 12, "memory": 50}), "runpod")
    assert (found.gpu_vram_mb, found.ram_gb, found.cpu_cores, found.gpu_count) == (24576, 50.0, 12.0, 2)


@pytest.mark.parametrize(("cloud", "trust"), [("SECURE", "datacenter"), ("COMMUNITY", "marketplace"), ("NEW", None), (None, None)])
def test_trust(cloud, trust):
    assert runpod.instance(row(1, cloud=cloud), "runpod").trust == trust


@pytest.mark.parametrize("label", ["{{ lookup('pipe', 'id') }}", "#jinja2: variable_start_string: '<<'", "ärger 🚀", "a" * 1024])
def test_a_label_comes_through_as_it_is(label):
    with FakeRunpod(rows=[row(1, name=label)]) as fake:
        assert provider_of(fake).list_instances()[0].label == label


def test_equal_names_stay_two_instances():
    with FakeRunpod(rows=[row(1, name="twin"), row(2, name="twin")]) as fake:
        assert [(instance.id, instance.label) for instance in provider_of(fake).list_instances()] == [
            ("pod00001", "twin"),
            ("pod00002", "twin"),
        ]


def test_no_secret_comes_out(fake, provider):
    provider.keep_raw = True
    found = provider.list_instances()
    assert "SECRET" in json.dumps(list(fake.rows.values()))
    assert "SECRET" not in json.dumps([instance.as_dict() for instance in found])
    assert "SECRET" not in json.dumps(provider.scrubbed_raw("pod00001")) and provider.scrubbed_raw("pod00001")["cost"] == 0.44


@pytest.mark.parametrize("gpu", [item["id"] for item in catalogue()])
def test_every_gpu_of_the_catalogue_is_understood(gpu):
    found = _gpu_names.normalise(gpu)
    assert _gpu_names.KNOWN.match(found.model) and _gpu_names.usual_vram_mb(found)


# --- renting -----------------------------------------------------------------------------------------------------------


def test_a_plain_launch_sends_what_the_api_wants(fake, provider):
    pod_id = provider.launch(LaunchRequest(name="hw", gpu="rtx_4090", ssh_public_key=ADA))
    assert fake.calls("create") == [
        {
            "name": "hw",
            "image": launching.DEFAULT_IMAGE,
            "cloud": "SECURE",
            "gpu": {"id": "NVIDIA GeForce RTX 4090", "count": 1},
            "disk": 20,
            "ports": ["22/tcp"],
            "startSsh": True,
            "env": {"PUBLIC_KEY": BOB + "\n" + ADA},
        }
    ]
    assert fake.logins[pod_id] == [BOB, ADA] and fake.keys == [BOB]


def test_every_option_arrives(fake, provider):
    options = {
        "cloud": "secure",
        "env": {"HF_HOME": "/workspace/hf", "N": 3},
        "args": "sleep infinity",
        "ports": ["6006/tcp", "8888/http", "22/tcp"],
        "volume_gb": 30.5,
        "volume_path": "/data",
        "registry_id": "reg1",
        "min_cuda_version": "12.4",
        "global_networking": True,
        "start_jupyter": True,
    }
    provider.launch(LaunchRequest(name="hw", image="example.org/own:1", gpu="RTX 4090", gpu_count=2, disk_gb=40.2, options=options))
    assert fake.calls("create")[0] == {
        "name": "hw",
        "image": "example.org/own:1",
        "cloud": "SECURE",
        "gpu": {"id": "NVIDIA GeForce RTX 4090", "count": 2, "minCudaVersion": "12.4"},
        "disk": 41,
        "ports": ["22/tcp", "6006/tcp", "8888/http"],
        "startSsh": True,
        "startJupyter": True,
        "globalNetworking": True,
        "registry": "reg1",
        "args": "sleep infinity",
        "mounts": {"persistent": {"size": 31, "path": "/data"}},
        "env": {"HF_HOME": "/workspace/hf", "N": "3"},
    }
    query = fake.calls("gpus")[0]
    assert query == {"include": "AVAILABILITY", "product": "POD", "count": "2", "cloud": "SECURE", "minCudaVersion": "12.4"}


def test_exact_cuda_versions(fake, provider):
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", options={"allowed_cuda_versions": ["12.8", "12.6"]}))
    assert fake.calls("create")[0]["gpu"]["allowedCudaVersions"] == ["12.8", "12.6"]
    assert fake.calls("gpus")[0]["cudaVersions"] == "12.8,12.6"


def test_a_template_gives_what_is_not_said(fake, provider):
    pod_id = provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", ssh_public_key=ADA, options={"template_id": "tpl1"}))
    body = fake.calls("create")[0]
    assert body["templateId"] == "tpl1" and not {"image", "disk", "args"} & set(body)
    assert fake.rows[pod_id]["image"] == "runpod/base:1.0" and fake.rows[pod_id]["env"]["FROM_TEMPLATE"] == "1"
    assert ADA in fake.logins[pod_id]
    with pytest.raises(NotFound, match=r"rent NVIDIA GeForce RTX 4090 .404: template not found"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", options={"template_id": "tpl9"}))
    assert len(fake.calls("create")) == 2


# --- keys that may log in ---


def test_without_a_key_of_ours_those_of_the_account_come_in_by_themselves(fake, provider):
    pod_id = provider.launch(LaunchRequest(name="hw", gpu="RTX 4090"))
    assert "env" not in fake.calls("create")[0] and fake.logins[pod_id] == [BOB]


def test_without_any_key_nothing_is_rented(fake, provider):
    fake.keys = []
    with pytest.raises(RentedError, match=r"You could not log in: no SSH key is registered with RunPod. Give ssh_public_key"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090"))
    assert fake.calls("create") == []
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", options={"env": {"PUBLIC_KEY": ADA}}))


def test_a_key_may_not_be_allowed_to_read_keys(fake, provider):
    fake.fault("keys", "403", times=-1)
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090"))
    # With a key of ours the account's keys must be known, or they would be locked out.
    with pytest.raises(AuthenticationError, match=r"read the account's SSH keys .403"):
        provider.launch(LaunchRequest(name="hw2", gpu="RTX 4090", ssh_public_key=ADA))
    assert len(fake.calls("create")) == 1


def test_a_key_that_the_account_has_is_not_written_twice(fake, provider):
    pod_id = provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", ssh_public_key=BOB.rsplit(" ", 1)[0] + " other-comment"))
    assert len(fake.logins[pod_id]) == 1


def test_the_users_own_public_key_variable_is_kept(fake, provider):
    pod_id = provider.launch(
        LaunchRequest(name="hw", gpu="RTX 4090", ssh_public_key=ADA, options={"env": {"PUBLIC_KEY": "ssh-rsa AAAA x"}})
    )
    assert fake.logins[pod_id] == ["ssh-rsa AAAA x", ADA] and fake.calls("keys") == []


@pytest.mark.parametrize("key", ["-----BEGIN OPENSSH PRIVATE KEY-----\nSECRETAAAA\n", "nonsense", "ssh-ed25519 AAAA x\nssh-ed25519 BBBB y"])
def test_what_is_no_public_key_goes_nowhere(fake, provider, key):
    for attempt in (
        lambda: provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", ssh_public_key=key)),
        lambda: provider.add_key("x", key),
    ):
        with pytest.raises(RentedError, match="one public key on one line") as caught:
            attempt()
        assert "SECRET" not in str(caught.value)
    assert fake.requests == []


# --- which GPU, where, for how much ---


def tried(fake):
    return [(body["gpu"]["id"], body.get("dataCenterIds")) for body in fake.calls("create")]


def test_the_cheapest_that_fits_and_then_the_next(fake, provider, caplog):
    fake.full = {("NVIDIA H100 PCIe", None)}
    with caplog.at_level("DEBUG", logger="rented.gpu.runpod"):
        provider.launch(LaunchRequest(name="hw", gpu="H100"))
    assert tried(fake) == [("NVIDIA H100 PCIe", None), ("NVIDIA H100 80GB HBM3", None)]
    assert "NVIDIA H100 PCIe was refused" in caplog.text and "no longer any instances" in caplog.text


def test_when_all_are_full_the_message_says_what_was_tried_and_what_was_answered(fake, provider):
    fake.full = {(gpu["id"], None) for gpu in fake.gpus}
    words = "none of what fits 1× H100 80GB. Tried NVIDIA H100 PCIe, NVIDIA H100 80GB HBM3; the last answer was: .*no longer any instances"
    with pytest.raises(RentedError, match=words):
        provider.launch(LaunchRequest(name="hw", gpu="H100 80GB"))
    assert len(fake.rows) == 7


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("US-KS-2", [("NVIDIA H100 PCIe", ["US-KS-2"]), ("NVIDIA H100 80GB HBM3", ["US-KS-2"])]),
        ("us-ks-2", [("NVIDIA H100 PCIe", ["US-KS-2"]), ("NVIDIA H100 80GB HBM3", ["US-KS-2"])]),
        ("US", [("NVIDIA H100 PCIe", ["US-KS-2"]), ("NVIDIA H100 80GB HBM3", ["US-KS-2"]), ("NVIDIA H100 NVL", ["US-TX-3"])]),
        ("CA", [("NVIDIA H100 PCIe", ["CA-MTL-3"])]),
        ("montreal", [("NVIDIA H100 PCIe", ["CA-MTL-3"])]),
        (
            "north_america",
            [
                ("NVIDIA H100 PCIe", ["CA-MTL-3"]),  # better stocked than US-KS-2, for the same price
                ("NVIDIA H100 PCIe", ["US-KS-2"]),
                ("NVIDIA H100 80GB HBM3", ["US-KS-2"]),
                ("NVIDIA H100 NVL", ["US-TX-3"]),
            ],
        ),
    ],
)
def test_regions(fake, provider, region, expected):
    fake.full = {(gpu["id"], None) for gpu in fake.gpus}
    with pytest.raises(RentedError, match="none of what fits"):
        provider.launch(LaunchRequest(name="hw", gpu="H100", region=region))
    assert tried(fake) == expected


def test_a_region_that_does_not_exist_and_one_without_stock(fake, provider):
    with pytest.raises(RentedError, match=r"RunPod has no region 'US-KS-9'. Did you mean 'US-KS-2'"):
        provider.launch(LaunchRequest(name="hw", gpu="H100", region="US-KS-9"))
    with pytest.raises(RentedError, match=r"RunPod has no data centre 'EU-RO-7'. Did you mean 'EU-RO-1'"):
        provider.launch(LaunchRequest(name="hw", gpu="H100", options={"data_center_ids": ["eu-ro-7"]}))
    with pytest.raises(NotFound, match="no capacity for 1× H100 in EUROPE in its secure cloud now"):
        provider.launch(LaunchRequest(name="hw", gpu="H100", region="EUROPE"))
    assert fake.calls("create") == []


def test_data_centres_by_name(fake, provider):
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", region="eu", options={"data_center_ids": ["eu-ro-1", "us-ks-2"]}))
    assert tried(fake) == [("NVIDIA GeForce RTX 4090", ["EU-RO-1"])]


def test_community_machines_are_in_no_place_that_can_be_chosen(fake, provider):
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", options={"cloud": "community"}))
    assert fake.calls("create")[0]["cloud"] == "COMMUNITY"
    with pytest.raises(Unsupported, match="does not say where the pods of its community cloud are, so none can be rented in US"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", region="US", options={"cloud": "community"}))


def test_a_network_volume_decides_the_place(fake, provider):
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", options={"network_volume_id": "vol1"}))
    assert tried(fake) == [("NVIDIA GeForce RTX 4090", ["EU-RO-1"])]
    assert fake.calls("create")[0]["mounts"] == {"network": [{"volumeId": "vol1", "path": "/workspace"}]}
    with pytest.raises(RentedError, match="network volume vol1 is in EU-RO-1, and a pod with it cannot be elsewhere"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", region="US", options={"network_volume_id": "vol1"}))
    with pytest.raises(NotFound, match=r"find the network volume ../pods"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", options={"network_volume_id": "../pods"}))
    assert len(fake.calls("create")) == 1


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("H100", ["NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe", "NVIDIA H100 NVL"]),
        ("H100 SXM", ["NVIDIA H100 80GB HBM3"]),
        ("H100 NVL", ["NVIDIA H100 NVL"]),
        ("NVIDIA H100 PCIe", ["NVIDIA H100 PCIe"]),
        ("H100 94GB", ["NVIDIA H100 NVL"]),
        ("H200 SXM", ["NVIDIA H200"]),
        ("h200", ["NVIDIA H200"]),
        ("A6000", ["NVIDIA RTX A6000"]),
        ("RTX 6000 Ada", []),
        ("RTX PRO 6000", []),  # a slice is not the card
        ("RTX PRO 6000 MIG 1g.24gb", ["NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb"]),
        ("MI300X", ["AMD Instinct MI300X OAM"]),
        ("gpu_1x_rtx4090", ["NVIDIA GeForce RTX 4090"]),
    ],
)
def test_gpus_are_compared_by_what_they_are(asked, ids):
    assert [gpu["id"] for gpu in catalogue() if offers.is_meant(gpu, asked)] == ids


def test_a_gpu_that_is_not_there_names_the_nearest(fake, provider):
    with pytest.raises(NotFound, match=r"RunPod has no GPU 'RTX 4099'. Did you mean 'RTX 4090'"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4099"))
    with pytest.raises(NotFound, match="at most 8 of RTX 4090 in one pod of its secure cloud; 9 were asked for"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", gpu_count=9))
    with pytest.raises(NotFound, match="no capacity for 1× RTX A6000"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX A6000"))
    assert fake.calls("create") == []


def test_nothing_dearer_is_rented(fake, provider):
    provider.launch(LaunchRequest(name="hw", gpu="H100", max_price_per_hour=2.5))
    assert tried(fake) == [("NVIDIA H100 PCIe", None)]
    with pytest.raises(NotFound, match=r"nothing that fits 2× H100 for up to 4.000 USD/h: the cheapest costs 4.7800 USD/h"):
        provider.launch(LaunchRequest(name="hw", gpu="H100", gpu_count=2, max_price_per_hour=4))
    # The disk counts: 20 GB cost 0.0027 USD an hour.
    with pytest.raises(NotFound, match=r"the cheapest costs 0.5900 USD/h, and its disk 0.0027"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", max_price_per_hour=0.591))
    fake.gpus = [gpu_type("NVIDIA L4", "L4", 24, 0.0, 0.0, {"SECURE": {"US-KS-2": "HIGH"}})]
    with pytest.raises(NotFound, match="no price is known"):
        provider.launch(LaunchRequest(name="hw", gpu="L4", max_price_per_hour=100))
    assert len(fake.calls("create")) == 1


def test_a_pod_that_costs_more_than_the_catalogue_said_is_destroyed_again(fake, provider):
    fake.discount = 1.5
    with pytest.raises(
        PartlyCreated, match=r"costs 0.8850 USD/h, above the limit of 0.7000. What this had created was destroyed again: new00001."
    ) as caught:
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", max_price_per_hour=0.7))
    assert caught.value.instance_id == "new00001" and len(fake.rows) == 7


def test_a_pod_in_the_wrong_place_is_destroyed_again_and_one_that_cannot_be_is_named(fake, provider):
    fake.elsewhere = "AP-JP-1"
    with pytest.raises(PartlyCreated, match=r"placed in AP-JP-1 instead of US-KS-2. What this had created was destroyed again: new00001."):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", region="US"))
    fake.fault("destroy", "500", times=-1)
    with pytest.raises(PartlyCreated, match=r"could not be destroyed and may be billed: new00002 \(.*\)\. Destroy it now") as caught:
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", region="US"))
    assert caught.value.instance_id == "new00002" and "new00002" in fake.rows


def rent_in_doubt(fake, provider, **arguments):
    """The server rents, and its answer gets lost."""
    fake.fault("create", "answer", status=504, body="", done=True)
    wanted = LaunchRequest(name="hw", gpu="RTX 4090", **arguments)
    return Resource(provider, name="hw", request=wanted, wait=False, clock=provider.clock, sleep=provider.sleep).reach("present")


def test_a_pod_that_was_rented_in_doubt_is_looked_at_as_any_other(fake, provider):
    outcome = rent_in_doubt(fake, provider, region="US", max_price_per_hour=0.7)
    assert outcome.changed and outcome.instance.id == "new00001"
    assert operations(fake).count("destroy") == 0 and operations(fake).count("get") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_price_per_hour": 0.7}, r"costs 0.8850 USD/h, above the limit of 0.7000"),
        ({"region": "US"}, r"placed in AP-JP-1 instead of US"),
        ({"options": {"data_center_ids": ["us-ks-2", "eu-ro-1"]}}, r"placed in AP-JP-1 instead of US-KS-2, EU-RO-1"),
    ],
)
def test_what_was_rented_in_doubt_and_is_not_what_was_asked_for_is_destroyed(fake, provider, arguments, words):
    fake.discount, fake.elsewhere = 1.5, "AP-JP-1"
    with pytest.raises(PartlyCreated, match=words) as caught:
        rent_in_doubt(fake, provider, **arguments)
    assert caught.value.instance_id == "new00001" and len(fake.rows) == 7 and len(fake.calls("create")) == 1


def test_what_was_rented_in_doubt_and_cannot_be_looked_at_is_named(fake, provider):
    fake.fault("get", "500", times=-1)
    with pytest.raises(NotReached, match="The instance new00001 was rented, and may be billed"):
        rent_in_doubt(fake, provider)
    assert "new00001" in fake.rows


@pytest.mark.parametrize("fault", ["cut", "502", "503", "429", "500", "html-200", "text-200"])
def test_a_request_that_rents_is_sent_once(fake, provider, fault):
    fake.fault("create", fault)
    with pytest.raises(ProviderUnavailable):
        provider.launch(LaunchRequest(name="hw", gpu="H100"))
    assert len(fake.calls("create")) == 1


@pytest.mark.parametrize(("status", "error"), [(402, RentedError), (422, RentedError), (401, AuthenticationError), (404, NotFound)])
def test_what_no_other_candidate_would_mend_stops_at_once(fake, provider, status, error):
    fake.fault("create", "answer", times=-1, status=status, body={"title": "x", "status": status, "detail": "insufficient balance"})
    with pytest.raises(error, match="insufficient balance"):
        provider.launch(LaunchRequest(name="hw", gpu="H100"))
    assert len(fake.calls("create")) == 1


def test_a_pool_that_is_not_for_this_account_is_passed_over(fake, provider):
    fake.fault("create", "403")
    provider.launch(LaunchRequest(name="hw", gpu="H100"))
    assert [gpu for gpu, _place in tried(fake)] == ["NVIDIA H100 PCIe", "NVIDIA H100 80GB HBM3"]
    fake.fault("create", "403", times=-1)
    with pytest.raises(AuthenticationError, match="Check the key's rights"):
        provider.launch(LaunchRequest(name="hw", gpu="H100"))


def test_an_answer_without_an_id_is_an_unknown_outcome(fake, provider):
    fake.fault("create", "answer", status=201, body={"name": "hw"}, done=True)
    with pytest.raises(ProviderUnavailable, match="without an id"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090"))


def test_what_the_server_repeats_of_the_environment_is_masked(fake, provider):
    fake.fault(
        "create",
        "answer",
        status=422,
        body={"title": "x", "status": 422, "detail": "bad env", "errors": ["env.TOKEN: 'hush-hush-1234' is short"]},
    )
    with pytest.raises(RentedError, match=r"bad env: env.TOKEN: '\*\*\*' is short") as caught:
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", options={"env": {"TOKEN": "hush-hush-1234"}}))
    assert "hush" not in str(caught.value) and "hush" not in caught.value.message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"options": {"gpuid": "x"}}, "Did you mean 'gpu_id'"),
        ({"options": {"datacenter_ids": ["x"]}}, "Did you mean 'data_center_ids'"),
        ({"options": {"env": "A=1"}}, "'env' of RunPod is a mapping"),
        ({"options": {"env": {"A": True}}}, "'env' of RunPod is a mapping of names to texts or numbers"),
        ({"options": {"ports": "8888/http"}}, "'ports' of RunPod is a list"),
        ({"options": {"ports": ["8888"]}}, "'ports' of RunPod is a list"),
        ({"options": {"ports": ["70000/tcp"]}}, "'ports' of RunPod is a list"),
        ({"options": {"cloud": "secret"}}, "'cloud' of RunPod is secure or community"),
        ({"options": {"volume_gb": 5}}, "at least 10"),
        ({"options": {"volume_gb": 10, "network_volume_id": "v"}}, "'volume_gb' or 'network_volume_id', not both"),
        ({"options": {"min_cuda_version": 12.8}}, "a version in quotes"),
        ({"options": {"allowed_cuda_versions": "12.8"}}, "a list such as"),
        ({"options": {"allowed_cuda_versions": ["12.8"], "min_cuda_version": "12.4"}}, "not both"),
        ({"options": {"data_center_ids": "US-KS-2"}}, "a list of data centre ids"),
        ({"options": {"global_networking": "yes"}}, "true or false"),
        ({"options": {"template_id": 7}}, "'template_id' of RunPod is a text"),
        ({"options": {"args": "x"}, "startup_script": "true"}, "'args' cannot be given with it"),
        ({"gpu": None}, "Name the GPU to rent at RunPod"),
        ({"gpu_count": 0}, "at least one GPU"),
        ({"name": " "}, "wants a name"),
        ({"image": "debian:13", "startup_script": "true"}, "known of images of RunPod alone .*image_start"),
        ({"options": {"template_id": "tpl1"}, "startup_script": "true"}, "image_start"),
        ({"startup_script": "x" * 100_000}, "too long for RunPod: 100000 bytes, and an argument takes 9"),
    ],
)
def test_an_impossible_launch_makes_no_request(fake, provider, arguments, words):
    with pytest.raises(RentedError, match=words):
        provider.launch(LaunchRequest(**{"name": "hw", "gpu": "RTX 4090", **arguments}))
    assert fake.requests == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"interruptible": True}, "RunPod rents nothing interruptible. Leave 'interruptible' out"),
        ({"bid_per_hour": 0.2}, "RunPod takes no bids. Leave 'bid_per_hour' out"),
    ],
)
def test_nothing_interruptible(fake, provider, arguments, words):
    with pytest.raises(Unsupported, match=words):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", **arguments))
    assert fake.requests == []


# --- the startup script ---


def run_arguments(args, home):
    """What the container would do with its arguments: they are split like a shell does it, and run."""
    words = shlex.split(args)
    assert words[:2] == ["bash", "-c"] and len(words) == 3
    return subprocess.run(words, env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=20, check=True)


def test_the_startup_script_runs_once_and_the_image_starts(tmp_path):
    script = '#!/bin/sh\n# it\'s "quoted" $HOME `x` ${y} \\ ümlaut\nsleep 0.2\necho "ran $0" >> ~/ran\necho out\n'
    args = launching.start_arguments(script, "echo 'the image' \"starts\"")
    first = run_arguments(args, tmp_path)
    assert first.stdout.startswith("the image starts")  # at once: sshd does not wait for the script
    for _attempt in range(100):
        if (tmp_path / ".rented" / "startup.log").read_text() == "out\n":
            break
        time.sleep(0.05)
    assert (tmp_path / "ran").read_text() == "ran ./startup\n"
    assert (tmp_path / ".rented" / "startup").read_text() == script
    assert run_arguments(args, tmp_path).stdout.startswith("the image starts")
    time.sleep(0.5)
    assert (tmp_path / "ran").read_text() == "ran ./startup\n"  # a restart with the same disk does not repeat it


def test_the_longest_startup_script_is_still_an_argument(tmp_path):
    script = "#!/bin/sh\necho long > ~/ran\n#"
    script += "x" * (94_000 - len(script))
    assert "too long" not in launching.start_arguments(script, "/start.sh")
    run_arguments(launching.start_arguments(script, "sleep 1; true"), tmp_path)
    assert (tmp_path / "ran").read_text() == "long\n"


def test_the_startup_script_is_sent_as_arguments(fake, provider):
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", startup_script="#!/bin/sh\ntrue\n"))
    provider.launch(LaunchRequest(name="hx", gpu="RTX 4090", image="debian:13", startup_script="true", options={"image_start": "sleep 9"}))
    for body, packed in zip(fake.calls("create"), ("/start.sh", "sleep 9"), strict=True):
        assert base64.b64encode(packed.encode()).decode() in body["args"]
    assert base64.b64encode(b"#!/bin/sh\ntrue\n").decode() in fake.calls("create")[0]["args"]


# --- the rest of a life ------------------------------------------------------------------------------------------------


def test_a_life(fake, provider):
    provider.stop("pod00003")
    assert provider.get_instance("pod00003").state == "stopped" and provider.get_instance("pod00003").ssh_host is None
    provider.start("pod00003")
    assert provider.get_instance("pod00003").state == "running"
    provider.set_label("pod00003", "renamed")
    assert provider.get_instance("pod00003").label == "renamed"
    provider.destroy("pod00003")
    assert provider.get_instance("pod00003") is None
    provider.destroy("pod00003")  # gone already is as good
    for act in (provider.stop, provider.start, lambda pod_id: provider.set_label(pod_id, "x")):
        with pytest.raises(NotFound, match="pod00003"):
            act("pod00003")
    with pytest.raises(RentedError, match="no empty name"):
        provider.set_label("pod00001", " ")


def test_the_log_of_a_pod(fake, provider):
    assert provider.console("pod00001") == "start container\nhello from the pod\n"
    fake.logs["pod00001"] = [("container", "%d größe {{ x }}" % number) for number in range(700)]
    lines = provider.console("pod00001").splitlines()
    assert len(lines) == 500 and lines[-1] == "699 größe {{ x }}"
    fake.logs["pod00001"] = []
    assert provider.console("pod00001") == ""
    with pytest.raises(NotFound, match="read the log of pod none"):
        provider.console("none")
    fake.fault("logs", "403")
    with pytest.raises(AuthenticationError, match="read the log"):
        provider.console("pod00001")


@pytest.mark.parametrize(
    ("event", "line"), [('{"line": "a\\r\\n"}', "a"), ('{"line": null}', '{"line": null}'), ("[1]", "[1]"), ("plain words", "plain words")]
)
def test_lines_of_the_log(event, line):
    assert runpod.log_line(event) == line


def test_what_is_so_already_is_success(fake, provider):
    provider.start("pod00001")
    fake.rows["pod00002"] = row(2, status="EXITED")
    provider.stop("pod00002")
    assert len(fake.calls("act")) == 2


@pytest.mark.parametrize(
    ("changes", "act", "words"),
    [
        ({"status": "ERROR"}, "stop", "does not let the pod pod00001 stop now, while it is ERROR; allowed is: start, terminate"),
        ({"locked": True}, "stop", "allowed is: stop, restart, terminate. It is locked"),
        ({"status": "TERMINATED"}, "start", "allowed is: nothing"),
    ],
)
def test_an_action_that_is_not_allowed_now_says_which_are(fake, provider, changes, act, words):
    fake.rows["pod00001"] = row(1, **changes)
    with pytest.raises(RentedError, match=words):
        getattr(provider, act)("pod00001")
    assert len(fake.calls("act")) == 1


def test_members_of_clusters_are_left_alone(fake, provider):
    fake.rows["pod00001"]["cluster"] = {"id": "cl1", "rank": 0}
    for verb, act in (
        ("stop", provider.stop),
        ("start", provider.start),
        ("destroy", provider.destroy),
        ("rename", lambda pod_id: provider.set_label(pod_id, "x")),
    ):
        with pytest.raises(Unsupported, match="pod00001 belongs to the cluster cl1; RunPod does not let you %s it alone" % verb):
            act("pod00001")
    fake.fault("get", "500", times=-1)
    with pytest.raises(RentedError, match="409: pod belongs to a cluster"):
        provider.destroy("pod00001")


def test_what_is_asked_of_a_strange_id_stays_one_path(fake, provider):
    with pytest.raises(NotFound):
        provider.stop("../account/ssh-keys?x=1")
    assert fake.requests[-1][:2] == ("act", "../account/ssh-keys?x=1")


@pytest.mark.parametrize("fault", ["cut", "503", "429", "500"])
def test_actions_are_sent_once_and_destroying_is_repeated(fake, provider, fault):
    fake.fault("act", fault, times=-1)
    with pytest.raises(ProviderUnavailable):
        provider.stop("pod00001")
    assert len(fake.calls("act")) == 1
    fake.fault("destroy", "503", times=2)
    provider.destroy("pod00001")
    assert "pod00001" not in fake.rows


@pytest.mark.parametrize("fault", ["401", "403"])
def test_destroying_with_a_refused_key_is_not_success(fake, provider, fault):
    fake.fault("destroy", fault)
    with pytest.raises(AuthenticationError):
        provider.destroy("pod00003")
    assert "pod00003" in fake.rows


# --- through the states of the module ----------------------------------------------------------------------------------


def resource(provider, **arguments):
    request = LaunchRequest(name="hw", gpu="RTX 4090", ssh_public_key=ADA)
    return Resource(provider, name="hw", request=request, clock=provider.time.clock, sleep=provider.time.sleep, **arguments)


def test_lifecycle():
    with FakeRunpod(boot_lists=2, gone_lists=1) as fake:
        provider = provider_of(fake)
        outcome = resource(provider).reach("present")
        assert outcome.changed and outcome.instance.state == "running" and outcome.instance.ssh_host.startswith("203.0.113.")
        pod_id, port = outcome.instance.id, outcome.instance.ssh_port
        again = resource(provider).reach("present")
        assert not again.changed and again.instance.id == pod_id and again.warnings == []
        assert len(fake.calls("create")) == 1
        assert resource(provider).reach("stopped").instance.state == "stopped"
        assert not resource(provider).reach("stopped").changed
        started = resource(provider).reach("started")
        assert started.changed and started.instance.ssh_port != port
        assert not resource(provider).reach("started").changed
        assert resource(provider).reach("absent").changed
        assert not resource(provider).reach("absent").changed
        assert fake.rows == {} and len(fake.calls("create")) == 1
    assert fake.violations == []


def test_an_unknown_outcome_is_looked_up_and_never_sent_again():
    with FakeRunpod() as fake:
        fake.fault("create", "answer", status=502, body="", done=True)
        outcome = resource(provider_of(fake)).reach("present")
        assert outcome.instance.id == "new00001" and "rented nevertheless" in outcome.warnings[0]
        assert len(fake.calls("create")) == 1
    with FakeRunpod() as fake:
        fake.fault("create", "502")
        with pytest.raises(RentedError, match="shows no instance 'hw', so nothing was rented"):
            resource(provider_of(fake)).reach("present")
        assert len(fake.calls("create")) == 1


def test_a_pod_without_a_public_address_is_said_to_be_so(fake, provider):
    fake.rows = {"a": row(1, id="a", name="hw", ssh={"proxy": None, "direct": way("100.65.0.119", 22, "root")}, runtime=None)}
    with pytest.raises(NotReached, match="'running', without an address for SSH"):
        resource(provider, wait_timeout=20).reach("started")


def test_check_mode_asks_and_changes_nothing(fake, provider):
    assert resource(provider, check=True).reach("present").changed
    assert set(operations(fake)) == {"list", "gpus"} and len(fake.rows) == 7


# --- offers ------------------------------------------------------------------------------------------------------------


def test_offers_of_both_clouds_and_every_place_that_has_stock(fake, provider):
    found = provider.list_offers(Wish(gpus=("RTX 4090", "A6000"), gpu_count=2))
    assert [(offer.gpu_model, offer.trust, offer.region, offer.price_per_hour, offer.availability) for offer in found] == [
        ("RTX 4090", "datacenter", "US-KS-2", 1.18, "high"),
        ("RTX 4090", "datacenter", "EU-RO-1", 1.18, "low"),
        ("RTX 4090", "marketplace", None, 0.68, "medium"),
        ("RTX A6000", "marketplace", None, 0.66, "low"),
    ]
    first = found[0]
    assert (first.gpu_count, first.gpu_vram_mb, first.gpu_name_raw, first.kind) == (2, 24576, "NVIDIA GeForce RTX 4090", "container")
    assert (first.storage_price_per_gb_month, first.inet_down_price_per_gb, first.inet_up_price_per_gb) == (0.10, 0.0, 0.0)
    assert (first.interruptible, first.cuda_max, first.account) == (False, "12.8", "runpod")
    assert len({offer.id for offer in found}) == 4
    assert [query["cloud"] for query in fake.calls("gpus")] == ["SECURE", "COMMUNITY"]
    assert {query["count"] for query in fake.calls("gpus")} == {"2"}


def test_an_offer_can_be_rented_as_it_is(fake, provider):
    for offer in provider.list_offers(Wish(gpus=("RTX 4090",))):
        pod_id = provider.launch(LaunchRequest(name="hw", gpu=offer.gpu_name_raw, gpu_count=offer.gpu_count, options=offer.options))
        pod = fake.rows[pod_id]
        assert pod["gpu"]["id"] == offer.gpu_name_raw and pod["cost"] == offer.price_per_hour
        assert pod["dataCenterId"] == offer.region


def test_without_a_wish_everything_is_offered(fake, provider):
    models = {offer.gpu_model for offer in provider.list_offers(Wish())}
    assert models == {"RTX 4090", "H100", "H200", "RTX A6000", "MI300X", "RTX PRO 6000"}
    assert [offer.gpu_count for offer in provider.list_offers(Wish(gpu_count=16))] == []


def test_no_interruptible_offer_is_listed_and_no_request_is_made(fake, provider):
    assert provider.list_offers(Wish(interruptible=True)) == []
    assert fake.requests == []
    assert provider.list_offers(Wish(interruptible=None)) != []


@pytest.mark.parametrize("fault", ["500", "html-200", "429", "403"])
def test_offers_that_fail_are_an_error_and_not_a_part(fake, provider, fault):
    fake.fault("gpus", fault, times=-1, skip=1)
    with pytest.raises(RentedError):
        provider.list_offers(Wish())


def test_offers_from_a_catalogue_with_holes():
    assert offers.of_gpu({"id": "NVIDIA L4"}, "SECURE", 1, "r")[0].price_per_hour is None
    assert offers.most_gpus({"id": "NVIDIA L4"}, "SECURE") == 0
    odd = {
        "id": "NVIDIA L4",
        "price": {"secure": 0},
        "cudaVersions": [{"version": "12.10", "available": True}, {"version": "12.9", "available": True}],
    }
    found = offers.of_gpu(odd, "SECURE", 1, "r")[0]
    assert (found.price_per_hour, found.cuda_max, found.availability, found.gpu_vram_mb) == (None, "12.10", None, None)
    assert offers.of_gpu({"id": "NVIDIA L4", "availability": "NONE"}, "SECURE", 1, "r") == []


# --- keys of the account -----------------------------------------------------------------------------------------------


def test_keys_are_added_and_removed_and_none_is_lost(fake, provider):
    rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ   odd  spacing"
    fake.keys = [BOB, rsa]
    assert [key.public_key for key in provider.list_keys()] == [BOB, rsa]
    assert {key.name for key in provider.list_keys()} == {None}
    bare = ADA.rsplit(" ", 1)[0]
    ada = provider.add_key("laptop of Ada", bare)
    assert fake.keys == [BOB, rsa, bare + " laptop of Ada"]
    assert provider.list_keys()[-1].id == ada and ada.startswith("SHA256:")
    assert provider.add_key("again", ADA) == ada and len(fake.calls("set_keys")) == 1
    provider.remove_key(ada)
    provider.remove_key(ada)
    assert fake.keys == [BOB, rsa] and len(fake.calls("set_keys")) == 2


def test_the_id_of_a_key_is_what_ssh_keygen_says(tmp_path, provider):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", str(tmp_path / "key")], check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", str(tmp_path / "key.pub")], capture_output=True, text=True, check=True).stdout.split()[1]
    assert provider.add_key("x", (tmp_path / "key.pub").read_text()) == shown


@pytest.mark.parametrize("answer", [{}, {"keys": None}, {"keys": "x"}, {"keys": [BOB, None]}, [], "OK"])
def test_keys_that_are_not_read_whole_are_not_written(fake, provider, answer):
    fake.fault("keys", "answer", times=-1, status=200, body=answer)
    for act in (lambda: provider.add_key("x", ADA), lambda: provider.remove_key("SHA256:x"), provider.list_keys):
        with pytest.raises(ProviderUnavailable):
            act()
    assert fake.calls("set_keys") == [] and fake.keys == [BOB]


def test_keys_that_the_server_forgets_are_told(fake, provider):
    fake.fault("set_keys", "answer", status=200, body={"keys": [ADA]})
    with pytest.raises(ProviderUnavailable, match="did not confirm 1 of the 2 SSH keys"):
        provider.add_key("x", ADA)


def test_a_key_of_the_account_that_the_api_itself_refuses_loses_nothing(fake, provider):
    fake.keys = ["not a key line!", BOB]
    with pytest.raises(RentedError, match=r"422: Request validation failed: keys.0.: does not match the pattern"):
        provider.add_key("x", ADA)
    assert fake.keys == ["not a key line!", BOB]


# --- the API key -------------------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A home without any key."""
    for name in ("RUNPOD_API_KEY", "RUNPOD_REST_V2_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_no_key_lists_where_it_looked(nowhere):
    assert not RunpodProvider.available()
    with pytest.raises(MissingCredentials, match=r"Looked at \$RUNPOD_API_KEY, ~/.runpod/config.toml, ~/.runpod.yaml"):
        RunpodProvider()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[default]\napi_key = "the-key"\n', "the-key"),
        ("[default]\napi_key='the-key' # mine\n", "the-key"),
        ("apikey = 'the-key'\napiurl = 'https://api.runpod.io/graphql'\n", "the-key"),
        ('apiUrl = "x"\napiKey = "the-key"\n', "the-key"),
        ('\ufeffAPIKEY="the-key"\r\n', "the-key"),
        ('[other]\napi_key = "wrong"\n\n["default"]\napi_key = "the-key"\n', "the-key"),
        ('[other]\napi_key = "wrong"\n', None),
        ('# apikey = "wrong"\n', None),
        ('apikey = ""\n', None),
        ("", None),
        ("apikey: the-key\napiurl: x\n", "the-key"),
        ('apiKey: "the-key"\n', "the-key"),
        ("other:\n  apikey: wrong\n", None),
    ],
)
def test_key_files(nowhere, monkeypatch, text, key):
    assert RunpodProvider.key_from_file(text) == key
    path = nowhere / (".runpod.yaml" if ": " in text or text.startswith("other:") else ".runpod/config.toml")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert RunpodProvider.find_api_key() == key
    monkeypatch.setenv("RUNPOD_API_KEY", "the-key-in-the-environment")
    assert RunpodProvider().api_key == "the-key-in-the-environment"
    assert RunpodProvider(api_key="given").api_key == "given"


def test_the_endpoint_from_the_environment(nowhere, monkeypatch):
    assert RunpodProvider(api_key="given").endpoint == "https://api.runpod.io/v2"
    monkeypatch.setenv("RUNPOD_REST_V2_URL", "http://127.0.0.1:9/v2/")
    assert RunpodProvider(api_key=KEY).endpoint == "http://127.0.0.1:9/v2"
