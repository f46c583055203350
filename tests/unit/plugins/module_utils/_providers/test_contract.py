# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every provider does when its API misbehaves. A new provider is tested here as soon as it has a fake."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import AuthenticationError, ProviderUnavailable, RateLimited
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http
from ansible_collections.rented.gpu.tests.fakes import everyone
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import with_time

LIST = "list the (instances|machines)"
# AWS answers in XML and through botocore; test_aws.py has the same cases for it.
NAMES = [name for name in everyone.SERVICES if name != "aws"]
WITH_API_KEY = [name for name in NAMES if PROVIDERS[name].needs_key()]
# What lasts, and what is said of it.
LASTING = [
    ("429", RateLimited, "kept answering 'too many requests'"),
    ("500", ProviderUnavailable, "500: Internal error"),
    ("html", ProviderUnavailable, "answered a web page instead of its API"),
    ("html-200", ProviderUnavailable, "answered a web page instead of its API"),
    ("text-200", ProviderUnavailable, "something that is not JSON"),
    ("410", ProviderUnavailable, "has retired the address .*newer release"),
    ("cut", ProviderUnavailable, "did not answer when asked to " + LIST),
]


@pytest.fixture(params=NAMES)
def account(request, monkeypatch):
    """``(provider, fake)``, for each provider."""
    with everyone.account(request.param, monkeypatch, instances=2) as (provider, fake):
        yield with_time(provider), fake
    assert fake.violations == []


def test_only_gcp_has_no_api_key():
    assert set(WITH_API_KEY) == set(NAMES) - {"gcp"}


@pytest.mark.parametrize(
    ("fault", "details", "waits"),
    [("429", {}, [1.0, 2.0]), ("429", {"retry_after": 7}, [7.0, 7.0]), ("503", {}, [1.0, 2.0]), ("cut", {}, [1.0, 2.0])],
)
def test_passing_trouble_is_waited_out(account, fault, details, waits):
    provider, fake = account
    fake.fault("list", fault, times=2, **details)
    found = [instance.id for instance in provider.list_instances()]
    assert provider.time.slept[:2] == waits
    assert found == [instance.id for instance in provider.list_instances()] and len(found) == 2


@pytest.mark.parametrize(("fault", "error", "words"), LASTING)
def test_lasting_trouble_is_one_sentence_and_never_an_empty_list(account, fault, error, words):
    provider, fake = account
    fake.fault("list", fault, times=-1)
    with pytest.raises(error, match=words) as caught:
        provider.list_instances()
    assert caught.type is error
    assert not any(secret in str(caught.value) for secret in provider.secrets())
    assert len(fake.calls("list")) <= _http.TRIES


@pytest.mark.parametrize("name", WITH_API_KEY)
def test_a_server_that_is_not_there(name, monkeypatch):
    with everyone.account(name, monkeypatch) as (provider, _fake):
        with_time(provider)
    with pytest.raises(ProviderUnavailable, match="did not answer when asked to " + LIST):
        provider.list_instances()


@pytest.mark.parametrize("name", NAMES)
def test_a_slow_answer_ends_with_the_time_out(name, monkeypatch):
    with everyone.account(name, monkeypatch, timeout=0.3) as (provider, fake):
        with_time(provider)
        fake.fault("list", "slow", times=-1, seconds=2)
        with pytest.raises(ProviderUnavailable, match=r"timed out|no answer in time"):
            provider.list_instances()


@pytest.mark.parametrize("key", ["two words", "line\nend", "ümlaut"])
@pytest.mark.parametrize("name", WITH_API_KEY)
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(name, key):
    with pytest.raises(AuthenticationError, match="holds spaces, line ends or characters") as caught:
        PROVIDERS[name](api_key=key)
    assert key not in str(caught.value)
