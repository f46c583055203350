# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which driver runs which CUDA, and which CUDA builds of torch there are.

Sources: NVIDIA, "CUDA Toolkit Release Notes" (13.1): "CUDA Toolkit and Minimum Required Driver Version for CUDA Minor
Version Compatibility" and "CUDA Toolkit and Corresponding Driver Versions", Linux x86_64; the drivers of 13.2 and 13.3 are those in
the names of NVIDIA's installers. PyTorch, RELEASE.md, "PyTorch CUDA Support Matrix", and for 2.12 to 2.15 the issues pytorch#178665 and
pytorch#190385: 12.8 ends with 2.11, 12.6 with 2.14. Python 3.8 and the standard library are enough.
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
    "13.2": "595.45.04",
    "13.3": "610.43.02",
}

# When the table of torch builds was last compared with PyTorch's own. Shown where a newer torch makes it matter.
TABLE_OF = "2026-12"
# torch release -> tags of its CUDA builds.
TORCH_TAGS = {
    "1.12": ("cu113", "cu116"),
    "1.13": ("cu116", "cu117"),
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
    "2.12": ("cu126", "cu130", "cu132"),
    "2.13": ("cu126", "cu130", "cu132"),
    "2.14": ("cu126", "cu130", "cu132"),
    "2.15": ("cu130", "cu132"),
}
# What an unpinned torch is offered: the newest build of each CUDA. An index with the tag cu126 ends at torch 2.14, cu128 at 2.11 and
# cu118 at 2.7, but these are all that older drivers and older GPUs run.
# What the option `torch` of python_env takes.
CHOICES = re.compile(r"^(auto|none|cpu|cu\d{2,3})$")
NEWEST_TAGS = ("cu132", "cu130", "cu128", "cu126", "cu118")
# CUDA -> compute capabilities (lowest, highest; None: no limit known) that builds of it and of newer ones are compiled for. Blackwell
# (10.0, 12.0) needs CUDA 12.8, which in turn has no Maxwell and Pascal.
CAPABILITIES_SINCE = {"11.0": (None, (9, 0)), "12.8": ((7, 5), None)}


def version(text) -> tuple:
    """The numbers of a version: (550, 54, 14) for "550.54.14"; () for what is not a version."""
    return tuple(int(part) for part in re.findall(r"\d+", str(text or "")))


def cuda_of_tag(tag: str) -> str | None:
    """The CUDA of a tag: "12.6" for "cu126"; None for "cpu", "none" and what is not a CUDA tag."""
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
    lowest, highest = _capabilities(tag)
    for capability in map(version, capabilities or []):
        if capability and ((lowest and capability < lowest) or (highest and capability > highest)):
            return False
    return True


def _capabilities(tag: str) -> tuple:
    since = [cuda for cuda in CAPABILITIES_SINCE if version(cuda) <= version(cuda_of_tag(tag))]
    return CAPABILITIES_SINCE[max(since, key=version)] if since else (None, None)


def newest_release() -> str:
    """The newest torch in the table."""
    return max(TORCH_TAGS, key=version)


def oldest_release() -> str:
    """The oldest torch in the table."""
    return min(TORCH_TAGS, key=version)


def assumption(torch) -> str | None:
    """The sentence for a torch that is newer than the table, whose builds are therefore assumed; None for any other."""
    if not version(torch) or version(torch)[:2] <= version(newest_release()):
        return None
    return (
        f"torch {torch} is newer than the table of CUDA builds in this release of rented.gpu ({TABLE_OF}, torch up "
        f"to {newest_release()}): it is taken to have the builds of torch {newest_release()} "
        f"({', '.join(TORCH_TAGS[newest_release()])}). Set python_env_torch if that is wrong, or update rented.gpu."
    )


def offered_tags(torch=None) -> tuple:
    """The CUDA builds of a torch release, or of any when it is not given; () for a release that is older than the table."""
    release = version(torch)[:2]
    if not release:
        return NEWEST_TAGS
    if len(release) == 1:  # "2": any release of it
        known = [tag for name, tags in TORCH_TAGS.items() if version(name)[:1] == release for tag in tags]
        return tuple(dict.fromkeys(known)) or TORCH_TAGS[newest_release()]
    if release > version(newest_release()):
        return TORCH_TAGS[newest_release()]
    return TORCH_TAGS.get("%d.%d" % release, ())


def torch_tag(driver: str, capabilities=(), torch: str | None = None) -> str | None:
    """The best CUDA build of torch ("2.7.1", or None for any) that this driver and these GPUs run; None when there is none."""
    offered = list(offered_tags(torch))
    if not version(torch) and not runs(driver, "13.0") and not any(version(part) >= (10, 0) for part in capabilities or []):
        # Any CUDA 12 build runs on any CUDA 12 driver, and cu126 has the newer torch.
        offered.remove("cu128")
    fitting = [tag for tag in offered if fits(tag, driver, capabilities)]
    if not fitting:
        return None
    cudas = sorted((version(cuda_of_tag(tag)), tag) for tag in fitting)
    family = [pair for pair in cudas if pair[0][0] == cudas[-1][0][0]]
    # A CUDA that came with this driver or an older one is best; of newer ones, which run by minor version compatibility, the oldest.
    native = [pair for pair in family if pair[0] <= version(native_cuda(driver))]
    return native[-1][1] if native else family[0][1]
