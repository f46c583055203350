# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Makes environments with uv, which is fetched where the host has none that fits."""

from __future__ import annotations

import os
import platform
import time

from ansible_collections.rented.gpu.plugins.module_utils._host import _tools
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _requirements, _surroundings, _uv, _uv_versions
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._installer import Installer
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._report import Trouble

MOST_BUILDS = 6  # local packages that are tried one by one after a failure


class WithUv(Installer):
    MANAGER = "uv"

    def fetch(self) -> bool:
        version = self.wanted["uv_version"]
        specifier, where = _uv_versions.required(self.project.folder, self.site.home)
        specifier = _uv_versions.wish(version, self.wanted["uv_named"], specifier, where)
        there = [_tools.which("uv", self.site.search), *_uv.fetched(self.site.home)]
        self.uv = _uv.find([path for path in there if path], specifier)
        if self.uv:
            return False
        start = time.monotonic()
        try:
            if self.wanted["uv_wheel"]:
                self.uv, how = _uv.unpack(self.wanted["uv_wheel"], self.site.home), "sent by the controller"
            else:
                self.uv, how = _uv.fetch(self.site.home, version, self.wanted["index"], specifier, where)
        except _uv.Unobtainable as error:
            self.needs_uv = {
                "why": str(error), "machine": platform.machine(), "glibc": platform.libc_ver()[0] == "glibc",
                "specifier": specifier or "==" + version,
            }  # fmt: skip
            return False
        found = _uv.version_of(self.uv)
        if not found:
            raise Trouble(f"uv was put on the host ({self.uv}) but does not run there: use python_env_manager venv.")
        if specifier and not _uv_versions.allows(specifier, found):
            raise Trouble(f"uv {found} was put on the host, and {specifier} is asked ({where or 'python_env_uv_version'}).")
        self.report.took(f"uv {found} {how}", start)
        return True

    def fetched_folder(self) -> str:
        return os.path.dirname(self.uv) if self.uv and self.uv in _uv.fetched(self.site.home) else ""

    def download_python(self, version: str) -> tuple:
        rc, out, err = self.command([self.uv, "python", "install", version], UV_HTTP_RETRIES="1")
        if rc == 0:
            return version, "", ""
        output = (err + "\n" + out).strip()
        why = "the host cannot reach the place it would come from" if _uv.unreachable(output) else _uv.cause(output).rstrip(".")
        return None, why, output

    def create(self) -> None:
        chosen = ["--python", self.interpreter] if self.interpreter else []
        self.must(f"The environment {self.site.path} could not be made", [self.uv, "venv", "--allow-existing", *chosen, self.site.path])

    def install(self, tag: str | None) -> str | None:
        files = [self.project.path(name) for name in self.requirements()]
        locks = [path for path in files if _requirements.LOCKS.search(path)]
        files = [path for path in files if path not in locks]
        if self.project.syncs():
            self.sync()
        base = [self.uv, "pip", "install", "--python", self.site.python, *(["--reinstall"] if self.doubtful else []), *self.rebuild.flags()]
        for path in locks:
            self.must(f"The lock file {path} cannot be installed", [*base, "-r", path])
        # With pip: `pip install` typed by a person must go into this environment, not beside it.
        packages = ["pip", *self.wanted["packages"]]
        if self.project.inputs.hashed and files:
            self.must("pip cannot be installed", [*base, "pip"])
            packages = self.wanted["packages"]
        command = base + [part for path in files for part in ("-r", path)]
        tail = ["--", *packages]
        rc, out, err = self.command(command + (["--torch-backend", tag] if tag else []) + tail)
        if rc and tag and self.wanted["torch"] == "auto" and _uv.torch_index_unreachable(err):
            self.report.warnings.append(f"The host cannot reach the index of torch builds for {tag}: torch is taken from the usual index.")
            self.site.check_disk(None)
            tag = None
            rc, out, err = self.command(command + tail)
        if rc:
            self.fail(f"What {self.project.asked_in()} asks for cannot be installed", err + "\n" + out)
        return tag

    def requirements(self) -> list:
        return self.wanted["requirements"]

    def sync(self) -> None:
        lock = self.project.path("uv.lock")
        locked = os.path.exists(lock)
        command = [self.uv, "sync", "--inexact", "--python", self.site.python]
        command += ["--frozen"] if locked else []
        command += [part for extra in self.wanted["extras"] for part in ("--extra", extra)] + self.rebuild.flags()
        try:
            self.must(f"The project {self.project.folder} cannot be synced", command, UV_PROJECT_ENVIRONMENT=self.site.path)
        finally:
            # A lock file that the project did not have would make the checkout differ from its repository.
            if not locked and os.path.exists(lock):
                os.unlink(lock)

    def command(self, arguments: list, **values) -> tuple:
        if arguments[0] == self.uv:
            values = dict(_surroundings.for_uv(self.site.home, dict(os.environ)), **values)
        return super().command(arguments, **values)

    def which_fails(self) -> list:
        """uv does not name a package whose name only its build tells: the first that does not build by itself."""
        packages = self.project.inputs.packages
        for path in sorted(packages)[:MOST_BUILDS]:
            if self.command([self.uv, "pip", "install", "--python", self.site.python, "--no-deps", "--dry-run", path])[0]:
                return [packages[path].name or os.path.basename(path)]
        return []
