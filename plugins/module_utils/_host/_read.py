# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Reading files and running programs so that neither can stop `host_facts`."""

from __future__ import annotations

import os
import pwd
import selectors
import signal
import stat
import subprocess
import time

# Bytes that are kept of a program's answer. The longest honest ones (nvidia-smi with 16 GPUs, dpkg's list) are below 1 MiB.
OUTPUT = 4 << 20


def content(path: str, limit: int) -> bytes | None:
    """The first ``limit`` bytes of a regular file; None for anything else.

    Opening a FIFO waits for a writer, a device may never end: neither is opened.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        parts = []
        left = limit
        while left > 0:
            part = os.read(handle, min(left, 1 << 20))
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(handle)


def read(root: str, path: str, limit: int = 1 << 20) -> str | None:
    """The text of the regular file ``path`` below ``root``, or None when it cannot be read. ``limit`` is in bytes."""
    found = content(under(root, path), limit)
    return None if found is None else found.decode("utf-8", "replace")


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
    """What a program answered: ``code`` (None: not started or stopped), ``out``, ``err``, ``timed_out``, ``too_long``."""

    def __init__(self, code: int | None, out: str = "", err: str = "", timed_out: bool = False, too_long: bool = False) -> None:
        self.code = code
        self.out = out
        self.err = err
        self.timed_out = timed_out
        self.too_long = too_long


def run(command: list, seconds: float = 10, env: dict | None = None, limit: int = OUTPUT) -> Ran:
    """Run a program for at most ``seconds``; it is stopped when it prints more than ``limit`` bytes.

    Its whole process group is killed, also what it left running in the background with our pipes. A program that hangs in the kernel
    (nvidia-smi on a lost GPU does) cannot be killed; it is left behind, not waited for.
    """
    environment = dict(os.environ, LC_ALL="C", **(env or {}))
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
        )
    except (OSError, ValueError) as error:
        return Ran(None, err=str(error))
    end = time.monotonic() + seconds
    parts: dict = {child.stdout: [], child.stderr: []}
    size = 0
    with selectors.DefaultSelector() as waiting:
        for stream in parts:
            os.set_blocking(stream.fileno(), False)
            waiting.register(stream, selectors.EVENT_READ)
        while waiting.get_map() and size <= limit and time.monotonic() < end:
            ready = waiting.select(min(0.2, max(0, end - time.monotonic())))
            for key, _events in ready:
                block = os.read(key.fd, 1 << 16)
                if not block:
                    waiting.unregister(key.fileobj)
                parts[key.fileobj].append(block)
                size += len(block)
            if not ready and child.poll() is not None:
                break  # it ended, and what it left in the background holds the pipes open
        held = bool(waiting.get_map())
    too_long = size > limit
    timed_out = False
    if not too_long:
        try:
            child.wait(timeout=max(0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            timed_out = True
    if held or too_long or timed_out:
        _stop(child)
    for stream in parts:
        stream.close()
    if timed_out or too_long:
        return Ran(None, timed_out=timed_out, too_long=too_long)
    out, err = (b"".join(parts[stream]).decode("utf-8", "replace") for stream in (child.stdout, child.stderr))
    return Ran(child.returncode, out, err)


def _stop(child) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(timeout=1)
    except (OSError, subprocess.TimeoutExpired):
        pass


def home_folder() -> str:
    """$HOME where it is a folder, else the one in the password file."""
    home = os.environ.get("HOME")
    if home and os.path.isdir(home):
        return home
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return home or "/"
