# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and programs on a host that would hold or fill whoever reads them, and state files of any shape."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import resource
import socket
import sys
import tempfile
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _facts, _nvidia, _read, _stamps
from ansible_collections.rented.gpu.plugins.module_utils._renting import _leases

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
STAMP = st.fixed_dictionaries(
    {"schema": st.just(1)},
    optional={
        "wanted": JSON,
        "data": JSON,
        "watch": JSON
        | st.dictionaries(st.sampled_from(sorted(_stamps.WATCHERS)) | st.text(max_size=5), JSON, max_size=4)
        | st.dictionaries(st.sampled_from(sorted(_stamps.WATCHERS)), st.dictionaries(st.text(max_size=9), JSON, max_size=3), max_size=4),
    },
)


@contextlib.contextmanager
def little_memory(megabytes=600):
    """A reader that takes all that it is given ends in a MemoryError here, and does not take the machine's."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as handle:
        now = int(handle.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (megabytes << 20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def traps(folder: pathlib.Path) -> dict:
    """Files that are none: each would hold or fill a reader that opens it."""
    os.mkfifo(folder / "fifo")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "random").symlink_to("/dev/urandom")
    (folder / "loop").symlink_to("loop")
    (folder / "folder").mkdir()
    (folder / "nowhere").symlink_to("gone")
    with open(folder / "huge", "wb") as handle:
        handle.truncate(1 << 40)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.close()
    return {name: str(folder / name) for name in ("fifo", "zero", "random", "loop", "folder", "nowhere", "huge", "socket")}


def test_only_regular_files_are_read_and_only_so_much(tmp_path):
    (tmp_path / "text").write_text("x" * 100)
    assert _read.read("/", str(tmp_path / "text"), 10) == "x" * 10
    with little_memory():
        for name, path in traps(tmp_path).items():
            assert (_read.read("/", path) is None) == (name != "huge"), name
            assert _stamps.read_json(path) is None, name
            assert _stamps.file_digest(path, 1 << 20) is None, name
            assert _stamps.listed_digest(str(tmp_path), path) is None, name
    assert _read.read("/", "/proc/self/cgroup")
    assert _read.read("/", "nul\0") is None and _stamps.file_digest("nul\0") is None


def test_state_files_that_are_traps_are_not_there(tmp_path):
    stamps = pathlib.Path(_stamps.folder(str(tmp_path)))
    stamps.mkdir(parents=True)
    with little_memory():
        for name, path in traps(tmp_path).items():
            (stamps / (name + ".json")).symlink_to(path)
        assert _stamps.read_all(str(tmp_path)) == {}
        for path in traps_again(tmp_path):
            place = tmp_path / ".rented" / "ready.json"
            place.unlink(missing_ok=True)
            place.symlink_to(path)
            assert _facts.read_ready(str(tmp_path)) is None
        _stamps.write(str(tmp_path), "mine", "x", {kind: {path: "0" * 64 for path in traps_again(tmp_path)} for kind in ("files", "lines")})
        assert len(_stamps.read(str(tmp_path), "mine")["drift"]) == 2 * len(traps_again(tmp_path))


def traps_again(folder):
    return [str(folder / name) for name in ("fifo", "zero", "random", "loop", "folder", "nowhere", "huge", "socket")]


def test_a_packed_list_that_unpacks_to_gigabytes_is_cut(tmp_path):
    pack = zlib.compressobj(1)
    bomb = b"".join(pack.compress(bytes(1 << 24)) for _number in range(20)) + pack.flush()
    (tmp_path / "list").write_bytes(bomb)
    with little_memory():
        assert _stamps.listed_digest(str(tmp_path / "none"), str(tmp_path / "list")) is None


@pytest.mark.parametrize("content", ["[" * 200000, '{"a":' * 100000, "\x00", "1e999999", '"x"', "[]", "null", "{", "NaN", "\ufeff{}"])
def test_json_that_is_no_object_is_not_there(tmp_path, content):
    (tmp_path / "x").write_text(content)
    assert _stamps.read_json(str(tmp_path / "x")) is None


@given(STAMP | JSON)
@settings(max_examples=150, deadline=None)
def test_any_json_as_a_stamp_is_a_stamp_or_not_there(content):
    with tempfile.TemporaryDirectory() as home:
        os.makedirs(_stamps.folder(home))
        pathlib.Path(_stamps.folder(home), "x.json").write_text(json.dumps(content))
        found = _stamps.read_all(home)
        for stamp in found.values():
            assert isinstance(stamp["wanted"], str) and isinstance(stamp["data"], dict) and isinstance(stamp["watch"], dict)
            assert stamp["intact"] == (not stamp["drift"])


@given(JSON)
@settings(max_examples=60, deadline=None)
def test_any_json_as_another_state_file_is_no_error(content):
    with tempfile.TemporaryDirectory() as home:
        os.makedirs(os.path.join(home, ".rented"))
        for name in ("ready.json", "secrets.json"):
            pathlib.Path(home, ".rented", name).write_text(json.dumps(content))
        assert _facts.read_ready(home) is None or isinstance(content, dict)
        _stamps.record_secret(home, os.path.join(home, "key"))
        _stamps.forget_secret(home, os.path.join(home, "key"))
        lease = pathlib.Path(home, "adopted-x.json")
        lease.write_text(json.dumps(content))
        with pytest.raises(RentedError):
            _leases.read(str(lease))


@pytest.mark.parametrize(
    ("watch", "data"),
    [([], {}), ({}, []), ({"repos": {"/": "--output=/tmp/x"}}, {}), ({"listed": {"/": 5}}, {}), ({"modes": {"/\0": "0644"}}, {})],
)
def test_a_stamp_of_another_shape_is_not_intact(tmp_path, watch, data):
    _stamps.write(str(tmp_path), "x", "w", {}, {})
    path = pathlib.Path(_stamps.folder(str(tmp_path)), "x.json")
    path.write_text(json.dumps({"schema": 1, "wanted": "w", "watch": watch, "data": data}))
    found = _stamps.read(str(tmp_path), "x")
    assert found is None or not found["intact"]


def script(folder, name, body):
    path = folder / name
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return str(path)


def test_a_program_that_prints_without_end_is_stopped(tmp_path):
    with little_memory():
        ran = _read.run(["cat", "/dev/zero"], seconds=20)
    assert (ran.code, ran.too_long, ran.out) == (None, True, "")
    assert _read.run([sys.executable, "-c", "import sys; sys.stderr.write('x' * 5000000)"], seconds=20).too_long


def test_what_a_program_leaves_in_the_background_neither_holds_us_nor_stays(tmp_path):
    mark = str(tmp_path / "pid")
    path = script(tmp_path, "tmux", "sleep 300 & echo $! > %s; echo said" % mark)
    ran = _read.run([path], seconds=20)
    assert (ran.code, ran.out) == (0, "said\n")
    hung = script(tmp_path, "git", "sh -c 'echo $$ > %s; sleep 300'; true" % mark)
    assert _read.run([hung], seconds=1).timed_out
    pid = int(pathlib.Path(mark).read_text())
    end = time.monotonic() + 10
    while pathlib.Path("/proc/%d/stat" % pid).exists() and pathlib.Path("/proc/%d/stat" % pid).read_text().split()[2] != "Z":
        assert time.monotonic() < end, "the program's child still runs"
        time.sleep(0.05)


def test_an_nvidia_smi_that_prints_a_gigabyte_is_named(tmp_path):
    script(tmp_path, "nvidia-smi", "exec cat /dev/zero")
    with little_memory():
        found = _nvidia.gather([str(tmp_path)], True, 20)
    assert not found["working"] and "printed more than 4 MiB" in found["error"]


def test_a_git_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
    script(tmp_path, "git", "sleep 300")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    run = _read.run
    monkeypatch.setattr(_read, "run", lambda command, seconds=10, **options: run(command, seconds=1, **options))
    assert _stamps.repo_contains(str(tmp_path), "a" * 40) is False
