# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.summary`."""

from __future__ import annotations

from ansible.utils.display import Display

from ansible_collections.rented.gpu.plugins.modules.summary import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils import _table
from ansible_collections.rented.gpu.plugins.plugin_utils._action import FACTS, RUN, RoleAction, of_this_run

COLUMNS = ["host", "GPU", "$/hour", "ready", "changed", "seconds", "made ready"]


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC
    COUNTED = False
    _requires_connection = False

    def work(self, arguments):
        alive = set(self._task_vars["ansible_play_hosts"])
        rows = [self._row(host, host in alive, arguments["before"]) for host in self._task_vars["ansible_play_hosts_all"]]
        table = _table.lines(rows, COLUMNS)
        display = Display()
        for line in ["", arguments["title"], *table, ""] if arguments["title"] else ["", *table, ""]:
            display.display(line)
        return {"changed": False, "table": table, "rows": rows}

    def _row(self, host, alive, before):
        variables = self._task_vars["hostvars"][host]
        known = of_this_run(variables.get("ansible_facts") or {})
        facts, run = known.get(FACTS) or {}, known.get(RUN) or {}
        row = {"host": host, "GPU": _gpu(variables, facts), "$/hour": _price(variables)}
        row["ready"] = _verdict(facts, alive, self.check_mode)
        row["made ready"] = _made(facts)
        first, again = (variables[before], run) if before else (run, None)
        row["changed"], row["seconds"] = _changed(first), _seconds(first)
        if again is not None:
            row["changed"] = "%s, then %s" % (row["changed"], _changed(again))
            row["seconds"] = "%s, then %s" % (row["seconds"], _seconds(again))
        return row


def _gpu(variables, facts):
    gpu = facts.get("gpu") or {}
    name = variables.get("rented_gpu_model") or variables.get("rented_gpu_name_raw")
    if not name and gpu.get("gpus"):
        name = gpu["gpus"][0]["name"]
    if not name:
        return "none"
    count = variables.get("rented_gpu_count") or len(gpu.get("gpus") or []) or 1
    simulated = gpu.get("simulated") or (variables.get("rented_tags") or {}).get("simulated")
    text = "%s x %s" % (count, name) if count > 1 else str(name)
    return text + " (simulated)" if simulated and "simulated" not in text else text


def _price(variables):
    price = variables.get("rented_price_per_hour")
    return None if price is None else "%.2f" % price


def _verdict(facts, alive, check_mode):
    if not alive:
        return "FAILED"
    failed = [gate for gate in facts.get("gates") or [] if gate["result"] == "fail"]
    broken = [gate["name"] for gate in failed if gate["required"]]
    if broken:
        return "NO: " + ", ".join(broken)
    advice = ", but see " + ", ".join(gate["name"] for gate in failed) if failed else ""
    return ("checked" if check_mode else "yes") + advice


def _made(facts):
    """In the roles' own words: each stamp may carry a short ``says`` in its data."""
    proof = facts.get("ready") or {}
    said = [data.get("says") for data in (proof.get("made") or {}).values()]
    return ", ".join(text for text in said if text)


def _changed(run):
    return sum(1 for role in run.values() if role["changed"])


def _seconds(run):
    return round(sum(role["seconds"] for role in run.values()), 1)
