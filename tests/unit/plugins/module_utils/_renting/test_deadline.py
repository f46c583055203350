# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No answer holds us longer than it may: one that drips, in its headers or its body, and one whose pages go on."""

from __future__ import annotations

import functools
import pathlib
import re
import threading
import time

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import ProviderUnavailable, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _fan_out, _http
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Wish
from ansible_collections.rented.gpu.tests.fakes import everyone
from ansible_collections.rented.gpu.tests.fakes.between import Drip
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import with_time

HANGS = 120  # seconds after which a question counts as one that never ends; none takes more than a few
TIMEOUT = 0.3


def outcome(question):
    """What a question gives or raises. Fails where it does not end."""
    found = []

    def ask():
        try:
            found.append(question())
        except Exception as error:  # whatever it is, the test looks at it
            found.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HANGS)
    assert found, "no end after %d s" % HANGS
    return found[0]


QUESTIONS = {
    "instances": (lambda provider: provider.list_instances(), None),
    "offers": (lambda provider: provider.list_offers(Wish()), "list_offers"),
    "keys": (lambda provider: provider.list_keys(), "register_key"),
}
ASKED = [
    (name, question)
    for name in everyone.SERVICES
    for question, (_ask_it, ability) in QUESTIONS.items()
    if ability is None or PROVIDERS[name].can(ability)
]


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "homework-1234")


@pytest.mark.parametrize("part", ["headers", "body"])
@pytest.mark.parametrize(("name", "question"), ASKED)
def test_an_answer_that_drips_is_given_up(name, question, part, monkeypatch):
    with Drip(part) as drip, everyone.account(name, monkeypatch, drip.url, timeout=TIMEOUT) as (provider, _fake):
        error = outcome(lambda: QUESTIONS[question][0](with_time(provider)))
        assert isinstance(error, ProviderUnavailable), repr(error)
        assert re.search("did not answer.* when asked to |did not answer in time when asked to", error.message)
        assert drip.seen
        if part == "body":
            assert re.search(r"timed out: after 0.3 s \d+ bytes of an answer had come|did not answer in time", error.message), error.message


@pytest.mark.parametrize("name", everyone.SERVICES)
def test_an_account_has_its_time_for_everything(name, monkeypatch):
    with Drip("body") as drip, everyone.account(name, monkeypatch, drip.url, timeout=60) as (provider, _fake):
        provider.account_timeout = 2.0
        error = outcome(lambda: with_time(provider).list_instances())
        assert isinstance(error, ProviderUnavailable), repr(error)
        assert re.search(
            r"The account '%s' at .* did not answer everything within 2 s: it was given up when it was asked to .*\(\d+ requests were sent"
            r".* raise 'account_timeout'" % name,
            error.message,
        )


def test_a_token_that_drips_is_given_up(monkeypatch):
    from ansible_collections.rented.gpu.tests.fakes import gcp

    for part in ("headers", "body"):
        with gcp.FakeGcp() as fake, Drip(part) as drip:
            for variable, value in fake.environment().items():
                monkeypatch.setenv(variable, value)
            provider = PROVIDERS["gcp"](endpoint=fake.url, timeout=TIMEOUT)
            provider._info["token_uri"] = drip.url + "/token"
            error = outcome(with_time(provider).list_instances)
            assert isinstance(error, ProviderUnavailable), repr(error)
            assert "token server did not answer (timed out: after 0.3 s" in error.message and drip.seen


def test_a_price_list_that_drips_is_given_up(monkeypatch):
    for part in ("headers", "body"):
        with Drip(part) as drip, everyone.account("aws", monkeypatch, drip.url, timeout=TIMEOUT) as (provider, _fake):
            connection = with_time(provider)._connect()
            asked = ("us-east-1", "get_products", "read the price list")
            error = outcome(functools.partial(connection.call, *asked, service="pricing", ServiceCode="AmazonEC2"))
            assert isinstance(error, ProviderUnavailable), repr(error)
            assert "when asked to read the price list" in error.message and drip.seen


def test_many_pages_end_with_the_time_of_the_account_and_only_then(monkeypatch):
    from ansible_collections.rented.gpu.tests.fakes import vast

    with vast.FakeVast(rows=[vast.row(number) for number in range(1, 151)]) as fake:  # six pages
        provider = with_time(PROVIDERS["vast"](api_key=fake.key, endpoint=fake.url))
        provider.account_timeout = 60.0
        assert len(provider.list_instances()) == 150
        fake.fault("list", "slow", times=-1, seconds=0.5)
        provider.account_timeout = 1.2
        error = outcome(provider.list_instances)
        assert isinstance(error, ProviderUnavailable) and "did not answer everything within 1.2 s" in error.message
        assert len(fake.calls("list")) < 12


