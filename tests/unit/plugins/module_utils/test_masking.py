# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose secret it is does not matter: no message of any provider shows it, and no message commands a terminal."""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import urllib.parse

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _masking, _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _fan_out
from ansible_collections.rented.gpu.tests.fakes import everyone
from ansible_collections.rented.gpu.tests.fakes.between import Wire, wire_answer
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import with_time

OTHER = "other/Account+key=0123456789\u00e4"
FORMS = {
    "as it is": OTHER,
    "in a URL": urllib.parse.quote(OTHER, safe=""),
    "in a URL, small": urllib.parse.quote(OTHER, safe="")
    .replace("%2F", "%2f")
    .replace("%2B", "%2b")
    .replace("%3D", "%3d")
    .replace("%C3%A4", "%c3%a4"),
    "in a form": urllib.parse.quote_plus(OTHER),
    "in base64": base64.b64encode(OTHER.encode()).decode(),
    "in base64 after one": base64.b64encode(b"u" + OTHER.encode()).decode(),
    "in base64 after two": base64.b64encode(b"u:" + OTHER.encode() + b"\n").decode(),
    "in base64 for a URL": base64.urlsafe_b64encode(OTHER.encode()).decode(),
    "in JSON": json.dumps(OTHER),
}


class Example(Provider):
    NAME = "example"
    TITLE = "Example"
    API_KEY_ENV = ("EXAMPLE_API_KEY",)
    SECRET_ENV = ("EXAMPLE_SESSION_TOKEN",)
    OPTIONS = SECRET_OPTIONS = ("password",)

    def list_instances(self):
        return []


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def other():
    return Example(api_key=OTHER, password="pass-word-0123")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_masked(other, form):
    said = RentedError("It said: %s, and %s." % (FORMS[form], "pass-word-0123")).message
    secret = FORMS[form].strip('"').rstrip("=\n")
    assert secret[4:-4] not in said and "pass-word" not in said and "***" in said


@pytest.mark.parametrize("name", everyone.SERVICES)
@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "500 Internal Server Error", "200 OK"])
def test_no_provider_shows_the_key_of_another_account(name, status, other, monkeypatch):
    xml = "<Response><Errors><Error><Code>Odd</Code><Message>%s</Message></Error></Errors></Response>"
    pad = "x" * 290  # the limit of an API's words falls into the second key
    words = "no such key: %s %s %s" % (OTHER, pad, FORMS["in a URL"])
    bodies = [json.dumps({"message": words, "error": words, "msg": words, "success": False}), xml % words, words]
    bodies.append(json.dumps({"message": "\x1b[2J\u202e" + OTHER[:14] + "\x07"}))
    with Wire() as wire, everyone.account(name, monkeypatch, wire.url, timeout=10) as (provider, _fake):
        said = []
        for body in bodies:
            wire.answers = (wire_answer(status, body.encode()),)
            said.append(_fan_out.ask([with_time(provider)], lambda provider: provider.list_instances())[0].failure or "")
    assert any(said)
    for text in said[:-1]:
        assert not any(part in text for part in (OTHER[:16], urllib.parse.quote(OTHER[:16], safe="")))
    assert not any(_plain.COMMANDS.search(text) for text in said)


def test_what_lies_in_the_environment_is_masked(monkeypatch):
    monkeypatch.setenv("EXAMPLE_API_KEY", "from-the-environment-1")
    monkeypatch.setenv("EXAMPLE_SESSION_TOKEN", "from-the-environment-2")
    for name in ("1", "2"):
        assert "from-the-environment" not in RentedError("It said from-the-environment-%s." % name).message
    for name, cls in PROVIDERS.items():
        for variable in (*cls.API_KEY_ENV, *cls.SECRET_ENV):
            monkeypatch.setenv(variable, "value-of-" + variable)
            assert variable not in RentedError("It said value-of-%s." % variable).message, name


def test_a_token_that_came_later_is_masked(monkeypatch):
    with everyone.account("gcp", monkeypatch) as (provider, fake):
        provider.list_instances()
        token = next(iter(fake.issued))
        assert token in provider.secrets()
        assert token not in RentedError("It said %s." % token).message


def test_common_words_are_not_masked_and_accounts_are_forgotten():
    short = Example(api_key="list")
    assert RentedError("The list.").message == "The list." and short
    long = Example(api_key="a-long-key-0123456789")
    assert "a-long-key-0123456789" in _masking.known() and long
    del long
    gc.collect()
    assert "a-long-key-0123456789" not in _masking.known()


def test_an_account_that_is_half_built_does_not_stop_a_message():
    class Half(Example):
        def secrets(self):
            raise AttributeError("not yet")

    with contextlib.suppress(RentedError):
        Half(api_key="key-0123456789")
    assert RentedError("All the same.").message == "All the same."


def test_a_terminal_obeys_no_error():
    said = RentedError("\x1b[2J\x1b]0;pwn\x07 \x9b31m \u202egnp.exe \u2066 \ufeff \ud800 \r over\r\n next\tcolumn").message
    assert said == ("\\x1b[2J\\x1b]0;pwn\\x07 \\x9b31m \\u202egnp.exe \\u2066 \\ufeff \\ud800 \\r over\n next\tcolumn")
    assert said.encode()


def test_a_message_has_an_end_and_keeps_its_advice():
    said = RentedError("First. " + "x" * 1_000_000 + " Set 'on_provider_error: warn'.").message
    assert len(said) < _plain.MOST + 100
    assert said.startswith("First. ") and said.endswith("Set 'on_provider_error: warn'.") and "characters left out" in said


def test_text_that_no_api_said_is_untouched():
    text = "Füße 日本 – \u201cquoted\u201d 👩‍🚀 \t and\nlines"
    assert _plain.harmless(text) == text
