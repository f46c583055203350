# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Countries of regions, held against what botocore says of each region of AWS."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._renting import _offers, _regions

botocore = pytest.importorskip("botocore", reason="the official client of AWS is not installed")

# Cities and short forms in the descriptions, "Europe (Frankfurt)".
CITIES = {
    "Cape Town": "ZA",
    "Taipei": "TW",
    "Tokyo": "JP",
    "Seoul": "KR",
    "Osaka": "JP",
    "Mumbai": "IN",
    "Hyderabad": "IN",
    "Sydney": "AU",
    "Jakarta": "ID",
    "Melbourne": "AU",
    "Frankfurt": "DE",
    "Zurich": "CH",
    "Stockholm": "SE",
    "Milan": "IT",
    "London": "GB",
    "Paris": "FR",
    "UAE": "AE",
    "Sao Paulo": "BR",
}


def described():
    """Region -> the code of its country, as botocore's description has it, for all regions that anybody may rent in."""
    partitions = json.loads((pathlib.Path(botocore.__file__).parent / "data" / "endpoints.json").read_text())["partitions"]
    found = {}
    for partition in partitions:
        if partition["partition"] not in ("aws", "aws-cn", "aws-us-gov", "aws-eusc"):
            continue
        for name, region in partition["regions"].items():
            words, place = re.match(r"(.+) \((.+)\)$", region["description"]).groups()
            found[name] = CITIES.get(place) or next(
                (code for code, country in _offers.COUNTRIES.items() if country in (place, words) or words.startswith(country + " ")),
                "US" if words.startswith("US ") or "GovCloud" in words else None,
            )
    return found


def test_every_region_of_aws_is_in_its_country_and_in_no_other():
    every = described()
    assert len(every) > 30 and set(_regions.AWS) <= set(every)
    for name, code in every.items():
        assert code, "%s lies in a place that this test does not know" % name
        assert [other for other in _offers.COUNTRIES if _offers.is_in(name, other)] == [code], name


@pytest.mark.parametrize("table", [_regions.AWS, _regions.GCP])
def test_each_entry_is_needed_and_names_a_country_that_is_known(table):
    assert set(table.values()) <= set(_offers.COUNTRIES)
    assert [name for name, code in table.items() if name.startswith(code.lower() + "-") or _offers.COUNTRIES[code].lower() in name] == []


def test_zones_are_in_the_country_of_their_region():
    for name, code in _regions.GCP.items():
        for place in (name, name + "-a", name.upper() + "-AI1A"):
            assert [other for other in _offers.COUNTRIES if _offers.is_in(place, other)] == [code], place
    assert _regions.country("us-central1-a") is _regions.country("eu-west") is _regions.country("") is None
