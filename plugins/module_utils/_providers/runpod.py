# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""RunPod, through its REST API v2. The older REST v1 and GraphQL are being switched off and are not spoken here.

Facts: the OpenAPI file of runpod/docs (2026-08-18), and for what is newer than it (pages, ``gpu.memory``) RunPod's own runpodctl.
"""

from __future__ import annotations

import json
import logging
import re

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
    Unsupported,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanReadConsole,
    CanRegisterKey,
    CanStop,
    Provider,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod import connection, keys, launching, machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._runpod.machines import instance
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http, _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, SshKey, Wish

LOG = logging.getLogger("rented.gpu.runpod")

PAGE_SIZE = 1000  # the most that runpodctl asks for
LOG_LINES = 500
CANDIDATES = 12  # places that are tried in one launch


class RunpodProvider(Provider, CanLaunch, CanStop, CanLabel, CanReadConsole, CanListOffers, CanRegisterKey):
    """One account at RunPod."""

    NAME = connection.NAME
    TITLE = connection.TITLE
    ENDPOINT = "https://api.runpod.io/v2"
    ENDPOINT_ENV = ("RUNPOD_REST_V2_URL",)
    API_KEY_ENV = ("RUNPOD_API_KEY",)
    SSH_USER = machines.SSH_USER
    KEY_FILES = ("~/.runpod/config.toml", "~/.runpod.yaml")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        _http.check_key(self.TITLE, self.NAME, self.api_key)
        self._quota: connection.Quota | None = None
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
            pods = _http.list_in(answer, "pods", self.TITLE, self.NAME, "list the instances")
            # A page may be short: only `pagination` says whether there is another. Older servers have one page and no such field.
            page = _values.mapping(answer.get("pagination"))
            after = _values.text(page.get("nextCursor"))
            if page.get("hasNextPage") is True and not after:
                raise ProviderUnavailable(f"{self.TITLE} says that its list goes on, but not where. Try again.", self.NAME)
            return pods, None if page.get("hasNextPage") is False else after

        rows: dict = {}
        for row in _http.pages(fetch, self.TITLE):
            pod_id = _http.id_in(row, self.TITLE, self.NAME)
            rows[pod_id] = row  # one that moved between two pages comes twice
            self.remember_raw(pod_id, row)
        vram = self._vram_by_id() if any(machines.gpu_id(row) for row in rows.values()) else {}
        return [instance(row, self.account, vram) for row in rows.values()]

    def _vram_by_id(self) -> dict:
        """MiB by GPU id, from the catalogue, asked once per object. Empty when it fails: a list must not fail for want of it."""
        if self._vram is None:
            try:
                gpus = self._gpus(self._api(tries=2))
            except RentedError as error:
                LOG.debug("RunPod: the memory of GPUs comes from the table, because the catalogue failed: %s", error.message)
                gpus = []
            self._vram = {gpu_id: vram for gpu_id, vram in ((gpu["id"], offers.catalogue_vram_mb(gpu)) for gpu in gpus) if vram}
        return self._vram

    def _gpus(self, api, **query) -> list:
        """The rows of the GPU catalogue that have an id."""
        what = "read the catalogue of GPUs"
        gpus = _http.list_in(api.get("/catalog/gpus", query=query, what=what), "gpus", self.TITLE, self.NAME, what)
        return [gpu for gpu in _values.rows(gpus) if isinstance(gpu.get("id"), str) and gpu["id"]]

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def check_request(self, request: LaunchRequest) -> None:
        launching.body(request, launching.check(request))

    def launch(self, request: LaunchRequest) -> str:
        """Rent the cheapest GPU of the catalogue that fits; where that is full, the next GPU or data centre that fits.

        The API places one GPU id per request and says "full" in prose, with a 400. Options: `launching.LAUNCH_OPTIONS`.
        """
        options = launching.check(request)
        body = launching.body(request, options)
        public_key = keys.check(request.ssh_public_key) if request.ssh_public_key else None
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
                answer = self._api().call("POST", "/pods", body=wanted, what=f"rent {where}")
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
            f"{self.TITLE} rented none of what fits {launching.wish_words(request)}. Tried {', '.join(refused)}; the "
            f"last answer was: {last}",
            self.NAME,
            last.status if last else None,
        )

    def _accept(self, answer, request: LaunchRequest, place: str | None) -> str:
        """The id of what was rented, when it is what was asked for; else it is destroyed again."""
        pod = _values.mapping(answer)
        pod_id = _values.text(pod.get("id"))
        if pod_id is None:
            raise ProviderUnavailable(
                f"{self.TITLE} answered the request to rent without an id. Look into its web page before trying again.", self.NAME
            )
        self._hold_against(pod_id, pod, request, (lambda centre: centre == place) if place else None, place)
        return pod_id

    def settle(self, instance_id: str, request: LaunchRequest) -> None:
        """Look at a pod whose answer was lost as `launch` looks at its answers."""
        options = launching.check(request)
        pod = self._api().get("/pods/" + connection.quoted(instance_id), what=f"look at pod {instance_id}")
        wanted = request.region or ", ".join(options.get("data_center_ids", ())) or options.get("network_volume_id")
        self._hold_against(instance_id, _values.mapping(pod), request, self._places(request, options), wanted)

    def _hold_against(self, pod_id: str, pod: dict, request: LaunchRequest, is_wanted, place: str | None) -> None:
        """Destroy a pod that costs more than it may, or is elsewhere. ``is_wanted`` tests a data centre's id (None: any)."""
        cost, limit = _values.number(pod.get("cost")), request.max_price_per_hour
        if limit is not None and cost is not None and cost > limit + 0.0005:  # the API rounds to 32 bits
            raise self._undo(pod_id, f"it costs {cost:.4f} USD/h, above the limit of {limit:.4f}")
        got = _values.text(pod.get("dataCenterId"))
        if is_wanted and got and not is_wanted(got):
            raise self._undo(pod_id, f"it was placed in {got} instead of {place}")

    def _undo(self, pod_id: str, why: str) -> PartlyCreated:
        return _launching.given_back(self.TITLE, self.NAME, why, [pod_id], self.destroy)

    def _with_keys(self, env: dict, public_key: str | None, by_template: bool) -> dict:
        """The environment with PUBLIC_KEY, from which the image fills ``authorized_keys``.

        ``startSsh`` puts the account's keys there, unless the request names PUBLIC_KEY itself: so the request's key goes there together
        with those of the account, and the account stays as it is.
        """
        if public_key is None:
            if "PUBLIC_KEY" not in env and not by_template:
                self._need_an_account_key()
            return env
        others = env["PUBLIC_KEY"].splitlines() if "PUBLIC_KEY" in env else keys.listed(self._api())
        others = [key.strip() for key in others if key.strip() and not _public_key.same(key, public_key)]
        return {**env, "PUBLIC_KEY": "\n".join([*others, public_key])}

    def _need_an_account_key(self) -> None:
        try:
            there = keys.listed(self._api())
        except AuthenticationError as error:
            LOG.debug("RunPod: whether the account has SSH keys is not known: %s", error.message)
            return
        if not there:
            raise RentedError(
                f"You could not log in: no SSH key is registered with {self.TITLE}. Give ssh_public_key, or register "
                "one with rented.gpu.ssh_key.",
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
        named = launching.choose(gpus, request, options, body)
        return launching.placed(named, self._places(request, options), request, cloud)

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
            raise RentedError(f"{self.TITLE} has no data centre '{wanted}'. {nearest(wanted, ids)}", self.NAME)
        fitting = {str(row["id"]) for row in known if offers.in_region(row, request.region)} if request.region else ids
        if not fitting:
            regions = ids | {str(row.get("region")) for row in known if row.get("region")}
            raise RentedError(f"{self.TITLE} has no region '{request.region}'. {nearest(str(request.region), regions)}", self.NAME)
        fitting = fitting & asked if asked else fitting
        if volume:
            answer = self._api().get("/network-volumes/" + connection.quoted(volume), what=f"find the network volume {volume}")
            home = _values.text(_values.mapping(answer).get("dataCenter"))
            fitting = fitting & {home}
            if not fitting:
                raise RentedError(
                    f"The network volume {volume} is in {home or 'an unknown place'}, and a pod with it cannot be elsewhere.",
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
            raise RentedError(f"{self.TITLE} takes no empty name.", self.NAME)
        self._change("PATCH", instance_id, "", "rename", {"name": label})

    def _act(self, instance_id: str, action: str, done: tuple) -> None:
        """Ask for a transition; one that has happened already is success."""
        try:
            self._change("POST", instance_id, "/action", action, {"action": action}, done)
        except _Done:
            pass

    def _change(self, method: str, instance_id: str, rest: str, verb: str, body=None, done: tuple = ()) -> None:
        path = "/pods/" + connection.quoted(instance_id)
        try:
            self._api().call(method, path + rest, body=body, what=f"{verb} pod {instance_id}")
        except RentedError as error:
            if error.status != 409:
                raise
            raise self._not_now(path, instance_id, verb, error, done) from None

    def _not_now(self, path: str, instance_id: str, verb: str, error: RentedError, done: tuple) -> Exception:
        """The error of a 409, with what the pod itself says about it: a cluster, or the actions that are allowed now."""
        try:
            pod = _values.mapping(self._api().get(path, what=f"look at pod {instance_id}"))
        except RentedError:
            return error
        cluster = _values.text(_values.mapping(pod.get("cluster")).get("id"))
        if cluster:
            return Unsupported(
                f"The pod {instance_id} belongs to the cluster {cluster}; {self.TITLE} does not let you {verb} it "
                "alone. Use the cluster's page.",
                self.NAME,
                409,
            )
        if pod.get("status") in done:
            return _Done()
        allowed = pod["actions"] if isinstance(pod.get("actions"), list) else []
        locked = " It is locked." if pod.get("locked") is True else ""
        return RentedError(
            f"{self.TITLE} does not let the pod {instance_id} {verb} now, while it is {pod.get('status')}; allowed "
            f"is: {', '.join(map(str, allowed)) or 'nothing'}.{locked} ({error.message})",
            self.NAME,
            409,
        )

    def console(self, instance_id: str) -> str:
        """The last lines of the container, and of the machine about it (fetching the image, starting)."""
        events = self._api().events(
            f"/pods/{connection.quoted(instance_id)}/logs", query={"tail": LOG_LINES}, what=f"read the log of pod {instance_id}"
        )
        return "".join(log_line(event) + "\n" for event in events)

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """One offer per GPU, cloud and data centre that has stock now. There are no interruptible ones."""
        if wish.interruptible is True:
            return []
        found: list = []
        for cloud in offers.CLOUDS:
            # Without `cloud`, the availability is that of the secure one alone.
            rows = self._gpus(self._api(), include="AVAILABILITY", product="POD", count=wish.gpu_count, cloud=cloud)
            for gpu in rows:
                if offers.most_gpus(gpu, cloud) >= wish.gpu_count and (
                    not wish.gpus or any(offers.is_meant(gpu, name) for name in wish.gpus)
                ):
                    found.extend(offers.of_gpu(gpu, cloud, wish.gpu_count, self.account))
        return found

    # --- keys of the account -----------------------------------------------------------------------------------------

    def list_keys(self) -> list:
        return [SshKey(id=keys.fingerprint(key), name=None, public_key=key) for key in keys.listed(self._api())]

    def add_key(self, name: str, public_key: str) -> str:
        """The API has no names for keys: ``name`` becomes the comment of a key that has none."""
        key = keys.check(public_key)
        there = keys.listed(self._api())
        if not any(_public_key.same(key, other) for other in there):
            comment = " ".join((name or "").split())
            keys.replace(self._api(), [*there, key if _public_key.parsed(key).comment or not comment else f"{key} {comment}"])
        return keys.fingerprint(key)

    def remove_key(self, key_id: str) -> None:
        there = keys.listed(self._api())
        kept = [key for key in there if keys.fingerprint(key) != key_id]
        if len(kept) != len(there):
            keys.replace(self._api(), kept)

    # --- calling -----------------------------------------------------------------------------------------------------

    def _api(self, tries: int = _http.TRIES) -> _http.JsonApi:
        if self._quota is None:
            self._quota = connection.Quota(clock=self.clock, sleep=self.sleep)
        return _http.JsonApi(
            self.TITLE, self.NAME, self.endpoint, self.api_key, timeout=self.timeout, tries=tries, pace=self._quota, sleep=self.sleep
        )


class _Done(Exception):
    """What was asked for is so already."""


def log_line(event: str) -> str:
    """The line of one event of the log; an event of another form as it is."""
    try:
        line = _values.mapping(json.loads(event)).get("line")
    except ValueError:
        line = None
    return line.rstrip("\r\n") if isinstance(line, str) else event
