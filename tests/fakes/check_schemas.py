# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the schemas of the fakes with the official specs, where those are at hand: ``check_schemas.py [FOLDER]``.

The folder is the argument, or $RENTED_GPU_SPECS, or ``../shared/specs`` beside the checkout. A schema that names a Google ``discovery``
document is held against the one inside the package google-api-python-client. Without any of these there is nothing to
compare: the exit code is 77, which is "skipped" to test tools. 1: something differs and the schema does not say why.

A fact is a path with its method, or that a field is there, its types, whether it may be null, its limits, and whether it must be there.
``differs`` in a schema says, by a pattern over such places, where we knowingly do not follow the file, and why.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import schema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
# schema -> the official OpenAPI file
OPENAPI = {path.stem: schema.load(path.stem)["official"] for path in schema.FOLDER.glob("*.json") if "official" in schema.load(path.stem)}
# schema -> the name of its discovery document
DISCOVERY = {
    path.stem: schema.load(path.stem)["discovery"] for path in schema.FOLDER.glob("*.json") if "discovery" in schema.load(path.stem)
}
LIMITS = ("maximum", "minimum", "maxLength", "minLength", "pattern", "minItems", "maxItems")


def folder() -> pathlib.Path | None:
    """Where the official specs are, or None."""
    places = (
        [sys.argv[1]]
        if len(sys.argv) > 1 and __name__ == "__main__"
        else [os.environ.get("RENTED_GPU_SPECS"), str(ROOT.parent / "shared" / "specs")]
    )
    return next((pathlib.Path(place) for place in places if place and pathlib.Path(place).is_dir()), None)


def discovery_document(name: str) -> dict | None:
    """Google's description of an API, out of the package google-api-python-client; None where that is not installed."""
    found = importlib.util.find_spec("googleapiclient")
    for place in found.submodule_search_locations or () if found else ():
        path = pathlib.Path(place) / "discovery_cache" / "documents" / (name + ".json")
        if path.is_file():
            return json.loads(path.read_text())
    return None


class Comparison:
    """What was compared, what differs without an explanation, and which explanations explain nothing."""

    def __init__(self, ours: dict) -> None:
        self.ours = ours
        self.compared = 0
        self.wrong: list = []
        self._used: set = set()

    def fact(self, place: str, same: bool, found: str) -> None:
        """One fact: ``found`` is said of it when it is not the same."""
        self.compared += 1
        if same:
            return
        explained = [pattern for pattern in self.ours.get("differs", {}) if fnmatch.fnmatch(place, pattern)]
        self._used.update(explained)
        if not explained:
            self.wrong.append("%s: %s" % (place, found))

    def types(self, place: str, words: str, theirs: set) -> None:
        """The types of a field; ``theirs`` empty: the spec does not say."""
        if not theirs:
            return
        mine = set(words.rstrip("!").split("|"))
        known = theirs | ({"integer"} if "number" in theirs else set())
        self.fact(place, mine - {"null"} <= known, "%s here, %s there" % (sorted(mine), sorted(theirs)))
        self.fact(place + ".null", "null" not in mine or "null" in theirs, "may be null here, not there")

    @property
    def idle(self) -> list:
        """Explanations that explain nothing."""
        return sorted(set(self.ours.get("differs", {})) - self._used)


