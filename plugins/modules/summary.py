#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: summary
short_description: Show one line for each host at the end of a play
version_added: 0.1.0
description:
  - Shows a table of all hosts of the play with GPU, price, changes, seconds, and what this run made ready. It fits the terminal.
  - Below it stand the cause for each host that failed, how to repeat those only, and the command that attaches to the session.
  - Runs on the controller; no host is asked. Meant for C(run_once).
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  title:
    description: A line above the table.
    type: str
    default: ''
  before:
    description:
      - Name of a host variable that holds what the roles did in an earlier run, kept from C(ansible_facts.rented_run).
      - When given, the table shows both runs side by side.
    type: str
    default: ''
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode. In check mode the table says what would change.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
"""

EXAMPLES = r"""
- name: Show the summary
  rented.gpu.summary:
  run_once: true
"""

RETURN = r"""
table:
  description: What is shown, line by line, without the commands for what is next.
  type: list
  elements: str
  returned: success
rows:
  description: The same as data, one dict for each host.
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {"title": {"type": "str", "default": ""}, "before": {"type": "str", "default": ""}}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module has its work in an action plugin; it cannot run by itself.")


if __name__ == "__main__":
    main()
