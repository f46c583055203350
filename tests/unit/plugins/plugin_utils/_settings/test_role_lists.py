# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`rented_extra_roles`: which names are roles."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _role_lists


@pytest.mark.parametrize("value", [None, "", [], ()])
def test_nothing_is_an_empty_list(value):
    assert _role_lists.check_extra(value) == []


def test_a_path_and_a_role_of_a_collection_are_found(tmp_path, monkeypatch):
    (tmp_path / "roles" / "lab").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert _role_lists.check_extra(["roles/lab", str(tmp_path / "roles" / "lab")]) == ["roles/lab", str(tmp_path / "roles" / "lab")]
    assert _role_lists.check_extra("roles/lab") == ["roles/lab"]
    monkeypatch.setattr(_role_lists, "CORE", ())
    assert _role_lists.check_extra(["rented.gpu.tmux"]) == ["rented.gpu.tmux"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "has to be a list of role names, not 7"),
        ({"a": 1}, "has to be a list of role names"),
        ([None], "item 1 has to be the name of a role"),
        (["rented.gpu.nothing"], "item 1: there is no role 'rented.gpu.nothing'"),
        (["no.such.collection"], "Install its collection"),
        (["nowhere"], "there is no role 'nowhere'"),
        (["rented.gpu.tmux"], "is one of the core roles, which run anyway"),
    ],
)
def test_what_is_not_a_role_is_refused_with_its_place(value, words):
    with pytest.raises(RentedError) as error:
        _role_lists.check_extra(value)
    assert words in error.value.message and "rented_extra_roles" in error.value.message
