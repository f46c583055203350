# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Makes environments with the host's own Python and pip."""

from __future__ import annotations

import os
import shutil
import sys

from ansible_collections.rented.gpu.plugins.module_utils._host import _shell_files, _tools
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _installed
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._installer import Installer
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._report import Trouble


class WithVenv(Installer):
    MANAGER = "venv"

    def create(self) -> None:
        env = self.site.path
        python = self.interpreter or _tools.which("python3", self.site.search) or os.path.realpath(sys.executable)
        if _tools.private(python):
            raise Trouble("The host has no Python of its own for python_env_manager venv: add python3-venv to ready_packages, or use uv.")
        rc, out, err = self.command([python, "-m", "venv", env])
        if rc and "ensurepip" in out + err:
            shutil.rmtree(env, ignore_errors=True)
            raise Trouble(
                f"{python} cannot make environments, because the package python3-venv is missing: add it to "
                "ready_packages, or use python_env_manager uv, which does not need it.",
                details=(out + err).strip(),
            )
        if rc:
            self.fail(f"The environment {env} could not be made", err + "\n" + out)
        ignore = os.path.join(env, ".gitignore")
        if not os.path.exists(ignore):
            _shell_files.write(ignore, "*\n")

    def install(self, tag: str | None) -> str | None:
        pip = [self.site.python, "-m", "pip"]
        there = self.rebuild.linked & _installed.names(self.site.path)
        if there:  # pip takes a package of the same version for the same package
            self.must("What was replaced cannot be taken out", [*pip, "uninstall", "-y", *sorted(there)])
        files = [self.project.path(name) for name in self.wanted["requirements"]]
        command = [*pip, "install"] + [part for path in files for part in ("-r", path)]
        syncs, extras = self.project.syncs(), self.wanted["extras"]
        if syncs:
            command += ["-e", self.project.folder + (f"[{','.join(extras)}]" if extras else "")]
        if files or self.wanted["packages"] or syncs:
            self.must(f"What {self.project.asked_in()} asks for cannot be installed", [*command, "--", *self.wanted["packages"]])
        if self.rebuild.wheels:
            again = [*pip, "install", "--no-deps", "--force-reinstall", "--", *self.rebuild.wheels]
            self.must("The replaced wheels cannot be installed", again)
        return None
