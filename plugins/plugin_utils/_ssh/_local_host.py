# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The machine that Ansible itself runs on, as a host: a notebook's terminal, or an instance that prepares itself. There is no ssh there."""

from __future__ import annotations

import contextlib
import os
import sys


def is_here(connection) -> bool:
    """Whether the host of a task is this machine (``-c local``)."""
    return getattr(connection, "transport", "") == "local"


def home() -> str:
    """The user's home; the root folder where there is none."""
    path = os.path.expanduser("~")
    return path if os.path.isdir(path) else "/"


def same_place(source: str, dest: str) -> bool:
    """Whether two paths of this machine are one."""
    return os.path.realpath(source) == os.path.realpath(dest)


def inside(path: str, folder: str) -> bool:
    """Whether a path of this machine is below a folder."""
    return os.path.realpath(path).startswith(os.path.realpath(folder).rstrip("/") + "/")


@contextlib.contextmanager
def own_environment_left():
    """Inside, programs do not see the environment that Ansible itself is installed in: it is not the user's Python.

    Modules inherit this process's surroundings where there is no login between them.
    """
    folder = os.path.join(sys.prefix, "bin")
    before = {name: os.environ.get(name) for name in ("PATH", "VIRTUAL_ENV")}
    if sys.prefix != sys.base_prefix:
        kept = [part for part in (before["PATH"] or "").split(os.pathsep) if os.path.realpath(part) != os.path.realpath(folder)]
        os.environ["PATH"] = os.pathsep.join(kept)
        if before["VIRTUAL_ENV"] and same_place(before["VIRTUAL_ENV"], sys.prefix):
            del os.environ["VIRTUAL_ENV"]
    try:
        yield
    finally:
        for name, value in before.items():
            if value is not None:
                os.environ[name] = value
