# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.settings`: everything that can be known to be wrong before the first login."""

from __future__ import annotations

import time

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.modules.settings import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils import _failures, _here, _kept, _left_out, _plan, _preflight, _specs, _table
from ansible_collections.rented.gpu.plugins.plugin_utils._action import BEGAN, RUN, Failure, MissingTool, RoleAction

NOBODY = (
    "There is no instance: the inventory has no host in the group 'rented'. Give the inventory file with -i, for example -i rented.yml. "
    "If it was given, the warnings above say why it could not be read; without warnings, no instance is running. "
    "Hosts of your own inventory are chosen with -e rented_hosts=GROUP, this machine itself with -e rented_hosts=localhost."
)


def _nobody_runs(variables) -> str:
    """What to tell when the inventory has no host: what it saw, where it saw something."""
    left_out = _left_out.sentences(variables)
    return "There is no instance that runs: " + " ".join(left_out) if left_out else NOBODY


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC
    COUNTED = False
    _requires_connection = False

    def work(self, arguments):
        waiting = _left_out.wanted(self._task_vars) and bool(_left_out.loading(self._task_vars))
        if self._nobody() and not waiting:
            raise Failure(_nobody_runs(self._task_vars))
        # A playbook that runs us begins anew: what an earlier play of the same run did is no longer counted.
        # The task runs once, and Ansible gives the facts of such a task to every host of the play.
        self._new_facts.update({RUN: {}, BEGAN: time.time()})
        _failures.forget()
        options = {}
        for role in arguments["roles"]:
            options.update(_specs.options_of(role))
        misspelt = _specs.misspelt(self._task_vars, arguments["roles"], options)
        wrong = ["'%s' is not a setting. Did you mean '%s'?" % pair for pair in misspelt]
        values = {name: self._templar.template(self._task_vars[name]) for name in options if name in self._task_vars}
        wrong += ArgumentSpecValidator(options).validate(values, validate_role_argument_spec=True).error_messages
        if not wrong:
            wrong = self._preflight(values)
        if wrong:
            raise Failure("Nothing was changed. " + " ".join(wrong), settings_errors=wrong)
        for line in _plan.lines(self._task_vars, _table.width(), _kept.exists, self.check_mode):
            self._display.display(line)
        return {"changed": False, "wait": waiting}

    def _nobody(self):
        """Whether a playbook of ours took localhost because the inventory has no instance."""
        here = self._task_vars
        return here.get("inventory_hostname") == "localhost" and "rented_hosts" not in here and not here.get("groups", {}).get("rented")

    def _preflight(self, values):
        wrong = []
        for check in _preflight.CHECKS:
            try:
                check(values)
            except MissingTool as error:
                if not _here.is_here(self._connection):
                    wrong.append(str(error))
            except (RentedError, Failure) as error:
                wrong.append(str(error))
        return wrong
