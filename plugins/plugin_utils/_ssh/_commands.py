# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How git and rsync reach a host: by the ssh that Ansible would use, whose open connection is shared, through a `_channel`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shlex
import sys

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure, vanished
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _agent, _local_host, _login_failures, _options

# Settings of the ssh connection plugin by name, and the host variable that says the same where another plugin (Mitogen's) is in use.
OPTIONS = {
    "host": "ansible_host",
    "port": "ansible_port",
    "remote_user": "ansible_user",
    "private_key_file": "ansible_ssh_private_key_file",
    "ssh_args": "ansible_ssh_args",
    "ssh_common_args": "ansible_ssh_common_args",
    "ssh_extra_args": "ansible_ssh_extra_args",
    "ssh_executable": "ansible_ssh_executable",
    "timeout": "ansible_ssh_timeout",
    "control_path": "ansible_control_path",
    "control_path_dir": "ansible_control_path_dir",
    "password": "ansible_password",
}

# The far command has to begin within this many times the seconds that Ansible waits for a connection (its setting `timeout`):
# start-up files of a login shell may be slow.
PATIENCE = 6
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_channel.py")
PROBE = 60  # seconds for the login that tells whether a host still answers


def reach(connection, task_vars: dict):
    """How git and rsync reach the host of a task: `Ssh`, or `Here` where it is this machine."""
    return Here() if _local_host.is_here(connection) else Ssh(connection, task_vars)


class Reach:
    """A host that git and rsync reach through a `_channel`, under a name that stands for this host and no other."""

    variant = "simple"  # for git: it gives nothing but a name and a command

    def __init__(self, name: str) -> None:
        # No setting of a user is about this name, and no repository names it as its server.
        self.alias = f"rented-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')[:40]}-{secrets.token_hex(6)}"

    def words(self) -> list:
        """The command that takes a far command as its last word."""
        raise NotImplementedError

    def patience(self) -> int:
        """Seconds until the far command has to have begun."""
        return 10 * PATIENCE

    def channel(self) -> list:
        """The command that takes the name and the far command; the far command is for ``sh``, whatever the login shell is."""
        words = self.words()
        return [sys.executable or "python3", "-I", "-S", PROGRAM, self.alias, str(self.patience()), str(len(words)), *words]

    def command(self) -> str:
        """The same as one word for a shell: GIT_SSH_COMMAND and rsync's -e."""
        return shlex.join(self.channel())


class Here(Reach):
    """This machine: git and rsync do here exactly what they do on a host, checks included."""

    address = bracketed = in_url = "here"

    def __init__(self) -> None:
        super().__init__("here")

    def words(self) -> list:
        return ["/bin/sh", "-c"]


class Ssh(Reach):
    """How to reach the host of a task by ssh. Raises `Failure` when the host is reached otherwise."""

    def __init__(self, connection, task_vars: dict) -> None:
        self.connection = connection
        self.task_vars = task_vars
        transport = getattr(connection, "transport", "")
        if "ssh" not in transport:
            raise Failure(
                "git and rsync reach a host by ssh, or are on it themselves, and "
                f"{task_vars.get('inventory_hostname')} is reached by '{transport}': set ansible_connection to ssh "
                "or local."
            )
        self.address = str(self._option("host") or task_vars.get("inventory_hostname"))
        self.user = self._option("remote_user")
        self.port = self._option("port")
        super().__init__(str(task_vars.get("inventory_hostname") or self.address))

    def _option(self, name: str):
        try:
            value = self.connection.get_option(name)
        except Exception:
            value = None
        return self.task_vars.get(OPTIONS[name]) if value is None else value

    def argv(self, settings: bool = True) -> list:
        """The command without the host; ``settings=False``: to show to people, without what only serves programs."""
        command = [str(self._option("ssh_executable") or "ssh")]
        if settings:
            command += _options.words(_options.channel(command[0]))
            command += shlex.split(self._option("ssh_args") or "")
        if self.port:
            command += ["-o", f"Port={self.port}"]
        if self._option("private_key_file"):
            command += ["-o", 'IdentityFile="%s"' % os.path.expanduser(self._option("private_key_file"))]
        if self.user:
            command += ["-o", f'User="{self.user}"']
        if settings:
            command += ["-o", f"ConnectTimeout={self._timeout()}"]
        common = shlex.split(self._option("ssh_common_args") or "") + shlex.split(self._option("ssh_extra_args") or "")
        command += common if settings else _options.for_people(common)
        if settings:
            command += self._control_path(command)
        return command

    def words(self) -> list:
        return [*self.argv(), "--", self.address]

    def patience(self) -> int:
        return self._timeout() * PATIENCE

    def shown(self) -> str:
        """The ssh command for a person, as one word for a shell."""
        return shlex.join(self.argv(settings=False))

    def _timeout(self) -> int:
        try:
            return int(self._option("timeout") or 10)
        except (TypeError, ValueError):
            return 10

    def _control_path(self, command: list) -> list:
        """Where Ansible's connection listens, when Ansible chose the place itself (a hash of host, port and user, as its plugin does)."""
        words = " ".join(command).lower()
        if "controlpersist" not in words or "controlpath" in words:
            return []
        make = getattr(self.connection, "_create_control_path", None)
        pattern = self._option("control_path")
        if not pattern and make:
            pattern = make(getattr(self.connection, "host", self.address), self.port, self.user)
        if not pattern:
            name = f"{self.address}-{self.port}-{self.user}"
            pattern = "%(directory)s/" + hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:10]
        folder = os.path.expanduser(self._option("control_path_dir") or "~/.ansible/cp")
        return ["-o", 'ControlPath="%s"' % (pattern % {"directory": folder})]

    @property
    def bracketed(self) -> str:
        """The address as it stands before a colon."""
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def in_url(self) -> str:
        """The address as it stands in a URL, where the ``%`` before an interface would begin a code."""
        return self.bracketed.replace("%", "%25")


