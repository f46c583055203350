#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: settings
short_description: Check the settings of the roles before the first login
version_added: 0.1.0
description:
  - Compares all variables of the named roles with their argument specs, once for a whole playbook.
  - Finds variables that nearly are settings, wherever they were given, and words of C(-e) that set nothing, such as a file without its C(@).
  - Says which setting has a value that it cannot take. Secrets are not repeated.
  - Looks on the controller for what a role will need from it, such as the private key, the local repository or the data, so that a mistake
    is told before anything changes.
  - Then says which hosts the play is about to work on, at what price, and which instances it leaves out.
  - Runs on the controller; the host is not asked. Use C(run_once). Settings of other hosts of the play are checked too, where they differ.
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  roles:
    description:
      - Names of the roles of this collection whose variables are checked. If omitted, those that C(rented.gpu.bootstrap) runs.
    type: list
    elements: str
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
"""

EXAMPLES = r"""
- name: Check the settings of all roles that bootstrap runs
  rented.gpu.settings:

- name: Check the settings of two roles
  rented.gpu.settings:
    roles: [ready, python_env]
"""

RETURN = r"""
wait:
  description: Whether instances are still loading and the variable C(rented_wait) (or C(wait)) says to wait for them.
  type: bool
  returned: success
asked:
  description: What the settings of this run bring to the host, in a few words for each thing. Empty when they bring nothing.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {"roles": {"type": "list", "elements": "str"}}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module has its work in an action plugin; it cannot run by itself.")


if __name__ == "__main__":
    main()
