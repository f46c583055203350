# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stamp of another run that finished while this one waited."""

from __future__ import annotations

import os

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps


def test_a_stamp_of_this_request_is_taken_while_it_is_true(maker, tmp_path):
    watched = tmp_path / "watched"
    watched.write_text("x")
    _stamps.write(str(tmp_path), "python_env", "w", {"files": {str(watched): _stamps.file_digest(str(watched))}}, {"path": "/env"})
    assert maker("", stamp_wanted="w").read_stamp()["data"] == {"path": "/env"}
    assert maker("", stamp_wanted="another").read_stamp() is None
    watched.write_text("y")
    assert maker("", stamp_wanted="w").read_stamp() is None


@pytest.mark.parametrize("content", ["[]", "7", '{"wanted": "w"}', '{"schema": 1, "wanted": "w", "watch": []}', "{"])
def test_a_stamp_of_another_shape_is_not_there(maker, tmp_path, content):
    stamps = tmp_path / ".rented" / "stamps"
    stamps.mkdir(parents=True)
    (stamps / "python_env.json").write_text(content)
    assert maker("", stamp_wanted="w").read_stamp() is None


def test_a_stamp_that_is_not_a_file_is_not_waited_for(maker, tmp_path):
    stamps = tmp_path / ".rented" / "stamps"
    stamps.mkdir(parents=True)
    os.mkfifo(stamps / "python_env.json")
    assert maker("", stamp_wanted="w").read_stamp() is None
