# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of known_hosts and git_keys, checked on the controller with real keys; and the shipped list of host keys."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _known_hosts
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _git_access, _specs

SHIPPED = yaml.safe_load(pathlib.Path(_specs.ROLES, "known_hosts", "vars", "main.yml").read_text(encoding="utf-8"))
ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def make(path, *options):
    subprocess.run(["ssh-keygen", "-q", "-C", "test", "-f", str(path), *(options or ("-t", "ed25519", "-N", ""))], check=True)
    return path


def refused(path):
    with pytest.raises(RentedError) as error:
        _git_access.read_private_key(str(path) if path else path)
    return error.value.message


# --- the shipped list ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", SHIPPED["__known_hosts_list"], ids=lambda entry: entry["host"] + " " + entry["key"].split()[0])
def test_each_shipped_key_has_the_published_fingerprint(entry):
    _kind, blob = _known_hosts.parse_key(entry["key"])
    assert _known_hosts.fingerprint(blob) == entry["fingerprint"]


def test_the_list_is_dated_and_has_ed25519_for_each_host():
    assert SHIPPED["__known_hosts_dated"]
    hosts = {entry["host"] for entry in SHIPPED["__known_hosts_list"] if entry["key"].startswith("ssh-ed25519 ")}
    assert hosts == {"github.com", "gitlab.com", "bitbucket.org", "hf.co"}


def test_no_withdrawn_key_is_shipped():
    shipped = {entry["fingerprint"] for entry in SHIPPED["__known_hosts_list"]}
    assert not shipped & {entry["fingerprint"] for entry in SHIPPED["__known_hosts_withdrawn"]}


def test_nothing_asks_the_network_for_host_keys():
    """D4: no ssh-keyscan, and D12: no switched-off check, in anything that runs."""
    root = pathlib.Path(_specs.ROLES).parent
    for folder in ("roles", "plugins", "playbooks"):
        for path in (root / folder).rglob("*"):
            if path.suffix not in (".py", ".yml", ".j2", ".sh"):
                continue
            for line in path.read_text(encoding="utf-8").splitlines():
                code = line.split("#")[0]
                assert not ("keyscan" in code and "never" not in code.lower()), "%s: %s" % (path, line)
                assert "StrictHostKeyChecking=" + "no" not in code.replace(" ", "="), "%s: %s" % (path, line)


# --- known_hosts_extra -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"host": "[git.example.org]:2222", "key": ED}, "without brackets"),
        ({"host": "a b", "key": ED}, "without brackets"),
        ({"host": "x", "port": 70000, "key": ED}, "70000 is not a port"),
        ({"host": "x", "key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "is a private key"),
        ({"host": "x", "key": ED, "fingerprint": "SHA256:other"}, "has the fingerprint SHA256:.DiY3"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(item, said):
    with pytest.raises(RentedError, match="known_hosts_extra, the entry for .*" + said):
        _git_access.check_keys([item])


def test_good_entries_pass():
    _git_access.preflight_known_hosts({"known_hosts_extra": [{"host": "git.example.org", "port": 2222, "key": ED}]})


# --- the private key -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [("-t", "ed25519"), ("-t", "rsa", "-b", "3072"), ("-t", "rsa", "-b", "2048", "-m", "PEM"), ("-t", "ecdsa")]
)
def test_a_good_key_is_read_and_its_public_half_derived(tmp_path, options):
    path = make(tmp_path / "key", *options, "-N", "")
    key = _git_access.read_private_key(str(path))
    assert key.text == path.read_text()
    # D3: the public half is really derived.
    assert key.public.split() == (tmp_path / "key.pub").read_text().split()[:2]
    # D1: showing the object does not show the key.
    assert key.text.splitlines()[2] not in repr(key)


def test_line_ends_of_windows_are_told(tmp_path):
    path = make(tmp_path / "key")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "line ends of Windows" in refused(path)


def test_a_public_key_is_refused_and_the_private_one_named(tmp_path):
    path = make(tmp_path / "key")
    said = refused(str(path) + ".pub")
    assert "is a public key" in said and said.rstrip(".").endswith(str(path))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_may_read_is_refused(tmp_path, mode):
    path = make(tmp_path / "key")
    path.chmod(mode)
    said = refused(path)
    assert "may be read by others" in said and "%04o" % mode in said


def test_a_key_with_a_passphrase_is_refused_with_the_way_out(tmp_path):
    for number, options in enumerate([("-t", "ed25519"), ("-t", "rsa", "-b", "2048", "-m", "PEM")]):
        said = refused(make(tmp_path / ("key%d" % number), *options, "-N", "secret words"))
        assert "protected by a passphrase" in said and "git_keys_mode: agent" in said


def test_a_weak_rsa_key_is_refused(tmp_path):
    """D8."""
    assert "RSA key of 1024 bits" in refused(make(tmp_path / "key", "-t", "rsa", "-b", "1024", "-N", ""))


def test_missing_unset_folder_and_rubbish(tmp_path):
    assert "does not exist on this machine" in refused(tmp_path / "none")
    assert "does not say which" in refused("")
    assert "is a folder" in refused(tmp_path)
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"\xff\xfe\x00")
    assert "is not a private key" in refused(rubbish)
    rubbish.write_text("hello")
    assert "is not a private key" in refused(rubbish)
    rubbish.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    rubbish.chmod(0o600)
    assert "cannot be used; ssh-keygen says" in refused(rubbish)


def test_an_unreadable_key_is_refused(tmp_path):
    path = make(tmp_path / "key")
    path.chmod(0)
    root = os.geteuid() == 0
    if root:  # who reads every file
        os.seteuid(65534)
    try:
        said = refused(path)
    finally:
        if root:
            os.seteuid(0)
    assert "cannot be read (Permission denied)" in said


def test_the_settings_are_checked_before_the_first_login(tmp_path):
    with pytest.raises(RentedError, match="does not exist"):
        _git_access.preflight_git_keys({"git_keys_mode": "private_key", "git_keys_private_key": str(tmp_path / "none")})
    _git_access.preflight_git_keys({"git_keys_mode": "push", "git_keys_private_key": str(tmp_path / "none")})
    with pytest.raises(RentedError, match="git_keys_hosts: 'a b' is not the name of a host"):
        _git_access.preflight_git_keys({"git_keys_hosts": ["a b"]})


def test_mode_agent_needs_an_agent_that_answers_and_holds_a_key(tmp_path, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(RentedError, match="no ssh agent runs here"):
        _git_access.check_agent()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "none"))
    with pytest.raises(RentedError, match="does not answer"):
        _git_access.check_agent()
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "sock")], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "sock"))
        for _unused in range(100):
            if (tmp_path / "sock").exists():
                break
            subprocess.run(["sleep", "0.05"], check=True)
        with pytest.raises(RentedError, match="holds no key"):
            _git_access.check_agent()
        subprocess.run(["ssh-add", "-q", str(make(tmp_path / "key"))], check=True)
        _git_access.check_agent()
    finally:
        agent.terminate()
        agent.wait()


