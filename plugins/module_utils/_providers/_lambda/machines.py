# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What an instance and an instance type are: state, address, GPUs, prices. Facts: Lambda's OpenAPI file 1.10.0."""

from __future__ import annotations

import ipaddress
import logging
import re

from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules, _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance

LOG = logging.getLogger("rented.gpu.lambda")

SSH_USER = "ubuntu"
SSH_PORT = 22

# `status` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "booting": "pending",
    "active": "running",
    "unhealthy": "error",
    "terminating": "stopping",
    "terminated": "terminated",
    "preempted": "terminated",
}


def instance(row: dict, account: str) -> Instance:
    """One row of the list. Every field but ``id`` may be missing or null; the Jupyter token and address are not looked at."""
    kind = _values.mapping(row.get("instance_type"))
    specs = _values.mapping(kind.get("specs"))
    count, raw, gpu = gpus(kind)
    word = _values.text(row.get("status"))
    host = address(row.get("ip"))
    return Instance(
        provider=NAME,
        account=account,
        id=str(row["id"]),
        label=_values.text(row.get("name")),
        state=_values.state(STATES, word, NAME, row["id"]),
        state_raw=word,
        kind="vm",
        ssh_host=host,
        ssh_port=SSH_PORT if host else None,
        ssh_user=SSH_USER,
        ssh_via="direct" if host else None,
        gpu_name_raw=raw,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(specs.get("vcpus")),
        ram_gb=_values.number(specs.get("memory_gib")),
        disk_gb=_values.number(specs.get("storage_gib")),
        region=_values.text(_values.mapping(row.get("region")).get("name")),
        price_per_hour=price_now(row, word),
        interruptible=word == "preempted",
        trust="datacenter",
        tags=tags(row.get("tags")),
    )


def address(value) -> str | None:
    """The public address; Lambda leaves it out while an instance boots, and gives no names."""
    text = _values.text(value)
    try:
        return str(ipaddress.ip_address(text)) if text else None
    except ValueError:
        LOG.debug("Lambda: %s is not an address", _field_rules.brief(text))
        return None if _field_rules.is_host(text) else text  # the door refuses it, with a warning


def price_now(row: dict, word: str | None) -> float | None:
    """USD per hour for the whole instance, from cents. A reserved instance is paid by its contract, not by this price."""
    if word is not None and STATES.get(word) == "terminated":
        return 0.0
    if row.get("is_reserved") is True:
        return None
    return dollars(_values.mapping(row.get("instance_type")))


def dollars(kind: dict) -> float | None:
    """USD per hour of an instance type, from cents."""
    return _values.scaled(kind.get("price_cents_per_hour"), 0.01, 4)


def gpus(kind: dict) -> tuple:
    """``(count, name as it is written, GpuName)`` of an instance type; a type without a GPU has the count 0 and no name.

    ``gpu_description`` is "H100 (80 GB SXM5)", ``description`` "8x H100 (80 GB SXM5)", ``name`` "gpu_8x_h100_sxm5".
    """
    described, name = _values.text(kind.get("description")), _values.text(kind.get("name")) or ""
    count = _values.whole(_values.mapping(kind.get("specs")).get("gpus"))
    if count is None:
        found = re.match(r"^(\d{1,3})x ", described or "") or re.match(r"^gpu_(\d{1,3})x_", name)
        count = int(found.group(1)) if found and not name.startswith("cpu_") else 0 if name.startswith("cpu_") else None
    if count == 0:
        return 0, None, _gpu_names.GpuName(None, None, None)
    raw = _values.text(kind.get("gpu_description")) or described or name or None
    size = next(filter(None, (re.search(r"\((\d{1,4}) ?Gi?B\b", text or "") for text in (raw, described))), None)
    gpu = _gpu_names.normalise(raw, int(size.group(1)) * 1024 if size else None)
    return count, raw, gpu._replace(vram_mb=gpu.vram_mb or _gpu_names.usual_vram_mb(gpu))


def tags(value) -> dict:
    """A list of ``{key, value}`` as a mapping."""
    found = {}
    for row in _values.rows(value):
        key = _values.text(row.get("key"))
        if key:
            found[key] = _values.text(row.get("value")) or ""
    return found
