# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""uv for hosts that cannot fetch it: the pinned wheel, downloaded once to the controller."""

from __future__ import annotations

import glob
import hashlib
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile

from ansible_collections.rented.gpu.plugins.module_utils import _state


def default_index() -> str | None:
    """The index that pip has built in, read from pip itself. Never the controller's own configuration: it may hold a password."""
    pattern = rb"""^PyPI\s*=\s*PackageIndex\(\s*["'](https://[^"']+)["']"""
    for content in _pip_constants():
        found = re.search(pattern, content, re.M)
        if found:
            return found.group(1).decode().rstrip("/") + "/simple/"
    return None


def _pip_constants():
    inside = "pip/_internal/models/index.py"
    spec = _pip()
    if spec and spec.origin:
        path = os.path.join(os.path.dirname(os.path.dirname(spec.origin)), inside)
        if os.path.isfile(path):
            with open(path, "rb") as handle:
                yield handle.read()
    spec = importlib.util.find_spec("ensurepip")
    folder = os.path.dirname(spec.origin) if spec and spec.origin else ""
    for wheel in sorted(glob.glob(os.path.join(folder, "_bundled", "pip-*.whl"))):
        with zipfile.ZipFile(wheel) as archive:
            yield archive.read(inside)


def _pip():
    """The spec of this Python's pip. setuptools hooks into `importlib.util.find_spec` and warns when pip is looked for there."""
    return importlib.machinery.PathFinder.find_spec("pip")


def download(specifier: str, machine: str, glibc: bool) -> str:
    """The path of a wheel of uv on the controller, such as for "==0.13.8"; it is fetched once. Raises OSError with a sentence."""
    version = re.match(r"^==(\d+\.\d+\.\d+)$", specifier)
    kept = version.group(1) if version else hashlib.sha256(specifier.encode()).hexdigest()[:12]
    folder = os.path.join(_state.home(), "cache", f"uv-{kept}-{machine}")
    for path in glob.glob(os.path.join(folder, "uv-*.whl")):
        return path
    os.makedirs(folder, mode=0o700, exist_ok=True)
    platform = ("manylinux_2_17_" if glibc else "musllinux_1_1_") + machine
    told = []
    for tool in _tools():
        command = tool + ["-q", "--no-deps", "--only-binary", ":all:", "--platform", platform, "--dest", folder, "uv" + specifier]
        try:
            ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            told.append(f"{tool[0]} did not end within 300 s")
            continue
        for path in glob.glob(os.path.join(folder, "uv-*.whl")):
            return path
        told += ran.stdout.decode("utf-8", "replace").strip().splitlines()[-1:]
    raise OSError("; ".join(told) or "there is no pip on the controller")


def _tools() -> list:
    """Commands that begin a download with pip: of this Python, of the system, or brought by uv."""
    tools = []
    if _pip():
        tools.append([sys.executable, "-m", "pip", "download"])
    for name in ("pip3", "pip"):
        pip = shutil.which(name)
        if pip:
            tools.append([pip, "download"])
            break
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    uv = beside if os.path.isfile(beside) else shutil.which("uv")
    if uv:
        tools.append([uv, "tool", "run", "pip", "download"])
    return tools
