# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook rented.gpu.adopt`` as a user calls it, and as two call it at once: real processes, a real ssh, no host behind it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).absolute().parents[4]
COLLECTIONS = ROOT / ".collections" if (ROOT / ".collections").is_dir() else ROOT.parents[2]

needs_ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="there is no ssh on this machine")


class User:
    """Somebody with a home of their own, who runs the playbook."""

    def __init__(self, home) -> None:
        self.home = home

    def start(self, *arguments, **settings):
        """The playbook, begun; with ``adopt_`` before each setting."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "RENTED", "XDG_", "SSH_"))}
        env.update(HOME=str(self.home), ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1", COLUMNS="9999")
        given = json.dumps({"adopt_" + name: value for name, value in settings.items()})
        return subprocess.Popen(
            [sys.executable, "-m", "ansible.cli.playbook", "rented.gpu.adopt", "-e", given, *arguments],
            cwd=self.home,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments, **settings):
        """Status and output."""
        return ended(self.start(*arguments, **settings))

    def adopt(self, *arguments, **settings):
        """What it said, of a run that succeeds without a login."""
        status, said = self.run(*arguments, **{"login": False, **settings})
        assert status == 0, said
        return said

    def refused(self, *arguments, **settings):
        """What it said, of a run that fails without a login and changes nothing."""
        before = self.leases()
        status, said = self.run(*arguments, **{"login": False, **settings})
        assert status == 2 and self.leases() == before, said
        return said

    def leases(self) -> dict:
        """What is known, by id."""
        found = [json.loads(path.read_text()) for path in (self.home / ".local/state/rented_gpu/leases").glob("*.json")]
        return {lease["id"]: lease for lease in found}

    def lease(self) -> dict:
        (one,) = self.leases().values()
        return one


def ended(process):
    said, _none = process.communicate(timeout=120)
    return process.returncode, " ".join(said.split())


@pytest.fixture
def user(tmp_path):
    return User(tmp_path)


@pytest.fixture
def silent():
    """A place where somebody picks up and says nothing, so that a login takes as long as the test likes."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        class Silent:
            address = "root@127.0.0.1:%d" % server.getsockname()[1]

            @staticmethod
            def picks_up(within=60):
                """Waits for a login; the way to hang up. None when nobody comes."""
                server.settimeout(within)
                try:
                    return stack.enter_context(server.accept()[0]).close
                except TimeoutError:
                    return None

        yield Silent


# --- two at once -------------------------------------------------------------------------------------------------------


@needs_ssh
def test_what_others_change_during_a_login_stays(user, silent):
    user.adopt(ssh=silent.address, name="homework", price_per_hour=0.5)
    slow = user.start(ssh=silent.address, gpu="RTX 4090", login_timeout=60)
    hang_up = silent.picks_up()
    user.adopt(name="homework", note="from elsewhere", price_per_hour=0.3)
    hang_up()
    status, said = ended(slow)
    assert status == 0 and "changed=1" in said, said
    found = user.lease()
    assert (found["gpu"], found["note"], found["price_per_hour"], found["label"]) == ("RTX 4090", "from elsewhere", 0.3, "homework")


@needs_ssh
def test_what_is_forgotten_during_a_login_stays_forgotten(user, silent):
    user.adopt(ssh=silent.address, name="homework")
    slow = user.start(name="homework", gpu="RTX 4090", login_timeout=60)
    hang_up = silent.picks_up()
    user.adopt(state="absent", name="homework")
    hang_up()
    status, said = ended(slow)
    assert status == 2 and "was forgotten by another run during the login, and nothing was changed" in said
    assert user.leases() == {}


@needs_ssh
def test_a_name_that_is_taken_during_a_login_is_refused(user, silent):
    slow = user.start(ssh=silent.address, name="homework", login_timeout=60)
    hang_up = silent.picks_up()
    user.adopt(ssh="root@192.0.2.1", name="homework")
    hang_up()
    status, said = ended(slow)
    assert status == 2 and "An adopted host is already called 'homework' (id 192.0.2.1)" in said
    assert list(user.leases()) == ["192.0.2.1"]


