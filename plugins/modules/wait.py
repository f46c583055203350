#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wait
short_description: Wait a moment for instances that are still loading
version_added: 0.1.0
description:
  - Looks at the instances that the inventory left out because they are still loading (C(rented_left_out)). Where there are some,
    says so now and then, and waits for O(pause) seconds.
  - Used by C(bootstrap.yml) and C(check.yml) with C(-e wait=true) between two readings of the inventory.
  - After O(timeout) seconds it goes on with a warning where other instances run, and fails where none does.
  - Runs on the controller; no host is asked.
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  timeout:
    description: Seconds after which the instances are waited for no longer.
    type: float
    default: 600
  pause:
    description: Seconds to wait before the inventory is read again.
    type: float
    default: 10
  began:
    description: When the first task began to wait, as it returned it.
    type: float
    default: 0
  told:
    description: When the last task told that it waits, as it returned it.
    type: float
    default: 0
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
"""

EXAMPLES = r"""
- name: Wait for the instances that are still loading
  rented.gpu.wait:
    timeout: 900
  run_once: true
  register: waited
"""

RETURN = r"""
again:
  description: Whether to read the inventory and to look again.
  type: bool
  returned: success
began:
  description: When the waiting began, in seconds since the epoch.
  type: float
  returned: success
told:
  description: When a line was shown, in seconds since the epoch.
  type: float
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {
    "timeout": {"type": "float", "default": 600},
    "pause": {"type": "float", "default": 10},
    "began": {"type": "float", "default": 0},
    "told": {"type": "float", "default": 0},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module has its work in an action plugin; it cannot run by itself.")


if __name__ == "__main__":
    main()
