# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Offers: what a row of a search says, and what a search asks for. Facts: the API file, and the columns of the official client."""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._providers._vast import machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._vast.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _offers, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Offer, Wish

DEFAULT_DISK_GB = 20
LEAST_DISK_GB = 8

# Our model -> names that Vast has for it, where they differ.
VAST_NAMES = {
    "A100": ("A100 PCIE", "A100 SXM4", "A100 SXM"),
    "H100": ("H100 PCIE", "H100 SXM", "H100 NVL"),
    "H200": ("H200", "H200 NVL", "H200 SXM"),
    "RTX 6000": ("Q RTX 6000",),
    "RTX 8000": ("Q RTX 8000",),
    "RTX PRO 6000": ("RTX PRO 6000 WS", "RTX PRO 6000 S"),
    "T4": ("Tesla T4",),
    "V100": ("Tesla V100",),
    "P100": ("Tesla P100",),
    "P40": ("Tesla P40",),
}


def offer(row: dict, account: str, interruptible: bool) -> Offer:
    """One row of a search. The price is the GPUs' alone: the least bid of an interruptible, else ``dph_base``.

    ``inet_down_cost`` and ``inet_up_cost`` are USD per GB, ``storage_cost`` USD per GB and month, ``disk_space`` the most GB to be had.
    ``inet_down`` and ``inet_up`` are Mbit/s, as the client's own columns say, though the API file calls them MB/s.
    """
    gpu = _gpu_names.normalise(_values.text(row.get("gpu_name")), _values.number(row.get("gpu_ram")))
    return Offer(
        provider=NAME,
        account=account,
        id=_values.text(row["id"]) or "",
        kind="container",
        gpu_name_raw=_values.text(row.get("gpu_name")),
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=_values.whole(row.get("num_gpus")),
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(row.get("cpu_cores_effective")),
        ram_gb=machines.ram_share(row),
        disk_gb=_values.number(row.get("disk_space")),
        region=_values.text(row.get("geolocation")),
        price_per_hour=_values.number(row.get("min_bid")) if interruptible else without_disk(row),
        storage_price_per_gb_month=_values.number(row.get("storage_cost")),
        inet_down_price_per_gb=_values.number(row.get("inet_down_cost")),
        inet_up_price_per_gb=_values.number(row.get("inet_up_cost")),
        inet_down_mbps=_values.number(row.get("inet_down")),
        inet_up_mbps=_values.number(row.get("inet_up")),
        interruptible=interruptible,
        trust=machines.trust(row),
        reliability=_values.number(row.get("reliability2", row.get("reliability"))),
        cuda_max=_values.text(row.get("cuda_max_good")),
        machine_id=_values.text(row.get("machine_id")),
        options={"offer_id": row["id"]},
    )


def without_disk(row: dict) -> float | None:
    """USD per hour of an offer without its disk: ``dph_base``, or what is left of ``dph_total``."""
    base, total, disk = (_values.number(row.get(key)) for key in ("dph_base", "dph_total", "storage_total_cost"))
    if base is None and total is not None and disk is not None:
        return round(total - disk, 6)
    return base


# --- the search ------------------------------------------------------------------------------------------------------


def vast_names(asked: str) -> list:
    """Every way in which Vast may write a GPU."""
    model = _gpu_names.normalise(asked).model or asked
    short = re.sub(r" Ti SUPER$", "S Ti", re.sub(r" Ada$", "Ada", model))
    short = re.sub(r" SUPER$", "S", short)
    names = [model, short, *VAST_NAMES.get(model, ()), " ".join(asked.replace("_", " ").split())]
    return list(dict.fromkeys(names))


def _code(region: str | None) -> str | None:
    """The code of a country as the search takes it; None for another place."""
    code = (region or "").upper()
    return {"UK": "GB"}.get(code, code) if re.match(r"^[A-Z]{2}$", code) else None


def disk_gb(request: LaunchRequest) -> float:
    """GB of disk that are rented."""
    return max(float(request.disk_gb or DEFAULT_DISK_GB), LEAST_DISK_GB)


def search_query(request: LaunchRequest, options: dict) -> dict:
    """The filters of the search, in Vast's form. The price of what is rented includes the disk asked for."""
    query: dict = {
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "num_gpus": {"eq": int(request.gpu_count or 1)},
        "disk_space": {"gte": disk_gb(request)},
        "direct_port_count": {"gte": 1},
    }
    if options.get("verified", True):
        query["verified"] = {"eq": True}
    if options.get("datacenter"):
        query["datacenter"] = {"eq": True}
    if request.gpu:
        query["gpu_name"] = {"in": vast_names(request.gpu)}
        size = _gpu_names.normalise(request.gpu).vram_mb
        if size:
            query["gpu_ram"] = {"gte": int(size * (1 - _gpu_names.TOLERANCE)), "lte": int(size * (1 + _gpu_names.TOLERANCE))}
    if _code(request.region):
        query["geolocation"] = {"in": [_code(request.region)]}
    if request.max_price_per_hour is not None and not request.interruptible:
        query["dph_total"] = {"lte": float(request.max_price_per_hour)}
    query.update(options.get("query") or {})
    return query


