# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda


@pytest.mark.parametrize(
    "driver, capabilities, torch, tag",
    [
        ("550.54.14", ["8.9"], None, "cu126"),
        ("550", ["8.9"], None, "cu126"),
        ("570.86.15", ["8.9"], None, "cu126"),
        ("580.65.06", ["9.0"], None, "cu130"),
        ("580.65.06", ["7.0"], None, "cu126"),  # CUDA 13 has no Volta
        ("570.86.15", ["12.0"], None, "cu128"),  # Blackwell
        ("580.65.06", ["7.0", "12.0"], None, None),  # no build has both
        ("470.82.01", ["8.6"], None, "cu118"),
        ("430.50", ["7.5"], None, None),
        ("550.54.14", ["8.0"], "2.4.1", "cu124"),
        ("580.65.06", ["8.0"], "2.6.0", "cu126"),
        ("470.82.01", ["8.0"], "2.9.0", None),
        ("580.65.06", [], "2.99", "cu130"),
        ("595.45.04", ["12.0"], None, "cu132"),  # the build that PyPI has
        ("610.43.02", ["10.0"], None, "cu132"),
        ("590.44.01", ["12.0"], None, "cu130"),
        ("595.45.04", ["12.0"], "2.15.0", "cu132"),
        ("580.65.06", ["12.0"], "2.15.0", "cu130"),
        ("575.51.03", ["8.9"], "2.15.0", None),  # 2.15 has no build for CUDA 12
        ("575.51.03", ["8.9"], "2.14.1", "cu126"),
        ("575.51.03", ["12.0"], "2.12.0", None),  # 12.6 has no Blackwell, and 12.8 ended with 2.11
        ("575.51.03", ["12.0"], "2.11.0", "cu128"),
        ("610.43.02", ["7.0"], None, "cu126"),  # Volta on the newest driver
        ("610.43.02", ["7.0"], "2.15.0", None),
        ("610.43.02", ["8.9"], "2.16.1", "cu132"),
        ("550.54.14", ["8.9"], "3.0", None),
        ("550.54.14", ["8.9"], "2", "cu124"),
        ("525.60.13", ["8.9"], "1.13.1", "cu117"),
        ("580.65.06", ["8.9"], "1.4.0", None),
    ],
)
def test_the_build_that_fits(driver, capabilities, torch, tag):
    assert _cuda.torch_tag(driver, capabilities, torch) == tag


def test_minor_versions_are_compatible_and_majors_are_not():
    assert _cuda.runs("525.60.13", "12.9") is True
    assert _cuda.runs("525.60.12", "cu120") is False
    assert _cuda.runs("575.51.03", "cu130") is False
    assert _cuda.runs("", "cu130") is None
    assert _cuda.runs("580", "cpu") is None
    assert _cuda.min_driver("cu130") == "580.65.06"


def test_what_a_driver_came_with():
    assert _cuda.native_cuda("550.144.03") == "12.4"
    assert _cuda.native_cuda("999.1") == "13.3"
    assert _cuda.native_cuda("595.58.03") == "13.2"
    assert _cuda.native_cuda("418.39") is None


def test_every_known_build_has_a_known_driver():
    for tags in list(_cuda.TORCH_TAGS.values()) + [_cuda.NEWEST_TAGS]:
        assert [tag for tag in tags if not _cuda.min_driver(tag)] == []


def test_a_torch_newer_than_the_table_is_assumed_and_said():
    said = _cuda.assumption("2.16.0")
    assert "torch 2.16.0 is newer than the table" in said and "torch up to 2.15" in said and "cu130, cu132" in said
    assert "python_env_torch" in said
    assert [_cuda.assumption(known) for known in ("2.15.0", "2.15", "2.3", "1.4", "", None)] == [None] * 6


DRIVERS = ("450.80.02", "525.60.13", "550", "575.51.03", "580.65.06", "595.45.04", "700.1")
CAPABILITIES = ("5.2", "6.1", "7.0", "7.5", "8.9", "9.0", "10.0", "12.0", "12.1", "13.0")


@pytest.mark.parametrize("torch", [None, *_cuda.TORCH_TAGS, "2.16", "3.0", "9.9.9"])
def test_a_build_that_is_chosen_runs_on_the_driver_and_knows_the_gpu(torch):
    chosen = 0
    for driver in DRIVERS:
        for capability in CAPABILITIES:
            tag = _cuda.torch_tag(driver, [capability], torch)
            if tag is None:
                continue
            chosen += 1
            cuda, gpu = _cuda.version(_cuda.cuda_of_tag(tag)), _cuda.version(capability)
            assert _cuda.runs(driver, tag) and tag in _cuda.offered_tags(torch)
            assert gpu <= (9, 0) or cuda >= (12, 8)
            assert gpu >= (7, 5) or cuda < (12, 8)
    assert chosen
