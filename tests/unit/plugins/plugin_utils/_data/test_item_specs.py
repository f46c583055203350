# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of repos_list and data_sync_items that are wrong are told on the controller; with the real git."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._data import _item_specs
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure


def git(folder, *arguments) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def folder(tmp_path):
    """``work`` is a good repository; its neighbours are not."""
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    git(work, "init", "-q", "-b", "main")
    for text in ("one", "two"):
        (work / "train.py").write_text(text)
        git(work, "add", ".")
        git(work, "commit", "-q", "-m", text)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    git(tmp_path, "clone", "-q", "--depth", "1", "file://%s" % work, "shallow")
    return tmp_path


def written(items, folder) -> list:
    """The items, with the folder in place of ``{}``."""
    return [{key: value.replace("{}", str(folder)) if isinstance(value, str) else value for key, value in item.items()} for item in items]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"src": "{}/missing"}], "does not exist"),
        ([{"src": "{}/plain"}], "is not a git repository"),
        ([{"src": "{}/plain/file"}], "is a file"),
        ([{"src": "{}/empty"}], "has no commit yet"),
        ([{"src": "{}/shallow"}], "is a shallow clone"),
        ([{"src": "{}/work/sub"}], "is a folder inside the repository"),
        ([{"src": "{}/work", "version": "mian"}], "Did you mean 'main'?"),
        ([{"src": "{}/work", "verison": "main"}], "Did you mean 'version'?"),
        ([{"src": "{}/work", "mode": "agnet"}], "Did you mean 'agent'?"),
        ([{"src": "{}/work", "mode": "agent"}], "mode agent is for URLs"),
        ([{"src": "{}/work"}, {"src": "{}/missing"}], "{}/missing does not exist"),
        ([{"src": "{}/work", "lfs": "maybe"}], "lfs has to be true or false"),
        ([{"dest": "x"}], "give src"),
        ([{"src": "https://ada:secret@example.org/x.git"}], "holds a password"),
        ([{"src": "https://ghp_token@example.org/x.git", "mode": "private_key"}], "holds a password or a token"),
        ([{"src": "https://example.org/x.git", "mode": "push"}], "clone it here"),
        ([{"src": "https://example.org/x.git", "uncommitted": True}], "of a local checkout only"),
    ],
)
def test_a_wrong_repository_is_refused(folder, items, said):
    with pytest.raises(Failure) as caught:
        _item_specs.preflight_repos({"repos_list": written(items, folder)})
    assert said.replace("{}", str(folder)) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_submodule_that_is_not_here_is_refused_unless_none_are_wanted(folder):
    git(folder / "work", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(folder / "work"), "libs")
    git(folder / "work", "commit", "-q", "-m", "Add a submodule")
    git(folder, "clone", "-q", str(folder / "work"), "copy")
    item = {"src": str(folder / "copy")}
    with pytest.raises(Failure, match=r"submodule update --init"):
        _item_specs.preflight_repos({"repos_list": [item]})
    _item_specs.preflight_repos({"repos_list": [{**item, "submodules": False}]})


def test_good_repositories_are_taken_and_nothing_of_them_changes(folder):
    before = git(folder / "work", "status", "--porcelain", "--ignored"), git(folder / "work", "for-each-ref")
    _item_specs.preflight_repos({"repos_list": [str(folder / "work"), {"src": str(folder / "work"), "dest": "x", "version": "main"}]})
    _item_specs.preflight_repos({"repos_list": ["https://example.org/x.git", "git@example.org:ada/x.git"], "git_keys_mode": "agent"})
    _item_specs.preflight_repos({})
    _item_specs.preflight_repos({"repos_list": None})
    assert (git(folder / "work", "status", "--porcelain", "--ignored"), git(folder / "work", "for-each-ref")) == before


def test_what_an_entry_of_repos_list_means(folder, monkeypatch):
    monkeypatch.chdir(folder)
    local, url = _item_specs.read_repos(["work", "git@example.org:ada/code.git"], "agent")
    assert (local.url, local.mode, local.dest) == (None, "push", "work")
    assert (url.url, url.mode, url.dest) == ("git@example.org:ada/code.git", "agent", "code")


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"src": "{}/missing", "dest": "x"}], "{}/missing does not exist on this machine"),
        ([{"src": "{}/plain", "dset": "x"}], "Did you mean 'dest'?"),
        ([{"dest": "x"}], "give src or url"),
        ([{"src": "{}/plain", "url": "https://example.org/x", "dest": "x"}], "both src and url"),
        ([{"src": "{}/plain", "checksum": "sha256:00"}], "checksum goes with url only"),
        ([{"url": "https://example.org/x", "dest": "x", "delete": True}], "delete goes with src only"),
        ([{"url": "ftp://example.org/x", "dest": "x"}], "has to begin with https://"),
        ([{"url": "https://example.org/x"}], "give dest"),
        ([{"url": "https://example.org/x", "dest": "x", "checksum": "abc"}], "<algorithm>:<hex digits>"),
        ([{"url": "https://example.org/x", "dest": "x", "checksum": "sha256:abc"}], "64 hex digits"),
        ([{"src": "{}/plain"}, {"src": "{}/missing"}], "data_sync_items, item 2"),
    ],
)
def test_wrong_data_is_refused(folder, items, said):
    with pytest.raises(Failure) as caught:
        _item_specs.preflight_data_sync({"data_sync_items": written(items, folder)})
    assert said.replace("{}", str(folder)) in str(caught.value)


def test_data_to_be_sent_needs_rsync_here_and_a_url_does_not(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    _item_specs.preflight_data_sync({"data_sync_items": [{"url": "https://example.org/x", "dest": "x"}]})
    _item_specs.preflight_data_sync({})
    with pytest.raises(Failure, match=r"needs rsync on this machine"):
        _item_specs.preflight_data_sync({"data_sync_items": [str(folder / "plain")]})
