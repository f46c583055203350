# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Several providers asked at once, each in its own thread. Nothing here knows Ansible: threads must not touch its objects."""

from __future__ import annotations

import concurrent.futures
import dataclasses

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import Provider

MOST_THREADS = 16


@dataclasses.dataclass
class Answer:
    """What one provider answered, or the sentence that says why it did not."""

    provider: Provider
    value: object = None
    failure: str | None = None


def ask(providers, question) -> list:
    """``question(provider)`` of all providers: one `Answer` for each, in their order. Failures are in the answers, never raised."""
    providers = list(providers)
    if len(providers) < 2:
        return [_one(provider, question) for provider in providers]
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(len(providers), MOST_THREADS)) as pool:
        return list(pool.map(lambda provider: _one(provider, question), providers))


def _one(provider: Provider, question) -> Answer:
    try:
        return Answer(provider, question(provider))
    except RentedError as error:
        return Answer(provider, failure=_without_secrets(error.message, provider))
    except Exception as error:  # a defect of a provider file must not hide what the others say
        return Answer(provider, failure=_without_secrets("unexpected %s: %s" % (type(error).__name__, error), provider))


def _without_secrets(text: str, provider: Provider) -> str:
    for secret in provider.secrets():
        text = text.replace(secret, "REMOVED")
    return text
