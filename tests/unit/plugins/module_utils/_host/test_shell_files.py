# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _shell_files as files


@pytest.mark.parametrize("text", ["", "mine\n", "no newline at the end", "#!/bin/sh\nmine\n"])
@pytest.mark.parametrize("top", [True, False])
def test_a_block_is_added_once_and_nothing_else_changes(text, top):
    once = files.with_block(text, "x", ["line"], top)
    assert files.with_block(once, "x", ["line"], top) == once
    assert once.replace(files.with_block("", "x", ["line"]), "").rstrip("\n") == text.rstrip("\n")
    assert once.startswith("#!") == text.startswith("#!")


def test_top_comes_before_what_returns_early():
    text = "case $- in *i*) ;; *) return;; esac\n"
    edited = files.with_block(text, "x", ["line"], top=True)
    assert edited.index("line") < edited.index("return")


def test_a_changed_block_stays_where_it_is():
    text = files.with_block("a\n", "x", ["old"]) + "b\n"
    assert files.with_block(text, "x", ["new"], top=True) == files.with_block("a\n", "x", ["new"]) + "b\n"


def test_names_that_begin_alike_are_two_blocks():
    text = files.with_block(files.with_block("", "python_env", ["one"], True), "python_env again", ["two"])
    assert text.count("one") == text.count("two") == 1
    assert files.with_block(text, "python_env", ["one"], True) == text


def test_writing_keeps_mode_links_and_bytes(tmp_path):
    real = tmp_path / "dotfiles"
    real.write_bytes(b"caf\xe9\n")
    real.chmod(0o600)
    link = tmp_path / ".bashrc"
    link.symlink_to(real)
    files.write(str(link), files.read(str(link)) + "more\n")
    assert link.is_symlink()
    assert real.read_bytes() == b"caf\xe9\nmore\n"
    assert stat.S_IMODE(os.stat(str(real)).st_mode) == 0o600
    assert sorted(os.listdir(str(tmp_path))) == [".bashrc", "dotfiles"]
