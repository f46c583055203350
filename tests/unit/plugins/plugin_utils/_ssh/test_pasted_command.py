# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ssh commands as pages show them and people paste them, held against what ssh itself makes of them, and any text at all."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._pasted_command import (
    HARMLESS,
    SshCommand,
    forward,
    hops,
    jump,
    parse,
    render,
)

SSH = pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")
V4 = "192.0.2.1"
V6 = "2001:db8::1"

PLAIN = [
    # what the pages of providers show
    ("ssh -p 12345 root@192.0.2.1 -L 8080:localhost:8080", SshCommand(V4, 12345, "root", forwards=(("local", "8080:localhost:8080"),))),
    ("ssh root@192.0.2.1 -p 10022 -i ~/.ssh/id_ed25519", SshCommand(V4, 10022, "root", "~/.ssh/id_ed25519")),
    ("ssh ubuntu@192.0.2.1", SshCommand(V4, None, "ubuntu")),
    ('ssh -i "key with blanks.pem" ec2-user@host.example.org', SshCommand("host.example.org", None, "ec2-user", "key with blanks.pem")),
    # joined, clustered, and in any order
    ("ssh -p12345 -lroot 192.0.2.1", SshCommand(V4, 12345, "root")),
    ("ssh -tp 22 192.0.2.1", SshCommand(V4, 22)),
    ("ssh -NfL 8080:localhost:8080 -qvvv root@192.0.2.1", SshCommand(V4, None, "root", forwards=(("local", "8080:localhost:8080"),))),
    ("ssh root@192.0.2.1 -t -Y -v -N -f -q -x -T -C -4", SshCommand(V4, None, "root")),
    ("ssh -- root@192.0.2.1", SshCommand(V4, None, "root")),
    ("ssh -E /dev/null -S none -e none root@192.0.2.1", SshCommand(V4, None, "root")),
    (
        "ssh -D 1080 -R 9000:localhost:9000 root@192.0.2.1",
        SshCommand(V4, None, "root", forwards=(("dynamic", "1080"), ("remote", "9000:localhost:9000"))),
    ),
    # -o
    ("ssh -o Port=2222 -oUser=root -o 'IdentityFile ~/k' 192.0.2.1", SshCommand(V4, 2222, "root", "~/k")),
    ("ssh -o hostname=192.0.2.1 -o ProxyJump=ada@jump.example.org:2200 box", SshCommand(V4, jump="ada@jump.example.org:2200")),
    ("ssh -o 'LocalForward 8080 localhost:80' 192.0.2.1", SshCommand(V4, forwards=(("local", "8080:localhost:80"),))),
    ("ssh -o IdentitiesOnly=yes -o ServerAliveInterval=60 -o LogLevel=QUIET root@192.0.2.1", SshCommand(V4, None, "root")),
    (
        "ssh -J ada@jump.example.org,[2001:db8::2]:23 root@192.0.2.1",
        SshCommand(V4, None, "root", jump="ada@jump.example.org,[2001:db8::2]:23"),
    ),
    ("ssh -J none root@192.0.2.1", SshCommand(V4, None, "root")),
    # addresses
    ("ssh root@2001:db8::1 -p 22", SshCommand(V6, 22, "root")),
    ("ssh root@[2001:db8::1]", SshCommand(V6, None, "root")),
    ("ssh fe80::1%eth0", SshCommand("fe80::1%eth0")),
    ("ssh ssh://root@[2001:db8::1]:2222", SshCommand(V6, 2222, "root")),
    ("ssh://ada@host.example.org:22/", SshCommand("host.example.org", 22, "ada")),
    ("root@192.0.2.1:12345", SshCommand(V4, 12345, "root")),
    ("[2001:db8::1]:22", SshCommand(V6, 22)),
    ("2001:db8::1", SshCommand(V6)),
    ("192.0.2.1 -p 22", SshCommand(V4, 22)),
    ("my-gpu", SshCommand("my-gpu")),
    ("ssh my_gpu", SshCommand("my_gpu")),
    ("ssh ada@example.org@192.0.2.1", SshCommand(V4, None, "ada@example.org")),
    # as it is copied
    ("$ ssh -p 1 root@192.0.2.1\n", SshCommand(V4, 1, "root")),
    ("ada@laptop:~$ ssh -p 1 root@192.0.2.1", SshCommand(V4, 1, "root")),
    ("ssh \\\n  -p 1 \\\r\n  root@192.0.2.1", SshCommand(V4, 1, "root")),
    ("`ssh -p 1 root@192.0.2.1`", SshCommand(V4, 1, "root")),
    ('"ssh -p 1 root@192.0.2.1"', SshCommand(V4, 1, "root")),
    ("'ssh -p 1 -i \"a b\" root@192.0.2.1' ", SshCommand(V4, 1, "root", "a b")),
    ('"$ ssh -p 1 root@192.0.2.1"', SshCommand(V4, 1, "root")),
    ("\u201cssh -p 1 root@192.0.2.1\u201d", SshCommand(V4, 1, "root")),
    ("\u201essh -p 1 root@192.0.2.1\u201c", SshCommand(V4, 1, "root")),
    ('"root@192.0.2.1:1"', SshCommand(V4, 1, "root")),
    ('"ssh" -p 1 "root@192.0.2.1"', SshCommand(V4, 1, "root")),
    ("ssh –p 1 —L 1:localhost:2 root@192.0.2.1", SshCommand(V4, 1, "root", forwards=(("local", "1:localhost:2"),))),
    ("ssh\u00a0-p 1\troot@192.0.2.1", SshCommand(V4, 1, "root")),
    ("/usr/bin/ssh 'root@192.0.2.1'", SshCommand(V4, None, "root")),
    ("C:/Windows/System32/OpenSSH/ssh.exe root@192.0.2.1", SshCommand(V4, None, "root")),
]


