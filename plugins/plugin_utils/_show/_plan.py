# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a run is about to do, before the first login: which hosts, at what price, and which are left out. Pure: nothing is asked."""

from __future__ import annotations

import textwrap

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.module_utils._renting._values import number
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _left_out

NAMED = 8  # hosts that are described one by one; more are counted by their GPUs
LISTED = 5  # names out of a longer list


def lines(variables, width: int, made_before, looks_only: bool = False) -> list:
    """The lines, no wider than ``width``. ``made_before`` says of a host's name whether this computer made it ready before."""
    hosts = list(variables.get("ansible_play_hosts_all") or [])
    known = variables.get("hostvars") or {}
    hostvars = {host: known.get(host, {}) for host in hosts}  # it has no entry for a localhost that no inventory lists
    rented = [host for host in hosts if hostvars[host].get("rented_provider")]
    said = []
    if rented:
        said.append(_begin(rented, hosts, hostvars, looks_only))
        said.append(_details(rented, hostvars, made_before) + ".")
    others = sorted(set((variables.get("groups") or {}).get("rented") or []) - set(hosts))
    if others and rented:
        said.append(f"Left out by --limit or rented_hosts: {_names(others)}.")
    said += ["Left out: " + sentence for sentence in _left_out.sentences(variables)]
    if len(rented) > 1 and not others and not variables.get("rented_hosts"):
        said.append(f"To choose: --limit {rented[0]}, or -e rented_hosts=label_NAME.")
    return [line for sentence in said for line in _wrapped(sentence, width)]


def _begin(rented, hosts, hostvars, looks_only) -> str:
    prices = [number(hostvars[host].get("rented_price_per_hour")) for host in rented]
    known = [price for price in prices if price is not None]
    text = f"{'Looking at' if looks_only else 'Preparing'} {len(hosts)} host{'' if len(hosts) == 1 else 's'}"
    if known:
        text += f", ${sum(known):.2f} per hour"
        text += " together" if len(known) > 1 else ""
        text += " (the price of %d is not known)" % (len(rented) - len(known)) if len(known) < len(rented) else ""
    return text + ":"


def _details(rented, hostvars, made_before) -> str:
    adopted = [host for host in rented if hostvars[host].get("rented_provider") == "adopted"]
    new = [host for host in rented if not made_before(host)]
    none_known = len(new) == len(rented) > 1
    if len(rented) <= NAMED:
        parts = [_one(host, hostvars[host], host in adopted, host in new and not none_known) for host in rented]
        return "; ".join(parts) + (". All for the first time from this computer" if none_known else "")
    counts: dict = {}
    for host in rented:
        name = _gpu(hostvars[host]) or "GPU not known"
        counts[name] = counts.get(name, 0) + 1
    parts = [", ".join(f"{count} with {name}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1])[:LISTED])]
    parts.append(_names(rented))
    if adopted:
        parts.append("adopted: " + _names(adopted))
    if new and len(new) < len(rented):
        parts.append("never made ready from this computer: " + _names(new))
    return "; ".join(parts)


def _one(host, variables, adopted, new) -> str:
    about = []
    label = variables.get("rented_label")
    if label and label != host:
        about.append(str(label))
    about += [text for text in (_gpu(variables), _price(variables)) if text]
    about += ["adopted"] if adopted else []
    about += ["first time from this computer"] if new else []
    return f"{host} ({', '.join(about)})" if about else host


def _gpu(variables) -> str:
    name = variables.get("rented_gpu_model") or variables.get("rented_gpu_name_raw")
    count = number(variables.get("rented_gpu_count")) or 1
    return "" if not name else f"{count:.0f} x {name}" if count > 1 else str(name)


def _price(variables) -> str:
    price = number(variables.get("rented_price_per_hour"))
    return "" if price is None else f"${price:.2f}"


def _names(hosts: list) -> str:
    return ", ".join(hosts[:LISTED]) + (" and %d more" % (len(hosts) - LISTED) if len(hosts) > LISTED else "")


def _wrapped(sentence: str, width: int) -> list:
    text = " ".join(_plain.plain(sentence).split())
    return textwrap.wrap(text, max(width, 40), subsequent_indent="  ", break_on_hyphens=False) or [""]
