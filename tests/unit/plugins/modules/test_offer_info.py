# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module offer_info as a process of its own: Vast's real client over real HTTP, and the rehearsal provider beside it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.rented.gpu.plugins.modules import offer_info
from ansible_collections.rented.gpu.tests.fakes.vast import FakeVast, offer
from ansible_collections.rented.gpu.tests.unit.plugins.modules._process import answers


@pytest.fixture
def fake():
    offers = [
        offer(1, dph_base=0.30, dph_total=0.31, inet_down=100.0, inet_down_cost=0.02, geolocation="Oslo, NO"),
        offer(2, dph_base=0.34, dph_total=0.35, inet_down=2000.0, inet_down_cost=0.0, geolocation="Austin, US"),
        offer(3, dph_base=0.90, dph_total=0.91, gpu_name="L40S", gpu_ram=46068, hosting_type=1, min_bid=0.5),
        offer(4, dph_base=0.20, dph_total=0.21, gpu_name="RTX 3090", gpu_ram=24576, reliability=0.9),
    ]
    with FakeVast(offers=offers) as server:
        yield server
    assert server.violations == []


def call(fake, *several, **options):
    """The answers of the module; both providers have their credentials in the environment."""
    env = {**fake.environment(), "RENTED_GPU_REHEARSAL": "1", **options.pop("env", {})}
    found = answers("offer_info", [{**options, **arguments} for arguments in several or [{}]], env=env, secrets=[fake.key])
    return found if len(several) > 1 else found[0]


def ids(answer):
    return [(row["provider"], row["id"]) for row in answer["offers"]]


def test_one_ranking_over_all_providers(fake):
    answer = call(fake, gpu=["rtx_4090", "L40S"], hours=6, data_gb=40)
    boxes = ("rehearsal", "container-nvidia-geforce-rtx-4090-1")
    # 6 h at 0.34; at 0.37; at 0.30, with an hour more for the data and 0.80 for traffic; at 0.80; at 0.90.
    # The cheapest hour is not the cheapest job.
    assert ids(answer) == [
        ("vast", "2"),
        boxes,
        ("vast", "1"),
        ("rehearsal", "vm-nvidia-geforce-rtx-4090-1"),
        ("vast", "3"),
    ]
    best = answer["offers"][0]
    assert (best["rank"], best["price_per_hour"], best["disk_gb"], best["options"]) == (1, 0.34, 500.0, {"offer_id": 2})
    # 6 h, the image of 6 GB in 24 s and 40 GB in 160 s at 2000 Mbit/s; storage 60 GB at 0.15 in a month of 720 h
    assert best["billed_hours"] == pytest.approx(6.0511, abs=1e-4)
    assert best["total_usd"] == pytest.approx(0.34 * 6.05111 + 60 * 0.15 / 720 * 6.05111, abs=1e-4)
    assert best["not_counted"] == []
    simulated = answer["offers"][1]
    assert simulated["gpu_name_raw"].endswith("(simulated)") and simulated["not_counted"] == ["boot time", "time for the data"]
    assert (answer["found"], answer["disk_gb"], answer["failures"], answer["changed"]) == (5, 60.0, [], False)
    assert answer["asked_at"].endswith("Z")


def test_narrowing(fake):
    got = call(
        fake,
        {"region": ["us"]},
        {"min_reliability": 0.95, "vram_gb": 24, "gpu": ["RTX 3090", "L40S"]},
        {"max_price": 0.25},
        {"count": 2},
        {"vram_gb": 40, "limit": 1},
        {"disk_gb": 501},
        providers=["vast"],
    )
    assert [ids(answer) for answer in got] == [[("vast", "2")], [("vast", "3")], [("vast", "4")], [], [("vast", "3")], []]


def test_interruptible_ones_are_shown_when_asked_for(fake):
    answer = call(fake, interruptible="either", gpu=["L40S"], providers=["vast"])
    assert [(row["id"], row["interruptible"], row["price_per_hour"]) for row in answer["offers"]] == [("3", True, 0.5), ("3", False, 0.9)]


