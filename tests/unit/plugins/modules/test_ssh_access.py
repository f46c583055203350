# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""known_hosts, git_keys and host_setup, whole, in a home of their own: the modules as Ansible runs them."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps

COLLECTIONS = str(pathlib.Path(_stamps.__file__).absolute().parents[6])  # the folder that holds ansible_collections
ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf"
# Shaped like a key, and none: what matters here is where the text goes.
SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5LCBidXQgaXQgbXVzdCBub3QgYmUgc2Vlbg==\n-----END OPENSSH PRIVATE KEY-----\n"
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def module(home):
    """``module(which, check=False, **arguments)``: the result; what went over argv and to the outputs is in ``module.seen``."""

    def run(which, check=False, **arguments):
        code = "import ansible.module_utils.basic as b; b._ANSIBLE_PROFILE = 'legacy'; "
        code += "from ansible_collections.rented.gpu.plugins.modules import %s as m; m.main()" % which
        given = {"ANSIBLE_MODULE_ARGS": dict(arguments, _ansible_check_mode=check, _ansible_diff=True)}
        path = os.pathsep.join([COLLECTIONS, *filter(None, sys.path)])
        environment = dict(os.environ, HOME=str(home), XDG_CONFIG_HOME=str(home / "none"), PYTHONPATH=path)
        environment.pop("GIT_CONFIG_GLOBAL", None)
        done = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(given), capture_output=True, text=True, env=environment, check=False
        )
        assert done.stdout, done.stderr
        run.seen = done.stdout + done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


def mode(path):
    return stat.S_IMODE(os.stat(str(path)).st_mode)


def key(host, text, **more):
    return dict(more, host=host, key=text)


# --- known_hosts -------------------------------------------------------------------------------------------------


def test_check_mode_predicts_and_writes_nothing(module, home):
    result = module("known_hosts", check=True, keys=[key("github.com", ED)], stamp_wanted="w")
    assert result["changed"] and result["added"] == ["github.com " + ED]
    assert "github.com" in result["diff"]["after"]
    assert list(home.iterdir()) == []


def test_keys_are_pinned_once_with_the_right_modes_and_a_stamp(module, home):
    keys = [key("github.com", ED), key("git.example.org", OTHER, port=2222)]
    assert module("known_hosts", keys=keys, stamp_wanted="w")["changed"]
    path = home / ".ssh" / "known_hosts"
    before = path.read_text()
    assert before.splitlines() == ["github.com " + ED, "[git.example.org]:2222 " + OTHER]
    assert mode(home / ".ssh") == 0o700 and mode(path) == 0o600
    assert not module("known_hosts", keys=keys, stamp_wanted="w")["changed"]
    assert path.read_text() == before
    assert _stamps.read_all(str(home))["known_hosts"]["intact"]
    path.write_text("github.com " + ED + "\n")
    assert not _stamps.read_all(str(home))["known_hosts"]["intact"]


def test_a_conflict_names_the_line_and_changes_nothing(module, home):
    (home / ".ssh").mkdir(mode=0o700)
    path = home / ".ssh" / "known_hosts"
    path.write_text("# mine\ngithub.com %s\n" % OTHER)
    result = module("known_hosts", keys=[key("gitlab.com", OTHER), key("github.com", ED)], stamp_wanted="w")
    assert result["failed"]
    assert "Line 2 of %s" % path in result["msg"]
    assert "ssh-keygen -R 'github.com'" in result["msg"]
    assert path.read_text() == "# mine\ngithub.com %s\n" % OTHER


def test_our_own_line_follows_a_new_key(module, home):
    module("known_hosts", keys=[key("github.com", OTHER)], stamp_wanted="1")
    result = module("known_hosts", keys=[key("github.com", ED)], stamp_wanted="2")
    assert result["changed"] and "replaced" in result["removed"][0]
    assert (home / ".ssh" / "known_hosts").read_text() == "github.com %s\n" % ED


def test_a_link_stays_a_link_and_wide_modes_are_narrowed(module, home):
    (home / "dot").mkdir()
    (home / "dot" / "known").write_text("")
    os.chmod(str(home / "dot" / "known"), 0o666)
    (home / ".ssh").mkdir(mode=0o755)
    os.symlink(str(home / "dot" / "known"), str(home / ".ssh" / "known_hosts"))
    assert module("known_hosts", keys=[key("github.com", ED)])["changed"]
    assert os.path.islink(str(home / ".ssh" / "known_hosts"))
    assert (home / "dot" / "known").read_text() == "github.com %s\n" % ED
    assert mode(home / ".ssh") == 0o700 and mode(home / "dot" / "known") == 0o644


