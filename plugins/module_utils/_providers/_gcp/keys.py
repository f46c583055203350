# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""SSH keys at Google Cloud: lines of ``ssh-keys`` in the metadata of a project or an instance, as Google's page on metadata has them."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp.credentials import NAME, TITLE
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import SshKey

METADATA_VALUE = 262144  # bytes


def key_lines(metadata: dict) -> list:
    """The lines of ``ssh-keys``."""
    values = [item.get("value") for item in _values.rows(metadata.get("items")) if item.get("key") == "ssh-keys"]
    return [line.strip() for value in values if isinstance(value, str) for line in value.split("\n") if line.strip()]


def key_line(user: str, public_key: str, name: str | None = None) -> str:
    """A line of ``ssh-keys``. Raises `RentedError`, without the text, for what is not a public key."""
    key = _public_key.required(public_key, "The SSH key", NAME)
    line = (f"{user}:{key.body} {name or key.comment or ''}").strip()
    if project_key(line) is None:
        raise RentedError("The SSH key is not whole: its middle part is not base64.", NAME)
    return line


def with_key(lines: list, line: str) -> list:
    """The lines with one more, where its user does not have the key yet."""
    return lines if id_of(line) in map(id_of, lines) else [*lines, line]


def project_key(line: str) -> SshKey | None:
    """One line of ``ssh-keys``: "user:type key name". The id is the user with the key's fingerprint, as ``ssh-keygen -l`` shows it."""
    user, _colon, rest = line.partition(":")
    key = _public_key.parse(rest)
    if key is None or key.content is None:
        return None
    return SshKey(f"{user}:{_public_key.fingerprint(key.content)}", key.comment, rest.strip())


def id_of(line: str) -> str | None:
    """The id of a line; None for one that is not a key."""
    key = project_key(line)
    return key.id if key else None


def metadata_with(found: dict, new_lines) -> dict | None:
    """Metadata with other lines in ``ssh-keys``; None where they stay as they are."""
    lines = key_lines(found)
    wanted = new_lines(lines)
    if wanted == lines:
        return None
    value = "\n".join(wanted)
    if len(value.encode()) > METADATA_VALUE:
        raise RentedError(f"The keys at {TITLE} would be more than 256 KB; remove some first.", NAME)
    # All items are sent: what is left out would be deleted.
    items = [item for item in _values.rows(found.get("items")) if item.get("key") != "ssh-keys"]
    items += [{"key": "ssh-keys", "value": value}] if wanted else []
    return {"items": items, "fingerprint": found.get("fingerprint")}
