# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.summary`."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.modules.summary import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Action
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _closing


class ActionModule(Action):
    ARGUMENT_SPEC = SPEC
    _requires_connection = False

    def work(self, arguments):
        table, rows = _closing.show(self._task_vars, self.check_mode, arguments["title"], arguments["before"])
        return {"changed": False, "table": table, "rows": rows}
