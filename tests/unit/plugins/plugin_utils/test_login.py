# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenSSH's client says, and what it means. The texts were recorded with OpenSSH 9.2; the whole story is in the integration tests."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils import _login

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
        ("ssh: connect to host 1.2.3.4 port 22: Connection refused", _login.DOWN),
        ("ssh: connect to host 1.2.3.4 port 22: Connection timed out", _login.DOWN),
        ("ssh: connect to host 1.2.3.4 port 22: No route to host", _login.DOWN),
        ("Connection timed out during banner exchange", _login.DOWN),
        ("kex_exchange_identification: Connection closed by remote host\nConnection closed by 1.2.3.4 port 22", _login.DOWN),
        ("kex_exchange_identification: read: Connection reset by peer", _login.DOWN),
        ("ssh: Could not resolve hostname nowhere.invalid: Name or service not known", _login.NAME),
        ("root@1.2.3.4: Permission denied (publickey,password).", _login.KEY),
        ("Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures\nDisconnected", _login.KEY),
        (CHANGED, _login.CHANGED),
        ("No ED25519 host key is known for x and you have requested strict checking.\nHost key verification failed.", _login.UNKNOWN),
        ("command-line: line 0: Bad configuration option: nosuch", _login.OTHER),
        (
            'Data could not be sent to remote host "x". Make sure this host can be reached over ssh: root@x: Permission denied (publickey)',
            _login.KEY,
        ),
    ],
)
def test_why_a_login_failed(text, why):
    assert _login.classify("Failed to connect to the host via ssh: " + text) == why


def test_ssh_is_asked_again_where_ansible_lost_its_words():
    """On a busy controller Ansible notices that ssh hung up before ssh has said why."""
    mute = 'Data could not be sent to remote host "1.2.3.4". Make sure this host can be reached over ssh: '
    refused = "debug1: Authentications that can continue: publickey\nroot@1.2.3.4: Permission denied (publickey)."
    assert _login.cause(mute, lambda: refused) == refused
    assert _login.cause(mute, lambda: "debug1: Exit status 0") == mute
    for told in (mute + refused, "ssh: connect to host 1.2.3.4 port 22: Connection refused"):
        assert _login.cause(told, lambda: pytest.fail("asked without need")) == told


def test_a_changed_key_is_explained_with_the_command_that_forgets_it():
    said = _login.host_key_changed("box", CHANGED)
    assert "ssh-keygen -R 'vast-1234' -f '/state/known hosts'" in said
    assert "SHA256:4jdPpkq5bXr3BZ7PTMpIC1upRj5loFDabfhkkx5GBMc" in said


def test_each_offered_key_is_named():
    said = _login.key_refused(
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
    assert _login.key_refused("box", "root", "debug1: No more authentication methods to try.").startswith("ssh had no key to offer to box")


def test_the_last_words_are_short_and_without_noise():
    text = "Failed to connect to the host via ssh: debug1: x\n@@@@\nssh: connect to host 1.2.3.4 port 22: Connection refused\n"
    assert _login.last_words(text) == "ssh: connect to host 1.2.3.4 port 22: Connection refused"
    assert _login.last_words("") == "ssh said nothing"
