# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role python_env with local packages, failing builds, settings of an image, and other roles and plays around it."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

PACKAGE = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "%s"\nversion = "0"\ndependencies = [%s]\n'
)
# A wheel, written with the standard library of the host.
WHEEL = """
import sys, zipfile
folder, name, version, value = sys.argv[1:]
info = "%s-%s.dist-info" % (name, version)
with zipfile.ZipFile("%s/%s-%s-py3-none-any.whl" % (folder, name, version), "w") as wheel:
    wheel.writestr(name + ".py", "V = %r\\n" % value)
    wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n" % (name, version))
    wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    names = [name + ".py", info + "/METADATA", info + "/WHEEL", info + "/RECORD"]
    wheel.writestr(info + "/RECORD", "".join(entry + ",,\\n" for entry in names))
"""


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent("container", "inputs", image="debian-12-tools")
    found.wait_for_ssh()
    return found


@pytest.fixture
def run(box, play, tmp_path):
    """Run roles in this order with settings of students: a checkout here, sent to the host."""

    def act(roles=("ready", "repos", "python_env"), check=False, more=(), **variables):
        tasks = [
            {"name": role, "ansible.builtin.import_role": {"name": "rented.gpu." + role, "rolespec_validate": False}} for role in roles
        ]
        plays = [{"hosts": box.name, "gather_facts": False, "tasks": tasks}] + list(more)
        outcome = play(plays, check=check, ready_packages=[], **variables)
        found = [result for _host, task, result in outcome.results() if task == "Make the Python environment"]
        outcome.result = found[-1] if found else {}
        return outcome

    return act


@pytest.fixture
def project(box, tmp_path):
    """Make a checkout on the controller; returns its folder, the settings that send it, and a function that writes and commits."""

    def make(name, **files):
        box.ssh("rm -rf /workspace/%s /workspace/%s.lib" % (name, name))
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")

        def commit(**files):
            for path, text in files.items():
                path = folder / path.replace("__", "/").replace("_dot_", ".")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            git(folder, "add", "-A")
            git(folder, "commit", "-q", "-m", "more")

        commit(**files)
        return folder, {"repos_list": [{"src": str(folder)}]}, commit

    return make


def python(box, project, code):
    return box.ssh("cd / && /workspace/%s/.venv/bin/python -B -c %s" % (project, "'%s'" % code)).strip()


def status(box, project):
    return box.ssh("git -C /workspace/%s status --porcelain --untracked-files=all" % project).strip()


@pytest.mark.parametrize("line, manager", [(".", "uv"), ("-e .", "uv"), ("-e ./lib", "venv")])
def test_a_new_commit_of_a_local_package_brings_its_code_and_its_dependencies(box, run, project, line, manager):
    if manager == "venv":
        box.ssh("dpkg -s python3-venv >/dev/null 2>&1 || { apt-get -q update; apt-get -q install -y python3-venv; } >/dev/null 2>&1")
    inside = "lib__" if "lib" in line else ""
    name = "lib" if inside else "hw2"
    _folder, settings, commit = project(
        "again",
        requirements_dot_txt=line + "\n",
        **{inside + "hw2__main_dot_py": "V = 1\n", inside + "pyproject_dot_toml": PACKAGE % (name, '"idna"')},
    )
    settings.update(python_env_requirements=["requirements.txt"], python_env_manager=manager)
    run(**settings).ok()
    assert python(box, "again", "import hw2.main; print(hw2.main.V)") == "1"
    assert status(box, "again") == ""
    repeat = run(**settings).ok()
    assert repeat.changes() == [] and repeat.executions(box.name) == 1

    commit(**{inside + "hw2__main_dot_py": "V = 2\n", inside + "pyproject_dot_toml": PACKAGE % (name, '"idna", "six"')})
    assert run(**settings).ok().result["changed"] is True
    assert python(box, "again", "import six, hw2.main; print(hw2.main.V)") == "2"
    assert status(box, "again") == ""
    repeat = run(**settings).ok()
    assert repeat.changes() == [] and repeat.executions(box.name) == 1


