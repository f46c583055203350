# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How an instance is reached: the connection variables of a host. You need no ``ansible.cfg`` or an ``~/.ssh/config``."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tempfile

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _known_hosts, _stamps
from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory._names import default_name
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _options, _pasted_command

# A Unix socket's path: 104 bytes on macOS and the BSDs (108 on Linux), one for the final NUL; while ssh opens it,
# it carries a suffix of "." and 16 signs.
LONGEST_SOCKET = 104 - 1 - 17
_DIGEST = 16  # hex digits in the socket's name


def endpoint(instance: Instance, via: str = "auto") -> tuple:
    """``(host, port, "direct" or "proxy")``; host and port are None when the instance cannot be reached this way (yet).

    An `Instance` holds no other addresses than these; they are looked at once more before they become arguments of ssh.
    """
    host, port, way = _endpoint(instance, via)
    own = instance.provider in _field_rules.USERS_OWN
    fits = _field_rules.is_own_host(host) if own else _field_rules.is_host(host)
    if not fits or not (port is None or _field_rules.is_port(port)):
        return None, None, way
    return host, port, way


def _endpoint(instance: Instance, via: str) -> tuple:
    direct = (instance.ssh_host, instance.ssh_port, "direct") if instance.ssh_via != "proxy" else (None, None, "direct")
    proxy = (instance.ssh_proxy_host, instance.ssh_proxy_port, "proxy")
    if not proxy[0] and instance.ssh_via == "proxy":
        proxy = (instance.ssh_host, instance.ssh_port, "proxy")
    if via == "direct":
        return direct
    if via == "proxy":
        return proxy
    return direct if direct[0] else proxy if proxy[0] else (None, None, None)


class Connection:
    """The connection variables of hosts. Built once per listing: it makes the state directory and that of the sockets."""

    def __init__(self) -> None:
        self.known_hosts = _state.known_hosts_file()
        self.sockets = socket_folder()

    def variables(self, instance: Instance, via: str = "auto", private_key_file: str | None = None) -> dict:
        """``ansible_*`` variables of one instance. Without an address yet, ``ansible_host`` is left out, and ssh itself refuses.

        ``private_key_file`` is that of the account; the instance's own comes first.
        """
        host, port, _via = endpoint(instance, via)
        own = instance.provider in _field_rules.USERS_OWN
        private_key_file = (instance.ssh_private_key_file if own else None) or private_key_file
        user = instance.ssh_user
        variables = {
            "ansible_user": user if (_field_rules.is_own_user(user) if own else _field_rules.is_user(user)) else None,
            "ansible_ssh_pipelining": True,
            "ansible_ssh_common_args": self.ssh_arguments(instance, host, port, bool(private_key_file)),
            # For ssh the first value of an option wins, and Ansible puts its ssh_args, and what a switched-off
            # host_key_checking adds, before the common arguments: neither may undo what those say.
            "ansible_ssh_args": "",
            "ansible_host_key_checking": True,
        }
        if _options.runs_no_command():
            variables["ansible_ssh_extra_args"] = _options.joined(_options.session_type())
        if host:
            variables["ansible_host"] = host
        if port:
            variables["ansible_port"] = port
        if private_key_file:
            variables["ansible_ssh_private_key_file"] = private_key_file
        return {name: value for name, value in variables.items() if value is not None}

    def ssh_arguments(self, instance: Instance, host, port, own_key: bool = False) -> str:
        """Options for ssh, sftp and scp, quoted for a shell.

        The host key is that of the instance, not of the address: pinned at the first connection, a change stops the run.
        """
        alias = default_name(instance)
        socket = self.socket(alias, instance, host, port)
        # The name of an adopted host may be one of the user's ~/.ssh/config.
        options = _options.instance(alias, self.known_hosts, socket, host, own_name=instance.provider == "adopted")
        if not host:
            # Ansible would log in to the name in the inventory, which is a label: whatever it resolves to is another machine.
            # With ControlPersist, ssh would keep what the command says to itself.
            options = [("ControlMaster", "no"), ("ControlPersist", "no"), ("ControlPath", "none"), *options]
            options += [("ProxyCommand", no_address(instance)), ("ProxyUseFdpass", "no"), ("CanonicalizeHostname", "no")]
        elif instance.ssh_jump and instance.provider in _field_rules.USERS_OWN:
            options += [("ProxyCommand", self.jump(instance.ssh_jump)), ("ProxyUseFdpass", "no")]
        if own_key:
            options.append(("IdentitiesOnly", "yes"))  # an agent with many keys would use up the attempts first
        return _options.joined(options)

    def jump(self, jump: str) -> str:
        """The ProxyCommand that does what ``ssh -J`` does, and checks the keys of the jump hosts as strictly as that of the instance.

        With ProxyJump, ssh would hand none of our options on: a jump host's key would be looked for elsewhere, and asked about. A key
        that the user's own known_hosts has for the jump host counts too; a new one is learned once, in ours. Which key logs in to the jump
        host is left to ssh and ``~/.ssh/config``, as with ``-J``.
        """
        command = ""
        for user, host, port in _pasted_command.hops(jump):
            options = _options.jump(self.known_hosts)
            if command:
                options += [("ProxyCommand", command), ("ProxyUseFdpass", "no")]
            words = ["ssh", *_options.words(options)]
            words += (["-l", user] if user else []) + (["-p", str(port)] if port else [])
            # ssh expands % in a ProxyCommand, whose own are %h and %p alone.
            command = f"{shlex.join(words).replace('%', '%%')} -W '[%h]:%p' -- {shlex.quote(host).replace('%', '%%')}"
        return command

    def forget_host_key(self, instance: Instance) -> bool:
        """Take the pinned host key of an instance out of the collection's known_hosts; whether there was one."""
        alias = default_name(instance)
        try:
            with _state.locked("known_hosts"):
                with open(self.known_hosts, encoding="utf-8") as handle:
                    lines = handle.read().splitlines(keepends=True)
                kept = [text for text in lines if not _known_hosts.is_of(text, alias)]
                if len(kept) < len(lines):
                    _stamps.write_private(self.known_hosts, "".join(kept))
        except FileNotFoundError:
            return False
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise RentedError(f"The host key of {alias} cannot be taken out of {self.known_hosts}: {reason}.")
        return len(kept) < len(lines)

    def socket(self, alias: str, instance: Instance, host, port) -> str:
        """The path of the connection's socket; another address, user or known_hosts file is another connection."""
        parts = (alias, instance.account, host, port, instance.ssh_user, self.known_hosts)
        return os.path.join(self.sockets, hashlib.sha256(repr(parts).encode()).hexdigest()[:_DIGEST])


