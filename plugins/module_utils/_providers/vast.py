# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Vast.ai, through the API layer of its official client ``vastai``.

The requests are the client's; paging, pacing, repeating and reading of answers are ours: the client repeats after 0.15 s where
Vast wants a second, repeats requests that rent, and its own list fails on an instance without a start date.
Facts: the OpenAPI file of vast-ai/docs, and ``vastai`` 1.9.1 (``SKILL.md`` for the states, ``cli/commands/misc.py`` for SSH).
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import re
import sys
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils import _gpu_names, _http, _public_key, _values
from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingLibrary,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._models import Instance, LaunchRequest, Offer, SshKey, Wish
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

LOG = logging.getLogger("rented.gpu.vast")

PAGE_SIZE = 25  # the API's maximum
# Least seconds between two calls of one kind: "x-rate-limit" in Vast's API files.
INTERVALS = {"list": 1.0, "manage": 1.0, "destroy": 3.0, "create": 4.5, "search": 6.0, "keys": 1.0, "bid": 5.5}
HOURS_PER_MONTH = 720.0  # `storage_total_cost` is `storage_cost * disk_space / 720` in the API's own example
DEFAULT_DISK_GB = 20
LEAST_DISK_GB = 8
DEFAULT_IMAGE = "vastai/base-image:@vastai-automatic-tag"  # as in the API file's example of a request
RUNTYPE = "ssh_direc ssh_proxy"  # what the official client sends for SSH by both ways
SEARCHES = 3
OFFERS_PER_SEARCH = 64
OFFERS_PER_PAGE = 1000  # of a price list; dearer ones are asked for by their price, since a search has no pages
LEAST_BID, MOST_BID, MOST_FIRST_BID = 0.001, 32.0, 128.0  # USD per hour: of a change, and the most when renting
BID_MARGIN = 1.05  # what is bid when no bid is given: a bit above the least
ONSTART_LIMIT = 4048  # characters

# `actual_status` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "created": "pending",
    "loading": "pending",
    "rebooting": "pending",
    "running": "running",
    "frozen": "paused",
    "stopped": "stopped",
    "exited": "stopped",
    "unknown": "error",  # Vast's word for "no heartbeat"; such an instance does not come back by itself
    "offline": "error",
}

# Our model -> names that Vast has for it, where they differ.
VAST_NAMES = {
    "A100": ("A100 PCIE", "A100 SXM4", "A100 SXM"),
    "H100": ("H100 PCIE", "H100 SXM", "H100 NVL"),
    "H200": ("H200", "H200 NVL", "H200 SXM"),
    "RTX 6000": ("Q RTX 6000",),
    "RTX 8000": ("Q RTX 8000",),
    "RTX PRO 6000": ("RTX PRO 6000 WS", "RTX PRO 6000 S"),
    "T4": ("Tesla T4",),
    "V100": ("Tesla V100",),
    "P100": ("Tesla P100",),
    "P40": ("Tesla P40",),
}

# What LaunchRequest.options may hold.
LAUNCH_OPTIONS = (
    "offer_id",
    "template_hash_id",
    "runtype",
    "env",
    "args",
    "verified",
    "datacenter",
    "query",
    "image_login",
    "target_state",
)


