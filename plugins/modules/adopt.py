#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt
short_description: Take a host that was rented by hand into the inventory
version_added: 0.1.0
description:
  - Makes a host of the inventory from the ssh command that a provider's page shows.
  - Writes a lease, one file below C(leases) in the state directory of the controller. From then on the provider V(adopted) lists the host
    beside those of all other providers, and every playbook works on it.
  - A host is known by its address. The same address again changes the lease; what is not given stays as it was, the user and the forwardings of
    O(ssh) too. O(id) beside O(ssh) moves a host to a new address.
  - The command is read, and never run; none of it reaches a shell.
  - Runs on the controller, without any connection to the host of the task. Use it with C(hosts) set to V(localhost).
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  ssh:
    description:
      - The ssh command, for example V(ssh -p 12345 root@192.0.2.1 -L 8080:localhost:8080), or an address such as V(root@192.0.2.1:12345).
      - A Host of C(~/.ssh/config) stays what it is, and ssh goes on looking it up there.
      - What only matters to a terminal is dropped. Agent forwarding, and options that switch the check of host keys off, are dropped with a
        warning. An option that would change how the host is reached and cannot be honoured is an error.
      - If omitted, the host is found by O(id), else by O(name).
    type: str
  name:
    description:
      - The host's name (label). With O(ssh) or O(id), the host gets this name; without them, the adopted host of this name is meant.
    type: str
  id:
    description:
      - The id of a host that was adopted before, as M(rented.gpu.instance_info) lists it.
      - With O(ssh), that host has this address from now on, for example another port after a restart. Its id, its name in the inventory and the host
        key that was pinned for it stay. An address that another adopted host has is refused.
    type: str
  state:
    description:
      - V(present) adopts the host, or changes what is known of it.
      - V(absent) forgets it, and the host key that was pinned for it. The machine itself goes on running, and costing; it is ended at its owner's web
        page. Of O(ssh), O(name) and O(id), all that are given must mean the same host.
    type: str
    choices: [present, absent]
    default: present
  private_key_file:
    description:
      - The private SSH key that logs in, on the controller. If omitted, the one in O(ssh) counts, else ssh chooses.
    type: path
  gpu:
    description:
      - Which GPUs the host has, in any spelling, for example V(RTX 4090) or V(2x A100 80GB). If omitted, it is unknown.
    type: str
  price_per_hour:
    description:
      - What the host costs, in USD per hour.
    type: float
  started_at:
    description:
      - Since when it is paid for, in ISO 8601. Without a zone it is UTC.
    type: str
  ends_at:
    description:
      - When the time that was paid for ends, in ISO 8601. Without a zone it is UTC.
    type: str
  note:
    description:
      - Words of yours, kept in the lease and in C(rented_tags). Not a secret.
    type: str
  login:
    description:
      - Whether to log in once before the host is adopted. A refused key, an address that does not exist and a changed host key are errors; a host
        that does not answer yet is adopted with a warning.
      - Not done in check mode, because a first login pins the host key.
    type: bool
    default: true
  login_timeout:
    description:
      - Seconds to wait for the host in that login.
    type: int
    default: 10
  variables:
    description:
      - Names of variables that were set for the playbook. Each must be V(adopt_) and the name of an option; the nearest is named otherwise.
      - V(_raw_params) among them tells that a value after C(-e) was cut at a space, because quotes are missing.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Says whether the lease would change, and writes nothing.
  diff_mode:
    support: full
    description: Shows the lease before and after.
seealso:
  - module: rented.gpu.instance_info
  - plugin: rented.gpu.instances
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Adopt a host
  rented.gpu.adopt:
    ssh: ssh -p 12345 root@192.0.2.1 -L 8080:localhost:8080
    name: homework
    gpu: RTX 4090
    price_per_hour: 0.34
    ends_at: "2026-12-01 18:00"

- name: It has another port after a restart
  rented.gpu.adopt:
    id: 192.0.2.1-12345
    ssh: ssh -p 23456 root@192.0.2.1

- name: Forget it
  rented.gpu.adopt:
    name: homework
    state: absent
"""

RETURN = r"""
host:
  description: The name of the host in the inventory, where the inventory file has no O(rented.gpu.instances#inventory:hostname).
  type: str
  returned: always, null when there was nothing to forget
  sample: adopted-192.0.2.1-12345
lease:
  description: What is known of the host. Null when it is forgotten.
  type: dict
  returned: always
path:
  description: The file of the lease.
  type: str
  returned: always, null when there was nothing to forget
login:
  description: What the login gave, V(works), V(no answer) or V(not tried).
  type: str
  returned: when O(state=present)
next:
  description: The command that makes the host ready.
  type: str
  returned: when O(state=present)
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {
    "ssh": {"type": "str"},
    "name": {"type": "str"},
    "id": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "private_key_file": {"type": "path"},
    "gpu": {"type": "str"},
    "price_per_hour": {"type": "float"},
    "started_at": {"type": "str"},
    "ends_at": {"type": "str"},
    "note": {"type": "str"},
    "login": {"type": "bool", "default": True},
    "login_timeout": {"type": "int", "default": 10},
    "variables": {"type": "list", "elements": "str", "default": []},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module has its work in an action plugin; it cannot run by itself.")


if __name__ == "__main__":
    main()
