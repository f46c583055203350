# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a launch asks Lambda for: checked before anything is asked, then written as the API wants it, and the types that fit."""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import NotFound, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda import keys, machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda.connection import NAME, TITLE, wrong
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import OWNER_TAG, LaunchRequest

LONGEST_NAME = 64  # characters; of instances and of keys
LONGEST_USER_DATA = 1_000_000  # bytes; "1MB"
ARM_GPUS = ("GH200", "GB200", "GB300")  # boards whose CPU is arm64; images are for one architecture

# What LaunchRequest.options may hold.
LAUNCH_OPTIONS = (
    "instance_type",
    "ssh_key_name",
    "file_systems",
    "file_system_mounts",
    "hostname",
    "tags",
    "firewall_rulesets",
    "user_data",
)
HOSTNAME = re.compile(r"^[a-z0-9][0-9a-z-]{0,62}\Z")
TAG_KEY = re.compile(r"^[a-z][a-z0-9:-]{1,54}\Z")
LONGEST_TAG = 128
MOUNT_POINT = re.compile(r"^(?:/home|/lambda/nfs|/data)[/a-zA-Z0-9-]*\Z")
LONGEST_MOUNT_POINT = 256


def check(request: LaunchRequest) -> dict:
    """The launch options, each one known and as Lambda takes it. Raises `RentedError`; nothing has been asked by then."""
    options = _launching.options_of(request, LAUNCH_OPTIONS, TITLE, NAME)
    _launching.refuse_what_cannot_be(request, TITLE, NAME)
    check_name(request.name, "an instance")
    if not request.gpu and not options.get("instance_type"):
        raise wrong("Name the GPU to rent at Lambda (gpu: A10), or a type (options: instance_type).")
    if request.gpu_count is not None and request.gpu_count < 1:
        raise wrong("'gpu_count' is 1 or more.")
    for name in ("file_systems", "file_system_mounts", "firewall_rulesets"):
        if not isinstance(options.get(name, []), list):
            raise wrong(f"The launch option '{name}' of Lambda is a list.")
    for mount in options.get("file_system_mounts", []):
        if not isinstance(mount, dict) or set(mount) != {"mount_point", "file_system_id"}:
            raise wrong("Each of the launch option 'file_system_mounts' of Lambda is a mapping of mount_point and file_system_id.")
        point = str(mount["mount_point"])
        if not MOUNT_POINT.match(point) or len(point) > LONGEST_MOUNT_POINT:
            raise wrong(f"Lambda mounts file systems below /home, /lambda/nfs or /data (letters, digits, '-'); '{point}' is not.")
    if "hostname" in options and not HOSTNAME.match(str(options["hostname"])):
        raise wrong(f"A hostname at Lambda is 1 to 63 of a-z, 0-9 and '-', without '-' in front; '{options['hostname']}' is not.")
    check_tags(options.get("tags", {}))
    if request.ssh_public_key:
        keys.check(request.ssh_public_key)
        if options.get("ssh_key_name"):
            raise wrong("Lambda rents with exactly one SSH key: give 'ssh_public_key' or the launch option 'ssh_key_name', not both.")
    if request.startup_script and options.get("user_data"):
        raise wrong("Give Lambda 'startup_script' or the launch option 'user_data', not both: they are one thing there.")
    if not isinstance(options.get("user_data", ""), str):
        raise wrong("The launch option 'user_data' of Lambda is a text, in a form that cloud-init knows.")
    if (request.startup_script or "").startswith("#cloud-"):
        raise wrong("'startup_script' is a script. Data for cloud-init goes into the launch option 'user_data' of Lambda.")
    if "\0" in user_data(request, options):
        raise wrong("The startup script for Lambda must be text; this one holds a NUL character.")
    size = len(user_data(request, options).encode("utf-8"))
    if size > LONGEST_USER_DATA:
        raise wrong(f"Lambda takes startup scripts of up to 1 MB; this one has {size} bytes. Let it fetch the rest.")
    return options


def check_tags(given) -> None:
    """Refuse tags that Lambda would refuse."""
    if not isinstance(given, dict):
        raise wrong("The launch option 'tags' of Lambda is a mapping.")
    for key, value in given.items():
        if not TAG_KEY.match(str(key)):
            raise wrong(f"A tag at Lambda has a key of 2 to 55 of a-z, 0-9, '-' and ':', a letter in front; '{key}' is not.")
        if isinstance(value, (dict, list)) or len(str(value)) > LONGEST_TAG:
            raise wrong(f"The tag '{key}' has no value that Lambda takes: a text of up to {LONGEST_TAG} characters.")


def check_name(name: str, what: str) -> None:
    """Refuse a name that Lambda would refuse."""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise wrong(f"The name of {what} at Lambda has 1 to {LONGEST_NAME} characters; this one has {len(name)}.")


