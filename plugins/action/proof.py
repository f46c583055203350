# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.proof`: builds the proof, and goes to the host only when it says something new."""

from __future__ import annotations

import datetime

from ansible.release import __version__ as ansible_version

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _proof
from ansible_collections.rented.gpu.plugins.module_utils._renting import _ownership
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.modules.proof import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils import _collection, _proof_copies
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import RUN

FIGURES = ("seconds", "executions", "changed")


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC

    def work(self, arguments):
        did = self._task_vars["ansible_facts"].get(RUN) or {}
        run = {role: {name: entry[name] for name in FIGURES} for role, entry in did.items()}
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        versions = {"rented.gpu": _collection.version(), "ansible-core": ansible_version}
        # Variables that the user set himself may be templates; what an API or a host said is none, and is left as it is.
        names = ["inventory_hostname", *("rented_" + name for name in _proof.RENTED)]
        variables = {name: self._templar.template(self._task_vars.get(name)) for name in names}
        content = _proof.build(variables, self.facts, run, versions, now)
        proof = _proof.add_made(content, self.facts.get("stamps") or {})
        if not self.check_mode:
            self._remember_rental(variables)
        worked = any(role["changed"] for role in run.values())
        if not worked and _proof.same(self.facts.get("ready"), proof):
            return {"changed": False, "proof": self.facts["ready"]}
        if not self.facts or self.check_mode:
            return {"changed": True, "proof": proof}
        told = self.remote("proof", {"content": content})["proof"]
        # Of what the host tells, only what it was asked; otherwise it could write the proof of another one.
        proof = dict(told, **{name: value for name, value in content.items() if name != "versions"})
        self.set_facts(ready=proof)
        return {"changed": True, "proof": proof, "path": _proof_copies.keep(proof["host"], proof)}

    def _remember_rental(self, variables):
        """An instance that was made ready from here is ours: `instance` may stop and destroy it by its name."""
        known = {name: variables.get("rented_" + name) for name in _proof.RENTED}
        if not (known["provider"] and known["id"]):
            return
        tags = self._task_vars.get("rented_tags")
        try:
            _ownership.note_ready(Instance(**known, tags=tags if isinstance(tags, dict) else {}))
        except RentedError as error:
            self._display.warning(error.message)
