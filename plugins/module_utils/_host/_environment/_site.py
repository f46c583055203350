# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Where an environment is made: its folder, its disk, and the Pythons of the host. All that installers need to know."""

from __future__ import annotations

import os

from ansible_collections.rented.gpu.plugins.module_utils._host import _tools
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _surroundings
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._report import Trouble

# Free disk before a new environment: a plain one; torch for CPUs; torch with CUDA (5.9 GB measured, and room to unpack).
DISK_MB = 300
DISK_TORCH_CPU_MB = 2500
DISK_TORCH_MB = 9000


class Site:
    """``wanted`` are the module's arguments, ``run_command`` is the module's, ``others`` are the paths of this role's environments."""

    def __init__(self, wanted: dict, home: str, project, report, run_command, others: list) -> None:
        self.wanted, self.home, self.project, self.report, self.run_command = wanted, home, project, report, run_command
        self.path = wanted["path"] or os.path.join(project.folder, ".venv")
        if not os.path.isabs(self.path):
            raise Trouble("'project' or 'path' has to be an absolute path when python_env runs without its action plugin.")
        self.python = os.path.join(self.path, "bin", "python")
        self.version = ""  # of Python, when one is asked for
        self.lock: int | None = None
        self.cache: str | None = None
        self.search = _tools.folders(home)
        self._forget_active_environments({os.path.join(path, "bin") for path in [*others, self.path]})

    def _forget_active_environments(self, ours: set) -> None:
        """This module's shell may have an environment active, ours or another; it must not count as the host's Python.

        What else an image or the user has set about pip, uv and conda must not steer them.
        """
        from_files = _surroundings.from_pip_files(_surroundings.pip_files(self.home, dict(os.environ), self.path))
        _surroundings.clear(os.environ)
        os.environ.update({name: value for name, value in from_files.items() if name not in os.environ}, **_surroundings.SET)
        self.search = [folder for folder in self.search if folder not in ours and not _in_venv(folder)]
        path = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder not in ours and not _in_venv(folder)]
        os.environ["PATH"] = os.pathsep.join(path)

    def command(self, arguments: list, **values) -> tuple:
        """``(rc, out, err)`` of a program that runs in the project. It inherits the lock, so that an orphan is waited for."""
        cwd = self.project.folder if os.path.isdir(self.project.folder) else None
        passed = {"pass_fds": (self.lock,)} if self.lock is not None else {}
        if self.cache:
            values = {"UV_CACHE_DIR": os.path.join(self.cache, "uv"), "PIP_CACHE_DIR": os.path.join(self.cache, "pip"), **values}
        return self.run_command(arguments, cwd=cwd, environ_update=values, **passed)

    def interpreters(self) -> dict:
        """Path -> version of the host's interpreters; one that is only seen through an environment is named as itself."""
        found = {}
        for path, version in _tools.interpreters(self.home, self.search).items():
            path = os.path.realpath(path) if _in_venv(os.path.dirname(path)) else path
            if _tools.private(path):
                continue
            found[path] = version or _tools.python_version(path)
        return {path: version for path, version in found.items() if version}

    # --- disks -------------------------------------------------------------------------------------------------

    def free_mb(self) -> int:
        stat = os.statvfs(_existing(self.path))
        return stat.f_bavail * stat.f_frsize // (1 << 20)

    def check_disk(self, tag: str | None) -> None:
        """Whether the packages fit. ``tag`` is the build of torch."""
        needed = self.wanted["disk_mb"]
        if not needed:
            needed = DISK_MB
            if self.project.inputs.torch:
                needed = DISK_TORCH_CPU_MB if tag == "cpu" else DISK_TORCH_MB
        free = self.free_mb()
        if free < needed:
            raise Trouble(
                f"The disk of {self.path} has {free:.0f} MB free and this environment needs about {needed} MB: free "
                "some, set python_env_path to another disk, or rent a larger one (python_env_disk_mb changes the "
                "limit). Nothing was changed."
            )

    def choose_cache(self) -> str | None:
        """Where packages are cached; None for the usual place.

        It is the environment's own disk, so that packages are linked, not copied, and a small root disk stays free.
        """
        parent = _existing(self.path)
        usual = os.environ.get("XDG_CACHE_HOME") or os.path.join(self.home, ".cache")
        for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR"):
            if os.environ.get(name):
                return None
        if os.stat(_existing(usual)).st_dev == os.stat(parent).st_dev:
            return None
        workdir = self.wanted["workdir"]
        if workdir and os.path.isdir(workdir) and os.stat(workdir).st_dev == os.stat(parent).st_dev and os.access(workdir, os.W_OK):
            return os.path.join(workdir, ".cache")
        return os.path.join(os.path.dirname(self.path), ".cache")


def _in_venv(folder: str) -> bool:
    return os.path.isfile(os.path.join(os.path.dirname(folder), "pyvenv.cfg"))


def _existing(path: str) -> str:
    """The path, or the nearest folder above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
