# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a launch asks Paperspace for: checked before anything is asked, then written as the API wants it."""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace import machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace.connection import NAME, TITLE
from ansible_collections.rented.gpu.plugins.module_utils._renting import _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest

# LaunchRequest.options -> (the API's field, kind of value)
LAUNCH_OPTIONS = {
    "machine_type": ("machineType", "text"),
    "network_id": ("networkId", "text"),
    "public_ip_type": ("publicIpType", "text"),
    "startup_script_id": ("startupScriptId", "text"),
    "enable_nvlink": ("enableNvlink", "flag"),
    "email_password": ("emailPassword", "flag"),
    "auto_shutdown_hours": ("autoShutdownTimeout", "number"),
    "auto_shutdown_force": ("autoShutdownForce", "flag"),
    "auto_snapshot": ("autoSnapshotFrequency", "text"),
    "auto_snapshot_keep": ("autoSnapshotSaveCount", "number"),
    "take_initial_snapshot": ("takeInitialSnapshot", "flag"),
    "accessor_ids": ("accessorIds", "list"),
}
CHOICES = {"public_ip_type": ("dynamic", "static", "none"), "auto_snapshot": ("hourly", "daily", "weekly", "monthly")}


def check(request: LaunchRequest, private_network: bool) -> dict:
    """The launch options, each one known and of its kind. Raises `RentedError`; nothing has been asked by then."""
    title, name = TITLE, NAME
    options = _launching.options_of(request, LAUNCH_OPTIONS, title, name)
    _launching.refuse_what_cannot_be(request, title, name, no_prices=offers.NO_PRICES)
    if not request.name:
        raise RentedError(f"A machine at {title} needs a name.", name)
    options = {option: of_kind(option, value) for option, value in options.items()}
    if request.region and request.region.lower() not in offers.REGIONS:
        raise RentedError(f"{title} has no region '{request.region}'. {nearest(request.region.lower(), offers.REGIONS)}", name)
    if request.disk_gb is not None and not 0 < request.disk_gb <= offers.DISK_SIZES_GB[-1]:
        raise RentedError(f"A disk at {title} has up to {offers.DISK_SIZES_GB[-1]:.0f} GB; {request.disk_gb:g} were asked for.", name)
    if not request.gpu and "machine_type" not in options:
        raise RentedError(f"Name the GPU to rent at {title} (gpu: RTX A4000), or a machine type (options: machine_type).", name)
    if "machine_type" in options and not fits(options["machine_type"], request):
        raise RentedError(f"The machine type {options['machine_type']} is not {_launching.gpu_words(request)}. Name one of the two.", name)
    if "startup_script_id" in options and (request.ssh_public_key or request.startup_script):
        raise RentedError(
            f"{title} runs one startup script: 'startup_script_id' leaves no room for 'ssh_public_key' and 'startup_script'.", name
        )
    if request.ssh_public_key:
        _public_key.required(request.ssh_public_key, "The SSH key", name)
    if options.get("public_ip_type") == "none" and not private_network:
        raise RentedError(
            "A machine without a public address is reached over its private network only: say so with 'private_network: true' "
            "in the account, or leave 'public_ip_type' out.",
            name,
        )
    return options


def of_kind(option: str, value):
    """An option's value as the API takes it. Raises `RentedError`."""
    kind = LAUNCH_OPTIONS[option][1]
    if kind == "flag":
        return flag(option, value)
    if kind == "number":
        found = _values.number(value)
        if found is None or found <= 0:
            raise RentedError(f"'{option}' is a number above 0.", NAME)
        return int(found) if found == int(found) else found
    if kind == "list":
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise RentedError(f"'{option}' is a list of texts.", NAME)
        return value
    text = _values.text(value)
    if text is None or (option in CHOICES and text not in CHOICES[option]):
        raise RentedError(f"'{option}' is {' or '.join(CHOICES.get(option, ('a text',)))}.", NAME)
    return text


def flag(option: str, value) -> bool:
    """True or false, also as the words that YAML and Jinja make of them."""
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise RentedError(f"'{option}' is true or false.", NAME)


def body(request: LaunchRequest, options: dict, label: str, template: dict, region: str) -> dict:
    """The request that rents. What costs or ends by itself is said, not left to defaults that are documented nowhere."""
    body = {
        "name": request.name,
        "machineType": label,
        "templateId": str(template["id"]),
        "diskSize": disk_size(request.disk_gb, template),
        "region": region,
        "publicIpType": "dynamic",
        "startOnCreate": True,
        # Without a key the password that Paperspace sends by e-mail is the only way in.
        "emailPassword": not request.ssh_public_key,
        "autoShutdownEnabled": "auto_shutdown_hours" in options,
        "autoSnapshotEnabled": "auto_snapshot" in options,
    }
    body.update({LAUNCH_OPTIONS[option][0]: value for option, value in options.items()})
    return body


def disk_size(asked: float | None, template: dict) -> int:
    """The next size that is sold, GB; never less than the template needs."""
    least = max(asked or 0, _values.number(template.get("defaultSizeGb")) or 0)
    return next((size for size in offers.DISK_SIZES_GB if size >= least), offers.DISK_SIZES_GB[-1])


def named_template(templates: list, wanted: str) -> dict | None:
    """The template with this id, or this name in any case."""
    word = wanted.strip().lower()
    by_id = [template for template in templates if str(template.get("id")) == wanted.strip()]
    return next(iter(by_id + [template for template in templates if str(template.get("name") or "").strip().lower() == word]), None)


def best_template(templates: list, label: str) -> dict:
    """Among those for the machine type: ML-in-a-Box first (it has NVIDIA's driver), then Ubuntu, each the newest."""

    def rank(template: dict) -> tuple:
        words = f"{template.get('name')} {template.get('operatingSystemLabel')}"
        version = re.search(r"ubuntu[^\d]*(\d+(?:\.\d+)?)", words, re.I)
        return "ml-in-a-box" in words.lower().replace(" ", "-"), bool(version), float(version.group(1)) if version else 0.0

    return max((template for template in templates if label in offers.runs_on(template)), key=rank)


def fits(label: str, request: LaunchRequest) -> bool:
    """Whether a machine type has the GPUs asked for: model, board, memory, and number where one is said."""
    gpu, count = machines.gpu_of(label)
    if request.gpu and (gpu is None or not offers.same_gpu(request.gpu, gpu)):
        return False
    return request.gpu_count in (None, count)


def size_of(label: str) -> tuple:
    """By memory, for want of prices; the smallest is the cheapest."""
    gpu = machines.gpu_of(label)[0]
    return (gpu.vram_mb if gpu and gpu.vram_mb else 2**31, label)
