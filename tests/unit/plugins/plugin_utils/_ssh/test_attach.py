# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short commands for people, read back by ssh and by a shell."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _attach, _shortcut

VARIABLES = {
    "inventory_hostname": "vast-314",
    "ansible_host": "192.0.2.1",
    "ansible_port": 42201,
    "ansible_user": "root",
    "ansible_ssh_common_args": "-o HostKeyAlias=vast-314 -o 'UserKnownHostsFile=\"/k/known hosts\"' -o ControlPath=/s/%C",
}
FACTS = {"stamps": {"tmux": {"data": {"name": "homework"}}}, "tools": {"tmux": {"path": "/usr/bin/tmux", "version": "3.3a"}}}


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RENTED_GPU_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)


def words(command: str) -> list:
    """What a shell makes of a command: its words."""
    ran = subprocess.run(["sh", "-c", 'set -- %s; printf "%%s\\n" "$@"' % command], capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def understood(command: str) -> dict:
    """What `ssh -G` makes of it."""
    ran = subprocess.run([words(command)[0], "-G", *words(command)[1:]], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in ran.stdout.splitlines() if " " in line)


def test_it_is_short_and_pins_the_host_key():
    command = _attach.command(FACTS, VARIABLES)
    assert command == ("ssh -t -F ~/.local/state/rented_gpu/ssh/vast-314 vast-314 env TERM=xterm-256color tmux -u attach -t homework")
    read = understood(command)
    assert (read["hostname"], read["port"], read["user"]) == ("192.0.2.1", "42201", "root")
    assert (read["hostkeyalias"], read["userknownhostsfile"]) == ("vast-314", "/k/known hosts")
    assert read["requesttty"] in ("true", "yes") and read["controlmaster"] == "false"


def test_the_persons_own_settings_come_after_ours(tmp_path):
    (tmp_path / ".ssh").mkdir()
    own = tmp_path / ".ssh" / "config"
    own.write_text("Host *\n  User nobody\n  RemoteCommand htop\n  IdentityFile /mine\n  ProxyJump vast-314-not\n")
    words, name = _shortcut.ssh_words(_attach._Variables(), dict(VARIABLES, ansible_ssh_common_args="-J jump"))
    config = (tmp_path / ".local/state/rented_gpu/ssh/vast-314").read_text()
    # ssh expands `~` by the password file, so the test names the file itself.
    path = tmp_path / "config"
    path.write_text(config.replace("~/.ssh/config", str(own)))
    ran = subprocess.run([words[0], "-G", "-F", str(path), name], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "user root" in ran and "identityfile /mine" in ran and "proxyjump jump" in ran
    assert not [line for line in ran if line.startswith("remotecommand") and "htop" in line]
    # A jump host is reached with the person's settings, not with those of the instance.
    jump = subprocess.run([words[0], "-G", "-F", str(path), "jump"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "hostname jump" in jump and "user nobody" in jump


@pytest.mark.parametrize("session", ["a b", "it's", "$HOME", "-x", "naïve", "a;b", "100%"])
def test_any_name_of_a_session_arrives_as_it_is(session):
    command = _attach.command(FACTS, VARIABLES, session=session)
    far = " ".join(words(command)[5:])
    assert words(far) == ["env", "TERM=xterm-256color", "tmux", "-u", "attach", "-t", session]


def test_a_file_that_cannot_be_written_gives_the_long_command(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", "/proc/no")
    command = _attach.command(FACTS, VARIABLES)
    assert understood(command)["hostkeyalias"] == "vast-314"


def test_no_session_has_no_command_and_this_machine_needs_no_ssh():
    assert _attach.command({}, VARIABLES) == "" and _attach.command({"stamps": {"tmux": {"data": None}}}, VARIABLES) == ""
    here = _attach.command(FACTS, {"ansible_connection": "local"})
    assert here == "env TERM=xterm-256color tmux -u attach -t homework"
    away = dict(FACTS, tools={"tmux": {"path": "/opt/conda/bin/tmux"}})
    assert "env TERM=xterm-256color /opt/conda/bin/tmux -u attach" in _attach.command(away, VARIABLES)


def test_options_without_a_keyword_give_the_long_command():
    assert _shortcut.settings(["-4", "-p", "22"]) is None
    assert _shortcut.settings(["-p22", "-o", "A=b c", "-oD=e", "-i", "/k y"]) == ["Port 22", "A=b c", "D=e", 'IdentityFile "/k y"']


def test_a_path_below_the_home_is_shown_short(tmp_path):
    path = tmp_path / "with blank" / "x"
    path.parent.mkdir()
    path.write_text("")
    assert _shortcut.as_typed(["ls", str(path)]) == "ls ~/'with blank/x'"
    assert (
        subprocess.run(["sh", "-c", _shortcut.as_typed(["ls", str(path)])], env=os.environ, capture_output=True, check=False).returncode
        == 0
    )
    assert shlex.split(_shortcut.as_typed(["a", "/b c"])) == ["a", "/b c"]
