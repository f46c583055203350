# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a launch asks of EC2, from the checks that make no request to the one request that rents. Facts: API reference of RunInstances."""

from __future__ import annotations

import gzip
import hashlib
import json
import math

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    NotFound,
    ProviderUnavailable,
    RentedError,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import keys, machines, network, prices
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import NAME, TITLE, Refused
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import OWNER_TAG, LaunchRequest

# What LaunchRequest.options may hold.
LAUNCH_OPTIONS = (
    "instance_type",
    "image_owners",
    "key_name",
    "security_group_ids",
    "subnet_id",
    "public_ip",
    "iam_instance_profile",
)
LISTS = ("image_owners", "security_group_ids")

USER_DATA_LIMIT = 16384  # bytes, before they are written as Base64
# What cloud-init knows user data by; text without such a beginning is passed over.
USER_DATA_HEADS = (
    "#!",
    "#cloud-config",
    "#cloud-boothook",
    "#include",
    "#part-handler",
    "## template:",
    "Content-Type:",
    "MIME-Version:",
)
TAG_LIMIT = 256  # characters of a value
GENERATIONS = 50  # rentals under one name that AWS may still remember; a filter takes 200 values


# --- checks that make no request -------------------------------------------------------------------------------------


def check(request: LaunchRequest) -> dict:
    """The launch options, each one known. Raises `RentedError`; nothing has been asked by then."""
    options = _launching.options_of(request, LAUNCH_OPTIONS, TITLE, NAME)
    _launching.refuse_what_cannot_be(request, TITLE, NAME, interruptible=True, bids=True)
    for name, value in options.items():
        if name in LISTS:
            options[name] = [value] if isinstance(value, str) else value
            if not isinstance(options[name], list) or not all(isinstance(item, str) and item for item in options[name]):
                raise RentedError(f"The launch option '{name}' of {TITLE} is a list of texts.", NAME)
        elif name == "public_ip":
            if not isinstance(value, bool):
                raise RentedError(f"The launch option 'public_ip' of {TITLE} is true or false.", NAME)
        elif not isinstance(value, str) or not value:
            raise RentedError(f"The launch option '{name}' of {TITLE} is a text.", NAME)
    if not request.name or len(request.name) > TAG_LIMIT:
        raise RentedError(f"{TITLE} takes names of 1 to {TAG_LIMIT} characters.", NAME)
    if not request.gpu and not options.get("instance_type"):
        raise RentedError(f"Name the GPU to rent at {TITLE} (gpu: L4), or a type (options: instance_type: g6.xlarge).", NAME)
    if request.gpu_count is not None and request.gpu_count < 1:
        raise RentedError(f"'gpu_count' is at least 1; this is {request.gpu_count}.", NAME)
    for name in ("bid_per_hour", "max_price_per_hour", "disk_gb"):
        value = getattr(request, name)
        if value is not None and not value > 0:
            raise RentedError(f"'{name}' is a number above 0; this is {value}.", NAME)
    if request.ssh_public_key:
        keys.check(request.ssh_public_key)
    elif not options.get("key_name") and not request.startup_script:
        raise RentedError(
            "You could not log in: give ssh_public_key, or the name of one of your key pairs (options: key_name), "
            "or a startup_script that brings a key.",
            NAME,
        )
    if request.ssh_public_key and options.get("key_name"):
        raise RentedError(f"An instance of {TITLE} has one key: give ssh_public_key or the launch option key_name, not both.", NAME)
    return options


def user_data(script: str | None) -> bytes | None:
    """The startup script as cloud-init takes it: a script begins with ``#!``; compressed where it is longer than EC2 takes."""
    if not script or not script.strip():
        return None
    if not script.startswith(USER_DATA_HEADS):
        script = "#!/bin/sh\n" + script
    data = script.encode()
    if len(data) <= USER_DATA_LIMIT:
        return data
    # Without a time in it, so that the same launch is the same request.
    packed = gzip.compress(data, 9, mtime=0)
    if len(packed) > USER_DATA_LIMIT:
        raise RentedError(
            f"The startup script has {len(data)} bytes, and {len(packed)} compressed; {TITLE} takes "
            f"{USER_DATA_LIMIT}. Let it download the rest.",
            NAME,
        )
    return packed


def fits(machine: machines.Machine, request: LaunchRequest) -> bool:
    """Whether a type has what is asked for. A part of a GPU is none, unless its size is asked for."""
    if not machine.count or machine.count != (request.gpu_count or 1):
        return False
    if request.interruptible and machine.usages and "spot" not in machine.usages:
        return False
    if not request.interruptible and machine.usages and "on-demand" not in machine.usages:
        return False
    return same_gpu(machine, request.gpu)


def same_gpu(machine: machines.Machine, asked: str | None) -> bool:
    """Whether the GPU is the one that is asked for, as far as AWS says: it does not say which board a card is."""
    if not asked:
        return True
    wanted = _gpu_names.normalise(asked)
    return _gpu_names.is_meant(wanted, machine.gpu_name(), any_board=True) and (bool(wanted.vram_mb) or machine.part is None)


