# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""RunPod, through its REST API v2. The older REST v1 and GraphQL are being switched off and are not spoken here.

Facts: the OpenAPI file of runpod/docs (2026-08-18), and for what is newer than it (pages, ``gpu.memory``) RunPod's own runpodctl.
Storage prices: runpod/docs, ``pods/pricing.mdx`` and ``pods/storage/types.mdx``, as of 2026-08-20; the API does not say them.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import math
import re
import time
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils import _gpu_names, _http, _public_key, _values
from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
    Unsupported,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._models import Instance, LaunchRequest, Offer, SshKey, Wish
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanReadConsole,
    CanRegisterKey,
    CanStop,
    Provider,
)

LOG = logging.getLogger("rented.gpu.runpod")

PAGE_SIZE = 1000  # the most that runpodctl asks for
# The quota is 60 requests in a minute: so many at once, and then no more than so many in a minute, are never above it.
AT_ONCE = 8
PER_MINUTE = 50
DISK_USD_PER_GB_MONTH = 0.10  # container disk and volume, running
STOPPED_USD_PER_GB_MONTH = 0.20  # volume, stopped; the container disk is wiped then and costs nothing
TRAFFIC_USD_PER_GB = 0.0  # neither way is billed
DEFAULT_IMAGE = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"  # as in the API file's example of a request
DEFAULT_DISK_GB = 20
LEAST_VOLUME_GB = 10
VOLUME_PATH = "/workspace"
IMAGE_START = "/start.sh"  # what RunPod's own images run
SSH_PORT = "22/tcp"
# An argument of a program is at most 128 KiB on Linux; the rest of the command fits into what is left.
ARGUMENT_LIMIT = 128 * 1024 - 1024
START_LINE = (
    "mkdir -p ${HOME:-/root}/.rented && cd ${HOME:-/root}/.rented && if [ ! -e startup ]; then "
    "echo %s | base64 -d > startup.new && chmod 700 startup.new && mv startup.new startup && { ./startup > startup.log 2>&1 & }; fi; "
    'cd /; exec bash -c "$(echo %s | base64 -d)"'
)
LOG_LINES = 500
CANDIDATES = 12  # places that are tried in one launch
CLOUDS = ("SECURE", "COMMUNITY")
STOCK = ("HIGH", "MEDIUM", "LOW")  # best first; "NONE" is the fourth word

# `status` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "PROVISIONING": "pending",
    "STARTING": "pending",
    "RUNNING": "running",
    "EXITED": "stopped",
    "ERROR": "error",
    "TERMINATED": "terminated",
}
TRUST = {"SECURE": "datacenter", "COMMUNITY": "marketplace"}

# Addresses that lead nowhere from outside the data centre. Loopback is not among them: no API answers it, and rehearsals live there.
NOT_PUBLIC = tuple(
    ipaddress.ip_network(net)
    for net in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
)
PROXY = "ssh.runpod.io"  # an interactive shell and nothing else: no pipelining, no files, so it is never used

# What LaunchRequest.options may hold.
LAUNCH_OPTIONS = (
    "gpu_id",
    "cloud",
    "data_center_ids",
    "template_id",
    "env",
    "args",
    "image_start",
    "ports",
    "volume_gb",
    "volume_path",
    "network_volume_id",
    "registry_id",
    "min_cuda_version",
    "allowed_cuda_versions",
    "global_networking",
    "start_jupyter",
)


