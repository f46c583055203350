# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which driver runs which CUDA, and which CUDA builds of torch there are.

Sources: NVIDIA, "CUDA Toolkit Release Notes" (13.1): "CUDA Toolkit and Minimum Required Driver Version for CUDA Minor
Version Compatibility" and "CUDA Toolkit and Corresponding Driver Versions", Linux x86_64; PyTorch, RELEASE.md, "PyTorch CUDA
Support Matrix". Python 3.8 and the standard library are enough.
"""

from __future__ import annotations

import re

# CUDA major -> oldest driver that runs programs built for any minor version of it (minor version compatibility).
CUDA_MIN_DRIVER = {"11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}

# CUDA -> the driver released with it: what `nvidia-smi` reports as "CUDA Version" from then on.
CUDA_NATIVE_DRIVER = {
    "11.0": "450.36.06",
    "11.1": "455.23",
    "11.2": "460.27.03",
    "11.3": "465.19.01",
    "11.4": "470.42.01",
    "11.5": "495.29.05",
    "11.6": "510.39.01",
    "11.7": "515.43.04",
    "11.8": "520.61.05",
    "12.0": "525.60.13",
    "12.1": "530.30.02",
    "12.2": "535.54.03",
    "12.3": "545.23.06",
    "12.4": "550.54.14",
    "12.5": "555.42.02",
    "12.6": "560.28.03",
    "12.8": "570.26",
    "12.9": "575.51.03",
    "13.0": "580.65.06",
    "13.1": "590.44.01",
}

# torch release -> tags of its CUDA builds. A release that is not here is taken to have NEWEST_TAGS.
TORCH_TAGS = {
    "2.0": ("cu117", "cu118"),
    "2.1": ("cu118", "cu121"),
    "2.2": ("cu118", "cu121"),
    "2.3": ("cu118", "cu121"),
    "2.4": ("cu118", "cu121", "cu124"),
    "2.5": ("cu118", "cu121", "cu124"),
    "2.6": ("cu118", "cu124", "cu126"),
    "2.7": ("cu118", "cu126", "cu128"),
    "2.8": ("cu126", "cu128", "cu129"),
    "2.9": ("cu126", "cu128", "cu130"),
    "2.10": ("cu126", "cu128", "cu130"),
    "2.11": ("cu126", "cu128", "cu130"),
}
# What an unpinned torch is offered. cu118 is last: it ends at torch 2.7, but it is all that a driver before 525 runs.
NEWEST_TAGS = ("cu130", "cu128", "cu126", "cu118")
# Compute capabilities (lowest, highest) that the builds of a CUDA are compiled for; None: no limit known.
TAG_CAPABILITIES = {"cu130": ((7, 5), None), "cu128": ((7, 5), None), "cu129": ((7, 5), None)}
OLDER_CUDA_HIGHEST = (9, 0)  # Blackwell (10.0, 12.0) needs CUDA 12.8 or newer


def version(text) -> tuple:
    """The numbers of a version: (550, 54, 14) for "550.54.14"; () for what is not a version."""
    return tuple(int(part) for part in re.findall(r"\d+", str(text or "")))


def cuda_of_tag(tag: str) -> str | None:
    """The CUDA of a tag: "12.6" for "cu126"; None for "cpu", "none" and what is no CUDA tag."""
    found = re.match(r"cu(\d{2})(\d)$", tag or "")
    return "%s.%s" % found.groups() if found else None


def min_driver(cuda: str) -> str | None:
    """The oldest driver that runs programs built for this CUDA ("12.6" or "cu126"); None when it is not known."""
    cuda = cuda_of_tag(cuda) or cuda
    return CUDA_MIN_DRIVER.get(cuda.split(".")[0])


def runs(driver: str, cuda: str) -> bool | None:
    """Whether the driver runs programs built for this CUDA ("12.6" or "cu126"); None when either is not known."""
    least = min_driver(cuda)
    if not least or not version(driver):
        return None
    return _reaches(driver, least)


def _reaches(driver: str, least: str) -> bool:
    """Whether a driver is at least as new as another; "550" alone stands for its whole branch."""
    found = version(driver)
    return bool(found) and found >= version(least)[: len(found)]


def native_cuda(driver: str) -> str | None:
    """The newest CUDA that came with this driver or an older one: "550.54.14" -> "12.4"; None for drivers before 450."""
    known = [cuda for cuda, least in CUDA_NATIVE_DRIVER.items() if _reaches(driver, least)]
    return max(known, key=version) if known else None


def fits(tag: str, driver: str, capabilities) -> bool:
    """Whether a torch build runs with this driver on GPUs of these compute capabilities (strings such as "8.6")."""
    if not runs(driver, tag):
        return False
    lowest, highest = TAG_CAPABILITIES.get(tag, (None, OLDER_CUDA_HIGHEST))
    for capability in map(version, capabilities or []):
        if capability and ((lowest and capability < lowest) or (highest and capability > highest)):
            return False
    return True


def torch_tag(driver: str, capabilities=(), torch: str | None = None) -> str | None:
    """The best CUDA build of torch ("2.7.1", or None for any) that this driver and these GPUs run; None when there is none."""
    release = ".".join(str(part) for part in version(torch)[:2])
    offered = list(TORCH_TAGS.get(release) or NEWEST_TAGS)
    if release not in TORCH_TAGS and not runs(driver, "13.0") and not any(version(part) >= (10, 0) for part in capabilities or []):
        # Any CUDA 12 build runs on any CUDA 12 driver, and cu126 is the one that every newer torch has.
        offered.remove("cu128")
    fitting = [tag for tag in offered if fits(tag, driver, capabilities)]
    if not fitting:
        return None
    cudas = sorted((version(cuda_of_tag(tag)), tag) for tag in fitting)
    family = [pair for pair in cudas if pair[0][0] == cudas[-1][0][0]]
    # A CUDA that came with this driver or an older one is best; of newer ones, which run by minor version compatibility, the oldest.
    native = [pair for pair in family if pair[0] <= version(native_cuda(driver))]
    return native[-1][1] if native else family[0][1]
