# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.summary`."""

from __future__ import annotations

import os
import time

from ansible.utils.display import Display

from ansible_collections.rented.gpu.plugins.module_utils import _stamps, _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._values import number
from ansible_collections.rented.gpu.plugins.modules.summary import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils import _attach, _left_out, _shortcut, _summary, _table
from ansible_collections.rented.gpu.plugins.plugin_utils._action import BEGAN, FACTS, RoleAction, failure_of, of_this_run

IN_A_LINE = 6  # hosts that --limit names; more stand in a file
FILE = "not_ready"


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC
    COUNTED = False
    _requires_connection = False

    def work(self, arguments):
        host = self._task_vars["inventory_hostname"]
        mine = failure_of(self._task_vars["ansible_facts"])
        # With run_once any host may run this; without, the first host of the play shows the summary, and each host has its own result.
        shown = not mine or host == self._task_vars["ansible_play_hosts"][0]
        result = {"changed": False, **(self._show(arguments) if shown else {})}
        if not mine:
            return result
        # Every host failed, and this one was kept until here: see give_up.
        return {"msg": "%s is not ready: see above." % host, "unreachable" if mine.get("lost") else "failed": True}

    def _show(self, arguments):
        hostvars = self._task_vars["hostvars"]
        alive = set(self._task_vars["ansible_play_hosts"])
        hosts = self._task_vars["ansible_play_hosts_all"]
        rows = [_summary.row(host, hostvars[host], host in alive, arguments["before"], self.check_mode) for host in hosts]
        width = _table.width()
        table = _summary.lines(rows, width, None if arguments["before"] else self._took())
        after = [] if arguments["before"] else self._after(rows, hostvars, width)
        for line in ["", *([arguments["title"]] if arguments["title"] else []), *table, *after, ""]:
            Display().display(line)
        return {"table": table, "rows": rows}

    def _took(self):
        began = number(self._task_vars["ansible_facts"].get(BEGAN))
        return max(time.time() - began, 0.1) if began else None

    def _after(self, rows, hostvars, width):
        """What to know and to type next."""
        lines = []
        fine = [hostvars[row["host"]] for row in rows if not row["cause"]]
        if fine and not any(_summary.asked_for_work(variables) for variables in fine):
            lines.append("This run asked for no repository, no packages and no data. A file of settings is given with -e @homework.yml.")
        lines += ["Left out: " + sentence for sentence in _left_out.sentences(self._task_vars)]
        failed = [row["host"] for row in rows if row["cause"]]
        lines = [line for sentence in lines for line in _summary.wrapped(sentence, width)]
        if failed and len(rows) > 1:
            lines += ["", "Only the failed again: the same command with --limit %s" % self._limit(failed)]
        if not self.check_mode:
            lines += self._next([row["host"] for row in rows if row["ready"].startswith("yes")], hostvars)
        return lines

    def _next(self, ready, hostvars):
        """The command that attaches to the session. It is copied as one line, so it is not wrapped."""
        commands = [_attach.command(self._facts_of(hostvars[host]), hostvars[host]) for host in ready]
        known = [(host, command) for host, command in zip(ready, commands) if command]
        if not known:
            return []
        lines = ["", "Next: " + known[0][1]]
        if len(known) > 1:
            lines.append("      (for another host put its name in the place of %s)" % known[0][0])
        return lines

    def _facts_of(self, variables):
        return of_this_run(variables.get("ansible_facts") or {}).get(FACTS) or {}

    def _limit(self, failed):
        if len(failed) > IN_A_LINE:
            try:
                path = os.path.join(_state.home(), FILE)
                _stamps.write_private(path, "\n".join(failed) + "\n")
                return _shortcut.shown(["@" + path]).replace("@" + os.path.expanduser("~") + "/", "@~/")
            except (OSError, RentedError):
                pass
        return ",".join(failed)
