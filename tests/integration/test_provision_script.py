# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances that prepare themselves: boxes that boot with the script of playbooks/provision_script.yml, and no controller after that.

The collection and the repository are served over HTTP; uv, ansible-core and packages come from the box's own indexes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import uuid

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import images
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 300  # for a whole preparation


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *unused):
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def web(served, archive, homework):
    """What the instances fetch: the collection, and a repository as plain files. The address is that of this machine as boxes see it."""
    folder = served
    shutil.copy(archive, folder / "rented-gpu.tar.gz")
    subprocess.run(["git", "clone", "-q", "--bare", str(homework), str(folder / "homework.git")], check=True)
    subprocess.run(["git", "-C", str(folder / "homework.git"), "update-server-info"], check=True)
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
    engine = engines.need_engine()
    tag = images.ensure(engine, "debian-12")
    engine.ready(tag)
    gateway = engine.run("run", "--rm", "--entrypoint", "ip", tag, "route", "show", "default").split()[2]
    yield "http://%s:%d" % (gateway, server.server_address[1])
    server.shutdown()


@pytest.fixture(scope="module")
def collection(web, archive):
    return "%s/rented-gpu.tar.gz#sha256=%s" % (web, hashlib.sha256(archive.read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def git_collection(served, tmp_path_factory):
    """What git would track of this checkout, with a tag."""
    folder = tmp_path_factory.mktemp("gpu") / "gpu"
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if name and (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"], ["tag", "v1"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(folder), str(served / "gpu.git")], check=True)
    subprocess.run(["git", "-C", str(served / "gpu.git"), "update-server-info"], check=True)


@pytest.fixture(scope="module")
def settings(web):
    return {
        "git_keys_name": "Ada Lovelace",
        "git_keys_email": "ada@example.org",
        "repos_list": [web + "/homework.git"],
        "python_env_requirements": ["requirements.txt"],
    }


@pytest.fixture(scope="module")
def write(collection, tmp_path_factory):
    """Runs the playbook as a person does; the script, and what was printed."""
    folder = tmp_path_factory.mktemp("scripts")

    def write(place, **variables):
        variables = {"provision_for": place, "provision_collection": collection, **variables}
        given = folder / "settings.json"
        given.write_text(json.dumps(variables))
        playbook = str(pathlib.Path(sys.executable).parent / "ansible-playbook")
        done = subprocess.run(
            [playbook, str(ROOT / "playbooks" / "provision_script.yml"), "-e", "@%s" % given],
            cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / ("provision-%s.sh" % place.replace("_", "-"))).read_text()

    return write


def ansible(folder, name, *words, **environment):
    """One of Ansible's commands, as a person runs it in a folder."""
    command = [str(pathlib.Path(sys.executable).parent / name), *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=dict(os.environ, **environment)
    )


@pytest.mark.parametrize("how", ["value", "template", "file"])
def test_what_is_vaulted_never_gets_into_a_script(how, tmp_path):
    (tmp_path / "password").write_text("pass")
    vault = {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password")}
    token = ansible(tmp_path, "ansible-vault", "encrypt_string", "correct-horse", "--name", "token", **vault).stdout
    if how == "value":
        (tmp_path / "mine.yml").write_text(token.replace("token:", "git_keys_name:"))
    elif how == "template":
        (tmp_path / "mine.yml").write_text(token + "\nrepos_list: ['https://git.example.org/{{ token }}/x.git']\n")
    else:
        (tmp_path / "mine.yml").write_text("git_keys_name: correct-horse\n")
        ansible(tmp_path, "ansible-vault", "encrypt", "mine.yml", **vault)
    words = [str(ROOT / "playbooks" / "provision_script.yml"), "-e", "provision_for=aws", "-e", "@mine.yml"]
    done = ansible(tmp_path, "ansible-playbook", *words, **vault)
    assert done.returncode != 0 and "holds a vaulted value, and the provider keeps and shows this script" in done.stdout + done.stderr
    assert "correct-horse" not in done.stdout + done.stderr
    assert not (tmp_path / "provision-aws.sh").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provision_index", "https://mirror.example.org/{{ token }}/simple/"),
        ("provision_collection", "https://files.example.org/{{ token }}/gpu.tar.gz#sha256=" + "0" * 64),
        ("provision_collection", "git+https://git.example.org/gpu.git@{{ token }}"),
        ("provision_collection", "{{ token }}"),
        ("provision_place", "/opt/{{ token }}"),
        ("provision_place", "{{ token }}"),
        ("provision_log", "~/{{ token }}.log"),
        ("provision_wait_for", ["~/key", "~/{{ token }}"]),
        ("provision_wait_for", ["{{ token }}"]),
        ("provision_user", "{{ token }}"),
    ],
)
def test_no_option_of_the_script_takes_what_is_vaulted(name, value, tmp_path):
    (tmp_path / "password").write_text("pass")
    vault = {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password")}
    token = ansible(tmp_path, "ansible-vault", "encrypt_string", "correct-horse", "--name", "token", **vault).stdout
    (tmp_path / "mine.yml").write_text(token + "\n" + yaml.safe_dump({name: value, "provision_for": "aws"}))
    done = ansible(tmp_path, "ansible-playbook", str(ROOT / "playbooks" / "provision_script.yml"), "-e", "@mine.yml", **vault)
    said = name + " holds a vaulted value, and the provider keeps and shows this script: give one without"
    assert done.returncode != 0 and said in done.stdout + done.stderr, done.stdout + done.stderr
    assert "correct-horse" not in done.stdout + done.stderr
    assert not (tmp_path / "provision-aws.sh").exists()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "Say for which place"),
        ({"provision_for": "azure"}, "'for' cannot be 'azure'"),
        (
            {"provision_for": "vast", "provision_waitfor": ["/x"]},
            "'provision_waitfor' is not a setting. Did you mean 'provision_wait_for'?",
        ),
        ({"provision_for": "vast", "git_keys_nmae": "Ada"}, "'git_keys_nmae' is not a setting. Did you mean 'git_keys_name'?"),
        (
            {"provision_for": "vast", "repos_list": ["~/homework"]},
            "is a checkout on your computer, which an instance without a controller cannot receive: give a URL",
        ),
        ({"provision_for": "vast", "provision_index": "https://a:b@index.example"}, "provision_index holds a URL with a password"),
        ({"provision_for": "vast", "provision_place": "opt"}, "has to be a path on the instance"),
        ({"provision_for": "vast", "provision_file": "/nothing/of/this/x.sh"}, "cannot be written"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_written(variables, words, tmp_path):
    playbook = str(ROOT / "playbooks" / "provision_script.yml")
    done = ansible(tmp_path, "ansible-playbook", playbook, "-e", json.dumps(variables))
    assert done.returncode != 0 and words in done.stdout + done.stderr, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("repos_list: [{src: 'https://git.example.org/x.git', version: 2026-01-01}]", "repos_list holds 2026-01-01, which YAML reads as a"),
        ("repos_list: [{src: 'https://git.example.org/x.git', version: .inf}]", "repos_list, item 1: version is the number inf"),
    ],
)
def test_a_value_without_quotes_is_named(text, words, tmp_path):
    (tmp_path / "mine.yml").write_text(text)
    playbook = str(ROOT / "playbooks" / "provision_script.yml")
    done = ansible(tmp_path, "ansible-playbook", playbook, "-e", "provision_for=vast", "-e", "@mine.yml")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and words in said and "quote it" in said and "Traceback" not in said, said
    assert not (tmp_path / "provision-vast.sh").exists()


def test_check_mode_and_a_second_run_write_nothing(tmp_path):
    playbook = str(ROOT / "playbooks" / "provision_script.yml")
    for words, changed in ((["--check", "--diff"], 1), ([], 1), ([], 0)):
        done = ansible(tmp_path, "ansible-playbook", playbook, "-e", "provision_for=gcp", *words)
        assert done.returncode == 0 and "changed=%d" % changed in done.stdout, done.stdout + done.stderr
        assert (tmp_path / "provision-gcp.sh").exists() is ("--check" not in words)


@pytest.fixture(scope="module")
def boot(boxes):
    """Rents a box that runs the script when it boots."""

    def boot(script, kind="container", image=None, **options):
        name = "box-" + uuid.uuid4().hex[:6]
        public = boxes.key.with_suffix(".pub").read_text().strip()
        request = LaunchRequest(
            name=name, image=image, gpu="RTX 4090", ssh_public_key=public, startup_script=script, options={"kind": kind, **options}
        )
        from tests.integration.conftest import Box

        box = Box(name, boxes.provider.launch(request), boxes.account, boxes.key, boxes.provider)
        boxes.rented.append(box)
        box.wait_for_ssh()
        return box

    return boot


def state(box) -> dict:
    text = box.ssh("cat .rented/provision.json 2> /dev/null || echo '{}'")
    return json.loads(text)


def wait(box, *wanted, after="", seconds=SECONDS) -> dict:
    """Until the instance says that it is so far, in a run that began after ``after``."""
    end = time.monotonic() + seconds
    while True:
        seen = state(box)
        if seen.get("state") in wanted and seen["began"] > after:
            return seen
        if (seen.get("state") == "failed" and seen["began"] > after) or time.monotonic() > end:
            raise AssertionError(
                "%s\n%s" % (seen, box.ssh("tail -n 60 .rented/provision.log", check=False) or box.provider.console(box.id))
            )
        time.sleep(1)


def again(box) -> dict:
    """Stop and start it, as a reboot does; its state afterwards."""
    before = state(box)["began"]
    box.provider.stop(box.id)
    box.provider.start(box.id)
    box.wait_for_ssh()
    return wait(box, "ready", after=before)


def changes(box) -> list:
    """The tasks that changed something when the playbook ran there last."""
    last = box.ssh("cat .rented/provision.log").rsplit("PLAY [", 1)[1]
    return [part.partition("]")[0] for part in last.split("TASK [")[1:] if "\nchanged: [here]" in part]


@pytest.fixture(scope="module")
def container(write, boot, settings):
    """As root in a container, plain form, with the module instance in between."""
    script = write("rehearsal", **settings)
    assert script.startswith("#!/bin/sh\n") and "base64" not in script
    box = boot(script)
    wait(box, "ready")
    return box


@pytest.fixture(scope="module")
def vm(write, boot, settings):
    """User data that root runs, for a login user with sudo and an unusual name."""
    box = boot(write("aws", provision_user="ec2-user", **settings), kind="vm", user="ec2-user")
    wait(box, "ready")
    return box


@pytest.mark.parametrize("name", ["container", "vm"])
def test_it_becomes_ready_by_itself(name, request):
    box = request.getfixturevalue(name)
    home, workdir, user = ("/root", "/workspace", "root") if name == "container" else ("/home/ec2-user", "/home/ec2-user", "ec2-user")
    seen = state(box)
    assert (seen["state"], seen["exit_code"], seen["error"]) == ("ready", 0, None)
    assert seen["began"] <= seen["ended"] == seen["at"] and seen["log"] == home + "/.rented/provision.log"
    proof = json.loads(box.ssh("cat .rented/ready.json"))
    assert (proof["ready"], proof["simulated"], proof["host"]) == (True, True, "here")
    assert {"ready", "repos", "python_env", "tmux"} <= set(proof["roles"])
    assert "trained with tqdm" in box.ssh("cd %s/homework && python train.py" % workdir)
    assert box.ssh("git config --global user.email").strip() == "ada@example.org"
    assert "homework" in box.ssh("tmux list-sessions -F '#S'")
    # Of the login user alone, and nobody's else.
    assert box.ssh("find %s %s -xdev ! -user %s ! -path '/root/.config*' | head" % (home, workdir, user)) == ""
    assert box.ssh("stat -c %a .rented").strip() == "700"
    assert "the startup script ended with 0" in box.provider.console(box.id)


@pytest.mark.parametrize("name", ["container", "vm"])
def test_the_users_python_is_not_that_of_ansible(name, request):
    box = request.getfixturevalue(name)
    prefix, base = box.ssh("python -c 'import sys; print(sys.prefix, sys.base_prefix)'").split()
    assert prefix.endswith("/homework/.venv") and base == "/usr"
    assert "provision" not in box.ssh("bash -lc 'command -v ansible-playbook; echo $PATH'")


@pytest.mark.parametrize("name", ["container", "vm"])
def test_a_second_boot_changes_nothing_and_is_quick(name, request, record_property):
    box = request.getfixturevalue(name)
    workdir = "/workspace" if name == "container" else "~"
    digest = (
        "cd %s/homework && find . -type f ! -path './.git/*' ! -path '*/__pycache__/*' -exec sha256sum {} + | sort | sha256sum; "
        "git rev-parse HEAD; cd; sha256sum .bashrc .gitconfig .rented/stamps/python_env.json .rented/stamps/ready.json .rented/env.sh; "
        "stat -c %%y .rented/provision/made .rented/provision/env/bin/ansible-playbook" % workdir
    )
    before = box.ssh(digest)
    began = time.monotonic()
    seen = again(box)
    record_property("second_boot_seconds", round(time.monotonic() - began, 1))
    assert (seen["state"], seen["exit_code"]) == ("ready", 0)
    assert box.ssh(digest) == before
    # tmux does not outlive a boot: its session is opened again, which the proof says.
    assert set(changes(box)) <= {"rented.gpu.tmux : Open the tmux session", "Write the proof"}
    assert box.ssh("tmux list-sessions -F '#S'").split() == ["homework"]
    # With tmux still there: no change at all, the proof included.
    proof = box.ssh("cat .rented/ready.json")
    box.ssh("sh .rented/provision/run.sh")
    assert changes(box) == [] and box.ssh(digest) == before and box.ssh("cat .rented/ready.json") == proof


def test_two_do_not_run_at_once(container):
    said = container.ssh("sh .rented/provision/run.sh & sleep 1; sh .rented/provision/run.sh; echo ended with $?; wait")
    assert "rented: another run is at work\nended with 0" in said
    assert state(container)["state"] == "ready"


def test_the_compressed_form_waits_for_files_that_come_later(write, boot, settings):
    """Vast's onstart; the waited-for path is a checkout that is the src of a repository, too."""
    wanted = dict(settings, repos_list=[{"src": "~/brought/homework", "dest": "homework"}])
    script = write("vast", provision_wait_for=["~/brought", "~/.token"], provision_wait_timeout=600, **wanted)
    assert len(script) <= 4048 and "base64" in script and "ada@example.org" not in script
    box = boot(script, image="debian-12-tools")
    seen = wait(box, "waiting")
    assert seen["step"] == "wait for ~/brought ~/.token" and seen["ended"] is None and seen["exit_code"] is None
    box.ssh("umask 77; : > .token; mkdir brought.new; cp -r /workspace brought.new/ 2> /dev/null; git init -q -b main brought.new/homework")
    box.ssh(
        "cd brought.new/homework && echo idna > requirements.txt && git add . "
        "&& git -c user.name=Test -c user.email=test@example.org commit -q -m Begin && mv ~/brought.new ~/brought"
    )
    time.sleep(5)
    assert state(box)["step"] == "wait for ~/.token"  # an empty file is one that is still being written
    box.ssh("echo secret > .token")
    wait(box, "ready")
    assert box.ssh("cd /workspace/homework && git log -1 --format=%s && python -c 'import idna'").strip() == "Begin"


def test_what_does_not_come_fails_with_what_to_do(write, boot):
    box = boot(write("rehearsal", provision_wait_for=["/workspace/key"], provision_wait_timeout=3), image="debian-12-tools")
    with pytest.raises(AssertionError, match="state': 'failed'"):
        wait(box, "ready")
    seen = state(box)
    assert seen["error"] == "waited 3 s for /workspace/key: put it there, then run: sh ~/.rented/provision/run.sh"
    assert seen["exit_code"] == 1
    end = time.monotonic() + 10
    while "the startup script ended with 1" not in box.provider.console(box.id):
        assert time.monotonic() < end, box.provider.console(box.id)
        time.sleep(0.2)
    # As it says: then it works.
    box.ssh("echo key > /workspace/key && sh ~/.rented/provision/run.sh")
    assert state(box)["state"] == "ready"


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        (
            {"provision_place": "/opt/ours"},
            "provision_place /opt/ours is not empty: name a folder of its own, e.g. /opt/ours/.rented-provision",
        ),
        ({"provision_log": "/proc/provision.log"}, "/proc/provision.log cannot be written"),
    ],
)
def test_files_of_other_owners_stay(write, boot, variables, error):
    """The folder is filled before the script runs, by a line that stands before it."""
    script = write("rehearsal", **variables).replace(
        "\n", "\nmkdir -p /opt/ours/env && echo mine | tee /opt/ours/env/x >/opt/ours/ansible.cfg\n", 1
    )
    box = boot(script, image="debian-12-tools")
    with pytest.raises(AssertionError, match="state': 'failed'"):
        wait(box, "ready")
    seen = state(box)
    assert (seen["error"], seen["exit_code"]) == (error, 1)
    assert box.ssh("find /opt/ours -type f | sort | xargs tail -n 9").split("\n\n") == [
        "==> /opt/ours/ansible.cfg <==\nmine",
        "==> /opt/ours/env/x <==\nmine\n",
    ]
    assert box.ssh("ls .rented/provision/env .rented/uv 2> /dev/null; true") == ""


