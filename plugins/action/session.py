# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of the role tmux: nothing when the session is there, one execution otherwise."""

from __future__ import annotations

import posixpath
import re

from ansible_collections.rented.gpu.plugins.module_utils import _stamps
from ansible_collections.rented.gpu.plugins.modules.session import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.modules.session import STAMP
from ansible_collections.rented.gpu.plugins.plugin_utils import _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._action import RoleAction


class ActionModule(RoleAction):
    # A path is one of the host: here '~' must not become the controller's home.
    ARGUMENT_SPEC = dict(SPEC, project={"type": "str", "default": ""})

    def work(self, arguments):
        self.know_host()
        project = arguments["project"] or _paths.first_repository(arguments["repos"])
        folder = _paths.on_host(project or ".", self.facts)
        # tmux itself turns ':' and '.' into '_': they separate session, window and pane.
        name = re.sub(r"[:.\s]", "_", arguments["name"] or posixpath.basename(folder) or "work")
        request = {"name": name, "project": folder, "config": arguments["config"]}
        if self.settled(STAMP, request, needs=("attach",)) and name in (self.facts.get("tmux_sessions") or []):
            return {"changed": False, "name": name, "attach": self.facts["stamps"][STAMP]["data"]["attach"]}
        result = self.remote("session", dict(request, pending=self.check_mode, stamp_wanted=_stamps.digest(request)))
        if result.get("stamp"):
            stamps = dict(self.facts.get("stamps") or {})
            stamps[STAMP] = dict(result["stamp"], drift=[], intact=True)
            self.set_facts(stamps=stamps, tmux_sessions=result["sessions"])
        return {key: value for key, value in result.items() if key not in ("stamp", "invocation")}
