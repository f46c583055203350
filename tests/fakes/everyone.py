# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake of each provider, found by its name: that of `_providers/acme.py` is the one class ``Fake…`` of `acme.py` in this folder."""

from __future__ import annotations

import contextlib
import importlib
import inspect

from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS

HERE = __name__.rsplit(".", 1)[0]
# What has no endpoint is not a service that could be imitated.
SERVICES = sorted(name for name, provider in PROVIDERS.items() if provider.ENDPOINT)


def fake_of(provider: str) -> type:
    """The class of a provider's fake. Raises ImportError where there is no such file, ValueError where it is not one class."""
    stem = PROVIDERS[provider].__module__.rsplit(".", 1)[1]
    module = importlib.import_module("%s.%s" % (HERE, stem))
    (found,) = [
        made for name, made in inspect.getmembers(module, inspect.isclass) if name.startswith("Fake") and made.__module__ == module.__name__
    ]
    return found


@contextlib.contextmanager
def account(provider: str, monkeypatch, endpoint: str | None = None, instances: int = 0, **options):
    """An account of a provider whose API is at ``endpoint`` (None: its fake), let in by what its fake says it takes; with its fake.

    Its ``instances`` are those that the function ``row`` beside the fake makes.
    """
    kind = fake_of(provider)
    rows = {"rows": [importlib.import_module(kind.__module__).row(number) for number in range(1, instances + 1)]} if instances else {}
    with kind(**rows) as fake:
        for variable, value in fake.environment().items():
            monkeypatch.setenv(variable, value)
        yield PROVIDERS[provider](endpoint=endpoint or fake.url, **options), fake
