# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How an action fails: with one sentence, said once."""

from __future__ import annotations

from ansible.errors import AnsibleAction, AnsibleConnectionFailure

from ansible_collections.rented.gpu.plugins.module_utils import _plain


class Failure(Exception):
    """The task fails with this sentence: what was tried, what was found, what to do next."""

    def __init__(self, message: str, **details) -> None:
        super().__init__(message)
        self.details = details


class MissingTool(Failure):
    """A program is not on the controller. Where that is the host itself, the role `ready` brings it."""


class Told(AnsibleAction):
    """Fails the task with this result, and without the second message that Ansible prints for an action that returns a failure.

    That second message repeats the sentence, between an excerpt of the role's source and the result, which has the sentence too.
    """

    omit_exception_key = True

    def __init__(self, result: dict) -> None:
        super().__init__(str(result.get("msg", "")), result=result)
        self.told = {key: value for key, value in result.items() if key != "failed"}  # Ansible adds it

    @property
    def result_contribution(self) -> dict:
        return self.told


class Lost(AnsibleConnectionFailure):
    """The host is unreachable; like `Told`, without a second message."""

    omit_exception_key = True

    @property
    def result_contribution(self) -> dict:
        return {"unreachable": True, "msg": self.message}


def vanished(host, doing: str, text: str) -> str:
    """The sentence for a host that let us in before and does not answer any more."""
    said = "; ".join(line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("debug", "@")))[-300:]
    return (
        f"{host} was lost while {doing} ran there: {_plain.plain(said).rstrip('.')}. Check at the provider "
        "whether it was stopped, preempted or outbid. When it runs again, run the same command again: what was "
        "interrupted is mended."
    )
