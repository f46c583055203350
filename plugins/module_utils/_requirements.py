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

from . import _stamps

TORCH = ("torch", "torchvision", "torchaudio")
LOCKS = re.compile(r"(^|/)pylock(\.[^/]+)?\.toml$")
_INCLUDE = re.compile(r"^(?:-r|--requirements?|-c|--constraints?)[ =]*(\S.*)$")
_INDEX = re.compile(r"^(?:-i|--index-url|--extra-index-url|-f|--find-links|--index|--default-index)\b")
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*)$")


class Wrong(Exception):
    """A requirements file that cannot be used: a sentence."""


class Inputs:
    """The files of an environment. ``files``: absolute path -> SHA-256; ``torch``: what is asked of it."""

    def __init__(self) -> None:
        self.files: dict = {}
        self.torch: list = []  # the specifiers, such as "==2.6.0" or ""
        self.hashed = False  # a file gives hashes: then everything must have one
        self.own_index = False  # a file names an index: its author has decided where torch comes from

    def read(self, path: str, named_by: str | None = None) -> None:
        """Add a file and what it includes. Raises `Wrong`."""
        path = os.path.normpath(path)
        if path in self.files:
            return
        content = _content(path, named_by)
        self.files[path] = _stamps.file_digest(path)
        if path.endswith((".toml", ".yml", ".yaml")):
            self.note_torch_in(content)
            return
        self.hashed = self.hashed or " --hash" in content
        for line in _lines(content):
            include = _INCLUDE.match(line)
            if include:
                target = include.group(1).strip("\"'")
                if "://" not in target:
                    self.read(os.path.join(os.path.dirname(path), target), named_by=path)
            elif _INDEX.match(line):
                self.own_index = True
            else:
                self.note(line)

    def note(self, requirement: str) -> None:
        """Look at one requirement, such as "torch==2.6.0+cu124"."""
        found = _NAME.match(requirement)
        if found and found.group(1).lower().replace("_", "-") in TORCH:
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


def _content(path: str, named_by: str | None) -> str:
    try:
        with open(path, "rb") as handle:
            content = handle.read()
    except OSError as error:
        if named_by:
            raise Wrong("%s includes %s, which cannot be read (%s)." % (named_by, path, error.strerror))
        raise Wrong("%s cannot be read (%s)." % (path, error.strerror))
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Wrong("%s is UTF-16, as PowerShell's > writes it: save it as UTF-8." % path)
    return content.decode("utf-8", "replace")


def _lines(content: str) -> list:
    """The lines of a requirements file: joined where they end in a backslash, without comments."""
    lines = re.sub(r"\\\r?\n", " ", content.lstrip("\ufeff")).splitlines()
    return [line for line in (re.sub(r"(^|\s)#.*$", "", line).strip() for line in lines) if line]


def python_version(asked: str) -> str:
    """The version, such as "3.11" or "3.12.4", in what people write ("python3.8.5", "3.11", "==3.11"). Raises `Wrong`."""
    found = re.match(r"^(?:c?python)?[-=\s]*(\d+(?:\.\d+){0,2})$", asked.strip().lower())
    if not found or found.group(1).split(".")[0] != "3":
        raise Wrong("python_env_python is %r; it takes a version such as '3.11' or '3.12.4'." % asked)
    return found.group(1)


def satisfies(version: str | None, asked: str) -> bool:
    """Whether interpreter version "3.11.2" is what "3.11" asks for."""
    if not version or not asked:
        return not asked
    parts = asked.split(".")
    return version.split(".")[: len(parts)] == parts
