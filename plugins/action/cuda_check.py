# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.cuda_check`: all gates are judged here; the host is asked only for a proof that is not there yet."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.modules.cuda_check import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.modules.cuda_check import STAMP
from ansible_collections.rented.gpu.plugins.plugin_utils import _gates
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import SUMMED_UP
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _table

COLUMNS = ["gate", "result", "found", "wanted", "remark"]
RENTED = ("gpu_model", "gpu_count", "gpu_vram_mb", "cpu_cores", "ram_gb")


class ActionModule(RoleAction):
    ARGUMENT_SPEC = dict(SPEC, path={"type": "str"})  # "~" is the host's home, not the controller's

    def work(self, arguments):
        try:
            _gates.check_required(arguments["required"])
        except ValueError as error:
            raise Failure(str(error))
        if not self.facts and self.check_mode:
            return {"changed": False, "msg": "Nothing is known of the host before it has a Python.", "gates": []}
        if not self.facts:
            raise Failure(
                "cuda_check needs the facts of the host: run the role rented.gpu.ready, or the module rented.gpu.host_facts, before it."
            )
        proof = self._proof(arguments) if arguments["torch"] else {"skipped": "torch is checked when the environment is there"}
        gates = _gates.evaluate(self.facts, self._rented(), arguments, proof, arguments["required"])
        table = _table.lines([_row(gate) for gate in gates], COLUMNS)
        failed = _gates.failures(gates)
        if failed:
            self._withdraw_proof("a gate failed", gates=gates)
            self._fail(gates, failed, table)
        if arguments["torch"]:
            self.set_facts(gates=gates)
            self._advise(gates)
        return {"changed": False, "gates": gates, "table": "\n".join(table), "proof": proof}

    def _fail(self, gates, failed, table):
        """The table stands above the message: in a result of Ansible it would be one long line."""
        for line in ["", f"The gates of {self._task_vars.get('inventory_hostname')}:", *table, ""]:
            self._display.display(_plain.plain(line))
        title = f"{len(failed)} gate{'' if len(failed) == 1 else 's'} failed"
        raise Failure(f"{title}: {' '.join(_gates.sentences(gates))}", gates=failed)

    def _advise(self, gates):
        # The summary of a playbook shows what nearly every container lacks once, below its table.
        usual = _gates.USUAL if self._task_vars.get(SUMMED_UP) else ()
        for sentence in _gates.sentences([gate for gate in gates if gate["name"] not in usual]):
            self._display.warning(_plain.plain(f"{self._task_vars.get('inventory_hostname')}: {sentence}"))

    def _rented(self):
        """What the provider says; variables that the user set himself may be templates."""
        rented = {name: self._templar.template(self._task_vars.get("rented_" + name)) for name in RENTED}
        return dict(rented, simulated=self.simulated())

    def _proof(self, arguments):
        """The answer of the host, of now or of the last time, or why it is not asked."""
        gpu = self.facts.get("gpu") or {}
        if not arguments["devices"]:
            if not gpu.get("present"):
                return {"skipped": "there is no GPU"}
            if gpu.get("simulated"):
                return {"skipped": "simulated"}
            if not gpu.get("working"):
                return {"skipped": "the driver does not work"}
        stamps = self.facts.get("stamps") or {}
        made = stamps.get("python_env") or {}
        path = _paths.on_host(arguments["path"], self.facts) if arguments["path"] else (made.get("data") or {}).get("path")
        if not path:
            return {"skipped": "there is no Python environment yet"}
        request = {
            "path": path,
            "driver": gpu.get("driver"),
            "gpus": [[entry["uuid"], (entry.get("mig") or {}).get("devices")] for entry in gpu.get("gpus") or []],
            "boot_id": self.facts.get("boot_id"),
            "devices": arguments["devices"],
            "size": arguments["size"],
        }
        if not arguments["always"] and self.settled(STAMP, request, needs=("proof",)) and self._same_environment(path, made):
            return stamps[STAMP]["data"]["proof"]
        names = ("devices", "size", "timeout")
        proof = self.apply(STAMP, request, dict({name: arguments[name] for name in names}, path=path))["proof"]
        if self.check_mode and proof["error"] and not made:
            return {"skipped": "there is no Python environment yet"}
        return proof

    def _same_environment(self, path, made):
        """The stamp was compared with the environment when the facts were read; python_env may have changed it since, in this run."""
        proved = self.facts["stamps"][STAMP]["watch"].get("envs", {}).get(path)
        now = (made.get("watch") or {}).get("envs", {}).get(path)
        return now is None or now == proved


def _row(gate):
    wanted = gate["wanted"]
    remark = gate["cause"] if gate["result"] == "skip" else "" if gate["required"] or gate["result"] == "pass" else "advisory"
    return {
        "gate": gate["name"],
        "result": gate["result"],
        "found": None if gate["value"] is None else str(gate["value"]),
        "wanted": None if wanted is None else str(wanted),
        "remark": remark,
    }
