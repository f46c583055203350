# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a launch asks Vast.ai for: checked before anything is asked, then as the client takes it; bids and startup scripts."""

from __future__ import annotations

import base64
import gzip

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._vast import offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._vast.connection import NAME, TITLE, number
from ansible_collections.rented.gpu.plugins.module_utils._renting import _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest

DEFAULT_IMAGE = "vastai/base-image:@vastai-automatic-tag"  # as in the API file's example of a request
RUNTYPE = "ssh_direc ssh_proxy"  # what the official client sends for SSH by both ways
LEAST_BID, MOST_BID, MOST_FIRST_BID = 0.001, 32.0, 128.0  # USD per hour: of a change, and the most when renting
BID_MARGIN = 1.05  # what is bid when no bid is given: a bit above the least
ONSTART_LIMIT = 4048  # characters

# What LaunchRequest.options may hold.
LAUNCH_OPTIONS = (
    "offer_id",
    "template_hash_id",
    "runtype",
    "env",
    "args",
    "verified",
    "datacenter",
    "query",
    "image_login",
    "target_state",
)


def check(request: LaunchRequest) -> dict:
    """The launch options, each one known. Raises `RentedError`; nothing has been asked by then."""
    options = _launching.options_of(request, LAUNCH_OPTIONS, TITLE, NAME)
    _launching.refuse_what_cannot_be(request, TITLE, NAME, interruptible=True, bids=True)
    for name in ("env", "query"):
        if name in options and not isinstance(options[name], dict):
            raise RentedError(f"The launch option '{name}' of {TITLE} is a mapping.", NAME)
    if "offer_id" in options:
        number(options["offer_id"])
    if request.gpu_count is not None and request.gpu_count < 1:
        raise RentedError(f"An instance at {TITLE} has at least one GPU; gpu_count is {request.gpu_count}.", NAME)
    if len(request.name) > 256:
        raise RentedError(f"{TITLE} takes names of up to 256 characters; this one has {len(request.name)}.", NAME)
    if request.bid_per_hour is not None:
        check_bid(request.bid_per_hour, MOST_FIRST_BID)
    if request.interruptible and options.get("offer_id") and request.bid_per_hour is None and not request.max_price_per_hour:
        raise RentedError(f"To rent offer {options['offer_id']} interruptibly, give bid_per_hour or max_price_per_hour.", NAME)
    onstart(request.startup_script)
    if not options.get("offer_id") and not request.gpu and "query" not in options:
        raise RentedError(f"Name the GPU to rent at {TITLE} (gpu: RTX 4090), or an offer (options: offer_id).", NAME)
    return options


def arguments(offer: dict, request: LaunchRequest, options: dict) -> dict:
    """What the client makes the request to rent from."""
    return {
        "image": None if options.get("template_hash_id") and not request.image else request.image or DEFAULT_IMAGE,
        "disk": offers.disk_gb(request),
        "label": request.name,
        "env": options.get("env") or {},
        "onstart_cmd": onstart(request.startup_script),
        "login": options.get("image_login"),
        "args": options.get("args"),
        "template_hash": options.get("template_hash_id"),
        "runtype": options.get("runtype") or (None if options.get("template_hash_id") else RUNTYPE),
        "price": bid(offer, request) if request.interruptible else None,
        "cancel_unavail": True,
    }


def bid(offer: dict, request: LaunchRequest) -> float:
    """USD per hour to bid: what was asked for, else 5 % above the least bid, never above the limit. What is bid is paid."""
    least, limit = _values.number(offer.get("min_bid")), request.max_price_per_hour
    wanted = request.bid_per_hour
    if wanted is None:
        wanted = round(least * BID_MARGIN, 4) if least is not None else limit
    if wanted is None:
        raise RentedError("The offer has no least bid; give bid_per_hour or max_price_per_hour.", NAME)
    return min(wanted, limit) if limit is not None else wanted


def check_bid(price_per_hour: float, most: float = MOST_BID) -> None:
    """Raises `RentedError` for a bid that Vast does not take."""
    if not LEAST_BID <= price_per_hour <= most:
        raise RentedError(
            f"A bid at {TITLE} is between {LEAST_BID} and {most:.0f} USD per hour, not {price_per_hour}.",
            NAME,
        )


def onstart(script: str | None) -> str | None:
    """A startup script as Vast takes it: as it is, or packed where it is longer than `ONSTART_LIMIT` characters. Raises `RentedError`."""
    if not script or len(script) <= ONSTART_LIMIT:
        return script or None
    first = script.split("\n", 1)[0].strip()
    interpreter = first[2:].strip() if first.startswith("#!") else "bash"
    packed = base64.b64encode(gzip.compress(script.encode("utf-8"), 9, mtime=0)).decode("ascii")
    # Not run by its own name: /tmp may be mounted without the right to.
    text = f'#!/bin/sh\nf=$(mktemp) && base64 -d <<\'.\' | gzip -d > "$f" && {interpreter} "$f"\n{packed}\n.\n'
    if len(text) > ONSTART_LIMIT:
        raise RentedError(
            f"The startup script has {len(script)} characters, and packed still {len(text)}; {TITLE} takes "
            f"{ONSTART_LIMIT}. playbooks/provision_script.yml makes one that is fetched from a URL instead.",
            NAME,
        )
    return text
