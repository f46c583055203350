# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which variables a user gave, and where; and the words after -e that give none."""

from __future__ import annotations

import os
import re

from ansible import context
from ansible.utils.vars import load_extra_vars

from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils import _collection
from ansible_collections.rented.gpu.plugins.plugin_utils._settings._misspelt import Given

try:
    from ansible._internal._datatag._tags import Origin
except ImportError:  # not a public part of Ansible: without it, variables that were given by -e are known, the others are not

    class Origin:  # type: ignore[no-redef]
        @staticmethod
        def get_tag(value):
            return None


FREE = "_raw_params"  # the variable in which Ansible leaves the words of -e that are not name=value
MAGIC = frozenset(("hostvars", "vars", "groups", "environment", "omit", FREE))
FILE = re.compile(r"\.(ya?ml|json)$", re.IGNORECASE)


def given(variables: dict, loader) -> list:
    """What a user gave among the variables of a task: by -e, in vars files, group_vars, host_vars, an inventory or a play of their own.

    Facts, magic variables, what an inventory plugin says of a host, and role defaults carry no trace of a user's file.
    """
    extra = load_extra_vars(loader)
    found = []
    for name in variables:
        if not isinstance(name, str) or name in MAGIC:
            continue
        tag = Origin.get_tag(name) or Origin.get_tag(variables[name])
        path = getattr(tag, "path", None)
        if name not in extra and (not path or _is_ours(str(path))):
            continue
        line = getattr(tag, "line_num", None)
        where = f"{_short(str(path))}, line {line}" if path and line else _short(str(path)) if path else ""
        found.append(Given(str(name), variables[name], name in extra, where))
    return found


def _is_ours(path: str) -> bool:
    """Whether a file belongs to the collection: its playbooks and roles give no settings of a user."""
    path = os.path.realpath(path)
    return any(path.startswith(os.path.realpath(os.path.join(_collection.ROOT, part)) + os.sep) for part in ("playbooks", "roles"))


def _short(path: str) -> str:
    short = os.path.relpath(path)
    return short if len(short) < len(path) and not short.startswith("..") else path


def free_words(loader) -> list:
    """One sentence for each part of -e that sets nothing; most often the @ before a file, or a pair of quotes, is missing."""
    extra = load_extra_vars(loader)
    sentences = []
    for option in context.CLIARGS.get("extra_vars") or ():
        option = str(option).strip()
        if not option or option.startswith(("@", "{", "[")):
            continue
        words = _free_of(option)
        if not words:
            continue
        first = words.split()[0]
        if "=" not in option and (FILE.search(option) or os.path.exists(os.path.expanduser(option))):
            sentences.append(f"-e {shown(option)} sets nothing: did you mean -e @{shown(option)}?")
        elif FILE.search(first) and os.path.exists(os.path.expanduser(first)):
            sentences.append(f"In -e, '{shown(first)}' sets nothing: did you mean -e @{shown(first)}?")
        elif "=" in option:
            name = option.partition("=")[0].split()[-1] if option.partition("=")[0].split() else ""
            sentences.append(
                f"In -e, '{shown(words)}' sets nothing, and the value before it ends at the space. A value with "
                f"spaces takes quotes inside quotes: -e '{shown(name)}=\"...\"'."
            )
        else:
            sentences.append(f"-e '{shown(option)}' sets nothing. Write -e NAME=VALUE, or -e @FILE for a file of settings.")
    if not sentences and extra.get(FREE):
        sentences.append(f"'{shown(str(extra[FREE]))}' after -e sets nothing. Write -e NAME=VALUE, or -e @FILE for a file of settings.")
    return sentences


def _free_of(option: str) -> str:
    """The words of one -e that are not name=value, as Ansible itself finds them."""
    from ansible.parsing.splitter import parse_kv

    try:
        return str(parse_kv(option, check_raw=False).get(FREE) or "").strip()
    except Exception:  # Ansible has refused such a line already
        return ""
