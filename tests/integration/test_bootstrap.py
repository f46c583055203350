# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, whole: from bare ssh to ready on both kinds of host, and again without a change."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import threading

import pytest

HOSTS = ("container-1", "vm-2")


@pytest.fixture(scope="module")
def settings(homework):
    return {
        "git_keys_name": "Ada Lovelace",
        "git_keys_email": "ada@example.org",
        "repos_list": [{"src": str(homework), "dest": "homework"}],
        "python_env_requirements": ["requirements.txt"],
    }


@pytest.fixture(scope="module")
def two(boxes):
    return [boxes.rent("container"), boxes.rent("vm")]


@pytest.fixture(scope="module")
def predicted(two, play, settings):
    return play("bootstrap", check=True, **settings).ok()


@pytest.fixture(scope="module")
def fresh(predicted, play, settings):
    return play("bootstrap", **settings).ok()


@pytest.fixture(scope="module")
def repeated(fresh, play, settings):
    return play("bootstrap", **settings).ok()


def test_check_mode_on_a_fresh_host_predicts_and_changes_nothing(predicted, two):
    for box in two:
        assert predicted.changed(box.name) > 0
        assert box.ssh("test -e .rented && echo there || echo nothing").strip() == "nothing"


def test_a_fresh_host_becomes_ready(fresh, two):
    for box in two:
        proof = json.loads(box.ssh("cat .rented/ready.json"))
        assert proof["ready"] is True
        assert proof["simulated"] is True
        assert {gate["name"]: gate["result"] for gate in proof["gates"]}
        assert {"ready", "repos", "python_env", "cuda_check", "tmux"} <= set(proof["roles"])
        kept = json.loads(pathlib.Path(_ready_copy(box)).read_text())
        assert kept == proof


def _ready_copy(box):
    from ansible_collections.rented.gpu.plugins.module_utils import _state

    return pathlib.Path(_state.home()) / "ready" / (box.name + ".json")


def test_the_script_runs_by_plain_ssh(fresh, two):
    for box in two:
        assert "trained with tqdm" in box.ssh("cd %s/homework && python train.py" % _workdir(box))


def test_git_identity_is_set(fresh, two):
    for box in two:
        assert box.ssh("git config --global user.email").strip() == "ada@example.org"


def _workdir(box):
    return box.ssh("test -w /workspace && echo /workspace || echo $HOME").strip()


@pytest.mark.parametrize("host", HOSTS)
def test_a_repeat_changes_nothing_in_few_executions_and_tasks(repeated, host):
    assert repeated.changes() == []
    assert 1 <= repeated.executions(host) <= 3
    assert len(repeated.tasks(host)) < 15


def test_the_summary_names_both_hosts_and_says_simulated(fresh):
    assert "simulated" in fresh.stdout
    for host in HOSTS:
        assert any(line.startswith(host) for line in fresh.stdout.splitlines())


def test_the_summary_runs_once_and_leaves_the_facts_of_the_hosts_alone(fresh, two):
    """Facts that a run_once task returns would become those of every host."""
    assert [result for _host, task, result in fresh.results("ok") if task == "Show the summary" and "ansible_facts" in result] == []
    assert len({json.dumps(json.loads(box.ssh("cat .rented/ready.json"))["roles"]) for box in two}) == len(two)


def test_a_fresh_run_says_what_it_is_about_to_do_and_what_to_type_next(fresh, two):
    before, _colon, after = fresh.stdout.partition("TASK [rented.gpu.ready")
    assert "Preparing 2 hosts" in before
    for box in two:
        assert box.name in before
    (line,) = [line for line in after.splitlines() if line.startswith("Next: ssh -t ")]
    command = line.replace("Next: ssh -t ", "ssh -tt -o BatchMode=yes ", 1)
    # What a person would type, without the key of the agent that they would have: it attaches, and detaches when asked.
    words = ["script", "-qec", command, "/dev/null"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as person:
        stop = threading.Timer(60, person.kill)
        stop.start()
        seen = b""
        while b"[homework]" not in seen and (more := os.read(person.stdout.fileno(), 65536)):
            seen += more
        seen += person.communicate(b"\x02d")[0]
        stop.cancel()
    assert b"detached" in seen, seen[-500:]


def test_the_summary_names_what_this_run_asked_for(fresh, repeated, play, two):
    assert "homework" in fresh.stdout and "(new)" in fresh.stdout
    assert "(as it was)" in repeated.stdout and "(new)" not in repeated.stdout
    asked_nothing = play("bootstrap", limit=two[0].name).ok()
    assert "This run asked for no repository, no packages and no data." in asked_nothing.stdout
    shown = asked_nothing.stdout.partition("Show the summary")[2]
    assert "Python 3" not in shown


def test_another_strategy_in_the_environment_shows_one_summary_of_all_hosts(repeated, play, settings, two):
    found = play("bootstrap", env={"ANSIBLE_STRATEGY": "free"}, **settings).ok()
    assert found.stdout.count("The run took") == 1
    for box in two:
        assert sum(line.startswith(box.name + " ") and " yes" in line for line in found.stdout.splitlines()) == 1


def test_check_only_looks(repeated, play, settings, two):
    before = [box.ssh("ls -laR --time-style=full-iso .rented | sha256sum") for box in two]
    play("check", **settings).ok()
    assert [box.ssh("ls -laR --time-style=full-iso .rented | sha256sum") for box in two] == before


def test_a_gate_that_fails_later_withdraws_the_proof_until_it_passes(repeated, play, settings, two):
    box = two[0]
    failed = play("bootstrap", limit=box.name, cuda_check_required=["disk"], cuda_check_disk_free_gb=1000000, **settings)
    assert failed.rc != 0 and "disk" in failed.message(box.name)
    early = "Check the GPUs before anything is installed"
    assert [task for _host, task, _result in failed.results("failed")] == [early]
    assert not {"Bring the repositories to the host", "Make the Python environment"} & set(failed.tasks(box.name))
    for proof in (json.loads(box.ssh("cat .rented/ready.json")), json.loads(_ready_copy(box).read_text())):
        assert proof["ready"] is False
    play("bootstrap", limit=box.name, **settings).ok()
    assert json.loads(box.ssh("cat .rented/ready.json"))["ready"] is True
