# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPU names: the spellings of every provider, and what must hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.rented.gpu.plugins.module_utils._gpu_names import normalise, same_size
from ansible_collections.rented.gpu.plugins.module_utils._providers.rehearsal import GPUS

# model -> spellings: Vast.ai, RunPod, Lambda, Paperspace, GCP, AWS, nvidia-smi
SPELLINGS = {
    "RTX 4090": ["RTX 4090", "RTX_4090", "NVIDIA GeForce RTX 4090", "rtx 4090", "RTX4090", "NVIDIA GeForce RTX 4090 (simulated)"],
    "RTX 4090 D": ["RTX 4090D", "RTX 4090 D", "NVIDIA GeForce RTX 4090 D"],
    "RTX 4090 Laptop": ["NVIDIA GeForce RTX 4090 Laptop GPU"],
    "RTX 3080 Ti": ["RTX 3080 Ti", "RTX 3080Ti", "NVIDIA GeForce RTX 3080 Ti"],
    "RTX 4080 SUPER": ["RTX 4080S", "NVIDIA GeForce RTX 4080 SUPER"],
    "RTX 4070 Ti SUPER": ["RTX 4070S Ti", "NVIDIA GeForce RTX 4070 Ti SUPER"],
    "GTX 1080 Ti": ["GTX 1080 Ti", "NVIDIA GeForce GTX 1080 Ti"],
    "RTX A6000": ["RTX A6000", "NVIDIA RTX A6000", "gpu_1x_a6000", "A6000 (48 GB)", "A6000"],
    "RTX 6000 Ada": ["RTX 6000Ada", "NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"],
    "RTX 6000": ["RTX 6000", "Quadro RTX 6000", "Q RTX 6000", "gpu_1x_rtx6000"],
    "RTX PRO 6000": [
        "NVIDIA RTX PRO 6000 Blackwell Server Edition",
        "RTX PRO Server 6000",
        "nvidia-rtx-pro-6000",
        "RTX PRO 6000 WS",
        "RTX PRO 6000 S",
    ],
    "T4": ["Tesla T4", "nvidia-tesla-t4", "T4"],
    "T4G": ["T4g"],
    "V100": [
        "Tesla V100",
        "Tesla V100-SXM2-32GB",
        "Tesla V100-FHHL-16GB",
        "V100",
        "V100-32G",
        "V100-32Gx4",
        "gpu_8x_v100",
        "nvidia-tesla-v100",
    ],
    "A10": ["A10", "gpu_1x_a10", "A10 (24 GB PCIe)", "NVIDIA A10"],
    "A10G": ["A10G", "NVIDIA A10G"],
    "L4": ["L4", "NVIDIA L4", "nvidia-l4"],
    "L40S": ["L40S", "NVIDIA L40S"],
    "A100": [
        "A100 PCIE",
        "A100 SXM4",
        "NVIDIA A100 80GB PCIe",
        "NVIDIA A100-SXM4-80GB",
        "gpu_8x_a100_80gb_sxm4",
        "A100 (40 GB SXM4)",
        "A100-80G",
        "A100-80Gx8",
        "nvidia-a100-80gb",
        "8x A100 (40 GB SXM4)",
    ],
    "H100": [
        "H100 PCIE",
        "H100 SXM",
        "H100 NVL",
        "NVIDIA H100 80GB HBM3",
        "gpu_8x_h100_sxm5",
        "H100x8",
        "nvidia-h100-80gb",
        "nvidia-h100-mega-80gb",
    ],
    "H200": ["H200", "H200 NVL", "NVIDIA H200", "nvidia-h200-141gb"],
    "RTX 4000 SFF Ada": ["NVIDIA RTX 4000 SFF Ada Generation", "RTX 4000 Ada SFF"],
    "B300": ["NVIDIA B300 SXM6 AC", "B300"],
    "B200": ["B200", "NVIDIA B200", "gpu_1x_b200_sxm6", "1x B200 (180 GB SXM6)"],
    "GH200": ["gpu_1x_gh200", "1x GH200 (96 GB)", "NVIDIA GH200 480GB"],
    "MI300X": ["AMD Instinct MI300X OAM", "MI300X"],
    "P4000": ["Quadro P4000", "P4000", "P4000x2"],
    "RTX 4000": ["RTX4000", "RTX4000x2", "Quadro RTX 4000"],
}


