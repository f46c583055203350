# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The entries of repos_list and data_sync_items: what can be read and refused on the controller, before any host is asked."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import re
import urllib.parse
from typing import Any

from ansible_collections.rented.gpu.plugins.module_utils._host import _urls
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _paths, _rsync
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure, MissingTool
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _repository
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _option_values

REPOS = "repos_list"
MODES = ("push", "agent", "private_key")
TEXT, FLAG = {"type": "str"}, {"type": "bool"}
REPO_KEYS = {
    "src": TEXT,
    "dest": TEXT,
    "version": TEXT,
    "mode": {"type": "str", "choices": MODES},
    "lfs": FLAG,
    "submodules": FLAG,
    "uncommitted": FLAG,
}
# git's own rule: a URL has a scheme, or is [user@]host:path where no slash stands before the colon.
URL = re.compile(r"^(\w[\w+.-]*://|[^/\s:]+:(?!//))")

DATA = "data_sync_items"
DATA_KEYS = {
    "src": TEXT,
    "dest": TEXT,
    "url": TEXT,
    "checksum": TEXT,
    "unpack": {"type": "raw"},
    "exclude": {"type": "list", "elements": "str"},
    "delete": FLAG,
}
DIGITS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}


@dataclasses.dataclass(eq=False)
class RepoItem:
    """An entry of repos_list, and what the action finds out about it."""

    src: str
    dest: str  # empty only while it is read
    version: str | None
    mode: str | None
    lfs: bool | None
    submodules: bool | None
    uncommitted: bool | None
    url: str | None = None  # None: src is a local checkout
    # What follows is set by the action.
    path: str = ""  # on the host
    stamp: str = ""
    wanted: dict = dataclasses.field(default_factory=dict)
    settled: bool = False
    repository: Any = None  # a `Repository`, of a local checkout
    source: Any = None  # a `Source`
    modules: list = dataclasses.field(default_factory=list)
    snapshot: str | None = None  # a commit of the uncommitted work
    environment: dict | None = None  # of git, where the snapshot is
    objects: tuple | None = None  # of Git LFS
    pointers: bool = False  # large files stay pointers on the host


@dataclasses.dataclass(eq=False)
class DataItem:
    """An entry of data_sync_items, and what the action finds out about it."""

    src: str
    dest: str
    url: str
    checksum: str | None
    unpack: bool | str | None
    exclude: list
    delete: bool | None
    here: str = ""  # the absolute path of src
    # What follows is set by the action.
    path: str = ""  # on the host
    folder: str | None = None  # on the host, where an archive is unpacked
    stamp: str = ""
    wanted: dict = dataclasses.field(default_factory=dict)
    settled: bool = False
    listing: list = dataclasses.field(default_factory=list)
    disk: str | None = None  # whose room was checked: workdir or home
    done: bool = False  # sent in this run


def read_repos(raw, mode: str) -> list[RepoItem]:
    """The entries of repos_list; ``url`` is None where src is a local checkout. Raises `Failure`."""
    items = [RepoItem(**{**item, "dest": item["dest"] or ""}) for item in _paths.check_items(REPOS, raw, REPO_KEYS, ["src"])]
    for number, item in enumerate(items, 1):
        where = f"{REPOS}, item {number}"
        item.version = item.version or None
        here = _paths.on_controller(item.src)
        item.url = item.src if URL.match(item.src) and not os.path.exists(here) else None
        item.submodules = item.submodules is not False
        if item.url:
            _check_repo_url(item, where, mode)
        else:
            if item.mode not in (None, "push"):
                raise Failure(
                    f"{where}: src {shown(item.src)} is a local checkout, which is sent by mode push; mode {item.mode} is for URLs."
                )
            item.mode = "push"
        name = posixpath.basename((item.url or here).rstrip("/").replace(":", "/"))
        item.dest = item.dest or (name[: -len(".git")] if name.endswith(".git") else name)
        if not item.dest:
            raise Failure(f"{where}: src {shown(item.src)} has no name that dest could take: give dest.")
    return items


def split_url(url: str, where: str) -> urllib.parse.SplitResult:
    """The parts of a URL. Raises `Failure` for one that has none, such as https://[::1/x.git."""
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port  # noqa: B018 (it is read only now)
        return parts
    except ValueError as error:
        raise Failure(f"{where} is not a valid URL ({shown(str(error))}): '{shown(url)}'.") from None


def _check_repo_url(item: RepoItem, where: str, mode: str) -> None:
    url = item.url or ""
    parts = split_url(url, f"{where}: src") if "://" in url else None
    if parts and (parts.password or (parts.username and parts.scheme in ("http", "https"))):
        raise Failure(
            f"{where}: the URL holds a password or a token, which would stay on the host: leave it out, and use mode push or agent."
        )
    if item.mode == "push":
        raise Failure(f"{where}: mode push sends a local checkout, and src is a URL: clone it here and give its path, or use mode agent.")
    if item.uncommitted:
        raise Failure(f"{where}: uncommitted work can be sent of a local checkout only, and src is a URL.")
    # Without a word, the agent is lent only where mode says so; a public URL needs none.
    item.mode = item.mode or (mode if mode != "push" else "private_key")
    if parts and parts.scheme not in ("ssh", "git+ssh"):
        item.mode = "private_key"


