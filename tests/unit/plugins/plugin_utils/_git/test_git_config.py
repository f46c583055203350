# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A push to this machine beside a git configuration that has an opinion, setting by setting; with the real git."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._data import _rsync
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _git_config, _repository
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _commands, _local_host


class Local:
    transport = "local"


def git(folder, *arguments) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ, HOME="/nonexistent")).stdout.strip()


@pytest.fixture
def repo(tmp_path):
    path = tmp_path / "work"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "a.txt").write_text("a\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "Begin")
    return path


def sent(repo, dest) -> str:
    """All that the controller does with a checkout; returns what arrived."""
    repository = _repository.Repository(str(repo), "work")
    source = repository.source(None)
    repository.push(_commands.reach(Local(), {}), str(dest), ["+%s:%s" % (source.commit, _repository.INCOMING)])
    assert git(dest, "rev-parse", _repository.INCOMING) == source.commit
    return source


# On the controller and, because the host is this machine, on the host too.
OPINIONS = {
    "url.*.insteadOf": '[url "https://127.0.0.1:1/"]\n insteadOf = ssh://\n',
    "url.*.pushInsteadOf": '[url "https://127.0.0.1:1/"]\n pushInsteadOf = ssh://rented-\n',
    "protocol.ssh.allow": '[protocol "ssh"]\n allow = never\n',
    "protocol.*allow": "[protocol]\n allow = never\n",
    "core.sshCommand": "[core]\n sshCommand = false\n",
    "ssh.variant": "[ssh]\n variant = plink\n",
    "core.hooksPath": "[core]\n hooksPath = %(hooks)s\n",
    "core.fsmonitor": "[core]\n fsmonitor = %(hooks)s/pre-push\n",
    "core.splitIndex": "[core]\n splitIndex = true\n",
    "core.safecrlf": "[core]\n safecrlf = true\n autocrlf = true\n",
    "core.useReplaceRefs": "[core]\n useReplaceRefs = true\n",
    "safe.bareRepository": "[safe]\n bareRepository = explicit\n",
    "log.showSignature": "[log]\n showSignature = true\n",
    "submodule.recurse": "[submodule]\n recurse = true\n",
    "push.gpgSign": "[push]\n gpgSign = true\n",
    "push.pushOption": "[push]\n pushOption = ci.skip\n",
    "push.negotiate": "[push]\n negotiate = true\n",
    "push.followTags": "[push]\n followTags = true\n",
    "push.recurseSubmodules": "[push]\n recurseSubmodules = only\n",
    "status.showUntrackedFiles": "[status]\n showUntrackedFiles = no\n",
    "diff.ignoreSubmodules": "[diff]\n ignoreSubmodules = all\n",
    "color.push": "[color]\n push = always\n",
    "color.transport": "[color]\n transport = always\n",
    "color.remote": "[color]\n remote = always\n",
    "color.advice": "[color]\n advice = always\n",
    "color.ui": "[color]\n ui = always\n",
    "receive.denyNonFastForwards": "[receive]\n denyNonFastForwards = true\n",
    "receive.fsckObjects": "[receive]\n fsckObjects = true\n",
    "transfer.fsckObjects": "[transfer]\n fsckObjects = true\n",
    "receive.hideRefs": "[receive]\n hideRefs = refs\n",
    "transfer.hideRefs": "[transfer]\n hideRefs = refs/rented\n",
    "receive.maxInputSize": "[receive]\n maxInputSize = 1\n",
    "receive.autogc": "[receive]\n autogc = true\n[gc]\n auto = 1\n autoDetach = true\n",
    "init.templateDir": "[init]\n templateDir = %(template)s\n",
    "init.defaultBranch": "[init]\n defaultBranch = a..b\n",
    "init.defaultObjectFormat": "[init]\n defaultObjectFormat = sha256\n",
    "init.defaultRefFormat": "[init]\n defaultRefFormat = reftable\n",
    "commit.gpgSign": "[commit]\n gpgSign = true\n[gpg]\n program = false\n",
}


@pytest.mark.parametrize("pattern", OPINIONS)
def test_a_setting_that_is_neutralised_has_no_say(repo, tmp_path, monkeypatch, pattern):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "pre-receive", "post-index-change"):
        (hooks / name).write_text("#!/bin/sh\necho no; exit 1\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "template" / "hooks").mkdir(parents=True)
    (tmp_path / "template" / "hooks" / "update").write_text("#!/bin/sh\nexit 1\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(OPINIONS[pattern] % {"hooks": hooks, "template": tmp_path / "template"})
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    git(repo, "tag", "-a", "v1", "-m", "One")
    (repo / "new.txt").write_bytes(b"mixed\r\nends\n")
    source = sent(repo, tmp_path / "dest")
    assert source.uncommitted == ["new.txt"]
    assert git(tmp_path / "dest", "for-each-ref", "--format=%(refname)") == _repository.INCOMING
    assert not (tmp_path / "dest" / ".git" / "hooks").exists()
    # Uncommitted work, and a history that was rewritten.
    (tmp_path / "objects").mkdir()
    before = sorted(os.listdir(repo / ".git"))
    commit, environment = _repository.Repository(str(repo), "work").snapshot(source, str(tmp_path / "objects"))
    refs = ["+%s:%s" % (commit, _repository.UNCOMMITTED)]
    _repository.Repository(str(repo), "work").push(_commands.reach(Local(), {}), str(tmp_path / "dest"), refs, environment)
    assert sorted(os.listdir(repo / ".git")) == before
    git(repo, "commit", "-q", "--amend", "-m", "Rewritten")
    sent(repo, tmp_path / "dest")


def test_each_neutralised_setting_is_tried_above():
    assert sorted(OPINIONS) == sorted(row.pattern for row in _git_config.TABLE if row.verdict == _git_config.NEUTRALISED)


def test_a_bare_repository_is_named_by_the_user_and_taken(repo, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"))
    (tmp_path / ".gitconfig").write_text("[safe]\n bareRepository = explicit\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sent(tmp_path / "bare.git", tmp_path / "dest").branch == "main"


def test_every_setting_of_the_installed_git_is_in_the_table():
    names = [
        line for line in subprocess.run(["git", "help", "-c"], capture_output=True, text=True, check=True).stdout.split("\n") if "." in line
    ]
    names = [name for name in names if " " not in name]
    assert len(names) > 500
    assert [name for name in names if _git_config.setting(name) is None] == []


def test_variables_of_the_environment_do_not_steer_git_on_the_host(repo, tmp_path, monkeypatch):
    for name, value in {
        "GIT_DIR": "/nowhere",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_TEMPLATE_DIR": "/nowhere",
        "GIT_CONFIG_COUNT": "x",
    }.items():
        monkeypatch.setenv(name, value)
    # As an image of the host would set them: for the shell there.
    monkeypatch.setattr(
        _commands.Here,
        "words",
        lambda self: ["/bin/sh", "-c", 'export GIT_DIR=/nowhere GIT_DEFAULT_HASH=sha256 GIT_CONFIG_COUNT=x; eval "$1"', "x"],
    )
    sent_to = tmp_path / "dest"
    repository = _repository.Repository(str(repo), "work")
    commit = repository.source(None).commit
    repository.push(_commands.reach(Local(), {}), str(sent_to), ["+%s:%s" % (commit, _repository.INCOMING)])
    for name in ("GIT_DIR", "GIT_DEFAULT_HASH", "GIT_TEMPLATE_DIR", "GIT_CONFIG_COUNT"):
        monkeypatch.delenv(name)
    assert git(sent_to, "rev-parse", _repository.INCOMING) == commit


def test_a_repository_with_sha256_is_made_so_on_the_host_and_told_where_it_does_not_fit(repo, tmp_path):
    (tmp_path / "new").mkdir()
    git(tmp_path / "new", "init", "-q", "-b", "main", "--object-format=sha256")
    git(tmp_path / "new", "commit", "-q", "--allow-empty", "-m", "Begin")
    sent(tmp_path / "new", tmp_path / "dest")
    assert git(tmp_path / "dest", "rev-parse", "--show-object-format") == "sha256"
    sent(repo, tmp_path / "other")
    with pytest.raises(Failure, match="names its objects in another way"):
        sent(tmp_path / "new", tmp_path / "other")


def test_a_partial_clone_is_refused_before_anything_and_taken_once_it_is_whole(repo, tmp_path):
    (repo / "a.txt").write_text("b\n")
    git(repo, "commit", "-q", "-a", "-m", "Change")
    git(repo, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "-q", "--filter=blob:none", "file://%s" % repo, str(partial))
    with pytest.raises(Failure, match=r"lacks 1 objects .* fetch --refetch --no-filter"):
        sent(partial, tmp_path / "dest")
    git(partial, "fetch", "-q", "--refetch", "--no-filter")
    sent(partial, tmp_path / "dest")


def test_an_agreed_setting_of_rsync_has_no_say(tmp_path, monkeypatch):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("1")
    (tmp_path / ".popt").write_text("rsync alias -r --no-such-option\nrsync alias --stats --no-such-option\n")
    for name, value in {
        "HOME": str(tmp_path),
        "RSYNC_ICONV": "utf8,latin1",
        "RSYNC_OLD_ARGS": "1",
        "RSYNC_PARTIAL_DIR": "x",
        "RSYNC_RSH": "false",
        "RSYNC_MAX_ALLOC": "1",
        "RSYNC_COMPRESS_LIST": "none",
    }.items():
        monkeypatch.setenv(name, value)
    assert _rsync.send(_commands.reach(Local(), {}), str(tmp_path / "source"), str(tmp_path / "dest"), [], False).files == 1
    assert _local_host.inside(str(tmp_path / "dest" / "a"), str(tmp_path / "dest"))
