# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Every error that a provider raises. Each one is a sentence a person can act on; none carries a key or commands a terminal."""

from __future__ import annotations

import difflib

from ansible_collections.rented.gpu.plugins.module_utils._plain import harmless


class RentedError(Exception):
    """What was tried, what was found, what to do next.

    ``provider``, ``status`` (an HTTP status code) and ``code`` (the API's own word for the error) are set where they are known.
    The message may hold an API's words: this is the one place where they are made harmless.
    """

    code: str | None = None

    def __init__(self, message: str, provider: str | None = None, status: int | None = None) -> None:
        message = harmless(message)
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.status = status


class MissingCredentials(RentedError):
    """No key was found; the message lists the places that were looked at."""


class MissingLibrary(RentedError):
    """A third-party package is not installed; the message names the command that installs it."""


class AuthenticationError(RentedError):
    """The provider refused the key (401, 403, or Vast's 404 for a bad key)."""


class NotFound(RentedError):
    """The thing asked for does not exist (any more)."""


class ProviderUnavailable(RentedError):
    """The provider did not answer, or answered something that is not its API."""


class RateLimited(ProviderUnavailable):
    """The provider kept answering 429."""


class Unsupported(RentedError):
    """The provider has no such feature."""


class Ambiguous(RentedError):
    """More than one instance carries the name; the message lists their ids."""


class PartlyCreated(RentedError):
    """Renting failed after the provider had created something: ``instance_id`` must be destroyed or adopted."""

    def __init__(self, message: str, instance_id: str, provider: str | None = None, status: int | None = None) -> None:
        super().__init__(message, provider=provider, status=status)
        self.instance_id = instance_id


def nearest(word: str, choices) -> str:
    """``word`` is not one of ``choices``: the hint ", did you mean X?" or the list of choices."""
    choices = sorted(choices)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known: {', '.join(choices)}."
