# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a box is: a container whose labels say all that is known of it."""

from __future__ import annotations

import datetime
import os
import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import OWNER_TAG, Instance

NAME = "rehearsal"
TITLE = "Rehearsal"
PREFIX = "gpu.rented."

# The states of podman and docker. A container that was created and never started is one whose start is under way.
STATES = {
    "created": "pending",
    "configured": "pending",
    "initialized": "pending",
    "restarting": "pending",
    "running": "running",
    "paused": "paused",
    "stopping": "stopping",
    "removing": "stopping",
    "exited": "stopped",
    "stopped": "stopped",
    "dead": "error",
}

# kind -> SSH user, GPU when none is asked for, made-up price in USD per hour of the box and of each of its GPUs
KINDS: dict[str, dict] = {
    "container": {"user": "root", "gpu": "RTX 4090", "price": 0.02, "price_per_gpu": 0.35, "trust": "own"},
    "vm": {"user": "ubuntu", "gpu": "A10", "price": 0.05, "price_per_gpu": 0.75, "trust": "own"},
}

MOST_GPUS = 16

# as nvidia-smi writes it -> MiB, compute capability, watts, whether it has ECC memory; of two sizes the first is the usual one
GPUS = {
    "NVIDIA GeForce RTX 3060": (12288, "8.6", 170, False),
    "NVIDIA GeForce RTX 3090": (24576, "8.6", 350, False),
    "NVIDIA GeForce RTX 4090": (24564, "8.9", 450, False),
    "NVIDIA GeForce RTX 5090": (32607, "12.0", 575, False),
    "NVIDIA RTX A6000": (49140, "8.6", 300, True),
    "Tesla T4": (15360, "7.5", 70, True),
    "Tesla V100-SXM2-16GB": (16384, "7.0", 300, True),
    "NVIDIA L4": (23034, "8.9", 72, True),
    "NVIDIA A10": (23028, "8.6", 150, True),
    "NVIDIA A100-SXM4-40GB": (40960, "8.0", 400, True),
    "NVIDIA A100-SXM4-80GB": (81920, "8.0", 400, True),
    "NVIDIA H100 80GB HBM3": (81559, "9.0", 700, True),
}


def boxes(engine: engines.Engine, account: str) -> list:
    """The containers of an account and of this user, oldest first."""
    # An engine may read wildcards in a filter, and one docker daemon serves several users: both are compared here.
    mine = {PREFIX + "account": account, PREFIX + "user": str(os.getuid())}
    found = [box for box in engine.containers(PREFIX + "account", account) if mine.items() <= box["labels"].items()]
    return sorted(found, key=lambda box: (box["labels"].get(PREFIX + "created", ""), box["id"]))


def instance(box: dict) -> Instance:
    """One container of `_rehearsal.engine.parse_podman` as an `Instance`."""
    labels = {name[len(PREFIX) :]: value for name, value in box["labels"].items() if name.startswith(PREFIX)}
    kind = labels.get("kind") if labels.get("kind") in KINDS else None
    gpu = labels.get("gpu") if labels.get("gpu") not in ("", "none", None) else None
    count = _values.whole(labels.get("gpu_count"))
    started = labels.get("created")
    if box["started"]:
        started = iso(datetime.datetime.fromtimestamp(box["started"], datetime.timezone.utc))
    vram = _values.whole(labels.get("gpu_vram_mb")) if gpu else None
    model = _gpu_names.normalise(gpu, vram)
    state = _values.state(STATES, box["state"], NAME, box["id"])
    # podman goes on naming the port of a stopped container
    port = box["port"] if state in ("running", "paused") else None
    return Instance(
        provider=NAME,
        account=labels.get("account", ""),
        id=box["id"][:12],
        label=tag_and_label(box["name"])[1] or labels.get("name"),
        state=state,
        state_raw=box["state"],
        kind=kind,
        ssh_host="127.0.0.1" if port else None,
        ssh_port=port,
        ssh_user=login(kind, labels.get("login")),
        ssh_via="direct" if port else None,
        gpu_name_raw=gpu and gpu + " (simulated)",
        gpu_model=model.model,
        gpu_variant=model.variant,
        gpu_count=count,
        gpu_vram_mb=vram,
        cpu_cores=_values.number(labels.get("cpus")),
        ram_gb=_values.scaled(labels.get("ram_mb"), 1048576 / 1e9),
        disk_gb=_values.scaled(labels.get("disk_mb"), 1048576 / 1e9),
        cuda_max=(labels.get("cuda") or None) if gpu else None,
        driver=(labels.get("driver") or None) if gpu else None,
        region="local",
        price_per_hour=_values.number(labels.get("price")),
        storage_price_per_hour=0.0,
        interruptible=labels.get("interruptible") == "1",
        trust=KINDS[kind]["trust"] if kind else "own",
        image=labels.get("image"),
        started_at=started,
        ends_at=_ends(labels),
        tags={"simulated": "true", **({OWNER_TAG: labels["owner"]} if labels.get("owner") else {})},
    )


def container_name(tag: str, label: str) -> str:
    """A container name that holds any label: ``rented.<tag>.<label>``, other characters as ``_`` and two hex digits per byte.

    Raises `RentedError` for a label that is empty or longer than 120 bytes once written so.
    """
    coded = "".join(chr(byte) if re.match(r"[A-Za-z0-9-]", chr(byte)) else f"_{byte:02x}" for byte in label.encode("utf-8"))
    if not coded or len(coded) > 120:
        raise RentedError("The name of a box has 1 to 120 characters; others than letters, digits and '-' count three per byte.", NAME)
    return f"rented.{tag}.{coded}"


def tag_and_label(name: str) -> tuple:
    """The two parts of `container_name`; (None, None) for a name that is not one."""
    match = re.match(r"^rented\.([0-9a-f]+)\.((?:[A-Za-z0-9-]|_[0-9a-f]{2})+)$", name)
    if not match:
        return None, None
    coded = re.sub(r"_([0-9a-f]{2})", r"%\1", match.group(2))
    return match.group(1), engines.unquote(coded)


def home_of(user: str) -> str:
    """The home directory of a login user in a box."""
    return "/root" if user == "root" else "/home/" + user


def login(kind: str | None, label: str | None) -> str | None:
    """The login user; boxes of earlier versions do not carry it."""
    return (label or KINDS[kind]["user"]) if kind in KINDS else None


def _ends(labels: dict) -> str | None:
    seconds = _values.number(labels.get("vanish_after"))
    try:
        created = datetime.datetime.strptime(labels["created"], "%Y-%m-%dT%H:%M:%SZ")
    except (KeyError, ValueError):
        return None
    return iso(created + datetime.timedelta(seconds=seconds)) if seconds else None


# --- small things ----------------------------------------------------------------------------------------------------


def now() -> str:
    """This moment, UTC, ISO 8601."""
    return iso(datetime.datetime.now(datetime.timezone.utc))


def iso(moment: datetime.datetime) -> str:
    """A time in UTC, in ISO 8601."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ram_mb():
    """MiB of memory of this machine; an empty text where it is not known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1048576
    except (OSError, ValueError):
        return ""
