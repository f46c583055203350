# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that has an IPv6 address and no other, end to end: inventory, login, git push, rsync, the proof.

The engine publishes boxes on 127.0.0.1 only; a relay of bytes gives the box its port on [::1].
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import socketserver
import subprocess
import threading

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _state


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
            return True
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on its loopback interface")


class Relay(socketserver.ThreadingTCPServer):
    """Listens on [::1] and passes bytes to a port of 127.0.0.1; counts its connections."""

    address_family = socket.AF_INET6
    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.port, self.connections = port, 0
        super().__init__(("::1", 0), None)

    def finish_request(self, request, client_address) -> None:
        near = request
        self.connections += 1
        with socket.create_connection(("127.0.0.1", self.port)) as far:
            back = threading.Thread(target=self.pump, args=(far, near), daemon=True)
            back.start()
            self.pump(near, far)
            back.join()

    @staticmethod
    def pump(source, target) -> None:
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent(name="six", image="debian-12-tools")
    found.wait_for_ssh()
    return found


@pytest.fixture(scope="module")
def relay(box):
    server = Relay(box.instance.ssh_port)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    (folder / "rented.yml").write_text("plugin: rented.gpu.instances\n")
    state = pathlib.Path(_state.home()) / "six"
    environment = dict(os.environ, RENTED_GPU_HOME=str(state), RENTED_GPU_REHEARSAL="0", COLUMNS="9999")

    def command(*words):
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
        done.said = " ".join((done.stdout + done.stderr).split())
        return done

    yield command
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="module")
def port(relay):
    return relay.server_address[1]


def test_it_is_adopted_by_its_address_alone(run, box, port):
    given = json.dumps({"adopt_ssh": "ssh -p %d root@::1 -i %s" % (port, box.key), "adopt_name": "six"})
    done = run("ansible-playbook", "rented.gpu.adopt", "-e", given)
    assert done.returncode == 0 and "does not answer" not in done.said, done.said
    variables = json.loads(run("ansible-inventory", "-i", "rented.yml", "--host", "adopted-1-%d" % port).stdout)
    assert (variables["ansible_host"], variables["ansible_port"]) == ("::1", port)


def test_git_push_rsync_and_every_role_reach_it(run, box, relay, homework, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "numbers").write_text("1 2 3\n")
    wish = json.dumps(
        {
            "repos_list": [{"src": str(homework), "dest": "homework"}],
            "python_env_requirements": ["requirements.txt"],
            "data_sync_items": [{"src": str(tmp_path / "data"), "dest": "data"}],
        }
    )
    words = ["ansible-playbook", "-i", "rented.yml", "rented.gpu.bootstrap", "-e", wish]
    first = run(*words)
    assert first.returncode == 0, first.said
    assert json.loads(box.ssh("cat .rented/ready.json"))["ready"] is True
    assert box.ssh("cat /workspace/data/numbers") == "1 2 3\n"
    assert "trained with tqdm" in box.ssh("cd /workspace/homework && python train.py")
    assert relay.connections > 0
    again = run(*words)
    assert again.returncode == 0 and "changed=0" in again.stdout, again.said


def test_changed_work_goes_the_same_way(run, box, homework, tmp_path):
    """The second push and the second rsync have something to send."""
    copy = tmp_path / "homework"
    shutil.copytree(homework, copy)
    (copy / "more.py").write_text("print(6)\n")
    subprocess.run(["git", "-C", str(copy), "add", "."], check=True)
    identity = ["-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", str(copy), *identity, "commit", "-q", "-m", "More"], check=True)
    wish = json.dumps({"repos_list": [{"src": str(copy), "dest": "homework"}], "python_env_requirements": ["requirements.txt"]})
    done = run("ansible-playbook", "-i", "rented.yml", "rented.gpu.bootstrap", "-e", wish)
    assert done.returncode == 0, done.said
    assert box.ssh("cd /workspace/homework && python more.py") == "6\n"
