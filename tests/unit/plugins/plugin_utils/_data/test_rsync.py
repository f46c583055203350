# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns, listings and what rsync says; with the real rsync and git."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _rsync

NAMES = [
    "a.log",
    "keep.log",
    "b/a.log",
    "build/x",
    "src/build/x",
    "data/raw/1",
    "x/data/raw/1",
    "doc/a/b/c.md",
    "doc/c.md",
    "foo",
    "sub/foo/bar",
    "#odd",
]


def tree(path):
    for name in NAMES:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)
    return path


@pytest.mark.parametrize(
    "patterns",
    [["*.log"], ["*.log", "!keep.log"], ["!keep.log", "*.log"], ["/build"], ["build/"], ["data/raw"], ["data/raw/*"], ["doc/**/c.md"],
     ["**/foo"], ["foo/"], ["*", "!*.log"], ["# a comment", "foo"], ["\\#odd"], ["doc/**"], ["/a.log", "/doc/*/b"], ["**/data/raw"]],
)  # fmt: skip
def test_patterns_mean_what_they_mean_to_git(tmp_path, patterns):
    source = tree(tmp_path / "source")
    subprocess.run(["git", "init", "-q", str(source)], check=True)
    (source / ".git" / "info").mkdir(exist_ok=True)
    (source / ".git" / "info" / "exclude").write_text("\n".join(patterns) + "\n")
    command = ["git", "-C", str(source), "-c", "core.excludesFile=/dev/null", "ls-files", "-o", "--exclude-standard", "-z"]
    judged = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [entry[0] for entry in _rsync.files(_rsync.listing(str(source), patterns))] == sorted(judged.split("\0"))[1:]


def test_a_listing_knows_sizes_times_and_odd_names(tmp_path):
    for name in ("täxt", "a b", "tab\there", "back\\slash", "line\nbreak"):
        (tmp_path / name).write_text("12345")
        os.utime(tmp_path / name, (1, 1_700_000_000.9))
    (tmp_path / "link").symlink_to("täxt")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("")
    found = _rsync.listing(str(tmp_path), [])
    files = [[name, 5, 1_700_000_000] for name in ("täxt", "a b", "tab\there", "back\\slash", "line\nbreak")]
    assert found == sorted([*files, ["link", "täxt"]]) and _rsync.files(found) == sorted(files)
    # It is what the host sees of the same files.
    lists = _stamps.write_list(str(tmp_path / ".git"), "x", [entry[0] for entry in found])
    assert _stamps.listed_digest(str(tmp_path), lists) == _rsync.listing_digest(found)
    (tmp_path / "other").write_text("")
    assert _stamps.listed_digest(str(tmp_path), lists) == _rsync.listing_digest(found)
    (tmp_path / "täxt").write_text("123456")
    assert _stamps.listed_digest(str(tmp_path), lists) != _rsync.listing_digest(found)
    (tmp_path / "täxt").unlink()
    assert _stamps.listed_digest(str(tmp_path), lists) is None


def test_a_single_file_is_listed_without_a_name(tmp_path):
    (tmp_path / "x").write_text("123")
    assert [entry[:2] for entry in _rsync.listing(str(tmp_path / "x"), [])] == [["", 3]]


def test_what_was_sent_is_read_from_the_real_thing(tmp_path):
    source = tree(tmp_path / "source")
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest" / "old").write_text("")
    command = [
        "rsync",
        *_rsync.ALWAYS,
        "--delete",
        "--stats",
        "--out-format=%i %n",
        "--info=progress2",
        str(source) + "/",
        str(tmp_path / "dest") + "/",
    ]
    stats, code, stderr = _rsync._watched(command, None)
    assert (code, stderr) == (0, "")
    assert (stats.files, stats.bytes, stats.deleted) == (len(NAMES), sum(map(len, NAMES)), 1)
    assert "*deleting old" in stats.names
    again, _code, _stderr = _rsync._watched(command, None)
    assert (again.files, again.changes) == (0, 0)


@pytest.mark.parametrize(
    ("code", "stderr", "said"),
    [
        (11, "rsync: write failed: No space left on device (28)", "disk is full"),
        (12, "rsync error: error in rsync protocol data stream", "goes on where it stopped"),
        (-9, "", "goes on where it stopped"),
        (23, "rsync: odd thing", "odd thing"),
    ],
)
def test_errors_are_explained(code, stderr, said):
    assert said in _rsync.explain("/src", "/dest", code, stderr)


def test_what_our_own_script_said_comes_first():
    assert "role `ready`" in _rsync.explain("/src", "/dest", 12, "rsync error", "no-rsync")
    assert "is a file" in _rsync.explain("/src", "/dest", 12, "rsync error", "wrong-kind")
