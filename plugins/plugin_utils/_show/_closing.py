# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Shows the summary of a run: gathers what `_summary` words, and says how to go on."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from ansible.utils.display import Display

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.module_utils._renting._values import number
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _left_out
from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import BEGAN, FACTS, of_this_run
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _failures, _summary, _table
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _attach, _shortcut

IN_A_LINE = 6  # hosts that --limit names; more stand in a file
FILE = "not_ready"


class _Variables(Mapping):
    """The variables of a host, each rendered once: Ansible renders one anew whenever it is read, and the facts are long."""

    def __init__(self, source) -> None:
        self._source = source
        self._rendered: dict = {}

    def __getitem__(self, name):
        if name not in self._rendered:
            self._rendered[name] = self._source[name]
        return self._rendered[name]

    def __iter__(self):
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)


def show(task_vars: dict, check_mode: bool, title: str = "", before: str = "") -> tuple:
    """``(lines, rows)`` of what was shown. ``before`` names the variable with an earlier run to compare with."""
    hostvars, alive, causes = task_vars["hostvars"], set(task_vars["ansible_play_hosts"]), _failures.causes()
    known = {host: _Variables(hostvars.get(host, task_vars)) for host in task_vars["ansible_play_hosts_all"]}
    rows = []
    for host in task_vars["ansible_play_hosts_all"]:
        cause = causes.get(host) or ("" if host in alive else "see above.")
        rows.append(_summary.row(host, known[host], cause, before, check_mode))
    width = _table.width()
    table = _summary.lines(rows, width, None if before else _took(task_vars))
    after = [] if before else _after(task_vars, known, rows, width, check_mode)
    for line in ["", *([title] if title else []), *table, *after, ""]:
        Display().display(line)
    return table, rows


def _took(task_vars):
    began = number((task_vars.get("ansible_facts") or {}).get(BEGAN))
    return max(time.time() - began, 0.1) if began else None


def _after(task_vars, hostvars, rows, width, check_mode) -> list:
    """What to know and to type next."""
    said = []
    fine = [hostvars[row["host"]] for row in rows if not row["cause"]]
    if fine and not any(_summary.asked_for_work(variables) for variables in fine):
        said.append("This run asked for no repository, no packages and no data. A file of settings is given with -e @homework.yml.")
    said += ["Left out: " + sentence for sentence in _left_out.sentences(task_vars)]
    lines = [line for sentence in said for line in _summary.wrapped(sentence, width)]
    failed = [row["host"] for row in rows if row["cause"]]
    if failed and fine:
        lines += ["", f"Only the failed again: the same command with --limit {_limit(failed)}"]
    if not check_mode:
        lines += _next([row["host"] for row in rows if row["ready"].startswith("yes")], hostvars)
    return lines


def _next(ready, hostvars) -> list:
    """The command that attaches to the session. It is copied as one line, so it is not wrapped."""
    commands = [
        (host, _attach.command(of_this_run(hostvars[host].get("ansible_facts") or {}).get(FACTS) or {}, hostvars[host])) for host in ready
    ]
    known = [(host, command) for host, command in commands if command]
    lines = ["", "Next: " + known[0][1]] if known else []
    if len(known) > 1:
        lines.append(f"      (for another host put its name in the place of {known[0][0]})")
    return lines


def _limit(failed: list) -> str:
    if len(failed) > IN_A_LINE:
        try:
            path = os.path.join(_state.home(), FILE)
            _stamps.write_private(path, "\n".join(failed) + "\n")
            return _shortcut.as_typed(["@" + path]).replace("@" + os.path.expanduser("~") + "/", "@~/")
        except (OSError, RentedError):
            pass
    return ",".join(failed)
