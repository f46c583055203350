# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.known_hosts`: checks the keys, and goes to the host only when some may be missing there."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.modules.known_hosts import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import StampAction
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _git_access


class ActionModule(StampAction):
    ARGUMENT_SPEC = SPEC
    STAMP = "known_hosts"

    def request(self, arguments):
        _git_access.check_keys(arguments["keys"])
        return {"keys": arguments["keys"], "withdrawn": arguments["withdrawn"]}
