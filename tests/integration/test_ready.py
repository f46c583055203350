# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first login and what it meets: hosts that are late, locked, without Python, with another key, or gone."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
import time

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _connection

READY = [{"hosts": "all", "gather_facts": False, "roles": ["rented.gpu.ready"]}]
# A task that needs Python on the host, as a user's own playbook has it after the role.
READY_AND_MORE = [dict(READY[0], tasks=[{"name": "Use Python", "ansible.builtin.command": {"cmd": "true"}, "check_mode": False}])]
SMALL = ["git"]


def known(box) -> bool:
    """Whether the collection's known_hosts has a key of this instance; names may be hashed there."""
    find = ["ssh-keygen", "-F", "rehearsal-" + box.id, "-f", _state.known_hosts_file()]
    return subprocess.run(find, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def two(boxes):
    return [boxes.rent("container"), boxes.rent("vm")]


def test_check_mode_predicts_then_a_run_installs_then_nothing_is_left_to_do(two, play):
    names = ",".join(box.name for box in two)
    predicted = play(READY, check=True, limit=names).ok()
    for box in two:
        assert predicted.changed(box.name) == 1
        assert box.ssh("command -v tmux; ls -d .rented 2>/dev/null; true").strip() == ""
    play(READY, limit=names).ok()
    for box in two:
        assert box.ssh("git --version && tmux -V && rsync --version | head -n 1 && curl --version | head -n 1")
    again = play(READY, limit=names, env={"ANSIBLE_VERBOSITY": "3"}).ok()
    assert again.changes() == []
    for box in two:
        # As the role counts, and as Ansible does: no search for an interpreter, no second look.
        assert again.executions(box.name) == 1
        assert len(re.findall(r"<%s>.*SSH: EXEC" % re.escape(box.instance.ssh_host), again.stdout)) in (
            1,
            2,
        )  # both boxes may share an address
    assert again.stdout.count("SSH: EXEC") == len(two)


def test_a_removed_package_comes_back(two, play):
    box = two[0]
    box.ssh("dpkg --remove --force-depends rsync")
    assert play(READY, limit=box.name).ok().changed(box.name) == 1
    assert box.ssh("rsync --version | head -n 1").startswith("rsync")


def test_noise_and_auto_tmux_do_not_disturb(two, play):
    """What Vast.ai's images do: a message of the day in every shell, and tmux at login unless a file forbids it."""
    box = two[0]
    box.ssh("cp .bashrc kept && rm -f .no_auto_tmux")
    noise = """echo 'Welcome: {user}'; echo Have fun\n[ -e ~/.no_auto_tmux ] || [ -z "$SSH_TTY" ] || exec tmux attach\n"""
    box.ssh("printf %s | cat - kept > .bashrc" % shlex.quote(noise))
    assert play(READY, check=True, limit=box.name).ok().changed(box.name) == 1
    assert play(READY, limit=box.name).ok().changed(box.name) == 1
    box.ssh("test -e .no_auto_tmux")
    assert play(READY, limit=box.name).ok().changes() == []
    # Text that looks like an answer disturbs as little.
    box.ssh("sed -i '1i echo { not json' .bashrc")
    assert play(READY, limit=box.name).ok().changes() == []
    box.ssh("mv kept .bashrc")


def test_a_work_folder_is_made_for_the_login_user(two, play):
    vm = two[1]
    assert play(READY, check=True, limit=vm.name, rented_workdir="/data/deep/work").ok().changed(vm.name) == 1
    assert play(READY, limit=vm.name, rented_workdir="/data/deep/work").ok().changed(vm.name) == 1
    vm.ssh("touch /data/deep/work/mine")
    assert play(READY, limit=vm.name, rented_workdir="/data/deep/work").ok().changes() == []
    vm.ssh("rm -r /data/deep/work 2>/dev/null || sudo rm -r /data/deep/work")
    assert play(READY, limit=vm.name, rented_workdir="/data/deep/work").ok().changed(vm.name) == 1


def test_without_root_and_sudo_the_error_says_so(two, play):
    vm = two[1]
    vm.ssh("sudo chmod 0400 /etc/sudoers.d/* && sudo sh -c 'mkdir /kept && mv /etc/sudoers.d/* /kept/'")
    ran = play(READY, limit=vm.name, ready_packages=["git", "htop"])
    assert "Installing htop needs root" in ran.message() and "sudo without a password" in ran.message()
    # What is installed needs no root.
    assert play(READY, limit=vm.name).ok().changes() == []


@pytest.mark.parametrize("kind", ["container", "vm"])
def test_no_python(boxes, play, kind):
    box = boxes.rent(kind, name="no-python-" + kind, no_python=True)
    box.wait_for_ssh()
    assert box.ssh("command -v python3 || echo none").strip() == "none"
    predicted = play(READY_AND_MORE, check=True, limit=box.name, ready_packages=SMALL).ok()
    assert predicted.changed(box.name) == 1
    # Nothing after it could be predicted, so nothing after it was tried.
    assert "Use Python" not in predicted.tasks(box.name)
    assert box.ssh("command -v python3 || echo none").strip() == "none"
    ran = play(READY_AND_MORE, limit=box.name, ready_packages=SMALL).ok()
    assert ran.changed(box.name) >= 1
    assert "Use Python" in ran.tasks(box.name)
    again = play(READY, limit=box.name, ready_packages=SMALL).ok()
    assert again.changes() == [] and again.executions(box.name) == 1


def test_another_python_is_found_without_installing(boxes, play):
    box = boxes.rent("container", name="other-python")
    box.wait_for_ssh()
    box.ssh("mkdir -p /opt/conda/bin && mv $(readlink -f /usr/bin/python3) /opt/conda/bin/python3 && rm -f /usr/bin/python3*")
    play(READY_AND_MORE, limit=box.name, ready_packages=[]).ok()
    assert box.ssh("ls /usr/bin/python3 2>/dev/null || echo none").strip() == "none"


def test_a_wrong_interpreter_setting_is_not_overruled(two, play):
    ran = play(READY, limit=two[0].name, ansible_python_interpreter="/opt/none/python3")
    assert "ansible_python_interpreter is /opt/none/python3" in ran.message()


def test_unattended_upgrades_is_waited_for_named_and_never_killed(boxes, play):
    box = boxes.rent("container", name="locked", apt_lock_seconds=25)
    # The mirror's lists are not asked for while the lock is held, so the time is that of the lock.
    ran = play(READY, limit=box.name, ready_packages=["git"], ready_timeout=3)
    assert "unattended-upgr (process " in ran.message() and "Nothing was killed" in ran.message()
    assert "unattended-upgr" in box.ssh("cat /proc/[0-9]*/comm")
    assert play(READY, limit=box.name, ready_packages=["git"]).ok().changed(box.name) == 1
    box.ssh("git --version")


def test_a_host_whose_sshd_is_late_is_waited_for(boxes, play):
    box = boxes.rent("container", name="late", ssh_delay=5)
    play(READY, limit=box.name, ready_packages=[]).ok()


def test_a_host_that_never_answers_is_told_and_the_others_go_on(boxes, two, play):
    box = boxes.rent("container", name="silent", ssh_delay=600)
    ran = play(READY, limit="%s,%s" % (box.name, two[0].name), ready_timeout=4)
    assert ran.stats("dark") == {box.name: 1}
    assert "did not let us in within" in ran.message(box.name) and "raise ready_timeout" in ran.message(box.name)
    assert two[0].name in ran.stats("ok") and two[0].name not in ran.stats("failures")


def test_a_key_that_is_not_accepted_is_named(boxes, play):
    box = boxes.rent("container", name="refusing", refuse_key=True)
    public = boxes.key.with_suffix(".pub")
    fingerprint = subprocess.run(["ssh-keygen", "-lf", str(public)], capture_output=True, text=True, check=True).stdout.split()[1]
    ran = play(READY, limit=box.name, ready_timeout=3)
    assert "ssh offered %s (ED25519 %s)" % (boxes.key, fingerprint) in ran.message()
    assert "as user 'root'" in ran.message()


def test_no_key_at_all_is_told(boxes, play, tmp_path):
    box = boxes.rent("container", name="keyless")
    env = {"HOME": str(tmp_path), "SSH_AUTH_SOCK": ""}
    # IdentityFile=none: the keys of the person who runs the tests are not offered either.
    ran = play(READY, limit=box.name, ready_timeout=3, env=env, ansible_ssh_private_key_file="none")
    assert "ssh had no key to offer to keyless" in ran.message()
    ran = play(READY, limit=box.name, ready_timeout=3, env=env, ansible_ssh_private_key_file="none", ansible_user="nobody")
    assert "as user 'nobody'" in ran.message()


def test_a_changed_host_key_stops_at_once_and_the_advice_works(boxes, play):
    box = boxes.rent("container", name="changing")
    play(READY, limit=box.name, ready_packages=[]).ok()
    assert known(box), "the inventory keeps host keys per instance"
    box.ssh("rm /etc/ssh/ssh_host_* && ssh-keygen -A >/dev/null && kill -HUP $(cat /run/sshd.pid)")
    close_connections()
    began = time.monotonic()
    ran = play(READY, limit=box.name, ready_packages=[])
    assert time.monotonic() - began < 60, "it is not tried again"
    assert ran.stats("dark") == {box.name: 1}
    said = ran.message()
    assert "shows another host key than at the first login" in said
    advice = re.search(r"ssh-keygen -R '(\S+)' -f '([^']+)'", said)
    assert advice and advice.group(1) == "rehearsal-" + box.id
    subprocess.run(["ssh-keygen", "-R", advice.group(1), "-f", advice.group(2)], check=True, capture_output=True)
    play(READY, limit=box.name, ready_packages=[]).ok()


def test_an_address_that_does_not_exist_is_told(two, play):
    close_connections()
    ran = play(READY, limit=two[0].name, ansible_host="no-such-host.invalid")
    assert "cannot be resolved" in ran.message() and "Check ansible_host" in ran.message()


def test_a_host_that_vanishes_in_the_middle(boxes, two, play):
    box = boxes.rent("container", name="vanishing", apt_lock_seconds=600)
    box.wait_for_ssh()
    gone = threading.Timer(25, box.destroy)  # by then a busy machine is there, too
    gone.start()
    try:
        ran = play(READY, limit="%s,%s" % (box.name, two[0].name))
    finally:
        gone.join()
        boxes.rented.remove(box)
    assert ran.stats("dark") == {box.name: 1}
    assert "vanishing was lost while host_setup ran there" in ran.message(box.name)
    assert two[0].name not in ran.stats("dark") and two[0].name not in ran.stats("failures")


def close_connections() -> None:
    """End the shared connections, so that the next login is a new one."""
    for name in os.listdir(_connection.socket_folder()):
        socket = os.path.join(_connection.socket_folder(), name)
        subprocess.run(["ssh", "-o", "ControlPath=" + socket, "-O", "exit", "any"], capture_output=True, check=False)
