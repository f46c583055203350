# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The settings of the roles, each read as its argument spec says, with one sentence for each that cannot be."""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._shown import shown, texts
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _option_values, _specs

KEY = "git_keys_private_key"  # a path, or the text of a key, which has line ends
HOST_KEYS = "known_hosts_extra"  # its own check refuses a private key
VERSIONS = ("python_env_python", "python_env_uv_version")
CONTROLS = re.compile("[\x00-\x1f\x7f\u2028\u2029]")
# Names that exist beside the options of the roles.
PLAYBOOKS = ("rented_hosts", "rented_wait", "rented_wait_timeout", "rented_strategy", "rented_extra_roles")
OTHERS = ("rented_raw", "rented_run", "rented_ssh_via", "rented_left_out", "rented_began", "wait")
OTHER_PREFIXES = ("adopt_", "offers_", "provision_", "rehearse_", "launch_", "instance_")


def options_of(roles) -> dict:
    """The options of all these roles. Of a variable that two roles read, the entry with a default counts."""
    found: dict = {}
    for role in roles:
        for name, option in _specs.options_of(role).items():
            if name not in found or "default" in option:
                found[name] = option
    return found


def arguments(spec: dict, given: dict, role: str) -> dict:
    """The arguments of a role's action. Null is the default of the role's variable. Raises `_option_values.Wrong`, naming the variable."""
    try:
        options = _specs.options_of(role) if role else {}
    except (OSError, KeyError):  # not a role of this collection
        options = {}
    found = {}
    for name, value in given.items():
        variable = f"{role}_{name}"
        option = dict(spec.get(name) or {"type": "raw"})
        if variable in options:
            option["default"] = options[variable].get("default", option.get("default"))
        try:
            found[name] = _option_values.read(dict(option, required=False), value)
        except _option_values.Wrong as wrong:
            raise _option_values.Wrong("%s %s" % (variable if variable in options else f"The argument '{name}'", wrong)) from None
    return found


def read(options: dict, variables: dict, render) -> tuple:
    """``(values, sentences)``. ``render`` renders the templates of one variable; what it raises becomes a sentence."""
    values, wrong = {}, []
    for name, option in options.items():
        if name not in variables:
            continue
        try:
            value = _option_values.plain(render(variables[name]))
        except _option_values.Wrong as error:
            wrong.append(f"{name} {error}.")
            continue
        except Exception as error:  # Ansible's, Jinja's, the vault's and those of lookups
            wrong.append(f"{name} cannot be read: {_first_line(error)}.")
            continue
        try:
            values[name] = _checked(name, option, value)
        except _option_values.Wrong as error:
            wrong.append("%s %s" % (name, str(error) if str(error).endswith(("?", ".")) else f"{error}."))
    return values, wrong


def _checked(name: str, option: dict, value):
    if name in VERSIONS and isinstance(value, float):
        text = repr(value)
        if re.fullmatch(r"\d+\.[1-4]", text):
            raise _option_values.Wrong(
                f'is the number {text} for YAML, which reads 3.10 as 3.1: write the version in quotes, for example {name}: "{text}0"'
            )
    found = _option_values.read(option, value)
    if name not in (KEY, HOST_KEYS) and any("PRIVATE KEY" in text for text in texts(found)):
        raise _option_values.Wrong(f"holds a private key, which belongs into {KEY} and nowhere else")
    if isinstance(found, str) and name != KEY and CONTROLS.search(found):
        raise _option_values.Wrong(f"has to be one line of text without control characters: {shown(found)}")
    if isinstance(found, (int, float)) and not isinstance(found, bool) and found < 0:
        raise _option_values.Wrong(f"has to be 0 or more, not {shown(found)}")
    return found


def _first_line(error: Exception) -> str:
    """What an error says in its first line, without what may be a secret. A template's text may stand in it."""
    text = " ".join(str(error).split("\n", 1)[0].split())
    return (shown(text) or type(error).__name__).rstrip(".")
