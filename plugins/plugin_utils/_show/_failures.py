# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which hosts failed in this run, and why. Kept in Ansible's temporary folder of the run, which all its workers share.

Ansible keeps no facts of an unreachable host, and ends a playbook at once when every host of a play failed. The action that fails
last shows the summary then, so it has to know that it is the last.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os

from ansible import constants as C

FOLDER = "rented-failures"


def record(host: str, cause: str, hosts: list) -> bool:
    """Keep the cause; whether every one of ``hosts`` has failed with this one. True for one of them only."""
    try:
        with _locked() as folder:
            known = _read(folder)
            last = host not in known and set(hosts) <= {*known, host}
            with open(os.path.join(folder, "causes"), "a", encoding="utf-8") as handle:
                handle.write(json.dumps([host, cause]) + "\n")
            return last
    except OSError:
        return False


def causes() -> dict:
    """The cause of each host that failed."""
    try:
        with _locked() as folder:
            return _read(folder)
    except OSError:
        return {}


def forget() -> None:
    """A run begins anew, also within one call of ansible-playbook."""
    with contextlib.suppress(OSError), _locked() as folder, contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, "causes"))


@contextlib.contextmanager
def _locked():
    folder = os.path.join(C.DEFAULT_LOCAL_TMP, FOLDER)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder


def _read(folder: str) -> dict:
    try:
        with open(os.path.join(folder, "causes"), encoding="utf-8") as handle:
            return dict(json.loads(line) for line in handle)
    except FileNotFoundError:
        return {}
