#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: offer_info
short_description: Compare what can be rented now
version_added: 0.1.0
description:
  - Asks several providers at once what can be rented now, and ranks it by what the whole job costs, from the boot to the last result brought home.
  - A provider that fails is named, and the others stand; when all of them fail, the task fails.
  - The file C(docs/offers.md) says how the total is computed, and with which units.
  - Runs on the controller. Use it with C(hosts) set to V(localhost), or delegate it there.
author:
  - The rented.gpu contributors (@rented-gpu)
extends_documentation_fragment:
  - rented.gpu.account
options:
  provider:
    description:
      - The provider, for example V(vast) or V(rehearsal). If omitted, every provider whose credentials are found is asked, or those of O(providers).
  providers:
    description:
      - Only these providers, each with the credentials in their usual place. Not together with O(provider).
    type: list
    elements: str
  gpu:
    description:
      - GPUs, any of which will do, in any spelling, for example V(RTX 4090), V(A100 80GB) or V(H100 SXM). If omitted, any GPU.
    type: list
    elements: str
  vram_gb:
    description:
      - The least memory of each GPU, in GB as GPUs are sold. 7 % less will do, because drivers report less than what is sold.
    type: float
  count:
    description:
      - How many GPUs, exactly.
    type: int
    default: 1
  max_price:
    description:
      - Nothing that costs more than this in an hour, in USD, without the disk. Offers without a price are left out then, and a note says so.
    type: float
  min_reliability:
    description:
      - The least reliability, from 0 to 1, where the provider measures it. Of offers without a figure only those of datacenters are kept.
    type: float
  region:
    description:
      - Places, any of which will do, as the code or name of a country, or as a part of the region's name; case does not matter.
      - In YAML, write V("NO") with its quotes.
    type: list
    elements: str
  interruptible:
    description:
      - Whether offers that the provider may take back at any time are excluded, included, or the only ones.
    type: str
    choices: [never, either, only]
    default: never
  hours:
    description:
      - How long the job computes.
    type: float
    default: 1
  data_gb:
    description:
      - What has to come to the instance before the job, in GB.
    type: float
    default: 0
  results_gb:
    description:
      - What has to come back after the job, in GB.
    type: float
    default: 0
  disk_gb:
    description:
      - The size of the disk in GB. If omitted, 20 GB and room for O(data_gb) and O(results_gb).
    type: float
  image_gb:
    description:
      - The size of the container image in GB, as it is downloaded. Has no meaning for VMs.
    type: float
    default: 6
  query:
    description:
      - A JMESPath expression over all ranked offers. Needs the Python package C(jmespath).
    type: str
  limit:
    description:
      - How many offers to return at most, of RV(offers) and of RV(result) each. V(0) means all.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
seealso:
  - module: rented.gpu.offer_table
  - module: rented.gpu.instance
"""

EXAMPLES = r"""
- name: Where do six hours on one of these cost least?
  rented.gpu.offer_info:
    gpu: [RTX 4090, L40S]
    vram_gb: 24
    max_price: 0.8
    min_reliability: 0.95
    hours: 6
    data_gb: 40
  register: found

- name: Rent the best one
  rented.gpu.instance:
    provider: "{{ best.provider }}"
    name: homework
    gpu: "{{ best.gpu_name_raw }}"
    gpu_count: "{{ best.gpu_count }}"
    disk_gb: "{{ found.disk_gb }}"
    options: "{{ best.options }}"
    max_price_per_hour: 0.8
  vars:
    best: "{{ found.offers[0] }}"

- name: The three cheapest in datacenters, names and totals alone
  rented.gpu.offer_info:
    vram_gb: 80
    hours: 24
    query: "[?trust == 'datacenter'].{gpu: gpu_model, where: region, usd: total_usd}"
    limit: 3
  register: found
"""

RETURN = r"""
offers:
  description:
    - The offers that fit, the cheapest job first, those without a price last. Units are in the names of the fields; what is not known is null.
    - C(total_usd) is the whole job; C(not_counted) names what is not known of it, and not counted in it.
  type: list
  elements: dict
  returned: success
  sample:
    - provider: vast
      id: "501"
      gpu_model: RTX 4090
      price_per_hour: 0.35
      total_usd: 2.29
      billed_hours: 6.13
      not_counted: []
      options: {offer_id: 501}
result:
  description: What the query gave, of any type.
  type: raw
  returned: when O(query) is given
found:
  description: How many offers fit, before O(limit).
  type: int
  returned: success
disk_gb:
  description: The size of the disk that was reckoned with, in GB.
  type: float
  returned: success
