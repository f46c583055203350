# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a provider answers, in one vocabulary. Units are in the names; what is not known is ``None``, never a guess.

Every value passes `_field_rules` when an object is made, by a provider, a cache, a lease.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules

# Raised when a field changes its meaning: old cache entries and state files are then read no more.
SCHEMA = 3
HOURS_PER_MONTH = 730.0  # what a price per month is divided by; 8760 / 12

# The tag in which a rented instance carries the mark of the state directory that rented it, where the provider keeps tags.
OWNER_TAG = "rented-gpu-owner"

STATES = ("pending", "running", "paused", "stopping", "stopped", "terminated", "error", "unknown")


@dataclasses.dataclass(frozen=True)
class Instance:
    """One rented machine.

    ``gpu_vram_mb`` is MiB per GPU; ``ram_gb`` and ``disk_gb`` are GB as the provider sells them; prices are USD per hour;
    times are UTC, ISO 8601. ``tags`` holds words of the user or the provider, never a secret. ``ssh_private_key_file`` is a path on
    the controller and ``ssh_jump`` a host as ``ssh -J`` takes it, where the instance itself, not its account, says so.
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
    ssh_private_key_file: str | None = None
    ssh_jump: str | None = None
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

    refused = ()  # no field: ``(name, short value)`` of what did not pass the door

    def __post_init__(self) -> None:
        refused = _field_rules.instance(self)
        if self.state not in STATES:
            refused += (("state", _field_rules.brief(self.state)),)
            object.__setattr__(self, "state", "unknown")
        if refused:
            object.__setattr__(self, "refused", refused)

    def as_dict(self) -> dict:
        """A plain dict, field by field (not ``dataclasses.asdict``, which deep-copies and is 10 times slower)."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_dict(cls, data: dict) -> Instance:
        """The instance that `as_dict` described; raises TypeError for unknown fields."""
        return cls(**data)


FIELDS = tuple(field.name for field in dataclasses.fields(Instance))


@dataclasses.dataclass(frozen=True)
class Offer:
    """What could be rented now, in the words of `Instance`.

    ``price_per_hour`` is USD for the whole offer, without a disk that is paid by its size; ``storage_price_per_gb_month`` is USD for
    each GB of such a disk (0.0: the disk is part of the price); ``inet_down_price_per_gb`` and ``inet_up_price_per_gb`` are USD for
    each GB that comes to the instance and leaves it (0.0: free). Not known is ``None``: not free, and not a guess.
    ``disk_gb`` is the most that can be had, or the size that comes with it. ``options`` is what `LaunchRequest` needs to rent just this.
    """

    provider: str
    account: str
    id: str
    kind: str | None = None  # container, vm
    instance_type: str | None = None
    gpu_name_raw: str | None = None
    gpu_model: str | None = None
    gpu_variant: str | None = None
    gpu_count: int | None = None
    gpu_vram_mb: int | None = None
    cpu_cores: float | None = None
    ram_gb: float | None = None
    disk_gb: float | None = None
    region: str | None = None
    price_per_hour: float | None = None
    storage_price_per_gb_month: float | None = None
    inet_down_price_per_gb: float | None = None
    inet_up_price_per_gb: float | None = None
    inet_down_mbps: float | None = None
    inet_up_mbps: float | None = None
    interruptible: bool | None = None
    trust: str | None = None
    reliability: float | None = None
    availability: str | None = None  # the provider's word: high, low; None: it does not say
    cuda_max: str | None = None
    machine_id: str | None = None
    options: dict = dataclasses.field(default_factory=dict)

    refused = ()  # as in `Instance`

    def __post_init__(self) -> None:
        refused = _field_rules.passed(self, _field_rules.OFFER)
        if refused:
            object.__setattr__(self, "refused", refused)

    def as_dict(self) -> dict:
        """A plain dict, field by field."""
        return {name: getattr(self, name) for name in OFFER_FIELDS}


OFFER_FIELDS = tuple(field.name for field in dataclasses.fields(Offer))


@dataclasses.dataclass(frozen=True)
class Wish:
    """What offers are looked for. A provider may narrow its search by it; who asks chooses among the answers again.

    ``gpus`` are names in any spelling, none: any GPU; ``gpu_vram_mb`` is the least per GPU, MiB; ``interruptible`` is None where
    either will do; ``hours``, ``disk_gb``, ``data_gb`` (to the instance) and ``results_gb`` (from it) are what the job takes.
    """

    gpus: tuple = ()
    gpu_vram_mb: int | None = None
    gpu_count: int = 1
    regions: tuple = ()
    max_price_per_hour: float | None = None
    min_reliability: float | None = None
    interruptible: bool | None = False
    hours: float = 1.0
    disk_gb: float = 20.0
    data_gb: float = 0.0
    results_gb: float = 0.0


@dataclasses.dataclass(frozen=True)
class SshKey:
    """A public key that the account at the provider knows. ``name`` is None where the provider has no names for keys."""

    id: str
    name: str | None
    public_key: str | None

    refused = ()  # as in `Instance`

    def __post_init__(self) -> None:
        refused = _field_rules.passed(self, _field_rules.KEY)
        if refused:
            object.__setattr__(self, "refused", refused)


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
    bid_per_hour: float | None = None  # USD for the whole instance; only where the provider takes bids
    ssh_public_key: str | None = None
    startup_script: str | None = None  # runs as root when the instance boots, once where the API can; never holds a secret
    owner: str | None = None  # the value of OWNER_TAG, where the provider keeps tags or labels
    options: dict = dataclasses.field(default_factory=dict)