def read_data(raw) -> list[DataItem]:
    """The entries of data_sync_items; ``here`` is the absolute path of a local source. Raises `Failure`."""
    items = []
    for given in _paths.check_items(DATA, raw, DATA_KEYS, ["src", "url"]):
        given.update({key: given[key] or "" for key in ("src", "dest", "url")}, exclude=given["exclude"] or [])
        items.append(DataItem(**given))
    for number, item in enumerate(items, 1):
        where = f"{DATA}, item {number}"
        if item.src and item.url:
            raise Failure(f"{where} has both src and url: data comes from one place; make two items of it.")
        wrong = [
            key
            for key in (("checksum", "unpack") if item.src else ("exclude", "delete"))
            if getattr(item, key) not in (None, False, [], "")
        ]
        if wrong:
            raise Failure(f"{where}: {wrong[0]} goes with {'url' if item.src else 'src'} only.")
        if item.src:
            _check_data_source(item, where)
        else:
            _check_data_url(item, where)
    return items


def _check_data_source(item: DataItem, where: str) -> None:
    if re.match(r"^\w[\w+.-]*://", item.src):
        raise Failure(f"{where}: src is a path on this machine; for the address {_shown(item.src)} write url.")
    item.here = _paths.on_controller(item.src)
    if not os.path.exists(item.here):
        raise Failure(f"{where}: the data {shown(item.src)} does not exist on this machine (looked for {shown(item.here)}).")
    if not os.access(item.here, os.R_OK):
        raise Failure(f"{where}: the data {shown(item.here)} may not be read by this user.")
    item.dest = item.dest or os.path.basename(item.here)
    if not item.dest:
        raise Failure(f"{where}: src {shown(item.src)} has no name that dest could take: give dest.")


def _check_data_url(item: DataItem, where: str) -> None:
    parts = split_url(item.url, f"{where}: url")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"{where}: url has to begin with https:// or http://; it is '{_shown(item.url)}'.")
    if not item.dest:
        raise Failure("%s: give dest, the place of %s on the host." % (where, "its content" if item.unpack else "the file"))
    if item.checksum:
        algorithm, _colon, value = item.checksum.partition(":")
        if algorithm not in DIGITS:
            raise Failure(f"{where}: a checksum is written <algorithm>:<hex digits>, e.g. sha256:9f86…; it is '{_shown(item.checksum)}'.")
        if not re.match(r"^https?://", value) and not re.match(rf"^[0-9a-fA-F]{{{DIGITS[algorithm]}}}$", value):
            raise Failure(f"{where}: a {algorithm} has {DIGITS[algorithm]} hex digits; '{_shown(value)}' has not.")
        if value.startswith("http"):
            split_url(value, f"{where}: checksum")
    if not isinstance(item.unpack, (bool, str, type(None))):
        raise Failure(f"{where}: unpack has to be true, false or a folder; it is {shown(item.unpack)}.")
    if isinstance(item.unpack, str):
        try:
            item.unpack = _option_values.read(TEXT, item.unpack)
        except _option_values.Wrong as wrong:
            raise Failure(f"{where}: unpack {wrong}.") from None
        if _paths.LINE_ENDS.search(str(item.unpack)):
            raise Failure(f"{where}: unpack has to be one line of text; it is {shown(item.unpack)}.")


def _shown(address) -> str:
    """What a message may say of an address: not its login, its query or its fragment, and no secret of another kind."""
    try:
        return shown(_urls.without_secrets(str(address)))
    except ValueError:
        return shown(str(address).partition("?")[0].rpartition("@")[2])


# --- before the first login: see _preflight.CHECKS ---------------------------------------------------------------


def preflight_repos(settings: dict) -> None:
    for number, item in enumerate(read_repos(settings.get(REPOS), settings.get("git_keys_mode") or "push"), 1):
        if item.url:
            continue
        where, path = f"{REPOS}, item {number}", _paths.on_controller(item.src)
        if not os.path.exists(path):
            raise Failure(
                f"{where}: the repository {shown(item.src)} does not exist (looked for {shown(path)}): give the "
                "path of a local checkout, or a URL."
            )
        try:
            repository = _repository.Repository(path, item.src)
            source = repository.resolve(item.version)
            if item.submodules:
                repository.submodules(source.commit)
        except MissingTool:
            raise
        except Failure as failure:
            raise Failure(f"{where}: {failure}") from None


def preflight_data_sync(settings: dict) -> None:
    if any(item.src for item in read_data(settings.get(DATA))):
        _rsync.find()
