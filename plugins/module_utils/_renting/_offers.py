# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which offers fit a wish, what the whole job costs on each, and which is best. Pure: no requests.

What is not known is not counted, and is named. docs/offers.md says the same in words for users.
"""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _regions
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import HOURS_PER_MONTH, OFFER_FIELDS, Offer, Wish

IMAGE_GB = 6.0  # a container image with CUDA and torch has 4 to 10 GB on the wire
VM_BOOT_HOURS = 5 / 60  # from the request to the first login; an estimate, VMs usually take two to five minutes
LEAST_MBPS = 0.001  # a link said to be slower was not measured
SECONDS_PER_GB = 8000.0  # at one Mbit/s: 10^9 bytes are 8000 Mbit
DIGITS = 4

# What may be missing in a total, in the words of its reader.
NO_PRICE = "price"
NO_BOOT = "boot time"
NO_DATA_TIME = "time for the data"
NO_RESULTS_TIME = "time for the results"
NO_STORAGE = "storage price"
NO_DATA_PRICE = "price of traffic in"
NO_RESULTS_PRICE = "price of traffic out"

# Countries that GPUs are rented in, and their names as providers write them out.
COUNTRIES = {
    "AE": "United Arab Emirates",
    "AR": "Argentina",
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "BG": "Bulgaria",
    "BH": "Bahrain",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "CL": "Chile",
    "CN": "China",
    "CZ": "Czechia",
    "DE": "Germany",
    "DK": "Denmark",
    "EE": "Estonia",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "GR": "Greece",
    "HK": "Hong Kong",
    "HR": "Croatia",
    "HU": "Hungary",
    "ID": "Indonesia",
    "IE": "Ireland",
    "IL": "Israel",
    "IN": "India",
    "IS": "Iceland",
    "IT": "Italy",
    "JP": "Japan",
    "KR": "South Korea",
    "LT": "Lithuania",
    "LV": "Latvia",
    "MX": "Mexico",
    "MY": "Malaysia",
    "NL": "Netherlands",
    "NO": "Norway",
    "NZ": "New Zealand",
    "PL": "Poland",
    "PT": "Portugal",
    "QA": "Qatar",
    "RO": "Romania",
    "RS": "Serbia",
    "SA": "Saudi Arabia",
    "SE": "Sweden",
    "SG": "Singapore",
    "SI": "Slovenia",
    "SK": "Slovakia",
    "TH": "Thailand",
    "TR": "Turkey",
    "TW": "Taiwan",
    "UA": "Ukraine",
    "US": "United States",
    "VN": "Vietnam",
    "ZA": "South Africa",
}
CODES = {name.lower(): code.lower() for code, name in COUNTRIES.items()}


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a job costs on an offer. USD and hours; None where it is not known, 0.0 where there is nothing to count.

    ``billed_hours`` are the work, the boot and both transfers, as far as they are known; ``unknown`` names what is not counted.
    ``total_usd`` is None for an offer without a price.
    """

    total_usd: float | None
    gpu_usd: float | None
    storage_usd: float | None
    data_usd: float | None
    results_usd: float | None
    billed_hours: float
    boot_hours: float | None
    data_hours: float | None
    results_hours: float | None
    unknown: tuple

    def as_dict(self) -> dict:
        """A plain dict, rounded for people."""
        return dict({name: _rounded(getattr(self, name)) for name in COST_FIELDS}, not_counted=list(self.unknown))


COST_FIELDS = tuple(field.name for field in dataclasses.fields(Cost) if field.name != "unknown")
ROW_FIELDS = ("rank", *OFFER_FIELDS, *COST_FIELDS, "not_counted")  # of a ranked offer


# --- which offers fit ------------------------------------------------------------------------------------------------


def fits(offer: Offer, wish: Wish) -> bool:
    """Whether the offer is what the wish asks for.

    What the offer does not say passes only where nothing is asked of it, with two exceptions: a datacenter without a figure passes
    any ``min_reliability``, and an offer that does not call itself interruptible counts as one that is not. A disk of unknown size passes.
    """
    if wish.gpus and not any(is_gpu(offer, asked) for asked in wish.gpus):
        return False
    if offer.gpu_count != wish.gpu_count:
        return False
    if wish.gpu_vram_mb and not has_vram(offer, wish.gpu_vram_mb):
        return False
    if wish.max_price_per_hour is not None and (offer.price_per_hour is None or offer.price_per_hour > wish.max_price_per_hour):
        return False
    if wish.min_reliability is not None:
        enough = offer.trust == "datacenter" if offer.reliability is None else offer.reliability >= wish.min_reliability
        if not enough:
            return False
    if wish.regions and not any(is_in(offer.region, place) for place in wish.regions):
        return False
    if wish.interruptible is not None and bool(offer.interruptible) is not wish.interruptible:
        return False
    return offer.disk_gb is None or offer.disk_gb >= wish.disk_gb


def is_gpu(offer: Offer, asked: str) -> bool:
    """Whether the offer has this GPU, in any spelling. "A100 80GB" asks for a size too, "H100 SXM" for a board."""
    return _gpu_names.is_meant(_gpu_names.normalise(asked), _gpu_names.GpuName(offer.gpu_model, offer.gpu_variant, vram_mb(offer)))


