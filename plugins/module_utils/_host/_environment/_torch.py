# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which build of torch fits the driver and the GPUs, and which one an environment has."""

from __future__ import annotations

import os
import re

from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda, _shell_files


def choose(wanted: dict, inputs, syncs: bool, warnings: list) -> tuple:
    """``(tag or None, sentence)``. The tag is None where something else decides; what is doubtful goes into ``warnings``."""
    asked, driver = wanted["torch"], wanted["driver"]
    if wanted["manager"] == "venv":
        return None, "venv and pip take torch from the index that pip is configured for"
    if syncs:
        return None, "the project's own pyproject.toml and lock file decide where torch comes from"
    if asked == "none":
        return None, "python_env_torch is none: torch is what the index offers first"
    if asked != "auto":
        if driver and _cuda.cuda_of_tag(asked) and not _cuda.runs(driver, asked):
            warnings.append(
                "python_env_torch asks for %s, which needs driver >= %s; the host has %s. %s would run."
                % (asked, _cuda.min_driver(asked), driver, _cuda.torch_tag(driver, wanted["capabilities"]) or "cpu")
            )
        return asked, f"python_env_torch asks for {asked}"
    if inputs.torch_pinned:
        return None, "the requirements fix the build of torch"
    if inputs.own_index:
        return None, "the requirements name their own index"
    if not driver:
        return "cpu", "no real GPU: torch for CPUs"
    if inputs.torch_version and not _cuda.offered_tags(inputs.torch_version):
        return None, (
            f"torch {inputs.torch_version} is older than the table of CUDA builds ({_cuda.oldest_release()} and "
            "later): torch is what the index offers"
        )
    assumed = _cuda.assumption(inputs.torch_version)
    warnings.extend([assumed] if assumed else [])
    tag = _cuda.torch_tag(driver, wanted["capabilities"], inputs.torch_version)
    if not tag:
        return "cpu", f"driver {driver} runs no CUDA build of this torch on these GPUs: torch for CPUs"
    return tag, (
        f"driver {driver} is of CUDA {_cuda.native_cuda(driver) or '?'} and runs builds of CUDA "
        f"{_cuda.cuda_of_tag(tag)} (>= {_cuda.min_driver(tag)} is enough): torch from {tag}"
    )


def installed(env: str) -> dict | None:
    """``version`` and ``cuda`` of the torch in the environment, from the file where its build wrote them; None without torch."""
    library = os.path.join(env, "lib")
    for version in os.listdir(library) if os.path.isdir(library) else []:
        text = _shell_files.read(os.path.join(library, version, "site-packages", "torch", "version.py"))
        found = re.search(r"^__version__\s*=\s*['\"]([^'\"]+)", text, re.M)
        if found:
            cuda = re.search(r"^cuda\b[^=]*=\s*['\"]([^'\"]+)", text, re.M)
            return {"version": found.group(1), "cuda": cuda.group(1) if cuda else None}
    return None


def too_new(torch: dict, driver: str) -> str | None:
    """A sentence when the driver does not run this torch."""
    if not (driver and torch["cuda"]) or _cuda.runs(driver, torch["cuda"]) is not False:
        return None
    return "torch %s needs driver >= %s and the host has %s: set python_env_torch to %s." % (
        torch["version"], _cuda.min_driver(torch["cuda"]), driver, _cuda.torch_tag(driver) or "cpu",
    )  # fmt: skip
