# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a provider answers, in one vocabulary. Units are in the names; what is not known is ``None``, never a guess."""

from __future__ import annotations

import dataclasses

# Raised when a field changes its meaning: old cache entries and state files are then read no more.
SCHEMA = 1

STATES = ("pending", "running", "paused", "stopping", "stopped", "terminated", "error", "unknown")


@dataclasses.dataclass(frozen=True)
class Instance:
    """One rented machine.

    ``gpu_vram_mb`` is MiB per GPU; ``ram_gb`` and ``disk_gb`` are GB as the provider sells them; prices are USD per hour;
    times are UTC, ISO 8601. ``tags`` holds words of the user or the provider, never a secret.
    """

    provider: str
    account: str
    id: str
    label: str | None = None
    state: str = "unknown"
    state_raw: str | None = None
    kind: str | None = None  # container, vm
    ssh_host: str | None = None
    ssh_port: int | None = None
    ssh_user: str | None = None
    ssh_via: str | None = None
    ssh_proxy_host: str | None = None
    ssh_proxy_port: int | None = None
    gpu_name_raw: str | None = None
    gpu_model: str | None = None
    gpu_variant: str | None = None
    gpu_count: int | None = None
    gpu_vram_mb: int | None = None
    cpu_cores: float | None = None
    ram_gb: float | None = None
    disk_gb: float | None = None
    cuda_max: str | None = None
    driver: str | None = None
    region: str | None = None
    price_per_hour: float | None = None
    storage_price_per_hour: float | None = None
    interruptible: bool | None = None
    trust: str | None = None  # marketplace, verified, datacenter, own
    machine_id: str | None = None
    image: str | None = None
    started_at: str | None = None
    ends_at: str | None = None
    reliability: float | None = None
    inet_down_mbps: float | None = None
    inet_up_mbps: float | None = None
    tags: dict = dataclasses.field(default_factory=dict)

    def as_dict(self) -> dict:
        """A plain dict, field by field (not ``dataclasses.asdict``, which deep-copies and is 10 times slower)."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_dict(cls, data: dict) -> Instance:
        """The instance that `as_dict` described; raises TypeError for unknown fields."""
        return cls(**data)


FIELDS = tuple(field.name for field in dataclasses.fields(Instance))


@dataclasses.dataclass(frozen=True)
class LaunchRequest:
    """What ``instance: state=present`` asks of a provider. ``options`` holds what only that provider knows."""

    name: str
    image: str | None = None
    gpu: str | None = None
    gpu_count: int | None = None
    disk_gb: float | None = None
    region: str | None = None
    max_price_per_hour: float | None = None
    interruptible: bool = False
    ssh_public_key: str | None = None
    options: dict = dataclasses.field(default_factory=dict)