def user_data(request: LaunchRequest, options: dict) -> str:
    """What cloud-init gets. It runs what begins with "#!", as root, when an instance boots for the first time."""
    script = request.startup_script
    if script:
        return script if script.startswith("#!") else "#!/bin/sh\n" + script
    return str(options.get("user_data") or "")


def body(request: LaunchRequest, options: dict) -> dict:
    """The fields of the request, but the type, the region and the key. What is not asked for is left out."""
    body: dict = {"name": request.name}
    if request.image:
        # Ids are numbers in hexadecimal; families are words.
        body["image"] = {"id" if re.match(r"^[0-9a-f]{8}-?[0-9a-f-]{23,27}\Z", request.image) else "family": request.image}
    data = user_data(request, options)
    if data:
        body["user_data"] = data
    if options.get("file_systems"):
        body["file_system_names"] = [str(name) for name in options["file_systems"]]
    if options.get("file_system_mounts"):
        body["file_system_mounts"] = [{key: str(value) for key, value in mount.items()} for mount in options["file_system_mounts"]]
    if options.get("hostname"):
        body["hostname"] = options["hostname"]
    tags = {**(options.get("tags") or {}), **({OWNER_TAG: request.owner} if request.owner else {})}
    if tags:
        body["tags"] = [{"key": str(key), "value": str(value)} for key, value in tags.items()]
    if options.get("firewall_rulesets"):
        body["firewall_rulesets"] = [{"id": str(item)} for item in options["firewall_rulesets"]]
    return body


def fitting(types: list, request: LaunchRequest, options: dict) -> list:
    """The types that fit, cheapest first, whether there is one left or not. Raises `RentedError` with the reason when none does."""
    name, wanted = options.get("instance_type"), describe(request, options)
    if name and name not in [kind["name"] for kind, _regions in types]:
        raise wrong("Lambda has no instance type '%s'. %s" % (name, nearest(str(name), [kind["name"] for kind, _regions in types])))
    found = [(kind, regions) for kind, regions in types if is_wanted(kind, request, name)]
    if not found:
        has = sorted({f"{machines.gpus(kind)[0]}× {machines.gpus(kind)[2].model}" for kind, _regions in types if machines.gpus(kind)[0]})
        raise NotFound(f"Lambda has no instance type with {wanted}. It has {', '.join(has) or 'none at all'}.", NAME)
    big = [
        item for item in found if (_values.number(_values.mapping(item[0].get("specs")).get("storage_gib")) or 0) >= (request.disk_gb or 0)
    ]
    if not big:
        raise NotFound(f"No instance type of Lambda with {wanted} has a disk of {request.disk_gb:g} GB; disks come with the type.", NAME)
    limit = request.max_price_per_hour
    prices = [machines.dollars(item[0]) for item in big]
    cheap = [item for item, price in zip(big, prices) if limit is None or (price is not None and price <= limit)]
    if not cheap:
        least = min((price for price in prices if price is not None), default=None)
        costs = "Lambda does not say what it costs" if least is None else f"The cheapest costs {least:.2f} USD/h"
        raise NotFound(f"Lambda has nothing for {wanted}. {costs}.", NAME)
    return sorted(cheap, key=lambda item: (machines.dollars(item[0]) is None, machines.dollars(item[0]) or 0.0, item[0]["name"]))


def is_wanted(kind: dict, request: LaunchRequest, name: str | None) -> bool:
    """Whether a type is the one named, and has the GPUs asked for; one GPU where neither a type nor a number is given."""
    if name and kind["name"] != name:
        return False
    count, _raw, gpu = machines.gpus(kind)
    number = request.gpu_count or (None if name else 1)
    if number is not None and count != number:
        return False
    return not request.gpu or _gpu_names.is_meant(_gpu_names.normalise(request.gpu), gpu)


def architecture(kind: dict) -> str:
    """Of the CPU, in the words of the list of images. Lambda says it of images only."""
    return "arm64" if machines.gpus(kind)[2].model in ARM_GPUS else "x86_64"


def may_be(kind: dict, region: str, asked: str | None, regions: set | None, images: set | None) -> bool:
    """Whether a type may be rented in a region: the one asked for, that of the file systems, with the image for its processor."""
    return (
        (not asked or region == asked)
        and (regions is None or region in regions)
        and (images is None or (region, architecture(kind)) in images)
    )


def describe(request: LaunchRequest, options: dict) -> str:
    """What was asked for, in words."""
    name = options.get("instance_type")
    if name and request.gpu:
        name = "%s with %s%s" % (name, f"{request.gpu_count}× " if request.gpu_count else "", request.gpu)
    return _launching.words(request, str(name) if name else None)
