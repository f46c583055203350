# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a lease: appended, whole lines, readable after a crash."""

from __future__ import annotations

import multiprocessing
import stat

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _journal
from ansible_collections.rented.gpu.plugins.module_utils._renting._leases import Lease

LEASE = Lease(provider="vast", account="vast", id="312")


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_events_come_back_in_order_with_their_details(state):
    assert _journal.read(LEASE) == []
    _journal.append(LEASE, "rented", gpu="RTX 4090", name="h\u2028\nw")
    _journal.append(LEASE, "destroy asked")
    first, second = _journal.read(LEASE)
    assert (first["event"], first["gpu"], first["name"], second["event"]) == ("rented", "RTX 4090", "h\u2028\nw", "destroy asked")
    assert first["at"].endswith("Z")
    mode = (state / "leases").iterdir().__next__().stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_line_that_a_crash_cut_off_costs_only_itself():
    _journal.append(LEASE, "rented")
    with open(_journal.path_of(LEASE), "ab") as handle:
        handle.write(b'{"at": "2026-12-01T10:00:00Z", "eve')
    _journal.append(LEASE, "ready")
    assert [entry["event"] for entry in _journal.read(LEASE)] == ["rented", "ready"]


@pytest.mark.parametrize("line", [b"[]", b"1", b'{"event": 1, "at": "x"}', b"\xff", b"[" * 100000, b"\x00"])
def test_a_line_of_another_shape_is_left_out(line):
    _journal.append(LEASE, "rented")
    with open(_journal.path_of(LEASE), "ab") as handle:
        handle.write(line + b"\n")
    assert [entry["event"] for entry in _journal.read(LEASE)] == ["rented"]


def test_an_unknown_event_is_a_defect_of_the_caller():
    with pytest.raises(ValueError, match="gone"):
        _journal.append(LEASE, "gone")


def test_what_cannot_be_stored_is_told(state):
    state.mkdir()
    (state / "leases").write_text("a file")
    with pytest.raises((RentedError, OSError)):
        _journal.append(LEASE, "rented")


def write_fifty(number):
    for step in range(50):
        _journal.append(LEASE, "ready", number=number, step=step)


def test_several_writers_lose_no_line():
    with multiprocessing.Pool(4) as pool:
        pool.map(write_fifty, range(4))
    written = [(entry["number"], entry["step"]) for entry in _journal.read(LEASE)]
    assert sorted(written) == [(number, step) for number in range(4) for step in range(50)]
