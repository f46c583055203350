# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Machine types that are offered, by their labels. Facts: the API file, and docs.digitalocean.com for regions and traffic."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace import machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer

REGIONS = ("ny2", "ca1", "ams1")  # of the API file, and of the page on availability
DISK_SIZES_GB = (50, 100, 250, 500, 1000, 2000, 4000, 8000, 12000, 16000)
NO_PRICES = "Paperspace's API tells no prices of what could be rented; they are at https://www.paperspace.com/pricing."


def offer(label: str, region: str, account: str) -> Offer:
    """A machine type that is free in a region."""
    gpu, count = machines.gpu_of(label)
    return Offer(
        provider=NAME,
        account=account,
        id=f"{region}/{label}",
        kind="vm",
        instance_type=label,
        gpu_name_raw=label,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb,
        disk_gb=float(DISK_SIZES_GB[-1]),
        region=region,
        inet_down_price_per_gb=0.0,  # "free unlimited bandwidth", says the page on availability
        inet_up_price_per_gb=0.0,
        interruptible=False,
        trust="datacenter",
        options={"machine_type": label},
    )


def labels_of(templates: list) -> set:
    """Every machine type that one of the templates can be had on."""
    return {label for template in templates for label in runs_on(template)}


def runs_on(template: dict) -> list:
    """The machine types that a template can be had on."""
    rows = _values.rows(template.get("availableMachineTypes"))
    return [row["machineTypeLabel"] for row in rows if row.get("isAvailable") is True and isinstance(row.get("machineTypeLabel"), str)]


def same_gpu(asked: str, got: _gpu_names.GpuName) -> bool:
    """Whether the GPU is the one asked for. A size that is not said is open: "A100" is also the one with 80 GB."""
    return _gpu_names.is_meant(_gpu_names.normalise(machines.OLD_TYPES.get(asked.strip(), asked)), got, any_size=True)


def large_enough(gpu: _gpu_names.GpuName, least_mb: int | None) -> bool:
    """Whether a GPU has the memory asked for, as far as that is known."""
    return not least_mb or gpu.vram_mb is None or gpu.vram_mb >= least_mb * (1 - _gpu_names.TOLERANCE)
