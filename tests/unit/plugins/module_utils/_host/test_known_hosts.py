# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""known_hosts files as OpenSSH writes them. The hashed lines below were written by ``ssh-keygen -H`` of OpenSSH 9.2."""

from __future__ import annotations

import base64
import struct

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _known_hosts, _stamps

ED = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf"
HASHED = "|1|Yiu3aY4QmkPW3N0Nhnthcq40JBQ=|EDr3GJlcJLsEO6J8I7LPThCbr28="
HASHED_PORT = "|1|LAbjHdtlSmxGXvQu/sGGDMrt04g=|wlRkZ5L15RCrv/JxpHXEumdJwKc="


def complete(text, keys=(("github.com", "ssh-ed25519", ED),), withdrawn=None, ours=()):
    return _known_hosts.complete(text, list(keys), withdrawn or {}, list(ours))


def test_fingerprint_is_the_one_github_publishes():
    assert _known_hosts.fingerprint(ED) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


def test_a_repeat_adds_nothing():
    once, _kept, added, _removed = complete("")
    assert added == ["github.com ssh-ed25519 " + ED]
    twice, _kept, added, removed = complete(once)
    assert (twice, added, removed) == (once, [], [])


@pytest.mark.parametrize(
    "line",
    [
        "github.com ssh-ed25519 %s" % ED,
        "github.com,140.82.121.4 ssh-ed25519 %s with a comment" % ED,
        "GitHub.com ssh-ed25519 %s" % ED,
        "*.example.org,git*.com ssh-ed25519 %s" % ED,
        "%s ssh-ed25519 %s" % (HASHED, ED),
    ],
)
def test_a_key_that_is_there_in_any_form_is_not_added_again(line):
    text, kept, added, removed = complete(line + "\n")
    assert (text, kept, added, removed) == (line + "\n", [line], [], [])


@pytest.mark.parametrize(
    "line",
    [
        "[github.com]:2222 ssh-ed25519 %s" % ED,
        "!github.com,* ssh-ed25519 %s" % ED,
        "# github.com ssh-ed25519 %s" % ED,
        "%s ssh-ed25519 %s" % (HASHED_PORT, ED),
    ],
)
def test_a_line_of_another_host_or_port_does_not_count(line):
    text, _kept, added, removed = complete(line + "\n")
    assert added == ["github.com ssh-ed25519 " + ED]
    assert removed == []
    assert text.startswith(line + "\n")


def test_another_port_has_brackets_also_hashed():
    name = _known_hosts.name_of("GitHub.com", 2222)
    assert name == "[github.com]:2222"
    assert complete("%s ssh-ed25519 %s\n" % (HASHED_PORT, ED), [(name, "ssh-ed25519", ED)])[2] == []
    assert complete("", [(name, "ssh-ed25519", ED)])[2] == ["[github.com]:2222 ssh-ed25519 " + ED]


def test_a_last_line_without_newline_stays_a_line():
    text = complete("example.org ssh-ed25519 " + OTHER)[0]
    assert text.splitlines() == ["example.org ssh-ed25519 " + OTHER, "github.com ssh-ed25519 " + ED]


@pytest.mark.parametrize("names", ["github.com", HASHED, "github.com,140.82.121.4"])
def test_another_key_for_a_wanted_host_is_a_conflict_with_its_line(names):
    with pytest.raises(_known_hosts.Conflict) as error:
        complete("# mine\n%s ssh-ed25519 %s\n" % (names, OTHER))
    assert error.value.line.number == 2
    assert error.value.line.fingerprint() == _known_hosts.fingerprint(OTHER)


def test_a_revoked_key_is_a_conflict():
    with pytest.raises(_known_hosts.Conflict) as error:
        complete("@revoked * ssh-ed25519 %s\n" % ED)
    assert error.value.revoked


def test_the_line_number_is_that_of_the_file_even_when_a_line_before_goes():
    text = "github.com ssh-ed25519 %s\ngitlab.com ssh-ed25519 %s\n" % (OTHER, OTHER)
    with pytest.raises(_known_hosts.Conflict) as error:
        complete(text, [("gitlab.com", "ssh-ed25519", ED)], {"github.com": {_known_hosts.fingerprint(OTHER)}})
    assert error.value.line.number == 2


def test_a_withdrawn_key_is_replaced_and_said():
    withdrawn = {"github.com": {_known_hosts.fingerprint(OTHER)}}
    text, _kept, added, removed = complete("github.com ssh-ed25519 %s\n" % OTHER, withdrawn=withdrawn)
    assert text == "github.com ssh-ed25519 %s\n" % ED
    assert added
    assert "withdrawn by github.com" in removed[0]


def test_a_line_that_we_wrote_is_replaced_when_the_wanted_key_changes():
    line = "github.com ssh-ed25519 " + OTHER
    text, _kept, _added, removed = complete(line + "\n", ours=[_stamps.line_mark(line)])
    assert text == "github.com ssh-ed25519 %s\n" % ED
    assert "replaced" in removed[0]


def test_another_type_of_key_is_no_conflict():
    rsa = base64.b64encode(struct.pack(">I", 7) + b"ssh-rsa" + struct.pack(">I", 1) + b"\x03" + struct.pack(">I", 1) + b"\x05").decode()
    assert complete("github.com ssh-rsa %s\n" % rsa)[3] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb\n-----END OPENSSH PRIVATE KEY-----", "it is a private key"),
        ("ssh-ed25519", "has the form"),
        ("github.com ssh-ed25519 " + ED, "it begins with 'github.com'"),
        ("ssh-rsa " + ED, "holds a key of the type ssh-ed25519"),
        ("ssh-ed25519 " + ED[:-8], "it is cut off"),
        ("ssh-ed25519 " + ED[:-3], "may be cut off"),
    ],
)
def test_what_is_not_a_public_key_is_said(text, said):
    with pytest.raises(_known_hosts.KeyFormatError, match=said):
        _known_hosts.parse_key(text)
