# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a role at a time."""

from __future__ import annotations

import os
import subprocess
import sys

from ansible_collections.rented.gpu.plugins.module_utils._host import _lock


def test_a_second_run_waits_and_gives_up(tmp_path):
    first = _lock.acquire(str(tmp_path), "repos", 0)
    assert first is not None
    assert _lock.acquire(str(tmp_path), "repos", 0.6) is None
    other = _lock.acquire(str(tmp_path), "data_sync", 0)
    assert other is not None, "another role has its own lock"
    os.close(first)
    again = _lock.acquire(str(tmp_path), "repos", 0)
    assert again is not None
    os.close(again)
    os.close(other)


def test_a_program_that_inherits_the_lock_holds_it(tmp_path):
    """As uv and pip do when the connection of the run that started them is cut."""
    held = _lock.acquire(str(tmp_path), "python_env", 0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(held,)) as program:
        os.close(held)
        assert _lock.acquire(str(tmp_path), "python_env", 0) is None
        program.communicate(b"\n")
    again = _lock.acquire(str(tmp_path), "python_env", 0)
    assert again is not None
    os.close(again)
