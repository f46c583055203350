# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of which environments were made."""

from __future__ import annotations

import os

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment._ledger import Ledger


def test_an_entry_is_kept_beside_the_others(tmp_path):
    (tmp_path / ".rented").mkdir()
    Ledger(str(tmp_path)).write("/a", "working", True, {})
    Ledger(str(tmp_path)).write("/b", "ready", False, {"/x": ["folder", "digest"]})
    known = Ledger(str(tmp_path))
    assert known.entry("/a") == {"state": "working", "made": True, "built": {}}
    assert known.built("/b") == {"/x": ["folder", "digest"]} and known.built("/nowhere") == {}
    assert (tmp_path / ".rented" / "environments.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "[]", "7", "{", '{"/a": 7}', '{"/a": {"built": []}}'])
def test_a_file_of_another_shape_knows_nothing(tmp_path, content):
    (tmp_path / ".rented").mkdir()
    (tmp_path / ".rented" / "environments.json").write_text(content)
    assert not Ledger(str(tmp_path)).entry("/a").get("state") and Ledger(str(tmp_path)).built("/a") == {}


def test_what_is_not_a_file_is_not_waited_for(tmp_path):
    (tmp_path / ".rented").mkdir()
    os.mkfifo(tmp_path / ".rented" / "environments.json")
    assert Ledger(str(tmp_path)).entries() == {}
