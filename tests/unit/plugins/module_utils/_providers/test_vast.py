# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vast.ai: the real client against the fake server, and rows in every shape against the mapping."""

from __future__ import annotations

import base64
import builtins
import json
import os
import pathlib
import random
import re
import shlex
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingCredentials,
    MissingLibrary,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers import vast
from ansible_collections.rented.gpu.plugins.module_utils._providers._vast import connection, launching, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers.vast import VastProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import Resource
from ansible_collections.rented.gpu.tests.fakes.vast import FakeVast, offer, row
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import Time, with_time

# A script that packing makes no shorter.
NOISE = "#!/bin/sh\n: " + base64.b64encode(random.Random(7).randbytes(5000)).decode() + "\n"
FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "vast"


@pytest.fixture
def fake():
    with FakeVast(rows=[row(number) for number in range(1, 61)]) as server:
        yield server
    assert server.violations == []


def provider_of(fake, **arguments):
    return with_time(VastProvider(api_key=arguments.pop("api_key", fake.key), endpoint=fake.url, **arguments))


@pytest.fixture
def provider(fake):
    return provider_of(fake)


# --- the list ----------------------------------------------------------------------------------------------------------


def test_three_pages_at_least_a_second_apart(fake, provider):
    assert [instance.id for instance in provider.list_instances()] == [str(number) for number in range(1, 61)]
    assert [query["limit"] for query in fake.calls("list")] == ["25", "25", "25"]
    assert [query.get("after_token") for query in fake.calls("list")] == [None, "after-25", "after-50"]
    assert provider.time.slept == [1.0, 1.0]


def test_the_pace_satisfies_a_server_that_insists_on_it():
    with FakeVast(rows=[row(number) for number in range(1, 52)], pace=True) as fake:
        assert len(VastProvider(api_key=fake.key, endpoint=fake.url).list_instances()) == 51
        assert len(fake.calls("list")) == 3


def test_no_instances():
    with FakeVast() as fake:
        assert provider_of(fake).list_instances() == []


def test_null_instances_are_none_unless_the_total_says_otherwise(fake, provider):
    fake.fault("list", "null")
    assert provider.list_instances() == []
    fake.fault("list", "null", total=7)
    with pytest.raises(ProviderUnavailable, match="says that there are 7 instances, but lists none"):
        provider.list_instances()


@pytest.mark.parametrize(
    ("fault", "details", "waits"),
    [
        ("429-json", {}, [1.0, 2.0]),
    ],
)
def test_passing_trouble_is_waited_out(fake, provider, fault, details, waits):
    fake.fault("list", fault, times=2, **details)
    assert len(provider.list_instances()) == 60
    assert provider.time.slept[: len(waits)] == waits


def test_a_page_that_fails_fails_the_list(fake, provider):
    fake.fault("list", "500", skip=2)
    with pytest.raises(ProviderUnavailable, match=r"failed to list the instances \(500: Internal error\)"):
        provider.list_instances()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("no-list", ProviderUnavailable, "answered no list"),
        ("cursor", ProviderUnavailable, "has no end"),
        ("auth-404", AuthenticationError, "refused the API key"),
        ("auth-401", AuthenticationError, "refused the API key"),
        ("cut", ProviderUnavailable, "did not answer when asked to list the instances"),
    ],
)
def test_lasting_trouble_is_one_sentence_and_never_an_empty_list(fake, provider, fault, error, words):
    fake.fault("list", fault, times=-1)
    with pytest.raises(error, match=words) as caught:
        provider.list_instances()
    assert fake.key not in str(caught.value)
    assert len(fake.calls("list")) <= _http.TRIES


def test_a_wrong_key_is_named_as_such(fake):
    with pytest.raises(AuthenticationError, match="Invalid user key") as caught:
        provider_of(fake, api_key="another-key-that-is-wrong").list_instances()
    assert "another-key" not in str(caught.value)


def test_the_key_does_not_follow_a_redirect_to_another_server(fake, provider):
    with FakeVast(rows=[row(1)]) as other:
        fake.fault("list", "redirect", times=-1, to=other.url.replace("127.0.0.1", "localhost") + "/api/v1/instances/")
        with pytest.raises(RentedError):
            provider.list_instances()
        assert other.requests == []  # without the key, the other one did not even count it


def test_the_searches_of_the_day_are_not_asked_for_again(fake, provider):
    fake.fault("search", "answer", times=-1, status=429, body={"error": "search_quota_exceeded", "msg": "quota"})
    with pytest.raises(ProviderUnavailable, match="searches of today are used up"):
        provider.launch(LaunchRequest(name="x", gpu="RTX 4090"))
    assert len(fake.calls("search")) == 1


# --- what an instance is -----------------------------------------------------------------------------------------------


