# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host rented by hand, from the pasted ssh command to the bootstrap and to being forgotten, with the commands that a person types.

The host is a rehearsal container; nothing but its ssh command is known of it.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _state


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent(name="by-hand", image="debian-12-tools")
    found.wait_for_ssh()
    return found


@pytest.fixture(scope="module")
def pasted(box):
    """What the page of a provider shows, with the key that this test logs in with."""
    instance = box.instance
    return "ssh -p %d root@%s -i %s -L 8080:localhost:8080" % (instance.ssh_port, instance.ssh_host, box.key)


@pytest.fixture(scope="module")
def host(box):
    return "adopted-127.0.0.1-%d" % box.instance.ssh_port


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """A folder with the shortest inventory, and a state directory of its own, short enough for sockets."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "rented.yml").write_text("plugin: rented.gpu.instances\n")
    state = pathlib.Path(_state.home()) / "adopt"
    yield {"folder": folder, "state": state}
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="module")
def run(user):
    environment = dict(os.environ, RENTED_GPU_HOME=str(user["state"]), RENTED_GPU_REHEARSAL="0", COLUMNS="9999")

    def command(*words, **more):
        done = subprocess.run(
            words, cwd=user["folder"], env=dict(environment, **more), capture_output=True, text=True, timeout=300, check=False
        )
        # Ansible wraps its messages to the width of a terminal.
        done.said = " ".join((done.stdout + done.stderr).split())
        return done

    return command


@pytest.fixture(scope="module")
def adopt(run):
    def playbook(*arguments, env=None, **variables):
        given = {"adopt_" + name: value for name, value in variables.items()}
        return run("ansible-playbook", "rented.gpu.adopt", "-e", json.dumps(given), *arguments, **(env or {}))

    return playbook


def leases(user):
    return sorted((user["state"] / "leases").glob("*.json")) if (user["state"] / "leases").is_dir() else []


def test_the_first_command_of_the_page_is_enough(adopt, run, user, pasted, host):
    check = adopt("--check", "--diff", ssh=pasted, name="homework", gpu="RTX 4090", price_per_hour=0.34)
    assert check.returncode == 0 and "changed=1" in check.stdout and '"gpu": "RTX 4090"' in check.stdout, check.said
    assert leases(user) == [] and not (user["state"] / "known_hosts").exists()
    first = adopt(ssh=pasted, name="homework", gpu="RTX 4090", price_per_hour=0.34)
    assert first.returncode == 0 and "changed=1" in first.stdout, first.said
    assert "%s is adopted. Next: ansible-playbook -i rented.yml rented.gpu.bootstrap --limit %s" % (host, host) in first.said
    (path,) = leases(user)
    assert path.stat().st_mode & 0o777 == 0o600
    lease = json.loads(path.read_text())
    assert lease["ssh_forwards"] == [["local", "8080:localhost:8080"]] and lease["label"] == "homework"
    again = adopt(ssh=pasted)
    assert again.returncode == 0 and "changed=0" in again.stdout
    assert json.loads(path.read_text()) == lease


def test_it_is_listed_beside_all_others(run, user, boxes, host):
    graph = run("ansible-inventory", "-i", "rented.yml", "--graph")
    for group in ("rented", "provider_adopted", "state_running", "gpu_rtx_4090", "label_homework"):
        assert "@%s:" % group in graph.stdout
    assert host in graph.stdout
    together = user["folder"] / "all.rented.yml"
    together.write_text("plugin: rented.gpu.instances\naccounts: [{provider: adopted}, {provider: rehearsal, name: %s}]\n" % boxes.account)
    listed = json.loads(run("ansible-inventory", "-i", str(together), "--list").stdout)
    assert host in listed["rented"]["hosts"] and len(listed["rented"]["hosts"]) == 2


def test_a_cache_does_not_hide_what_was_just_adopted(run, user, adopt, host):
    cached = user["folder"] / "cached.rented.yml"
    cached.write_text("plugin: rented.gpu.instances\ncache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: cache\n")
    assert host in run("ansible-inventory", "-i", str(cached), "--graph").stdout
    assert adopt(ssh="ssh root@192.0.2.77", login=False).returncode == 0
    assert "adopted-192.0.2.77" in run("ansible-inventory", "-i", str(cached), "--graph").stdout
    assert adopt(ssh="ssh root@192.0.2.77", state="absent").returncode == 0
    assert "adopted-192.0.2.77" not in run("ansible-inventory", "-i", str(cached), "--graph").stdout


def test_the_bootstrap_does_not_notice_the_difference(run, box, homework, host):
    wish = json.dumps({"repos_list": [{"src": str(homework)}], "python_env_requirements": ["requirements.txt"]})
    words = ["ansible-playbook", "-i", "rented.yml", "rented.gpu.bootstrap", "--limit", host, "-e", wish]
    first = run(*words)
    assert first.returncode == 0, first.said
    proof = json.loads(box.ssh("cat .rented/ready.json"))
    assert proof["ready"] is True and proof["instance"]["provider"] == "adopted"
    assert "trained with tqdm" in box.ssh("cd /workspace/homework && python train.py")
    again = run(*words)
    assert again.returncode == 0 and "changed=0" in again.stdout, again.said


def test_destroying_says_where_it_is_ended(run, box, user):
    play = user["folder"] / "destroy.yml"
    play.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - rented.gpu.instance: {provider: adopted, name: homework, state: absent}\n"
    )
    done = run("ansible-playbook", str(play))
    assert done.returncode != 0
    assert "is rented, and ended, at its owner's web page" in done.said and "adopt_state=absent" in done.said
    assert len(leases(user)) == 1 and box.instance.state == "running"


def test_typing_errors_are_told_at_once_and_nothing_is_adopted(adopt, run, user, box, host):
    before = [path.read_text() for path in leases(user)]
    port = box.instance.ssh_port
    wrong = {
        "does not take it": {"ssh": "ssh -p %d nobody@127.0.0.1 -i %s" % (port, box.key)},
        "cannot be resolved": {"ssh": "ssh root@no-such-host.invalid"},
        "'adopt_nmae' is not a setting, and nothing was done. Did you mean 'adopt_name'?": {"nmae": "x"},
        "'22222222' is not a port": {"ssh": "ssh -p 22222222 root@127.0.0.1"},
        "No adopted host has the name 'nobody'; adopted are: homework": {"name": "nobody"},
        "already called 'homework'": {"ssh": "root@192.0.2.9", "name": "homework", "login": False},
        "the SSH key /nowhere cannot be read": {"ssh": "root@192.0.2.9", "private_key_file": "/nowhere"},
        "which is not a date and time": {"name": "homework", "ends_at": "tomorrow"},
        "not below 0": {"name": "homework", "price_per_hour": -1},
        "'2x' names no GPU": {"name": "homework", "gpu": "2x"},
        "'ssh' is empty": {"ssh": " "},
        "Say which host": {},
    }
    for message, variables in wrong.items():
        done = adopt(**variables)
        assert done.returncode != 0 and message in done.said, (message, done.said)
    cut = run("ansible-playbook", "rented.gpu.adopt", "-e", "adopt_ssh=ssh -p 22 root@192.0.2.9")
    assert cut.returncode != 0 and "was cut at its first space" in cut.said
    assert [path.read_text() for path in leases(user)] == before


def test_a_host_that_does_not_answer_yet_is_adopted_with_a_warning(adopt):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = "root@127.0.0.1:%d" % closed.getsockname()[1]
        done = adopt(ssh=address, ends_at="2020-01-01")
        assert done.returncode == 0 and "does not answer yet" in done.said and "Connection refused" in done.said
        assert "ended at 2020-01-01T00:00:00Z" in done.said
        assert adopt(ssh=address, state="absent").returncode == 0


def test_what_the_command_says_against_safety_is_not_done(adopt, run, pasted, host):
    done = adopt(ssh=pasted + " -A -o %s=no" % "StrictHostKeyChecking")
    assert done.returncode == 0 and "forwards your ssh agent" in done.said and "that is not done" in done.said
    shown = run("ansible-inventory", "-i", "rented.yml", "--host", host).stdout
    assert "ForwardAgent=no" in shown and "StrictHostKeyChecking=accept-new" in shown


def test_a_changed_host_key_is_refused_until_the_host_is_forgotten(adopt, user, pasted, host, tmp_path):
    known = user["state"] / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "k")], check=True)
    stranger = " ".join((tmp_path / "k.pub").read_text().split()[:2])
    before = known.read_text()
    known.write_text("%s %s\n" % (host, stranger))
    refused = adopt(ssh=pasted)
    assert refused.returncode != 0 and "shows another host key than at the first login" in refused.said
    known.write_text(before)
    assert adopt(ssh=pasted).returncode == 0


def test_a_host_that_moved_is_told_by_its_key(adopt, run, user, boxes, pasted, host):
    """Another address of the same machine is one lease and one pinned key; another machine in its place is not taken for it."""
    known = (user["state"] / "known_hosts").read_text()
    moved = adopt(ssh=pasted.replace("127.0.0.1", "localhost"), id=host.removeprefix("adopted-"))
    assert moved.returncode == 0 and "changed=1" in moved.stdout and "does not answer" not in moved.said, moved.said
    assert run("ansible", "-i", "rented.yml", host, "-m", "ansible.builtin.raw", "-a", "hostname").returncode == 0
    assert len(leases(user)) == 1 and (user["state"] / "known_hosts").read_text() == known
    other = boxes.rent(name="another", image="debian-12-tools")
    other.wait_for_ssh()
    command = "ssh -p %d root@%s -i %s" % (other.instance.ssh_port, other.instance.ssh_host, other.key)
    refused = adopt(ssh=command, id=host.removeprefix("adopted-"))
    assert refused.returncode != 0 and "shows another host key than at the first login" in refused.said, refused.said
    assert json.loads(leases(user)[0].read_text())["ssh_host"] == "localhost"
    assert adopt(ssh=pasted, id=host.removeprefix("adopted-")).returncode == 0


@pytest.fixture
def agent(box, tmp_path):
    """An ssh agent with the key of the box: which key a jump host takes is ssh's own affair."""
    shown = subprocess.run(["ssh-agent", "-s", "-a", str(tmp_path / "a")], capture_output=True, text=True, check=True).stdout
    environment = dict(re.findall(r"(SSH_\w+)=([^;]+);", shown))
    subprocess.run(["ssh-add", "-q", str(box.key)], env=dict(os.environ, **environment), check=True)
    yield {"SSH_AUTH_SOCK": environment["SSH_AUTH_SOCK"]}
    os.kill(int(environment["SSH_AGENT_PID"]), 15)


