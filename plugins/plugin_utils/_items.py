# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The entries of repos_list and data_sync_items: what can be read and refused on the controller, before any host is asked."""

from __future__ import annotations

import os
import posixpath
import re
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils import _downloads
from ansible_collections.rented.gpu.plugins.module_utils._errors import nearest
from ansible_collections.rented.gpu.plugins.plugin_utils import _git, _paths, _rsync
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Failure

REPOS = "repos_list"
REPO_KEYS = ("src", "dest", "version", "mode", "lfs", "submodules", "uncommitted")
MODES = ("push", "agent", "private_key")
# git's own rule: a URL has a scheme, or is [user@]host:path where no slash stands before the colon.
URL = re.compile(r"^(\w[\w+.-]*://|[^/\s:]+:(?!//))")

DATA = "data_sync_items"
DATA_KEYS = ("src", "dest", "url", "checksum", "unpack", "exclude", "delete")
DIGITS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}


def read_repos(raw, mode: str) -> list:
    """The entries of repos_list with every key; ``url`` is None where src is a local checkout. Raises `Failure`."""
    items = _paths.check_items(REPOS, raw, REPO_KEYS, ["src"])
    for number, item in enumerate(items, 1):
        where = "%s, item %d" % (REPOS, number)
        for key in ("lfs", "submodules", "uncommitted"):
            if item[key] not in (None, True, False):
                raise Failure("%s: %s has to be true or false; it is %r." % (where, key, item[key]))
        if item["mode"] not in (None, *MODES):
            raise Failure("%s: there is no mode '%s'. %s" % (where, item["mode"], nearest(str(item["mode"]), MODES)))
        item["src"] = str(item["src"])
        item["version"] = None if item["version"] in (None, "") else str(item["version"])
        here = _paths.on_controller(item["src"])
        item["url"] = item["src"] if URL.match(item["src"]) and not os.path.exists(here) else None
        item["submodules"] = item["submodules"] is not False
        if item["url"]:
            _check_repo_url(item, where, mode)
        else:
            if item["mode"] not in (None, "push"):
                raise Failure(
                    "%s: src %s is a local checkout, which is sent by mode push; mode %s is for URLs." % (where, item["src"], item["mode"])
                )
            item["mode"] = "push"
        name = posixpath.basename((item["url"] or here).rstrip("/").replace(":", "/"))
        item["dest"] = str(item["dest"] or (name[: -len(".git")] if name.endswith(".git") else name))
    return items


def _check_repo_url(item: dict, where: str, mode: str) -> None:
    parts = urllib.parse.urlsplit(item["url"]) if "://" in item["url"] else None
    if parts and (parts.password or (parts.username and parts.scheme in ("http", "https"))):
        raise Failure(
            "%s: the URL holds a password or a token, which would stay on the host: leave it out, and use mode push or agent." % where
        )
    if item["mode"] == "push":
        raise Failure("%s: mode push sends a local checkout, and src is a URL: clone it here and give its path, or use mode agent." % where)
    if item["uncommitted"]:
        raise Failure("%s: uncommitted work can be sent of a local checkout only, and src is a URL." % where)
    # Without a word, the agent is lent only where mode says so; a public URL needs none.
    item["mode"] = item["mode"] or (mode if mode != "push" else "private_key")
    if parts and parts.scheme not in ("ssh", "git+ssh"):
        item["mode"] = "private_key"


def read_data(raw) -> list:
    """The entries of data_sync_items with every key; ``here`` is the absolute path of a local source. Raises `Failure`."""
    items = _paths.check_items(DATA, raw, DATA_KEYS, ["src", "url"])
    for number, item in enumerate(items, 1):
        where = "%s, item %d" % (DATA, number)
        if item["src"] and item["url"]:
            raise Failure("%s has both src and url: data comes from one place; make two items of it." % where)
        wrong = [key for key in (("checksum", "unpack") if item["src"] else ("exclude", "delete")) if item[key] not in (None, False, [])]
        if wrong:
            raise Failure("%s: %s goes with %s only." % (where, wrong[0], "url" if item["src"] else "src"))
        if isinstance(item["exclude"], str):
            item["exclude"] = [item["exclude"]]
        if not isinstance(item["exclude"] or [], list):
            raise Failure("%s: exclude has to be a list of patterns; it is %r." % (where, item["exclude"]))
        if item["delete"] not in (None, True, False):
            raise Failure("%s: delete has to be true or false; it is %r." % (where, item["delete"]))
        if item["src"]:
            _check_data_source(item, where)
        else:
            _check_data_url(item, where)
    return items


def _check_data_source(item: dict, where: str) -> None:
    if re.match(r"^\w[\w+.-]*://", str(item["src"])):
        raise Failure("%s: src is a path on this machine; for the address %s write url." % (where, _shown(item["src"])))
    item["here"] = _paths.on_controller(str(item["src"]))
    if not os.path.exists(item["here"]):
        raise Failure("%s: the data %s does not exist on this machine (looked for %s)." % (where, item["src"], item["here"]))
    if not os.access(item["here"], os.R_OK):
        raise Failure("%s: the data %s may not be read by this user." % (where, item["here"]))
    item["dest"] = str(item["dest"] or os.path.basename(item["here"]))


def _check_data_url(item: dict, where: str) -> None:
    parts = urllib.parse.urlsplit(str(item["url"]))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure("%s: url has to begin with https:// or http://; it is '%s'." % (where, _shown(item["url"])))
    if not item["dest"]:
        raise Failure("%s: give dest, the place of %s on the host." % (where, "its content" if item["unpack"] else "the file"))
    item["dest"] = str(item["dest"])
    if item["checksum"]:
        algorithm, _colon, value = str(item["checksum"]).partition(":")
        if algorithm not in DIGITS:
            raise Failure(
                "%s: a checksum is written <algorithm>:<hex digits>, e.g. sha256:9f86…; it is '%s'." % (where, _shown(item["checksum"]))
            )
        if not re.match(r"^https?://", value) and not re.match(r"^[0-9a-fA-F]{%d}$" % DIGITS[algorithm], value):
            raise Failure("%s: a %s has %d hex digits; '%s' has not." % (where, algorithm, DIGITS[algorithm], _shown(value)))
    if not isinstance(item["unpack"], (bool, str, type(None))):
        raise Failure("%s: unpack has to be true, false or a folder; it is %r." % (where, item["unpack"]))


def _shown(address) -> str:
    """What a message may say of an address: not its login, its query or its fragment."""
    try:
        return _downloads.shown(str(address))
    except ValueError:
        return str(address).partition("?")[0].rpartition("@")[2]


# --- before the first login: see _preflight.CHECKS ---------------------------------------------------------------


def preflight_repos(settings: dict) -> None:
    for item in read_repos(settings.get(REPOS), settings.get("git_keys_mode") or "push"):
        if item["url"]:
            continue
        repository = _git.Repository(_paths.on_controller(item["src"]), item["src"])
        source = repository.resolve(item["version"])
        if item["submodules"]:
            repository.submodules(source.commit)


def preflight_data_sync(settings: dict) -> None:
    if any(item["src"] for item in read_data(settings.get(DATA))):
        _rsync.find()