def test_a_wrong_digest_stops_before_anything_of_it_runs(write, boot, web):
    wrong = "%s/rented-gpu.tar.gz#sha256=%s" % (web, "0" * 64)
    box = boot(write("rehearsal", provision_collection=wrong), image="debian-12-tools")
    with pytest.raises(AssertionError, match="state': 'failed'"):
        wait(box, "ready")
    seen = state(box)
    assert (seen["step"], seen["exit_code"]) == ("get the collection", 1)
    assert re.match(r"the SHA-256 of http\S+/rented-gpu.tar.gz is [0-9a-f]{64}, not 0{64}: nothing of it was run$", seen["error"])
    assert box.ssh("ls .rented/provision/collections 2> /dev/null; ls .rented/ready.json 2> /dev/null; true") == ""


def test_the_collection_from_a_git_repository(write, boot, web, git_collection):
    """A box that has no git yet; the version is a tag."""
    box = boot(write("rehearsal", provision_collection="git+%s/gpu.git@v1" % web, git_keys_name="Ada Lovelace"))
    wait(box, "ready")
    assert box.ssh("git config --global user.name").strip() == "Ada Lovelace"


def test_a_role_that_fails_is_told(write, boot, settings):
    box = boot(write("rehearsal", **dict(settings, python_env_requirements=["nothing.txt"])), image="debian-12-tools")
    with pytest.raises(AssertionError, match="state': 'failed'"):
        wait(box, "ready")
    seen = state(box)
    assert "The requirements file nothing.txt is not in the project /workspace/homework" in seen["error"]
    assert (seen["step"], seen["exit_code"]) == ("apply the roles", 2)


