# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider of adopted hosts: what a lease means, and what such a host cannot do from here."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import threading

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import Ambiguous, NotFound, RentedError, Unsupported
from ansible_collections.rented.gpu.plugins.module_utils._providers import _base, adopted
from ansible_collections.rented.gpu.plugins.module_utils._providers.adopted import AdoptedProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _leases
from ansible_collections.rented.gpu.plugins.module_utils._renting._leases import Lease
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import Resource

FIXTURE = json.loads((pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "adopted" / "list_leases.json").read_text())
LEASE = Lease("adopted", "adopted", "192.0.2.1-22", "homework", "192.0.2.1", 22, "root", adopted_at="2026-03-01T10:00:00Z")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_leases_of_the_fixture(home):
    (home / "leases").mkdir(parents=True)
    for number, given in enumerate(FIXTURE["leases"]):
        (home / "leases" / ("adopted-%d.json" % number)).write_text(json.dumps(given))
    listed = {instance.id: instance.as_dict() for instance in AdoptedProvider().list_instances()}
    assert list(listed) == [given["id"] for given in FIXTURE["leases"]]
    for given, expected in zip(FIXTURE["leases"], FIXTURE["expected"]):
        assert {field: listed[given["id"]][field] for field in expected} == expected


def test_it_is_there_when_a_host_was_adopted(home):
    assert not AdoptedProvider.available() and not home.exists()
    _leases.save(LEASE)
    assert AdoptedProvider.available()
    _leases.remove(LEASE)
    assert not AdoptedProvider.available()


def test_a_lease_that_cannot_be_read_fails_the_list(home):
    path = _leases.save(LEASE)
    _leases.save(dataclasses.replace(LEASE, id="other"))
    pathlib.Path(path).write_text("{")
    assert AdoptedProvider.available()
    with pytest.raises(RentedError, match="is not JSON"):
        AdoptedProvider().list_instances()


def test_adopting_changes_the_identity_so_that_no_cache_hides_it():
    before = AdoptedProvider().identity()
    assert AdoptedProvider().identity() == before
    _leases.save(LEASE)
    assert AdoptedProvider().identity() != before


def test_it_takes_neither_key_nor_endpoint():
    with pytest.raises(RentedError, match="takes no api_key"):
        AdoptedProvider(api_key="x")
    with pytest.raises(RentedError, match="have no endpoint"):
        AdoptedProvider(endpoint="https://example.org")
    assert AdoptedProvider(account="a").same_account(AdoptedProvider(account="b"))


def test_it_can_be_renamed_and_nothing_else():
    assert [ability for ability in _base.ABILITIES if AdoptedProvider.can(ability)] == ["label"]
    _leases.save(LEASE)
    outcome = Resource(AdoptedProvider(), name="new", instance_id=LEASE.id).reach("present")
    assert outcome.changed and outcome.instance.label == "new"
    assert not Resource(AdoptedProvider(), name="new", instance_id=LEASE.id).reach("present").changed


@pytest.mark.parametrize(
    ("state", "name", "message"),
    [
        ("absent", "homework", "is rented, and ended, at its owner's web page: end it there to stop paying, then forget it here with"),
        ("present", "another", "is rented, and ended, at its owner's web page"),
        ("stopped", "homework", "is stopped and started at its owner's web page"),
    ],
)
def test_what_it_cannot_do_says_where_it_is_done(state, name, message):
    _leases.save(LEASE)
    with pytest.raises(Unsupported) as caught:
        Resource(AdoptedProvider(), name=name).reach(state)
    assert message in caught.value.message and caught.value.message.count(". ") == 0
    assert _leases.read_all() == [LEASE]


@pytest.mark.parametrize("given", [{"name": "another"}, {"instance_id": "192.0.2.9"}])
def test_destroying_what_is_not_there_is_success_and_says_what_was_not_ended(given):
    """Nobody knows better than the leases; a name with a typing error must not look like a machine that costs nothing any more."""
    _leases.save(LEASE)
    outcome = Resource(AdoptedProvider(), **given).reach("absent")
    (warning,) = outcome.warnings
    assert not outcome.changed
    assert warning.startswith(
        "There is no such instance, and nothing was ended. An adopted host is rented, and ended, at its owner's web page"
    )


def test_nothing_is_awaited_of_a_host_whose_port_ssh_knows():
    _leases.save(dataclasses.replace(LEASE, ssh_port=None))
    resource = Resource(AdoptedProvider(), name="homework", sleep=lambda seconds: pytest.fail("it waits"))
    assert not resource.reach("started").changed


def test_names():
    _leases.save(LEASE)
    _leases.save(dataclasses.replace(LEASE, id="other", label="other"))
    with pytest.raises(Ambiguous, match="already called 'homework'"):
        AdoptedProvider().set_label("other", "homework")
    for wrong in ("", " a", "a\n", "a" * 121, "\x1b[0m"):
        with pytest.raises(RentedError, match="A name has 1 to 120 characters"):
            AdoptedProvider().set_label("other", wrong)
    with pytest.raises(NotFound, match="No adopted host has the id nobody"):
        AdoptedProvider().set_label("nobody", "x")


def test_a_new_name_waits_for_who_is_writing_and_is_given_to_what_is_there_then():
    _leases.save(LEASE)
    with _leases.locked():
        renaming = threading.Thread(target=AdoptedProvider().set_label, args=(LEASE.id, "new"))
        renaming.start()
        renaming.join(0.3)
        assert renaming.is_alive()
        _leases.save(dataclasses.replace(LEASE, note="x"))
    renaming.join(10)
    assert _leases.read_all() == [dataclasses.replace(LEASE, label="new", note="x")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (None, None)),
        ("RTX 4090", (None, "RTX 4090")),
        ("2x RTX 4090", (2, "RTX 4090")),
        ("8×H100", (8, "H100")),
        ("2 RTX 4090", (2, "RTX 4090")),
        ("RTX 4090 x4", (4, "RTX 4090")),
        ("A100 80GB", (None, "A100 80GB")),
        ("0x A100", (None, "0x A100")),
    ],
)
def test_how_many_gpus(text, expected):
    assert adopted.split_count(text) == expected


def test_ids_are_for_people_and_each_machine_has_its_own():
    assert adopted.host_id("192.0.2.1", 12345, ()) == "192.0.2.1-12345"
    assert adopted.host_id("2001:DB8::1", 22, ()) == "2001-db8-1-22"
    assert adopted.host_id("My_GPU", None, {"my_gpu"}) == "my_gpu-2"
    assert adopted.host_id("::", None, ()) == "host"


def test_the_same_address_is_the_same_machine_only_behind_the_same_jump_host():
    assert adopted.same_address(LEASE, "192.0.2.1", None, None)
    assert adopted.same_address(dataclasses.replace(LEASE, ssh_host="Box"), "bOX", 22, None)
    assert not adopted.same_address(LEASE, "192.0.2.1", 23, None)
    assert not adopted.same_address(LEASE, "192.0.2.1", 22, "jump")
    assert not adopted.same_address(Lease("adopted", "adopted", "x"), "192.0.2.1", 22, None)
