# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What one run keeps in the facts of a host: what was read there, and what each role did."""

from __future__ import annotations

import os

from ansible import constants as C

FACTS = "rented"  # ansible_facts.rented: what host_facts read
RUN = "rented_run"  # ansible_facts.rented_run: what each role did in this run
BEGAN = "rented_began"  # ansible_facts.rented_began: when this run began, seconds since the epoch
# A variable of bootstrap.yml and check.yml: their hosts go on by themselves, and the summary shows why one is not ready.
SUMMED_UP = "__rented_summed_up"
TOKEN = "read_by"  # in the facts: the run that read them


def token() -> str:
    """What tells this run from every other: Ansible's own temporary folder, the same in all its workers."""
    return os.path.basename(str(C.DEFAULT_LOCAL_TMP))


def of_this_run(known: dict) -> dict:
    """``ansible_facts`` without what a fact cache kept of an earlier run: yesterday's facts must not say that a host is as wanted."""
    facts = known.get(FACTS)
    if isinstance(facts, dict) and facts.get(TOKEN) in (None, token()):
        return known
    return {name: value for name, value in known.items() if name not in (FACTS, RUN)}
