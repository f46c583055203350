# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which release of uv a project wants (``required-version``), and which one to take."""

from __future__ import annotations

import os
import re

from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown

from . import _local_packages

# The oldest uv that has all options that the role uses, for who asks for an old one.
LEAST = "0.7.0"
_CLAUSE = re.compile(r"^(===|==|!=|<=|>=|~=|<|>)?\s*v?(\d+(?:\.\d+)*)(\.\*)?$")


class Unusable(Exception):
    """No release fits: a sentence."""


def clauses(text: str) -> list:
    """``[(operator, version, star)]`` of a specifier such as ">=0.9,<0.10"; a bare version means that one. Raises ValueError."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        clause = _CLAUSE.match(part)
        if not clause:
            raise ValueError(f"'{text}' is not a version specifier such as '>=0.9,<0.10'")
        found.append((clause.group(1) or "==", clause.group(2), bool(clause.group(3))))
    if not found:
        raise ValueError("it is empty")
    return found


def allows(specifier: str, version: str) -> bool:
    """Whether a release fits a specifier (PEP 440, as far as releases of uv need it)."""
    return all(_fits(operator, wanted, star, version) for operator, wanted, star in clauses(specifier))


def _fits(operator: str, wanted: str, star: bool, version: str) -> bool:
    have, want = _numbers(version), _numbers(wanted)
    prefix = have[: len(wanted.split("."))] == want[: len(wanted.split("."))]
    if operator == "~=":
        kept = len(wanted.split(".")) - 1
        return have >= want and have[:kept] == want[:kept]
    if star:
        return prefix if operator == "==" else not prefix
    return {
        "==": have == want, "===": have == want, "!=": have != want,
        "<": have < want, "<=": have <= want, ">": have > want, ">=": have >= want,
    }[operator]  # fmt: skip


def _numbers(version: str) -> list:
    numbers = [int(part) for part in re.findall(r"\d+", version)]
    return numbers + [0] * (4 - len(numbers))


def required(project: str, home: str) -> tuple:
    """``(specifier, file that states it)``; ``(None, None)`` without one. The nearest file counts, as uv reads them."""
    folder = os.path.abspath(project) if project else ""
    while folder:
        for name in ("uv.toml", "pyproject.toml"):
            path = os.path.join(folder, name)
            stated = _stated(path)
            if stated:
                return stated, path
            if name == "uv.toml" and os.path.exists(path):
                break  # beside a uv.toml, uv ignores [tool.uv] of the pyproject.toml
        folder = os.path.dirname(folder) if folder != os.path.dirname(folder) else ""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    for path in (os.path.join(config, "uv", "uv.toml"), "/etc/xdg/uv/uv.toml", "/etc/uv/uv.toml"):
        stated = _stated(path)
        if stated:
            return stated, path
    return None, None


def stated_in(text: str, is_uv_toml: bool) -> str | None:
    """The ``required-version`` in the text of a uv.toml or a pyproject.toml."""
    top = re.split(r"^\s*\[", text, maxsplit=1, flags=re.M)[0]
    text = top if is_uv_toml else _local_packages.section_of(text, r"tool\.uv")
    found = re.search(r"""^\s*required-version\s*=\s*["']([^"'\n]*)["']""", text, re.M)
    return found.group(1).strip() if found else None


def _stated(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return stated_in(handle.read(1 << 20), path.endswith("uv.toml"))
    except OSError:
        return None


def wish(asked: str, named: bool, specifier: str | None, where: str | None) -> str:
    """The specifier of the uv to use, from the setting and from the project. Raises `Unusable` when there is a conflict.

    ``named``: the user set ``python_env_uv_version``; otherwise ``asked`` is the default of the role.
    """
    if named:
        refuse_old(asked)
    if not specifier:
        return "==" + asked if named else ""
    try:
        fits = allows(specifier, asked)
    except ValueError as error:
        raise Unusable(f"required-version in {where} cannot be read: {error}. Correct it.")
    if named and not fits:
        raise Unusable(
            f"python_env_uv_version is {asked}, but {where} requires uv {specifier} (required-version). Leave "
            "python_env_uv_version out to use a fitting release, or change one of the two."
        )
    return "==" + asked if named else specifier


def refuse_old(asked: str) -> None:
    """Raise `Unusable` for a version that cannot be used, or is none."""
    if not re.match(r"[0-9]+\.[0-9]+\.[0-9]+\Z", asked):
        raise Unusable(f"python_env_uv_version is '{shown(asked)}'; it takes a release such as 0.13.8.")
    if _cuda.version(asked) < _cuda.version(LEAST):
        raise Unusable(f"python_env_uv_version is {asked}; the role needs uv {LEAST} or later.")


def choose(releases: list, specifier: str, preferred: str) -> str | None:
    """The release to fetch: the preferred one if it fits, else the newest that does. None when none does."""
    fitting = [version for version in releases if re.match(r"^\d+\.\d+\.\d+$", version) and allows(specifier, version)]
    fitting = [version for version in fitting if _cuda.version(version) >= _cuda.version(LEAST)]
    if preferred in fitting:
        return preferred
    return max(fitting, key=_cuda.version) if fitting else None


def none_fits(specifier: str, where: str | None) -> str:
    """The sentence when the index has no release that fits and that the role can use."""
    return (
        f"{where or 'The project'} requires uv {specifier} (required-version), and the package index has no such "
        f"release from {LEAST} on, which the role needs. Change required-version, or use python_env_manager venv."
    )


def mismatch(output: str) -> str | None:
    """The sentence for uv's own refusal, where ``required-version`` stands in a place that `required` does not read."""
    found = re.search(r"Required uv version `([^`]+)` does not match the running version `([^`]+)`", output)
    if not found:
        return None
    return (
        "the project requires uv %s (required-version) and uv %s ran: set python_env_uv_version to a release that fits, or change "
        "required-version." % found.groups()
    )
