# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role git_keys on real hosts: what is on them in each mode, and that a key works, is never shown, and can be taken back."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time

import pytest

ROLES = [{"hosts": "all", "gather_facts": False, "roles": ["rented.gpu.ready", "rented.gpu.git_keys"]}]
SMALL = {"ready_packages": ["git", "openssh-client"]}
WHO = {"git_keys_name": "Ada Lovelace", "git_keys_email": "ada@example.org"}


@pytest.fixture(scope="module", params=["container", "vm"])
def box(request, boxes, play):
    box = boxes.rent(request.param, name="keys-" + request.param, image="debian-12-tools")
    play([dict(ROLES[0], roles=["rented.gpu.ready"])], limit=box.name, **SMALL).ok()
    return box


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("git") / "rented"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "for the box", "-f", str(path)], check=True)
    return path


def secret_of(key) -> str:
    """A line of the key that is its own (the first ones are alike in all keys)."""
    return key.read_text().splitlines()[3]


def on_the_box(box, text) -> str:
    """Files where people and programs leave things, that hold a text; read as root."""
    become = "" if box.instance.ssh_user == "root" else "sudo -n "
    return box.ssh("%sgrep -rlF -e '%s' /root /home /tmp /var/tmp /var/log /etc /workspace 2>/dev/null || true" % (become, text)).strip()


def test_push_sets_the_identity_and_leaves_no_credential(box, play):
    assert play(ROLES, check=True, limit=box.name, **WHO, **SMALL).ok().changed(box.name) == 1
    play(ROLES, limit=box.name, **WHO, **SMALL).ok()
    assert box.ssh("git config --global user.name && git config --global user.email").split("\n")[:2] == list(WHO.values())
    again = play(ROLES, limit=box.name, **WHO, **SMALL).ok()
    assert again.changes() == [] and again.executions(box.name) == 1
    # D2: nothing that lets somebody in anywhere.
    places = [path for path in on_the_box(box, "PRIVATE KEY-----").split() if not path.startswith("/etc/ssh/ssh_host_")]
    assert places == []
    assert box.ssh("ls .ssh").split() == ["authorized_keys"]
    stored = "ls .git-credentials .netrc .config/git/credentials 2>/dev/null; git config --get-regexp 'credential|sshcommand|header'; true"
    assert box.ssh(stored) == ""
    assert box.ssh("test -e .rented/secrets.json && echo there || echo none").strip() == "none"


def test_a_private_key_is_placed_works_and_is_taken_back(box, play, key):
    own = "Host mine\n    User me\n"
    box.ssh("cat > .ssh/config && chmod 600 .ssh/config && echo own > .ssh/id_ed25519", input=own)
    given = {
        "git_keys_mode": "private_key",
        "git_keys_private_key": str(key),
        "git_keys_hosts": ["github.com", "127.0.0.1"],
        **WHO,
        **SMALL,
    }

    assert play(ROLES, check=True, limit=box.name, **given).ok().changed(box.name) == 1
    assert on_the_box(box, secret_of(key)) == ""
    # As talkative as it gets, on the screen and in the events: the key is in neither.
    ran = play(ROLES, limit=box.name, env={"ANSIBLE_VERBOSITY": "4"}, **given).ok()
    assert ran.changed(box.name) == 1
    assert secret_of(key) not in ran.stdout and secret_of(key) not in json.dumps(ran.events, default=str)
    home = box.ssh("echo $HOME").strip()
    assert on_the_box(box, secret_of(key)).split() == [home + "/.ssh/rented_git_key"]
    assert box.ssh("stat -c %a .ssh/rented_git_key").strip() == "600"
    ledger = json.loads(box.ssh("cat .rented/secrets.json"))
    digest = box.ssh("sha256sum .ssh/rented_git_key").split()[0]
    assert ledger == {home + "/.ssh/rented_git_key": {"sha256": digest}}
    # Ours for the named hosts, the user's own untouched.
    assert box.ssh("cat .ssh/id_ed25519").strip() == "own"
    assert box.ssh("ssh -G mine | grep '^user '").split() == ["user", "me"]
    assert "rented_git_key" in box.ssh("ssh -G github.com | grep ^identityfile")
    assert "rented_git_key" not in box.ssh("ssh -G example.org | grep ^identityfile")
    # It lets git in where its public half is known: the box itself, in place of a git host.
    public = key.with_suffix(".pub").read_text()
    box.ssh("rm .ssh/id_ed25519; cat >> .ssh/authorized_keys", input=public)
    box.ssh("for key in /etc/ssh/ssh_host_*_key.pub; do echo \"127.0.0.1 $(cut -d' ' -f1,2 $key)\"; done > .ssh/known_hosts")
    assert "ok" in box.ssh("git init -q --bare r.git && git clone -q ssh://127.0.0.1$HOME/r.git c 2>&1 && git -C c fetch -q && echo ok")

    again = play(ROLES, limit=box.name, **given).ok()
    assert again.changes() == [] and again.executions(box.name) == 1
    box.ssh("chmod 644 .ssh/rented_git_key")
    assert play(ROLES, limit=box.name, **given).ok().changed(box.name) == 1
    assert box.ssh("stat -c %a .ssh/rented_git_key").strip() == "600"

    assert play(ROLES, limit=box.name, **WHO, **SMALL).ok().changed(box.name) == 1
    assert on_the_box(box, secret_of(key)) == ""
    assert box.ssh("cat .ssh/config") == own
    assert json.loads(box.ssh("cat .rented/secrets.json")) == {}
    assert play(ROLES, limit=box.name, **WHO, **SMALL).ok().changes() == []


