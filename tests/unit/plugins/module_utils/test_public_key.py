# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys on one line: their parts, and which lines are the same key. The last word is that of ssh-keygen and of sshd(8)."""

from __future__ import annotations

import itertools
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._public_key import PublicKey, parse, same

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
KINDS = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
]
OPTIONS = [
    None,
    "no-pty",
    'from="192.0.2.0/24",no-agent-forwarding',
    'command="echo \\"ssh-rsa AAAA\\" there",restrict',
    'environment="A=ssh-ed25519 B"',
    'command="C:\\path\\to"',
]
COMMENTS = [None, "ada@example.org", "Ada Lovelace  at home", "ssh-rsa AAAA", '"quoted" \\']
BLANKS = [" ", "\t", " \t  "]
ENDS = ["", "\n", "\r\n", "  \r\n"]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_a_line_has_the_same_parts(kind, options):
    for comment, blank, end in itertools.product(COMMENTS, BLANKS, ENDS):
        line = blank.join(part for part in (options, kind, BLOB, comment) if part) + end
        key = parse(line)
        assert (key.options, key.kind, key.blob, key.comment) == (options, kind, BLOB, comment), repr(line)
        assert key == parse(key.body) and same(line, key.body) and same(key.line, line)
        assert key.line == " ".join(part for part in (kind, BLOB, comment) if part)


@pytest.mark.parametrize(
    "line",
    [
        None,
        "",
        "  \r\n",
        "# ssh-ed25519 " + BLOB,
        "ssh-ed25519",
        BLOB,
        BLOB + " ssh-ed25519",
        "hello world",
        "ada:ssh-ed25519" + BLOB,
        "ssh-ed25519\x0b" + BLOB,
        "ssh- " + BLOB,
        "ssh-ed25519 %s\nssh-rsa %s" % (BLOB, BLOB),
        "ssh-ed25519 %s me\rssh-rsa" % BLOB,
        'command="never closed ssh-ed25519 ' + BLOB,
        'command="' + '\\"' * 4000,  # answered at once: nothing is tried twice
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
    ],
)
def test_what_is_no_key(line):
    assert parse(line) is None
    if line and line.strip():
        assert not same(line, "ssh-ed25519 " + BLOB) and same(line, line)
    else:
        assert not same(line, line)


def test_keys_differ_by_type_and_by_base64():
    keys = [parse("%s %s" % (kind, blob)) for kind in KINDS for blob in (BLOB, BLOB[:-1] + "m", "AAAA")]
    assert len(set(keys)) == len(keys)
    assert not same(keys[0].line, keys[1].line) and not same(keys[0].line, None) and not same("", keys[0].line)


def test_what_the_base64_says():
    assert parse("ssh-ed25519 " + BLOB).content.startswith(b"\0\0\0\x0bssh-ed25519")
    assert [parse("ssh-rsa " + blob).content for blob in ("!!!", BLOB[:-1], "AAAA-", "schlüssel")] == [None] * 4


@pytest.mark.parametrize(
    "text", ["ssh-ed25519", "no-pty ssh-ed25519 " + BLOB, "ssh-rsa s3cret\nssh-rsa s3cret", "ssh-rsa PRIVATE KEY s3cret"]
)
def test_a_text_that_must_be_a_key(text):
    with pytest.raises(RentedError) as caught:
        _public_key.required(text, "The SSH key for Acme", "acme")
    assert caught.value.message == "The SSH key for Acme must be one public key on one line (a .pub file)."
    assert caught.value.provider == "acme"
    assert _public_key.required(" ssh-rsa  AAAA  me \r\n", "x") == PublicKey("ssh-rsa", "AAAA")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_ssh_keygen_agrees(kind, tmp_path):
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "Ada Lovelace", "-f", str(path)], check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True).stdout
    key = parse((tmp_path / "key.pub").read_text())
    assert key.comment == "Ada Lovelace" and _public_key.fingerprint(key.content) == shown.split()[1]
    assert _public_key.is_private(path.read_text()) and not _public_key.is_private(key.line)
