# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Startup scripts: the API has no SSH keys, so a script lets one in at the first boot. The team keeps them; we keep only those in use."""

from __future__ import annotations

import datetime
import hashlib
import shlex

from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace.machines import SSH_USER
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest

PREFIX = "rented-gpu "  # our startup scripts, among those of the team
ORPHAN_SECONDS = 3600  # a startup script without a machine for this long does not belong to one that is being made


def first_boot(request: LaunchRequest) -> str:
    """The startup script, which Paperspace runs as root: lets the SSH key in, then runs what the user gave."""
    lines = ["#!/bin/sh", "# Made by rented.gpu; runs once."]
    if request.ssh_public_key:
        user, key = SSH_USER, shlex.quote(request.ssh_public_key.strip())
        lines += [
            f"home=$(getent passwd {user} | cut -d: -f6)",
            f'folder="${{home:-/home/{user}}}/.ssh"',
            'mkdir -p "$folder"',
            'touch "$folder/authorized_keys"',
            # The line before may have no end.
            f'grep -qxF -e {key} "$folder/authorized_keys" || printf \'\\n%s\\n\' {key} >> "$folder/authorized_keys"',
            'chmod 700 "$folder"',
            'chmod 600 "$folder/authorized_keys"',
            f'chown -R {user}: "$folder"',
        ]
    if request.startup_script:
        script = request.startup_script.rstrip("\n")
        end = f"END_{hashlib.sha256(script.encode()).hexdigest()[:16]}"  # a line that the script does not have
        lines += [
            "run=$(mktemp /var/tmp/rented-gpu.XXXXXXXX) || exit 1",
            f"cat > \"$run\" <<'{end}'",
            script,
            end,
            'chmod 700 "$run"',
            '"$run"',
            "code=$?",
            'rm -f "$run"',
            "exit $code",
        ]
    return "\n".join(lines) + "\n"


def left_over(scripts: list, machine_id: str, answer) -> list:
    """The ids of our startup scripts that are not needed once the machine is gone: its own, and those that belong to none for an hour.

    A request without an answer leaves such a one behind. Time is that of the server: ours may be wrong.
    """
    now = _seconds(_values.mapping(_values.mapping(answer).get("event")).get("dtCreated"))
    found = []
    for script in scripts:
        machines, made = script.get("assignedMachineIds"), _seconds(script.get("dtCreated"))
        alone = machines == [] and now is not None and made is not None and now - made > ORPHAN_SECONDS
        if alone or (isinstance(machines, list) and [str(machine) for machine in machines] == [machine_id]):
            found.append(_values.text(script.get("id")))
    return found


def _seconds(value) -> float | None:
    """Seconds since 1970 of a time in ISO 8601."""
    text = _values.moment(value) if isinstance(value, str) else None
    if text is None:
        return None
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
