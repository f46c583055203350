# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools, interpreters, git identity and tmux, on real files and real little programs."""

from __future__ import annotations

import json
import os
import sys

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _tools

RUNNING = "%d.%d.%d" % sys.version_info[:3]


@pytest.fixture
def program(tmp_path):
    """``program("bin/tmux", "echo tmux 3.5a")`` makes an executable and gives its path."""

    def make(name: str, script: str = "exit 0") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n%s\n" % script)
        path.chmod(0o755)
        return str(path)

    return make


@pytest.mark.parametrize(
    ("name", "script", "expected"),
    [
        ("git", "echo 'git version 2.39.5'", "2.39.5"),
        ("git-lfs", "echo 'git-lfs/3.5.1 (GitHub; linux amd64; go 1.22.1)'", "3.5.1"),
        ("rsync", "echo 'rsync  version 3.2.7  protocol version 31'", "3.2.7"),
        ("tmux", "[ \"$1\" = -V ] && echo 'tmux 3.3a'", "3.3a"),
        ("curl", "echo 'curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1'", "7.88.1"),
        ("uv", "echo 'uv 0.8.4 (e176e1714 2025-07-30)'", "0.8.4"),
        ("nvcc", "echo 'Cuda compilation tools, release 12.4, V12.4.131'", "12.4.131"),
        ("zstd", "echo '*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***' | sed 's/v1/1/'", "1.5.4"),
        ("sudo", "[ \"$1\" = -V ] && echo 'Sudo version 1.9.13p3'", "1.9"),
        ("unzip", "[ \"$1\" = -v ] && echo 'UnZip 6.00 of 20 April 2009, by Debian.'", "6.00"),
        ("conda", "exit 3", None),
        ("tar", "echo 'no number here'", None),
    ],
)
def test_what_a_tool_says_of_its_version(program, name, script, expected):
    said = _tools.asked_version(name, program(name, script))
    assert (said or "").startswith(expected) if expected else said is None


def test_which_takes_the_first_and_only_what_can_run(program, tmp_path):
    program("a/rsync")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/uv").write_text("not a program")
    expected = program("c/uv")
    (tmp_path / "c/rsync").mkdir()
    search = [str(tmp_path / name) for name in "bca"]
    assert _tools.which("uv", search) == expected
    assert _tools.which("rsync", search) == str(tmp_path / "a/rsync")
    assert _tools.which("nosuch", search) is None


def test_condas_own_git_is_not_the_hosts(program, tmp_path):
    program("opt/miniconda3/bin/git")
    conda = program("opt/miniconda3/bin/conda")
    search = [str(tmp_path / "opt/miniconda3/bin")]
    assert _tools.which("git", search) is None
    assert _tools.which("conda", search) == conda


def test_folders_have_what_a_session_without_a_login_shell_lacks():
    found = _tools.folders("/home/ada", "/usr/bin:relative:/usr/bin:/home/ada/.pyenv/shims::/x")
    assert found[:3] == ["/usr/bin", "/x", "/home/ada/.local/bin"]
    assert len(found) == len(set(found)) and "relative" not in found and "/usr/local/cuda/bin" in found


def test_versions_that_files_know(program, tmp_path):
    installed = {"git": "1:2.39.5-0+deb12u2", "tmux": "3.3a-3"}
    assert _tools.known_version("git", "/usr/bin/git", installed) == "2.39.5"
    assert _tools.known_version("git", "/usr/local/bin/git", installed) is None, "not the packaged one"
    assert _tools.known_version("python3", sys.executable, {}) == RUNNING
    nvcc = program("cuda-12.4/bin/nvcc")
    (tmp_path / "cuda-12.4/version.json").write_text(json.dumps({"cuda": {"version": "12.4.1"}, "cuda_nvcc": {"version": "12.4.131"}}))
    assert _tools.known_version("nvcc", nvcc, {}) == "12.4.131"
    (tmp_path / "cuda-12.4/version.json").write_text("[]")
    assert _tools.known_version("nvcc", nvcc, {}) is None
    conda = program("miniconda3/bin/conda")
    assert _tools.known_version("conda", conda, {}) is None
    (tmp_path / "miniconda3/conda-meta").mkdir()
    (tmp_path / "miniconda3/conda-meta/conda-24.7.1-py312h06a4308_0.json").write_text("{}")
    (tmp_path / "miniconda3/conda-meta/conda-libmamba-solver-24.7.0-pyhd3eb1b0_0.json").write_text("{}")
    assert _tools.known_version("conda", conda, {}) == "24.7.1"


