# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What the action plugins of the roles share: they decide on the controller and go to the host only for what has to change.

Each remote execution costs a round trip, so each is counted. Seconds, executions and changes per role are gathered in the
host's facts (``rented_run``) and end in ``ready.json``.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.rented.gpu.plugins.module_utils import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils import _here, _terminal

FACTS = "rented"  # ansible_facts.rented: what host_facts read
RUN = "rented_run"  # ansible_facts.rented_run: what each role did in this run


class Failure(Exception):
    """The task fails with this sentence: what was tried, what was found, what to do next."""

    def __init__(self, message: str, **details) -> None:
        super().__init__(message)
        self.details = details


class MissingTool(Failure):
    """A program is not on the controller. Where that is the host itself, the role `ready` brings it."""


def vanished(host, doing: str, text: str) -> str:
    """The sentence for a host that let us in before and does not answer any more."""
    said = "; ".join(line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("debug", "@")))[-300:]
    return (
        "%s was lost while %s ran there: %s. Check at the provider whether it was stopped, preempted or outbid. When it runs again, run "
        "the same command again: what was interrupted is mended." % (host, doing, _terminal.plain(said).rstrip("."))
    )


class RoleAction(ActionBase):
    """Base of a role's action plugin. A subclass sets `ARGUMENT_SPEC` and writes `work`."""

    ARGUMENT_SPEC: dict = {}
    COUNTED = True  # whether it shows up among the seconds and executions of a run
    _supports_check_mode = True
    _supports_async = False

    def work(self, arguments: dict) -> dict:
        """Do it; return the result of the task (``changed`` and so on). Raise `Failure` to fail."""
        raise NotImplementedError

    # --- what subclasses use -----------------------------------------------------------------------------------

    @property
    def facts(self) -> dict:
        """What `host_facts` read in this run; empty when it has not run."""
        return self._task_vars.get("ansible_facts", {}).get(FACTS) or {}

    @property
    def check_mode(self) -> bool:
        return bool(self._task.check_mode)

    def settled(self, stamp: str, request) -> bool:
        """Whether the host already is as ``request`` says, known without asking it again."""
        known = self.facts.get("stamps", {}).get(stamp)
        return bool(known) and known["intact"] and known["wanted"] == _stamps.digest(request)

    def remote(self, module: str, arguments: dict, **options) -> dict:
        """Run one of our modules on the host, and count it. A failure of the module is a `Failure`."""
        self.executions += 1
        # Without a line in the log of the host: it would have all arguments, signed URLs too.
        variables = dict(self._task_vars, ansible_no_target_syslog=True)
        try:
            result = self._execute_module(module_name="rented.gpu." + module, module_args=arguments, task_vars=variables, **options)
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(vanished(self._task_vars.get("inventory_hostname"), module, str(error))) from None
        if result.get("failed"):
            details = {key: value for key, value in result.items() if key not in ("failed", "msg", "invocation", "ansible_facts")}
            raise Failure(str(result.get("msg", "The module %s failed." % module)), **details)
        return result

    def know_host(self) -> None:
        """Facts, when a role is used without `ready` before it; the workdir is the one that `ready` would take."""
        if not self.facts.get("workdir"):
            workdir = self._templar.template(self._task_vars.get("rented_workdir")) or None
            self.set_facts(**self.remote("host_facts", {"workdir": workdir})["ansible_facts"][FACTS])

    def say(self, text: str) -> None:
        """A line for people, outside of the result."""
        self._display.display(_terminal.plain("%s: %s" % (self._task_vars.get("inventory_hostname"), text)))

    def set_facts(self, **changes) -> None:
        """Change what the following roles see in ``ansible_facts.rented``."""
        merged = dict(self.facts)
        merged.update(changes)
        self._new_facts[FACTS] = merged
        self._task_vars.setdefault("ansible_facts", {})[FACTS] = merged

    # --- Ansible's side ----------------------------------------------------------------------------------------

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        self._task_vars = dict(task_vars or {})
        self._task_vars["ansible_facts"] = dict(self._task_vars.get("ansible_facts") or {})
        self._new_facts = {}
        self.executions = 0
        started = time.monotonic()
        try:
            arguments = self.validate_argument_spec(argument_spec=self.ARGUMENT_SPEC)[1] if self.ARGUMENT_SPEC else dict(self._task.args)
            self._check_place()
            with _here.own_environment_left() if _here.is_here(self._connection) else contextlib.nullcontext():
                result = self.work(arguments)
        except Failure as failure:
            result = dict(failure.details, failed=True, msg=_terminal.plain(failure))
            # Ansible prints the whole result of a failed task; the sentence must not drown in facts.
            self._new_facts.pop(FACTS, None)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        result.setdefault("changed", False)
        self._count(result, time.monotonic() - started)
        facts = dict(result.get("ansible_facts") or {}, **self._new_facts)
        if facts:
            result["ansible_facts"] = facts
        return result

    def _low_level_execute_command(self, cmd, *arguments, chdir=None, **options):
        # A login begins at home; on this machine Ansible would begin in the folder of the playbook.
        if chdir is None and _here.is_here(self._connection):
            chdir = shlex.quote(_here.home())
        # What a login shell prints before the command is dropped: without a line end it would hide the answer of a module.
        # The mark is in two parts, so that a shell that shows the command does not show the mark.
        first, second = secrets.token_hex(8), secrets.token_hex(8)
        result = super()._low_level_execute_command('echo %s""%s && %s' % (first, second, cmd), *arguments, chdir=chdir, **options)
        _noise, mark, answer = result.get("stdout", "").partition(first + second)
        if mark:
            result["stdout"] = answer.lstrip("\r\n")
            result["stdout_lines"] = result["stdout"].splitlines()
        return result

    def _check_place(self) -> None:
        """An instance that is listed here is not this machine, whatever -c says."""
        provider = self._task_vars.get("rented_provider")
        if provider and _here.is_here(self._connection):
            raise Failure(
                "%s is an instance at %s, and the connection is local, which would change this machine instead: leave out -c local and "
                "ansible_connection, or run inventory/here.yml on the instance itself."
                % (self._task_vars.get("inventory_hostname"), provider)
            )

    def _count(self, result: dict, seconds: float) -> None:
        # What is not counted returns no facts: those of a run_once task would become the facts of every host.
        if not self.COUNTED:
            return
        run = dict(self._task_vars["ansible_facts"].get(RUN) or {})
        role = self._task._role.get_name(include_role_fqcn=False) if self._task._role else self._task.action.rsplit(".", 1)[-1]
        before = run.get(role, {"seconds": 0, "executions": 0, "changed": False})
        run[role] = {
            "seconds": round(before["seconds"] + seconds, 2),
            "executions": before["executions"] + self.executions,
            "changed": before["changed"] or bool(result["changed"]),
        }
        self._new_facts[RUN] = run
