# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What paths and items of users mean."""

from __future__ import annotations

import os
import types

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure

FACTS = {"home": "/home/ada", "workdir": "/workspace"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("data", "/workspace/data"),
        ("./data/", "/workspace/data"),
        ("~/data", "/home/ada/data"),
        ("~", "/home/ada"),
        ("/data/x/", "/data/x"),
    ],
)
def test_paths_on_the_host(written, meant):
    assert _paths.on_host(written, FACTS) == meant


def test_paths_on_the_controller(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert _paths.on_controller("data/../x/") == os.path.join(str(tmp_path), "x")
    assert _paths.on_controller("~/x") == os.path.join(os.path.expanduser("~"), "x")


def test_a_stamp_has_one_name_per_place_and_no_slash():
    assert _paths.stamp_name("repos", "code/x/") == _paths.stamp_name("repos", "code//x") == "repos.code%2Fx"


def test_the_stamp_of_a_long_place_is_the_name_of_a_file(tmp_path):
    places = ["数据/" * 20 + name for name in ("训练", "测试")]
    names = [_paths.stamp_name("data_sync", place) for place in places]
    for name in names:
        _stamps.write(str(tmp_path), name, "w", {})
    assert sorted(_stamps.read_all(str(tmp_path))) == sorted(names) and len(set(names)) == 2


def spec(*names):
    return {name: {"type": "str"} for name in names}


def test_items_are_completed_and_checked():
    assert _paths.check_items("v", ["~/x", {"src": "y", "dest": "z"}], spec("src", "dest"), ["src"]) == [
        {"src": "~/x", "dest": None},
        {"src": "y", "dest": "z"},
    ]
    with pytest.raises(Failure, match=r"v, item 2 has the key 'dst', which does not exist\. Did you mean 'dest'"):
        _paths.check_items("v", [{"src": "x"}, {"src": "y", "dst": "z"}], spec("src", "dest"), ["src"])
    with pytest.raises(Failure, match="give src or url"):
        _paths.check_items("v", [{"dest": "z"}], spec("src", "url", "dest"), ["src", "url"])
    with pytest.raises(Failure, match="has to be a dictionary"):
        _paths.check_items("v", [7], spec("src"), ["src"])


def test_sizes_are_for_people():
    assert [_paths.size(number) for number in (0, 999, 1500, 2_500_000, 3e12)] == ["0 B", "999 B", "1.5 kB", "2.5 MB", "3.0 TB"]


def test_two_items_with_one_place_on_the_host_are_refused():
    _paths.check_dests("v", [types.SimpleNamespace(path="/a"), types.SimpleNamespace(path="/a/b")])
    with pytest.raises(Failure, match=r"v, items 1 and 3 have the same dest, /a"):
        _paths.check_dests("v", [types.SimpleNamespace(path="/a"), types.SimpleNamespace(path="/b"), types.SimpleNamespace(path="/a")])
