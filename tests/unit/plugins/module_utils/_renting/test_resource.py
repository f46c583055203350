# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Present, started, stopped, absent: over a provider that lives in memory and fails on command."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import fcntl
import re
import threading
import time

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    Ambiguous,
    AuthenticationError,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
    Unsupported,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import CanBid, CanLabel, CanLaunch, CanStop, Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _journal, _ownership
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import OWNER_TAG, Instance, LaunchRequest
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import NotReached, Resource

DOWN = ProviderUnavailable("Acme is down.")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The state directory."""
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


class Listing(Provider):
    """Can only list. ``script`` holds what the next lists do: an error to raise, a function to call before, or None."""

    NAME, TITLE = "acme", "Acme"

    def __init__(self, *instances):
        super().__init__()
        self.there = {instance.id: instance for instance in instances}
        self.script = []
        self.did = []

    def list_instances(self):
        self.did.append("list")
        if self.script:
            self.happen(self.script.pop(0))
        return list(self.there.values())

    @staticmethod
    def happen(step):
        if isinstance(step, Exception):
            raise step
        if step:
            step()

    def put(self, number, **changes):
        there = self.there.get(str(number))
        self.there[str(number)] = dataclasses.replace(there, **changes) if there else box(number, **changes)


class Renting(Listing, CanLaunch):
    fails = None  # raised by launch, after (`done`) or instead of renting
    done = False

    def check_request(self, request):
        if request.options:
            raise RentedError("Acme takes no launch option.")

    def launch(self, request):
        self.did.append("launch")
        if self.fails is None or self.done:
            self.put(9, label=request.name, state="pending", ssh_host=None)
        if self.fails:
            raise self.fails
        return "9"

    def destroy(self, instance_id):
        self.did.append("destroy")
        if instance_id in self.there:
            self.put(instance_id, state="stopping")


class Stopping(Renting, CanStop, CanLabel):
    def stop(self, instance_id):
        self.did.append("stop")
        self.put(instance_id, state="stopping")

    def start(self, instance_id):
        self.did.append("start")
        self.put(instance_id, state="pending")

    def set_label(self, instance_id, label):
        self.did.append("label")
        self.put(instance_id, label=label)


class Bidding(Stopping, CanBid):
    bid = 0.2

    def get_bid(self, instance_id):
        return self.bid

    def set_bid(self, instance_id, price_per_hour):
        self.did.append("bid")
        self.bid = price_per_hour
        self.put(instance_id, price_per_hour=price_per_hour)


def box(number, **fields):
    return Instance(
        **{
            "provider": "acme",
            "account": "acme",
            "id": str(number),
            "label": "hw",
            "state": "running",
            "ssh_host": "h",
            "ssh_port": 22,
            **fields,
        }
    )


class Time:
    now = 0.0

    def sleep(self, seconds):
        self.now += seconds


def resource(provider, **arguments):
    moment = Time()
    if arguments.pop("rented_here", True):
        for instance in provider.there.values():
            _ownership.note(instance, "ready")
    request = LaunchRequest(name=arguments.get("name") or "", **arguments.pop("request", {}))
    if "instance_id" not in arguments:
        arguments.setdefault("name", "hw")
        request = dataclasses.replace(request, name=arguments["name"])
    return Resource(provider, request=request, clock=lambda: moment.now, sleep=moment.sleep, **arguments)


def run(provider, when):
    """A step of the script."""
    return lambda: provider.put(9 if "9" in provider.there else 1, **when)


# --- present -----------------------------------------------------------------------------------------------------------


def test_rents_and_waits_until_it_can_be_reached():
    provider = Renting()
    provider.script = [None, None, run(provider, {"state": "running"}), run(provider, {"ssh_host": "h"})]
    outcome = resource(provider).reach("present")
    assert outcome.changed and (outcome.instance.id, outcome.instance.ssh_host) == ("9", "h")
    assert provider.did == ["list", "launch", "list", "list", "list"]
    assert outcome.before == {"state": "absent"} and outcome.after["state"] == "running"


@pytest.mark.parametrize("state", ["pending", "running", "paused", "stopping", "stopped", "error", "unknown"])
def test_never_rents_twice_whatever_the_state(state):
    provider = Renting(box(1, state=state))
    outcome = resource(provider, wait=False).reach("present")
    assert not outcome.changed and outcome.instance.id == "1" and "launch" not in provider.did


def test_a_terminated_one_is_gone():
    provider = Renting(box(1, state="terminated"))
    assert resource(provider, wait=False).reach("present").instance.id == "9"


def test_two_of_the_name_are_an_error_that_names_both():
    provider = Stopping(box(1), box(2), box(3, label="other"))
    for state in ("present", "started", "stopped", "absent"):
        with pytest.raises(Ambiguous, match=r"2 instances at Acme are called 'hw' \(ids 1, 2\). Say which one with 'id'"):
            resource(provider).reach(state)
    assert set(provider.did) == {"list"}
    assert resource(provider, instance_id="2").reach("present").instance.id == "2"


def test_nothing_is_rented_when_the_list_fails():
    provider = Renting()
    provider.script = [DOWN]
    with pytest.raises(ProviderUnavailable):
        resource(provider).reach("present")
    assert provider.did == ["list"]


def test_check_mode_rents_nothing():
    provider = Renting()
    outcome = resource(provider, check=True, request={"gpu": "rtx_4090"}).reach("present")
    assert outcome.changed and outcome.instance.label == "hw" and outcome.instance.gpu_model == "RTX 4090"
    assert outcome.after["gpu_model"] == "RTX 4090" and provider.did == ["list"]


@pytest.mark.parametrize("check", [False, True])
def test_what_cannot_be_rented_is_said_in_check_mode_too(check):
    provider = Renting()
    with pytest.raises(RentedError, match="takes no launch option"):
        resource(provider, check=check, request={"options": {"x": 1}}).reach("present")
    assert provider.did == ["list"]


def test_an_answer_that_was_lost_is_looked_for_in_the_list():
    provider = Renting()
    provider.fails, provider.done = ProviderUnavailable("No answer."), True
    outcome = resource(provider, wait=False).reach("present")
    assert outcome.changed and outcome.instance.id == "9" and "rented nevertheless" in outcome.warnings[0]
    assert provider.did.count("launch") == 1


def test_one_that_shows_up_late_is_found():
    provider = Renting()
    provider.fails = ProviderUnavailable("No answer.")
    provider.script = [None, None, lambda: provider.put(9, state="pending")]
    assert resource(provider, wait=False).reach("present").instance.id == "9"


class Settling(Renting):
    wrong = None

    def settle(self, instance_id, request):
        self.did.append(("settle", instance_id, request.name))
        if self.wrong:
            raise self.wrong


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (None, None, None),
        (PartlyCreated("The key could not be attached.", "9"), PartlyCreated, "The key could not be attached"),
        (DOWN, NotReached, r"Acme is down\. The instance 9 was rented, and may be billed"),
    ],
)
def test_what_was_rented_in_doubt_is_settled_as_any_other(wrong, error, words):
    provider = Settling()
    provider.fails, provider.done, provider.wrong = ProviderUnavailable("No answer."), True, wrong
    if error is None:
        assert resource(provider, wait=False).reach("present").changed
    else:
        with pytest.raises(error, match=words):
            resource(provider, wait=False).reach("present")
    assert provider.did[:4] == ["list", "launch", "list", ("settle", "9", "hw")]


def test_launch_settles_by_itself():
    provider = Settling()
    resource(provider, wait=False).reach("present")
    assert provider.did == ["list", "launch", "list"]


def test_a_request_that_came_to_nothing_says_so():
    provider = Renting()
    provider.fails = ProviderUnavailable("No answer.")
    with pytest.raises(RentedError, match=r"No answer. The list shows no instance 'hw', so nothing was rented"):
        resource(provider).reach("present")
    assert provider.did == ["list", "launch", "list", "list", "list"]


def test_doubt_that_stays_is_told():
    provider = Renting()
    provider.fails = ProviderUnavailable("No answer.")
    provider.script = [None, DOWN]
    with pytest.raises(
        RentedError, match=r"Whether 'hw' was rented is not known, because the list fails too \(Acme is down.\).*may be billed"
    ):
        resource(provider).reach("present")
    assert provider.did.count("launch") == 1


def test_what_is_half_done_is_passed_on():
    provider = Renting()
    provider.fails = PartlyCreated("half", "9")
    with pytest.raises(PartlyCreated):
        resource(provider).reach("present")
    assert provider.did == ["list", "launch"]


def test_a_new_one_that_breaks_is_not_waited_for():
    provider = Renting()
    provider.script = [None, None, run(provider, {"state": "error", "state_raw": "offline"})]
    with pytest.raises(NotReached, match=r"'error' \(offline\).*may be billed") as caught:
        resource(provider).reach("present")
    assert caught.value.instance.id == "9"


def test_time_is_up():
    with pytest.raises(NotReached, match="After 60 s, the instance 9 is not running but 'pending', and may be billed") as caught:
        resource(Renting(), wait_timeout=60).reach("present")
    assert caught.value.instance.id == "9"


def test_one_without_an_address():
    with pytest.raises(NotReached, match="'running', without an address for SSH"):
        resource(Stopping(box(1, ssh_host=None)), wait_timeout=5).reach("started")


def test_it_vanishes_while_it_is_awaited():
    provider = Renting()
    provider.script = [None, None, provider.there.clear]
    with pytest.raises(NotReached, match="vanished"):
        resource(provider).reach("present")


def test_a_new_one_may_be_listed_late():
    provider = Renting()
    provider.script = [None, provider.there.clear, lambda: provider.put(9)]
    assert resource(provider).reach("present").instance.state == "running"


def test_a_list_that_fails_is_waited_out():
    provider = Renting()
    provider.script = [None, DOWN, DOWN, lambda: provider.put(9, state="running", ssh_host="h")]
    assert resource(provider).reach("present").changed


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("error", [AuthenticationError("Acme refused the key."), NotFound("Acme has no such list.")])
def test_what_fails_after_renting_names_what_was_rented(wait, error):
    provider = Renting()
    provider.script = [None, error]
    with pytest.raises(NotReached, match="^%s The instance 9 was rented, and may be billed" % re.escape(str(error))) as caught:
        resource(provider, wait=wait).reach("present")
    assert caught.value.instance.id == "9"
    assert provider.did == ["list", "launch", "list"]  # and such a thing is not waited out


def test_a_list_that_fails_without_waiting_names_what_was_rented():
    provider = Renting()
    provider.script = [None, DOWN]
    with pytest.raises(NotReached, match=r"Acme is down\. The instance 9 was rented, and may be billed") as caught:
        resource(provider, wait=False).reach("present")
    assert caught.value.instance.id == "9"


@pytest.mark.parametrize("steps", [[None] + [DOWN] * 99, [None, None, lambda: None, "clear"]], ids=["never listed", "vanished"])
def test_whatever_ends_the_waiting_says_that_it_may_be_billed(steps):
    provider = Renting()
    provider.script = [provider.there.clear if step == "clear" else step for step in steps]
    with pytest.raises(NotReached, match="may be billed") as caught:
        resource(provider, wait_timeout=60).reach("present")
    assert caught.value.instance.id == "9"


def test_a_key_that_is_refused_in_doubt_is_doubt_that_stays():
    provider = Renting()
    provider.fails = ProviderUnavailable("No answer.")
    provider.script = [None, AuthenticationError("The key was refused.")]
    with pytest.raises(RentedError, match=r"Whether 'hw' was rented is not known.*The key was refused.*may be billed"):
        resource(provider).reach("present")


@pytest.mark.parametrize(
    ("fields", "request_", "words"),
    [
        ({"gpu_model": "RTX 3090"}, {"gpu": "RTX 4090"}, "GPU RTX 3090 instead of RTX 4090"),
        ({"gpu_model": "A100", "gpu_vram_mb": 40960}, {"gpu": "A100 80GB"}, "GPU A100 instead of A100 80GB"),
        ({"gpu_count": 1}, {"gpu_count": 2}, "1 GPUs instead of 2"),
        ({"image": "a"}, {"image": "b"}, "image a instead of b"),
        (
            {"gpu_model": "RTX 4090", "gpu_vram_mb": 24564, "gpu_count": 1, "image": "a"},
            {"gpu": "rtx_4090", "gpu_count": 1, "image": "a"},
            None,
        ),
        ({}, {"gpu": "RTX 4090", "gpu_count": 2, "image": "a"}, None),
    ],
)
def test_what_differs_is_said(fields, request_, words):
    warnings = resource(Renting(box(1, **fields)), request=request_).reach("present").warnings
    assert (words in warnings[0] and "left as it is" in warnings[0]) if words else warnings == []


def test_a_new_name():
    provider = Stopping(box(1, label="old"))
    outcome = resource(provider, instance_id="1", name="new", check=True).reach("present")
    assert outcome.changed and provider.there["1"].label == "old" and outcome.instance.label == "new"
    assert resource(provider, instance_id="1", name="new").reach("present").changed
    assert not resource(provider, instance_id="1", name="new").reach("present").changed
    assert provider.there["1"].label == "new"


@pytest.mark.parametrize("check", [False, True])
def test_a_new_name_that_another_has_is_refused(check):
    provider = Stopping(box(1), box(2, label="other"), box(3, label="gone", state="terminated"))
    with pytest.raises(RentedError, match=r"Acme has another instance called 'hw' already \(1\)") as caught:
        resource(provider, instance_id="2", name="hw", check=check).reach("present")
    assert "Choose another name" in str(caught.value) and provider.did == ["list"]
    assert resource(provider, instance_id="2", name="gone", check=check).reach("present").changed


def test_an_id_is_not_rented():
    with pytest.raises(NotFound, match=r"has no instance 5. To rent one, give a 'name'"):
        resource(Renting(), instance_id="5").reach("present")


@pytest.mark.parametrize("name", [" ", "hw ", "\thw"])
def test_names(name):
    with pytest.raises(RentedError, match="no spaces at its ends"):
        resource(Renting(), name=name)


@pytest.mark.parametrize("empty", ["", " ", None])
def test_an_empty_id_is_none(empty):
    provider = Renting(box(1))
    assert resource(provider, name="hw", instance_id=empty, wait=False).reach("absent").changed
    assert provider.did == ["list", "destroy"]


def test_an_empty_name_beside_an_id_is_none():
    provider = Stopping(box(1))
    assert not resource(provider, name="", instance_id="1").reach("present").changed
    assert provider.there["1"].label == "hw"


@pytest.mark.parametrize(("name", "instance_id"), [("", ""), (None, ""), ("", None), (None, None)])
def test_neither_name_nor_id(name, instance_id):
    with pytest.raises(RentedError, match="Say which instance is meant: by its 'name', or by its 'id'"):
        Resource(Renting(box(1, label="")), name=name, instance_id=instance_id)


def test_an_instance_without_a_name_is_not_found_by_none():
    provider = Renting(box(1, label=None), box(2, label=""))
    assert not resource(provider, name="hw", instance_id="3").reach("absent").changed
    assert provider.did == ["list"]


def test_one_that_runs_without_an_address_is_awaited():
    provider = Renting(box(1, ssh_host=None, ssh_port=None))
    provider.script = [None, None, run(provider, {"ssh_host": "h", "ssh_port": 22})]
    outcome = resource(provider).reach("present")
    assert not outcome.changed and outcome.instance.ssh_host == "h" and len(provider.did) == 3


@pytest.mark.parametrize("arguments", [{"wait": False}, {"check": True}])
def test_one_without_an_address_is_only_shown(arguments):
    provider = Renting(box(1, ssh_host=None))
    assert resource(provider, **arguments).reach("present").instance.id == "1" and provider.did == ["list"]


def test_what_never_has_an_address_is_not_awaited():
    class Windows(Renting):
        def is_host(self, instance):
            return False

    listed = Listing(box(1, ssh_host=None))  # not rented from here: nothing of it could be awaited
    for provider in (Windows(box(1, ssh_host=None)), listed):
        assert not resource(provider).reach("present").changed and provider.did == ["list"]


# --- two at the same time ----------------------------------------------------------------------------------------------


def held(home):
    """Whether anybody holds a lock now."""
    for path in (home / "locks").glob("*"):
        with open(path, "rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def test_the_name_is_held_from_the_first_look_until_the_new_one_is_listed(folder):
    provider, seen = Renting(), []

    def look(**changes):
        return lambda: (seen.append(held(folder)), changes and provider.put(9, **changes))

    def hide():
        seen.append(held(folder))
        provider.there.clear()

    provider.script = [look(), hide, look(state="pending"), look(), look(state="running", ssh_host="h")]
    resource(provider).reach("present")
    assert seen == [True, True, True, False, False]  # while it boots, others may look
    assert provider.did.count("list") == len(seen) and not held(folder)


@pytest.mark.parametrize("error", [PartlyCreated("half", "9"), RentedError("no"), ProviderUnavailable("No answer."), KeyError("defect")])
def test_nothing_is_held_after_an_error(folder, error):
    provider = Renting()
    provider.fails = error
    with pytest.raises(type(error) if isinstance(error, (PartlyCreated, KeyError)) else RentedError):
        resource(provider).reach("present")
    assert list((folder / "locks").iterdir()) and not held(folder)


@pytest.mark.parametrize(
    ("arguments", "wanted"), [({"check": True}, "present"), ({}, "absent"), ({"name": None, "instance_id": "1"}, "present")]
)
def test_what_rents_nothing_holds_nothing(folder, arguments, wanted):
    provider = Stopping(box(1))
    resource(provider, wait=False, **arguments).reach(wanted)
    assert not list((folder / "locks").glob("rent-*"))


def test_who_shares_a_lock(folder):
    class Named(Renting):
        NAMES_MATTER = True

    def locks(cls, *accounts, name="hw", endpoint="https://a.example"):
        for account in accounts:
            provider = cls(box(1, label=name))
            provider.account, provider.endpoint = account, endpoint
            resource(provider, name=name).reach("started")
        return len(list((folder / "locks").glob("rent-*")))

    assert locks(Renting, "one", "two") == 1  # the user's word for an account says nothing
    assert locks(Renting, "one", name="other") == 2
    assert locks(Renting, "one", endpoint="https://b.example") == 3
    assert locks(Named, "one", "two") == 5
    assert not [path.name for path in (folder / "locks").glob("rent-*") if "hw" in path.name or "one" in path.name]
    assert {path.stat().st_mode & 0o777 for path in (folder / "locks").glob("rent-*")} == {0o600}


def test_two_threads_rent_one():
    provider, ready = Stopping(), threading.Barrier(2)

    def slowly(request):
        time.sleep(0.2)
        provider.put(9, label=request.name)
        return "9"

    provider.launch = slowly

    def one():
        ready.wait()
        return Resource(provider, name="hw", request=LaunchRequest(name="hw")).reach("present").changed

    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert sorted(future.result(10) for future in [pool.submit(one), pool.submit(one)]) == [False, True]


def test_a_state_directory_that_cannot_be_used_rents_nothing(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "taken"))
    provider = Renting()
    with pytest.raises(RentedError, match=r"The state directory .*taken cannot be used"):
        resource(provider).reach("present")
    assert provider.did == []


# --- stopped and started -----------------------------------------------------------------------------------------------


def test_stops_and_starts_once():
    provider = Stopping(box(1))
    provider.script = [None, None, run(provider, {"state": "stopped"})]
    outcome = resource(provider).reach("stopped")
    assert outcome.changed and (outcome.before["state"], outcome.after["state"]) == ("running", "stopped")
    assert not resource(provider).reach("stopped").changed
    provider.script = [None, None, run(provider, {"state": "running"})]
    outcome = resource(provider).reach("started")
    assert outcome.changed and (outcome.before["state"], outcome.after["state"]) == ("stopped", "running")
    assert not resource(provider).reach("started").changed
    assert [word for word in provider.did if word != "list"] == ["stop", "start"]


@pytest.mark.parametrize(("state", "wanted"), [("running", "stopped"), ("stopped", "started")])
def test_check_mode_predicts(state, wanted):
    provider = Stopping(box(1, state=state))
    outcome = resource(provider, check=True).reach(wanted)
    assert outcome.changed and outcome.after["state"] != state and provider.did == ["list"]


@pytest.mark.parametrize("wanted", ["started", "stopped"])
def test_one_that_is_not_there(wanted):
    with pytest.raises(NotFound, match=r"Acme has no instance 'hw'. 'state: present' rents one."):
        resource(Stopping()).reach(wanted)


def test_one_that_is_on_its_way_is_only_awaited():
    provider = Stopping(box(1, state="stopping"))
    provider.script = [None, run(provider, {"state": "stopped"})]
    assert not resource(provider).reach("stopped").changed
    assert "stop" not in provider.did


# --- absent ------------------------------------------------------------------------------------------------------------


def test_absent_means_listed_no_more():
    provider = Renting(box(1))
    provider.script = [None, None, DOWN, DOWN, provider.there.clear]
    outcome = resource(provider).reach("absent")
    assert outcome.changed and outcome.instance is None and outcome.after == {"state": "absent"}
    assert provider.did == ["list", "destroy", "list", "list", "list", "list"]


def test_a_list_that_fails_is_no_proof():
    provider = Renting(box(1))
    provider.script = [None] + [DOWN] * 99
    with pytest.raises(NotReached, match="it cannot be said whether the instance 1 is gone: Acme is down"):
        resource(provider, wait_timeout=30).reach("absent")


def test_one_that_stays_is_told():
    with pytest.raises(NotReached, match="After 30 s, the instance 1 is not gone but 'stopping', and may be billed"):
        resource(Renting(box(1)), wait_timeout=30).reach("absent")


def test_terminated_is_gone():
    provider = Renting(box(1))
    provider.script = [None, run(provider, {"state": "terminated"})]
    assert resource(provider).reach("absent").changed


def test_absent_already():
    provider = Renting(box(1, label="other"))
    assert not resource(provider).reach("absent").changed and provider.did == ["list"]


def test_check_mode_destroys_nothing():
    provider = Renting(box(1))
    assert resource(provider, check=True).reach("absent").changed and provider.did == ["list"]


# --- what a provider cannot do -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "wanted", "arguments", "sentence"),
    [
        (Renting, "stopped", {}, "Acme cannot stop an instance, only destroy it."),
        (Renting, "started", {}, "Acme cannot stop an instance, only destroy it."),
        (Listing, "stopped", {}, "Acme cannot stop an instance."),
        (Listing, "absent", {}, "Acme cannot rent or destroy instances from here; use its web page."),
        (Listing, "present", {"name": "new"}, "Acme cannot rent or destroy instances from here; use its web page."),
        (Renting, "present", {"name": "new", "instance_id": "1"}, "Acme cannot rename an instance."),
    ],
)
def test_the_sentence_is_made_from_the_mixins(cls, wanted, arguments, sentence):
    with pytest.raises(Unsupported) as caught:
        resource(cls(box(1, state="stopped")), **arguments).reach(wanted)
    assert str(caught.value) == sentence


def test_what_needs_nothing_done_is_no_error():
    assert not resource(Renting(box(1))).reach("started").changed


# --- bids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["present", "started"])
def test_a_bid_that_differs_is_changed(state):
    provider = Bidding(box(1, price_per_hour=0.2))
    outcome = resource(provider, request={"bid_per_hour": 0.3}).reach(state)
    assert outcome.changed and provider.bid == 0.3 and outcome.instance.price_per_hour == 0.3
    assert (outcome.before["bid_per_hour"], outcome.after["bid_per_hour"]) == (0.2, 0.3)
    assert not resource(provider, request={"bid_per_hour": 0.3}).reach(state).changed
    assert provider.did.count("bid") == 1


def test_check_mode_changes_no_bid():
    provider = Bidding(box(1))
    outcome = resource(provider, request={"bid_per_hour": 0.3}, check=True).reach("present")
    assert outcome.changed and outcome.after["bid_per_hour"] == 0.3 and provider.did == ["list"]


def test_a_bid_is_never_above_the_limit():
    provider = Bidding(box(1))
    resource(provider, request={"bid_per_hour": 0.9, "max_price_per_hour": 0.25}).reach("present")
    assert provider.bid == 0.25


def test_one_that_was_outbid_is_bid_for_before_it_is_started():
    provider = Bidding(box(1, state="stopped"))
    assert resource(provider, request={"bid_per_hour": 0.3}, wait=False).reach("started").changed
    assert [did for did in provider.did if did != "list"] == ["bid", "start"]


def test_bids_where_there_are_none():
    with pytest.raises(Unsupported, match="Acme cannot take bids"):
        resource(Stopping(box(1)), request={"bid_per_hour": 0.3}).reach("present")
    nobody = Stopping()
    with pytest.raises(Unsupported, match="Acme cannot take bids"):
        resource(nobody, request={"bid_per_hour": 0.3}, check=True).reach("present")
    assert "launch" not in nobody.did
    provider = Bidding(box(1))
    provider.bid = None
    with pytest.raises(RentedError, match=r"'hw' \(1\) at Acme was not rented by a bid"):
        resource(provider, request={"bid_per_hour": 0.3}).reach("present")
    assert "bid" not in provider.did


def test_stopping_and_destroying_need_no_bid():
    provider = Bidding(box(1))
    resource(provider, request={"bid_per_hour": 0.3}, wait=False).reach("stopped")
    resource(provider, request={"bid_per_hour": 0.3}, wait=False).reach("absent")
    assert "bid" not in provider.did


# --- ours and not ours -------------------------------------------------------------------------------------------------


def events(instance_id):
    lease = _ownership.lease_of(box(instance_id))
    return [entry["event"] for entry in _journal.read(lease)] if lease else None


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("by", [{"name": "hw"}, {"instance_id": "1"}])
@pytest.mark.parametrize(("state", "word"), [("stopped", "stopped"), ("absent", "destroyed")])
def test_an_instance_from_elsewhere_is_left_alone(state, word, by, check):
    provider = Stopping(box(1))
    with pytest.raises(
        RentedError, match=f"Nothing was {word}: the instance 1 .*not rented, adopted or made ready from here.*not_mine: '1'"
    ):
        resource(provider, rented_here=False, check=check, **by).reach(state)
    assert provider.did == ["list"]


@pytest.mark.parametrize(("state", "did"), [("stopped", "stop"), ("absent", "destroy")])
def test_its_id_in_not_mine_is_the_word_that_it_takes(state, did):
    provider = Stopping(box(1))
    assert resource(provider, rented_here=False, not_mine="1", wait=False).reach(state).changed
    assert did in provider.did and events(1) is None  # and it is not ours afterwards


@pytest.mark.parametrize("rented_here", [True, False])
@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_the_id_of_another_instance_is_refused(state, rented_here):
    provider = Stopping(box(1), box(2, label="other"))
    with pytest.raises(RentedError, match="'not_mine' names the instance '2', but the instance meant here is 1"):
        resource(provider, rented_here=rented_here, not_mine="2").reach(state)
    assert provider.did == ["list"]


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_the_mark_of_another_owner_counts_more_than_a_lease(state):
    provider = Stopping(box(1, tags={OWNER_TAG: "grace-0123456789ab"}))
    with pytest.raises(RentedError, match="it carries the mark of another owner, 'grace-0123456789ab'"):
        resource(provider).reach(state)
    assert provider.did == ["list"]


def test_our_own_mark_is_enough():
    provider = Stopping(box(1, tags={OWNER_TAG: _ownership.mark()}))
    assert resource(provider, rented_here=False, wait=False).reach("absent").changed


def test_what_was_rented_here_can_be_destroyed_and_its_journal_tells_its_life():
    provider = Renting()
    provider.script = [None, None, run(provider, {"state": "running", "ssh_host": "h", "price_per_hour": 0.4})]
    resource(provider, rented_here=False, request={"gpu": "RTX 4090"}).reach("present")
    provider.script = [None, None, provider.there.clear]
    assert resource(provider, rented_here=False).reach("absent").changed
    assert events(9) == ["rented", "reachable", "destroy asked", "seen gone"]
    written = _journal.read(_ownership.lease_of(box(9)))
    assert written[0]["gpu"] == "RTX 4090" and written[1]["price_per_hour"] == 0.4


def test_the_request_carries_our_mark():
    provider = Renting()
    asked = []
    provider.launch, launch = lambda request: asked.append(request) or launch(request), provider.launch
    resource(provider, wait=False).reach("present")
    assert asked[0].owner == _ownership.mark()


def test_what_was_rented_before_a_run_was_killed_is_ours(folder):
    provider = Renting()

    def killed(request):
        provider.put(9, label=request.name, started_at=now())
        raise KeyboardInterrupt

    provider.launch = killed
    with pytest.raises(KeyboardInterrupt):
        resource(provider, rented_here=False).reach("present")
    assert events(9) is None
    assert not resource(provider, rented_here=False).reach("present").changed
    assert events(9) == ["found"] and not list((folder / "renting").iterdir())
    assert resource(provider, rented_here=False, wait=False).reach("absent").changed


def test_a_request_that_came_to_nothing_makes_nothing_ours(folder):
    provider = Renting()
    provider.fails = RentedError("No such GPU.")
    with pytest.raises(RentedError):
        resource(provider, rented_here=False).reach("present")
    assert not list((folder / "renting").iterdir())
    provider.put(9, started_at=now())
    with pytest.raises(RentedError, match="may not be yours"):
        resource(provider, rented_here=False).reach("absent")


def test_what_had_the_name_before_is_not_ours_because_its_name_is_asked_for():
    provider = Stopping(box(1))
    resource(provider, rented_here=False).reach("present")
    with pytest.raises(RentedError, match="may not be yours"):
        resource(provider, rented_here=False).reach("absent")


def test_a_full_disk_here_does_not_keep_it_running_there(monkeypatch):
    provider = Stopping(box(1))
    wanted = resource(provider, wait=False)
    monkeypatch.setattr(_journal.os, "fsync", raise_full)
    outcome = wanted.reach("absent")
    assert "destroy" in provider.did and "cannot be added to the journal" in outcome.warnings[0]


def raise_full(handle):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (0.012, r"the disk of 1 \('hw'\) goes on costing 0\.0120 USD per hour \(8\.64 USD in 30 days\)"),
        (None, "usually goes on costing; Acme does not say how much"),
        (0.0, None),
    ],
)
@pytest.mark.parametrize("state", ["running", "stopped"])
def test_stopping_says_what_goes_on_costing(price, words, state):
    warnings = resource(Stopping(box(1, storage_price_per_hour=price, state=state)), wait=False).reach("stopped").warnings
    assert re.search(words, warnings[0]) if words else warnings == []


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
