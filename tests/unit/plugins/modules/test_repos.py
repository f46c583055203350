# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of repos with the real git, where a whole host is not needed; the rest is in tests/integration/test_repos.py."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _urls
from ansible_collections.rented.gpu.plugins.modules import repos

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def git(folder, *arguments) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "core.autocrlf=false"]
    return subprocess.run(command + list(arguments), capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("before, after", [(b"one\r\ntwo\r\n", b"one\r\n2\r\n"), (b"a\rb\n", b"a\rc\n"), (b"\xe4\n", b"\xfc\n")])
def test_uncommitted_work_arrives_byte_by_byte(tmp_path, before, after):
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    (work / "file.bat").write_bytes(before)
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "one")
    commit = git(work, "rev-parse", "HEAD")
    (work / "file.bat").write_bytes(after)
    git(work, "commit", "-q", "-a", "-m", "uncommitted")
    snapshot = git(work, "rev-parse", "HEAD")
    git(work, "reset", "-q", "--hard", commit)
    item = {
        "dest": str(work), "url": None, "commit": commit, "branch": "main", "version": "main", "uncommitted": snapshot,
        "submodules": True, "lfs": False, "stamp": None, "stamp_wanted": None,
    }  # fmt: skip
    checkout = repos.Checkout(item, False, str(tmp_path))
    checkout.work()
    assert checkout.changed
    assert (work / "file.bat").read_bytes() == after


@pytest.mark.parametrize(
    "url, said",
    [
        ("https://ada:secret@example.org/x", "https://example.org/x"),
        ("https://ghp_token@example.org/x", "https://example.org/x"),
        ("https://ada:p@ss@example.org/x", "https://example.org/x"),
        ("ssh://git@example.org/x@y", "ssh://git@example.org/x@y"),
        ("ssh://git:secret@example.org/x", "ssh://example.org/x"),
        ("git@example.org:x", "git@example.org:x"),
    ],
)
def test_credentials_of_a_url_are_not_shown(url, said):
    assert _urls.without_login(url) == said