def test_a_row_of_the_list():
    found = vast.instance(row(312, label="ML job", geolocation="California, United States \n", ssh_port=10600), "work")
    assert (found.provider, found.account, found.id, found.label, found.state, found.state_raw) == (
        "vast",
        "work",
        "312",
        "ML job",
        "running",
        "running",
    )
    assert (found.ssh_host, found.ssh_port, found.ssh_via, found.ssh_user) == ("198.51.100.63", 40312, "direct", "root")
    assert (found.ssh_proxy_host, found.ssh_proxy_port) == ("ssh7.vast.ai", 10600)
    assert (found.gpu_model, found.gpu_vram_mb, found.gpu_count, found.driver, found.cuda_max) == (
        "RTX 4090",
        24564,
        1,
        "570.172.08",
        "12.8",
    )
    assert (found.cpu_cores, found.ram_gb, found.disk_gb) == (16.0, 64.2, 60.0)
    assert (found.price_per_hour, found.storage_price_per_hour, found.interruptible) == (0.4125, 0.0125, False)
    assert (found.started_at, found.ends_at) == ("2025-11-20T00:58:32Z", "2026-11-20T00:53:20Z")
    assert (found.region, found.trust, found.machine_id) == ("California, United States", "verified", "7312")


def test_only_the_id_is_needed():
    found = vast.instance({"id": 5}, "vast")
    known = {name for name, value in found.as_dict().items() if value not in (None, {})}
    assert known == {"provider", "account", "id", "state", "kind", "ssh_user"}
    assert found.state == "pending"


def test_null_everywhere():
    assert vast.instance({name: None for name in row(1)} | {"id": 6}, "vast").as_dict() == vast.instance({"id": 6}, "vast").as_dict()


@pytest.mark.parametrize("value", ["", "nonsense", -1, 1e400, [], [1], {}, {"22/tcp": [None, {}]}, True], ids=repr)
def test_nonsense_in_one_field_never_raises(value):
    for name in set(row(1)) - {"id"}:
        assert vast.instance({**row(1), name: value}, "vast").id == "1"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"actual_status": None, "intended_status": "running"}, "pending"),
        ({"actual_status": None, "intended_status": "stopped", "cur_state": "stopped"}, "stopped"),
        ({"actual_status": "created"}, "pending"),
        ({"actual_status": "loading"}, "pending"),
        ({"actual_status": "rebooting"}, "pending"),
        ({"actual_status": "running"}, "running"),
        ({"actual_status": "running", "intended_status": "stopped"}, "stopping"),
        ({"actual_status": "frozen"}, "paused"),
        ({"actual_status": "stopped"}, "stopped"),
        ({"actual_status": "exited"}, "stopped"),
        ({"actual_status": "unknown"}, "error"),
        ({"actual_status": "offline"}, "error"),
        ({"actual_status": "hibernating"}, "unknown"),
        ({"actual_status": 7}, "unknown"),
        ({"actual_status": "created", "status_msg": "OCI runtime create failed: no such file"}, "error"),
    ],
)
def test_states(changes, state):
    found = vast.instance(row(1, **changes), "vast")
    raw = changes["actual_status"]
    assert (found.state, found.state_raw) == (state, raw if raw is None else str(raw))


def test_an_unknown_state_is_told_to_the_log(caplog):
    with caplog.at_level("DEBUG", logger="rented.gpu.vast"):
        vast.instance(row(1, actual_status="hibernating"), "vast")
    assert "hibernating" in caplog.text


@pytest.mark.parametrize(
    ("changes", "best", "proxy"),
    [
        ({"ports": None}, ("ssh2.vast.ai", 10001, "proxy"), ("ssh2.vast.ai", 10001)),
        ({"ports": {}, "image_runtype": "jupyter_direc ssh_direc ssh_proxy"}, ("ssh2.vast.ai", 10002, "proxy"), ("ssh2.vast.ai", 10002)),
        ({"image_runtype": "jupyter_proxy"}, ("198.51.100.2", 40001, "direct"), ("ssh2.vast.ai", 10002)),
        (
            {"ports": {"22/tcp": [{"HostIp": "::", "HostPort": ""}, {"HostIp": "0.0.0.0", "HostPort": "33001"}]}},
            ("198.51.100.2", 33001, "direct"),
            ("ssh2.vast.ai", 10001),
        ),
        ({"ports": {"8080/tcp": [{"HostPort": "33001"}]}}, ("ssh2.vast.ai", 10001, "proxy"), ("ssh2.vast.ai", 10001)),
        ({"ports": [22], "ssh_port": "10001"}, ("ssh2.vast.ai", 10001, "proxy"), ("ssh2.vast.ai", 10001)),
        ({"public_ipaddr": None}, ("ssh2.vast.ai", 10001, "proxy"), ("ssh2.vast.ai", 10001)),
        ({"ports": None, "ssh_host": None}, (None, None, None), (None, None)),
        ({"ports": None, "image_runtype": "args"}, (None, None, None), (None, None)),
    ],
)
def test_endpoints_never_mix(changes, best, proxy):
    found = vast.instance(row(1, **changes), "vast")
    assert (found.ssh_host, found.ssh_port, found.ssh_via) == best
    assert (found.ssh_proxy_host, found.ssh_proxy_port) == proxy


@pytest.mark.parametrize(
    ("changes", "trust"),
    [
        ({"hosting_type": 1}, "datacenter"),
        ({}, "verified"),
        ({"verification": "unverified"}, "marketplace"),
        ({"verification": "deverified"}, "marketplace"),
        ({"verification": None}, None),
    ],
)
def test_trust(changes, trust):
    assert vast.instance(row(1, **changes), "vast").trust == trust


