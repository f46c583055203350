#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: offer_table
short_description: Show what can be rented now as a table
version_added: 0.1.0
description:
  - Asks by M(rented.gpu.offer_info) what can be rented now, and shows the ranking as a table that fits the terminal, as JSON or as CSV.
  - Under the table stands which providers failed, which have no prices, and what is not counted in the totals.
  - Asks the providers whose credentials are in their usual place. Runs on the controller, with C(hosts) set to V(localhost).
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  format:
    description: How to show the offers.
    type: str
    choices: [table, json, csv]
    default: table
  file:
    description: A file to write to, instead of showing the offers. Relative to the folder where C(ansible-playbook) was started.
    type: path
  prefix:
    description:
      - Variables that begin so, and go on with none of the options, are mistakes, and no provider is asked.
      - The playbook C(offers.yml) checks its variables with it.
    type: str
    default: ''
  providers:
    description: As of M(rented.gpu.offer_info).
    type: list
    elements: str
  gpu:
    description: As of M(rented.gpu.offer_info).
    type: list
    elements: str
  vram_gb:
    description: As of M(rented.gpu.offer_info).
    type: float
  count:
    description: As of M(rented.gpu.offer_info).
    type: int
    default: 1
  max_price:
    description: As of M(rented.gpu.offer_info).
    type: float
  min_reliability:
    description: As of M(rented.gpu.offer_info).
    type: float
  region:
    description: As of M(rented.gpu.offer_info).
    type: list
    elements: str
  interruptible:
    description: As of M(rented.gpu.offer_info).
    type: str
    choices: [never, either, only]
    default: never
  hours:
    description: As of M(rented.gpu.offer_info).
    type: float
    default: 1
  data_gb:
    description: As of M(rented.gpu.offer_info).
    type: float
    default: 0
  results_gb:
    description: As of M(rented.gpu.offer_info).
    type: float
    default: 0
  disk_gb:
    description: As of M(rented.gpu.offer_info).
    type: float
  image_gb:
    description: As of M(rented.gpu.offer_info).
    type: float
    default: 6
  query:
    description:
      - As of M(rented.gpu.offer_info). What the query gives is shown instead of the offers.
    type: str
  limit:
    description:
      - How many offers to show at most. V(0) means all.
      - Offers that differ by their place only are one line of the table, and count as one there.
    type: int
    default: 20
attributes:
  check_mode:
    support: full
    description: Asks and shows as always, and writes no file.
  diff_mode:
    support: none
    description: The file is new prices each time.
seealso:
  - module: rented.gpu.offer_info
"""

EXAMPLES = r"""
- name: Show where six hours on one of these cost least
  rented.gpu.offer_table:
    gpu: [RTX 4090, L40S]
    hours: 6
    data_gb: 40

- name: Keep today's prices
  rented.gpu.offer_table:
    vram_gb: 24
    format: csv
    file: offers.csv
    limit: 0
"""

RETURN = r"""
lines:
  description: What was shown, line by line.
  type: list
  elements: str
  returned: success
offers:
  description: The offers, as RV(rented.gpu.offer_info#module:offers).
  type: list
  elements: dict
  returned: success
result:
  description: What the query gave, of any type.
  type: raw
  returned: when O(query) is given
failures:
  description: The providers that could not be asked, with the reason.
  type: list
  elements: dict
  returned: success
settings_errors:
  description: One sentence for each variable that is misspelt.
  type: list
  elements: str
  returned: when variables that begin with O(prefix) are wrong
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._renting._offer_arguments import WISH

ARGUMENT_SPEC = dict(
    WISH,
    limit={"type": "int", "default": 20},
    providers={"type": "list", "elements": "str"},
    format={"type": "str", "choices": ["table", "json", "csv"], "default": "table"},
    file={"type": "path"},
    prefix={"type": "str", "default": ""},
)


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module has its work in an action plugin; it cannot run by itself.")


if __name__ == "__main__":
    main()
