# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: a process of its own, on this interpreter and on the oldest that is there."""

from __future__ import annotations

import glob
import json
import os
import pathlib
import stat
import subprocess
import sys
import time

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _facts, _stamps

COLLECTIONS = str(pathlib.Path(_facts.__file__).absolute().parents[6])  # the folder that holds ansible_collections
CODE = (
    "import json, sys; from ansible_collections.rented.gpu.plugins.module_utils._host import _facts; "
    "print(json.dumps(_facts.gather(**json.loads(sys.argv[1]))))"
)
SHAPE = {
    "schema", "workdir", "home", "user", "uid", "sudo", "python", "os", "hostname", "kind", "container_runtime", "systemd", "boot_id",
    "package_manager", "packages", "tools", "cpu", "memory", "shm_mb", "disks", "work", "workspace", "gpu", "auto_tmux", "tmux_sessions",
    "git_identity", "stamps", "ready", "interpreters", "problems",
}  # fmt: skip


def read(home, python=sys.executable, env=None, **arguments) -> dict:
    environment = dict({"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": COLLECTIONS}, **env or {})
    done = subprocess.run(
        [python, "-c", CODE, json.dumps(arguments)], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_shape_that_the_roles_rely_on(tmp_path):
    facts = read(tmp_path)
    assert set(facts) == SHAPE
    assert facts["problems"] == []
    assert set(facts["tools"]) == {
        "git", "git-lfs", "rsync", "tmux", "curl", "uv", "conda", "python3", "nvcc", "tar", "unzip", "zstd", "sudo",
    }  # fmt: skip
    assert set(facts["os"]) == {"id", "version_id", "name", "arch", "kernel"}
    assert set(facts["disks"]) == {"workdir", "home"}
    assert set(facts["disks"]["workdir"]) == {"path", "mount", "filesystem", "free_mb", "total_mb"}
    assert set(facts["gpu"]) == {"present", "working", "error", "driver", "cuda_max", "simulated", "gpus", "xid"}
    assert facts["home"] == str(tmp_path) and facts["uid"] == os.geteuid()
    assert facts["python"] == {"path": sys.executable, "version": "%d.%d.%d" % sys.version_info[:3]}
    assert facts["cpu"]["cores"] >= 1 and facts["memory"]["total_mb"] > 0
    assert facts["tools"]["tar"]["version"]


def _pythons():
    for version in ("3.8", "3.9", "3.10", "3.12", "3.13"):
        found = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/%s.*/bin/python" % version)))
        yield pytest.param(found[-1] if found else None, id=version)


@pytest.mark.parametrize("python", list(_pythons()))
def test_on_other_pythons(tmp_path, python):
    if python is None:
        pytest.skip("not on this machine")
    facts = read(tmp_path, python)
    assert set(facts) == SHAPE and facts["problems"] == [] and facts["python"]["path"] == python


def test_workdir(tmp_path):
    (tmp_path / "data").mkdir()
    assert read(tmp_path, workdir="data")["workdir"] == str(tmp_path / "data")
    assert read(tmp_path, workdir="~/data/x")["workdir"] == str(tmp_path / "data/x")
    facts = read(tmp_path, workdir="/not/yet")
    assert facts["workdir"] == "/not/yet" and facts["disks"]["workdir"]["free_mb"] > 0
    place = {"exists": True, "writable": True, "mount": "/workspace"}
    assert _facts.work_folder(None, "/home/ada", place) == "/workspace"
    assert _facts.work_folder(None, "/home/ada", dict(place, writable=False)) == "/home/ada"


def test_stamps_and_the_proof(tmp_path):
    made = tmp_path / "made"
    made.write_text("x")
    home = str(tmp_path)
    _stamps.write(home, "repo", "abc", {"files": {str(made): _stamps.file_digest(str(made))}}, {"n": 1})
    (tmp_path / ".rented/ready.json").write_text(json.dumps({"ready": True}))
    facts = read(tmp_path)
    assert (facts["stamps"]["repo"]["intact"], facts["stamps"]["repo"]["wanted"], facts["ready"]) == (True, "abc", {"ready": True})
    made.write_text("y")
    (tmp_path / ".rented/ready.json").write_text("{damaged")
    facts = read(tmp_path)
    assert (facts["stamps"]["repo"]["intact"], facts["stamps"]["repo"]["drift"]) == (False, ["files: %s" % made])
    assert facts["ready"] is None and facts["problems"] == []


def test_an_error_in_one_part_leaves_the_others(monkeypatch, tmp_path):
    def broken(*_arguments, **_options):
        raise RuntimeError("boom")

    monkeypatch.setenv("HOME", str(tmp_path))
    for module, name in (
        (_facts._limits, "mounts"),
        (_facts._nvidia, "gather"),
        (_facts._system, "dpkg_packages"),
        (_facts._tools, "interpreters"),
    ):
        monkeypatch.setattr(module, name, broken)
    facts = _facts.gather()
    assert set(facts) == SHAPE
    assert facts["gpu"]["present"] is False and facts["disks"]["home"]["free_mb"] > 0 and facts["os"]["arch"]
    assert {problem.split(":")[0] for problem in facts["problems"]} >= {"mounts", "gpu", "interpreters"}
    assert all("RuntimeError: boom" in problem for problem in facts["problems"])


def test_a_home_that_cannot_be_written_or_read(tmp_path):
    (tmp_path / ".rented").mkdir()
    (tmp_path / ".rented").chmod(0)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        facts = read(tmp_path)
    finally:
        tmp_path.chmod(0o700)
        (tmp_path / ".rented").chmod(0o700)
    assert facts["stamps"] == {} and facts["problems"] == []
    assert os.listdir(str(tmp_path)) == [".rented"], "host_facts leaves nothing behind"


def test_a_home_that_is_not_there(tmp_path):
    assert os.path.isdir(read(tmp_path / "gone")["home"])


def test_tools_are_asked_at_the_same_time(tmp_path):
    """Four slow tools take as long as one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "rsync", "tmux", "uv"):
        (folder / name).write_text("#!/bin/sh\nsleep 2\necho %s 1.2.3\n" % name)
        (folder / name).chmod(0o755)
    start = time.monotonic()
    facts = read(tmp_path, env={"PATH": "%s:/usr/bin:/bin" % folder})
    assert time.monotonic() - start < 7
    assert [facts["tools"][name]["version"] for name in ("git", "rsync", "tmux", "uv")] == ["1.2.3"] * 4


def test_nvidia_smi_is_started_first_and_limited(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nvidia-smi").write_text("#!/bin/sh\nsleep 60\n")
    (folder / "nvidia-smi").chmod(0o755)
    start = time.monotonic()
    facts = read(tmp_path, env={"PATH": "%s:/usr/bin:/bin" % folder}, gpu_seconds=1)
    assert time.monotonic() - start < 20
    assert "did not answer within 1 s" in facts["gpu"]["error"]


def test_packages(tmp_path):
    facts = read(tmp_path, packages=["tar", "no-such-package"])
    if facts["package_manager"] == "apt":
        assert facts["packages"]["tar"] and facts["packages"]["no-such-package"] is None
    else:
        assert set(facts["packages"]) == {"tar", "no-such-package"}
