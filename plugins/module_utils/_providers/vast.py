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

import json
import logging
import re
import sys

from ansible_collections.rented.gpu.plugins.module_utils import _gpu_names, _http, _values
from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingLibrary,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._models import Instance, LaunchRequest
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanAttachKey,
    CanLabel,
    CanLaunch,
    CanReadConsole,
    CanStop,
    Provider,
)

LOG = logging.getLogger("rented.gpu.vast")

PAGE_SIZE = 25  # the API's maximum
# Least seconds between two calls of one kind: "x-rate-limit" in Vast's API files.
INTERVALS = {"list": 1.0, "manage": 1.0, "destroy": 3.0, "create": 4.5, "search": 6.0, "keys": 1.0}
HOURS_PER_MONTH = 720.0  # `storage_total_cost` is `storage_cost * disk_space / 720` in the API's own example
DEFAULT_DISK_GB = 20
LEAST_DISK_GB = 8
DEFAULT_IMAGE = "vastai/base-image:@vastai-automatic-tag"  # as in the API file's example of a request
RUNTYPE = "ssh_direc ssh_proxy"  # what the official client sends for SSH by both ways
SEARCHES = 3
OFFERS_PER_SEARCH = 64

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
    "onstart",
    "args",
    "bid",
    "verified",
    "datacenter",
    "query",
    "image_login",
    "target_state",
)


class VastProvider(Provider, CanLaunch, CanStop, CanLabel, CanAttachKey, CanReadConsole):
    """One account at Vast.ai."""

    NAME = "vast"
    TITLE = "Vast.ai"
    ENDPOINT = "https://console.vast.ai"
    ENDPOINT_ENV = ("VAST_URL",)
    API_KEY_ENV = ("VAST_API_KEY",)
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
        total = 0
        found: dict = {}

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
            instance = self._instance(row)
            found[instance.id] = instance  # one that moved between two pages comes twice
            self.remember_raw(instance.id, row)
        if not found and isinstance(total, (int, float)) and total > 0:
            raise ProviderUnavailable("%s says that there are %d instances, but lists none. Try again." % (self.TITLE, total), self.NAME)
        return list(found.values())

    def _instance(self, row) -> Instance:
        if not isinstance(row, dict) or row.get("id") is None:
            raise ProviderUnavailable("%s listed something that is not an instance; its API may have changed." % self.TITLE, self.NAME)
        return instance(row, self.account)

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> str:
        """Find the cheapest offer that fits and rent it. An offer that was taken meanwhile is passed over.

        Options: ``offer_id`` (no search), ``bid`` (USD/h of an interruptible), ``verified`` (default true), ``datacenter``,
        ``query`` (further filters in Vast's own form), ``template_hash_id``, ``runtype``, ``env`` (dict), ``onstart``, ``args``,
        ``image_login``, ``target_state``.
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
        query = search_query(request, options)
        kind = "bid" if request.interruptible else "on-demand"
        storage = max(float(request.disk_gb or DEFAULT_DISK_GB), LEAST_DISK_GB)
        offers = self._call(
            "search",
            "search offers",
            lambda vast: vast.offers.search_offers(
                vast.client,
                query=query,
                offer_type=kind,
                order=[["dph_total", "asc"]],
                limit=OFFERS_PER_SEARCH,
                storage=storage,
                no_default=True,
            ),
            repeat=True,
            form=list,
        )
        return [offer for offer in offers if isinstance(offer, dict) and offer.get("id") and fits(offer, request)]

    def _rent(self, offer: dict, request: LaunchRequest, options: dict) -> str | None:
        """Rent one offer, once. The id of the instance; None when somebody else has it."""
        arguments = {
            "image": None if options.get("template_hash_id") and not request.image else request.image or DEFAULT_IMAGE,
            "disk": max(float(request.disk_gb or DEFAULT_DISK_GB), LEAST_DISK_GB),
            "label": request.name,
            "env": options.get("env") or {},
            "onstart_cmd": options.get("onstart"),
            "login": options.get("image_login"),
            "args": options.get("args"),
            "template_hash": options.get("template_hash_id"),
            "runtype": options.get("runtype") or (None if options.get("template_hash_id") else RUNTYPE),
            "price": bid(offer, request, options) if request.interruptible else None,
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
        key = public_key.strip()
        if "PRIVATE KEY" in key or "\n" in key:
            raise RentedError("The SSH key to attach must be one public key on one line (a .pub file).", self.NAME)
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
            from vastai.api import instances, keys, offers
            from vastai.api.client import VastClient
        except ImportError as error:
            raise MissingLibrary(
                "Vast.ai needs the Python package 'vastai' (1.9 or newer) for %s, which says: %s. "
                "Install it with: %s -m pip install --upgrade vastai" % (sys.executable, error, sys.executable),
                VastProvider.NAME,
            ) from None
        self.errors, self.instances, self.keys, self.offers = errors, instances, keys, offers
        self.client = VastClient(api_key=api_key, server_url=endpoint, retry=1, timeout=timeout)


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
    if request.interruptible and options.get("offer_id") and not (options.get("bid") or request.max_price_per_hour):
        raise RentedError(
            "To rent offer %s interruptibly, give a bid (options: bid) or max_price_per_hour." % options["offer_id"], VastProvider.NAME
        )
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


def bid(offer: dict, request: LaunchRequest, options: dict) -> float:
    """USD per hour to bid: what was asked for, else 5 % above the least bid, never above the limit. What is bid is paid."""
    least, limit = _values.number(offer.get("min_bid")), request.max_price_per_hour
    wanted = _values.number(options.get("bid"))
    if wanted is None:
        wanted = round(least * 1.05, 4) if least is not None else limit
    if wanted is None:
        raise RentedError("The offer has no least bid; give a bid (options: bid) or max_price_per_hour.", VastProvider.NAME)
    return min(wanted, limit) if limit is not None else wanted


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
