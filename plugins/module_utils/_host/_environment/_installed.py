# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What is installed in a Python environment, and what of it has to be built anew. Read from its files; nothing is run."""

from __future__ import annotations

import json
import os
import re
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils._host import _sources

from . import _requirements


def folders(env: str) -> list:
    """The folders that hold an environment's packages."""
    library = os.path.join(env, "lib")
    found = [os.path.join(library, version, "site-packages") for version in sorted(_names(library))]
    return [folder for folder in found if os.path.isdir(folder)]


def packages(env: str) -> list:
    """``name==version`` of each installed distribution, from the names of folders."""
    found = set()
    for folder in folders(env):
        for name in _names(folder):
            if name.endswith((".dist-info", ".egg-info")):
                found.add(re.sub(r"-py\d[\d.]*$", "", name.rsplit(".", 1)[0]).replace("-", "==", 1))
    return sorted(found, key=str.lower)


def names(env: str) -> set:
    """The canonical names of `packages`, and of what old installers link in place."""
    found = {_requirements.canonical(package.split("==")[0]) for package in packages(env)}
    for folder in folders(env):
        found |= {_requirements.canonical(name[: -len(".egg-link")]) for name in _names(folder) if name.endswith(".egg-link")}
    return found


def from_paths(env: str) -> dict:
    """Path on this disk -> name of the distribution that was installed from there (``direct_url.json``, PEP 610)."""
    found = {}
    for folder in folders(env):
        for name in _names(folder):
            if not name.endswith(".dist-info"):
                continue
            try:
                with open(os.path.join(folder, name, "direct_url.json"), encoding="utf-8") as handle:
                    url = json.load(handle)["url"]
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if isinstance(url, str) and url.startswith("file://"):
                found[os.path.normpath(urllib.parse.unquote(url[len("file://") :]))] = name.split("-")[0]
    return found


def _names(folder: str) -> list:
    try:
        return os.listdir(folder)
    except OSError:
        return []


class Rebuild:
    """Which local packages differ from what the environment was built from.

    ``built`` is what the last complete run noted (`state`). ``names`` are built anew; ``nameless`` says that one of them has a name
    that only its build tells; ``wheels`` and ``linked`` are those that pip takes for installed, because their version is the same.
    """

    def __init__(self, inputs, built: dict, env: str) -> None:
        there = from_paths(env)
        self.state: dict = {}
        self.names: set = set()
        self.nameless = False
        self.wheels: list = []
        self.linked: set = set()
        for path, package in sorted(inputs.packages.items()):
            self.state[path] = [package.kind, package.digest()]
            if built.get(path) != self.state[path]:
                known = {name for name in (there.get(path), there.get(os.path.realpath(path)), package.name) if name}
                self.names |= known
                self.nameless = self.nameless or not known
                if path.endswith(".whl"):
                    self.wheels.append(path)
        for folder in sorted(inputs.links):
            marks = _sources.archives(folder)
            self.state["links " + folder] = marks
            before = built.get("links " + folder)
            before = before if isinstance(before, dict) else {}
            changed = {re.split(r"-\d", name)[0] for name in marks if before.get(name) != marks[name]}
            self.linked |= {_requirements.canonical(name) for name in changed}
        for path, digest in inputs.files.items():
            if path.endswith((".yml", ".yaml")):
                self.state["file " + path] = digest
        self.names |= self.linked

    def flags(self) -> list:
        """The options with which uv builds these anew."""
        found = [part for name in sorted(self.names) for part in ("--reinstall-package", name)]
        return found + (["--refresh"] if self.nameless else [])
