# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a launch asks a rehearsal for: checked and completed before a box is made."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingCredentials, RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import images, machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal.machines import NAME, TITLE
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _launching
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest

# Bytes of a startup script: it travels as one word of the engine's command line, which Linux limits to 128 KiB.
LONGEST_STARTUP = 100000

# What LaunchRequest.options may hold, and how each value is read.
LAUNCH_OPTIONS = {
    "kind": "kind",
    "user": "user",
    "gpu": "text",
    "gpu_count": "number",
    "no_python": "flag",
    "driver": "text",
    "cuda": "text",
    "ssh_delay": "number",
    "apt_lock_seconds": "number",
    "refuse_key": "flag",
    "small_disk_mb": "number",
    "vanish_after": "number",
    "no_network": "flag",
    "gpu_broken": "flag",
    "gpu_missing": "number",
    "gpu_used_mb": "number",
    "gpu_ecc_errors": "number",
}


def plan(request: LaunchRequest) -> dict:
    """A launch request checked and completed: kind, image, GPU, price and faults. Raises `RentedError` for what cannot be."""
    options = _launching.options_of(request, LAUNCH_OPTIONS, TITLE, NAME)
    options = {name: _read_option(name, value) for name, value in options.items()}
    kind = options.get("kind", "container")
    image = request.image or "debian-12"
    user = options.get("user", machines.KINDS[kind]["user"])
    if kind == "container" and user != "root":
        raise RentedError(f"A box of kind container logs in as root; for the login user '{user}' take kind: vm, which has sudo.", NAME)
    if kind == "vm" and user == "root":
        raise RentedError("A box of kind vm has a login user with sudo; for root take kind: container.", NAME)
    startup = len((request.startup_script or "").encode("utf-8"))
    if startup > LONGEST_STARTUP or "\0" in (request.startup_script or ""):
        raise RentedError(
            f"A box takes a startup_script of text of at most {LONGEST_STARTUP} bytes, and this one has {startup}: let it fetch the rest.",
            NAME,
        )
    if options.get("no_python") and images.split(image)[1] == "":
        image += "-no-python"
    images.split(image)
    asked = request.gpu or options.get("gpu") or machines.KINDS[kind]["gpu"]
    gpu = find_gpu(asked)
    count = request.gpu_count if request.gpu_count is not None else options.get("gpu_count", 1)
    count = int(count) if gpu else 0
    if count < 0 or count > machines.MOST_GPUS:
        raise RentedError(f"A box has 0 to {machines.MOST_GPUS} simulated GPUs, not {count}.", NAME)
    vram, capability, watts, ecc = machines.GPUS[gpu] if gpu and count else ("", "", "", False)
    price = offers.made_up_price(kind, count, request.interruptible)
    if request.max_price_per_hour is not None and price > request.max_price_per_hour:
        raise RentedError(f"The made-up price of this box is {price:.2f} USD/h, above the limit of {request.max_price_per_hour:.2f}.", NAME)
    return {
        "kind": kind,
        "user": user,
        "image": image,
        "gpu": gpu if count else None,
        "gpu_count": count,
        "vram_mb": vram,
        "compute_capability": capability,
        "watts": watts,
        "ecc": str(options.get("gpu_ecc_errors", 0)) if ecc or "gpu_ecc_errors" in options else "N/A",
        "driver": options.get("driver", "570.172.08"),
        "cuda": options.get("cuda", "12.8"),
        "price": price,
        "gpu_seen": max(0, count - options.get("gpu_missing", 0)),
        "gpu_used_mb": options.get("gpu_used_mb", 1),
        "gpu_broken": options.get("gpu_broken", False),
        "ssh_delay": options.get("ssh_delay", 0),
        "apt_lock_seconds": options.get("apt_lock_seconds", 0),
        "refuse_key": options.get("refuse_key", False),
        "small_disk_mb": options.get("small_disk_mb", 0),
        "vanish_after": options.get("vanish_after", 0),
        "no_network": options.get("no_network", False),
    }


