# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a launch asks RunPod for: checked before anything is asked, then written as the API wants it, and where it may be had."""

from __future__ import annotations

import base64
import math
import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import NotFound, RentedError, Unsupported, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod import machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod.connection import NAME, TITLE
from ansible_collections.rented.gpu.plugins.module_utils._renting import _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import HOURS_PER_MONTH, LaunchRequest

DEFAULT_IMAGE = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"  # as in the API file's example of a request
DEFAULT_DISK_GB = 20
LEAST_VOLUME_GB = 10
VOLUME_PATH = "/workspace"
IMAGE_START = "/start.sh"  # what RunPod's own images run
SSH_PORT = "22/tcp"

# An argument of a program is at most 128 KiB on Linux; the rest of the command fits into what is left.
ARGUMENT_LIMIT = 128 * 1024 - 1024
START_LINE = (
    "mkdir -p ${HOME:-/root}/.rented && cd ${HOME:-/root}/.rented && if [ ! -e startup ]; then "
    "echo %s | base64 -d > startup.new && chmod 700 startup.new && mv startup.new startup && { ./startup > startup.log 2>&1 & }; fi; "
    'cd /; exec bash -c "$(echo %s | base64 -d)"'
)

# What LaunchRequest.options may hold.
LAUNCH_OPTIONS = (
    "gpu_id",
    "cloud",
    "data_center_ids",
    "template_id",
    "env",
    "args",
    "image_start",
    "ports",
    "volume_gb",
    "volume_path",
    "network_volume_id",
    "registry_id",
    "min_cuda_version",
    "allowed_cuda_versions",
    "global_networking",
    "start_jupyter",
)


def check(request: LaunchRequest) -> dict:
    """The launch options, each one known and of its type. Raises `RentedError`; nothing has been asked by then."""
    title, name = TITLE, NAME
    options = _launching.options_of(request, LAUNCH_OPTIONS, title, name)
    _launching.refuse_what_cannot_be(request, title, name)
    if not request.name.strip():
        raise RentedError(f"{title} wants a name for what it rents.", name)
    if not request.gpu and "gpu_id" not in options:
        raise RentedError(f"Name the GPU to rent at {title} (gpu: RTX 4090), or its id there (options: gpu_id).", name)
    if request.gpu_count is not None and request.gpu_count < 1:
        raise RentedError(f"A pod at {title} has at least one GPU; gpu_count is {request.gpu_count}.", name)

    def must(option: str, fits, wanted: str) -> None:
        if option in options and not fits(options[option]):
            raise RentedError(f"The launch option '{option}' of {title} is {wanted}.", name)

    for option in ("gpu_id", "template_id", "args", "image_start", "volume_path", "network_volume_id", "registry_id"):
        must(option, lambda value: isinstance(value, str) and value.strip(), "a text")
    for option in ("global_networking", "start_jupyter"):
        must(option, lambda value: isinstance(value, bool), "true or false")
    must("cloud", lambda value: str(value).upper() in offers.CLOUDS, "secure or community")
    must("data_center_ids", _is_texts, "a list of data centre ids")
    must("ports", lambda value: _is_texts(value) and all(map(_is_port, value)), "a list such as ['8888/http', '6006/tcp']")
    must("volume_gb", lambda value: (_values.number(value) or 0) >= LEAST_VOLUME_GB, f"a number of GB, at least {LEAST_VOLUME_GB}")
    must("min_cuda_version", _is_version, "a version in quotes, such as '12.8'")
    must(
        "allowed_cuda_versions", lambda value: isinstance(value, list) and value and all(map(_is_version, value)), "a list such as ['12.8']"
    )
    must("env", lambda value: isinstance(value, dict) and all(map(_is_plain, value.values())), "a mapping of names to texts or numbers")
    for one, other in (("volume_gb", "network_volume_id"), ("min_cuda_version", "allowed_cuda_versions")):
        if one in options and other in options:
            raise RentedError(f"{title} takes '{one}' or '{other}', not both.", name)
    if request.startup_script and "args" in options:
        raise RentedError("The startup script is sent as the container's arguments, so 'args' cannot be given with it.", name)
    if "data_center_ids" in options:
        options["data_center_ids"] = [centre.upper() for centre in options["data_center_ids"]]  # lower case is not understood
    return options


