# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads before the first login."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._show import _plan


def host(price=0.4, provider="vast", **more):
    return dict(
        {"rented_provider": provider, "rented_gpu_model": "RTX 4090", "rented_gpu_count": 1, "rented_price_per_hour": price}, **more
    )


def plan(hosts, known=(), width=80, looks_only=False, chosen=None, **variables):
    names = list(chosen or hosts)
    task_vars = dict(variables, ansible_play_hosts_all=names, hostvars=hosts, groups={"rented": list(hosts)})
    return _plan.lines(task_vars, width, lambda name: name in known, looks_only)


def test_one_host_is_named_with_label_gpu_and_price():
    assert plan({"vast-1": host(rented_label="homework")}, known=["vast-1"]) == [
        "Preparing 1 host, $0.40 per hour:",
        "vast-1 (homework, RTX 4090, $0.40).",
    ]


def test_the_prices_of_several_are_added_and_an_unknown_one_is_told():
    said = plan({"a": host(0.4), "b": host(1.1, rented_gpu_count=2), "c": host(None)}, known=["a", "b", "c"])
    assert said[0] == "Preparing 3 hosts, $1.50 per hour together (the price of 1 is not known):"
    assert "b (2 x RTX 4090, $1.10)" in " ".join(said)


def test_adopted_hosts_and_those_of_others_are_named_as_such():
    said = " ".join(" ".join(plan({"mine": host(), "lab": host(None, provider="adopted"), "whose": host()}, known=["mine", "lab"])).split())
    assert "lab (RTX 4090, adopted)" in said
    assert "whose (RTX 4090, $0.40, first time from this computer)" in said
    assert "mine (RTX 4090, $0.40);" in said
    assert "--limit mine, or -e rented_hosts=label_NAME" in said


def test_what_a_limit_leaves_out_is_named():
    said = plan({"a": host(), "b": host()}, chosen=["a"], ansible_limit="a")
    assert "Left out by --limit or rented_hosts: b." in said


def test_what_is_still_loading_is_named():
    record = {"name": "vast-314", "state": "pending", "label": None, "groups": ["rented"]}
    said = " ".join(" ".join(plan({"a": host()}, rented_left_out=[record])).split())
    assert "Left out: 1 is still loading (vast-314): run the same command again in a minute, or add -e wait=true." in said


@pytest.mark.parametrize("count", [2, 8, 9, 50, 500])
@pytest.mark.parametrize("width", [40, 79, 80, 200])
def test_the_lines_fit_the_terminal_and_many_hosts_are_abbreviated(count, width):
    hosts = {"vast-%07d" % number: host(rented_label="workshop-%d" % number) for number in range(count)}
    said = plan(hosts, width=width)
    assert max(map(len, said)) <= width
    assert len(said) <= (40 if width == 40 else 12)
    assert "%d hosts, $%.2f per hour together" % (count, count * 0.4) in " ".join(" ".join(said).split())


def test_a_run_that_only_looks_says_so():
    assert plan({"a": host()}, looks_only=True)[0].startswith("Looking at 1 host")


def test_hosts_of_an_inventory_of_their_own_are_not_listed():
    assert plan({"lab-1": {}, "lab-2": {}}) == []


def test_a_label_cannot_move_the_cursor():
    assert "\x1b" not in "".join(plan({"a": host(rented_label="x\x1b[2J\nevil")}))


def test_a_localhost_that_no_inventory_lists_is_no_host_to_describe():
    assert _plan.lines({"ansible_play_hosts_all": ["localhost"], "hostvars": {}}, 80, bool) == []
