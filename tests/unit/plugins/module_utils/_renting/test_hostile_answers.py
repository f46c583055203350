# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API, or whatever stands in its place, can send below and around its data: we end with a list or a sentence."""

from __future__ import annotations

import gzip
import json

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Wish
from ansible_collections.rented.gpu.tests.fakes import everyone
from ansible_collections.rented.gpu.tests.fakes.between import Wire, wire_answer
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import with_time

LISTS = "[" * 200_000 + "]" * 200_000
OBJECTS = '{"error":' * 200_000 + "1" + "}" * 200_000
EVIL = "\x1b[2J\x1b]0;pwn\x07 \u202e \u2066 \x9b31m \ufeff " + "x" * 5000
BAD = json.dumps({"message": EVIL, "error": EVIL, "code": EVIL, "msg": EVIL})
LIST_KEYS = ("instances", "data", "items", "pods", "machines", "results", "offers", "ssh_keys", "keys")
XML = '<?xml version="1.0"?><Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors></Response>'


def _in_every_key(value) -> str:
    """An object that has the value wherever an API may keep its list, and where it says that the list goes on."""
    keys = (*LIST_KEYS, "next_token", "nextPageToken", "cursor", "nextPage", "hasMore", "total_instances", "pagination")
    return json.dumps({"success": True, "kind": "compute#instanceList", **dict.fromkeys(keys, value)})


def _deep(depth: int):
    made = []
    for _number in range(depth):
        made = [made]
    return made


# Always an error: none of it can be a list.
REFUSED = {
    "lists in lists": wire_answer(body=LISTS),
    "objects in objects": wire_answer(body=OBJECTS),
    "an error of objects in objects": wire_answer("400 Bad Request", OBJECTS),
    "an error of lists in lists": wire_answer("403 Forbidden", LISTS),
    "a deep error that is just read": wire_answer("400 Bad Request", '{"error":' * 400 + "1" + "}" * 400),
    "a number of 5000 digits": wire_answer(body='{"instances": %s}' % ("9" * 5000)),
    "a server error of lists": wire_answer("503 Service Unavailable", LISTS),
    "xml in xml": wire_answer(body="<a>" * 200_000 + "</a>" * 200_000, Content_Type="text/xml"),
    "not gzip": wire_answer(body="not gzip", Content_Encoding="gzip"),
    "half of gzip": wire_answer(body=gzip.compress(b"[" + b" " * 9000 + b"]")[:-12], Content_Encoding="gzip"),
    "not deflate": wire_answer(body="not deflate", Content_Encoding="deflate"),
    "a chunk without a size": wire_answer(body="zz\r\nxx\r\n", Transfer_Encoding="chunked", Content_Length=None),
    "a chunk of a negative size": wire_answer(body="-5\r\nxx\r\n", Transfer_Encoding="chunked", Content_Length=None),
    "commands in the status": b"HTTP/1.1 200\x1b[2J\r\n\r\n",
    "commands for a status line": b"\x1b[2J\x1b]0;pwn\x07garbage\r\n\r\n",
    "a status line without an end": b"HTTP/1.1 200 " + b"x" * 70_000,
    "a status of five digits": b"HTTP/1.1 99999 OK\r\nContent-Length: 2\r\n\r\n{}",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "no http": b"SSH-2.0-OpenSSH_9.9\r\n",
    "nothing": b"",
    "a header of 70 KB": wire_answer(X_Filler="y" * 70_000),
    "thousands of headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n{}",
    "commands in an error": wire_answer("400 Bad Request", BAD),
    "commands in an error of xml": wire_answer("400 Bad Request", XML % ("c\u202e" * 900, "m\u202e" * 900), Content_Type="text/xml"),
    "commands without json": wire_answer("418 Teapot", EVIL, Content_Type="text/plain"),
    "commands in the kind": wire_answer("400 Bad Request", BAD, Content_Type=b"application/\x1b[2Jjson; charset=\xff"),
}
for _status in ("301", "302", "303", "307", "308"):
    for _target in (
        b"http://[::1",
        b"http://127.0.0.1:99999/",
        b"http://127.0.0.1:x/",
        b"//[",
        b"http://\xff\xfe/",
        b"http://a b/",
        b"\x1b[2J",
    ):
        REFUSED["%s to %r" % (_status, _target)] = wire_answer(_status + " Moved", Location=_target)
for _wait in ("-1", "1e999", "nan", "Mon, 99 Foo 2026", "9" * 400, "\x1b[2J", "Thu, 01 Jan 99999999 00:00:00 GMT", "1_0"):
    for _status in ("429 Too Many Requests", "503 Service Unavailable"):
        REFUSED["%s, wait %s" % (_status[:3], _wait[:20])] = wire_answer(_status, BAD, Retry_After=_wait)
# An error or, where the provider reads it so, an answer.
ODD = {
    "charset %s" % name: wire_answer(body="[]", Content_Type="application/json; charset=" + name)
    for name in ("undefined", "idna", "punycode", "base64", "utf-32", "unicode_escape", "rot13", "\x1b[2J", "no-such")
}
for _length in ("-5", "abc", "1e3", "99999999999999999999999"):
    ODD["length " + _length] = wire_answer(body="{}", Content_Length=_length)
for _body in (
    "5",
    '"x"',
    "null",
    "true",
    "[]",
    "[[]]",
    "{}",
    "[null]",
    '[{"id": null}]',
    '{"success": false}',
    "NaN",
    "\ufeff[]",
    "\x00",
    "[5]",
):
    ODD["body " + repr(_body)] = wire_answer(body=_body)
for _value in (5, -1, 1.5, "x", True, [5], [None], [[]], [{}], {}, {"a": 1}, 10**400, _deep(300)):
    ODD["every key is " + repr(_value)[:20]] = wire_answer(body=_in_every_key(_value))

QUESTIONS = {
    "instances": (lambda provider: provider.list_instances(), None),
    "offers": (lambda provider: provider.list_offers(Wish()), "list_offers"),
    "keys": (lambda provider: provider.list_keys(), "register_key"),
}


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "homework-1234")
    # botocore waits by itself before it asks again.
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def tried(provider, question):
    """The sentence of a failure, checked for what no sentence may have; None where there was an answer."""
    try:
        list(QUESTIONS[question][0](provider))
    except RentedError as error:
        said = error.message
    else:
        return None
    assert not _plain.COMMANDS.search(said), ascii(said)
    assert len(said) < 3000 and "\n" not in said
    assert not any(word in said for word in ("Traceback", "object has no attribute", "RecursionError", "KeyError(", "maximum recursion"))
    return said


@pytest.mark.parametrize("name", everyone.SERVICES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_that_is_none_ends_in_a_sentence(name, question, monkeypatch):
    ability = QUESTIONS[question][1]
    if ability and not PROVIDERS[name].can(ability):
        return
    wrong = []
    with Wire() as wire, everyone.account(name, monkeypatch, wire.url, timeout=10) as (provider, _fake):
        with_time(provider)
        for kind, answer in {**REFUSED, **ODD}.items():
            wire.answers = (answer,)
            try:
                if tried(provider, question) is None and kind in REFUSED:
                    wrong.append("%s: taken for an answer" % kind)
            except Exception as error:  # every kind is tried; all that went wrong is shown at the end
                wrong.append("%s: %s: %s" % (kind, type(error).__name__, str(error)[:300]))
    assert wrong == []
