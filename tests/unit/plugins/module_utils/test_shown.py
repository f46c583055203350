# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A message shows what a user gave, but never what may be a secret."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._shown import shown

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        KEY.replace("\n", " "),
        [KEY],
        {"key": KEY},
        {KEY: 1},
        [[["CANARY\nCANARY"]]],
        "a\nCANARY",
        "x" * 300 + "CANARY",
        ["x" * 300 + "CANARY"],
        "https://ada:CANARY@example.org/x.git",
        "https://CANARY@example.org/x.git",
        "https://ada:CAN/ARY@example.org/x.git",
        "git+https://ada:CANARY@example.org/x.git@v1",
        "ada:CANARY@example.org/x.git",
        "https://example.org/x?X-Amz-Signature=CANARY",
        "https://[::1/x?sig=CANARY",
        "https:/ada:CANARY@example.org",
        "htps//example.org/x?token=CANARY",
        "see 'https://example.org/x?sig=CANARY'",
        [{"url": "https://ada:CANARY@example.org"}],
        "ghp_CANARYCANARYCANARYCANARY",
        "hf_CANARYCANARYCANARYCANARY",
        "api_key=CANARY",
        "/home/ada/https:/example.org/x?sig=CANARY",
        "ada:CANARY@example.org:/x.git",
        "password: CANARY",
        b"CANARY",
    ],
    ids=str,
)
def test_what_may_be_a_secret_is_not_shown(secret):
    assert "CANARY" not in shown(secret).replace("/ARY", "CANARY")
    assert "\n" not in shown(secret)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("homework", "homework"),
        ("~/code/my homework", "~/code/my homework"),
        ("https://example.org/ada/x.git", "https://example.org/ada/x.git"),
        ("git@example.org:ada/x.git", "git@example.org:ada/x.git"),
        ("https://example.org:8443/@scope/x", "https://example.org:8443/@scope/x"),
        ("ssh://git@example.org/x.git", "ssh://example.org/x.git"),
        (["a", 1, None, True], "['a', 1, None, True]"),
        (3.5, "3.5"),
        (None, "None"),
        (datetime.date(2026, 12, 1), "datetime.date(2026, 12, 1)"),
    ],
)
def test_what_is_harmless_is_shown(value, text):
    assert shown(value) == text


def test_a_value_without_end_and_one_without_a_text():
    endless = []
    endless.append(endless)
    assert shown(endless) == "(a list)"
    assert "digits" in shown(10**5000) or shown(10**5000) == "(a number)"
