# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project in docs/examples/three_roles, as a user would copy it: static hosts, own tasks with become, and tags."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.module_utils import _state

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "examples" / "three_roles"


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent("vm", name="box-1", image="debian-12-tools")
    found.wait_for_ssh()
    return found


@pytest.fixture(scope="module")
def project(box, homework, tmp_path_factory):
    """The example with the address of a real host, and a checkout beside it."""
    folder = tmp_path_factory.mktemp("my project") / "three_roles"
    shutil.copytree(EXAMPLE, folder)
    shutil.copytree(homework, folder.parent / "homework")
    instance = box.instance
    address = {"ansible_host": instance.ssh_host, "ansible_port": instance.ssh_port, "ansible_user": instance.ssh_user}
    known = "-o UserKnownHostsFile='%s' -o HostKeyAlias=rehearsal-%s" % (_state.known_hosts_file(), box.id)
    address.update(ansible_ssh_private_key_file=str(box.key), ansible_ssh_common_args=known)
    (folder / "host_vars").mkdir()
    (folder / "host_vars" / "box-1.yml").write_text(yaml.safe_dump(address))
    return folder


def run(project, *words):
    command = ["ansible-playbook", "-i", "inventory.yml", "site.yml", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prepared(project):
    return run(project)


def changed(output):
    return int(re.search(r"^box-1 .*changed=(\d+)", output, re.M).group(1))


def test_the_example_prepares_a_static_host(prepared, box):
    where = re.search(r"The project is in (/\S+)\.", box.ssh("cat /etc/motd")).group(1)
    assert where.endswith("/homework")
    assert "trained with tqdm" in box.ssh("cd %s && python train.py" % where)
    assert box.ssh("stat -c %U " + where).strip() == box.instance.ssh_user != "root"
    assert box.ssh("stat -c %U /etc/motd").strip() == "root"


def test_a_second_run_changes_nothing(prepared, project):
    assert changed(run(project)) == 0


def test_tags_run_one_role_or_the_own_task(prepared, project, box):
    found = run(project, "--tags", "python_env")
    assert "Make the Python environment" in found and "Bring the repositories to the host" not in found
    box.ssh("sudo rm /etc/motd")
    # The task reads the project, which this run did not make.
    assert changed(run(project, "--tags", "motd")) == 1
    assert "/homework" in box.ssh("cat /etc/motd")
