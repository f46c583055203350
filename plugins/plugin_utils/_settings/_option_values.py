# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""From what a user gave to what an option takes, for settings and for arguments of actions alike.

Ansible turns every value into a text where a text is wanted (`[a]` becomes "['a']"), and cuts texts at commas where a list is wanted.
Here, a value is taken only where what it means is clear; anything else is an error that says what the option takes.
"""

from __future__ import annotations

import datetime
import math
import re

import yaml

from ansible_collections.rented.gpu.plugins.module_utils._errors import nearest
from ansible_collections.rented.gpu.plugins.module_utils._shown import kind, shown

LARGEST = 10**12
YES = ("yes", "on", "true", "y", "t", "1")
NO = ("no", "off", "false", "n", "f", "0")
# Between two entries of a list; not in pkg[a,b], and not between the two bounds of torch>=2,<3.
COMMA = re.compile(r",\s*(?![^\[]*\])(?=[\w./~-])")


class Wrong(Exception):
    """The value is not what the option takes. The text goes on after the option's name: 'has to be a text, not a list'."""


def read(option: dict, value):
    """The value as ``option``, an entry of an argument spec, takes it. Null gives the default, and so does an empty number or choice."""
    wanted = option.get("type", "str")
    if _is_nothing(value) or (value == "" and (wanted in ("int", "float", "bool") or option.get("choices"))):
        if option.get("required"):
            raise Wrong("has to be given")
        return option.get("default")
    value = READERS.get(wanted, _raw)(option, value)
    choices = option.get("choices")
    if choices and value not in choices:
        raise Wrong(f"cannot be '{shown(value)}'. {nearest(value if len(value) < 80 else '', choices)}")
    return value


def read_all(options: dict, values: dict) -> dict:
    """The values of a dictionary, each read as its option says. Options that are not given are not in the answer."""
    found = {}
    for name, value in values.items():
        if name not in options:
            raise Wrong(f"has the key '{shown(name)}', which does not exist. {nearest(str(name)[:80], options)}")
        try:
            found[name] = read(options[name], value)
        except Wrong as wrong:
            raise Wrong(f"{name} {wrong}") from None
    missing = [name for name, option in options.items() if option.get("required") and found.get(name) is None]
    if missing:
        raise Wrong(f"lacks {', '.join(missing)}")
    return found


def plain(value, depth: int = 0):
    """Plain Python data: templates inside are rendered by reading them, and tags of Ansible are gone. May raise what rendering raises."""
    if depth > 50:
        raise Wrong("holds lists or dictionaries inside each other without end")
    if isinstance(value, dict):
        return {plain(key, depth + 1): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, depth + 1) for inner in value]
    for wanted in (bool, int, float, datetime.datetime, datetime.date, bytes, set):
        if isinstance(value, wanted):
            return value
    if value is None or _is_nothing(value):
        return None
    return str(value)


def _is_nothing(value) -> bool:
    return value is None or type(value).__name__ in ("Omit", "_OmitType")


def _no_text(value) -> Wrong:
    if isinstance(value, bool):
        return Wrong("has to be a text; YAML reads yes, no, on, off, true and false without quotes as truth values: write it in quotes")
    return Wrong(f"has to be a text, not {kind(value)}: {shown(value)}")


def _str(option, value):
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime.date):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _no_text(value)
    if (isinstance(value, float) and not math.isfinite(value)) or abs(value) >= LARGEST:
        raise Wrong("has to be a text, not a number such as this one: write it in quotes")
    return str(value)


def _text(value: str) -> str:
    if "\0" in value:
        raise Wrong("holds a NUL character, which no name, path or address can hold")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Wrong("holds bytes that are not UTF-8 text") from None
    return str(value)


def _bool(option, value):
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str) else str(int(value)) if value in (0, 1) else ""
    if word in YES or word in NO:
        return word in YES
    raise Wrong(f"has to be true or false, not {kind(value)}: {shown(value)}")


def _number(value, whole: bool):
    expected = "a whole number" if whole else "a number"
    found = value
    if isinstance(value, str):
        pattern = r"[+-]?\d{1,40}(\.0*)?" if whole else r"[+-]?(\d{1,40}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?"
        found = float(value) if re.fullmatch(pattern, value.strip(), re.ASCII) else None
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise Wrong(f"has to be {expected}, not {kind(value)}: {shown(value)}")
    if (isinstance(found, float) and not math.isfinite(found)) or abs(found) >= LARGEST:
        raise Wrong(f"has to be {expected} below {LARGEST}")
    if whole and found != int(found):
        raise Wrong(f"has to be a whole number, not {shown(value)}")
    return int(found) if whole else float(found)


def _int(option, value):
    return _number(value, True)


def _float(option, value):
    return _number(value, False)


def _list(option, value):
    elements = option.get("elements", "raw")
    if isinstance(value, str):
        value = _written(option, value, "[")
        if isinstance(value, str) and elements == "str":
            value = [word.strip() for word in COMMA.split(value) if word.strip()]
    if (isinstance(value, dict) and elements in ("raw", "dict")) or (isinstance(value, str) and value and elements == "raw"):
        value = [value]
    if isinstance(value, tuple):
        value = list(value)
    if value == "":
        value = []
    if not isinstance(value, list):
        raise Wrong(f"has to be a list{_of(elements)}, not {kind(value)}: {shown(value)}")
    found = []
    for number, item in enumerate(value, 1):
        try:
            if _is_nothing(item):
                raise Wrong("is empty")
            found.append(read({"type": elements, "options": option.get("options")}, item))
        except Wrong as wrong:
            raise Wrong(f"item {number} {wrong}") from None
    return found


def _of(elements: str) -> str:
    return {"str": " of texts", "dict": " of dictionaries"}.get(elements, "")


def _dict(option, value):
    if isinstance(value, str):
        value = _written(option, value, "{")
    if not isinstance(value, dict):
        raise Wrong(f"has to be a dictionary, not {kind(value)}: {shown(value)}")
    options = option.get("options")
    if not options:
        return value
    found = read_all(options, value)
    return dict({name: entry["default"] for name, entry in options.items() if "default" in entry}, **found)


def _written(option, text: str, start: str):
    """A list or dictionary that was written as a text, as -e name=[a,b] gives it."""
    text = _text(text).strip()
    if not text.startswith(("[", "{") if option.get("elements") in ("raw", "dict") else start):
        return text
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Wrong(f"begins with '{text[0]}', and is not a list or dictionary in YAML: {shown(text)}") from None


def _raw(option, value):
    return value


READERS = {"str": _str, "path": _str, "bool": _bool, "int": _int, "float": _float, "list": _list, "dict": _dict}
