# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What an API answered, without what may be a secret: for those who ask for the API's own words."""

from __future__ import annotations

import re

# Names under which APIs put secrets, and free text of the user that may hold one (start scripts, environments, commands).
_SECRET_NAMES = re.compile(
    r"token|secret|passw|passphrase|credential|api_?key|access_?key|private_?key|jupyter|login|cookie|auth(?!or)"
    r"|^env|_env$|_env_|environ|onstart|on_start|startup|user_?data|cmd|command|entrypoint|(^|_)args?($|_)",
    re.IGNORECASE,
)
_SECRET_IN_TEXT = re.compile(
    r"(?i)((?:token|key|secret|password|passwd|pwd)=)[^&\s'\"]+|(?<=://)[^/\s@]+:[^/\s@]+(?=@)|\b(?:hf|ghp|gho|ghs)_\w{8,}"
)


def scrub(value, known=()):
    """A copy of an API's answer without what may be a secret. Removing too much is the harmless mistake here."""
    if isinstance(value, dict):
        return {str(name): scrub(item, known) for name, item in value.items() if not _SECRET_NAMES.search(str(name))}
    if isinstance(value, (list, tuple)):
        return [scrub(item, known) for item in value]
    if isinstance(value, str):
        for secret in known:
            value = value.replace(secret, "REMOVED") if secret else value
        return _SECRET_IN_TEXT.sub(lambda found: (found.group(1) or "") + "REMOVED", value)
    return value