@pytest.mark.parametrize("model", SPELLINGS)
def test_spellings(model):
    assert {raw: normalise(raw).model for raw in SPELLINGS[model]} == dict.fromkeys(SPELLINGS[model], model)


def test_different_cards_stay_different():
    assert len({normalise(spellings[0]).model for spellings in SPELLINGS.values()}) == len(SPELLINGS)


@pytest.mark.parametrize(
    ("raw", "variant", "vram"),
    [
        ("A100 PCIE", "PCIe", None),
        ("A100 SXM4", "SXM", None),
        ("NVIDIA H100 80GB HBM3", "SXM", 81920),
        ("H100 NVL", "NVL", None),
        ("Tesla V100-SXM2-32GB", "SXM", 32768),
        ("A100-80G", None, 81920),
        ("Tesla V100-FHHL-16GB", "FHHL", 16384),
        ("NVIDIA B300 SXM6 AC", "SXM", None),
        ("A100-80Gx8", None, 81920),
        ("A10 (24 GB PCIe)", "PCIe", 24576),
        ("NVIDIA GH200 480GB", None, None),
        ("NVIDIA H100 MIG 1g.24gb", "MIG 1g.24gb", 24576),
        ("RTX PRO 6000 WS", "Workstation", None),
        ("AMD Instinct MI300X OAM", "OAM", None),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "Max-Q", None),
        ("RTX 4090", None, None),
    ],
)
def test_boards_and_memory(raw, variant, vram):
    assert normalise(raw)[1:] == (variant, vram)


def test_what_is_reported_counts_more_than_the_name():
    assert normalise("A100-80G", 40960).vram_mb == 40960


@pytest.mark.parametrize("raw", ["Gaudi HL-205", "Radeon Pro V520", "Imaginary RTX 9999 X", "TPU v5e"])
def test_what_is_not_known_stays_as_it_came(raw):
    assert normalise(raw) == (raw, None, None)


@pytest.mark.parametrize("raw", [None, "", "   "])
def test_nothing(raw):
    assert normalise(raw) == (None, None, None)


def test_same_size():
    assert same_size(24564, 24576) and same_size(22888, 24576) and not same_size(40960, 81920)


@given(st.text(max_size=80), st.none() | st.integers(1, 400_000))
@example("MIG 1g.24gb", None)
@example("8x ", None)
@example("()", None)
def test_any_text(raw, vram):
    found = normalise(raw, vram)
    assert (found.model is None) == (not raw.split())
    assert vram is None or found.vram_mb == vram
    assert found.model is None or normalise(found.model).model == found.model  # doing it twice changes nothing


@given(
    st.sampled_from([raw for spellings in SPELLINGS.values() for raw in spellings]),
    st.sampled_from([str.upper, str.lower, str.title, lambda text: "  " + text + " \n"]),
)
def test_case_and_blanks_do_not_matter(raw, change):
    assert normalise(change(raw)) == normalise(raw)


@given(st.sampled_from(sorted(SPELLINGS)), st.sampled_from(["NVIDIA ", "nvidia-", "NVIDIA GeForce ", "8x ", "gpu_4x_"]))
def test_prefixes_do_not_matter(model, prefix):
    assert normalise(prefix + model).model == model


def test_every_gpu_of_a_rehearsal_is_known():
    for name in GPUS:
        assert normalise(name).model in SPELLINGS or normalise(name).model.startswith("RTX "), name
