# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on the machine itself, as in a notebook's terminal: a container without sshd, and Ansible in it, from its own package index.

The collection is the built one, so that what users install is what is tried.
"""

from __future__ import annotations

import json
import pathlib
import re
import shlex
import shutil
import sys
import uuid

import pytest
from ansible.release import __version__ as ansible_version

from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import images

# Where the tests put Ansible in the container: an environment of its own, that nobody should take for theirs.
OWN = "/opt/own"
HERE = OWN + "/collections/ansible_collections/rented/gpu/inventory/here.yml"
BEGIN = """
mkdir -p /workspace /etc/uv && echo 'system-certs = true' > /etc/uv/uv.toml
[ ! -e /run/ca.crt ] || cat /run/ca.crt > /etc/ssl/certs/ca-certificates.crt
exec sleep infinity
"""


class Terminal:
    """A container that is reached by the engine's own exec only."""

    def __init__(self, image: str, archive: pathlib.Path) -> None:
        self.engine = engines.need_engine()
        tag = images.ensure(self.engine, image)
        self.engine.ready(tag)
        bundle = images.ca_bundle()
        mount = ["--volume", bundle + ":/run/ca.crt:ro"] if bundle else []
        name = "rented-terminal-" + uuid.uuid4().hex[:8]
        self.engine.run("run", "--detach", "--name", name, *mount, "--entrypoint", "/bin/sh", tag, "-c", BEGIN)
        self.name = name
        uv = shutil.which("uv", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("uv")
        self.run("mkdir -p %s" % OWN)
        self.engine.run("cp", uv, name + ":/usr/local/bin/uv")
        self.engine.run("cp", str(archive), "%s:%s/gpu.tar.gz" % (name, OWN))
        self.run("uv venv -q %s/env && uv pip install -q -p %s/env ansible-core==%s" % (OWN, OWN, ansible_version), 600)
        self.run("%s/env/bin/ansible-galaxy collection install --offline -p %s/collections %s/gpu.tar.gz" % (OWN, OWN, OWN))

    def exec(self, command: str, user: str = "root", seconds: float = 120, text: str | None = None):
        home = "/root" if user == "root" else "/home/" + user
        return self.engine.call(
            "exec", "--interactive", "--user", user, "--env", "HOME=" + home, "--workdir", home, self.name, "sh", "-c", command,
            text=text, timeout=seconds,
        )  # fmt: skip

    def run(self, command: str, seconds: float = 120, user: str = "root", text: str | None = None) -> str:
        done = self.exec(command, user, seconds, text)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def play(self, *arguments, user: str = "root", env: str = "", **settings) -> Ran:
        """ansible-playbook as a person types it, with the private environment active."""
        words = [*arguments, "-e", "@settings.json"] if settings else list(arguments)
        if settings:
            self.run("cat > settings.json", user=user, text=json.dumps(settings))
        done = self.exec(
            "export LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1 ANSIBLE_COLLECTIONS_PATH=%s/collections VIRTUAL_ENV=%s/env PATH=%s/env/bin:$PATH %s; "
            "ansible-playbook %s" % (OWN, OWN, OWN, env, shlex.join(words)), user, 600,
        )  # fmt: skip
        return Ran(done)

    def remove(self) -> None:
        self.engine.remove(self.name)


class Ran:
    """What ansible-playbook printed, and its recap."""

    def __init__(self, done) -> None:
        self.rc = done.returncode
        self.text = done.stdout + done.stderr

    def recap(self, what: str) -> int:
        return int(re.search(r"^\S+ +: .*\b%s=(\d+)" % what, self.text, re.M).group(1))

    def ok(self) -> Ran:
        assert self.rc == 0, self.text[-6000:]
        return self

    @property
    def said(self) -> str:
        """The text without the line breaks that the terminal's width makes."""
        return re.sub(r"\s+", " ", self.text)


@pytest.fixture(scope="module")
def bare(archive):
    """As root, with nothing but Python: git, rsync and tmux are missing."""
    place = Terminal("debian-12", archive)
    yield place
    place.remove()


@pytest.fixture(scope="module")
def tools(archive):
    """With all tools, and a user who may not become root."""
    place = Terminal("debian-12-tools", archive)
    place.run("useradd -m -s /bin/bash ada")
    yield place
    place.remove()


def files(place, user="root"):
    """What a person has there: a project that is not a repository yet, and data."""
    place.run(
        "mkdir -p code/homework data/raw && echo idna > code/homework/requirements.txt && echo 'import idna' > code/homework/train.py"
        " && echo 1 > data/raw/a.csv && echo 2 > data/b.csv",
        user=user,
    )


def repository(place, folder, user="root"):
    place.run(
        "cd %s && git init -q -b main && git add . && git -c user.name=Test -c user.email=test@example.org commit -q -m Begin" % folder,
        user=user,
    )


SETTINGS = {"git_keys_name": "Ada Lovelace", "git_keys_email": "ada@example.org", "python_env_requirements": ["requirements.txt"]}


@pytest.fixture(scope="module")
def predicted(bare):
    files(bare)
    data = [{"src": "~/data", "dest": "fed/data", "exclude": ["b.csv"]}]
    return bare.play("-i", HERE, "rented.gpu.bootstrap", "--check", data_sync_items=data, python_env_packages=["idna"])


@pytest.fixture(scope="module")
def settings(predicted, bare):
    """Data is sent before there is git, which a checkout of here needs; the next run has a checkout, too."""
    data = [{"src": "~/data", "dest": "fed/data", "exclude": ["b.csv"]}]
    return dict(SETTINGS, data_sync_items=data, repos_list=["~/code/homework"])


@pytest.fixture(scope="module")
def first(bare, settings):
    """What a machine lacks is installed; the rest of what is asked comes from this machine itself."""
    wanted = dict(settings, repos_list=[], python_env_requirements=[], python_env_packages=["idna"])
    return bare.play("-i", HERE, "rented.gpu.bootstrap", **wanted).ok()


@pytest.fixture(scope="module")
def fresh(bare, settings, first):
    repository(bare, "code/homework")
    return bare.play("-i", HERE, "rented.gpu.bootstrap", **settings).ok()


def test_check_mode_predicts_on_a_machine_that_lacks_everything(predicted, bare):
    predicted.ok()
    assert predicted.recap("changed") > 0
    assert bare.exec("test -e .rented || test -e fed || command -v git").returncode != 0


def test_nothing_of_ssh_runs(bare):
    running = bare.run("for p in /proc/[0-9]*; do cat $p/comm; done").split()
    assert "sleep" in running and "sshd" not in running


def test_what_lacks_is_installed_and_the_data_fed(first, bare):
    assert bare.run("for tool in git rsync tmux; do command -v $tool; done | wc -l").strip() == "3"
    assert bare.run("ls /workspace/fed/data /workspace/fed/data/raw").split() == [
        *["/workspace/fed/data:", "raw", "/workspace/fed/data/raw:", "a.csv"],
    ]


def test_it_becomes_ready(fresh, bare):
    proof = json.loads(bare.run("cat .rented/ready.json"))
    assert (proof["ready"], proof["host"]) == (True, "here")
    assert {"ready", "repos", "python_env", "cuda_check", "tmux", "data_sync"} <= set(proof["roles"])
    assert bare.run("git config --global user.email").strip() == "ada@example.org"
    assert bare.run("git -C /workspace/homework log -1 --format=%s; git -C /workspace/homework status --porcelain").strip() == "Begin"
    # The copy that the controller keeps is on the same machine: nothing went elsewhere.
    assert json.loads(bare.run("cat .local/state/rented_gpu/ready/here.json")) == proof


def test_the_environment_is_the_users_own_and_not_ansibles(fresh, bare):
    python = bare.run(
        "bash -lc 'cd /workspace/homework && python train.py && python -c \"import sys; print(sys.prefix, sys.base_prefix)\"'"
    )
    assert python.split() == ["/workspace/homework/.venv", "/usr"]
    assert OWN not in bare.run("cat /workspace/homework/.venv/pyvenv.cfg .rented/env.sh")
    sessions = bare.run("tmux list-sessions -F '#S'").split()
    assert "homework" in sessions
    assert OWN not in bare.run("tmux show-environment -g")


def test_a_repeat_changes_nothing(fresh, bare, settings):
    again = bare.play("-i", HERE, "rented.gpu.bootstrap", **settings).ok()
    assert again.recap("changed") == 0, again.text
    before = bare.run("ls -laR --time-style=full-iso .rented | sha256sum")
    looked = bare.play("-i", HERE, "rented.gpu.check", **settings).ok()
    assert looked.recap("changed") == 0, looked.text
    assert bare.run("ls -laR --time-style=full-iso .rented | sha256sum") == before


def test_drift_is_seen(fresh, bare, settings):
    bare.run("rm /workspace/fed/data/raw/a.csv")
    looked = bare.play("-i", HERE, "rented.gpu.check", **settings).ok()
    assert looked.recap("changed") == 1
    assert bare.play("-i", HERE, "rented.gpu.bootstrap", **settings).ok().recap("changed") > 0
    assert bare.run("cat /workspace/fed/data/raw/a.csv").strip() == "1"


def test_commits_made_there_are_kept_and_the_command_that_fetches_them_works(fresh, bare, settings):
    bare.run("cd /workspace/homework && echo more >> train.py && git commit -qam More")
    bare.run("cd code/homework && echo other >> train.py && git commit -qam Other")
    told = bare.play("-i", HERE, "rented.gpu.bootstrap", **settings)
    assert told.rc != 0 and "has diverged" in told.said
    command = re.search(r"git -C /root/code/homework fetch /workspace/homework main", told.said).group(0)
    bare.run(command)
    assert bare.run("git -C code/homework log -1 --format=%s FETCH_HEAD").strip() == "More"


def test_a_user_without_sudo_where_nothing_is_missing(tools):
    """No inventory at all; the checkout is where it should be already, and so is the data."""
    files(tools, "ada")
    tools.run("mv code/homework homework", user="ada")
    repository(tools, "homework", "ada")
    wanted = dict(SETTINGS, repos_list=["~/homework"], data_sync_items=[{"src": "~/data"}])
    words = ("rented.gpu.bootstrap", "-e", "rented_hosts=localhost")
    tools.play(*words, user="ada", **wanted).ok()
    proof = json.loads(tools.run("cat .rented/ready.json", user="ada"))
    assert (proof["ready"], proof["host"]) == (True, "localhost")
    assert tools.run("bash -lc 'command -v python'", user="ada").strip() == "/home/ada/homework/.venv/bin/python"
    again = tools.play(*words, user="ada", **wanted).ok()
    assert again.recap("changed") == 0, again.text
    listed = tools.play("-c", "local", "-i", "localhost,", *words, user="ada", **wanted).ok()
    assert listed.recap("changed") == 0, listed.text
    wrong = tools.play(*words, user="ada", **dict(wanted, repos_list=[{"src": "~/homework", "version": "other"}]))
    assert wrong.rc != 0 and "has no branch, tag or commit 'other'" in wrong.said


def test_a_user_without_sudo_is_told_what_is_missing(bare, first):
    bare.run("useradd -m -s /bin/bash eve; apt-get remove -y -qq rsync > /dev/null 2>&1")
    done = bare.play("-i", HERE, "rented.gpu.bootstrap", user="eve", rented_workdir="~/work")
    assert done.rc != 0
    assert "Installing rsync needs root, and the login user 'eve' is neither root nor may use sudo without a password" in done.said


def test_what_makes_no_sense_without_ssh_says_so(tools):
    wanted = {"git_keys_mode": "agent", "repos_list": ["git@git.example.org:ada/homework.git"]}
    done = tools.play("-i", HERE, "rented.gpu.bootstrap", user="ada", **wanted)
    assert done.rc != 0 and "no ssh agent runs here" in done.said
    inside = tools.play("-i", HERE, "rented.gpu.bootstrap", user="ada", data_sync_items=[{"src": "~/data", "dest": "~/data/copy"}])
    assert inside.rc != 0 and "lies inside the data /home/ada/data itself" in inside.said


def test_a_key_that_is_there_is_used(tools):
    tools.run("mkdir -p -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -C test -f .ssh/mine", user="ada")
    wanted = {"git_keys_mode": "private_key", "git_keys_private_key": "~/.ssh/mine"}
    tools.play("-i", HERE, "rented.gpu.bootstrap", user="ada", **wanted).ok()
    assert "sha256" in tools.run("cat .rented/secrets.json", user="ada")
    again = tools.play("-i", HERE, "rented.gpu.bootstrap", user="ada", **wanted).ok()
    assert again.recap("changed") == 0, again.text
    # Without the key the role takes back what it placed, and leaves the user's own.
    tools.play("-i", HERE, "rented.gpu.bootstrap", user="ada", git_keys_mode="push").ok()
    assert tools.run("ls .ssh", user="ada").split()[:1] != [] and "mine" in tools.run("ls .ssh", user="ada").split()


def test_instances_of_an_inventory_are_not_taken_for_this_machine(tools):
    tools.run("printf '[rented]\\nvast-1 rented_provider=vast ansible_host=192.0.2.1\\n' > vast.ini", user="ada")
    done = tools.play("-i", "vast.ini", "-c", "local", "rented.gpu.bootstrap", user="ada")
    assert done.rc != 0 and "vast-1 is an instance at vast, and the connection is local, which would change this machine" in done.said
