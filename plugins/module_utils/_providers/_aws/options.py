# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What an account may say beside its name: checked before anybody is asked."""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import NAME, TITLE


def check_options(options: dict) -> tuple | None:
    """The key that the options give. Raises `RentedError` for options that do not go together."""
    for name in ("profile", "access_key_id", "secret_access_key", "session_token", "ssh_user"):
        if name in options and (not isinstance(options[name], str) or not options[name].strip()):
            raise RentedError(f"The option '{name}' of {TITLE} is empty or not a text; leave it out or give it a value.", NAME)
    if "regions" in options:
        regions = options["regions"]
        regions = re.split(r"[,\s]+", regions.strip(", ")) if isinstance(regions, str) else regions
        if not isinstance(regions, list) or not regions or not all(isinstance(name, str) and name.strip() for name in regions):
            raise RentedError(f"The option 'regions' of {TITLE} is a list of regions, such as [eu-west-1, us-east-1].", NAME)
        options["regions"] = sorted({name.strip() for name in regions})
    if "all_instances" in options and not isinstance(options["all_instances"], bool):
        raise RentedError(f"The option 'all_instances' of {TITLE} is true or false.", NAME)
    pair = [name for name in ("access_key_id", "secret_access_key") if options.get(name)]
    if len(pair) == 1 or (options.get("session_token") and not pair):
        raise RentedError(f"A key of {TITLE} has two parts: give access_key_id and secret_access_key.", NAME)
    if pair and options.get("profile"):
        raise RentedError(f"Give {TITLE} a profile or an access key, not both.", NAME)
    if not pair:
        return None
    return options["access_key_id"].strip(), options["secret_access_key"].strip(), options.get("session_token")