def test_interpreters(program, tmp_path, monkeypatch):
    for name in ("UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME", "PYENV_ROOT"):
        monkeypatch.delenv(name, raising=False)
    plain = program("bin/python3.11", "echo 3.11.9")
    program("bin/python3.11-config")
    os.symlink(plain, tmp_path / "bin/python3")
    managed = program(".local/share/uv/python/cpython-3.12.4-linux-x86_64-gnu/bin/python3")
    program(".local/share/uv/python/.lock/bin/python3")
    found = _tools.interpreters(str(tmp_path), [str(tmp_path / "bin")])
    own = found.pop(sys.executable)
    assert own == RUNNING
    assert found.pop(managed) == "3.12.4"
    assert list(found.values()) == [None] and next(iter(found)) in (plain, str(tmp_path / "bin/python3")), "one interpreter, one line"
    assert _tools.python_version(plain) == "3.11.9"
    assert _tools.python_version(program("broken", "exit 1")) is None
    assert _tools.python_version(sys.executable) == RUNNING


CONFIG = """
# a comment
[core]
\tname = wrong
[User]
\tname = "Ada \\"the first\\" Lovelace" ; not Byron
\temail = ada@example.org # at home
[includeIf "gitdir:~/work/"]
\tpath = other
"""


def test_git_identity(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    home = str(tmp_path)
    assert _tools.git_identity(home, home) == {"name": None, "email": None}
    config = tmp_path / home.lstrip("/")
    config.mkdir(parents=True)
    (config / ".gitconfig").write_text(CONFIG)
    assert _tools.git_identity(home, home) == {"name": 'Ada "the first" Lovelace', "email": "ada@example.org"}


def test_git_identity_is_what_git_says(tmp_path, monkeypatch):
    """The real git reads the same from the same files."""
    import shutil
    import subprocess

    if not shutil.which("git"):
        pytest.skip("git is not installed")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / ".config/git").mkdir(parents=True)
    (tmp_path / ".config/git/config").write_text("[user]\nname = From XDG\nemail = xdg@example.org\n")
    (tmp_path / ".gitconfig").write_text('[include]\n\tpath = ~/more\n[user]\n\tname = A \\\\ "B # C" ;d\n')
    (tmp_path / "more").write_text("[user] email = more@example.org\n")
    for key, value in _tools.git_identity(str(tmp_path)).items():
        said = subprocess.run(["git", "config", "user." + key], capture_output=True, text=True, cwd=str(tmp_path), check=True)
        assert value == said.stdout.strip()


@pytest.mark.parametrize(
    ("file", "line", "present"),
    [
        (".bashrc", "if [[ -z $TMUX ]] && [ ! -f ~/.no_auto_tmux ]; then tmux attach-session -t ssh_tmux; fi", True),
        (".bash_profile", "  exec tmux new-session -A -s main", True),
        (".bashrc", "# tmux attach would be nice", False),
        (".bashrc", "alias t=tmux", False),
        (".bashrc", "export PATH=$PATH:/usr/bin", False),
    ],
)
def test_auto_tmux(tmp_path, monkeypatch, file, line, present):
    monkeypatch.delenv("VAST_CONTAINERLABEL", raising=False)
    home = "/home/ada"
    (tmp_path / "home/ada").mkdir(parents=True)
    (tmp_path / "home/ada" / file).write_text(line + "\n")
    assert _tools.auto_tmux(home, str(tmp_path)) == {"present": present, "off": False}
    (tmp_path / "home/ada/.no_auto_tmux").touch()
    assert _tools.auto_tmux(home, str(tmp_path))["off"]


def test_auto_tmux_by_the_marker_of_vast(tmp_path, monkeypatch):
    monkeypatch.delenv("VAST_CONTAINERLABEL", raising=False)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/environment").write_text("VAST_CONTAINERLABEL=C.123\n")
    assert _tools.auto_tmux("/root", str(tmp_path))["present"]


def test_tmux_is_not_started_to_be_asked(program, tmp_path, monkeypatch):
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path))
    tmux = program("tmux", "touch '%s'; echo homework; echo 'two words'" % (tmp_path / "ran"))
    assert _tools.tmux_sessions(tmux, 7) == [] and not (tmp_path / "ran").exists()
    (tmp_path / "tmux-7").mkdir()
    (tmp_path / "tmux-7/default").touch()
    assert _tools.tmux_sessions(tmux, 7) == ["homework", "two words"]
    assert _tools.tmux_sessions(None, 7) == []