def test_a_wheel_a_folder_of_wheels_a_constraint_and_uncommitted_work_are_inputs(box, run, project):
    folder, settings, _commit = project(
        "links",
        requirements_dot_txt="-c limits.txt\n-f /workspace/links.lib\nwone\n/workspace/links.lib/wtwo-1-py3-none-any.whl\n"
        "idna\n-r more.txt\n",
        limits_dot_txt="-r deep.txt\n", deep_dot_txt="idna==3.6\n", more_dot_txt="./pure\n",
        pure__pyproject_dot_toml=PACKAGE % ("pure", ""),
        pure__pure_dot_py="V = 1\n",
    )  # fmt: skip
    settings["repos_list"][0]["uncommitted"] = True
    settings["python_env_requirements"] = ["requirements.txt"]
    box.ssh("mkdir -p /workspace/links.lib && cat > /tmp/wheel.py", input=WHEEL)

    def wheel(name, version, value):
        box.ssh("python3 /tmp/wheel.py /workspace/links.lib %s %s %s" % (name, version, value))

    def values():
        return python(box, "links", "import wone, wtwo, pure, idna; print(wone.V, wtwo.V, pure.V, idna.__version__)")

    wheel("wone", 1, "a")
    wheel("wtwo", 1, "a")
    run(**settings).ok()
    assert values() == "a a 1 3.6"
    assert run(**settings).ok().changes() == []
    wheel("wone", 1, "b")
    wheel("wtwo", 1, "b")
    (folder / "pure" / "pure.py").write_text("V = 2\n")
    (folder / "deep.txt").write_text("idna==3.7\n")
    run(**settings).ok()
    assert values() == "b b 2 3.7"
    wheel("wone", 2, "c")
    run(**settings).ok()
    assert values() == "c b 2 3.7"
    assert run(**settings).ok().changes() == []


def test_path_sources_and_members_of_a_synced_project_are_inputs(box, run, project):
    top = PACKAGE % ("app", '"alpha", "beta"')
    top += '[tool.setuptools]\npy-modules = []\n[tool.uv.sources]\nalpha = { path = "alpha" }\nbeta = { workspace = true }\n'
    top += '[tool.uv.workspace]\nmembers = ["packages/*"]\nexclude = ["alpha"]\n'
    _folder, settings, commit = project(
        "synced", pyproject_dot_toml=top, alpha__pyproject_dot_toml=PACKAGE % ("alpha", ""), alpha__alpha_dot_py="V = 1\n",
        packages__beta__pyproject_dot_toml=PACKAGE % ("beta", ""), packages__beta__beta_dot_py="V = 1\n",
    )  # fmt: skip
    # A pyproject.toml alone: nothing asks for extras or requirements.
    made = run(**settings).ok()
    assert not [warning for warning in made.result.get("warnings") or [] if "asks for" in warning]
    assert python(box, "synced", "import alpha, beta; print(alpha.V, beta.V)") == "1 1"
    assert status(box, "synced") == ""
    commit(
        alpha__alpha_dot_py="V = 2\n", packages__beta__pyproject_dot_toml=PACKAGE % ("beta", '"six"'), packages__beta__beta_dot_py="V = 2\n"
    )
    run(**settings).ok()
    assert python(box, "synced", "import alpha, beta, six; print(alpha.V, beta.V)") == "2 2"
    assert status(box, "synced") == ""
    assert run(**settings).ok().changes() == []


def test_a_lock_file_that_lacks_a_dependency_is_named(box, run, project):
    folder, settings, commit = project(
        "stale", pyproject_dot_toml='[project]\nname = "stale"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["six"]\n'
    )
    subprocess.run(["uv", "lock", "-q", "--directory", str(folder)], check=True)
    commit()
    run(**settings).ok()
    commit(pyproject_dot_toml=(folder / "pyproject.toml").read_text().replace('"six"', '"six", "idna"'))
    outcome = run(**settings)
    assert outcome.rc != 0
    assert "idna is not in the environment" in outcome.message() and "uv lock" in outcome.message()


def test_a_failed_build_is_named_with_its_cause_and_the_way_out(box, run, project):
    setup = "from setuptools import setup\nimport %s\nsetup(name='flashy', version='1')\n"
    _folder, settings, commit = project(
        "flash",
        r_dot_txt="./fine\n./flashy\n",
        flashy__setup_dot_py=setup % "torch",
        fine__setup_dot_py=setup.replace("flashy", "fine") % "os",
    )
    settings["python_env_requirements"] = ["r.txt"]
    outcome = run(**settings)
    assert "the build of flashy failed: ModuleNotFoundError: No module named 'torch'." in outcome.message()
    assert 'no-build-isolation-package = ["flashy"]' in outcome.message()
    commit(flashy__setup_dot_py="import subprocess\nsubprocess.check_call(['nvcc', '--version'])\n" + setup % "os")
    outcome = run(**settings)
    assert "the build of flashy failed: FileNotFoundError: [Errno 2] No such file or directory: 'nvcc'" in outcome.message()
    assert "no CUDA toolkit" in outcome.message()
    commit(flashy__setup_dot_py=setup % "os")
    run(**settings).ok()


