# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compact schemas of ``tests/fakes/schemas``: types as words, so that a fake can check what it takes and what it gives."""

from __future__ import annotations

import json
import pathlib

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


def load(name: str) -> dict:
    """The schema file of a provider."""
    return json.loads((FOLDER / (name + ".json")).read_text())


def has_type(value, words: str) -> bool:
    """Whether a value is of one of the types; a boolean is no number."""
    kinds = words.rstrip("!").split("|")
    return any(isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "boolean") for kind in kinds)


def defects(data, fields: dict, where: str) -> list:
    """What of an object is not as its schema says. Values of ``fields`` are type words, or rules with ``type``, ``enum`` and so on."""
    if not isinstance(data, dict):
        return ["%s: not an object" % where]
    found = []
    for name, value in data.items():
        if name not in fields:
            found.append("%s.%s: unknown field" % (where, name))
            continue
        rule = fields[name] if isinstance(fields[name], dict) else {"type": fields[name]}
        if not has_type(value, rule["type"]):
            found.append("%s.%s: %r is not %s" % (where, name, value, rule["type"]))
            continue
        if "enum" in rule and value not in rule["enum"]:
            found.append("%s.%s: %r is none of %s" % (where, name, value, rule["enum"]))
        if "words" in rule and set(value.split()) - set(rule["words"]):
            found.append("%s.%s: %r has words that are none of %s" % (where, name, value, rule["words"]))
        if "maximum" in rule and value > rule["maximum"]:
            found.append("%s.%s: %r is above %s" % (where, name, value, rule["maximum"]))
        if "minimum" in rule and value < rule["minimum"]:
            found.append("%s.%s: %r is below %s" % (where, name, value, rule["minimum"]))
        if "maxLength" in rule and len(value) > rule["maxLength"]:
            found.append("%s.%s: longer than %d" % (where, name, rule["maxLength"]))
        if "minLength" in rule and len(value) < rule["minLength"]:
            found.append("%s.%s: shorter than %d" % (where, name, rule["minLength"]))
    for name, rule in fields.items():
        words = rule["type"] if isinstance(rule, dict) else rule
        if words.endswith("!") and name not in data:
            found.append("%s.%s: missing" % (where, name))
    return found
