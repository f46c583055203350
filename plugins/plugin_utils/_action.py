# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The base of all action plugins: reads the arguments, stays the login user, and fails with one sentence.

An action of a role is a `RoleAction`.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure, Lost, Told, vanished
from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import SUMMED_UP, of_this_run
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _option_values, _role_settings
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _deadline, _host_checks, _local_host


class Action(ActionBase):
    """A subclass sets `ARGUMENT_SPEC` and writes `work`."""

    ARGUMENT_SPEC: dict = {}
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
    def check_mode(self) -> bool:
        return bool(self._task.check_mode)

    def say(self, text: str) -> None:
        """A line for people, outside of the result."""
        self._display.display(_plain.plain(f"{self._task_vars.get('inventory_hostname')}: {text}"))

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

    def become_password(self) -> str | None:
        """The password for sudo: a variable of the host, or what --ask-become-pass asked."""
        for name in ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"):
            value = self._templar.template(self._task_vars.get(name))
            if value not in (None, ""):
                return str(value)
        try:
            become: Any = self._become
            return become.get_option("become_pass", playcontext=self._play_context) or self._play_context.become_pass or None
        except (AttributeError, KeyError):
            return getattr(getattr(self, "_play_context", None), "become_pass", None) or None

    # --- Ansible's side ----------------------------------------------------------------------------------------

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        self._task_vars = dict(task_vars or {})
        self._task_vars["ansible_facts"] = dict(of_this_run(self._task_vars.get("ansible_facts") or {}))
        self._new_facts = {}
        self.executions = 0
        self._begin()
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
            self._on_failure(str(failure))
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
        self._on_success(result, time.monotonic() - started)
        facts = dict(result.get("ansible_facts") or {}, **self._new_facts)
        if facts:
            result["ansible_facts"] = facts
        return result

    def _begin(self) -> None:
        """Before the arguments are read."""

    def _on_failure(self, why: str) -> None:
        """After the action failed with this sentence."""

    def _on_success(self, result: dict, seconds: float) -> None:
        """After the action ended well."""

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