@pytest.mark.parametrize("label", ["{{ lookup('pipe', 'id') }}", "#jinja2: variable_start_string: '<<'", "ärger 🚀", "a" * 1024])
def test_a_label_comes_through_as_it_is(label):
    with FakeVast(rows=[row(1, label=label)]) as fake:
        assert provider_of(fake).list_instances()[0].label == label


def test_equal_names_stay_two_instances():
    with FakeVast(rows=[row(1, label="twin"), row(2, label="twin")]) as fake:
        assert [(instance.id, instance.label) for instance in provider_of(fake).list_instances()] == [("1", "twin"), ("2", "twin")]


def test_no_secret_comes_out(fake, provider):
    provider.keep_raw = True
    found = provider.list_instances()
    assert "SECRET" not in json.dumps([instance.as_dict() for instance in found])
    assert "SECRET" not in json.dumps(provider.scrubbed_raw("1")) and provider.scrubbed_raw("1")["gpu_name"] == "RTX 4090"


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("list_*.json")))
def test_answers_of_the_fixtures(name):
    fixture = json.loads((FIXTURES / (name + ".json")).read_text())
    for given, expected in zip(fixture["answer"]["instances"], fixture["expected"], strict=True):
        found = vast.instance(given, "vast").as_dict()
        assert {field: found[field] for field in expected} == expected


# --- renting -----------------------------------------------------------------------------------------------------------


def test_the_cheapest_offer_that_fits_is_rented(fake, provider):
    fake.offers = {1: offer(1, dph_total=0.5), 2: offer(2, dph_total=0.3), 3: offer(3, dph_total=0.1, gpu_name="RTX 3090")}
    found = provider.launch(
        LaunchRequest(name="hw", gpu="rtx_4090", disk_gb=40, max_price_per_hour=0.6, region="no", ssh_public_key="ssh-ed25519 AAAA me")
    )
    assert fake.requests[-2][:2] == ("create", 2)
    body = fake.calls("create")[0]
    assert (body["label"], body["disk"], body["runtype"], body["cancel_unavail"]) == ("hw", 40.0, "ssh_direc ssh_proxy", True)
    assert "price" not in body
    assert fake.calls("search")[0]["type"] == "on-demand"
    assert fake.attached == {int(found): ["ssh-ed25519 AAAA me"]}


@pytest.mark.parametrize(("status", "code"), [(410, "no_such_ask"), (404, "invalid_args")])
def test_an_offer_that_was_taken_is_passed_over(fake, provider, status, code):
    fake.offers = {1: offer(1, dph_total=0.1), 2: offer(2, dph_total=0.2)}
    fake.fault(
        "create",
        "answer",
        status=status,
        body={"success": False, "error": code, "msg": "error 410/3907: no_such_ask Instance type 1 is no longer available."},
    )
    assert provider.launch(LaunchRequest(name="hw", gpu="RTX 4090"))
    assert [entry[1] for entry in fake.requests if entry[0] == "create"] == [1, 2]