class RunpodProvider(Provider, CanLaunch, CanStop, CanLabel, CanReadConsole, CanListOffers, CanRegisterKey):
    """One account at RunPod."""

    NAME = "runpod"
    TITLE = "RunPod"
    ENDPOINT = "https://api.runpod.io/v2"
    ENDPOINT_ENV = ("RUNPOD_REST_V2_URL",)
    API_KEY_ENV = ("RUNPOD_API_KEY",)
    KEY_FILES = ("~/.runpod/config.toml", "~/.runpod.yaml")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        _http.check_key(self.TITLE, self.NAME, self.api_key)
        self._quota = None
        self._vram: dict | None = None

    @staticmethod
    def key_from_file(text: str) -> str | None:
        """The key in a file of RunPod's tools: runpod-python's ``[default] api_key``, or runpodctl's ``apikey`` in TOML or YAML.

        Read line by line, because Python before 3.11 has no reader of TOML. Other sections are other accounts.
        """
        section = "default"
        for line in text.lstrip("\ufeff").splitlines():
            head = re.match(r"^\s*\[\s*[\"']?([^\]\"']*)[\"']?\s*\]", line)
            if head:
                section = head.group(1).strip().lower()
            found = re.match(r"(?i)^[\"']?api_?key[\"']?\s*[=:]\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s#\"']+))\s*(?:#.*)?$", line)
            if found and section == "default":
                return next((value.strip() for value in found.groups() if value and value.strip()), None)
        return None

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All pods of the account, members of clusters too, every page. Raises a `RentedError`; never answers a part."""
        self._raw = {}
        api = self._api()

        def fetch(cursor):
            query = {"includeClusterPods": "true", "limit": PAGE_SIZE, "cursor": cursor}
            answer = api.get("/pods", query=query, what="list the instances")
            # An answer without the list must not read as "you have none": instances would go on billing unseen.
            pods = _values.mapping(answer).get("pods")
            if not isinstance(pods, list):
                raise self._unknown_form("list the instances")
            # A page may be short: only `pagination` says whether there is another. Older servers have one page and no such field.
            page = _values.mapping(answer.get("pagination"))
            after = _values.text(page.get("nextCursor"))
            if page.get("hasNextPage") is True and not after:
                raise ProviderUnavailable("%s says that its list goes on, but not where. Try again." % self.TITLE, self.NAME)
            return pods, None if page.get("hasNextPage") is False else after

        rows: dict = {}
        for row in _http.pages(fetch, self.TITLE):
            pod_id = _values.text(row.get("id")) if isinstance(row, dict) else None
            if pod_id is None:
                raise ProviderUnavailable("%s listed something that is not a pod; its API may have changed." % self.TITLE, self.NAME)
            rows[pod_id] = row  # one that moved between two pages comes twice
            self.remember_raw(pod_id, row)
        vram = self._vram_by_id() if any(gpu_id(row) for row in rows.values()) else {}
        return [instance(row, self.account, vram) for row in rows.values()]

    def _vram_by_id(self) -> dict:
        """MiB by GPU id, from the catalogue, asked once per object. Empty when it fails: a list must not fail for want of it."""
        if self._vram is None:
            try:
                gpus = self._gpus(self._api(tries=2))
            except RentedError as error:
                LOG.debug("RunPod: the memory of GPUs comes from the table, because the catalogue failed: %s", error.message)
                gpus = []
            self._vram = {gpu_id: vram for gpu_id, vram in ((gpu["id"], catalogue_vram_mb(gpu)) for gpu in gpus) if vram}
        return self._vram

    def _gpus(self, api, **query) -> list:
        """The rows of the GPU catalogue that have an id."""
        answer = api.get("/catalog/gpus", query=query, what="read the catalogue of GPUs")
        gpus = _values.mapping(answer).get("gpus")
        if not isinstance(gpus, list):
            raise self._unknown_form("read the catalogue of GPUs")
        return [gpu for gpu in _values.rows(gpus) if isinstance(gpu.get("id"), str) and gpu["id"]]

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> str:
        """Rent the cheapest GPU of the catalogue that fits; where that is full, the next GPU or data centre that fits.

        The API places one GPU id per request and says "full" in prose, with a 400. Options: `LAUNCH_OPTIONS`.
        """
        options = check_options(request)
        body = create_body(request, options)
        public_key = check_public_key(request.ssh_public_key) if request.ssh_public_key else None
        body["env"] = self._with_keys(body.get("env", {}), public_key, by_template="templateId" in body)
        if not body["env"]:
            del body["env"]
        candidates = self._candidates(request, options, body)
        secrets = [options.get("args"), *(value for name, value in body.get("env", {}).items() if name != "PUBLIC_KEY")]
        refused, last = [], None
        for gpu, place in candidates[:CANDIDATES]:
            where = gpu["id"] + (" in " + place if place else "")
            wanted = {**body, "gpu": {**body["gpu"], "id": gpu["id"]}}
            if place:
                wanted["dataCenterIds"] = [place]
            try:
                answer = self._api().call("POST", "/pods", body=wanted, what="rent %s" % where)
            except RentedError as error:
                error.message = _http.redact(error.message, *secrets)
                error.args = (error.message,)
                # 400 is "full" or "against a rule", 403 "not for this account": another candidate may do.
                if error.status not in (400, 403):
                    raise
                LOG.debug("RunPod: %s was refused (%s)", where, error.message)
                refused.append(where)
                last = error
                continue
            return self._accept(answer, request, place)
        if isinstance(last, AuthenticationError):
            raise last
        raise RentedError(
            "%s rented none of what fits %s. Tried %s; the last answer was: %s"
            % (self.TITLE, wish_words(request), ", ".join(refused), last),
            self.NAME,
            last.status,
        )

    def _accept(self, answer, request: LaunchRequest, place: str | None) -> str:
        """The id of what was rented, when it is what was asked for; else it is destroyed again."""
        pod = _values.mapping(answer)
        pod_id = _values.text(pod.get("id"))
        if pod_id is None:
            raise ProviderUnavailable(
                "%s answered the request to rent without an id. Look into its web page before trying again." % self.TITLE, self.NAME
            )
        cost, limit = _values.number(pod.get("cost")), request.max_price_per_hour
        if limit is not None and cost is not None and cost > limit + 0.0005:  # the API rounds to 32 bits
            raise self._undo(pod_id, "it costs %.4f USD/h, above the limit of %.4f" % (cost, limit))
        got = _values.text(pod.get("dataCenterId"))
        if place and got and got != place:
            raise self._undo(pod_id, "it was placed in %s instead of %s" % (got, place))
        return pod_id

    def _undo(self, pod_id: str, why: str) -> PartlyCreated:
        """The error for a rental that is not what was asked for; it is destroyed where that can be done."""
        try:
            self.destroy(pod_id)
            rest = "The pod %s was destroyed again." % pod_id
        except RentedError as error:
            rest = "The pod %s is billed, and could not be destroyed (%s): destroy it now." % (pod_id, error.message)
        return PartlyCreated("Renting at %s failed: %s. %s" % (self.TITLE, why, rest), pod_id, self.NAME)

    def _with_keys(self, env: dict, public_key: str | None, by_template: bool) -> dict:
        """The environment with PUBLIC_KEY, from which the image fills ``authorized_keys``.

        ``startSsh`` puts the account's keys there, unless the request names PUBLIC_KEY itself: so a key of ours goes there together
        with those of the account, and the account stays as it is.
        """
        if public_key is None:
            if "PUBLIC_KEY" not in env and not by_template:
                self._need_an_account_key()
            return env
        others = env["PUBLIC_KEY"].splitlines() if "PUBLIC_KEY" in env else self._account_keys()
        keys = [key.strip() for key in others if key.strip() and not _public_key.same(key, public_key)]
        return {**env, "PUBLIC_KEY": "\n".join([*keys, public_key])}

    def _need_an_account_key(self) -> None:
        try:
            keys = self._account_keys()
        except AuthenticationError as error:
            LOG.debug("RunPod: whether the account has SSH keys is not known: %s", error.message)
            return
        if not keys:
            raise RentedError(
                "Nobody could log in: no SSH key is registered with %s. Give ssh_public_key, or register one with rented.gpu.ssh_key."
                % self.TITLE,
                self.NAME,
            )

    def _candidates(self, request: LaunchRequest, options: dict, body: dict) -> list:
        """``(row of the catalogue, data centre or None)`` of all that fits and is not sold out, cheapest first, then best stocked."""
        cloud, count = body.get("cloud", "SECURE"), body["gpu"]["count"]
        gpus = self._gpus(
            self._api(),
            include="AVAILABILITY",
            product="POD",
            count=count,
            cloud=cloud,
            cudaVersions=",".join(options.get("allowed_cuda_versions", ())) or None,
            minCudaVersion=options.get("min_cuda_version"),
        )
        named = [gpu for gpu in gpus if is_meant(gpu, request.gpu, options.get("gpu_id"))]
        if not named:
            names = sorted({str(gpu.get("name") or gpu["id"]) for gpu in gpus})
            raise NotFound(
                "%s has no GPU '%s'. %s" % (self.TITLE, options.get("gpu_id") or request.gpu, nearest_of(request, names)), self.NAME
            )
        most = max(most_gpus(gpu, cloud) for gpu in named)
        if count > most:
            raise NotFound(
                "%s has at most %d of %s in one pod of its %s cloud; %d were asked for."
                % (self.TITLE, most, wish_gpu(request), cloud.lower(), count),
                self.NAME,
            )
        named = [gpu for gpu in named if most_gpus(gpu, cloud) >= count]
        storage = (body.get("disk", 0) + _persistent_gb(body.get("mounts"))) * DISK_USD_PER_GB_MONTH / Provider.HOURS_PER_MONTH
        limit = request.max_price_per_hour
        if limit is not None:
            prices = {gpu["id"]: pod_price(gpu, cloud, count) for gpu in named}
            named = [gpu for gpu in named if prices[gpu["id"]] is not None and prices[gpu["id"]] + storage <= limit]
            if not named:
                known = [price for price in prices.values() if price is not None]
                least = "the cheapest costs %.4f USD/h, and its disk %.4f" % (min(known), storage) if known else "no price is known"
                raise NotFound("%s has nothing that fits %s: %s." % (self.TITLE, wish_words(request), least), self.NAME)
        places = self._places(request, options)
        found = []
        for gpu in named:
            centres = [(row.get("availability"), str(row["id"])) for row in _values.rows(gpu.get("dataCenters")) if row.get("id")]
            if places is None:
                found.append((gpu, None, gpu.get("availability")))
            else:
                found.extend((gpu, centre, stock) for stock, centre in centres if places(centre))
        if not found and any(gpu.get("availability") in STOCK and not gpu.get("dataCenters") for gpu in named):
            raise Unsupported(
                "%s does not say where the pods of its %s cloud are, so none can be rented in %s."
                % (self.TITLE, cloud.lower(), request.region or "a place of your choice"),
                self.NAME,
            )
        found = [entry for entry in found if entry[2] != "NONE"]
        if not found:
            raise NotFound(
                "%s has no capacity for %s in its %s cloud now. Try later, elsewhere, or another GPU."
                % (self.TITLE, wish_words(request), cloud.lower()),
                self.NAME,
            )
        worst = float("inf")
        found.sort(
            key=lambda entry: (
                worst if pod_price(entry[0], cloud, 1) is None else pod_price(entry[0], cloud, 1),
                STOCK.index(entry[2]) if entry[2] in STOCK else len(STOCK),
            )
        )
        return [(gpu, centre) for gpu, centre, _stock in found]

    def _places(self, request: LaunchRequest, options: dict):
        """A test of data centre ids for the places that were asked for; None where any place will do."""
        asked = set(options.get("data_center_ids", ()))
        volume = options.get("network_volume_id")
        if not (request.region or asked or volume):
            return None
        answer = self._api().get("/catalog/datacenters", what="read the catalogue of data centres")
        known = [row for row in _values.rows(_values.mapping(answer).get("dataCenters")) if _values.text(row.get("id"))]
        ids = {str(row["id"]) for row in known}
        for wanted in sorted(asked - ids):
            raise RentedError("%s has no data centre '%s'. %s" % (self.TITLE, wanted, nearest(wanted, ids)), self.NAME)
        fitting = {str(row["id"]) for row in known if in_region(row, request.region)} if request.region else ids
        if not fitting:
            regions = ids | {str(row.get("region")) for row in known if row.get("region")}
            raise RentedError("%s has no region '%s'. %s" % (self.TITLE, request.region, nearest(request.region, regions)), self.NAME)
        fitting = fitting & asked if asked else fitting
        if volume:
            answer = self._api().get("/network-volumes/" + _quoted(volume), what="find the network volume %s" % volume)
            home = _values.text(_values.mapping(answer).get("dataCenter"))
            fitting = fitting & {home}
            if not fitting:
                raise RentedError(
                    "The network volume %s is in %s, and a pod with it cannot be elsewhere." % (volume, home or "an unknown place"),
                    self.NAME,
                )
        return fitting.__contains__

    def destroy(self, instance_id: str) -> None:
        try:
            self._change("DELETE", instance_id, "", "destroy")
        except NotFound:
            pass

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        self._act(instance_id, "stop", done=("EXITED",))

    def start(self, instance_id: str) -> None:
        self._act(instance_id, "start", done=("PROVISIONING", "STARTING", "RUNNING"))

    def set_label(self, instance_id: str, label: str) -> None:
        if not label.strip():
            raise RentedError("%s takes no empty name." % self.TITLE, self.NAME)
        self._change("PATCH", instance_id, "", "rename", {"name": label})

    def _act(self, instance_id: str, action: str, done: tuple) -> None:
        """Ask for a transition; one that has happened already is success."""
        try:
            self._change("POST", instance_id, "/action", action, {"action": action}, done)
        except _Done:
            pass

    def _change(self, method: str, instance_id: str, rest: str, verb: str, body=None, done: tuple = ()) -> None:
        path = "/pods/" + _quoted(instance_id)
        try:
            self._api().call(method, path + rest, body=body, what="%s pod %s" % (verb, instance_id))
        except RentedError as error:
            if error.status != 409:
                raise
            raise self._not_now(path, instance_id, verb, error, done) from None

    def _not_now(self, path: str, instance_id: str, verb: str, error: RentedError, done: tuple) -> Exception:
        """The error of a 409, with what the pod itself says about it: a cluster, or the actions that are allowed now."""
        try:
            pod = _values.mapping(self._api().get(path, what="look at pod %s" % instance_id))
        except RentedError:
            return error
        cluster = _values.text(_values.mapping(pod.get("cluster")).get("id"))
        if cluster:
            return Unsupported(
                "The pod %s belongs to the cluster %s; %s lets nobody %s it alone. Use the cluster's page."
                % (instance_id, cluster, self.TITLE, verb),
                self.NAME,
                409,
            )
        if pod.get("status") in done:
            return _Done()
        allowed = pod["actions"] if isinstance(pod.get("actions"), list) else []
        locked = " It is locked." if pod.get("locked") is True else ""
        return RentedError(
            "%s does not let the pod %s %s now, while it is %s; allowed is: %s.%s (%s)"
            % (self.TITLE, instance_id, verb, pod.get("status"), ", ".join(map(str, allowed)) or "nothing", locked, error.message),
            self.NAME,
            409,
        )

    def console(self, instance_id: str) -> str:
        """The last lines of the container, and of the machine about it (fetching the image, starting)."""
        events = self._api().events(
            "/pods/%s/logs" % _quoted(instance_id), query={"tail": LOG_LINES}, what="read the log of pod %s" % instance_id
        )
        return "".join(log_line(event) + "\n" for event in events)

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """One offer per GPU, cloud and data centre that has stock now. There are no interruptible ones."""
        if wish.interruptible is True:
            return []
        found: list = []
        for cloud in CLOUDS:
            # Without `cloud`, the availability is that of the secure one alone.
            rows = self._gpus(self._api(), include="AVAILABILITY", product="POD", count=wish.gpu_count, cloud=cloud)
            for gpu in rows:
                if most_gpus(gpu, cloud) >= wish.gpu_count and (not wish.gpus or any(is_meant(gpu, name) for name in wish.gpus)):
                    found.extend(offers(gpu, cloud, wish.gpu_count, self.account))
        return found

    # --- keys of the account -----------------------------------------------------------------------------------------

    def list_keys(self) -> list:
        return [SshKey(id=fingerprint(key), name=None, public_key=key) for key in self._account_keys()]

    def add_key(self, name: str, public_key: str) -> str:
        """The API has no names for keys: ``name`` becomes the comment of a key that has none."""
        key = check_public_key(public_key)
        keys = self._account_keys()
        if not any(_public_key.same(key, other) for other in keys):
            comment = " ".join((name or "").split())
            self._replace_keys([*keys, key if _public_key.parse(key).comment or not comment else "%s %s" % (key, comment)])
        return fingerprint(key)

    def remove_key(self, key_id: str) -> None:
        keys = self._account_keys()
        kept = [key for key in keys if fingerprint(key) != key_id]
        if len(kept) != len(keys):
            self._replace_keys(kept)

    def _account_keys(self) -> list:
        answer = self._api().get("/account/ssh-keys", what="read the account's SSH keys")
        keys = _values.mapping(answer).get("keys")
        # What is read here is written back: a list that is not whole would take keys away.
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise self._unknown_form("read the account's SSH keys")
        return keys

    def _replace_keys(self, keys: list) -> None:
        """Write the whole set: the API has no other way. Keys that were read come back to the letter."""
        answer = self._api().call("PUT", "/account/ssh-keys", body={"keys": keys}, what="write the account's SSH keys")
        kept = _values.mapping(answer).get("keys")
        lost = (
            [key for key in keys if not any(_public_key.same(key, other) for other in kept if isinstance(other, str))]
            if isinstance(kept, list)
            else keys
        )
        if lost:
            raise ProviderUnavailable(
                "%s did not confirm %d of the %d SSH keys of the account. Look at them in its web page."
                % (self.TITLE, len(lost), len(keys)),
                self.NAME,
            )

    # --- calling -----------------------------------------------------------------------------------------------------

    def _api(self, tries: int = _http.TRIES) -> _http.JsonApi:
        if self._quota is None:
            self._quota = Quota(AT_ONCE, PER_MINUTE, clock=self.clock, sleep=self.sleep)
        return _http.JsonApi(
            self.TITLE, self.NAME, self.endpoint, self.api_key, timeout=self.timeout, tries=tries, pace=self._quota, sleep=self.sleep
        )

    def _unknown_form(self, what: str) -> ProviderUnavailable:
        return ProviderUnavailable("%s answered in an unknown form when asked to %s." % (self.TITLE, what), self.NAME)


class _Done(Exception):
    """What was asked for is so already."""


class Quota:
    """Some requests at once, then so many in a minute: together never more than ``at_once + per_minute`` in any minute.

    For `_http.JsonApi`: ``with quota:`` around each request.
    """

    def __init__(self, at_once: int, per_minute: float, clock=time.monotonic, sleep=time.sleep) -> None:
        self._most, self._rate = float(at_once), per_minute / 60.0
        self._clock, self._sleep = clock, sleep
        self._left, self._at = self._most, clock()

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now

    def __enter__(self) -> None:
        self._refill()
        if self._left < 1:
            self._sleep((1 - self._left) / self._rate)
            self._refill()
        self._left -= 1

    def __exit__(self, *unused) -> None:
        pass


# --- what an instance is ---------------------------------------------------------------------------------------------


def instance(row: dict, account: str, vram: dict | None = None) -> Instance:
    """One pod. Every field but ``id`` may be missing or null; ``env`` and ``args`` are not looked at.

    ``vram`` is MiB by GPU id, from the catalogue; what it lacks comes from the table of usual sizes.
    """
    gpu, cpu, cluster = (_values.mapping(row.get(name)) for name in ("gpu", "cpu", "cluster"))
    name = gpu_id(row)
    known = _gpu_names.normalise(name)
    # `gpu.memory` of newer answers is the memory of the pod, not that of the GPU.
    known = _gpu_names.normalise(name, (vram or {}).get(name) or _gpu_names.usual_vram_mb(known))
    here = state(row)
    host, port, user = endpoint(row)
    storage = stopped_price(row)
    price = _values.number(row.get("cost"))
    return Instance(
        provider=RunpodProvider.NAME,
        account=account,
        id=str(row["id"]),
        label=_values.text(row.get("name")),
        state=here,
        state_raw=None if row.get("status") is None else str(row["status"]),
        kind="container",
        ssh_host=host,
        ssh_port=port,
        ssh_user=user or RunpodProvider.SSH_USER,
        ssh_via="direct" if host else None,
        gpu_name_raw=name,
        gpu_model=known.model,
        gpu_variant=known.variant,
        gpu_count=(_values.whole(gpu.get("count")) or 1) if name else 0 if cpu else None,
        gpu_vram_mb=known.vram_mb,
        cpu_cores=_values.number(cpu.get("vcpuCount", gpu.get("vcpuCount"))),
        ram_gb=_values.number(cpu.get("memory", gpu.get("memory"))),
        disk_gb=_values.number(row.get("disk")),
        cuda_max=_values.text(row.get("cudaVersion")),
        region=_values.text(row.get("dataCenterId")),
        # The API says 0.0 of a stopped pod, whose volume is billed all the same.
        price_per_hour=storage if here == "stopped" and not price else price,
        storage_price_per_hour=storage,
        trust=TRUST.get(row["cloud"]) if isinstance(row.get("cloud"), str) else None,
        image=_values.text(row.get("image")),
        started_at=_values.moment(row.get("startedAt")),
        tags=_tags(row, cluster),
    )


def _tags(row: dict, cluster: dict) -> dict:
    """What has no field of its own: the cluster that a pod belongs to, and the volume that outlives a stop."""
    network = _values.rows(_values.mapping(row.get("mounts")).get("network"))
    made = {
        "cluster": _values.text(cluster.get("id")),
        "cluster_rank": _values.text(cluster.get("rank")),
        "cluster_role": _values.text(cluster.get("role")),
        "volume_gb": _values.text(_persistent_gb(row.get("mounts")) or None),
        "network_volume": _values.text(network[0].get("volumeId")) if network else None,
    }
    return {name: value for name, value in made.items() if value is not None}


def gpu_id(row: dict) -> str | None:
    """RunPod's name for the GPU of a pod; None for a CPU pod."""
    return _values.text(_values.mapping(row.get("gpu")).get("id"))


