# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""One GPU has a dozen spellings: ``Tesla V100-SXM2-32GB``, ``V100-32G``, ``gpu_8x_v100``, ``nvidia-tesla-v100``. This makes them one.

The spellings are those of Vast.ai, RunPod, Lambda, Paperspace, GCP, AWS and nvidia-smi. What is not recognised stays as it came.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Sizes that GPUs are sold with, in GiB. No 44: what reports 45776 MiB (L40S) is sold with 48. 270 is a B300, which tells its 275040 MiB so.
SIZES_GB = (2, 3, 4, 5, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 72, 80, 94, 96, 128, 141, 144, 180, 186, 192, 256, 270, 288)
TOLERANCE = 0.07  # drivers report a little less than what is sold: 24564 MiB, 22888 MiB for "24 GB", 183359 MiB for "180 GB"

# Words that say how a board is connected or built, as they are written -> as we write them.
VARIANTS = {
    "SXM": "SXM",
    "SXM2": "SXM",
    "SXM3": "SXM",
    "SXM4": "SXM",
    "SXM5": "SXM",
    "SXM6": "SXM",
    "SXM5GDR": "SXM",  # Lambda: the board, and that its network reads the GPU's memory
    "HBM3": "SXM",  # nvidia-smi and RunPod call the SXM board "H100 80GB HBM3"
    "PCI": "PCIe",
    "PCIE": "PCIe",
    "NVL": "NVL",
    "OAM": "OAM",
    "FHHL": "FHHL",
    "SERVER": "Server",
    "WORKSTATION": "Workstation",
}
NOISE = {
    "NVIDIA",
    "AMD",
    "INSTINCT",
    "RADEON",
    "GEFORCE",
    "TESLA",
    "QUADRO",
    "GENERATION",
    "EDITION",
    "GPU",
    "GRAPHICS",
    "PASCAL",
    "SIMULATED",
    "HBM2",
    "HBM2E",
    "HBM3E",
    "AC",  # "B300 SXM6 AC": cooled by air
    "VWS",  # GCP's word for a GPU that is rented with a licence for workstations
}
WRITTEN = {"TI": "Ti", "ADA": "Ada", "LAPTOP": "Laptop"}

# GiB per GPU of models that come in one size, or in one size per variant: for APIs that name the GPU and not its memory.
# From the makers' data sheets. A model that is sold in several sizes and is not told apart by its variant is not here.
USUAL_GB = {
    # for data centres
    ("A2", None): 16,
    ("A10", None): 24,
    ("A10G", None): 24,
    ("A16", None): 16,
    ("A30", None): 24,
    ("A40", None): 48,
    ("A100X", None): 80,
    ("B200", None): 180,
    ("B300", None): 288,
    ("GB200", None): 186,
    ("GH200", None): 96,
    ("H100", "SXM"): 80,
    ("H100", "PCIe"): 80,
    ("H100", "NVL"): 94,
    ("H200", None): 141,
    ("H800", None): 80,
    ("K80", None): 12,
    ("L4", None): 24,
    ("L20", None): 48,
    ("L40", None): 48,
    ("L40S", None): 48,
    ("M60", None): 8,
    ("P4", None): 8,
    ("P40", None): 24,
    ("P100", None): 16,
    ("T4", None): 16,
    ("T4G", None): 16,
    ("V100", "FHHL"): 16,
    ("V100S", None): 32,
    ("MI100", None): 32,
    ("MI210", None): 64,
    ("MI250", None): 128,
    ("MI250X", None): 128,
    ("MI300X", None): 192,
    ("MI325X", None): 256,
    ("MI350X", None): 288,
    ("MI355X", None): 288,
    # for workstations
    ("M4000", None): 8,
    ("P4000", None): 8,
    ("P5000", None): 16,
    ("P6000", None): 24,
    ("RTX 4000", None): 8,
    ("RTX 5000", None): 16,
    ("RTX 6000", None): 24,
    ("RTX 8000", None): 48,
    ("RTX A4000", None): 16,
    ("RTX A4500", None): 20,
    ("RTX A5000", None): 24,
    ("RTX A5500", None): 24,
    ("RTX A6000", None): 48,
    ("RTX 2000 Ada", None): 16,
    ("RTX 4000 Ada", None): 20,
    ("RTX 4000 SFF Ada", None): 20,
    ("RTX 4500 Ada", None): 24,
    ("RTX 5000 Ada", None): 32,
    ("RTX 5880 Ada", None): 48,
    ("RTX 6000 Ada", None): 48,
    ("RTX PRO 2000", None): 16,
    ("RTX PRO 4000", None): 24,
    ("RTX PRO 4500", None): 32,
    ("RTX PRO 6000", None): 96,
    ("TITAN RTX", None): 24,
    ("TITAN V", None): 12,
    ("TITAN X", None): 12,
    ("TITAN XP", None): 12,
    # for games; sizes as they leave the factory, a marketplace has others too and says so
    ("GTX 1070", None): 8,
    ("GTX 1070 Ti", None): 8,
    ("GTX 1080", None): 8,
    ("GTX 1080 Ti", None): 11,
    ("GTX 1660", None): 6,
    ("GTX 1660 SUPER", None): 6,
    ("GTX 1660 Ti", None): 6,
    ("RTX 2060 SUPER", None): 8,
    ("RTX 2070", None): 8,
    ("RTX 2070 SUPER", None): 8,
    ("RTX 2080", None): 8,
    ("RTX 2080 SUPER", None): 8,
    ("RTX 2080 Ti", None): 11,
    ("RTX 3060 Ti", None): 8,
    ("RTX 3070", None): 8,
    ("RTX 3070 Ti", None): 8,
    ("RTX 3080 Ti", None): 12,
    ("RTX 3090", None): 24,
    ("RTX 3090 Ti", None): 24,
    ("RTX 4060", None): 8,
    ("RTX 4070", None): 12,
    ("RTX 4070 SUPER", None): 12,
    ("RTX 4070 Ti", None): 12,
    ("RTX 4070 Ti SUPER", None): 16,
    ("RTX 4080", None): 16,
    ("RTX 4080 SUPER", None): 16,
    ("RTX 4090", None): 24,
    ("RTX 4090 D", None): 24,
    ("RTX 5050", None): 8,
    ("RTX 5060", None): 8,
    ("RTX 5070", None): 12,
    ("RTX 5070 Ti", None): 16,
    ("RTX 5080", None): 16,
    ("RTX 5090", None): 32,
    ("RTX 5090 D", None): 32,
}

