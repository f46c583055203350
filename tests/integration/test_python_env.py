# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role python_env on real hosts: made, active in every shell, made again only when something changed, mended after a cut."""

from __future__ import annotations

import json
import shlex
import threading
import time

import pytest

# A package whose build can be made slow, so that there is time to interrupt it.
SLOW = """
import os, time
from setuptools import setup
open("/tmp/build-began", "w").close()
while os.path.exists("/tmp/be-slow"):
    time.sleep(0.2)
setup(name="slowly", version="1.0", py_modules=[])
"""
PYPROJECT = """
[project]
name = "course"
version = "0"
requires-python = ">=3.9"
dependencies = ["idna"]
[project.optional-dependencies]
gpu = ["tqdm"]
"""


@pytest.fixture(scope="module")
def root(boxes):
    box = boxes.rent("container", "root")
    box.wait_for_ssh()
    return box


@pytest.fixture(scope="module")
def vm(boxes):
    box = boxes.rent("vm", "vm")
    box.wait_for_ssh()
    return box


@pytest.fixture
def role(play):
    """Run the role alone on one host: the outcome, and the role's own result."""

    def run(box, check=False, **variables):
        variables = {"python_env_" + name: value for name, value in variables.items()}
        task = {"name": "Make it", "ansible.builtin.import_role": {"name": "rented.gpu.python_env", "rolespec_validate": False}}
        python = {"ansible_python_interpreter": "/usr/bin/python3"}
        outcome = play([{"hosts": box.name, "gather_facts": False, "vars": python, "tasks": [task]}], check=check, **variables)
        outcome.result = outcome.results()[-1][2] if outcome.results() else {}
        return outcome

    return run


def write(box, folder, **files):
    """Put files on the host; `__` in a name is a dot."""
    for name, content in files.items():
        path = "%s/%s" % (folder, name.replace("__", "."))
        box.ssh("mkdir -p $(dirname %s) && cat > %s" % (path, path), input=content)


def workdir(box):
    return "/workspace" if box.name == "root" else "/home/%s" % box.instance.ssh_user


def prefix(box, path="python"):
    return box.ssh(path + " -c 'import sys; print(sys.prefix)'").strip()


def stamp(box):
    return json.loads(box.ssh("cat .rented/stamps/python_env.json"))


@pytest.mark.parametrize("name", ["root", "vm"])
def test_made_active_everywhere_and_settled(name, request, role):
    box = request.getfixturevalue(name)
    project = workdir(box) + "/hw"
    write(box, project, requirements__txt="idna\n-r more.txt\n", more__txt="# more\ntqdm\n")
    wanted = {"project": "hw", "requirements": ["requirements.txt"]}

    predicted = role(box, check=True, **wanted).ok()
    assert predicted.result["changed"] is True
    assert box.ssh("ls -A | grep -c rented || true").strip() == "0"

    made = role(box, **wanted).ok()
    assert made.result["changed"] is True
    assert made.result["env"]["path"] == project + "/.venv"
    assert {"idna", "tqdm", "pip"} <= {line.split("==")[0] for line in made.result["diff"][-1]["after"].splitlines()}
    assert (
        box.ssh("git -C %s init -q && git -C %s status --porcelain -uall | grep .venv || echo clean" % (project, project)).strip()
        == "clean"
    )

    # D7, D14: no script has to activate anything.
    for command in ("%s", "bash -lc %s", "bash -ic %s", "sh -lc %s"):
        inner = "python -c 'import sys, idna, tqdm; print(sys.prefix)'"
        assert box.ssh(command % (inner if command == "%s" else shlex.quote(inner))).strip() == project + "/.venv", command
    assert box.ssh("command -v pip").strip() == project + "/.venv/bin/pip"

    again = role(box, **wanted).ok()
    assert again.changes() == []
    assert again.run_facts(box.name)["python_env"]["executions"] == 1  # the facts; in bootstrap.yml they are read by ready

    write(box, project, more__txt="tqdm\nsix\n")
    changed = role(box, **wanted).ok()
    assert changed.result["changed"] is True
    assert "six" in box.ssh("%s/.venv/bin/pip list" % project)
    assert box.ssh("cat .bashrc .profile | grep -c 'rented/env.sh'").strip() == "3"


