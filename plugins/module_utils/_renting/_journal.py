# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The journal of a lease: what happened to the instance, one JSON object per line, appended and never rewritten.

The journal is beside the lease, as ``<lease>.jsonl``. Each line has ``at`` (UTC, ISO 8601) and ``event``; the other keys belong to
the event. A line is locked, written with one call and flushed to the disk, so a crash loses at most the line being written.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _leases

EVENTS = ("rented", "found", "reachable", "ready", "stop asked", "start asked", "bid changed", "destroy asked", "seen gone")


def path_of(lease: _leases.Lease) -> str:
    """The file of the journal."""
    return _leases.path_of(lease)[: -len(".json")] + ".jsonl"


def append(lease: _leases.Lease, event: str, **details) -> None:
    """Add one line. Raises `RentedError` when it cannot be stored; ValueError for an event that is not in `EVENTS`."""
    if event not in EVENTS:
        raise ValueError(event)
    line = json.dumps(dict(details, at=_now(), event=event), sort_keys=True) + "\n"
    path = path_of(lease)
    _state.folder(_leases.FOLDER)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            # A line that a crash cut off must not swallow this one.
            cut = size and os.pread(handle, 1, size - 1) != b"\n"
            data = (b"\n" if cut else b"") + line.encode("ascii")
            if os.write(handle, data) != len(data):
                raise OSError(None, "the disk is full")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise RentedError(f"'{event}' cannot be added to the journal {path}: {error.strerror or error}.") from None


def read(lease: _leases.Lease) -> list[dict]:
    """All events, the oldest first. A line that a crash cut off is left out; there is no journal before the first event."""
    path = path_of(lease)
    try:
        with open(path, "rb") as handle:
            lines = handle.read().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RentedError(f"The journal {path} cannot be read: {error.strerror}.") from None
    found = []
    for line in lines:
        try:
            entry = json.loads(line.decode("ascii"))
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(entry.get("event"), str) and isinstance(entry.get("at"), str):
            found.append(entry)
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
