# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _cuda


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
    assert _cuda.native_cuda("999.1") == "13.1"
    assert _cuda.native_cuda("418.39") is None


def test_every_known_build_has_a_known_driver():
    for tags in list(_cuda.TORCH_TAGS.values()) + [_cuda.NEWEST_TAGS]:
        assert [tag for tag in tags if not _cuda.min_driver(tag)] == []
