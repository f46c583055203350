# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh makes of our real commands beside a hostile configuration file (``ssh -G -F``), option by option of the table."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import subprocess

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _commands, _connection, _first_login, _options, _ssh_config

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")

INSTANCE = Instance("vast", "home", "42", ssh_host="192.0.2.1", ssh_port=2222, ssh_user="root", ssh_via="direct")

# One hostile value for each neutralised option, and how `ssh -G` would print it where it had a say.
HOSTILE = {
    "RemoteCommand": ("tmux new -A -s main", "tmux new -A -s main"),
    "RequestTTY": ("force", "force"),
    "SessionType": ("none", "none"),
    "StdinNull": ("yes", "yes"),
    "ForkAfterAuthentication": ("yes", "yes"),
    "EscapeChar": ("a", "a"),
    "PermitLocalCommand": ("yes", "yes"),
    "ClearAllForwardings": ("no", "no"),
    "ExitOnForwardFailure": ("yes", "yes"),
    "Tunnel": ("yes", "point-to-point"),
    "ForwardAgent": ("yes", "yes"),
    "ForwardX11": ("yes", "yes"),
    "GSSAPIDelegateCredentials": ("yes", "yes"),
    "ChannelTimeout": ("session=1s", "session=1s"),
    "LogLevel": ("DEBUG3", "DEBUG3"),
    "LogVerbose": ("kex.c:*:1000", "kex.c:*:1000"),
    "VisualHostKey": ("yes", "yes"),
    "FingerprintHash": ("md5", "MD5"),
    "HostKeyAlias": ("other", "other"),
    "UserKnownHostsFile": ("/dev/null", "/dev/null"),
    "GlobalKnownHostsFile": ("/tmp/global", "/tmp/global"),
    "KnownHostsCommand": ("/bin/echo key", "/bin/echo key"),
    "StrictHostKeyChecking": ("no", "false"),
    "CheckHostIP": ("yes", "yes"),
    "NoHostAuthenticationForLocalhost": ("yes", "yes"),
    "VerifyHostKeyDNS": ("yes", "true"),
    "UpdateHostKeys": ("yes", "true"),
    "HostName": ("192.0.2.99", "192.0.2.99"),
    "CanonicalizeHostname": ("always", "always"),
    "ServerAliveInterval": ("7", "7"),
    "ServerAliveCountMax": ("9", "9"),
    "ControlMaster": ("yes", "true"),
    "ControlPersist": ("7", "7"),
    "ControlPath": ("/tmp/other", "/tmp/other"),
    "LocalForward": ("127.0.0.1:1 127.0.0.1:1", "[127.0.0.1]:1 [127.0.0.1]:1"),
    "RemoteForward": ("127.0.0.1:1 127.0.0.1:1", "[127.0.0.1]:1 [127.0.0.1]:1"),
    "DynamicForward": ("127.0.0.1:1", "[127.0.0.1]:1"),
    "LocalCommand": ("echo hi", "echo hi"),
}
# Cleared by another option, which `ssh -G` does not apply.
BY_ANOTHER = {"LocalForward", "RemoteForward", "DynamicForward", "LocalCommand"}


def printed(command: list) -> dict:
    """What ``ssh -G`` prints: lower-case name -> values."""
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict = {}
    for line in shown.splitlines():
        name, _blank, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def neutralised() -> list:
    return [option for option in _ssh_config.TABLE if option.verdict == _ssh_config.NEUTRALISED and option.since <= _options.version()]


def with_config(command: list, path) -> list:
    """The same command as if the file were ~/.ssh/config; asks for what ssh makes of it in place of connecting."""
    return [command[0], "-F", str(path), "-G", *command[1:]]


@pytest.fixture(name="variables")
def variables_fixture(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(_options, "runs_no_command", lambda executable="ssh": True)
    return _connection.Connection().variables(INSTANCE)


def ansible_connection(variables):
    connection = connection_loader.get("ansible.builtin.ssh", PlayContext(), None)
    connection.set_options(var_options=dict(variables))
    return connection


def command_of_ansible(variables, *more):
    return [part.decode() for part in ansible_connection(variables)._build_command("ssh", "ssh", *more, variables["ansible_host"])]


def command_of_git(variables):
    return [*_commands.Ssh(ansible_connection(variables), dict(variables, inventory_hostname="vast-42")).argv(), variables["ansible_host"]]


def command_of_adopt(variables):
    return _first_login.command(variables, 7)


def command_of_a_jump(variables):
    command = _connection.Connection().jump("ada@jump.example.org:2201")
    return shlex.split(command.replace("%%", "\0").replace("%h", "192.0.2.1").replace("%p", "22").replace("\0", "%"))


EXPECTED = {
    command_of_ansible: set(),
    # Alone on its connection, or never the master.
    command_of_git: set(),
    command_of_adopt: set(),
    # It carries a connection and runs nothing: -W sets what concerns sessions and forwarding. Its names and keys are the user's.
    command_of_a_jump: {
        "SessionType", "ClearAllForwardings", "HostKeyAlias", "GlobalKnownHostsFile", "KnownHostsCommand", "HostName",
        "CanonicalizeHostname", "ControlPersist", "ExitOnForwardFailure",
    },
}  # fmt: skip


@pytest.mark.parametrize("made", list(EXPECTED), ids=lambda made: made.__name__)
def test_no_neutralised_option_of_a_configuration_file_has_a_say(variables, tmp_path, made):
    command = made(variables)
    for option in neutralised():
        value, shown = HOSTILE[option.name]
        path = tmp_path / "config"
        path.write_text("Host *\n  %s %s\n" % (option.name, value))
        # The value is a real one: without our options ssh takes it.
        more = ["true"] if option.name == "ForkAfterAuthentication" else []  # ssh insists
        alone = printed(["ssh", "-F", str(path), "-G", "192.0.2.1", *more])
        assert shown in alone.get(option.key, []), (option.name, alone.get(option.key))
        if option.name in BY_ANOTHER or option.name in EXPECTED[made]:
            continue
        ours = printed(with_config(command, path))
        assert shown not in ours.get(option.key, []), option.name


@pytest.mark.parametrize("made", [command_of_ansible, command_of_git, command_of_adopt])
def test_forwardings_and_local_commands_are_switched_off(variables, tmp_path, made):
    (tmp_path / "config").write_text("Host *\n  ClearAllForwardings no\n  PermitLocalCommand yes\n  LocalForward 1 127.0.0.1:1\n")
    ours = printed(with_config(made(variables), tmp_path / "config"))
    assert (ours["clearallforwardings"], ours["permitlocalcommand"]) == (["yes"], ["no"])


def test_ansible_still_gets_a_terminal_where_it_asks_for_one(variables):
    command = command_of_ansible(variables, "-tt")
    assert printed(["ssh", "-F", "none", "-G", *command[1:]])["requesttty"] == ["force"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ProxyCommand", "nc %h %p"),
        ("IdentityFile", "/keys/mine"),
        ("IdentityAgent", "/agent.sock"),
        ("Ciphers", "aes256-ctr"),
        ("AddressFamily", "inet"),
    ],
)
def test_a_wanted_option_counts(variables, tmp_path, name, value):
    (tmp_path / "config").write_text("Host *\n  %s %s\n" % (name, value))
    for made in (command_of_ansible, command_of_git, command_of_adopt):
        assert value in printed(with_config(made(variables), tmp_path / "config"))[name.lower()]


