# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions of the roles ask a host, and what they believe of its answers; the host is played, and may lie."""

from __future__ import annotations

import json
import types

import pytest

from ansible_collections.rented.gpu.plugins.action import git_keys, known_hosts, proof, python_env, ready, tmux
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils import _action, _run_facts

FACTS = {"workdir": "/data", "home": "/root", "tools": {}, "packages": {}, "stamps": {}, "auto_tmux": {"present": False, "off": False}}


class Templar:
    def template(self, value):
        return "rendered" if value == "{{ mine }}" else value


@pytest.fixture
def play(monkeypatch):
    """``play(plugin, answers, …)``: the result; ``asked`` has what the host was asked, ``shown`` what people saw."""
    asked, shown = [], []

    def run(plugin, answers, arguments=None, facts=None, check=False, **variables):
        action = plugin.ActionModule.__new__(plugin.ActionModule)
        action._task = types.SimpleNamespace(check_mode=check, args=dict(arguments or {}), _role=None, action="rented.gpu.x", async_val=0)
        action._connection = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None))
        action._templar = Templar()
        action._display = types.SimpleNamespace(display=shown.append, warning=shown.append)

        def execute(module_name=None, module_args=None, task_vars=None, **options):
            asked.append((module_name.split(".")[-1], module_args, task_vars))
            return dict(answers[module_name.split(".")[-1]])

        monkeypatch.setattr(action, "_execute_module", execute, raising=False)
        monkeypatch.setattr(action, "_remove_tmp_path", lambda path: None, raising=False)
        monkeypatch.setattr(
            action, "validate_argument_spec", lambda argument_spec: (None, dict(_defaults(argument_spec), **arguments or {})), raising=False
        )
        monkeypatch.setattr(_action.ActionBase, "run", lambda self, tmp, task_vars: {})
        known = {"rented": facts} if facts else {}
        return action.run(task_vars=dict(variables, inventory_hostname="vast-1", ansible_facts=known))

    run.asked, run.shown = asked, shown
    return run


def _defaults(spec):
    return {name: option.get("default") for name, option in spec.items()}


def test_a_role_alone_works_in_the_workdir_of_the_user(play):
    answers = {"host_facts": {"ansible_facts": {"rented": FACTS}}, "tmux": {"changed": True, "sessions": ["data"]}}
    play(tmux, answers, rented_workdir="/data")
    assert play.asked[0][:2] == ("host_facts", {"workdir": "/data"})
    assert play.asked[1][1]["project"] == "/data"


def test_nothing_of_the_arguments_goes_to_the_log_of_the_host(play):
    play(tmux, {"tmux": {"changed": True}}, facts=FACTS)
    assert play.asked[0][2]["ansible_no_target_syslog"] is True


def test_what_a_host_says_cannot_command_the_terminal(play):
    result = play(tmux, {"tmux": {"failed": True, "msg": "no\x1b]0;owned\x07\r\nline two\ttab"}}, facts=FACTS)
    assert result["failed"] and result["msg"] == "no\\x1b]0;owned\\x07\nline two\ttab"


def test_the_stamp_of_ready_keeps_watching_the_workdir_when_only_a_package_is_missing(play):
    stamp = {"wanted": _stamps.digest({"workdir": "/data"}), "intact": True, "watch": {"exists": {"/data": True}}}
    facts = dict(FACTS, stamps={"ready": stamp}, package_manager="apt", packages={"htop": None})
    answers = {"host_facts": {"ansible_facts": {"rented": facts}}, "host_setup": {"changed": False}}
    play(ready, answers, {"workdir": "/data", "packages": ["htop"], "timeout": 1}, ansible_python_interpreter="/usr/bin/python3")
    assert [name for name, *_rest in play.asked] == ["host_facts", "host_setup"]
    assert play.asked[1][1]["packages"] == ["htop"] and play.asked[1][1]["workdir"] == "/data"


