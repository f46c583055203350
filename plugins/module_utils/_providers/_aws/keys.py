# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Key pairs. AWS keeps them per region, so that one key of a person is a key pair in each of them.

The id of a key here is all of its key pairs: ``eu-west-1:key-0aa,us-east-1:key-0bb``.
"""

from __future__ import annotations

import hashlib

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import NotFound, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import NAME, TITLE, Refused
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import SshKey

KINDS = ("ssh-ed25519", "ssh-rsa")
NAME_LIMIT = 255


def check(public_key: str) -> str:
    """The key, without spaces at its ends. Raises `RentedError` for what EC2 would refuse; never repeats the text."""
    key = _public_key.required(public_key, f"The SSH key for {TITLE}", NAME)
    if key.kind not in KINDS:
        raise RentedError(f"{TITLE} takes SSH keys of the kinds {' and '.join(KINDS)}; this one is {key.kind}.", NAME)
    if key.kind.encode() not in (key.content or b"")[:40]:
        raise RentedError(f"The SSH public key for {TITLE} is cut off or changed. Copy it again, whole.", NAME)
    return key.line


def pairs(connection, region: str) -> list:
    """The key pairs of one region, as EC2 describes them."""
    answer = connection.call(region, "describe_key_pairs", "list the key pairs", IncludePublicKey=True)
    return answer.get("KeyPairs") or []


def merged(pairs_by_region: dict) -> list:
    """Every key as `SshKey`: key pairs of the same name and content are one."""
    found: dict = {}
    for region, rows in pairs_by_region.items():
        for row in rows:
            same = (row.get("KeyName"), _public_key.parse(row.get("PublicKey")) or row.get("KeyFingerprint"))
            found.setdefault(same, []).append((region, row))
    return [
        SshKey(
            id=",".join(f"{region}:{row.get('KeyPairId')}" for region, row in rows),
            name=name,
            public_key=(rows[0][1].get("PublicKey") or "").strip() or None,
        )
        for (name, _content), rows in found.items()
    ]


def name_for(public_key: str) -> str:
    """The name of a key pair that is imported for a launch: the same key has the same name."""
    return "rented-gpu-" + hashlib.sha256(_public_key.parsed(public_key).body.encode()).hexdigest()[:12]


def ensure(connection, region: str, public_key: str) -> str:
    """The name of a key pair with this key; imported where there is none."""
    for row in pairs(connection, region):
        if _public_key.same(row.get("PublicKey"), public_key):
            return row["KeyName"]
    name = name_for(public_key)
    try:
        import_pair(connection, region, name, public_key)
    except Refused as refused:  # another launch imported it meanwhile
        if refused.code != "InvalidKeyPair.Duplicate":
            raise refused.error from None
    return name


def import_pair(connection, region: str, name: str, public_key: str) -> str:
    """Register the key in one region; the id of the key pair. Raises `Refused` when the name is taken there."""
    answer = connection.call(
        region,
        "import_key_pair",
        "register an SSH key",
        once=True,
        refusals=("InvalidKeyPair.Duplicate",),
        KeyName=name,
        PublicKeyMaterial=public_key.encode(),
    )
    return answer["KeyPairId"]


def add(connection, regions: list, name: str, public_key: str) -> str:
    """Register the key in all of the regions, or in none: what was registered is taken back when a later region refuses."""
    key = check(public_key)
    if not name or len(name) > NAME_LIMIT:
        raise RentedError(f"{TITLE} takes names of key pairs of 1 to {NAME_LIMIT} characters.", NAME)
    present, done = {}, []
    for region in regions:
        present[region] = next((row for row in pairs(connection, region) if _public_key.same(row.get("PublicKey"), key)), None)
    try:
        for region in regions:
            if present[region] is None:
                done.append(f"{region}:{import_pair(connection, region, name, key)}")
    except (Refused, RentedError) as failed:
        for entry in done:
            _remove(connection, *entry.split(":", 1))
        if not isinstance(failed, Refused):
            raise
        raise RentedError(
            f"{TITLE} has another key called '{name}' ({failed.message}). Give this one another name, or remove the other.", NAME
        ) from None
    return ",".join(done + [f"{region}:{row['KeyPairId']}" for region, row in present.items() if row is not None])


def remove(connection, key_id: str) -> None:
    """Remove all key pairs of an id; those that are gone are not an error."""
    for entry in key_id.split(","):
        region, _colon, pair = entry.partition(":")
        if not region or not pair.startswith("key-"):
            raise NotFound(f"The ids of {TITLE}'s keys look like us-east-1:key-0123456789abcdef0; '{key_id}' does not.", NAME)
    for entry in key_id.split(","):
        _remove(connection, *entry.split(":", 1))


def _remove(connection, region: str, pair: str) -> None:
    try:
        connection.call(region, "delete_key_pair", "remove an SSH key", KeyPairId=pair)
    except NotFound:
        pass
