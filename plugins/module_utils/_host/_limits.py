# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""CPU and memory: what the machine has, and what the cgroups allow (v1, v2 and both together)."""

from __future__ import annotations

import os
import posixpath

from . import _read


def mounts(root: str = "/") -> list:
    """The mounts of this process, in order: dicts of ``device``, ``root``, ``point``, ``type``, ``options`` (see proc(5), mountinfo)."""
    found = []
    for line in (_read.read(root, "/proc/self/mountinfo", 8 << 20) or "").splitlines():
        left, separator, right = line.partition(" - ")
        fields, rest = left.split(" "), right.split(" ")
        if not separator or len(fields) < 6 or len(rest) < 2:
            continue
        found.append(
            {
                "device": fields[2],
                "root": _unescape(fields[3]),
                "point": _unescape(fields[4]),
                "type": rest[0],
                "source": _unescape(rest[1]),
                "options": rest[2] if len(rest) > 2 else "",
            }
        )
    return found


def _unescape(text: str) -> str:
    """mountinfo writes space, tab, newline and backslash in octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _groups(root: str) -> dict:
    """The cgroup path of this process per controller; the key "" is version 2."""
    paths = {}
    for line in (_read.read(root, "/proc/self/cgroup") or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                paths[controller] = parts[2]
    return paths


def _folders(controller: str, root: str, mounted: list) -> list:
    """The folders that limit this process, from its own group up to the mount point. A parent's limit counts too."""
    groups = _groups(root)
    for mount in mounted:
        kind = "cgroup" if controller else "cgroup2"
        fits = mount["type"] == kind and (not controller or controller in mount["options"].split(","))
        if not fits or controller not in groups:
            continue
        group, top = groups[controller], mount["root"].rstrip("/")
        # In a container without its own cgroup namespace the path is the host's, and the mount shows only a part of it.
        if top and (group == top or group.startswith(top + "/")):
            group = group[len(top) :]
        parts = [part for part in group.split("/") if part]
        if ".." in parts:
            parts = []
        return [posixpath.join(mount["point"], *parts[:depth]) for depth in range(len(parts), -1, -1)]
    return []


def _number(text: str | None) -> int | None:
    try:
        return int((text or "").split()[0])
    except (ValueError, IndexError):
        return None


def cpu_quota(root: str = "/", mounted: list | None = None) -> float | None:
    """CPUs that the cgroups allow (1.5 is one and a half), or None for no limit."""
    mounted = mounts(root) if mounted is None else mounted
    allowed = []
    for folder in _folders("", root, mounted):
        words = (_read.read(root, folder + "/cpu.max") or "").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
            allowed.append(int(words[0]) / int(words[1]))
    for folder in _folders("cpu", root, mounted):
        quota = _number(_read.read(root, folder + "/cpu.cfs_quota_us"))
        period = _number(_read.read(root, folder + "/cpu.cfs_period_us"))
        if quota and quota > 0 and period:
            allowed.append(quota / period)
    return round(min(allowed), 2) if allowed else None


def memory_limit_mb(total_mb: int | None, root: str = "/", mounted: list | None = None) -> int | None:
    """MiB that the cgroups allow, or None for no limit. Version 1 says "none" with a number larger than any memory."""
    mounted = mounts(root) if mounted is None else mounted
    read = [_number(_read.read(root, folder + "/memory.max")) for folder in _folders("", root, mounted)]
    read += [_number(_read.read(root, folder + "/memory.limit_in_bytes")) for folder in _folders("memory", root, mounted)]
    limits = [limit >> 20 for limit in read if limit is not None]
    limits = [limit for limit in limits if limit < (total_mb or 1 << 40)]
    return min(limits) if limits else None


def memory_total_mb(root: str = "/") -> int | None:
    """MiB of memory the kernel shows."""
    for line in (_read.read(root, "/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return None


def cpu(root: str = "/", mounted: list | None = None) -> dict:
    """``cores`` this process may run on, ``quota`` of the cgroups."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = os.cpu_count() or 1
    return {"cores": cores, "quota": cpu_quota(root, mounted)}


def memory(root: str = "/", mounted: list | None = None) -> dict:
    """``total_mb`` and ``limit_mb``."""
    total = memory_total_mb(root)
    return {"total_mb": total, "limit_mb": memory_limit_mb(total, root, mounted)}


def shm_mb(mounted: list) -> int | None:
    """Size of /dev/shm in MiB, or None when nothing is mounted there."""
    if not any(mount["point"] == "/dev/shm" for mount in mounted):
        return None
    entry = os.statvfs("/dev/shm")
    return entry.f_blocks * entry.f_frsize >> 20


def disk(path: str, mounted: list) -> dict:
    """The file system that holds ``path``, or will hold it: ``path mount filesystem free_mb total_mb``."""
    there = path
    while not os.path.isdir(there) and there != "/":
        there = os.path.dirname(there) or "/"
    entry = os.statvfs(there)
    real = os.path.realpath(there)
    holder: dict = {"point": "/", "type": None}
    for mount in mounted:  # the last mount on a point hides the earlier ones
        point = mount["point"].rstrip("/")
        if (real == point or real.startswith(point + "/")) and len(mount["point"]) >= len(holder["point"]):
            holder = mount
    return {
        "path": path,
        "mount": holder["point"],
        "filesystem": holder["type"],
        "free_mb": entry.f_bavail * entry.f_frsize >> 20,
        "total_mb": entry.f_blocks * entry.f_frsize >> 20,
    }
