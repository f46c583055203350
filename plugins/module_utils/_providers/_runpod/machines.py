# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a pod is. Storage prices: runpod/docs, ``pods/pricing.mdx`` and ``pods/storage/types.mdx``, as of 2026-08-20."""

from __future__ import annotations

import ipaddress
import logging
import re

from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules, _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import HOURS_PER_MONTH, Instance

LOG = logging.getLogger("rented.gpu.runpod")

SSH_USER = "root"
STOPPED_USD_PER_GB_MONTH = 0.20  # volume, stopped; the container disk is wiped then and costs nothing

# `status` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "PROVISIONING": "pending",
    "STARTING": "pending",
    "RUNNING": "running",
    "EXITED": "stopped",
    "ERROR": "error",
    "TERMINATED": "terminated",
}
TRUST = {"SECURE": "datacenter", "COMMUNITY": "marketplace"}

# Addresses that lead nowhere from outside the data centre. Loopback is not among them: no API answers it, and rehearsals live there.
NOT_PUBLIC = tuple(
    ipaddress.ip_network(net)
    for net in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
)
PROXY = "ssh.runpod.io"  # an interactive shell and nothing else: no pipelining, no files, so it is never used


def instance(row: dict, account: str, vram: dict | None = None) -> Instance:
    """One pod. Every field but ``id`` may be missing or null; ``env`` and ``args`` are not looked at.

    ``vram`` is MiB by GPU id, from the catalogue; what it lacks comes from the table of usual sizes.
    """
    gpu, cpu, cluster = (_values.mapping(row.get(name)) for name in ("gpu", "cpu", "cluster"))
    name = gpu_id(row)
    known = _gpu_names.normalise(name)
    # `gpu.memory` of newer answers is the memory of the pod, not that of the GPU.
    known = _gpu_names.normalise(name, (vram or {}).get(name) or _gpu_names.usual_vram_mb(known))
    here = _values.state(STATES, row.get("status"), NAME, row["id"])
    host, port, user = endpoint(row)
    storage = stopped_price(row)
    price = _values.number(row.get("cost"))
    return Instance(
        provider=NAME,
        account=account,
        id=str(row["id"]),
        label=_values.text(row.get("name")),
        state=here,
        state_raw=_values.text(row.get("status")),
        kind="container",
        ssh_host=host,
        ssh_port=port,
        ssh_user=user or SSH_USER,
        ssh_via="direct" if host else None,
        gpu_name_raw=name,
        gpu_model=known.model,
        gpu_variant=known.variant,
        gpu_count=(_values.whole(gpu.get("count")) or 1) if name else 0 if cpu else None,
        gpu_vram_mb=known.vram_mb,
        cpu_cores=_values.number(cpu.get("vcpuCount", gpu.get("vcpuCount"))),
        ram_gb=_values.number(cpu.get("memory", gpu.get("memory"))),
        disk_gb=_values.number(row.get("disk")),
        cuda_max=_values.text(row.get("cudaVersion")),
        region=_values.text(row.get("dataCenterId")),
        # The API says 0.0 of a stopped pod, whose volume is billed all the same.
        price_per_hour=storage if here == "stopped" and not price else price,
        storage_price_per_hour=storage,
        trust=TRUST.get(row["cloud"]) if isinstance(row.get("cloud"), str) else None,
        image=_values.text(row.get("image")),
        started_at=_values.moment(row.get("startedAt")),
        tags=_tags(row, cluster),
    )


def _tags(row: dict, cluster: dict) -> dict:
    """What has no field of its own: the cluster that a pod belongs to, and the volume that outlives a stop."""
    network = _values.rows(_values.mapping(row.get("mounts")).get("network"))
    made = {
        "cluster": _values.text(cluster.get("id")),
        "cluster_rank": _values.text(cluster.get("rank")),
        "cluster_role": _values.text(cluster.get("role")),
        "volume_gb": _values.text(persistent_gb(row.get("mounts")) or None),
        "network_volume": _values.text(network[0].get("volumeId")) if network else None,
    }
    return {name: value for name, value in made.items() if value is not None}


def gpu_id(row: dict) -> str | None:
    """RunPod's name for the GPU of a pod; None for a CPU pod."""
    return _values.text(_values.mapping(row.get("gpu")).get("id"))


def endpoint(row: dict) -> tuple:
    """``(host, port, user)`` of the pod's own sshd; Nones while there is none that can be reached from outside.

    ``ssh.direct``, else the public port of 22/tcp; never the proxy.
    """
    direct = _values.mapping(_values.mapping(row.get("ssh")).get("direct"))
    ways = [(direct.get("host"), direct.get("port"), _values.text(direct.get("username")))]
    for entry in _values.rows(_values.mapping(row.get("runtime")).get("ports")):
        if entry.get("private") == 22 and entry.get("type") == "tcp":
            ways.append((entry.get("ip"), entry.get("public"), None))
    wrong: tuple = (None, None, None)
    for host, port, user in ways:
        host, port = (_values.text(host) or "").strip("[]"), _values.port(port)
        if host and port and not _field_rules.is_host(host):
            wrong = wrong if wrong[0] else (host, port, user)  # where there is no other, the door says why this one is refused
            continue
        if not host or port is None:
            continue
        if host.lower().rstrip(".") == PROXY or not is_public(host):
            LOG.debug(
                "RunPod: the address %s of pod %s is passed over, it cannot be reached",
                _field_rules.brief(host),
                _field_rules.brief(row.get("id")),
            )
            continue
        return host, port, user
    return wrong


def is_public(host: str) -> bool:
    """Whether an address is none of those that only the data centre knows; a name counts as public."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(re.match(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?$", host))
    address = getattr(address, "ipv4_mapped", None) or address
    return not any(address.version == net.version and address in net for net in NOT_PUBLIC)


def stopped_price(row: dict) -> float | None:
    """USD per hour while stopped: the volume. None where the mounts are not known, or on a network volume (its size is not said)."""
    mounts = row.get("mounts")
    if not isinstance(mounts, dict) or mounts.get("network"):
        return None
    return round(persistent_gb(mounts) * STOPPED_USD_PER_GB_MONTH / HOURS_PER_MONTH, 6)


def persistent_gb(mounts) -> float:
    """GB of the volume that outlives a stop, and is not a network volume."""
    size = _values.number(_values.mapping(_values.mapping(mounts).get("persistent")).get("size"))
    return int(size) if size and size > 0 else 0
