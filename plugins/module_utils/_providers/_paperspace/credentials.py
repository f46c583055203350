# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Where the key of a team is kept: in the files of ``pspace`` (Paperspace/cli: ``credentials.ts``, ``config.ts``), or in the old one."""

from __future__ import annotations

import json
import os
import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingCredentials
from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace.connection import NAME
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values

CONFIG_FILE = "~/.paperspace/config.toml"


def key_from_file(text: str) -> str | None:
    """The key of the current team in ``credentials.toml``, or that of the old ``config.json``."""
    if text.lstrip().startswith("{"):
        try:
            return _values.text(_values.mapping(json.loads(text)).get("apiKey"))
        except ValueError:
            raise MissingCredentials("~/.paperspace/config.json is not JSON. Write it again, or remove it.", NAME)
    keys = toml_texts(text, "keys")
    if not keys:
        return None
    team = current_team()
    if team in keys:
        return keys[team] or None
    if team is None and len(keys) == 1:
        return next(iter(keys.values())) or None
    found = "names no team" if team is None else f"names the team '{team}', whose key is not there"
    raise MissingCredentials(
        f"~/.paperspace/credentials.toml has the keys of {', '.join(sorted(keys))}, and {CONFIG_FILE} {found}. "
        f"Choose one with: pspace config set team {sorted(keys)[0]}",
        NAME,
    )


def current_team() -> str | None:
    """The team that ``pspace`` works for."""
    try:
        with open(os.path.expanduser(CONFIG_FILE), encoding="utf-8") as handle:
            return toml_texts(handle.read(), None).get("team") or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise MissingCredentials("%s cannot be read: %s." % (CONFIG_FILE, getattr(error, "strerror", None) or "it is not text"), NAME)


def toml_texts(text: str, section: str | None) -> dict:
    """The texts of one section of a flat TOML file, None: those above the first section. Python before 3.11 cannot read TOML."""
    found, here = {}, None
    for line in text.splitlines():
        head = re.match(r"^\s*\[\s*[\"']?([^\]\"']+?)[\"']?\s*\]\s*(?:#.*)?$", line)
        if head:
            here = head.group(1)
            continue
        pair = re.match(r"^\s*(?:\"([^\"]+)\"|'([^']+)'|([\w-]+))\s*=\s*(?:\"([^\"]*)\"|'([^']*)')\s*(?:#.*)?$", line)
        if pair and here == section:
            found[pair.group(1) or pair.group(2) or pair.group(3)] = (pair.group(4) or pair.group(5) or "").strip()
    return found
