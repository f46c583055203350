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

import hashlib
import json
import os
import stat
import subprocess
import tempfile
import zlib

from . import _sources

SCHEMA = 1
HOME = ".rented"


def user_home() -> str:
    """The login user's home; here, because ansible-test refuses `expanduser` in modules."""
    return os.path.expanduser("~")


def digest(value) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def file_digest(path: str) -> str | None:
    """SHA-256 of a file, or None when it is not a readable file."""
    try:
        with open(path, "rb") as handle:
            state = hashlib.sha256()
            for block in iter(lambda: handle.read(1 << 20), b""):
                state.update(block)
            return state.hexdigest()
    except OSError:
        return None


def env_digest(path: str) -> str | None:
    """Digest of a Python environment: interpreter link, pyvenv.cfg, and name and RECORD size of every distribution.

    Reads directory entries, not file contents: a few ms for 100 packages. None when there is no environment.
    """
    python = os.path.join(path, "bin", "python")
    if not os.path.exists(python):
        return None
    seen = [os.path.realpath(python), file_digest(os.path.join(path, "pyvenv.cfg"))]
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
        with open(path, "rb") as handle:
            return zlib.decompress(handle.read()).decode("utf-8", "surrogateescape").split("\0")
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
    command = ["git", "-C", path, "-c", "safe.directory=*", "merge-base", "--is-ancestor", commit, "HEAD"]
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


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
    "files": lambda path, seen: file_digest(path) == seen,
    "others": lambda path, seen: file_digest(path) != seen,
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
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            # Not splitlines(), which also ends a line at U+2028 and its like.
            return [line.rstrip("\n") for line in handle]
    except OSError:
        return []


def verify(stamp: dict) -> list:
    """What is no longer as the stamp says: a list of "<kind>: <path>"; empty when it is intact."""
    drift = []
    for kind, watched in sorted(stamp.get("watch", {}).items()):
        for path, seen in sorted(watched.items()):
            if kind not in WATCHERS or not WATCHERS[kind](path, seen):
                drift.append("%s: %s" % (kind, path))
    return drift


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
    try:
        with open(os.path.join(folder(home), name + ".json"), encoding="utf-8") as handle:
            stamp = json.load(handle)
    except (OSError, ValueError):
        return None
    if not isinstance(stamp, dict) or stamp.get("schema") != SCHEMA:
        return None
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
        os.unlink(temporary)
        raise


def record_secret(home: str, path: str) -> None:
    """Note that ``path`` holds a secret, so that it can be scrubbed later: path and SHA-256 in ``secrets.json``, never the value."""
    os.makedirs(os.path.join(home, HOME), mode=0o700, exist_ok=True)
    ledger = os.path.join(home, HOME, "secrets.json")
    try:
        with open(ledger, encoding="utf-8") as handle:
            entries = json.load(handle)
    except (OSError, ValueError):
        entries = {}
    entries[path] = {"sha256": file_digest(path)}
    write_private(ledger, json.dumps(entries, sort_keys=True, indent=1) + "\n")


def forget_secret(home: str, path: str) -> None:
    """Take ``path`` out of the note, when what it held is gone."""
    ledger = os.path.join(home, HOME, "secrets.json")
    try:
        with open(ledger, encoding="utf-8") as handle:
            entries = json.load(handle)
    except (OSError, ValueError):
        return
    if entries.pop(path, None) is not None:
        write_private(ledger, json.dumps(entries, sort_keys=True, indent=1) + "\n")
