# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What fits a wish, what a job costs (numbers worked out by hand), and what must hold for every ranking."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rented.gpu.plugins.module_utils._renting import _offers
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer, Wish


def offer(number=1, **fields):
    known = {
        "provider": "acme",
        "account": "acme",
        "id": str(number),
        "kind": "container",
        "gpu_model": "RTX 4090",
        "gpu_count": 1,
        "gpu_vram_mb": 24564,
        "disk_gb": 500.0,
        "region": "Oslo, NO",
        "price_per_hour": 0.4,
        "storage_price_per_gb_month": 0.15,
        "inet_down_price_per_gb": 0.01,
        "inet_up_price_per_gb": 0.02,
        "inet_down_mbps": 800.0,
        "inet_up_mbps": 400.0,
        "interruptible": False,
        "trust": "verified",
        "reliability": 0.99,
    }
    return Offer(**dict(known, **fields))


# --- what fits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "fields", "fits"),
    [
        ({}, {}, True),
        ({"gpus": ("rtx_4090",)}, {}, True),
        ({"gpus": ("L40S", "NVIDIA GeForce RTX 4090")}, {}, True),
        ({"gpus": ("RTX 3090",)}, {}, False),
        ({"gpus": ("RTX 4090",)}, {"gpu_model": "RTX 4090 D"}, False),
        ({"gpus": ("RTX 4090",)}, {"gpu_model": None}, False),
        ({"gpus": ("some new card",)}, {"gpu_model": "Some New Card"}, True),
        ({"gpus": ("H100 SXM",)}, {"gpu_model": "H100", "gpu_variant": "SXM"}, True),
        ({"gpus": ("H100 SXM",)}, {"gpu_model": "H100", "gpu_variant": "PCIe"}, False),
        ({"gpus": ("H100",)}, {"gpu_model": "H100", "gpu_variant": "PCIe"}, True),
        ({"gpus": ("A100 80GB",)}, {"gpu_model": "A100", "gpu_vram_mb": 81920}, True),
        ({"gpus": ("A100 80GB",)}, {"gpu_model": "A100", "gpu_vram_mb": 40960}, False),
        ({"gpus": ("A100 80GB",)}, {"gpu_model": "A100", "gpu_vram_mb": None}, False),
        ({"gpu_vram_mb": 24576}, {}, True),  # a driver's 24564
        ({"gpu_vram_mb": 24576}, {"gpu_vram_mb": 22888}, True),  # an A10G, sold with 24 GB
        ({"gpu_vram_mb": 24576}, {"gpu_vram_mb": 22800}, False),
        ({"gpu_vram_mb": 24576}, {"gpu_vram_mb": None}, True),  # an RTX 4090 has 24 GB
        ({"gpu_vram_mb": 24576}, {"gpu_vram_mb": None, "gpu_model": "A100"}, False),  # comes in two sizes
        ({"gpu_count": 2}, {}, False),
        ({"gpu_count": 2}, {"gpu_count": 2}, True),
        ({}, {"gpu_count": None}, False),
        ({"max_price_per_hour": 0.4}, {}, True),
        ({"max_price_per_hour": 0.39}, {}, False),
        ({"max_price_per_hour": 0.39}, {"price_per_hour": None}, False),
        ({}, {"price_per_hour": None}, True),
        ({"min_reliability": 0.99}, {}, True),
        ({"min_reliability": 0.995}, {}, False),
        ({"min_reliability": 0.9}, {"reliability": None}, False),
        ({"min_reliability": 0.9}, {"reliability": None, "trust": "datacenter"}, True),
        ({"min_reliability": 0.999}, {"reliability": 0.5, "trust": "datacenter"}, False),
        ({}, {"reliability": None}, True),
        ({"interruptible": False}, {"interruptible": True}, False),
        ({"interruptible": False}, {"interruptible": None}, True),
        ({"interruptible": True}, {"interruptible": None}, False),
        ({"interruptible": True}, {"interruptible": True}, True),
        ({"interruptible": None}, {"interruptible": True}, True),
        ({"interruptible": None}, {}, True),
        ({"disk_gb": 500}, {}, True),
        ({"disk_gb": 501}, {}, False),
        ({"disk_gb": 501}, {"disk_gb": None}, True),
        ({"regions": ("se", "no")}, {}, True),
        ({"regions": ("SE",)}, {}, False),
        ({"regions": ("SE",)}, {"region": None}, False),
    ],
)
def test_fits(wish, fields, fits):
    assert _offers.fits(offer(**fields), Wish(**wish)) is fits


