# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The end of a run, for people: a table that fits their terminal, who is not ready and why, and what to type next. Pure."""

from __future__ import annotations

import re
import textwrap

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.module_utils._renting._values import number
from ansible_collections.rented.gpu.plugins.plugin_utils import _gates
from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import FACTS, RUN, of_this_run
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _table

COLUMNS = ["host", "GPU", "$/hour", "ready", "changed", "seconds", "made ready"]
DISPENSABLE = ("made ready", "seconds", "$/hour", "GPU", "changed")  # what a narrow terminal does without, first things first
NUMBERS = ("$/hour",)
LONGEST_CAUSE = 160
MOST = 10  # hosts that a list below the table names one by one
WORK = ("repos", "python_env", "data_sync")  # the roles whose settings say what a run is for


def row(host: str, variables, cause: str, before: str, check_mode: bool) -> dict:
    """What one host did in this run. ``cause`` says why it is not ready; empty when it did not fail."""
    known = of_this_run(variables.get("ansible_facts") or {})
    facts, run = known.get(FACTS) or {}, known.get(RUN) or {}
    price = number(variables.get("rented_price_per_hour"))
    found: dict = {"host": host, "GPU": _gpu(variables, facts), "$/hour": None if price is None else f"{price:.2f}"}
    found["ready"] = "FAILED" if cause else _verdict(facts, check_mode)
    found["cause"] = cause
    found["made ready"] = "" if cause else _made(facts, run, check_mode)
    found["notes"] = [] if cause else _notes(facts)
    first, again = (variables[before], run) if before else (run, None)
    found["changed"], found["seconds"] = _changed(first), _seconds(first)
    if again is not None:
        found["changed"] = f"{found['changed']}, then {_changed(again)}"
        found["seconds"] = f"{found['seconds']}, then {_seconds(again)}"
    return found


def asked_for_work(variables) -> bool:
    """Whether the settings of this run asked for a repository, packages or data."""
    run = of_this_run(variables.get("ansible_facts") or {}).get(RUN) or {}
    return any((run.get(role) or {}).get("asked") for role in WORK)


def lines(rows: list, width: int, took: float | None = None) -> list:
    """The table and what has to be known about it."""
    table, columns = _table.fitting(rows, COLUMNS, DISPENSABLE, width, NUMBERS)
    said = []
    if "made ready" not in columns:
        said += [f"{_names(hosts, len(rows))}: {text}." for text, hosts in _grouped(rows, "made ready")]
    for entry in [entry for entry in rows if entry["cause"]][:MOST]:
        said.append(f"{entry['host']} is not ready: {entry['cause']}")
    failed = sum(1 for entry in rows if entry["cause"])
    if failed > MOST:
        said.append("%d more are not ready; their causes are above." % (failed - MOST))
    notes: dict = {}
    for entry in rows:
        for note in entry["notes"]:
            notes.setdefault(note, []).append(entry["host"])
    said += [f"Note on {_names(hosts, len(rows))}: {note}" for note, hosts in notes.items()]
    if took:
        said.append("The run took %s.%s" % (_duration(took), " Seconds are the work for one host." if "seconds" in columns else ""))
    return [*table, *([""] if said else []), *(line for sentence in said for line in wrapped(sentence, width))]


def wrapped(sentence: str, width: int) -> list:
    text = " ".join(_plain.plain(sentence).split())
    return textwrap.wrap(text, max(width, 40), subsequent_indent="  ", break_on_hyphens=False)


def brief(message: str, host: str) -> str:
    """The cause in a message, short: its first sentence, without the host's name, which stands before it."""
    text = " ".join(_plain.plain(message).split())
    text = re.sub(rf"^{re.escape(host)}( \([^()]*\))?:? ", "", text)
    text = re.split(r"(?<=[a-z0-9)'\"])\. (?=[A-Z])", text, maxsplit=1)[0].rstrip(". ")
    return (text[: LONGEST_CAUSE - 1] + "…" if len(text) > LONGEST_CAUSE else text) + "."


def _gpu(variables, facts) -> str:
    gpu = facts.get("gpu") or {}
    name = variables.get("rented_gpu_model") or variables.get("rented_gpu_name_raw")
    if not name and gpu.get("gpus"):
        name = gpu["gpus"][0]["name"]
    if not name:
        return "none"
    count = variables.get("rented_gpu_count") or len(gpu.get("gpus") or []) or 1
    simulated = gpu.get("simulated") or (variables.get("rented_tags") or {}).get("simulated")
    text = f"{count} x {name}" if count > 1 else str(name)
    return text + " (simulated)" if simulated and "simulated" not in text else text


def _verdict(facts, check_mode) -> str:
    failed = [gate for gate in facts.get("gates") or [] if gate["result"] == "fail"]
    broken = [gate["name"] for gate in failed if gate["required"]]
    if broken:
        return "NO: " + ", ".join(broken)
    see = [gate["name"] for gate in failed if gate["name"] not in _gates.USUAL]
    return ("checked" if check_mode else "yes") + (", but see " + ", ".join(see) if see else "")


def _notes(facts) -> list:
    """Advice that holds for nearly every container is not part of the verdict: a warning that is always there is not read."""
    return [
        f"{gate['name']}: {gate['cause']}"
        for gate in facts.get("gates") or []
        if gate["result"] == "fail" and not gate["required"] and gate["name"] in _gates.USUAL
    ]


def _made(facts, run, check_mode) -> str:
    """What this run asked for, in the roles' own words (``says`` in the data of a stamp); what earlier runs left is not mentioned."""
    made = dict({name: stamp.get("data") for name, stamp in (facts.get("stamps") or {}).items()})
    made.update((facts.get("ready") or {}).get("made") or {})
    changed: list = []
    kept: list = []
    for role in run.values():
        for name in role.get("asked") or []:
            says = (made.get(name) or {}).get("says")
            if says:
                (changed if role["changed"] else kept).append(says)
    parts = [f"{', '.join(changed)} ({'would change' if check_mode else 'new'})"] if changed else []
    parts += [f"{', '.join(kept)} (as it was)"] if kept else []
    return "; ".join(parts)


def _grouped(rows, name) -> list:
    groups: dict = {}
    for entry in rows:
        if entry[name]:
            groups.setdefault(entry[name], []).append(entry["host"])
    return list(groups.items())


def _names(hosts, among) -> str:
    if len(hosts) == among > 1:
        return "all hosts"
    return ", ".join(hosts[:5]) + (" and %d more" % (len(hosts) - 5) if len(hosts) > 5 else "")


def _changed(run) -> int | None:
    return sum(1 for role in run.values() if role["changed"]) if run else None


def _seconds(run) -> float | None:
    return round(sum(role["seconds"] for role in run.values()), 1) if run else None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
