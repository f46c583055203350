# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose first login does not do what we asked: shells that hang, forced commands, sudo that asks, state that is not a state."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _connection, _first_login

READY = [{"hosts": "all", "gather_facts": False, "roles": ["rented.gpu.ready"]}]
NO_PIPELINING = {"ansible_ssh_pipelining": False, "ansible_pipelining": False}


@pytest.fixture(scope="module")
def box(boxes):
    box = boxes.rent("container", image="debian-12-tools")
    box.wait_for_ssh()
    return box


@pytest.fixture(scope="module")
def vm(boxes):
    box = boxes.rent("vm", image="debian-12-tools")
    box.wait_for_ssh()
    return box


def inside(box, script):
    """On the box without its sshd, which a broken login shell would keep us from."""
    return engines.need_engine().run("exec", box.id, "sh", "-c", script)


@contextlib.contextmanager
def login_shell(box, line):
    """The box with this line at the top of .bashrc; connections that stay open from before are ended."""
    inside(box, "cd && cp .bashrc kept && { echo '%s'; cat kept; } > .bashrc" % line)
    end_connections()
    try:
        yield
    finally:
        inside(box, "cd && mv kept .bashrc; pkill sleep; true")
        end_connections()


def end_connections():
    for name in os.listdir(_connection.socket_folder()):
        socket = os.path.join(_connection.socket_folder(), name)
        subprocess.run(["ssh", "-o", "ControlPath=" + socket, "-O", "exit", "any"], capture_output=True, check=False)


def first_login(box, seconds=10):
    variables = _connection.Connection().variables(box.instance, private_key_file=str(box.key))
    return _first_login.attempt(variables, box.name, seconds)


@pytest.mark.parametrize("more", [{}, NO_PIPELINING], ids=["pipelining", "no pipelining"])
def test_a_login_shell_that_never_ends_is_named(box, play, monkeypatch, more):
    with login_shell(box, "exec sleep 600"):
        said = play(READY, limit=box.name, ready_timeout=5, **more).message()
        assert "the login shell runs no command" in said and "~/.bashrc" in said
        monkeypatch.setattr(_first_login, "MORE", 0)
        with pytest.raises(RentedError, match=r"let user 'root' in, but the login shell did not run our command: look at ~/\.bashrc"):
            first_login(box)


@pytest.mark.parametrize("more", [{}, NO_PIPELINING], ids=["pipelining", "no pipelining"])
def test_a_forced_command_that_names_another_user_is_no_login(box, play, more):
    forced = 'command="echo Please login as the user \\"ubuntu\\" rather than the user \\"root\\".; exit 142" '
    inside(box, "cd ~/.ssh && cp authorized_keys kept && printf '%%s' '%s' | cat - kept > authorized_keys" % forced)
    end_connections()
    try:
        assert "Set ansible_user to 'ubuntu'" in play(READY, limit=box.name, **more).message()
        with pytest.raises(RentedError, match="it says: log in as 'ubuntu'"):
            first_login(box)
    finally:
        inside(box, "cd ~/.ssh && mv kept authorized_keys")
        end_connections()
    assert first_login(box) == (_first_login.WORKS, None)


def test_state_on_the_host_of_any_shape_neither_stops_nor_holds_a_run(box, play):
    play(READY, limit=box.name, rented_workdir="/data").ok()
    inside(
        box,
        'cd ~/.rented && echo \'{"schema":1,"wanted":"x","watch":[],"data":[]}\' > stamps/tmux.json && rm stamps/ready.json && '
        "mkfifo stamps/ready.json && ln -sf /dev/zero ready.json && ln -s /dev/zero stamps/a.json",
    )
    ran = play(READY, limit=box.name, rented_workdir="/data").ok()
    # The stamp is written anew, so that the next run has nothing to do.
    assert ran.executions(box.name) >= 2
    assert play(READY, limit=box.name, rented_workdir="/data").ok().executions(box.name) == 1
    inside(box, "cd ~/.rented && rm ready.json stamps/a.json stamps/tmux.json")


def test_a_sick_state_directory_stops_before_anything_is_sent(box, play, tmp_path, monkeypatch):
    folder = tmp_path / "state"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting takes root")
    try:
        real = pathlib.Path(_state.home_path())
        monkeypatch.setenv("RENTED_GPU_HOME", str(folder))
        for name in ("known_hosts",):
            (folder / name).touch()
        with pytest.raises(OSError), open(folder / "fill", "wb", buffering=0) as handle:
            while True:
                handle.write(b"x" * 4096)
        ran = play(READY, limit=box.name, ready_packages=["git", "htop"], env={"RENTED_GPU_HOME": str(folder)})
        assert "was not kept in %s" % (folder / "known_hosts") in ran.message()
        assert inside(box, "command -v htop || echo none").strip() == "none"
        assert real.exists()
    finally:
        end_connections()
        subprocess.run(["umount", str(folder)], check=True)


def test_become_in_the_configuration_changes_nothing(vm, play):
    env = {"ANSIBLE_BECOME": "True"}
    ran = play(READY, limit=vm.name, rented_workdir="work", env=env).ok()
    facts = [result["ansible_facts"]["rented"] for _h, _t, result in ran.results("ok") if "rented" in (result.get("ansible_facts") or {})]
    assert facts[-1]["user"] == "ubuntu" and facts[-1]["home"] == "/home/ubuntu"
    assert inside(vm, "ls -d /root/.rented 2>/dev/null || echo none").strip() == "none"
    plays = [dict(READY[0], become=True)]
    assert play(plays, limit=vm.name, rented_workdir="work").ok().changes() == []


def test_only_sudo_gets_the_password(vm, play):
    secret = "s3cret 'of $mine"
    inside(vm, "rm /etc/sudoers.d/*; echo 'ubuntu ALL=(ALL) ALL' > /etc/sudoers.d/90-asks; chpasswd <<'E'\nubuntu:%s\nE" % secret)
    refused = play(READY, limit=vm.name, rented_workdir="/srv/work")
    assert "ansible_become_password" in refused.message()
    wrong = play(READY, limit=vm.name, rented_workdir="/srv/work", ansible_become_password="wrong-one")
    assert "sudo does not take the password" in wrong.message()
    ran = play(READY, limit=vm.name, rented_workdir="/srv/work", ansible_become_password=secret, env={"ANSIBLE_VERBOSITY": "3"}).ok()
    assert ran.changed(vm.name) == 1 and "s3cret" not in ran.stdout
    assert inside(vm, "stat -c %U /srv/work").strip() == "ubuntu"
    again = play(READY, limit=vm.name, rented_workdir="/srv/work", ansible_become_password=secret).ok()
    assert again.changes() == [] and again.executions(vm.name) == 1
