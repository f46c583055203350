# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that exists only in a checkout of the host, read from real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _work
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _unsaved_work as words

GIT = shutil.which("git")


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repo(tmp_path):
    """As the role leaves it: one commit, sent."""
    path = tmp_path / "homework"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "train.py").write_text("one\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "one")
    git(path, "update-ref", _work.SENT, "HEAD")
    return path


def counts(path):
    entry = _work.read(GIT, str(path))
    return entry and (entry["commits"], entry["changed"], entry["untracked"], entry["stashes"])


def said(path):
    return words.sentence(_work.read(GIT, str(path)))


def test_a_checkout_as_it_was_sent_has_none(repo, tmp_path):
    assert _work.read(GIT, str(repo)) is None
    assert _work.read(GIT, str(tmp_path / "nowhere")) is None and _work.read(GIT, str(tmp_path)) is None


def test_each_kind_of_work_is_counted(repo):
    git(repo, "commit", "-q", "--allow-empty", "-m", "two")
    assert counts(repo) == (1, 0, 0, 0) and said(repo) == "homework: 1 commit exists only on the instance."
    git(repo, "switch", "-q", "-c", "try")
    git(repo, "commit", "-q", "--allow-empty", "-m", "three")
    git(repo, "switch", "-q", "main")
    assert counts(repo) == (2, 0, 0, 0)
    assert _work.read(GIT, str(repo))["branches"] == ["main", "try"]
    (repo / "train.py").write_text("stashed\n")
    git(repo, "stash", "-q")
    (repo / "train.py").write_text("two\n")
    (repo / "with blank").write_text("new\n")
    (repo / "folder").mkdir()
    (repo / "folder" / "x").write_text("new\n")
    assert counts(repo) == (2, 1, 2, 1)
    assert said(repo) == "homework: 2 commits, 1 changed file, 2 new files and 1 stash exist only on the instance."
    assert sorted(_work.read(GIT, str(repo))["names"]) == ["folder/", "train.py", "with blank"]


def test_a_renamed_file_a_detached_head_and_a_conflict_are_seen(repo):
    git(repo, "mv", "train.py", "renamed.py")
    assert counts(repo) == (0, 1, 0, 0)
    git(repo, "commit", "-q", "-m", "moved")
    git(repo, "checkout", "-q", "--detach")
    git(repo, "branch", "-q", "-f", "main", "HEAD~1")
    assert counts(repo) == (1, 0, 0, 0) and _work.read(GIT, str(repo))["branches"] == ["HEAD"]
    git(repo, "switch", "-q", "-c", "other", "main")
    (repo / "train.py").write_text("theirs\n")
    git(repo, "commit", "-q", "-am", "theirs")
    git(repo, "switch", "-q", "main")
    (repo / "train.py").write_text("ours\n")
    git(repo, "commit", "-q", "-am", "ours")
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", "-C", str(repo), *identity, "merge", "-q", "other"], capture_output=True, check=False)
    assert counts(repo) == (2, 1, 0, 0)


def test_what_was_pushed_to_its_server_is_not_only_here(repo, tmp_path):
    git(repo, "init", "-q", "--bare", str(tmp_path / "server"))
    git(repo, "remote", "add", "origin", str(tmp_path / "server"))
    git(repo, "commit", "-q", "--allow-empty", "-m", "two")
    assert counts(repo) == (1, 0, 0, 0)
    git(repo, "push", "-q", "origin", "main")
    assert counts(repo) is None


def test_leftovers_of_tools_are_no_work(repo):
    for name in ("__pycache__/x.pyc", "pkg.egg-info/PKG-INFO", ".venv/pyvenv.cfg", ".venv.broken-1/x", ".ipynb_checkpoints/a"):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text("x")
    (repo / "x.pyc").write_text("x")
    assert counts(repo) is None


def test_files_that_were_sent_uncommitted_are_work_only_when_they_changed_here(repo):
    (repo / "train.py").write_text("draft\n")
    (repo / "new").mkdir()
    (repo / "new" / "a b").write_text("new\n")
    git(repo, "add", "-A")
    tree = git(repo, "write-tree")
    git(repo, "update-ref", _work.UNCOMMITTED, git(repo, "commit-tree", tree, "-p", "HEAD", "-m", "Uncommitted work"))
    git(repo, "reset", "-q")
    assert counts(repo) is None
    (repo / "new" / "more").write_text("mine\n")
    assert counts(repo) == (0, 0, 1, 0)
    (repo / "train.py").write_text("mine\n")
    assert counts(repo) == (0, 1, 1, 0)


def test_a_git_that_hangs_ends_and_is_said(repo, tmp_path, monkeypatch):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(_work, "SECONDS", 0.2)
    entry = _work.read(str(slow), str(repo))
    assert not entry["complete"] and words.sentence(entry) == "homework: git did not answer in time; work may exist only on the instance."


def test_every_checkout_of_the_stamps_is_read_and_a_strange_stamp_is_left_out(repo):
    git(repo, "commit", "-q", "--allow-empty", "-m", "two")
    stamps = {
        "repos.x": {"watch": {"repos": {str(repo): "0" * 40, "relative": "1"}}},
        "repos.y": {"watch": []}, "repos.z": None, "repos.a": {"watch": {"repos": [1]}}, "python_env": {"watch": {"repos": {"/": "1"}}},
    }  # fmt: skip
    assert [entry["path"] for entry in _work.of_stamps(stamps, GIT)] == [str(repo)]
    assert _work.of_stamps(stamps, None) == []


@pytest.mark.parametrize(
    "facts", [{}, {"work": None}, {"work": [1, {}, {"path": 5}, {"path": "/x", "commits": "many", "tips": 7 * [None]}]}]
)
def test_a_strange_answer_of_a_host_is_no_error(facts):
    for entry in words.entries(facts).values():
        assert words.sentence(words.only_there(entry, has=lambda tip: True)) == ""


def test_commits_that_are_here_too_are_not_said():
    entry = {"path": "/workspace/hw", "commits": 2, "tips": ["a", "b"], "changed": 1}
    assert words.sentence(words.only_there(entry, {"a"}.__contains__)) == "hw: 2 commits and 1 changed file exist only on the instance."
    assert words.sentence(words.only_there(entry, {"a", "b"}.__contains__)) == "hw: 1 changed file exists only on the instance."
    assert os.path.basename("/workspace/hw") == "hw"
