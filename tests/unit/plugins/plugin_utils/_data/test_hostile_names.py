# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files from all bytes and all of Unicode, with the real rsync and git on real folders."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _gitignore, _rsync
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _repository

HARD = [
    b"a\nb", b"a\rb", b"\r\n", b"tab\tx", b" lead", b"trail ", b"-x", b"--delete", b"%n", b"\\#012", b"\\#134#012", b"\\#999", b"\\\\#012",
    b"back\\slash", b"\\", b"quote'\"x", b"u\xe2\x80\xa8v", b"nel\xc2\x85x", b"vt\x0bx\x0cy\x1cz", b"\xff\xfe", b"\xc3", b"nfd-e\xcc\x81",
    b"nfc-\xc3\xa9", b"del\x7f", b"esc\x1b[2J", b"n" * 255, b"*", b"?", b"[a]", b"#x", b"!x", b":(top)x", b"a -> b", b"~", b"$(x)",
    b"\xed\xa0\x80", b"\xf4\x8f\xbf\xbf",
]  # fmt: skip
ASCII = st.sampled_from([bytes([number]) for number in range(1, 128) if number != 47])
PIECE = st.one_of(ASCII, st.binary(min_size=1, max_size=3), st.characters(exclude_categories=["Cs"]).map(lambda sign: sign.encode()))
NAME = st.one_of(st.sampled_from(HARD), st.lists(PIECE, min_size=1, max_size=12).map(b"".join)).filter(
    lambda name: 0 < len(name) < 256 and name not in (b".", b"..", b".git") and b"/" not in name and b"\0" not in name
)
NAMES = st.lists(NAME, min_size=1, max_size=6, unique=True)


def text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def fill(folder: bytes, names, content=b"x\n") -> None:
    os.makedirs(folder, exist_ok=True)
    for number, name in enumerate(names):
        with open(os.path.join(folder, name), "wb") as handle:
            handle.write(content * number)


