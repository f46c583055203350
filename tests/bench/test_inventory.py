# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benches of the inventory still run, on a handful of instances: each checks by itself that its lists are whole."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent / "inventory"


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("run.py", "30 instances over 2 pages"),
        ("scale.py", "| **all six, cached** | 60 | 0 |"),
    ],
)
def test_it_runs(program, line):
    words = [sys.executable, HERE / program, "--repeat", "1", "--instances", line.split()[0] if program == "run.py" else "60"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout
