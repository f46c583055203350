# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compact schemas of ``tests/fakes/schemas``: types as words, so that a fake can check what it takes and what it gives.

A field is type words (``"string|null"``; ``!`` at the end: must be there), or a rule: ``type`` with ``enum``, ``words``, ``minimum``,
``maximum``, ``minLength``, ``maxLength``, ``pattern``, ``minItems``, ``maxItems``; ``object`` names the fields of an object, ``items``
those of each object in an array, ``values`` those of each value of a mapping (all three are names in ``objects``); ``of`` are the type
words of an array's plain items. An operation's ``answer`` may be the name of an object, or "text" for a bare text; with
``array`` it answers a list of such.
``official`` names the OpenAPI file that a schema is held against (``discovery``: Google's), ``server`` what that file's paths lack at
their beginning, ``endpoint`` what the provider's base URL ends in.
"""

from __future__ import annotations

import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent / "schemas"
TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
# limit -> whether a value keeps it
LIMITS = {
    "enum": lambda value, limit: value in limit,
    "words": lambda value, limit: not set(value.split()) - set(limit),
    "maximum": lambda value, limit: value <= limit,
    "minimum": lambda value, limit: value >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "minLength": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "pattern": lambda value, limit: re.search(limit, value) is not None,
}
SAID = {
    "enum": "%r is none of %s",
    "words": "%r has words that are none of %s",
    "maximum": "%r is above %s",
    "minimum": "%r is below %s",
    "maxLength": "%r is longer than %s",
    "minLength": "%r is shorter than %s",
    "maxItems": "%r has more than %s",
    "minItems": "%r has less than %s",
    "pattern": "%r is not like %s",
}


def load(name: str) -> dict:
    """The schema file of a provider, names of answers replaced by what they name."""
    whole = raw(name)
    for rules in whole["operations"].values():
        if rules["answer"] != "text" and isinstance(rules["answer"], str):
            rules["answer"] = whole["objects"][rules["answer"]]
    return whole


def raw(name: str) -> dict:
    """The schema file of a provider as it is."""
    return json.loads((FOLDER / (name + ".json")).read_text())


def wrong_answer(answer, rules: dict, where: str, whole: dict) -> list:
    """What of an operation's answer is not as its schema says."""
    if rules["answer"] == "text":
        return [] if isinstance(answer, str) and answer else ["%s: not a text" % where]
    parts = answer if rules.get("array") and isinstance(answer, list) else [{} if answer in (None, "") else answer]
    return [found for part in parts for found in defects(part, rules["answer"], where, whole)]


def rule_of(field) -> dict:
    """A field as a rule, also where it is only type words."""
    return field if isinstance(field, dict) else {"type": field}


def has_type(value, words: str) -> bool:
    """Whether a value is of one of the types; a boolean is not a number."""
    kinds = words.rstrip("!").split("|")
    return any(isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "boolean") for kind in kinds)


def defects(data, fields: dict, where: str, whole: dict | None = None) -> list:
    """What of an object is not as its schema says. ``whole`` is the schema file, for the names of objects."""
    if not isinstance(data, dict):
        return ["%s: not an object" % where]
    found = []
    for name, value in data.items():
        if name not in fields:
            found.append("%s.%s: unknown field" % (where, name))
        else:
            found += _field(value, rule_of(fields[name]), "%s.%s" % (where, name), whole or {})
    for name, field in fields.items():
        if rule_of(field)["type"].endswith("!") and name not in data:
            found.append("%s.%s: missing" % (where, name))
    return found


def _field(value, rule: dict, where: str, whole: dict) -> list:
    if not has_type(value, rule["type"]):
        return ["%s: %r is not %s" % (where, value, rule["type"].rstrip("!"))]
    if value is None:
        return []
    found = [
        "%s: %s" % (where, SAID[name] % (value, rule[name])) for name in LIMITS if name in rule and not LIMITS[name](value, rule[name])
    ]
    inner = []
    if "object" in rule and isinstance(value, dict):
        inner = [(where, value, rule["object"])]
    elif "values" in rule and isinstance(value, dict):
        inner = [("%s[%s]" % (where, key), item, rule["values"]) for key, item in value.items()]
    elif "items" in rule and isinstance(value, list):
        inner = [("%s[%d]" % (where, number), item, rule["items"]) for number, item in enumerate(value)]
    elif "of" in rule and isinstance(value, list):
        found += ["%s: %r is not %s" % (where, item, rule["of"]) for item in value if not has_type(item, rule["of"])]
    for place, item, name in inner:
        found += defects(item, whole["objects"][name], place, whole)
    return found
