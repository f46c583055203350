#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: provision_script
short_description: Write the script with which an instance prepares itself
version_added: 0.1.0
description:
  - Writes a script that a provider runs when an instance boots. It fetches uv, ansible-core and this collection into a private place, and
    applies the same roles as the playbook C(rented.gpu.bootstrap), with those of their variables that are set here.
  - There is no controller then, so that any number of instances prepare themselves.
  - No secret gets into the script, which the provider keeps and shows. A setting or an option that holds one is refused; the instance can wait
    for a file that comes later, see O(wait_for).
  - The script needs C(sh), C(flock), and C(python3), or C(curl) or C(wget) together with C(unzip), or root and C(apt) or C(dnf). Where Python is
    too old for ansible-core, uv fetches one for this purpose only.
  - On the instance, C(~/.rented/provision.json) tells how far it is, and why it failed. It may run at every boot; what is there is left alone.
  - Runs on the controller, and makes no request.
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  for:
    description: The place that the script is for, which decides its form and its length.
    type: str
    required: true
    choices: [vast, vast_provisioning_script, runpod, lambda, aws, gcp, paperspace, rehearsal]
  file:
    description: Where to write it. Relative to the folder where C(ansible-playbook) was started. If omitted, C(provision-<for>.sh).
    type: str
    default: ''
  user:
    description: The login user that is prepared. If omitted, the usual one of the place.
    type: str
    default: ''
  collection:
    description:
      - Where the instance gets this collection. If omitted, the released one of this version.
      - A version, the URL of a tarball with C(#sha256=) and its digest, or C(git+https://)…C(@) and a tag or commit.
    type: str
    default: ''
  wait_for:
    description:
      - Paths on the instance, absolute or below C(~/), that must be there before the roles run, such as keys, tokens and data that you or
        the provider's secret store places there. A file counts when it is not empty.
      - A setting may name a local path when it is one of these, or is below one.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds to wait for O(wait_for).
    type: int
    default: 3600
  place:
    description:
      - Folder for ansible-core and the collection on the instance, for example V(/opt/rented).
      - It has to be one of its own. If it holds other files, the instance changes nothing and fails.
    type: str
    default: ~/.rented/provision
  log:
    description: Where the instance writes its log. The login user must be able to write there.
    type: str
    default: ~/.rented/provision.log
  index:
    description:
      - Package index that uv and ansible-core come from, where the environment of the instance names none (E(UV_DEFAULT_INDEX), E(UV_INDEX_URL),
        E(PIP_INDEX_URL)). If omitted, the one that pip has built in.
    type: str
    default: ''
  roles:
    description: Names of the roles whose variables are taken. If omitted, those that C(rented.gpu.bootstrap) runs.
    type: list
    elements: str
attributes:
  check_mode:
    support: full
    description: Says whether the file would change.
  diff_mode:
    support: full
    description: Shows the script before and after.
"""

EXAMPLES = r"""
- name: Write the script for Vast's onstart
  rented.gpu.provision_script:
    for: vast
    wait_for: [~/.ssh/id_ed25519]
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
size:
  description: Its length, in the unit in which the place counts.
  type: int
  returned: success
limit:
  description: The longest that the place takes; null where no limit is known.
  type: int
  returned: success
packed:
  description: Whether it is compressed and unpacks itself.
  type: bool
  returned: success
sha256:
  description: Digest of the file.
  type: str
  returned: success
user:
  description: Who is prepared.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = {
    "for": {
        "type": "str",
        "required": True,
        "choices": ["vast", "vast_provisioning_script", "runpod", "lambda", "aws", "gcp", "paperspace", "rehearsal"],
    },
    "file": {"type": "str", "default": ""},
    "user": {"type": "str", "default": ""},
    "collection": {"type": "str", "default": ""},
    "wait_for": {"type": "list", "elements": "str", "default": []},
    "wait_timeout": {"type": "int", "default": 3600},
    "place": {"type": "str", "default": "~/.rented/provision"},
    "log": {"type": "str", "default": "~/.rented/provision.log"},
    "index": {"type": "str", "default": ""},
    "roles": {"type": "list", "elements": "str"},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module has its work in an action plugin; it cannot run by itself.")


if __name__ == "__main__":
    main()
