# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Work in the checkouts of a host that was made there: commits, changed and new files, stashes.

A checkout costs two short git programs, three when its branches moved. In 100,000 files they take some tenths of a second; they
run while nvidia-smi does, and end after `SECONDS`.
"""

from __future__ import annotations

import os
import re

from . import _read

SECONDS = 5
NAMED = 5  # names of files that are told
TIPS = 20
COMPARED = 200  # changed files that are compared with what was sent
SENT = "refs/rented/sent"
UNCOMMITTED = "refs/rented/uncommitted"
# What tools leave in a work tree, and no user wants back.
LEFTOVERS = re.compile(r"(^|/)(__pycache__|[^/]+\.egg-info|\.venv[^/]*|\.ipynb_checkpoints|\.pytest_cache|\.DS_Store)(/|$)|\.pyc$")


def of_stamps(stamps: dict, git: str | None) -> list:
    """The work in every checkout that a stamp of the role repos names; those without any are left out."""
    paths: set = set()
    for name, stamp in stamps.items():
        if name.startswith("repos.") and isinstance(stamp, dict) and isinstance(stamp.get("watch"), dict):
            watched = stamp["watch"].get("repos")
            paths.update(path for path in (watched if isinstance(watched, dict) else {}) if os.path.isabs(path))
    found = [read(git, path) for path in sorted(paths)] if git else []
    return [entry for entry in found if entry]


def read(git: str, path: str) -> dict | None:
    """``path commits tips branches changed untracked stashes names complete``; None when there is nothing, or no repository.

    ``tips`` are the newest commits of the branches that lead to commits made here: who has them has it all.
    """
    if not os.path.exists(os.path.join(path, ".git")):
        return None
    checkout = _Checkout(git, path)
    refs, stashes = checkout.refs()
    changed, untracked, names, head = checkout.files(UNCOMMITTED in refs)
    tips = sorted({commit for name, commit in refs.items() if name.startswith("refs/heads/")} | ({head} if head else set()))
    known = [name for name in refs if name == SENT or name.startswith(("refs/remotes/", "refs/tags/"))]
    commits, tips = checkout.commits([tip for tip in tips if tip != refs.get(SENT)][:TIPS], known)
    if not (commits or changed or untracked or stashes) and checkout.complete:
        return None
    branches = sorted(name[len("refs/heads/") :] for name, commit in refs.items() if name.startswith("refs/heads/") and commit in tips)
    return {
        "path": path, "commits": commits, "tips": tips, "branches": branches or (["HEAD"] if tips else []), "changed": changed,
        "untracked": untracked, "stashes": stashes, "names": names[:NAMED], "complete": checkout.complete,
    }  # fmt: skip


class _Checkout:
    def __init__(self, git: str, path: str) -> None:
        self.command = [git, "-C", path, "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]
        self.path = path
        self.complete = True  # whether git answered all that it was asked, in time

    def git(self, *arguments: str) -> str:
        environment = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_NO_LAZY_FETCH": "1"}
        ran = _read.run([*self.command, *arguments], seconds=SECONDS, env=environment)
        if ran.code != 0:
            self.complete = False
            return ""
        return ran.out

    def refs(self) -> tuple:
        """``(name -> commit, number of stashes)``."""
        lines = self.git("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        refs = {name: commit for commit, _blank, name in (line.partition(" ") for line in lines)}
        stashes = len(self.git("stash", "list", "--format=%H").splitlines()) if "refs/stash" in refs else 0
        return refs, stashes

    def commits(self, tips: list, known: list) -> tuple:
        """``(number, tips)`` of what these commits lead to and the known refs do not."""
        if not tips:
            return 0, []
        said = self.git("rev-list", "--count", *tips, "--not", *known)
        number = int(said) if said.strip().isdigit() else 0
        return number, tips if number else []

    def files(self, sent: bool) -> tuple:
        """``(changed, untracked, names, HEAD)``; files that are as they were sent uncommitted do not count."""
        changed, untracked, head = [], [], None
        fields = iter(self.git("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal").split("\0"))
        for field in fields:
            if field.startswith("# branch.oid "):
                head = field.split(" ")[2]
            elif field[:2] == "? ":
                untracked.append(field[2:])
            elif field[:2] in ("1 ", "u "):
                changed.append(field.split(" ", 8 if field[0] == "1" else 10)[-1])
            elif field[:2] == "2 ":
                changed.append(field.split(" ", 9)[-1])
                next(fields, None)
        changed, untracked = ([name for name in names if not LEFTOVERS.search(name)] for names in (changed, untracked))
        if sent and changed + untracked:
            ours = self.as_sent(changed + untracked)
            changed, untracked = ([name for name in names if name not in ours] for names in (changed, untracked))
        return len(changed), len(untracked), changed + untracked, head if head and head != "(initial)" else None

    def as_sent(self, names: list) -> set:
        """The names whose content is what was sent with `uncommitted`."""
        names = [name for name in names[:COMPARED] if "\n" not in name and "\ufffd" not in name]
        listed = self.git("ls-tree", "-r", "-z", UNCOMMITTED, "--", *[name.rstrip("/") for name in names]).split("\0")
        blobs = {name: meta.split(" ")[2] for meta, _tab, name in (line.partition("\t") for line in listed if "\t" in line)}
        found = set()
        for name in names:
            full = os.path.join(self.path, name)
            if name.endswith("/"):
                inside = [blob for blob in blobs if blob.startswith(name)]
                if inside and self.same(inside, blobs) and len(inside) == sum(len(files) for _top, _folders, files in os.walk(full)):
                    found.add(name)
            elif name not in blobs:
                if not os.path.lexists(full):
                    found.add(name)  # sent as deleted
            elif self.same([name], blobs):
                found.add(name)
        return found

    def same(self, names: list, blobs: dict) -> bool:
        if not all(os.path.isfile(os.path.join(self.path, name)) for name in names):
            return False
        hashes = self.git("hash-object", "--", *names).split()
        return hashes == [blobs[name] for name in names]