def test_query_and_limit(fake):
    answer = call(fake, query="[?trust == 'verified'].{id: id, usd: total_usd}", limit=2, providers=["vast"])
    assert [row["id"] for row in answer["result"]] == ["4", "1"] and len(answer["offers"]) == 2 and answer["found"] == 4
    assert call(fake, query="[0].gpu_model", providers=["vast"])["result"] == "RTX 3090"


def test_one_that_fails_is_named_and_the_others_stand(fake):
    fake.fault("search", "html", times=-1)
    answer = call(fake, gpu=["RTX 4090"])
    assert {row["provider"] for row in answer["offers"]} == {"rehearsal"}
    assert [(failure["provider"], failure["account"]) for failure in answer["failures"]] == [("vast", "vast")]
    assert "answered a web page instead of its API" in answer["failures"][0]["message"]
    assert "No offers of the account 'vast': Vast.ai at" in json.dumps(answer["warnings"])


@pytest.mark.parametrize(("content", "why"), [(None, "Is a directory"), (b"\xff\xfe\x00", "it is not text")], ids=["folder", "binary"])
@pytest.mark.parametrize("named", [{}, {"providers": ["vast", "runpod", "rehearsal"]}], ids=["found", "named"])
def test_a_key_file_that_cannot_be_read_stops_its_own_provider_alone(fake, tmp_path, content, why, named):
    file = tmp_path / ".runpod" / "config.toml"
    file.parent.mkdir()
    file.mkdir() if content is None else file.write_bytes(content)
    answer = call(fake, gpu=["RTX 4090"], env={"HOME": str(tmp_path), "RUNPOD_API_KEY": ""}, **named)
    assert {row["provider"] for row in answer["offers"]} == {"vast", "rehearsal"}
    told = "The key file ~/.runpod/config.toml of RunPod cannot be read: %s." % why
    assert answer["failures"] == [{"provider": "runpod", "account": "runpod", "message": told}]
    assert "No offers of the account 'runpod': " + told in json.dumps(answer["warnings"])
    assert not any("no credentials were found" in note and "RunPod" in note for note in answer["notes"])


def test_when_nobody_can_be_built_it_is_an_error(fake, tmp_path):
    (tmp_path / ".runpod.yaml").mkdir()
    answer = call(fake, providers=["runpod"], env={"HOME": str(tmp_path), "RUNPOD_API_KEY": ""})
    assert answer["failed"] and answer["msg"] == "The key file ~/.runpod.yaml of RunPod cannot be read: Is a directory."
    assert [failure["provider"] for failure in answer["failures"]] == ["runpod"]


def test_when_all_fail_it_is_an_error(fake):
    fake.fault("search", "500", times=-1)
    answer = call(fake, providers=["vast"])
    assert answer["failed"] and "failed to search offers" in answer["msg"] and answer["failures"][0]["provider"] == "vast"


def test_a_wrong_key_is_named_without_being_shown(fake):
    answer = call(fake, env={"VAST_API_KEY": "another-key-that-is-wrong"})
    assert "refused the API key" in answer["failures"][0]["message"] and "another-key" not in json.dumps(answer)


def test_no_provider_that_lists_offers(fake):
    answer = call(fake, env={"VAST_API_KEY": "", "RENTED_GPU_REHEARSAL": "0"})
    assert answer["failed"] and "No account of any provider was found" in answer["msg"]


