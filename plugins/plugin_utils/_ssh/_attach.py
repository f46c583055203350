# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The command with which a person attaches to the tmux session of a host."""

from __future__ import annotations

import shlex

from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _local_host, _shortcut

# The terminals of kitty, Ghostty and Alacritty are unknown on most images, and tmux then refuses to attach. They all understand this one.
TERM = "xterm-256color"
IN_PATH = ("/usr/bin", "/bin", "/usr/local/bin")


def on_host(session: str, tmux: str | None = None) -> str:
    """The command to type on the host itself. ``-u``: an ssh login often has no UTF-8 locale."""
    program = tmux if tmux and tmux.rpartition("/")[0] not in IN_PATH else "tmux"
    return f"env TERM={TERM} {shlex.quote(program)} -u attach -t {shlex.quote(session)}"


def command(facts: dict, variables: dict, connection=None, session: str = "") -> str:
    """The command to type on the controller; empty when the host has no session.

    ``facts`` is ``ansible_facts.rented`` of the host, ``variables`` its variables. Without ``connection`` (a task that speaks for
    other hosts, like the summary) the variables alone say how the host is reached.
    """
    stamp = (facts.get("stamps") or {}).get("tmux") or {}
    session = session or str((stamp.get("data") or {}).get("name") or "")
    if not session:
        return ""
    tmux = ((facts.get("tools") or {}).get("tmux") or {}).get("path")
    typed = on_host(session, tmux)
    local = _local_host.is_here(connection) if connection is not None else variables.get("ansible_connection") == "local"
    if local:
        return typed
    try:
        words, name = _shortcut.ssh_words(connection or _Variables(), variables)
    except Failure:  # reached neither by ssh nor here
        return typed
    # ssh joins its last words with spaces and gives them to the login shell, so each is quoted for two shells.
    return " ".join(
        [_shortcut.as_typed([words[0], "-t", *words[1:], name]), *(shlex.quote(shlex.quote(word)) for word in shlex.split(typed))]
    )


class _Variables:
    """Stands for a connection of which only the host's variables are known."""

    transport = "ssh"

    def get_option(self, name: str):
        raise KeyError(name)
