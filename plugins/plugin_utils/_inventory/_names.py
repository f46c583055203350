# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Names of hosts and groups, made from words of users and APIs in plain Python."""

from __future__ import annotations

import hashlib
import re

from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance

GROUP = "rented"  # every instance is in it
LONGEST = 120  # host names become file names

_UNSAFE_IN_HOST = re.compile(r"[^A-Za-z0-9._-]+")
_UNSAFE_IN_GROUP = re.compile(r"[^a-z0-9]+")


def host_word(text) -> str:
    """``text`` as a host name: letters, digits, ``.``, ``_`` and ``-``; it begins with a letter or digit. May be empty."""
    # A leading "-" would be an option of ssh, "!" and "&" are operators of --limit, "/" leaves a directory.
    return _UNSAFE_IN_HOST.sub("-", str(text)).strip("-._")[:LONGEST].rstrip("-._")


def group_word(text) -> str:
    """``text`` as the second half of a group name: lower case letters, digits and ``_``. May be empty."""
    return _UNSAFE_IN_GROUP.sub("_", str(text).lower()).strip("_")


def default_name(instance: Instance) -> str:
    """``<provider>-<id>``."""
    return host_word(f"{instance.provider}-{instance.id}")


def host_names(instances: list, wanted: list, taken) -> list:
    """The final name of each instance, in their order; ``wanted`` are their preferred names.

    A name that is ``taken`` (groups, reserved words), or that several instances want, becomes
    ``<name>-<provider>-<account>-<id>`` for all of them: names do not depend on the order of answers.
    """
    names = [host_word(name) or default_name(instance) for instance, name in zip(instances, wanted)]
    for lengthen in (_long, _longest):
        counts: dict = {}
        for name in names:
            counts[name] = counts.get(name, 0) + 1
        clash = [counts[name] > 1 or name in taken for name in names]
        if not any(clash):
            break
        names = [lengthen(name, instance) if bad else name for name, instance, bad in zip(names, instances, clash)]
    return names


def _long(name: str, instance: Instance) -> str:
    rest = host_word(f"{instance.provider}-{instance.account}-{instance.id}")
    return f"{name[: LONGEST - 1 - len(rest)]}-{rest}"


def _longest(name: str, instance: Instance) -> str:
    # Only where signs that had to be replaced made two long names equal, or a label is the long name of another instance.
    digest = hashlib.sha256(repr((instance.provider, instance.account, instance.id)).encode()).hexdigest()[:8]
    return f"{name[: LONGEST - 9]}-{digest}"


def group_names(instance: Instance) -> list:
    """The groups that every inventory has, for one instance."""
    names = [GROUP]
    for prefix, word in (
        ("provider", instance.provider),
        ("state", instance.state),
        ("gpu", instance.gpu_model),
        ("kind", instance.kind),
        ("trust", instance.trust),
        ("label", instance.label),
    ):
        word = group_word(word) if word else ""
        if word:
            names.append(f"{prefix}_{word}")
    if instance.interruptible:
        names.append("interruptible")
    return names
