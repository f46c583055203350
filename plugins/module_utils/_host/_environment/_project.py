# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The project on the host: what it asks to be installed, read and refused before anything changes."""

from __future__ import annotations

import os
import shlex

from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _git_exclude, _requirements
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._report import Trouble

FILES = ("pyproject.toml", "uv.lock", ".python-version")
CONDA = (".yml", ".yaml")  # the endings of a conda environment's description


class Project:
    """The project's folder, and the module's arguments about it (``wanted``). `inputs` is complete after `read`."""

    def __init__(self, wanted: dict, warnings: list) -> None:
        self.wanted, self.warnings = wanted, warnings
        self.folder = wanted["project"]
        self.inputs = _requirements.Inputs(self.folder)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def has(self, name: str) -> bool:
        return os.path.exists(self.path(name))

    def read(self, check_mode: bool) -> bool:
        """Read all inputs; returns whether the project is there. Raises `Trouble` for what is missing."""
        wanted = self.wanted
        if not _cuda.CHOICES.match(wanted["torch"]):
            raise Trouble(f"python_env_torch is '{wanted['torch']}'; it takes auto, none, cpu or a CUDA tag such as cu126.")
        if not os.path.isdir(self.folder):
            if not check_mode and (wanted["requirements"] or wanted["extras"]):
                raise Trouble(
                    f"The project {self.folder} is not on the host: name it in repos_list and run the role repos "
                    "before python_env, or set python_env_project."
                )
            return False
        for name in wanted["requirements"]:
            if not self._read_requirements(name):
                return False
        for package in wanted["packages"]:
            self.inputs.note(package)
        self._read_project_files()
        self._check_extras()
        self._mention_unread()
        return True

    def _read_requirements(self, name: str) -> bool:
        if not self.has(name):
            if self.wanted["pending"]:
                return False
            raise Trouble(
                f"The requirements file {name} is not in the project {self.folder}, which has: "
                f"{self.listing()}. Nothing was changed. Correct python_env_requirements."
            )
        if _requirements.LOCKS.search(name) and self.wanted["manager"] != "uv":
            raise Trouble(f"{name} is a lock file that only uv reads: set python_env_manager to uv.")
        if name.endswith(CONDA) and self.wanted["manager"] != "conda":
            raise Trouble(f"{name} describes a conda environment: set python_env_manager to conda.")
        self.inputs.read(self.path(name))
        return True

    def _read_project_files(self) -> None:
        for name in FILES:
            if self.has(name) and (name == ".python-version" or self.syncs()):
                self.inputs.read(self.path(name))
        for name in ("uv.toml", "pyproject.toml"):  # settings of uv, such as required-version and indexes
            if self.has(name) and self.wanted["manager"] != "venv":
                self.inputs.note_settings(self.path(name))
        if self.syncs():
            self.inputs.add_project(self.folder, self.wanted["extras"])

    def _check_extras(self) -> None:
        extras = self.wanted["extras"]
        if extras and not self.has("pyproject.toml"):
            raise Trouble(
                f"python_env_extras names {', '.join(extras)}, but the project {self.folder} has no "
                f"pyproject.toml; it has: {self.listing()}. Nothing was changed."
            )
        if extras and self.wanted["manager"] == "conda":
            raise Trouble("python_env_extras needs python_env_manager uv or venv, not conda.")

    def _mention_unread(self) -> None:
        unread = [name for name in ("requirements.txt", "pyproject.toml") if self.has(name)]
        if self.syncs() and not self.wanted["requirements"]:
            return
        if unread and not any(self.wanted[name] for name in ("requirements", "extras", "packages")):
            self.warnings.append(
                f"{self.folder} has {' and '.join(unread)}, which nothing asks for: name it in python_env_requirements to install it."
            )

    def listing(self) -> str:
        names = sorted(name + ("/" if os.path.isdir(self.path(name)) else "") for name in os.listdir(self.folder))
        names = [name for name in names if name not in (".git/", ".venv/")]
        return (", ".join(names[:25]) + (" …" if len(names) > 25 else "")) or "nothing"

    def syncs(self) -> bool:
        """Whether the pyproject.toml is what is installed.

        It is when extras are asked, and when no requirements are asked and it has a lock file or is all that the project has.
        """
        if not self.has("pyproject.toml"):
            return False
        if self.wanted["extras"]:
            return True
        if self.wanted["requirements"] or self.wanted["manager"] == "conda":
            return False
        locked = self.has("uv.lock") and self.wanted["manager"] == "uv"
        alone = not self.has("requirements.txt")
        return locked or (alone and _requirements.describes_project(self.path("pyproject.toml")))

    def refuse_tracked(self, env: str) -> None:
        """An environment in tracked files would make the checkout differ from its repository, and no update could pass."""
        files = _git_exclude.tracked(self.folder, env)
        if files:
            name = os.path.relpath(env, self.folder)
            raise Trouble(
                f"The repository of {self.folder} contains a virtual environment ({files[0]} and {len(files) - 1} more files in {name}), "
                "which works on the computer where it was made only. Take it out of the repository with 'git rm -r -q --cached "
                f"{shlex.quote(name)}', add '{name}/' to .gitignore, commit, and run again; or set python_env_path to another folder. "
                "Nothing was changed."
            )

    def asked_in(self) -> str:
        """Where the user named what is installed, for messages."""
        named = self.wanted["requirements"] + (["python_env_packages"] if self.wanted["packages"] else [])
        return " and ".join(named) or ("python_env_extras" if self.wanted["extras"] else "the role itself")

    def conda_files(self) -> list:
        return [name for name in self.wanted["requirements"] if name.endswith(CONDA)]
