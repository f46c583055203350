# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Reading files and running programs so that neither can stop `host_facts`."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess


def read(root: str, path: str, limit: int = 1 << 20) -> str | None:
    """The text of ``path`` below ``root``, or None when it cannot be read. ``limit`` is in bytes."""
    try:
        with open(under(root, path), "rb") as handle:
            return handle.read(limit).decode("utf-8", "replace")
    except OSError:
        return None


def under(root: str, path: str) -> str:
    """``path`` seen from ``root``."""
    return path if root == "/" else os.path.join(root, path.lstrip("/"))


def names(root: str, path: str) -> list:
    """The sorted names in a folder; empty when it is not a readable folder."""
    try:
        return sorted(os.listdir(under(root, path)))
    except OSError:
        return []


class Ran:
    """What a program answered: ``code`` (None: not started or timed out), ``out``, ``err``, ``timed_out``."""

    def __init__(self, code: int | None, out: str = "", err: str = "", timed_out: bool = False) -> None:
        self.code = code
        self.out = out
        self.err = err
        self.timed_out = timed_out


def run(command: list, seconds: float = 10, env: dict | None = None) -> Ran:
    """Run a program for at most ``seconds``.

    A program that hangs in the kernel (nvidia-smi on a lost GPU does) cannot be killed; it is left behind, not waited for.
    """
    environment = dict(os.environ, LC_ALL="C", **(env or {}))
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
        )
    except OSError as error:
        return Ran(None, err=str(error))
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        try:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate(timeout=1)
        except (OSError, subprocess.TimeoutExpired):
            pass
        return Ran(None, timed_out=True)
    return Ran(child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def home_folder() -> str:
    """$HOME where it is a folder, else the one in the password file."""
    home = os.environ.get("HOME")
    if home and os.path.isdir(home):
        return home
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return home or "/"
