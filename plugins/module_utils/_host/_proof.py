# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""``~/.rented/ready.json``: what was made ready on a host, which gates it passed, and how long it took.

It is written when something in it changed, so the seconds in it are those of the run that last did work.
"""

from __future__ import annotations

SCHEMA = 1
NAME = "ready.json"
RENTED = ("provider", "account", "id", "label", "price_per_hour")  # what of the instance is kept
VOLATILE = ("at", "roles")  # differ from run to run without anything having changed
GATE_VOLATILE = ("seconds", "value")  # free disk and temperature move by themselves; the verdict does not


def build(variables: dict, facts: dict, run: dict, versions: dict, now: str) -> dict:
    """The proof of one host from its inventory variables, the facts of this run, and what the roles did. `add_made` completes it."""
    gates = facts.get("gates") or []
    gpu = facts.get("gpu") or {}
    tools = facts.get("tools") or {}
    system = facts.get("os") or {}
    found = {name: tools[name]["version"] for name in ("git", "rsync", "tmux") if tools.get(name)}
    return {
        "schema": SCHEMA,
        "at": now,
        "host": variables.get("inventory_hostname"),
        "instance": {name: variables.get("rented_" + name) for name in RENTED},
        "simulated": bool(gpu.get("simulated")),
        "ready": not any(gate["result"] == "fail" and gate.get("required", True) for gate in gates),
        "gates": gates,
        "versions": dict(versions, os=(f"{system.get('id')} {system.get('version_id')}"), driver=gpu.get("driver"), **found),
        "roles": run,
    }


def add_made(proof: dict, stamps: dict) -> dict:
    """The proof with what the stamps say was made: their ``data``, and the ``versions`` in it."""
    made = {name: dict(stamp.get("data") or {}) for name, stamp in sorted(stamps.items())}
    versions = dict(proof["versions"])
    for data in made.values():
        versions.update(data.get("versions") or {})
    return dict(proof, made=made, versions=versions)


def same(old: dict | None, new: dict) -> bool:
    """Whether two proofs say the same, apart from clocks and readings that move by themselves."""
    return old is not None and bool(old) and _lasting(old) == _lasting(new)


def _lasting(proof: dict) -> dict:
    kept = {key: value for key, value in proof.items() if key not in VOLATILE}
    # The price of an interruptible instance moves by the minute.
    kept["instance"] = {key: value for key, value in (proof.get("instance") or {}).items() if key != "price_per_hour"}
    kept["gates"] = [{key: value for key, value in gate.items() if key not in GATE_VOLATILE} for gate in proof.get("gates", [])]
    return kept
