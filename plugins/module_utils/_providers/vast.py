# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Vast.ai, through the API layer of its official client ``vastai``.

The requests are the client's; paging, pacing, repeating and reading of answers are ours (see `_vast`): its own list fails on an
instance without a start date.
Facts: the OpenAPI file of vast-ai/docs, and ``vastai`` 1.9.1 (``SKILL.md`` for the states, ``cli/commands/misc.py`` for SSH).
"""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import NotFound, PartlyCreated, ProviderUnavailable, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanAttachKey,
    CanBid,
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanReadConsole,
    CanRegisterKey,
    CanStop,
    Provider,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._vast import connection, launching, machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._vast.machines import instance
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http, _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance, LaunchRequest, SshKey, Wish

PAGE_SIZE = 25  # the API's maximum
SEARCHES = 3
OFFERS_PER_SEARCH = 64
OFFERS_PER_PAGE = 1000  # of a price list; dearer ones are asked for by their price, since a search has no pages


class VastProvider(Provider, CanLaunch, CanStop, CanLabel, CanAttachKey, CanReadConsole, CanListOffers, CanRegisterKey, CanBid):
    """One account at Vast.ai."""

    NAME = connection.NAME
    TITLE = connection.TITLE
    ENDPOINT = "https://console.vast.ai"
    ENDPOINT_ENV = ("VAST_URL",)
    API_KEY_ENV = ("VAST_API_KEY",)
    HOURS_PER_MONTH = machines.HOURS_PER_MONTH
    SSH_USER = machines.SSH_USER
    KEY_FILES = ("$XDG_CONFIG_HOME/vastai/vast_api_key", "~/.config/vastai/vast_api_key", "~/.vast_api_key")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        _http.check_key(self.TITLE, self.NAME, self.api_key)
        self._connection: connection.Connection | None = None

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All instances of the account, every page. Raises a `RentedError`; never answers a part."""
        self._raw = {}
        found: dict = {}
        for row in self._rows():
            instance = self._instance(row)
            found[instance.id] = instance  # one that moved between two pages comes twice
            self.remember_raw(instance.id, row)
        return list(found.values())

    def _rows(self):
        """The rows of all pages, as Vast gives them."""
        total, count = 0, 0

        def fetch(token):
            nonlocal total
            params = {"limit": PAGE_SIZE, "order_by": [{"col": "id", "dir": "asc"}]}
            if token:
                params["after_token"] = token
            answer = self._call(
                "list", "list the instances", lambda vast: vast.instances.show_instances_v1(vast.client, params), repeat=True
            )
            total = answer.get("total_instances") or 0
            none = "instances" in answer and answer["instances"] is None
            rows = [] if none else _http.list_in(answer, "instances", self.TITLE, self.NAME, "list the instances")
            return rows, answer.get("next_token")

        for row in _http.pages(fetch, self.TITLE):
            count += 1
            yield row
        if not count and isinstance(total, (int, float)) and total > 0:
            raise ProviderUnavailable(f"{self.TITLE} says that there are {total} instances, but lists none. Try again.", self.NAME)

    def _instance(self, row) -> Instance:
        _http.id_in(row, self.TITLE, self.NAME)
        return instance(row, self.account)

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def check_request(self, request: LaunchRequest) -> None:
        launching.check(request)

    def launch(self, request: LaunchRequest) -> str:
        """Find the cheapest offer that fits and rent it. An offer that was taken meanwhile is passed over.

        Options: ``offer_id`` (this one, where it is what is asked for), ``verified`` (default true), ``datacenter``, ``query`` (further
        filters in Vast's own form), ``template_hash_id``, ``runtype``, ``env`` (dict), ``args``, ``image_login``, ``target_state``.
        """
        options = launching.check(request)
        wanted = _launching.words(request)
        refused = set()
        for _number in range(SEARCHES):
            found = [self._chosen(request, options, wanted)] if options.get("offer_id") else self._offers(request, options)
            found = [offer for offer in found if offer["id"] not in refused]
            if not found:
                raise NotFound(f"{self.TITLE} has no offer for {wanted}. Ask for less, or pay more.", self.NAME)
            for offer in found[:5]:
                instance_id = self._rent(offer, request, options)
                if instance_id is None:
                    refused.add(offer["id"])
                    continue
                self.settle(instance_id, request)
                return instance_id
            if options.get("offer_id"):
                break
        raise NotFound(f"Every offer of {self.TITLE} for {wanted} was taken by others first. Try again.", self.NAME)

    def settle(self, instance_id: str, request: LaunchRequest) -> None:
        """A key of the account is said to reach only later instances, so the key is attached to this one."""
        if request.ssh_public_key:
            try:
                self.attach_key(instance_id, request.ssh_public_key)
            except RentedError as error:
                raise self._undo(instance_id, f"the SSH key could not be attached: {error.message}")

    def _offers(self, request: LaunchRequest, options: dict) -> list:
        """Offers that fit, cheapest first."""
        found = self._search(offers.search_query(request, options), request.interruptible, offers.disk_gb(request), OFFERS_PER_SEARCH)
        return [offer for offer in found if offers.fits(offer, request, options)]

    def _chosen(self, request: LaunchRequest, options: dict, wanted: str) -> dict:
        """The offer that was named. Raises `NotFound` when it is gone, or not what is asked for: nothing dearer, smaller or elsewhere."""
        number = connection.number(options["offer_id"])
        found = self._search(offers.id_query(number, options), request.interruptible, offers.disk_gb(request), OFFERS_PER_SEARCH)
        offer = next((offer for offer in found if str(offer["id"]) == str(number)), None)
        if offer is None:
            raise NotFound(
                f"{self.TITLE} has no offer {number} any more: another customer has it, or it was taken back. Ask for offers again.",
                self.NAME,
            )
        wrong = offers.misfit(offer, request, options, chosen=True)
        if wrong:
            raise NotFound(
                f"The offer {number} of {self.TITLE} is not what was asked for ({wanted}): {wrong}. Ask for offers again, or ask for less.",
                self.NAME,
            )
        return offer

    def _search(self, query: dict, interruptible: bool, storage: float, limit: int) -> list:
        """One search, cheapest first. ``storage`` is GB of disk, which ``dph_total`` includes."""
        found = self._call(
            "search",
            "search offers",
            lambda vast: vast.offers.search_offers(
                vast.client,
                query=dict(query),  # the client adds to it
                offer_type="bid" if interruptible else "on-demand",
                order=[["dph_total", "asc"]],
                limit=limit,
                storage=storage,
                no_default=True,
            ),
            repeat=True,
            form=list,
        )
        # What is not an offer, or cannot be rented by its number, is none that could be chosen.
        return [offer for offer in found if isinstance(offer, dict) and _values.text(offer.get("id"))]

    def _rent(self, offer: dict, request: LaunchRequest, options: dict) -> str | None:
        """Rent one offer, once. The id of the instance; None when another customer has it."""
        arguments = launching.arguments(offer, request, options)

        def create(vast):
            body = vast.instances.build_create_instance_payload(**arguments)
            if options.get("target_state"):
                body["target_state"] = options["target_state"]
            # The API types these fields; null is none of the types.
            return vast.instances.create_instance_from_payload(
                vast.client, offer["id"], {key: value for key, value in body.items() if value is not None}
            )

        try:
            answer = self._call("create", f"rent offer {offer['id']}", create, keep_body=True)
        except connection.Refused as refused:
            contract = refused.data.get("new_contract")
            if contract:
                raise self._undo(str(contract), refused.error.message)
            if "no_such_ask" in refused.text:
                return None
            raise refused.error from None
        if not answer.get("new_contract"):
            raise ProviderUnavailable(
                f"{self.TITLE} answered the request to rent offer {offer['id']} without an instance id. Look into "
                "its web page before trying again.",
                self.NAME,
            )
        return str(answer["new_contract"])

    def _undo(self, instance_id: str, why: str) -> PartlyCreated:
        return _launching.given_back(self.TITLE, self.NAME, why, [instance_id], self.destroy)

    def destroy(self, instance_id: str) -> None:
        try:
            self._call(
                "destroy",
                f"destroy instance {instance_id}",
                lambda vast: vast.instances.destroy_instance(vast.client, connection.number(instance_id)),
                repeat=True,
            )
        except NotFound:
            pass

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """Every offer for the wish, from machines that Vast has verified, as `launch` takes them; one search for each way of renting."""
        ways = (False, True) if wish.interruptible is None else (wish.interruptible,)
        return [offer for interruptible in ways for offer in self._price_list(wish, interruptible)]

    def _price_list(self, wish: Wish, interruptible: bool) -> list:
        storage = max(float(wish.disk_gb), offers.LEAST_DISK_GB)
        query = offers.wish_query(wish)
        found: dict = {}

        def fetch(least):
            more = {} if least is None else {"dph_total": {"gte": least}}
            rows = self._search({**query, **more}, interruptible, storage, OFFERS_PER_PAGE)
            last = _values.number(rows[-1].get("dph_total")) if len(rows) >= OFFERS_PER_PAGE else None
            return rows, last

        for row in _http.pages(fetch, self.TITLE):
            found[row["id"]] = offers.offer(row, self.account, interruptible)  # the dearest of a page is the cheapest of the next
        return list(found.values())

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        self._manage(instance_id, "stop", lambda vast, number: vast.instances.stop_instance(vast.client, number))

    def start(self, instance_id: str) -> None:
        self._manage(instance_id, "start", lambda vast, number: vast.instances.start_instance(vast.client, number))

    def set_label(self, instance_id: str, label: str) -> None:
        self._manage(instance_id, "label", lambda vast, number: vast.instances.label_instance(vast.client, number, label))

    def _manage(self, instance_id: str, verb: str, function) -> None:
        number = connection.number(instance_id)
        self._call("manage", f"{verb} instance {instance_id}", lambda vast: function(vast, number), repeat=True)

    def attach_key(self, instance_id: str, public_key: str) -> None:
        number = connection.number(instance_id)
        key = _public_key.required(public_key, "The SSH key to attach", self.NAME).line
        try:
            self._call(
                "keys",
                f"attach an SSH key to instance {instance_id}",
                lambda vast: vast.keys.attach_ssh(vast.client, number, key),
                repeat=True,
                keep_body=True,
            )
        except connection.Refused as refused:
            if not re.search(r"already|duplicate", refused.text, re.I):
                raise refused.error from None

    def console(self, instance_id: str) -> str:
        number = connection.number(instance_id)
        answer = self._call(
            "manage",
            f"read the log of instance {instance_id}",
            lambda vast: vast.instances.logs(vast.client, number, tail="500"),
            repeat=True,
            form=(str, dict),
        )
        return answer if isinstance(answer, str) else str(answer.get("msg") or "")

    # --- bids --------------------------------------------------------------------------------------------------------

    def get_bid(self, instance_id: str) -> float | None:
        """The bid is ``dph_base``, the price without the disk, of an instance whose ``is_bid`` is true: what is bid is paid."""
        for row in self._rows():
            if isinstance(row, dict) and str(row.get("id")) == str(instance_id):
                return _values.number(row.get("dph_base")) if row.get("is_bid") is True else None
        raise NotFound(f"{self.TITLE} has no instance {instance_id}.", self.NAME)

    def set_bid(self, instance_id: str, price_per_hour: float) -> None:
        launching.check_bid(price_per_hour)
        number = connection.number(instance_id)
        self._call(
            "bid",
            f"change the bid for instance {instance_id}",
            lambda vast: vast.instances.change_bid(vast.client, number, price_per_hour),
            repeat=True,
        )

    # --- keys of the account -----------------------------------------------------------------------------------------

    def list_keys(self) -> list:
        """Keys have no names here. An account without any is answered with 404, says the API file."""
        try:
            rows = self._call("keys", "list the SSH keys", lambda vast: vast.keys.show_ssh_keys(vast.client), repeat=True, form=list)
        except NotFound:
            return []
        return [ssh_key(row) for row in rows if isinstance(row, dict) and row.get("id") is not None and not row.get("deleted_at")]

    def add_key(self, name: str, public_key: str) -> str:
        """The name is not sent: it has no place here. New instances get the key; whether running ones do, Vast's pages disagree."""
        answer = self._call("keys", "add an SSH key", lambda vast: vast.keys.create_ssh_key(vast.client, public_key.strip()))
        number = _values.mapping(answer.get("key")).get("id")
        if number is not None:
            return str(number)
        for key in self.list_keys():
            if _public_key.same(key.public_key, public_key):
                return key.id
        raise ProviderUnavailable(f"{self.TITLE} said that it has added the SSH key, but does not list it. Try again.", self.NAME)

    def remove_key(self, key_id: str) -> None:
        try:
            self._call(
                "keys",
                f"remove SSH key {key_id}",
                lambda vast: vast.keys.delete_ssh_key(vast.client, connection.number(key_id)),
                repeat=True,
                keep_body=True,
            )
        except connection.Refused as refused:
            gone = isinstance(refused.error, NotFound) or refused.data.get("error") == "no_ssh_key"
            if not gone:
                raise refused.error from None

    # --- calling -----------------------------------------------------------------------------------------------------

    def _call(self, kind: str, what: str, function, **how):
        """See `connection.Connection.call`."""
        if self._connection is None:
            self._connection = connection.Connection(str(self.api_key), self.endpoint, self.timeout, self.clock, self.sleep)
        return self._connection.call(kind, what, function, **how)


def ssh_key(row: dict) -> SshKey:
    """A key of the account. The list calls the text ``key``; the answer to adding one calls it ``public_key``."""
    return SshKey(_values.text(row.get("id")) or "", None, _values.text(row.get("key")) or _values.text(row.get("public_key")))