def wish_query(wish: Wish) -> dict:
    """The filters of a search for a wish. They only narrow: who asked looks at each offer again."""
    query: dict = {
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "verified": {"eq": True},
        "direct_port_count": {"gte": 1},
        "num_gpus": {"eq": wish.gpu_count},
        "disk_space": {"gte": max(float(wish.disk_gb), LEAST_DISK_GB)},
    }
    if wish.gpus:
        query["gpu_name"] = {"in": list(dict.fromkeys(name for asked in wish.gpus for name in vast_names(asked)))}
    if wish.gpu_vram_mb:
        query["gpu_ram"] = {"gte": int(wish.gpu_vram_mb * (1 - _gpu_names.TOLERANCE))}
    if wish.regions and all(_code(place) for place in wish.regions):
        query["geolocation"] = {"in": [_code(place) for place in wish.regions]}
    return query


def id_query(number: int, options: dict) -> dict:
    """The filters of a search for one offer that is not taken yet."""
    return {"rentable": {"eq": True}, "rented": {"eq": False}, **(options.get("query") or {}), "id": {"eq": number}}


def fits(offer: dict, request: LaunchRequest, options: dict | None = None) -> bool:
    """Whether an offer of a search is what is asked for."""
    return misfit(offer, request, options or {}) is None


def misfit(offer: dict, request: LaunchRequest, options: dict, chosen: bool = False) -> str | None:
    """What speaks against an offer, as a clause; None when nothing does. Filters of a search are not always honoured.

    What an offer does not say speaks against nothing, but for the GPU, the price under a limit, and a place that no filter knows. A filter
    that the user gives replaces the default. Of one that is ``chosen`` by its id only that counts which was asked for.
    """
    own = options.get("query") or {}
    return next((reason for field, reason in _reasons(offer, request, options, chosen) if field not in own), None)


def _reasons(offer: dict, request: LaunchRequest, options: dict, chosen: bool):
    """``(filter, clause)`` of all that speaks against an offer; no filter where it counts whatever the user's own are."""
    if request.gpu:
        asked = _gpu_names.normalise(request.gpu)
        got = _gpu_names.normalise(_values.text(offer.get("gpu_name")), _values.number(offer.get("gpu_ram")))
        # The size has a filter of its own, which the user may replace.
        if not _gpu_names.is_meant(asked._replace(vram_mb=None), got._replace(vram_mb=None)):
            yield None, f"its GPU is {offer.get('gpu_name') or 'not known'} and not {request.gpu}"
        elif asked.vram_mb and got.vram_mb and not _gpu_names.same_size(asked.vram_mb, got.vram_mb):
            sizes = tuple(_gpu_names.sold_gb(size) or round(size / 1024) for size in (got.vram_mb, asked.vram_mb))
            yield "gpu_ram", "its GPUs have %d GB each and not %d" % sizes
    limit = request.max_price_per_hour
    price = _values.number(offer.get("min_bid" if request.interruptible else "dph_total"))
    if limit is not None and price is None:
        yield None, "its price is not known"
    elif limit is not None and price is not None and price > limit:
        yield None, ("its least bid is %.3f USD/h" if request.interruptible else "it costs %.3f USD/h with its disk") % price
    count, wanted = _values.whole(offer.get("num_gpus")), request.gpu_count or (None if chosen else 1)
    if count is not None and wanted is not None and count != wanted:
        yield "num_gpus", f"it has {count:.0f} GPUs and not {wanted}"
    place = str(offer.get("geolocation") or "").strip()
    if request.region and not (_offers.is_in(place, request.region) or (not place and _code(request.region))):
        yield "geolocation", f"it is in {place or 'an unknown place'}"
    trust = offer.get("verification")
    if options.get("verified", not chosen) and isinstance(trust, str) and trust != "verified":
        yield "verified", f"its machine is '{trust}'"
    if options.get("datacenter") and offer.get("hosting_type") not in (None, 1):
        yield "datacenter", "it is in no data centre"
    room = _values.number(offer.get("disk_space"))
    if room is not None and room < disk_gb(request):
        yield "disk_space", f"it has room for {room:.0f} GB of disk"
    if not chosen and _values.number(offer.get("direct_port_count")) == 0:
        yield "direct_port_count", "it has no port for direct SSH"
    if offer.get("rentable") is False or offer.get("rented") is True:
        yield "rented", "it is rented"
