# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.git_keys`: reads and checks the key here, and goes to the host only when something differs there."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.modules.git_keys import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _git_access
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _commands, _local_host

STAMP = "git_keys"


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC

    def work(self, arguments):
        key = self._key(arguments)
        request = {"key": key and key.fingerprint, "hosts": arguments["hosts"]}
        answer = {"changed": False}
        if key:
            answer["fingerprint"] = key.fingerprint
        if self._as_wanted(arguments, key, request):
            return answer
        send = {name: arguments[name] for name in ("name", "email", "mode", "hosts")}
        if key:
            send.update(content=key.text, stamp_wanted=_stamps.digest(request))
        done = self.remote(STAMP, send)
        return dict(answer, **{name: done[name] for name in ("changed", "diff") if name in done})

    def _key(self, arguments):
        """The private key that is asked for; None in the other modes. Raises `RentedError`."""
        _git_access.check_hosts(arguments["hosts"])
        if arguments["mode"] == "private_key":
            return _git_access.read_private_key(arguments["private_key"])
        if arguments["mode"] == "agent":
            # On the machine itself there is no login: the agent is that of this process.
            here = _local_host.is_here(self._connection)
            ssh = None if here else _commands.Ssh(self._connection, self._task_vars)
            _git_access.check_agent(["ssh", "localhost"] if here else [*ssh.argv(), ssh.address])
        return None

    def _as_wanted(self, arguments, key, request):
        if not self.facts:
            return False
        identity = self.facts.get("git_identity") or {}
        if any(arguments[name] and arguments[name] != identity.get(name) for name in ("name", "email")):
            return False
        # Without a key, a stamp tells of one that an earlier run left and that has to go.
        return self.settled(STAMP, request) if key else STAMP not in self.facts["stamps"]