@pytest.mark.parametrize(
    ("region", "inside", "outside"),
    [
        ("Oslo, NO", ["NO", "no", "Norway", "oslo", " Oslo "], ["SE", "slo va", "Sweden"]),
        ("California, US", ["US", "United States", "california"], ["CA", "Canada"]),
        ("San Jose, CA, US", ["US"], ["CA"]),
        ("Quebec, CA", ["CA", "Canada"], ["US"]),
        ("Texas, United States", ["US", "us", "United States"], ["GB"]),
        ("London, United Kingdom", ["UK", "GB"], ["US"]),
        ("us-east-1", ["US", "us-east", "us-east-1"], ["EU", "us-west"]),
        ("us-central1-a", ["US", "us-central1"], ["CE"]),
        ("US-CA-2", ["US"], ["CA"]),
        ("EU-RO-1", ["RO", "EU", "eu-ro"], ["US"]),
        ("eu-west-1", ["EU", "IE", "Ireland", "eu-west"], ["US", "GB", "DE"]),
        ("ap-northeast-1", ["JP", "Japan", "northeast"], ["KR", "US"]),
        ("sa-east-1", ["BR", "Brazil", "sa-east"], ["SA", "Saudi Arabia", "ZA"]),
        ("ca-central-1", ["CA", "Canada"], ["US"]),
        ("us-gov-west-1", ["US"], ["EU"]),
        ("europe-west4-a", ["NL", "Netherlands", "Europe", "europe-west4"], ["EU", "GB", "BE"]),
        ("europe-west2", ["UK", "GB", "United Kingdom"], ["NL"]),
        ("europe-west12-b", ["IT"], ["BE", "US"]),
        ("me-central2-c", ["SA", "Saudi Arabia"], ["AE", "QA"]),
        ("me-central-1", ["AE"], ["QA"]),
        ("northamerica-northeast1-b", ["CA"], ["US", "NO"]),
        ("australia-southeast1", ["AU", "Australia"], ["US"]),
        ("ny2", ["ny2", "ny2 "], ["US"]),
    ],
)
def test_places(region, inside, outside):
    assert [place for place in inside if not _offers.is_in(region, place)] == []
    assert [place for place in outside if _offers.is_in(region, place)] == []


# --- what a job costs --------------------------------------------------------------------------------------------------


def test_every_term_by_hand():
    """Image 10 GB at 800 Mbit/s: 100 s. Data 36 GB: 360 s. Results 9 GB at 400 Mbit/s: 180 s. With 6 h of work: 22240 s."""
    wish = Wish(hours=6, disk_gb=73, data_gb=36, results_gb=9)
    found = _offers.cost(offer(), wish, image_gb=10)
    assert found.boot_hours == pytest.approx(100 / 3600)
    assert found.data_hours == pytest.approx(0.1)
    assert found.results_hours == pytest.approx(0.05)
    assert found.billed_hours == pytest.approx(22240 / 3600)
    assert found.gpu_usd == pytest.approx(2.4711111)  # 0.40 * 6.17777…
    assert found.storage_usd == pytest.approx(0.0926667)  # 73 GB * 0.15 / 730 h = 0.015 USD/h
    assert found.data_usd == pytest.approx(0.36)
    assert found.results_usd == pytest.approx(0.18)
    assert found.total_usd == pytest.approx(2.4711111 + 0.0926667 + 0.36 + 0.18)
    assert found.unknown == ()


def test_a_month_may_have_720_hours():
    wish = Wish(hours=1, disk_gb=72)
    assert _offers.cost(offer(), wish, image_gb=0, hours_per_month=720).storage_usd == pytest.approx(0.015)


def test_a_vm_boots_in_five_minutes_whatever_the_image():
    found = _offers.cost(offer(kind="vm", inet_down_mbps=None), Wish(hours=1), image_gb=50)
    assert (found.boot_hours, found.billed_hours) == (pytest.approx(1 / 12), pytest.approx(13 / 12))
    assert found.unknown == ()


def test_what_is_free_or_not_needed_is_not_unknown():
    found = _offers.cost(
        offer(
            storage_price_per_gb_month=0.0,
            inet_down_price_per_gb=None,
            inet_up_price_per_gb=None,
            inet_up_mbps=None,
        ),
        Wish(hours=2),
        image_gb=0,
    )
    assert (found.total_usd, found.unknown) == (pytest.approx(0.8), ())


def test_what_is_not_known_is_named_and_not_counted():
    bare = Offer(provider="acme", account="acme", id="1", price_per_hour=1.0)
    found = _offers.cost(bare, Wish(hours=2, data_gb=5, results_gb=1))
    assert found.total_usd == pytest.approx(2.0)
    assert found.unknown == (
        "boot time",
        "time for the data",
        "time for the results",
        "storage price",
        "price of traffic in",
        "price of traffic out",
    )


def test_without_a_price_there_is_no_total():
    found = _offers.cost(offer(price_per_hour=None), Wish(hours=2))
    assert found.total_usd is None and found.gpu_usd is None and "price" in found.unknown
    assert found.storage_usd is not None


