# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The rules of renting that are the same at every provider. ``title`` is the company's name in a message, ``name`` that in options."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, Unsupported, nearest
from ansible_collections.rented.gpu.plugins.module_utils._models import LaunchRequest


def options_of(request: LaunchRequest, known, title: str, name: str) -> dict:
    """The launch options that have a value. Raises `RentedError` with the nearest of ``known`` for one that the provider does not have."""
    for option in request.options:
        if option not in known:
            raise RentedError("%s takes no launch option '%s'. %s" % (title, option, nearest(str(option), known)), name)
    return {option: value for option, value in request.options.items() if value is not None}


def refuse_what_cannot_be(
    request: LaunchRequest, title: str, name: str, interruptible: bool = False, bids: bool = False, no_prices: str | None = None
) -> None:
    """Raises `Unsupported` for what the provider cannot do, before anything is sent; `RentedError` for a bid without ``interruptible``.

    ``interruptible`` and ``bids`` are what it can do; ``no_prices`` is `Provider.NO_PRICES` of one whose API has no prices.
    """
    if request.interruptible and not interruptible:
        raise Unsupported("%s rents nothing interruptible. Leave 'interruptible' out, or ask another provider." % title, name)
    if request.bid_per_hour is not None:
        if not bids:
            why = "takes no bids, but says itself what an interruptible instance costs" if interruptible else "takes no bids"
            raise Unsupported("%s %s. Leave 'bid_per_hour' out." % (title, why), name)
        if not request.interruptible:
            raise RentedError("'bid_per_hour' is for what is rented interruptibly: say 'interruptible: true' too, or leave it out.", name)
    if request.max_price_per_hour is not None and no_prices is not None:
        raise Unsupported("A limit of the price cannot be kept. %s Look there, and leave 'max_price_per_hour' out." % no_prices, name)