def _is_texts(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item.strip() for item in value)


def _is_port(value: str) -> bool:
    found = re.match(r"^(\d+)/(tcp|http)$", value)
    return found is not None and _values.port(found.group(1)) is not None


def _is_version(value) -> bool:
    return isinstance(value, str) and re.match(r"^\d+\.\d+$", value) is not None


def _is_plain(value) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def body(request: LaunchRequest, options: dict) -> dict:
    """The request as the API wants it, without a GPU id, a place and keys."""
    by_template = "template_id" in options
    body: dict = {
        "name": request.name,
        "cloud": str(options.get("cloud", "SECURE")).upper(),
        "gpu": {"count": int(request.gpu_count or 1)},
        # Without 22/tcp a pod has no port of its own for SSH; there is no default.
        "ports": list(dict.fromkeys([SSH_PORT, *options.get("ports", ())])),
        "startSsh": True,
    }
    if request.image or not by_template:
        body["image"] = request.image or DEFAULT_IMAGE
    if request.disk_gb or not by_template:
        body["disk"] = max(math.ceil(request.disk_gb or DEFAULT_DISK_GB), 1)
    if "env" in options:
        body["env"] = {str(key): str(value) for key, value in options["env"].items()}
    path = options.get("volume_path", VOLUME_PATH)
    if "volume_gb" in options:
        body["mounts"] = {"persistent": {"size": math.ceil(_values.number(options["volume_gb"]) or 0), "path": path}}
    elif "network_volume_id" in options:
        body["mounts"] = {"network": [{"volumeId": options["network_volume_id"], "path": path}]}
    for option, field in (
        ("template_id", "templateId"),
        ("args", "args"),
        ("registry_id", "registry"),
        ("global_networking", "globalNetworking"),
        ("start_jupyter", "startJupyter"),
    ):
        if option in options:
            body[field] = options[option]
    for option, field in (("min_cuda_version", "minCudaVersion"), ("allowed_cuda_versions", "allowedCudaVersions")):
        if option in options:
            body["gpu"][field] = options[option]
    if request.startup_script:
        body["args"] = start_arguments(request.startup_script, image_start(body, options))
    return body


def image_start(body: dict, options: dict) -> str:
    """What the image itself would run: known of RunPod's own images only."""
    if "image_start" in options:
        return options["image_start"]
    if "templateId" in body or not body["image"].startswith("runpod/"):
        raise RentedError(
            f"A startup script takes the place of what the image runs, and that is known of images of {TITLE} alone "
            "(runpod/…). Say it with options: image_start, for example /start.sh.",
            NAME,
        )
    return IMAGE_START


def start_arguments(script: str, then: str) -> str:
    """The container's arguments that run a script beside what the image runs.

    Both go in base64, so that nothing in them is read as quotes. The script runs in the background, so that sshd does not wait for it,
    and once per container disk: a stop wipes the disk, and with it what the script did. It writes to ``~/.rented/startup.log``.
    """
    packed, start = (base64.b64encode(text.encode()).decode() for text in (script, then))
    line = START_LINE % (packed, start)
    if len(line) > ARGUMENT_LIMIT:
        most = (ARGUMENT_LIMIT - len(line) + len(packed)) * 3 // 4
        raise RentedError(
            f"The startup script is too long for {TITLE}: {len(script.encode())} bytes, and an argument takes "
            f"{most}. Let a short one fetch it.",
            NAME,
        )
    return f"bash -c '{line}'"


# --- what is tried ----------------------------------------------------------------------------------------------------


