# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What AWS offers: a type in a region, and whether it may be what was wished for."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import machines, renting
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer, Wish

LARGEST_DISK_GB = 16384  # of a gp3 volume in every region


def offer(region: str, described: machines.Machine, price: float | None, spot: bool, storage: float | None, account: str) -> Offer:
    """A type in a region, on demand or as a spot machine. ``price`` is USD per hour, ``storage`` USD per GB and month."""
    gpu = described.gpu_name()
    return Offer(
        provider=NAME,
        account=account,
        id=f"{region}/{described.name}{'/spot' if spot else ''}",
        kind="vm",
        instance_type=described.name,
        gpu_name_raw=described.gpu,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=described.count,
        gpu_vram_mb=described.vram_mb,
        cpu_cores=described.vcpus,
        ram_gb=described.ram_gb,
        disk_gb=LARGEST_DISK_GB,
        region=region,
        price_per_hour=price,
        storage_price_per_gb_month=storage,
        inet_down_price_per_gb=0.0,  # "Data Transfer IN To Amazon EC2 From Internet" is free in every region
        interruptible=spot,
        trust="datacenter",
        options={"instance_type": described.name},
    )


def may_fit(described: machines.Machine, wish: Wish) -> bool:
    """Whether a type is worth a price; who asked chooses again."""
    if not described.count or described.count < wish.gpu_count:
        return False
    if wish.gpu_vram_mb and described.vram_mb and described.vram_mb < wish.gpu_vram_mb * (1 - _gpu_names.TOLERANCE):
        return False
    return not wish.gpus or any(renting.same_gpu(described, gpu) for gpu in wish.gpus)
