# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance that prepares itself cannot do, and what no script may hold."""

from __future__ import annotations

import pytest
from ansible.parsing.vault import EncryptedString, VaultLib, VaultSecret, VaultSecretsContext

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.plugin_utils._provision import _checks, _secrets

KEY = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (KEY, "a private key"),
        ("hf_" + "a" * 34, "a token"),
        ("ghp_" + "A1" * 18, "a token"),
        ("AKIA" + "A" * 16, "a token"),
        ("https://ada:pass@git.example.org/x.git", "a URL with a password or a token in it"),
        ("https://token@git.example.org/x.git", "a URL with a password or a token in it"),
        ("ssh://git:pass@git.example.org/x.git", "a URL with a password or a token in it"),
        ("--index https://u:p@index.example/simple", "a URL with a password or a token in it"),
        ("https://data.example.org/x?X-Amz-Signature=12ab&a=b", "a signed URL"),
        ("https://data.example.org/x?sig=12ab", "a signed URL"),
        ("https://data.example.org/x?access_token=", "a signed URL"),
        ("https://data.example.org/x?download=true&monkey=1", None),
        ("git@git.example.org:ada/x.git", None),
        ("ssh://git@git.example.org/x.git", None),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", None),
        ("hf_transfer", None),
        ("torch==2.9.0", None),
    ],
)
def test_what_looks_like_a_secret(text, kind):
    assert _secrets.looks_like(text) == kind


@pytest.fixture
def encrypt():
    """A vaulted value, as a file of variables has it."""
    secrets = [("default", VaultSecret(b"password"))]
    VaultSecretsContext.initialize(VaultSecretsContext(secrets))
    yield lambda text: EncryptedString(ciphertext=VaultLib(secrets).encrypt(text).decode())
    VaultSecretsContext._current = None


def test_vaulted_values_are_found_wherever_they_are(encrypt):
    variables = {"mine": {"deep": [encrypt("correct horse")]}, "short": encrypt("yes"), "plain": "battery staple"}
    assert _secrets.vaulted(variables) == {"correct horse"}


def wrong(settings, wait_for=(), vaulted=(), no_log=()):
    return _checks.wrong(settings, set(no_log), set(vaulted), list(wait_for))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"repos_list": ["~/code/homework"]},
            "repos_list: ~/code/homework is a checkout on your computer, which an instance without a controller cannot receive: give a URL",
        ),
        ({"repos_list": [{"src": "homework", "mode": "push"}]}, "is a checkout on your computer"),
        ({"repos_list": ["https://u:p@git.example.org/x.git"]}, "repos_list holds a URL with a password or a token in it"),
        ({"repos_list": [{"src": "git@git.example.org:x.git", "mode": "agent"}]}, "Mode agent lends the agent of your computer"),
        ({"git_keys_mode": "agent"}, "Mode agent lends the agent of your computer"),
        ({"git_keys_mode": "private_key"}, "does not say which"),
        ({"git_keys_mode": "private_key", "git_keys_private_key": "~/.ssh/id"}, "a script cannot carry a key"),
        ({"git_keys_private_key": KEY}, "git_keys_private_key holds a private key, and the provider keeps and shows this script"),
        ({"data_sync_items": [{"src": "~/data", "dest": "data"}]}, "data_sync_items: ~/data is data on your computer"),
        ({"data_sync_items": [{"url": "ftp://x.example/y", "dest": "y"}]}, "url has to begin with https"),
        ({"data_sync_items": [{"url": "https://x.example/y?token=1", "dest": "y"}]}, "data_sync_items holds a signed URL"),
        ({"python_env_packages": ["x @ git+https://t@git.example.org/x"]}, "python_env_packages holds a URL with a password"),
        ({"python_env_packages": ["{{ mine }}"]}, "holds '{{', which the instance would read as a template"),
        ({"known_hosts_extra": [{"host": "git.example.org", "key": "ssh-rsa"}]}, "its key cannot be used"),
        ({"repos_list": [{"src": "https://git.example.org/x.git", "brnch": "x"}]}, "has the key 'brnch', which does not exist"),
    ],
)
def test_refused(settings, words):
    (said,) = wrong(settings)
    assert words in said
    assert "b3Blb" not in said and "u:p@" not in said and "token=1" not in said
    if "your computer" in words or "holds a" in words:
        assert "provision_wait_for" in said


def test_vaulted_and_marked_values_are_refused_and_not_shown():
    (said,) = wrong({"python_env_packages": ["x-correct horse-y"]}, vaulted=["correct horse"])
    assert "python_env_packages holds a vaulted value" in said and "horse" not in said
    (said,) = wrong({"some_setting": "quiet"}, no_log=["some_setting"])
    assert "some_setting holds a secret" in said and "quiet" not in said


def test_a_path_that_is_waited_for_is_not_a_secret():
    waited = ["~/.ssh/id_ed25519", "/workspace/brought/"]
    settings = {
        "git_keys_mode": "private_key",
        "git_keys_private_key": "~/.ssh/id_ed25519",
        "repos_list": ["/workspace/brought/homework", "git@git.example.org:ada/x.git"],
        "data_sync_items": [{"src": "/workspace/brought", "dest": "data"}, {"url": "https://x.example/y", "dest": "y"}],
    }
    assert wrong(settings, waited) == []
    assert len(wrong(dict(settings, repos_list=["/workspace/brought-2/x"]), waited)) == 1
    assert wrong({}, ["relative/path"]) == ["provision_wait_for: 'relative/path' has to be a path on the instance, absolute or below ~/."]


def test_the_words_of_the_script_itself():
    _checks.check_word("provision_index", "https://index.example/simple", {"correct horse"})
    with pytest.raises(RentedError, match=r"provision_index holds a URL with a password or a token in it, and the provider") as caught:
        _checks.check_word("provision_index", "https://ada:pass@index.example/simple", set())
    assert "pass@" not in caught.value.message
    with pytest.raises(RentedError, match=r"^provision_place holds a vaulted value, and the provider keeps") as caught:
        _checks.check_word("provision_place", "/opt/correct horse", {"correct horse"})
    assert "horse" not in caught.value.message
