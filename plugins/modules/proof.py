#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proof
short_description: Write what was made ready on a host
version_added: 0.1.0
description:
  - Writes C(~/.rented/ready.json) on the host and a copy below the state directory of the controller, with the gates, the versions, what was
    made, and the seconds of each role.
  - Writes only when something in it changed; without a change the host is not asked.
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  content:
    description: The proof without what was made. The action sets it.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Says whether the proof would change.
  diff_mode:
    support: none
    description: The difference would repeat what the roles have shown.
"""

EXAMPLES = r"""
- name: Write the proof, after the roles
  rented.gpu.proof:
"""

RETURN = r"""
proof:
  description: The content of the file.
  type: dict
  returned: always
path:
  description: Path of the copy on the controller.
  type: str
  returned: when not in check mode
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _proof, _stamps

ARGUMENT_SPEC = {"content": {"type": "dict", "default": {}}}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    home = _stamps.user_home()
    proof = _proof.add_made(module.params["content"], _stamps.read_all(home))
    if not module.check_mode:
        os.makedirs(os.path.join(home, _stamps.HOME), mode=0o700, exist_ok=True)
        _stamps.write_private(os.path.join(home, _stamps.HOME, _proof.NAME), json.dumps(proof, indent=1, sort_keys=True) + "\n")
    module.exit_json(changed=True, proof=proof)


if __name__ == "__main__":
    main()
