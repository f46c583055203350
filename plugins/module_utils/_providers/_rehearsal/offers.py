# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Boxes that could be rented, at made-up prices."""

from __future__ import annotations

import os
import re

from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import machines
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer


def offer(kind: str, gpu: str, count: int, interruptible: bool, account: str) -> Offer:
    """A box that could be rented. Its link and its disk are this machine's own, so traffic and storage cost nothing."""
    name = _gpu_names.normalise(gpu, machines.GPUS[gpu][0])
    return Offer(
        provider=machines.NAME,
        account=account,
        id="-".join([kind, *re.findall(r"[a-z0-9]+", gpu.lower()), str(count)]),
        kind=kind,
        gpu_name_raw=gpu + " (simulated)",
        gpu_model=name.model,
        gpu_variant=name.variant,
        gpu_count=count,
        gpu_vram_mb=machines.GPUS[gpu][0],
        cpu_cores=_values.number(os.cpu_count()),
        ram_gb=_values.scaled(machines.ram_mb(), 1048576 / 1e9),
        region="local",
        price_per_hour=round(made_up_price(kind, count, interruptible), 4),
        storage_price_per_gb_month=0.0,
        inet_down_price_per_gb=0.0,
        inet_up_price_per_gb=0.0,
        interruptible=interruptible,
        trust=machines.KINDS[kind]["trust"],
        cuda_max="12.8",
        options={"kind": kind},
    )


def made_up_price(kind: str, count: int, interruptible: bool) -> float:
    """USD per hour."""
    price = machines.KINDS[kind]["price"] + machines.KINDS[kind]["price_per_gpu"] * count
    return price / 2 if interruptible else price
