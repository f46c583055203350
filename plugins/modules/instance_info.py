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
      - The provider. If omitted, every provider whose credentials are found is asked.
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
  console:
    description:
      - Also returns the last output of each instance that the other options choose, in RV(consoles).
      - Each instance is one more request to its provider. Use O(id) or O(name) to read one.
      - The output is a stranger's text and may hold secrets that the program on the instance printed.
    type: bool
    default: false
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

- name: Why does the instance not come up?
  rented.gpu.instance_info:
    provider: runpod
    name: homework
    console: true
  register: homework

- name: Show its last output
  ansible.builtin.debug:
    msg: "{{ homework.consoles[0].text.splitlines()[-20:] }}"
"""

RETURN = r"""
instances:
  description: The instances, with units in the names of their fields; what is not known is null. Empty when there is none.
  type: list
  elements: dict
  returned: success
  sample: [{provider: vast, id: "312", label: homework, state: running, gpu_model: RTX 4090, price_per_hour: 0.41}]
consoles:
  description:
    - The last output of each instance, in the order of RV(instances).
    - C(text) holds at most its last 20,000 characters, without anything that a terminal obeys. It is null, and C(problem) says why, when the
      output cannot be read or the provider does not offer it.
  type: list
  elements: dict
  returned: when O(console) is true
  sample: [{provider: runpod, account: runpod, id: pod1, text: "start container\n", problem: null}]
result:
  description: What the query gave, of any type.
  type: raw
  returned: when O(query) is given
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils import _masking, _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._arguments import account_spec, build_all, warn_of_values
from ansible_collections.rented.gpu.plugins.module_utils._renting import _fan_out
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import STATES
from ansible_collections.rented.gpu.plugins.module_utils._renting._query import compiled, searched
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource_words import unsupported

LONGEST_CONSOLE = 20000  # characters; the end says what happened last


def argument_spec():
    """The module's arguments."""
    return dict(
        account_spec(provider_required=False),
        name={"type": "str"},
        id={"type": "str"},
        states={"type": "list", "elements": "str", "choices": list(STATES)},
        query={"type": "str"},
        console={"type": "bool", "default": False},
    )


def read_consoles(provider, instances: list) -> list:
    """``{provider, account, id, text, problem}`` for each of these instances of one provider."""
    rows = []
    for instance in instances:
        text, problem = None, None
        try:
            if not provider.can("read_console"):
                raise unsupported(provider, "read_console")
            text = _plain.plain(_masking.mask(provider.console(instance.id))[-LONGEST_CONSOLE:])
        except RentedError as error:
            problem = error.message
        rows.append({"provider": instance.provider, "account": instance.account, "id": instance.id, "text": text, "problem": problem})
    return rows


def main():
    """List, choose, answer."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    wanted = module.params
    try:
        expression = compiled(wanted["query"]) if wanted["query"] else None
        providers = build_all(wanted)
        for provider in providers:
            module.no_log_values.update(provider.secrets())
        answers = _fan_out.ask(providers, lambda provider: provider.list_instances())
        warn_of_values(module, providers)
        failures = [answer.failure for answer in answers if answer.failure]
        if failures:
            raise RentedError(" ".join(failures))
        chosen = {
            answer.provider: [
                instance
                for instance in answer.value
                if wanted["name"] in (None, instance.label)
                and wanted["id"] in (None, instance.id)
                and (not wanted["states"] or instance.state in wanted["states"])
            ]
            for answer in answers
        }
        rows = [instance.as_dict() for instances in chosen.values() for instance in instances]
        result = {"changed": False, "instances": rows}
        if wanted["console"]:
            read = _fan_out.ask(providers, lambda provider: read_consoles(provider, chosen[provider]))
            failures = [answer.failure for answer in read if answer.failure]
            if failures:
                raise RentedError(" ".join(failures))
            result["consoles"] = [row for answer in read for row in answer.value]
        if expression is not None:
            result["result"] = searched(expression, rows)
    except RentedError as error:
        module.fail_json(msg=error.message)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
