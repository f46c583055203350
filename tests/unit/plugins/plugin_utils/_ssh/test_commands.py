# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh command for git and rsync, read back by ssh itself."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._data import _rsync
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _repository
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _agent, _commands


class Connection:
    """Only what is asked of a connection plugin: its options."""

    transport = "ssh"

    def __init__(self, **options):
        self.options = options

    def get_option(self, name):
        return self.options[name]

    def set_option(self, name, value):
        self.options[name] = value


def settings(argv: list, host: str = "192.0.2.1") -> dict:
    """What `ssh -G` makes of a command."""
    lines = subprocess.run([*argv, "-G", host], capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


COMMON = "-o HostKeyAlias=vast-1 -o UserKnownHostsFile=/k/known -o ControlMaster=auto -o ControlPersist=60s -o 'ControlPath=/s/%C'"


def test_it_is_what_ansible_would_use_and_shares_its_socket():
    connection = Connection(
        host="192.0.2.1", port=2222, remote_user="ubuntu", private_key_file="/keys/my key", ssh_args="-C", ssh_common_args=COMMON
    )
    read = settings(_commands.Ssh(connection, {}).argv())
    assert (read["port"], read["user"], read["hostkeyalias"], read["userknownhostsfile"]) == ("2222", "ubuntu", "vast-1", "/k/known")
    assert read["identityfile"] == "/keys/my key"
    assert read["batchmode"] == "yes" and read["controlmaster"] == "false" and read["controlpath"].startswith("/s/")


def test_the_socket_that_ansible_chose_itself_is_found(monkeypatch, tmp_path):
    class Own(Connection):
        host = "192.0.2.1"

        @staticmethod
        def _create_control_path(host, port, user):
            return "%(directory)s/" + "-".join((host, str(port), user))

    connection = Own(
        host="192.0.2.1",
        port=22,
        remote_user="root",
        ssh_args="-C -o ControlMaster=auto -o ControlPersist=60s",
        control_path_dir=str(tmp_path),
    )
    assert settings(_commands.Ssh(connection, {}).argv())["controlpath"] == "%s/192.0.2.1-22-root" % tmp_path


def test_without_options_the_host_variables_count():
    variables = {"inventory_hostname": "box", "ansible_host": "2001:db8::1", "ansible_port": 2200, "ansible_user": "root"}
    ssh = _commands.Ssh(Connection(), variables)
    assert (ssh.address, ssh.bracketed) == ("2001:db8::1", "[2001:db8::1]")
    assert settings(ssh.argv())["port"] == "2200"


def test_what_is_shown_to_people_works_without_our_socket():
    connection = Connection(host="192.0.2.1", port=2222, remote_user="root", ssh_common_args=COMMON, ssh_args="-o ControlMaster=auto")
    shown = _commands.Ssh(connection, {}).shown()
    assert "Control" not in shown and "HostKeyAlias=vast-1" in shown and "Port=2222" in shown


def test_other_connections_are_refused():
    connection = Connection()
    connection.transport = "local"
    with pytest.raises(Failure, match="reached by 'local'"):
        _commands.Ssh(connection, {"inventory_hostname": "here"})


@pytest.fixture
def agent(tmp_path):
    """The socket of a real agent with one key."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    while not path.exists():
        time.sleep(0.05)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    subprocess.run(["ssh-add", "-q", str(tmp_path / "key")], check=True, env=dict(os.environ, SSH_AUTH_SOCK=str(path)))
    yield str(path)
    process.terminate()
    process.wait()


def test_the_agent_is_lent_on_a_connection_of_its_own_and_taken_back(monkeypatch, agent):
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    connection = Connection(ssh_args="-C -o ControlMaster=auto -o ControlPersist=60s")
    with _commands.LentAgent(connection, {}):
        # ssh_args come first in Ansible's command, and the first value wins.
        read = settings(["ssh", *connection.options["ssh_args"].split(), *["-o", "ControlPath=/s/%C", "-o", "ForwardAgent=no"]])
        assert (read["forwardagent"], read.get("controlpath", "none"), read["controlmaster"]) == ("yes", "none", "false")
    assert connection.options["ssh_args"] == "-C -o ControlMaster=auto -o ControlPersist=60s"
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(Failure, match="SSH_AUTH_SOCK"):
        _commands.LentAgent(connection, {})


def test_the_agent_is_the_one_that_ssh_would_use(monkeypatch, agent, tmp_path):
    """1Password and others are named by IdentityAgent, and SSH_AUTH_SOCK is not set, or names another agent (macOS)."""
    monkeypatch.setenv("MY_AGENT", agent)
    for other in (None, str(tmp_path / "another")):
        if other:
            monkeypatch.setenv("SSH_AUTH_SOCK", other)
        else:
            monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        for named in (agent, "$MY_AGENT", "${MY_AGENT}"):
            (tmp_path / "config").write_text("Host *\n IdentityAgent %s\n" % named)
            command = ["ssh", "-F", str(tmp_path / "config"), "box"]
            assert (_agent.socket(command), _agent.trouble(command)) == (agent, None)
            _commands.LentAgent(Connection(ssh_common_args="-F %s" % (tmp_path / "config")), {"inventory_hostname": "box"})
    (tmp_path / "config").write_text("Host *\n IdentityAgent none\n")
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    with pytest.raises(Failure, match="IdentityAgent none"):
        _commands.LentAgent(Connection(ssh_common_args="-F %s" % (tmp_path / "config")), {"inventory_hostname": "box"})
    (tmp_path / "config").write_text("Host *\n IdentityAgent SSH_AUTH_SOCK\n")
    assert _agent.socket(["ssh", "-F", str(tmp_path / "config"), "box"]) == agent


@pytest.mark.parametrize(
    ("address", "before_a_colon", "in_a_url"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("gpu.example.org", "gpu.example.org", "gpu.example.org"),
        ("2001:db8::1", "[2001:db8::1]", "[2001:db8::1]"),
        ("fe80::1%eth0", "[fe80::1%eth0]", "[fe80::1%25eth0]"),
    ],
)
def test_an_address_where_a_colon_would_end_it(address, before_a_colon, in_a_url):
    connection = Connection(host=address, port=22, remote_user="root", private_key_file=None, ssh_args="", ssh_common_args=COMMON)
    ssh = _commands.Ssh(connection, {})
    assert (ssh.address, ssh.bracketed, ssh.in_url) == (address, before_a_colon, in_a_url)


@pytest.mark.parametrize("address", ["2001:db8::1", "fe80::1%lo"])
def test_git_and_rsync_hand_an_ipv6_address_to_ssh_as_it_is(address, tmp_path):
    """Both take it out of its brackets; a stand-in for ssh writes down what it was called with."""
    stand_in = tmp_path / "ssh"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.called"\nexit 1\n')
    stand_in.chmod(0o755)
    connection = Connection(
        host=address, port=2222, remote_user="root", private_key_file=None, ssh_args="", ssh_common_args="", ssh_executable=str(stand_in)
    )
    ssh = _commands.Ssh(connection, {})
    subprocess.run(["git", "init", "-q", str(tmp_path / "r")], check=True)
    identity = ["-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", str(tmp_path / "r"), *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    for send in (
        lambda: _repository.Repository(str(tmp_path / "r"), "r").push(ssh, "/workspace/r", ["HEAD:refs/heads/x"]),
        lambda: _rsync.send(ssh, str(tmp_path / "r"), "/workspace/r", [], False),
    ):
        with pytest.raises(Failure):
            send()
        called = (tmp_path / "ssh.called").read_text().splitlines()
        assert address in called and "Port=2222" in called and not any("[" in word for word in called if address in word)
        (tmp_path / "ssh.called").unlink()
