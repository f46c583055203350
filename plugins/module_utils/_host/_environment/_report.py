# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What python_env tells of its work: steps, warnings and diffs."""

from __future__ import annotations

import time


class Trouble(Exception):
    """The module fails with this sentence."""

    def __init__(self, message: str, **details) -> None:
        super().__init__(message)
        self.details = details


class Report:
    """Gathers what the module returns."""

    def __init__(self) -> None:
        self.steps: list = []
        self.warnings: list = []
        self.diff: list = []

    def step(self, name: str, work, *arguments):
        """Do this and note how long it took."""
        start = time.monotonic()
        answer = work(*arguments)
        self.took(name, start)
        return answer

    def took(self, name: str, start: float) -> None:
        self.steps.append({"step": name, "seconds": round(time.monotonic() - start, 2)})

    def changed(self, header: str, before: str, after: str) -> None:
        self.diff.append({"before_header": header, "after_header": header, "before": before, "after": after})
