# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh itself makes of the connection variables (``ssh -G``), with paths of all sorts and against Ansible's own arguments."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _connection

INSTANCE = Instance("vast", "home", "42", ssh_host="192.0.2.1", ssh_port=2222, ssh_user="root", ssh_via="direct")
SSH = pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")


@pytest.fixture(name="short")
def short_fixture():
    """A directory with a path short enough for sockets; pytest's own are longer than a socket's path may be."""
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        yield pathlib.Path(folder)


@pytest.fixture(name="home", params=["plain", "with space", "100%h # sure"])
def home_fixture(request, tmp_path, monkeypatch):
    home = tmp_path / request.param
    monkeypatch.setenv("RENTED_GPU_HOME", str(home))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return home


def effective(command):
    """The options that ssh ends with: lower-case name -> value."""
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)


def command_of_ansible(variables, monkeypatch, **environment):
    """The command that Ansible's own ssh plugin builds from the variables."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    connection = connection_loader.get("ansible.builtin.ssh", PlayContext(), None)
    connection.set_options(var_options=dict(variables))
    return [part.decode() for part in connection._build_command("ssh", "ssh")]


@SSH
def test_ssh_understands_every_argument(home):
    connection = _connection.Connection()
    arguments = shlex.split(connection.variables(INSTANCE)["ansible_ssh_common_args"])
    options = effective(["ssh", "-F", "none", *arguments, "-G", "192.0.2.1"])
    assert options["hostkeyalias"] == "vast-42"
    assert options["userknownhostsfile"].replace("%%", "%") == str(home / "known_hosts")
    assert options["stricthostkeychecking"] == "accept-new"
    assert options["checkhostip"] == options["forwardagent"] == options["forwardx11"] == "no"
    assert (options["serveraliveinterval"], options["serveralivecountmax"]) == ("15", "4")
    assert (options["controlmaster"], options["controlpersist"]) == ("auto", "300")
    assert options["controlpath"].replace("%%", "%").startswith(connection.sockets + "/")


@SSH
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ANSIBLE_HOST_KEY_CHECKING": str(False)},
        {"ANSIBLE_SSH_ARGS": "-o ControlPersist=1s -o ControlPath=none -o UserKnownHostsFile=/dev/null"},
    ],
)
def test_neither_defaults_nor_settings_of_ansible_win(short, monkeypatch, environment):
    monkeypatch.setenv("RENTED_GPU_HOME", str(short / "state"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    variables = _connection.Connection().variables(INSTANCE)
    command = command_of_ansible(variables, monkeypatch, **environment)
    options = effective([*command, "-F", "none", "-G", variables["ansible_host"]])
    assert options["userknownhostsfile"] == str(short / "state" / "known_hosts")
    assert options["stricthostkeychecking"] == "accept-new"
    assert options["controlpersist"] == "300"
    assert options["controlpath"].startswith(str(short / "state" / "cp"))
    assert (options["user"], options["port"]) == ("root", "2222")


@SSH
def test_this_check_sees_when_ansible_wins(monkeypatch, tmp_path):
    """Without our `ansible_ssh_args` and `ansible_host_key_checking` the settings of the test above would win."""
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    variables = _connection.Connection().variables(INSTANCE)
    del variables["ansible_ssh_args"]
    command = command_of_ansible(variables, monkeypatch, ANSIBLE_SSH_ARGS="-o ControlPersist=1s")
    assert effective([*command, "-F", "none", "-G", "192.0.2.1"])["controlpersist"] == "1"


def test_folders_are_private_and_sockets_short(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    deep = tmp_path / ("d" * 90)
    monkeypatch.setenv("RENTED_GPU_HOME", str(deep))
    connection = _connection.Connection()
    path = connection.socket("vast-42", INSTANCE, "192.0.2.1", 2222)
    assert len(os.fsencode(path)) + 17 + 1 <= 104
    assert not path.startswith(str(deep))
    for folder in (deep, connection.sockets):
        assert os.stat(folder).st_mode & 0o777 == 0o700


def test_the_runtime_directory_comes_first_and_a_strangers_folder_is_never_used(short, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(short / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    assert _connection.socket_folder() == str(short / "rented_gpu")
    (short / "rented_gpu").rmdir()
    (short / "elsewhere").mkdir()
    (short / "rented_gpu").symlink_to(short / "elsewhere")
    assert _connection.socket_folder() == str(short / "state" / "cp")
    os.chmod(short / "state" / "cp", 0o755)
    _connection.socket_folder()
    assert os.stat(short / "state" / "cp").st_mode & 0o777 == 0o700
    monkeypatch.setattr(_connection, "_private_folder", lambda path: False)
    with pytest.raises(RentedError, match="Set XDG_RUNTIME_DIR to a directory that you own"):
        _connection.socket_folder()


def test_another_address_or_known_hosts_file_is_another_socket(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "a"))
    first = _connection.Connection()
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "b"))
    second = _connection.Connection()
    sockets = {
        os.path.basename(first.socket("vast-42", INSTANCE, "192.0.2.1", 2222)),
        os.path.basename(first.socket("vast-42", INSTANCE, "192.0.2.1", 2223)),
        os.path.basename(first.socket("vast-42", INSTANCE, "192.0.2.2", 2222)),
        os.path.basename(second.socket("vast-42", INSTANCE, "192.0.2.1", 2222)),
    }
    assert len(sockets) == 4


def test_an_instance_without_an_address_has_no_ansible_host(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "a"))
    variables = _connection.Connection().variables(Instance("vast", "home", "42"))
    assert "ansible_host" not in variables and "ansible_port" not in variables and "ansible_user" not in variables


def test_the_key_of_the_instance_comes_before_that_of_the_account(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "a"))
    instance = dataclasses.replace(INSTANCE, provider="adopted", ssh_private_key_file="/keys/mine")
    variables = _connection.Connection().variables(instance, private_key_file="/keys/account")
    assert variables["ansible_ssh_private_key_file"] == "/keys/mine"
    assert "-o IdentitiesOnly=yes" in variables["ansible_ssh_common_args"]


@SSH
def test_every_jump_host_is_checked_as_strictly_as_the_instance(home, monkeypatch, tmp_path):
    """What ssh hands to the shell for each hop, read back hop by hop with ``ssh -G``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    instance = dataclasses.replace(INSTANCE, provider="adopted", ssh_jump="ada@a.example.org:2201,[2001:db8::2]:2202,c")
    command = command_of_ansible(_connection.Connection().variables(instance), monkeypatch)
    options = effective([*command, "-F", "none", "-G", "192.0.2.1"])
    assert options["hostkeyalias"] == "adopted-42" and "proxyjump" not in options
    target, port = "192.0.2.1", "2222"
    for host, port_of_hop, user in (("c", "22", None), ("2001:db8::2", "2202", None), ("a.example.org", "2201", "ada")):
        # As ssh does it: its tokens first, then the shell's words.
        expanded = options["proxycommand"].replace("%%", "\0").replace("%h", target).replace("%p", port).replace("\0", "%")
        words = shlex.split(expanded)
        assert words[words.index("-W") + 1] == "[%s]:%s" % (target, port)
        assert words[-2:] == ["--", host]
        options = effective([words[0], "-F", "none", "-G", *words[1:]])
        assert (options["hostname"], options["port"]) == (host, port_of_hop)
        assert user is None or options["user"] == user
        assert options["stricthostkeychecking"] == "accept-new" and options["batchmode"] == "yes"
        assert options["userknownhostsfile"].replace("%%", "%").startswith(str(home / "known_hosts") + " ")
        assert options["userknownhostsfile"].endswith("/.ssh/known_hosts2")
        assert options["forwardagent"] == "no" and options["controlmaster"] == "false"
        target, port = host, port_of_hop
    assert options.get("proxycommand") is None