# --- what to rent ----------------------------------------------------------------------------------------------------


def gpu_types(connection, region: str, names=()) -> list:
    """Types of the region as `Machine`: those named, or every one whose family has GPUs. Raises `Refused` for a name that is none."""
    if names:
        answer = connection.call(
            region, "describe_instance_types", "read the types", refusals=("InvalidInstanceType",), InstanceTypes=list(names)
        )
        return [machines.machine(row) for row in answer.get("InstanceTypes") or []]
    rows = connection.pages(
        region,
        "describe_instance_types",
        "InstanceTypes",
        "read the types with GPUs",
        Filters=[{"Name": "instance-type", "Values": list(machines.GPU_FAMILIES)}],
        MaxResults=100,
    )
    return [found for found in (machines.machine(row) for row in rows) if found.count]


def choose(connection, region: str, request: LaunchRequest, options: dict, architecture: str | None) -> machines.Machine:
    """The cheapest type that fits; by cores where there are no prices. Nothing dearer than ``max_price_per_hour``."""
    named = options.get("instance_type")
    if named:
        candidates = [_named(connection, region, named, request)]
    else:
        everything = gpu_types(connection, region)
        candidates = [found for found in everything if fits(found, request)]
        if not candidates:
            raise NotFound(_nothing(everything, request, region), NAME)
    if architecture:
        running = [found for found in candidates if not found.architectures or architecture in found.architectures]
        if not running:
            raise RentedError(
                "The image is for %s, and %s in %s is not. Take another image or type."
                % (architecture, ", ".join(sorted(found.name for found in candidates)), region),
                NAME,
            )
        candidates = running
    limit = request.max_price_per_hour
    costs: dict = {}
    if len(candidates) > 1 or limit is not None:
        types = [found.name for found in candidates]
        if request.interruptible:
            costs = prices.spot(connection, region, types)
        else:
            listed = _listed(connection, types, region, limit is not None)
            costs = {name: listed[(region, name)] for name in types if (region, name) in listed}
    if limit is not None:
        candidates = _affordable(candidates, costs, limit, region, request)
    return min(candidates, key=lambda found: (costs.get(found.name, math.inf), found.vcpus or math.inf, found.ram_gb or 0, found.name))


def _named(connection, region: str, name: str, request: LaunchRequest) -> machines.Machine:
    try:
        found = gpu_types(connection, region, [name])
    except Refused:
        found = []
    if not found:
        known = [machine.name for machine in gpu_types(connection, region)]
        raise NotFound(f"{TITLE} has no type '{name}' in {region}. {nearest(name, known)}", NAME)
    machine = found[0]
    if request.gpu_count and machine.count != request.gpu_count:
        raise RentedError(f"The type {name} has {machine.count} GPUs, not {request.gpu_count}.", NAME)
    asked = request.gpu and _gpu_names.normalise(request.gpu)
    if asked and (asked.model != machine.gpu_name().model or not (same_gpu(machine, request.gpu) or machine.part)):
        raise RentedError(f"The type {name} has {machine.gpu or 'no GPU'}, not {request.gpu}.", NAME)
    if request.interruptible and machine.usages and "spot" not in machine.usages:
        raise RentedError(f"{TITLE} does not rent {name} as an interruptible instance in {region}.", NAME)
    return machine


def _nothing(everything: list, request: LaunchRequest, region: str) -> str:
    """The sentence for a wish that no type fulfils: what there is of this GPU, or which GPUs there are."""
    counts = sorted({found.count for found in everything if same_gpu(found, request.gpu)})
    if counts:
        there = f"It comes with {', '.join(str(count) for count in counts)}"
        return "%s has no type with %d× %s in %s%s. %s." % (
            TITLE,
            request.gpu_count or 1,
            request.gpu,
            region,
            " as interruptible" if request.interruptible else "",
            there,
        )
    names = {found.gpu_name().model for found in everything}
    if not names:
        return f"{TITLE} has no GPUs in {region}. Name another region."
    return "%s has no %s in %s. %s" % (TITLE, request.gpu, region, nearest(request.gpu or "", [name for name in names if name]))


def _listed(connection, types: list, region: str, needed: bool) -> dict:
    """The prices of the price list; ``needed`` for a limit, which cannot be kept without them."""
    try:
        return prices.on_demand(connection, types, [region], needed)
    except AuthenticationError as error:
        raise RentedError(
            f"A limit of the price cannot be kept: {TITLE} does not let this user read its price list; the IAM "
            f"policy needs pricing:GetProducts ({error.message.rstrip('.')}). Nothing was rented; add that, or leave "
            "'max_price_per_hour' out.",
            NAME,
            error.status,
        ) from None


