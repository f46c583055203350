# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a repository on the controller; with the real git."""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _repository


def git(folder, *arguments) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repo(tmp_path):
    path = tmp_path / "work"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "a.txt").write_text("a\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "Begin")
    return path


def source(repo, version=None):
    return _repository.Repository(str(repo), "work").source(version)


def test_a_version_is_a_branch_a_tag_or_a_commit(repo):
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "v1", "-m", "One")
    git(repo, "branch", "other")
    assert [(found.kind, found.branch, found.commit, found.current) for found in (source(repo), source(repo, "main"))] == [
        ("branch", "main", head, True)
    ] * 2
    assert (source(repo, "other").branch, source(repo, "other").current) == ("other", False)
    assert (source(repo, "v1").kind, source(repo, "v1").branch, source(repo, "v1").commit) == ("tag", None, head)
    assert (source(repo, head[:10]).kind, source(repo, head[:10]).commit) == ("commit", head)
    git(repo, "checkout", "-q", "--detach")
    assert (source(repo).kind, source(repo).commit) == ("commit", head)
    with pytest.raises(Failure, match="Did you mean 'other'"):
        source(repo, "othr")


def test_a_repository_around_this_process_does_not_matter(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert source(repo).branch == "main"


def test_uncommitted_paths_are_listed_by_name(repo):
    (repo / "a.txt").write_text("b\n")
    (repo / "new file.txt").write_text("n\n")
    (repo / "c.txt").write_text("c\n")
    git(repo, "add", "c.txt")
    assert sorted(source(repo).uncommitted) == ["a.txt", "c.txt", "new file.txt"]
    git(repo, "commit", "-q", "-a", "-m", "All")
    git(repo, "mv", "c.txt", "d.txt")
    assert sorted(source(repo).uncommitted) == ["d.txt", "new file.txt"]


def test_a_snapshot_holds_all_that_is_not_ignored_and_leaves_the_repository_as_it_is(repo, tmp_path):
    (repo / ".gitignore").write_text("*.log\n")
    (repo / "a.txt").write_text("b\n")
    (repo / "x.log").write_text("x\n")
    before = git(repo, "status", "--porcelain"), git(repo, "count-objects"), (repo / ".git" / "index").read_bytes()
    repository = _repository.Repository(str(repo), "work")
    commits = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        commit, environment = repository.snapshot(repository.source(None), str(tmp_path / name))
        names = repository.git("ls-tree", "-r", "--name-only", commit, environment=environment).split()
        assert names == [".gitignore", "a.txt"]
        assert repository.git("show", commit + ":a.txt", environment=environment) == "b"
        commits.append(commit)
    # The same work is the same commit, so that a second run sees that nothing is new.
    assert commits[0] == commits[1]
    assert (git(repo, "status", "--porcelain"), git(repo, "count-objects"), (repo / ".git" / "index").read_bytes()) == before
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "All")
    assert repository.snapshot(repository.source(None), str(tmp_path / "two"))[0] is None


def test_a_snapshot_of_what_is_not_checked_out_is_refused(repo, tmp_path):
    git(repo, "branch", "other")
    repository = _repository.Repository(str(repo), "work")
    with pytest.raises(Failure, match="belongs to what is checked out"):
        repository.snapshot(repository.source("other"), str(tmp_path))


def test_lfs_objects_are_read_from_the_pointers_themselves(repo):
    content = b"large"
    oid = hashlib.sha256(content).hexdigest()
    (repo / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repo / "w.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (oid, len(content)))
    (repo / "talks.txt").write_text("about version https://git-lfs.github.com/spec/v1\n")
    git(repo, "-c", "filter.lfs.clean=cat", "-c", "filter.lfs.required=false", "add", ".")
    git(repo, "-c", "filter.lfs.clean=cat", "commit", "-q", "-m", "Pointers")
    repository = _repository.Repository(str(repo), "work")
    commit = git(repo, "rev-parse", "HEAD")
    assert repository.uses_lfs(commit)
    with pytest.raises(Failure, match="lacks 1 of the 1 LFS files"):
        repository.lfs_objects(commit)
    place = repo / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4]
    place.mkdir(parents=True)
    (place / oid).write_bytes(content)
    folder, names = repository.lfs_objects(commit)
    assert folder == str(repo / ".git" / "lfs" / "objects") and names == ["%s/%s/%s" % (oid[:2], oid[2:4], oid)]
    assert not repository.uses_lfs(git(repo, "rev-parse", "HEAD~1"))


def test_nested_submodules_know_their_git_folders(repo, tmp_path):
    for name in ("inner", "middle"):
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init", "-q", "-b", "main")
        git(tmp_path / name, "commit", "-q", "--allow-empty", "-m", "Begin")
    add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"]
    git(tmp_path / "middle", *add, "--name", "core", str(tmp_path / "inner"), "libs/inner")
    git(tmp_path / "middle", "commit", "-q", "-m", "Nest")
    git(repo, *add, str(tmp_path / "middle"), "middle")
    git(repo, "commit", "-q", "-m", "Nest")
    repository = _repository.Repository(str(repo), "work")
    with pytest.raises(Failure, match=r"submodule work/middle/libs/inner is not checked out"):
        repository.submodules(git(repo, "rev-parse", "HEAD"))
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    found = repository.submodules(git(repo, "rev-parse", "HEAD"))
    assert [(module.path, module.folder) for module in found] == [
        ("middle", "modules/middle"),
        ("middle/libs/inner", "modules/middle/modules/core"),
    ]
    # The folders are where git itself has them.
    assert all((repo / ".git" / module.folder / "HEAD").is_file() for module in found)


def test_errors_of_a_push_are_explained():
    assert "role `ready`" in _repository.push_error("work", "/w", "fatal: the remote end hung up", "no-git")
    assert "disk is full" in _repository.push_error("work", "/w", "error: file write error: No space left on device")
    assert "odd thing" in _repository.push_error("work", "/w", "fatal: odd thing\n")
