#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_info
short_description: List GPU instances
version_added: 0.1.0
description:
  - Lists the instances of an account, in every state, all pages, or fails; never a part of them.
  - Several accounts are asked at once; one that fails fails the task.
  - Runs on the controller. Use it with C(hosts) set to V(localhost), or delegate it there.
author:
  - The rented.gpu contributors (@rented-gpu)
extends_documentation_fragment:
  - rented.gpu.account
options:
  provider:
    description:
      - The provider. Left out, every provider whose credentials are found is asked.
  name:
    description:
      - Only instances with this name (label).
    type: str
  id:
    description:
      - Only the instance with this id.
    type: str
  states:
    description:
      - Only instances in one of these states.
    type: list
    elements: str
    choices: [pending, running, paused, stopping, stopped, terminated, error, unknown]
  query:
    description:
      - A JMESPath expression over the list that is left. Needs the Python package C(jmespath).
    type: str
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
seealso:
  - module: rented.gpu.instance
  - plugin: rented.gpu.instances
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Which instances do I pay for?
  rented.gpu.instance_info:
    states: [running, paused, stopped]
  register: mine

- name: What do they cost in an hour, together?
  rented.gpu.instance_info:
    provider: vast
    query: sum([?state == 'running'].price_per_hour)
  register: cost
"""

RETURN = r"""
instances:
  description: The instances, with units in the names of their fields; what is not known is null. Empty when there is none.
  type: list
  elements: dict
  returned: success
  sample: [{provider: vast, id: "312", label: homework, state: running, gpu_model: RTX 4090, price_per_hour: 0.41}]
result:
  description: What the query gave, of any type.
  type: raw
  returned: when O(query) is given
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._arguments import account_spec, build_all, warn_of_values
from ansible_collections.rented.gpu.plugins.module_utils._renting import _fan_out
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import STATES
from ansible_collections.rented.gpu.plugins.module_utils._renting._query import compiled, searched


def argument_spec():
    """The module's arguments."""
    return dict(
        account_spec(provider_required=False),
        name={"type": "str"},
        id={"type": "str"},
        states={"type": "list", "elements": "str", "choices": list(STATES)},
        query={"type": "str"},
    )


def main():
    """List, choose, answer."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    wanted = module.params
    try:
        expression = compiled(wanted["query"]) if wanted["query"] else None
        found = []
        providers = build_all(wanted)
        for provider in providers:
            module.no_log_values.update(provider.secrets())
        answers = _fan_out.ask(providers, lambda provider: provider.list_instances())
        warn_of_values(module, providers)
        failures = [answer.failure for answer in answers if answer.failure]
        if failures:
            raise RentedError(" ".join(failures))
        for answer in answers:
            found.extend(answer.value)
        rows = [
            instance.as_dict()
            for instance in found
            if wanted["name"] in (None, instance.label)
            and wanted["id"] in (None, instance.id)
            and (not wanted["states"] or instance.state in wanted["states"])
        ]
        result = {"changed": False, "instances": rows}
        if expression is not None:
            result["result"] = searched(expression, rows)
    except RentedError as error:
        module.fail_json(msg=error.message)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