def test_the_key_of_a_jump_host_is_checked_too(adopt, run, user, box, agent, tmp_path):
    """The box is its own jump host: behind it, port 22 of 127.0.0.1 is its own sshd."""
    place = "[127.0.0.1]:%d" % box.instance.ssh_port
    command = "ssh -J root@127.0.0.1:%d root@127.0.0.1 -i %s" % (box.instance.ssh_port, box.key)
    refused = adopt(ssh=command, name="behind", env={"SSH_AUTH_SOCK": ""})
    assert refused.returncode != 0 and "The jump host on the way to adopted-127.0.0.1 refused the login" in refused.said, refused.said
    done = adopt(ssh=command, name="behind", env=agent)
    assert done.returncode == 0 and "does not answer" not in done.said, done.said
    ping = ["ansible", "-i", "rented.yml", "label_behind", "-m", "ansible.builtin.raw", "-a", "hostname"]
    assert run(*ping, **agent).returncode == 0
    known = user["state"] / "known_hosts"
    before = known.read_text()

    def is_there(name):
        return subprocess.run(["ssh-keygen", "-F", name, "-f", str(known)], capture_output=True, check=False).returncode == 0

    assert is_there(place) and is_there("adopted-127.0.0.1")
    # Now the jump host shows another key than the one that was learned.
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "k")], check=True)
    subprocess.run(["ssh-keygen", "-q", "-R", place, "-f", str(known)], check=True, capture_output=True)
    with known.open("a") as handle:
        handle.write("%s %s\n" % (place, " ".join((tmp_path / "k.pub").read_text().split()[:2])))
    refused = adopt(ssh=command, env=agent)
    assert refused.returncode != 0, refused.said
    assert "The jump host %s on the way to adopted-127.0.0.1 shows another host key than at the first login" % place in refused.said
    known.write_text(before)
    assert adopt(name="behind", state="absent").returncode == 0
    assert not is_there("adopted-127.0.0.1")


def test_it_is_forgotten_and_goes_on_running(adopt, run, user, box, pasted, host):
    check = adopt("--check", state="absent", name="homework")
    assert "changed=1" in check.stdout and len(leases(user)) == 1
    done = adopt(state="absent", name="homework")
    assert done.returncode == 0 and "%s is forgotten here. It goes on running, and costing," % host in done.said
    assert leases(user) == [] and box.instance.state == "running"
    assert host not in run("ansible-inventory", "-i", "rented.yml", "--graph").stdout
    known = (user["state"] / "known_hosts").read_text()
    searched = subprocess.run(["ssh-keygen", "-F", host, "-f", "/dev/stdin"], input=known, text=True, capture_output=True, check=False)
    assert searched.returncode != 0
    again = adopt(state="absent", name="homework")
    assert again.returncode == 0 and "changed=0" in again.stdout
    assert adopt(state="absent", ssh=pasted).returncode == 0
