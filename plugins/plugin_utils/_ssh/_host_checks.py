# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What is checked around everything that goes to a host: where it goes, whose key answered, and what comes back to the terminal."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex

from ansible_collections.rented.gpu.plugins.module_utils import _plain, _state
from ansible_collections.rented.gpu.plugins.module_utils._host import _known_hosts

NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\+-]{0,254}\$?")
UNSAFE = re.compile(r"[\x00-\x20\x7f]")
MOST_WARNINGS = 20
LONGEST_WARNING = 1000
LONGEST_MESSAGE = 20_000
PRINTED = ("exception", "module_stderr", "module_stdout", "stderr", "stdout")


def address_problem(variables: dict) -> str | None:
    """Why the address of a host, as its variables say it, must not be given to ssh; None when it may.

    An address that begins with ``-`` would be read as an option, and ssh's options run commands on this machine.
    """
    host = variables.get("inventory_hostname")
    address = variables.get("ansible_host")
    if address in (None, "", host) and variables.get("rented_provider") and not address:
        states = [str(variables[name]) for name in ("rented_state", "rented_state_raw") if variables.get(name)]
        return (
            "%s has no address yet%s, and nothing was sent. An instance gets one when it runs: run the same command again in a minute, or "
            "look at the provider why it does not start." % (host, f" ({', '.join(dict.fromkeys(states))})" if states else "")
        )
    shown = _plain.plain(str(host if address is None else address))[:80]
    address = str(host if address is None else address)
    strict = bool(variables.get("rented_provider"))
    if address.startswith("-") or UNSAFE.search(address) or (strict and not _is_address(address)):
        return f"The address of {host} is '{shown}', which is not an IP address or a host name. Nothing was sent; check ansible_host."
    port = variables.get("ansible_port")
    if port not in (None, "") and not (re.fullmatch(r"\d{1,5}", str(port)) and 1 <= int(str(port)) <= 65535):
        return (
            f"The port of {host} is '{_plain.plain(str(port))[:80]}', which is not a number from 1 to 65535. Nothing "
            "was sent; check ansible_port."
        )
    user = variables.get("ansible_user")
    if user not in (None, "") and (str(user).startswith("-") or UNSAFE.search(str(user)) or (strict and not USER.fullmatch(str(user)))):
        return (
            f"The user of {host} is '{_plain.plain(str(user))[:80]}', which is not the name of a user. Nothing was "
            "sent; check ansible_user."
        )
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.split("%", 1)[0])
        return True
    except ValueError:
        return bool(NAME.fullmatch(text)) and len(text) <= 253


def unpinned(common_args: str) -> str | None:
    """The sentence for a host whose key our own known_hosts file should hold by now and does not; None where it does or need not.

    With ``accept-new`` ssh goes on when it cannot write the file, and the next login would accept any other key.
    """
    try:
        words = shlex.split(common_args or "")
    except ValueError:
        return None
    options = dict(word.split("=", 1) for word in words if "=" in word)
    alias, path = options.get("HostKeyAlias"), options.get("UserKnownHostsFile", "").strip('"').replace("%%", "%")
    if not alias or path != os.path.join(_state.home_path(), "known_hosts"):
        return None
    reason = "the file has no line for it: ssh could not write there"
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            if any(_known_hosts.is_of(line, alias) for line in handle):
                return None
    except OSError as error:
        reason = str(error.strerror)
    return (
        f"The host key of {alias} was not kept in {path} ({reason}), so the next login would accept any key. Nothing "
        "more was sent. Check that the disk is not full and that you may write that file and its directory, or set "
        f"{_state.ENV} to a directory that you own."
    )


def harmless(result: dict) -> None:
    """Make what people will see of a result harmless, and bound it: a host's text must not command a terminal or fill it."""
    if "msg" in result:
        result["msg"] = _cut(result["msg"], LONGEST_MESSAGE)
    for name in ("warnings", "deprecations"):
        found = result.get(name)
        if not found:
            continue
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        kept = [_warning(entry) for entry in found[:MOST_WARNINGS]]
        if len(found) > MOST_WARNINGS:
            more = "%d more were left out." % (len(found) - MOST_WARNINGS)
            kept.append(more if name == "warnings" else {"msg": more})
        result[name] = kept
    for name in PRINTED:
        if isinstance(result.get(name), str):
            result[name] = _plain.plain(result[name])
    if "diff" in result:
        result["diff"] = _diff(result["diff"])


def _cut(text, longest: int) -> str:
    text = _plain.plain(text)
    return text if len(text) <= longest else text[:longest] + " (cut)"


def _warning(entry):
    """A warning as text; a deprecation as the dict that Ansible takes."""
    if isinstance(entry, dict):
        return {
            str(key): _cut(value, LONGEST_WARNING) if isinstance(value, str) else value for key, value in entry.items() if key != "event"
        }
    if not isinstance(entry, str):
        event = getattr(entry, "event", None)
        entry = getattr(event, "msg", None) or entry
    return _cut(entry, LONGEST_WARNING)


def _diff(value):
    if isinstance(value, list):
        return [_diff(part) for part in value]
    if isinstance(value, dict):
        return {key: _plain.plain(part) if isinstance(part, str) else part for key, part in value.items()}
    return _plain.plain(value) if isinstance(value, str) else value
