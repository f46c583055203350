# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a user asks of offers: the arguments of `offer_info` and `offer_table`, what they may be, and the `Wish` that they make."""

from __future__ import annotations

import math

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Wish

DISK_GB = 20.0  # for the system and the environment, when no size is given

WISH = {
    "gpu": {"type": "list", "elements": "str"},
    "vram_gb": {"type": "float"},
    "count": {"type": "int", "default": 1},
    "max_price": {"type": "float"},
    "min_reliability": {"type": "float"},
    "region": {"type": "list", "elements": "str"},
    "interruptible": {"type": "str", "choices": ["never", "either", "only"], "default": "never"},
    "hours": {"type": "float", "default": 1},
    "data_gb": {"type": "float", "default": 0},
    "results_gb": {"type": "float", "default": 0},
    "disk_gb": {"type": "float"},
    "image_gb": {"type": "float", "default": 6},
    "query": {"type": "str"},
    "limit": {"type": "int", "default": 0},
}
# option -> what it has to be, in words and as a test
LIMITS = {
    "vram_gb": ("above 0", lambda value: value > 0),
    "count": ("1 or more", lambda value: value >= 1),
    "max_price": ("above 0", lambda value: value > 0),
    "min_reliability": ("between 0 and 1 (0.95 means 95 %)", lambda value: 0 <= value <= 1),
    "hours": ("above 0", lambda value: value > 0),
    "data_gb": ("0 or more", lambda value: value >= 0),
    "results_gb": ("0 or more", lambda value: value >= 0),
    "disk_gb": ("above 0", lambda value: value > 0),
    "image_gb": ("0 or more", lambda value: value >= 0),
    "limit": ("0 (all) or more", lambda value: value >= 0),
}


def wish_of(params):
    """What is looked for. Raises `RentedError` for what cannot be meant."""
    for name, (words, holds) in LIMITS.items():
        value = params[name]
        if value is not None and not (math.isfinite(value) and holds(value)):
            raise RentedError(f"'{name}' is {words}, not {value}.")
    for name in ("gpu", "region"):
        if any(not item.strip() for item in params[name] or []):
            raise RentedError(f"'{name}' has an empty item.")
    for place in params["region"] or []:
        if place in ("True", "False"):
            raise RentedError(f'A region is {place.lower()}: YAML reads NO as false. Write it with quotes: "NO".')
    disk = params["disk_gb"]
    return Wish(
        gpus=tuple(params["gpu"] or ()),
        gpu_vram_mb=None if params["vram_gb"] is None else int(params["vram_gb"] * 1024),
        gpu_count=params["count"],
        regions=tuple(params["region"] or ()),
        max_price_per_hour=params["max_price"],
        min_reliability=params["min_reliability"],
        interruptible={"never": False, "either": None, "only": True}[params["interruptible"]],
        hours=params["hours"],
        disk_gb=DISK_GB + params["data_gb"] + params["results_gb"] if disk is None else disk,
        data_gb=params["data_gb"],
        results_gb=params["results_gb"],
    )


def doubts(wish):
    """What is probably not meant, in sentences: asked for nevertheless."""
    models = {model.lower() for model in _gpu_names.MODELS}
    said = []
    for asked in wish.gpus:
        model = _gpu_names.normalise(asked).model
        if model.lower() not in models:
            said.append(
                f"'{asked}' is not a GPU that this collection knows; it is looked for as it is. {nearest(model, _gpu_names.MODELS)}"
            )
    if wish.disk_gb < wish.data_gb + wish.results_gb:
        said.append(
            f"The disk of {wish.disk_gb:g} GB is smaller than the data and results together ({wish.data_gb + wish.results_gb:g} GB)."
        )
    return said
