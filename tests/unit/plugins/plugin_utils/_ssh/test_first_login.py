# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one login before a host is adopted: real ssh against ports of this machine that are not sshd."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _first_login
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._connection import Connection

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")


@pytest.fixture
def variables(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))

    def made(host="127.0.0.1", port=None, **fields):
        return Connection().variables(Instance("adopted", "adopted", "x", ssh_host=host, ssh_port=port, ssh_user="root", **fields))

    return made


@pytest.fixture
def listener():
    """A port that takes connections; what it says is up to the test."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


def answering(listener, said: bytes):
    def serve():
        try:
            near, _address = listener.accept()
        except OSError:
            return
        with near:
            near.sendall(said)
            near.recv(1000)

    threading.Thread(target=serve, daemon=True).start()


def test_a_host_that_does_not_answer_yet(variables):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        state, warning = _first_login.attempt(variables(port=unused.getsockname()[1]), "gpu", 5)
    assert state == _first_login.NO_ANSWER
    assert warning.startswith("gpu does not answer yet (") and "Connection refused" in warning


def test_a_port_that_is_no_sshd(variables, listener):
    answering(listener, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    state, warning = _first_login.attempt(variables(port=listener.getsockname()[1]), "gpu", 5)
    assert state == _first_login.NO_ANSWER and "compare address and port with its page" in warning


def test_silence_ends(variables, listener, monkeypatch):
    """An open port behind which nothing speaks: ssh's own time-out, and ours should ssh have none."""
    state, warning = _first_login.attempt(variables(port=listener.getsockname()[1]), "gpu", 1)
    assert state == _first_login.NO_ANSWER and "timed out" in warning
    behind = variables(port=22, ssh_jump="root@127.0.0.1:%d" % listener.getsockname()[1])
    state, warning = _first_login.attempt(behind, "gpu", 1)
    assert state == _first_login.NO_ANSWER and "timed out" in warning
    monkeypatch.setattr(_first_login, "MORE", -19)
    state, warning = _first_login.attempt(behind, "gpu", 20)
    assert state == _first_login.NO_ANSWER and "ssh did not end within 1 s" in warning


def test_an_address_that_does_not_exist(variables):
    with pytest.raises(RentedError, match=r"cannot be resolved; ssh said: .* Nothing was adopted; adopt_login=false"):
        _first_login.attempt(variables(host="no-such-host.invalid", port=22), "gpu", 5)


def test_without_ssh(variables, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RentedError, match="There is no ssh on this machine"):
        _first_login.attempt(variables(port=22), "gpu", 5)


def test_ssh_reads_the_command_as_it_is_meant(variables, tmp_path):
    (tmp_path / "a key").write_text("")
    command = _first_login.command(variables(host="2001:db8::1", port=2222, ssh_private_key_file=str(tmp_path / "a key")), 7)
    shown = subprocess.run([command[0], "-F", "none", "-G", *command[1:]], capture_output=True, text=True, check=True).stdout
    options = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    assert (options["hostname"], options["port"], options["user"]) == ("2001:db8::1", "2222", "root")
    assert options["identityfile"] == str(tmp_path / "a key") and options["hostkeyalias"] == "adopted-x"
    assert (options["connecttimeout"], options["batchmode"], options["controlmaster"]) == ("7", "yes", "false")
    assert options.get("controlpath", "none") == "none"
    assert options["stricthostkeychecking"] == "accept-new"
