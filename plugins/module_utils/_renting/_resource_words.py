# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What `_resource` tells people about an instance: what it is, how it differs from what was asked for, what its provider cannot do."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._errors import Unsupported
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance, LaunchRequest


def unsupported(provider, ability) -> Unsupported:
    """The sentence for a capability that a provider lacks: its own, or one made from those it has."""
    if ability in provider.CANNOT:
        return Unsupported(provider.CANNOT[ability], provider.NAME)
    if ability == "stop":
        does = "stop an instance" + (", only destroy it" if provider.can("launch") else "")
    elif ability == "launch":
        does = "rent or destroy instances from here; use its web page"
    elif ability == "label":
        does = "rename an instance"
    elif ability == "list_offers":
        does = "say from here what can be rented; look at its web page"
    elif ability == "register_key":
        does = "keep SSH keys of the account from here; give 'ssh_public_key' when renting"
    elif ability == "bid":
        does = "take bids"
    elif ability == "attach_key":
        does = "add an SSH key to an instance that exists; give 'ssh_public_key' when renting"
    elif ability == "read_console":
        does = "show the output of an instance from here; look at its web page"
    else:
        raise KeyError(ability)
    return Unsupported(f"{provider.TITLE} cannot {does}.", provider.NAME)


def reachable(instance: Instance) -> bool:
    """Running, and with an address for SSH: providers set the state first, and the address some seconds later."""
    return instance.state == "running" and bool(instance.ssh_host and instance.ssh_port)


def cost_of_stopping(found: Instance, title: str) -> str | None:
    """What a stopped instance goes on costing, as far as the provider says it; None when that is nothing."""
    price = found.storage_price_per_hour
    what = f"{found.id} ('{found.label}')" if found.label else found.id
    if price == 0:
        return None
    if price is None:
        return f"While it is stopped, the disk of {what} usually goes on costing; {title} does not say how much. Destroy it to stop paying."
    return (
        f"While it is stopped, the disk of {what} goes on costing {price:.4f} USD per hour ({price * 24 * 30:.2f} USD in "
        "30 days). Destroy it to stop paying."
    )


def for_diff(instance: Instance | None) -> dict:
    """What a diff shows of an instance."""
    if instance is None:
        return {"state": "absent"}
    names = ("id", "label", "state", "image", "gpu_model", "gpu_count", "disk_gb", "region", "interruptible", "price_per_hour")
    return {name: getattr(instance, name) for name in names if getattr(instance, name) not in (None, "")}


def mismatches(found: Instance, request: LaunchRequest) -> list:
    """Where an instance that exists is not what would be rented: said, never mended, because mending means destroying."""
    wrong = []
    if request.gpu:
        asked = _gpu_names.normalise(request.gpu)
        size = asked.vram_mb and found.gpu_vram_mb and not _gpu_names.same_size(asked.vram_mb, found.gpu_vram_mb)
        if found.gpu_model and (asked.model != found.gpu_model or size):
            wrong.append(f"GPU {found.gpu_name_raw or found.gpu_model} instead of {request.gpu}")
    if request.gpu_count and found.gpu_count is not None and request.gpu_count != found.gpu_count:
        wrong.append(f"{found.gpu_count} GPUs instead of {request.gpu_count}")
    if request.image and found.image and request.image != found.image:
        wrong.append(f"image {found.image} instead of {request.image}")
    if not wrong:
        return []
    return [f"The instance '{found.label}' ({found.id}) exists with {', '.join(wrong)}; it is left as it is. Destroy it to rent another."]
