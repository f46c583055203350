# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What an instance is, which machine type of Google Cloud carries which GPU, and how Google writes GPUs.

Newer GPUs come with machine types of their own, in fixed numbers; older ones are attached to an N1 machine.
Facts: the discovery document ``compute.v1``; Google's pages on the life cycle of instances, "GPU machine types" and
"Accelerator-optimized machine family". Prices and places change and are not here.
"""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp import compute, keys
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp.credentials import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance

# `status` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "PENDING": "pending",
    "PROVISIONING": "pending",
    "STAGING": "pending",
    "REPAIRING": "pending",
    "RUNNING": "running",
    "PENDING_STOP": "stopping",
    "STOPPING": "stopping",
    "SUSPENDING": "stopping",
    "DEPROVISIONING": "stopping",
    "STOPPED": "stopped",
    "SUSPENDED": "stopped",
    "TERMINATED": "stopped",  # Google's word for stopped; what is destroyed is no longer listed
}
MARK = "rented-gpu"  # label "true" and network tag of what was rented from here
NAME_LABEL = "name"
PREEMPTIBLE_HOURS = 24  # the older kind of interruptible ends after a day
USER = r"^[a-z_][a-z0-9_.-]{0,31}$"

# Families whose machines all have GPUs.
GPU_FAMILIES = ("a2", "a3", "a4", "a4x", "g2", "g4")
# GiB of accelerators that come in several sizes elsewhere.
SIZES_GB = {"nvidia-tesla-a100": 40, "nvidia-tesla-v100": 16, "nvidia-tesla-k80": 12}
# Boards of the models that have several; Google has one of each.
BOARDS = {"A100": "SXM", "H100": "SXM", "H200": "SXM", "V100": "SXM"}


class Machine(NamedTuple):
    """A machine type with its GPUs. ``ram_gb`` is what Google calls GB (2^30 bytes)."""

    name: str
    accelerator: str | None
    count: int | None  # type: ignore[assignment]
    cpus: float | None
    ram_gb: float | None
    attached: bool = False  # the GPU is asked for apart from the machine


def _fixed(pattern: str, accelerator: str, *rows) -> list:
    return [Machine(pattern % size, accelerator, count, cpus, ram) for size, count, cpus, ram in rows]


# The smaller comes first: it is what a launch takes when nothing else is asked for.
FIXED = [
    *_fixed("a2-highgpu-%dg", "nvidia-tesla-a100", (1, 1, 12, 85), (2, 2, 24, 170), (4, 4, 48, 340), (8, 8, 96, 680)),
    *_fixed("a2-megagpu-%dg", "nvidia-tesla-a100", (16, 16, 96, 1360)),
    *_fixed("a2-ultragpu-%dg", "nvidia-a100-80gb", (1, 1, 12, 170), (2, 2, 24, 340), (4, 4, 48, 680), (8, 8, 96, 1360)),
    *_fixed("a3-highgpu-%dg", "nvidia-h100-80gb", (1, 1, 26, 234), (2, 2, 52, 468), (4, 4, 104, 936), (8, 8, 208, 1872)),
    *_fixed("a3-edgegpu-%dg", "nvidia-h100-80gb", (8, 8, 208, 1872)),
    *_fixed("a3-megagpu-%dg", "nvidia-h100-mega-80gb", (8, 8, 208, 1872)),
    *_fixed("a3-ultragpu-%dg", "nvidia-h200-141gb", (8, 8, 224, 2952)),
    *_fixed("a4-highgpu-%dg", "nvidia-b200", (8, 8, 224, 3968)),
    *_fixed("a4x-highgpu-%dg", "nvidia-gb200", (4, 4, 140, 884)),
    *_fixed("g2-standard-%d", "nvidia-l4", (4, 1, 4, 16), (8, 1, 8, 32), (12, 1, 12, 48), (16, 1, 16, 64), (32, 1, 32, 128)),
    *_fixed("g2-standard-%d", "nvidia-l4", (24, 2, 24, 96), (48, 4, 48, 192), (96, 8, 96, 384)),
    *_fixed("g4-standard-%d", "nvidia-rtx-pro-6000", (48, 1, 48, 180), (96, 2, 96, 360), (192, 4, 192, 720), (384, 8, 384, 1440)),
]
# GPUs that an N1 machine can have, and in which numbers; eight vCPUs for each are within the limits of all.
ATTACHED_COUNTS = {
    "nvidia-tesla-t4": (1, 2, 4),
    "nvidia-tesla-v100": (1, 2, 4, 8),
    "nvidia-tesla-p100": (1, 2, 4),
    "nvidia-tesla-p4": (1, 2, 4),
}
N1_CPUS_PER_GPU = 8
N1_RAM_PER_CPU = {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9}
ATTACHED = [
    Machine("n1-standard-%d" % (N1_CPUS_PER_GPU * count), accelerator, count, N1_CPUS_PER_GPU * count, N1_CPUS_PER_GPU * count * 3.75, True)
    for accelerator, counts in ATTACHED_COUNTS.items()
    for count in counts
]
BY_NAME = {machine.name: machine for machine in FIXED}
# Not rented on demand; that Google's page names them is not a reason to refuse them before Google does.
SPOT_ONLY = ("a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g")
# These boot from Hyperdisk only.
HYPERDISK = ("a3-ultragpu-", "a4-", "a4x-", "g4-")


def gpu_name(accelerator: str | None) -> _gpu_names.GpuName:
    """What we call an accelerator type, with its memory where that is known."""
    name = _gpu_names.normalise(accelerator)
    size = SIZES_GB.get(re.sub(r"-vws$", "", accelerator or ""))
    return name._replace(
        variant=name.variant or BOARDS.get(name.model or ""), vram_mb=size * 1024 if size else _gpu_names.usual_vram_mb(name)
    )


def family(machine_type: str | None) -> str:
    """``a2`` of ``a2-highgpu-1g``."""
    return (machine_type or "").split("-", 1)[0]


def has_gpus(machine_type: str | None) -> bool:
    """Whether every machine of this type has GPUs."""
    return family(machine_type) in GPU_FAMILIES


def cpus_and_ram(machine_type: str | None) -> tuple:
    """(vCPUs, GB) by the name of the type; None for what the name does not say."""
    name = machine_type or ""
    known = BY_NAME.get(name)
    if known:
        return known.cpus, known.ram_gb
    custom = re.match(r"^(?:[a-z]\d+[a-z]?-)?custom-(\d+)-(\d+)(?:-ext)?$", name)
    if custom:
        return int(custom.group(1)), round(int(custom.group(2)) / 1024, 1)
    n1 = re.match(r"^n1-(standard|highmem|highcpu)-(\d+)$", name)
    if n1:
        return int(n1.group(2)), round(N1_RAM_PER_CPU[n1.group(1)] * int(n1.group(2)), 1)
    return None, None


def candidates(gpu: str) -> list:
    """Every machine that carries the GPU, in any number; none where Google has no such GPU."""
    asked = _gpu_names.normalise(gpu)
    every = FIXED + ATTACHED
    return [machine for machine in every if machine.accelerator == gpu] or [one for one in every if _same(asked, one.accelerator)]


def _same(asked: _gpu_names.GpuName, accelerator: str) -> bool:
    got = gpu_name(accelerator)
    return _gpu_names.is_meant(asked, got._replace(variant=got.variant or "PCIe"), any_size=True)


def known_gpus() -> list:
    """The GPUs that can be rented, in our words."""
    return sorted({f"{gpu_name(machine.accelerator).model}" for machine in FIXED + ATTACHED})


def boot_disk_type(machine_type: str) -> str:
    """The kind of disk that a machine of this type boots from when nothing else is said."""
    return "hyperdisk-balanced" if machine_type.startswith(HYPERDISK) else "pd-balanced"


# --- what an instance is ---------------------------------------------------------------------------------------------


def instance(row: dict, account: str, machine_type: dict | None = None, ssh_user: str | None = None) -> Instance:
    """One row of the list. Every field but ``id`` may be missing or null; of the metadata only the first name in ``ssh-keys`` is looked at.

    ``machine_type`` is the API's row of its type, for GPUs that the instance does not name; ``ssh_user`` is what the account says.
    """
    zone, type_name = type_of(row)
    known = BY_NAME.get(type_name or "")
    kind = _values.mapping(machine_type)
    raw, count = accelerators(row) or type_accelerators(kind) or ((known.accelerator, known.count) if known else (None, None))
    gpu = gpu_name(raw)
    cpus, ram = cpus_and_ram(type_name)
    labels = {str(key): _values.text(value) for key, value in _values.mapping(row.get("labels")).items()}
    labels = {key: value for key, value in labels.items() if value is not None}
    windows = is_windows(row)
    host = None if windows else address(row)
    memory = _values.scaled(kind.get("memoryMb"), 1 / 1024)
    return Instance(
        provider=NAME,
        account=account,
        id=str(row["id"]).strip(),
        label=labels.get(NAME_LABEL) or _values.text(row.get("name")),
        state=state(row),
        state_raw=_values.text(row.get("status")),
        kind="vm",
        ssh_host=host,
        ssh_port=22 if host else None,
        ssh_user=None if windows else ssh_user or metadata_user(row) or labels.get("ssh-user"),
        ssh_via="direct" if host else None,
        gpu_name_raw=raw,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(kind.get("guestCpus")) or cpus,
        ram_gb=memory or ram,
        disk_gb=boot_disk_gb(row),
        region=zone,
        interruptible=interruptible(row),
        trust="datacenter",
        machine_id=_values.text(_values.mapping(row.get("resourceStatus")).get("physicalHost")),
        started_at=_values.moment(row.get("lastStartTimestamp")) or _values.moment(row.get("creationTimestamp")),
        ends_at=ends_at(row),
        tags=labels,
    )


def is_ours(row: dict) -> bool:
    """Whether a machine has GPUs, or was rented from here."""
    if accelerators(row) or has_gpus(type_of(row)[1]):
        return True
    return _values.mapping(row.get("labels")).get(MARK) == "true"


def is_windows(row: dict) -> bool:
    """Whether it boots Windows: its disk has the feature (``guestOsFeatures``) or a licence (``licenses``) of such an image."""
    disks = [disk for disk in _values.rows(row.get("disks")) if disk.get("boot") is True]
    if any(feature.get("type") == "WINDOWS" for disk in disks for feature in _values.rows(disk.get("guestOsFeatures"))):
        return True
    # Names of licences are documented nowhere; those of Windows are in the projects windows-cloud and windows-sql-cloud.
    licences = [item for disk in disks if isinstance(disk.get("licenses"), list) for item in disk["licenses"]]
    return any("windows" in (_values.text(licence) or "").lower() for licence in licences)


def state(row: dict) -> str:
    """Our word for ``status``."""
    return _values.state(STATES, row.get("status"), NAME, row.get("id"))


def accelerators(row: dict) -> tuple | None:
    """``(type, number)`` of the GPUs that an instance names itself."""
    found = [item for item in _values.rows(row.get("guestAccelerators")) if _values.text(item.get("acceleratorType"))]
    if not found:
        return None
    counts = [_values.whole(item.get("acceleratorCount")) for item in found]
    return compute.last(found[0]["acceleratorType"]), sum(counts) if all(count is not None for count in counts) else None


def type_accelerators(kind: dict) -> tuple | None:
    """``(type, number)`` of the GPUs that a machine type has."""
    found = [item for item in _values.rows(kind.get("accelerators")) if _values.text(item.get("guestAcceleratorType"))]
    return (compute.last(found[0]["guestAcceleratorType"]), _values.whole(found[0].get("guestAcceleratorCount"))) if found else None


def address(row: dict) -> str | None:
    """Where SSH goes: the public IPv4 address, else the public IPv6 one, else the one inside the network."""
    interfaces = _values.rows(row.get("networkInterfaces"))
    public = [item.get("natIP") for one in interfaces for item in _values.rows(one.get("accessConfigs"))]
    public += [item.get("externalIpv6") for one in interfaces for item in _values.rows(one.get("ipv6AccessConfigs"))]
    inside = [one.get(key) for one in interfaces for key in ("networkIP", "ipv6Address")]
    return next((found for found in map(_values.text, public + inside) if found), None)


def metadata_user(row: dict) -> str | None:
    """The first user for whom the instance's own metadata has an SSH key ("user:ssh-ed25519 AAAA… comment")."""
    for line in keys.key_lines(_values.mapping(row.get("metadata"))):
        user = line.split(":", 1)[0].strip()
        if re.match(USER, user):
            return user
    return None