MISTAKES = [
    ({"count": 0}, "'count' is 1 or more, not 0."),
    ({"hours": -1}, "'hours' is above 0, not -1.0."),
    ({"hours": "nan"}, "'hours' is above 0, not nan."),
    ({"min_reliability": 95}, "'min_reliability' is between 0 and 1 (0.95 means 95 %), not 95.0."),
    ({"max_price": 0}, "'max_price' is above 0, not 0.0."),
    ({"vram_gb": 0}, "'vram_gb' is above 0, not 0.0."),
    ({"data_gb": -5}, "'data_gb' is 0 or more, not -5.0."),
    ({"limit": -1}, "'limit' is 0 (all) or more, not -1."),
    ({"region": [False]}, 'A region is false: YAML reads NO as false. Write it with quotes: "NO".'),
    ({"gpu": ["RTX 4090", " "]}, "'gpu' has an empty item."),
    ({"query": "[?"}, "The query '[?' is not JMESPath. Invalid jmespath expression: Incomplete expression"),
    ({"query": "sum([].gpu_model)"}, "The query 'sum([].gpu_model)' cannot be evaluated: sum() takes array-number and got str."),
    ({"providers": ["vats"]}, "There is no provider 'vats'. Did you mean 'vast'?"),
    ({"provider": "vast", "providers": ["vast"]}, "parameters are mutually exclusive: provider|providers"),
    ({"interruptible": "yes"}, "value of interruptible must be one of: never, either, only"),
    ({"endpoint": "https://vast.example", "providers": ["vast"]}, "'endpoint' belongs to one provider: name it with 'provider'."),
]


def test_one_sentence_for_each_mistake(fake):
    several = [given if "provider" in given else {"providers": ["vast"], **given} for given, _sentence in MISTAKES]
    for (_given, sentence), answer in zip(MISTAKES, call(fake, *several)):
        assert answer["failed"] and answer["msg"].startswith(sentence)
    assert len(fake.calls("search")) == 1  # only the query that does not fit can be known too late


def test_what_is_probably_not_meant_is_said_and_asked_for(fake):
    answer = call(fake, gpu=["RTX 4909", "RTX 4090"], disk_gb=10, data_gb=40, providers=["vast"])
    said = json.dumps(answer["warnings"])
    assert "'RTX 4909' is not a GPU that this collection knows; it is looked for as it is. Did you mean 'RTX 4090'?" in said
    assert "disk of 10 GB is smaller than the data and results together (40 GB)" in said
    assert len(answer["offers"]) == 2 and "'RTX 4090' is not a GPU" not in said


# --- what is said of providers, computed from what they are ------------------------------------------------------------


def test_notes_come_from_what_the_providers_are(monkeypatch):
    from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
    from ansible_collections.rented.gpu.plugins.module_utils._providers._base import CanListOffers, Provider
    from ansible_collections.rented.gpu.plugins.module_utils._renting._fan_out import Answer
    from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer, Wish

    class Silent(Provider):
        NAME, TITLE = "silent", "Silent"

        def list_instances(self):
            return []

    class Unpriced(Silent, CanListOffers):
        NAME, TITLE = "unpriced", "Unpriced"
        NO_PRICES = "its API has no prices; see https://unpriced.example/prices."

        def list_offers(self, wish):
            return []

    monkeypatch.setitem(PROVIDERS, "unpriced", Unpriced)
    silent, unpriced = Silent(), Unpriced()
    answered = [Answer(unpriced, [Offer("unpriced", "unpriced", "1", gpu_count=1), Offer("unpriced", "unpriced", "2", gpu_count=8)])]
    notes = offer_info.notes_of([silent, unpriced], [], answered, Wish(max_price_per_hour=1.0), False)
    assert notes[:3] == [
        "Silent cannot say from here what can be rented; look at its web page.",
        "Unpriced: its API has no prices; see https://unpriced.example/prices.",
        "Unpriced: offers without a price were left out, because 'max_price' is given (1).",
    ]
    assert notes[3].startswith("Not asked, because no credentials were found: ") and "Vast.ai" in notes[3] and "Unpriced" not in notes[3]
    assert offer_info.notes_of([unpriced], [], [Answer(unpriced, [])], Wish(), True) == [notes[1]]
    unpriced.NO_PRICES = "Unpriced has no prices in its API."
    assert offer_info.notes_of([unpriced], [], [Answer(unpriced, [])], Wish(), True) == ["Unpriced has no prices in its API."]