def test_a_pause_that_does_not_fit_is_not_begun(monkeypatch):
    with everyone.account("lambda", monkeypatch) as (provider, fake):
        fake.fault("*", "429", times=-1, retry_after=50)
        with_time(provider).account_timeout = 10.0
        with pytest.raises(ProviderUnavailable, match="within 10 s"):
            provider.list_instances()
        assert sum(provider.time.slept) < 10


def test_the_usual_time_of_an_account_is_enough_for_ten_thousand_instances_at_vast():
    assert Provider.account_timeout == _deadline.ACCOUNT_SECONDS > 10_000 / 25


# --- several accounts -------------------------------------------------------------------------------------------------


class Example(Provider):
    NAME = "example"
    TITLE = "Example"
    API_KEY_ENV = ("EXAMPLE_API_KEY",)

    def list_instances(self):
        return [_deadline.left()]


def test_who_is_caught_in_something_else_is_left_behind(monkeypatch):
    """Such as a name server that never answers: nothing that a socket's timeout could end."""
    monkeypatch.setattr(_fan_out, "GRACE", 0.1)
    many = [Example(account=str(number), api_key="key-number-%d" % number) for number in range(_fan_out.MOST_THREADS + 2)]
    for provider in many:
        provider.account_timeout = 0.2 if provider.account == "1" else 60.0
    never = threading.Event()
    answers = outcome(lambda: _fan_out.ask(many, lambda provider: never.wait() if provider.account == "1" else provider.account))
    never.set()
    assert [answer.value for answer in answers] == [None if name == "1" else name for name in map(str, range(len(many)))]
    assert "no answer after 0.2 s" in answers[1].failure


def test_one_limit_holds_inside_another():
    provider = Example(api_key="key-0123456789")
    provider.account_timeout = 500.0
    (before,) = provider.list_instances()
    assert 400 < before <= 500
    with _deadline.account(provider):
        provider.account_timeout = 5000.0
        assert provider.list_instances()[0] <= 500
    assert _deadline.left() == float("inf")


def test_threads_have_the_limit_of_the_thread_that_starts_them():
    provider = Example(api_key="key-0123456789")
    with _deadline.account(provider), _deadline.Threads(max_workers=2) as pool:
        assert max(pool.map(lambda _number: _deadline.left(), range(3))) <= provider.account_timeout
        assert pool.submit(_deadline.left).result() <= provider.account_timeout


def test_no_other_threads_are_used_to_ask():
    root = pathlib.Path(_deadline.__file__).parent
    used = [str(path) for path in root.rglob("*.py") if "ThreadPoolExecutor(" in path.read_text() and path.name != "_deadline.py"]
    assert used == [], "use _deadline.Threads: other threads have no limit"


def test_a_fast_answer_is_not_disturbed_and_leaves_no_timer(monkeypatch):
    before = threading.active_count()
    with everyone.account("lambda", monkeypatch, timeout=600) as (provider, fake):
        assert with_time(provider).list_instances() == [] and fake.requests
        timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
        for thread in timers:
            thread.join(5)
        assert not any(thread.is_alive() for thread in timers)
    assert threading.active_count() <= before + 2


def test_an_answer_that_looks_whole_is_not_taken_when_it_was_cut():
    """Without a length the end of an answer is the end of the connection, which is how it looks when we cut it."""

    class Half(Drip):
        def answer(self, send):
            send(self.BEGINNING["body"] + b'{"things": []}')
            self.over.wait(30)

    with Half("body") as half:
        api = _http.JsonApi("Acme", "acme", half.url, "key-0123456789", timeout=TIMEOUT, sleep=lambda seconds: None)
        error = outcome(lambda: api.get("/things"))
        assert isinstance(error, RentedError) and "timed out: after 0.3 s 14 bytes" in error.message
        assert len(half.seen) == _http.TRIES  # it stalled, so it was asked again


def test_a_stream_of_events_has_an_end():
    class Endless(Drip):
        def answer(self, send):
            send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\ndata: ")
            while not self.over.wait(self.every):
                send(b"x")

    with Endless("body") as endless:
        api = _http.JsonApi("Acme", "acme", endless.url, "key-0123456789", timeout=5)
        began = time.monotonic()
        found = outcome(lambda: api.events("/log", quiet=2, longest=1.0))
        assert found[0] == "one" and time.monotonic() - began < HANGS
    with Drip("headers") as drip:
        api = _http.JsonApi("Acme", "acme", drip.url, "key-0123456789", timeout=5)
        assert isinstance(outcome(lambda: api.events("/log", quiet=2, longest=1.0)), ProviderUnavailable)