@pytest.mark.parametrize("image", ["debian-12-no-python", "debian-13"])
def test_without_python_and_on_another_release(write, boot, settings, image):
    box = boot(write("gcp", provision_user="root", **settings), image=image)
    wait(box, "ready")
    assert "trained with tqdm" in box.ssh("cd /workspace/homework && python train.py")


@contextlib.contextmanager
def started(command: str):
    """A container whose command this is, as RunPod starts one: the image's own entrypoint is not run."""
    engine = engines.need_engine()
    tag = images.ensure(engine, "debian-12-tools")
    name = "rented-pod-" + uuid.uuid4().hex[:8]
    bundle = images.ca_bundle()
    mount = ["--volume", bundle + ":/etc/ssl/certs/ca-certificates.crt:ro", "--env", "UV_SYSTEM_CERTS=1"] if bundle else []
    words = shlex.split(command)
    engine.run("run", "--detach", "--name", name, *mount, "--entrypoint", words[0], tag, *words[1:])
    try:
        yield lambda text: engine.call("exec", name, "sh", "-c", text).stdout
    finally:
        engine.remove(name)


def test_a_start_command_prepares_and_stays(write):
    command = write("runpod", git_keys_name="Ada Lovelace")
    assert command.startswith("bash -c ") and command.count("\n") == 1
    with started(command) as run:
        end = time.monotonic() + SECONDS
        while '"state": "ready"' not in run("cat /root/.rented/provision.json"):
            assert time.monotonic() < end, run("cat /root/.rented/provision.log; cat /root/.rented/provision.json")
            time.sleep(1)
        assert run("cat /proc/1/comm").strip() == "sleep"
        assert run("git config --global user.name").strip() == "Ada Lovelace"