def choose(gpus: list, request: LaunchRequest, options: dict, wanted: dict) -> list:
    """The rows of the catalogue that fit, under the limit of the price. Raises `NotFound` with the reason when none does."""
    cloud, count = wanted.get("cloud", "SECURE"), wanted["gpu"]["count"]
    named = [gpu for gpu in gpus if offers.is_meant(gpu, request.gpu, options.get("gpu_id"))]
    if not named:
        names = sorted({str(gpu.get("name") or gpu["id"]) for gpu in gpus})
        raise NotFound(f"{TITLE} has no GPU '{options.get('gpu_id') or request.gpu}'. {nearest_of(request, names)}", NAME)
    most = max(offers.most_gpus(gpu, cloud) for gpu in named)
    if count > most:
        raise NotFound(
            f"{TITLE} has at most {most} of {wish_gpu(request)} in one pod of its {cloud.lower()} cloud; {count} were asked for.",
            NAME,
        )
    named = [gpu for gpu in named if offers.most_gpus(gpu, cloud) >= count]
    storage = (wanted.get("disk", 0) + machines.persistent_gb(wanted.get("mounts"))) * offers.DISK_USD_PER_GB_MONTH / HOURS_PER_MONTH
    limit = request.max_price_per_hour
    if limit is not None:
        prices = {gpu["id"]: offers.pod_price(gpu, cloud, count) for gpu in named}
        named = [gpu for gpu in named if prices[gpu["id"]] is not None and prices[gpu["id"]] + storage <= limit]
        if not named:
            known = [price for price in prices.values() if price is not None]
            least = f"the cheapest costs {min(known):.4f} USD/h, and its disk {storage:.4f}" if known else "no price is known"
            raise NotFound(f"{TITLE} has nothing that fits {wish_words(request)}: {least}.", NAME)
    return named


def placed(named: list, places, request: LaunchRequest, cloud: str) -> list:
    """``(row of the catalogue, data centre or None)`` of all that is not sold out, cheapest first, then best stocked.

    ``places`` is a test of data centre ids; None where any place will do.
    """
    found: list = []
    for gpu in named:
        centres = [(row.get("availability"), str(row["id"])) for row in _values.rows(gpu.get("dataCenters")) if row.get("id")]
        if places is None:
            found.append((gpu, None, gpu.get("availability")))
        else:
            found.extend((gpu, centre, stock) for stock, centre in centres if places(centre))
    if not found and any(gpu.get("availability") in offers.STOCK and not gpu.get("dataCenters") for gpu in named):
        raise Unsupported(
            f"{TITLE} does not say where the pods of its {cloud.lower()} cloud are, so none can be rented in "
            f"{request.region or 'a place of your choice'}.",
            NAME,
        )
    found = [entry for entry in found if entry[2] != "NONE"]
    if not found:
        raise NotFound(
            f"{TITLE} has no capacity for {wish_words(request)} in its {cloud.lower()} cloud now. Try later, elsewhere, or another GPU.",
            NAME,
        )
    worst = float("inf")
    found.sort(
        key=lambda entry: (
            worst if offers.pod_price(entry[0], cloud, 1) is None else offers.pod_price(entry[0], cloud, 1),
            offers.STOCK.index(entry[2]) if entry[2] in offers.STOCK else len(offers.STOCK),
        )
    )
    return [(gpu, centre) for gpu, centre, _stock in found]


def wish_gpu(request: LaunchRequest) -> str:
    """The GPU that was asked for, in words."""
    return request.gpu or request.options.get("gpu_id") or "any GPU"


def wish_words(request: LaunchRequest) -> str:
    """What was asked for, in words."""
    return _launching.words(request, _launching.gpu_words(request, wish_gpu(request)))


def nearest_of(request: LaunchRequest, names: list) -> str:
    """The hint for a GPU that the catalogue does not have."""
    return nearest(wish_gpu(request), names) if names else "Its catalogue is empty."
