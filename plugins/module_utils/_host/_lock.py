# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""One run of a role at a time on a host: a run whose connection was cut may still be at work there."""

from __future__ import annotations

import fcntl
import os
import time

from . import _stamps


def acquire(home: str, role: str, seconds: float) -> int | None:
    """A file descriptor that holds the lock of a role; None when another run holds it for so many seconds.

    The lock ends with the process, and with every process that inherits the descriptor.
    """
    os.makedirs(os.path.join(home, _stamps.HOME), mode=0o700, exist_ok=True)
    handle = os.open(os.path.join(home, _stamps.HOME, role + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            if time.monotonic() >= end:
                os.close(handle)
                return None
            time.sleep(0.5)
