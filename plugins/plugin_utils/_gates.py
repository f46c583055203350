# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Gates: is this host what was rented, and does the torch on it really use its GPUs?

Pure functions of the facts of `host_facts`, of what the provider says is rented, and of what `cuda_check` proved. Each gate is a
dict: ``name``, ``result`` ("pass", "fail", "skip"), ``value`` found, ``wanted``, ``seconds`` it took, ``required``, and ``cause``:
for a failure what is wrong and what to do next, for a skip why.
"""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import nearest
from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names

NAMES = (
    "driver", "torch_driver", "gpu_count", "gpu_model", "gpu_memory", "compute_capability", "torch", "ecc", "xid", "shm", "disk",
    "cpu", "ram",
)  # fmt: skip
REQUIRED = ("driver", "torch_driver", "gpu_count", "gpu_model", "gpu_memory", "compute_capability", "torch")
# Fails on nearly every container (64 MiB is Docker's default), so a warning about it at each run is not read.
USUAL = ("shm",)
# A GB that is sold is sometimes 1000^3 bytes and sometimes 1024^3, which is 7 % more; drivers keep some memory for themselves.
TOLERANCE = 0.07
# XIDs that mean broken hardware or a lost GPU, not a bug in a program: docs.nvidia.com/deploy/xid-errors.
BAD_XIDS = {48, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120, 140, 143}

_REHEARSAL = "simulated: a rehearsal has what its own machine has"


def check_required(wanted: list) -> None:
    """Raise ValueError, naming the nearest, for a gate that does not exist."""
    for name in wanted:
        if name not in NAMES:
            raise ValueError(f"cuda_check_required has '{name}', which is not a gate. {nearest(name, NAMES)}")


def evaluate(facts: dict, rented: dict, limits: dict, proof: dict | None, required: list) -> list:
    """All gates, in the order of `NAMES`.

    ``rented``: ``gpu_model gpu_count gpu_vram_mb cpu_cores ram_gb simulated`` (None: not known). ``limits``: ``shm_mb disk_free_gb``
    (0: no limit) and ``compute_capability`` ("": none). ``proof``: the answer of `cuda_check`, or ``{"skipped": why}``.
    """
    gates = []
    about = _Subject(facts, rented, limits, proof or {})
    for name in NAMES:
        gate = {"name": name, "result": "skip", "value": None, "wanted": None, "seconds": 0.0, "required": name in required, "cause": None}
        result = getattr(about, name)()
        gate.update(dict(zip(("result", "value", "wanted", "cause", "seconds"), result)))
        gates.append(gate)
    return gates


def failures(gates: list) -> list:
    """The required gates that failed."""
    return [gate for gate in gates if gate["result"] == "fail" and gate["required"]]


def sentences(gates: list) -> list:
    """The cause of each failure, the required ones first."""
    failed = sorted((gate for gate in gates if gate["result"] == "fail"), key=lambda gate: not gate["required"])
    return [f"{gate['name']}: {gate['cause']}{'' if gate['required'] else ' (advisory)'}" for gate in failed]


def _passed(value, wanted=None, seconds=0.0) -> tuple:
    return ("pass", value, wanted, None, seconds)


def _failed(value, wanted, cause, seconds=0.0) -> tuple:
    return ("fail", value, wanted, cause, seconds)


def _skipped(cause, value=None) -> tuple:
    return ("skip", value, None, cause)


class _Subject:
    """One host under examination; a method for each gate."""

    def __init__(self, facts: dict, rented: dict, limits: dict, proof: dict) -> None:
        self.facts = facts
        self.gpu = facts.get("gpu") or {}
        self.gpus = self.gpu.get("gpus") or []
        self.rented = rented
        self.limits = limits
        self.proof = proof
        self.simulated = bool(self.gpu.get("simulated") or rented.get("simulated"))
        self.says = " (simulated)" if self.simulated else ""

    # --- the GPUs ---------------------------------------------------------------------------------------------

    def _none(self) -> str | None:
        """Why there is nothing to check about GPUs; None when there is."""
        if self.gpu.get("present") or self.rented.get("gpu_count"):
            return None
        return "no GPU is rented and none is there" if self.rented.get("gpu_count") == 0 else "there is no GPU"

    def _unusable(self) -> str | None:
        return self._none() or (None if self.gpus else "there is no GPU to look at")

    def driver(self) -> tuple:
        none = self._none()
        if none:
            return _skipped(none)
        if self.gpu.get("working"):
            return _passed(f"{self.gpu.get('driver')}{self.says}", "a driver that works")
        value = self.gpu.get("driver") or "none"
        if self.gpu.get("error"):
            return _failed(value, "a driver that works", self.gpu["error"])
        cause = f"{self._sold()} is rented, but the host shows no GPU: the instance came up without it. Destroy it and rent another."
        return _failed(value, "a driver that works", cause)

    def _sold(self) -> str:
        return f"{self.rented.get('gpu_count') or 1} x {self.rented.get('gpu_model') or 'GPU'}"

    def torch_driver(self) -> tuple:
        none = self._none()
        if none:
            return _skipped(none)
        torch = self.proof.get("torch") or {}
        if not torch.get("version"):
            return _skipped(self.proof.get("skipped") or self.proof.get("error") or "torch is not installed")
        driver = self.gpu.get("driver") or ""
        name = f"torch {torch['version']}"
        if not torch.get("cuda"):
            build = _cuda.torch_tag(driver, self._capabilities(), torch["version"]) if driver else None
            cause = "%s is a build without CUDA; %s" % (name, "use " + build if build else "install one with CUDA")
            return _failed(name, "a CUDA build", f"{cause} (python_env_torch).")
        tag = "+cu" + torch["cuda"].replace(".", "")
        name = name if "+" in name else f"{name} ({tag[1:]})"
        least = _cuda.min_driver(torch["cuda"])
        fits = _cuda.runs(driver, torch["cuda"])
        if fits is None or least is None:
            return _skipped("driver or CUDA version unknown", f"{name}, driver {driver or None}")
        short = least.split(".")[0]
        if fits:
            return _passed(f"{name}, driver {driver}", "driver >= " + least)
        return _failed(driver, "driver >= " + least, f"{name} needs driver >= {short}, host has {driver}: {self._instead(torch)}.")

    def _instead(self, torch: dict) -> str:
        """Which build of torch to take in place of one that does not run here."""
        build = _cuda.torch_tag(self.gpu.get("driver") or "", self._capabilities(), torch["version"])
        if build:
            return f"use {build}"
        build = _cuda.torch_tag(self.gpu.get("driver") or "", self._capabilities())
        if build:
            return f"use an older torch with {build}"
        return "no build of torch runs on it; rent a host with a newer driver"

    def _capabilities(self) -> list:
        return [gpu["compute_capability"] for gpu in self.gpus if gpu.get("compute_capability")]

    def gpu_count(self) -> tuple:
        if self._none():
            return _skipped(self._none())
        sold = self.rented.get("gpu_count")
        found = len(self.gpus)
        if sold is None:
            return _skipped("the provider does not say how many are rented", f"{found}{self.says}")
        if found < sold:
            return _failed(found, sold, f"{self._sold()} is rented, but the host shows {found}: destroy it and rent another.")
        return _passed(f"{found}{self.says}", sold)

    def gpu_model(self) -> tuple:
        if self._unusable():
            return _skipped(self._unusable())
        sold = self.rented.get("gpu_model")
        found = ", ".join(sorted({gpu["name"] or "unnamed" for gpu in self.gpus}))
        if not sold:
            return _skipped("the provider does not say which model is rented", found)
        wrong = sorted({gpu["name"] or "unnamed" for gpu in self.gpus if not same_model(sold, gpu["name"])})
        if wrong:
            return _failed(found, sold, f"{sold} is rented, but the host has {', '.join(wrong)}: destroy it and rent another.")
        return _passed(found, sold)

    def gpu_memory(self) -> tuple:
        if self._unusable():
            return _skipped(self._unusable())
        sold = self.rented.get("gpu_vram_mb")
        known = [self._memory(gpu) for gpu in self.gpus]
        sizes = [size for size in known if size is not None]
        if not sold or len(sizes) < len(known):
            return _skipped("the provider does not say how much is rented" if not sold else "the driver does not say how much there is")
        value = "%d MiB%s" % (min(sizes), self.says)
        if min(sizes) < sold * (1 - TOLERANCE):
            cause = "%d MiB per GPU are rented, but GPU %d has %d: destroy the instance and rent another."
            return _failed(value, f"{sold:.0f} MiB", cause % (sold, sizes.index(min(sizes)), min(sizes)))
        return _passed(value, f"{sold:.0f} MiB")

    @staticmethod
    def _memory(gpu: dict) -> int | None:
        """What a program can use: of a divided GPU the parts that were given to this host, together."""
        mig = gpu.get("mig") or {}
        parts = [device["memory_mb"] for device in mig.get("devices") or [] if device.get("memory_mb")]
        return sum(parts) if mig.get("enabled") and parts else gpu.get("memory_mb")

    def compute_capability(self) -> tuple:
        if self._unusable():
            return _skipped(self._unusable())
        found = self._capabilities()
        if not found:
            return _skipped("the driver does not say it")
        lowest = min(found, key=_cuda.version)
        least = str(self.limits.get("compute_capability") or "")
        if least and _cuda.version(lowest) < _cuda.version(least):
            gpu = next(gpu for gpu in self.gpus if gpu.get("compute_capability") == lowest)
            return _failed(lowest, ">= " + least, f"{gpu['name']} has compute capability {lowest}; rent a newer model.")
        torch = self.proof.get("torch") or {}
        built = torch.get("arch_list") or []
        for gpu in self.gpus:
            if built and gpu.get("compute_capability") and not _has_code(built, gpu["compute_capability"]):
                cause = "torch %s has no code for compute capability %s (%s): %s."
                cause = cause % (torch.get("version"), gpu["compute_capability"], gpu["name"], self._instead(torch))
                return _failed(gpu["compute_capability"], " ".join(built), cause)
        return _passed(f"{lowest}{self.says}", ">= " + least if least else None)

    def torch(self) -> tuple:
        none = self._none()
        if none:
            return _skipped(none)
        if self.simulated:
            return _skipped("simulated: there is no GPU to multiply on")
        if self.proof.get("skipped"):
            return _skipped(self.proof["skipped"])
        seconds = self.proof.get("seconds") or 0.0
        torch = self.proof.get("torch") or {}
        if not torch.get("version") and not self.proof.get("error"):
            return _skipped("torch is not installed")
        if torch and not torch.get("cuda") and not self.proof.get("devices"):
            return _failed(torch["version"], "torch that works", "torch is a build without CUDA (see torch_driver).", seconds)
        if self.proof.get("error"):
            return _failed(torch.get("version"), "torch that works", self.proof["error"], seconds)
        devices = self.proof.get("devices") or []
        wanted = self._visible()
        if len(devices) < wanted:
            cause = f"torch sees {len(devices)} of {wanted} GPUs"
            if self.proof.get("visible") is not None:
                cause += f": CUDA_VISIBLE_DEVICES is {self.proof['visible']!r} on the host; unset it"
            else:
                cause += ": a build or driver that does not fit (see torch_driver), or a GPU that hangs"
            return _failed(len(devices), wanted, cause + ".", seconds)
        bad = [f"{device['device']}: {device['error']}" for device in devices if device.get("error")]
        if bad:
            return _failed(
                "%d of %d" % (len(devices) - len(bad), len(devices)), wanted, f"the product is wrong on {'; '.join(bad)}.", seconds
            )
        return _passed(
            f"torch {torch['version']} multiplied on {len(devices)} GPU{'' if len(devices) == 1 else 's'} at {self.proof.get('at')}",
            wanted,
            seconds,
        )

    def _visible(self) -> int:
        """How many GPUs torch must see: CUDA shows one part of one divided GPU to a process."""
        return 1 if any((gpu.get("mig") or {}).get("enabled") for gpu in self.gpus) else len(self.gpus)

    def ecc(self) -> tuple:
        if self._unusable():
            return _skipped(self._unusable())
        counts = [gpu.get("ecc_errors") for gpu in self.gpus]
        known = [count for count in counts if count is not None]
        if not known:
            return _skipped("these GPUs do not count ECC errors")
        worst = max(known)
        if worst:
            cause = "GPU %d has %d uncorrectable ECC errors since its driver was loaded: results cannot be trusted, rent another."
            return _failed(worst, 0, cause % (counts.index(worst), worst))
        return _passed(f"0{self.says}", 0)

    def xid(self) -> tuple:
        if self._unusable():
            return _skipped(self._unusable())
        seen = self.gpu.get("xid")
        if seen is None:
            return _skipped("the kernel log may not be read here")
        bad = [entry for entry in seen if entry["code"] in BAD_XIDS]
        if bad:
            cause = "the kernel log has XID %s (%s): the GPU is faulty, rent another."
            return _failed(len(bad), 0, cause % (bad[-1]["code"], bad[-1]["message"] or "no text"))
        return _passed(f"{len(seen)} harmless" if seen else 0, 0)

    # --- the rest of the host ---------------------------------------------------------------------------------

    def shm(self) -> tuple:
        wanted, found = self.limits.get("shm_mb") or 0, self.facts.get("shm_mb")
        if not wanted or self.simulated:
            return _skipped(_REHEARSAL if self.simulated else "no minimum is set", f"{found} MiB")
        if found is None:
            return _failed("none", f"{wanted:.0f} MiB", "/dev/shm is not mounted; DataLoader workers need it: use num_workers=0.")
        if found < wanted:
            cause = "/dev/shm has %d MiB; DataLoader workers die with a bus error when it is full: start the container with a larger one "
            cause += "(docker: --shm-size), or call torch.multiprocessing.set_sharing_strategy('file_system')."
            return _failed(f"{found:.0f} MiB", f"{wanted:.0f} MiB", cause % found)
        return _passed(f"{found:.0f} MiB", f"{wanted:.0f} MiB")

    def disk(self) -> tuple:
        wanted = self.limits.get("disk_free_gb") or 0
        disk = (self.facts.get("disks") or {}).get("workdir")
        if not wanted or not disk:
            return _skipped("no minimum is set" if not wanted else "the disk cannot be read")
        free = disk["free_mb"] * 2**20 / 1e9
        value, least = f"{free:.1f} GB", f"{wanted:g} GB"
        if free < wanted:
            cause = f"{disk['path']} is short of space: remove something, or rent with a larger disk."
            return _failed(value, least, cause)
        return _passed(value, least)

    def cpu(self) -> tuple:
        sold = self.rented.get("cpu_cores")
        cpu = self.facts.get("cpu") or {}
        found = min(part for part in (cpu.get("cores"), cpu.get("quota")) if part) if cpu.get("cores") else None
        return self._at_least("CPU cores", found, sold, "%g")

    def ram(self) -> tuple:
        sold = self.rented.get("ram_gb")
        memory = self.facts.get("memory") or {}
        found = memory.get("limit_mb") or memory.get("total_mb")
        return self._at_least("GB of memory", found * 2**20 / 1e9 if found else None, sold, "%.1f")

    def _at_least(self, what: str, found, sold, form: str) -> tuple:
        if self.simulated:
            return _skipped(_REHEARSAL)
        if not sold or not found:
            return _skipped("the provider does not say what is rented" if not sold else "the host does not say what it has")
        value = form % found
        if found < sold * (1 - TOLERANCE):
            return _failed(
                value, f"{sold:g}", f"{sold:g} {what} are rented, but the host allows {value}: ask the provider, or rent another."
            )
        return _passed(value, f"{sold:g}")


def same_model(sold: str, found: str | None) -> bool:
    """Whether the driver's name ``found`` is the provider's model ``sold``. A "Ti", "Super" or "D" more is another model."""
    one, other = _gpu_names.normalise(sold).model, _gpu_names.normalise(found).model
    return (one or "").lower() == (other or "").lower()


def _has_code(built: list, capability: str) -> bool:
    """Whether a build with these architectures runs: machine code of the same major and no newer minor, or PTX that is not newer."""
    major, minor = (_cuda.version(capability) + (0, 0))[:2]
    for architecture in built:
        found = re.match(r"(sm|compute)_(\d+)(\d)[af]?$", architecture)
        if not found:
            continue
        built_for = (int(found.group(2)), int(found.group(3)))
        if found.group(1) == "sm" and built_for[0] == major and built_for[1] <= minor:
            return True
        if found.group(1) == "compute" and built_for <= (major, minor):
            return True
    return False
