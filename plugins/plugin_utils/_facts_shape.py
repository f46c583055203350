# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Whether what a host returned has the shape of the facts of `host_facts`. The host is a stranger: it may return anything."""

from __future__ import annotations

import posixpath

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps

LONGEST = 100_000  # characters of one text
DEEPEST = 20
MOST = 200_000  # values in all
LARGEST = 1e15


def _text(value) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _flag(value) -> bool:
    return isinstance(value, bool)


def _number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _path(value) -> bool:
    return _text(value) and len(value) <= 4096 and posixpath.isabs(value) and not any(ord(sign) < 32 for sign in value)


def _any(value) -> bool:
    return True


def _stamp(value) -> bool:
    return _stamps.well_formed(dict(value, schema=_stamps.SCHEMA)) if isinstance(value, dict) else False


class Maybe:
    """None, or what ``inner`` takes."""

    def __init__(self, inner) -> None:
        self.inner = inner


class Each:
    """A dict with any keys, each value of which ``inner`` takes."""

    def __init__(self, inner) -> None:
        self.inner = inner


VERSIONED = Maybe({"path": _text, "version": Maybe(_text)})
DISK = Maybe({"path": _text, "mount": Maybe(_text), "filesystem": Maybe(_text), "free_mb": _number, "total_mb": _number})
MIG_DEVICE = {"index": _whole, "uuid": Maybe(_text), "memory_mb": Maybe(_number)}
GPU = {
    "index": _whole,
    "name": Maybe(_text),
    "uuid": Maybe(_text),
    "pci": Maybe(_text),
    "memory_mb": Maybe(_number),
    "memory_used_mb": Maybe(_number),
    "compute_capability": Maybe(_text),
    "ecc_errors": Maybe(_number),
    "mig": Maybe({"enabled": _flag, "devices": [MIG_DEVICE]}),
    "power_w": Maybe(_number),
    "temperature_c": Maybe(_number),
    "problem": Maybe(_text),
}
GPUS = {
    "present": _flag,
    "working": _flag,
    "error": Maybe(_text),
    "driver": Maybe(_text),
    "cuda_max": Maybe(_text),
    "simulated": _flag,
    "gpus": [GPU],
    "xid": Maybe([{"code": _whole, "pci": _text, "message": _text}]),
}
# Without these no role can work.
NEEDED = {
    "workdir": _path,
    "home": _path,
    "packages": Each(Maybe(_text)),
    "stamps": Each(_stamp),
    "auto_tmux": {"present": _flag, "off": _flag},
}
# The others: the roles do without the whole of one, but not with a part or another type.
OTHERS = {
    "schema": _whole,
    "user": Maybe(_text),
    "uid": Maybe(_whole),
    "sudo": _flag,
    "python": {"path": _text, "version": _text},
    "os": {"id": Maybe(_text), "version_id": Maybe(_text), "name": Maybe(_text), "arch": Maybe(_text), "kernel": Maybe(_text)},
    "hostname": Maybe(_text),
    "kind": Maybe(_text),
    "container_runtime": Maybe(_text),
    "systemd": Maybe(_flag),
    "boot_id": Maybe(_text),
    "package_manager": Maybe(_text),
    "tools": Each(VERSIONED),
    "interpreters": [{"path": _text, "version": Maybe(_text)}],
    "cpu": {"cores": _number, "quota": Maybe(_number)},
    "memory": {"total_mb": Maybe(_number), "limit_mb": Maybe(_number)},
    "shm_mb": Maybe(_number),
    "disks": Each(DISK),
    "workspace": {"exists": _flag, "writable": _flag, "mount": Maybe(_text)},
    "gpu": GPUS,
    "tmux_sessions": [_text],
    "git_identity": {"name": Maybe(_text), "email": Maybe(_text)},
    "ready": Maybe(Each(_any)),
    "problems": [_text],
}


def problem(facts) -> str | None:
    """What is wrong with the shape of these facts; None when the roles can work with them."""
    if not isinstance(facts, dict):
        return "they are not a dictionary"
    for name, shape in NEEDED.items():
        if name not in facts:
            return f"'{name}' is missing"
        if not fits(facts[name], shape):
            return f"'{name}' has another form than expected"
    for name, shape in OTHERS.items():
        if name in facts and not fits(facts[name], shape):
            return f"'{name}' has another form than expected"
    return None if _small(facts) else "they are larger or more deeply nested than any real ones"


def without_strange_proof(facts: dict) -> dict:
    """The facts with ``ready`` None when it is not a proof as the roles write it: anything may have written that file."""
    proof = facts.get("ready")
    if proof is None or (
        isinstance(proof.get("instance", {}), dict)
        and isinstance(proof.get("gates", []), list)
        and all(isinstance(gate, dict) for gate in proof.get("gates", []))
    ):
        return facts
    return dict(facts, ready=None)


def fits(value, shape) -> bool:
    """Whether a value has this shape. A dict as shape names the keys that have to be there; others may be."""
    if isinstance(shape, Maybe):
        return value is None or fits(value, shape.inner)
    if isinstance(shape, Each):
        return isinstance(value, dict) and all(isinstance(key, str) and fits(inner, shape.inner) for key, inner in value.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(inner, shape[0]) for inner in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(name in value and fits(value[name], inner) for name, inner in shape.items())
    return shape(value)


def _small(value) -> bool:
    """Not nested deeper than `DEEPEST`, not more than `MOST` values, no number beyond `LARGEST`."""
    left = MOST
    waiting = [(value, 0)]
    while waiting:
        inner, depth = waiting.pop()
        left -= 1
        if left < 0 or depth > DEEPEST:
            return False
        if isinstance(inner, dict):
            waiting += [(part, depth + 1) for part in inner.values()]
        elif isinstance(inner, list):
            waiting += [(part, depth + 1) for part in inner]
        elif isinstance(inner, (int, float)) and not -LARGEST < inner < LARGEST:  # NaN is not either
            return False
    return True
