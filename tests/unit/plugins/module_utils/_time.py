# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock for the tests of providers, which wait for nothing."""

from __future__ import annotations


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def with_time(provider):
    """The same provider, with a clock of its own (``provider.time``) in place of the machine's."""
    provider.time = Time()
    provider.clock, provider.sleep = provider.time.clock, provider.time.sleep
    return provider