@pytest.mark.parametrize(("text", "expected"), PLAIN, ids=[text for text, _expected in PLAIN])
def test_what_people_paste(text, expected):
    found = parse(text)
    assert found == expected and found.warnings == ()
    assert parse(render(found)) == found


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("ssh -A root@192.0.2.1", "forwards your ssh agent (-A); that is not done"),
        ("ssh -o ForwardAgent=yes root@192.0.2.1", "ForwardAgent=yes; that is not done: your agent stays here"),
        ("ssh -o %s=%s root@192.0.2.1" % ("StrictHostKeyChecking", "no"), "that is not done: the key of the machine is pinned"),
        ("ssh -o UserKnownHostsFile=/dev/null root@192.0.2.1", "UserKnownHostsFile=/dev/null; that is not done"),
        ("ssh root@192.0.2.1 nvidia-smi -L", "a command to run there; it is not part of an address, and was dropped"),
        ("ssh -l ada root@192.0.2.1", "more than one user; the first counts"),
        ("ssh -i a -i b root@192.0.2.1", "more than one private key; the first counts"),
    ],
    ids=["A", "ForwardAgent", "no check", "no memory", "command", "two users", "two keys"],
)
def test_what_is_not_done_is_said(text, warning):
    (said,) = parse(text).warnings
    assert warning in said
    assert parse(text).host == V4
    assert all(word not in render(parse(text)) for word in ("-A", "Forward", "Strict", "Known", "nvidia"))


