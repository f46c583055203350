# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that are kept by hand, held against what they list. A failure names the line that is missing."""

from __future__ import annotations

import importlib
import pathlib
import re

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.action import python_env
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _role_lists

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = ["bootstrap", "check"]


def load(*parts):
    return yaml.safe_load(ROOT.joinpath(*parts).read_text())


def tasks_of(playbook):
    tasks = [task for play in load("playbooks", playbook + ".yml") for task in play["tasks"]]
    return [inner for task in tasks for inner in task.get("block", [task])]


def imported_by(playbook):
    imported = [task["ansible.builtin.import_role"] for task in tasks_of(playbook) if "ansible.builtin.import_role" in task]
    return [role["name"].rsplit(".", 1)[1] for role in imported if "tasks_from" not in role]


def lines_missing(file, wanted, there, line="%s"):
    """A failing message that names what to write where; empty when nothing is missing."""
    return "".join("\n%s: missing: %s" % (file, line % name) for name in wanted if name not in there)


def test_every_role_is_in_the_list_of_core_or_of_optional_roles():
    listed = _role_lists.CORE + _role_lists.OPTIONAL
    missing = lines_missing("plugins/plugin_utils/_settings/_role_lists.py", ROLES, listed, '"%s" in CORE or in OPTIONAL')
    assert not missing, missing
    missing = lines_missing("roles", listed, ROLES, "the folder %s/")
    assert not missing, missing


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_runs_the_core_roles_in_their_order(playbook):
    imported = imported_by(playbook)
    missing = lines_missing("playbooks/%s.yml" % playbook, _role_lists.CORE, imported, "import_role: {name: rented.gpu.%s}")
    assert not missing, missing
    assert imported == list(_role_lists.CORE), "playbooks/%s.yml: the order is that of CORE in _role_lists.py" % playbook


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_each_role_has_its_tag_and_what_it_needs_runs_always(playbook):
    for task in tasks_of(playbook):
        role = task.get("ansible.builtin.import_role", {})
        name = role.get("tasks_from") or role.get("name", "").rpartition(".")[2]
        if name:
            assert name in task.get("tags", []), "playbooks/%s.yml: missing: tags: [%s]" % (playbook, name)
        if name in ("ready", "extra_roles") or "rented.gpu.settings" in task or "rented.gpu.summary" in task:
            assert "always" in task["tags"], "playbooks/%s.yml: missing: tags: [always] of '%s'" % (playbook, task["name"])


@pytest.mark.parametrize("role", ROLES)
def test_every_option_of_a_role_reaches_a_task(role):
    folder = ROOT / "roles" / role
    text = "".join(path.read_text() for place in ("tasks", "vars") for path in sorted(folder.glob(place + "/*.yml")))
    own = [name for name in options_of(role) if name.startswith(role + "_")]
    used = [name for name in own if re.search(r"\b%s\b" % name, text)]
    missing = lines_missing("roles/%s/tasks/main.yml" % role, own, used, "the option {{ %s }}")
    assert not missing, missing


# Arguments of actions that are for tasks of your own: the roles leave them at their defaults.
ONLY_FOR_TASKS = {"cuda_check": {"torch", "devices", "size"}, "tmux": {"environment"}}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_passes_every_argument_to_its_action(role):
    (task,) = [task for task in load("roles", role, "tasks", "main.yml") if f"rented.gpu.{role}" in task]
    action = importlib.import_module(f"ansible_collections.rented.gpu.plugins.action.{role}").ActionModule
    module = yaml.safe_load(importlib.import_module(f"ansible_collections.rented.gpu.plugins.modules.{role}").DOCUMENTATION)
    inner = {name for name, option in module["options"].items() if "The action sets it" in str(option["description"])}
    wanted = set(action.ARGUMENT_SPEC) - inner - ONLY_FOR_TASKS.get(role, set())
    missing = lines_missing("roles/%s/tasks/main.yml" % role, sorted(wanted), task[f"rented.gpu.{role}"], "%s: of the task")
    assert not missing, missing


def test_every_argument_of_python_env_counts_or_is_known_not_to():
    (task,) = load("roles", "python_env", "tasks", "main.yml")
    counted = python_env.ASKED + python_env.NOT_ASKED
    missing = lines_missing("plugins/action/python_env.py", task["rented.gpu.python_env"], counted, '"%s" in ASKED or in NOT_ASKED')
    assert not missing, missing
    assert not set(counted) - set(task["rented.gpu.python_env"]), "plugins/action/python_env.py: names that the role does not pass"


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
    missing = lines_missing("roles/%s/README.md" % role, options, [name for name in options if name in readme])
    assert not missing, missing


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_explained_above_it(role):
    lines = (ROOT / "roles" / role / "defaults" / "main.yml").read_text().splitlines()
    bare = [line for above, line in zip(lines, lines[1:]) if re.match(r"[a-z]\w*:", line) and not above.startswith(("#", " "))]
    assert not bare, "roles/%s/defaults/main.yml: no comment above: %s" % (role, ", ".join(bare))


@pytest.mark.parametrize("what", ["roles", "playbooks", "plugins/modules", "plugins/inventory"])
def test_the_readme_names_everything_that_is_there(what):
    folder = ROOT / what
    names = [path.stem for path in folder.iterdir() if (path.is_dir() if what == "roles" else path.suffix in (".yml", ".py"))]
    readme = (ROOT / "README.md").read_text()
    there = [name for name in names if "`%s`" % name in readme or "`%s.yml`" % name in readme]
    missing = lines_missing("README.md", sorted(names), there, "`%s`")
    assert not missing, missing


def test_every_action_plugin_has_a_documented_module():
    actions = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    missing = lines_missing("plugins/modules", sorted(actions), modules, "%s.py")
    assert not missing, missing


def test_the_same_uv_everywhere():
    pinned = re.search(r"^uv==(\S+)", (ROOT / "requirements" / "uv.txt").read_text(), re.M).group(1)
    defaults = load("roles", "python_env", "defaults", "main.yml")
    assert defaults["python_env_uv_version"] == pinned


def test_host_keys_are_never_ignored():
    off = re.compile("StrictHostKey" + r"Checking[= ]+\W?(no|off)\b|host_key_" + r"checking\W+(false|no)\b", re.I)
    folders = [ROOT / name for name in ("plugins", "roles", "playbooks", "molecule", "tests", "inventory")]
    searched = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [str(path) for path in searched if off.search(path.read_text(errors="ignore"))] == []
