# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No option of an account of any provider repeats a secret in its refusal; providers and options are found by walking."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _accounts

CANARIES = [
    "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY\n-----END OPENSSH PRIVATE KEY-----\n",
    "-----BEGIN OPENSSH PRIVATE KEY----- CANARY -----END OPENSSH PRIVATE KEY-----",
    "ftp://ada:CANARY@example.org/x",
    "example.org/x?token=CANARY",
    "ghp_CANARYCANARYCANARYCANARY",
    "nul\0CANARY\nx",
    ["-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY"],
]


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_secret_in_a_wrong_option_is_not_repeated(name, tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    options = [*_accounts.KEYS, *PROVIDERS[name].OPTIONS, "no_such_option"]
    refused = 0
    for option in options:
        for canary in CANARIES:
            entry = {"provider": name, option: canary}
            if option != "api_key":
                entry.setdefault("api_key", "key")
            for given in (entry, {"provider": name, str(canary): 1}):
                try:
                    _accounts.given([given], 1)
                except RentedError as error:
                    refused += 1
                    assert "CANARY" not in error.message, (option, canary)
    assert refused > len(options)
