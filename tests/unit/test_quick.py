# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make quick` finds the tests of what changed."""

from __future__ import annotations

import importlib.util
import pathlib

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "quick.py"


@pytest.fixture(scope="module")
def quick():
    spec = importlib.util.spec_from_file_location("quick", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("changed", "test"),
    [
        ("plugins/module_utils/_renting/_http.py", "tests/unit/plugins/module_utils/_renting/test_http.py"),
        ("plugins/plugin_utils/_ssh/_options.py", None),  # it has no test file of its own
        ("plugins/modules/repos.py", "tests/unit/plugins/modules/test_repos.py"),
        ("tests/unit/plugins/modules/test_repos.py", "tests/unit/plugins/modules/test_repos.py"),
        ("docs/providers/aws.md", "tests/unit/test_providers.py"),
        ("README.md", None),
    ],
)
def test_a_changed_file_leads_to_its_tests(quick, changed, test):
    found = quick.tests_of([changed], lambda name: (PROGRAM.parents[1] / name).is_file())
    assert found == sorted({*quick.ALWAYS, *([test] if test else [])})


def test_what_is_gone_is_not_run(quick):
    assert quick.tests_of(["tests/unit/test_gone.py"], lambda name: "gone" not in name) == sorted(quick.ALWAYS)
