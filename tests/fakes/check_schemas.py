# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the schemas of the fakes with the official specs, where those are at hand: ``check_schemas.py [FOLDER]``.

The folder is the argument, or $RENTED_GPU_SPECS, or ``../shared/specs`` beside the checkout. Without it there is nothing to
compare: the exit code is 77, which is "skipped" to test tools. 1: something differs and the schema does not say why.
"""

from __future__ import annotations

import fnmatch
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import schema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77


def folder() -> pathlib.Path | None:
    """Where the official specs are, or None."""
    places = (
        [sys.argv[1]]
        if len(sys.argv) > 1 and __name__ == "__main__"
        else [os.environ.get("RENTED_GPU_SPECS"), str(ROOT.parent / "shared" / "specs")]
    )
    return next((pathlib.Path(place) for place in places if place and pathlib.Path(place).is_dir()), None)


def vast(specs: pathlib.Path) -> tuple:
    """(number of facts compared, list of differences that are not explained, list of explanations that explain nothing)."""
    ours, official = schema.load("vast"), yaml.safe_load((specs / "vast-openapi.yaml").read_text())
    compared, wrong, used = 0, [], set()

    def fact(place: str, same: bool, found: str) -> None:
        nonlocal compared
        compared += 1
        if same:
            return
        for pattern in ours["differs"]:
            if fnmatch.fnmatch(place, pattern):
                used.add(pattern)
                return
        wrong.append("%s: %s" % (place, found))

    def resolved(node):
        while isinstance(node, dict) and "$ref" in node:
            target = official
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part]
            node = target
        return node or {}

    def types(node) -> set:
        kind = resolved(node).get("type")
        return set(kind if isinstance(kind, list) else [kind] if kind else [])

    def compare_types(place: str, words: str, node) -> None:
        mine, theirs = set(words.rstrip("!").split("|")), types(node)
        fact(
            place,
            mine - {"null"} <= theirs | ({"integer"} if "number" in theirs else set()),
            "%s here, %s there" % (sorted(mine), sorted(theirs)),
        )
        fact(place + ".null", "null" not in mine or "null" in theirs, "may be null here, not there")

    objects = {item["at"][0]: (name, item) for name, item in ours["objects"].items()}
    for name, rules in ours["operations"].items():
        fact(name + ".path", rules["path"] in official["paths"], "not in the file with its slash")
        path = official["paths"].get(rules["path"]) or official["paths"].get(rules["path"].rstrip("/"))
        operation = (path or {}).get(rules["method"].lower())
        if operation is None:
            wrong.append("%s: %s %s is not in the file" % (name, rules["method"], rules["path"]))
            continue
        parameters = {item["name"]: item["schema"] for item in operation.get("parameters", []) if item["in"] == "query"}
        body = resolved(operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")).get("properties", {})
        for kind, mine, theirs in (("query", rules.get("query", {}), parameters), ("body", rules.get("body", {}), body)):
            for field, rule in mine.items():
                place = "%s.%s.%s" % (name, kind, field)
                if field not in theirs:
                    fact(place, False, "not in the file")
                    continue
                node = resolved(theirs[field])
                compare_types(place, rule["type"], node)
                for limit in ("maximum", "minimum", "maxLength", "minLength"):
                    fact(place, rule.get(limit) == node.get(limit), "%s is %s here, %s there" % (limit, rule.get(limit), node.get(limit)))
                if node.get("enum"):
                    fact(place, set(rule.get("enum", rule.get("words", []))) == set(node["enum"]), "other words than %s" % node["enum"])
        answer = resolved(resolved(operation["responses"]["200"])["content"]["application/json"]["schema"]).get("properties", {})
        for field, words in rules["answer"].items():
            place = "%s.answer.%s" % (name, field)
            if field not in answer:
                fact(place, False, "not in the file")
                continue
            compare_types(place, words, answer[field])
        if name in objects:
            title, item = objects[name]
            fields = resolved(resolved(answer[item["at"][1]]).get("items", {})).get("properties", {})
            for field, words in item["fields"].items():
                place = "%s.%s" % (title, field)
                if field not in fields:
                    fact(place, False, "not in the file")
                    continue
                compare_types(place, words, fields[field])
    return compared, wrong, sorted(set(ours["differs"]) - used)


def main() -> int:
    """Print what differs."""
    specs = folder()
    if specs is None:
        print("No official specs here: nothing was compared.")
        return SKIPPED
    compared, wrong, idle = vast(specs)
    for line in wrong + ["the explanation '%s' explains nothing" % pattern for pattern in idle]:
        print("vast: " + line)
    print("vast: %d facts compared, %d differ without an explanation." % (compared, len(wrong)))
    return 1 if wrong or idle else 0


if __name__ == "__main__":
    sys.exit(main())
