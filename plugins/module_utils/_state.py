# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Where the collection keeps its state on the controller: known host keys, leases, reports. Never a key of an account."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError

ENV = "RENTED_GPU_HOME"


def home_path() -> str:
    """The state directory, not created: ``$RENTED_GPU_HOME``, else ``$XDG_STATE_HOME/rented_gpu``, else ``~/.local/state/rented_gpu``."""
    chosen = os.environ.get(ENV, "").strip()
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    base = os.environ.get("XDG_STATE_HOME", "").strip()
    # The XDG base directory specification says that a relative path there is to be ignored.
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.local/state")
    return os.path.join(base, "rented_gpu")


def home() -> str:
    """The state directory; created 0700, and narrowed to 0700 when it was wider. Raises `RentedError` when that cannot be done."""
    path = home_path()
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & 0o077:
            os.chmod(path, 0o700)
    except OSError as error:
        raise RentedError(f"The state directory {path} cannot be used ({error.strerror or error}). Set {ENV} to a directory that you own.")
    return path


def folder(name: str) -> str:
    """A directory below `home`, created 0700."""
    path = os.path.join(home(), name)
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise unusable(path, error) from None
    return path


def unusable(path: str, error: OSError) -> RentedError:
    """The error for something below the state directory that cannot be written or read."""
    return RentedError(
        f"{path} cannot be used ({error.strerror or error}). It belongs to the state directory: make room there, "
        f"check who owns it, or set {ENV} to a directory that you own."
    )


def known_hosts_file() -> str:
    """The collection's own known_hosts file; ssh creates it on the first connection."""
    return os.path.join(home(), "known_hosts")


@contextlib.contextmanager
def locked(*names: str):
    """Held by one at a time, of all processes and threads of this user; any other waits. ``names`` say of what, together.

    The lock goes with its holder, however that ends; its file stays, and means nothing by itself. Not to be taken again while it is held.
    Raises `RentedError` when there can be no lock.
    """
    digest = hashlib.sha256(json.dumps(names).encode("ascii")).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(names)).strip("-.")[:80]
    path = os.path.join(home(), "locks", f"{readable}.{digest}.lock")
    handle = None
    try:
        try:
            folder("locks")
            # A descriptor of its own each time: locks of flock(2) belong to descriptors, so threads exclude each other too.
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            raise RentedError(
                f"The lock {path} cannot be taken ({error.strerror or error}). Set {ENV} to a directory that you own."
            ) from None
        yield
    finally:
        if handle is not None:
            os.close(handle)