def state(row: dict) -> str:
    """Our word for ``status``."""
    raw = row.get("status")
    found = STATES.get(raw) if isinstance(raw, str) else None
    if found is None:
        LOG.debug("RunPod: unknown status %r of pod %s", raw, row.get("id"))
        return "unknown"
    return found


def endpoint(row: dict) -> tuple:
    """``(host, port, user)`` of the pod's own sshd; Nones while there is none that can be reached from outside.

    ``ssh.direct``, else the public port of 22/tcp; never the proxy.
    """
    direct = _values.mapping(_values.mapping(row.get("ssh")).get("direct"))
    ways = [(direct.get("host"), direct.get("port"), _values.text(direct.get("username")))]
    for entry in _values.rows(_values.mapping(row.get("runtime")).get("ports")):
        if entry.get("private") == 22 and entry.get("type") == "tcp":
            ways.append((entry.get("ip"), entry.get("public"), None))
    for host, port, user in ways:
        host, port = (_values.text(host) or "").strip("[]"), _values.port(port)
        if not host or port is None:
            continue
        if host.lower().rstrip(".") == PROXY or not is_public(host):
            LOG.debug("RunPod: the address %s of pod %s is passed over, it cannot be reached", host, row.get("id"))
            continue
        return host, port, user
    return None, None, None


