# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How RunPod is asked: its quota, and parts of a path."""

from __future__ import annotations

import time
import urllib.parse

NAME = "runpod"
TITLE = "RunPod"
# The quota is 60 requests in a minute: so many at once, and then no more than so many in a minute, are never above it.
AT_ONCE = 8
PER_MINUTE = 50


class Quota:
    """Some requests at once, then so many in a minute: together never more than ``at_once + per_minute`` in any minute.

    For `_http.JsonApi`: ``with quota:`` around each request.
    """

    def __init__(self, at_once: int = AT_ONCE, per_minute: float = PER_MINUTE, clock=time.monotonic, sleep=time.sleep) -> None:
        self._most, self._rate = float(at_once), per_minute / 60.0
        self._clock, self._sleep = clock, sleep
        self._left, self._at = self._most, clock()

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now

    def __enter__(self) -> None:
        self._refill()
        if self._left < 1:
            self._sleep((1 - self._left) / self._rate)
            self._refill()
        self._left -= 1

    def __exit__(self, *unused) -> None:
        pass


def quoted(text: str) -> str:
    """A part of a path: an id with a slash must not become another path."""
    return urllib.parse.quote(str(text), safe="")
