# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of docs/add_a_role.md as a user would run it, and single roles by their tags."""

from __future__ import annotations

import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "add_a_role.md"


@pytest.fixture(scope="module")
def role(tmp_path_factory):
    """The role of the page, in a folder of its own."""
    folder = tmp_path_factory.mktemp("lab project")
    for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        name = text.split("\n", 1)[0].removeprefix("# ")
        if name.startswith("roles/"):
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
