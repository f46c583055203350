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
import os
import secrets
import shlex
import time

from ansible import constants as C
from ansible.errors import AnsibleAction, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils import _facts_shape, _proof_copies
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _option_values, _role_settings
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _deadline, _host_checks, _local_host

FACTS = "rented"  # ansible_facts.rented: what host_facts read
RUN = "rented_run"  # ansible_facts.rented_run: what each role did in this run
BEGAN = "rented_began"  # ansible_facts.rented_began: when this run began, seconds since the epoch
# A variable of bootstrap.yml and check.yml: their hosts go on by themselves, and the summary shows why one is not ready.
SUMMED_UP = "__rented_summed_up"
TOKEN = "read_by"  # in the facts: the run that read them


def token() -> str:
    """What tells this run from every other: Ansible's own temporary folder, the same in all its workers."""
    return os.path.basename(str(C.DEFAULT_LOCAL_TMP))


def of_this_run(known: dict) -> dict:
    """``ansible_facts`` without what a fact cache kept of an earlier run: yesterday's facts must not say that a host is as wanted."""
    facts = known.get(FACTS)
    if isinstance(facts, dict) and facts.get(TOKEN) in (None, token()):
        return known
    return {name: value for name, value in known.items() if name not in (FACTS, RUN)}


class Failure(Exception):
    """The task fails with this sentence: what was tried, what was found, what to do next."""

    def __init__(self, message: str, **details) -> None:
        super().__init__(message)
        self.details = details


class MissingTool(Failure):
    """A program is not on the controller. Where that is the host itself, the role `ready` brings it."""


class Told(AnsibleAction):
    """Fails the task with this result, and without the second message that Ansible prints for an action that returns a failure.

    That second message repeats the sentence, between an excerpt of the role's source and the result, which has the sentence too.
    """

    omit_exception_key = True

    def __init__(self, result: dict) -> None:
        super().__init__(str(result.get("msg", "")), result=result)
        self.told = {key: value for key, value in result.items() if key != "failed"}  # Ansible adds it

    @property
    def result_contribution(self) -> dict:
        return self.told


class Lost(AnsibleConnectionFailure):
    """The host is unreachable; like `Told`, without a second message."""

    omit_exception_key = True

    @property
    def result_contribution(self) -> dict:
        return {"unreachable": True, "msg": self.message}


def vanished(host, doing: str, text: str) -> str:
    """The sentence for a host that let us in before and does not answer any more."""
    said = "; ".join(line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("debug", "@")))[-300:]
    return (
        f"{host} was lost while {doing} ran there: {_plain.plain(said).rstrip('.')}. Check at the provider "
        "whether it was stopped, preempted or outbid. When it runs again, run the same command again: what was "
        "interrupted is mended."
    )


