# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPU names: the spellings of every provider, and what must hold for any text."""

from __future__ import annotations

import gzip
import json
import pathlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal.machines import GPUS
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names
from ansible_collections.rented.gpu.plugins.module_utils._renting._gpu_names import MODELS, normalise, same_size, sold_gb, usual_vram_mb

# model -> spellings: Vast.ai, RunPod, Lambda, Paperspace, GCP, AWS, nvidia-smi
SPELLINGS = {
    "RTX 4090": [
        "RTX 4090",
        "RTX_4090",
        "NVIDIA GeForce RTX 4090",
        "rtx 4090",
        "RTX4090",
        "NVIDIA GeForce RTX 4090 (simulated)",
        "4090",
        "2x4090",
        "8xRTX 4090",
    ],
    "RTX 4090 D": ["RTX 4090D", "RTX 4090 D", "NVIDIA GeForce RTX 4090 D"],
    "RTX 4090 Laptop": ["NVIDIA GeForce RTX 4090 Laptop GPU"],
    "RTX 3080 Ti": ["RTX 3080 Ti", "RTX 3080Ti", "NVIDIA GeForce RTX 3080 Ti"],
    "RTX 4080 SUPER": ["RTX 4080S", "NVIDIA GeForce RTX 4080 SUPER"],
    "GTX 1660 SUPER": ["GTX 1660 S", "GTX 1660S", "NVIDIA GeForce GTX 1660 SUPER"],
    "RTX 2080 SUPER": ["RTX 2080S"],
    "RTX 3060 Laptop": ["RTX 3060 laptop"],
    "RTX 4070 Ti SUPER": ["RTX 4070S Ti", "RTX 4070Ti Super", "NVIDIA GeForce RTX 4070 Ti SUPER"],
    "GTX 1080 Ti": ["GTX 1080 Ti", "NVIDIA GeForce GTX 1080 Ti"],
    "RTX A6000": ["RTX A6000", "NVIDIA RTX A6000", "gpu_1x_a6000", "A6000 (48 GB)", "A6000"],
    "RTX 6000 Ada": ["RTX 6000Ada", "NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"],
    "RTX 6000": ["RTX 6000", "Quadro RTX 6000", "Q RTX 6000", "gpu_1x_rtx6000"],
    "RTX 5880 Ada": ["RTX 5880Ada", "NVIDIA RTX 5880 Ada Generation"],
    "RTX 4000 Ada": ["RTX 4000Ada", "NVIDIA RTX 4000 Ada Generation"],
    "RTX 4000 SFF Ada": ["NVIDIA RTX 4000 SFF Ada Generation", "RTX 4000 Ada SFF"],
    "RTX 2000 Ada": ["NVIDIA RTX 2000 Ada Generation", "RTX 2000Ada"],
    "RTX A2000": ["NVIDIA RTX A2000", "RTX A2000 12GB"],
    "RTX A4000": ["NVIDIA RTX A4000", "A4000"],
    "RTX A4500": ["NVIDIA  RTX A4500"],
    "RTX A5000": ["NVIDIA RTX A5000", "A5000"],
    "RTX 8000": ["Q RTX 8000", "Quadro RTX 8000"],
    "RTX 5000": ["Quadro RTX 5000", "RTX5000", "RTX5000x2"],
    "RTX 4000": ["RTX4000", "RTX4000x2", "Quadro RTX 4000"],
    "RTX PRO 4500": ["RTX PRO 4500", "NVIDIA RTX PRO 4500 Blackwell"],
    "RTX PRO 5000": ["NVIDIA RTX PRO 5000 72GB Blackwell", "NVIDIA RTX PRO 5000 Blackwell"],
    "RTX PRO 4000": ["NVIDIA RTX PRO 4000 Blackwell", "NVIDIA RTX PRO 4000 Blackwell SFF Edition"],
    "RTX PRO 6000": [
        "NVIDIA RTX PRO 6000 Blackwell Server Edition",
        "RTX PRO Server 6000",
        "nvidia-rtx-pro-6000",
        "nvidia-rtx-pro-6000-vws",
        "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
        "RTX PRO 6000 WS",
        "RTX PRO 6000 S",
    ],
    "T4": ["Tesla T4", "nvidia-tesla-t4", "nvidia-tesla-t4-vws", "T4"],
    "T4G": ["T4g"],
    "P100": ["Tesla P100", "nvidia-tesla-p100", "nvidia-tesla-p100-vws", "Tesla P100-PCIE-16GB"],
    "P40": ["Tesla P40"],
    "P4": ["Tesla P4", "nvidia-tesla-p4"],
    "K80": ["Tesla K80", "nvidia-tesla-k80"],
    "M60": ["Tesla M60"],
    "M4000": ["Quadro M4000"],
    "V100S": ["Tesla V100S-PCIE-32GB"],
    "TITAN XP": ["Titan Xp", "NVIDIA TITAN Xp"],
    "TITAN X": ["NVIDIA TITAN X (Pascal)"],
    "TITAN V": ["Titan V"],
    "TITAN RTX": ["Titan RTX"],
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
    "L4": ["L4", "NVIDIA L4", "nvidia-l4", "nvidia-l4-vws"],
    "L40": ["L40", "NVIDIA L40"],
    "A2": ["NVIDIA A2"],
    "A30": ["NVIDIA A30"],
    "A40": ["A40", "NVIDIA A40"],
    "A100X": ["A100X"],
    "A800": ["A800 PCIE"],
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
        "nvidia-tesla-a100",
        "NVIDIA_A100_80GB",
        "A100-SXM4-40GB MIG_3g.20gb",
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
        "gpu_8x_h100_sxm5gdr",
        "8xH100",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb+me",
    ],
    "H200": ["H200", "H200 NVL", "NVIDIA H200", "nvidia-h200-141gb"],
    "B300": ["NVIDIA B300 SXM6 AC", "B300"],
    "GB200": ["nvidia-gb200", "NVIDIA GB200"],
    "B200": ["B200", "nvidia-b200", "NVIDIA B200", "gpu_1x_b200_sxm6", "1x B200 (180 GB SXM6)"],
    "GH200": ["gpu_1x_gh200", "1x GH200 (96 GB)", "NVIDIA GH200 480GB", "NVIDIA GH200 144G HBM3e"],
    "MI300X": ["AMD Instinct MI300X OAM", "MI300X"],
    "P4000": ["Quadro P4000", "P4000", "P4000x2"],
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
        ("A100-80Gx8", None, 81920),
        ("Tesla V100-FHHL-16GB", "FHHL", 16384),
        ("NVIDIA B300 SXM6 AC", "SXM", None),
        ("gpu_8x_h100_sxm5gdr", "SXM", None),
        ("NVIDIA GH200 144G HBM3e", None, 147456),
        ("NVIDIA RTX PRO 4000 Blackwell SFF Edition", "SFF", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb+me", "MIG 1g.10gb+me", 10240),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb", "MIG 1g.24gb", 24576),
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


