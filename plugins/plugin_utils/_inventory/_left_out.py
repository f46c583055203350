# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Instances that the inventory saw and did not list because of their state: ``rented_left_out``, a variable of the group ``all``."""

from __future__ import annotations

import fnmatch
import re

from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _names

VARIABLE = "rented_left_out"
LOADING = "pending"
WAIT = ("rented_wait", "wait")  # either name
GONE = ("terminated",)  # an API lists them for some time; they are not instances any more


def note(inventory, every: list, chosen: list) -> None:
    """Keep a short record of each instance in ``every`` that is not in ``chosen``. Another inventory file may have left some already."""
    listed = {id(instance) for instance in chosen}
    records = [_record(instance) for instance in every if id(instance) not in listed and instance.state not in GONE]
    if records:
        earlier = inventory.groups["all"].get_vars().get(VARIABLE) or []
        inventory.set_variable("all", VARIABLE, [*earlier, *records])


def _record(instance) -> dict:
    return {
        "name": _names.default_name(instance),
        "provider": instance.provider,
        "label": instance.label,
        "state": instance.state,
        "state_raw": instance.state_raw,
        "groups": _names.group_names(instance),
    }


def records(variables) -> list:
    """The records that concern this run: those that ``rented_hosts`` and ``--limit`` would choose. Anything of another shape is not one."""
    found = variables.get(VARIABLE)
    found = [entry for entry in found if isinstance(entry, dict) and entry.get("name")] if isinstance(found, list) else []
    patterns = [variables.get("rented_hosts"), variables.get("ansible_limit")]
    return [entry for entry in found if all(matches(entry, pattern) for pattern in patterns)]


def loading(variables) -> list:
    """The records of the instances that will run soon."""
    return [entry for entry in records(variables) if entry.get("state") == LOADING]


def matches(record: dict, pattern) -> bool:
    """Whether a host pattern (``a,b:&c:!d``) would choose the instance by its name, its label or one of the groups made from its fields."""
    parts = pattern if isinstance(pattern, list) else re.split(r"[,:]", pattern) if isinstance(pattern, str) else []
    parts = [str(part).strip() for part in parts if str(part).strip()]
    if not parts or any(part.startswith("@") for part in parts):  # a file of hosts names those that the inventory listed
        return not parts
    names = {"all", "*", record["name"], str(record.get("label")), *(str(group) for group in record.get("groups") or [])}

    def chosen(part):
        return any(fnmatch.fnmatchcase(name, part.lstrip("!&")) for name in names)

    plain = [part for part in parts if part[0] not in "!&"]
    return (
        (not plain or any(chosen(part) for part in plain))
        and all(chosen(part) for part in parts if part[0] == "&")
        and not any(chosen(part) for part in parts if part[0] == "!")
    )


def title(record: dict) -> str:
    """How a message names the instance: its name, and the label that its renter gave it."""
    label = record.get("label")
    return f"{record['name']} ({label})" if label and label != record["name"] else str(record["name"])


def titles(found: list, most: int = 5) -> str:
    names = ", ".join(title(record) for record in found[:most])
    return names + (" and %d more" % (len(found) - most) if len(found) > most else "")


def sentences(variables) -> list:
    """What is left out, and what to do about it: one sentence for those that are loading, one for the others."""
    said = []
    soon = loading(variables)
    if soon:
        said.append(f"{_count(soon)} still loading ({titles(soon)}): run the same command again in a minute, or add -e wait=true.")
    by_state: dict = {}
    for record in records(variables):
        if record.get("state") != LOADING:
            by_state.setdefault(str(record.get("state") or "unknown"), []).append(record)
    for state, found in sorted(by_state.items()):
        said.append(f"{_count(found)} in the state '{state}' ({titles(found)}).")
    return said


def _count(found: list) -> str:
    return "1 is" if len(found) == 1 else f"{len(found)} are"


def wanted(variables) -> bool:
    """Whether the user said ``-e wait=true`` (a text, as -e gives it, or a boolean)."""
    value = next((variables[name] for name in WAIT if variables.get(name) is not None), False)
    return str(value).strip().lower() in ("true", "yes", "on", "1", "y", "t")
