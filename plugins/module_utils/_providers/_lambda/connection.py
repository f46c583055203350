# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What Lambda's error codes mean, and parts of its paths. Facts: Lambda's OpenAPI file 1.10.0."""

from __future__ import annotations

import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils._errors import AuthenticationError, ProviderUnavailable, RentedError

NAME = "lambda"
TITLE = "Lambda"
INTERVAL = 1.0  # least seconds between two requests of any kind
LAUNCH_INTERVAL = 12.0  # least seconds between two launches
NO_CAPACITY = "instance-operations/launch/insufficient-capacity"
NO_SUCH_OBJECT = "global/object-does-not-exist"
NO_SUCH_THING = "global/not-found"  # a key, or an address

# Error code -> class and sentence, where the status alone would say the wrong thing.
MEANINGS = {
    "global/account-inactive": (
        AuthenticationError,
        "The account at Lambda is inactive. Confirm its e-mail address and give it a means of payment.",
    ),
    "global/invalid-address": (RentedError, "Lambda does not accept the account's billing address. Correct it in Lambda's web page."),
    "global/quota-exceeded": (
        RentedError,
        "The quota of the account at Lambda is used up. Destroy an instance, or ask Lambda's support for more.",
    ),
}


def explained(error: RentedError, what: str) -> RentedError:
    """The error in words that fit its code. Lambda asks clients to rely on the code alone."""
    code = error.code or ""
    if code in MEANINGS:
        cls, sentence = MEANINGS[code]
        made = cls(sentence, NAME, error.status)
    elif code.startswith("provider/") and not isinstance(error, ProviderUnavailable):
        # An error of a service behind Lambda, whatever the status is: what was asked may have been done or not.
        made = ProviderUnavailable(f"Lambda's own supplier failed to {what} ({error.status}, {code}). Try later.", error.provider)
        made.status = error.status
    else:
        return error
    made.code = code
    return made


def wrong(sentence: str) -> RentedError:
    """The error for what Lambda would not take."""
    return RentedError(sentence, NAME)


def quoted(instance_id) -> str:
    """A part of a path: an id with a slash must not become another path."""
    return urllib.parse.quote(str(instance_id), safe="")