def test_when_all_are_taken_it_searches_again_and_gives_up(fake, provider):
    fake.fault("create", "answer", times=-1, status=410, body={"success": False, "error": "no_such_ask", "msg": "no_such_ask"})
    with pytest.raises(NotFound, match=r"has no offer|taken by others"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090"))
    assert len(fake.calls("search")) == 2 and len(fake.rows) == 60


@pytest.mark.parametrize("fault", ["cut", "503", "429", "500"])
def test_a_request_that_rents_is_sent_once(fake, provider, fault):
    fake.fault("create", fault)
    with pytest.raises(ProviderUnavailable):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090"))
    assert len(fake.calls("create")) == 1


def test_what_a_failed_request_created_is_destroyed(fake, provider):
    fake.offers = {1: offer(1, min_bid=0.2)}
    with pytest.raises(PartlyCreated, match=r"What this had created was destroyed again: 3000001\.") as caught:
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", interruptible=True, bid_per_hour=0.01))
    assert caught.value.instance_id == "3000001" and 3000001 not in fake.rows


def test_what_cannot_be_destroyed_again_is_named(fake, provider):
    fake.offers = {1: offer(1, min_bid=0.2)}
    fake.fault("destroy", "500", times=-1)
    with pytest.raises(PartlyCreated, match=r"could not be destroyed and may be billed: 3000001 .*Destroy it now") as caught:
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", interruptible=True, bid_per_hour=0.01))
    assert caught.value.instance_id == "3000001" and 3000001 in fake.rows


def test_an_instance_whose_key_cannot_be_attached_is_not_kept(fake, provider):
    fake.fault("attach", "500", times=-1)
    with pytest.raises(PartlyCreated, match="SSH key could not be attached"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", ssh_public_key="ssh-ed25519 AAAA me"))
    assert max(fake.rows) == 60


def rent_in_doubt(fake, provider):
    """The server rents, and its answer gets lost."""
    fake.fault("create", "answer", status=504, body="", done=True)
    wanted = LaunchRequest(name="hw", gpu="RTX 4090", ssh_public_key="ssh-ed25519 AAAA me")
    return Resource(provider, name="hw", request=wanted, wait=False, clock=provider.clock, sleep=provider.sleep).reach("present")


def test_one_that_was_rented_in_doubt_gets_its_key_too(fake, provider):
    outcome = rent_in_doubt(fake, provider)
    assert outcome.changed and "rented nevertheless" in outcome.warnings[0]
    assert fake.attached == {int(outcome.instance.id): ["ssh-ed25519 AAAA me"]} and len(fake.calls("create")) == 1


def test_one_that_was_rented_in_doubt_and_gets_no_key_is_not_kept(fake, provider):
    fake.fault("attach", "500", times=-1)
    with pytest.raises(PartlyCreated, match="SSH key could not be attached"):
        rent_in_doubt(fake, provider)
    assert max(fake.rows) == 60


@pytest.mark.parametrize(
    ("arguments", "price"),
    [({"max_price_per_hour": 0.5}, 0.21), ({}, 0.21), ({"max_price_per_hour": 0.205}, 0.205), ({"bid_per_hour": 0.3}, 0.3)],
)
def test_bids(fake, provider, arguments, price):
    fake.offers = {1: offer(1, min_bid=0.2)}
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", interruptible=True, **arguments))
    assert fake.calls("create")[0]["price"] == pytest.approx(price)
    assert fake.calls("search")[0]["type"] == "bid"


def test_the_price_limit_holds_even_when_the_search_ignores_it(fake, provider):
    fake.fault("search", "answer", times=-1, status=200, body={"offers": [offer(1, dph_total=9.0)]})
    with pytest.raises(NotFound, match=r"no offer for 1× RTX 4090 for up to 0.500 USD/h"):
        provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", max_price_per_hour=0.5))
    assert fake.calls("create") == []


# --- an offer by its id ---


def test_an_offer_by_its_id_is_looked_up_and_rented(fake, provider):
    fake.offers = {1: offer(1, dph_total=0.1), 2: offer(2, gpu_name="H100 SXM", gpu_ram=81559, num_gpus=8, verification="unverified")}
    provider.launch(LaunchRequest(name="hw", disk_gb=40, options={"offer_id": 2}))
    (asked,) = fake.calls("search")
    assert (asked["id"], asked["type"], asked["allocated_storage"]) == ({"eq": 2}, "on-demand", 40.0)
    assert "verified" not in asked  # who names an offer has chosen it
    assert fake.requests[-1][:2] == ("create", 2)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"gpu": "RTX 4090"}, "its GPU is H100 SXM and not RTX 4090"),
        ({"gpu": "H100 PCIe"}, "its GPU is H100 SXM and not H100 PCIe"),
        ({"gpu": "H100 94GB"}, "its GPUs have 80 GB each and not 94"),
        ({"gpu_count": 1}, "it has 2 GPUs and not 1"),
        ({"max_price_per_hour": 4.99}, "it costs 5.000 USD/h with its disk"),
        ({"max_price_per_hour": 1.5, "interruptible": True}, "its least bid is 2.000 USD/h"),
        ({"region": "DE"}, "it is in Oslo, NO"),
        ({"region": "Bergen"}, "it is in Oslo, NO"),
        ({"disk_gb": 501}, "it has room for 500 GB of disk"),
        ({"options": {"verified": True}}, "its machine is 'unverified'"),
        ({"options": {"datacenter": True}}, "it is in no data centre"),
    ],
)
def test_an_offer_by_its_id_that_is_not_what_is_asked_for_is_refused(fake, provider, arguments, reason):
    wrong = {"gpu_name": "H100 SXM", "gpu_ram": 81559, "num_gpus": 2, "verification": "unverified"}
    fake.offers = {501: offer(501, dph_total=5.0, min_bid=2.0, **wrong)}
    options = {"offer_id": "501", **arguments.pop("options", {})}
    with pytest.raises(NotFound, match=r"The offer 501 of Vast.ai is not what was asked for \(.*\): %s\. Ask for offers again" % reason):
        provider.launch(LaunchRequest(name="hw", options=options, **arguments))
    assert fake.calls("create") == []


@pytest.mark.parametrize("answer", [None, [offer(501)], [{"id": 502}]], ids=["gone", "another", "another without fields"])
def test_an_offer_that_is_gone_is_said_to_be(fake, provider, answer):
    fake.offers = {501: offer(501)}
    if answer is not None:  # a server that does not honour the filter
        fake.fault("search", "answer", status=200, body={"offers": answer})
    with pytest.raises(
        NotFound, match=r"Vast.ai has no offer 77 any more: another customer has it, or it was taken back. Ask for offers again"
    ):
        provider.launch(LaunchRequest(name="hw", options={"offer_id": 77}))
    assert fake.calls("create") == []


def test_a_size_that_is_not_sold_is_named_too():
    part = offer(1, gpu_name="H100 SXM", gpu_ram=54000)
    assert offers.misfit(part, LaunchRequest(name="x", gpu="H100 80GB"), {}) == "its GPUs have 53 GB each and not 80"


def test_an_offer_that_is_taken_between_look_up_and_renting(fake, provider):
    fake.fault("create", "answer", status=410, body={"success": False, "error": "no_such_ask", "msg": "no_such_ask"})
    with pytest.raises(NotFound, match="taken by others first"):
        provider.launch(LaunchRequest(name="hw", options={"offer_id": 501}))
    assert len(fake.calls("create")) == 1


