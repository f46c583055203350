# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What renting has in common at every provider. That each of them does it, and before anything is sent, is in its own tests."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import PartlyCreated, RentedError, Unsupported
from ansible_collections.rented.gpu.plugins.module_utils._renting import _launching
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest


def request(**fields):
    return LaunchRequest(**{"name": "homework", "gpu": "T4", **fields})


# --- options ---


def test_options_without_a_value_are_left_out():
    found = _launching.options_of(request(options={"volume_gb": 0, "cloud": None}), ("cloud", "volume_gb"), "Acme Cloud", "acme")
    assert found == {"volume_gb": 0}


@pytest.mark.parametrize("value", ["x", None])
def test_an_unknown_option_is_refused_even_without_a_value(value):
    with pytest.raises(RentedError) as caught:
        _launching.options_of(request(options={"clud": value}), ("cloud", "volume_gb"), "Acme Cloud", "acme")
    assert (caught.value.message, caught.value.provider) == ("Acme Cloud takes no launch option 'clud'. Did you mean 'cloud'?", "acme")


# --- what cannot be ---

NO_PRICES = "Acme Cloud's API tells no prices; they are at https://acme.example/prices."
REFUSED = [
    ({"interruptible": True}, {}, "Acme Cloud rents nothing interruptible. Leave 'interruptible' out, or ask another provider."),
    ({"bid_per_hour": 0.2}, {}, "Acme Cloud takes no bids. Leave 'bid_per_hour' out."),
    (
        {"bid_per_hour": 0.2, "interruptible": True},
        {"interruptible": True},
        "Acme Cloud takes no bids, but says itself what an interruptible instance costs. Leave 'bid_per_hour' out.",
    ),
    (
        {"max_price_per_hour": 1.0},
        {"no_prices": NO_PRICES},
        "A limit of the price cannot be kept. %s Look there, and leave 'max_price_per_hour' out." % NO_PRICES,
    ),
]


@pytest.mark.parametrize(("asked", "facts", "sentence"), REFUSED)
def test_what_a_provider_cannot_do_is_refused(asked, facts, sentence):
    with pytest.raises(Unsupported) as caught:
        _launching.refuse_what_cannot_be(request(**asked), "Acme Cloud", "acme", **facts)
    assert (caught.value.message, caught.value.provider) == (sentence, "acme")


def test_a_bid_goes_with_interruptible():
    with pytest.raises(RentedError, match="say 'interruptible: true' too, or leave it out"):
        _launching.refuse_what_cannot_be(request(bid_per_hour=0.2), "Acme Cloud", "acme", interruptible=True, bids=True)


@pytest.mark.parametrize(
    ("asked", "facts"),
    [
        ({}, {"no_prices": NO_PRICES}),
        ({"max_price_per_hour": 1.0}, {}),
        ({"interruptible": True}, {"interruptible": True}),
        ({"interruptible": True, "bid_per_hour": 0.2}, {"interruptible": True, "bids": True}),
    ],
)
def test_what_it_can_do_is_not_refused(asked, facts):
    assert _launching.refuse_what_cannot_be(request(**asked), "Acme Cloud", "acme", **facts) is None


# --- what was rented and must go ---


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ((), "What this had created was destroyed again: a, b."),
        (("b",), "What this had created could not be destroyed and may be billed: b (Acme Cloud is down). Destroy it now."),
    ],
)
def test_what_went_half_is_destroyed_and_named(broken, sentence):
    destroyed = []

    def destroy(instance_id):
        if instance_id in broken:
            raise RentedError("Acme Cloud is down.")
        destroyed.append(instance_id)

    error = _launching.given_back("Acme Cloud", "acme", "it is too dear.", ["a", "b"], destroy)
    assert isinstance(error, PartlyCreated) and (error.instance_id, error.provider) == ("a", "acme")
    assert error.message == "Renting at Acme Cloud failed: it is too dear. " + sentence
    assert destroyed == [one for one in "ab" if one not in broken]


# --- words ---


@pytest.mark.parametrize(
    ("asked", "gpus", "said"),
    [
        ({}, None, "1× T4"),
        ({"gpu": None}, None, "1× any GPU"),
        (
            {"gpu_count": 2, "region": "US", "max_price_per_hour": 0.5, "interruptible": True},
            None,
            "2× T4 in US for up to 0.500 USD/h, interruptible",
        ),
        ({"region": "US"}, "gpu_1x_t4", "gpu_1x_t4 in US"),
    ],
)
def test_what_was_asked_for_in_words(asked, gpus, said):
    assert _launching.words(request(**asked), gpus) == said


def test_another_name_is_said_where_no_gpu_is_given():
    assert _launching.gpu_words(request(gpu=None), "NVIDIA L4") == "1× NVIDIA L4"
    assert _launching.gpu_words(request(), "NVIDIA L4") == "1× T4"