# --- the private key as a text: a lookup, a vaulted value -------------------------------------------------------------


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.mark.parametrize("change", [str, str.strip, lambda text: " ".join(text.split("\n")), lambda text: text.replace("\n", "\r\n")])
def test_the_text_of_a_key_is_taken_and_nothing_of_it_is_left_here(tmp_path, state, change):
    path = make(tmp_path / "key")
    key = _git_access.read_private_key(change(path.read_text()))
    assert key == dataclasses.replace(_git_access.read_private_key(str(path)), path="")
    assert [found for found in state.rglob("*") if found.is_file()] == []


def test_the_text_of_a_key_is_in_no_argument_and_in_a_file_for_its_owner_alone(tmp_path, state, monkeypatch):
    seen = tmp_path / "seen"
    program = tmp_path / "bin" / "ssh-keygen"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\nfor last; do :; done\n{ echo "$@"; stat -c "%%a" "$last"; } >>%s\nexec /usr/bin/ssh-keygen "$@"\n' % seen
    )
    program.chmod(0o755)
    text = make(tmp_path / "key").read_text()
    monkeypatch.setenv("PATH", "%s:%s" % (program.parent, os.environ["PATH"]))
    _git_access.read_private_key(text)
    arguments, mode = seen.read_text().splitlines()
    assert arguments.startswith("-y -P") and text.splitlines()[1] not in arguments and mode == "600"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:200] + "\n-----END OPENSSH PRIVATE KEY-----\n", "cannot be used; ssh-keygen says"),
        (lambda text: "ssh-ed25519 AAAA\n", "is a public key"),
        (lambda text: "CANARY\nCANARY", "is not a private key"),
        (lambda text: text + "x" * 100_000, "is longer than any key"),
        (lambda text: "PuTTY-User-Key-File-3: ssh-ed25519\nCANARY", "is a key of PuTTY"),
        (lambda text: text.replace("b3Bl", "\udcff"), "is not a private key in a format of OpenSSH"),
    ],
)
def test_a_text_that_is_no_usable_key_is_refused_without_it(tmp_path, state, change, said):
    text = change(make(tmp_path / "key").read_text())
    with pytest.raises(RentedError) as error:
        _git_access.read_private_key(text)
    assert error.value.message.startswith("git_keys_private_key, which was given as the text of a key, ") and said in error.value.message
    for line in text.splitlines():
        assert len(line) < 20 or line not in error.value.message
    assert "CANARY" not in error.value.message and "/key-" not in error.value.message


def test_a_passphrase_is_told_for_a_text_too(tmp_path, state):
    with pytest.raises(RentedError, match="protected by a passphrase"):
        _git_access.read_private_key(make(tmp_path / "key", "-t", "ed25519", "-N", "secret words").read_text())