@pytest.mark.parametrize("interruptible", [False, True])
def test_the_recipe_of_the_page_about_offers_rents_every_offer(fake, provider, interruptible):
    """The GPU as the offer writes it, its options, and a limit: whatever Vast calls its GPUs."""
    names = sorted({name for names in offers.VAST_NAMES.values() for name in names} | {"RTX 4090", "RTX 4080S", "RTX 6000Ada", "GTX 1080"})
    fake.offers = {number: offer(number, gpu_name=name, num_gpus=1 + number % 2) for number, name in enumerate(names, 1)}
    ways = {"interruptible": True, "bid_per_hour": 0.3} if interruptible else {}
    for best in provider.list_offers(Wish(interruptible=interruptible, gpu_count=1)) + provider.list_offers(Wish(gpu_count=2)):
        wanted = LaunchRequest(name="hw", gpu=best.gpu_name_raw, disk_gb=20, options=best.options, max_price_per_hour=0.6, **ways)
        assert provider.launch(wanted) and fake.requests[-1][:2] == ("create", int(best.id))
    assert fake.offers == {}


def test_the_least_bid_of_an_offer_is_known_by_its_id_too(fake, provider):
    fake.offers = {501: offer(501, min_bid=0.2)}
    provider.launch(LaunchRequest(name="hw", interruptible=True, max_price_per_hour=0.5, options={"offer_id": 501}))
    assert fake.calls("create")[0]["price"] == pytest.approx(0.21)


# --- filters that the search does not honour ---


@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({"num_gpus": 8}, {}),
        ({"num_gpus": 1}, {"gpu_count": 2}),
        ({"gpu_ram": 12288}, {"gpu": "RTX 4090 24GB"}),
        ({"geolocation": "Texas, US"}, {"region": "DE"}),
        ({"geolocation": "Texas, US"}, {"region": "Oslo"}),
        ({"geolocation": None}, {"region": "Oslo"}),  # nothing but the look at it keeps this promise
        ({"verification": "unverified"}, {}),
        ({"verification": "deverified"}, {}),
        ({"hosting_type": 0}, {"options": {"datacenter": True}}),
        ({"disk_space": 10.0}, {}),
        ({"direct_port_count": 0}, {}),
        ({"rentable": False}, {}),
        ({"rented": True}, {}),
        ({"dph_total": 0.7}, {"max_price_per_hour": 0.6}),
        ({"dph_total": None}, {"max_price_per_hour": 0.6}),
        ({"min_bid": None}, {"max_price_per_hour": 0.6, "interruptible": True}),
    ],
)
def test_what_the_search_should_not_have_given_is_not_rented(fake, provider, changes, arguments):
    fake.fault("search", "answer", times=-1, status=200, body={"offers": [{**offer(1), **changes}]})
    with pytest.raises(NotFound, match="has no offer for"):
        provider.launch(LaunchRequest(**{"name": "hw", "gpu": "RTX 4090", **arguments}))
    assert fake.calls("create") == []


@pytest.mark.parametrize(
    "missing",
    ["num_gpus", "gpu_ram", "geolocation", "verification", "hosting_type", "disk_space", "direct_port_count", "rentable", "rented"],
)
def test_what_an_offer_does_not_say_speaks_against_nothing(fake, provider, missing):
    options = {"datacenter": True}
    row_ = {name: value for name, value in offer(1, hosting_type=1).items() if name != missing}
    for given in (row_, {**row_, missing: None}):
        assert offers.fits(given, LaunchRequest(name="hw", gpu="RTX 4090 24GB", gpu_count=1, region="NO", options=options), options)


@pytest.mark.parametrize(
    ("query", "changes"),
    [
        ({"num_gpus": {"gte": 2}}, {"num_gpus": 4}),
        ({"verified": {"eq": False}}, {"verification": "unverified"}),
        ({"geolocation": {"in": ["SE"]}}, {"geolocation": "Luleå, SE"}),
        ({"gpu_ram": {"gte": 40000}}, {"gpu_ram": 49140}),
    ],
)
def test_a_filter_of_the_users_own_takes_the_place_of_ours(fake, provider, query, changes):
    fake.fault("search", "answer", status=200, body={"offers": [offer(501, **changes)]})
    assert provider.launch(LaunchRequest(name="hw", gpu="RTX 4090 24GB", region="NO", options={"query": query}))


def test_all_machines_include_untested_ones(fake, provider):
    fake.offers = {1: offer(1, verification="unverified")}
    assert provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", options={"verified": False}))


@pytest.mark.parametrize("region", ["no", "NO", "Norway", "oslo", "Oslo, NO"])
def test_places(fake, provider, region):
    fake.offers = {1: offer(1, dph_total=0.1, geolocation="Austin, US"), 2: offer(2)}
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", region=region))
    assert fake.requests[-1][:2] == ("create", 2)


def test_britain_has_two_codes(fake, provider):
    fake.offers = {1: offer(1, geolocation="London, GB")}
    assert provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", region="uk"))
    assert fake.calls("search")[0]["geolocation"] == {"in": ["GB"]}