@pytest.mark.parametrize("speed", [0, -1, None])
def test_a_link_without_speed_is_an_unknown_one(speed):
    found = _offers.cost(offer(inet_down_mbps=speed), Wish(data_gb=1))
    assert (found.data_hours, found.boot_hours) == (None, None)


def test_as_a_dict_it_is_rounded_and_says_what_is_missing():
    found = _offers.cost(offer(inet_up_price_per_gb=None), Wish(hours=1 / 3, results_gb=1), image_gb=0).as_dict()
    assert found["not_counted"] == ["price of traffic out"] and "unknown" not in found
    assert found["billed_hours"] == pytest.approx(round(1 / 3 + 20 / 3600, 4), abs=1e-9)


# --- which is best -----------------------------------------------------------------------------------------------------

amounts = st.one_of(st.none(), st.floats(min_value=0, max_value=100, allow_nan=False))
some_offers = st.lists(
    st.builds(
        offer,
        number=st.integers(1, 5),
        provider=st.sampled_from(["acme", "vast"]),
        kind=st.sampled_from(["container", "vm", None]),
        price_per_hour=amounts,
        storage_price_per_gb_month=amounts,
        inet_down_price_per_gb=amounts,
        inet_up_price_per_gb=amounts,
        inet_down_mbps=amounts,
        inet_up_mbps=amounts,
        interruptible=st.sampled_from([True, False, None]),
    ),
    max_size=8,
)
wishes = st.builds(
    Wish,
    hours=st.floats(min_value=0.1, max_value=1000),
    disk_gb=st.floats(min_value=0, max_value=1000),
    data_gb=st.floats(min_value=0, max_value=1000),
    results_gb=st.floats(min_value=0, max_value=1000),
)

# A busy machine is not a defect of a ranking.
unhurried = settings(deadline=None)


def totals(ranked):
    return [price.total_usd for _offer, price in ranked]


def test_a_link_without_a_speed_is_not_known():
    """A figure next to nothing would make hours without end, and of them times nothing no number at all."""
    price = _offers.cost(offer(inet_down_mbps=2.3e-311, inet_up_mbps=0.0), Wish(data_gb=1.0, results_gb=1.0))
    assert price.unknown[:3] == (_offers.NO_BOOT, _offers.NO_DATA_TIME, _offers.NO_RESULTS_TIME) and price.billed_hours == 1.0


@unhurried
@given(some_offers, wishes, st.randoms(use_true_random=False))
def test_the_order_of_the_offers_does_not_matter(offers, wish, random):
    shuffled = list(offers)
    random.shuffle(shuffled)
    assert _offers.rank(shuffled, wish) == _offers.rank(offers, wish)


@unhurried
@given(some_offers, wishes)
def test_totals_ascend_and_those_without_come_last(offers, wish):
    found = totals(_offers.rank(offers, wish))
    known = [total for total in found if total is not None]
    assert known == sorted(known)
    assert found == known + [None] * (len(found) - len(known))
    assert len(found) == len(offers)


@unhurried
@given(some_offers, wishes, st.floats(min_value=0, max_value=100), st.floats(min_value=0, max_value=100))
def test_a_dearer_price_never_ranks_better(others, wish, price, more):
    def place(price_per_hour):
        mine = offer("mine", price_per_hour=price_per_hour)
        return [entry[0].id for entry in _offers.rank([*others, mine], wish)].index("mine")

    assert place(price + more) >= place(price)
    assert place(None) >= place(price)


def test_the_cheapest_hour_is_not_always_the_cheapest_job():
    slow = offer("slow", price_per_hour=0.30, inet_down_mbps=50.0, inet_down_price_per_gb=0.02)
    fast = offer("fast", price_per_hour=0.35, inet_down_mbps=2000.0, inet_down_price_per_gb=0.0)
    order = [entry[0].id for entry in _offers.rank([slow, fast], Wish(hours=1, data_gb=100))]
    assert order == ["fast", "slow"]
    order = [entry[0].id for entry in _offers.rank([slow, fast], Wish(hours=100))]
    assert order == ["slow", "fast"]


def test_each_provider_has_its_own_month():
    wish = Wish(hours=1, disk_gb=100)
    (_one, vast), (_two, acme) = _offers.rank([offer(), offer(provider="vast")], wish, image_gb=0, months={"vast": 7200.0})
    assert vast.storage_usd * 7200 == pytest.approx(acme.storage_usd * 730)


def test_an_offer_is_not_changed_by_being_ranked():
    mine = offer()
    before = dataclasses.asdict(mine)
    _offers.rank([mine], Wish())
    assert dataclasses.asdict(mine) == before
