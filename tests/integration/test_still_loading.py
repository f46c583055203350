# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance that does not run yet, the usual case right after it was rented: it is mentioned, or waited for."""

from __future__ import annotations

import os
import pathlib
import subprocess
import threading

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.tests.fakes.vast import FakeVast, row

WORDS = ["ansible-playbook", "-i", "rented.yml", "rented.gpu.bootstrap", "-e", '{"ready_packages": []}']


@pytest.fixture(scope="module")
def box(boxes):
    return boxes.rent(name="behind-vast", image="debian-12-tools")


@pytest.fixture
def vast(box):
    """An instance that is loading, and one that is stopped."""
    loading = row(314, label="homework", actual_status="loading", ports=None, public_ipaddr=None, num_gpus=1, gpu_frac=1.0)
    stopped = row(313, label="old", actual_status="exited", cur_state="stopped", ports=None)
    with FakeVast(rows=[loading, stopped]) as fake:
        yield fake


@pytest.fixture
def run(vast, box, tmp_path):
    (tmp_path / "rented.yml").write_text("plugin: rented.gpu.instances\n")
    state = pathlib.Path(_state.home()) / "loading"
    environment = dict(os.environ, VAST_API_KEY=vast.key, VAST_URL=vast.url, RENTED_GPU_REHEARSAL="0", RENTED_GPU_HOME=str(state))

    def command(*words):
        argv = [*WORDS, "--private-key", str(box.key), *words]
        done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return command


def test_without_another_instance_the_run_says_that_it_is_loading_and_what_to_do(run):
    status, said = run()
    assert status != 0
    assert "There is no instance that runs: 1 is still loading (vast-314 (homework)): run the same command again in a minute" in said
    assert "-e wait=true" in said and "1 is in the state 'stopped' (vast-313 (old))" in said
    assert "no instance is running" not in said


def test_one_that_does_not_come_up_ends_the_wait_with_its_name(run):
    status, said = run("-e", "wait=true", "-e", "rented_wait_timeout=3")
    assert status != 0
    assert "Waiting for vast-314 (homework) (up to 3 s)" in said
    assert "No instance runs: vast-314 (homework) still loading after" in said


def test_waiting_goes_on_in_the_same_run_when_it_runs(run, vast, box):
    instance = box.instance
    ports = {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(instance.ssh_port)}]}

    def come_up():
        vast.rows[314].update(actual_status="running", ports=ports, public_ipaddr=instance.ssh_host)

    timer = threading.Timer(12, come_up)
    timer.start()
    try:
        status, said = run("-e", "rented_wait=true")
    finally:
        timer.cancel()
    assert "Waiting for vast-314 (homework)" in said
    assert "Nothing is loading any more" in said
    assert status == 0, said[-3000:]
    assert box.ssh("cat .rented/ready.json")
    assert "ok: [vast-314]" in said