def test_the_uv_that_a_project_requires_and_the_one_that_is_asked_for(box, run, project):
    _folder, settings, commit = project("pinned", pyproject_dot_toml='[tool.uv]\nrequired-version = ">=0.12,<0.13"\n', r_dot_txt="six\n")
    settings["python_env_requirements"] = ["r.txt"]
    made = run(**settings).ok()
    assert any(step["step"].startswith("uv 0.12.") for step in made.result["steps"]), made.result["steps"]
    assert run(**settings).ok().changes() == []
    conflict = run(**settings, python_env_uv_version="0.11.0")
    assert "python_env_uv_version is 0.11.0, but" in conflict.message() and "requires uv >=0.12,<0.13" in conflict.message()
    commit(pyproject_dot_toml="")
    named = run(**settings, python_env_uv_version="0.12.20").ok()
    assert any(step["step"].startswith("uv 0.12.20 ") for step in named.result["steps"])
    assert json.loads(box.ssh("cat .rented/stamps/python_env.json"))["data"]["versions"]["uv"] == "0.12.20"
    refused = run(**settings, python_env_uv_version="0.2.0")
    assert "the role needs uv 0.7.0 or later" in refused.message()


@pytest.mark.parametrize(
    "files, sentence",
    [
        ({"r_dot_txt": "six\ncertifi @ file:///croot/certifi_1/work/certifi\n"}, "r.txt, line 2: 'certifi @ file:///croot"),
        ({"r_dot_txt": "-r more.txt\n", "more_dot_txt": "pkg-resources==0.0.0\n"}, "more.txt, line 1: 'pkg-resources==0.0.0'"),
        ({"r_dot_txt": "Package Version\n------- -------\nsix     1.17.0\n"}, "the output of 'pip list'"),
        ({"r_dot_txt": "-e /home/ada/thesis\n"}, "r.txt, line 1: '/home/ada/thesis' is not on the host"),
        ({"r_dot_txt": "six\n", "_dot_venv__pyvenv_dot_cfg": "home = /opt/homebrew\n"}, "git rm -r -q --cached .venv"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(box, run, project, play, files, sentence):
    folder, settings, commit = project("bad", **files)
    settings["python_env_requirements"] = ["r.txt"]
    outcome = run(**settings)
    assert outcome.rc != 0 and sentence in outcome.message() and "Nothing was changed" in outcome.message()
    assert box.ssh("ls -d /workspace/bad/.venv/bin || true").strip() == ""
    if "is not on the host" not in sentence:  # a local checkout tells the rest before the first login
        early = play("bootstrap", limit=box.name, **settings)
        assert sentence in early.message() and early.tasks(box.name) == ["Check the settings"]
    if "git rm" in sentence:
        git(folder, "rm", "-r", "-q", "--cached", ".venv")
        shutil.rmtree(folder / ".venv")
        commit(_dot_gitignore=".venv/\n")
        run(**settings).ok()
        commit(new_dot_py="")
        run(**settings).ok()
        assert status(box, "bad") == ""


SURROUNDINGS = """
PIP_USER=1 PIP_TARGET=/tmp/steered PIP_PREFIX=/tmp/steered PIP_REQUIRE_VIRTUALENV=1 PIP_NO_DEPS=1 PIP_CONSTRAINT=/nowhere
PIP_DRY_RUN=1 PIP_REQUIREMENT=/nowhere PIP_NO_BUILD_ISOLATION=0 PIP_REQUIRE_HASHES=1 PIP_ONLY_BINARY=:all: PIP_ROOT=/tmp/steered
UV_TARGET=/tmp/steered UV_SYSTEM_PYTHON=1 UV_PROJECT_ENVIRONMENT=/tmp/steered UV_PYTHON=3.99 UV_CONSTRAINT=/nowhere UV_OVERRIDE=/nowhere
UV_EXCLUDE_NEWER=2001-01-01 UV_NO_BUILD=1 UV_OFFLINE=1 UV_REQUIRE_HASHES=1 UV_CONFIG_FILE=/nowhere UV_WORKING_DIR=/tmp UV_TORCH_BACKEND=xpu
UV_NO_SOURCES=1 UV_RESOLUTION=lowest UV_MANAGED_PYTHON=1 UV_VENV_CLEAR=1 UV_ENV_FILE=/nowhere UV_NO_BUILD_ISOLATION=1 UV_PREVIEW=1
PYTHONPATH=/tmp/steered PYTHONUSERBASE=/tmp/steered PYTHONWARNINGS=error PYTHONOPTIMIZE=2 PYTHONSAFEPATH=1 VIRTUAL_ENV=/tmp/steered
CONDA_PREFIX=/tmp/steered CONDA_DEFAULT_ENV=steered CONDA_OFFLINE=true
"""


@pytest.mark.parametrize("manager", ["uv", "venv"])
def test_the_settings_of_an_image_do_not_steer_the_installers(box, run, project, manager):
    _folder, settings, _commit = project(
        "image", r_dot_txt="./own\nidna\n", own__pyproject_dot_toml=PACKAGE % ("own", '"six"'), own__own_dot_py=""
    )
    settings.update(python_env_requirements=["r.txt"], python_env_manager=manager)
    box.ssh(
        "cp .bashrc bashrc.kept 2>/dev/null || touch bashrc.kept; cat - bashrc.kept > .bashrc",
        input="export %s\n" % " ".join(SURROUNDINGS.split()),
    )
    box.ssh(
        "mkdir -p .config/pip .config/uv; cat > .config/pip/pip.conf",
        input="[global]\nuser = true\nno-deps = true\n[install]\ntarget = /tmp/steered\n",
    )
    box.ssh(
        "cat > .config/uv/uv.toml", input='offline = true\nexclude-newer = "2001-01-01"\n[pip]\ntarget = "/tmp/steered"\nno-deps = true\n'
    )
    try:
        run(**settings).ok()
        assert python(box, "image", "import own, six, idna; print(six.__file__)").startswith("/workspace/image/.venv/")
        assert box.ssh("ls -d /tmp/steered || true").strip() == ""
    finally:
        box.ssh("mv bashrc.kept .bashrc; rm -rf .config/pip .config/uv /tmp/steered")


def test_ansibles_own_python_is_never_the_projects(box, run, project):
    """Whatever comes after python_env: later tasks, other plays, other runs without `ready`."""
    _folder, settings, _commit = project("mine", r_dot_txt="six\n")
    settings["python_env_requirements"] = ["r.txt"]

    def pythons(outcome):
        facts = [result.get("ansible_facts") or {} for _host, _task, result in outcome.results()]
        return {found["ansible_python"]["executable"] for found in facts if "ansible_python" in found}

    look = {"hosts": box.name, "tasks": [{"name": "Which", "ansible.builtin.setup": {"gather_subset": "!all"}}]}
    install = {
        "hosts": box.name, "gather_facts": False,
        "tasks": [{"name": "Install", "ansible.builtin.pip": {
            "name": "idna", "virtualenv": "/root/own", "virtualenv_command": "/usr/bin/python3 -m venv"}}],
    }  # fmt: skip
    box.ssh("apt-get -q update >/dev/null; apt-get -q install -y python3-venv python3-packaging python3-setuptools >/dev/null")
    outcome = run(more=[dict(look, gather_facts=False), dict(look, gather_facts=True), install], **settings).ok()
    assert pythons(outcome) == {"/usr/bin/python3"}
    assert "/root/own/lib" in box.ssh("/root/own/bin/python -c 'import idna; print(idna.__file__)'")
    assert box.ssh("/workspace/mine/.venv/bin/python -c 'import idna' 2>&1 || echo clean").strip().endswith("clean")
    # Another run, in which no role of ours comes first.
    alone = run(roles=(), more=[dict(look, gather_facts=False)], **settings).ok()
    found = pythons(alone)
    assert found and not [path for path in found if path.startswith("/workspace")]
    assert box.ssh("command -v python").strip() == "/workspace/mine/.venv/bin/python"


def test_python_env_may_come_before_repos(box, run, project, play):
    _folder, settings, _commit = project("early", requirements_dot_txt="idna\n")
    run(roles=("ready", "python_env"), python_env_packages=["six"], **settings).ok()
    run(roles=("ready", "repos"), **settings).ok()
    assert status(box, "early") == ""
    play(
        "bootstrap", limit=box.name, cuda_check_required=[], ready_packages=[], python_env_requirements=["requirements.txt"], **settings
    ).ok()
    assert python(box, "early", "import six, idna; print(1)") == "1"