@SSH
@pytest.mark.parametrize("hashed", [False, True])
def test_a_pinned_key_is_forgotten_and_no_other(tmp_path, monkeypatch, hashed):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "a"))
    connection = _connection.Connection()
    assert not connection.forget_host_key(INSTANCE)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "k")], check=True)
    key = " ".join((tmp_path / "k.pub").read_text().split()[:2])
    path = pathlib.Path(connection.known_hosts)
    path.write_text("# mine\nvast-42 %s\nvast-421 %s\n* %s\n[192.0.2.1]:2222 %s\n" % (key, key, key, key))
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    lines = path.read_text().splitlines()
    assert connection.forget_host_key(INSTANCE) and not connection.forget_host_key(INSTANCE)
    assert path.read_text().splitlines() == [line for number, line in enumerate(lines) if number != 1]
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_keys_that_are_forgotten_at_once_are_all_forgotten(tmp_path, monkeypatch):
    """Each reads the whole file and writes it again."""
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "a"))
    connection = _connection.Connection()
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFkYQ=="
    path = pathlib.Path(connection.known_hosts)
    path.write_text("".join("vast-%d %s\n" % (number, key) for number in range(200)))
    instances = [dataclasses.replace(INSTANCE, id=str(number)) for number in range(1, 200)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(connection.forget_host_key, instances))
    assert path.read_text() == "vast-0 %s\n" % key
