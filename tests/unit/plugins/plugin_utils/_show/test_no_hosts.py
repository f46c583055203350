# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why there is no host: one message for each cause."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._show import _no_hosts


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(_no_hosts, "_FAILED", {})


def test_the_error_of_an_inventory_is_repeated_until_it_is_mended(tmp_path):
    path = str(tmp_path / "rented.yml")
    _no_hosts.remember(path, "No key.\x1b[2J\nmore\n")
    assert "rented.yml: No key.\\x1b[2J" in _no_hosts.no_instance([path]) and "more" not in _no_hosts.no_instance([path])
    _no_hosts.forget(path)
    assert "No key" not in _no_hosts.no_instance([path])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plugin: x\nstates:\n\t- running\n", "rented.yml: line 3 is not YAML: it has a tab"),
        ("plugin: x\nstates: [running\nquery: x\n", "rented.yml: line 3 is not YAML: "),
        ("plugin: \0\n", "rented.yml: it cannot be read as YAML."),
        ("plugin: x\n", "There is no instance: rented.yml was read, and lists no host in the group 'rented'."),
        ("plugin: x\nkey: !vault |\n  1\n", "There is no instance: rented.yml was read"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_with_its_line(tmp_path, text, said):
    path = tmp_path / "rented.yml"
    path.write_text(text)
    assert said in _no_hosts.no_instance([str(path)])


def test_no_inventory_and_one_that_does_not_exist():
    assert "no inventory was given" in _no_hosts.no_instance(None)
    assert "no inventory was given" in _no_hosts.no_instance(["localhost,"])
    assert "no inventory was given" in _no_hosts.no_instance(["/etc/ansible/hosts-that-are-not-there"][:0])
    assert "The inventory /nothing/rented.yml does not exist." in _no_hosts.no_instance(["/nothing/rented.yml"])


def test_a_pattern_without_hosts_names_the_nearest_group_or_all():
    groups = {"all": ["box"], "ungrouped": [], "label_homework": ["box"], "rented": ["box"]}
    assert _no_hosts.no_match("label_homwork", groups).endswith("Did you mean 'label_homework'?")
    assert _no_hosts.no_match("bx", groups).endswith("Did you mean 'box'?")
    assert _no_hosts.no_match("quite different", groups).endswith("There are: label_homework, box, rented.")
    assert _no_hosts.no_match("x", {"all": [], "ungrouped": []}).endswith("because the inventory is empty.")
    assert "CANARY" not in _no_hosts.no_match("https://a:CANARY@b", groups)


def test_an_inventory_with_another_name_is_recognised(tmp_path):
    path = tmp_path / "mine.yml"
    for text, found in (
        ("plugin: rented.gpu.instances\n", True),
        ("plugin: 'rented.gpu.instances'\n", True),
        ("all: {}\n", False),
        ("\xff", False),
    ):
        path.write_bytes(text.encode("latin-1"))
        assert _no_hosts.names_plugin(str(path), "rented.gpu.instances") is found
    assert not _no_hosts.names_plugin(str(tmp_path / "none.yml"), "rented.gpu.instances")