def is_public(host: str) -> bool:
    """Whether an address is none of those that only the data centre knows; a name counts as public."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(re.match(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?$", host))
    address = getattr(address, "ipv4_mapped", None) or address
    return not any(address.version == net.version and address in net for net in NOT_PUBLIC)


def stopped_price(row: dict) -> float | None:
    """USD per hour while stopped: the volume. None where the mounts are not known, or on a network volume (its size is not said)."""
    mounts = row.get("mounts")
    if not isinstance(mounts, dict) or mounts.get("network"):
        return None
    return round(_persistent_gb(mounts) * STOPPED_USD_PER_GB_MONTH / Provider.HOURS_PER_MONTH, 6)


def _persistent_gb(mounts) -> float:
    size = _values.number(_values.mapping(_values.mapping(mounts).get("persistent")).get("size"))
    return int(size) if size and size > 0 else 0


def log_line(event: str) -> str:
    """The line of one event of the log; an event of another form as it is."""
    try:
        line = _values.mapping(json.loads(event)).get("line")
    except ValueError:
        line = None
    return line.rstrip("\r\n") if isinstance(line, str) else event


# --- the catalogue ---------------------------------------------------------------------------------------------------


def catalogue_vram_mb(gpu: dict) -> int | None:
    """MiB per GPU; the catalogue says GB."""
    return _values.whole(_values.scaled(gpu.get("memory"), 1024, 0)) or None


def is_meant(gpu: dict, asked: str | None, exact: str | None = None) -> bool:
    """Whether a row of the catalogue is the GPU that was asked for. A slice of a GPU is meant only when it is named."""
    if exact is not None and gpu["id"] != exact:
        return False
    # Its name may say what its id leaves out: "NVIDIA H200" is the "H200 SXM".
    names = [name for name in (gpu["id"], gpu.get("name")) if isinstance(name, str)]
    if not asked or asked.strip() in names:
        return True
    want = _gpu_names.normalise(asked)
    return any(_is_same(want, _gpu_names.normalise(name, catalogue_vram_mb(gpu))) for name in names)


def _is_same(want, got) -> bool:
    sliced = (got.variant or "").startswith("MIG")
    if want.model != got.model or ((want.variant or sliced) and want.variant != got.variant):
        return False
    return not (want.vram_mb and got.vram_mb) or _gpu_names.same_size(want.vram_mb, got.vram_mb)


def most_gpus(gpu: dict, cloud: str) -> int:
    """GPUs of the largest machine in a cloud; 0 where the cloud has none."""
    if gpu.get(cloud.lower()) is False:
        return 0
    return max(_values.whole(_values.mapping(gpu.get("maxCount")).get(cloud.lower())) or 0, 0)


def pod_price(gpu: dict, cloud: str, count: int) -> float | None:
    """USD per hour for the GPUs of a pod, without its disk; the catalogue's price is that of one GPU. 0 is no price."""
    price = _values.number(_values.mapping(gpu.get("price")).get(cloud.lower()))
    return round(price * count, 6) if price and price > 0 else None


