# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of torch is taken, and why."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _torch


def choose(made):
    return _torch.choose(made.wanted, made.project.inputs, made.project.syncs(), made.report.warnings)


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
def test_the_build_of_torch_and_why(maker, text, wanted, tag, said):
    made = maker(text, **wanted)
    found, why = choose(made)
    assert found == tag
    assert said in why
    assert made.report.warnings == []


def test_a_tag_that_the_driver_does_not_run_is_warned_of(maker):
    made = maker("torch\n", driver="550.54.14", capabilities=["8.9"], torch="cu130")
    assert choose(made)[0] == "cu130"
    assert made.report.warnings == [
        "python_env_torch asks for cu130, which needs driver >= 580.65.06; the host has 550.54.14. cu126 would run."
    ]


def test_torch_that_is_too_new_for_the_driver_is_warned_of(maker, tmp_path):
    made = maker("torch\n", driver="550.54.14", capabilities=["8.9"], torch="none")
    folder = tmp_path / "p" / ".venv" / "lib" / "python3.11" / "site-packages" / "torch"
    folder.mkdir(parents=True)
    (folder / "version.py").write_text("from typing import Optional\n__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\n")
    about = made.describe(None, "why", "digest", 1)
    assert about["torch"] == {"version": "2.11.0+cu130", "cuda": "13.0", "tag": None, "why": "why"}
    assert about["versions"]["torch"] == "2.11.0+cu130"
    assert made.report.warnings == [
        "torch 2.11.0+cu130 needs driver >= 580.65.06 and the host has 550.54.14: set python_env_torch to cu126."
    ]
