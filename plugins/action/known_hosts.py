# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.known_hosts`: checks the keys, and goes to the host only when some may be missing there."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.modules.known_hosts import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Failure, RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _git_access


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC

    def work(self, arguments):
        try:
            _git_access.check_keys(arguments["keys"])
        except RentedError as error:
            raise Failure(error.message)
        request = {"keys": arguments["keys"], "withdrawn": arguments["withdrawn"]}
        if self.settled("known_hosts", request):
            return {"changed": False}
        done = self.remote("known_hosts", dict(request, stamp_wanted=_stamps.digest(request)))
        return {key: done[key] for key in ("changed", "added", "removed", "diff") if key in done}
