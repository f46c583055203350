#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance
short_description: Rent, start, stop and destroy GPU instances
version_added: 0.1.0
description:
  - Makes an instance at a provider present, started, stopped or absent.
  - The name decides. A name that is listed is never rented a second time, whatever the instance's GPU or state is; where it differs from what
    is asked for, a warning says so.
  - After a request to rent whose outcome is unknown, the list is read again before anything else is done.
  - Of several that ask for one name at the same time, one rents and the others find what it has rented. They are kept apart by a lock in the
    state directory (E(RENTED_GPU_HOME)), so this holds for one user on one controller.
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
      - The name (label) of the instance. Together with O(id) and O(state=present), the instance with this id gets this name, unless another one
        has it already. An empty name means that none is given.
    type: str
  id:
    description:
      - The provider's id of an instance that exists. An empty one means that none is given.
    type: str
  state:
    description:
      - V(present) rents the instance when no instance has this name.
      - V(started) and V(stopped) start and stop an instance that exists. A stopped instance keeps its disk, which costs money at most providers.
      - V(absent) destroys it, with everything that is on it, and waits until the provider lists it no more.
      - V(stopped) and V(absent) act only on an instance that was rented, adopted or made ready from this state directory (E(RENTED_GPU_HOME)) and
        carries no other owner's mark at the provider. For any other instance, O(not_mine) is needed. Check mode says so too.
    type: str
    choices: [present, started, stopped, absent]
    default: present
  image:
    description:
      - What runs on the instance, in the provider's words. Defaults to an image of the provider's own.
    type: str
  gpu:
    description:
      - The GPU, in any spelling, for example V(RTX 4090), V(A100 80GB) or V(H100 SXM).
    type: str
  gpu_count:
    description:
      - How many GPUs the instance has. If omitted, one.
    type: int
  disk_gb:
    description:
      - The size of the disk in GB.
    type: float
  region:
    description:
      - Where the instance is to be, in the provider's words. At Vast.ai a country code, or a part of the place's name.
    type: str
  max_price_per_hour:
    description:
      - Nothing that costs more than this is rented. In USD per hour.
    type: float
  interruptible:
    description:
      - Whether to rent what the provider may take back at any time, for a lower price.
    type: bool
    default: false
  bid_per_hour:
    description:
      - What to bid for an interruptible instance, in USD per hour, where the provider takes bids. What is bid is paid.
      - The bid of an instance that exists is changed when it differs.
    type: float
  startup_script:
    description:
      - A script that runs as root when a new instance boots, by whatever way the provider has for it. It runs once, but at Vast.ai and in
        rehearsals at each start of the instance, and at RunPod once for each disk of the container, which a stop wipes. So write it in such a
        way that a second run does no harm.
      - The provider, and anyone who can read its web page, can read it, so it must not hold a secret.
    type: str
  ssh_public_key:
    description:
      - The SSH public key that may log in, as its text or as the path of its file. If omitted, the keys of the account at the provider count.
    type: str
  options:
    description:
      - Further options for renting that only this provider has; its page in C(docs/providers) lists them.
    type: dict
    default: {}
  not_mine:
    description:
      - The id of an instance that this state directory does not know, and that you want to stop or destroy nevertheless.
      - It has to be the id of the instance that O(name) or O(id) means, so a wrong name never ends the wrong instance.
    type: str
  wait:
    description:
      - Whether to wait until the state is reached. With V(present), an instance is awaited until it runs and has an address for SSH.
      - Without waiting, V(absent) says nothing about whether the instance is gone.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait at most.
    type: int
    default: 600
attributes:
  check_mode:
    support: full
    description: Asks the provider what is there, and changes nothing. What is wrong with the options for renting is said here too.
  diff_mode:
    support: full
    description: Shows the instance before and after.
seealso:
  - module: rented.gpu.instance_info
  - plugin: rented.gpu.instances
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Rent one RTX 4090 for at most 0.60 USD per hour
  rented.gpu.instance:
    provider: vast
    name: homework
    gpu: RTX 4090
    max_price_per_hour: 0.60
    disk_gb: 40
    ssh_public_key: ~/.ssh/id_ed25519.pub
  register: rented

