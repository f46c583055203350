# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof: a real interpreter of a real environment, with a stand-in for torch; with the real torch where one is named."""

from __future__ import annotations

import glob
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import time

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.modules import cuda_check
from ansible_collections.rented.gpu.plugins.plugin_utils import _gates

STAND_IN = pathlib.Path(__file__).resolve().parents[3] / "fixtures" / "host" / "stand_in_torch"
COLLECTIONS = str(pathlib.Path(cuda_check.__file__).absolute().parents[5])  # the folder that holds ansible_collections
TWO_GPUS = {"version": "2.9.0+cu126", "cuda": "12.6", "gpus": 2}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An environment without torch."""
    path = tmp_path_factory.mktemp("empty") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True)
    return path


@pytest.fixture
def env(empty, tmp_path):
    """``env(version=…, …)``: an environment whose torch behaves so."""

    def make(**behaviour):
        path = tmp_path / "env"
        if not path.exists():
            shutil.copytree(str(empty), str(path), symlinks=True)
        packages = pathlib.Path(glob.glob(str(path / "lib/python*/site-packages"))[0])
        for source in STAND_IN.iterdir():
            if not (packages / source.name).exists():
                shutil.copytree(str(source), str(packages / source.name))
        (packages / "torch/behaviour.json").write_text(json.dumps(behaviour))
        return str(path)

    return make


def test_every_gpu_multiplies(env):
    answer = cuda_check.prove(env(**TWO_GPUS), 64, [], 30)
    assert answer["torch"] == {"version": "2.9.0+cu126", "cuda": "12.6", "arch_list": ["sm_80", "sm_86", "sm_90"]}
    assert [device["device"] for device in answer["devices"]] == ["cuda:0", "cuda:1"]
    first = answer["devices"][0]
    assert (first["name"], first["compute_capability"], first["memory_mb"], first["error"]) == ("Stand-in GPU", "8.9", 24576, None)
    assert answer["error"] is None and answer["seconds"] > 0 and answer["at"].endswith("Z")
    assert cuda_check.settles(answer)


def test_a_wrong_product_is_found_and_names_its_gpu(env):
    answer = cuda_check.prove(env(wrong=["cuda:1"], **TWO_GPUS), 64, [], 30)
    assert [device["error"] for device in answer["devices"]] == [None, "its product differs from the CPU's"]
    assert not cuda_check.settles(answer)


def test_a_gpu_that_fails_leaves_the_others(env):
    answer = cuda_check.prove(env(failing={"cuda:0": "CUDA error: out of memory\nlong story"}, **TWO_GPUS), 64, [], 30)
    assert [device["error"] for device in answer["devices"]] == ["RuntimeError: CUDA error: out of memory long story", None]


def test_no_gpu_that_torch_can_use(env):
    path = env(version="2.9.0+cu130", cuda="13.0", gpus=0, init_error="The NVIDIA driver on your system is too old (found version 12040).")
    answer = cuda_check.prove(path, 64, [], 30)
    assert "too old (found version 12040)" in answer["error"] and answer["devices"] == []
    assert answer["torch"]["cuda"] == "13.0", "the gate torch_driver needs it"


def test_torch_that_does_not_import(env):
    answer = cuda_check.prove(env(import_error="libcudart.so.12: cannot open shared object file"), 64, [], 30)
    assert answer["torch"]["version"] == "2.9.0"
    assert "cannot be imported (ImportError: libcudart.so.12" in answer["error"]


def test_no_torch(empty):
    answer = cuda_check.prove(str(empty), 64, [], 30)
    assert (answer["torch"], answer["error"], answer["devices"]) == (None, None, [])
    assert cuda_check.settles(answer)


def test_no_environment(tmp_path):
    answer = cuda_check.prove(str(tmp_path), 64, [], 30)
    assert answer["error"] == "there is no Python environment at %s" % tmp_path


def test_a_python_that_dies(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("#!/bin/sh\necho 'Illegal instruction' >&2\nexit 132\n")
    (tmp_path / "bin/python").chmod(0o755)
    answer = cuda_check.prove(str(tmp_path), 64, [], 30)
    assert answer["error"].endswith("ended with 132 and said: Illegal instruction")


def test_a_proof_that_hangs_is_given_up(env):
    start = time.monotonic()
    answer = cuda_check.prove(env(sleep=60, **TWO_GPUS), 64, [], 1)
    assert time.monotonic() - start < 20
    assert "did not end within 1 s" in answer["error"]


def test_what_torch_prints_does_not_hide_the_answer(env):
    path = env(**TWO_GPUS)
    init = pathlib.Path(glob.glob(path + "/lib/python*/site-packages/torch/__init__.py")[0])
    init.write_text(init.read_text() + "\nprint('UserWarning: {not json')\n")
    assert cuda_check.settles(cuda_check.prove(path, 64, [], 30))


def module(home, check=False, **arguments) -> dict:
    """The whole module, as Ansible runs it."""
    code = "from ansible_collections.rented.gpu.plugins.modules import cuda_check as m; m.main()"
    given = {"ANSIBLE_MODULE_ARGS": dict(arguments, _ansible_check_mode=check)}
    # ansible-core 2.19 and later want a serialization profile, which Ansible's own wrapper sets.
    code = "import ansible.module_utils.basic as b; b._ANSIBLE_PROFILE = 'legacy'; " + code
    environment = dict(os.environ, HOME=str(home), PYTHONPATH=os.pathsep.join([COLLECTIONS, *filter(None, sys.path)]))
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(given), capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_the_stamp_of_a_proof(env, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    path = env(**TWO_GPUS)
    assert module(home, check=True, path=path, stamp_wanted="abc", size=64)["stamp"] is None
    assert _stamps.read_all(str(home)) == {}
    result = module(home, path=path, stamp_wanted="abc", size=64)
    assert result["changed"] is False and not result.get("failed")
    stamp = _stamps.read_all(str(home))["cuda_check"]
    assert stamp["intact"] and stamp["wanted"] == "abc" and stamp["data"]["versions"] == {"torch": "2.9.0+cu126"}
    assert stamp["data"]["proof"] == result["proof"]
    assert stat.S_IMODE(os.stat(str(home / ".rented/stamps/cuda_check.json")).st_mode) == 0o600
    # Another package makes it another environment.
    os.mkdir(glob.glob(path + "/lib/python*/site-packages")[0] + "/x-1.dist-info")
    assert not _stamps.read_all(str(home))["cuda_check"]["intact"]
    # A proof that fails leaves no stamp, not even the old one.
    module(home, path=env(wrong=["cuda:0"], **TWO_GPUS), stamp_wanted="abc", size=64)
    assert _stamps.read_all(str(home)) == {}


def test_without_its_action_it_needs_a_path(tmp_path):
    result = module(tmp_path)
    assert result["failed"] and "needs the path" in result["msg"]


def test_required_by_default_is_the_same_in_module_and_gates():
    assert tuple(cuda_check.ARGUMENT_SPEC["required"]["default"]) == _gates.REQUIRED


@pytest.mark.skipif("RENTED_GPU_TORCH_ENV" not in os.environ, reason="RENTED_GPU_TORCH_ENV names no environment with torch")
def test_with_the_real_torch():
    """``RENTED_GPU_TORCH_ENV=/path/to/env``: on the CPU, and on the GPUs where there are some."""
    path = os.environ["RENTED_GPU_TORCH_ENV"]
    answer = cuda_check.prove(path, 1024, ["cpu"], 120)
    assert cuda_check.settles(answer) and [device["error"] for device in answer["devices"]] == [None], answer
    answer = cuda_check.prove(path, 1024, [], 180)
    assert answer["torch"]["version"]
    assert cuda_check.settles(answer) if os.path.exists("/dev/nvidia0") else answer["error"]
