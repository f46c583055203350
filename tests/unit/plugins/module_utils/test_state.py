# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where state lies on the controller, and that nobody else reads it."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
import sys
import threading

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError


@pytest.fixture(autouse=True)
def clean(tmp_path, monkeypatch):
    for name in ("RENTED_GPU_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({}, ".local/state/rented_gpu"),
        ({"XDG_STATE_HOME": "{home}/xdg"}, "xdg/rented_gpu"),
        ({"XDG_STATE_HOME": "relative"}, ".local/state/rented_gpu"),
        ({"RENTED_GPU_HOME": "{home}/mine", "XDG_STATE_HOME": "{home}/xdg"}, "mine"),
        ({"RENTED_GPU_HOME": "~/mine"}, "mine"),
        ({"RENTED_GPU_HOME": " "}, ".local/state/rented_gpu"),
    ],
)
def test_place_and_mode(tmp_path, monkeypatch, variables, place):
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    old = os.umask(0)  # the mode must not depend on it
    try:
        assert _state.home() == str(tmp_path / place)
        assert mode(tmp_path / place) == 0o700
        assert _state.known_hosts_file() == str(tmp_path / place / "known_hosts")
        assert mode(_state.folder("reports")) == 0o700
    finally:
        os.umask(old)


def test_a_wider_directory_is_narrowed(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "wide"))
    (tmp_path / "wide").mkdir(mode=0o755)
    _state.home()
    assert mode(tmp_path / "wide") == 0o700


def test_a_file_in_its_place(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "taken"))
    with pytest.raises(RentedError, match=r"taken cannot be used \(File exists\). Set RENTED_GPU_HOME"):
        _state.home()


def test_a_lock_is_for_one_at_a_time_and_outlives_its_holder(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from ansible_collections.rented.gpu.plugins.module_utils import _state\n"
    code += "with _state.locked('a', 'b'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    root = str(pathlib.Path(_state.__file__).absolute().parents[5])
    with subprocess.Popen([sys.executable, "-c", code, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with _state.locked("a", "c"):  # somebody else's
            pass
        done = []

        def wait():
            with _state.locked("a", "b"):
                done.append(holder.poll() is not None or "too early")

        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.5)
        assert done == []
        holder.kill()  # what is left of a process that died stands in nobody's way
        waiting.join(10)
        assert len(done) == 1
    assert mode(_state.folder("locks")) == 0o700 and len(os.listdir(_state.folder("locks"))) == 2


def test_a_lock_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "locks").write_text("")
    with pytest.raises(RentedError, match=r"locks cannot be used \(.*set RENTED_GPU_HOME"), _state.locked("a"):
        pass
