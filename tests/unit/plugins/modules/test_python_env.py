# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What python_env decides without running anything; the rest is proved on real hosts in tests/integration."""

from __future__ import annotations

import os

import pytest

from ansible_collections.rented.gpu.plugins.modules import python_env


class Module:
    check_mode = True

    def __init__(self, project, **wanted):
        self.params = {name: option.get("default") for name, option in python_env.ARGUMENT_SPEC.items()}
        self.params.update(project=str(project), uv_version="0.0.0", **wanted)


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "p").mkdir()

    def environment(text="", **wanted):
        (tmp_path / "p" / "r.txt").write_text(text)
        made = python_env.Environment(Module(tmp_path / "p", requirements=["r.txt"], **wanted))
        made.version = wanted.get("python", "")
        assert made.look_at_project() is True
        return made

    return environment


@pytest.mark.parametrize(
    "text, wanted, tag, said",
    [
        ("torch\n", {"driver": "550.54.14", "capabilities": ["8.9"]}, "cu126", "driver 550.54.14 is of CUDA 12.4"),
        ("torch\n", {"driver": "580.65.06", "capabilities": ["9.0"]}, "cu130", "torch from cu130"),
        ("torch==2.4.1\n", {"driver": "550.54.14", "capabilities": ["8.0"]}, "cu124", "torch from cu124"),
        ("torch\n", {}, "cpu", "no real GPU"),
        ("torch\n", {"driver": "418.39", "capabilities": ["7.0"]}, "cpu", "runs no CUDA build"),
        ("torch==2.6.0+cu124\n", {"driver": "580.65.06"}, None, "fix the build"),
        ("--extra-index-url https://example.org/whl\ntorch\n", {"driver": "580.65.06"}, None, "their own index"),
        ("torch\n", {"driver": "580.65.06", "torch": "none"}, None, "python_env_torch is none"),
        ("torch\n", {"driver": "580.65.06", "torch": "cu126"}, "cu126", "asks for cu126"),
        ("torch\n", {"driver": "580.65.06", "manager": "venv"}, None, "the index that pip is configured for"),
    ],
)
def test_the_build_of_torch_and_why(make, text, wanted, tag, said):
    made = make(text, **wanted)
    found, why = made.choose_torch()
    assert found == tag
    assert said in why
    assert made.warnings == []


def test_a_tag_that_the_driver_does_not_run_is_warned_of(make):
    made = make("torch\n", driver="550.54.14", capabilities=["8.9"], torch="cu130")
    assert made.choose_torch()[0] == "cu130"
    assert made.warnings == ["python_env_torch asks for cu130, which needs driver >= 580.65.06; the host has 550.54.14. cu126 would run."]


def test_torch_that_is_too_new_for_the_driver_is_warned_of(make, tmp_path):
    made = make("torch\n", driver="550.54.14", capabilities=["8.9"], torch="none")
    folder = tmp_path / "p" / ".venv" / "lib" / "python3.11" / "site-packages" / "torch"
    folder.mkdir(parents=True)
    (folder / "version.py").write_text("from typing import Optional\n__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\n")
    about = made.describe(None, "why", "digest", 1)
    assert about["torch"] == {"version": "2.11.0+cu130", "cuda": "13.0", "tag": None, "why": "why"}
    assert about["versions"]["torch"] == "2.11.0+cu130"
    assert made.warnings == ["torch 2.11.0+cu130 needs driver >= 580.65.06 and the host has 550.54.14: set python_env_torch to cu126."]


def test_the_disk_that_torch_needs(make, monkeypatch):
    monkeypatch.setattr(python_env, "_free_mb", lambda path: 5000)
    make("six\n").check_disk(None)
    make("torch\n").check_disk("cpu")
    with pytest.raises(python_env.Trouble, match="5000 MB free and this environment needs about 9000 MB"):
        make("torch\n").check_disk("cu130")
    make("torch\n", disk_mb=10).check_disk("cu130")


def test_the_cache_lies_on_the_disk_of_the_environment(make, monkeypatch, tmp_path):
    for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    shm = "/dev/shm"
    if not os.path.isdir(shm) or os.stat(shm).st_dev == os.stat(str(tmp_path)).st_dev:
        pytest.skip("there is no second file system")
    assert make("", workdir=str(tmp_path)).choose_cache() is None
    assert make("", path=shm + "/project/.venv", workdir=shm).choose_cache() == shm + "/.cache"
    assert make("", path=shm + "/project/.venv", workdir=str(tmp_path)).choose_cache() == shm + "/project/.cache"
