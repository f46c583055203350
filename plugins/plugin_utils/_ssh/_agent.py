# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The ssh agent that ssh would use: not always that of SSH_AUTH_SOCK, because ``IdentityAgent`` in ~/.ssh/config comes first.

1Password, Bitwarden and gpg tell their users to set that. ``ssh -A`` forwards the same agent.
"""

from __future__ import annotations

import getpass
import os
import re
import subprocess

VARIABLE = "SSH_AUTH_SOCK"
ANY_HOST = ["ssh", "any.invalid"]  # what ~/.ssh/config says of all hosts


def socket(command: list) -> str | None:
    """The agent's socket for this ssh command with its host, as ``ssh -G`` tells; None where ssh would use none."""
    value = "SSH_AUTH_SOCK"
    try:
        said = subprocess.run(
            [command[0], "-G", *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        ).stdout
        found = re.search(r"^identityagent (.*)$", said, flags=re.M)
        value = found.group(1).strip().strip('"') if found else value
    except (OSError, subprocess.SubprocessError):
        pass
    if value == VARIABLE:
        return os.environ.get(VARIABLE) or None
    if value.lower() == "none":
        return None
    if re.fullmatch(r"\$\w+", value):
        return os.environ.get(value[1:]) or None
    value = re.sub(r"\$\{(\w+)\}", lambda name: os.environ.get(name.group(1), ""), value)
    known = {"%%": "%", "%d": os.path.expanduser("~"), "%u": getpass.getuser() if "%u" in value else "", "%i": str(os.getuid())}
    return os.path.expanduser(re.sub(r"%[%dui]", lambda code: known[code.group()], value)) or None


def trouble(command: list) -> str | None:
    """Why the agent cannot be lent to the host of this ssh command; None where it can, or where nothing tells."""
    path = socket(command)
    if path is None:
        return (
            "no ssh agent runs here (SSH_AUTH_SOCK is not set, and ~/.ssh/config names no IdentityAgent): eval $(ssh-agent); ssh-add"
            if not os.environ.get(VARIABLE)
            else "~/.ssh/config switches the ssh agent off for it (IdentityAgent none)"
        )
    try:
        ran = subprocess.run(
            ["ssh-add", "-l"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
            env=dict(os.environ, **{VARIABLE: path}),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if ran.returncode == 1:
        return f"the ssh agent at {path} holds no key: ssh-add ~/.ssh/id_ed25519"
    if ran.returncode == 2:
        return f"the ssh agent at {path} does not answer"
    return None


def named_for_some_hosts() -> bool:
    """Whether the user's configuration may name an agent for some hosts only, which nothing tells before the host is known."""
    try:
        with open(os.path.expanduser("~/.ssh/config"), encoding="utf-8", errors="replace") as handle:
            text = handle.read(1 << 20)
    except OSError:
        return False
    return bool(re.search(r"(?mi)^\s*(?:IdentityAgent|Include)\b", text))