@pytest.mark.parametrize(
    "raw",
    [
        "Gaudi HL-205",
        "Radeon Pro V520",
        "Imaginary RTX 9999 X",
        "TPU v5e",
        "A6000 Ada",
        "GRID T4-16Q",
        "Virtex UltraScale+ (VU47P)",
        "6000",
        "RTX 5090 D v2",
    ],
)
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


ALL = [raw for spellings in SPELLINGS.values() for raw in spellings]


@given(
    st.sampled_from(ALL),
    st.sampled_from([str.upper, str.lower, str.title, lambda text: "  " + text + " \n", lambda text: text.replace(" ", "_")]),
)
def test_case_blanks_and_underscores_do_not_matter(raw, change):
    assert normalise(change(raw)) == normalise(raw)


@given(st.sampled_from(ALL), st.none() | st.integers(1000, 400_000))
def test_a_normalised_name_is_normal(raw, vram):
    found = normalise(raw, vram)
    assert normalise(" ".join(filter(None, found[:2])), found.vram_mb) == found


@given(st.text(max_size=30), st.sampled_from(ALL), st.text(max_size=10))
def test_what_is_around_a_name_makes_no_other_card_of_it(before, raw, after):
    """Either the words around it do not matter, or the whole is not known and stays as it came; it never becomes another known card."""
    text = "%s %s %s" % (before, raw, after)
    model = normalise(text).model
    longer = _gpu_names.KNOWN.match(model or "") and model.startswith(normalise(raw).model + " ")  # "RTX 4090" and "Laptop"
    assert model in (normalise(raw).model, " ".join(text.split())) or longer