def offers(gpu: dict, cloud: str, count: int, account: str) -> list:
    """The offers of one row of the catalogue: one per data centre where it names them, else one. What is sold out is left out."""
    places = [(_values.text(row.get("id")), row.get("availability")) for row in _values.rows(gpu.get("dataCenters"))]
    places = [(place, stock) for place, stock in places if place] or [(None, gpu.get("availability"))]
    name = _gpu_names.normalise(gpu["id"], catalogue_vram_mb(gpu))
    versions = [row.get("version") for row in _values.rows(gpu.get("cudaVersions")) if row.get("available") is True]
    versions = [version for version in versions if isinstance(version, str) and re.match(r"^\d+\.\d+$", version)]
    found = []
    for place, stock in places:
        if stock == "NONE":
            continue
        options = {"gpu_id": gpu["id"], "cloud": cloud}
        if place:
            options["data_center_ids"] = [place]
        found.append(
            Offer(
                provider=RunpodProvider.NAME,
                account=account,
                id="/".join(("%dx %s" % (count, gpu["id"]), cloud, place or "anywhere")),
                kind="container",
                gpu_name_raw=gpu["id"],
                gpu_model=name.model,
                gpu_variant=name.variant,
                gpu_count=count,
                gpu_vram_mb=name.vram_mb,
                region=place,
                price_per_hour=pod_price(gpu, cloud, count),
                storage_price_per_gb_month=DISK_USD_PER_GB_MONTH,
                inet_down_price_per_gb=TRAFFIC_USD_PER_GB,
                inet_up_price_per_gb=TRAFFIC_USD_PER_GB,
                interruptible=False,
                trust=TRUST[cloud],
                availability=stock.lower() if isinstance(stock, str) else None,
                cuda_max=max(versions, key=lambda version: [int(part) for part in version.split(".")], default=None),
                options=options,
            )
        )
    return found


