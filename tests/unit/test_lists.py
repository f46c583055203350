# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that are kept by hand, held against what they list. A failure names the line that is missing."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = ["bootstrap", "check"]


def load(*parts):
    return yaml.safe_load(ROOT.joinpath(*parts).read_text())


def tasks_of(playbook):
    tasks = [task for play in load("playbooks", playbook + ".yml") for task in play["tasks"]]
    return [inner for task in tasks for inner in task.get("block", [task])]


def imported_by(playbook):
    names = [task["ansible.builtin.import_role"]["name"] for task in tasks_of(playbook) if "ansible.builtin.import_role" in task]
    return [name.rsplit(".", 1)[1] for name in names]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_runs_and_validates_every_role(playbook):
    validated = next(task["rented.gpu.settings"]["roles"] for task in tasks_of(playbook) if "rented.gpu.settings" in task)
    assert sorted(imported_by(playbook)) == ROLES
    assert validated == imported_by(playbook)


def test_both_playbooks_run_the_roles_in_the_same_order():
    assert imported_by("bootstrap") == imported_by("check")


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_specs_agree(role):
    defaults = load("roles", role, "defaults", "main.yml") or {}
    options = options_of(role)
    public = {name for name in defaults if not name.startswith("__")}
    # Collection-wide settings, and those whose absence means something, have no default.
    optional = {name for name, option in options.items() if "default" not in option}
    assert public - set(options) == set(), "missing in roles/%s/meta/argument_specs.yml" % role
    assert set(options) - public - optional == set(), "missing in roles/%s/defaults/main.yml" % role
    for name in public:
        if "default" in options[name]:
            assert options[name]["default"] == defaults[name], "roles/%s: two defaults of %s" % (role, name)


def options_of(role):
    return load("roles", role, "meta", "argument_specs.yml")["argument_specs"]["main"].get("options", {})


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_has_the_prefix_of_its_role(role):
    """A role may also read another role's variable, and then says the same of it as its owner."""
    foreign = {name: option for name, option in options_of(role).items() if not name.startswith((role + "_", "rented_"))}
    for name, option in foreign.items():
        owner = next(other for other in ROLES if name.startswith(other + "_"))
        theirs = options_of(owner)[name]
        assert {key: option.get(key) for key in ("type", "choices")} == {key: theirs.get(key) for key in ("type", "choices")}, name


@pytest.mark.parametrize("role", ROLES)
def test_the_role_readme_names_every_variable(role):
    options = options_of(role)
    readme = (ROOT / "roles" / role / "README.md").read_text()
    assert [name for name in options if name not in readme] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_explained_above_it(role):
    lines = (ROOT / "roles" / role / "defaults" / "main.yml").read_text().splitlines()
    bare = [line for above, line in zip(lines, lines[1:]) if re.match(r"[a-z]\w*:", line) and not above.startswith(("#", " "))]
    assert bare == []


@pytest.mark.parametrize("what", ["roles", "playbooks", "plugins/modules", "plugins/inventory"])
def test_the_readme_names_everything_that_is_there(what):
    folder = ROOT / what
    names = [path.stem for path in folder.iterdir() if (path.is_dir() if what == "roles" else path.suffix in (".yml", ".py"))]
    readme = (ROOT / "README.md").read_text()
    assert [name for name in sorted(names) if "`%s`" % name not in readme and "`%s.yml`" % name not in readme] == []


def test_every_action_plugin_has_a_documented_module():
    actions = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert actions - modules == set()


def test_the_same_uv_everywhere():
    pinned = re.search(r"^uv==(\S+)", (ROOT / "requirements" / "uv.txt").read_text(), re.M).group(1)
    defaults = load("roles", "python_env", "defaults", "main.yml")
    assert defaults["python_env_uv_version"] == pinned


def test_host_keys_are_never_ignored():
    off = re.compile("StrictHostKey" + r"Checking[= ]+\W?(no|off)\b|host_key_" + r"checking\W+(false|no)\b", re.I)
    folders = [ROOT / name for name in ("plugins", "roles", "playbooks", "molecule", "tests", "inventory")]
    searched = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [str(path) for path in searched if off.search(path.read_text(errors="ignore"))] == []
