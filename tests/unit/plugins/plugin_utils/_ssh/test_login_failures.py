# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenSSH's client says, and what it means. The texts were recorded with OpenSSH 9.2; the whole story is in the integration tests."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _login_failures

CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
The fingerprint for the ED25519 key sent by the remote host is
SHA256:4jdPpkq5bXr3BZ7PTMpIC1upRj5loFDabfhkkx5GBMc.
Please contact your system administrator.
Add correct host key in /state/known hosts to get rid of this message.
Offending ED25519 key in /state/known hosts:1
Host key for vast-1234 has changed and you have requested strict checking.
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ssh: connect to host 1.2.3.4 port 22: Connection refused", _login_failures.DOWN),
        ("ssh: connect to host 1.2.3.4 port 22: Connection timed out", _login_failures.DOWN),
        ("ssh: connect to host 1.2.3.4 port 22: No route to host", _login_failures.DOWN),
        ("Connection timed out during banner exchange", _login_failures.DOWN),
        ("kex_exchange_identification: Connection closed by remote host\nConnection closed by 1.2.3.4 port 22", _login_failures.DOWN),
        ("kex_exchange_identification: read: Connection reset by peer", _login_failures.DOWN),
        ("ssh: Could not resolve hostname nowhere.invalid: Name or service not known", _login_failures.NAME),
        ("root@1.2.3.4: Permission denied (publickey,password).", _login_failures.KEY),
        ("Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures\nDisconnected", _login_failures.KEY),
        (CHANGED, _login_failures.CHANGED),
        (
            "No ED25519 host key is known for x and you have requested strict checking.\nHost key verification failed.",
            _login_failures.UNKNOWN,
        ),
        ("command-line: line 0: Bad configuration option: nosuch", _login_failures.CONFIG),
        (
            'Data could not be sent to remote host "x". Make sure this host can be reached over ssh: root@x: Permission denied (publickey)',
            _login_failures.KEY,
        ),
    ],
)
def test_why_a_login_failed(text, why):
    assert _login_failures.classify("Failed to connect to the host via ssh: " + text) == why


def test_ssh_is_asked_again_where_ansible_lost_its_words():
    """On a busy controller Ansible notices that ssh hung up before ssh has said why."""
    mute = 'Data could not be sent to remote host "1.2.3.4". Make sure this host can be reached over ssh: '
    refused = "debug1: Authentications that can continue: publickey\nroot@1.2.3.4: Permission denied (publickey)."
    assert _login_failures.cause(mute, lambda: refused) == refused
    assert _login_failures.cause(mute, lambda: "debug1: Exit status 0") == mute
    for told in (mute + refused, "ssh: connect to host 1.2.3.4 port 22: Connection refused"):
        assert _login_failures.cause(told, lambda: pytest.fail("asked without need")) == told


def test_a_changed_key_is_explained_with_the_command_that_forgets_it():
    said = _login_failures.host_key_changed("box", CHANGED)
    assert "ssh-keygen -R 'vast-1234' -f '/state/known hosts'" in said
    assert "SHA256:4jdPpkq5bXr3BZ7PTMpIC1upRj5loFDabfhkkx5GBMc" in said


def test_each_offered_key_is_named():
    said = _login_failures.key_refused(
        "box",
        "root",
        "debug1: Offering public key: /home/me/my key ED25519 SHA256:abc explicit\r\n"
        "debug1: Offering public key: me@laptop RSA SHA256:def agent\r\n"
        "debug1: Authentications that can continue: publickey\r\n"
        "no such identity: /home/me/.ssh/gone: No such file or directory\r\n",
    )
    assert "/home/me/my key (ED25519 SHA256:abc) and me@laptop (RSA SHA256:def, from the ssh agent)" in said
    assert "takes none of them as user 'root'" in said
    assert "no such identity: /home/me/.ssh/gone" in said


def test_no_key_at_all_is_said():
    assert _login_failures.key_refused("box", "root", "debug1: No more authentication methods to try.").startswith(
        "ssh had no key to offer to box"
    )


def test_the_last_words_are_short_and_without_noise():
    text = "Failed to connect to the host via ssh: debug1: x\n@@@@\nssh: connect to host 1.2.3.4 port 22: Connection refused\n"
    assert _login_failures.last_words(text) == "ssh: connect to host 1.2.3.4 port 22: Connection refused"
    assert _login_failures.last_words("") == "ssh said nothing"


# --- `ssh -v` of OpenSSH 9.2 against its own sshd, recorded in a box: one user per cause ----------------------------


RECORDED = pathlib.Path(__file__).parents[4] / "fixtures" / "ssh_v"