class OpenApi:
    """The official file of a provider, read as far as a comparison needs it."""

    def __init__(self, document: dict) -> None:
        self.document = document

    def resolved(self, node) -> dict:
        """A schema with references followed, ``allOf`` joined, and the one object among ``anyOf``/``oneOf`` taken."""
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part.replace("~1", "/")]
            node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        node = dict(node or {})
        for part in node.pop("allOf", []):
            part = self.resolved(part)
            joined = {**part, **node}
            for key in ("properties", "required"):
                if key in part and key in node:
                    joined[key] = {**part[key], **node[key]} if key == "properties" else [*part[key], *node[key]]
            node = joined
        choices = [self.resolved(part) for key in ("anyOf", "oneOf") for part in node.get(key, [])]
        if choices:
            node["choices"] = choices
            for part in choices:
                for key in ("properties", "items", "additionalProperties"):
                    if isinstance(part.get(key), dict):
                        node[key] = {**part[key], **node.get(key, {})} if key == "properties" else node.get(key, part[key])
                for key in (*LIMITS, "enum"):
                    if key in part and len([one for one in choices if self.types(one) != {"null"}]) == 1:
                        node.setdefault(key, part[key])
        return node

    def types(self, node) -> set:
        """The JSON types that a field may have; empty where the file does not say."""
        node = node if "choices" in node else self.resolved(node)
        kind = node.get("type")
        found = set(kind if isinstance(kind, list) else [kind] if kind else [])
        for choice in node.get("choices", []):
            found |= self.types(choice)
        if node.get("nullable"):
            found.add("null")
        if not found and node.get("enum"):
            found = {"string"}
        if not found and node.get("properties"):
            found = {"object"}
        return found

    def operation(self, path: str, method: str, prefix: str) -> tuple:
        """``(the operation, whether the path stands there to the letter)``; None where the file has none."""
        here = path[len(prefix) :] if prefix and path.startswith(prefix) else path
        for candidate in (here, here.rstrip("/")):
            for theirs, operations in self.document["paths"].items():
                if _shape(theirs) == _shape(candidate) and method.lower() in operations:
                    return operations[method.lower()], candidate == here
        return None, False

    def parameters(self, operation: dict) -> dict:
        """The query parameters of an operation."""
        found = [self.resolved(item) for item in operation.get("parameters", [])]
        return {item["name"]: {**item["schema"], "needed": item.get("required", False)} for item in found if item["in"] == "query"}

    def body(self, operation: dict) -> dict:
        """The schema of what is sent."""
        content = self.resolved(operation.get("requestBody")).get("content", {})
        return self.resolved(content.get("application/json", {}).get("schema"))

    def answer(self, operation: dict, status: int) -> dict | None:
        """The schema of what comes back; None where the file has no such status."""
        answers = {str(key): value for key, value in operation["responses"].items()}
        if str(status) not in answers:
            return None
        content = self.resolved(answers[str(status)]).get("content", {})
        return self.resolved(next((value.get("schema") for key, value in content.items() if "json" in key), {}))


class Discovery:
    """A discovery document of Google, read as far as a comparison needs it.

    It says of few fields that they must be there, of none that it may be null, and writes limits as text.
    """

    def __init__(self, document: dict) -> None:
        self.document = document
        self.methods = list(self._methods(document))

    def _methods(self, node: dict):
        yield from node.get("methods", {}).values()
        for inner in node.get("resources", {}).values():
            yield from self._methods(inner)

    def resolved(self, node) -> dict:
        """A schema with its reference followed, limits as numbers."""
        node = dict(node or {})
        if "$ref" in node:
            node = {**self.document["schemas"][node["$ref"]], **{key: value for key, value in node.items() if key != "$ref"}}
        for limit in ("minimum", "maximum"):
            if limit in node:
                node[limit] = int(node[limit])
        return node

    def types(self, node) -> set:
        """The JSON type of a field; whole numbers of 64 bits are texts there too."""
        kind = self.resolved(node).get("type")
        return {kind} if kind and kind != "any" else set()

    def operation(self, path: str, method: str, prefix: str) -> tuple:
        """``(the method, True)``; None where the document has none."""
        here = path[len(prefix) :] if prefix and path.startswith(prefix) else path
        for theirs in self.methods:
            if theirs["httpMethod"] == method and _shape(theirs["path"]) == _shape(here):
                return theirs, True
        return None, False

    def parameters(self, operation: dict) -> dict:
        """The query parameters of a method."""
        found = {name: self.resolved(node) for name, node in operation.get("parameters", {}).items()}
        return {name: {**node, "needed": node.get("required") is True} for name, node in found.items() if node["location"] == "query"}

    def body(self, operation: dict) -> dict:
        """The schema of what is sent."""
        return self._object(operation.get("request"), operation["id"])

    def answer(self, operation: dict, status: int) -> dict | None:
        """The schema of what comes back; there is one status only."""
        return self._object(operation.get("response"), operation["id"]) if status == 200 else None

    def _object(self, node, method: str) -> dict:
        node = self.resolved(node)
        fields = node.get("properties", {})
        needed = [name for name, field in fields.items() if method in field.get("annotations", {}).get("required", [])]
        return {**node, "required": needed}


