# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The arguments that modules about instances share, and the way from them to a provider. Documented in the fragment ``account``."""

from __future__ import annotations

import os

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingCredentials, RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS, provider_class
from ansible_collections.rented.gpu.plugins.module_utils._renting._deadline import MOST_SECONDS
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown

# `provider` has no choices: Ansible's own message lists them all, ours names the nearest.
ACCOUNT: dict[str, dict] = {
    "provider": {"type": "str"},
    "account": {"type": "str"},
    "account_options": {"type": "dict", "default": {}},
    "api_key": {"type": "str", "no_log": True},
    "endpoint": {"type": "str"},
    "timeout": {"type": "float", "default": 30},
    "account_timeout": {"type": "float", "default": 600},
}


def account_spec(provider_required: bool) -> dict:
    """The argument spec of the account; a copy."""
    spec = {name: dict(rule) for name, rule in ACCOUNT.items()}
    if provider_required:
        spec["provider"]["required"] = True
    return spec


def build(params: dict):
    """The provider object that the module's parameters describe. Makes no request. Raises `RentedError`."""
    cls = provider_class(params["provider"])
    for name in ("account", "api_key", "endpoint"):
        if params.get(name) is not None and not params[name].strip():
            # An empty key must not fall back to the environment: that would be another account.
            raise RentedError(f"'{name}' is empty; leave it out or give it a value.", cls.NAME)
    endpoint = params.get("endpoint")
    if endpoint and cls.ENDPOINT.startswith("http") and not endpoint.startswith(("http://", "https://")):
        raise RentedError(f"The endpoint '{shown(endpoint)}' does not begin with https://.", cls.NAME)
    for name in params.get("account_options") or {}:
        if name not in cls.OPTIONS:
            known = nearest(str(name), cls.OPTIONS) if cls.OPTIONS else "It has none."
            raise RentedError(f"An account of {cls.TITLE} has no option '{shown(name)}'. {known}", cls.NAME)
    _check_times(params)
    made = cls(
        account=params.get("account"),
        api_key=params.get("api_key"),
        endpoint=endpoint,
        timeout=params["timeout"],
        **(params.get("account_options") or {}),
    )
    return _with_time(made, params)


def _check_times(params: dict) -> None:
    for name in ("timeout", "account_timeout"):
        # Not a number is neither above nor below 0, and a timer takes no infinity.
        if params.get(name) is not None and not 0 < params[name] <= MOST_SECONDS:
            raise RentedError(f"'{name}' is a number of seconds above 0, and at most {MOST_SECONDS}.")


def _with_time(provider, params: dict):
    if params.get("account_timeout") is not None:
        provider.account_timeout = params["account_timeout"]
    return provider


def build_all(params: dict) -> list:
    """The provider that is named, those that are (``providers``), or else every one whose credentials lie in their usual place."""
    found, refused = build_each(params)
    for _cls, error in refused:
        raise error
    return found


def build_each(params: dict) -> tuple:
    """The same as ``(providers, refused)``: of several, one that cannot be built is ``(class, error)`` in the second, and the others stand.

    What is wrong with the parameters themselves raises a `RentedError` all the same, also when there is no account at all.
    """
    if params.get("provider"):
        return [build(params)], []
    _check_times(params)
    alone = [name for name in ("account", "api_key", "endpoint", "account_options") if params.get(name)]
    if alone:
        raise RentedError(f"'{alone[0]}' belongs to one provider: name it with 'provider'.")
    named = params.get("providers")
    classes = [provider_class(name) for name in dict.fromkeys(named)] if named else [cls for _name, cls in sorted(PROVIDERS.items())]
    found, refused = [], []
    for cls in classes:
        try:
            if named:
                found.append(build(dict(params, provider=cls.NAME)))
            elif cls.available():
                found.append(_with_time(cls(timeout=params["timeout"]), params))
        except RentedError as error:  # such as a key file that cannot be read
            refused.append((cls, error))
    if not found and not refused:
        looked = [f"{cls.TITLE}: {', '.join(cls.places_looked_at())}" for _name, cls in sorted(PROVIDERS.items())]
        raise MissingCredentials(f"No account of any provider was found. Looked at {'; '.join(looked)}.")
    return found, refused


def warn_of_values(module, providers) -> None:
    """Tell the user which values of the answers were refused."""
    for provider in providers:
        for sentence in provider.warnings():
            module.warn(sentence)


def read_public_key(text: str | None, option: str = "ssh_public_key") -> str | None:
    """A public key given as its text or as the path of its file. Raises `RentedError` without repeating the text: it may be private."""
    if not text or not text.strip():
        return None
    key = text.strip()
    if key.startswith(("~", "/", "./", "../")):
        try:
            with open(os.path.expanduser(key), encoding="utf-8") as handle:
                key, path = handle.read().strip(), key
        except (OSError, UnicodeDecodeError) as error:
            raise RentedError("The SSH public key %s cannot be read: %s." % (key, getattr(error, "strerror", None) or "it is not text"))
    else:
        path = option
    if _public_key.is_private(key):
        raise RentedError(f"{path} is a private key; give the public one (the file that ends in .pub).")
    found = _public_key.parse(key)
    if found is None or found.options:
        raise RentedError(f"{path} is not one SSH public key on one line.")
    return key
