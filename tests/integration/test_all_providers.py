# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All six providers in one inventory file, and one playbook over look-alikes of what each of them rents.

Each provider is the server in tests/fakes; behind each address is a rehearsal container of the kind, and with the user, of that provider.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.tests.fakes import aws, gcp, lambda_cloud, paperspace, runpod, vast

ROOT = pathlib.Path(__file__).resolve().parents[2]
# provider -> kind of box, and who logs in
LOOK_ALIKES = {
    "vast": ("container", "root"),
    "runpod": ("container", "root"),
    "lambda": ("vm", "ubuntu"),
    "paperspace": ("vm", "paperspace"),
    "gcp": ("vm", "ada"),
    "aws": ("vm", "ubuntu"),
}


@pytest.fixture(scope="module")
def look_alikes(boxes):
    found = {}
    for provider, (kind, user) in LOOK_ALIKES.items():
        options = {"user": user} if kind == "vm" else {}
        found[provider] = boxes.rent(kind=kind, name="like-" + provider, image="debian-12-tools", **options)
    return found


def own_address(box) -> str:
    """The address of the container itself, where its sshd is at port 22: that is the port of these providers."""
    engine = engines.need_engine()
    return engine.run("inspect", box.id, "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}").strip()


@pytest.fixture(scope="module")
def environment(look_alikes, tmp_path_factory):
    """The variables that lead each client to its fake, which lists one running instance behind which the look-alike is."""
    home = tmp_path_factory.mktemp("user")
    box = {name: found.instance for name, found in look_alikes.items()}
    address = {name: own_address(found) for name, found in look_alikes.items()}
    direct = runpod.way(box["runpod"].ssh_host, box["runpod"].ssh_port, "root")
    google = gcp.row(1)
    google["networkInterfaces"][0]["accessConfigs"][0]["natIP"] = address["gcp"]
    google["metadata"]["items"] = [{"key": "ssh-keys", "value": "ada:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== ada@example.org"}]
    ports = {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(box["vast"].ssh_port)}]}
    servers = [
        vast.FakeVast(rows=[vast.row(312, public_ipaddr=box["vast"].ssh_host, ports=ports)]),
        runpod.FakeRunpod(rows=[runpod.row(1, ssh={**runpod.row(1)["ssh"], "direct": direct})]),
        lambda_cloud.FakeLambda(rows=[lambda_cloud.row(1, ip=address["lambda"])]),
        paperspace.FakePaperspace(rows=[paperspace.row(1, publicIp=address["paperspace"])]),
        gcp.FakeGcp(rows=[google]),
    ]
    with servers[0], servers[1], servers[2], servers[3], servers[4], aws.FakeAws() as amazon:
        placed = amazon.place(1, instance_type="g6.xlarge", tags={"ssh-user": "ubuntu"})[0]
        placed.nics[0].public_ip = address["aws"]
        made = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_", "GCP_"))}
        # Host keys of its own: another test has other machines behind the same ids.
        made.update(HOME=str(home), RENTED_GPU_HOME=str(pathlib.Path(_state.home()) / "all"), RENTED_GPU_REHEARSAL="0")
        made.update(GOOGLE_CLOUD_PROJECT=gcp.PROJECT)
        for server in servers:
            made.update(server.environment())
        made.update(amazon.env)
        yield made


def run(environment, *words):
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_one_file_shows_one_tree(environment):
    shown = run(environment, "ansible-inventory", "-i", str(ROOT / "inventory" / "rented.yml"), "--graph")
    assert shown.returncode == 0, shown.stderr
    assert "WARNING" not in shown.stderr, shown.stderr
    for provider in LOOK_ALIKES:
        assert len(re.findall(r"@provider_%s:\n(?:.*\n)?.*--%s-" % (provider, provider), shown.stdout)) == 1, shown.stdout
    said = run(environment, "ansible-inventory", "-i", str(ROOT / "inventory" / "rented.yml"), "--list").stdout
    # Texts of an API are marked as never to be templated.
    listed = json.loads(said, object_hook=lambda found: found.get("__ansible_unsafe", found))
    hosts = listed["_meta"]["hostvars"]
    assert sorted(host["rented_provider"] for host in hosts.values()) == sorted(LOOK_ALIKES)
    for host in hosts.values():
        kind, user = LOOK_ALIKES[host["rented_provider"]]
        assert (host["rented_kind"], host["ansible_user"], host["rented_state"]) == (kind, user, "running")
        assert host["ansible_host"] and host["ansible_port"] and host["rented_gpu_model"] and host["rented_gpu_vram_mb"]
    assert "SECRET" not in json.dumps(listed)


def test_the_same_playbook_makes_all_of_them_ready(environment, look_alikes, homework):
    key = next(iter(look_alikes.values())).key
    wish = json.dumps({"repos_list": [{"src": str(homework)}], "python_env_requirements": ["requirements.txt"]})
    words = [
        "ansible-playbook",
        "-i",
        str(ROOT / "inventory" / "rented.yml"),
        "rented.gpu.bootstrap",
        "-e",
        wish,
        "--private-key",
        str(key),
    ]
    # Whether the simulated GPUs are those that are rented here is not the matter.
    words += ["-e", json.dumps({"cuda_check_required": []})]
    first = run(environment, *words)
    assert first.returncode == 0, first.stdout[-6000:] + first.stderr[-2000:]
    for provider, box in look_alikes.items():
        proof = json.loads(box.ssh("cat ~/.rented/ready.json"))
        assert proof["instance"]["provider"] == provider
    again = run(environment, *words)
    assert again.returncode == 0
    assert again.stdout.count("changed=0") == len(LOOK_ALIKES), again.stdout[-3000:]
