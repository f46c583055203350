# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""From what an instance is to what it shall be: present, started, stopped or absent. Knows no provider and nothing of Ansible.

Two rules are above all others, because breaking them costs money. Nothing is rented before a whole list has shown that the name
is free, and after a request with unknown outcome the list is read again before anything else; from that list until the new instance is
listed, a lock keeps others of this machine from renting under the name. And an instance is gone when a whole list does not have it: a
list that fails proves nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import time

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import Ambiguous, NotFound, PartlyCreated, ProviderUnavailable, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules, _gpu_names, _ownership
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance, LaunchRequest
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource_words import (
    cost_of_stopping,
    for_diff,
    mismatches,
    reachable,
    unsupported,
)

STATES = ("present", "started", "stopped", "absent")
FIRST_POLL = 1.0  # seconds; half as much again each time
LONGEST_POLL = 10.0
LOOKS_AFTER_DOUBT = 3  # lists after a request with unknown outcome, before it counts as not done
PAUSE_AFTER_DOUBT = 5.0
SMALLEST_BID = 0.00005  # USD per hour; less is a matter of rounding


@dataclasses.dataclass
class Outcome:
    """What was, what is, and what a person should be told."""

    changed: bool = False
    instance: Instance | None = None
    before: dict = dataclasses.field(default_factory=dict)
    after: dict = dataclasses.field(default_factory=dict)
    warnings: list = dataclasses.field(default_factory=list)


class NotReached(RentedError):
    """The wanted state was not reached; ``instance`` is what was last seen of it."""

    def __init__(self, message: str, instance: Instance | None, provider: str | None = None) -> None:
        super().__init__(message, provider)
        self.instance = instance


class NothingRented(RentedError):
    """A request without an answer came to nothing, as the list shows."""


