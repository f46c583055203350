# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine as a host: the shell that stands in for ssh, with the real git and rsync, and what programs see of Ansible's environment."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._data import _rsync
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _repository
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _commands, _local_host


class Local:
    transport = "local"


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", ["plain", "with blank", "it's", "ü;$(id)"])
def test_git_pushes_to_any_folder_of_this_machine(tmp_path, name):
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "-q", "-b", "main")
    git(source, "commit", "-q", "--allow-empty", "-m", "Begin")
    commit = git(source, "rev-parse", "HEAD")
    dest = tmp_path / name
    reached = _commands.reach(Local(), {})
    _repository.Repository(str(source), "source").push(reached, str(dest), ["+%s:%s" % (commit, _repository.INCOMING)])
    assert git(dest, "rev-parse", _repository.INCOMING) == commit
    other = tmp_path / "files"
    other.mkdir()
    (other / "mine").write_text("mine")
    with pytest.raises(Failure, match="holds files but is not a git repository"):
        _repository.Repository(str(source), "source").push(reached, str(other), ["+%s:%s" % (commit, _repository.INCOMING)])


@pytest.mark.parametrize("name", ["plain", "with blank", "it's", "ü;$(id)"])
def test_rsync_sends_to_any_folder_of_this_machine(tmp_path, name):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("1")
    dest = tmp_path / name
    reached = _commands.reach(Local(), {})
    assert _rsync.send(reached, str(source), str(dest), [], False, dry=True) is None
    assert not dest.exists()
    assert _rsync.send(reached, str(source), str(dest), [], False).files == 1
    assert (dest / "a").read_text() == "1"
    assert _rsync.send(reached, str(source), str(dest), [], False).changes == 0
    with pytest.raises(Failure, match="is a file"):
        _rsync.send(reached, str(source), str(dest / "a"), [], False)


def test_an_error_is_not_taken_for_a_lost_connection():
    with pytest.raises(Failure, match="as it was"), _commands.program("git push", Local(), {}):
        raise Failure("as it was", stderr="fatal")


def test_the_agent_of_this_machine_is_taken_and_its_absence_told(monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    with _commands.lent_agent(Local(), {}):
        pass
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(Failure, match="out of reach without ssh"):
        _commands.lent_agent(Local(), {})


def test_ansibles_own_environment_is_out_of_sight_and_comes_back(monkeypatch):
    assert sys.prefix != sys.base_prefix, "these tests run in an environment of their own"
    before = os.pathsep.join([os.path.join(sys.prefix, "bin"), "/usr/bin", "/bin"])
    monkeypatch.setenv("PATH", before)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    with contextlib.suppress(ZeroDivisionError), _local_host.own_environment_left():
        assert os.environ["PATH"] == "/usr/bin:/bin"
        assert "VIRTUAL_ENV" not in os.environ
        raise ZeroDivisionError
    assert (os.environ["PATH"], os.environ["VIRTUAL_ENV"]) == (before, sys.prefix)


def test_an_environment_of_the_user_stays_in_sight(monkeypatch):
    monkeypatch.setenv("PATH", "/home/ada/env/bin:/usr/bin")
    monkeypatch.setenv("VIRTUAL_ENV", "/home/ada/env")
    with _local_host.own_environment_left():
        assert (os.environ["PATH"], os.environ["VIRTUAL_ENV"]) == ("/home/ada/env/bin:/usr/bin", "/home/ada/env")


def test_places(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert _local_host.same_place(str(tmp_path / "link"), str(tmp_path / "real"))
    assert _local_host.inside(str(tmp_path / "link" / "x"), str(tmp_path / "real"))
    assert not _local_host.inside(str(tmp_path / "real-2"), str(tmp_path / "real"))