# Models that come in several sizes: known, but without a usual one.
SEVERAL_SIZES = (
    "A100",
    "RTX 3060",
    "RTX 3080",
    "RTX 4060 Ti",
    "RTX 5060 Ti",
    "RTX A2000",
    "RTX PRO 5000",
)
MODELS = tuple(sorted({model for model, _variant in USUAL_GB} | set(SEVERAL_SIZES)))

KNOWN = re.compile(
    r"^(?:(?:RTX|GTX) \d{3,4}(?: (?:Ti|SUPER|Ada|SFF|Laptop|D|Max-Q))*|RTX A\d{3,4}|RTX PRO \d{4}|TITAN (?:X|XP|V|RTX)"
    r"|(?:A|B|H|K|L|M|P|T|V|GB|GH|CMP )\d{1,4}[A-Z]?|MI\d{2,3}[A-Z]?)$"
)


LONGEST = 600  # characters of a name that are looked at


class GpuName(NamedTuple):
    """``model`` is the family ("H100", "RTX 4090"), ``variant`` the board ("SXM", "PCIe", "NVL", "MIG 1g.24gb"), ``vram_mb`` per GPU."""

    model: str | None
    variant: str | None
    vram_mb: int | None


def same_size(one_mb, other_mb) -> bool:
    """Whether two sizes are of one model: within 7 % of the larger."""
    return abs(one_mb - other_mb) <= TOLERANCE * max(one_mb, other_mb)


def is_meant(asked: GpuName, got: GpuName, any_board: bool = False, any_size: bool = False) -> bool:
    """Whether a GPU is the one that was asked for: the model, and the board and the size as far as they are asked for.

    ``any_board`` and ``any_size`` are for APIs that may not say the board or the size: what is not said then passes.
    """
    if not asked.model or not got.model or asked.model.lower() != got.model.lower():
        return False
    if asked.variant and asked.variant != got.variant and (got.variant or not any_board):
        return False
    if not asked.vram_mb:
        return True
    return same_size(asked.vram_mb, got.vram_mb) if got.vram_mb else any_size


def sold_gb(vram_mb) -> int | None:
    """The size that a GPU is sold with, in GB: the nearest of `SIZES_GB` within 7 %; None where there is none."""
    if not vram_mb:
        return None
    near = min(SIZES_GB, key=lambda size: abs(size * 1024 - vram_mb))
    return near if same_size(near * 1024, vram_mb) else None


