# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instances a run leaves out, and which of them it waits for."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _left_out


def record(number=314, state="pending", label="ws-1", **more):
    name = "vast-%s" % number
    groups = ["rented", "provider_vast", "state_" + state, "label_ws_1"]
    return dict({"name": name, "provider": "vast", "label": label, "state": state, "state_raw": "loading", "groups": groups}, **more)


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        (None, True),
        ("", True),
        ("all", True),
        ("rented", True),
        ("vast-314", True),
        ("ws-1", True),
        ("vast-*", True),
        ("label_ws_1,label_ws_2", True),
        ("label_ws_1:&provider_vast", True),
        ("rented:!label_ws_1", False),
        ("!label_ws_1", False),
        ("label_ws_2", False),
        ("rented,&provider_gcp", False),
        ("@failed", False),
        (["vast-1", "vast-314"], True),
        (5, True),
    ],
)
def test_a_host_pattern_chooses_an_instance_as_it_would_choose_the_host(pattern, chosen):
    assert _left_out.matches(record(), pattern) is chosen


def test_only_those_that_the_run_would_choose_are_told_and_waited_for():
    variables = {"rented_left_out": [record(), record(7, label="other", groups=["rented"])], "rented_hosts": "label_ws_1"}
    assert [entry["name"] for entry in _left_out.loading(variables)] == ["vast-314"]
    assert _left_out.loading(dict(variables, ansible_limit="vast-7")) == []


def test_a_loading_instance_is_told_with_both_ways_out():
    (sentence,) = _left_out.sentences({"rented_left_out": [record()]})
    assert sentence == "1 is still loading (vast-314 (ws-1)): run the same command again in a minute, or add -e wait=true."


def test_other_states_are_told_by_their_name_and_many_are_abbreviated():
    found = [record(number, state="stopped", label=None) for number in range(9)]
    (sentence,) = _left_out.sentences({"rented_left_out": found})
    assert sentence.startswith("9 are in the state 'stopped' (vast-0, vast-1") and sentence.endswith("and 4 more).")


@pytest.mark.parametrize("value", [None, "text", 5, [1, None, "x", {}], {"name": "x"}, [{"state": "pending"}]])
def test_a_variable_of_another_shape_is_no_record(value):
    assert _left_out.sentences({"rented_left_out": value}) == []


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"wait": "true"}, True),
        ({"wait": True}, True),
        ({"rented_wait": "yes"}, True),
        ({"rented_wait": False, "wait": True}, False),
        ({"wait": "no"}, False),
        ({"wait": ["x"]}, False),
    ],
)
def test_waiting_is_wanted_under_both_names(variables, wanted):
    assert _left_out.wanted(variables) is wanted
