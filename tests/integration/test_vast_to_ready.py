# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's shortest way, word for word: one line of inventory, one key in the environment, one playbook.

The Vast.ai that answers is the server in tests/fakes; the instance behind its address is a rehearsal container.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.tests.fakes.vast import FakeVast, row


@pytest.fixture(scope="module")
def box(boxes):
    return boxes.rent(name="behind-vast", image="debian-12-tools")


@pytest.fixture(scope="module")
def vast(box):
    instance = box.instance
    ports = {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(instance.ssh_port)}]}
    rented = row(312, label="homework", public_ipaddr=instance.ssh_host + "\n", ports=ports, num_gpus=1, gpu_frac=1.0)
    stopped = row(313, label="old", actual_status="exited", cur_state="stopped", ports=None)
    with FakeVast(rows=[rented, stopped]) as fake:
        yield fake


@pytest.fixture(scope="module")
def run(vast, tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    (folder / "rented.yml").write_text("plugin: rented.gpu.instances\n")
    state = pathlib.Path(_state.home()) / "vast"  # host keys of its own: another test has another machine behind the same id
    environment = dict(os.environ, VAST_API_KEY=vast.key, VAST_URL=vast.url, RENTED_GPU_REHEARSAL="0", RENTED_GPU_HOME=str(state))

    def command(*words):
        return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)

    return command


def test_the_graph_shows_the_running_instance_in_its_groups(run):
    shown = run("ansible-inventory", "-i", "rented.yml", "--graph")
    assert shown.returncode == 0, shown.stderr
    for group in ("rented", "provider_vast", "state_running", "gpu_rtx_4090", "kind_container", "label_homework"):
        assert "@%s:" % group in shown.stdout
    assert "vast-312" in shown.stdout and "vast-313" not in shown.stdout


def test_the_variables_are_there_and_the_secrets_are_not(run, box):
    shown = run("ansible-inventory", "-i", "rented.yml", "--host", "vast-312")
    variables = json.loads(shown.stdout)
    assert variables["rented_gpu_vram_mb"] == 24564
    assert variables["ansible_port"] == box.instance.ssh_port
    assert "SECRET" not in shown.stdout


def test_one_playbook_makes_it_ready_and_a_second_run_changes_nothing(run, box, homework):
    wish = json.dumps({"repos_list": [{"src": str(homework)}], "python_env_requirements": ["requirements.txt"]})
    words = ["ansible-playbook", "-i", "rented.yml", "rented.gpu.bootstrap", "-e", wish, "--private-key", str(box.key)]
    first = run(*words)
    assert first.returncode == 0, first.stdout + first.stderr
    proof = json.loads(box.ssh("cat .rented/ready.json"))
    assert proof["ready"] is True and proof["instance"]["provider"] == "vast" and proof["instance"]["id"] == "312"
    assert "trained with tqdm" in box.ssh("cd /workspace/homework && python train.py")
    again = run(*words)
    assert again.returncode == 0
    assert "changed=0" in again.stdout and "failed=0" in again.stdout


def test_no_key_of_the_controller_or_the_account_came_to_the_host(run, box, vast):
    found = box.ssh("grep -rlE 'BEGIN [A-Z ]*PRIVATE KEY|%s' /root /workspace --include='*' 2>/dev/null || true" % vast.key)
    assert found == ""


@pytest.mark.parametrize("playbook", ["bootstrap", "check"])
def test_without_an_instance_the_run_fails_and_says_what_to_do(run, playbook):
    missing = run("ansible-playbook", "rented.gpu." + playbook)
    assert missing.returncode != 0
    assert "There is no instance" in missing.stdout + missing.stderr and "-i rented.yml" in missing.stdout + missing.stderr
    # Nor does a later start bring the roles to this computer.
    later = run("ansible-playbook", "rented.gpu." + playbook, "--start-at-task", "Prepare git")
    assert "Prepare git" not in later.stdout and "localhost" not in later.stdout and "changed=" not in later.stdout


def test_the_rehearsal_without_an_inventory_rents_nothing(run):
    missing = run("ansible-playbook", "rented.gpu.rehearse")
    assert missing.returncode != 0
    said = missing.stdout + missing.stderr
    assert "Nothing was rented" in said and "-i inventory/rehearsal.rented.yml" in said
    assert "changed=0" in missing.stdout
