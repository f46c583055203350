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


@pytest.fixture(scope="module")
def tests():
    root = PROGRAM.parents[1]
    return {path.relative_to(root).as_posix(): path.read_text() for path in (root / "tests" / "unit").rglob("test_*.py")}


@pytest.mark.parametrize(
    ("changed", "test"),
    [
        ("plugins/module_utils/_renting/_http.py", "tests/unit/plugins/module_utils/_renting/test_http.py"),
        ("plugins/module_utils/_providers/_aws/reader.py", "tests/unit/plugins/module_utils/_providers/test_aws_reader.py"),
        ("plugins/module_utils/_errors.py", "tests/unit/plugins/plugin_utils/_settings/test_role_lists.py"),
        ("plugins/plugin_utils/_run_facts.py", "tests/unit/plugins/action/test_roles.py"),
        ("plugins/action/tmux.py", "tests/unit/plugins/action/test_roles.py"),
        ("plugins/modules/repos.py", "tests/unit/plugins/modules/test_repos.py"),
        ("tests/fakes/gcp.py", "tests/unit/plugins/module_utils/_providers/test_fake_gcp.py"),
        ("tests/unit/plugins/modules/test_repos.py", "tests/unit/plugins/modules/test_repos.py"),
        ("docs/providers/aws.md", "tests/unit/test_providers.py"),
    ],
)
def test_a_changed_file_leads_to_its_tests(quick, tests, changed, test):
    found = quick.tests_of([changed], tests)
    assert test in found and set(quick.ALWAYS) < set(found)
    assert len(found) < len(tests) / 3


def test_only_what_imports_the_changed_file_is_run(quick):
    tests = {name: "" for name in quick.ALWAYS}
    tests["tests/unit/a.py"] = "from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _agent, _options\n"
    tests["tests/unit/b.py"] = "from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._options import X\n"
    tests["tests/unit/c.py"] = "from ansible_collections.rented.gpu.plugins.plugin_utils._show import _options\n"
    found = quick.tests_of(["plugins/plugin_utils/_ssh/_options.py"], tests)
    assert found == sorted([*quick.ALWAYS, "tests/unit/a.py", "tests/unit/b.py"])


def test_what_is_gone_and_what_no_test_reads_adds_nothing(quick, tests):
    assert quick.tests_of(["tests/unit/test_gone.py", "README.md"], tests) == sorted(quick.ALWAYS)
