# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile values in every leaf of every answer of every provider, found by walking what the fakes answer.

A new provider is covered by its fake. Each hostile value is put into one leaf of a copy of a row, and all copies are listed beside the good
rows: the good ones must come through unchanged, and nothing hostile may be left in an object or in a variable of a host.
"""

from __future__ import annotations

import copy
import importlib
import json
import math
import os
import re

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance, Wish
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._connection import Connection
from ansible_collections.rented.gpu.tests.fakes import everyone

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG2XqAqvFmYFbH3ZzKgd2QWq3mXFrwiTTpFvZLeQb2lD ada@example.org"
DEEP_LIST: list = []
DEEP_DICT: dict = {}
for _level in range(60):  # an answer that is nested deeper than 100 levels is refused as a whole
    DEEP_LIST, DEEP_DICT = [DEEP_LIST], {"a": DEEP_DICT}
LONG = "A" * 200000
HOSTILE = [
    "-oProxyCommand=touch pwned",
    "-",
    "a\nb -oProxyCommand=touch pwned",
    "a\x00b",
    "a\x1b[2J\x1b]0;pwned\x07",
    "a\u202eb",
    "a\ud800b",
    "../../../etc/passwd",
    "{{ lookup('pipe', 'touch pwned') }}",
    "\"'$(touch pwned)`touch pwned`",
    "10.0.0.1 -oProxyCommand=touch pwned",
    LONG,
    "",
    "NaN",
    "1e400",
    "-1",
    "65536",
    10**400,
    -(10**400),
    2**63,
    -1,
    0,
    65535,
    1e308,
    math.nan,
    math.inf,
    -math.inf,
    True,
    False,
    None,
    [],
    {},
    [None],
    ["a"],
    [1],
    [{"a": "b"}],
    DEEP_LIST,
    DEEP_DICT,
]
# One of each kind. RENTED_GPU_HOSTILE=all tries every value, which takes minutes.
QUICK = [
    "-oProxyCommand=touch pwned",
    "a\nb -oProxyCommand=touch pwned",
    "a\x1b[2J\x1b]0;pwned\x07\u202e\x00",
    "{{ lookup('pipe', 'touch pwned') }}",
    LONG,
    10**400,
    -1,
    math.nan,
    True,
    None,
    [{"a": "b"}],
    DEEP_DICT,
]
VALUES = HOSTILE if os.environ.get("RENTED_GPU_HOSTILE") == "all" else QUICK
SERVICES = everyone.SERVICES
METHODS = {"list_instances": None, "list_offers": "list_offers", "list_keys": "register_key"}
# Each list of AWS's offers (a price list) and keys takes seconds here, so hundreds of them are too many for each run.
SLOW = () if os.environ.get("RENTED_GPU_HOSTILE") == "all" else (("aws", "list_offers"), ("aws", "list_keys"))
CASES = [
    (name, method)
    for name in SERVICES
    for method, ability in METHODS.items()
    if (ability is None or PROVIDERS[name].can(ability)) and (name, method) not in SLOW
]
BAD_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture(name="fake")
def fake_fixture(request, monkeypatch, tmp_path):
    name = request.param
    monkeypatch.setenv("HOME", str(tmp_path))
    cls = everyone.fake_of(name)
    module = importlib.import_module(cls.__module__)
    if hasattr(module, "alone"):
        module.alone(monkeypatch, tmp_path)
    rows = {"rows": [module.row(1), module.row(2)]} if hasattr(module, "row") else {"count": 2}
    with cls(**rows) as fake:
        for variable, value in fake.environment().items():
            monkeypatch.setenv(variable, value)
        yield name, fake


def provider_of(name):
    """``ONE_PLACE`` of a fake's module: the options that keep an account to the place where its rows are."""
    options = getattr(importlib.import_module(everyone.fake_of(name).__module__), "ONE_PLACE", {})
    made, now = PROVIDERS[name](**options), [1000.0]
    made.clock = lambda: now[0]
    made.sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
    made.keep_raw = True
    return made


def asked(name, method):
    """What a new object of the provider lists, as ``{id: record}``, and the provider."""
    provider = provider_of(name)
    arguments = (Wish(interruptible=None),) if method == "list_offers" else ()
    return getattr(provider, method)(*arguments), provider


def lists_in(answer, path=()):
    """The paths of the outermost lists of objects."""
    if isinstance(answer, list):
        if answer and all(isinstance(row, dict) for row in answer):
            yield path
        return
    for key, value in answer.items() if isinstance(answer, dict) else ():
        yield from lists_in(value, (*path, key))


def leaves(value, path=()):
    """The paths of everything in a row, branches too: an object may be missing as well as a number."""
    if path:
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from leaves(item, (*path, key))


def at(answer, path):
    for key in path:
        answer = answer[key]
    return answer


def put(answer, path, value):
    at(answer, path[:-1])[path[-1]] = value


def packed(rows, paths, value, ids, number=0):
    """The good rows, and for each path a copy of the first with ``value`` there, under an id of its own."""
    found = list(rows)
    own = [path for path in leaves(rows[0]) if isinstance(at(rows[0], path), (str, int)) and str(at(rows[0], path)) in ids]
    own = own or [path for path in leaves(rows[0]) if path == ("id",)]
    for count, path in enumerate(paths, number + 1):
        row = copy.deepcopy(rows[0])
        for place in own:
            good = at(row, place)
            put(row, place, good + 1000 + count if isinstance(good, int) else "%s%05d" % (good, count))
        put(row, path, value)
        found.append(row)
    return found, own


