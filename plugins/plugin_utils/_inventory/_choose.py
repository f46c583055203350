# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""A JMESPath expression chooses, sorts and slices instances."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _query


def choose(query: str, instances: list) -> list:
    """The instances that the query chooses, in its order. Raises `RentedError`."""
    by_key = {(instance.provider, instance.account, instance.id): instance for instance in instances}
    answer = _query.searched(_query.compiled(query), [instance.as_dict() for instance in instances])
    if not isinstance(answer, list):
        raise RentedError(
            "The query %r must give a list of instances, such as [?gpu_count >= `2`]; it gave %s."
            % (str(query), "nothing" if answer is None else "a single value")
        )
    try:
        return [by_key[(item["provider"], item["account"], item["id"])] for item in answer]
    except (TypeError, KeyError):
        raise RentedError(f"The query {str(query)!r} must choose instances, not parts of them: leave out what follows the last ']'.")