def in_region(centre: dict, asked: str) -> bool:
    """Whether a data centre is where was asked for: its id ("US-KS-2"), a part of it ("US", "RO"), its name, or its region ("EUROPE")."""
    wanted = asked.strip().upper()
    place = str(centre["id"]).upper()
    if wanted in (place, str(centre.get("region") or "").upper()) or wanted in place.split("-") or place.startswith(wanted + "-"):
        return True
    # Two letters are a country; within a name they would be found in "Austria" too.
    return len(wanted) > 2 and wanted in str(centre.get("name") or "").upper()


# --- what a launch asks for ------------------------------------------------------------------------------------------


def check_options(request: LaunchRequest) -> dict:
    """The launch options, each one known and of its type. Raises `RentedError`; nothing has been asked by then."""
    title, name = RunpodProvider.TITLE, RunpodProvider.NAME
    for option in request.options:
        if option not in LAUNCH_OPTIONS:
            raise RentedError("%s takes no launch option '%s'. %s" % (title, option, nearest(str(option), LAUNCH_OPTIONS)), name)
    if request.interruptible or request.bid_per_hour is not None:
        raise Unsupported("%s rents nothing interruptible through its API, and takes no bids. Leave it out." % title, name)
    if not request.name.strip():
        raise RentedError("%s wants a name for what it rents." % title, name)
    options = {key: value for key, value in request.options.items() if value is not None}
    if not request.gpu and "gpu_id" not in options:
        raise RentedError("Name the GPU to rent at %s (gpu: RTX 4090), or its id there (options: gpu_id)." % title, name)
    if request.gpu_count is not None and request.gpu_count < 1:
        raise RentedError("A pod at %s has at least one GPU; gpu_count is %s." % (title, request.gpu_count), name)

    def must(option: str, fits, wanted: str) -> None:
        if option in options and not fits(options[option]):
            raise RentedError("The launch option '%s' of %s is %s." % (option, title, wanted), name)

    for option in ("gpu_id", "template_id", "args", "image_start", "volume_path", "network_volume_id", "registry_id"):
        must(option, lambda value: isinstance(value, str) and value.strip(), "a text")
    for option in ("global_networking", "start_jupyter"):
        must(option, lambda value: isinstance(value, bool), "true or false")
    must("cloud", lambda value: str(value).upper() in CLOUDS, "secure or community")
    must("data_center_ids", _is_texts, "a list of data centre ids")
    must("ports", lambda value: _is_texts(value) and all(map(_is_port, value)), "a list such as ['8888/http', '6006/tcp']")
    must("volume_gb", lambda value: (_values.number(value) or 0) >= LEAST_VOLUME_GB, "a number of GB, at least %d" % LEAST_VOLUME_GB)
    must("min_cuda_version", _is_version, "a version in quotes, such as '12.8'")
    must(
        "allowed_cuda_versions", lambda value: isinstance(value, list) and value and all(map(_is_version, value)), "a list such as ['12.8']"
    )
    must("env", lambda value: isinstance(value, dict) and all(map(_is_plain, value.values())), "a mapping of names to texts or numbers")
    for one, other in (("volume_gb", "network_volume_id"), ("min_cuda_version", "allowed_cuda_versions")):
        if one in options and other in options:
            raise RentedError("%s takes '%s' or '%s', not both." % (title, one, other), name)
    if request.startup_script and "args" in options:
        raise RentedError("The startup script is sent as the container's arguments, so 'args' cannot be given with it.", name)
    if "data_center_ids" in options:
        options["data_center_ids"] = [centre.upper() for centre in options["data_center_ids"]]  # lower case is not understood
    return options


