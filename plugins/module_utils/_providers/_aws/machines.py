# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a type of instance has, who logs in to an image, and what a row of DescribeInstances says. Shapes: botocore's model of EC2."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.module_utils._renting._remove_secrets import scrub

STATES = {
    "pending": "pending",
    "running": "running",
    "stopping": "stopping",
    "stopped": "stopped",
    "shutting-down": "terminated",
    "terminated": "terminated",
}
# `InstanceLifecycle` of machines that AWS may take back; it is absent for on-demand.
INTERRUPTIBLE = ("spot", "interruptible-capacity-reservation")
OURS = "rented-gpu"  # the tag of what this collection launched, and the beginning of the names of what it makes for that
TOKEN_TAG = "rented-gpu-launch"
IMAGE_TAG = "rented-gpu-image"

# Every type with a GPU so far begins so: G, Gr, P, and DL for Habana's accelerators. Narrows searches of offers, never the list.
GPU_FAMILIES = ("g*", "p*", "dl*")
_GPU_TYPE = re.compile(r"^(?:cg|dl|gr?|p)\d")

LOGINS = (
    (r"bitnami", "bitnami"),
    (r"ubuntu", "ubuntu"),
    (r"debian", "admin"),
    (r"\brocky", "rocky"),
    (r"\bfedora", "fedora"),
    (r"\bcentos", "centos"),
    (r"alma ?linux|\bamzn|amazon[ _-]?linux|\bal20\d\d|\brhel|red ?hat|\bsuse|\bsles|amazon-eks|oracle ?linux|\bol\d-", "ec2-user"),
    (r"\bkali\b", "kali"),
    (r"flatcar|coreos", "core"),
)


class Machine(NamedTuple):
    """What a type has: the GPU as AWS calls it, MiB of memory per GPU, what part of a GPU it is (None: whole ones), and the rest."""

    name: str
    gpu: str | None = None
    maker: str | None = None
    count: int | None = None  # type: ignore[assignment]
    vram_mb: int | None = None
    part: float | None = None
    vcpus: int | None = None
    ram_gb: float | None = None
    architectures: tuple = ()
    usages: tuple = ()

    def gpu_name(self) -> _gpu_names.GpuName:
        """The GPU in the words of all providers. A part of a GPU has its share as variant: "1/8"."""
        found = _gpu_names.normalise(self.gpu, self.vram_mb)
        return found._replace(variant=f"1/{round(1 / self.part)}") if self.part else found


def machine(row: dict) -> Machine:
    """An entry of DescribeInstanceTypes. Trainium and Inferentia have no GpuInfo and are not GPUs.

    A type with a part of a GPU has ``Count`` 0, ``LogicalGpuCount`` 1 and ``GpuPartitionSize`` 0.125, and the memory of the part.
    """
    gpus = _values.rows(_values.mapping(row.get("GpuInfo")).get("Gpus"))
    first = gpus[0] if gpus else {}
    whole = sum(_values.whole(gpu.get("Count")) or 0 for gpu in gpus)
    size = _values.number(first.get("GpuPartitionSize"))
    processor = _values.mapping(row.get("ProcessorInfo"))
    return Machine(
        name=str(row.get("InstanceType") or ""),
        gpu=_values.text(first.get("Name")),
        maker=_values.text(first.get("Manufacturer")),
        count=(whole or sum(_values.whole(gpu.get("LogicalGpuCount")) or 0 for gpu in gpus) or None) if gpus else 0,
        vram_mb=_values.whole(_values.mapping(first.get("MemoryInfo")).get("SizeInMiB")),
        part=size if size and 0 < size < 1 else None,
        vcpus=_values.whole(_values.mapping(row.get("VCpuInfo")).get("DefaultVCpus")),
        ram_gb=_values.scaled(_values.mapping(row.get("MemoryInfo")).get("SizeInMiB"), 1 / 1024),
        architectures=tuple(processor.get("SupportedArchitectures") or ()),
        usages=tuple(row.get("SupportedUsageClasses") or ()),
    )


def may_have_gpu(instance_type: str) -> bool:
    """By the name alone, for types that AWS describes no more."""
    return bool(_GPU_TYPE.match(instance_type or ""))


def login(image: dict, platform: str | None) -> str | None:
    """Who logs in: by the platform of the instance, and by the image's name and description; None where neither says it.

    From "Default usernames for AMIs" of the EC2 user guide; images for deep learning name the system they are made from.
    """
    words = " ".join(str(image.get(key) or "") for key in ("Name", "Description", "ImageLocation")) + " " + (platform or "")
    return next((user for pattern, user in LOGINS if re.search(pattern, words.lower())), None)


def is_windows(row: dict) -> bool:
    """Whether there is no SSH to be had without more."""
    return (_values.text(row.get("Platform")) or "").lower() == "windows" or "windows" in (
        _values.text(row.get("PlatformDetails")) or ""
    ).lower()


def tags_of(row: dict) -> dict:
    """Name -> value."""
    found = {_values.text(tag.get("Key")): _values.text(tag.get("Value")) or "" for tag in _values.rows(row.get("Tags"))}
    return {name: value for name, value in found.items() if name}


def address(row: dict) -> str | None:
    """Where SSH is answered: the public address, else an IPv6 address (these are public), else the private one."""
    if row.get("PublicIpAddress"):
        return _values.text(row["PublicIpAddress"])
    found = [_values.text(row.get("Ipv6Address"))]
    for interface in _values.rows(row.get("NetworkInterfaces")):
        found += [_values.text(entry.get("Ipv6Address")) for entry in _values.rows(interface.get("Ipv6Addresses"))]
    return next((host for host in found if host), None) or _values.text(row.get("PrivateIpAddress"))


def instance(row: dict, account: str, region: str, described: Machine | None = None, user=None, secrets=()) -> Instance:
    """One row of DescribeInstances. Every field but ``InstanceId`` may be missing or null.

    ``described`` is the row's type, ``user`` who logs in to its image; tags lose what looks like one of the ``secrets``, or like any.
    """
    tags = tags_of(row)
    raw = _values.text(_values.mapping(row.get("State")).get("Name"))
    gpu = described.gpu_name() if described else _gpu_names.normalise(None)
    lifecycle = _values.text(row.get("InstanceLifecycle"))
    cores = _values.mapping(row.get("CpuOptions"))
    threads = (_values.number(cores.get("CoreCount")) or 0) * (_values.number(cores.get("ThreadsPerCore")) or 0)
    host = None if is_windows(row) else address(row)
    image = tags.get(IMAGE_TAG) or _values.text(row.get("ImageId"))
    shown = {name: value for name, value in tags.items() if name not in ("Name", TOKEN_TAG)}
    return Instance(
        provider=NAME,
        account=account,
        id=str(row["InstanceId"]),
        label=_values.text(tags.get("Name")),
        state=_values.state(STATES, raw, NAME, row["InstanceId"]),
        state_raw=raw,
        kind="vm",
        ssh_host=host,
        ssh_port=22 if host else None,
        ssh_user=user,
        ssh_via="direct" if host else None,
        gpu_name_raw=described.gpu if described else None,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=described.count if described else None,
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=threads or (described.vcpus if described else None),
        ram_gb=described.ram_gb if described else None,
        region=region,
        interruptible=lifecycle in INTERRUPTIBLE,
        trust="datacenter",
        image=image,
        started_at=_values.moment(row.get("LaunchTime")),
        tags=scrub(shown, secrets),
    )


def plain(value):
    """An answer as JSON has it: times as text."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
