# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Makes environments with micromamba, mamba or conda, whichever the host has. Requirements files are installed with uv."""

from __future__ import annotations

import os

from ansible_collections.rented.gpu.plugins.module_utils._host import _shell_files
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._report import Trouble
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._with_uv import WithUv

PROGRAMS = ("micromamba", "mamba", "conda")


class WithConda(WithUv):
    MANAGER = "conda"

    def find(self) -> None:
        home = self.site.home
        folders = [*self.site.search, os.path.join(home, "micromamba", "bin"), "/opt/micromamba/bin", "/opt/mamba/bin"]
        there = [path for name in PROGRAMS for path in (os.path.join(folder, name) for folder in folders) if os.path.isfile(path)]
        self.conda = next((path for path in there if os.access(path, os.X_OK)), None)
        if not self.conda:
            raise Trouble(
                "python_env_manager is conda, but the host has no micromamba, mamba or conda (looked in PATH, ~/miniforge3, "
                "~/miniconda3, /opt/conda). Rent an image that has it, put micromamba into ~/.local/bin, or use python_env_manager uv. "
                "Nothing was changed."
            )
        self.is_micromamba = os.path.basename(self.conda) == "micromamba"

    def choose_python(self) -> None:
        """conda installs the version that is asked for as a package."""

    def create(self) -> None:
        files, env = self.project.conda_files(), self.site.path
        if files:
            verb = [self.conda, "create", "-y"] if self.is_micromamba else [self.conda, "env", "create"]
            command = [*verb, "-p", env, "-f", self.project.path(files[0])]
        else:
            python = "python=" + self.site.version if self.site.version else "python"
            command = [self.conda, "create", "-y", "-p", env, python, "pip"]
        self.must(f"The conda environment {env} could not be made", command)
        _shell_files.write(os.path.join(env, ".gitignore"), "*\n")

    def install(self, tag: str | None) -> str | None:
        if not self.fresh:
            self._update()
        return super().install(tag)

    def requirements(self) -> list:
        return [name for name in self.wanted["requirements"] if name not in self.project.conda_files()]

    def _update(self) -> None:
        """Bring an environment to a changed environment.yml."""
        for name in self.project.conda_files():
            path = self.project.path(name)
            if self.built.get("file " + path) != self.project.inputs.files.get(path):
                verb = [self.conda, "update", "-y"] if self.is_micromamba else [self.conda, "env", "update"]
                self.must(f"What {name} asks for cannot be installed", [*verb, "-p", self.site.path, "-f", path])