def has_vram(offer: Offer, least_mb: float) -> bool:
    """Whether each GPU has so much memory; 7 % less will do, because drivers report less than what is sold."""
    size = vram_mb(offer)
    return size is not None and size >= least_mb * (1 - _gpu_names.TOLERANCE)


def vram_mb(offer: Offer) -> int | None:
    """MiB per GPU: what the offer says, else what the model usually has."""
    return _gpu_names.usual_vram_mb(_gpu_names.GpuName(offer.gpu_model, offer.gpu_variant, offer.gpu_vram_mb))


def is_in(region: str | None, place: str) -> bool:
    """Whether a region is in a place: a country's code or name, or a part of the region's own name; case does not matter.

    "US" is "California, US", "Texas, United States" and "us-east-1", but not "australia-southeast1"; "CA" is Canada, and never "us-ca-2".
    Of regions of AWS and Google Cloud the country is known too: "IE" is "eu-west-1".
    """
    if not region:
        return False
    here, wanted = region.lower(), place.strip().lower()
    code = {"uk": "gb"}.get(wanted, wanted if len(wanted) == 2 else CODES.get(wanted))
    if code is None:
        return wanted in here
    known = _regions.country(here)
    if known and code.upper() in COUNTRIES:
        return code.upper() == known
    last = here.rpartition(",")[2].strip()
    words = re.split(r"[^a-z0-9]+", here)
    if "," in here and len(last) == 2:  # "San Jose, CA, US": the country is the last
        return last == code
    if words[0].upper() in COUNTRIES:  # "us-ca-2": the country is the first
        return words[0] == code
    name = COUNTRIES.get(code.upper(), "").lower()
    return code in words or bool(name and name in here)


# --- what a job costs ------------------------------------------------------------------------------------------------


def cost(offer: Offer, wish: Wish, image_gb: float = IMAGE_GB, hours_per_month: float = HOURS_PER_MONTH) -> Cost:
    """The whole job on this offer.

    Hours: the work, the boot (``image_gb`` over the offer's link for a container, `VM_BOOT_HOURS` for a VM), the data in and the results
    out over the offer's link. USD: price per hour times these hours, storage for the same hours, and traffic by the GB.
    The image is not counted as traffic, and taxes are not counted at all.
    """
    unknown = []

    def known(value, name):
        if value is None:
            unknown.append(name)
        return value

    boot = known(_boot_hours(offer, image_gb), NO_BOOT)
    data = known(_transfer_hours(wish.data_gb, offer.inet_down_mbps), NO_DATA_TIME)
    results = known(_transfer_hours(wish.results_gb, offer.inet_up_mbps), NO_RESULTS_TIME)
    hours = wish.hours + sum(part for part in (boot, data, results) if part is not None)
    gpu = known(_times(offer.price_per_hour, hours), NO_PRICE)
    storage = known(_times(offer.storage_price_per_gb_month, wish.disk_gb * hours / hours_per_month), NO_STORAGE)
    data_usd = known(_times(offer.inet_down_price_per_gb, wish.data_gb), NO_DATA_PRICE)
    results_usd = known(_times(offer.inet_up_price_per_gb, wish.results_gb), NO_RESULTS_PRICE)
    total = None
    if gpu is not None:
        total = gpu + sum(part for part in (storage, data_usd, results_usd) if part is not None)
    return Cost(total, gpu, storage, data_usd, results_usd, hours, boot, data, results, tuple(unknown))


def _boot_hours(offer: Offer, image_gb: float) -> float | None:
    if offer.kind == "vm":
        return VM_BOOT_HOURS
    if offer.kind == "container":
        return _transfer_hours(image_gb, offer.inet_down_mbps)
    return None


def _transfer_hours(gigabytes: float, mbps: float | None) -> float | None:
    if not gigabytes:
        return 0.0
    return gigabytes * SECONDS_PER_GB / mbps / 3600 if mbps and mbps >= LEAST_MBPS else None


def _times(price: float | None, amount: float) -> float | None:
    if not amount:
        return 0.0
    return None if price is None else price * amount


def _rounded(value):
    return None if value is None else round(value, DIGITS)


# --- which is best ---------------------------------------------------------------------------------------------------


def rank(offers, wish: Wish, image_gb: float = IMAGE_GB, months=None) -> list:
    """``(offer, cost)``, the cheapest total first, those without a price last. Offers that fit less are not left out here.

    ``months`` gives the hours of a month by provider, where they are not the usual ones. The order of ``offers`` does not matter.
    """
    months = months or {}
    priced = [(offer, cost(offer, wish, image_gb, months.get(offer.provider, HOURS_PER_MONTH))) for offer in offers]
    return sorted(priced, key=_order)


def _order(entry: tuple) -> tuple:
    offer, price = entry
    # Equal totals: the one with less that is not counted, then by name, so that two runs show the same.
    tie = (len(price.unknown), offer.provider, offer.account, offer.id, bool(offer.interruptible), repr(offer))
    return (price.total_usd is None, price.total_usd or 0.0, *tie)
