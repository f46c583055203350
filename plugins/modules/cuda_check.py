#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cuda_check
short_description: Check that an instance is what was rented, and that torch uses its GPUs
version_added: 0.1.0
description:
  - On the controller, compares the facts of M(rented.gpu.host_facts) with what the provider says is rented (the C(rented_*) variables
    of the inventory), gate by gate. That needs no remote execution.
  - On the host, runs the Python of the environment once, with a time limit. torch multiplies two matrices on each GPU, and the product
    is compared with the CPU's. A proof that still holds (same environment, driver, GPUs and boot) is not repeated.
  - Changes nothing on the host but its own stamp.
  - The proof itself has not been tested on a real GPU so far, only with torch on a CPU.
author:
  - The rented.gpu contributors (@rented-gpu)
attributes:
  check_mode:
    description: Checks, and leaves no stamp.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  path:
    description:
      - The Python environment whose torch is proved. A relative path is below the work folder.
      - If omitted, it is the one that the role C(python_env) made.
    type: path
  required:
    description: The gates whose failure fails the task; the others are advisory.
    type: list
    elements: str
    default: [driver, torch_driver, gpu_count, gpu_model, gpu_memory, compute_capability, torch]
  always:
    description: Prove again, even when the last proof still holds.
    type: bool
    default: false
  torch:
    description:
      - Whether torch is judged too.
      - V(false) judges only what is known without torch, and does not ask the host. Use it before anything is installed.
    type: bool
    default: true
  compute_capability:
    description: The lowest compute capability that will do, for example V(8.0). Empty for any.
    type: str
    default: ""
  shm_mb:
    description: The least size of C(/dev/shm) in MiB. 0 for any.
    type: int
    default: 0
  disk_free_gb:
    description: The least free space where the user works, in GB. 0 for any.
    type: float
    default: 0
  devices:
    description:
      - The torch devices to prove, for example V(cpu).
      - If omitted, all CUDA devices.
    type: list
    elements: str
    default: []
  size:
    description: Rows and columns of the matrices.
    type: int
    default: 1024
  timeout:
    description: Seconds that the proof may take.
    type: int
    default: 180
  stamp_wanted:
    description: Digest of the request. The action sets it.
    type: str
"""

EXAMPLES = r"""
- name: Check what was rented
  rented.gpu.cuda_check:
    disk_free_gb: 20

- name: Look at the GPUs before anything is installed
  rented.gpu.cuda_check:
    torch: false

- name: Prove again, and fail on ECC errors too
  rented.gpu.cuda_check:
    always: true
    required: [driver, torch_driver, gpu_count, gpu_model, gpu_memory, torch, ecc]
"""

RETURN = r"""
gates:
  description:
    - "Each gate: C(name), C(result) (V(pass), V(fail), V(skip)), C(value), C(wanted), C(seconds), C(required), C(cause)."
    - After a failure only the required gates that failed.
  type: list
  elements: dict
  returned: always
table:
  description: The gates as a table for people. After a failure it is on the screen.
  type: str
  returned: success
proof:
  description: What torch did on the host.
  type: dict
  returned: success
  contains:
    torch:
      description: "C(version), C(cuda) and C(arch_list) of torch, or V(null) where it is not installed."
      type: dict
      returned: always
    devices:
      description: "C(device), C(name), C(compute_capability), C(memory_mb), C(seconds), C(error) of each device."
      type: list
      elements: dict
      returned: always
    error:
      description: Why nothing could be proved.
      type: str
      returned: always
    visible:
      description: C(CUDA_VISIBLE_DEVICES) on the host.
      type: str
      returned: always
    seconds:
      description: How long it took.
      type: float
      returned: always
    at:
      description: When it was proved (UTC).
      type: str
      returned: always
stamp:
  description: The stamp that was written, or V(null).
  type: dict
  returned: when the host was asked
"""

import json
import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _read, _stamps

STAMP = "cuda_check"
ARGUMENT_SPEC = {
    "path": {"type": "path"},
    "required": {
        "type": "list",
        "elements": "str",
        "default": ["driver", "torch_driver", "gpu_count", "gpu_model", "gpu_memory", "compute_capability", "torch"],
    },
    "always": {"type": "bool", "default": False},
    "torch": {"type": "bool", "default": True},
    "compute_capability": {"type": "str", "default": ""},
    "shm_mb": {"type": "int", "default": 0},
    "disk_free_gb": {"type": "float", "default": 0},
    "devices": {"type": "list", "elements": "str", "default": []},
    "size": {"type": "int", "default": 1024},
    "timeout": {"type": "int", "default": 180},
    "stamp_wanted": {"type": "str"},
}

# Runs in the environment's own Python. Small whole numbers multiply exactly, in float32 and in TF32, so the products must be equal.
SCRIPT = r"""
import json, os, sys, time

