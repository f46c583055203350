#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ready
short_description: Wait for a login, read the host once, and install what the other roles need
version_added: 0.1.0
description:
  - Waits until the host lets us in. An instance is "running" before its C(sshd) answers, and a provider may need some seconds to place the key.
  - If the host refuses the key, has another host key, or its name cannot be resolved, the message says what to check.
  - Reads the facts of M(rented.gpu.host_facts) in one remote execution; a host that lacks nothing needs no other.
  - A host without a usable Python gets one by one raw command. The interpreter that was found is reported, so that Ansible never searches for it.
  - Runs M(rented.gpu.host_setup) when the facts say that something is missing.
  - This is the action plugin of the role P(rented.gpu.ready#role).
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  workdir:
    description:
      - Where the user works on the host; made when it is missing. A relative path is below the home.
      - If omitted or empty, it is C(/workspace) where that is writable, else the home.
    type: str
    default: ''
  packages:
    description: System packages (Debian's names) that the roles need.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for a login, and again for another program that holds the lock of the package manager.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    description: Reads the host and says what would be installed. A host without Python is predicted as far as that, and nothing more is known of it.
  diff_mode:
    support: full
    description: Shows what was missing.
"""

EXAMPLES = r"""
- name: Make the host ready for the other roles
  rented.gpu.ready:
    packages: [git, rsync]
"""

RETURN = r"""
installed:
  description: The packages that were missing and are (in check mode would be) installed.
  type: list
  elements: str
  returned: when something was missing
made:
  description: Files and folders that were made.
  type: list
  elements: str
  returned: when something was missing
ansible_facts:
  description: What M(rented.gpu.host_facts) read, and the interpreter.
  type: dict
  returned: always
"""

# The work is done by the action plugin of the same name, which runs host_facts and host_setup on the host.
ARGUMENT_SPEC = {
    "workdir": {"type": "str", "default": ""},
    "packages": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 300},
}


def main() -> None:
    from ansible.module_utils.basic import AnsibleModule

    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="rented.gpu.ready runs on the controller, as an action plugin; it cannot run as a module.")


if __name__ == "__main__":
    main()
