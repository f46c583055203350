# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.adopt`: from a pasted ssh command to a lease, with one login in between."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import re

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import Ambiguous, NotFound, RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers import adopted
from ansible_collections.rented.gpu.plugins.module_utils._renting import _leases, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._leases import Lease
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.modules.adopt import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Action
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _accounts
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory._names import default_name
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _first_login, _pasted_command
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._connection import Connection

PREFIX = "adopt_"
PROVIDER = adopted.AdoptedProvider.NAME
SETTINGS = tuple(PREFIX + name for name in SPEC if name != "variables")
NAMELESS = "_raw_params"  # the variable in which Ansible leaves what follows the first space of -e name=value
RUNPOD_PROXY = (
    "ssh.runpod.io is RunPod's proxy: it opens terminals and runs no commands, so no playbook works over it. "
    "Paste the other command of the page, 'SSH over exposed TCP'."
)
_MOVED = " Or give its id beside 'ssh' when it is that host with a new address."


class ActionModule(Action):
    ARGUMENT_SPEC = SPEC
    _requires_connection = False

    def work(self, arguments):
        self.warnings = []
        try:
            self._check(arguments)
            command = _pasted_command.parse(arguments["ssh"]) if arguments["ssh"] else None
            result = self._absent(arguments, command) if arguments["state"] == "absent" else self._present(arguments, command)
        except RentedError as error:
            raise Failure(error.message) from None
        if self.warnings:
            result["warnings"] = self.warnings
        return result

    @staticmethod
    def _check(arguments):
        """What can be known to be wrong by itself. Raises `RentedError`."""
        if NAMELESS in arguments["variables"]:
            raise RentedError(
                "A value that was given with -e was cut at its first space, and nothing was done. It takes quotes inside the quotes: "
                "-e 'adopt_ssh=\"ssh -p 12345 root@192.0.2.1\"'."
            )
        for name in arguments["variables"]:
            if name not in SETTINGS:
                raise RentedError(f"'{shown(name)}' is not a setting, and nothing was done. {nearest(name, SETTINGS)}")
        for name in ("ssh", "name", "id"):
            # A template that came out empty must not mean "any host".
            if arguments[name] is not None and not arguments[name].strip():
                raise RentedError(f"'{name}' is empty; leave it out or give it a value.")
        if not (arguments["ssh"] or arguments["name"] or arguments["id"]):
            raise RentedError(
                "Say which host: paste the ssh command that its page shows, for example -e 'adopt_ssh=\"ssh -p 12345 root@192.0.2.1\"'."
            )
        if arguments["gpu"] and not re.search(r"[A-Za-z]{2}|[A-Za-wyzA-WYZ]|\d{3}", arguments["gpu"]):
            raise RentedError(f"'{shown(arguments['gpu'])}' names no GPU. Write it as 'RTX 4090' or '2x RTX 4090'.")
        price = arguments["price_per_hour"]
        if price is not None and (_values.number(price) is None or price < 0):
            raise RentedError(f"The price is a number of USD per hour, not below 0; {price} is none.")
        for name in ("started_at", "ends_at"):
            if arguments[name] and _values.moment(arguments[name]) is None:
                raise RentedError(
                    f"'{name}' is '{shown(arguments[name])}', which is not a date and time. Write it as '2026-12-01 18:00', in UTC."
                )
        if arguments["login_timeout"] <= 0:
            raise RentedError("'login_timeout' is a number of seconds above 0.")

    @staticmethod
    def _find(arguments, command, leases):
        """The lease that is meant, or None. Raises `NotFound` where a host was named that should be there.

        With an id, a command says where that host is now; without one, the address is what a host is known by, and a name is given to it.
        """
        there = next((lease for lease in leases if command and _is_at(lease, command)), None)
        if command and not arguments["id"]:
            return there
        key = "id" if arguments["id"] else "name"
        found = next((lease for lease in leases if (lease.id if key == "id" else lease.label) == arguments[key]), None)
        if found is None:
            known = ", ".join(f"{lease.label} (id {lease.id})" if lease.label else lease.id for lease in leases) or "none"
            advice = "Leave the id out to adopt another host." if command else "To adopt one, give adopt_ssh."
            raise NotFound(f"No adopted host has the {key} '{shown(arguments[key])}'; adopted are: {known}. {advice}")
        if there not in (None, found):
            raise RentedError(
                f"The address of 'ssh' is that of the adopted host {_named(there)}, and the id is '{found.id}'. "
                "Nothing was changed; leave one of them out."
            )
        return found

    @staticmethod
    def _find_all(arguments, command, leases):
        """The lease that everything which is given means; None where nothing of it means any. Raises `RentedError` where it disagrees."""
        tests = {
            "ssh": lambda lease: _is_at(lease, command),
            "name": lambda lease: lease.label == arguments["name"],
            "id": lambda lease: lease.id == arguments["id"],
        }
        given = [name for name in tests if arguments[name]]
        meant = [[lease for lease in leases if tests[name](lease)] for name in given]
        some = [lease for lease in leases if any(lease in part for part in meant)]
        every = [lease for lease in some if all(lease in part for part in meant)]
        if some and not every:
            raise RentedError(
                "%s do not mean the same host, and nothing was forgotten: some of it is %s. Give one of them alone."
                % (" and ".join(f"'{name}'" for name in given), " or ".join(map(_named, some)))
            )
        return every[0] if every else None

    # --- present -------------------------------------------------------------------------------------------------

    def _present(self, arguments, command):
        changes = self._changes(arguments, command)
        with self._in_turn(command):
            before, lease = self._planned(arguments, command, changes)
            host = default_name(adopted.instance(lease, PROVIDER))
            login = self._login(arguments, lease, host)
            if not self.check_mode:
                before, lease = self._save(arguments, command, changes, before, lease)
        next_command = f"ansible-playbook -i rented.yml rented.gpu.bootstrap --limit {host}"
        verb = "would be adopted" if self.check_mode and before is None else "is adopted"
        self._display.display(f"{host} {verb}. Next: {next_command}")
        return {
            "changed": before != lease,
            "host": host,
            "lease": lease.as_dict(),
            "path": _leases.path_of(lease),
            "login": login,
            "next": next_command,
            "diff": _difference(before, lease),
        }

    def _in_turn(self, command):
        """Two who adopt one address at once do it one after the other: the id is chosen before the login, which pins a host key for it."""
        if command is None or self.check_mode:
            return contextlib.nullcontext()
        return _state.locked("adopt", adopted.host_id(command.host, command.port, ()))

    def _planned(self, arguments, command, changes):
        """``(lease or None, lease as it shall be)``, as things are now."""
        leases = _leases.read_all(PROVIDER)
        found = self._find(arguments, command, leases)
        return found, self._lease(command, changes, found, leases)

    def _login(self, arguments, lease, host):
        ends = _values.moment(lease.ends_at)
        if ends and ends < _now():
            self.warnings.append(f"The time of {host} ended at {ends}.")
        if not arguments["login"] or self.check_mode:
            return "not tried"
        variables = Connection().variables(adopted.instance(lease, PROVIDER))
        login, warning = _first_login.attempt(variables, host, arguments["login_timeout"])
        self.warnings.extend([warning] if warning else [])
        return login

    def _save(self, arguments, command, changes, before, tried):
        """Make the changes on what is there now, which need not be what was there before the login."""
        with _leases.locked():
            if before is not None and before.id not in {lease.id for lease in _leases.read_all(PROVIDER)}:
                raise RentedError(
                    f"{default_name(adopted.instance(before, PROVIDER))} was forgotten by another run during the "
                    "login, and nothing was changed. Adopt it again if it is still yours."
                )
            found, lease = self._planned(arguments, command, changes)
            if lease.id != tried.id:
                raise RentedError(f"Another run adopted another host as '{tried.id}' during the login. Run the same command again.")
            if found != lease:
                _leases.save(lease)
        return found, lease

    def _changes(self, arguments, command):
        """What is given, field by field, checked; said once what of it is not done."""
        changes = {name: arguments[name] for name in ("price_per_hour", "gpu", "note") if arguments[name] is not None}
        changes.update({name: _values.moment(arguments[name]) for name in ("started_at", "ends_at") if arguments[name]})
        if arguments["name"]:
            changes["label"] = arguments["name"]
        key = None
        if arguments["private_key_file"]:
            key = _accounts.private_key(arguments["private_key_file"], "private_key_file")
        elif command and command.private_key_file:
            key = self._pasted_key(command.private_key_file)
        if key:
            changes["ssh_private_key_file"] = key
        if command:
            self.warnings.extend(command.warnings)
            if command.host.lower() == "ssh.runpod.io":
                self.warnings.append(RUNPOD_PROXY)
            changes.update(ssh_host=command.host, ssh_jump=command.jump)
            if command.user:
                changes["ssh_user"] = command.user
            if command.forwards:
                changes["ssh_forwards"] = [list(pair) for pair in command.forwards]
        return changes

    @staticmethod
    def _lease(command, changes, found, leases):
        """The lease as it shall be: what was known, changed by what is given."""
        if "label" in changes:
            try:
                adopted.check_label(changes["label"], found, leases)
            except Ambiguous as error:
                if found is not None:
                    raise
                raise Ambiguous(error.message + _MOVED)
        # No port is port 22 or what ~/.ssh/config says: at another address that of the old one means nothing.
        if command and (command.port is not None or found is None or not _is_at(found, command)):
            changes = dict(changes, ssh_port=command.port)
        if found is not None:
            return dataclasses.replace(found, **changes)
        return Lease(
            provider=PROVIDER,
            account=PROVIDER,
            id=adopted.host_id(command.host, command.port, {lease.id for lease in leases}),
            adopted_at=_now(),
            **changes,
        )

    def _pasted_key(self, path):
        """The key that the command names. Pages show a usual place there, which need not be that of this user's key."""
        try:
            return _accounts.private_key(path, "The command")
        except RentedError as error:
            self.warnings.append(f"{error.message} It was left out; ssh tries the keys that it knows.")
            return None

    # --- absent --------------------------------------------------------------------------------------------------

    def _absent(self, arguments, command):
        found = self._find_all(arguments, command, _leases.read_all(PROVIDER))
        if found is not None and not self.check_mode:
            found = self._forget(arguments, command)
        if found is None:
            return {"changed": False, "host": None, "lease": None, "path": None}
        return {
            "changed": True,
            "host": default_name(adopted.instance(found, PROVIDER)),
            "lease": None,
            "path": _leases.path_of(found),
            "diff": _difference(found, None),
        }

    def _forget(self, arguments, command):
        """What was forgotten; None where another run has done it."""
        with _leases.locked():
            found = self._find_all(arguments, command, _leases.read_all(PROVIDER))
            if found is None:
                return None
            instance = adopted.instance(found, PROVIDER)
            # The key first: without the lease its name is not known any more.
            Connection().forget_host_key(instance)
            _leases.remove(found)
        self._display.display(
            f"{default_name(instance)} is forgotten here. It goes on running, and costing, until it is ended at its owner's web page."
        )
        return found


def _is_at(lease, command):
    return adopted.same_address(lease, command.host, command.port, command.jump)


def _named(lease):
    return f"{lease.id} (called '{lease.label}')" if lease.label else lease.id


def _difference(before, after):
    """For --diff: both leases as text."""
    return {
        "before": _text(before),
        "after": _text(after),
        "before_header": "lease",
        "after_header": "lease",
    }


def _text(lease):
    if lease is None:
        return ""
    return json.dumps({name: value for name, value in lease.as_dict().items() if value not in (None, [])}, indent=1, sort_keys=True) + "\n"


def _now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