@pytest.mark.parametrize(
    ("asked", "offered", "memory", "fits"),
    [
        ("A100 80GB", "A100 SXM4", 81920, True),
        ("A100", "A100 PCIE", 40960, True),
        ("H100 SXM", "H100 PCIE", 81559, False),
        ("RTX A6000", "RTX 6000Ada", 49140, False),
        ("RTX 6000 Ada", "RTX 6000Ada", 49140, True),
        ("V100", "Tesla V100", 16384, True),
        ("RTX 4080 SUPER", "RTX 4080S", 16376, True),
        ("RTX 4090", "RTX 4090 D", 24564, False),
    ],
)
def test_gpus_are_compared_by_what_they_are(asked, offered, memory, fits):
    assert offers.fits(offer(1, gpu_name=offered, gpu_ram=memory), LaunchRequest(name="x", gpu=asked)) is fits
    assert (offered in offers.vast_names(asked)) or not fits


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"options": {"offerid": 1}, "gpu": "T4"}, "Did you mean 'offer_id'"),
        ({"options": {"env": "A=1"}, "gpu": "T4"}, "'env' of Vast.ai is a mapping"),
        ({}, "Name the GPU to rent"),
        ({"gpu": "T4", "gpu_count": 0}, "at least one GPU; gpu_count is 0"),
        ({"gpu": "T4", "gpu_count": -1}, "at least one GPU; gpu_count is -1"),
        ({"options": {"offer_id": 9}, "interruptible": True}, "give bid_per_hour or max_price_per_hour"),
        ({"gpu": "T4", "bid_per_hour": 0.2}, "say 'interruptible: true' too"),
        ({"gpu": "T4", "bid_per_hour": 0, "interruptible": True}, "between 0.001 and 128 USD per hour, not 0"),
        ({"gpu": "T4", "options": {"bid": 0.2}}, "no launch option 'bid'"),
        ({"gpu": "T4", "options": {"onstart": "x"}}, "no launch option 'onstart'"),
        ({"gpu": "T4", "startup_script": NOISE}, "packed still .* takes 4048. playbooks/provision_script.yml makes one"),
        ({"gpu": "T4", "name": "x" * 257}, "up to 256 characters"),
    ],
)
def test_an_impossible_launch_makes_no_request(fake, provider, arguments, words):
    with pytest.raises(RentedError, match=words):
        provider.launch(LaunchRequest(**{"name": "hw", **arguments}))
    assert fake.requests == []


# --- startup scripts ---------------------------------------------------------------------------------------------------


def test_a_short_startup_script_goes_as_it_is(fake, provider):
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", startup_script="touch /root/.ready\n"))
    assert fake.calls("create")[0]["onstart"] == "touch /root/.ready\n"


def test_without_a_script_nothing_is_sent(fake, provider):
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", startup_script=""))
    assert "onstart" not in fake.calls("create")[0]


@pytest.mark.parametrize(
    ("head", "line", "said"),
    [
        ("#!/bin/bash\n", 'echo "bash: ${BASH_VERSION:+yes}"', "bash: yes"),
        ("", 'echo "bash: ${BASH_VERSION:+yes}"', "bash: yes"),
        ("#!/usr/bin/env python3\n", "print('one' * 2)", "oneone"),
    ],
)
def test_a_long_startup_script_unpacks_itself(fake, provider, head, line, said):
    script = head + "# ärger with a long comment\n" * 500 + line + "\n"
    provider.launch(LaunchRequest(name="hw", gpu="RTX 4090", startup_script=script))
    sent = fake.calls("create")[0]["onstart"]
    assert len(script) > 4048 >= len(sent)
    done = subprocess.run(["sh", "-c", sent], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, said, "")


def test_packing_keeps_the_exit_code():
    sent = launching.onstart("#!/bin/sh\n" + ": one more line\n" * 400 + "exit 7\n")
    assert subprocess.run(["sh", "-c", sent], timeout=20, check=False).returncode == 7


# --- offers ------------------------------------------------------------------------------------------------------------


def test_offers_for_a_wish(fake, provider):
    fake.offers = {
        1: offer(1),
        2: offer(2, gpu_name="RTX 3090", gpu_ram=24576),
        3: offer(3, gpu_name="H100 SXM", gpu_ram=81559, dph_total=2.5),
        4: offer(4, num_gpus=2),
        5: offer(5, geolocation="Austin, US"),
    }
    found = provider.list_offers(Wish(gpus=("rtx4090", "H100"), regions=("no",), gpu_vram_mb=24576, disk_gb=40))
    assert [entry.id for entry in found] == ["1", "3"]
    (asked,) = fake.calls("search")
    assert (asked["type"], asked["allocated_storage"], asked["disk_space"]) == ("on-demand", 40.0, {"gte": 40.0})
    assert {"RTX 4090", "H100 SXM", "H100 PCIE", "H100 NVL"} <= set(asked["gpu_name"]["in"])
    assert asked["geolocation"] == {"in": ["NO"]} and asked["gpu_ram"] == {"gte": 22855}


def test_either_way_is_two_searches_at_the_pace_of_ten_a_minute(fake, provider):
    fake.offers = {1: offer(1, dph_total=0.5, min_bid=0.2)}
    found = provider.list_offers(Wish(interruptible=None))
    assert [(entry.id, entry.interruptible, entry.price_per_hour) for entry in found] == [("1", False, 0.4983), ("1", True, 0.2)]
    assert [asked["type"] for asked in fake.calls("search")] == ["on-demand", "bid"]
    assert provider.time.slept == [6.0]


