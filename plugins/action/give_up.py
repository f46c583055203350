# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.give_up`."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.modules.give_up import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils import _summary
from ansible_collections.rented.gpu.plugins.plugin_utils._action import FAILURE, RoleAction, failure_of


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC
    COUNTED = False
    _requires_connection = False

    def work(self, arguments):
        host = self._task_vars["inventory_hostname"]
        failed = arguments["result"]
        if failed is not None:
            cause = _summary.brief(str(failed.get("msg") or failed.get("module_stderr") or "see above"), host)
            return {"changed": False, "ansible_facts": {FAILURE: {"cause": cause, "lost": bool(failed.get("lost"))}}}
        result = {"changed": False, "msg": "%s is left out of the rest of this run." % host}
        if self._others_may_succeed(host):
            lost = failure_of(self._task_vars["ansible_facts"]).get("lost")
            result["unreachable" if lost else "failed"] = True
        return result

    def _others_may_succeed(self, host):
        """Ansible ends a playbook at once when all hosts of a play failed, without the summary: so the last one is kept until there."""
        hostvars = self._task_vars["hostvars"]
        others = [other for other in self._task_vars["ansible_play_hosts"] if other != host]
        return any(not failure_of(hostvars[other].get("ansible_facts") or {}) for other in others)
