# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Several providers asked at once, each in its own thread. Nothing here knows Ansible: threads must not touch its objects.

Each account has its time. What a provider does with the network ends by itself (`_deadline`); a provider that is caught in something else,
such as a name server that never answers, is left behind, and the others go on.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
import typing

from ansible_collections.rented.gpu.plugins.module_utils import _masking, _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline

if typing.TYPE_CHECKING:
    from ansible_collections.rented.gpu.plugins.module_utils._providers._base import Provider

MOST_THREADS = 16
GRACE = 5.0  # seconds after the account's time in which it may say itself that it is over


@dataclasses.dataclass
class Answer:
    """What one provider answered, or the sentence that says why it did not."""

    provider: Provider
    value: typing.Any = None
    failure: str | None = None


def ask(providers, question) -> list:
    """``question(provider)`` of all providers: one `Answer` for each, in their order. Failures are in the answers, never raised."""
    providers = list(providers)
    answers: list = [None] * len(providers)
    waiting = list(range(len(providers)))
    ends: dict = {}
    done: queue.SimpleQueue = queue.SimpleQueue()

    def work(number: int) -> None:
        done.put((number, _one(providers[number], question)))

    while waiting or ends:
        while waiting and len(ends) < MOST_THREADS:
            number = waiting.pop(0)
            ends[number] = time.monotonic() + providers[number].account_timeout + GRACE
            # A daemon: a thread that is left behind must not keep the program from ending.
            threading.Thread(target=work, args=(number,), daemon=True).start()
        try:
            number, answer = done.get(timeout=max(min(ends.values()) - time.monotonic(), 0.01))
            if ends.pop(number, None) is not None:
                answers[number] = answer
        except queue.Empty:
            for number in [number for number, end in ends.items() if time.monotonic() >= end]:
                del ends[number]
                answers[number] = _left_behind(providers[number])
    return answers


def _left_behind(provider: Provider) -> Answer:
    sentence = f"no answer after {provider.account_timeout:g} s, and no sign of one. Try later, or raise 'account_timeout'."
    return Answer(provider, failure=sentence)


def _one(provider: Provider, question) -> Answer:
    try:
        with _deadline.account(provider):
            return Answer(provider, question(provider))
    except RentedError as error:
        return Answer(provider, failure=_harmless(error.message, provider))
    except Exception as error:  # a defect of a provider file must not hide what the others say
        return Answer(provider, failure=_harmless(f"unexpected {type(error).__name__}: {error}", provider))


def _harmless(text: str, provider: Provider) -> str:
    """The text as it may be shown; of the provider's own secrets, short ones are masked too."""
    return _plain.harmless(_masking.mask_these(text, provider.secrets()))