@contextlib.contextmanager
def program(name: str, connection, task_vars: dict):
    """Around git or rsync: when it fails and the host does not answer either, the host is unreachable, told as for any module.

    What they print does not tell: ssh says nothing when the connection that it shares is lost.
    """
    try:
        yield
    except Failure as failure:
        if "stderr" not in failure.details or _local_host.is_here(connection):
            raise
        ssh = Ssh(connection, task_vars)
        probe = _login_failures.Probe([*ssh.argv(), "--", ssh.address], PROBE)
        if probe.works:
            raise
        words = f"the host did not answer within {PROBE} s" if probe.timed_out else _login_failures.last_words(probe.said)
        if not probe.timed_out and probe.code != 255:
            # It answers, and not with our command: what the program said is nearer to the cause.
            raise
        raise AnsibleConnectionFailure(vanished(task_vars.get("inventory_hostname"), name, words)) from None


def lent_agent(connection, task_vars: dict):
    """A context in which executions on the host have the user's ssh agent. Raises `Failure` where there is none."""
    if not _local_host.is_here(connection):
        return LentAgent(connection, task_vars)
    if not os.environ.get("SSH_AUTH_SOCK"):
        raise Failure(
            "Mode agent takes an ssh agent on this machine, and none runs here (SSH_AUTH_SOCK is not set); that of your own computer is "
            "out of reach without ssh. Use an https URL, or mode private_key with a key made for this instance."
        )
    return contextlib.nullcontext()


class LentAgent:
    """``with LentAgent(connection):`` the executions inside run on a login of their own that forwards the user's ssh agent.

    Ansible's shared connection never forwards it, so no other execution, and no user of the host afterwards, can use it.
    """

    def __init__(self, connection, task_vars: dict) -> None:
        self.connection = connection
        host = task_vars.get("inventory_hostname")
        if getattr(connection, "transport", "") != "ssh" or not hasattr(connection, "set_option"):
            raise Failure(
                f"Mode agent needs Ansible's own ssh connection, and {host} is reached by '{getattr(connection, 'transport', '?')}'."
            )
        ssh = Ssh(connection, task_vars)
        trouble = _agent.trouble([*ssh.argv(), ssh.address])
        if trouble:
            raise Failure(f"Mode agent lends your ssh agent to {host}, but {trouble}.")

    def __enter__(self) -> LentAgent:
        self.before = self.connection.get_option("ssh_args")
        # First value wins in ssh, and ssh_args come first: these stand against whatever the inventory says about multiplexing.
        self.connection.set_option("ssh_args", f"{_options.joined(_options.ALONE)} -o ForwardAgent=yes {self.before or ''}")
        return self

    def __exit__(self, *unused) -> None:
        self.connection.set_option("ssh_args", self.before)
