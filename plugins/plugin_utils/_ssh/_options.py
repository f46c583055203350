# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How ssh is called: the options for Ansible, git, rsync, the first login and jump hosts. Each comes from the table in `_ssh_config`."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess

from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _ssh_config

# A connection of its own, which ends with the command. Neither an open one is used nor one left behind.
ALONE = (("ControlMaster", "no"), ("ControlPath", "none"))
# There is no person to answer.
NO_QUESTIONS = (("BatchMode", "yes"),)

# What a person needs to reach a host as the collection does, without sharing its connection.
_FOR_PEOPLE = {"hostkeyalias", "userknownhostsfile", "stricthostkeychecking", "proxycommand", "identitiesonly"}
_SET_BY_US = {option.key for option in (*_ssh_config.SESSION, *_ssh_config.IDENTITY, *_ssh_config.SHARING)} | {"proxyusefdpass"}


@functools.lru_cache(maxsize=None)
def version(executable: str = "ssh") -> tuple:
    """``(major, minor)`` of this machine's ssh; a recent one where it does not say, for it is not OpenSSH, or will be missed later."""
    try:
        ran = subprocess.run(
            [executable, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return (9, 0)
    found = re.search(r"OpenSSH[^\d]*(\d+)\.(\d+)", ran.stderr + ran.stdout)
    return (int(found.group(1)), int(found.group(2))) if found else (9, 0)


def _known(options, executable: str) -> list:
    """``(name, value)`` of those that this ssh knows: an unknown one would end it."""
    return [(option.name, option.value) for option in options if option.value is not None and option.since <= version(executable)]


def session(executable: str = "ssh") -> list:
    """Against what would change a session without a terminal."""
    return _known(_ssh_config.SESSION, executable)


def instance(alias: str, known_hosts: str, socket: str, host: str | None, own_name: bool, executable: str = "ssh") -> list:
    """All options for an instance of the inventory. ``own_name``: the address is a name that the user's ssh configuration may resolve."""
    options = [
        ("HostKeyAlias", alias),
        ("UserKnownHostsFile", quoted(known_hosts)),
        *_known(_ssh_config.IDENTITY, executable),
        *session(executable),
        *_known(_ssh_config.SHARING, executable),
        ("ControlPath", quoted(socket)),
    ]
    if not own_name:
        # %h is the address that the command names, so an ansible_host that you set yourself counts.
        options += [("CanonicalizeHostname", "no")] + ([("HostName", "%h")] if host else [])
    return options


def jump(known_hosts: str, executable: str = "ssh") -> list:
    """Options for a jump host, which carries the connection and runs nothing. Its key may be in the user's own known_hosts."""
    return [
        *NO_QUESTIONS,
        ("UserKnownHostsFile", " ".join((quoted(known_hosts), "~/.ssh/known_hosts", "~/.ssh/known_hosts2"))),
        *[pair for pair in _known(_ssh_config.IDENTITY, executable) if pair[0] not in ("GlobalKnownHostsFile", "KnownHostsCommand")],
        *[pair for pair in session(executable) if pair[0] not in ("ClearAllForwardings", "ExitOnForwardFailure")],  # -W sets its own
        *[pair for pair in _known(_ssh_config.SHARING, executable) if not pair[0].startswith("Control")],
        *ALONE,
    ]


def channel(executable: str = "ssh") -> list:
    """For git and rsync, in front of all others: never the master, whose background process would hold their pipes open."""
    return [("ControlMaster", "no"), *NO_QUESTIONS, *session(executable), *session_type(executable)]


def session_type(executable: str = "ssh") -> list:
    """For ssh alone; sftp and scp, which take the common arguments too, refuse to run with it."""
    return _known((_ssh_config.SESSION_TYPE,), executable)


def first_login(seconds: int, executable: str = "ssh") -> list:
    """For a login by hand, in front of the options of the inventory."""
    return [*ALONE, *NO_QUESTIONS, ("ConnectTimeout", str(seconds)), *session_type(executable)]


@functools.lru_cache(maxsize=None)
def runs_no_command(executable: str = "ssh") -> bool:
    """Whether the user's configuration makes ssh run no command (``SessionType none`` for every host)."""
    # With the other options, for some of what they set against would end ssh here.
    asked = [executable, *words(session(executable)), "-o", "CanonicalizeHostname=no", "-G", "rented.invalid"]
    try:
        ran = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.search(r"^sessiontype (\S+)", ran.stdout, flags=re.M)
    return found is not None and found.group(1) != "default"


def words(options) -> list:
    """As arguments of a command."""
    return [word for name, value in options for word in ("-o", f"{name}={value}")]


def joined(options) -> str:
    """As text that a shell splits into arguments."""
    return " ".join("-o " + shlex.quote("%s=%s" % option) for option in options)


def for_people(arguments: list) -> list:
    """Arguments of ssh without those that only serve programs, for a command that a person types."""
    kept, index = [], 0
    while index < len(arguments):
        length = 2 if arguments[index] == "-o" and index + 1 < len(arguments) else 1
        option = arguments[index + length - 1] if length == 2 else arguments[index][2:] if arguments[index].startswith("-o") else ""
        name = re.split(r"[=\s]", option.strip().lower(), maxsplit=1)[0]
        if not name or name in _FOR_PEOPLE or name not in _SET_BY_US:
            kept += arguments[index : index + length]
        index += length
    return kept


def quoted(value: str) -> str:
    """A value as ssh reads it: quoted, ``%`` doubled (ssh expands ``%h`` and its like in paths)."""
    return '"%s"' % value.replace("%", "%%") if any(sign in value for sign in ' \t%"#') else value
