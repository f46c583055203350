# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Accounts: from what the inventory file says, or from the environment, to provider objects; and all of them asked at once.

Nothing here knows Ansible: plain values in, so that the threads of `_fan_out` touch no object of Ansible's.
"""

from __future__ import annotations

import dataclasses
import os

from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingCredentials, RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS, provider_class
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _fan_out
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.module_utils._shown import kind, shown, texts

KEYS = ("provider", "name", "api_key", "endpoint", "ssh_private_key_file")


@dataclasses.dataclass(frozen=True)
class Account:
    """A provider with a key, and the private SSH key that its instances are reached with (None: ssh's own choice)."""

    provider: Provider
    ssh_private_key_file: str | None = None

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"{self.provider.TITLE or self.provider.NAME} account '{self.provider.account}'"


@dataclasses.dataclass
class Listing:
    """What one account answered: its instances, and their scrubbed raw answers where asked for; or the sentence that says why not.

    ``warnings`` are sentences about values that were refused.
    """

    account: Account
    instances: list = dataclasses.field(default_factory=list)
    raw: dict = dataclasses.field(default_factory=dict)
    failure: str | None = None
    warnings: list = dataclasses.field(default_factory=list)


def given(entries, timeout: float) -> list:
    """The accounts that the inventory file names (values rendered and plain). Raises `RentedError`; makes no request."""
    if not isinstance(entries, list) or not entries:
        raise RentedError(
            "The option 'accounts' must be a list with at least one account ('- provider: vast'). Leave it out to use every key found."
        )
    accounts = [_account(number, entry, timeout) for number, entry in enumerate(entries, 1)]
    seen: dict = {}
    for number, account in enumerate(accounts, 1):
        who = (account.provider.NAME, account.provider.account)
        if who in seen:
            raise RentedError(
                f"Accounts {seen[who]} and {number} are both '{who[1]}' at {account.provider.NAME}: give each its own 'name'."
            )
        seen[who] = number
    for number, account in enumerate(accounts, 1):
        for other, earlier in enumerate(accounts[: number - 1], 1):
            if account.provider.same_account(earlier.provider):
                raise RentedError(
                    f"Accounts {other} ('{earlier.provider.account}') and {number} ('{account.provider.account}') "
                    f"are one and the same at {account.provider.TITLE}: leave one out."
                )
    return accounts


def found(timeout: float) -> list:
    """An account for every provider whose credentials lie in their usual place; an error that lists the places when there is none."""
    accounts = [Account(cls(timeout=timeout)) for _name, cls in sorted(PROVIDERS.items()) if cls.available()]
    if accounts:
        return accounts
    raise MissingCredentials("No account of any provider was found. " + _looked())


def _looked() -> str:
    """Where was looked: the first place of each provider, and all places of those whose own tools were used here before them."""
    traces, others = [], []
    for name, cls in sorted(PROVIDERS.items()):
        places = cls.places_looked_at()
        if any(map(_has_trace, places)):
            traces.append(f"{cls.TITLE or name}: {', '.join(places)}")
        elif any(place.startswith("$") for place in places):
            others.append("%s: %s" % (cls.TITLE or name, next(place for place in places if place.startswith("$"))))
    others.sort(key=lambda text: "Vast" not in text)  # the provider of the first pages of the documentation
    return "Looked at %s%s. Set one of these, or name an account under 'accounts' in the inventory file." % (
        "; ".join(traces + others),
        ", and at the files of their own tools" if others else "",
    )


def _has_trace(place: str) -> bool:
    """Whether the folder of a file in a home is there, without the file."""
    folder = os.path.dirname(place)
    return place.startswith("~/") and folder not in ("~", "~/.config") and os.path.isdir(os.path.expanduser(folder))


def _account(number: int, entry, timeout: float) -> Account:
    """The account of one entry. Whatever a provider refuses in it, no message repeats what may be a secret."""
    try:
        return _made(number, entry, timeout)
    except RentedError as error:
        for text in sorted(texts(entry), key=len, reverse=True):
            if text and shown(text) != text:
                error.message = error.message.replace(str(text), shown(text))
        error.args = (error.message,)
        raise


def _made(number: int, entry, timeout: float) -> Account:
    if not isinstance(entry, dict):
        raise RentedError(f"Account {number} is not a mapping: write it as '- provider: vast'.")
    if not entry.get("provider"):
        raise RentedError(f"Account {number} names no provider. {nearest('', PROVIDERS)}")
    if not isinstance(entry["provider"], str):
        raise RentedError(f"Account {number}: 'provider' has to be a name, not {kind(entry['provider'])}. {nearest('', PROVIDERS)}")
    cls = provider_class(entry["provider"])
    known = KEYS + tuple(cls.OPTIONS)
    for key in entry:
        if key not in known:
            raise RentedError(f"Account {number} ({cls.NAME}) has no option '{shown(key)}'. {nearest(str(key)[:80], known)}")
    for key in KEYS:
        if key in entry and (not isinstance(entry[key], str) or not entry[key].strip()):
            # An empty key must not fall back to the environment: that would be another account.
            raise RentedError(f"Account {number} ({cls.NAME}): '{key}' is empty or not a text; leave it out or give it a value.")
    endpoint = entry.get("endpoint")
    if endpoint and cls.ENDPOINT.startswith("http") and not endpoint.startswith(("http://", "https://")):
        raise RentedError(f"Account {number} ({cls.NAME}): the endpoint '{shown(endpoint)}' does not begin with https://.")
    options = {key: value for key, value in entry.items() if key not in KEYS}
    provider = cls(account=entry.get("name"), api_key=entry.get("api_key"), endpoint=endpoint, timeout=timeout, **options)
    path = entry.get("ssh_private_key_file")
    return Account(provider, private_key(path, f"Account {number}") if path else None)


def private_key(path: str, whose: str) -> str:
    """The whole path of a private SSH key. Raises `RentedError` that begins with ``whose`` when it is none."""
    if "\n" in path or "PRIVATE KEY" in path:
        raise RentedError(f"{whose}: 'ssh_private_key_file' holds the text of a key; give the path of its file.")
    full = os.path.abspath(os.path.expanduser(os.path.expandvars(path)))
    try:
        with open(full, "rb") as handle:
            first = handle.read(20)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise RentedError(
            "%s: the SSH key %s cannot be read: %s." % (whose, shown(path), getattr(error, "strerror", None) or "it is not a path")
        ) from None
    if not first.startswith(b"-----BEGIN"):
        raise RentedError(f"{whose}: {shown(path)} is not a private SSH key (is it the public half? Leave '.pub' off).")
    return full


def ask(accounts: list, keep_raw: bool = False) -> list:
    """Ask all accounts, each in its own thread: one `Listing` per account, in their order. Failures are in the answers, never raised."""

    def question(provider):
        provider.keep_raw = keep_raw
        return [instance for instance in provider.list_instances() if provider.is_host(instance)]

    answers = _fan_out.ask([account.provider for account in accounts], question)
    return [_answer(account, answer, keep_raw) for account, answer in zip(accounts, answers)]


def _answer(account: Account, answer: _fan_out.Answer, keep_raw: bool) -> Listing:
    if answer.failure is not None:
        return Listing(account, failure=answer.failure)
    raw = {instance.id: account.provider.scrubbed_raw(instance.id) for instance in answer.value} if keep_raw else {}
    return Listing(account, answer.value, raw, warnings=account.provider.warnings())


def once(answers: list) -> tuple:
    """Each instance once, under the first account that lists it: ``(answers, sentences)``, one sentence for each pair of accounts.

    Two keys of one team list the same instances; as two hosts, each would be worked on, and counted, twice. Ids are those of a
    provider's service: at another endpoint the same id is another instance.
    """
    owner: dict = {}
    twins: dict = {}
    kept = []
    for answer in answers:
        provider = answer.account.provider
        mine = []
        for instance in answer.instances:
            key = (provider.NAME, provider.endpoint, instance.id)
            first = owner.get(key)
            if first is None:
                owner[key] = answer.account
                mine.append(instance)
            elif first is not answer.account:  # the same account: the list moved on between two of its pages
                twins.setdefault((id(first), id(answer.account)), (first, answer.account, []))[2].append(instance.id)
        kept.append(dataclasses.replace(answer, instances=mine))
    sentences = []
    for first, second, ids in twins.values():
        named = ", ".join(ids[:10]) + (" …" if ids[10:] else "")
        sentences.append(
            f"The {second.title} lists {len(ids)} of the instances that the account '{first.provider.account}' lists "
            f"({named}). Each is listed once, under '{first.provider.account}': are both keys of one team?"
        )
    return kept, sentences


def to_cache(answers: list) -> list:
    """Plain data, one entry per account; no key is in it."""
    return [
        {"instances": [instance.as_dict() for instance in answer.instances], "raw": answer.raw, "warnings": answer.warnings}
        for answer in answers
    ]


def from_cache(accounts: list, data) -> list | None:
    """The answers that `to_cache` described, or None when the data is not of this version."""
    try:
        if len(data) != len(accounts):
            return None
        return [
            Listing(account, [Instance.from_dict(item) for item in entry["instances"]], entry["raw"], warnings=list(entry["warnings"]))
            for account, entry in zip(accounts, data)
        ]
    except (TypeError, KeyError, AttributeError):
        return None