def _affordable(candidates: list, costs: dict, limit: float, region: str, request: LaunchRequest) -> list:
    if not costs and not request.interruptible:
        raise RentedError(
            f"A limit of the price cannot be kept: {TITLE}'s price list has no price for "
            f"{', '.join(found.name for found in candidates)} in {region}. Nothing was rented; leave "
            "'max_price_per_hour' out, or take another type or region.",
            NAME,
        )
    # A spot instance is never paid above its MaxPrice; one whose price is not known may still be asked for.
    within = [found for found in candidates if costs.get(found.name, 0.0 if request.interruptible else math.inf) <= limit]
    if not within:
        name, price = min(costs.items(), key=lambda item: item[1])
        raise NotFound(
            f"{TITLE} asks {price:.4f} USD/h for {name} in {region}, the cheapest that fits; the limit is "
            f"{limit:.4f}. Ask for less, or pay more.",
            NAME,
        )
    return within


# --- the request -----------------------------------------------------------------------------------------------------


def tokens(region: str, name: str) -> list:
    """The idempotency tokens of a name, one for each time that it is rented again. AWS keeps them apart by account."""
    return ["rented-gpu-" + hashlib.sha256(json.dumps([region, name, number]).encode()).hexdigest()[:40] for number in range(GENERATIONS)]


def run(connection, region: str, request: LaunchRequest, wanted: dict) -> str:
    """Rent once, and return the id. ``wanted`` is what RunInstances takes, without names and tokens.

    The token is made from the name: AWS answers a second request for it with the instance of the first. A token whose instance is
    terminated, or has another name by now, is used up; AWS remembers it for a while after it has forgotten the instance.
    """
    names = tokens(region, request.name)
    used: dict = {}
    for row in _launched(connection, region, names):
        tags = machines.tags_of(row)
        used[tags.get(machines.TOKEN_TAG)] = row["InstanceId"] if _alive(row) and tags.get("Name") == request.name else None
    for token in names:
        if token in used:
            if used[token]:
                return used[token]
            continue
        try:
            answer = connection.call(
                region,
                "run_instances",
                f"rent {wanted['InstanceType']}",
                once=True,
                refusals=("IdempotentInstanceTerminated", "IdempotentParameterMismatch"),
                MinCount=1,
                MaxCount=1,
                ClientToken=token,
                TagSpecifications=_tags(request, token),
                **wanted,
            )
        except Refused as refused:
            if refused.code == "IdempotentParameterMismatch":
                _not_now(connection, region, token, request)
            continue
        rows = answer.get("Instances") or []
        if not rows or not rows[0].get("InstanceId"):
            raise ProviderUnavailable(
                f"{TITLE} answered the request to rent {wanted['InstanceType']} in {region} without an instance id.", NAME
            )
        return rows[0]["InstanceId"]
    raise RentedError(f"'{request.name}' was rented {GENERATIONS} times of late in {region}; take another name, or wait a day.", NAME)


def _launched(connection, region: str, names: list) -> list:
    rows = connection.pages(
        region,
        "describe_instances",
        "Reservations",
        "look for what was rented under the name",
        Filters=[{"Name": "tag:" + machines.TOKEN_TAG, "Values": names}],
    )
    return [row for reservation in rows for row in reservation.get("Instances") or []]


def _alive(row: dict) -> bool:
    return _values.mapping(row.get("State")).get("Name") not in ("terminated", "shutting-down")


def _not_now(connection, region: str, token: str, request: LaunchRequest) -> None:
    """Another request has the token, and asks for something else: an error, unless its instance is gone or has another name."""
    for row in _launched(connection, region, [token]):
        if _alive(row) and machines.tags_of(row).get("Name") == request.name:
            raise RentedError(
                f"'{request.name}' is being rented in {region} already, with other settings: it is "
                f"{row['InstanceId']}. Nothing more was rented.",
                NAME,
            )


def _tags(request: LaunchRequest, token: str) -> list:
    tags = [{"Key": "Name", "Value": request.name}, {"Key": machines.OURS, "Value": "true"}]
    if request.owner:
        tags.append({"Key": OWNER_TAG, "Value": request.owner})
    more = [{"Key": machines.TOKEN_TAG, "Value": token}]
    if request.image and not request.image.startswith("ami-") and len(request.image) <= TAG_LIMIT:
        more.append({"Key": machines.IMAGE_TAG, "Value": request.image})
    return [{"ResourceType": "instance", "Tags": tags + more}, {"ResourceType": "volume", "Tags": tags}]


def body(request: LaunchRequest, options: dict, machine: machines.Machine, image_id: str, groups: list) -> dict:
    """What RunInstances takes, but the key, the disk, the script and the zone, names and tokens."""
    made = {
        "ImageId": image_id,
        "InstanceType": machine.name,
        # Tokens that any process of the instance could fetch with a plain request are not given out.
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        **market(request),
        **network.attached(options, groups),
    }
    if options.get("iam_instance_profile"):
        kind = "Arn" if options["iam_instance_profile"].startswith("arn:") else "Name"
        made["IamInstanceProfile"] = {kind: options["iam_instance_profile"]}
    return made


def market(request: LaunchRequest) -> dict:
    """The options of a spot instance: asked for once, so that one that is destroyed or taken away does not come back by itself."""
    if not request.interruptible:
        return {}
    spot = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    limits = [value for value in (request.bid_per_hour, request.max_price_per_hour) if value is not None]
    if limits:
        spot["MaxPrice"] = f"{min(limits):.4f}"
    return {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": spot}}
