# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a Python environment is made from: requirements files with all that they include, and what they say about torch.

The installer reads the files itself; here they are only looked through. Python 3.8 and the standard library are enough.
"""

from __future__ import annotations

import os
import re

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown

from . import _local_packages, _requirement_lines
from ._requirement_lines import Wrong

TORCH = ("torch", "torchvision", "torchaudio")
LOCKS = re.compile(r"(^|/)pylock(\.[^/]+)?\.toml$")
_INCLUDE = re.compile(r"^(?:-r|--requirements?|-c|--constraints?)[ =]*(\S.*)$")
_INDEX = re.compile(r"^(?:-i|--index-url|--extra-index-url|-f|--find-links|--index|--default-index)\b")
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*)$")


class Inputs:
    """What an environment is made from.

    ``files``: absolute path -> SHA-256; ``packages``: absolute path -> local package; ``links``: folders of wheels and sdists;
    ``names``: what has to be installed in the end; ``torch``: what is asked of it.
    """

    def __init__(self, project: str = "") -> None:
        self.project = project  # pip and uv run here: relative paths in a requirements file begin here
        self.files: dict = {}
        self.packages: dict = {}
        self.links: set = set()
        self.names: set = set()
        self.torch: list = []  # the specifiers, such as "==2.6.0" or ""
        self.hashed = False  # a file gives hashes: then everything must have one
        self.own_index = False  # a file names an index: its author has decided where torch comes from

    def read(self, path: str, named_by: str | None = None, constraints: bool = False) -> None:
        """Add a file and what it includes. Raises `Wrong`."""
        path = os.path.normpath(path)
        if path in self.files:
            return
        content = _content(path, named_by)
        self.files[path] = _stamps.file_digest(path)
        if path.endswith((".toml", ".yml", ".yaml")):
            self.note_torch_in(content)
            self.note_pip_in(path, content)
            return
        if os.path.basename(path) == "uv.lock":
            return
        _requirement_lines.check(path, content)
        self.hashed = self.hashed or " --hash" in content
        for number, line in _requirement_lines.lines(content):
            include = _INCLUDE.match(line)
            if include:
                target = include.group(1).strip("\"'")
                if "://" not in target:
                    self.read(os.path.join(os.path.dirname(path), target), path, constraints or line.startswith(("-c", "--c")))
            elif _INDEX.match(line):
                self.own_index = True
                self.note_links(line, os.path.dirname(path))
            elif not constraints:
                self.note(line, f"{path}, line {number}")

    def note_links(self, line: str, folder: str) -> None:
        """Watch the folder of a ``--find-links``. pip and uv look beside the file, and pip in the project too."""
        named = _local_packages.links(line)
        for top in (folder, self.project):
            if not named:
                return
            path = os.path.normpath(os.path.join(top, named))
            if os.path.isdir(path):
                self.links.add(path)

    def note_settings(self, path: str) -> None:
        """Watch a file with settings of uv, and the folders of wheels that it names. Raises `Wrong`."""
        text = _content(path, None)
        self.files.setdefault(os.path.normpath(path), _stamps.file_digest(path))
        for named in _local_packages.links_of(text, path.endswith("uv.toml")):
            folder = os.path.normpath(os.path.join(os.path.dirname(path), named))
            if os.path.isdir(folder):
                self.links.add(folder)

    def note_local(self, reference: tuple, where: str, optional: bool = False) -> None:
        """Watch a package on the host. Raises `Wrong` when it has to be there and is not."""
        written, editable, name = reference
        path = os.path.normpath(os.path.join(self.project or os.path.dirname(where), os.path.expanduser(written)))
        if not os.path.exists(path):
            if optional:
                return
            raise Wrong(
                f"{where}: '{written}' is not on the host (looked for {path}). Bring it with repos_list or "
                "data_sync_items, correct the path, or name the package by its name and version."
            )
        if name and not optional:
            self.names.add(canonical(name))
        self.add_package(path, editable, name)

    def add_package(self, path: str, editable: bool, name: str | None) -> None:
        """Watch a local package, and what its own pyproject.toml points to."""
        if path in self.packages:
            self.packages[path].editable = self.packages[path].editable and editable
            return
        self.packages[path] = _local_packages.Package(path, editable, name or _local_packages.name_of(path))
        if os.path.isdir(path):
            self.follow(path)

    def follow(self, folder: str) -> None:
        """Watch what the pyproject.toml and the uv.lock of a folder point to."""
        for name, of in (("pyproject.toml", _local_packages.of_pyproject), ("uv.lock", _local_packages.of_lock)):
            try:
                text = _content(os.path.join(folder, name), None)
            except Wrong:
                continue
            for written, editable, package in of(text):
                for path in _local_packages.members(folder, written):
                    if os.path.exists(path) and path != os.path.normpath(folder):
                        self.add_package(path, editable, package)

    def add_project(self, folder: str, extras: list) -> None:
        """The project itself, which is installed in place by `uv sync`, with what its pyproject.toml asks for."""
        self.add_package(os.path.normpath(folder), True, None)
        try:
            text = _content(os.path.join(folder, "pyproject.toml"), None)
        except Wrong:
            return
        project = _local_packages.section_of(text, r"project")
        optional = _local_packages.section_of(text, r"project\.optional-dependencies")
        arrays = [_array(project, "dependencies")] + [_array(optional, re.escape(extra)) for extra in extras]
        own = _local_packages.name_of(folder)
        for requirement in [requirement for array in arrays for requirement in array]:
            found = _NAME.match(requirement)
            if found and ";" not in requirement and canonical(found.group(1)) != canonical(own or ""):
                self.names.add(canonical(found.group(1)))

    def note_pip_in(self, path: str, text: str) -> None:
        """The part of an environment.yml that conda hands to pip."""
        if not path.endswith((".yml", ".yaml")):
            return
        block = re.search(r"^(\s*)-\s*pip:\s*\n((?:\1\s+-.*(?:\n|$)|\s*(?:#.*)?\n)+)", text, re.M)
        folder = os.path.dirname(path)
        for line in re.findall(r"^\s*-\s+(.*?)\s*$", block.group(2), re.M) if block else []:
            line = re.sub(r"\s#.*$", "", line).strip("\"'")
            include = _INCLUDE.match(line)
            if include and "://" not in include.group(1):
                self.read(os.path.join(folder, include.group(1)), path)
                continue
            reference = None if include else _local_packages.reference(line)
            if reference:
                self.note_local((os.path.join(folder, reference[0]),) + reference[1:], path)

    def note(self, requirement: str, where: str = "python_env_packages") -> None:
        """Look at one requirement, such as "torch==2.6.0+cu124" or "-e ./lib"."""
        reference = _local_packages.reference(requirement)
        if reference:
            return self.note_local(reference, where, optional=";" in requirement)
        found = _NAME.match(requirement)
        if found and not found.group(2).startswith((":", "+")):
            name = canonical(found.group(1))
            if ";" not in requirement:  # a marker may leave it out
                self.names.add(name)
            if name in TORCH:
                self.torch.append(found.group(2).split(";")[0].split(" --hash")[0].strip())

    def note_torch_in(self, text: str) -> None:
        """Look through a pyproject.toml or environment.yml, which only the installer can read properly."""
        for name, rest in re.findall(r"""(?:["']|-\s+)(torch|torchvision|torchaudio)\b([^"'\n]*)""", text):
            del name
            self.torch.append(rest.strip())

    @property
    def torch_pinned(self) -> bool:
        """Whether the build of torch is fixed: by a local version ("+cu124") or an address."""
        return any("+" in spec or spec.startswith("@") for spec in self.torch)

    @property
    def torch_version(self) -> str | None:
        """The exact version of torch that is asked, if one is."""
        for spec in self.torch:
            found = re.match(r"={2,3}\s*(\d[\d.]*)", spec)
            if found:
                return found.group(1)
        return None


def included(text: str) -> list:
    """The files that a requirements file names, without those of the web."""
    found = [_INCLUDE.match(line) for _number, line in _requirement_lines.lines(text)]
    names = [include.group(1).strip("\"'") for include in found if include]
    return [name for name in names if "://" not in name]


def _content(path: str, named_by: str | None) -> str:
    try:
        with open(path, "rb") as handle:
            content = handle.read()
    except OSError as error:
        if named_by:
            raise Wrong(f"{named_by} includes {path}, which cannot be read ({error.strerror}).")
        raise Wrong(f"{path} cannot be read ({error.strerror}).")
    return _requirement_lines.decoded(content, path)


def _array(text: str, key: str) -> list:
    """The strings of a TOML array."""
    found = re.search(r"""^\s*["']?%s["']?\s*=\s*\[((?:[^\]"']|"[^"]*"|'[^']*')*)\]""" % key, text, re.M)
    return [one or two for one, two in re.findall(r""""([^"]*)"|'([^']*)'""", re.sub(r"(?m)^\s*#.*$", "", found.group(1)))] if found else []


def describes_project(path: str) -> bool:
    """Whether a pyproject.toml has more than settings of tools."""
    try:
        return bool(re.search(r"^\s*\[\s*project\s*\]", _content(path, None), re.M))
    except Wrong:
        return False


def canonical(name: str) -> str:
    """The form in which two spellings of a package's name are one (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python_version(asked: str) -> str:
    """The version, such as "3.11" or "3.12.4", in what people write ("python3.8.5", "3.11", "==3.11"). Raises `Wrong`."""
    found = re.match(r"^(?:c?python)?[-=\s]*(\d+(?:\.\d+){0,2})$", asked.strip().lower())
    if not found or found.group(1).split(".")[0] != "3":
        raise Wrong(f"python_env_python is '{shown(asked)}'; it takes a version such as '3.11' or '3.12.4'.")
    return found.group(1)


def satisfies(version: str | None, asked: str) -> bool:
    """Whether interpreter version "3.11.2" is what "3.11" asks for."""
    if not version or not asked:
        return not asked
    parts = asked.split(".")
    return version.split(".")[: len(parts)] == parts