def test_what_a_person_installed_stays_and_is_no_change(root, role):
    wanted = {"project": "hw", "requirements": ["requirements.txt"]}
    root.ssh("pip install -q colorama")
    assert role(root, **wanted).ok().changes() == []
    assert "colorama" in root.ssh("pip list")
    root.ssh("rm -r /workspace/hw/.venv/lib/python3*/site-packages/idna*")
    assert role(root, **wanted).ok().result["changed"] is True
    root.ssh("python -c 'import idna'")


def test_a_shell_file_that_lost_its_lines_gets_them_back(vm, role):
    wanted = {"project": "hw", "requirements": ["requirements.txt"]}
    write(vm, ".", __bashrc="# mine\n")
    assert role(vm, **wanted).ok().result["changed"] is True
    assert prefix(vm) == workdir(vm) + "/hw/.venv"
    assert "# mine" in vm.ssh("cat .bashrc")


@pytest.mark.parametrize(
    "wanted, files, sentence",
    [
        ({"requirements": ["gone.txt"]}, {"train__py": "", "requirements__txt": ""}, "gone.txt is not in the project"),
        ({"requirements": ["gone.txt"]}, {"train__py": "", "requirements__txt": ""}, "requirements.txt, train.py"),
        ({"requirements": ["r.txt"]}, {"r__txt": "-r other.txt\n"}, "includes"),
        ({"requirements": ["r.txt"]}, {"r__txt": "no-such-package-of-rented-gpu\n"}, "no-such-package-of-rented-gpu was not found"),
        ({"requirements": ["r.txt"]}, {"r__txt": "six==99\n"}, "no version of six==99"),
        ({"requirements": ["r.txt"]}, {"r__txt": "six>>1\n"}, "in `r.txt`"),
        ({"extras": ["gpu"]}, {"r__txt": ""}, "has no pyproject.toml"),
        ({"extras": ["gpus"]}, {"pyproject__toml": PYPROJECT}, "gpus"),
        ({"python": "python3.8.5"}, {"r__txt": ""}, "Python 3.8.5 cannot be had: the host has 3."),  # D5
        ({"python": "three"}, {"r__txt": ""}, "takes a version such as"),
        ({"manager": "conda"}, {"r__txt": ""}, "no micromamba, mamba or conda"),
        ({"disk_mb": 99999999}, {"r__txt": ""}, "needs about 99999999 MB"),
        ({"path": "bad"}, {"r__txt": ""}, "is not a Python environment"),
        ({"torch": "cuda12"}, {"r__txt": ""}, "a CUDA tag such as cu126"),
        ({"requirements": ["pylock.toml"], "manager": "venv"}, {"pylock__toml": ""}, "only uv reads"),
    ],
)
def test_bad_input_gives_one_sentence(vm, role, wanted, files, sentence):
    vm.ssh("rm -rf bad")
    write(vm, "bad", **files)
    outcome = role(vm, project="bad", **wanted)
    assert outcome.rc != 0
    message = outcome.message()
    assert sentence in message
    assert "Traceback" not in message and "\n" not in message.strip()
    assert len(message) < 700


def test_a_requirements_file_that_nothing_names_is_mentioned(vm, role):
    vm.ssh("rm -rf bad")
    write(vm, "bad", requirements__txt="six\n")
    made = role(vm, project="bad").ok()
    assert any("which nothing asks for" in warning for warning in made.result["warnings"])
    assert "six" not in made.result["diff"][-1]["after"]


def test_a_refused_requirement_leaves_the_environment_in_use(vm, role):
    vm.ssh("rm -rf fix")
    write(vm, "fix", r__txt="six\n")
    role(vm, project="fix", requirements=["r.txt"]).ok()
    before = vm.ssh("stat -c %i fix/.venv/pyvenv.cfg")
    write(vm, "fix", r__txt="six==99\n")
    assert role(vm, project="fix", requirements=["r.txt"]).rc != 0
    assert prefix(vm) == workdir(vm) + "/fix/.venv"
    write(vm, "fix", r__txt="six\nidna\n")
    role(vm, project="fix", requirements=["r.txt"]).ok()
    assert vm.ssh("stat -c %i fix/.venv/pyvenv.cfg") == before


