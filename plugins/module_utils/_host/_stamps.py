# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Stamps: what a role made on a host, and what to look at to know that it is still so.

A module that has done its work writes ``~/.rented/stamps/<name>.json``:

``wanted``  digest of the request, computed on the controller; a new request has another digest
``watch``   what the work left behind and what it was made from, each with its digest
``data``    free, for the role and for reports

`host_facts` verifies every stamp in its one remote execution. A role whose stamp has the same ``wanted`` and is intact
has nothing to do, and needs no remote execution to know it. Python 3.8 and the standard library are enough.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import tempfile
import zlib

from . import _read, _sources

SCHEMA = 1
HOME = ".rented"
# Bytes of the largest file of each kind that we read. What is larger is not ours.
STATE = 8 << 20
LIST = 64 << 20
WATCHED = 256 << 20
NAMES = 2_000_000  # in one list


def user_home() -> str:
    """The login user's home; here, because ansible-test refuses `expanduser` in modules."""
    return os.path.expanduser("~")


def digest(value) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def read_json(path: str) -> dict | None:
    """The object in a state file; None when the file is absent, not regular, too large, not JSON, or holds something else."""
    data = _read.content(path, STATE + 1)
    if data is None or len(data) > STATE:
        return None
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def file_digest(path: str, limit: int | None = None) -> str | None:
    """SHA-256 of a file; None when it is not a readable regular file, or is larger than ``limit`` bytes."""
    try:
        entry = os.stat(path)
        if not stat.S_ISREG(entry.st_mode) or (limit is not None and entry.st_size > limit):
            return None
        with open(path, "rb") as handle:
            state = hashlib.sha256()
            for block in iter(lambda: handle.read(1 << 20), b""):
                state.update(block)
            return state.hexdigest()
    except (OSError, ValueError):
        return None


def env_digest(path: str) -> str | None:
    """Digest of a Python environment: interpreter link, pyvenv.cfg, and name and RECORD size of every distribution.

    Reads directory entries, not file contents: a few ms for 100 packages. None when there is no environment.
    """
    python = os.path.join(path, "bin", "python")
    if not os.path.exists(python):
        return None
    seen: list = [os.path.realpath(python), file_digest(os.path.join(path, "pyvenv.cfg"))]
    library = os.path.join(path, "lib")
    for version in sorted(_names(library)):
        packages = os.path.join(library, version, "site-packages")
        for name in sorted(_names(packages)):
            if name.endswith((".dist-info", ".egg-link", ".pth")):
                record = os.path.join(packages, name, "RECORD")
                seen.append((name, os.path.getsize(record) if os.path.isfile(record) else -1))
    return digest(seen)


