# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a change of a local package, on a real file system and in a real repository."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _sources, _stamps
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _git_exclude


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def put(folder, name, text=""):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(params=["plain", "git", "inside"])
def lib(request, tmp_path):
    """A package in a plain folder, at the top of a repository, and in a folder of one."""
    folder = tmp_path / "repo" / "lib" if request.param == "inside" else tmp_path / "lib"
    put(folder, "pyproject.toml", '[project]\nname = "lib"\nversion = "0"\n')
    put(folder, "lib/__init__.py")
    put(folder, "lib/code.py", "V = 1\n")
    put(folder, "lib/data.json", "{}")
    if request.param != "plain":
        top = tmp_path / "repo" if request.param == "inside" else folder
        git(top, "init", "-q")
        git(top, "add", ".")
        git(top, "commit", "-q", "-m", "one")
    return folder


@pytest.mark.parametrize(
    "name, in_place",
    [
        ("lib/code.py", False),  # used in place, the new code is there already
        ("lib/__init__.py", True),  # may hold the version
        ("lib/data.json", True),
        ("pyproject.toml", True),
        ("setup.py", True),
        ("requirements.txt", True),
        ("lib/new.py", True),  # a finder of setuptools knows only the names that it saw
        ("lib/new.bin", True),
        ("csrc/kernel.cu", True),
    ],
)
def test_a_change_is_seen(lib, name, in_place):
    before = _sources.digest(str(lib)), _sources.digest(str(lib), editable=True)
    put(lib, name, "# changed\n")
    assert _sources.digest(str(lib)) != before[0]
    assert (_sources.digest(str(lib), editable=True) != before[1]) is in_place


@pytest.mark.parametrize(
    "name",
    ["build/lib/x.py", "lib.egg-info/PKG-INFO", "lib/__pycache__/code.pyc", ".venv/pyvenv.cfg", "outputs/run1/model.pt", "wandb/log.txt",
     ".git/rented-test", ".pytest_cache/x", "lib/fast.so"],
)  # fmt: skip
def test_what_builds_and_runs_leave_behind_is_no_change(lib, name):
    if name.startswith(".git/") and not (lib / ".git").is_dir():
        name = ".hg/x"
    before = _sources.digest(str(lib)), _sources.digest(str(lib), editable=True)
    put(lib, name, "x")
    assert (_sources.digest(str(lib)), _sources.digest(str(lib), editable=True)) == before


def test_a_commit_with_another_content_is_a_change_and_one_elsewhere_is_not(tmp_path):
    put(tmp_path, "lib/setup.py", "one")
    put(tmp_path, "train.py", "one")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    before = _sources.digest(str(tmp_path / "lib"))
    put(tmp_path, "train.py", "two")
    git(tmp_path, "commit", "-q", "-a", "-m", "two")
    assert _sources.digest(str(tmp_path / "lib")) == before
    put(tmp_path, "lib/setup.py", "two")
    git(tmp_path, "commit", "-q", "-a", "-m", "three")
    assert _sources.digest(str(tmp_path / "lib")) != before


def test_a_submodule_in_a_package_counts(tmp_path):
    put(tmp_path, "sub/x.py", "one")
    git(tmp_path / "sub", "init", "-q")
    git(tmp_path / "sub", "add", ".")
    git(tmp_path / "sub", "commit", "-q", "-m", "one")
    put(tmp_path, "lib/setup.py")
    git(tmp_path / "lib", "init", "-q")
    git(tmp_path / "lib", "-c", "protocol.file.allow=always", "submodule", "-q", "add", str(tmp_path / "sub"), "sub")
    git(tmp_path / "lib", "add", ".")
    git(tmp_path / "lib", "commit", "-q", "-m", "one")
    before = _sources.digest(str(tmp_path / "lib"))
    put(tmp_path, "lib/sub/x.py", "another")
    assert _sources.digest(str(tmp_path / "lib")) != before