def test_checking_that_is_on_is_not_worth_a_word():
    assert parse("ssh -o StrictHostKeyChecking=accept-new -o ForwardX11=no root@192.0.2.1").warnings == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n ", "is empty"),
        (None, "is empty"),
        ("ssh", "names no host"),
        ("ssh -p 22", "names no host"),
        ("ssh root@192.0.2.1 -p", "-p of the ssh command has no value"),
        ("ssh -p 0 root@192.0.2.1", "'0' is not a port"),
        ("ssh -p 65536 root@192.0.2.1", "'65536' is not a port"),
        ("ssh -p ²² root@192.0.2.1", "is not a port"),
        ("ssh root@192.0.2.1:99999", "is not a port"),
        ("ssh 'root@192.0.2.1", "has no partner"),
        ("ssh 'root@192.0.2.1; reboot'", "not an address of a host"),
        ('"my host"', "'my' is neither ssh nor the address of a host"),
        ("'\"ssh -p 0 root@192.0.2.1\"'", "'0' is not a port"),
        ("'\" \"'", "is empty"),
        ("ssh root@$(reboot)", "not an address of a host"),
        ("ssh root@-oProxyCommand=x", "not an address of a host"),
        ("ssh -l -oProxyCommand=x 192.0.2.1", "not a user name"),
        ("ssh -J -oProxyCommand=x 192.0.2.1", "not an address of a host"),
        ("ssh 'root@%h'", "not an address of a host"),
        ("ssh root@2001:db8::zz", "neither a name, nor IPv4, nor IPv6"),
        ("ssh root:secret@192.0.2.1", "A password has no place"),
        ("ssh ssh://root@192.0.2.1/path", "not of the form ssh://"),
        ("ssh -o ProxyCommand='nc %h %p' root@192.0.2.1", "'ProxyCommand' of the ssh command cannot be taken over"),
        ("ssh -o LocalCommand=id root@192.0.2.1", "cannot be taken over"),
        ("ssh -o Prot=22 root@192.0.2.1", "Did you mean 'port'"),
        ("ssh -o Port root@192.0.2.1", "not of the form Name=value"),
        ("ssh -F config root@192.0.2.1", "under a Host in ~/.ssh/config, and adopt the name of that Host"),
        ("ssh -W a:1 root@192.0.2.1", "cannot be taken over"),
        ("ssh -Z root@192.0.2.1", "-Z is not an option"),
        ("ssh --port 22 root@192.0.2.1", "-- is not an option"),
        ("ssh -L 8080 root@192.0.2.1", "has the form 8080:localhost:8080"),
        ("ssh -L 8080:localhost:99999 root@192.0.2.1", "is not a forwarding"),
        ("ssh -D x root@192.0.2.1", "has the form 1080"),
        ("sudo ssh root@192.0.2.1", "'sudo' is neither ssh nor the address"),
        ("gcloud compute ssh box", "'gcloud' is neither ssh nor the address"),
        ("kubectl exec box", "'kubectl' is neither ssh nor the address"),
        ("ssh root@192.0.2.1\nssh root@192.0.2.2", "There are 2 lines"),
        ("ssh root@192.0.2.1\x1b[0m", "control characters"),
        ("ssh " + "a" * 5000, "more than any ssh command"),
    ],
)
def test_what_cannot_be_taken_is_one_sentence(text, message):
    with pytest.raises(RentedError) as caught:
        parse(text)
    assert message in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text", ["sshpass -p hunter22 ssh root@192.0.2.1", "ssh root:hunter22@192.0.2.1", "ssh ssh://root:hunter22@192.0.2.1:x/y"]
)
def test_a_password_is_never_repeated(text):
    with pytest.raises(RentedError) as caught:
        parse(text)
    assert "hunter22" not in caught.value.message


def test_jump_hosts():
    assert hops("ada@a.example.org:23,[2001:db8::2]:24,c") == [
        ("ada", "a.example.org", 23),
        (None, "2001:db8::2", 24),
        (None, "c", None),
    ]
    assert jump("ssh://ada@a:23 , c") == "ada@a:23,c" and jump("none") is None
    for wrong in ("", "a,,b", "a b", "a%h", "x@y@z"):
        with pytest.raises(RentedError):
            jump(wrong)


@pytest.mark.parametrize(
    "text", ["8080:localhost:8080", "*:80:a.b:1", ":80:a:1", "[::1]:80:[2001:db8::2]:81", "80:/run/x", "/tmp/s:/run/x", "/tmp/s:a:1"]
)
def test_forwards(text):
    assert forward("L", text) == forward("R", text) == text


@pytest.mark.parametrize(
    ("letter", "text"), [("D", "a:1:2"), ("D", "/tmp/s"), ("L", "1:a"), ("L", "0:a:1"), ("L", "1:[::1:2"), ("R", "a:b:c:d:e"), ("L", "")]
)
def test_wrong_forwards(letter, text):
    with pytest.raises(RentedError, match="is not a forwarding"):
        forward(letter, text)