@given(st.sampled_from(sorted(SPELLINGS)), st.sampled_from(sorted(SPELLINGS)), st.none() | st.integers(1000, 400_000))
def test_no_memory_makes_two_cards_one(one, other, vram):
    assert (normalise(one, vram).model == normalise(other, vram).model) == (one == other)


def test_the_three_that_look_alike():
    models = {raw: normalise(raw, 49140).model for raw in ("NVIDIA RTX A6000", "NVIDIA RTX 6000 Ada Generation", "Quadro RTX 6000")}
    assert list(models.values()) == ["RTX A6000", "RTX 6000 Ada", "RTX 6000"]


@given(
    st.integers(1, 7),
    st.integers(1, 200),
    st.sampled_from(["H100", "NVIDIA A100-SXM4-80GB", "B200"]),
    st.sampled_from(["", "MIG ", "mig-"]),
)
def test_slices_keep_their_size(part, size, card, word):
    found = normalise("%s %s%dg.%dgb" % (card, word, part, size))
    assert (found.model, found.variant, found.vram_mb) == (normalise(card).model, "MIG %dg.%dgb" % (part, size), size * 1024)
    assert usual_vram_mb(found) == size * 1024  # never that of the whole card


@given(st.integers(0, 400_000), st.integers(0, 400_000))
def test_the_size_that_is_sold_is_near_and_in_order(one, other):
    low, high = sorted((one, other))
    for size in (low, high):
        sold = sold_gb(size)
        assert sold is None or (sold in _gpu_names.SIZES_GB and same_size(sold * 1024, size))
        if size and sold is None:
            assert not any(same_size(each * 1024, size) for each in _gpu_names.SIZES_GB)
    if sold_gb(low) and sold_gb(high):
        assert sold_gb(low) <= sold_gb(high)


@pytest.mark.parametrize(
    ("reported", "sold"),
    [
        (24564, 24),  # RTX 4090, nvidia-smi
        (22888, 24),  # A10G and L4, AWS
        (45776, 48),  # L40S, AWS
        (46068, 48),  # L40S and A40, nvidia-smi
        (81559, 80),  # H100, nvidia-smi
        (95830, 94),  # H100 NVL, nvidia-smi
        (144384, 141),  # H200, AWS
        (143771, 141),  # H200, nvidia-smi
        (183359, 180),  # B200, AWS
        (275040, 270),  # B300, AWS
        (11444, 11),  # half an L4, AWS: nobody sells it by its memory
        (None, None),
        (0, None),
        (110_000, None),
    ],
)
def test_sizes_that_are_reported(reported, sold):
    assert sold_gb(reported) == sold


@pytest.mark.parametrize("key", sorted(_gpu_names.USUAL_GB, key=str))
def test_the_table_of_usual_sizes_is_in_its_own_words(key):
    """Its names are those that `normalise` gives, its sizes are sold, and it says no more than one size of a board."""
    model, variant = key
    found = normalise(" ".join(filter(None, key)))
    assert (found.model, found.variant) == (model, variant)
    assert usual_vram_mb(found) == _gpu_names.USUAL_GB[key] * 1024
    assert _gpu_names.USUAL_GB[key] in _gpu_names.SIZES_GB
    assert variant is None or (model, None) not in _gpu_names.USUAL_GB


# (name, MiB) as services report them: `moto`'s copy of AWS's instance types, and RunPod's published table of GPU types.
REPORTED = [
    *[("A10G", 22888), ("L4", 22888), ("L40S", 45776), ("T4", 16384), ("T4g", 16384), ("B200", 183359), ("B300", 275040), ("H200", 144384)],
    *[("RTX PRO Server 6000", 98304), ("RTX PRO 4500", 32768), ("NVIDIA H100 NVL", 94 * 1024), ("NVIDIA H100 PCIe", 80 * 1024)],
    *[("NVIDIA H100 80GB HBM3", 80 * 1024), ("NVIDIA B300 SXM6 AC", 288 * 1024), ("AMD Instinct MI300X OAM", 192 * 1024)],
    *[("NVIDIA H200 NVL", 143 * 1024), ("NVIDIA RTX A4500", 20 * 1024), ("NVIDIA RTX 4000 SFF Ada Generation", 20 * 1024)],
    *[("NVIDIA RTX 5000 Ada Generation", 32 * 1024), ("NVIDIA GeForce RTX 3080 Ti", 12 * 1024), ("NVIDIA GeForce RTX 5090", 32 * 1024)],
    *[("NVIDIA A30", 24 * 1024), ("NVIDIA A40", 48 * 1024), ("NVIDIA L40", 48 * 1024), ("Tesla V100-FHHL-16GB", 16 * 1024)],
]


