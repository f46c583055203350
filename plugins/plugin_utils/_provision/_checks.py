# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Settings for an instance that prepares itself: what needs a controller, and what would be a secret in a script, is refused."""

from __future__ import annotations

import posixpath
import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _item_specs
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._provision import _secrets
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _git_access

PLAIN = re.compile(r"^(~/|/)[^\x00-\x1f]*$")
TEMPLATE = re.compile(r"\{\{|\{%|\{#")
WAIT = "have it brought to the instance and name its path there in provision_wait_for"


def wrong(settings: dict, no_log: set, vaulted: set, wait_for: list) -> list:
    """One sentence for each thing in the settings that such an instance cannot do or must not be told."""
    found = []
    for path in wait_for:
        if not PLAIN.match(path):
            found.append(f"provision_wait_for: '{shown(path)}' has to be a path on the instance, absolute or below ~/.")
    for name, value in sorted(settings.items()):
        found += _secret(name, value, name in no_log, vaulted)
    if found:
        return found
    for check in (_key, _agent, _repositories, _data, _known_hosts):
        try:
            found += check(settings, wait_for)
        except (Failure, RentedError) as error:
            found.append(str(error))
    return found


def waited(path: str, wait_for: list) -> bool:
    """Whether a path is one of those that are waited for, or is below one."""
    path = posixpath.normpath(path)
    return any(path == known or path.startswith(known.rstrip("/") + "/") for known in map(posixpath.normpath, wait_for))


def _secret(name: str, value, no_log: bool, vaulted: set) -> list:
    for text in _secrets.texts(value):
        kind = _secrets.looks_like(str(text))
        if not kind and (no_log or any(secret in str(text) for secret in vaulted)):
            kind = "a secret" if no_log else "a vaulted value"
        if kind:
            return [
                f"{name} holds {kind}, and the provider keeps and shows this script: {WAIT}, or run bootstrap.yml "
                "from your computer, where git_keys_mode: agent lends your keys."
            ]
        template = TEMPLATE.search(str(text))
        if template:
            return [f"{name} holds '{template.group(0)}', which the instance would read as a template."]
    return []


def _key(settings: dict, wait_for: list) -> list:
    path = settings.get("git_keys_private_key")
    if settings.get("git_keys_mode") == "private_key" and not path:
        return [f"git_keys_mode is private_key, but git_keys_private_key does not say which: {WAIT}, and there."]
    if path and not waited(str(path), wait_for):
        return [f"git_keys_private_key is {path}, and a script cannot carry a key: {WAIT}."]
    return []


def _agent(settings: dict, wait_for: list) -> list:
    modes = [item.get("mode") for item in settings.get("repos_list") or [] if isinstance(item, dict)]
    if "agent" in [settings.get("git_keys_mode"), *modes]:
        return [
            "Mode agent lends the agent of your computer, and an instance that prepares itself has none: use an "
            f"https URL, or a key: {WAIT}."
        ]
    return []


def _repositories(settings: dict, wait_for: list) -> list:
    found = []
    for item in _item_specs.read_repos(settings.get(_item_specs.REPOS), settings.get("git_keys_mode") or "push"):
        url = _item_specs.URL.match(item.src)
        if not url and not waited(item.src, wait_for):
            found.append(
                f"{_item_specs.REPOS}: {item.src} is a checkout on your computer, which an instance without a "
                f"controller cannot receive: give a URL, or {WAIT}."
            )
    return found


def _data(settings: dict, wait_for: list) -> list:
    found = []
    items = settings.get(_item_specs.DATA) or []
    for item in items:
        src = item.get("src") if isinstance(item, dict) else item
        if src and not waited(str(src), wait_for):
            found.append(
                f"{_item_specs.DATA}: {src} is data on your computer, which an instance without a controller cannot "
                f"receive: give a URL, or {WAIT}."
            )
    _item_specs.read_data([item for item in items if isinstance(item, dict) and item.get("url")])
    return found


def _known_hosts(settings: dict, wait_for: list) -> list:
    _git_access.preflight_known_hosts(settings)
    return []


def check_word(name: str, text: str, vaulted: set) -> None:
    """A word of the script itself: an index, a path on the instance. Raises `RentedError`, without that word, when it holds a secret."""
    kind = "a vaulted value" if any(secret in text for secret in vaulted) else _secrets.looks_like(text)
    if kind:
        raise RentedError(f"{name} holds {kind}, and the provider keeps and shows this script: give one without.")