def _shape(path: str) -> str:
    """A path without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def compare(ours: dict, document: dict) -> Comparison:
    """Hold a schema of ours against an official document, OpenAPI or Google's discovery."""
    official, result = Discovery(document) if "discoveryVersion" in document else OpenApi(document), Comparison(ours)

    def fields(place: str, mine: dict, node: dict, sent: bool, seen: tuple = ()) -> None:
        theirs, needed = node.get("properties", {}), node.get("required", [])
        for name, field in mine.items():
            rule, here = schema.rule_of(field), "%s.%s" % (place, name)
            if name not in theirs:
                result.fact(here, False, "not in the file")
                continue
            inner = official.resolved(theirs[name])
            result.types(here, rule["type"], official.types(inner))
            must = rule["type"].endswith("!")
            # What is sent must have what they require; what is answered must not promise more than they do, where they promise anything.
            if sent or needed:
                same = must or name not in needed if sent else not must or name in needed
                result.fact(here + ".required", same, "required on one side only")
            limits(here, rule, inner)
            for key in ("object", "items", "values"):
                if key in rule and rule[key] not in seen:
                    target = {"object": inner, "items": inner.get("items"), "values": inner.get("additionalProperties")}[key]
                    fields(rule[key], ours["objects"][rule[key]], official.resolved(target), sent, (*seen, rule[key]))
        if sent:
            for name in needed:
                result.fact("%s.%s" % (place, name), name in mine, "required there, unknown here")

    def limits(place: str, rule: dict, node: dict) -> None:
        for limit in LIMITS:
            if limit in rule or limit in node:
                same = rule.get(limit) == node.get(limit)
                result.fact(place, same, "%s is %s here, %s there" % (limit, rule.get(limit), node.get(limit)))
        if node.get("enum"):
            words = set(rule.get("enum", rule.get("words", [])))
            result.fact(place, words == set(node["enum"]) - {None}, "other words than %s" % node["enum"])

    for name, rules in ours["operations"].items():
        operation, exact = official.operation(rules["path"], rules["method"], ours.get("server", ""))
        if operation is None:
            result.fact(name, False, "%s %s is not in the file" % (rules["method"], rules["path"]))
            continue
        result.fact(name + ".path", exact, "the path is written otherwise there")
        theirs = official.parameters(operation)
        needed = [key for key, node in theirs.items() if node["needed"]]
        fields(name + ".query", rules.get("query", {}), {"properties": theirs, "required": needed}, True)
        fields(name + ".body", rules.get("body", {}), official.body(operation), True)
        answer = official.answer(operation, rules.get("status", 200))
        result.fact(name + ".status", answer is not None, "no answer %s there" % rules.get("status", 200))
        if rules.get("array"):
            result.types(name + ".answer", "array", official.types(answer or {}))
            answer = official.resolved((answer or {}).get("items"))
        if rules["answer"] == "text":
            result.types(name + ".answer", "string", official.types(answer or {}))
        else:
            fields(name + ".answer", rules["answer"], answer or {}, False)
    return result


def results(specs: pathlib.Path | None) -> dict:
    """The comparison of each schema whose official document is there."""
    documents = {name: discovery_document(title) for name, title in DISCOVERY.items()}
    for name, file in OPENAPI.items():
        documents[name] = yaml.safe_load((specs / file).read_text()) if specs and (specs / file).is_file() else None
    return {name: compare(schema.load(name), document) for name, document in sorted(documents.items()) if document}


def main() -> int:
    """Print what differs."""
    found = results(folder())
    if not found:
        print("No official specs here: nothing was compared.")
        return SKIPPED
    bad = False
    for name in sorted(set(OPENAPI) - set(found)):
        print("%s: not compared, for %s is not there." % (name, OPENAPI[name]))
    for name, result in found.items():
        for line in result.wrong + ["the explanation '%s' explains nothing" % pattern for pattern in result.idle]:
            print("%s: %s" % (name, line))
        print("%s: %d facts compared, %d differ without an explanation." % (name, result.compared, len(result.wrong)))
        bad = bad or bool(result.wrong or result.idle)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