class RoleAction(ActionBase):
    """Base of a role's action plugin. A subclass sets `ARGUMENT_SPEC` and writes `work`."""

    ARGUMENT_SPEC: dict = {}
    COUNTED = True  # whether it shows up among the seconds and executions of a run
    _supports_check_mode = True
    _supports_async = False
    _made_by_ansible = False

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self._made_by_ansible = True

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

    def settled(self, stamp: str, request, needs: tuple = ()) -> bool:
        """Whether the host already is as ``request`` says, known without asking it again. ``needs``: what ``data`` must hold."""
        self.asked.add(stamp)
        known = self.facts.get("stamps", {}).get(stamp)
        if not isinstance(known, dict) or not known.get("intact") or known.get("wanted") != _stamps.digest(request):
            return False
        return all(name in (known.get("data") or {}) for name in needs)

    def remote(self, module: str, arguments: dict, **options) -> dict:
        """Run one of our modules on the host, and count it. A failure of the module is a `Failure`."""
        self.executions += 1
        # Without a line in the log of the host: it would have all arguments, signed URLs too.
        variables = dict(self._task_vars, ansible_no_target_syslog=True)
        host = self._task_vars.get("inventory_hostname")
        with _deadline.Deadline(self._connection, _deadline.SECONDS.get(module)) as deadline:
            try:
                result = self._execute_module(module_name="rented.gpu." + module, module_args=arguments, task_vars=variables, **options)
            except AnsibleConnectionFailure as error:
                if not deadline.passed:
                    raise AnsibleConnectionFailure(vanished(host, module, str(error))) from None
                result = {}
        if deadline.passed:
            raise Failure(
                f"{module} did not end on {host} within {deadline.seconds:.0f} s and was stopped: a program or a "
                "disk on the host hangs. Log in and look, or restart the instance."
            )
        if result.get("failed"):
            details = {key: value for key, value in result.items() if key not in ("failed", "msg", "invocation", "ansible_facts")}
            raise Failure(str(result.get("msg", f"The module {module} failed.")), **details)
        return result

    def know_host(self) -> None:
        """Facts, when a role is used without `ready` before it; the workdir is the one that `ready` would take."""
        if not self.facts.get("workdir"):
            workdir = self._templar.template(self._task_vars.get("rented_workdir")) or None
            facts = self.facts_in(self.remote("host_facts", {"workdir": workdir}))
            self.check_pinned()
            self.set_facts(**facts)

    def facts_in(self, result: dict) -> dict:
        """The facts of the host in what `host_facts` returned; a `Failure` where they are not what it would say."""
        found = result.get("ansible_facts")
        facts = found.get(FACTS) if isinstance(found, dict) else None
        problem = _facts_shape.problem(facts)
        if problem:
            raise Failure(
                f"{self._task_vars.get('inventory_hostname')} let us in, but its facts cannot be used: {problem}. "
                "Something on the host changes what Python programs print, or the host does not mean well: rent "
                "another."
            )
        return _facts_shape.without_strange_proof(facts)

    def check_pinned(self) -> None:
        """After the first login: the host's key has to be in our known_hosts file, where that is in use."""
        get = getattr(self._connection, "get_option", None)
        if get is None or getattr(self._connection, "transport", "") != "ssh":
            return
        if not _host_checks.unpinned(get("ssh_common_args")):
            return
        # The file may have been removed while a connection of an earlier run stays open: a new login writes it again.
        self.log_in_anew()
        problem = _host_checks.unpinned(get("ssh_common_args"))
        if problem:
            raise Failure(problem)

    def log_in_anew(self) -> None:
        """One login of its own, which pins the host key where that is possible. Where nothing knows how, nothing happens."""

    def say(self, text: str) -> None:
        """A line for people, outside of the result."""
        self._display.display(_plain.plain(f"{self._task_vars.get('inventory_hostname')}: {text}"))

    def set_facts(self, **changes) -> None:
        """Change what the following roles see in ``ansible_facts.rented``."""
        merged = dict(self.facts)
        merged.update(changes, **{TOKEN: token()})
        self._new_facts[FACTS] = merged
        self._task_vars.setdefault("ansible_facts", {})[FACTS] = merged

    # --- Ansible's side ----------------------------------------------------------------------------------------

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        self._task_vars = dict(task_vars or {})
        self._task_vars["ansible_facts"] = dict(of_this_run(self._task_vars.get("ansible_facts") or {}))
        self._new_facts = {}
        self.executions = 0
        self.asked = set()
        started = time.monotonic()
        try:
            self._task.args = self._read_arguments()
            arguments = self.validate_argument_spec(argument_spec=self.ARGUMENT_SPEC)[1] if self.ARGUMENT_SPEC else dict(self._task.args)
            self._check_place()
            self._stay_login_user()
            with _local_host.own_environment_left() if _local_host.is_here(self._connection) else contextlib.nullcontext():
                result = self.work(arguments)
        except (Failure, RentedError) as failure:
            result = dict(getattr(failure, "details", {}), failed=True, msg=_plain.plain(failure))
            self._withdraw_proof(str(failure))
        except AnsibleConnectionFailure as error:
            self._task._ds = None  # or Ansible prints lines of the role's own source around this place
            self._sum_up(error.message)
            raise Lost(error.message) from None
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
            self._be_as_before()
        _host_checks.harmless(result)
        if result.get("failed"):
            return self._failed(result)
        result.setdefault("changed", False)
        self._count(result, time.monotonic() - started)
        facts = dict(result.get("ansible_facts") or {}, **self._new_facts)
        if facts:
            result["ansible_facts"] = facts
        return result

    def _sum_up(self, message: str) -> None:
        """Keep the cause for the summary. When no host is left, no play comes any more that could show it."""
        if not self._task_vars.get(SUMMED_UP):
            return
        from ansible_collections.rented.gpu.plugins.plugin_utils._show import _closing, _failures, _summary

        host = self._task_vars["inventory_hostname"]
        if _failures.record(host, _summary.brief(message, host), self._task_vars["ansible_play_hosts_all"]):
            _closing.show(self._task_vars, self.check_mode)

    def _failed(self, result: dict) -> dict:
        """Ansible prints the whole result of a failed task: the sentence must not drown in facts and figures."""
        result.setdefault("changed", False)
        self._task._ds = None  # or Ansible prints lines of the role's own source around this place
        self._sum_up(str(result.get("msg")))
        if self._made_by_ansible and "\n" not in str(result.get("msg")):
            raise Told(result)
        return result

    def _withdraw_proof(self, why: str, **more) -> None:
        """After a role failed on the host, the proof of an earlier run must not go on saying that the host is ready."""
        earlier = self.facts.get("ready")
        if self.check_mode or not self.COUNTED or not isinstance(earlier, dict) or not earlier.get("ready"):
            return
        if not (self.executions or more):  # nothing was done on the host, and nothing was found there
            return
        host = self._task_vars["inventory_hostname"]
        content = dict(earlier, ready=False, host=host, failed={"role": self._role_name(), "why": _plain.plain(why)[:500]}, **more)
        try:
            self.remote("proof", {"content": content})
            self.set_facts(ready=content)
            _proof_copies.keep(host, content)
        except (Failure, AnsibleConnectionFailure, OSError, RentedError):
            pass  # the first failure is the one to tell

    def _role_name(self) -> str:
        return self._task._role.get_name(include_role_fqcn=False) if self._task._role else self._task.action.rsplit(".", 1)[-1]

    def _low_level_execute_command(self, cmd, *arguments, chdir=None, **options):
        # A login begins at home; on this machine Ansible would begin in the folder of the playbook.
        if chdir is None and _local_host.is_here(self._connection):
            chdir = shlex.quote(_local_host.home())
        # What a login shell prints before the command is dropped: without a line end it would hide the answer of a module.
        # The mark is in two parts, so that a shell that shows the command does not show the mark.
        first, second = secrets.token_hex(8), secrets.token_hex(8)
        result = super()._low_level_execute_command(f'echo {first}""{second} && {cmd}', *arguments, chdir=chdir, **options)
        _noise, mark, answer = result.get("stdout", "").partition(first + second)
        if mark:
            result["stdout"] = answer.lstrip("\r\n")
            result["stdout_lines"] = result["stdout"].splitlines()
        return result

    def _check_place(self) -> None:
        """An instance that is listed here is not this machine, whatever -c says."""
        provider = self._task_vars.get("rented_provider")
        if provider and _local_host.is_here(self._connection):
            raise Failure(
                f"{self._task_vars.get('inventory_hostname')} is an instance at {provider}, and the connection is "
                "local, which would change this machine instead: leave out -c local and ansible_connection, or run "
                "inventory/here.yml on the instance itself."
            )

        if self.COUNTED and not _local_host.is_here(self._connection):
            names = ("ansible_host", "ansible_port", "ansible_user", "rented_provider", "rented_state", "rented_state_raw")
            variables = {name: self._templar.template(self._task_vars.get(name)) for name in names}
            problem = _host_checks.address_problem(dict(variables, inventory_hostname=self._task_vars.get("inventory_hostname")))
            if problem:
                raise Failure(problem)
            _deadline.keep_alive(self._connection)

    def _read_arguments(self) -> dict:
        """The arguments as people may write them, before Ansible makes texts of lists and cuts texts at commas."""
        try:
            return _role_settings.arguments(self.ARGUMENT_SPEC, self._task.args, self._role_name() if self._task._role else "")
        except _option_values.Wrong as wrong:
            raise Failure(f"{str(wrong).rstrip('.')}.") from None

    def _stay_login_user(self) -> None:
        """Act as the login user, whatever play and configuration say of become: git and rsync log in as that user too.

        What needs root is done with sudo by the modules themselves.
        """
        self._become = getattr(self._connection, "become", None)
        if self._become:
            self._connection.set_become_plugin(None)

    def _be_as_before(self) -> None:
        if getattr(self, "_become", None):
            self._connection.set_become_plugin(self._become)

    def become_password(self) -> str | None:
        """The password for sudo: a variable of the host, or what --ask-become-pass asked."""
        for name in ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"):
            value = self._templar.template(self._task_vars.get(name))
            if value not in (None, ""):
                return str(value)
        try:
            return self._become.get_option("become_pass", playcontext=self._play_context) or self._play_context.become_pass or None
        except (AttributeError, KeyError):
            return getattr(getattr(self, "_play_context", None), "become_pass", None) or None

    def _count(self, result: dict, seconds: float) -> None:
        # What is not counted returns no facts: those of a run_once task would become the facts of every host.
        if not self.COUNTED:
            return
        run = dict(self._task_vars["ansible_facts"].get(RUN) or {})
        role = self._role_name()
        before = run.get(role, {"seconds": 0, "executions": 0, "changed": False})
        run[role] = {
            "seconds": round(before["seconds"] + seconds, 2),
            "executions": before["executions"] + self.executions,
            "changed": before["changed"] or bool(result["changed"]),
            "asked": sorted(self.asked.union(before.get("asked", ()))),
        }
        self._new_facts[RUN] = run