@pytest.mark.parametrize(("name", "reported"), REPORTED)
def test_the_usual_size_is_the_one_that_services_report(name, reported):
    assert same_size(usual_vram_mb(normalise(name)), reported)


@pytest.mark.parametrize(
    "name", ["A100 PCIE", "V100", "RTX 3080", "RTX 3060", "RTX 4060 Ti", "RTX A2000", "RTX PRO 5000", "H20", "H100", "no such card"]
)
def test_what_comes_in_several_sizes_has_no_usual_one(name):
    assert usual_vram_mb(normalise(name)) is None


def test_every_gpu_that_moto_knows_of_aws_is_known():
    path = pathlib.Path(pytest.importorskip("moto").__file__).parent / "ec2" / "resources" / "instance_types.json.gz"
    with gzip.open(path) as handle:
        types = json.load(handle)
    seen = {
        gpu["Name"]: gpu.get("MemoryInfo", {}).get("SizeInMiB")
        for kind in types.values()
        for gpu in kind.get("GpuInfo", {}).get("Gpus", [])
    }
    assert len(seen) > 8
    assert [name for name in seen if not _gpu_names.KNOWN.match(normalise(name).model)] == []


@given(st.sampled_from(sorted(SPELLINGS)), st.sampled_from(["NVIDIA ", "nvidia-", "NVIDIA GeForce ", "8x ", "gpu_4x_"]))
def test_prefixes_do_not_matter(model, prefix):
    assert normalise(prefix + model).model == model


def test_every_gpu_of_a_rehearsal_is_known():
    for name in GPUS:
        assert normalise(name).model in SPELLINGS or normalise(name).model.startswith("RTX "), name


def test_the_models_that_are_known_are_written_as_we_write_them():
    assert [model for model in MODELS if normalise(model).model != model] == []
    assert {"RTX 4090", "A100", "H100", "L40S", "V100", "RTX 4070 Ti SUPER"} <= set(MODELS)


@pytest.mark.parametrize(
    ("asked", "got", "meant"),
    [
        ("RTX 4090", ("RTX 4090", None, 24564), True),
        ("RTX 4090", ("RTX 4090 D", None, 24564), False),
        ("foo", ("Foo", None, None), True),
        ("", ("RTX 4090", None, 24564), False),
        ("RTX 4090", (None, None, None), False),
        ("H100", ("H100", "PCIe", 81559), True),
        ("H100 SXM", ("H100", "SXM", 81559), True),
        ("H100 SXM", ("H100", "PCIe", 81559), False),
        ("A100 80GB", ("A100", "SXM", 81920), True),
        ("A100 80GB", ("A100", "SXM", 40960), False),
    ],
)
@pytest.mark.parametrize("silent", [{}, {"any_board": True, "any_size": True}])
def test_whether_a_gpu_is_the_one_asked_for(asked, got, meant, silent):
    assert _gpu_names.is_meant(_gpu_names.normalise(asked), _gpu_names.GpuName(*got), **silent) is meant


def test_what_an_api_does_not_say_passes_only_where_it_never_says_it():
    board, size = _gpu_names.normalise("H100 SXM"), _gpu_names.normalise("A100 80GB")
    no_board, no_size = _gpu_names.GpuName("H100", None, 81559), _gpu_names.GpuName("A100", "SXM", None)
    assert not _gpu_names.is_meant(board, no_board, any_size=True) and _gpu_names.is_meant(board, no_board, any_board=True)
    assert not _gpu_names.is_meant(size, no_size, any_board=True) and _gpu_names.is_meant(size, no_size, any_size=True)
