#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: give_up
short_description: Leave a host that failed out of the rest of a run, and remember why
version_added: 0.1.0
description:
  - Used twice in the C(rescue) section of C(bootstrap.yml) and C(check.yml).
  - With O(result) it keeps a short cause for M(rented.gpu.summary).
  - Without O(result) it fails.
  - When every other host of the play has failed already, that task does not fail. Ansible would end the playbook without its summary.
    M(rented.gpu.summary) then fails in its place, so the exit status is never 0.
  - A host that was lost becomes unreachable, as it would be without the C(rescue) section.
  - Runs on the controller; the host is not asked.
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  result:
    description:
      - The result of the task that failed, C(ansible_failed_result). The task then keeps its cause, and does not fail.
    type: dict
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
"""

EXAMPLES = r"""
- name: Work on each host by itself
  block:
    - name: Log in
      ansible.builtin.import_role:
        name: rented.gpu.ready
  rescue:
    - name: Keep the cause for the summary
      rented.gpu.give_up:
        result: "{{ ansible_failed_result }}"
    - name: Leave this host out
      rented.gpu.give_up:
"""

RETURN = r"""
ansible_facts:
  description: "C(rented_failure): the C(cause), and whether the host was C(lost)."
  type: dict
  returned: when O(result) is given
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {"result": {"type": "dict"}}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module has its work in an action plugin; it cannot run by itself.")


if __name__ == "__main__":
    main()