def test_names_of_any_bytes(tmp_path):
    put(tmp_path, "setup.py")
    (tmp_path / "sch\u00f6n \n.py").write_text("x")
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.py"), "wb") as handle:
        handle.write(b"x")
    plain = _sources.digest(str(tmp_path))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    tracked = _sources.digest(str(tmp_path))
    assert plain and tracked
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.py"), "wb") as handle:
        handle.write(b"other")
    assert _sources.digest(str(tmp_path)) != tracked


def test_a_replaced_wheel_and_a_new_one_in_a_folder(tmp_path):
    wheel = tmp_path / "lib-1-py3-none-any.whl"
    wheel.write_bytes(b"a")
    before = _sources.digest(str(wheel)), _sources.archives_digest(str(tmp_path))
    stamp = wheel.stat().st_mtime_ns
    wheel.write_bytes(b"b")
    os.utime(wheel, ns=(stamp, stamp))
    assert _sources.digest(str(wheel)) != before[0]
    wheel.write_bytes(b"another")
    changed = _sources.archives_digest(str(tmp_path))
    assert changed != before[1]
    (tmp_path / "notes.txt").write_text("x")
    assert _sources.archives_digest(str(tmp_path)) == changed
    (tmp_path / "other-2.tar.gz").write_text("x")
    assert _sources.archives_digest(str(tmp_path)) != changed


def test_what_is_gone_has_no_digest(tmp_path):
    assert _sources.digest(str(tmp_path / "gone")) is None
    assert _sources.archives(str(tmp_path / "gone")) == {}


def test_a_stamp_watches_them(lib, tmp_path):
    home = str(tmp_path / "home")
    watch = {
        "sources": {str(lib): _sources.digest(str(lib))},
        "editables": {str(lib): _sources.digest(str(lib), editable=True)},
        "archives": {str(tmp_path): _sources.archives_digest(str(tmp_path))},
    }
    _stamps.write(home, "x", "w", watch)
    assert _stamps.read_all(home)["x"]["drift"] == []
    put(lib, "lib/code.py", "V = 22\n")
    assert _stamps.read_all(home)["x"]["drift"] == ["sources: %s" % lib]


def test_a_checkout_does_not_see_what_an_install_left(tmp_path):
    put(tmp_path, "repo/lib/setup.py")
    git(tmp_path / "repo", "init", "-q")
    git(tmp_path / "repo", "add", ".")
    put(tmp_path, "repo/lib/mine.txt")
    put(tmp_path, "repo/lib/dist/mine.txt")
    lib = str(tmp_path / "repo" / "lib")
    before = _git_exclude.untracked(lib)
    put(tmp_path, "repo/lib/build/x")
    put(tmp_path, "repo/lib/x[1].egg-info/PKG-INFO")
    assert _git_exclude.hide(lib, before) == ["build/", "x[1].egg-info/"]
    assert git(tmp_path / "repo", "status", "--porcelain", "--untracked-files=all").split() == [
        "A", "lib/setup.py", "??", "lib/dist/mine.txt", "??", "lib/mine.txt",
    ]  # fmt: skip
    put(tmp_path, "repo/lib/y.egg-info/PKG-INFO")
    assert _git_exclude.hide(lib, _git_exclude.untracked(lib)) == ["y.egg-info/"]
    exclude = (tmp_path / "repo" / ".git" / "info" / "exclude").read_text()
    assert exclude.count("rented.gpu") == 2 and "/lib/build/" in exclude and "/lib/y.egg-info/" in exclude


def test_an_environment_in_tracked_files_is_found(tmp_path):
    put(tmp_path, ".venv/pyvenv.cfg")
    assert _git_exclude.tracked(str(tmp_path), str(tmp_path / ".venv")) == []
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    assert _git_exclude.tracked(str(tmp_path), str(tmp_path / ".venv")) == [".venv/pyvenv.cfg"]
    assert _git_exclude.tracked(str(tmp_path), str(tmp_path / "other")) == []
    assert _git_exclude.tracked(str(tmp_path), "/elsewhere/.venv") == []