def test_the_pace_of_searches_satisfies_a_server_that_insists_on_it():
    time = Time()
    with FakeVast(pace=True, clock=time.clock) as fake:
        patient = provider_of(fake)
        patient.clock, patient.sleep = time.clock, time.sleep
        assert len(patient.list_offers(Wish(interruptible=None))) == 4
        assert [len(fake.calls("search")), fake.violations] == [2, []]


def test_only_interruptible_ones(fake, provider):
    provider.list_offers(Wish(interruptible=True))
    assert [asked["type"] for asked in fake.calls("search")] == ["bid"]


def test_more_offers_than_one_search_gives(fake, provider, monkeypatch):
    monkeypatch.setattr(vast, "OFFERS_PER_PAGE", 10)
    fake.offers = {number: offer(number, dph_total=round(0.2 + number / 100, 4)) for number in range(1, 26)}
    assert sorted(int(entry.id) for entry in provider.list_offers(Wish())) == list(range(1, 26))
    assert [asked.get("dph_total") for asked in fake.calls("search")] == [None, {"gte": 0.3}, {"gte": 0.39}]


def test_a_search_that_fails_fails_the_offers(fake, provider):
    fake.fault("search", "500", skip=1)
    with pytest.raises(ProviderUnavailable, match="failed to search offers"):
        provider.list_offers(Wish(interruptible=None))


def test_no_offers(fake, provider):
    fake.offers = {}
    assert provider.list_offers(Wish()) == []


def test_an_offer_can_be_rented_as_it_is_listed(fake, provider):
    fake.offers = {1: offer(1), 2: offer(2, dph_total=0.1)}
    chosen = next(entry for entry in provider.list_offers(Wish()) if entry.id == "1")
    provider.launch(LaunchRequest(name="hw", options=chosen.options))
    assert fake.requests[-1][:2] == ("create", 1)


def test_offers_of_the_fixture():
    fixture = json.loads((FIXTURES / "offers.json").read_text())
    for given, expected in zip(fixture["given"], fixture["expected"], strict=True):
        assert offers.offer(given["row"], "work", given["interruptible"]).as_dict() == expected


@pytest.mark.parametrize("value", [None, "", "nonsense", -1, 1e400, [], {}, True], ids=repr)
def test_nonsense_in_one_field_of_an_offer_never_raises(value):
    for name in set(offer(1)) - {"id"}:
        assert offers.offer({**offer(1), name: value}, "vast", False).id == "1"


# --- keys of the account -----------------------------------------------------------------------------------------------


def test_keys_of_the_account(fake, provider):
    assert provider.list_keys() == []
    first, second = provider.add_key("laptop", "ssh-ed25519 AAAA me\n"), provider.add_key("", "ssh-ed25519 BBBB")
    assert [(key.id, key.name, key.public_key) for key in provider.list_keys()] == [
        (first, None, "ssh-ed25519 AAAA me"),
        (second, None, "ssh-ed25519 BBBB"),
    ]
    provider.remove_key(first)
    provider.remove_key(first)  # gone already is as good
    assert [key.id for key in provider.list_keys()] == [second]


def test_a_key_whose_id_is_not_told_is_looked_for(fake, provider):
    fake.fault("add_key", "answer", status=200, body={"success": True}, done=True)
    assert provider.add_key("x", "ssh-ed25519 AAAA me") == "401"
    fake.fault("add_key", "answer", status=200, body={"success": True})
    with pytest.raises(ProviderUnavailable, match="does not list it"):
        provider.add_key("x", "ssh-ed25519 CCCC me")


def test_removing_a_key_with_a_wrong_key_is_not_success(fake):
    fake.account_keys = {1: "ssh-ed25519 AAAA"}
    with pytest.raises(AuthenticationError):
        provider_of(fake, api_key="another-key-that-is-wrong").remove_key("1")
    with pytest.raises(AuthenticationError):
        provider_of(fake, api_key="another-key-that-is-wrong").list_keys()
    assert fake.account_keys


def test_a_key_is_added_once(fake, provider):
    fake.fault("add_key", "503")
    with pytest.raises(ProviderUnavailable):
        provider.add_key("x", "ssh-ed25519 AAAA")
    assert len(fake.calls("add_key")) == 1


# --- bids --------------------------------------------------------------------------------------------------------------


def test_a_bid_is_read_and_changed(fake, provider):
    fake.rows[3].update(is_bid=True, dph_base=0.21)
    assert (provider.get_bid("3"), provider.get_bid("4")) == (0.21, None)
    provider.set_bid("3", 0.3)
    assert provider.get_bid("3") == 0.3
    assert fake.calls("bid") == [{"client_id": "me", "price": 0.3}]
    with pytest.raises(NotFound, match="no instance 999"):
        provider.get_bid("999")
    with pytest.raises(RentedError, match="has no bid"):
        provider.set_bid("4", 0.3)


@pytest.mark.parametrize("price", [0, -1, 32.5, float("nan")])
def test_a_bid_that_cannot_be_is_not_sent(fake, provider, price):
    with pytest.raises(RentedError, match=r"between 0.001 and 32 USD per hour"):
        provider.set_bid("3", price)
    assert fake.calls("bid") == []


# --- the rest of a life ------------------------------------------------------------------------------------------------


