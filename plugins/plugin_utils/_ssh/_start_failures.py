# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Why a program could not be started on a host, by the words of ssh, git, rsync and `_channel`, and what to do about it."""

from __future__ import annotations

import re
import secrets

from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _channel

_FILES = "~/.bashrc, ~/.zshenv, ~/.config/fish/config.fish, ~/.ssh/rc and /etc/profile.d"
_CONFIG = "your ssh configuration (~/.ssh/config, /etc/ssh/ssh_config and the files that they include)"

# Each with a sentence without its full stop; groups of the pattern fill it in.
KNOWN = (
    (
        "^" + _channel.SILENT + r"(?P<a>[^;]*); (?P<b>.*)$",
        "the login works, but the login shell did not run the command within {a}. Look at the start-up files of "
        f"the host ({_FILES}) for a program that replaces the shell or waits for an answer (exec, read, a menu){{b}}",
    ),
    (
        "^" + _channel.ENDED + r"(?P<b>.*)$",
        "the login ended before the command was run. Check that this user may run commands there{b}",
    ),
    (
        "^" + _channel.REFUSED + r".* for (?P<a>.*)$",
        "git asked this connection for objects of {a}, which is another server. This is a partial clone: run "
        "`git fetch --refetch --no-filter` in it first",
    ),
    ("^" + _channel.MISSING + r"(?P<a>.*)$", "{a}: a program is missing on this machine. Install it (apt-get install openssh-client)"),
    (
        r"^(?P<a>.*): line (?P<c>\d+): Bad configuration option: (?P<d>\S+)",
        "the ssh of this machine does not know the option {d} in line {c} of {a}. Correct it, or put `IgnoreUnknown {d}` at the top of "
        "that file",
    ),
    (
        r"^(?P<a>.*): terminating, (?P<c>\d+) bad configuration options",
        "ssh does not understand {c} options in {a}. Correct them, or put `IgnoreUnknown` with their names at the top of that file",
    ),
    (
        r"Cannot execute command-line and remote command",
        f"RemoteCommand is set for this host in {_CONFIG}, so ssh runs no other command. Put `RemoteCommand none` in "
        "front of it for this host",
    ),
    (
        r"Could not request (?:local|remote|dynamic) forwarding|cannot listen to port|remote port forwarding failed",
        f"ssh could not forward a port that {_CONFIG} asks for, because it is in use. End the program that has the "
        "port, or put `ClearAllForwardings yes` in front of it for this host",
    ),
    (
        r"bad line length character: (?P<b>.*)$|is your shell clean",
        f"something on the host prints text into the connection. Look at its start-up files ({_FILES}), and print "
        "only in an interactive shell{b}",
    ),
)


def explained(stderr: str) -> str | None:
    """A sentence without its full stop for what is known; None for anything else."""
    for pattern, sentence in KNOWN:
        found = re.search(pattern, stderr, flags=re.M)
        if found:
            words = {name: (value or "").strip() for name, value in found.groupdict().items()}
            words["b"] = f"; it printed: {words['b'].rstrip('.')}" if words.get("b") else ""
            return sentence.format(**words)
    return None


class Marker:
    """Lets a script on the host say why it stops. The text of the script itself is never taken for such a word, wherever it is shown."""

    def __init__(self) -> None:
        self.nonce = secrets.token_hex(8)

    def say(self, word: str) -> str:
        """The command that says it."""
        return f'echo "rented-""{self.nonce}: {word}" >&2'

    def said(self, stderr: str) -> str | None:
        """The word that was said."""
        found = re.search(f"rented-{self.nonce}: ([a-z-]+)", stderr)
        return found.group(1) if found else None
