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

# Sizes that GPUs are sold with, in GiB.
SIZES_GB = (2, 3, 4, 5, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 44, 48, 64, 72, 80, 94, 96, 128, 141, 144, 180, 192, 256, 288)
TOLERANCE = 0.07  # drivers report a little less than what is sold: 24564 MiB, 22888 MiB for "24 GB", 183359 MiB for "180 GB"

# Words that say how a board is connected or built, as they are written -> as we write them.
VARIANTS = {
    "SXM": "SXM",
    "SXM2": "SXM",
    "SXM3": "SXM",
    "SXM4": "SXM",
    "SXM5": "SXM",
    "SXM6": "SXM",
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
    "SIMULATED",
    "HBM2",
    "HBM2E",
    "HBM3E",
    "AC",  # "B300 SXM6 AC": cooled by air
}
WRITTEN = {"TI": "Ti", "ADA": "Ada", "LAPTOP": "Laptop"}

# GiB per GPU of models that come in one size, or in one size per variant: for APIs that name the GPU and not its memory.
# From the makers' data sheets. A model that is sold in several sizes and is not told apart by its variant is not here.
USUAL_GB = {
    ("A2", None): 16,
    ("A10", None): 24,
    ("A10G", None): 24,
    ("A16", None): 16,
    ("A30", None): 24,
    ("A40", None): 48,
    ("B200", None): 180,
    ("B300", None): 288,
    ("GH200", None): 96,
    ("H100", "SXM"): 80,
    ("H100", "PCIe"): 80,
    ("H100", "NVL"): 94,
    ("H200", None): 141,
    ("L4", None): 24,
    ("L40", None): 48,
    ("L40S", None): 48,
    ("M60", None): 8,
    ("M4000", None): 8,
    ("MI300X", None): 192,
    ("P4", None): 8,
    ("P100", None): 16,
    ("P4000", None): 8,
    ("P5000", None): 16,
    ("P6000", None): 24,
    ("RTX 3070", None): 8,
    ("RTX 3080 Ti", None): 12,
    ("RTX 3090", None): 24,
    ("RTX 3090 Ti", None): 24,
    ("RTX 4070 Ti", None): 12,
    ("RTX 4080", None): 16,
    ("RTX 4080 SUPER", None): 16,
    ("RTX 4090", None): 24,
    ("RTX 5080", None): 16,
    ("RTX 5090", None): 32,
    ("RTX 2000 Ada", None): 16,
    ("RTX 4000 Ada", None): 20,
    ("RTX 4000 SFF Ada", None): 20,
    ("RTX 5000 Ada", None): 32,
    ("RTX 6000 Ada", None): 48,
    ("RTX 4000", None): 8,
    ("RTX 5000", None): 16,
    ("RTX 6000", None): 24,
    ("RTX 8000", None): 48,
    ("RTX A2000", None): 6,
    ("RTX A4000", None): 16,
    ("RTX A4500", None): 20,
    ("RTX A5000", None): 24,
    ("RTX A6000", None): 48,
    ("RTX PRO 4500", None): 32,
    ("RTX PRO 6000", None): 96,
    ("T4", None): 16,
    ("T4G", None): 16,
}

KNOWN = re.compile(
    r"^(?:(?:RTX|GTX) \d{3,4}(?: (?:Ti|SUPER|Ada|SFF|Laptop|D|Max-Q))*|RTX A\d{3,4}|RTX PRO \d{4}|TITAN (?:X|XP|V|RTX)"
    r"|(?:A|B|H|K|L|M|P|T|V|GB|GH|CMP )\d{1,4}[A-Z]?|MI\d{2,3}[A-Z]?)$"
)


class GpuName(NamedTuple):
    """``model`` is the family ("H100", "RTX 4090"), ``variant`` the board ("SXM", "PCIe", "NVL", "MIG 1g.24gb"), ``vram_mb`` per GPU."""

    model: str | None
    variant: str | None
    vram_mb: int | None


def same_size(one_mb, other_mb) -> bool:
    """Whether two sizes are of one model: within 7 % of the larger."""
    return abs(one_mb - other_mb) <= TOLERANCE * max(one_mb, other_mb)


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
    gigabytes = USUAL_GB.get((name.model, name.variant)) or USUAL_GB.get((name.model, None))
    return gigabytes * 1024 if gigabytes else None


def normalise(raw: str | None, vram_mb=None) -> GpuName:
    """The name of a GPU in one spelling. ``vram_mb`` is what the provider reports; without it, the size in the name counts."""
    text = " ".join((raw or "").split())
    if not text:
        return GpuName(None, None, _whole(vram_mb))
    plain = re.sub(r"(?i)^(?:gpu[ _-])?\d{1,3}x[ _-]+", "", text)  # "gpu_8x_a100", "8x A100 (40 GB SXM4)"
    variant, size = None, None
    slice_of = re.search(r"(?i)\b(?:MIG[ -]+)?(\d+g\.(\d+)gb)\b", plain)
    if slice_of:
        variant, size = "MIG " + slice_of.group(1).lower(), int(slice_of.group(2))
        plain = plain.replace(slice_of.group(0), " ")
    words = re.sub(r"(?i)max-q", "MAXQ", plain)
    words = re.sub(r"[()_\-,/]", " ", words).upper()
    words = re.sub(r"\b([A-Z]+\d+[A-Z]?|\d+GB?)X\d{1,2}$", r"\1", words)  # Paperspace: "H100x8", "A100-80Gx8"
    words = re.sub(r"\b(\d+) ?(?:GB|GIB|G)\b", r"\1GB", words)
    words = re.sub(r"\b(RTX|GTX) ?(A?\d{3,4})", r"\1 \2", words)  # "RTX6000"
    words = re.sub(r"\b(\d{3,4}) ?(TI|ADA|SUPER|D)\b", r"\1 \2", words)  # "6000ADA", "3080TI"
    words = re.sub(r"\b(\d{3,4})S\b", r"\1 SUPER", words) if "RTX" in words or "GTX" in words else words  # Vast: "RTX 4080S"
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
    if re.match(r"^A[2-6]\d00$", model):  # Lambda and Paperspace leave "RTX" off; "A100" and "A10" are other cards
        model = "RTX " + model
    pro = re.match(r"^RTX PRO (\d{4})(?: BLACKWELL)?(?: (S|WS|Max-Q))?$", model)
    if pro:
        model = "RTX PRO " + pro.group(1)
        short = {"S": "Server", "WS": "Workstation", "Max-Q": "Max-Q"}.get(pro.group(2))
        # "Max-Q Workstation Edition" is a card of its own, with half the power.
        variant = short if short == "Max-Q" else variant or short
    if model == "H100 MEGA":  # GCP's a3-mega, an SXM board
        model, variant = "H100", variant or "SXM"
    return model, variant


def _whole(number) -> int | None:
    return int(number) if number else None