def _read_option(name: str, value):
    form = LAUNCH_OPTIONS[name]
    if form == "number":
        try:
            number = int(str(value))
        except ValueError:
            number = -1
        if number < 0:
            raise RentedError(f"The option '{name}' takes a whole number, 0 or more, not '{value}'.", NAME)
        return number
    if form == "flag":
        if str(value).lower() in ("true", "yes", "on", "1"):
            return True
        if str(value).lower() in ("false", "no", "off", "0"):
            return False
        raise RentedError(f"The option '{name}' takes true or false, not '{value}'.", NAME)
    if form == "kind" and value not in machines.KINDS:
        raise RentedError(f"There is no kind of box '{value}'. {nearest(str(value), machines.KINDS)}", NAME)
    if form == "user" and not re.match(r"^[a-z_][a-z0-9_-]{0,31}$", str(value)):
        raise RentedError(f"The option 'user' takes a login name (small letters, digits, '_' and '-', at most 32), not '{value}'.", NAME)
    if form == "text" and not re.match(r"^[A-Za-z0-9 ._-]+$", str(value)):
        raise RentedError(f"The option '{name}' takes letters, digits, spaces, '.', '_' and '-', not '{value}'.", NAME)
    return str(value)


def find_gpu(asked: str) -> str | None:
    """The name in `GPUS` for "RTX 4090", "rtx_4090", "A100 80GB" and the like; None for "none". Raises `RentedError` for others."""
    if asked.strip().lower() in ("none", "cpu", "no"):
        return None
    wanted = _gpu_names.normalise(asked)
    models = []
    for name, facts in machines.GPUS.items():
        found = _gpu_names.normalise(name, facts[0])
        if found.model == wanted.model and (not wanted.vram_mb or _gpu_names.same_size(found.vram_mb, wanted.vram_mb)):
            return name
        models.append(found.model)
    raise RentedError("There is no simulated GPU '%s'. %s" % (asked, nearest(asked, set(models) | {"none"})), NAME)


def environment(wish: dict, key: str, startup_script: str | None = None) -> dict:
    """What the first process in the box is told."""
    return {
        "KIND": wish["kind"],
        "USER": wish["user"],
        "STARTUP_SCRIPT": startup_script or "",
        "SSH_KEY": key,
        "GPU_NAME": wish["gpu"] or "none",
        "GPU_COUNT": wish["gpu_seen"],
        "GPU_MEMORY_MB": wish["vram_mb"],
        "GPU_USED_MB": wish["gpu_used_mb"],
        "GPU_COMPUTE_CAP": wish["compute_capability"],
        "GPU_POWER_W": wish["watts"],
        "GPU_ECC": wish["ecc"],
        "GPU_DRIVER": wish["driver"],
        "GPU_CUDA": wish["cuda"],
        "GPU_BROKEN": int(wish["gpu_broken"]),
        "SSH_DELAY": wish["ssh_delay"],
        "APT_LOCK_SECONDS": wish["apt_lock_seconds"],
        "REFUSE_KEY": int(wish["refuse_key"]),
        "VANISH_AFTER": wish["vanish_after"],
        "NO_NETWORK": int(wish["no_network"]),
    }


def find_public_key() -> str:
    """The user's public key, as ssh itself would choose; raises `MissingCredentials` when there is none."""
    looked = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"]
    folder = os.path.expanduser("~/.ssh")
    for path in [os.path.join(folder, name) for name in looked] + sorted(glob.glob(os.path.join(folder, "*.pub"))):
        try:
            with open(path, encoding="utf-8") as handle:
                return check_public_key(handle.read(), path)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise MissingCredentials(f"The public key {path} cannot be read: {error}.", NAME)
    raise MissingCredentials(
        "No SSH public key for the new box: none was given and there is no ~/.ssh/*.pub. Make one with: ssh-keygen -t ed25519",
        NAME,
    )


def check_public_key(text: str, what: str) -> str:
    """One public key on one line; raises `MissingCredentials` when it is not one. The text is not repeated: it may be a private key."""
    key = _public_key.parse(text)
    if key is None or key.options or key.content is None:
        hint = " It looks like a private key: give the .pub file." if _public_key.is_private(text) else ""
        raise MissingCredentials(f"{what} is not an SSH public key.{hint}", NAME)
    return key.line