def sane(record, connection):
    """What of an object is not as it must be, whatever the API says."""
    wrong = []
    for field, value in record.__dict__.items():
        if field == "refused":
            continue
        text = json.dumps(value, allow_nan=False)
        if len(text) > 8192 or BAD_TEXT.search(json.loads(text) if isinstance(value, str) else text):
            wrong.append("%s: %s" % (field, ascii(value)[:80]))
        if isinstance(value, (int, float)) and not 0 <= value <= 1e9:
            wrong.append("%s: %s" % (field, value))
    if isinstance(record, Instance):
        variables = connection.variables(record)
        if ("ansible_host" in variables) != (record.ssh_host is not None):
            wrong.append("ansible_host is not ssh_host")
        if not _field_rules.is_host(variables.get("ansible_host", "unknown")):
            wrong.append("ansible_host: %s" % ascii(variables["ansible_host"])[:80])
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9._-]*\$?", variables.get("ansible_user", "root")):
            wrong.append("ansible_user: %s" % ascii(variables["ansible_user"])[:80])
        if not 0 < variables.get("ansible_port", 22) < 65536:
            wrong.append("ansible_port: %s" % variables["ansible_port"])
        wrong += ["%s: hostile" % key for key, item in variables.items() if "touch" in str(item) or len(str(item)) > 4096]
    return wrong


class Rewriter:
    """Puts rows into the answer of one operation; remembers the answers of all."""

    def __init__(self):
        self.seen: dict = {}
        self.operation = self.change = None

    def __call__(self, operation, answer):
        first = operation not in self.seen
        self.seen.setdefault(operation, []).append(copy.deepcopy(answer))
        if self.change is None or operation != self.operation or not first:
            return answer
        return self.change(copy.deepcopy(answer))


def sendable(name, value):
    """XML has no control characters and no halves of characters."""
    return not (name == "aws" and isinstance(value, str) and re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff]", value))


@pytest.mark.parametrize(("fake", "method"), CASES, indirect=["fake"])
def test_hostile_values(fake, method, monkeypatch, record_property):
    name, server = fake
    if method == "list_keys":
        provider_of(name).add_key("of-this-test", KEY)
    server.rewrite = rewriter = Rewriter()
    good = {record.id: record for record in asked(name, method)[0]}
    assert good, "the fake has nothing to list"
    answers = {operation: found[0] for operation, found in rewriter.seen.items()}
    # What makes a row another one: its id or a part of it and, where keys of the same name and content are one, the name.
    names = {part for number in good for part in str(number).split(":")}
    names |= {record.name for record in good.values()} if method == "list_keys" else set()
    problems, tried, connection = [], 0, Connection()

    def attempt(operation, change, what, whole):
        """One list. ``whole``: the good rows must be there; else an error of ours will do."""
        rewriter.seen, rewriter.operation, rewriter.change = {}, operation, change
        try:
            found, provider = asked(name, method)
            wrong = [fault for record in found for fault in sane(record, connection)]
            wrong += [sentence for sentence in provider.warnings() if BAD_TEXT.search(sentence) or len(sentence) > 2000]
            json.dumps([provider.scrubbed_raw(record.id) for record in found])
        except RentedError as error:
            wrong = ["the whole list failed: %s" % error.message[:200]] if whole else []
        except Exception as error:
            wrong = ["%s: %s" % (type(error).__name__, str(error)[:200])]
        else:
            there = {record.id: record for record in found}
            if whole and any(there.get(number) != record for number, record in good.items()):
                wrong.append("a good row is lost or changed")
        problems.extend("%s %s: %s" % (operation, what, fault) for fault in wrong[:3])
        return not wrong

    for operation, answer in answers.items():
        for place in lists_in(answer):
            rows = at(answer, place)
            paths = list(leaves(rows[0]))
            _rows, own = packed(rows, [], None, names)
            others = [path for path in paths if not any(path[: len(place_)] == place_ or place_[: len(path)] == path for place_ in own)]
            for value in VALUES:
                if not sendable(name, value):
                    continue
                if value is LONG and len(paths) > 40:
                    value = LONG[: 8000000 // len(paths)]
                tried += len(paths)

                def change(found, paths=others, value=value, place=place):
                    rows, _own = packed(at(found, place), paths, value, names)
                    if not place:
                        return rows
                    put(found, place, rows)
                    return found

                if not attempt(operation, change, "%s with %s in any leaf" % (place, _field_rules.brief(value)), True):
                    del problems[-3:]
                    for path in others:  # which leaf it is
                        attempt(
                            operation, lambda found, path=path: change(found, [path]), "%s=%s" % (path, _field_rules.brief(value)), True
                        )
                for path in (path for path in paths if path not in others):
                    attempt(operation, lambda found, path=path: change(found, [path]), "%s=%s" % (path, _field_rules.brief(value)), False)
    record_property("hostile values", tried)
    print("%s %s: %d hostile values" % (name, method, tried))
    assert not problems, "%d problems, for example:\n%s" % (len(problems), "\n".join(problems[:40]))
