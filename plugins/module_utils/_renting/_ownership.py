# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which instances belong to this state directory, so that a typing error never destroys the instance of a colleague.

An instance is ours when it was rented, adopted or made ready from this state directory, and the provider does not show another owner's
mark on it. Rented instances carry the mark in the tag `OWNER_TAG` where the provider keeps tags or labels (AWS, Google Cloud, Lambda,
rehearsal). Everywhere else the lease alone decides.
"""

from __future__ import annotations

import contextlib
import datetime
import getpass
import hashlib
import json
import os
import re
import secrets

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.module_utils._renting import _journal, _leases
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import OWNER_TAG, Instance

_MARK = re.compile(r"[a-z0-9_-]{1,40}-[0-9a-f]{12}\Z")
_INTENTS = "renting"
# Clocks differ, and a request that was repeated by hand may come an hour later. In seconds.
_EARLY, _LATE = 600, 3600


def mark() -> str:
    """The mark of this state directory: the login name, for people, and random digits. It is made at its first use."""
    found = _known_mark()
    if found is None:
        with _state.locked("owner"):
            found = _known_mark()
            if found is None:
                found = f"{_login_name()}-{secrets.token_hex(6)}"
                _store(_mark_path(), found + "\n")
    return found


def _known_mark() -> str | None:
    """The mark, or None while there is none. Writes nothing."""
    path = _mark_path()
    try:
        with open(path, encoding="ascii") as handle:
            found = handle.read(100).strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RentedError(f"The mark of this state directory cannot be read from {path} ({error}). Restore the file.") from None
    if not _MARK.match(found):
        raise RentedError(f"The file {path} does not hold the mark of this state directory. Restore it from a backup, or remove it.")
    return found


def _mark_path() -> str:
    return os.path.join(_state.home_path(), "owner")


def _login_name() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, in containers
        name = "user"
    # The characters that the labels of Google Cloud take, which are the fewest.
    return re.sub(r"[^a-z0-9_-]", "-", name.lower())[:40] or "user"


# --- what is ours ------------------------------------------------------------------------------------------------------


def lease_of(instance: Instance) -> _leases.Lease | None:
    """The lease of an instance. The id decides: what the account is called is only a word of the user."""
    return _leases.find(instance.provider, instance.id)


def foreign_mark(instance: Instance) -> str | None:
    """The mark of another owner that the provider shows on an instance."""
    found = instance.tags.get(OWNER_TAG)
    return str(found) if found and found != _known_mark() else None


def is_ours(instance: Instance) -> bool:
    """Whether the instance belongs to this state directory."""
    if foreign_mark(instance):
        return False
    return bool(instance.tags.get(OWNER_TAG)) or lease_of(instance) is not None or _intended(instance)


def refuse(instance: Instance, title: str, doing: str, not_mine: str | None) -> None:
    """Raise `RentedError` unless the instance is ours or the user named its id in ``not_mine``. ``doing``: "stopped", "destroyed"."""
    if not_mine is not None and not_mine != instance.id:
        raise RentedError(
            f"Nothing was {doing}: 'not_mine' names the instance '{not_mine}', but the instance meant here is {instance.id} "
            f"(called '{instance.label}'). Give the id of the instance that you mean."
        )
    if not_mine is not None or is_ours(instance):
        return
    other = foreign_mark(instance)
    why = f"it carries the mark of another owner, '{other}'" if other else "it was not rented, adopted or made ready from here"
    raise RentedError(
        f"Nothing was {doing}: the instance {instance.id} (called '{instance.label}') at {title} may not be yours: {why} "
        f"(state directory {_state.home_path()}). If you are sure that it may be {doing}, name its id: not_mine: '{instance.id}'."
    )


# --- what makes it ours ------------------------------------------------------------------------------------------------


def note(instance: Instance, event: str, **details) -> _leases.Lease:
    """Record what happened to one of your instances; the first event makes its lease. Raises `RentedError`."""
    with _leases.locked():
        lease = lease_of(instance)
        if lease is None:
            lease = _leases.Lease(
                provider=instance.provider,
                account=instance.account,
                id=instance.id,
                label=instance.label,
                gpu=instance.gpu_name_raw or instance.gpu_model,
                price_per_hour=instance.price_per_hour,
                started_at=instance.started_at,
            )
            _leases.save(lease)
    _journal.append(lease, event, **details)
    return lease


def note_ready(instance: Instance) -> None:
    """Record that an instance was made ready from here, once. An instance with another owner's mark stays that owner's."""
    if foreign_mark(instance) is None and lease_of(instance) is None:
        note(instance, "ready")


# --- a request that is under way ---------------------------------------------------------------------------------------


def intend(provider: str, name: str) -> None:
    """Remember a request to rent, before it is sent. Raises `RentedError`.

    The memory stays where no lease follows, because this process ended or no answer came. The next run then knows that the instance of
    this name was rented from here.
    """
    _state.folder(_INTENTS)
    _store(_intent_path(provider, name), json.dumps({"at": datetime.datetime.now(datetime.timezone.utc).timestamp()}) + "\n")


def forget_intent(provider: str, name: str) -> None:
    """The outcome of the request is known."""
    with contextlib.suppress(OSError):
        os.unlink(_intent_path(provider, name))


def _intended(instance: Instance) -> bool:
    """Whether a request from here, whose outcome was never learned, asked for an instance of this name at about its time."""
    if not instance.label:
        return False
    try:
        with open(_intent_path(instance.provider, instance.label), encoding="ascii") as handle:
            asked = json.load(handle)["at"]
        began = datetime.datetime.fromisoformat((instance.started_at or "").replace("Z", "+00:00")).timestamp()
        return asked - _EARLY <= began <= asked + _LATE
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _intent_path(provider: str, name: str) -> str:
    digest = hashlib.sha256(json.dumps([provider, name]).encode("ascii")).hexdigest()[:32]
    return os.path.join(_state.home_path(), _INTENTS, f"{provider}-{digest}.json")


def _store(path: str, text: str) -> None:
    try:
        _stamps.write_private(path, text)
    except OSError as error:
        raise RentedError(f"{path} cannot be written: {error.strerror or error}. Free some space, or check who owns it.") from None