@pytest.mark.parametrize(
    ("name", "kind", "heals", "words"),
    [
        ("gone", _login_failures.KEY, True, "does not take it as user 'me'"),
        ("nosuchuser", _login_failures.KEY, True, "that 'me' is the right user"),
        ("shelless", _login_failures.KEY, True, "locked or has no shell"),
        ("eightkeys", _login_failures.KEY, False, "box hung up after 6 keys; ssh had 8 to try, those of the ssh agent first"),
        ("agentrefuses", _login_failures.KEY, False, "the ssh agent refused to sign with it"),
        ("twofac", _login_failures.KEY, False, "takes the key of user 'me' and asks for more (password)"),
        ("pwonly", _login_failures.KEY, False, "takes no keys from user 'me', only: password"),
        ("emptyagent", _login_failures.KEY, False, "the ssh agent is empty"),
        ("nokey", _login_failures.KEY, False, "ssh had no key to offer to box"),
        ("openkey", _login_failures.KEY, False, "Permissions 0644 for 'open' are too open"),
        ("garbage", _login_failures.KEY, False, 'Load key "garbage": error in libcrypto'),
        ("passphrase", _login_failures.KEY, True, "pass (ED25519 SHA256:"),
    ],
)
def test_the_cause_of_a_refusal_is_told_apart(name, kind, heals, words):
    said = (RECORDED / (name + ".log")).read_text()
    assert _login_failures.classify(said) == kind
    assert _login_failures.may_heal(said) is heals
    assert words in _login_failures.key_refused("box", "me", said)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("badcfg", _login_failures.CONFIG, "terminating, 1 bad configuration options"),
        ("badoption", _login_failures.CONFIG, "Bad configuration option: nonsense"),
        ("remotecommand", _login_failures.CONFIG, "Cannot execute command-line and remote command"),
        ("localforward", _login_failures.CONFIG, "Could not request local forwarding"),
        ("kex", _login_failures.CIPHERS, "no matching key exchange method"),
        ("hostkeyalg", _login_failures.CIPHERS, "no matching host key type"),
        ("cipher", _login_failures.CIPHERS, "no matching cipher"),
        ("sockdir", _login_failures.LOCAL, "cannot bind to path /nonexistent"),
        ("proxymissing", _login_failures.PROXY, "nosuchproxy: not found"),
        ("expired", _login_failures.ACCOUNT, "Your account has expired"),
    ],
)
def test_what_waiting_does_not_heal_has_a_sentence_of_its_own(name, kind, words):
    said = (RECORDED / (name + ".log")).read_text()
    for text in (said, 'Data could not be sent to remote host "1.2.3.4". Make sure this host can be reached over ssh: ' + said):
        assert _login_failures.classify(text) == kind
        assert words in _login_failures.local_cause(kind, "box", text)


def test_a_jump_host_whose_target_is_down_is_waited_for():
    assert _login_failures.classify((RECORDED / "proxyrefused.log").read_text()) == _login_failures.DOWN


def test_words_of_ssh_that_are_not_known_end_the_wait():
    mute = 'Data could not be sent to remote host "1.2.3.4". Make sure this host can be reached over ssh: '
    assert _login_failures.classify(mute + "frobnicate: the flux is low") == _login_failures.OTHER
    assert _login_failures.classify(mute) == _login_failures.DOWN
    assert _login_failures.classify(mute + "ssh: connect to host 1.2.3.4 port 22: Connection refused") == _login_failures.DOWN


@pytest.mark.parametrize(
    "text",
    [
        'Please login as the user "ubuntu" rather than the user "root".',
        "Please login as the user ubuntu rather than the user root.",
        "Please login as the ubuntu user rather than root user.",
        "Failed to create temporary directory. stdout output: Please login as the user 'ubuntu' rather than the user",
    ],
)
def test_the_user_that_an_image_asks_for_is_found(text):
    assert _login_failures.other_user(text) == "ubuntu"


def fake_ssh(folder, body):
    path = folder / "ssh"
    path.write_text("#!/bin/bash\n" + body)
    path.chmod(0o755)
    return [str(path), "host"]


@pytest.mark.parametrize(
    ("body", "works"),
    [
        ('eval "${@: -1}"', True),
        ('echo welcome; eval "${@: -1}"; exit 3', True),
        ('echo "${@: -1}"', False),  # what fish and some menus do: they repeat the command
        ("exit 0", False),
        ("echo rented-1", False),
    ],
)
def test_only_a_computed_answer_counts_as_a_login(tmp_path, body, works):
    assert _login_failures.Probe(fake_ssh(tmp_path, body), 20).works is works


def test_what_came_instead_of_our_command_is_told(tmp_path):
    probe = _login_failures.Probe(
        fake_ssh(tmp_path, "echo 'Authenticated to host ([x]:22).' >&2; echo This account is not available.; exit 1"), 20
    )
    assert probe.logged_in and "exit code 1" in probe.instead() and "This account is not available." in probe.instead()
    hung = _login_failures.Probe(fake_ssh(tmp_path, "echo 'Authenticated to host ([x]:22).' >&2; exec sleep 60"), 1)
    assert hung.logged_in and hung.timed_out and "the login shell did not run our command" in hung.instead()