# --- git_keys ------------------------------------------------------------------------------------------------------


@needs_git
def test_the_identity_is_set_once(module, home):
    first = module("git_keys", name="Ada Lovelace", email="ada@example.org")
    assert first["changed"] and "user.name: Ada Lovelace" in first["diff"]["after"]
    assert not module("git_keys", name="Ada Lovelace", email="ada@example.org")["changed"]
    assert "Ada Lovelace" in (home / ".gitconfig").read_text()
    assert not module("git_keys")["changed"], "left out is left as it is"


def test_push_leaves_nothing_on_the_host(module, home):
    assert not module("git_keys", mode="push")["changed"]
    assert list(home.iterdir()) == []


def test_the_key_is_placed_privately_recorded_and_never_shown(module, home):
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "id_ed25519").write_text("the user's own")
    (home / ".ssh" / "config").write_text("Host mine\n    User me\n")
    result = module("git_keys", mode="private_key", content=SECRET, hosts=["github.com"], stamp_wanted="w")
    assert result["changed"]
    path = home / ".ssh" / "rented_git_key"
    assert path.read_text() == SECRET and mode(path) == 0o600
    # D1, D2: not printed, not in the ledger, not over a key of the user; known by path and digest, so that it can be removed.
    assert "bm90IGEga2V5" not in module.seen
    ledger = (home / ".rented" / "secrets.json").read_text()
    assert json.loads(ledger) == {str(path): {"sha256": _stamps.file_digest(str(path))}}
    assert (home / ".ssh" / "id_ed25519").read_text() == "the user's own"
    assert (home / ".ssh" / "config").read_text() == "Include ~/.ssh/rented_config\nHost mine\n    User me\n"
    assert not module("git_keys", mode="private_key", content=SECRET, hosts=["github.com"], stamp_wanted="w")["changed"]
    assert _stamps.read_all(str(home))["git_keys"]["intact"]
    os.chmod(str(path), 0o644)
    assert not _stamps.read_all(str(home))["git_keys"]["intact"]
    assert module("git_keys", mode="private_key", content=SECRET, hosts=["github.com"], stamp_wanted="w")["changed"]
    assert mode(path) == 0o600


def test_check_mode_places_no_key(module, home):
    assert module("git_keys", check=True, mode="private_key", content=SECRET, stamp_wanted="w")["changed"]
    assert list(home.iterdir()) == []


def test_another_mode_takes_the_key_back(module, home):
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "config").write_text("Host mine\n    User me\n")
    module("git_keys", mode="private_key", content=SECRET, stamp_wanted="w")
    assert module("git_keys", check=True, mode="push")["changed"]
    assert (home / ".ssh" / "rented_git_key").exists()
    assert module("git_keys", mode="push")["changed"]
    assert [path.name for path in (home / ".ssh").iterdir()] == ["config"]
    assert (home / ".ssh" / "config").read_text() == "Host mine\n    User me\n"
    assert json.loads((home / ".rented" / "secrets.json").read_text()) == {}
    assert "git_keys" not in _stamps.read_all(str(home))
    assert not module("git_keys", mode="push")["changed"]


def test_a_key_is_not_written_through_a_link(module, home):
    (home / ".ssh").mkdir(mode=0o700)
    os.symlink(str(home / "elsewhere"), str(home / ".ssh" / "rented_git_key"))
    result = module("git_keys", mode="private_key", content=SECRET, stamp_wanted="w")
    assert result["failed"] and "is a link" in result["msg"]
    assert not (home / "elsewhere").exists()


# --- host_setup ------------------------------------------------------------------------------------------------------


def test_auto_tmux_and_the_work_folder(module, home):
    given = {"auto_tmux_off": True, "workdir": "work/deep", "stamp_wanted": "w"}
    predicted = module("host_setup", check=True, **given)
    assert predicted["changed"] and list(home.iterdir()) == []
    result = module("host_setup", **given)
    assert result["made"] == predicted["made"] == [str(home / "work/deep"), str(home / ".no_auto_tmux")]
    assert (home / "work/deep").is_dir()
    assert not module("host_setup", **given)["changed"]
    (home / "work/deep").rmdir()
    assert not _stamps.read_all(str(home))["ready"]["intact"]


def test_a_work_folder_that_is_a_file_is_refused(module, home):
    (home / "work").write_text("")
    result = module("host_setup", workdir="work", auto_tmux_off=True)
    assert result["failed"] and "is a file" in result["msg"]
    assert not (home / ".no_auto_tmux").exists()


def test_a_package_whose_command_is_there_is_not_missing(module):
    assert module("host_setup", check=True, packages=["tar"])["installed"] == []
