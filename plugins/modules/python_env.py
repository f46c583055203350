#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: python_env
short_description: Make a project's Python environment on a rented host, and make it active everywhere
version_added: 0.1.0
description:
  - Makes the environment, installs what the project asks for, and makes it active in login shells, in C(ssh host command) and
    in tmux, all in one remote execution.
  - Works as root and as a user without root. Neither pip nor ensurepip nor a preinstalled uv is needed.
  - An install that was interrupted is mended by the next run. Packages that were installed by hand are left alone.
  - Used as a task, the action of the same name runs on the controller. It resolves paths, does not go to the host at all when
    the host is known to be as wanted, and calls this module otherwise.
options:
  manager:
    description: What makes the environment. V(conda) takes micromamba, mamba or conda, whichever is on the host.
    type: str
    choices: [uv, venv, conda]
    default: uv
  python:
    description: The version of Python, such as V(3.11) or V(3.12.4). When it is empty, the manager chooses.
    type: str
    default: ''
  project:
    description: Folder of the project. When it is empty, the action takes the first repository of C(repos_list).
    type: path
    default: ''
  path:
    description: Folder of the environment. The default is C(.venv) in the project.
    type: path
    default: ''
  requirements:
    description:
      - Requirements files, relative to the project. What they include counts too.
      - C(pylock.toml) with V(uv), C(environment.yml) with V(conda).
    type: list
    elements: str
    default: []
  extras:
    description: Extras of the project's C(pyproject.toml).
    type: list
    elements: str
    default: []
  packages:
    description: More packages.
    type: list
    elements: str
    default: []
  torch:
    description:
      - Which build of torch to install. V(auto) takes the one that fits the driver, V(none) takes what the index offers first.
      - A tag, such as V(cu126) or V(cpu), takes that build.
    type: str
    default: auto
  uv_version:
    description:
      - The release of uv that is fetched to a host that has none, or only one that is too old.
      - A C(required-version) of the project comes first. A fitting release is then fetched beside the others.
    type: str
    required: true
  uv_named:
    description: Use exactly O(uv_version), because the user asked for it. The action sets it.
    type: bool
    default: false
  disk_mb:
    description: How much has to be free on the disk of the environment before it is made, in MB. 0 takes a guess from the requirements.
    type: int
    default: 0
  lock_timeout:
    description: Seconds to wait for another run that works on the host's environment.
    type: int
    default: 900
  workdir:
    description:
      - The folder for large things. The package cache goes there when the environment is on that disk and the home is not.
      - The action sets it.
    type: str
    default: ''
  index:
    description: Package index that uv is fetched from when the host has none configured. The action sets it.
    type: str
    default: ''
  uv_wheel:
    description: A wheel of uv that has been put on the host. The action sets it, when the host could not fetch uv itself.
    type: str
    default: ''
  driver:
    description: Version of the GPU driver, empty without GPU. The action sets it.
    type: str
    default: ''
  capabilities:
    description: Compute capabilities of the GPUs. The action sets it.
    type: list
    elements: str
    default: []
  pending:
    description: The project would have been changed earlier in this run, which is in check mode. The action sets it.
    type: bool
    default: false
  stamp_wanted:
    description: Digest of the request. The action sets it.
    type: str
    default: ''
attributes:
  check_mode:
    description: Predicts without changing anything.
    support: full
  diff_mode:
    description: Shows the changes of shell files and the packages before and after.
    support: full
author: The rented.gpu contributors (@rented-gpu)
"""

EXAMPLES = r"""
- name: Install what the homework asks for
  rented.gpu.python_env:
    project: homework
    requirements: [requirements.txt]
    uv_version: 0.13.9

- name: Sync a project with its lock file and the extra for GPUs
  rented.gpu.python_env:
    project: homework
    extras: [gpu]
    python: "3.12"
    uv_version: 0.13.9
"""

RETURN = r"""
env:
  description: The environment.
  type: dict
  returned: when there is one
  contains:
    path: {description: Its folder., type: str, returned: always}
    python: {description: Version of its Python., type: str, returned: always}
    manager: {description: What made it., type: str, returned: always}
    packages: {description: How many packages are in it., type: int, returned: always}
    digest: {description: Digest of the installed packages., type: str, returned: always}
    torch: {description: 'version and CUDA of the torch in it, the tag that was asked, and why.', type: dict, returned: always}
torch:
  description: A sentence that says which build of torch was chosen, and why.
  type: str
  returned: when torch is asked or there
steps:
  description: What was done, or would be, with seconds.
  type: list
  elements: dict
  returned: always
stamp:
  description: The stamp that was written.
  type: dict
  returned: when it was written
needs_uv:
  description: Why uv could not be fetched by the host, and what its machine is, so that the action can send it.
  type: dict
  returned: when the host has no uv and cannot fetch one
details:
  description: All that a failed command said.
  type: str
  returned: when a command failed
"""

from ansible.module_utils.basic import AnsibleModule

STAMP = "python_env"
ARGUMENT_SPEC = {
    "manager": {"type": "str", "choices": ["uv", "venv", "conda"], "default": "uv"},
    "python": {"type": "str", "default": ""},
    "project": {"type": "path", "default": ""},
    "path": {"type": "path", "default": ""},
    "requirements": {"type": "list", "elements": "str", "default": []},
    "extras": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "torch": {"type": "str", "default": "auto"},
    "uv_version": {"type": "str", "required": True},
    "uv_named": {"type": "bool", "default": False},
    "disk_mb": {"type": "int", "default": 0},
    "lock_timeout": {"type": "int", "default": 900},
    "workdir": {"type": "str", "default": ""},
    "index": {"type": "str", "default": ""},
    "uv_wheel": {"type": "str", "default": ""},
    "driver": {"type": "str", "default": ""},
    "capabilities": {"type": "list", "elements": "str", "default": []},
    "pending": {"type": "bool", "default": False},
    "stamp_wanted": {"type": "str", "default": ""},
}


def main():
    # Here, because the action plugin reads ARGUMENT_SPEC, and should not have to load all that works on the host.
    from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _maker, _requirements, _uv, _uv_versions

    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        maker = _maker.Maker(module.params, module.run_command, module.check_mode)
        result = maker.run()
    except _maker.Trouble as trouble:
        module.fail_json(msg=str(trouble), **trouble.details)
    except (_requirements.Wrong, _uv_versions.Unusable) as wrong:
        module.fail_json(msg=f"{wrong} Nothing was changed.")
    except OSError as error:
        if _uv.no_space(str(error)):
            module.fail_json(msg=f"A disk of the host is full ({error}): free some space, or rent a larger one.")
        raise
    for warning in maker.report.warnings:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