def usual_vram_mb(name: GpuName) -> int | None:
    """MiB per GPU by the model alone, for APIs that do not say it; None where one model comes in several sizes."""
    if name.vram_mb or (name.variant or "").startswith("MIG"):
        return name.vram_mb
    model = name.model or ""
    gigabytes = USUAL_GB.get((model, name.variant)) or USUAL_GB.get((model, None))
    return gigabytes * 1024 if gigabytes else None


def normalise(raw: str | None, vram_mb=None) -> GpuName:
    """The name of a GPU in one spelling. ``vram_mb`` is what the provider reports; without it, the size in the name counts."""
    text = " ".join((raw or "")[:LONGEST].split())
    if not text:
        return GpuName(None, None, _whole(vram_mb))
    plain = re.sub(
        r"(?i)^(?:gpu[ _-])?\d{1,3}x(?:[ _-]+|(?=[a-z]*[ _-]?[a-z]?\d))", "", text
    )  # "gpu_8x_a100", "8x A100 (40 GB SXM4)", "8xH100"
    variant, size = None, None
    slice_of = re.search(r"(?i)(?<![^\W_])(?:MIG[ _-]+)?(\d+g\.(\d+)gb(?:\+me(?:\.all)?|\+gfx|-me)?)(?![^\W_])", plain)
    if slice_of:
        variant, size = "MIG " + slice_of.group(1).lower(), int(slice_of.group(2))
        plain = plain.replace(slice_of.group(0), " ")
    words = re.sub(r"(?i)max-q", "MAXQ", plain)
    words = re.sub(r"[()_\-,/]", " ", words).upper()
    words = re.sub(r"\b([A-Z]+\d+[A-Z]?|\d+GB?)X\d{1,2}$", r"\1", words)  # Paperspace: "H100x8", "A100-80Gx8"
    words = re.sub(r"\b(\d+) ?(?:GB|GIB|G)\b", r"\1GB", words)
    words = re.sub(r"\b(RTX|GTX) ?(A?\d{3,4})", r"\1 \2", words)  # "RTX6000"
    words = re.sub(r"\b(\d{3,4}) ?(TI|ADA|SUPER|D)\b", r"\1 \2", words)  # "6000ADA", "3080TI"
    if re.search(r"[RG]TX(?! PRO)", words):
        words = re.sub(r"\b(\d{3,4}) ?S\b", r"\1 SUPER", words)  # Vast: "RTX 4080S", "GTX 1660 S"
    words = re.sub(r"\bSUPER TI\b", "TI SUPER", words)  # Vast: "RTX 4070S Ti"
    kept = []
    for word in words.split():
        gigabytes = re.match(r"^(\d+)GB$", word)
        if gigabytes:
            # "GH200 480GB" speaks of the CPU's memory; only sizes of GPUs count.
            if size is None and int(gigabytes.group(1)) in SIZES_GB:
                size = int(gigabytes.group(1))
        elif word in VARIANTS:
            variant = variant or VARIANTS[word]
        elif word not in NOISE:
            kept.append("Max-Q" if word == "MAXQ" else WRITTEN.get(word, word))
    model, variant = _family(" ".join(kept), variant)
    if not KNOWN.match(model):
        model, variant = text, None
    if vram_mb is None and size is not None:
        vram_mb = size * 1024
    return GpuName(model, variant, _whole(vram_mb))


def _family(model: str, variant: str | None) -> tuple:
    model = re.sub(r"^Q RTX ", "RTX ", model)  # Vast: "Q RTX 8000" is the Quadro
    model = re.sub(r" Ada SFF$", " SFF Ada", model)  # RunPod writes it both ways
    model = re.sub(r"^(?=[2-5]0[5-9]0(?: |$))", "RTX ", model)  # people leave it off: "4090"
    if re.match(r"^A[2-6]\d00$", model):  # Lambda and Paperspace leave "RTX" off; "A100" and "A10" are other cards
        model = "RTX " + model
    pro = re.match(r"^RTX PRO (\d{4})(?: BLACKWELL)?(?: (S|WS|Max-Q|SFF))?$", model)
    if pro:
        model = "RTX PRO " + pro.group(1)
        short = {"S": "Server", "WS": "Workstation", "Max-Q": "Max-Q", "SFF": "SFF"}.get(pro.group(2))
        # "Max-Q Workstation Edition" is a card of its own, with half the power.
        variant = short if short == "Max-Q" else variant or short
    if model == "H100 MEGA":  # GCP's a3-mega, an SXM board
        model, variant = "H100", variant or "SXM"
    return model, variant


def _whole(number) -> int | None:
    return int(number) if number else None
