# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of the role tmux with the real tmux, in a home and on a server of its own; see tests/integration/test_tmux.py too."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from ansible_collections.rented.gpu.plugins.action.tmux import session_name
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _activation
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _attach
from ansible_collections.rented.gpu.tests.unit.plugins.modules._process import answers

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


@pytest.fixture
def home():
    # Not tmp_path: the path of a socket has 107 bytes at most.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    (folder / ".profile").write_text(_activation.SOURCE + "\n")
    yield folder
    tmux(folder, "kill-server", check=False)
    shutil.rmtree(folder, ignore_errors=True)  # a shell that ends may still write there


def environment(home):
    return {"HOME": str(home), "TMUX_TMPDIR": str(home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/bash", "USER": "x"}


def tmux(home, *arguments, check=True):
    ran = subprocess.run(["tmux", "-u", *arguments], env=environment(home), capture_output=True, text=True, check=check, timeout=30)
    return ran.stdout.strip()


def session(home, name, project="", check=False, extra=None, **more):
    arguments = {"name": name, "project": str(project or home), "stamp_wanted": "w", "_ansible_check_mode": check, **more}
    (answer,) = answers("tmux", [arguments], env=dict(environment(home), **extra or {}))
    return answer


def project(home, name):
    """A folder with an environment whose python says where it lies, as if python_env had just made it."""
    path = home / name / ".venv"
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").write_text("#!/bin/sh\necho %s\n" % path)
    (path / "bin" / "python").chmod(0o755)
    (home / ".rented").mkdir(exist_ok=True)
    (home / ".rented" / "env.sh").write_text(_activation.env_sh(str(path)))
    return str(path)


def python_in(home, target):
    """Which python a window finds."""
    told = home / "told"
    told.unlink(missing_ok=True)
    tmux(home, "send-keys", "-t", target, "python > %s.new; mv %s.new %s" % (told, told, told), "Enter")
    end = time.monotonic() + 60
    while not told.exists():
        assert time.monotonic() < end, tmux(home, "capture-pane", "-p", "-t", target)
        time.sleep(0.1)
    return told.read_text().strip()


def new_window(home, name):
    tmux(home, "new-window", "-d", "-t", "=%s:" % name, "-n", "fresh")
    try:
        return python_in(home, "=%s:fresh" % name)
    finally:
        tmux(home, "kill-window", "-t", "=%s:fresh" % name)


def test_each_projects_session_keeps_its_own_environment(home):
    first = project(home, "hw1")
    session(home, "hw1", home / "hw1", environment=first)
    second = project(home, "hw2")
    made = session(home, "hw2", home / "hw2", environment=second)
    assert made["changed"] and made["sessions"] == ["hw1", "hw2"]
    assert python_in(home, "=hw1:") == new_window(home, "hw1") == first
    # Its first window too, although the server was running when the session was made.
    assert python_in(home, "=hw2:") == new_window(home, "hw2") == second
    tmux(home, "new-session", "-d", "-s", "own")
    assert new_window(home, "own") == second  # the one that was prepared last
    assert session(home, "hw1", environment=first)["changed"] is False
    moved = session(home, "hw1", environment=second, check=True)
    assert moved["changed"] is True and new_window(home, "hw1") == first
    assert session(home, "hw1", environment=second)["changed"] is True
    assert new_window(home, "hw1") == second
    # A session that somebody else opened is left as it is.
    assert session(home, "own", environment=first)["changed"] is False
    assert new_window(home, "own") == second
    # An environment that is gone does not leave a window without any.
    shutil.rmtree(second)
    assert new_window(home, "hw1") != second


@pytest.mark.parametrize(
    ("asked", "name"),
    [("naïve ünï", "naïve_ünï"), ("a.b:c#S", "a_b_c_S"), ("$0", "_0"), ("@1", "_1"), ("=x", "_x"), ("-x", "_x"), ("back\\s", "back_s"),
     ("tab\tx", "tab_x"), ("*", "*"), ("a'b", "a'b"), ("日本", "日本"), ("{last}", "_last}")],
)  # fmt: skip
def test_any_name_gives_a_session_that_is_found_again(home, asked, name):
    assert session_name(asked) == name
    folder = home / "odd #S %d #{host} ü"
    folder.mkdir()
    assert session(home, name, folder)["sessions"] == [name]
    assert session(home, name, folder)["changed"] is False
    assert tmux(home, "display-message", "-p", "-t", "=%s:" % name, "#{session_path}") == str(folder)


def test_a_beginning_of_a_name_is_not_the_name(home):
    tmux(home, "new-session", "-d", "-s", "homework")
    assert session(home, "home")["sessions"] == ["home", "homework"]


@pytest.mark.parametrize(
    ("configuration", "made"),
    [
        ("set -g base-index 5\nset -g pane-base-index 3\nset -g automatic-rename off\nset -g allow-rename on", True),
        ("set -g prefix C-a\nset -g default-command 'sh -l'", True),
        ("set -g no-such-option 1", True),
        ("set -g destroy-unattached on", False),
        ("set -g default-command true", False),
    ],
)
def test_a_users_configuration_steers_no_claim(home, configuration, made):
    (home / ".tmux.conf").write_text(configuration + "\n")
    answer = session(home, "x")
    there = tmux(home, "list-sessions", "-F", "#{session_name}", check=False).split()
    assert bool(answer.get("failed")) is ("x" not in there)
    if made:
        assert answer["sessions"] == ["x"] and answer["config"] == "the user's own"
    elif answer.get("failed"):
        assert "could not be started" in answer["msg"]


def test_the_environment_of_another_tmux_does_not_lead_elsewhere(home):
    tmux(home, "-L", "other", "new-session", "-d", "-s", "elsewhere")
    socket = next((home / ("tmux-%d" % os.getuid())).glob("other"))
    try:
        assert session(home, "right", extra={"TMUX": "%s,1,0" % socket, "LC_ALL": "C"})["sessions"] == ["right"]
    finally:
        tmux(home, "-L", "other", "kill-server")


def test_a_configuration_that_is_no_longer_wanted_is_taken_back(home):
    conf, ours = home / ".tmux.conf", home / ".rented" / "tmux.conf"
    assert session(home, "x")["config"] == "ours" and ours.exists()
    conf.write_text(conf.read_text() + "set -g status off\n")
    assert session(home, "x", config=False, check=True)["changed"] is True and ours.exists()
    assert session(home, "x", config=False)["changed"] is True
    assert conf.read_text() == "set -g status off\n" and not ours.exists()
    assert session(home, "x", config=False)["changed"] is False
    # The user's own file is an input: the stamp tells when it is gone.
    assert session(home, "x")["config"] == "the user's own"
    assert _stamps.read(str(home), "tmux")["intact"]
    conf.unlink()
    assert not _stamps.read(str(home), "tmux")["intact"]
    assert session(home, "x")["config"] == "ours"
    assert session(home, "x", config=False)["changed"] is True and not conf.exists()


@pytest.mark.parametrize("term", ["xterm-ghostty", "xterm-kitty", "alacritty", "unheard-of"])
def test_the_shown_command_attaches_from_any_terminal(home, term):
    """As a person types it; `script` gives it a terminal."""
    session(home, "x")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    surroundings = dict(environment(home), TERM=term)
    attached = subprocess.Popen(["script", "-qec", _attach.on_host("x"), "/dev/null"], env=surroundings, **pipes)
    try:
        end = time.monotonic() + 60
        while not tmux(home, "list-clients", "-t", "=x"):
            assert time.monotonic() < end and attached.poll() is None, attached.communicate()[0]
            time.sleep(0.1)
        assert tmux(home, "list-clients", "-t", "=x", "-F", "#{client_termname} #{client_utf8}") == "xterm-256color 1"
    finally:
        tmux(home, "detach-client", "-s", "=x", check=False)
        attached.kill()
        attached.communicate()
