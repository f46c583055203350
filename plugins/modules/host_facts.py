#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_facts
short_description: Read all that the roles ask about an instance, in one go
version_added: 0.1.0
description:
  - Reads operating system, user, tools and their versions, Python interpreters, GPUs and driver, disks, cgroup limits,
    tmux sessions and the stamps of what the roles made, and returns them as the fact C(rented).
  - One remote execution answers every question of the roles, which then decide on the controller whether anything has to be done.
  - Files are read where files know the answer; programs are started only where not, at the same time, and with a time limit.
  - Nothing on the host is changed. What cannot be read is V(null), and RV(ansible_facts.rented.problems) says why.
author:
  - The rented.gpu contributors (@rented-gpu)
notes:
  - The target needs Python 3.8 or later and nothing else.
  - Fields that depend on a real GPU are tested on files written after NVIDIA's documented format, not on hardware.
attributes:
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  workdir:
    description:
      - Where the user works. A relative path is below the home.
      - If omitted, it is C(/workspace) where that is writable, else the home.
    type: str
  packages:
    description:
      - System packages (C(apt) or C(dnf) names) whose presence is asked; see RV(ansible_facts.rented.packages).
    type: list
    elements: str
    default: []
  gpu_timeout:
    description:
      - Seconds that C(nvidia-smi) may take. It hangs when a GPU does.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Read the host
  rented.gpu.host_facts:

- name: Show what it has
  ansible.builtin.debug:
    msg: "{{ ansible_facts.rented.gpu.gpus | map(attribute='name') }}, {{ ansible_facts.rented.disks.workdir.free_mb }} MiB free"
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    rented:
      description: All of it. Sizes are MiB.
      type: dict
      returned: always
      contains:
        schema: {description: Version of this shape., type: int, returned: always, sample: 1}
        workdir: {description: Where the user works., type: str, returned: always, sample: /workspace}
        home: {description: The login user's home., type: str, returned: always, sample: /root}
        user: {description: The login user., type: str, returned: always, sample: root}
        uid: {description: The login user's number., type: int, returned: always, sample: 0}
        sudo: {description: Whether the user is root or may use sudo without a password., type: bool, returned: always}
        python: {description: "The interpreter that ran: C(path), C(version).", type: dict, returned: always}
        os: {description: "C(id), C(version_id), C(name), C(arch), C(kernel).", type: dict, returned: always}
        hostname: {description: The host's own name., type: str, returned: always}
        kind: {description: "V(container), V(vm) or V(host).", type: str, returned: always}
        container_runtime: {description: What runs the container., type: str, returned: always, sample: docker}
        systemd: {description: Whether systemd runs the machine., type: bool, returned: always}
        boot_id: {description: Changes with every boot of the machine., type: str, returned: always}
        package_manager: {description: "V(apt), V(dnf) or nothing.", type: str, returned: always}
        packages:
          description: The version of each package asked for, empty when another package provides it, V(null) when it is not installed.
          type: dict
          returned: always
        tools: {description: "C(path) and C(version) of each tool, or V(null).", type: dict, returned: always}
        interpreters: {description: "Pythons in PATH, uv's and pyenv's: C(path), C(version).", type: list, elements: dict, returned: always}
        cpu: {description: "C(cores) that may be used and the cgroups' C(quota).", type: dict, returned: always}
        memory: {description: "C(total_mb) and the cgroups' C(limit_mb).", type: dict, returned: always}
        shm_mb: {description: "Size of C(/dev/shm).", type: int, returned: always}
        disks: {description: "C(path), C(mount), C(filesystem), C(free_mb), C(total_mb) of C(workdir) and C(home).", type: dict, returned: always}
        workspace: {description: "C(exists), C(writable), C(mount) of C(/workspace).", type: dict, returned: always}
        gpu:
          description: What the driver says.
          type: dict
          returned: always
          contains:
            present: {description: There is a GPU or a trace of one., type: bool, returned: always}
            working: {description: The driver answers and no GPU has a problem., type: bool, returned: always}
            error: {description: Why it does not work and what to do., type: str, returned: always}
            driver: {description: Version of the driver., type: str, returned: always, sample: 550.54.15}
            cuda_max: {description: The newest CUDA version that the driver runs., type: str, returned: always, sample: "12.4"}
            simulated: {description: It is the stand-in of the rehearsal provider., type: bool, returned: always}
            gpus:
              description: "C(index), C(name), C(uuid), C(pci), C(memory_mb), C(memory_used_mb), C(compute_capability), C(ecc_errors),
                C(mig), C(power_w), C(temperature_c), C(problem)."
              type: list
              elements: dict
              returned: always
            xid: {description: "Driver errors of these GPUs in the kernel log; V(null) where it may not be read.", type: list, elements: dict, returned: always}
        auto_tmux: {description: "C(present) and C(off).", type: dict, returned: always}
        tmux_sessions: {description: Names of the sessions., type: list, elements: str, returned: always}
        git_identity: {description: "C(name) and C(email).", type: dict, returned: always}
        stamps: {description: "What the roles made: C(wanted), C(watch), C(data), C(drift), C(intact) by name.", type: dict, returned: always}
        work:
          description: "Work in the checkouts that exists only there: C(path), C(commits), C(tips), C(branches), C(changed), C(untracked), C(stashes),
            C(names), and C(complete), whether git answered in time."
          type: list
          elements: dict
          returned: always
        ready: {description: "Content of C(~/.rented/ready.json).", type: dict, returned: always}
        problems: {description: What could not be read and why., type: list, elements: str, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _facts


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "workdir": {"type": "str"},
            "packages": {"type": "list", "elements": "str", "default": []},
            "gpu_timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    facts = _facts.gather(module.params["workdir"], module.params["packages"], module.params["gpu_timeout"])
    module.exit_json(changed=False, ansible_facts={"rented": facts})


if __name__ == "__main__":
    main()