def test_a_name_that_was_adopted_is_resolved_by_the_users_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    instance = dataclasses.replace(INSTANCE, provider="adopted", ssh_host="mybox")
    (tmp_path / "config").write_text("Host mybox\n  HostName 192.0.2.7\n")
    command = command_of_ansible(_connection.Connection().variables(instance))
    assert printed(with_config(command, tmp_path / "config"))["hostname"] == ["192.0.2.7"]


def test_an_inventory_of_ones_own_profits_for_git_and_rsync(tmp_path):
    """Without the inventory plugin: no word about host keys, which are the user's, but about what would disturb the session."""
    connection = ansible_connection({"ansible_host": "192.0.2.1"})
    (tmp_path / "config").write_text(
        "Host *\n  RemoteCommand tmux\n  SessionType none\n  ForwardAgent yes\n  UserKnownHostsFile /my/known\n"
    )
    ours = printed(with_config([*_commands.Ssh(connection, {"inventory_hostname": "box"}).argv(), "192.0.2.1"], tmp_path / "config"))
    assert "remotecommand" not in ours and ours["sessiontype"] == ["default"] and ours["forwardagent"] == ["no"]
    assert ours["userknownhostsfile"] == ["/my/known"]


def test_sftp_and_scp_start_with_the_common_arguments(variables, tmp_path):
    """ssh refuses `-s`, which they use, together with some options; a stand-in hands their arguments to ``ssh -G``."""
    stand_in = tmp_path / "ssh"
    stand_in.write_text('#!/bin/sh\nssh -F none -G "$@" > "%s" 2>&1\nexit 1\n' % (tmp_path / "said"))
    stand_in.chmod(0o755)
    common = shlex.split(variables["ansible_ssh_common_args"])
    for program, words in (("sftp", ["192.0.2.1"]), ("scp", [__file__, "192.0.2.1:/tmp/x"])):
        subprocess.run([program, "-S", str(stand_in), *common, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert "hostkeyalias vast-42" in (tmp_path / "said").read_text()


def test_extra_arguments_are_only_taken_where_the_configuration_runs_no_command(tmp_path, monkeypatch):
    """They are the user's own otherwise, in group_vars."""
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text('#!/bin/sh\nexec "%s" -F "%s" "$@"\n' % (shutil.which("ssh"), tmp_path / "config"))
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (folder, os.environ["PATH"]))
    hostile = "Host *\n  SessionType none\n  ForkAfterAuthentication yes\n  RemoteCommand tmux\n"
    for text, expected in ((hostile, "-o SessionType=default"), ("Host *\n  User ada\n", None)):
        (tmp_path / "config").write_text(text)
        _options.runs_no_command.cache_clear()
        assert _connection.Connection().variables(INSTANCE).get("ansible_ssh_extra_args") == expected
    _options.runs_no_command.cache_clear()


def test_options_that_an_old_ssh_does_not_know_are_left_out(tmp_path):
    old = tmp_path / "ssh"
    old.write_text("#!/bin/sh\necho OpenSSH_8.2p1 Ubuntu-4 >&2\n")
    old.chmod(0o755)
    names = {name for name, _value in _options.channel(str(old))}
    assert "RemoteCommand" in names and not names & {"SessionType", "StdinNull", "ForkAfterAuthentication", "LogVerbose", "ChannelTimeout"}
    assert _options.version(str(tmp_path / "none")) == (9, 0)


def test_every_option_of_the_installed_ssh_is_in_the_table():
    names = {name.lower() for name in printed(["ssh", "-F", "none", "-G", "192.0.2.1"])}
    assert sorted(names - set(_ssh_config.BY_KEY)) == []
    assert sorted(option.name for option in neutralised() if option.name not in HOSTILE) == []


def test_the_table_has_every_option_once():
    names = [option.key for option in _ssh_config.TABLE]
    assert len(names) == len(set(names)) and len(names) > 100