def test_extras_of_a_pyproject_and_a_lock(vm, role):
    vm.ssh("rm -rf course")
    write(vm, "course", pyproject__toml=PYPROJECT)
    made = role(vm, project="course", extras=["gpu"]).ok()
    assert "tqdm" in made.result["diff"][-1]["after"]
    assert "uv.lock" not in vm.ssh("ls course"), "an unasked lock would make the checkout differ"
    assert role(vm, project="course", extras=["gpu"]).ok().changes() == []

    vm.ssh("cd course && uv lock -q")
    locked = role(vm, project="course", extras=["gpu"]).ok()
    assert "uv.lock" in vm.ssh("ls course")
    assert any(path.endswith("/uv.lock") for path in stamp(vm)["watch"]["files"])
    assert locked.result["env"]["packages"] == made.result["env"]["packages"]
    assert role(vm, project="course", extras=["gpu"]).ok().changes() == []


def test_lock_files_with_hashes(vm, role):
    vm.ssh("rm -rf locks")
    write(vm, "locks", in__txt="six\n")
    vm.ssh("cd locks && uv pip compile -q --generate-hashes in.txt -o hashed.txt")
    vm.ssh("cd locks && uv pip compile -q in.txt --format pylock.toml -o pylock.toml")
    assert "six" in role(vm, project="locks", requirements=["hashed.txt"]).ok().result["diff"][-1]["after"]
    vm.ssh("rm -rf locks/.venv")
    assert "six" in role(vm, project="locks", requirements=["pylock.toml"]).ok().result["diff"][-1]["after"]


def test_a_broken_environment_is_made_anew(vm, role):
    wanted = {"project": "fix", "requirements": ["r.txt"]}
    role(vm, **wanted).ok()
    vm.ssh("ln -sf /nowhere/python3 fix/.venv/bin/python")
    assert role(vm, **wanted).ok().result["changed"] is True
    vm.ssh("fix/.venv/bin/python -c 'import six'")


def test_a_broken_environment_of_the_user_is_put_aside_and_not_deleted(vm, role):
    vm.ssh("rm -rf theirs && mkdir -p theirs/.venv/bin && touch theirs/.venv/pyvenv.cfg theirs/.venv/precious")
    vm.ssh("ln -s /nowhere theirs/.venv/bin/python")
    role(vm, project="theirs", packages=["six"]).ok()
    assert vm.ssh("ls theirs/.venv.broken-*/precious").strip()
    vm.ssh("theirs/.venv/bin/python -c 'import six'")


def processes(box, *words):
    """Ids of the host's processes whose command line has all words."""
    script = (
        "for f in /proc/[0-9]*/cmdline; do p=${f#/proc/}; p=${p%/cmdline}; "
        "[ $p = $$ ] || [ $p = $PPID ] || printf '%s %s\\n' $p \"$(tr '\\0\\n' '  ' < $f 2>/dev/null)\"; done"
    )
    found = [line.partition(" ") for line in box.ssh(script).splitlines()]
    return [pid for pid, _blank, line in found if all(word in line for word in words)]


def interrupt(box, role, wanted, kill):
    """Start the role, wait until the build runs, and cut; the outcome of the cut run."""
    box.ssh("rm -f /tmp/build-began; touch /tmp/be-slow")
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(role(box, **wanted)))
    thread.start()
    end = time.monotonic() + 60
    while box.ssh("test -e /tmp/build-began && echo yes || true").strip() != "yes":
        assert time.monotonic() < end and thread.is_alive(), "the build never began: %s" % [outcome.message() for outcome in outcomes]
        time.sleep(0.2)
    kill()
    thread.join(60)
    assert outcomes and outcomes[0].rc != 0
    return outcomes[0]


@pytest.fixture
def slow_project(root):
    root.ssh("rm -rf /workspace/slow")
    write(root, "/workspace/slow", requirements__txt="six\n./package\n")
    write(root, "/workspace/slow/package", setup__py=SLOW)
    yield {"project": "slow", "requirements": ["requirements.txt"]}
    root.ssh("rm -f /tmp/be-slow")


def test_a_killed_install_is_mended(root, role, slow_project):
    def kill():
        words = (("uv", "pip"), ("/builds-",), ("/usr/bin/python3",))
        pids = {pid for some in words for pid in processes(root, *some)}
        root.ssh("kill -9 %s || true" % " ".join(sorted(pids, key=int)))

    interrupt(root, role, slow_project, kill)
    assert "python_env.json" not in root.ssh("ls .rented/stamps || true")
    root.ssh("rm /tmp/be-slow")
    mended = role(root, **slow_project).ok()
    assert mended.result["steps"][0]["step"] == "remove what an interrupted run left"
    root.ssh("python -c 'import six' && pip show -q slowly")
    assert role(root, **slow_project).ok().changes() == []