# Looks at all processes for the words given on stdin until it gets a second line, then prints which of them it saw.
WATCHER = """
import glob, select, sys
words, seen = sys.stdin.readline().split("|"), set()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.01)[0]:
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, encoding="utf-8", errors="replace") as handle:
                text = handle.read()
        except OSError:
            continue
        seen.update(number for number, word in enumerate(words) if word.strip() in text)
print(sorted(seen))
"""


@contextlib.contextmanager
def watched(command, words):
    """Yields a function that ends the watch and returns the numbers of the words that were seen."""
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        watcher.stdin.write("|".join(words) + "\n")
        assert watcher.stdout.readline() == "ready\n"
        yield lambda: json.loads(watcher.communicate("enough\n", timeout=60)[0])
    finally:
        watcher.kill()
        watcher.wait()


def test_a_key_is_in_no_argument_and_no_environment(box, play, key):
    """D17: every process of the host, and of the controller, while the key is placed."""
    words = [secret_of(key), "seen-in-an-argument", "seen-in-an-environment"]
    given = {"git_keys_mode": "private_key", "git_keys_private_key": str(key), **WHO, **SMALL}
    box.ssh("cat > .watcher.py", input=WATCHER)
    become = [] if box.instance.ssh_user == "root" else ["sudo", "-n"]
    there = [*box.ssh_command(), *become, "python3", ".watcher.py"]
    with watched(there, words) as on_host, watched([sys.executable, "-c", WATCHER], words) as here:
        assert play(ROLES, limit=box.name, **given).ok().changed(box.name) == 1
        # The watch works: it sees what is in one of the two.
        box.ssh("sh -c 'sleep 1; : seen-in-an-argument'; A=seen-in-an-environment sleep 1")
        subprocess.run(["sleep", "1"], env={**os.environ, "A": words[2]}, check=True)
        assert (on_host(), here()) == ([1, 2], [1, 2])
    box.ssh("rm .watcher.py")
    play(ROLES, limit=box.name, **WHO, **SMALL).ok()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.chmod(0o644), "may be read by others on this machine (mode 0644)"),
        (lambda path: path.unlink(), "does not exist on this machine"),
        (lambda path: path.write_text(path.with_suffix(".pub").read_text()), "is a public key, and the private one is needed"),
        (
            lambda path: subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret words", "-f", str(path)], check=True),
            "protected by a passphrase",
        ),
        (lambda path: path.write_text("hello"), "is not a private key"),
    ],
    ids=["world-readable", "missing", "public", "passphrase", "rubbish"],
)
def test_a_key_that_cannot_be_used_is_refused_before_anything_changes(box, play, tmp_path, change, said):
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    change(path)
    ran = play("bootstrap", limit=box.name, git_keys_mode="private_key", git_keys_private_key=str(path))
    assert said in ran.message() and "Nothing was changed" in ran.message()
    assert ran.stats("changed").get(box.name, 0) == 0
    assert box.ssh("test -e .ssh/rented_git_key && echo there || echo none").strip() == "none"


def test_agent_places_nothing_and_needs_an_agent(box, play, key, tmp_path):
    ran = play(ROLES, limit=box.name, git_keys_mode="agent", env={"SSH_AUTH_SOCK": ""}, **SMALL)
    assert "no ssh agent runs here" in ran.message()
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.05)
        env = {"SSH_AUTH_SOCK": str(socket)}
        subprocess.run(["ssh-add", "-q", str(key)], env=dict(os.environ, **env), check=True)
        assert play(ROLES, limit=box.name, git_keys_mode="agent", env=env, **SMALL).ok().changes() == []
    finally:
        agent.terminate()
        agent.wait()
    assert on_the_box(box, secret_of(key)) == ""