answer = {"torch": None, "devices": [], "error": None, "visible": os.environ.get("CUDA_VISIBLE_DEVICES")}
size, devices = int(sys.argv[1]), sys.argv[2:]


def done():
    print("\n" + json.dumps(answer))
    raise SystemExit


def line(error):
    return "%s: %s" % (type(error).__name__, " ".join(str(error).split())[:300])


try:
    from importlib.metadata import version
    answer["torch"] = {"version": version("torch"), "cuda": None, "arch_list": []}
except Exception:
    done()
try:
    import torch
except Exception as error:
    answer["error"] = "torch is installed but cannot be imported (%s): install it again" % line(error)
    done()
answer["torch"].update(version=torch.__version__, cuda=torch.version.cuda)
try:
    # Without a GPU get_arch_list() is empty; the build knows it all the same.
    flags = getattr(torch._C, "_cuda_getArchFlags", lambda: None)()
    answer["torch"]["arch_list"] = torch.cuda.get_arch_list() or (flags or "").split()
    if not devices:
        if not torch.cuda.is_available():
            try:
                torch.cuda.init()
                answer["error"] = "torch finds no GPU that it can use"
            except Exception as error:
                answer["error"] = "torch cannot use the GPUs: " + line(error)
            done()
        devices = ["cuda:%d" % index for index in range(torch.cuda.device_count())]
    torch.manual_seed(1)
    one, two = (torch.randint(-8, 9, (size, size)).float() for _ in range(2))
    product = one @ two
except Exception as error:
    answer["error"] = line(error)
    done()
for device in devices:
    entry = {"device": device, "name": device, "compute_capability": None, "memory_mb": None, "seconds": None, "error": None}
    answer["devices"].append(entry)
    start = time.time()
    try:
        if device.startswith("cuda"):
            about = torch.cuda.get_device_properties(device)
            entry.update(name=about.name, compute_capability="%d.%d" % (about.major, about.minor), memory_mb=about.total_memory >> 20)
        if not torch.equal((one.to(device) @ two.to(device)).cpu(), product):
            entry["error"] = "its product differs from the CPU's"
    except Exception as error:
        entry["error"] = line(error)
    entry["seconds"] = round(time.time() - start, 2)
done()
"""


def prove(path: str, size: int, devices: list, seconds: float) -> dict:
    """Run `SCRIPT` in the environment; the answer, with ``seconds`` and ``at``. Whatever goes wrong is its ``error``."""
    answer: dict[str, Any] = {"torch": None, "devices": [], "error": None, "visible": None}
    start = time.time()
    python = os.path.join(path, "bin", "python")
    if os.path.exists(python):
        ran = _read.run([python, "-I", "-c", SCRIPT, str(size)] + devices, seconds=seconds)
        if ran.timed_out:
            answer["error"] = (
                f"the proof did not end within {seconds:.0f} s: a GPU hangs, or the disk is very slow; try again, or rent another"
            )
        else:
            try:
                answer = json.loads(ran.out.strip().splitlines()[-1])
            except (ValueError, IndexError):
                said = (ran.err or ran.out).strip().splitlines()[-1:] or ["nothing"]
                answer["error"] = f"{python} ended with {ran.code} and said: {said[0][:300]}"
    else:
        answer["error"] = f"there is no Python environment at {path}"
    answer["seconds"] = round(time.time() - start, 2)
    answer["at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return answer


def settles(answer: dict) -> bool:
    """Whether the answer holds until something changes: torch works on every device, or the environment has no torch."""
    return not answer["error"] and not any(device["error"] for device in answer["devices"])


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    wanted = module.params
    if not wanted["path"]:
        module.fail_json(msg="cuda_check needs the path of a Python environment when it runs without its action plugin.")
    home, path = _read.home_folder(), wanted["path"]
    stamping = bool(wanted["stamp_wanted"]) and not module.check_mode
    if stamping:
        _stamps.remove(home, STAMP)
    answer = prove(path, wanted["size"], wanted["devices"], wanted["timeout"])
    stamp = None
    if stamping and settles(answer):
        watch = {"envs": {path: _stamps.env_digest(path)}}
        data = {"proof": answer, "versions": {"torch": answer["torch"]["version"]} if answer["torch"] else {}}
        _stamps.write(home, STAMP, wanted["stamp_wanted"], watch, data)
        stamp = {"wanted": wanted["stamp_wanted"], "watch": watch, "data": data}
    module.exit_json(changed=False, proof=answer, stamp=stamp)


if __name__ == "__main__":
    main()
