# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What the installers share. Each makes an environment and fills it: `_with_uv`, `_with_venv`, `_with_conda`."""

from __future__ import annotations

import os

from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda, _urls
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import (
    _build_errors,
    _installed,
    _requirements,
    _uv,
    _uv_versions,
)
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._report import Trouble


class Installer:
    """In the order of use: `find`, `fetch`, `choose_python`, `begin`, `create`, `install`."""

    MANAGER = ""

    def __init__(self, site) -> None:
        self.site, self.project, self.wanted, self.report = site, site.project, site.wanted, site.report
        self.interpreter: str | None = None  # for a new environment; None: the installer's own choice
        self.uv: str | None = None  # the uv that is used
        self.needs_uv: dict | None = None  # why the host cannot fetch uv, and what its machine is

    def find(self) -> None:
        """Look for the program that the host must have. Raises `Trouble` before anything changes."""

    def fetch(self) -> bool:
        """Fetch the program that can be fetched; returns whether that was necessary."""
        return False

    def fetched_folder(self) -> str:
        """Where the program lies that the role fetched; empty when the host's own is used."""
        return ""

    def choose_python(self) -> None:
        """The interpreter of a new environment: one of the host's that is of the version asked for, else one that is downloaded."""
        wanted = self.site.version
        if not wanted:
            return
        known = self.site.interpreters()
        fitting = [(_cuda.version(version), path) for path, version in known.items() if _requirements.satisfies(version, wanted)]
        if fitting:
            self.interpreter = max(fitting)[1]
            return
        self.interpreter, why, output = self.download_python(wanted)
        if self.interpreter:
            return
        there = ", ".join(f"{version} ({path})" for path, version in sorted(known.items(), key=lambda item: _cuda.version(item[1])))
        raise Trouble(
            f"Python {wanted} cannot be had: the host has {there or 'none'}, and it could not be downloaded "
            f"({why}). Nothing was changed. Set python_env_python to a version that is there, install it with "
            "ready_packages, or rent an image that has it.",
            details=output[-6000:],
        )

    def download_python(self, version: str) -> tuple:
        """``(interpreter or None, why not, output)``."""
        return None, f"python_env_manager {self.MANAGER} downloads none", ""

    def begin(self, fresh: bool, doubtful: bool, built: dict) -> None:
        """``fresh``: the environment is new. ``doubtful``: the user's own, and a run of this role was interrupted in it.

        ``built``: what local packages were built from; what differs now is built anew.
        """
        self.fresh, self.doubtful, self.built = fresh, doubtful, built
        self.rebuild = _installed.Rebuild(self.project.inputs, built, self.site.path)

    def create(self) -> None:
        """Make the environment."""
        raise NotImplementedError

    def install(self, tag: str | None) -> str | None:
        """Install all that is asked. Returns the tag of torch that was really used, or None."""
        raise NotImplementedError

    # --- running programs --------------------------------------------------------------------------------------

    def command(self, arguments: list, **values) -> tuple:
        return self.site.command(arguments, **values)

    def must(self, what: str, arguments: list, **values) -> None:
        """Run a program; when it fails, ``what`` begins the sentence."""
        rc, out, err = self.command(arguments, **values)
        if rc:
            self.fail(what, err + "\n" + out)

    def fail(self, what: str, output: str) -> None:
        full = _uv.no_space(output)
        if full:
            said = f"The disk of {self.site.path} is full ({self.site.free_mb()} MB free): free some, or rent a larger one."
        elif _uv.unreachable(output):
            address = _uv.address(output)
            said = f"{what}: the host cannot reach {_urls.without_secrets(address) if address else 'the package index'}."
        else:
            said = f"{what}: {self.cause(output)}"
        raise Trouble(said, details=output.strip()[-6000:], disk_full=full)

    def cause(self, output: str) -> str:
        """What the installer's error means, and the way out where there is one."""
        packages = self.project.inputs.packages
        local = sorted({package.name or os.path.basename(path) for path, package in packages.items()})
        if len(local) > 1 and _build_errors.happened(output) and not _build_errors.package(output):
            local = self.which_fails() or local
        built = _build_errors.sentence(output, self.wanted["manager"], local)
        if built:
            return built
        required = _uv_versions.mismatch(output)
        if required:
            return required
        cure = _build_errors.fits_not(output)
        return _uv.cause(output) + (" " + cure if cure else "")

    def which_fails(self) -> list:
        """The local package whose build fails, where the installer does not name it."""
        return []
