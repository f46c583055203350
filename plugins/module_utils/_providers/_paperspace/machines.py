# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a machine is: its state, its address, its GPUs by the name of its type, its disk and prices.

The units of rates and of an accelerator's memory are not written down anywhere; `gpu_memory_mb` and `storage_price` say what is presumed.
"""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import HOURS_PER_MONTH, Instance

SSH_USER = "paperspace"
SSH_PORT = 22

# `state` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "off": "stopped",
    "provisioning": "pending",
    "starting": "pending",
    "restarting": "pending",
    "upgrading": "pending",
    "serviceready": "pending",  # Paperspace's service answers, the machine is not ready for its user
    "ready": "running",
    "stopping": "stopping",
}

# GiB per GPU of machine types whose label leaves it open because the larger one says it ("A100" and "A100-80G").
TYPE_GB = {"A100": 40, "H100": 80, "V100": 16}
OLD_TYPES = {"GPU+": "M4000"}


def instance(row: dict, account: str, private_network: bool = False) -> Instance:
    """One row of the list. Every field but ``id`` may be missing or null.

    ``private_network``: a machine without a public address is reached by its private one.
    """
    gpu, count, raw = gpu_of_row(row)
    windows = is_windows(row)
    host = None if windows else address(row, private_network)
    word = state(row)
    storage = storage_price(row)
    usage = _values.number(row.get("usageRate"))
    price = storage if word == "stopped" else None if usage is None or word == "terminated" else round(usage + (storage or 0.0), 6)
    tags = {"os": _values.text(row.get("os")), "machine_type": _values.text(row.get("machineType"))}
    return Instance(
        provider=NAME,
        account=account,
        id=str(row["id"]),
        label=_values.text(row.get("name")),
        state=word,
        state_raw=_values.text(row.get("state")),
        kind="vm",
        ssh_host=host,
        ssh_port=SSH_PORT if host else None,
        ssh_user=None if windows else SSH_USER,
        ssh_via="direct" if host else None,
        gpu_name_raw=raw,
        gpu_model=gpu.model if gpu else None,
        gpu_variant=gpu.variant if gpu else None,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb if gpu else None,
        cpu_cores=_values.number(row.get("cpus")),
        ram_gb=_values.scaled(row.get("ram"), 1e-9),
        disk_gb=disk_gb(row),
        region=_values.text(row.get("region")),
        price_per_hour=price,
        storage_price_per_hour=storage,
        interruptible=False,
        trust="datacenter",
        started_at=_values.moment(row.get("dtCreated")),
        tags={name: value for name, value in tags.items() if value},
    )


def state(row: dict) -> str:
    """Our word for ``state``; a date of deletion says more."""
    if row.get("dtDeleted"):
        return "terminated"
    return _values.state(STATES, row.get("state"), NAME, row.get("id"))


def is_windows(row: dict) -> bool:
    """Whether a machine or a template is Windows; the words of ``agentType`` are documented nowhere, so the system's name counts too."""
    return any("windows" in (_values.text(row.get(name)) or "").lower() for name in ("agentType", "os", "operatingSystemLabel"))


def address(row: dict, private_network: bool) -> str | None:
    """The public address; the private one where there is to be no public one, and only when that was asked for."""
    public = _values.text(row.get("publicIp"))
    if public or not private_network or row.get("publicIpType") in ("dynamic", "static"):
        return public
    return _values.text(row.get("privateIp"))


def gpu_of_row(row: dict) -> tuple:
    """``(GpuName, number of GPUs, the API's own name)``: by the accelerators, else by the machine type; None is not known."""
    label = _values.text(row.get("machineType"))
    typed, count = gpu_of(label)
    for accelerator in _values.rows(row.get("accelerators")):
        raw = _values.text(accelerator.get("name"))
        if raw is None:
            continue
        gpu = sized(_gpu_names.normalise(OLD_TYPES.get(raw, raw), gpu_memory_mb(accelerator.get("memory"))), raw)
        if gpu.vram_mb is None and typed and typed.model == gpu.model:
            gpu = gpu._replace(vram_mb=typed.vram_mb)
        number = _values.whole(accelerator.get("count"))
        return gpu, count if number is None else number, raw
    return typed, count, label if typed else None


def gpu_of(label: str | None) -> tuple:
    """``(GpuName, number of GPUs)`` of a machine type: "A100-80Gx8" has eight. ``(None, 0)`` without a GPU, ``(None, None)`` not known."""
    if not label:
        return None, None
    if re.match(r"^C\d{1,2}$", label):
        return None, 0
    words = " ".join(label.split())
    found = re.search(r"x(\d{1,2})$", words)
    base, count = (words[: found.start()], found[1]) if found else (words, None)
    base = OLD_TYPES.get(base, base)
    gpu = sized(_gpu_names.normalise(base), base)
    if not _gpu_names.KNOWN.match(gpu.model or ""):
        return None, None
    return gpu, int(count or 1)


def sized(gpu: _gpu_names.GpuName, label: str) -> _gpu_names.GpuName:
    """The GPU with its memory, by what is reported, by its label at Paperspace, or by its model."""
    gigabytes = TYPE_GB.get(label)
    return gpu._replace(vram_mb=gpu.vram_mb or (gigabytes * 1024 if gigabytes else _gpu_names.usual_vram_mb(gpu)))


def gpu_memory_mb(value) -> int | None:
    """MiB of one GPU. The unit is documented nowhere: above 1 MiB it can only be bytes, up to 1024 only GiB, between them only MiB."""
    found = _values.number(value)
    if not found or found < 0:
        return None
    if found >= 2**20:
        return int(found / 2**20)
    return int(found * 1024) if found <= 1024 else int(found)


def disk_gb(row: dict) -> float | None:
    """GB of disk. The unit is documented nowhere: above 1 MiB it can only be bytes, below only GB."""
    found = _values.number(row.get("storageTotal"))
    if not found or found < 0:
        return None
    return round(found / 1e9, 1) if found >= 2**20 else found


def storage_price(row: dict) -> float | None:
    """USD per hour of the disk, which is paid when the machine is off too.

    The unit of ``storageRate`` is documented nowhere. A GB costs some cents in a month and some thousandths of a cent in an hour;
    those are far enough apart to tell which of them is meant. None where the size is not known.
    """
    rate, size = _values.number(row.get("storageRate")), disk_gb(row)
    if rate is None or rate < 0 or not size:
        return None
    return round(rate / HOURS_PER_MONTH if rate / size > 0.005 else rate, 6)
