# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The catalogue of GPUs and data centres, and the offers in it.

Storage prices: runpod/docs, ``pods/pricing.mdx`` and ``pods/storage/types.mdx``, as of 2026-08-20; the API does not say them.
"""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod import machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer

DISK_USD_PER_GB_MONTH = 0.10  # container disk and volume, running
TRAFFIC_USD_PER_GB = 0.0  # neither way is billed
CLOUDS = ("SECURE", "COMMUNITY")
STOCK = ("HIGH", "MEDIUM", "LOW")  # best first; "NONE" is the fourth word


def catalogue_vram_mb(gpu: dict) -> int | None:
    """MiB per GPU; the catalogue says GB."""
    return _values.whole(_values.scaled(gpu.get("memory"), 1024, 0)) or None


def is_meant(gpu: dict, asked: str | None, exact: str | None = None) -> bool:
    """Whether a row of the catalogue is the GPU that was asked for. A slice of a GPU is meant only when it is named."""
    if exact is not None and gpu["id"] != exact:
        return False
    # Its name may say what its id leaves out: "NVIDIA H200" is the "H200 SXM".
    names = [name for name in (gpu["id"], gpu.get("name")) if isinstance(name, str)]
    if not asked or asked.strip() in names:
        return True
    want = _gpu_names.normalise(asked)
    rows = [_gpu_names.normalise(name, catalogue_vram_mb(gpu)) for name in names]
    rows = [got for got in rows if got.variant == want.variant or not (got.variant or "").startswith("MIG")]
    return any(_gpu_names.is_meant(want, got, any_size=True) for got in rows)


def most_gpus(gpu: dict, cloud: str) -> int:
    """GPUs of the largest machine in a cloud; 0 where the cloud has none."""
    if gpu.get(cloud.lower()) is False:
        return 0
    return max(_values.whole(_values.mapping(gpu.get("maxCount")).get(cloud.lower())) or 0, 0)


def pod_price(gpu: dict, cloud: str, count: int) -> float | None:
    """USD per hour for the GPUs of a pod, without its disk; the catalogue's price is that of one GPU. 0 is not a price."""
    price = _values.number(_values.mapping(gpu.get("price")).get(cloud.lower()))
    return round(price * count, 6) if price and price > 0 else None


def of_gpu(gpu: dict, cloud: str, count: int, account: str) -> list:
    """The offers of one row of the catalogue: one per data centre where it names them, else one. What is sold out is left out."""
    places = [(_values.text(row.get("id")), row.get("availability")) for row in _values.rows(gpu.get("dataCenters"))]
    places = [(place, stock) for place, stock in places if place] or [(None, gpu.get("availability"))]
    name = _gpu_names.normalise(gpu["id"], catalogue_vram_mb(gpu))
    versions = [row.get("version") for row in _values.rows(gpu.get("cudaVersions")) if row.get("available") is True]
    versions = [version for version in versions if isinstance(version, str) and re.match(r"^\d+\.\d+$", version)]
    found = []
    for place, stock in places:
        if stock == "NONE":
            continue
        options = {"gpu_id": gpu["id"], "cloud": cloud}
        if place:
            options["data_center_ids"] = [place]
        found.append(
            Offer(
                provider=NAME,
                account=account,
                id="/".join((f"{count}x {gpu['id']}", cloud, place or "anywhere")),
                kind="container",
                gpu_name_raw=gpu["id"],
                gpu_model=name.model,
                gpu_variant=name.variant,
                gpu_count=count,
                gpu_vram_mb=name.vram_mb,
                region=place,
                price_per_hour=pod_price(gpu, cloud, count),
                storage_price_per_gb_month=DISK_USD_PER_GB_MONTH,
                inet_down_price_per_gb=TRAFFIC_USD_PER_GB,
                inet_up_price_per_gb=TRAFFIC_USD_PER_GB,
                interruptible=False,
                trust=machines.TRUST[cloud],
                availability=stock.lower() if isinstance(stock, str) else None,
                cuda_max=max(versions, key=lambda version: [int(part) for part in version.split(".")], default=None),
                options=options,
            )
        )
    return found


def in_region(centre: dict, asked: str) -> bool:
    """Whether a data centre is where was asked for: its id ("US-KS-2"), a part of it ("US", "RO"), its name, or its region ("EUROPE")."""
    wanted = asked.strip().upper()
    place = str(centre["id"]).upper()
    if wanted in (place, str(centre.get("region") or "").upper()) or wanted in place.split("-") or place.startswith(wanted + "-"):
        return True
    # Two letters are a country; within a name they would be found in "Austria" too.
    return len(wanted) > 2 and wanted in str(centre.get("name") or "").upper()
