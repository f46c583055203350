# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`rented_extra_roles`: which names are roles."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _role_lists

ROLES = pathlib.Path(__file__).resolve().parents[5] / "roles"


@pytest.mark.parametrize("value", [None, "", [], ()])
def test_nothing_is_an_empty_list(value):
    assert _role_lists.check_extra(value) == []


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A role in the folder where one works."""
    folder = tmp_path / "roles" / "lab"
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "main.yml").write_text("[]\n")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_path_and_a_role_of_a_collection_are_found(lab, monkeypatch):
    assert _role_lists.check_extra(["roles/lab"]) == ["roles/lab"]
    assert _role_lists.check_extra([str(lab)]) == [str(lab)]
    assert _role_lists.check_extra("roles/lab") == ["roles/lab"]
    monkeypatch.setattr(_role_lists, "CORE", ())
    assert _role_lists.check_extra(["rented.gpu.tmux"]) == ["rented.gpu.tmux"]


def test_a_folder_without_tasks_is_not_a_role(lab):
    for name in (".", "roles", str(lab.parent)):
        with pytest.raises(RentedError, match=r"is not a role: it has neither tasks/main.yml nor meta/main.yml"):
            _role_lists.check_extra([name])


def test_a_role_that_is_named_twice_is_refused(lab):
    with pytest.raises(RentedError, match=r"item 2: .* is the same role as item 1"):
        _role_lists.check_extra(["roles/lab", str(lab)])


def test_a_core_role_is_refused_by_its_path_too():
    with pytest.raises(RentedError, match=r"item 1: .* is one of the core roles"):
        _role_lists.check_extra([str(ROLES / "tmux")])


def test_the_optional_roles_among_the_extra_ones(monkeypatch):
    monkeypatch.setattr(_role_lists, "OPTIONAL", ("jupyter", "results"))
    assert _role_lists.optional_in(["roles/lab", "rented.gpu.results"]) == ["results"]
    assert _role_lists.optional_in("rented.gpu.jupyter") == ["jupyter"]
    assert _role_lists.optional_in(7) == _role_lists.optional_in(None) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "has to be a list of role names, not 7"),
        ({"a": 1}, "has to be a list of role names"),
        ({}, "has to be a list of role names"),
        (0, "has to be a list of role names"),
        (False, "has to be a list of role names"),
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