- name: Stop paying for the GPU, keep the disk
  rented.gpu.instance:
    provider: vast
    name: homework
    state: stopped

- name: Stop paying
  rented.gpu.instance:
    provider: vast
    name: homework
    state: absent

- name: Stop paying for an instance that was rented in the web page
  rented.gpu.instance:
    provider: vast
    name: box-3
    state: absent
    not_mine: "31402"

- name: Rehearse on a local container
  rented.gpu.instance:
    provider: rehearsal
    name: try
    options: {kind: vm}
"""

RETURN = r"""
instance:
  description:
    - The instance, with units in the names of its fields; what is not known is null. Null when it is absent.
    - In check mode, a new instance has an empty id.
  type: dict
  returned: always
  sample: {provider: vast, account: vast, id: "312", label: homework, state: running, ssh_host: 198.51.100.4, ssh_port: 40112, gpu_model: RTX 4090}
instance_id:
  description: The id of what was created before the failure, and may be billed.
  type: str
  returned: when something was rented, and then something failed
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._errors import PartlyCreated, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._plain import harmless
from ansible_collections.rented.gpu.plugins.module_utils._providers._arguments import account_spec, build, read_public_key, warn_of_values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import STATES, NotReached, Resource


def argument_spec():
    """The module's arguments."""
    return dict(
        account_spec(provider_required=True),
        name={"type": "str"},
        id={"type": "str"},
        state={"type": "str", "choices": list(STATES), "default": "present"},
        image={"type": "str"},
        gpu={"type": "str"},
        gpu_count={"type": "int"},
        disk_gb={"type": "float"},
        region={"type": "str"},
        max_price_per_hour={"type": "float"},
        interruptible={"type": "bool", "default": False},
        bid_per_hour={"type": "float"},
        startup_script={"type": "str"},
        ssh_public_key={"type": "str", "no_log": False},
        options={"type": "dict", "default": {}},
        not_mine={"type": "str"},
        wait={"type": "bool", "default": True},
        wait_timeout={"type": "int", "default": 600},
    )


def launch_request(params):
    """What to rent; an empty text means "not given", so that templates can leave a value open."""
    return LaunchRequest(
        name=params["name"] or "",
        image=params["image"] or None,
        gpu=params["gpu"] or None,
        gpu_count=params["gpu_count"],
        disk_gb=params["disk_gb"],
        region=params["region"] or None,
        max_price_per_hour=params["max_price_per_hour"],
        interruptible=params["interruptible"],
        bid_per_hour=params["bid_per_hour"],
        startup_script=params["startup_script"] or None,
        ssh_public_key=read_public_key(params["ssh_public_key"]),
        options=params["options"] or {},
    )


def main():
    """Reach the state, and say what was done."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True, required_one_of=[("name", "id")])
    try:
        provider = build(module.params)
        module.no_log_values.update(provider.secrets())
        resource = Resource(
            provider,
            name=module.params["name"],
            instance_id=module.params["id"],
            request=launch_request(module.params),
            wait=module.params["wait"],
            wait_timeout=module.params["wait_timeout"],
            check=module.check_mode,
            not_mine=module.params["not_mine"],
        )
        try:
            outcome = resource.reach(module.params["state"])
        finally:
            warn_of_values(module, [provider])
    except PartlyCreated as error:
        module.fail_json(msg=error.message, instance_id=error.instance_id, instance=None)
    except NotReached as error:
        module.fail_json(
            msg=error.message,
            instance_id=error.instance.id if error.instance else None,
            instance=error.instance.as_dict() if error.instance else None,
        )
    except RentedError as error:
        module.fail_json(msg=error.message, instance=None)
    for warning in outcome.warnings:
        module.warn(harmless(warning))
    module.exit_json(
        changed=outcome.changed,
        instance=outcome.instance.as_dict() if outcome.instance else None,
        diff={"before": outcome.before, "after": outcome.after},
    )


if __name__ == "__main__":
    main()
