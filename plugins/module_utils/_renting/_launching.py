# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The rules of renting that are the same at every provider. ``title`` is the company's name in a message, ``name`` that in options."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._errors import PartlyCreated, RentedError, Unsupported, nearest
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest


def options_of(request: LaunchRequest, known, title: str, name: str) -> dict:
    """The launch options that have a value. Raises `RentedError` with the nearest of ``known`` for one that the provider does not have."""
    for option in request.options:
        if option not in known:
            raise RentedError(f"{title} takes no launch option '{option}'. {nearest(str(option), known)}", name)
    return {option: value for option, value in request.options.items() if value is not None}


def refuse_what_cannot_be(
    request: LaunchRequest, title: str, name: str, interruptible: bool = False, bids: bool = False, no_prices: str | None = None
) -> None:
    """Raises `Unsupported` for what the provider cannot do, before anything is sent; `RentedError` for a bid without ``interruptible``.

    ``interruptible`` and ``bids`` are what it can do; ``no_prices`` is `Provider.NO_PRICES` of one whose API has no prices.
    """
    if request.interruptible and not interruptible:
        raise Unsupported(f"{title} rents nothing interruptible. Leave 'interruptible' out, or ask another provider.", name)
    if request.bid_per_hour is not None:
        if not bids:
            why = "takes no bids, but says itself what an interruptible instance costs" if interruptible else "takes no bids"
            raise Unsupported(f"{title} {why}. Leave 'bid_per_hour' out.", name)
        if not request.interruptible:
            raise RentedError("'bid_per_hour' is for what is rented interruptibly: say 'interruptible: true' too, or leave it out.", name)
    if request.max_price_per_hour is not None and no_prices is not None:
        raise Unsupported(f"A limit of the price cannot be kept. {no_prices} Look there, and leave 'max_price_per_hour' out.", name)


def words(request: LaunchRequest, gpus: str | None = None) -> str:
    """What was asked for, for messages: "2× RTX 4090 in US for up to 0.500 USD/h". ``gpus`` is what to say in place of `gpu_words`."""
    said = gpus or gpu_words(request)
    if request.region:
        said += f" in {request.region}"
    if request.max_price_per_hour is not None:
        said += f" for up to {request.max_price_per_hour:.3f} USD/h"
    return said + (", interruptible" if request.interruptible else "")


def gpu_words(request: LaunchRequest, gpu: str | None = None) -> str:
    """The GPUs that were asked for: "2× RTX 4090"; ``gpu`` is the name to say where the request has none."""
    return "%d× %s" % (request.gpu_count or 1, request.gpu or gpu or "any GPU")


def given_back(title: str, name: str, why: str, ids: list, destroy) -> PartlyCreated:
    """The error for a rental that failed when it had created ``ids``. ``destroy(id)`` is tried for each; the error tells the outcome."""
    left = []
    for instance_id in ids:
        try:
            destroy(instance_id)
        except RentedError as error:
            left.append(f"{instance_id} ({error.message.rstrip('.')})")
    if left:
        rest = f"What this had created could not be destroyed and may be billed: {', '.join(left)}. Destroy it now."
    else:
        rest = f"What this had created was destroyed again: {', '.join(ids)}."
    return PartlyCreated(f"Renting at {title} failed: {why.rstrip('.')}. {rest}", ids[0], name)