def _is_texts(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item.strip() for item in value)


def _is_port(value: str) -> bool:
    found = re.match(r"^(\d+)/(tcp|http)$", value)
    return bool(found) and _values.port(found.group(1)) is not None


def _is_version(value) -> bool:
    return isinstance(value, str) and re.match(r"^\d+\.\d+$", value) is not None


def _is_plain(value) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def create_body(request: LaunchRequest, options: dict) -> dict:
    """The request as the API wants it, without a GPU id, a place and keys."""
    by_template = "template_id" in options
    body: dict = {
        "name": request.name,
        "cloud": str(options.get("cloud", "SECURE")).upper(),
        "gpu": {"count": int(request.gpu_count or 1)},
        # Without 22/tcp a pod has no port of its own for SSH; there is no default.
        "ports": list(dict.fromkeys([SSH_PORT, *options.get("ports", ())])),
        "startSsh": True,
    }
    if request.image or not by_template:
        body["image"] = request.image or DEFAULT_IMAGE
    if request.disk_gb or not by_template:
        body["disk"] = max(math.ceil(request.disk_gb or DEFAULT_DISK_GB), 1)
    if "env" in options:
        body["env"] = {str(key): str(value) for key, value in options["env"].items()}
    path = options.get("volume_path", VOLUME_PATH)
    if "volume_gb" in options:
        body["mounts"] = {"persistent": {"size": math.ceil(_values.number(options["volume_gb"])), "path": path}}
    elif "network_volume_id" in options:
        body["mounts"] = {"network": [{"volumeId": options["network_volume_id"], "path": path}]}
    for option, field in (
        ("template_id", "templateId"),
        ("args", "args"),
        ("registry_id", "registry"),
        ("global_networking", "globalNetworking"),
        ("start_jupyter", "startJupyter"),
    ):
        if option in options:
            body[field] = options[option]
    for option, field in (("min_cuda_version", "minCudaVersion"), ("allowed_cuda_versions", "allowedCudaVersions")):
        if option in options:
            body["gpu"][field] = options[option]
    if request.startup_script:
        body["args"] = start_arguments(request.startup_script, image_start(body, options))
    return body


