# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Leases: what is known here about a rented machine and nowhere else, one file each in ``leases/`` below the state directory.

A file that cannot be read, is not ours, or was written by a newer release is an error: it is neither passed over nor written
over, because what it says may be known nowhere else. To change a lease, read it and write it inside `locked`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values

SCHEMA = 1
FOLDER = "leases"
LARGEST = 65536  # bytes of a file


@dataclasses.dataclass(frozen=True)
class Lease:
    """One machine. ``provider``, ``account`` and ``id`` are those of its `Instance`.

    ``ssh_private_key_file`` is a path on the controller, ``ssh_jump`` a host as ``ssh -J`` takes it, ``ssh_forwards`` a list of
    pairs ("local", "remote" or "dynamic", and what -L, -R or -D takes). Prices are USD per hour; times are UTC, ISO 8601.
    """

    provider: str
    account: str
    id: str
    label: str | None = None
    ssh_host: str | None = None
    ssh_port: int | None = None
    ssh_user: str | None = None
    ssh_private_key_file: str | None = None
    ssh_jump: str | None = None
    ssh_forwards: list = dataclasses.field(default_factory=list)
    gpu: str | None = None  # as the user wrote it: "RTX 4090", "2x A100 80GB"
    price_per_hour: float | None = None
    started_at: str | None = None
    ends_at: str | None = None
    note: str | None = None
    adopted_at: str | None = None

    def as_dict(self) -> dict:
        """A plain dict, field by field."""
        return {name: getattr(self, name) for name in FIELDS}


FIELDS = tuple(field.name for field in dataclasses.fields(Lease))
_TEXTS = tuple(name for name in FIELDS if name not in ("ssh_port", "ssh_forwards", "price_per_hour"))


def folder() -> str:
    """Where the leases lie; not created."""
    return os.path.join(_state.home_path(), FOLDER)


def locked():
    """Around reading leases and writing what follows from them: no other process does so meanwhile. Short, and never around a login."""
    return _state.locked(FOLDER)


def files(provider: str | None = None) -> list:
    """The paths of all leases, or of those of a provider; names begin with the provider's. Empty where there is no folder yet."""
    try:
        names = os.listdir(folder())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RentedError(f"The leases in {folder()} cannot be read: {error.strerror}.")
    start = "" if provider is None else provider + "-"
    return [os.path.join(folder(), name) for name in sorted(names) if name.endswith(".json") and name.startswith(start)]


def path_of(lease: Lease) -> str:
    """The file of a lease: named for people, and by a digest so that no two machines share one."""
    who = (lease.provider, lease.account, lease.id)
    digest = hashlib.sha256(json.dumps(who).encode("ascii")).hexdigest()[:8]
    return os.path.join(folder(), f"{lease.provider}-{_readable(lease.id)}.{digest}.json")


def _readable(instance_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", instance_id).strip("-.")[:80]


def read_all(provider: str | None = None) -> list:
    """Every lease, or those of one provider. Raises `RentedError` for the first that cannot be read."""
    return [read(path) for path in files(provider)]


def find(provider: str, instance_id: str) -> Lease | None:
    """The lease of an instance, whatever its account is called. Raises `RentedError` when a file that may be its lease cannot be read."""
    start = f"{provider}-{_readable(instance_id)}."
    for path in files(provider):
        if os.path.basename(path).startswith(start):
            lease = read(path)
            if lease.provider == provider and lease.id == instance_id:
                return lease
    return None


def read(path: str) -> Lease:
    """The lease in a file. Raises `RentedError` that names the file and what to do."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO would wait for a writer
            raise RentedError(f"The lease {path} is not a regular file.{_ADVICE}")
        with open(path, "rb") as handle:
            data = handle.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise RentedError(f"The lease {path} has more than {LARGEST} bytes, which no lease has.{_ADVICE}")
        content = json.loads(data.decode("utf-8"))
    except OSError as error:
        raise RentedError(f"The lease {path} cannot be read: {error.strerror}.")
    except (ValueError, RecursionError):
        raise RentedError(f"The lease {path} is not JSON; it may be cut off.{_ADVICE}") from None
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        raise RentedError(
            f"The lease {path} was written by a newer release of rented.gpu (its form {schema}, ours {SCHEMA}). Use that release."
        )
    wrong = _wrong(content)
    if wrong:
        raise RentedError(f"The file {path} is not a lease of rented.gpu: {wrong}.{_ADVICE}")
    return Lease(**{name: value for name, value in content.items() if name != "schema"})


_ADVICE = " Mend it, or move it away and adopt the host again."


def _wrong(content) -> str | None:
    """What keeps the content of a file from being a lease; None when nothing does."""
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or isinstance(content.get("schema"), bool):
        return "it has no 'schema'"
    strange = sorted(set(content) - set(FIELDS) - {"schema"})
    if strange:
        return f"it has a field '{strange[0]}'"
    for name in ("provider", "account", "id"):
        if not isinstance(content.get(name), str) or not content[name]:
            return f"its field '{name}' is missing"
    for name in _TEXTS:
        if content.get(name) is not None and not isinstance(content[name], str):
            return f"its field '{name}' is not text"
    host = content.get("ssh_host")
    if host is not None and (not host or host.startswith("-") or re.search(r"\s", host)):
        return "its field 'ssh_host' is not an address"
    port = content.get("ssh_port")
    if port is not None and (not isinstance(port, int) or _values.port(port) is None):
        return "its field 'ssh_port' is not a port"
    price = content.get("price_per_hour")
    if price is not None and (isinstance(price, str) or _values.number(price) is None or price < 0):
        return "its field 'price_per_hour' is not a price"
    forwards = content.get("ssh_forwards", [])
    if not isinstance(forwards, list) or not all(
        isinstance(item, list) and [type(part) for part in item] == [str, str] for item in forwards
    ):
        return "its field 'ssh_forwards' is not a list of pairs"
    return None


def save(lease: Lease) -> str:
    """Write a lease, 0600, in one rename; the path. A file there that is not a lease of this machine stays, and is an error."""
    path = path_of(lease)
    content = dict(lease.as_dict(), schema=SCHEMA, ssh_forwards=[list(pair) for pair in lease.ssh_forwards])
    wrong = _wrong(content)
    if wrong:
        raise RentedError(f"The lease of {lease.provider}-{lease.id} cannot be written: {wrong}.")
    _state.folder(FOLDER)
    if os.path.lexists(path):
        read(path)
    try:
        _stamps.write_private(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise _state.unusable(path, error) from None
    return path


def remove(lease: Lease) -> None:
    """Forget a lease; one that is already gone is success."""
    try:
        os.unlink(path_of(lease))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RentedError(f"The lease {path_of(lease)} cannot be removed: {error.strerror}.")


def digest() -> str:
    """Changes whenever a lease is written or removed: for caches. No file is read."""
    entries = []
    for path in files():
        try:
            entry = os.stat(path)
        except OSError:
            continue
        entries.append((path, entry.st_size, entry.st_mtime_ns, entry.st_ino))
    return hashlib.sha256(repr(entries).encode("utf-8", "surrogateescape")).hexdigest()
