# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which machine type of Google Cloud carries which GPU, and how Google writes GPUs.

Newer GPUs come with machine types of their own, in fixed numbers; older ones are attached to an N1 machine.
Facts: Google's pages "GPU machine types" and "Accelerator-optimized machine family". Prices and places change and are not here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.rented.gpu.plugins.module_utils import _gpu_names

# Families whose machines all have GPUs.
GPU_FAMILIES = ("a2", "a3", "a4", "a4x", "g2", "g4")
# GiB of accelerators that come in several sizes elsewhere.
SIZES_GB = {"nvidia-tesla-a100": 40, "nvidia-tesla-v100": 16, "nvidia-tesla-k80": 12}
# Boards of the models that have several; Google has one of each.
BOARDS = {"A100": "SXM", "H100": "SXM", "H200": "SXM", "V100": "SXM"}


class Machine(NamedTuple):
    """A machine type with its GPUs. ``ram_gb`` is what Google calls GB (2^30 bytes)."""

    name: str
    accelerator: str
    count: int
    cpus: int
    ram_gb: float
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
# Not rented on demand; that Google's page names them is no reason to refuse them before Google does.
SPOT_ONLY = ("a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g")
# These boot from Hyperdisk only.
HYPERDISK = ("a3-ultragpu-", "a4-", "a4x-", "g4-")


def gpu_name(accelerator: str | None) -> _gpu_names.GpuName:
    """What we call an accelerator type, with its memory where that is known."""
    name = _gpu_names.normalise(accelerator)
    size = SIZES_GB.get(re.sub(r"-vws$", "", accelerator or ""))
    return name._replace(variant=name.variant or BOARDS.get(name.model), vram_mb=size * 1024 if size else _gpu_names.usual_vram_mb(name))


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
    return sorted({"%s" % gpu_name(machine.accelerator).model for machine in FIXED + ATTACHED})


def boot_disk_type(machine_type: str) -> str:
    """The kind of disk that a machine of this type boots from when nothing else is said."""
    return "hyperdisk-balanced" if machine_type.startswith(HYPERDISK) else "pd-balanced"
