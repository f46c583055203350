# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/add_a_role.md as a reader would write them, and single roles by their tags."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "add_a_role.md"


def examples(language):
    """``(path, text)`` of the page's examples, whose first line names the file."""
    for text in re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        name, _end, text = text.partition("\n")
        yield name.removeprefix("# "), text


@pytest.fixture(scope="module")
def role(tmp_path_factory):
    """The role of the page, in a folder of its own."""
    folder = tmp_path_factory.mktemp("lab project")
    for name, text in examples("yaml"):
        if name.startswith("roles/lab/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("---\n" + text)
    return folder / "roles" / "lab"


@pytest.fixture(scope="module")
def settings(homework):
    return {"repos_list": [{"src": str(homework)}], "python_env_requirements": ["requirements.txt"], "lab_name": "Ada's lab"}


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent("container", name="box", image="debian-12-tools")
    found.wait_for_ssh()
    return found


@pytest.fixture(scope="module")
def ready(play, box, settings, role):
    return play("bootstrap", rented_extra_roles=[str(role)], **settings).ok()


def test_an_extra_role_runs_after_the_core_roles_and_reads_their_facts(ready, box):
    tasks = ready.tasks("box")
    assert (
        tasks.index("Feed data to the host")
        < tasks.index("Write the settings of the lab into the project")
        < tasks.index("Write the proof")
    )
    written = box.ssh("cat /workspace/homework/lab.ini")
    assert "name = Ada's lab\n" in written and "python = /workspace/homework/.venv/bin/python\n" in written and "gpus = 1\n" in written


def test_a_repeat_changes_nothing_and_check_runs_it_too(ready, play, settings, role):
    again = play("bootstrap", rented_extra_roles=[str(role)], **settings).ok()
    assert again.changed("box") == 0
    looked = play("check", rented_extra_roles=[str(role)], **dict(settings, lab_name="another")).ok()
    assert ("box", "Write the settings of the lab into the project") in looked.changes()


def test_a_tag_runs_one_role(ready, play, settings):
    found = play("bootstrap", tags="tmux", **settings).ok()
    assert set(found.run_facts("box")) == {"ready", "tmux"} and "Write the proof" not in found.tasks("box")
    assert "box" in found.stdout.rsplit("Show the summary", 1)[1]


def test_a_tag_runs_the_extra_roles_only(ready, play, box, settings, role):
    found = play("bootstrap", tags="extra_roles", rented_extra_roles=[str(role)], **dict(settings, lab_name="third")).ok()
    assert "Make the Python environment" not in found.tasks("box")
    assert "name = third\n" in box.ssh("cat /workspace/homework/lab.ini")


def test_a_role_that_does_not_exist_is_refused_before_the_first_login(ready, play, settings):
    found = play("bootstrap", rented_extra_roles=["roles/nowhere"], **settings)
    assert found.rc != 0 and "rented_extra_roles, item 1: there is no role 'roles/nowhere'" in found.message()
    assert not found.run_facts("box")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """A copy of this collection with the role `greeting`, written as the page says."""
    folder = tmp_path_factory.mktemp("a copy") / "gpu"
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    own = folder / ".collections" / "ansible_collections" / "rented"
    own.mkdir(parents=True)
    (own / "gpu").symlink_to("../../..")
    return folder


def lists(collection):
    """The tests of the lists, in the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests/unit/test_lists.py", "tests/unit/test_imports.py"]
    return subprocess.run(command, cwd=collection, capture_output=True, text=True, check=False)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_role_with_an_action_needs_the_files_that_the_page_names(collection):
    written = []
    for name, text in [*examples("yaml"), *examples("python")]:
        if "greeting" in name:
            written.append(name)
            write(collection / name, "---\n" + text if name.endswith(".yml") else text)
    first = lists(collection)
    assert first.returncode != 0
    for line in ("greeting", "OPTIONAL", "roles/greeting/README.md", "docs/layout.md"):
        assert line in first.stdout
    write(collection / "roles" / "greeting" / "README.md", "# greeting\n\n| `greeting_text` | what the file says |\n")
    for name, text in [*examples("python"), *examples("markdown")]:
        if name in ("README.md", "docs/layout.md", "plugins/plugin_utils/_settings/_role_lists.py"):
            written.append(name)
            before = (collection / name).read_text()
            if name.endswith(".py"):
                after = re.sub(r"^OPTIONAL.*\n", text, before, flags=re.M)
            else:
                after = before.replace("| `known_hosts` |", text.strip() + "\n| `known_hosts` |", 1) if "layout" in name else before + text
            assert after != before
            (collection / name).write_text(after)
    second = lists(collection)
    assert second.returncode == 0, second.stdout
    assert len(written) + 1 == 9  # and the README of the role


def test_that_role_costs_a_repeat_nothing(ready, collection, play, box):
    collections = {"ANSIBLE_COLLECTIONS_PATH": str(collection / ".collections")}
    book = [{"ansible.builtin.import_playbook": "rented.gpu.bootstrap"}]
    asked = {"rented_extra_roles": "rented.gpu.greeting", "greeting_text": "Good morning"}
    wrong = play(book, env=collections, **dict(asked, greeting_txt="x"))
    assert wrong.rc != 0 and "'greeting_txt' is not a setting. Did you mean 'greeting_text'?" in wrong.message()
    first = play(book, env=collections, **asked).ok()
    assert box.ssh("cat .greeting") == "Good morning\n"
    assert first.run_facts("box")["greeting"]["executions"] == 1
    again = play(book, env=collections, **asked).ok()
    assert again.run_facts("box")["greeting"]["executions"] == 0 and again.changed("box") == 0
    box.ssh("echo changed > .greeting")
    assert play(book, env=collections, **asked).ok().run_facts("box")["greeting"]["changed"] is True
    assert box.ssh("cat .greeting") == "Good morning\n"
