# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that each installer runs, in their order."""

from __future__ import annotations

import os

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _report, _with_conda


@pytest.fixture
def ready(maker):
    """An installer whose programs succeed, and the commands that it ran."""

    def make(text, fresh=True, built=None, **wanted):
        made, ran = maker(text, **wanted), []
        made.site.run_command = lambda arguments, **options: ran.append([str(part) for part in arguments]) or (0, "", "")
        made.installer.uv = "/opt/uv"
        made.installer.begin(fresh, False, built or {})
        return made, ran

    return make


def test_uv_makes_the_environment_and_installs_into_it(ready):
    made, ran = ready("six\n", packages=["tqdm"])
    made.installer.interpreter = "/usr/bin/python3.12"
    made.installer.create()
    assert made.installer.install("cu126") == "cu126"
    python, requirements = made.path + "/bin/python", made.project.folder + "/r.txt"
    assert ran == [
        ["/opt/uv", "venv", "--allow-existing", "--python", "/usr/bin/python3.12", made.path],
        ["/opt/uv", "pip", "install", "--python", python, "-r", requirements, "--torch-backend", "cu126", "--", "pip", "tqdm"],
    ]


def test_venv_makes_the_environment_and_installs_with_its_pip(ready):
    made, ran = ready("six\n", manager="venv", packages=["tqdm"])
    made.installer.interpreter = "/usr/bin/python3"
    os.makedirs(made.path)
    made.installer.create()
    assert made.installer.install("cu126") is None
    assert ran == [
        ["/usr/bin/python3", "-m", "venv", made.path],
        [made.path + "/bin/python", "-m", "pip", "install", "-r", made.project.folder + "/r.txt", "--", "tqdm"],
    ]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program of this name into PATH."""

    def put(name):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
        return str(path)

    return put


def test_conda_takes_its_description_and_leaves_the_other_files_to_uv(ready, program):
    conda = program("micromamba")
    made, ran = ready("six\n", manager="conda")
    (made.wanted["requirements"]).append("environment.yml")
    made.installer.find()
    os.makedirs(made.path)
    made.installer.create()
    made.installer.install(None)
    assert ran[0] == [conda, "create", "-y", "-p", made.path, "-f", made.project.path("environment.yml")]
    assert ran[1][:3] == ["/opt/uv", "pip", "install"] and made.project.path("environment.yml") not in ran[1]
    assert made.project.path("r.txt") in ran[1] and len(ran) == 2


def test_a_changed_description_of_conda_is_brought_to_the_environment(ready, program):
    conda = program("conda")
    made, ran = ready("six\n", fresh=False, manager="conda")
    made.wanted["requirements"].append("environment.yml")
    made.project.inputs.files[made.project.path("environment.yml")] = "new"
    made.installer.find()
    made.installer.install(None)
    assert ran[0] == [conda, "env", "update", "-p", made.path, "-f", made.project.path("environment.yml")]
    ran.clear()
    made.installer.built = {"file " + made.project.path("environment.yml"): "new"}
    made.installer.install(None)
    assert len(ran) == 1


def test_a_host_without_conda_is_told_what_to_do(maker, monkeypatch):
    made = maker("", manager="conda")
    made.site.search = ["/nowhere"]
    monkeypatch.setattr(_with_conda.os.path, "isfile", lambda path: False)
    with pytest.raises(_report.Trouble, match="the host has no micromamba, mamba or conda"):
        made.installer.find()


def test_a_python_that_cannot_be_had_is_told_with_what_is_there(maker, monkeypatch):
    made = maker("", manager="venv")
    monkeypatch.setattr(type(made.site), "interpreters", lambda site: {"/usr/bin/python3": "3.11.2", "/opt/python": "3.12.4"})
    made.site.version = "3.12"
    made.installer.choose_python()
    assert made.installer.interpreter == "/opt/python"
    made.site.version = "3.13"
    with pytest.raises(
        _report.Trouble, match=r"Python 3.13 cannot be had: the host has 3.11.2 \(/usr/bin/python3\), 3.12.4 \(/opt/python\)"
    ):
        made.installer.choose_python()


def test_an_address_in_an_error_is_shown_without_its_password(ready):
    made, _ran = ready("six\n")
    with pytest.raises(_report.Trouble) as trouble:
        made.installer.fail("uv cannot be had", "error sending request for url (https://ada:secret@mirror.example.org/simple/six/)")
    assert "the host cannot reach https://mirror.example.org/simple/six/" in str(trouble.value)
