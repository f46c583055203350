# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Hosts adopted by hand: whatever can be reached by ssh, from the leases on this machine. No request is made, so only those are known.

What is rented elsewhere is ended elsewhere: this provider neither rents nor destroys.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import Ambiguous, NotFound, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import CanLabel, Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _leases
from ansible_collections.rented.gpu.plugins.module_utils._renting._leases import Lease
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance

LONGEST_NAME = 120


class AdoptedProvider(Provider, CanLabel):
    """All adopted hosts of this user."""

    NAME = "adopted"
    TITLE = "Adopted hosts"
    CANNOT = {
        "launch": "An adopted host is rented, and ended, at its owner's web page: end it there to stop paying, then forget it here with "
        "ansible-playbook rented.gpu.adopt -e adopt_state=absent -e adopt_name=NAME (or adopt_id=ID, or adopt_ssh='…').",
        "stop": "An adopted host is stopped and started at its owner's web page; when that gives it another address, "
        "adopt the new one with the old id: -e adopt_id=ID -e 'adopt_ssh=\"…\"'.",
    }

    def __init__(self, account: str | None = None, endpoint: str | None = None, **options) -> None:
        super().__init__(account=account, **options)
        if endpoint:
            raise RentedError(f"Adopted hosts have no endpoint: they are {self.places_looked_at()[0]}.", self.NAME)

    @classmethod
    def available(cls) -> bool:
        """Whether a host has been adopted."""
        return bool(_leases.files(cls.NAME))

    @classmethod
    def places_looked_at(cls) -> list:
        return ["the leases in " + _leases.folder()]

    def identity(self) -> str:
        """Also of the leases: a host that was just adopted is not hidden by an inventory's cache."""
        return hashlib.sha256(repr((super().identity(), _leases.digest())).encode()).hexdigest()

    def list_instances(self) -> list:
        """Every adopted host, in the order of adoption."""
        leases = sorted(_leases.read_all(self.NAME), key=lambda lease: (lease.adopted_at or "", lease.id))
        for lease in leases:
            self.remember_raw(lease.id, lease.as_dict())
        return [instance(lease, self.account) for lease in leases]

    def set_label(self, instance_id: str, label: str) -> None:
        with _leases.locked():
            leases = _leases.read_all(self.NAME)
            found = next((lease for lease in leases if lease.id == str(instance_id)), None)
            if found is None:
                raise NotFound(f"No adopted host has the id {instance_id}.", self.NAME)
            check_label(label, found, leases)
            _leases.save(dataclasses.replace(found, label=label))


def instance(lease: Lease, account: str) -> Instance:
    """One lease as an `Instance`. "running" is what was said by adopting it; nothing else is known, also when ``ends_at`` has passed."""
    count, name = split_count(lease.gpu)
    gpu = _gpu_names.normalise(name)
    return Instance(
        provider=AdoptedProvider.NAME,
        account=account,
        id=lease.id,
        label=lease.label,
        state="running",
        state_raw="adopted",
        ssh_host=lease.ssh_host,
        ssh_port=lease.ssh_port,
        ssh_user=lease.ssh_user,
        ssh_via="direct" if lease.ssh_host else None,
        ssh_private_key_file=lease.ssh_private_key_file,
        ssh_jump=lease.ssh_jump,
        gpu_name_raw=lease.gpu,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=count,
        gpu_vram_mb=_gpu_names.usual_vram_mb(gpu),
        price_per_hour=lease.price_per_hour,
        started_at=lease.started_at,
        ends_at=lease.ends_at,
        tags={"note": lease.note} if lease.note else {},
    )


def split_count(text: str | None) -> tuple:
    """How many GPUs, and of which name: "2x RTX 4090", "RTX 4090 x2" or "2 RTX 4090"; the count is None where none is written."""
    text = " ".join((text or "").split())
    before = re.match(r"^(\d{1,2})(?: ?[x×] ?| )(?=\S*[A-Za-z])(.+)$", text, re.IGNORECASE)
    after = re.match(r"^(.+?)(?: [x×] ?)(\d{1,2})$", text, re.IGNORECASE)
    if before and int(before.group(1)):
        return int(before.group(1)), before.group(2)
    if after and int(after.group(2)):
        return int(after.group(2)), after.group(1)
    return None, text or None


def host_id(host: str, port: int | None, taken) -> str:
    """An id for people: the address and its port. Where another machine has it already, with a number."""
    words = re.sub(r"[^a-z0-9._-]+", "-", "-".join([host.lower()] + ([str(port)] if port else []))).strip("-._")
    found, number = words or "host", 1
    while found in taken:
        number += 1
        found = f"{words or 'host'}-{number}"
    return found


def same_address(lease: Lease, host: str, port: int | None, jump: str | None) -> bool:
    """Whether a lease is of the machine at this address. Behind another jump host the same address is another machine."""
    if lease.ssh_host is None or lease.ssh_host.lower() != host.lower() or lease.ssh_jump != jump:
        return False
    return (lease.ssh_port or 22) == (port or 22)


def check_label(label: str, of: Lease | None, leases: list) -> None:
    """Refuse a name that cannot be one, or that another adopted host has."""
    if not label.strip() or label != label.strip() or len(label) > LONGEST_NAME or not label.isprintable():
        raise RentedError(
            f"A name has 1 to {LONGEST_NAME} characters, all of them visible, and no spaces at its ends.", AdoptedProvider.NAME
        )
    for lease in leases:
        if lease.label == label and (of is None or lease.id != of.id):
            raise Ambiguous(
                f"An adopted host is already called '{label}' (id {lease.id}). Choose another name, or forget that one first.",
                AdoptedProvider.NAME,
            )