def no_address(instance: Instance) -> str:
    """The ProxyCommand for an instance without an address: it says so and fails, and no name is looked up."""
    words = [word for word in (instance.state, instance.state_raw) if word and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", word)]
    sentence = f"{default_name(instance)} has no address for SSH yet: {', '.join(dict.fromkeys(words))}. Try again when it has one."
    # ssh puts "exec" before it, so that it has to be one command. All words above are of letters, digits and "_.-".
    return f"sh -c 'echo \"{sentence}\" >&2; exit 1'"


def socket_folder() -> str:
    """The directory of the sockets, 0700, with a path that leaves room for a socket's name.

    ``$XDG_RUNTIME_DIR`` first: it is local and in memory, a home may be on a network file system without sockets.
    """
    candidates = []
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.path.isdir(runtime) and os.stat(runtime).st_uid == os.getuid():
        candidates.append(os.path.join(runtime, "rented_gpu"))
    candidates.append(os.path.join(_state.home(), "cp"))
    candidates.append(os.path.join(tempfile.gettempdir(), f"rented_gpu-{os.getuid()}"))
    candidates.append(f"/tmp/rented_gpu-{os.getuid()}")
    for path in candidates:
        if len(os.fsencode(path)) + 1 + _DIGEST <= LONGEST_SOCKET and _private_folder(path):
            return path
    raise RentedError(
        f"No directory for the sockets of ssh could be made; tried {', '.join(candidates)}. Set XDG_RUNTIME_DIR to a "
        "directory that you own."
    )


def _private_folder(path: str) -> bool:
    """Make the directory, or take it when it is ours alone: in /tmp anybody could have made it."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        entry = os.lstat(path)
        if not os.path.isdir(path) or os.path.islink(path) or entry.st_uid != os.getuid():
            return False
        if entry.st_mode & 0o077:
            os.chmod(path, 0o700)
    except OSError:
        return False
    return True
