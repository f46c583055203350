# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The settings of python_env: what of them, and of a local checkout that they name, can be seen to be wrong before the first login."""

from __future__ import annotations

import functools
import os
import posixpath
import shlex

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _requirement_lines, _requirements, _uv_versions
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _item_specs, _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _repository
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _specs

INCLUDES_DEEP = 5


@functools.lru_cache(maxsize=1)
def default_uv() -> str:
    """The release of uv that the role brings."""
    return str(_specs.options_of("python_env")["python_env_uv_version"]["default"])


def wrong(python: str, torch: str, uv_version: str) -> str | None:
    """What is wrong with these settings, in a sentence; None when nothing is."""
    try:
        if python.strip():
            _requirements.python_version(python)
        _uv_versions.refuse_old(uv_version)
    except (_requirements.Wrong, _uv_versions.Unusable) as error:
        return str(error)
    if not _cuda.CHOICES.match(torch):
        return f"python_env_torch is '{shown(torch)}'; it takes auto, none, cpu or a CUDA tag such as cu126."
    return None


def preflight_python_env(settings: dict) -> None:
    """Look at the settings, and at the project in a local checkout as it will be sent. Raises `Failure`."""
    version = str(settings.get("python_env_uv_version") or default_uv())
    said = wrong(str(settings.get("python_env_python") or ""), str(settings.get("python_env_torch") or "auto"), version)
    if said:
        raise Failure(said)
    try:
        project = _project(settings)
    except (Failure, RentedError):
        return  # the check of repos says what is wrong with the checkout
    if project is None:
        return
    _check_tracked(settings, project)
    try:
        for name in settings.get("python_env_requirements") or []:
            _check_requirements(project, str(name), INCLUDES_DEEP)
        if (settings.get("python_env_manager") or "uv") != "venv":
            specifier, where = _required_uv(project)
            _uv_versions.wish(version, version != default_uv(), specifier, where)
    except (_requirement_lines.Wrong, _uv_versions.Unusable) as error:
        raise Failure(str(error))


class _Project:
    """The project's folder in a local checkout, as it will be sent: of a commit, or of the work tree."""

    def __init__(self, item: _item_specs.RepoItem, inside: str) -> None:
        self.repository = _repository.Repository(_paths.on_controller(item.src), item.src)
        self.commit = self.repository.resolve(item.version).commit
        self.uncommitted = bool(item.uncommitted)
        self.said, self.dest, self.inside = item.src, posixpath.normpath(item.dest), inside

    def read(self, name: str) -> bytes | None:
        """The content of a file; None when it is not there."""
        path = posixpath.normpath(posixpath.join(self.inside, name))
        if path.startswith(("..", "/")):
            return None
        if self.uncommitted and not self.repository.bare:
            try:
                with open(os.path.join(self.repository.path, path), "rb") as handle:
                    return handle.read()
            except OSError:
                return None
        ran = self.repository._run("cat-file", "blob", f"{self.commit}:{path}", check=False, binary=True)
        return ran.stdout if ran.returncode == 0 else None

    def below(self, path: str) -> list:
        """The tracked files below a path of the repository."""
        ran = self.repository._run("ls-tree", "-r", "-z", "--name-only", self.commit, "--", path, check=False)
        return [name for name in ran.stdout.split("\0") if name]


def _project(settings: dict) -> _Project | None:
    """The project, when a local checkout brings it."""
    items = _item_specs.read_repos(settings.get(_item_specs.REPOS), settings.get("git_keys_mode") or "push")
    wanted = posixpath.normpath(str(settings.get("python_env_project") or (items[0].dest if items else ".")))
    for item in items:
        dest = posixpath.normpath(item.dest)
        if not item.url and (wanted == dest or wanted.startswith(dest + "/")):
            return _Project(item, posixpath.relpath(wanted, dest))
    return None


def _check_tracked(settings: dict, project: _Project) -> None:
    """An environment in tracked files cannot be made without a change of the checkout, which then takes no update."""
    asked = str(settings.get("python_env_path") or "")
    path = posixpath.normpath(asked) if asked else posixpath.join(project.dest, project.inside, ".venv")
    inside = posixpath.relpath(posixpath.normpath(path), project.dest)
    files = [] if path.startswith(("/", "~")) or inside.startswith("..") or inside == "." else project.below(inside)
    if files:
        raise Failure(
            f"{project.said} contains a virtual environment ({len(files)} tracked files in {inside}), which works on "
            "the computer where it was made only. Take it out of the repository with 'git rm -r -q --cached "
            f"{shlex.quote(inside)}', add '{inside}/' to .gitignore, commit, and run again; or set python_env_path "
            "to another folder."
        )


def _check_requirements(project: _Project, name: str, deep: int) -> None:
    content = project.read(name)
    if content is None or name.endswith((".toml", ".yml", ".yaml")):
        return  # the host says what its checkout has instead
    where = posixpath.join(project.said, project.inside, name) if project.inside != "." else posixpath.join(project.said, name)
    text = _requirement_lines.decoded(content, where)
    _requirement_lines.check(where, text)
    for include in _requirements.included(text) if deep else []:
        _check_requirements(project, posixpath.join(posixpath.dirname(name), include), deep - 1)


def _required_uv(project: _Project) -> tuple:
    for name in ("uv.toml", "pyproject.toml"):
        content = project.read(name)
        stated = _uv_versions.stated_in(content.decode("utf-8", "replace"), name == "uv.toml") if content else None
        if stated:
            return stated, posixpath.join(project.said, name)
        if content is not None and name == "uv.toml":
            return None, None
    return None, None