def test_a_host_cannot_write_the_proof_of_another_one(play, tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    lie = {"host": "vast-2", "ready": True, "gates": [], "made": {}, "instance": {"id": "2"}}
    facts = dict(FACTS, gates=[{"name": "gpu_count", "result": "fail", "required": True}])
    result = play(proof, {"proof": {"changed": True, "proof": lie}}, facts=facts, rented_id="1", rented_label="{{ mine }}")
    kept = sorted(path.name for path in (tmp_path / "state" / "ready").iterdir())
    assert kept == ["vast-1.json"]
    written = json.loads((tmp_path / "state" / "ready" / "vast-1.json").read_text())
    assert (written["host"], written["ready"], written["instance"]["id"]) == ("vast-1", False, "1")
    assert written["instance"]["label"] == "rendered"
    assert result["changed"]


def test_facts_that_a_cache_kept_of_an_earlier_run_settle_nothing(play):
    request = {"name": "work", "project": "/data", "config": True, "environment": ""}
    stamp = {"wanted": _stamps.digest(request), "intact": True, "data": {"name": "work"}, "watch": {}}
    facts = dict(FACTS, stamps={"tmux": stamp}, tmux_sessions=["work"], tools={})
    arguments = {"name": "work", "config": True, "environment": ""}
    now = play(tmux, {}, arguments, facts=dict(facts, read_by=_run_facts.token()))
    assert now["changed"] is False and not play.asked
    answers = {"host_facts": {"ansible_facts": {"rented": FACTS}}, "tmux": {"changed": True, "sessions": ["work"]}}
    old = play(tmux, answers, arguments, facts=dict(facts, read_by="ansible-local-of-yesterday"))
    assert [name for name, *_rest in play.asked] == ["host_facts", "tmux"]
    assert old["ansible_facts"]["rented"]["read_by"] == _run_facts.token()
    assert [role["executions"] for role in old["ansible_facts"]["rented_run"].values()] == [2]


KEY = {"host": "git.example.org", "port": 22, "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"}
# Arguments of a role that is as wanted, and another value for each argument that decides what is made.
DECIDING = {
    tmux: (
        {"name": "work", "project": "p", "config": True, "environment": ""},
        {"name": "other", "project": "q", "config": False, "environment": "/e"},
    ),
    known_hosts: (
        {"keys": [KEY], "withdrawn": []},
        {"keys": [dict(KEY, port=2222)], "withdrawn": [{"host": "git.example.org", "fingerprint": "SHA256:x"}]},
    ),
    python_env: (
        {"manager": "uv", "python": "3.11", "project": "p", "path": "", "requirements": ["r.txt"], "extras": [], "packages": [],
         "torch": "auto", "uv_version": "0.13.9"},
        {"manager": "venv", "python": "3.12", "project": "q", "path": "/env", "requirements": ["s.txt"], "extras": ["gpu"],
         "packages": ["tqdm"], "torch": "cpu", "uv_version": "0.13.8"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("action", DECIDING, ids=lambda action: action.__name__.rpartition(".")[2])
def test_every_argument_that_decides_is_compared(play, action):
    name = action.__name__.rpartition(".")[2]
    arguments, others = DECIDING[action]
    answer = {"changed": True, "sessions": ["work", "other"]}
    play(action, {name: answer}, arguments, facts=FACTS)
    stamp = {"wanted": play.asked[0][1]["stamp_wanted"], "intact": True, "data": {}, "watch": {}}
    facts = dict(FACTS, stamps={name: stamp}, tmux_sessions=["work", "other"])
    play.asked.clear()
    assert play(action, {}, arguments, facts=facts)["changed"] is False and not play.asked
    for argument, value in others.items():
        play.asked.clear()
        play(action, {name: answer}, dict(arguments, **{argument: value}), facts=facts)
        assert [asked for asked, *_rest in play.asked] == [name], argument


@pytest.mark.parametrize(
    ("change", "stamps"),
    [({"name": "Bob"}, {}), ({"email": "bob@example.org"}, {}), ({}, {"git_keys": {"wanted": "w", "intact": True, "data": {}}})],
    ids=["name", "email", "a key of an earlier run"],
)
def test_another_identity_or_a_key_that_has_to_go_is_noticed(play, change, stamps):
    arguments = {"name": "Ada", "email": "ada@example.org", "mode": "push", "hosts": ["github.com"]}
    facts = dict(FACTS, git_identity={"name": "Ada", "email": "ada@example.org"})
    assert play(git_keys, {}, arguments, facts=facts)["changed"] is False and not play.asked
    play(git_keys, {"git_keys": {"changed": True}}, dict(arguments, **change), facts=dict(facts, stamps=stamps))
    (asked,) = play.asked
    assert asked[1] == dict(arguments, **change)


def test_the_proof_of_an_earlier_run_is_withdrawn_when_a_role_fails_on_the_host(play, tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    facts = dict(FACTS, ready={"ready": True, "host": "vast-1", "made": {}})
    answers = {"tmux": {"failed": True, "msg": "no tmux"}, "proof": {"changed": True, "proof": {}}}
    result = play(tmux, answers, facts=facts)
    assert result["failed"] and result["msg"] == "no tmux"
    withdrawn = play.asked[1][1]["content"]
    assert play.asked[1][0] == "proof" and withdrawn["ready"] is False and withdrawn["failed"]["why"] == "no tmux"
    assert json.loads((tmp_path / "state" / "ready" / "vast-1.json").read_text())["ready"] is False
    play.asked.clear()
    play(tmux, answers, facts=facts, check=True)
    assert [name for name, *_rest in play.asked] == ["tmux"]


def test_a_session_that_the_host_does_not_list_is_not_made(play):
    result = play(tmux, {"tmux": {"changed": True, "sessions": ["other"]}}, {"name": "work"}, facts=FACTS)
    assert result["failed"] and "is not there after it was started" in result["msg"]
