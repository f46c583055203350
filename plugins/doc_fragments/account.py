# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which account at which provider is meant."""

from __future__ import annotations


class ModuleDocFragment:
    """In step with plugins/module_utils/_providers/_arguments.py; a test compares them."""

    DOCUMENTATION = r"""
options:
  provider:
    description:
      - The provider, V(vast), V(runpod), V(lambda), V(paperspace), V(gcp), V(aws), V(adopted) or V(rehearsal).
    type: str
  account:
    description:
      - A name for the account. It becomes part of what is known about each instance, so use the one of your inventory.
      - Defaults to the provider's name.
    type: str
  account_options:
    description:
      - Further options of the account that only this provider has, for example C(project) of V(gcp) or C(regions) of V(aws).
    type: dict
    default: {}
  api_key:
    description:
      - The API key. If omitted, the provider's usual environment variables and files are looked at, for V(vast) E(VAST_API_KEY),
        C(~/.config/vastai/vast_api_key) and C(~/.vast_api_key). Each provider's page in C(docs/providers) names its own.
      - V(gcp), V(aws), V(adopted) and V(rehearsal) have no API key; what they take instead is in O(account_options).
    type: str
  endpoint:
    description:
      - The base URL of the API, without a trailing slash, where it is not the provider's usual one.
    type: str
  timeout:
    description:
      - Seconds that one request may take, from the connection to the last byte of the answer.
      - A read that got no answer in that time is repeated, up to three times. One whose answer comes too slowly is not.
    type: float
    default: 30
  account_timeout:
    description:
      - Seconds that listing the instances, offers or keys of one account may take, with all pages, repeats and pauses.
      - The default is enough for more than ten thousand instances at the pace that V(vast) allows.
    type: float
    default: 600
"""