# --- held against ssh --------------------------------------------------------------------------------------------------


def options_of(command: str) -> dict:
    """What ``ssh -G`` makes of a command: lower-case name -> values."""
    shown = subprocess.run(["ssh", "-F", "none", "-G", *shlex.split(command)[1:]], capture_output=True, text=True, check=True).stdout
    found: dict = {}
    for line in shown.splitlines():
        name, _blank, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


# ssh itself takes brackets for jump hosts only, and no long dashes.
OWN_WAYS = ("–", "—", "\u00a0", "\\", "@[")


@SSH
@pytest.mark.parametrize(
    "text", [text for text, _expected in PLAIN if text.startswith("ssh ") and not any(sign in text for sign in OWN_WAYS)]
)
def test_ssh_reads_what_is_rendered_as_it_reads_what_was_pasted(text):
    # Not compared: the key, which ssh shows only when its file is there.
    pasted, rendered = options_of(text), options_of(render(parse(text)))
    for name in ("hostname", "port", "user", "proxyjump", "localforward", "remoteforward", "dynamicforward"):
        assert rendered.get(name) == pasted.get(name), name


@SSH
def test_ssh_knows_every_keyword_that_is_passed_over():
    """A misspelt one would be refused by ssh, and must be refused here."""
    for name in HARMLESS.split():
        done = subprocess.run(["ssh", "-F", "none", "-G", "-o", "%s=x" % name, "h"], capture_output=True, text=True, check=False)
        assert "Bad configuration option" not in done.stderr, name


# --- any text ----------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *("ssh", "ssh.exe", "-p", "-l", "-i", "-J", "-o", "-L", "-R", "-D", "-A", "-tNf", "-p22", "--", "–p", "-"),
        *("22", "0", "root", "root@", "@", "h", "h:1", "[::1]", "::1", "ssh://a@b:1", "Port=22", "User=a", "1:a:2", "1080", "none"),
        *(",", "%", "'", '"', "\\", "$", "`", "\n"),
    ]
)


@given(st.text(max_size=60) | st.lists(WORDS, max_size=9).map(" ".join) | st.lists(WORDS, max_size=9).map(" ".join).map("ssh ".__add__))
@example("ssh -i‐x h")
@example("ssh -i 'a\u2028' h")
def test_any_text_is_read_or_refused(text):
    try:
        found = parse(text)
    except RentedError as error:
        assert error.message and "\n" not in error.message
        return
    again = parse(render(found))
    assert again == found and again.warnings == ()
    assert render(again) == render(found)
    assert not found.host.startswith("-") and not (found.user or "").startswith("-")


NAMES = st.from_regex(r"[a-z0-9_](?:[a-z0-9.-]{0,8}[a-z0-9])?", fullmatch=True)
HOSTS = NAMES | st.ip_addresses().map(str)
PORTS = st.integers(1, 65535)
USERS = st.from_regex(r"[a-z_][a-z0-9_.+@=-]{0,10}", fullmatch=True)
JUMPS = st.lists(
    st.tuples(st.none() | NAMES, NAMES, st.none() | PORTS).map(
        lambda hop: (hop[0] + "@" if hop[0] else "") + hop[1] + (":%d" % hop[2] if hop[2] else "")
    ),
    min_size=1,
    max_size=3,
).map(",".join)
FORWARDS = st.lists(
    st.tuples(st.sampled_from(["local", "remote"]), st.builds("{}:{}:{}".format, PORTS, NAMES, PORTS))
    | st.tuples(st.just("dynamic"), PORTS.map(str)),
    max_size=3,
).map(tuple)
KEYS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\u00a0", exclude_categories=["Cc"]), min_size=1
).filter(lambda text: text.strip() and not text.startswith("-"))


@given(
    st.builds(SshCommand, HOSTS, st.none() | PORTS, st.none() | USERS, st.none() | KEYS, st.none() | JUMPS.filter("none".__ne__), FORWARDS)
)
def test_what_is_rendered_is_read_back(command):
    assert parse(render(command)) == command
