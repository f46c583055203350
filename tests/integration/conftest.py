# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real hosts for tests: rented from the rehearsal provider, listed by the inventory plugin, reached through real ssh.

`boxes` rents and destroys; `play` runs a playbook with ansible-runner and reads its events.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import fcntl
import os
import pathlib
import shlex
import subprocess
import sys
import time
import uuid

import ansible_runner
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import images
from ansible_collections.rented.gpu.plugins.module_utils._providers.rehearsal import RehearsalProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory):
    """Nothing a test does reaches the state directory, the key or the settings of the person who runs it."""
    state = tmp_path_factory.mktemp("state")
    for name in [name for name in os.environ if name.startswith(("ANSIBLE_", "RENTED_GPU_HOME", "VAST_"))]:
        del os.environ[name]
    os.environ.update(
        RENTED_GPU_HOME=str(state),
        ANSIBLE_HOME=str(state / "ansible"),
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"),
        ANSIBLE_NOCOLOR="1",
        # The ansible-playbook beside this Python, whether or not the environment is activated.
        PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
    )
    # Built before the first test, by one worker: each has a state directory of its own, and with it a build lock of its own.
    shared = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else state
    with open(shared / "images.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for name in images.IMAGES:
            images.ensure(engines.need_engine(), name)


@pytest.fixture(scope="session")
def ssh_key(tmp_path_factory) -> pathlib.Path:
    """A private key; its public half lies beside it."""
    path = tmp_path_factory.mktemp("key") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    return path


@dataclasses.dataclass
class Box:
    """One rented host. ``name`` is its label and its name in the inventory."""

    name: str
    id: str
    account: str
    key: pathlib.Path
    provider: RehearsalProvider

    @property
    def instance(self):
        return self.provider.get_instance(self.id)

    def ssh_command(self, *options) -> list:
        """The ssh of a person who has the same known_hosts as the inventory."""
        instance = self.instance
        return [
            *["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", "ControlPath=none"],
            *["-o", "UserKnownHostsFile=" + shlex.quote(_state.known_hosts_file()), "-o", "HostKeyAlias=rehearsal-" + self.id],
            *["-i", str(self.key), "-p", str(instance.ssh_port), *options, "%s@%s" % (instance.ssh_user, instance.ssh_host)],
        ]

    def ssh(self, command: str, check: bool = True, **options) -> str:
        """What a non-interactive ``ssh host command`` prints."""
        done = subprocess.run(
            [*self.ssh_command(), command], capture_output=True, text=True, errors="surrogateescape", timeout=120, check=False, **options
        )
        if check and done.returncode != 0:
            raise AssertionError("ssh %r: %s %s" % (command, done.returncode, done.stderr + done.stdout))
        return done.stdout

    def wait_for_ssh(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while subprocess.run([*self.ssh_command(), "true"], capture_output=True, check=False).returncode != 0:
            if time.monotonic() > end:
                raise AssertionError("%s: no login within %s s" % (self.name, seconds))
            time.sleep(0.3)

    def destroy(self) -> None:
        self.provider.destroy(self.id)


class Boxes:
    """Rents hosts for one test module, in an account of its own."""

    def __init__(self, key: pathlib.Path, folder: pathlib.Path) -> None:
        self.account = "test-" + uuid.uuid4().hex[:8]
        self.key = key
        self.folder = folder
        self.provider = RehearsalProvider(account=self.account)
        self.rented: list = []

    def rent(self, kind: str = "container", name: str | None = None, image: str | None = None, **options) -> Box:
        """``image="debian-12-tools"`` has git, rsync and tmux already, which saves half a minute where their absence is not the matter."""
        name = name or "%s-%d" % (kind.replace("_", "-"), len(self.rented) + 1)
        public = self.key.with_suffix(".pub").read_text().strip()
        gpu = options.pop("gpu", "RTX 4090")
        request = LaunchRequest(name=name, image=image, gpu=gpu, ssh_public_key=public, options={"kind": kind, **options})
        box = Box(name, self.provider.launch(request), self.account, self.key, self.provider)
        self.rented.append(box)
        return box

    @property
    def inventory(self) -> pathlib.Path:
        """An inventory file that lists this module's hosts, named by their labels."""
        path = self.folder / "boxes.rented.yml"
        account = {"provider": "rehearsal", "name": self.account, "ssh_private_key_file": str(self.key)}
        content = {"plugin": "rented.gpu.instances", "accounts": [account], "hostname": "{{ rented_label }}"}
        path.write_text(yaml.safe_dump(content))
        return path

    def destroy(self) -> None:
        # Each takes a second or two, most of it waiting.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(Box.destroy, self.rented))


@pytest.fixture(scope="module")
def boxes(ssh_key, tmp_path_factory):
    found = Boxes(ssh_key, tmp_path_factory.mktemp("boxes"))
    yield found
    found.destroy()


@dataclasses.dataclass
class Outcome:
    """A finished run, read from its events."""

    rc: int
    status: str
    events: list
    stdout: str

    def results(self, kind: str = "") -> list:
        """``(host, task, result)`` of every task that ended; ``kind`` is ok, failed, unreachable or skipped."""
        found = []
        for event in self.events:
            name = event["event"]
            if name.startswith("runner_on_") and name not in ("runner_on_start", "runner_on_file_diff") and kind in name:
                data = event["event_data"]
                found.append((data["host"], data["task"], data.get("res") or {}))
        return found

    def stats(self, what: str) -> dict:
        """The recap: what is ok, changed, failures, dark (unreachable), skipped, rescued."""
        for event in reversed(self.events):
            if event["event"] == "playbook_on_stats":
                return event["event_data"][what]
        return {}

    def changed(self, host: str) -> int:
        return self.stats("changed").get(host, 0)

    def changes(self) -> list:
        return [(host, task) for host, task, result in self.results("ok") if result.get("changed")]

    def message(self, host: str | None = None) -> str:
        """What the failed and unreachable tasks said."""
        found = self.results("failed") + self.results("unreachable")
        return "\n".join(str(result.get("msg", "")) for name, _task, result in found if host in (None, name))

    def tasks(self, host: str) -> list:
        """The tasks that ran or were skipped on a host."""
        return [task for name, task, _result in self.results() if name == host]

    def run_facts(self, host: str) -> dict:
        """What each role did: seconds, executions, changed."""
        for name, _task, result in reversed(self.results("ok")):
            if name == host and "rented_run" in (result.get("ansible_facts") or {}):
                return result["ansible_facts"]["rented_run"]
        return {}

    def executions(self, host: str) -> int:
        return sum(role["executions"] for role in self.run_facts(host).values())

    def ok(self) -> Outcome:
        assert self.rc == 0, self.message() or self.stdout[-4000:]
        return self


class Player:
    """Runs playbooks against the module's hosts."""

    def __init__(self, boxes: Boxes, folder: pathlib.Path) -> None:
        self.boxes = boxes
        self.folder = folder

    def __call__(
        self, playbook, check: bool = False, limit: str | None = None, env: dict | None = None, tags: str = "", **variables
    ) -> Outcome:
        """``playbook`` is the name of one of ours, or a list of plays; ``variables`` become extra vars."""
        folder = self.folder / uuid.uuid4().hex[:8]
        (folder / "project").mkdir(parents=True)
        if isinstance(playbook, str):
            path = ROOT / "playbooks" / (playbook + ".yml")
        else:
            path = folder / "project" / "play.yml"
            path.write_text(yaml.safe_dump(playbook, sort_keys=False))
        options = ["--diff"] + (["--check"] if check else []) + (["--tags", tags] if tags else [])
        run = ansible_runner.run(
            private_data_dir=str(folder),
            playbook=str(path),
            inventory=str(self.boxes.inventory),
            extravars=variables,
            envvars=dict(env or {}),
            cmdline=" ".join(options),
            limit=limit,
            quiet=True,
            suppress_env_files=True,
        )
        events = list(run.events)
        # Not from ansible-runner's file "stdout": lines of warnings that came together were missing there, and are events all the same.
        stdout = "\n".join(event["stdout"].replace("\r\n", "\n") for event in events if event.get("stdout")) + "\n"
        return Outcome(run.rc, run.status, events, stdout)


@pytest.fixture(scope="module")
def play(boxes, tmp_path_factory):
    return Player(boxes, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def archive(tmp_path_factory) -> pathlib.Path:
    """The collection as it is built for Galaxy."""
    folder = tmp_path_factory.mktemp("built")
    galaxy = str(pathlib.Path(sys.executable).parent / "ansible-galaxy")
    subprocess.run([galaxy, "collection", "build", "--output-path", str(folder), str(ROOT)], check=True, capture_output=True)
    return next(folder.glob("rented-gpu-*.tar.gz"))


@pytest.fixture(scope="session")
def homework(tmp_path_factory) -> pathlib.Path:
    """A student's repository on the controller: a commit, a requirements.txt, a script."""
    path = tmp_path_factory.mktemp("src") / "homework"
    path.mkdir()
    (path / "requirements.txt").write_text("# small and quick\ntqdm\nidna\n")
    (path / "train.py").write_text("import idna, tqdm\nprint('trained with tqdm', tqdm.__version__)\n")
    git(path, "init", "-q", "-b", "main")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "Begin")
    return path


def git(folder, *arguments) -> str:
    """git on the controller, with an identity of its own."""
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
