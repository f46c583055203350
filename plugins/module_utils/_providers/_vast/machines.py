# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a row of the list of instances says. Facts: the API file, and ``vastai`` 1.9.1 (``SKILL.md`` for the states)."""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._providers._vast.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance

SSH_USER = "root"
HOURS_PER_MONTH = 720.0  # `storage_total_cost` is `storage_cost * disk_space / 720` in the API's own example

# `actual_status` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "created": "pending",
    "loading": "pending",
    "rebooting": "pending",
    "running": "running",
    "frozen": "paused",
    "stopped": "stopped",
    "exited": "stopped",
    "unknown": "error",  # Vast's word for "no heartbeat"; such an instance does not come back by itself
    "offline": "error",
}


def instance(row: dict, account: str) -> Instance:
    """One row of the list. Every field but ``id`` may be missing or null; secrets in the row are not looked at."""
    text = {
        key: (row.get(key) or "").strip()
        for key in ("label", "public_ipaddr", "ssh_host", "image_runtype", "gpu_name", "geolocation", "image_uuid")
        if isinstance(row.get(key) or "", str)
    }
    direct = direct_endpoint(text.get("public_ipaddr"), row.get("ports"))
    proxy = proxy_endpoint(text.get("ssh_host"), row.get("ssh_port"), text.get("image_runtype", ""))
    best = direct or proxy or (None, None)
    gpu = _gpu_names.normalise(text.get("gpu_name"), _values.number(row.get("gpu_ram")))
    disk = _values.number(row.get("disk_space"))
    storage = _values.number(row.get("storage_cost"))
    now = _values.mapping(row.get("instance"))
    price = _values.number(now.get("totalHour"))
    return Instance(
        provider=NAME,
        account=account,
        id=_values.text(row["id"]) or "",
        label=text.get("label") or None,
        state=state(row),
        state_raw=_values.text(row.get("actual_status")),
        kind="vm" if "vastai/kvm" in text.get("image_uuid", "") else "container",
        ssh_host=best[0],
        ssh_port=best[1],
        ssh_user=SSH_USER,
        ssh_via="direct" if direct else "proxy" if proxy else None,
        ssh_proxy_host=proxy[0] if proxy else None,
        ssh_proxy_port=proxy[1] if proxy else None,
        gpu_name_raw=text.get("gpu_name") or None,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=_values.whole(row.get("num_gpus")),
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(row.get("cpu_cores_effective")),
        ram_gb=ram_share(row),
        disk_gb=disk,
        cuda_max=_values.text(row.get("cuda_max_good")),
        driver=_values.text(row.get("driver_version")),
        region=text.get("geolocation") or _values.text(row.get("country_code")),
        price_per_hour=price if price is not None else _values.number(row.get("dph_total")),
        storage_price_per_hour=round(storage * disk / HOURS_PER_MONTH, 6) if storage is not None and disk is not None else None,
        interruptible=row["is_bid"] if isinstance(row.get("is_bid"), bool) else None,
        trust=trust(row),
        machine_id=_values.text(row.get("machine_id")),
        image=text.get("image_uuid") or None,
        started_at=_values.moment(row.get("start_date")),
        ends_at=_values.moment(row.get("end_date")),
        reliability=_values.number(row.get("reliability2", row.get("reliability"))),
        inet_down_mbps=_values.number(row.get("inet_down")),
        inet_up_mbps=_values.number(row.get("inet_up")),
    )


def state(row: dict) -> str:
    """Our word for ``actual_status``, with what is intended: "running" that shall stop is "stopping"."""
    actual, intended = row.get("actual_status"), row.get("intended_status")
    if actual is None:
        # An interruptible whose bid was too low is created stopped and has no status.
        return "stopped" if intended == "stopped" and row.get("cur_state") == "stopped" else "pending"
    found = _values.state(STATES, actual, NAME, row.get("id"))
    if found == "pending" and re.match(r"(?i)(error|oci runtime)", _values.text(row.get("status_msg")) or ""):
        return "error"  # the container could not be started; it stays "created" for ever
    if found == "running" and intended == "stopped":
        return "stopping"
    return found


def direct_endpoint(host: str | None, ports) -> tuple | None:
    """(host, port) of port 22, mapped on the machine's own address; None while it is not mapped. ``HostPort`` is a string."""
    mapped = ports.get("22/tcp") if isinstance(ports, dict) else None
    for entry in mapped if isinstance(mapped, list) else ():
        port = _values.port(entry.get("HostPort")) if isinstance(entry, dict) else None
        if host and port:
            return host, port
    return None


def proxy_endpoint(host: str | None, port, runtype: str) -> tuple | None:
    """(host, port) of Vast's SSH proxy; one higher for instances with Jupyter. None where the image runs without either."""
    if runtype and "ssh" not in runtype and "jupyter" not in runtype:
        return None
    number = _values.port(port)
    if not host or not number:
        return None
    number = _values.port(number + (1 if "jupyter" in runtype else 0))
    return (host, number) if number else None


def ram_share(row: dict) -> float | None:
    """GB of memory: ``cpu_ram`` is the whole machine's, of which the instance has the share of its cores."""
    memory, cores, mine = (_values.number(row.get(key)) for key in ("cpu_ram", "cpu_cores", "cpu_cores_effective"))
    if memory is None:
        return None
    share = mine / cores if mine and cores and mine <= cores else 1.0
    return round(memory * share / 1000.0, 1)


def trust(row: dict) -> str | None:
    """ "datacenter" by ``hosting_type`` 1, else by Vast's verification of the machine."""
    if row.get("hosting_type") == 1:
        return "datacenter"
    verification = row.get("verification")
    if not isinstance(verification, str):
        return None
    return "verified" if verification == "verified" else "marketplace"
