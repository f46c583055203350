# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""A deadline around what Ansible's ssh connection runs. Ansible itself bounds only the time until a connection stands."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

PROGRAMS = ("ssh", "sshpass", "sftp", "scp")
# Seconds after which a module that only looks or writes small files counts as stuck. Those that install, transfer or build are not here:
# hours may be right for them, and a dead connection ends them (ALIVE).
SECONDS = {"host_facts": 180, "git_keys": 300, "known_hosts": 120, "proof": 120, "tmux": 300}
# For connections that the user's own inventory describes: a host that is gone is noticed after 15 s x 8.
ALIVE = "-o ServerAliveInterval=15 -o ServerAliveCountMax=8"


class Deadline:
    """``with Deadline(connection, seconds) as deadline:`` after the seconds the ssh that runs is killed, so that Ansible goes on.

    ``deadline.passed`` tells whether that happened. ``seconds`` None, or another connection than ssh: no deadline.
    """

    def __init__(self, connection, seconds: float | None) -> None:
        self.seconds = seconds if getattr(connection, "transport", "") == "ssh" else None
        self.passed = False
        self.over = threading.Event()
        self.thread: threading.Thread | None = None

    def __enter__(self) -> Deadline:
        if self.seconds:
            self.thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
            self.thread.start()
        return self

    def __exit__(self, *unused) -> None:
        self.over.set()
        if self.thread:
            self.thread.join()

    def _watch(self) -> None:
        wait = self.seconds
        # Again and again: Ansible may start another ssh on the same stuck host, to tidy up.
        while not self.over.wait(wait):
            self.passed = True
            for process in children():
                try:
                    os.kill(process, signal.SIGKILL)
                except OSError:
                    pass
            wait = 0.5


def children() -> list:
    """The process ids of the ssh programs that this process started."""
    mine = os.getpid()
    found = []
    for parent, process, name in _processes():
        if parent == mine and name in PROGRAMS:
            found.append(process)
    return found


def _processes():
    """``(parent, id, name)`` of the running processes."""
    if os.path.isdir("/proc/self"):
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as handle:
                        text = handle.read()
                except OSError:
                    continue
                name, _bracket, rest = text.partition("(")[2].rpartition(")")
                yield int(rest.split()[1]), int(entry), name
        return
    # macOS and the BSDs
    try:
        lines = subprocess.run(["ps", "-axo", "ppid=,pid=,ucomm="], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return
    for line in lines.splitlines():
        words = line.split(None, 2)
        if len(words) == 3 and words[0].isdigit() and words[1].isdigit():
            yield int(words[0]), int(words[1]), words[2].strip()


def keep_alive(connection) -> None:
    """Let ssh notice a host that is gone, where neither the inventory nor ansible.cfg says anything about it."""
    if getattr(connection, "transport", "") != "ssh" or not hasattr(connection, "set_option"):
        return
    words = " ".join(str(connection.get_option(name) or "") for name in ("ssh_args", "ssh_common_args", "ssh_extra_args"))
    if "serveralive" not in words.lower():
        extra = connection.get_option("ssh_extra_args")
        connection.set_option("ssh_extra_args", (f"{extra or ''} {ALIVE}").strip())