def entry_of(path: bytes, name: str) -> list | None:
    """What a stamp knows of one entry of a tree: ``[name, bytes, seconds]``, ``[name, target]`` of a link, ``[name]`` of a folder.

    A name that ends in a slash is a folder's; an empty one is ``path`` itself. None when there is nothing of that kind.
    """
    full = os.path.join(path, name.encode("utf-8", "surrogateescape")) if name else path
    try:
        entry = os.stat(full) if not name or name.endswith("/") else os.lstat(full)
        if name.endswith("/"):
            return [name] if stat.S_ISDIR(entry.st_mode) else None
        if stat.S_ISLNK(entry.st_mode):
            return [name, os.readlink(full).decode("utf-8", "surrogateescape")]
    except OSError:
        return None
    # Whole seconds, rounded down: st_mtime is a float, which rounds .9999999999 up.
    return [name, entry.st_size, entry.st_mtime_ns // 10**9]


def tree_digest(path: str) -> str | None:
    """Digest of what `entry_of` knows of everything in a tree; None when it does not exist. Contents are not read."""
    top = os.fsencode(path)
    if not os.path.lexists(top):
        return None
    if not os.path.isdir(top):
        return digest([entry_of(top, "")])
    seen = []
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(files + folders):
            below = os.path.relpath(os.path.join(folder, name), top).decode("utf-8", "surrogateescape")
            real = name in folders and not os.path.islink(os.path.join(folder, name))
            seen.append(entry_of(top, below + "/" if real else below))
    return digest(seen)


def write_list(home: str, name: str, names: list) -> str:
    """Keep the names that a stamp watches, NUL-separated and compressed, beside the stamps; returns the path."""
    lists = os.path.join(home, HOME, "lists")
    os.makedirs(lists, mode=0o700, exist_ok=True)
    path = os.path.join(lists, name)
    with open(path + ".new", "wb") as handle:
        handle.write(zlib.compress("\0".join(names).encode("utf-8", "surrogateescape")))
    os.replace(path + ".new", path)
    return path


def read_list(path: str) -> list | None:
    """The names that `write_list` kept; None when they cannot be read."""
    try:
        unpacking = zlib.decompressobj()
        unpacked = unpacking.decompress(_read.content(path, LIST) or b"", LIST)
        if not unpacking.eof or unpacked.count(b"\0") > NAMES:  # cut off, or larger than any that a role writes
            return None
        return unpacked.decode("utf-8", "surrogateescape").split("\0")
    except (OSError, ValueError, TypeError, zlib.error):
        return None


def listed_digest(path: str, lists: str) -> str | None:
    """Digest of what `entry_of` knows of the listed names below ``path``; None when one is missing. Other files there do not count."""
    names = read_list(lists)
    if names is None:
        return None
    top = os.fsencode(path)
    seen = []
    for name in names:
        entry = entry_of(top, name)
        if entry is None:
            return None
        seen.append(entry)
    return digest(seen)


def repo_contains(path: str, commit: str) -> bool:
    """Whether the checkout at ``path`` has ``commit`` in the history of HEAD."""
    if not re.fullmatch(r"[0-9a-f]{4,64}", commit):  # nothing in a file becomes an option of git
        return False
    return _read.run(["git", "-C", path, "-c", "safe.directory=*", "merge-base", "--is-ancestor", commit, "HEAD"], seconds=20).code == 0


def _names(folder: str) -> list:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def line_mark(line: str) -> str:
    """A short digest of a line, for stamps that watch many long ones."""
    return hashlib.sha256(line.encode(errors="replace")).hexdigest()[:16]


def leading(lines: list, line: str) -> bool:
    """Whether a line stands in ssh settings where it holds for every host: before the first Host or Match."""
    for found in lines:
        if found.strip() == line:
            return True
        if found.strip().lower().startswith(("host ", "match ", "host=", "host\t", "match\t")):
            return False
    return False


# What a stamp can watch: kind -> function(path, value in the stamp) -> still so?
# "files" may hold None for a file that has to be absent. Of the other digests None says that the look failed, which proves nothing.
WATCHERS = {
    "files": lambda path, seen: file_digest(path, WATCHED) == seen,
    "others": lambda path, seen: file_digest(path, WATCHED) != seen,
    "modes": lambda path, seen: os.path.exists(path) and stat.S_IMODE(os.stat(path).st_mode) == int(seen, 8),
    "lines": lambda path, seen: not set(seen) - set(_lines(path)),
    "line_marks": lambda path, seen: not set(seen) - {line_mark(line) for line in _lines(path)},
    "leads": lambda path, seen: leading(_lines(path), seen),
    "envs": lambda path, seen: seen is not None and env_digest(path) == seen,
    "trees": lambda path, seen: seen is not None and tree_digest(path) == seen,
    "listed": lambda path, seen: seen["digest"] is not None and listed_digest(path, seen["names"]) == seen["digest"],
    "repos": repo_contains,
    "sources": lambda path, seen: _sources.digest(path) == seen,
    "editables": lambda path, seen: _sources.digest(path, editable=True) == seen,
    "archives": lambda path, seen: _sources.archives_digest(path) == seen,
    "exists": lambda path, seen: os.path.exists(path) == seen,
}


def _lines(path: str) -> list:
    # Not splitlines(), which also ends a line at U+2028 and its like.
    return [line.rstrip("\r") for line in (_read.read("/", path, LIST) or "").split("\n")]


def verify(stamp: dict) -> list:
    """What is no longer as the stamp says: a list of "<kind>: <path>"; empty when it is intact."""
    drift = []
    for kind, watched in sorted(stamp.get("watch", {}).items()):
        for path, seen in sorted(watched.items()):
            if not _still(kind, path, seen):
                drift.append(f"{kind}: {path}")
    return drift


def _still(kind: str, path: str, seen) -> bool:
    """Whether one watched thing is as the stamp says. What cannot be compared (another type, a NUL in the path) is not."""
    try:
        return kind in WATCHERS and bool(WATCHERS[kind](path, seen))
    except (TypeError, ValueError, KeyError, AttributeError, OSError, RecursionError):
        return False


def well_formed(stamp) -> bool:
    """Whether this has the shape of a stamp, whatever it says."""
    return (
        isinstance(stamp, dict)
        and stamp.get("schema") == SCHEMA
        and isinstance(stamp.get("wanted"), str)
        and isinstance(stamp.get("data", {}), dict)
        and isinstance(stamp.get("watch", {}), dict)
        and all(isinstance(watched, dict) for watched in stamp.get("watch", {}).values())
    )


def folder(home: str) -> str:
    """Where the stamps of a home directory lie."""
    return os.path.join(home, HOME, "stamps")


def read_all(home: str) -> dict:
    """Every stamp of a home directory by name, with ``drift`` (a list) and ``intact`` added. A stamp that cannot be read is not there."""
    names = [name[: -len(".json")] for name in sorted(_names(folder(home))) if name.endswith(".json")]
    found = {name: read(home, name) for name in names}
    return {name: stamp for name, stamp in found.items() if stamp is not None}


def read(home: str, name: str) -> dict | None:
    """One stamp, as `read_all` gives it; None when there is none that can be read."""
    stamp = read_json(os.path.join(folder(home), name + ".json"))
    if stamp is None or not well_formed(stamp):
        return None
    stamp.setdefault("watch", {})
    stamp.setdefault("data", {})
    stamp["drift"] = verify(stamp)
    stamp["intact"] = not stamp["drift"]
    return stamp


def write(home: str, name: str, wanted: str, watch: dict, data: dict | None = None) -> None:
    """Write a stamp, 0600, in one rename."""
    # makedirs gives the mode to the last folder only.
    os.makedirs(os.path.join(home, HOME), mode=0o700, exist_ok=True)
    os.makedirs(folder(home), mode=0o700, exist_ok=True)
    content = {"schema": SCHEMA, "wanted": wanted, "watch": watch, "data": data or {}}
    write_private(os.path.join(folder(home), name + ".json"), json.dumps(content, sort_keys=True, indent=1) + "\n")


def remove(home: str, name: str) -> None:
    """Forget a stamp: done before work begins, so that an interrupted run is seen as such."""
    try:
        os.unlink(os.path.join(folder(home), name + ".json"))
    except FileNotFoundError:
        pass


def write_private(path: str, text: str, mode: int = 0o600) -> None:
    """Write a file with this mode in one rename; it is never seen half written or with a wider mode."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".rented-")
    try:
        os.fchmod(handle, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def record_secret(home: str, path: str) -> None:
    """Note that ``path`` holds a secret, so that it can be scrubbed later: path and SHA-256 in ``secrets.json``, never the value."""
    os.makedirs(os.path.join(home, HOME), mode=0o700, exist_ok=True)
    ledger = os.path.join(home, HOME, "secrets.json")
    entries = read_json(ledger) or {}
    entries[path] = {"sha256": file_digest(path)}
    write_private(ledger, json.dumps(entries, sort_keys=True, indent=1) + "\n")


def forget_secret(home: str, path: str) -> None:
    """Take ``path`` out of the note, when what it held is gone."""
    ledger = os.path.join(home, HOME, "secrets.json")
    entries = read_json(ledger) or {}
    if entries.pop(path, None) is not None:
        write_private(ledger, json.dumps(entries, sort_keys=True, indent=1) + "\n")
