# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of offers at every width, what stands under it, and the same as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules, _offers
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer, Wish
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _offer_table


def answer(*offers, **fields):
    ranked = _offers.rank(offers, Wish(hours=6, data_gb=10))
    rows = [dict(offer.as_dict(), rank=number, **cost.as_dict()) for number, (offer, cost) in enumerate(ranked, 1)]
    known = {"offers": rows, "found": len(rows), "failures": [], "notes": [], "asked_at": "2026-11-25T10:40:31Z", "disk_gb": 30.0}
    return dict(known, **fields)


def offer(number, **fields):
    known = {
        "provider": "vast",
        "account": "vast",
        "id": str(number),
        "kind": "vm",
        "gpu_model": "RTX 4090",
        "gpu_count": 1,
        "gpu_vram_mb": 24564,
        "price_per_hour": 0.35,
        "storage_price_per_gb_month": 0.0,
        "inet_down_price_per_gb": 0.0,
        "inet_down_mbps": 1000.0,
        "region": "Oslo, NO",
        "trust": "verified",
        "reliability": 0.995,
    }
    return Offer(**dict(known, **fields))


MANY = [
    offer(7101),
    offer(7102, region="A place with a name as long as a novel, US", interruptible=True),
    offer(7103, provider="rehearsal", gpu_name_raw="NVIDIA A10 (simulated)", gpu_model="A10", gpu_vram_mb=23028, inet_down_mbps=None),
    offer(7104, provider="paperspace", gpu_model="A100", gpu_variant="SXM", gpu_vram_mb=81920, gpu_count=8, price_per_hour=None),
]


@pytest.mark.parametrize("width", [79, 100, 119, 200])
def test_the_table_is_no_wider_than_the_terminal(width):
    lines = _offer_table.text(answer(*MANY, notes=["A note that is much longer than any terminal is wide. " * 5]), width)
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines[2:6]] == ["1", "2", "3", "4"]


def test_what_a_narrow_terminal_does_without():
    def head(width):
        return _offer_table.text(answer(*MANY), width)[0].split()

    assert head(200) == ["#", "provider", "offer", "GPU", "$/hour", "hours", "total", "$", "place", "trust", "reliable", "spot"]
    assert head(79) == ["#", "provider", "GPU", "$/hour", "total", "$", "place", "spot"]
    assert head(10)[-1] == "spot"  # narrower than that is the terminal's affair


def test_offers_that_differ_by_their_place_only_are_one_line():
    same = {"provider": "aws", "instance_type": "g6.xlarge", "gpu_model": "L4", "trust": "datacenter", "reliability": None}
    places = [offer("%s/g6.xlarge" % place, region=place, **same) for place in ("ap-northeast-1", "eu-west-1", "us-east-1")]
    given = answer(offer(1, price_per_hour=0.1), *places, offer(2, price_per_hour=9.0), offer(3, price_per_hour=9.0, machine_id="7"))
    folded = _offer_table.fold(given, 0)
    lines = _offer_table.text(folded, 119)
    assert [line.split()[0] for line in lines[2:6]] == ["1", "2", "5", "6"]  # another machine is another offer
    assert " g6.xlarge " in lines[3] and " ap-northeast-1 +2 " in lines[3] and "+" not in lines[2] + lines[4]
    assert "+2 after a place: the same offer at 2 more." in lines and "The best" not in "".join(lines)
    assert len(given["offers"]) == 6  # as it was

    short = _offer_table.fold(given, 2)
    assert [row["id"] for row in short["offers"]] == ["1", "ap-northeast-1/g6.xlarge"]
    assert "The best 4 of 6 offers that fit." in _offer_table.below(short, 119)
    assert "  …rtheast-1 +2  " in _offer_table.text(folded, 90)[3]


def test_an_address_under_the_table_stays_whole():
    lines = _offer_table.below(answer(offer(1), notes=["They are at https://prices.example/gpus-of-all-kinds-and-all-sizes."]), 60)
    assert "  https://prices.example/gpus-of-all-kinds-and-all-sizes." in lines


def test_a_place_keeps_its_country_when_it_is_cut():
    assert "… a novel, US" in "\n".join(_offer_table.text(answer(*MANY), 79))


