# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads at the end of a run."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._show import _summary

SHM = {"name": "shm", "result": "fail", "required": False, "cause": "/dev/shm has 64 MiB."}
ECC = dict(SHM, name="ecc", cause="GPU 0 has 2 uncorrectable ECC errors.")


def role(changed=False, asked=(), seconds=1.5):
    return {"seconds": seconds, "executions": 1, "changed": changed, "asked": list(asked)}


def variables(run=None, made=None, gates=(), **more):
    facts = {"rented": {"gates": list(gates), "ready": {"made": made or {}}}, "rented_run": run or {}}
    return dict({"ansible_facts": facts, "rented_gpu_model": "RTX 4090", "rented_price_per_hour": 0.4}, **more)


MADE = {"repos:homework": {"says": "homework"}, "repos:old": {"says": "old"}, "python_env": {"says": "Python 3.13.5, 53 packages"}}


def test_what_earlier_runs_left_is_not_shown_as_made_ready():
    run = {"repos": role(asked=["repos:homework"]), "python_env": role(changed=True, asked=["python_env"])}
    found = _summary.row("a", variables(run, MADE), "", "", False)
    assert found["made ready"] == "Python 3.13.5, 53 packages (new); homework (as it was)"
    assert _summary.row("a", variables({"ready": role()}, MADE), "", "", False)["made ready"] == ""


def test_a_check_says_what_would_change():
    found = _summary.row("a", variables({"repos": role(True, ["repos:homework"])}, MADE), "", "", True)
    assert (found["ready"], found["made ready"]) == ("checked", "homework (would change)")


def test_a_run_without_repository_packages_and_data_is_told_apart():
    assert not _summary.asked_for_work(variables({"ready": role(asked=["ready"]), "tmux": role(asked=["tmux"])}))
    assert _summary.asked_for_work(variables({"data_sync": role(asked=["data_sync:x"])}))
    assert not _summary.asked_for_work({})


def test_a_host_that_failed_says_why_and_keeps_no_old_success():
    found = _summary.row("a", variables(None, MADE, [SHM]), "no login.", "", False)
    assert (found["ready"], found["cause"], found["made ready"], found["notes"]) == ("FAILED", "no login.", "", [])


def test_what_every_container_lacks_is_a_note_and_no_part_of_the_verdict():
    found = _summary.row("a", variables(gates=[SHM, ECC]), "", "", False)
    assert found["ready"] == "yes, but see ecc"
    assert found["notes"] == ["shm: /dev/shm has 64 MiB."]
    said = _summary.lines([dict(found, host=name) for name in "abc"], 80)
    assert said.count("Note on all hosts: shm: /dev/shm has 64 MiB.") == 1


@pytest.mark.parametrize("width", [40, 60, 79, 80, 120, 250])
@pytest.mark.parametrize("count", [1, 5, 50])
def test_the_lines_fit_the_terminal(width, count):
    made = {"python_env": {"says": "Python 3.13.5, 53 packages, and a rather long list of other things that were made ready here"}}
    names = ["vast-%07d" % number for number in range(count)]
    run = {"python_env": role(True, ["python_env"])}
    rows = [_summary.row(name, variables(run, made, gates=[SHM], rented_gpu_count=8), "", "", False) for name in names[1:]]
    rows.append(_summary.row(names[0], variables(), "did not let us in within 300 s; " * 4, "", False))
    said = _summary.lines(rows, width, 125)
    assert max(map(len, said)) <= width
    assert any(line.startswith(names[0]) and "FAILED" in line for line in said)
    assert "not ready: did not let us in" in " ".join(" ".join(said).split())


def test_many_failures_do_not_fill_the_screen():
    rows = [_summary.row("h%d" % number, variables(), "gone.", "", False) for number in range(50)]
    said = _summary.lines(rows, 80)
    assert sum("is not ready" in line for line in said) == 10
    assert "40 more are not ready; their causes are above." in said


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("a (192.0.2.1, port 22) did not let us in within 12 s; ssh said: x. Check that.", "did not let us in within 12 s; ssh said: x."),
        ("1 gate failed: driver: 1 x H100 is rented, but nothing is there. Destroy it.", None),
        ("one\ntwo\x1b[2J", "one two\\x1b[2J."),
        ("", "."),
        ("x" * 500, None),
    ],
)
def test_a_cause_is_one_short_line(message, expected):
    found = _summary.brief(message, "a")
    assert "\n" not in found and len(found) <= _summary.LONGEST_CAUSE + 1
    assert expected is None or found == expected


def test_the_duration_is_that_of_the_clock():
    assert _summary.lines([_summary.row("a", variables({"ready": role()}), "", "", False)], 80, 125.2)[-1] == (
        "The run took 2 min 5 s. Seconds are the work for one host."
    )
