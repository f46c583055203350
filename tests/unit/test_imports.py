# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports run one way: inventory, actions and modules import `plugin_utils`, then come `_providers` and `_renting`. See CONTRIBUTING.md."""

from __future__ import annotations

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2] / "plugins"
OURS = "ansible_collections.rented.gpu.plugins."
SHARED = "module_utils"  # the files directly in module_utils: both the controller and the instance use them
HOST = "module_utils/_host"
RENTING = "module_utils/_renting"
PROVIDERS = "module_utils/_providers"
CONTROLLER = "plugin_utils"
# Which groups each group may import, besides itself.
MAY_IMPORT = {
    SHARED: set(),
    HOST: {SHARED},
    RENTING: {SHARED, HOST},
    PROVIDERS: {SHARED, HOST, RENTING},
    CONTROLLER: {SHARED, HOST, RENTING, PROVIDERS},
    "doc_fragments": set(),
    "modules": {SHARED, HOST, RENTING, PROVIDERS},
    "action": {SHARED, HOST, RENTING, PROVIDERS, CONTROLLER, "modules"},
    "inventory": {SHARED, HOST, RENTING, PROVIDERS, CONTROLLER},
}
FILES = sorted(ROOT.rglob("*.py"))


def group(path: str) -> str:
    """The group of a file or a package, by its path below plugins/."""
    return max((name for name in MAY_IMPORT if (path + "/").startswith(name + "/")), key=len)


def statements(path: pathlib.Path) -> list:
    """Every import statement, except those that only a type checker reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


def imported(path: pathlib.Path) -> set:
    """Paths below plugins/ of what the file imports from the collection."""
    found = set()
    for node in statements(path):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = path.relative_to(ROOT).parts[: -node.level] + tuple((node.module or "").split(".") if node.module else ())
        elif (node.module or "").startswith(OURS):
            base = tuple(node.module[len(OURS) :].split("."))
        else:
            continue
        for name in node.names:
            target = ROOT.joinpath(*base, name.name)
            found.add("/".join((*base, name.name) if target.is_dir() or target.with_suffix(".py").is_file() else base))
    return found


def test_the_groups_are_all_there_are():
    assert {group(path.relative_to(ROOT).as_posix()) for path in FILES} == set(MAY_IMPORT)
    assert not [
        path.name
        for path in (ROOT / "module_utils").iterdir()
        if path.is_dir() and group("module_utils/" + path.name) == SHARED and path.name != "__pycache__"
    ]


def test_imports_run_one_way():
    wrong = []
    for path in FILES:
        own = group(path.relative_to(ROOT).as_posix())
        for target in sorted(imported(path)):
            if group(target) not in MAY_IMPORT[own] | {own}:
                may = ", ".join(sorted(MAY_IMPORT[own])) or "nothing"
                wrong.append("plugins/%s imports %s: %s may import %s, and itself" % (path.relative_to(ROOT), target, own, may))
    assert not wrong, "\n".join(wrong)


def test_what_runs_on_an_instance_needs_the_standard_library_only():
    wrong = []
    for path in [path for path in FILES if HOST in path.as_posix()]:
        for node in statements(path):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else [] if node.level else [node.module]
            for name in names:
                # ansible.module_utils travels with every module.
                if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith((OURS, "ansible.module_utils")):
                    wrong.append("%s imports %s" % (path.name, name))
    assert not wrong, "\n".join(wrong)


def test_the_page_says_where_each_plugin_runs():
    page = (ROOT.parent / "docs" / "layout.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M))
    modules = {path.stem for path in (ROOT / "modules").glob("*.py")}
    actions = {path.stem for path in (ROOT / "action").glob("*.py")}
    assert sorted(rows) == sorted(modules | actions), "docs/layout.md: missing: %s" % ", ".join(sorted((modules | actions) - set(rows)))
    assert {name for name, row in rows.items() if not row.startswith("–")} == actions, "docs/layout.md: the column of the action"