def test_numbers_stand_to_the_right_and_an_unknown_total_is_last():
    lines = _offer_table.text(answer(offer(1), offer(2, price_per_hour=12.5), offer(3, price_per_hour=None)), 119)
    assert len({line.index(".") for line in lines[2:4]}) == 1
    assert "unknown" in lines[4] and "12.500" in lines[3]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "RTX 4090 24 GB"),
        ({"gpu_count": 4, "gpu_model": "A100", "gpu_variant": "SXM", "gpu_vram_mb": 81920}, "4 x A100 SXM 80 GB"),
        ({"gpu_model": "L40S", "gpu_vram_mb": 46068}, "L40S 48 GB"),
        ({"gpu_model": "L40S", "gpu_vram_mb": None}, "L40S 48 GB"),
        ({"gpu_model": "A100", "gpu_vram_mb": None}, "A100"),
        ({"gpu_model": "A100", "gpu_variant": "MIG 1g.10gb", "gpu_vram_mb": 9728}, "A100 MIG 1g.10gb"),
        ({"gpu_model": None, "gpu_name_raw": "Wonder 1", "gpu_vram_mb": None}, "Wonder 1"),
        ({"gpu_name_raw": "NVIDIA GeForce RTX 4090 (simulated)"}, "RTX 4090 24 GB (simulated)"),
    ],
)
def test_gpus_in_words(fields, words):
    assert _offer_table.gpu(offer(1, **fields).as_dict()) == words


def test_what_stands_under_the_table():
    failures = [{"provider": "runpod", "account": "runpod", "message": "RunPod refused the API key (401). Check the key."}]
    below = " ".join(_offer_table.below(answer(*MANY, found=9, failures=failures, notes=["Paperspace has no prices."]), 400))
    assert below == (
        "The best 4 of 9 offers that fit. "
        "Spot: may be taken back at any time. "
        "Not known, so not counted (a total with +): price (paperspace); time for the data (rehearsal). "
        "FAILED: RunPod refused the API key (401). Check the key. "
        "Paperspace has no prices. "
        "Prices in USD of this minute (2026-11-25 10:40 UTC), without tax; totals with a disk of 30 GB."
    )


def test_no_offer_fits():
    assert _offer_table.text(answer(), 79)[0] == "No offer fits. Ask for less, pay more, or look in more places."


def test_text_from_elsewhere_does_not_control_the_terminal():
    lines = _offer_table.text(answer(offer(1, region="\x1b[2JOslo\nNO"), notes=["bad \x07 note"]), 119)
    assert not [line for line in lines if "\x1b" in line or "\x07" in line]


def test_what_a_query_gave():
    rows = [{"gpu": "RTX 4090", "usd": 1.25, "lacks": ["boot time"]}, {"gpu": "L40S", "usd": 2.0, "lacks": []}]
    assert _offer_table.text(answer(*MANY, result=rows), 79)[:4] == [
        "gpu       usd   lacks",
        "--------  ----  -------------",
        'RTX 4090  1.25  ["boot time"]',
        "L40S      2     []",
    ]
    assert _offer_table.text(answer(*MANY, result=1.25), 79)[0] == "1.25"
    assert _offer_table.text(answer(*MANY, result=["a"]), 79)[:3] == ["[", '  "a"', "]"]


def test_json_is_one_document():
    found = json.loads(_offer_table.as_json(answer(*MANY, notes=["ärger"], invocation={"x": 1})))
    assert set(found) == {"asked_at", "disk_gb", "found", "offers", "failures", "notes"}
    assert [row["id"] for row in found["offers"]] == [row["id"] for row in answer(*MANY)["offers"]]


def test_csv_is_read_back():
    given = answer(*MANY)
    rows = list(csv.DictReader(io.StringIO(_offer_table.as_csv(given))))
    assert [row["id"] for row in rows] == [row["id"] for row in given["offers"]]
    by_id = {row["id"]: row for row in rows}
    assert set(rows[0]) == set(_offers.ROW_FIELDS)
    assert [row["total_usd"] for row in rows] == ["" if row["total_usd"] is None else str(row["total_usd"]) for row in given["offers"]]
    assert (by_id["7102"]["interruptible"], by_id["7101"]["interruptible"], by_id["7104"]["total_usd"]) == ("true", "", "")
    assert (by_id["7104"]["not_counted"], by_id["7101"]["options"]) == ("price", "{}")


ODD = "a\u2028b\x85c\x0bd\x1ce\x9bf\rg\nh"  # each of these is the end of a line to str.splitlines, or a command to a terminal


def test_json_has_nothing_that_ends_a_line_or_moves_a_cursor():
    text = _offer_table.as_json(answer(offer(1, region=ODD)))
    assert json.loads(text)["offers"][0]["region"] == _field_rules.printable(ODD)
    assert text.splitlines() == text[:-1].split("\n") and "\x9b" not in text


def test_csv_of_nothing_has_a_header():
    assert _offer_table.as_csv(answer()).splitlines() == [",".join(_offers.ROW_FIELDS)]


@pytest.mark.parametrize("word", ["=cmd()", "+1", "-1", "@x"])
def test_a_spreadsheet_does_not_compute_text_from_elsewhere(word):
    rows = list(csv.DictReader(io.StringIO(_offer_table.as_csv(answer(offer(1, region=word))))))
    assert rows[0]["region"] == "'" + word


def test_csv_of_what_is_no_table():
    with pytest.raises(RentedError, match="Use the format json"):
        _offer_table.as_csv(answer(*MANY, result=3))