def test_a_life(fake, provider):
    provider.stop("3")
    assert provider.get_instance("3").state == "stopped"
    provider.start("3")
    assert provider.get_instance("3").state == "running"
    provider.set_label("3", "renamed")
    assert provider.get_instance("3").label == "renamed"
    provider.attach_key("3", "ssh-ed25519 AAAA me\n")
    provider.attach_key("3", "ssh-ed25519 AAAA me")
    assert fake.attached == {3: ["ssh-ed25519 AAAA me"]}
    assert provider.console("3") == "hello from the instance\n"
    provider.destroy("3")
    assert provider.get_instance("3") is None
    provider.destroy("3")  # gone already is as good


def test_destroying_with_a_wrong_key_is_not_success(fake):
    with pytest.raises(AuthenticationError):
        provider_of(fake, api_key="another-key-that-is-wrong").destroy("3")
    assert 3 in fake.rows


def test_what_is_asked_of_one_that_is_gone(provider):
    for act in (provider.stop, provider.start, provider.console):
        with pytest.raises(NotFound, match="999"):
            act("999")
    with pytest.raises(NotFound, match="ids are numbers"):
        provider.stop("abc")


def test_a_200_that_is_no_success(fake, provider):
    fake.fault(
        "manage", "answer", status=200, body={"success": False, "error": "resources_unavailable", "msg": "No GPU is free on this machine."}
    )
    with pytest.raises(RentedError, match="refused to start instance 3: No GPU is free on this machine"):
        provider.start("3")


def test_a_private_key_is_not_sent(fake, provider):
    with pytest.raises(RentedError, match="must be one public key"):
        provider.attach_key("3", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
    assert fake.calls("attach") == []


# --- key and package ---------------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A home without any key."""
    for name in ("VAST_API_KEY", "VAST_URL", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_no_key_lists_where_it_looked(nowhere):
    assert not VastProvider.available()
    with pytest.raises(MissingCredentials, match=r"Looked at \$VAST_API_KEY, .*~/.config/vastai/vast_api_key, ~/.vast_api_key"):
        VastProvider()


@pytest.mark.parametrize("place", [".config/vastai/vast_api_key", ".vast_api_key", "xdg/vastai/vast_api_key"])
def test_key_files(nowhere, monkeypatch, place):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(nowhere / "xdg"))
    path = nowhere / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("the-key-in-the-file\n")
    assert VastProvider().api_key == "the-key-in-the-file"
    monkeypatch.setenv("VAST_API_KEY", "the-key-in-the-environment")
    assert VastProvider().api_key == "the-key-in-the-environment"
    assert VastProvider(api_key="given").api_key == "given"


def test_a_key_file_that_cannot_be_read(nowhere):
    (nowhere / ".vast_api_key").mkdir()  # root reads every file, but nobody reads a folder
    with pytest.raises(MissingCredentials, match=r"key file ~/.vast_api_key of Vast.ai cannot be read: Is a directory"):
        VastProvider.available()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_key_file_without_permission(nowhere):
    (nowhere / ".vast_api_key").write_text("secret")
    (nowhere / ".vast_api_key").chmod(0)
    with pytest.raises(MissingCredentials, match="cannot be read: Permission denied"):
        VastProvider()


def test_the_endpoint_from_the_environment(nowhere, monkeypatch):
    monkeypatch.setenv("VAST_URL", "http://127.0.0.1:9/")
    assert VastProvider(api_key="given").endpoint == "http://127.0.0.1:9"


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name.split(".")[0] == "vastai":
            raise ModuleNotFoundError("No module named 'vastai'")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    provider = VastProvider(api_key="given")
    with pytest.raises(MissingLibrary) as caught:
        provider.list_instances()
    assert "needs the Python package 'vastai'" in caught.value.message
    command = caught.value.message.partition("Install it with: ")[2]
    assert shlex.split(command) == [sys.executable, "-m", "pip", "install", "--upgrade", "vastai>=1.8.1"]


def test_an_older_package_is_refused_in_a_sentence(monkeypatch):
    """Up to 1.8.0 there is no VastSession, which the limits hang on."""
    import vastai.api.client

    monkeypatch.delattr(vastai.api.client, "VastSession")
    monkeypatch.setattr("importlib.metadata.version", lambda name: {"vastai": "1.7.0"}[name])
    monkeypatch.setattr(sys, "executable", "/home/ada/my project/bin/python")
    with pytest.raises(MissingLibrary) as caught:
        VastProvider(api_key="key-0123456789").list_instances()
    assert caught.value.message == (
        "vastai 1.7.0 is too old for Vast.ai, which needs 1.8.1 or newer. Install it with: "
        "'/home/ada/my project/bin/python' -m pip install --upgrade 'vastai>=1.8.1'"
    )


PLACES = ("requirements/runtime.in", "meta/ee-requirements.txt", "README.md", "docs/getting_started.md", "docs/providers/vast.md")


@pytest.mark.parametrize("place", PLACES)
def test_the_oldest_version_is_the_same_everywhere(place):
    text = (pathlib.Path(__file__).resolve().parents[5] / place).read_text()
    named = re.findall(r"(?:pip install .*|^)\bvastai\b(?!/)([^\s'`]*)", text, re.M)
    assert named and set(named) == {">=" + connection.OLDEST}
