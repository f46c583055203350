# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Work that exists only on an instance, in words; `host_facts` reads it, see `_host/_work.py`."""

from __future__ import annotations

import posixpath


def entries(facts: dict) -> dict:
    """path -> what the host said of the work there; entries of another shape are left out."""
    found = {}
    for entry in facts.get("work") or []:
        if isinstance(entry, dict) and isinstance(entry.get("path"), str):
            found[entry["path"]] = entry
    return found


def only_there(entry: dict, has=None) -> dict:
    """The entry without the commits that ``has(commit)`` says are here too."""
    tips = [tip for tip in entry.get("tips") or [] if isinstance(tip, str)]
    if has and tips and all(has(tip) for tip in tips):
        return dict(entry, commits=0, tips=[])
    return entry


def sentence(entry: dict) -> str:
    """One line for people; empty when nothing is only there."""
    counts = []
    for key, one, many in (
        ("commits", "commit", "commits"),
        ("changed", "changed file", "changed files"),
        ("untracked", "new file", "new files"),
        ("stashes", "stash", "stashes"),
    ):
        number = entry.get(key)
        if isinstance(number, int) and number > 0:
            counts.append(f"{number} {one if number == 1 else many}")
    name = posixpath.basename(entry["path"].rstrip("/")) or entry["path"]
    if not counts:
        return "" if entry.get("complete", True) else f"{name}: git did not answer in time; work may exist only on the instance."
    listed = counts[0] if len(counts) == 1 else ", ".join(counts[:-1]) + " and " + counts[-1]
    single = len(counts) == 1 and counts[0].startswith("1 ")
    return f"{name}: {listed} exist{'s' if single else ''} only on the instance."
