# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Paths and items of users: what is relative to what, and which keys an item may have."""

from __future__ import annotations

import os
import posixpath
import re
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils._errors import nearest
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.module_utils._shown import kind, shown
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _option_values

LONGEST_STAMP = 200
NAMES = ("src", "dest")  # names of files, in which Linux allows every character
LINE_ENDS = re.compile("[\x00-\x1f\x7f\u2028\u2029]")


def on_controller(path: str) -> str:
    """An absolute path on the controller: ``~`` is expanded, a relative path starts at the folder where ansible-playbook was started."""
    return os.path.normpath(os.path.abspath(os.path.expanduser(path)))


def on_host(path: str, facts: dict) -> str:
    """An absolute path on the host: ``~`` is the login user's home, a relative path starts at the workdir; both are in ``facts``."""
    if path == "~" or path.startswith("~/"):
        path = posixpath.join(facts["home"], path[2:])
    return posixpath.normpath(posixpath.join(facts["workdir"], path))


def first_repository(repos) -> str:
    """The folder of the first entry of repos_list, named as the role repos names it; empty without one."""
    if isinstance(repos, (str, dict)):
        repos = [repos]
    for item in repos if isinstance(repos, (list, tuple)) else []:
        item = {"src": item} if isinstance(item, str) else item if isinstance(item, dict) else {}
        if item.get("dest"):
            return str(item["dest"])
        src = str(item.get("src") or "")
        here = on_controller(src) if src else ""
        name = posixpath.basename((here if os.path.exists(here) else src).rstrip("/").replace(":", "/"))
        return name[: -len(".git")] if name.endswith(".git") else name
    return ""


def stamp_name(role: str, dest: str) -> str:
    """The name of the stamp of one item; ``dest`` as the user wrote it."""
    name = f"{role}.{urllib.parse.quote(posixpath.normpath(dest), safe='')}"
    # A name of a file has 255 bytes at most, and a letter that is not Latin takes six or nine of them here.
    return name if len(name) <= LONGEST_STAMP else name[: LONGEST_STAMP - 17] + "." + _stamps.digest(name)[:16]


def check_items(variable: str, items, options: dict, required) -> list:
    """The items as dicts with every key of ``options``, an argument spec (None when not said).

    ``required``: at least one of these keys has to be there. Raises `Failure`, naming variable, item, key and the nearest known key.
    """
    try:
        items = _option_values.read({"type": "list", "elements": "raw"}, items) or []
    except _option_values.Wrong as wrong:
        raise Failure(f"{variable} {wrong}.") from None
    checked = []
    for number, item in enumerate(items, 1):
        if isinstance(item, str) and "src" in required:
            item = {"src": item}
        where = f"{variable}, item {number}"
        if not isinstance(item, dict):
            raise Failure(f"{where} has to be a dictionary with {' or '.join(required)}, not {kind(item)}: {shown(item)}.")
        for key in item:
            if key not in options:
                raise Failure(f"{where} has the key '{shown(key)}', which does not exist. {nearest(str(key)[:80], options)}")
        if not any(item.get(key) for key in required):
            raise Failure(f"{where} says neither what to take nor from where: give {' or '.join(required)}.")
        found = {}
        for key, option in options.items():
            value = item.get(key)
            try:
                if isinstance(value, float) and option.get("type") == "str":
                    raise _option_values.Wrong(f"is the number {value!r} for YAML, which reads 1.10 as 1.1: quote it")
                found[key] = _option_values.read(option, value)
            except _option_values.Wrong as wrong:
                raise Failure("%s: %s %s%s" % (where, key, wrong, "" if str(wrong).endswith(("?", ".")) else ".")) from None
            if key not in NAMES and isinstance(found[key], str) and LINE_ENDS.search(found[key]):
                raise Failure(f"{where}: {key} has to be one line of text without control characters; it is {shown(found[key])}.")
        checked.append(found)
    return checked


def check_dests(variable: str, items) -> None:
    """Two items with the same place on the host are an error: the second would undo the first."""
    seen: dict = {}
    for number, item in enumerate(items, 1):
        before = seen.setdefault(item.path, number)
        if before != number:
            raise Failure(f"{variable}, items {before} and {number} have the same dest, {item.path}: give each its own.")


def size(number: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000.0
    return ""
