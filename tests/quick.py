# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit tests of what changed since the last commit, and those of the lists that every change may touch.

quick.py [REVISION]   prints the files for pytest; REVISION is what to compare with (HEAD)
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ALWAYS = ("tests/unit/test_imports.py", "tests/unit/test_lists.py")
# Tests of these take longer than a person waits; `make units` runs them.
SLOW = ("tests/unit/test_hostile_values.py",)


def tests_of(changed: list[str], tests: dict[str, str]) -> list[str]:
    """The test files for these changed files. ``tests`` has the text of every unit test by its path."""
    found = set(ALWAYS)
    for name in changed:
        path = pathlib.PurePosixPath(name)
        if name in tests:
            found.add(name)
        elif path.suffix == ".py" and name.startswith(("plugins/", "tests/fakes/")):
            found |= _importers(path, tests) or _importers(path.parent, tests)
        elif name.startswith("docs/"):
            found |= {"tests/unit/test_docs.py", "tests/unit/test_providers.py"}
    return sorted(name for name in found if name in tests and name not in SLOW)


def _importers(path: pathlib.PurePosixPath, tests: dict[str, str]) -> set[str]:
    """The tests that import a module or, of a provider's parts, the provider."""
    package, module = re.escape(".".join(path.parent.parts)), re.escape(path.stem)
    names = rf"from \S*{package} import .*\b{module}\b|from \S*{package}\.{module} import |import \S*{package}\.{module}\b"
    statement = re.compile(rf"^({names})", re.M)
    return {name for name, text in tests.items() if statement.search(text)}


def changed_since(revision: str) -> list[str]:
    """Changed, staged and new files."""
    commands = (["diff", "--name-only", revision], ["ls-files", "--others", "--exclude-standard"])
    return [
        name
        for command in commands
        for name in subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    ]


if __name__ == "__main__":
    unit = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "unit").rglob("test_*.py")}
    print("\n".join(tests_of(changed_since(*sys.argv[1:2] or ["HEAD"]), unit)))
