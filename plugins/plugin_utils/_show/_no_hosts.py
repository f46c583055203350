# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Why there is no host to work on, in one message.

The inventory plugin leaves its errors here. Tasks run in forks of the same process, so the first task of a playbook can repeat them:
Ansible prints an inventory's error among the warnings at the top, and what a person reads is the end of the screen.
"""

from __future__ import annotations

import difflib
import os
import re

import yaml

from ansible_collections.rented.gpu.plugins.module_utils._plain import plain
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown

_FAILED: dict = {}  # path of an inventory file: what is wrong with it

OWN = "Hosts of your own inventory are chosen with -e rented_hosts=GROUP, this machine itself with -e rented_hosts=localhost."


def remember(path: str, reason: str) -> None:
    _FAILED[path] = " ".join(plain(reason.strip().split("\n", 1)[0]).split())


def forget(path: str) -> None:
    _FAILED.pop(path, None)


def names_plugin(path: str, plugin: str) -> bool:
    """Whether a file is an inventory of this plugin, whatever its name."""
    try:
        with open(path, encoding="utf-8") as handle:
            return bool(re.search(rf"^plugin:\s*['\"]?{re.escape(plugin)}['\"]?\s*$", handle.read(1 << 16), re.MULTILINE))
    except (OSError, UnicodeDecodeError):
        return False


def _broken(path: str) -> str:
    """Why a file is not YAML. Ansible's own message stands among the warnings at the top."""
    if not path.endswith((".yml", ".yaml")) or not os.path.isfile(path):
        return ""
    try:
        with open(path, encoding="utf-8") as handle:
            text = handle.read(1 << 20)
        for _event in yaml.parse(text):
            pass
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        tab = "\t" in (text.split("\n") + [""])[line]
        said = "it has a tab, and YAML is indented with spaces" if tab else " ".join(str(error.problem).split())
        return "line %d is not YAML: %s." % (line + 1, shown(said))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return "it cannot be read as YAML."
    return ""


def no_instance(sources) -> str:
    """The inventory has no host in the group rented."""
    sources = [source for source in sources or [] if "," not in source]
    lines = []
    for path, reason in _FAILED.items():
        lines.append(f"{shown(os.path.basename(path))}: {reason}")
    for source in sources:
        broken = "" if source in _FAILED else _broken(source)
        if broken:
            lines.append(f"{shown(os.path.basename(source))}: {broken}")
    lines += [
        f"The inventory {shown(source)} does not exist."
        for source in sources
        if not os.path.exists(source) and source != "/etc/ansible/hosts"
    ]
    if lines:
        return "There is no instance, because an inventory could not be read. " + " ".join(lines)
    given = [source for source in sources if os.path.exists(source)]
    if not given:
        return (
            "There is no instance: no inventory was given. Give the inventory file with -i, for example -i rented.yml; its first line is "
            "'plugin: rented.gpu.instances'. " + OWN
        )
    return (
        "There is no instance: %s was read, and lists no host in the group 'rented'. If it is your file rented.yml, no instance is running "
        "(ansible-inventory -i rented.yml --graph shows the list); else give that file with -i rented.yml. %s"
        % (", ".join(shown(os.path.basename(source.rstrip("/"))) for source in given), OWN)
    )


def no_match(pattern: str, groups: dict) -> str:
    """`rented_hosts` matches nothing."""
    names = {name for name in groups if name not in ("all", "ungrouped")}
    names.update(host for hosts in groups.values() for host in hosts)
    if not names:
        return f"-e rented_hosts={shown(pattern)} matches no host, because the inventory is empty."
    near = difflib.get_close_matches(str(pattern), sorted(names), n=3, cutoff=0.6)
    if near:
        hint = "Did you mean %s?" % " or ".join(f"'{name}'" for name in near)
    else:
        chosen = sorted(names, key=lambda name: (not name.startswith("label_"), name))
        hint = f"There are: {', '.join(chosen[:12])}{', …' if chosen[12:] else ''}."
    return f"-e rented_hosts={shown(pattern)} matches no host of the inventory. {hint}"
