# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Short ssh commands for people: the connection's settings go into a file of the state directory, ``ssh/<host>``.

The command of a connection is some 400 characters long; ``ssh -F FILE HOST`` does the same, pinned host key included.
"""

from __future__ import annotations

import os
import re
import shlex

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _commands

# Options of ssh(1) that have a keyword of the same meaning in ssh_config(5).
KEYWORDS = {"-p": "Port", "-i": "IdentityFile", "-l": "User", "-J": "ProxyJump"}
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
HEAD = "# How to reach %s. Written by rented.gpu, which overwrites changes.\n"
# A person's own settings come last: the first value wins, and keys or agents that only they know still serve.
TAIL = "Match all\n    Include ~/.ssh/config\n    Include /etc/ssh/ssh_config\n"


def ssh_words(connection, task_vars: dict) -> tuple:
    """``(words, name)``: the ssh command without the host, and the host's name for it. Short where the settings fit into a file."""
    ssh = _commands.Ssh(connection, task_vars)
    words = ssh.argv(settings=False)
    lines = settings(words[1:])
    name = str(task_vars.get("inventory_hostname") or "")
    if lines is None or not NAME.match(name):
        return words, ssh.address
    text = "".join(f"    {line}\n" for line in ["HostName " + ssh.address.replace("%", "%%"), *lines, "RemoteCommand none"])
    path = _write(name, HEAD % name + f"Host {name}\n" + text + TAIL)
    return ([words[0], "-F", path], name) if path else (words, ssh.address)


def settings(words: list) -> list | None:
    """The lines of ssh_config(5) that mean what these options of ssh(1) mean; None when one of them has no such line."""
    lines, rest = [], iter(words)
    for word in rest:
        option, value = word[:2], word[2:]
        if option not in ("-o", *KEYWORDS):
            return None
        value = value or next(rest, "")
        if not value or "\n" in value:
            return None
        # ProxyJump takes quotes for a part of the name.
        quoted = f'"{value}"' if option == "-i" else value
        lines.append(value if option == "-o" else f"{KEYWORDS[option]} {quoted}")
    return lines


def as_typed(words: list) -> str:
    """A command for people to copy; a path below their home begins with ``~``."""
    home = os.path.expanduser("~").rstrip("/") + "/"
    parts = []
    for word in words:
        short = "~/" + shlex.quote(word[len(home) :]) if word.startswith(home) and len(word) > len(home) else shlex.quote(word)
        parts.append(short)
    return " ".join(parts)


def _write(name: str, text: str) -> str | None:
    """The path of the file with this text; None when the state directory cannot be written."""
    try:
        path = os.path.join(_state.folder("ssh"), name)
        try:
            with open(path, encoding="utf-8") as handle:
                if handle.read() == text:
                    return path
        except (OSError, ValueError):
            pass
        _stamps.write_private(path, text)
        return path
    except (OSError, RentedError):
        return None