@needs_ssh
def test_two_hosts_of_one_address_behind_two_jump_hosts_are_two(user, silent):
    """Both at once: neither becomes the other. The second waits, since the name under which a host key is pinned is that of one host."""
    here = silent.address.rpartition("@")[2]

    def start(who):
        return user.start(ssh="ssh -J %s@%s root@192.0.2.5" % (who, here), note=who, login_timeout=60)

    both = [start("a")]
    hang_up = silent.picks_up()
    both.append(start("b"))
    early = silent.picks_up(within=4)
    hang_up()
    (early or silent.picks_up())()
    said = [ended(process) for process in both]
    assert [status for status, _said in said] == [0, 0], said
    found = user.leases()
    assert set(found) == {"192.0.2.5", "192.0.2.5-2"} and {lease["note"] for lease in found.values()} == {"a", "b"}
    assert early is None and all(lease["ssh_jump"].startswith(lease["note"] + "@") for lease in found.values())


# --- what is not given stays -------------------------------------------------------------------------------------------


def test_the_same_address_again_keeps_what_is_not_given(user):
    user.adopt(ssh="ssh -p 22 ada@192.0.2.1 -L 8080:localhost:8080", name="homework", gpu="RTX 4090", note="mine")
    before = user.lease()
    assert "changed=0" in user.adopt(ssh="192.0.2.1")
    assert "changed=1" in user.adopt(ssh="192.0.2.1:22", price_per_hour=0.5)
    assert user.lease() == {**before, "price_per_hour": 0.5}
    user.adopt(ssh="ssh root@192.0.2.1 -D 1080")
    changed = {"ssh_user": "root", "ssh_forwards": [["dynamic", "1080"]], "price_per_hour": 0.5}
    assert user.lease() == {**before, **changed}


# --- the address and the id ----------------------------------------------------------------------------------------------


def test_an_id_and_a_command_move_the_host(user):
    """A new port after a restart: the same host of the inventory, with its pinned key, and no second lease."""
    user.adopt(ssh="ssh -p 22 ada@192.0.2.1 -L 8080:localhost:8080", name="homework", gpu="RTX 4090")
    before = user.lease()
    said = user.adopt(ssh="192.0.2.1:2222", id="192.0.2.1-22")
    assert "adopted-192.0.2.1-22 is adopted" in said and "changed=1" in said
    assert user.lease() == {**before, "ssh_port": 2222}
    assert "changed=0" in user.adopt(ssh="192.0.2.1:2222", id="192.0.2.1-22")
    user.adopt(ssh="ssh -J jump root@192.0.2.9", id="192.0.2.1-22", name="moved")
    changed = {"ssh_host": "192.0.2.9", "ssh_port": None, "ssh_user": "root", "ssh_jump": "jump", "label": "moved"}
    assert user.lease() == {**before, **changed}


def test_the_old_address_of_a_host_that_moved_is_free_for_another(user):
    user.adopt(ssh="192.0.2.1")
    user.adopt(ssh="192.0.2.9", id="192.0.2.1")
    user.adopt(ssh="192.0.2.1")
    assert {lease["id"]: lease["ssh_host"] for lease in user.leases().values()} == {"192.0.2.1": "192.0.2.9", "192.0.2.1-2": "192.0.2.1"}


def test_what_contradicts_itself_is_refused(user):
    user.adopt(ssh="192.0.2.1", name="one")
    user.adopt(ssh="192.0.2.2", name="two")
    said = user.refused(ssh="192.0.2.1", id="192.0.2.2")
    assert "The address of 'ssh' is that of the adopted host 192.0.2.1 (called 'one'), and the id is '192.0.2.2'" in said
    said = user.refused(ssh="192.0.2.3", id="three")
    assert "No adopted host has the id 'three'; adopted are: one (id 192.0.2.1), two (id 192.0.2.2)" in said
    said = user.refused(ssh="192.0.2.3", name="two")
    assert "already called 'two' (id 192.0.2.2)" in said and "give its id beside 'ssh' when it is that host with a new address" in said
    for given in (
        {"ssh": "192.0.2.1", "name": "two"},
        {"ssh": "192.0.2.1", "name": "nobody"},
        {"ssh": "192.0.2.3", "name": "one"},
        {"ssh": "192.0.2.3", "id": "192.0.2.1"},
        {"id": "192.0.2.1", "name": "two"},
        {"id": "nobody", "name": "one"},
        {"ssh": "192.0.2.1", "id": "192.0.2.1", "name": "two"},
    ):
        said = user.refused(state="absent", **given)
        assert "do not mean the same host, and nothing was forgotten" in said, given
        assert "192.0.2.1 (called 'one')" in said or "192.0.2.2 (called 'two')" in said
    assert "changed=0" in user.adopt(state="absent", ssh="192.0.2.3", name="nobody", id="none")
    assert "changed=1" in user.adopt(state="absent", ssh="192.0.2.1", name="one", id="192.0.2.1")
    assert list(user.leases()) == ["192.0.2.2"]
