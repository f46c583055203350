# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking several at once: order, failures, secrets, and that they do not wait for one another."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _fan_out


class Example(Provider):
    NAME = "example"
    TITLE = "Example"
    API_KEY_ENV = ("EXAMPLE_API_KEY",)

    def list_instances(self):
        return []


@pytest.fixture
def three():
    return [Example(account=name, api_key="key-of-" + name) for name in ("a", "b", "c")]


def test_answers_come_in_the_order_of_the_providers(three):
    answers = _fan_out.ask(three, lambda provider: provider.account.upper())
    assert [(answer.provider, answer.value, answer.failure) for answer in answers] == [
        (three[0], "A", None),
        (three[1], "B", None),
        (three[2], "C", None),
    ]


def test_no_provider_makes_no_request():
    assert _fan_out.ask([], lambda provider: 1 / 0) == []


def test_all_are_asked_at_once(three):
    together = threading.Barrier(3)  # breaks, and fails every answer, when one waits for another
    answers = _fan_out.ask(three, lambda provider: together.wait(timeout=10))
    assert [answer.failure for answer in answers] == [None] * 3


def test_one_that_fails_is_named_and_the_others_stand(three):
    def question(provider):
        if provider.account == "b":
            raise RentedError("Example said no to key-of-b.")
        if provider.account == "c":
            return {}["key-of-c"]
        return 1

    answers = _fan_out.ask(three, question)
    assert [answer.value for answer in answers] == [1, None, None]
    assert [answer.failure for answer in answers] == [None, "Example said no to ***.", "unexpected KeyError: '***'"]
