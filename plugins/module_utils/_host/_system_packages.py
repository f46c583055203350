# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""System packages: which of them a host lacks, and how they are installed with apt or dnf. Names are Debian's.

Nothing here kills a process or removes a lock: who else installs is waited for, up to a limit, and named.
"""

from __future__ import annotations

import glob
import os
import re
import time

# The command that a package is wanted for: where it is in PATH, from any source, the package is not missing.
COMMANDS = {
    "curl": "curl",
    "git": "git",
    "git-lfs": "git-lfs",
    "openssh-client": "ssh",
    "rsync": "rsync",
    "sudo": "sudo",
    "tar": "tar",
    "tmux": "tmux",
    "unzip": "unzip",
    "zstd": "zstd",
}

# Debian's name -> Fedora's and Red Hat's, where they differ. python3-venv is part of python3 there.
DNF = {
    "build-essential": "gcc-c++",
    "openssh-client": "openssh-clients",
    "python3-dev": "python3-devel",
    "python3-venv": "python3",
    "xz-utils": "xz",
}

# apt 1.8 (Debian 10) to 3.0 (Debian 13): who holds a lock is said since 1.9.11.
LOCKED = re.compile(r"Could not get lock|Unable to (?:acquire|lock)|is another process using it|waiting for .* lock", re.I)
HOLDER = re.compile(r"held by process (\d+)(?: \(([^)]*)\))?")
INTERRUPTED = re.compile(r"dpkg was interrupted")
STALE = re.compile(r"Unable to locate package|has no installation candidate|404 +Not Found|Failed to fetch|Unable to fetch", re.I)
INSTALLERS = ("apt", "apt-get", "aptitude", "dpkg", "unattended-upgr", "packagekitd", "dnf", "yum", "rpm")

APT = ["-q", "-y", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
ENVIRONMENT = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"]
PAUSE = 3  # seconds between two looks at a lock
FETCHES = 3  # tries of a download before the network is blamed


class PackageError(Exception):
    """Packages could not be installed; a sentence that says why and what to do."""


def names_to_ask(wanted: list) -> list:
    """What `host_facts` is asked for before the package manager is known: Debian's names and the others."""
    return sorted(set(wanted) | {DNF[name] for name in wanted if name in DNF})


def missing(wanted: list, facts: dict) -> list:
    """Which of ``wanted`` a host lacks, by its facts (``ansible_facts.rented``)."""
    installed = facts.get("packages") or {}
    tools = facts.get("tools") or {}
    dnf = facts.get("package_manager") == "dnf"
    return [
        name
        for name in dict.fromkeys(wanted)
        if installed.get(DNF.get(name, name) if dnf else name) is None and not tools.get(COMMANDS.get(name, ""))
    ]


class Installer:
    """Installs packages.

    ``run(command) -> (rc, stdout, stderr)``; ``root`` is the command that makes root of us, ``[]`` for root itself; ``limit`` in seconds.
    """

    def __init__(self, run, root: list, limit: float, clock=time.monotonic, sleep=time.sleep) -> None:
        self.run = run
        self.root = list(root)
        self.limit = limit
        self.clock = clock
        self.sleep = sleep

    def install(self, manager: str, names: list) -> None:
        """Install ``names`` with ``manager`` ("apt" or "dnf"). Raises `PackageError`."""
        if manager == "apt":
            self._apt(names)
        elif manager == "dnf":
            self._dnf([DNF.get(name, name) for name in names])
        else:
            raise PackageError(
                f"{_are(names)} missing on the host, and it has neither apt nor dnf to install them with: choose an "
                "image based on Debian, Ubuntu or Fedora, or one that has them."
            )

    def _apt(self, names: list) -> None:
        install = ["apt-get", "install", *APT, "--no-install-recommends", *names]
        fresh = False
        if not glob.glob("/var/lib/apt/lists/*_Packages*"):
            self._update()
            fresh = True
        code, text = self._patiently(install)
        if code != 0 and not fresh and STALE.search(text):
            self._update()
            code, text = self._patiently(install)
        if code != 0:
            raise PackageError(f"apt-get could not install {', '.join(names)}: {_reason(text)}")

    def _update(self) -> None:
        text = ""
        for attempt in range(FETCHES):
            if attempt:
                self.sleep(2 * attempt)
            # Descriptions in the user's language are a third of what would be fetched, and they are not read here.
            code, text = self._patiently(["apt-get", "update", "-q", "-o", "Acquire::Languages=none"])
            # apt-get update says 0 although nothing could be fetched.
            if code == 0 and "Failed to fetch" not in text:
                return
        if not glob.glob("/var/lib/apt/lists/*_Packages*"):
            raise PackageError(
                f"apt-get update failed {FETCHES} times, so no package can be installed: {_reason(text)} Check that "
                "the host reaches its package mirror."
            )

    def _dnf(self, names: list) -> None:
        command = ["dnf", "-q", "-y", "--setopt=install_weak_deps=False", "--setopt=exit_on_lock=True", "install", *names]
        code, text = self._patiently(command)
        if code != 0:
            raise PackageError(f"dnf could not install {', '.join(names)}: {_reason(text)}")

    def _patiently(self, command: list) -> tuple:
        """Run as root; wait while another process holds the lock; finish what an interrupted dpkg left."""
        began = self.clock()
        mended = False
        while True:
            code, out, err = self.run([*self.root, *ENVIRONMENT, *command])
            text = out + "\n" + err
            if code != 0 and INTERRUPTED.search(text) and not mended:
                mended = True
                self.run([*self.root, *ENVIRONMENT, "dpkg", "--configure", "-a", "--force-confdef", "--force-confold"])
                continue
            if code == 0 or not (LOCKED.search(text) or (command[0] == "dnf" and code == 200)):
                return code, text
            waited = self.clock() - began
            if waited >= self.limit:
                raise PackageError(
                    f"Another program installs packages on the host: {holder(text)} holds the lock of {command[0]}, "
                    f"still after {waited:.0f} s. Nothing was killed. Wait until it is done and run again, or raise "
                    "ready_timeout."
                )
            self.sleep(min(PAUSE, max(0.1, self.limit - waited)))


def holder(text: str, proc: str = "/proc") -> str:
    """Who holds the lock: what apt says, else the installers that run."""
    said = HOLDER.search(text)
    if said:
        return "%s (process %s)" % (said.group(2) or command_name(said.group(1), proc) or "a program", said.group(1))
    running = []
    for pid in sorted((name for name in _names(proc) if name.isdigit()), key=int):
        name = command_name(pid, proc)
        if name in INSTALLERS:
            running.append(f"{name} (process {pid})")
    return ", ".join(running) or "a program that cannot be seen from here"


def command_name(pid: str, proc: str = "/proc") -> str | None:
    """The name of a process, 15 letters at most, or None."""
    try:
        with open(os.path.join(proc, pid, "comm"), encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return None


def _names(folder: str) -> list:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _are(names: list) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _reason(text: str) -> str:
    """The lines that say why, without the progress."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = [line for line in lines if line.startswith(("E:", "Err:", "Error", "error:", "W: Failed", "No match"))] or lines[-3:]
    said = " ".join(dict.fromkeys(chosen))[:600] or "it said nothing."
    return said if said.endswith(".") else said + "."
