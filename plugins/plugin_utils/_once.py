# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""A failed task whose sentence is printed once.

Ansible prints the message of a failed task as an error, and again in the task's result. For a message of one line the result is enough.
"""

from __future__ import annotations

try:
    from ansible._internal._errors._captured import AnsibleActionCapturedError, CapturedErrorSummary
    from ansible.module_utils._internal._messages import Event
except ImportError:  # not a public part of Ansible: without it, the message is printed twice

    def mark(result: dict) -> None:
        return None

else:

    class _Once(AnsibleActionCapturedError):
        @property
        def omit_exception_key(self) -> bool:
            return True

    def mark(result: dict) -> None:
        """Let the message of this failed result be printed in the result alone. A message of several lines stays readable as an error."""
        message = str(result.get("msg", ""))
        if "\n" in message:
            return
        try:
            result["exception"] = CapturedErrorSummary(event=Event(msg=message), error_type=_Once)
        except TypeError:  # another version's form
            result.pop("exception", None)