def git(folder, *arguments, **options):
    command = ["git", "-C", os.fsdecode(folder), "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, capture_output=True, check=True, **options).stdout


@settings(max_examples=40, deadline=None)
@given(NAMES)
@example(HARD)
def test_a_listing_has_the_names_that_are_there_and_the_host_agrees(names):
    with tempfile.TemporaryDirectory() as folder:
        top = os.fsencode(folder) + b"/top"
        fill(top, names)
        fill(top + b"/" + names[0][:250] + b".d", names[:3])
        os.makedirs(top + b"/" + names[-1][:250] + b".e")
        os.symlink(names[0], top + b"/link")
        os.symlink(b"no\n-> where", top + b"/dangling -> x")
        found = _rsync.listing(os.fsdecode(top), [])
        there = {text(os.path.relpath(os.path.join(here, name), top)) for here, _folders, files in os.walk(top) for name in files}
        assert {entry[0] for entry in found if not entry[0].endswith("/")} == there
        assert {entry[0] for entry in found if entry[0].endswith("/")} == {
            text(os.path.relpath(os.path.join(here, name), top)) + "/" for here, folders, _files in os.walk(top) for name in folders
        }
        assert len(_rsync.files(found)) == len(there) - 2
        lists = _stamps.write_list(folder, "x", [entry[0] for entry in found])
        assert _stamps.read_list(lists) == [entry[0] for entry in found]
        assert _stamps.listed_digest(os.fsdecode(top), lists) == _rsync.listing_digest(found)


@settings(max_examples=15, deadline=None)
@given(NAMES)
@example(HARD)
def test_what_rsync_says_it_sent_is_what_arrived(names):
    with tempfile.TemporaryDirectory() as folder:
        source, dest = folder + "/a", folder + "/b"
        fill(os.fsencode(source), names)
        command = ["rsync", "-8", *_rsync.ALWAYS, "--stats", "--out-format=%i %n", "--info=progress2", source + "/", dest + "/"]
        stats, code, stderr = _rsync._watched(command, None)
        assert (code, stderr, stats.files) == (0, "", len(names))
        assert sorted(os.listdir(os.fsencode(dest))) == sorted(names)
        assert len([name for name in stats.names if name[1] == "f"]) == len(names)
        "\n".join(stats.names).encode()  # can be shown


@settings(max_examples=25, deadline=None)
@given(NAMES, st.data())
@example(HARD, None)
def test_git_and_we_name_the_same_changed_files(names, data):
    with tempfile.TemporaryDirectory() as folder:
        top = os.fsencode(folder)
        git(top, "init", "-q", "-b", "main")
        tracked = names[::2]
        fill(top, tracked, b"some line of text that makes it alike\n" * 9)
        git(top, "add", "-A")
        git(top, "commit", "-q", "--allow-empty", "-m", "x")
        for name in tracked[1:]:
            with open(os.path.join(top, name), "ab") as handle:
                handle.write(b"more")
        if tracked[2:]:
            os.rename(os.path.join(top, tracked[2]), os.path.join(top, tracked[2][:200] + b".moved"))
            git(top, "add", "-N", ".")
        untracked = list(names[1::2])
        fill(top, untracked)
        said = _repository.Repository(folder, "it").source(None).uncommitted
        wanted = set(map(text, [*tracked[1:2], *tracked[3:], *untracked])) | (
            {text(tracked[2][:200] + b".moved")} if tracked[2:] else set()
        )
        assert set(said) - {text(name) for name in tracked[2:3]} == wanted
        assert all(isinstance(name, str) for name in said)


@settings(max_examples=15, deadline=None)
@given(NAMES)
@example(HARD)
def test_a_tree_on_the_host_is_watched_whatever_its_names(names):
    with tempfile.TemporaryDirectory() as folder:
        top = os.fsencode(folder) + b"/top"
        fill(top, names)
        before = _stamps.tree_digest(os.fsdecode(top))
        assert before == _stamps.tree_digest(os.fsdecode(top))
        for name in names:
            os.rename(os.path.join(top, name), top + b".away")
            assert _stamps.tree_digest(os.fsdecode(top)) != before
            os.rename(top + b".away", os.path.join(top, name))
        assert _stamps.tree_digest(os.fsdecode(top)) == before


SIGNS = st.sampled_from(
    ["a", "b", "*", "**", "/", "?", "[ab]", "[!a]", "[", "]", "\\", "\\*", "\\ ", " ", "!", "#", "-", ".", "\u00a0", "é"]
)
TREE = ["ab", "a/b", "a/a/b", "b/a/b/a", "b/ab/a", "a b", "a ", " ", "!", "#", "!a", "#a", "\\", "a\\b", "*", "a*", "[", "[ab]",
        "a/*", "b/b/x", "-", ".a", "a.b", "é", "aé", "a\u00a0", "\u00a0"]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(SIGNS, min_size=1, max_size=6).map("".join), min_size=1, max_size=3))
@example(["a ", "!a\\ "])
@example(["a\\b"])
@example(["\\\\"])
@example(["a**b", "\\*"])
@example(["/**"])
@example(["a/**/b"])
@example(["**/a/**"])
@example(["a\u00a0"])
@example(["[", "a[b"])
@example(["a\\/a"])
@example(["[/[ab]"])
@example(["a[/]b", "b/[!/]/x", "[b/!-]"])
@example(["\\/a", "a\\/", "a\\/\\/b"])
def test_any_pattern_means_what_it_means_to_git(patterns):
    source, command = _tree_of_patterns()
    (pathlib.Path(source) / ".git" / "info" / "exclude").write_text("\n".join(patterns) + "\n", encoding="utf-8")
    judged = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    # A file is taken when git takes it; both leave folders without a file aside. "!*" includes .git, which git itself never lists.
    taken = [entry[0] for entry in _rsync.files(_rsync.listing(source, patterns)) if not entry[0].startswith(".git/")]
    assert taken == sorted(name for name in judged if name)


_made = []


def _tree_of_patterns() -> tuple:
    if not _made:
        folder = tempfile.TemporaryDirectory()
        source = folder.name
        for name in TREE:
            path = pathlib.Path(source, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        git(os.fsencode(source), "init", "-q")
        os.makedirs(source + "/.git/info", exist_ok=True)
        _made.append((folder, source))
    source = _made[0][1]
    return source, ["git", "-C", source, "-c", "core.excludesFile=/dev/null", "ls-files", "-o", "--exclude-standard", "-z"]


@given(st.text(max_size=12))
def test_no_pattern_is_an_error(pattern):
    for rule in _gitignore.rules(pattern):
        assert rule[:2] in ("- ", "+ ") and len(rule) > 2
