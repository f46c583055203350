# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases: written whole and privately, and what cannot be read is never lost."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import stat
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _leases
from ansible_collections.rented.gpu.plugins.module_utils._renting._leases import Lease

LEASE = Lease("adopted", "adopted", "192.0.2.1-22", "homework", "192.0.2.1", 22, "root", ssh_forwards=[["local", "1:localhost:2"]])


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_what_is_saved_is_read_back_and_only_the_user_may_read_it(home):
    path = _leases.save(LEASE)
    assert _leases.read(path) == LEASE and _leases.read_all() == _leases.read_all("adopted") == [LEASE]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(home / "leases").st_mode) == 0o700
    assert json.loads(pathlib.Path(path).read_text())["schema"] == _leases.SCHEMA
    assert os.listdir(home / "leases") == [os.path.basename(path)]


def test_looking_makes_nothing(home):
    assert _leases.files() == _leases.read_all() == []
    before = _leases.digest()
    assert not home.exists()
    _leases.save(LEASE)
    changed = _leases.digest()
    assert changed != before
    _leases.save(dataclasses.replace(LEASE, label="other"))
    assert _leases.digest() != changed


def test_a_lease_is_changed_and_forgotten():
    _leases.save(LEASE)
    _leases.save(dataclasses.replace(LEASE, note="x"))
    assert [lease.note for lease in _leases.read_all()] == ["x"]
    _leases.remove(LEASE)
    _leases.remove(LEASE)
    assert _leases.read_all() == []


@pytest.mark.parametrize("other", [{"id": "192.0.2.1/22"}, {"id": "../../x"}, {"account": "b"}, {"id": "192.0.2.1-22 "}])
def test_each_machine_has_a_file_of_its_own_in_the_folder(home, other):
    second = dataclasses.replace(LEASE, **other)
    assert os.path.dirname(_leases.save(second)) == str(home / "leases")
    assert _leases.save(LEASE) != _leases.path_of(second)
    assert len(_leases.read_all()) == 2


def test_leases_of_one_provider():
    _leases.save(LEASE)
    _leases.save(dataclasses.replace(LEASE, provider="vast"))
    assert [lease.provider for lease in _leases.read_all("vast")] == ["vast"]


DAMAGE = [
    ("", "is not JSON; it may be cut off"),
    ('{"schema": 1, "provider": "adopted", "acc', "is not JSON; it may be cut off"),
    ("[" * 60000, "is not JSON"),
    (b"\xff\xfe", "is not JSON"),
    ("{}" + " " * 70000, "more than 65536 bytes"),
    ("[]", "it has no 'schema'"),
    ({"schema": None}, "it has no 'schema'"),
    ({"schema": True}, "it has no 'schema'"),
    ({"schema": 2}, "was written by a newer release"),
    ({"hostname": "x"}, "it has a field 'hostname'"),
    ({"id": ""}, "its field 'id' is missing"),
    ({"provider": None}, "its field 'provider' is missing"),
    ({"label": 5}, "its field 'label' is not text"),
    ({"ssh_host": "-oProxyCommand=x"}, "its field 'ssh_host' is not an address"),
    ({"ssh_host": "a b"}, "its field 'ssh_host' is not an address"),
    ({"ssh_port": "22"}, "its field 'ssh_port' is not a port"),
    ({"ssh_port": 0}, "its field 'ssh_port' is not a port"),
    ({"price_per_hour": -1}, "its field 'price_per_hour' is not a price"),
    ({"price_per_hour": "1"}, "its field 'price_per_hour' is not a price"),
    ({"ssh_forwards": ["8080"]}, "its field 'ssh_forwards' is not a list of pairs"),
]


@pytest.mark.parametrize(("content", "message"), DAMAGE)
def test_what_is_no_lease_is_an_error_and_stays(content, message):
    path = _leases.save(LEASE)
    if isinstance(content, dict):
        content = json.dumps({**json.loads(pathlib.Path(path).read_text()), **content})
    data = content if isinstance(content, bytes) else content.encode()
    pathlib.Path(path).write_bytes(data)
    for attempt in (_leases.read_all, lambda: _leases.save(LEASE)):
        with pytest.raises(RentedError) as caught:
            attempt()
        assert message in caught.value.message and path in caught.value.message
    assert pathlib.Path(path).read_bytes() == data


def test_a_lease_that_cannot_be_opened_says_why(home):
    path = _leases.save(LEASE)
    os.unlink(path)
    os.mkdir(path)  # root may read any file, but no folder as one
    with pytest.raises(RentedError, match="is not a regular file"):
        _leases.read_all()


def test_nonsense_is_not_written():
    with pytest.raises(RentedError, match="cannot be written: its field 'ssh_port' is not a port"):
        _leases.save(dataclasses.replace(LEASE, ssh_port=70000))
    assert _leases.files() == []


def test_a_write_that_fails_leaves_the_old_lease(monkeypatch):
    path = _leases.save(LEASE)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RentedError, match=r"cannot be used \(No space left on device\)"):
        _leases.save(dataclasses.replace(LEASE, note="new"))
    assert _leases.read(path) == LEASE and _leases.files() == [path]


ADOPT = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.rented.gpu.plugins.module_utils._renting import _leases
from ansible_collections.rented.gpu.plugins.module_utils._providers import adopted

print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    with _leases.locked():
        taken = {lease.id for lease in _leases.read_all()}
        _leases.save(_leases.Lease("adopted", "adopted", adopted.host_id("192.0.2.5", None, taken), note=sys.argv[2]))
"""


def test_two_who_write_at_once_lose_nothing():
    """Two processes look for a free id and take it, twenty times each, and begin together."""
    root = str(pathlib.Path(_leases.__file__).absolute().parents[6])
    both = [
        subprocess.Popen([sys.executable, "-c", ADOPT, root, who], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for who in ("a", "b")
    ]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60) and process.returncode for process in both] == [0, 0]
    found = _leases.read_all()
    assert len(found) == 40 and [lease.note for lease in found].count("a") == 20
