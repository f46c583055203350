# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._host import _proof

FACTS = {
    "gates": [{"name": "driver", "result": "pass", "value": "550", "seconds": 0.1}],
    "gpu": {"driver": "550.54", "simulated": True},
    "os": {"id": "debian", "version_id": "12"},
    "tools": {"git": {"path": "/usr/bin/git", "version": "2.39.5"}, "rsync": None},
}
VARIABLES = {"inventory_hostname": "box", "rented_provider": "rehearsal", "rented_id": "7"}


def build(**changes):
    facts = dict(FACTS, **changes)
    return _proof.build(
        VARIABLES, facts, {"ready": {"seconds": 1.0, "executions": 1, "changed": True}}, {"ansible-core": "2.19.14"}, "2026-11-21T05:00:00Z"
    )


def gate(result, required=True):
    return [{"name": "driver", "result": result, "required": required, "value": "550", "seconds": 0.1}]


def test_a_failed_required_gate_is_not_ready():
    assert build(gates=gate("fail"))["ready"] is False


def test_failed_advice_and_skipped_gates_are_ready():
    assert build(gates=gate("fail", required=False))["ready"] is True
    assert build(gates=gate("skip"))["ready"] is True


def test_a_simulated_gpu_is_called_so():
    assert build()["simulated"] is True


def test_versions_are_those_found_and_those_made():
    proof = _proof.add_made(build(), {"python_env": {"data": {"versions": {"torch": "2.9.0"}}}})
    assert proof["versions"]["git"] == "2.39.5"
    assert proof["versions"]["torch"] == "2.9.0"
    assert "rsync" not in proof["versions"]


def test_clocks_and_moving_readings_are_no_change():
    old = build()
    new = dict(build(gates=[dict(FACTS["gates"][0], value="551", seconds=9)]), at="2027-01-01T00:00:00Z", roles={})
    assert _proof.same(old, new)


def test_a_price_that_moves_is_no_change():
    cheaper = dict(build(), instance=dict(build()["instance"], price_per_hour=0.1))
    assert _proof.same(build(), cheaper)
    assert not _proof.same(build(), dict(build(), instance=dict(build()["instance"], id="8")))


def test_another_verdict_or_version_is_a_change():
    assert not _proof.same(build(), build(gates=gate("fail")))
    assert not _proof.same(build(), build(gpu={"driver": "580.1", "simulated": True}))
    assert not _proof.same(None, build())
