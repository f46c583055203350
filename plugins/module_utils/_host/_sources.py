# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Digests of what a Python package is built from: a folder, a wheel or sdist, or a folder of those.

In a git checkout, git says what belongs to the package: the index names each tracked file with its content, and only what differs from
it is looked at. Elsewhere names, sizes and times of all files count, without those that builds and training runs leave behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess

ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar")
MOST_FILES = 50000
MOST_BYTES = 16 << 20  # a larger archive is known by its size and time
_SECONDS = 20
_NOT_SOURCE = re.compile(
    r"^(\.git|\.hg|\.svn|\.jj|__pycache__|build|dist|node_modules|wandb|mlruns|lightning_logs|outputs?|runs|logs|checkpoints|\.tox|\.nox"
    r"|\.eggs|\.ipynb_checkpoints|\.\w+_cache|\.cache|\.venv.*|.*\.egg-info)$"
)
_BUILT = re.compile(r"\.(py[cod]|so|o|a)$")
_PRODUCTS = re.compile(r"\.(py[cod]|so|o|a|log|out|pt|pth|ckpt|safetensors|npy|npz|h5|pkl|parquet|tfevents.*|png|jpe?g|gif|mp4)$", re.I)
_CODE = re.compile(
    r"\.(py|pyi|pyx|pxd|pxi|c|cc|cpp|cxx|cu|cuh|h|hh|hpp|rs|go|f|f90|f95|toml|cfg|in|cmake)$|(^|/)(requirements[^/]*|CMakeLists)\.txt$"
)
# Python files whose content decides what is installed, also where the package is installed in place.
_DECIDING = re.compile(r"(^|/)(setup|__init__|_?_?version_?_?|_?_?about_?_?|build)\.py$")


def digest(path: str, editable: bool = False) -> str | None:
    """Digest of a folder, an archive, or a folder of archives; None when there is nothing.

    ``editable``: the code is used in place, so that only names and what describes the package count.
    """
    if os.path.isdir(path):
        listed = _in_git(path)
        seen = _walked(path) if listed is None else listed
        if editable:
            seen = [[name, "" if name.endswith((".py", ".pyi")) and not _DECIDING.search("/" + name) else mark] for name, mark in seen]
        return _sha(seen)
    if os.path.isfile(path):
        return archive_mark(path)
    return None


def archive_mark(path: str) -> str:
    """What tells one content of an archive from another."""
    entry = os.stat(path)
    if entry.st_size > MOST_BYTES:
        return f"{entry.st_size} {entry.st_mtime_ns}"
    state = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            state.update(block)
    return state.hexdigest()


def archives(folder: str) -> dict:
    """Name -> size and time of the wheels and sdists that lie in a folder, as ``--find-links`` sees it. There may be many large ones."""
    found = {}
    for name in sorted(_names(folder)):
        path = os.path.join(folder, name)
        if name.endswith(ARCHIVES) and os.path.isfile(path):
            found[name] = _time_of(path)
    return found


def archives_digest(folder: str) -> str:
    """Digest of `archives`."""
    return _sha(archives(folder))


def _names(folder: str) -> list:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _sha(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _time_of(path: str) -> str:
    try:
        entry = os.lstat(path)
    except OSError:
        return "gone"
    return f"{entry.st_size} {entry.st_mtime_ns}"


def git_list(folder: str, *arguments) -> list | None:
    """What git prints in a folder, as names that NUL separates; None when it fails or takes too long."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment.update(GIT_OPTIONAL_LOCKS="0", LC_ALL="C")
    command = ["git", "-C", folder, "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]
    try:
        ran = subprocess.run(
            command + list(arguments), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.decode("utf-8", "surrogateescape").split("\0") if ran.returncode == 0 else None


def _in_git(folder: str) -> list | None:
    """``[name, mark]`` of what git takes for part of the folder; None when git does not know it."""
    tracked = git_list(folder, "ls-files", "--stage", "-z")
    if not tracked or not tracked[0]:  # no repository, or a folder in it of which nothing is tracked
        return None
    modified = git_list(folder, "diff-files", "--name-only", "--relative", "--ignore-submodules=none", "-z", "--", ".")
    others = git_list(folder, "ls-files", "--others", "--exclude-standard", "-z")
    if modified is None or others is None:
        return None
    seen = {}
    for line in tracked:
        meta, _tab, name = line.partition("\t")
        if name:
            seen[name] = meta
    packages = {os.path.dirname(name) for name in list(seen) + others if os.path.basename(name) == "__init__.py"}
    for name in modified:
        if name:
            seen[name] = _changed(folder, name)
    for name in others[:MOST_FILES]:
        inside = os.path.dirname(name) in packages
        if not name or _BUILT.search(name) or (not inside and any(_NOT_SOURCE.match(part) for part in name.split("/")[:-1])):
            continue
        if name.endswith("/"):  # a repository inside this one
            seen[name] = _sha(_walked(os.path.join(folder, name)))
        elif inside or _CODE.search(name):
            seen[name] = _time_of(os.path.join(folder, name))
    return [[name, seen[name]] for name in sorted(seen)]


def _changed(folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    if os.path.isdir(path) and not os.path.islink(path):  # a submodule
        return _sha(_in_git(path) or _walked(path))
    return _time_of(path)


def _walked(top: str) -> list:
    """``[name, mark]`` of the files of a folder that no git knows, up to a limit."""
    seen = []
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if _is_source(os.path.join(folder, name)))
        products = _BUILT if "__init__.py" in files else _PRODUCTS  # a package's own data counts
        for name in sorted(files):
            if not products.search(name):
                path = os.path.join(folder, name)
                seen.append([os.path.relpath(path, top), _time_of(path)])
        if len(seen) > MOST_FILES:
            break
    return seen


def _is_source(folder: str) -> bool:
    if os.path.exists(os.path.join(folder, "__init__.py")):
        return True
    if _NOT_SOURCE.match(os.path.basename(folder)):
        return False
    return not (os.path.exists(os.path.join(folder, "pyvenv.cfg")) or os.path.isdir(os.path.join(folder, "conda-meta")))