failures:
  description: The providers that could not be asked, with the reason.
  type: list
  elements: dict
  returned: always
  sample: [{provider: vast, account: vast, message: Vast.ai refused the API key (401). Check the key.}]
notes:
  description: What a reader of the ranking should know, such as which providers have no prices, or say nothing of what can be rented.
  type: list
  elements: str
  returned: success
asked_at:
  description: When the providers were asked, UTC. Prices are of this minute.
  type: str
  returned: success
"""

import dataclasses
import datetime

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._plain import harmless
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
from ansible_collections.rented.gpu.plugins.module_utils._providers._arguments import account_spec, build_each, warn_of_values
from ansible_collections.rented.gpu.plugins.module_utils._renting import _fan_out, _offers
from ansible_collections.rented.gpu.plugins.module_utils._renting._offer_arguments import WISH, doubts, wish_of
from ansible_collections.rented.gpu.plugins.module_utils._renting._query import compiled, searched
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource_words import unsupported


def argument_spec():
    """The module's arguments."""
    return dict(account_spec(provider_required=False), providers={"type": "list", "elements": "str"}, **WISH)


def notes_of(providers, refused, answers, wish, alone):
    """What a reader should know, computed from what the providers are and answered."""
    notes = [unsupported(provider, "list_offers").message for provider in providers if not provider.can("list_offers")]
    any_price = dataclasses.replace(wish, max_price_per_hour=None)
    for answer in answers:
        provider = answer.provider
        if provider.NO_PRICES:
            named = provider.TITLE in provider.NO_PRICES
            notes.append(provider.NO_PRICES if named else f"{provider.TITLE}: {provider.NO_PRICES}")
        unpriced = sum(1 for offer in answer.value or () if offer.price_per_hour is None and _offers.fits(offer, any_price))
        if unpriced and wish.max_price_per_hour is not None:
            notes.append(f"{provider.TITLE}: offers without a price were left out, because 'max_price' is given ({unpriced}).")
    named = {provider.NAME for provider in providers} | {cls.NAME for cls, _error in refused}
    # What has no endpoint is not a service with accounts.
    others = [cls.TITLE for name, cls in sorted(PROVIDERS.items()) if name not in named and cls.ENDPOINT and cls.can("list_offers")]
    if others and not alone:
        notes.append(f"Not asked, because no credentials were found: {', '.join(others)}.")
    return list(dict.fromkeys(notes))


def row_of(number, offer, cost):
    """A ranked offer as plain data."""
    return dict({"rank": number}, **dict(offer.as_dict(), **cost.as_dict()))


def main():
    """Ask, choose, rank, answer."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True, mutually_exclusive=[("provider", "providers")])
    params = module.params
    failures = []
    try:
        expression = compiled(params["query"]) if params["query"] else None
        wish = wish_of(params)
        providers, refused = build_each(params)
        failures = [{"provider": cls.NAME, "account": cls.NAME, "message": error.message} for cls, error in refused]
        asked = [provider for provider in providers if provider.can("list_offers")]
        if not asked and not failures:
            raise RentedError(" ".join(unsupported(provider, "list_offers").message for provider in providers))
        for provider in providers:
            module.no_log_values.update(provider.secrets())
        for doubt in doubts(wish):
            module.warn(doubt)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        answers = _fan_out.ask(asked, lambda provider: list(provider.list_offers(wish)))
        warn_of_values(module, asked)
        failures += [
            {"provider": answer.provider.NAME, "account": answer.provider.account, "message": answer.failure}
            for answer in answers
            if answer.failure
        ]
        if len(failures) == len(refused) + len(answers):
            raise RentedError(" ".join(failure["message"] for failure in failures))
        for failure in failures:
            module.warn(harmless(f"No offers of the account '{failure['account']}': {failure['message']}"))
        offers = [offer for answer in answers for offer in answer.value or () if _offers.fits(offer, wish)]
        months = {provider.NAME: provider.HOURS_PER_MONTH for provider in asked}
        ranked = _offers.rank(offers, wish, params["image_gb"], months)
        rows = [row_of(number, offer, cost) for number, (offer, cost) in enumerate(ranked, 1)]
        most = params["limit"] or None
        result = {
            "changed": False,
            "offers": rows[:most],
            "found": len(rows),
            "disk_gb": wish.disk_gb,
            "failures": failures,
            "notes": notes_of(providers, refused, answers, wish, bool(params["provider"] or params["providers"])),
            "asked_at": now,
        }
        if expression is not None:
            chosen = searched(expression, rows)
            result["result"] = chosen[:most] if isinstance(chosen, list) else chosen
    except RentedError as error:
        module.fail_json(msg=error.message, failures=failures)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
