# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked around everything that goes to a host: its address, the key that answered, its facts, and its words."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _facts, _proof
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.plugin_utils import _facts_shape, _gates, _proof_copies
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _deadline, _host_checks
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._connection import Connection

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def real():
    return _facts.gather()


@pytest.mark.parametrize(
    "changes",
    [
        {"ansible_host": "-oProxyCommand=touch pwned"},
        {"ansible_host": "1.2.3.4\n-oX"},
        {"ansible_host": "a b"},
        {"ansible_host": "$(id)"},
        {"ansible_host": "x" * 300},
        {"ansible_host": "\x1b[2J"},
        {"ansible_port": 0},
        {"ansible_port": 65536},
        {"ansible_port": "22 -oX"},
        {"ansible_user": "-oProxyCommand=x"},
        {"ansible_user": "a\nb"},
        {"ansible_user": "a;b"},
        {"ansible_host": None},
        {"ansible_host": ""},
    ],
)
def test_an_address_that_is_none_is_refused_in_words(changes):
    good = {
        "inventory_hostname": "vast-1",
        "ansible_host": "192.0.2.1",
        "ansible_port": 22,
        "ansible_user": "root",
        "rented_provider": "vast",
    }
    assert _host_checks.address_problem(good) is None
    said = _host_checks.address_problem(dict(good, rented_state="pending", rented_state_raw="loading", **changes))
    assert "vast-1" in said and "othing was sent" in said.replace("nothing", "Nothing") and "\x1b" not in said
    if not changes.get("ansible_host", "x"):
        assert "no address yet (pending, loading)" in said


def test_hosts_of_the_user_may_have_any_name_that_is_no_option():
    assert _host_checks.address_problem({"inventory_hostname": "box", "ansible_host": None}) is None
    assert _host_checks.address_problem({"inventory_hostname": "box", "ansible_host": "my_alias+2"}) is None
    assert _host_checks.address_problem({"inventory_hostname": "-oX"})


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1%eth0", "gpu-1.example.org", "ssh4.vast.ai"])
def test_addresses_pass(address):
    assert _host_checks.address_problem({"inventory_hostname": "x", "ansible_host": address, "rented_provider": "vast"}) is None


def test_the_facts_of_this_machine_pass(real):
    assert _facts_shape.problem(real) is None


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_facts_of_any_shape_are_refused_in_words_or_can_be_worked_with(real, data):
    facts = dict(real)
    for name in data.draw(st.lists(st.sampled_from(sorted(facts)), min_size=1, max_size=3)):
        action = data.draw(st.sampled_from(["replace", "remove", "inside"]))
        if action == "remove":
            facts.pop(name, None)
        elif action == "replace" or not isinstance(facts.get(name), dict) or not facts[name]:
            facts[name] = data.draw(JSON)
        else:
            inner = dict(facts[name])
            inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(JSON)
            facts[name] = inner
    problem = _facts_shape.problem(facts)
    if problem:
        assert problem.startswith(("'", "they"))
        return
    facts = _facts_shape.without_strange_proof(facts)
    _gates.evaluate(facts, {}, {}, {"skipped": "simulated"}, [])
    proof = _proof.add_made(_proof.build({}, facts, {}, {}, "now"), facts.get("stamps") or {})
    _proof.same(facts.get("ready"), proof)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_json_is_no_facts(value):
    assert _facts_shape.problem(value)


def test_warnings_of_a_host_are_harmless_and_bounded():
    event = types.SimpleNamespace(event=types.SimpleNamespace(msg="\x1b]0;x\x07"))
    result = {
        "msg": "\x1b[2J" + "m" * 100000,
        "warnings": ["\x1b[2J" + "x" * 5000, event] + ["w"] * 1000,
        "deprecations": [{"msg": "\x9b2J", "version": "1"}] * 30,
        "diff": [{"before": "\x1b[2J\n", "after": "b\n"}],
        "module_stderr": "\x1b[2J",
    }
    _host_checks.harmless(result)
    assert not any("\x1b" in text for text in [result["msg"], *result["warnings"]])
    assert len(result["warnings"]) == 21 and max(map(len, result["warnings"])) < 1100 and len(result["msg"]) < 21000
    assert len(result["deprecations"]) == 21 and "\x9b" not in result["deprecations"][0]["msg"]
    assert result["diff"][0]["before"] == "\\x1b[2J\n" and result["module_stderr"] == "\\x1b[2J"


# --- the state directory -----------------------------------------------------------------------------------------


@pytest.fixture(params=["full", "read-only"])
def sick_disk(request, tmp_path, monkeypatch):
    """A state directory on a real file system that is full, or that nothing can be written to."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(folder)], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting takes root")
    try:
        if request.param == "full":
            with pytest.raises(OSError), open(folder / "fill", "wb", buffering=0) as handle:
                while True:
                    handle.write(b"x" * 4096)
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        monkeypatch.setenv("RENTED_GPU_HOME", str(folder))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_sick_state_directory_is_told_with_path_and_advice(sick_disk):
    with pytest.raises(RentedError) as told:
        _proof_copies.keep("box", {"text": "x" * 100000})
    assert str(sick_disk) in told.value.message and "RENTED_GPU_HOME" in told.value.message
    assert "No space left" in told.value.message or "Read-only file system" in told.value.message


def test_a_host_key_that_was_not_kept_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "my state"))
    variables = Connection().variables(Instance("vast", "vast", "1", ssh_host="192.0.2.1", ssh_port=22, ssh_user="root"))
    arguments = variables["ansible_ssh_common_args"]
    assert "was not kept" in _host_checks.unpinned(arguments) and "RENTED_GPU_HOME" in _host_checks.unpinned(arguments)
    known = pathlib.Path(_state.known_hosts_file())
    known.write_text("")
    assert "was not kept" in _host_checks.unpinned(arguments)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    known.write_text("vast-1 " + (tmp_path / "key.pub").read_text())
    assert _host_checks.unpinned(arguments) is None
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    assert _host_checks.unpinned(arguments) is None
    # Hosts of the user's own inventory have their own known_hosts.
    assert _host_checks.unpinned("") is None and _host_checks.unpinned("-o UserKnownHostsFile=/x -o HostKeyAlias=a") is None


def test_after_the_deadline_only_the_ssh_of_this_process_is_ended(tmp_path):
    ssh = tmp_path / "ssh"
    ssh.write_text("#!%s\nimport time\ntime.sleep(60)\n" % sys.executable)
    ssh.chmod(0o755)
    other = subprocess.Popen(["sleep", "60"])
    # The name of a script's process is that of the script.
    mine = subprocess.Popen([str(ssh)])
    try:
        end = time.monotonic() + 10
        while mine.pid not in _deadline.children() and time.monotonic() < end:
            time.sleep(0.05)
        with _deadline.Deadline(types.SimpleNamespace(transport="ssh"), 0.2) as deadline:
            assert mine.wait(timeout=20) < 0
        assert deadline.passed and other.poll() is None
    finally:
        other.kill()
        other.wait()
    with _deadline.Deadline(types.SimpleNamespace(transport="local"), 0.01) as none:
        time.sleep(0.05)
    assert not none.passed and os.getpid()