def test_by_the_module_instance_and_another_place(write, boxes, tmp_path):
    """``instance: {provider: rehearsal, startup_script: ...}``, and ansible-core in /opt/rented for a user who is not root."""
    script = write("lambda", provision_place="/opt/rented", provision_log="~/logs/provision.log", git_keys_name="Ada Lovelace")
    public = boxes.key.with_suffix(".pub").read_text().strip()
    rent = {
        "provider": "rehearsal", "account": boxes.account, "name": "by-module", "ssh_public_key": public, "image": "debian-12-tools",
        "options": {"kind": "vm"}, "startup_script": script,
    }  # fmt: skip
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"rented.gpu.instance": rent, "register": "rented"}]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    playbook = str(pathlib.Path(sys.executable).parent / "ansible-playbook")
    done = subprocess.run([playbook, str(tmp_path / "play.yml")], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    from tests.integration.conftest import Box

    found = next(instance for instance in boxes.provider.list_instances() if instance.label == "by-module")
    box = Box("by-module", found.id, boxes.account, boxes.key, boxes.provider)
    boxes.rented.append(box)
    box.wait_for_ssh()
    seen = wait(box, "ready")
    assert seen["log"] == "/home/ubuntu/logs/provision.log"
    assert box.ssh("stat -c '%U %a' /opt/rented; ls /opt/rented").split()[:2] == ["ubuntu", "700"]
    assert "collections" in box.ssh("ls /opt/rented")
