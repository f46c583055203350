# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of the role tmux: nothing when the session is there, one execution otherwise."""

from __future__ import annotations

import posixpath
import re
import shlex

from ansible_collections.rented.gpu.plugins.modules.tmux import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.modules.tmux import STAMP
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _attach


def session_name(name: str) -> str:
    """A name that tmux keeps: it turns ':' and '.' into '_', expands '#', and takes some signs at the beginning for other things."""
    name = re.sub(r"[:.#\\\s\x00-\x1f\x7f]", "_", name)
    return re.sub(r"^[$@%=+!{~-]", "_", name)


class ActionModule(RoleAction):
    # A path is one of the host: here '~' must not become the controller's home.
    ARGUMENT_SPEC = dict(SPEC, project={"type": "str", "default": ""}, environment={"type": "str", "default": ""})

    def work(self, arguments):
        self.know_host()
        project = arguments["project"] or self.first_repository()
        folder = _paths.on_host(project or ".", self.facts)
        name = session_name(arguments["name"] or posixpath.basename(folder) or "work")
        request = {"name": name, "project": folder, "config": arguments["config"], "environment": arguments["environment"]}
        request["environment"] = request["environment"] or self.made_environment()
        if self.settled(STAMP, request) and name in (self.facts.get("tmux_sessions") or []):
            return dict(self.ways(name), changed=False, name=name)
        result = self.apply(STAMP, request, dict(request, pending=self.check_mode))
        if not self.check_mode:
            if name not in (result.get("sessions") or []):
                raise Failure(f"The tmux session '{name}' is not there after it was started.")
            self.set_facts(tmux_sessions=result["sessions"])
        return dict(result, **self.ways(name))

    def ways(self, name: str) -> dict:
        """How to attach: on the host, and from here."""
        command = _attach.command(self.facts, self._task_vars, self._connection, name)
        return {"attach": f"tmux attach -t {shlex.quote(name)}", "command": command}

    def made_environment(self) -> str:
        """The environment that python_env made for what this run prepares; empty without one."""
        made = (self.facts.get("stamps") or {}).get("python_env")
        path = (made.get("data") or {}).get("path") if isinstance(made, dict) else None
        return path if isinstance(path, str) else ""
