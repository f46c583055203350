# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a run takes on the controller: proportional set size, summed over all its processes, at its highest.

A run's processes are known by a variable in their environment, so that the masters of ssh count too, which leave the
process tree. Linux only.
"""

from __future__ import annotations

import os
import re
import threading

MARK = "RENTED_BENCH_RUN"
INTERVAL = 0.25  # seconds; each look reads a few ms of /proc


def processes(mark: str) -> list:
    """The ids of the processes whose environment has this mark."""
    wanted, found = ("%s=%s" % (MARK, mark)).encode(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/environ" % name, "rb") as handle:
                    if wanted in handle.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue
    return found


def pss_mib(pids: list) -> float:
    """Their proportional set size, MiB: a page shared by two counts half for each. A process that is gone counts nothing."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/smaps_rollup" % pid, encoding="ascii", errors="replace") as handle:
                found = re.search(r"^Pss:\s+(\d+) kB", handle.read(), re.MULTILINE)
        except OSError:
            continue
        total += int(found.group(1)) if found else 0
    return total / 1024


class Peak:
    """``with Peak(mark) as peak``: afterwards ``peak.mib`` is the highest sum that was seen."""

    def __init__(self, mark: str) -> None:
        self.mark, self.mib = mark, 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_error) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(INTERVAL):
            self.mib = max(self.mib, pss_mib(processes(self.mark)))
