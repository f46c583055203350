# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit tests of what changed since the last commit, and those of the lists that every change may touch.

quick.py [REVISION]   prints the files for pytest; REVISION is what to compare with (HEAD)
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ALWAYS = ("tests/unit/test_imports.py", "tests/unit/test_lists.py")
# Tests of these take longer than a person waits; `make units` runs them.
SLOW = ("tests/unit/test_hostile_values.py",)


def tests_of(changed: list[str], exists) -> list[str]:
    """The test files for these changed files. ``exists`` says whether a path of the repository exists."""
    found = set(ALWAYS)
    for name in changed:
        path = pathlib.PurePosixPath(name)
        if name.startswith("tests/unit/") and path.name.startswith("test_"):
            found.add(name)
        elif name.startswith("plugins/") and path.suffix == ".py":
            found.add(str(pathlib.PurePosixPath("tests/unit", path.parent, "test_%s.py" % path.stem.lstrip("_"))))
        elif name.startswith(("docs/", "plugins/module_utils/_providers/")):
            found.add("tests/unit/test_providers.py")
    return sorted(name for name in found if exists(name) and name not in SLOW)


def changed_since(revision: str) -> list[str]:
    """Changed, staged and new files."""
    commands = (["diff", "--name-only", revision], ["ls-files", "--others", "--exclude-standard"])
    return [
        name
        for command in commands
        for name in subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    ]


if __name__ == "__main__":
    print("\n".join(tests_of(changed_since(*sys.argv[1:2] or ["HEAD"]), lambda name: (ROOT / name).is_file())))
