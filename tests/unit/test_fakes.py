# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schemas of the fakes say what the official specs say, wherever those are at hand; and the comparison can fail."""

from __future__ import annotations

import copy

import pytest
import yaml

from ansible_collections.rented.gpu.tests.fakes import check_schemas, schema

SCHEMAS = sorted(path.stem for path in schema.FOLDER.glob("*.json"))


@pytest.fixture(scope="module")
def specs():
    found = check_schemas.folder()
    if found is None:
        pytest.skip("the official specs are not here; nothing was compared")
    return found


@pytest.mark.parametrize("name", sorted(check_schemas.OPENAPI))
def test_a_schema_follows_its_official_file(specs, name):
    found = check_schemas.results(specs)
    assert name in found, "'official' of tests/fakes/schemas/%s.json is %s, which is not in %s" % (name, check_schemas.OPENAPI[name], specs)
    assert (found[name].wrong, found[name].idle) == ([], [])
    assert found[name].compared > 100


@pytest.mark.parametrize("name", sorted(check_schemas.DISCOVERY))
def test_a_schema_follows_its_discovery_document(name):
    # The documents come with a package that the tests require: this one is never skipped.
    document = check_schemas.discovery_document(check_schemas.DISCOVERY[name])
    assert document is not None, "google-api-python-client is not installed"
    result = check_schemas.compare(schema.load(name), document)
    assert (result.wrong, result.idle) == ([], [])
    assert result.compared > 300


def test_the_comparison_with_a_discovery_document_notices_what_drifts():
    ours = copy.deepcopy(schema.load("gcp"))
    ours["operations"]["stop"]["query"]["discardLocalSsd"] = "string"
    ours["operations"]["console"]["query"]["port"]["maximum"] = 8
    ours["operations"]["destroy"]["method"] = "POST"
    ours["objects"]["scheduling"]["provisioningModel"]["enum"].append("AUCTION")
    ours["objects"]["access"]["natAddress"] = "string"
    wrong = " ".join(check_schemas.compare(ours, check_schemas.discovery_document("compute.v1")).wrong)
    for place in ("stop.query.discardLocalSsd", "console.query.port: maximum is 8", "destroy", "provisioningModel", "access.natAddress"):
        assert place in wrong


def test_the_comparison_notices_what_drifts(specs):
    official = yaml.safe_load((specs / check_schemas.OPENAPI["vast"]).read_text())
    ours = copy.deepcopy(schema.load("vast"))
    ours["operations"]["manage"]["body"]["state"]["enum"].append("paused")
    ours["operations"]["list"]["query"]["limit"]["maximum"] = 100
    ours["operations"]["destroy"]["path"] = "/api/v0/machines/{id}/"
    ours["objects"]["instance"]["num_gpus"] = "string"
    ours["objects"]["instance"]["colour"] = "string"
    wrong = " ".join(check_schemas.compare(ours, official).wrong)
    for place in ("manage.body.state", "limit", "machines", "num_gpus", "colour"):
        assert place in wrong


@pytest.mark.parametrize(
    ("value", "rule", "words"),
    [
        ({"a": True}, "integer", "True is not integer"),
        ({"a": None}, "string", "None is not string"),
        ({}, "string!", "missing"),
        ({"b": 1}, "string", "unknown field"),
        ({"a": "x"}, {"type": "string", "enum": ["y"]}, "is none of"),
        ({"a": "x y"}, {"type": "string", "words": ["y"]}, "words"),
        ({"a": 3}, {"type": "integer", "maximum": 2}, "above 2"),
        ({"a": 1}, {"type": "integer", "minimum": 2}, "below 2"),
        ({"a": "xx"}, {"type": "string", "maxLength": 1}, "longer"),
        ({"a": ""}, {"type": "string", "minLength": 1}, "shorter"),
        ({"a": [1]}, {"type": "array", "maxItems": 0}, "more than 0"),
        ({"a": []}, {"type": "array", "minItems": 1}, "less than 1"),
        ({"a": "X"}, {"type": "string", "pattern": "^[a-z]$"}, "is not like"),
        ({"a": [1, "x"]}, {"type": "array", "of": "integer"}, "'x' is not integer"),
        ({"a": [{"c": 1}]}, {"type": "array", "items": "thing"}, "a[0].c: unknown field"),
        ({"a": {"c": 1}}, {"type": "object", "object": "thing"}, "a.c: unknown field"),
        ({"a": {"k": {"c": 1}}}, {"type": "object", "values": "thing"}, "a[k].c: unknown field"),
    ],
)
def test_what_a_schema_refuses(value, rule, words):
    found = schema.defects(value, {"a": rule}, "it", {"objects": {"thing": {"b": "integer"}}})
    assert len(found) == 1 and words in found[0]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_names_only_objects_that_it_has(name):
    whole = schema.raw(name)
    parts = [*whole["objects"].values()]
    for rules in whole["operations"].values():
        parts += [rules[kind] for kind in ("query", "body", "answer") if kind in rules]
    named = {part for part in parts if isinstance(part, str)} - {"text"}
    rules = [schema.rule_of(field) for part in parts if isinstance(part, dict) for field in part.values()]
    named |= {rule[key] for rule in rules for key in ("object", "items", "values") if key in rule}
    assert named - set(whole["objects"]) == set(), "named in tests/fakes/schemas/%s.json, but not among its objects" % name
    assert set(whole["objects"]) - named == set(), "objects of tests/fakes/schemas/%s.json that nothing names" % name


@pytest.mark.parametrize(
    ("answer", "rule", "found"),
    [
        ("id-1", "text", []),
        (None, "text", ["it: not a text"]),
        ({"a": 1}, "text", ["it: not a text"]),
        ({"a": 1}, {"a": "integer"}, []),
        ("id-1", {"a": "integer"}, ["it: not an object"]),
        (None, {"a": "integer!"}, ["it.a: missing"]),
    ],
)
def test_what_an_answer_may_be(answer, rule, found):
    assert schema.wrong_answer(answer, {"answer": rule}, "it", {"objects": {}}) == found
