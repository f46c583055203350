# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.host_facts` as a task: marks the facts as those of this run, so that a fact cache cannot pass them on."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import FACTS, TOKEN, token


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        result = self._execute_module(module_name="rented.gpu.host_facts", module_args=dict(self._task.args), task_vars=task_vars)
        facts = (result.get("ansible_facts") or {}).get(FACTS)
        if isinstance(facts, dict):
            facts[TOKEN] = token()
        return result
