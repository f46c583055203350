# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Machine types with GPUs that are offered in a zone. Facts: the discovery document ``compute.v1``."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp import compute, launching, machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp.credentials import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer


def offer(zone: str, machine: machines.Machine, disk_gb: float | None, spot: bool, account: str) -> Offer:
    """A machine type in a zone, on demand or as a spot machine."""
    gpu = machines.gpu_name(machine.accelerator)
    return Offer(
        provider=NAME,
        account=account,
        id=f"{zone}/{machine.name}/{machine.count}x{machine.accelerator}{'/spot' if spot else ''}",
        kind="vm",
        instance_type=machine.name,
        gpu_name_raw=machine.accelerator,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=machine.count,
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=machine.cpus,
        ram_gb=machine.ram_gb,
        disk_gb=disk_gb,
        region=zone,
        inet_down_price_per_gb=0.0,  # what comes in is free at Google Cloud
        interruptible=spot,
        trust="datacenter",
        options={"machine_type": machine.name},
    )


def is_gone(row: dict) -> bool:
    """Whether a type is no longer rented."""
    return _values.mapping(row.get("deprecated")).get("state") in ("OBSOLETE", "DELETED")


def fixed_machines(rows: list) -> list:
    """``(zone, machine, GB of the largest disk)`` for every machine type that has GPUs."""
    found = []
    for row in _values.rows(rows):
        zone, name, gpus = compute.last(row.get("zone")), _values.text(row.get("name")), machines.type_accelerators(row)
        if not zone or not name or not gpus or not gpus[1] or is_gone(row):
            continue
        cpus, ram = _values.number(row.get("guestCpus")), _values.scaled(row.get("memoryMb"), 1 / 1024)
        found.append((zone, machines.Machine(name, gpus[0], gpus[1], cpus, ram), _values.number(row.get("maximumPersistentDisksSizeGb"))))
    return found


def attached_machines(rows: list) -> list:
    """The same for GPUs that an N1 machine can have."""
    found = []
    for row in _values.rows(rows):
        zone, name, most = compute.last(row.get("zone")), row.get("name"), _values.whole(row.get("maximumCardsPerInstance"))
        if zone and not is_gone(row):
            fitting = [one for one in machines.ATTACHED if one.accelerator == name and (most is None or (one.count or 0) <= most)]
            found += [(zone, one, float(launching.MOST_DISK_GB)) for one in fitting]
    return found
