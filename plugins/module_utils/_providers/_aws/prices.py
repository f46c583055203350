# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What AWS asks for a machine: on demand by the Price List API, for spot machines by the history of spot prices. All in USD.

The Price List API answers in us-east-1 for all regions, and only to those whose policy has pricing:GetProducts. Where it does
not answer there is no price: that is not an error. Its products are JSON in strings; the model calls the fields of a product "attributes".
"""

from __future__ import annotations

import datetime
import logging

from ansible_collections.rented.gpu.plugins.module_utils._errors import AuthenticationError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _http, _values

LOG = logging.getLogger("rented.gpu.aws")

HOME = "us-east-1"
PAGE_SIZE = 100  # the API's maximum
MOST_THREADS = 8
# One line per type and region: Linux, without other software, on hardware that is shared, not reserved.
LINUX = {"operatingSystem": "Linux", "preInstalledSw": "NA", "tenancy": "Shared", "capacitystatus": "Used"}


def on_demand(connection, types, regions, needed: bool = False) -> dict:
    """(region, type) -> USD per hour, for those that the price list has. One question for each type, a few side by side.

    ``needed``: raises `AuthenticationError` where the price list may not be read.
    """
    regions = set(regions)
    place = {"regionCode": next(iter(regions))} if len(regions) == 1 else {}

    def ask(name: str) -> dict:
        found: dict = {}
        for product in _products(connection, {**LINUX, **place, "instanceType": name}, needed):
            attributes = _attributes(product)
            price, where = _hourly(product), (attributes.get("regionCode"), name)
            if price is None or where[0] not in regions or attributes.get("marketoption", "OnDemand") != "OnDemand":
                continue
            # Of two prices for one thing the higher is the safe one.
            found[where] = max(price, found.get(where, 0.0))
        return found

    found: dict = {}
    with _deadline.Threads(max_workers=MOST_THREADS) as pool:
        for part in pool.map(ask, sorted(types)):
            found.update(part)
    return found


def storage(connection, regions) -> dict:
    """Region -> USD per GB and month of a gp3 volume."""
    found = {}
    for product in _products(connection, {"volumeApiName": "gp3", "productFamily": "Storage"}):
        region = _attributes(product).get("regionCode")
        for dimension in _dimensions(product):
            price = _values.number(_values.mapping(dimension.get("pricePerUnit")).get("USD"))
            if price and region in regions and str(dimension.get("unit") or "").lower().startswith("gb-mo"):
                found[region] = price
    return found


def spot(connection, region: str, types) -> dict:
    """Type -> USD per hour now, in the zone of the region where it is cheapest."""
    newest: dict = {}
    now = datetime.datetime.now(datetime.timezone.utc)
    for start in range(0, len(types), PAGE_SIZE):
        for row in connection.pages(
            region,
            "describe_spot_price_history",
            "SpotPriceHistory",
            "read the spot prices",
            InstanceTypes=sorted(types)[start : start + PAGE_SIZE],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=now,
        ):
            price, zone = _values.number(row.get("SpotPrice")), (row.get("InstanceType"), row.get("AvailabilityZone"))
            when = _values.moment(row.get("Timestamp")) or ""
            # A price of a type that was not asked for has no place in the list.
            if price and zone[0] in types and when >= newest.get(zone, ("", 0.0))[0]:
                newest[zone] = (when, price)
    found: dict = {}
    for (name, _zone), (_when, price) in newest.items():
        found[name] = min(price, found.get(name, price))
    return found


def _products(connection, wanted: dict, needed: bool = False):
    """The products that have these attributes; none where the price list may not be read, unless it is ``needed``."""
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    try:
        for text in connection.pages(
            HOME,
            "get_products",
            "PriceList",
            "read the price list",
            service="pricing",
            ServiceCode="AmazonEC2",
            FormatVersion="aws_v1",
            MaxResults=PAGE_SIZE,
            Filters=filters,
        ):
            try:
                yield _values.mapping(_http.parsed(text))
            except (TypeError, *_http.NOT_READABLE):
                LOG.debug("AWS: an entry of the price list is not JSON")
    except AuthenticationError as error:
        if needed:
            raise
        LOG.debug("AWS: no prices: %s", error.message)


def _attributes(product: dict) -> dict:
    return _values.mapping(_values.mapping(product.get("product")).get("attributes"))


def _dimensions(product: dict) -> list:
    terms = _values.mapping(_values.mapping(product.get("terms")).get("OnDemand"))
    return [
        dimension
        for term in terms.values()
        for dimension in _values.mapping(_values.mapping(term).get("priceDimensions")).values()
        if isinstance(dimension, dict)
    ]


def _hourly(product: dict) -> float | None:
    found = [
        _values.number(_values.mapping(dimension.get("pricePerUnit")).get("USD"))
        for dimension in _dimensions(product)
        if str(dimension.get("unit") or "").lower() in ("hrs", "hours", "hour")
    ]
    return max((price for price in found if price), default=None)
