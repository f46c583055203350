# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stamps on a real file system and a real repository."""

from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps


@pytest.fixture
def home(tmp_path):
    return str(tmp_path)


def watch_one(home, kind, path, seen):
    _stamps.write(home, "x", "w", {kind: {path: seen}})
    return _stamps.read_all(home)["x"]["intact"]


def test_a_stamp_comes_back_as_written_and_only_its_owner_may_read_it(home):
    _stamps.write(home, "python_env", "abc", {}, {"packages": 3})
    stamp = _stamps.read_all(home)["python_env"]
    assert (stamp["wanted"], stamp["data"], stamp["intact"], stamp["drift"]) == ("abc", {"packages": 3}, True, [])
    path = os.path.join(_stamps.folder(home), "python_env.json")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(_stamps.folder(home)) == ["python_env.json"]


def test_a_removed_stamp_is_gone_and_removing_it_twice_is_no_error(home):
    _stamps.write(home, "x", "w", {})
    _stamps.remove(home, "x")
    _stamps.remove(home, "x")
    assert _stamps.read_all(home) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"schema": 999})])
def test_a_stamp_that_cannot_be_read_is_not_there(home, content):
    os.makedirs(_stamps.folder(home))
    with open(os.path.join(_stamps.folder(home), "x.json"), "w", encoding="utf-8") as handle:
        handle.write(content)
    assert _stamps.read_all(home) == {}


def test_a_changed_file_is_drift_and_named(home, tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("numpy\n")
    _stamps.write(home, "x", "w", {"files": {str(path): _stamps.file_digest(str(path))}})
    assert _stamps.read_all(home)["x"]["intact"]
    path.write_text("numpy\ntorch\n")
    assert _stamps.read_all(home)["x"]["drift"] == ["files: " + str(path)]
    path.unlink()
    assert not _stamps.read_all(home)["x"]["intact"]


def test_a_wider_mode_is_drift(home, tmp_path):
    path = tmp_path / "key"
    path.write_text("secret")
    path.chmod(0o600)
    assert watch_one(home, "modes", str(path), "600")
    path.chmod(0o644)
    assert not watch_one(home, "modes", str(path), "600")


def test_a_lost_line_is_drift_and_a_further_one_is_not(home, tmp_path):
    path = tmp_path / "known_hosts"
    path.write_text("a\nb\nc\n")
    assert watch_one(home, "lines", str(path), ["a", "b"])
    path.write_text("a\nc\n")
    assert not watch_one(home, "lines", str(path), ["a", "b"])


def test_a_further_package_in_an_environment_is_drift(home, tmp_path):
    env = tmp_path / "venv"
    subprocess.run(["python3", "-m", "venv", "--without-pip", str(env)], check=True)
    seen = _stamps.env_digest(str(env))
    assert seen is not None and watch_one(home, "envs", str(env), seen)
    packages = next((env / "lib").glob("python3*/site-packages"))
    (packages / "numpy-2.0.dist-info").mkdir()
    (packages / "numpy-2.0.dist-info" / "RECORD").write_text("numpy/__init__.py,,\n")
    assert not watch_one(home, "envs", str(env), seen)


def test_an_environment_without_its_interpreter_is_none(tmp_path):
    assert _stamps.env_digest(str(tmp_path)) is None


def test_a_commit_in_the_history_is_intact_and_local_work_is_no_drift(home, tmp_path):
    repo = tmp_path / "repo"

    def git(*arguments):
        command = ["git", "-C", str(repo), "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    repo.mkdir()
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    one = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "two")
    two = git("rev-parse", "HEAD")
    (repo / "untracked").write_text("x")
    assert watch_one(home, "repos", str(repo), one)
    git("reset", "-q", "--hard", one)
    assert not watch_one(home, "repos", str(repo), two)
    assert not watch_one(home, "repos", str(tmp_path / "nowhere"), one)


def test_an_unknown_watcher_of_a_later_version_is_drift_not_a_crash(home):
    assert not watch_one(home, "moons", "/x", "y")


def test_a_recorded_secret_has_path_and_digest_never_the_value(home, tmp_path):
    key = tmp_path / "key"
    key.write_text("very secret")
    _stamps.record_secret(home, str(key))
    ledger = os.path.join(home, ".rented", "secrets.json")
    with open(ledger, encoding="utf-8") as handle:
        text = handle.read()
    assert "very secret" not in text
    assert json.loads(text) == {str(key): {"sha256": _stamps.file_digest(str(key))}}
    assert stat.S_IMODE(os.stat(ledger).st_mode) == 0o600


def test_a_look_that_failed_proves_nothing(home, tmp_path):
    lists = _stamps.write_list(home, "x", ["gone"])
    assert not watch_one(home, "listed", str(tmp_path), {"names": lists, "digest": _stamps.listed_digest(str(tmp_path), lists)})
    assert not watch_one(home, "trees", str(tmp_path / "gone"), None)
    assert not watch_one(home, "envs", str(tmp_path / "gone"), None)


def test_links_and_folders_of_a_tree_are_watched(home, tmp_path):
    tree = tmp_path / "tree"
    (tree / "empty").mkdir(parents=True)
    (tree / "link").symlink_to("a")
    seen = _stamps.tree_digest(str(tree))
    assert watch_one(home, "trees", str(tree), seen)
    (tree / "link").unlink()
    (tree / "link").symlink_to("b")
    assert not watch_one(home, "trees", str(tree), seen)
    (tree / "link").unlink()
    (tree / "link").symlink_to("a")
    assert watch_one(home, "trees", str(tree), seen)
    (tree / "empty").rmdir()
    assert not watch_one(home, "trees", str(tree), seen)


def test_a_file_that_was_undone_is_drift_and_one_that_was_changed_further_is_not(home, tmp_path):
    path = tmp_path / "train.py"
    path.write_text("before")
    before = _stamps.file_digest(str(path))
    assert not watch_one(home, "others", str(path), before)
    path.write_text("sent")
    assert watch_one(home, "others", str(path), before)
    path.write_text("mine")
    assert watch_one(home, "others", str(path), before)
    assert watch_one(home, "others", str(path), None)
    path.unlink()
    assert not watch_one(home, "others", str(path), None)


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("Include x\n", True),
        ("# a\nUser b\n Include x\n", True),
        ("Host a\nInclude x\n", False),
        ("match all\nInclude x", False),
        ("", False),
    ],
)
def test_a_line_of_ssh_settings_counts_only_where_it_holds_for_every_host(home, tmp_path, text, so):
    path = tmp_path / "config"
    path.write_text(text)
    assert watch_one(home, "leads", str(path), "Include x") is so
