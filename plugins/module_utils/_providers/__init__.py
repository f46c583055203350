# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The list of providers. A module ships only what is imported by name, so the list is static; a test compares it with the folder."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers.adopted import AdoptedProvider
from ansible_collections.rented.gpu.plugins.module_utils._providers.aws import AwsProvider
from ansible_collections.rented.gpu.plugins.module_utils._providers.gcp import GcpProvider
from ansible_collections.rented.gpu.plugins.module_utils._providers.lambda_cloud import LambdaProvider
from ansible_collections.rented.gpu.plugins.module_utils._providers.paperspace import PaperspaceProvider
from ansible_collections.rented.gpu.plugins.module_utils._providers.rehearsal import RehearsalProvider
from ansible_collections.rented.gpu.plugins.module_utils._providers.runpod import RunpodProvider
from ansible_collections.rented.gpu.plugins.module_utils._providers.vast import VastProvider
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown

PROVIDERS = {
    provider.NAME: provider
    for provider in (
        VastProvider,
        RunpodProvider,
        LambdaProvider,
        PaperspaceProvider,
        GcpProvider,
        AwsProvider,
        RehearsalProvider,
        AdoptedProvider,
    )
}


def provider_class(name: str):
    """The provider class with this name; an error with the nearest name otherwise."""
    if not isinstance(name, str) or name not in PROVIDERS:
        raise RentedError(f"There is no provider '{shown(name)}'. {nearest(str(name), PROVIDERS)}")
    return PROVIDERS[name]