class Resource:
    """One instance, named by label or id, at one account."""

    def __init__(
        self,
        provider,
        name: str | None = None,
        instance_id: str | None = None,
        request: LaunchRequest | None = None,
        wait: bool = True,
        wait_timeout: float = 600,
        check: bool = False,
        not_mine: str | None = None,
        clock=time.monotonic,
        sleep=time.sleep,
    ) -> None:
        # An empty text means "not given": a template that found nothing must not name an instance that does not exist.
        name, instance_id = name or None, str(instance_id or "").strip() or None
        if name is not None and (not name.strip() or name != name.strip()):
            raise RentedError("A name has at least one character and no spaces at its ends.")
        if name is not None and (len(name) > _field_rules.LONGEST_LABEL or _field_rules.printable(name) != name):
            # In a list it would read otherwise, so that the instance would not be found, and rented again.
            raise RentedError(f"A name has at most {_field_rules.LONGEST_LABEL} characters, all of them visible.")
        if name is None and instance_id is None:
            raise RentedError("Say which instance is meant: by its 'name', or by its 'id'.")
        self.provider = provider
        self.name = name
        self.id = instance_id
        self.request = request or LaunchRequest(name=name or "")
        self.wait = wait
        self.wait_timeout = wait_timeout
        self.check = check
        self.not_mine = str(not_mine or "").strip() or None
        self._clock = clock
        self._sleep = sleep
        self.outcome = Outcome()
        self._bids: tuple = ()  # before and after, where it is changed
        self._alive: list = []  # what the last look found, of every name
        self._held = contextlib.ExitStack()  # the lock on the name

    def reach(self, state: str) -> Outcome:
        """Make it so."""
        if state == "stopped":
            self._need("stop")
        with self._held:
            if state in ("present", "started") and self.name is not None and not self.check and self.provider.can("launch"):
                self._held.enter_context(self._lock())
            found = self.find()
            self.outcome.instance = found
            self.outcome.before, self.outcome.after = for_diff(found), for_diff(found)
            getattr(self, "_" + state)(found)
        if self.outcome.changed and not self.check:
            self.outcome.after = for_diff(self.outcome.instance)
        for side, bid in zip((self.outcome.before, self.outcome.after), self._bids):
            side["bid_per_hour"] = bid
        return self.outcome

    def _lock(self):
        """One at a time rents under this name at this account. Names of files are for everybody, so the name is in a digest too."""
        who = hashlib.sha256(repr((self.provider.owner(), self.name)).encode("ascii", "backslashreplace")).hexdigest()
        return _state.locked("rent", self.provider.NAME, who[:32])

    # --- looking -----------------------------------------------------------------------------------------------------

    def find(self) -> Instance | None:
        """The one instance that is meant, or None. Raises `Ambiguous` when the name is not enough."""
        # What is listed as terminated is gone; some providers show it for hours.
        self._alive = [instance for instance in self.provider.list_instances() if instance.state != "terminated"]
        if self.id is not None:
            return next((instance for instance in self._alive if instance.id == self.id), None)
        named = self._named()
        if len(named) > 1:
            raise Ambiguous(
                f"{len(named)} instances at {self.provider.TITLE} are called '{self.name}' (ids "
                f"{', '.join(instance.id for instance in named)}). Say which one with 'id'.",
                self.provider.NAME,
            )
        return named[0] if named else None

    def _named(self) -> list:
        return [instance for instance in self._alive if instance.label == self.name]

    def _called(self) -> str:
        return f"'{self.name}'" if self.id is None else self.id

    def _need(self, ability) -> None:
        if not self.provider.can(ability):
            raise unsupported(self.provider, ability)

    # --- the four states ---------------------------------------------------------------------------------------------

    def _present(self, found: Instance | None) -> None:
        if found is None:
            if self.id is not None:
                raise NotFound(
                    f"{self.provider.TITLE} has no instance {self.id}. To rent one, give a 'name' and no 'id'.", self.provider.NAME
                )
            self._need("launch")
            if self.request.bid_per_hour is not None:
                self._need("bid")
            self._rent()
            return
        self._take_over(found)
        if self.id is not None and self.name is not None and found.label != self.name:
            self._need("label")
            self._need_a_free_name()
            self._change(found, label=self.name)
            if not self.check:
                self.provider.set_label(found.id, self.name)
                self.id = found.id
                self.outcome.instance = found = self.find() or found
        self.outcome.warnings.extend(mismatches(found, self.request))
        self._bid(found)
        # One that runs may still lack its address: a first run waits for it, so one that was broken off and is repeated does too.
        under_way = found.state == "pending" or (found.state == "running" and not reachable(found) and self._will_be_reachable(found))
        if under_way and self.wait and not self.check:
            self._await(found.id, reachable, "running", fails=("error", "terminated"))

    def _will_be_reachable(self, found: Instance) -> bool:
        """What is not rented from here says nothing that could be awaited, and some instances never have SSH."""
        return self.provider.can("launch") and self.provider.is_host(found)

    def _need_a_free_name(self) -> None:
        """A name that two have finds neither of them any more."""
        taken = self._named()
        if taken:
            raise RentedError(
                f"{self.provider.TITLE} has another instance called '{self.name}' already "
                f"({', '.join(instance.id for instance in taken)}), so {self.id} was not renamed. Choose another "
                "name.",
                self.provider.NAME,
            )

    def _started(self, found: Instance | None) -> None:
        found = self._existing(found)
        self._bid(found)
        if found.state not in ("running", "pending"):
            self._need("stop")
            self._change(found, state="running")
            if self.check:
                return
            self._record(found, "start asked")
            self.provider.start(found.id)
        # What is not rented from here says nothing that could be awaited.
        if self.wait and not self.check and not reachable(found) and self.provider.can("launch"):
            self._await(found.id, reachable, "running")
        elif self.outcome.changed:
            self._look_again(found.id)

    def _stopped(self, found: Instance | None) -> None:
        found = self._existing(found)
        _ownership.refuse(found, self.provider.TITLE, "stopped", self.not_mine)
        cost = cost_of_stopping(found, self.provider.TITLE)
        self.outcome.warnings.extend([cost] if cost else [])
        if found.state not in ("stopped", "stopping"):
            self._change(found, state="stopped")
            if self.check:
                return
            self._record(found, "stop asked")
            self.provider.stop(found.id)
        if self.wait and not self.check and found.state != "stopped":
            self._await(found.id, lambda instance: instance.state == "stopped", "stopped")
        elif self.outcome.changed:
            self._look_again(found.id)

    def _absent(self, found: Instance | None) -> None:
        if found is None:
            if not self.provider.can("launch"):  # with a misspelt name, you would take it for ended
                sentence = unsupported(self.provider, "launch").message
                self.outcome.warnings.append("There is no such instance, and nothing was ended. " + sentence)
            return
        self._need("launch")
        _ownership.refuse(found, self.provider.TITLE, "destroyed", self.not_mine)
        self.outcome.changed = True
        self.outcome.after = for_diff(None)
        if self.check:
            self.outcome.instance = None
            return
        self._record(found, "destroy asked")
        self.provider.destroy(found.id)
        if self.wait:
            self._await(found.id, None, "gone")
            self._record(found, "seen gone")
        self.outcome.instance = None

    # --- what is remembered ------------------------------------------------------------------------------------------

    def _record(self, found: Instance, event: str, **details) -> None:
        """Into the journal, where the instance is ours. A full disk here must not keep an instance running there."""
        try:
            if _ownership.is_ours(found):
                _ownership.note(found, event, **details)
        except RentedError as error:
            self.outcome.warnings.append(error.message)

    def _take_over(self, found: Instance) -> None:
        """An earlier run may have rented it and ended before it could write that down."""
        if not self.check and self.name is not None and _ownership.lease_of(found) is None and _ownership.is_ours(found):
            _ownership.note(found, "found")
            _ownership.forget_intent(found.provider, self.name)

    def _existing(self, found: Instance | None) -> Instance:
        if found is None:
            raise NotFound(f"{self.provider.TITLE} has no instance {self._called()}. 'state: present' rents one.", self.provider.NAME)
        return found

    def _bid(self, found: Instance) -> None:
        """Bid for an instance that exists what is asked for, where that is something else than before."""
        wanted, limit = self.request.bid_per_hour, self.request.max_price_per_hour
        if wanted is None:
            return
        self._need("bid")
        wanted = wanted if limit is None else min(wanted, limit)
        now = self.provider.get_bid(found.id)
        if now is None:
            raise RentedError(
                f"The instance '{found.label}' ({found.id}) at {self.provider.TITLE} was not rented by a bid, so "
                "there is none to change. Leave 'bid_per_hour' out.",
                self.provider.NAME,
            )
        if abs(now - wanted) < SMALLEST_BID:
            return
        self._bids = (now, wanted)
        self.outcome.changed = True
        if not self.check:
            self.provider.set_bid(found.id, wanted)
            self._record(found, "bid changed", before=now, after=wanted)
            self._look_again(found.id)

    def _change(self, found: Instance, **changes) -> None:
        self.outcome.changed = True
        self.outcome.after = for_diff(dataclasses.replace(found, **changes))
        if self.check:
            self.outcome.instance = dataclasses.replace(found, **changes)

    # --- renting -----------------------------------------------------------------------------------------------------

    def _rent(self) -> None:
        self.provider.check_request(self.request)  # in check mode nothing else does
        self.outcome.changed = True
        planned = Instance(
            provider=self.provider.NAME,
            account=self.provider.account,
            id="",
            label=self.name,
            state="running",
            image=self.request.image,
            gpu_model=_gpu_names.normalise(self.request.gpu).model,
            gpu_count=self.request.gpu_count,
            disk_gb=self.request.disk_gb,
            region=self.request.region,
            interruptible=self.request.interruptible,
        )
        self.outcome.after = for_diff(planned)
        if self.check:
            self.outcome.instance = planned
            return
        instance_id, in_doubt = self._launch(planned)
        self.outcome.instance = dataclasses.replace(planned, id=instance_id, state="pending")
        try:
            self._remember(planned, instance_id)
            if in_doubt:
                self.provider.settle(instance_id, self.request)
            if self.wait:
                self._await(instance_id, reachable, "running", fails=("error", "terminated"), new=True)
                self._record(self.outcome.instance, "reachable", price_per_hour=self.outcome.instance.price_per_hour)
            else:
                self._look_again(instance_id)
        except RentedError as error:
            raise self._rented_but(error, instance_id) from error

    def _launch(self, planned: Instance) -> tuple[str, bool]:
        """``(id, in doubt)``. What is remembered of the request stays only where its outcome is not known."""
        request = dataclasses.replace(self.request, owner=_ownership.mark())
        _ownership.intend(planned.provider, str(self.name))
        try:
            return self.provider.launch(request), False
        except ProviderUnavailable as error:
            try:
                return self._after_doubt(error), True
            except NothingRented:
                _ownership.forget_intent(planned.provider, str(self.name))
                raise
        except PartlyCreated as error:
            with contextlib.suppress(RentedError):  # that something is left to destroy matters more
                self._remember(planned, error.instance_id)
            raise
        except RentedError:
            _ownership.forget_intent(planned.provider, str(self.name))
            raise

    def _remember(self, planned: Instance, instance_id: str) -> None:
        asked = {
            "name": self.name,
            "gpu": self.request.gpu,
            "gpu_count": self.request.gpu_count,
            "disk_gb": self.request.disk_gb,
            "interruptible": self.request.interruptible,
            "max_price_per_hour": self.request.max_price_per_hour,
            "bid_per_hour": self.request.bid_per_hour,
        }
        _ownership.note(
            dataclasses.replace(planned, id=instance_id), "rented", **{key: value for key, value in asked.items() if value is not None}
        )
        _ownership.forget_intent(planned.provider, str(self.name))

    def _rented_but(self, error: RentedError, instance_id: str) -> RentedError:
        """The error of whatever went wrong after renting: it names what was rented, and says that this may be billed."""
        if isinstance(error, PartlyCreated) or (isinstance(error, NotReached) and "billed" in error.message):
            return error
        seen = getattr(error, "instance", None) or self.outcome.instance
        return NotReached(
            f"{error.message.rstrip('.')}. The instance {instance_id} was rented, and may be billed: look at it before you rent again.",
            seen,
            self.provider.NAME,
        )

    def _after_doubt(self, error: RentedError) -> str:
        """Whether a request without an answer was done after all: the id, or the error again."""
        for number in range(LOOKS_AFTER_DOUBT):
            if number:
                self._sleep(PAUSE_AFTER_DOUBT)
            try:
                found = self.find()
            except Ambiguous:
                raise
            except RentedError as second:
                raise RentedError(
                    f"{error.message} Whether '{self.name}' was rented is not known, because the list fails too "
                    f"({second.message}). Look before you try again: it may be billed.",
                    self.provider.NAME,
                ) from None
            if found is not None:
                self.outcome.warnings.append(f"{error.message} It was rented nevertheless, as the list shows: {found.id}.")
                return found.id
        raise NothingRented(
            f"{error.message} The list shows no instance '{self.name}', so nothing was rented.", self.provider.NAME
        ) from None

    # --- waiting -----------------------------------------------------------------------------------------------------

    def _look_again(self, instance_id: str) -> None:
        found = next((instance for instance in self.provider.list_instances() if instance.id == instance_id), None)
        if found is not None:
            self.outcome.instance = found

    def _await(self, instance_id: str, reached, wanted: str, fails: tuple = (), new: bool = False) -> None:
        """List until the instance is as ``reached`` says; None: until it is listed no more.

        A list that fails is neither: it is asked again until the time is up.
        """
        end = self._clock() + self.wait_timeout
        pause = FIRST_POLL
        last, trouble, seen = self.outcome.instance, None, not new
        while True:
            try:
                found = next((instance for instance in self.provider.list_instances() if instance.id == instance_id), None)
                trouble = None
            except ProviderUnavailable as error:
                trouble = error
            else:
                if reached is None:
                    if found is None or found.state == "terminated":
                        return
                elif found is not None and reached(found):
                    self.outcome.instance = found
                    return
                elif found is None and seen:
                    raise NotReached(
                        f"The instance {instance_id} at {self.provider.TITLE} vanished while it was awaited to be {wanted}.", last
                    )
                elif found is not None and found.state in fails:
                    raise NotReached(
                        f"The instance {instance_id} at {self.provider.TITLE} is in the state '{found.state}' "
                        f"({found.state_raw}), and does not become {wanted} by itself. It may be billed: destroy it, "
                        "and rent another.",
                        found,
                        self.provider.NAME,
                    )
                if found is not None:
                    last, seen = found, True
            if seen:
                self._held.close()  # it is listed, so it is not rented again, and other runs need not wait
            if self._clock() >= end:
                break
            self._sleep(min(pause, max(end - self._clock(), 0.1)))
            pause = min(pause * 1.5, LONGEST_POLL)
        if trouble is not None:
            what = f"it cannot be said whether the instance {instance_id} is {wanted}: {trouble.message}"
        else:
            state = "not listed" if last is None else f"'{last.state}'"
            if last is not None and last.state == "running" and wanted == "running":
                state = "'running', without an address for SSH"
            what = f"the instance {instance_id} is not {wanted} but {state}, and may be billed"
        raise NotReached(f"After {self.wait_timeout:.0f} s, {what.rstrip('.')}.", last, self.provider.NAME)