def image_start(body: dict, options: dict) -> str:
    """What the image itself would run: known of RunPod's own images only."""
    if "image_start" in options:
        return options["image_start"]
    if "templateId" in body or not body["image"].startswith("runpod/"):
        raise RentedError(
            "A startup script takes the place of what the image runs, and that is known of images of %s alone (runpod/…). "
            "Say it with options: image_start, for example /start.sh." % RunpodProvider.TITLE,
            RunpodProvider.NAME,
        )
    return IMAGE_START


def start_arguments(script: str, then: str) -> str:
    """The container's arguments that run a script beside what the image runs.

    Both go in base64, so that nothing in them is read as quotes. The script runs in the background, so that sshd does not wait for it,
    and once per container disk: a stop wipes the disk, and with it what the script did. It writes to ``~/.rented/startup.log``.
    """
    packed, start = (base64.b64encode(text.encode()).decode() for text in (script, then))
    line = START_LINE % (packed, start)
    if len(line) > ARGUMENT_LIMIT:
        most = (ARGUMENT_LIMIT - len(line) + len(packed)) * 3 // 4
        raise RentedError(
            "The startup script is too long for %s: %d bytes, and an argument takes %d. Let a short one fetch it."
            % (RunpodProvider.TITLE, len(script.encode()), most),
            RunpodProvider.NAME,
        )
    return "bash -c '%s'" % line


def wish_gpu(request: LaunchRequest) -> str:
    """The GPU that was asked for, in words."""
    return request.gpu or request.options.get("gpu_id") or "any GPU"


def wish_words(request: LaunchRequest) -> str:
    """What was asked for, in words."""
    words = "%d× %s" % (request.gpu_count or 1, wish_gpu(request))
    if request.region:
        words += " in %s" % request.region
    if request.max_price_per_hour is not None:
        words += " for up to %.3f USD/h" % request.max_price_per_hour
    return words


def nearest_of(request: LaunchRequest, names: list) -> str:
    """The hint for a GPU that the catalogue does not have."""
    return nearest(wish_gpu(request), names) if names else "Its catalogue is empty."


# --- keys ------------------------------------------------------------------------------------------------------------


def check_public_key(text: str) -> str:
    """One public key on one line, in the form of the API's pattern. The error does not repeat it: it may be private."""
    return _public_key.required(text, "The SSH key for %s" % RunpodProvider.TITLE, RunpodProvider.NAME).line


def fingerprint(line: str) -> str:
    """SHA-256 of a key as ssh-keygen shows it, of a line that is no key as it stands: RunPod has no ids for keys."""
    key = _public_key.parse(line)
    content = key.content if key else None
    return _public_key.fingerprint(line.strip().encode() if content is None else content)


def _quoted(text: str) -> str:
    """A part of a path: an id with a slash must not become another path."""
    return urllib.parse.quote(str(text), safe="")
