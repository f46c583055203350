#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_key
short_description: Keep an SSH public key in the account at a provider
version_added: 0.1.0
description:
  - Makes an SSH public key present in, or absent from, the list of keys that the account at a provider keeps for instances that are rented later.
  - Two keys are the same when their type and content are; the comment does not count.
  - Instances that exist already usually keep the keys that they have. Use O(rented.gpu.instance#module:ssh_public_key) for the key of one instance.
  - Runs on the controller. Use it with C(hosts) set to V(localhost), or delegate it there.
author:
  - The rented.gpu contributors (@rented-gpu)
extends_documentation_fragment:
  - rented.gpu.account
options:
  provider:
    required: true
  name:
    description:
      - The name of the key in the account, where the provider has names for keys.
      - If omitted, a new key is called by its comment.
    type: str
  public_key:
    description:
      - The SSH public key, as its text or as the path of its file. Required with O(state=present).
      - With O(state=absent) it says which key; together with O(name) both have to be right.
    type: str
  state:
    description:
      - Whether the key is to be in the account.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Asks the provider what is there, and changes nothing.
  diff_mode:
    support: full
    description: Shows the keys of the account before and after.
seealso:
  - module: rented.gpu.instance
"""

EXAMPLES = r"""
- name: Let my laptop into everything that I rent from now on
  rented.gpu.ssh_key:
    provider: vast
    public_key: ~/.ssh/id_ed25519.pub

- name: Forget the key of a laptop that was lost
  rented.gpu.ssh_key:
    provider: runpod
    name: old laptop
    state: absent
"""

RETURN = r"""
key:
  description: The key as the account has it. Null when it is absent; its id is empty in check mode while it is not there yet.
  type: dict
  returned: success
  sample: {id: "401", name: null, public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample ada@example.org}
removed:
  description: The keys that were removed.
  type: list
  elements: dict
  returned: with O(state=absent)
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._plain import harmless
from ansible_collections.rented.gpu.plugins.module_utils._providers._arguments import account_spec, build, read_public_key, warn_of_values
from ansible_collections.rented.gpu.plugins.module_utils._renting._account_keys import AccountKeys


def argument_spec():
    """The module's arguments."""
    return dict(
        account_spec(provider_required=True),
        name={"type": "str"},
        public_key={"type": "str", "no_log": False},
        state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    )


def main():
    """Make it so, and say what was done."""
    module = AnsibleModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_if=[("state", "present", ["public_key"])],
        required_one_of=[("name", "public_key")],
    )
    params = module.params
    try:
        if params["name"] is not None and (not params["name"].strip() or params["name"] != params["name"].strip()):
            raise RentedError("A name has at least one character and no spaces at its ends.")
        public_key = read_public_key(params["public_key"], "public_key")
        if params["public_key"] is not None and public_key is None:
            raise RentedError("'public_key' is empty; give the key or the path of its file.")
        provider = build(params)
        module.no_log_values.update(provider.secrets())
        keys = AccountKeys(provider, check=module.check_mode)
        try:
            result = keys.present(params["name"], public_key) if params["state"] == "present" else keys.absent(params["name"], public_key)
        finally:
            warn_of_values(module, [provider])
    except RentedError as error:
        module.fail_json(msg=error.message)
    for warning in keys.warnings:
        module.warn(harmless(warning))
    answer = {"changed": keys.changed, "diff": keys.diff}
    if params["state"] == "present":
        answer["key"] = dataclasses.asdict(result)
    else:
        answer.update(key=None, removed=[dataclasses.asdict(key) for key in result])
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