def test_a_cut_connection_is_mended(root, role, slow_project):
    def cut():
        root.ssh("kill -9 %s" % " ".join(processes(root, "sshd", "@notty")), check=False)

    cut_run = interrupt(root, role, slow_project, cut)
    assert cut_run.results("unreachable")
    # What the cut run started lives on: the next run must wait for it, not work beside it.
    assert processes(root, "uv", "pip", "install")
    threading.Timer(3, lambda: root.ssh("rm /tmp/be-slow")).start()
    role(root, **slow_project).ok()
    root.ssh("python -c 'import six' && pip show -q slowly")
    assert role(root, **slow_project).ok().changes() == []


def test_torch_for_a_driver_is_explained_and_an_unreachable_index_is_survived(vm, role):
    """The version does not exist, so that nothing large is fetched wherever the test runs."""
    vm.ssh("rm -rf deep")
    write(vm, "deep", r__txt="torch==99\n")
    outcome = role(vm, project="deep", requirements=["r.txt"], disk_mb=1)
    assert "torch==99" in outcome.message()
    check = role(vm, check=True, project="deep", requirements=["r.txt"], disk_mb=1)
    assert "torch for CPUs" in check.ok().result["torch"]  # a rehearsal's GPU is simulated


def test_venv_and_pip(root, role):
    without = role(root, project="hw", path="venv-pip", manager="venv", packages=["six"])
    if without.rc != 0:
        assert "python3-venv" in without.message()
        root.ssh("apt-get -q update >/dev/null; DEBIAN_FRONTEND=noninteractive apt-get -q install -y python3-venv >/dev/null")
    role(root, project="hw", path="venv-pip", manager="venv", packages=["six"]).ok()
    assert prefix(root) == "/workspace/venv-pip"
    root.ssh("python -c 'import six'")
    assert role(root, project="hw", path="venv-pip", manager="venv", packages=["six"]).ok().changes() == []


# Stands in for micromamba, whose packages lie on an index that is not everywhere: it makes the prefix and notes how it was called.
MICROMAMBA = """#!/bin/sh
echo "$@" >> ~/micromamba.log
while [ "$1" != -p ]; do shift; done
~/.rented/uv/*/uv venv -q --seed "$2" && mkdir -p "$2/conda-meta"
"""


def test_conda_is_used_when_the_host_has_it(vm, role):
    write(vm, "bin-of-conda", micromamba=MICROMAMBA)
    vm.ssh("mkdir -p .local/bin && install -m755 bin-of-conda/micromamba .local/bin/micromamba")
    wanted = {"project": "hw", "path": "conda-env", "manager": "conda", "python": "3.11", "packages": ["six"]}
    try:
        role(vm, **wanted).ok()
        assert vm.ssh("cat micromamba.log").strip() == "create -y -p %s/conda-env python=3.11 pip" % workdir(vm)
        assert vm.ssh("python -c 'import six, os; print(os.environ[\"CONDA_PREFIX\"])'").strip() == workdir(vm) + "/conda-env"
        assert role(vm, **wanted).ok().changes() == []
    finally:
        vm.ssh("rm -f .local/bin/micromamba")


def test_the_controller_sends_uv_to_a_host_that_cannot_fetch_it(vm, role):
    vm.ssh("rm -rf .rented/uv sent; mkdir -p sent")
    write(vm, ".config/pip", pip__conf="[global]\nindex-url = http://127.0.0.1:9/simple\n")
    try:
        made = role(vm, project="sent", packages=["six"]).ok()
    finally:
        vm.ssh("rm -r .config/pip")
    assert any("sent by the controller" in step["step"] for step in made.result["steps"])
    vm.ssh("python -c 'import six'")


def test_a_full_disk_is_named(root, role):
    """/dev/shm is a small file system that every container has."""
    wanted = {"project": "hw", "path": "/dev/shm/env", "packages": ["numpy"], "disk_mb": 1}
    root.ssh("rm -rf /dev/shm/* && head -c $(( $(df --output=avail -B1 /dev/shm | tail -1) - 6000000 )) /dev/zero > /dev/shm/ballast")
    outcome = role(root, **wanted)
    assert outcome.rc != 0
    assert "The disk of /dev/shm/env is full" in outcome.message()
    assert "\n" not in outcome.message().strip()
    role(root, **dict(wanted, path="env-elsewhere")).ok()
    root.ssh("rm -rf /dev/shm/*")