class VastProvider(Provider, CanLaunch, CanStop, CanLabel, CanAttachKey, CanReadConsole, CanListOffers, CanRegisterKey, CanBid):
    """One account at Vast.ai."""

    NAME = "vast"
    TITLE = "Vast.ai"
    ENDPOINT = "https://console.vast.ai"
    ENDPOINT_ENV = ("VAST_URL",)
    API_KEY_ENV = ("VAST_API_KEY",)
    HOURS_PER_MONTH = HOURS_PER_MONTH
    KEY_FILES = ("$XDG_CONFIG_HOME/vastai/vast_api_key", "~/.config/vastai/vast_api_key", "~/.vast_api_key")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        _http.check_key(self.TITLE, self.NAME, self.api_key)
        self._paces: dict = {}
        self._connection = None

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
            # An answer without the key must not read as "you have none": instances would go on billing unseen.
            if "instances" not in answer:
                raise ProviderUnavailable("%s answered no list when asked to list the instances." % self.TITLE, self.NAME)
            total = answer.get("total_instances") or 0
            return answer["instances"] or [], answer.get("next_token")

        for row in _http.pages(fetch, self.TITLE):
            count += 1
            yield row
        if not count and isinstance(total, (int, float)) and total > 0:
            raise ProviderUnavailable("%s says that there are %d instances, but lists none. Try again." % (self.TITLE, total), self.NAME)

    def _instance(self, row) -> Instance:
        if not isinstance(row, dict) or row.get("id") is None:
            raise ProviderUnavailable("%s listed something that is not an instance; its API may have changed." % self.TITLE, self.NAME)
        return instance(row, self.account)

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> str:
        """Find the cheapest offer that fits and rent it. An offer that was taken meanwhile is passed over.

        Options: ``offer_id`` (no search), ``verified`` (default true), ``datacenter``, ``query`` (further filters in Vast's own form),
        ``template_hash_id``, ``runtype``, ``env`` (dict), ``args``, ``image_login``, ``target_state``.
        """
        options = check_options(request)
        refused = set()
        for _number in range(SEARCHES):
            offers = [{"id": options["offer_id"]}] if options.get("offer_id") else self._offers(request, options)
            offers = [offer for offer in offers if offer["id"] not in refused]
            if not offers:
                raise NotFound("%s has no offer for %s. Ask for less, or pay more." % (self.TITLE, describe(request)), self.NAME)
            for offer in offers[:5]:
                instance_id = self._rent(offer, request, options)
                if instance_id is None:
                    refused.add(offer["id"])
                    continue
                if request.ssh_public_key:
                    # A key of the account is said to reach only later instances, so it is attached to this one.
                    try:
                        self.attach_key(instance_id, request.ssh_public_key)
                    except RentedError as error:
                        raise self._undo(instance_id, "the SSH key could not be attached: %s" % error.message)
                return instance_id
            if options.get("offer_id"):
                break
        raise NotFound("Every offer of %s for %s was taken by others first. Try again." % (self.TITLE, describe(request)), self.NAME)

    def _offers(self, request: LaunchRequest, options: dict) -> list:
        """Offers that fit, cheapest first."""
        storage = max(float(request.disk_gb or DEFAULT_DISK_GB), LEAST_DISK_GB)
        offers = self._search(search_query(request, options), request.interruptible, storage, OFFERS_PER_SEARCH)
        return [offer for offer in offers if fits(offer, request)]

    def _search(self, query: dict, interruptible: bool, storage: float, limit: int) -> list:
        """One search, cheapest first. ``storage`` is GB of disk, which ``dph_total`` includes."""
        offers = self._call(
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
        return [offer for offer in offers if isinstance(offer, dict) and offer.get("id")]

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """Every offer for the wish, from machines that Vast has verified, as `launch` takes them; one search for each way of renting."""
        ways = (False, True) if wish.interruptible is None else (wish.interruptible,)
        return [offer for interruptible in ways for offer in self._price_list(wish, interruptible)]

    def _price_list(self, wish: Wish, interruptible: bool) -> list:
        storage = max(float(wish.disk_gb), LEAST_DISK_GB)
        query = wish_query(wish)
        found: dict = {}

        def fetch(least):
            more = {} if least is None else {"dph_total": {"gte": least}}
            rows = self._search({**query, **more}, interruptible, storage, OFFERS_PER_PAGE)
            last = _values.number(rows[-1].get("dph_total")) if len(rows) >= OFFERS_PER_PAGE else None
            return rows, last

        for row in _http.pages(fetch, self.TITLE):
            found[row["id"]] = offer(row, self.account, interruptible)  # the dearest of a page is the cheapest of the next
        return list(found.values())

    def _rent(self, offer: dict, request: LaunchRequest, options: dict) -> str | None:
        """Rent one offer, once. The id of the instance; None when somebody else has it."""
        arguments = {
            "image": None if options.get("template_hash_id") and not request.image else request.image or DEFAULT_IMAGE,
            "disk": max(float(request.disk_gb or DEFAULT_DISK_GB), LEAST_DISK_GB),
            "label": request.name,
            "env": options.get("env") or {},
            "onstart_cmd": onstart(request.startup_script),
            "login": options.get("image_login"),
            "args": options.get("args"),
            "template_hash": options.get("template_hash_id"),
            "runtype": options.get("runtype") or (None if options.get("template_hash_id") else RUNTYPE),
            "price": bid(offer, request) if request.interruptible else None,
            "cancel_unavail": True,
        }

        def create(vast):
            body = vast.instances.build_create_instance_payload(**arguments)
            if options.get("target_state"):
                body["target_state"] = options["target_state"]
            # The API types these fields; null is none of the types.
            return vast.instances.create_instance_from_payload(
                vast.client, offer["id"], {key: value for key, value in body.items() if value is not None}
            )

        try:
            answer = self._call("create", "rent offer %s" % offer["id"], create, keep_body=True)
        except _Refused as refused:
            contract = refused.data.get("new_contract")
            if contract:
                raise self._undo(str(contract), refused.error.message)
            if "no_such_ask" in refused.text:
                return None
            raise refused.error from None
        if not answer.get("new_contract"):
            raise ProviderUnavailable(
                "%s answered the request to rent offer %s without an instance id. Look into its web page before trying again."
                % (self.TITLE, offer["id"]),
                self.NAME,
            )
        return str(answer["new_contract"])

    def _undo(self, instance_id: str, why: str) -> PartlyCreated:
        """The error for a rental that went half; what was created is destroyed where that can be done."""
        try:
            self.destroy(instance_id)
            rest = "The instance %s that this had created was destroyed again." % instance_id
        except RentedError as error:
            rest = "The instance %s was created and is billed; it could not be destroyed (%s): destroy it now." % (
                instance_id,
                error.message,
            )
        return PartlyCreated("Renting at %s failed: %s %s" % (self.TITLE, why.rstrip(".") + ".", rest), instance_id, self.NAME)

    def destroy(self, instance_id: str) -> None:
        try:
            self._call(
                "destroy",
                "destroy instance %s" % instance_id,
                lambda vast: vast.instances.destroy_instance(vast.client, _number(instance_id)),
                repeat=True,
            )
        except NotFound:
            pass

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        self._manage(instance_id, "stop", lambda vast, number: vast.instances.stop_instance(vast.client, number))

    def start(self, instance_id: str) -> None:
        self._manage(instance_id, "start", lambda vast, number: vast.instances.start_instance(vast.client, number))

    def set_label(self, instance_id: str, label: str) -> None:
        self._manage(instance_id, "label", lambda vast, number: vast.instances.label_instance(vast.client, number, label))

    def _manage(self, instance_id: str, verb: str, function) -> None:
        number = _number(instance_id)
        self._call("manage", "%s instance %s" % (verb, instance_id), lambda vast: function(vast, number), repeat=True)

    def attach_key(self, instance_id: str, public_key: str) -> None:
        number = _number(instance_id)
        key = _public_key.required(public_key, "The SSH key to attach", self.NAME).line
        try:
            self._call(
                "keys",
                "attach an SSH key to instance %s" % instance_id,
                lambda vast: vast.keys.attach_ssh(vast.client, number, key),
                repeat=True,
                keep_body=True,
            )
        except _Refused as refused:
            if not re.search(r"already|duplicate", refused.text, re.I):
                raise refused.error from None

    def console(self, instance_id: str) -> str:
        number = _number(instance_id)
        answer = self._call(
            "manage",
            "read the log of instance %s" % instance_id,
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
        raise NotFound("%s has no instance %s." % (self.TITLE, instance_id), self.NAME)

    def set_bid(self, instance_id: str, price_per_hour: float) -> None:
        check_bid(price_per_hour)
        number = _number(instance_id)
        self._call(
            "bid",
            "change the bid for instance %s" % instance_id,
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
        raise ProviderUnavailable("%s said that it has added the SSH key, but does not list it. Try again." % self.TITLE, self.NAME)

    def remove_key(self, key_id: str) -> None:
        try:
            self._call(
                "keys",
                "remove SSH key %s" % key_id,
                lambda vast: vast.keys.delete_ssh_key(vast.client, _number(key_id)),
                repeat=True,
                keep_body=True,
            )
        except _Refused as refused:
            gone = isinstance(refused.error, NotFound) or refused.data.get("error") == "no_ssh_key"
            if not gone:
                raise refused.error from None

    # --- calling -----------------------------------------------------------------------------------------------------

    def _call(self, kind: str, what: str, function, repeat: bool = False, keep_body: bool = False, form=dict):
        """Call the client, at the pace of this kind of call; repeat it where ``repeat`` (asking twice does no more than asking once).

        The client is told never to repeat. Raises a `RentedError`; with ``keep_body`` `_Refused`, which also has the answer.
        """
        vast = self._vast()
        pace = self._paces.setdefault(kind, _http.Pace(INTERVALS[kind], clock=self.clock, sleep=self.sleep))
        tries = _http.TRIES if repeat else 1
        for attempt in range(1, tries + 1):
            try:
                with pace:
                    answer = function(vast)
            except vast.errors.HTTPError as error:
                response = error.response
                refusal = self._refusal(response, what)
                again = response.status_code in _http.RETRY_STATUS and "search_quota_exceeded" not in refusal.text
                if attempt < tries and again:
                    self.sleep(_http.retry_wait(response.headers.get("Retry-After"), attempt))
                    continue
                raise refusal if keep_body else refusal.error from None
            except (vast.errors.ConnectionError, vast.errors.Timeout, vast.errors.ChunkedEncodingError, TimeoutError) as error:
                if isinstance(error, vast.errors.SSLError):
                    raise ProviderUnavailable(
                        "%s at %s cannot be trusted: its certificate was not accepted." % (self.TITLE, self.endpoint), self.NAME
                    )
                if attempt < tries:
                    self.sleep(_http.retry_wait(None, attempt))
                    continue
                unknown = "" if repeat else " Whether it was done is not known."
                raise ProviderUnavailable(
                    "%s at %s did not answer when asked to %s (%s).%s"
                    % (
                        self.TITLE,
                        self.endpoint,
                        what,
                        "no answer in time" if "Timeout" in type(error).__name__ else "connection failed",
                        unknown,
                    ),
                    self.NAME,
                ) from None
            except (vast.errors.InvalidJSONError, json.JSONDecodeError) as error:
                found = (
                    "a web page instead of its API" if _http.is_web_page(getattr(error, "doc", "") or "") else "something that is not JSON"
                )
                raise ProviderUnavailable(
                    "%s at %s answered %s when asked to %s. Check the endpoint, and whether a proxy is in between."
                    % (self.TITLE, self.endpoint, found, what),
                    self.NAME,
                ) from None
            except vast.errors.RequestException as error:
                text = _http.redact(str(error), self.api_key)
                raise ProviderUnavailable(
                    "%s at %s could not be asked to %s: %s." % (self.TITLE, self.endpoint, what, text), self.NAME
                ) from None
            except ValueError as error:
                # The client checks some arguments itself, before it sends anything.
                raise RentedError(
                    "%s's client refused to %s: %s" % (self.TITLE, what, _http.redact(str(error), self.api_key)), self.NAME
                ) from None
            except (KeyError, TypeError, AttributeError):
                raise ProviderUnavailable("%s answered in an unknown form when asked to %s." % (self.TITLE, what), self.NAME) from None
            if not isinstance(answer, form):
                raise ProviderUnavailable("%s answered in an unknown form when asked to %s." % (self.TITLE, what), self.NAME)
            if isinstance(answer, dict) and answer.get("success") is False:
                refusal = self._unsuccessful(answer, what)
                raise refusal if keep_body else refusal.error
            return answer
        raise AssertionError("unreachable")

    def _refusal(self, response, what: str) -> _Refused:
        """The error of an answer with a bad status."""
        text = response.text[:65536]
        content_type = response.headers.get("Content-Type", "")
        code, sentence = _http.describe(text, content_type)
        sentence = _http.redact(sentence, self.api_key) if sentence else None
        status = response.status_code
        # A wrong key is answered with 404 by some of the endpoints.
        if status in (401, 403, 404) and (code == "auth_error" or re.search(r"user key|api key", sentence or "", re.I)):
            error = AuthenticationError(
                "%s refused the API key (%d: %s). Check the key." % (self.TITLE, status, sentence or code), self.NAME, status
            )
        elif _http.is_web_page(text, content_type):
            error = ProviderUnavailable(
                "%s at %s answered a web page instead of its API (%d) when asked to %s. "
                "Check the endpoint, and whether a proxy is in between." % (self.TITLE, self.endpoint, status, what),
                self.NAME,
                status,
            )
        elif code == "search_quota_exceeded":
            error = ProviderUnavailable(
                "%s: the account's searches of today are used up; they come back at midnight UTC." % self.TITLE, self.NAME, status
            )
        else:
            error = _http.failure(self.TITLE, self.NAME, self.endpoint, status, sentence, what)
        try:
            data = json.loads(text)
        except ValueError:
            data = {}
        return _Refused(error, text, data if isinstance(data, dict) else {})

    def _unsuccessful(self, answer: dict, what: str) -> _Refused:
        """The error of a 200 whose body says that it was no success."""
        code, words = _http.error_words(answer)
        sentence = _http.redact(words or code or "no reason given", self.api_key)
        if code in ("no_such_instance", "not_found"):
            error: RentedError = NotFound("%s knows nothing of this: %s (%s)." % (self.TITLE, what, sentence), self.NAME)
        elif code == "auth_error":
            error = AuthenticationError("%s refused the API key (%s). Check the key." % (self.TITLE, sentence), self.NAME)
        else:
            error = RentedError("%s refused to %s: %s." % (self.TITLE, what, sentence.rstrip(".")), self.NAME)
        return _Refused(error, json.dumps(answer), answer)

    def _vast(self) -> _Library:
        if self._connection is None:
            self._connection = _Library(self.api_key, self.endpoint, self.timeout)
        return self._connection


class _Refused(Exception):
    """A refusal together with the answer's body."""

    def __init__(self, error: RentedError, text: str, data: dict) -> None:
        super().__init__(error.message)
        self.error = error
        self.text = text
        self.data = data


class _Library:
    """The parts of the official client that are used; imported on first use, because that takes a second."""

    def __init__(self, api_key: str, endpoint: str, timeout: float) -> None:
        try:
            import requests.exceptions as errors
            from vastai.api import client as library
            from vastai.api import instances, keys, offers
        except ImportError as error:
            raise MissingLibrary(
                "Vast.ai needs the Python package 'vastai' (1.9 or newer) for %s, which says: %s. "
                "Install it with: %s -m pip install --upgrade vastai" % (sys.executable, error, sys.executable),
                VastProvider.NAME,
            ) from None
        self.errors, self.instances, self.keys, self.offers = errors, instances, keys, offers
        self.client = _careful(library, errors)(api_key=api_key, server_url=endpoint, retry=1, timeout=timeout)


def _careful(library, errors):
    """The official client, with a limit on the size of an answer, and without going to another server when an answer says so.

    By itself it reads whatever comes into memory, and asks a stranger the same, though without the key.
    """
    import requests

    class Session(library.VastSession):
        def rebuild_auth(self, prepared_request, response):
            target = urllib.parse.urlsplit(prepared_request.url)
            if not self.same_service(target):
                raise errors.RequestException(
                    "it redirects to another server (%s); nothing was sent there. Check the endpoint" % target.hostname
                )

    class Client(library.VastClient):
        def _request(self, method, url, headers, json_data=None, timeout=None):
            with Session(self.server_url) as session:
                request = session.prepare_request(requests.Request(method=method, url=url, headers=headers, json=json_data))
                response = session.send(request, timeout=self.timeout if timeout is None else timeout, stream=True)
                kept = bytearray()
                for block in response.iter_content(65536):
                    kept += block
                    if len(kept) > _http.ANSWER_LIMIT:
                        response.close()
                        raise errors.RequestException("it answered more than %d MB" % (_http.ANSWER_LIMIT // (1024 * 1024)))
                response._content = bytes(kept)
                return response

    return Client


# --- what an instance is ---------------------------------------------------------------------------------------------


def instance(row: dict, account: str) -> Instance:
    """One row of the list. Every field but ``id`` may be missing or null; secrets in the row are not looked at."""
    text = {
        key: (row.get(key) or "").strip()
        for key in ("label", "public_ipaddr", "ssh_host", "image_runtype", "gpu_name", "geolocation", "image_uuid")
        if isinstance(row.get(key) or "", str)
    }
    direct = direct_endpoint(text.get("public_ipaddr"), row.get("ports"))
    proxy = proxy_endpoint(text.get("ssh_host"), row.get("ssh_port"), text.get("image_runtype", ""))
    best = direct or proxy or (None, None)
    gpu = _gpu_names.normalise(text.get("gpu_name"), _values.number(row.get("gpu_ram")))
    disk = _values.number(row.get("disk_space"))
    storage = _values.number(row.get("storage_cost"))
    now = row.get("instance") if isinstance(row.get("instance"), dict) else {}
    price = _values.number(now.get("totalHour"))
    return Instance(
        provider=VastProvider.NAME,
        account=account,
        id=str(row["id"]),
        label=text.get("label") or None,
        state=state(row),
        state_raw=None if row.get("actual_status") is None else str(row["actual_status"]),
        kind="vm" if "vastai/kvm" in text.get("image_uuid", "") else "container",
        ssh_host=best[0],
        ssh_port=best[1],
        ssh_user=VastProvider.SSH_USER,
        ssh_via="direct" if direct else "proxy" if proxy else None,
        ssh_proxy_host=proxy[0] if proxy else None,
        ssh_proxy_port=proxy[1] if proxy else None,
        gpu_name_raw=text.get("gpu_name") or None,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=_values.whole(row.get("num_gpus")),
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(row.get("cpu_cores_effective")),
        ram_gb=ram_share(row),
        disk_gb=disk,
        cuda_max=_values.text(row.get("cuda_max_good")),
        driver=_values.text(row.get("driver_version")),
        region=text.get("geolocation") or row.get("country_code") or None,
        price_per_hour=price if price is not None else _values.number(row.get("dph_total")),
        storage_price_per_hour=round(storage * disk / HOURS_PER_MONTH, 6) if storage is not None and disk is not None else None,
        interruptible=row["is_bid"] if isinstance(row.get("is_bid"), bool) else None,
        trust=trust(row),
        machine_id=str(row["machine_id"]) if row.get("machine_id") is not None else None,
        image=text.get("image_uuid") or None,
        started_at=_values.moment(row.get("start_date")),
        ends_at=_values.moment(row.get("end_date")),
        reliability=_values.number(row.get("reliability2", row.get("reliability"))),
        inet_down_mbps=_values.number(row.get("inet_down")),
        inet_up_mbps=_values.number(row.get("inet_up")),
    )


def state(row: dict) -> str:
    """Our word for ``actual_status``, with what is intended: "running" that shall stop is "stopping"."""
    actual, intended = row.get("actual_status"), row.get("intended_status")
    if actual is None:
        # An interruptible whose bid was too low is created stopped and has no status.
        return "stopped" if intended == "stopped" and row.get("cur_state") == "stopped" else "pending"
    found = STATES.get(actual) if isinstance(actual, str) else None
    if found is None:
        LOG.debug("Vast.ai: unknown actual_status %r of instance %s", actual, row.get("id"))
        return "unknown"
    if found == "pending" and re.match(r"(?i)(error|oci runtime)", str(row.get("status_msg") or "").strip()):
        return "error"  # the container could not be started; it stays "created" for ever
    if found == "running" and intended == "stopped":
        return "stopping"
    return found


def direct_endpoint(host: str | None, ports) -> tuple | None:
    """(host, port) of port 22, mapped on the machine's own address; None while it is not mapped. ``HostPort`` is a string."""
    mapped = ports.get("22/tcp") if isinstance(ports, dict) else None
    for entry in mapped if isinstance(mapped, list) else ():
        port = _values.port(entry.get("HostPort")) if isinstance(entry, dict) else None
        if host and port:
            return host, port
    return None


def proxy_endpoint(host: str | None, port, runtype: str) -> tuple | None:
    """(host, port) of Vast's SSH proxy; one higher for instances with Jupyter. None where the image runs without either."""
    if runtype and "ssh" not in runtype and "jupyter" not in runtype:
        return None
    number = _values.port(port)
    if not host or not number:
        return None
    return host, number + (1 if "jupyter" in runtype else 0)


def ram_share(row: dict) -> float | None:
    """GB of memory: ``cpu_ram`` is the whole machine's, of which the instance has the share of its cores."""
    memory, cores, mine = (_values.number(row.get(key)) for key in ("cpu_ram", "cpu_cores", "cpu_cores_effective"))
    if memory is None:
        return None
    share = mine / cores if mine and cores and mine <= cores else 1.0
    return round(memory * share / 1000.0, 1)


def trust(row: dict) -> str | None:
    """ "datacenter" by ``hosting_type`` 1, else by Vast's verification of the machine."""
    if row.get("hosting_type") == 1:
        return "datacenter"
    verification = row.get("verification")
    if not isinstance(verification, str):
        return None
    return "verified" if verification == "verified" else "marketplace"


# --- what an offer and a key are -------------------------------------------------------------------------------------


def offer(row: dict, account: str, interruptible: bool) -> Offer:
    """One row of a search. The price is the GPUs' alone: the least bid of an interruptible, else ``dph_base``.

    ``inet_down_cost`` and ``inet_up_cost`` are USD per GB, ``storage_cost`` USD per GB and month, ``disk_space`` the most GB to be had.
    ``inet_down`` and ``inet_up`` are Mbit/s, as the client's own columns say, though the API file calls them MB/s.
    """
    gpu = _gpu_names.normalise(_values.text(row.get("gpu_name")), _values.number(row.get("gpu_ram")))
    return Offer(
        provider=VastProvider.NAME,
        account=account,
        id=str(row["id"]),
        kind="container",
        gpu_name_raw=_values.text(row.get("gpu_name")),
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=_values.whole(row.get("num_gpus")),
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(row.get("cpu_cores_effective")),
        ram_gb=ram_share(row),
        disk_gb=_values.number(row.get("disk_space")),
        region=_values.text(row.get("geolocation")),
        price_per_hour=_values.number(row.get("min_bid")) if interruptible else without_disk(row),
        storage_price_per_gb_month=_values.number(row.get("storage_cost")),
        inet_down_price_per_gb=_values.number(row.get("inet_down_cost")),
        inet_up_price_per_gb=_values.number(row.get("inet_up_cost")),
        inet_down_mbps=_values.number(row.get("inet_down")),
        inet_up_mbps=_values.number(row.get("inet_up")),
        interruptible=interruptible,
        trust=trust(row),
        reliability=_values.number(row.get("reliability2", row.get("reliability"))),
        cuda_max=_values.text(row.get("cuda_max_good")),
        machine_id=_values.text(row.get("machine_id")),
        options={"offer_id": row["id"]},
    )


def without_disk(row: dict) -> float | None:
    """USD per hour of an offer without its disk: ``dph_base``, or what is left of ``dph_total``."""
    base, total, disk = (_values.number(row.get(key)) for key in ("dph_base", "dph_total", "storage_total_cost"))
    if base is None and total is not None and disk is not None:
        return round(total - disk, 6)
    return base


def ssh_key(row: dict) -> SshKey:
    """A key of the account. The list calls the text ``key``; the answer to adding one calls it ``public_key``."""
    return SshKey(str(row["id"]), None, _values.text(row.get("key")) or _values.text(row.get("public_key")))


# --- what a launch asks for ------------------------------------------------------------------------------------------


def check_options(request: LaunchRequest) -> dict:
    """The launch options, each one known. Raises `RentedError`; nothing has been asked by then."""
    for name in request.options:
        if name not in LAUNCH_OPTIONS:
            raise RentedError(
                "%s takes no launch option '%s'. %s" % (VastProvider.TITLE, name, nearest(str(name), LAUNCH_OPTIONS)), VastProvider.NAME
            )
    options = {key: value for key, value in request.options.items() if value is not None}
    for name in ("env", "query"):
        if name in options and not isinstance(options[name], dict):
            raise RentedError("The launch option '%s' of %s is a mapping." % (name, VastProvider.TITLE), VastProvider.NAME)
    if "offer_id" in options:
        _number(options["offer_id"])
    if len(request.name) > 256:
        raise RentedError(
            "%s takes names of up to 256 characters; this one has %d." % (VastProvider.TITLE, len(request.name)), VastProvider.NAME
        )
    if request.bid_per_hour is not None:
        if not request.interruptible:
            raise RentedError("'bid_per_hour' is for what is rented interruptibly: say 'interruptible: true' too.", VastProvider.NAME)
        check_bid(request.bid_per_hour, MOST_FIRST_BID)
    if request.interruptible and options.get("offer_id") and request.bid_per_hour is None and not request.max_price_per_hour:
        raise RentedError(
            "To rent offer %s interruptibly, give bid_per_hour or max_price_per_hour." % options["offer_id"], VastProvider.NAME
        )
    onstart(request.startup_script)
    if not options.get("offer_id") and not request.gpu and "query" not in options:
        raise RentedError(
            "Name the GPU to rent at %s (gpu: RTX 4090), or an offer (options: offer_id)." % VastProvider.TITLE, VastProvider.NAME
        )
    return options


def vast_names(asked: str) -> list:
    """Every way in which Vast may write a GPU."""
    model = _gpu_names.normalise(asked).model or asked
    short = re.sub(r" Ti SUPER$", "S Ti", re.sub(r" Ada$", "Ada", model))
    short = re.sub(r" SUPER$", "S", short)
    names = [model, short, *VAST_NAMES.get(model, ()), " ".join(asked.replace("_", " ").split())]
    return list(dict.fromkeys(names))


def search_query(request: LaunchRequest, options: dict) -> dict:
    """The filters of the search, in Vast's form. The price of what is rented includes the disk asked for."""
    query: dict = {
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "num_gpus": {"eq": int(request.gpu_count or 1)},
        "disk_space": {"gte": max(float(request.disk_gb or DEFAULT_DISK_GB), LEAST_DISK_GB)},
        "direct_port_count": {"gte": 1},
    }
    if options.get("verified", True):
        query["verified"] = {"eq": True}
    if options.get("datacenter"):
        query["datacenter"] = {"eq": True}
    if request.gpu:
        query["gpu_name"] = {"in": vast_names(request.gpu)}
        size = _gpu_names.normalise(request.gpu).vram_mb
        if size:
            query["gpu_ram"] = {"gte": int(size * (1 - _gpu_names.TOLERANCE)), "lte": int(size * (1 + _gpu_names.TOLERANCE))}
    if request.region and re.match(r"^[A-Za-z]{2}$", request.region):
        query["geolocation"] = {"in": [request.region.upper()]}
    if request.max_price_per_hour is not None and not request.interruptible:
        query["dph_total"] = {"lte": float(request.max_price_per_hour)}
    query.update(options.get("query") or {})
    return query


def wish_query(wish: Wish) -> dict:
    """The filters of a search for a wish. They only narrow: who asked looks at each offer again."""
    query: dict = {
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "verified": {"eq": True},
        "direct_port_count": {"gte": 1},
        "num_gpus": {"eq": wish.gpu_count},
        "disk_space": {"gte": max(float(wish.disk_gb), LEAST_DISK_GB)},
    }
    if wish.gpus:
        query["gpu_name"] = {"in": list(dict.fromkeys(name for asked in wish.gpus for name in vast_names(asked)))}
    if wish.gpu_vram_mb:
        query["gpu_ram"] = {"gte": int(wish.gpu_vram_mb * (1 - _gpu_names.TOLERANCE))}
    if wish.regions and all(re.match(r"^[A-Za-z]{2}$", place) for place in wish.regions):
        query["geolocation"] = {"in": [{"UK": "GB"}.get(place.upper(), place.upper()) for place in wish.regions]}
    return query


def fits(offer: dict, request: LaunchRequest) -> bool:
    """What the search cannot be trusted with is looked at again: model, board, price and place."""
    if request.gpu:
        asked = _gpu_names.normalise(request.gpu)
        got = _gpu_names.normalise(str(offer.get("gpu_name") or ""), _values.number(offer.get("gpu_ram")))
        if got.model != asked.model or (asked.variant and got.variant != asked.variant):
            return False
    limit = request.max_price_per_hour
    price = _values.number(offer.get("min_bid" if request.interruptible else "dph_total"))
    if limit is not None and (price is None or price > limit):
        return False
    if request.region and not re.match(r"^[A-Za-z]{2}$", request.region):
        return request.region.lower() in str(offer.get("geolocation") or "").lower()
    return True


def bid(offer: dict, request: LaunchRequest) -> float:
    """USD per hour to bid: what was asked for, else 5 % above the least bid, never above the limit. What is bid is paid."""
    least, limit = _values.number(offer.get("min_bid")), request.max_price_per_hour
    wanted = request.bid_per_hour
    if wanted is None:
        wanted = round(least * BID_MARGIN, 4) if least is not None else limit
    if wanted is None:
        raise RentedError("The offer has no least bid; give bid_per_hour or max_price_per_hour.", VastProvider.NAME)
    return min(wanted, limit) if limit is not None else wanted


def check_bid(price_per_hour: float, most: float = MOST_BID) -> None:
    """Raises `RentedError` for a bid that Vast does not take."""
    if not LEAST_BID <= price_per_hour <= most:
        raise RentedError(
            "A bid at %s is between %s and %.0f USD per hour, not %s." % (VastProvider.TITLE, LEAST_BID, most, price_per_hour),
            VastProvider.NAME,
        )


def onstart(script: str | None) -> str | None:
    """A startup script as Vast takes it: as it is, or packed where it is longer than `ONSTART_LIMIT` characters. Raises `RentedError`."""
    if not script or len(script) <= ONSTART_LIMIT:
        return script or None
    first = script.split("\n", 1)[0].strip()
    interpreter = first[2:].strip() if first.startswith("#!") else "bash"
    packed = base64.b64encode(gzip.compress(script.encode("utf-8"), 9, mtime=0)).decode("ascii")
    # Not run by its own name: /tmp may be mounted without the right to.
    text = '#!/bin/sh\nf=$(mktemp) && base64 -d <<\'.\' | gzip -d > "$f" && %s "$f"\n%s\n.\n' % (interpreter, packed)
    if len(text) > ONSTART_LIMIT:
        raise RentedError(
            "The startup script has %d characters, and packed still %d; %s takes %d. playbooks/provision_script.yml makes one that is "
            "fetched from a URL instead." % (len(script), len(text), VastProvider.TITLE, ONSTART_LIMIT),
            VastProvider.NAME,
        )
    return text


def describe(request: LaunchRequest) -> str:
    """What was asked for, in words."""
    words = "%d× %s" % (request.gpu_count or 1, request.gpu or "any GPU")
    if request.region:
        words += " in %s" % request.region
    if request.max_price_per_hour is not None:
        words += " for up to %.3f USD/h" % request.max_price_per_hour
    return words + (", interruptible" if request.interruptible else "")


# --- small things ----------------------------------------------------------------------------------------------------


def _number(instance_id) -> int:
    try:
        return int(str(instance_id))
    except ValueError:
        raise NotFound("Vast.ai's ids are numbers; '%s' is none." % instance_id, VastProvider.NAME)
