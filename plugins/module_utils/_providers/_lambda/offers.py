# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What Lambda offers: a type in a region that has one. Facts: Lambda's OpenAPI file 1.10.0, and its page on billing."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda import machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Offer


def offer(kind: dict, region: str, account: str) -> Offer:
    """One type in one region that has it."""
    specs = _values.mapping(kind.get("specs"))
    count, raw, gpu = machines.gpus(kind)
    return Offer(
        provider=NAME,
        account=account,
        id=f"{kind['name']}/{region}",
        kind="vm",
        instance_type=kind["name"],
        gpu_name_raw=raw,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(specs.get("vcpus")),
        ram_gb=_values.number(specs.get("memory_gib")),
        disk_gb=_values.number(specs.get("storage_gib")),
        region=region,
        price_per_hour=machines.dollars(kind),
        # Lambda's page on billing: paid are the hours of instances and the size of file systems; ingress and egress are not.
        storage_price_per_gb_month=0.0,
        inet_down_price_per_gb=0.0,
        inet_up_price_per_gb=0.0,
        interruptible=False,
        trust="datacenter",
        options={"instance_type": kind["name"]},
    )