def boot_disk_gb(row: dict) -> float | None:
    """GB of the disk that it boots from."""
    disks = _values.rows(row.get("disks"))
    boot = next((disk for disk in disks if disk.get("boot") is True), None)
    return _values.number(boot.get("diskSizeGb")) if boot else None


def interruptible(row: dict) -> bool | None:
    """Whether Google may take it away: spot, or preemptible as it was called before."""
    scheduling = _values.mapping(row.get("scheduling"))
    if scheduling.get("provisioningModel") == "SPOT" or scheduling.get("preemptible") is True:
        return True
    return False if scheduling else None


def ends_at(row: dict) -> str | None:
    """When Google ends it at the latest: a time that was set, or the longest run after its last start."""
    if state(row) not in ("running", "pending"):
        return None
    scheduling = _values.mapping(row.get("scheduling"))
    status = _values.mapping(_values.mapping(row.get("resourceStatus")).get("scheduling"))
    named = _values.moment(status.get("terminationTimestamp")) or _values.moment(scheduling.get("terminationTime"))
    seconds = _values.number(_values.mapping(scheduling.get("maxRunDuration")).get("seconds"))
    if seconds is None and scheduling.get("preemptible") is True and scheduling.get("provisioningModel") != "SPOT":
        seconds = PREEMPTIBLE_HOURS * 3600
    started = _values.moment(row.get("lastStartTimestamp"))
    if named or not started or not seconds:
        return named
    try:
        begun = datetime.datetime.strptime(started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
        return _values.moment(begun + datetime.timedelta(seconds=seconds))
    except OverflowError:
        return None


def without_values(row: dict) -> dict:
    """A row as it may be shown: of the metadata only the keys, for scripts and passwords are among the values."""
    metadata = _values.mapping(row.get("metadata"))
    return {**row, "metadata": {"items": [{"key": item.get("key")} for item in _values.rows(metadata.get("items"))]}}


def type_of(row: dict) -> tuple:
    """``(zone, machine type)`` by their last names."""
    return compute.last(row.get("zone")), compute.last(row.get("machineType"))
