# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Paperspace (DigitalOcean) machines, by the REST API v1.

Facts: the service's own OpenAPI file; the official command ``pspace`` (Paperspace/cli: ``credentials.ts``, ``config.ts`` for the key,
``api/client.ts`` for the form of a PATCH); docs.digitalocean.com for regions and traffic. Nothing says how often one may ask.
The units of rates and of an accelerator's memory are not written down anywhere; `gpu_memory_mb` and `storage_price` say what is presumed.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import os
import re
import shlex

from ansible_collections.rented.gpu.plugins.module_utils import _gpu_names, _http, _public_key, _values
from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    MissingCredentials,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
    Unsupported,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._models import Instance, LaunchRequest, Offer, Wish
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanStop,
    Provider,
)

LOG = logging.getLogger("rented.gpu.paperspace")

PAGE_SIZE = 120  # the API's maximum
SSH_PORT = 22
REGIONS = ("ny2", "ca1", "ams1")  # of the API file, and of the page on availability
DISK_SIZES_GB = (50, 100, 250, 500, 1000, 2000, 4000, 8000, 12000, 16000)
SCRIPT_PREFIX = "rented-gpu "  # our startup scripts, among those of the team
ORPHAN_SECONDS = 3600  # a script of ours that belongs to no machine for so long belongs to none that is being made
CONFIG_FILE = "~/.paperspace/config.toml"

# `state` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "off": "stopped",
    "provisioning": "pending",
    "starting": "pending",
    "restarting": "pending",
    "upgrading": "pending",
    "serviceready": "pending",  # Paperspace's service answers, the machine is not ready for its user
    "ready": "running",
    "stopping": "stopping",
}

# The status that stands for a code of an error (the table of the official client).
CODES = {
    "BAD_REQUEST": 400,
    "PARSE_ERROR": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "PRECONDITION_FAILED": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL_SERVER_ERROR": 500,
}

# GiB per GPU of machine types whose label leaves it open because the larger one says it ("A100" and "A100-80G").
TYPE_GB = {"A100": 40, "H100": 80, "V100": 16}
OLD_TYPES = {"GPU+": "M4000"}

# LaunchRequest.options -> (the API's field, kind of value)
LAUNCH_OPTIONS = {
    "machine_type": ("machineType", "text"),
    "network_id": ("networkId", "text"),
    "public_ip_type": ("publicIpType", "text"),
    "startup_script_id": ("startupScriptId", "text"),
    "enable_nvlink": ("enableNvlink", "flag"),
    "email_password": ("emailPassword", "flag"),
    "auto_shutdown_hours": ("autoShutdownTimeout", "number"),
    "auto_shutdown_force": ("autoShutdownForce", "flag"),
    "auto_snapshot": ("autoSnapshotFrequency", "text"),
    "auto_snapshot_keep": ("autoSnapshotSaveCount", "number"),
    "take_initial_snapshot": ("takeInitialSnapshot", "flag"),
    "accessor_ids": ("accessorIds", "list"),
}
CHOICES = {"public_ip_type": ("dynamic", "static", "none"), "auto_snapshot": ("hourly", "daily", "weekly", "monthly")}


class PaperspaceProvider(Provider, CanLaunch, CanStop, CanLabel, CanListOffers):
    """One team at Paperspace: an API key belongs to a team."""

    NAME = "paperspace"
    TITLE = "Paperspace"
    ENDPOINT = "https://api.paperspace.com/v1"
    ENDPOINT_ENV = ("PAPERSPACE_API_URL",)
    API_KEY_ENV = ("PAPERSPACE_API_KEY",)
    KEY_FILES = ("~/.paperspace/credentials.toml", "~/.paperspace/config.json")
    SSH_USER = "paperspace"
    OPTIONS = ("private_network",)
    NO_PRICES = "Paperspace's API tells no prices of what could be rented; they are at https://www.paperspace.com/pricing."

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._private = flag("private_network", self.options.get("private_network", False))
        _http.check_key(self.TITLE, self.NAME, self.api_key)

    # --- the key -----------------------------------------------------------------------------------------------------

    @staticmethod
    def key_from_file(text: str) -> str | None:
        """The key of the current team in ``credentials.toml``, or that of the old ``config.json``."""
        if text.lstrip().startswith("{"):
            try:
                return _values.text(_values.mapping(json.loads(text)).get("apiKey"))
            except ValueError:
                raise MissingCredentials("~/.paperspace/config.json is not JSON. Write it again, or remove it.", PaperspaceProvider.NAME)
        keys = toml_texts(text, "keys")
        if not keys:
            return None
        team = current_team()
        if team in keys:
            return keys[team] or None
        if team is None and len(keys) == 1:
            return next(iter(keys.values())) or None
        found = "names no team" if team is None else "names the team '%s', whose key is not there" % team
        raise MissingCredentials(
            "~/.paperspace/credentials.toml has the keys of %s, and %s %s. Choose one with: pspace config set team %s"
            % (", ".join(sorted(keys)), CONFIG_FILE, found, sorted(keys)[0]),
            PaperspaceProvider.NAME,
        )

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All machines of the team, every page, Windows too. Raises a `RentedError`; never answers a part."""
        self._raw = {}
        found: dict = {}
        for row in self._pages("/machines", "list the machines", {"orderBy": "dtCreated", "order": "asc"}):
            if _values.text(row.get("id")) is None:
                raise ProviderUnavailable("%s listed something that is not a machine; its API may have changed." % self.TITLE, self.NAME)
            machine = instance(row, self.account, self._private)
            found[machine.id] = machine  # one that moved between two pages comes twice
            self.remember_raw(machine.id, row)
        return list(found.values())

    def is_host(self, instance: Instance) -> bool:
        """Not a Windows machine: such a one is listed, so that its name counts and it can be destroyed, but has no SSH."""
        if instance.ssh_user is None:
            LOG.debug("Paperspace: machine %s runs Windows and becomes no host", instance.id)
        return instance.ssh_user is not None

    def _pages(self, path: str, what: str, query: dict):
        """The rows of every page."""

        def fetch(cursor):
            answer = self._call("GET", path, what, query={"limit": PAGE_SIZE, "after": cursor, **query})
            # An answer without the list must not read as "you have none": machines would go on billing unseen.
            if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
                raise ProviderUnavailable("%s answered no list when asked to %s." % (self.TITLE, what), self.NAME)
            if not all(isinstance(row, dict) for row in answer["items"]):
                raise ProviderUnavailable("%s answered in an unknown form when asked to %s." % (self.TITLE, what), self.NAME)
            if answer.get("hasMore") and not answer.get("nextPage"):
                raise ProviderUnavailable(
                    "%s says that there is more, but not where, when asked to %s. Try again." % (self.TITLE, what), self.NAME
                )
            return answer["items"], answer["nextPage"] if answer.get("hasMore") else None

        return _http.pages(fetch, self.TITLE)

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """The machine types that are free now, per region. The API has no prices (`NO_PRICES`), and no machine that can be interrupted."""
        if wish.interruptible:
            return []
        templates = [template for template in self._templates() if not is_windows(template)]
        places = {word.lower() for word in wish.regions}
        # "US" and its like: who asks knows what is meant.
        regions = [region for region in REGIONS if region in places] if places and places <= set(REGIONS) else list(REGIONS)
        offers = []
        for label in sorted(labels_of(templates)):
            gpu, count = gpu_of(label)
            if gpu is None or count != wish.gpu_count or not _large_enough(gpu, wish.gpu_vram_mb):
                continue
            if not wish.gpus or any(same_gpu(name, gpu) for name in wish.gpus):
                offers += [self._offer(label, region) for region in regions if self._is_free(label, region)]
        return offers

    def _offer(self, label: str, region: str) -> Offer:
        gpu, count = gpu_of(label)
        return Offer(
            provider=self.NAME,
            account=self.account,
            id="%s/%s" % (region, label),
            kind="vm",
            instance_type=label,
            gpu_name_raw=label,
            gpu_model=gpu.model,
            gpu_variant=gpu.variant,
            gpu_count=count,
            gpu_vram_mb=gpu.vram_mb,
            disk_gb=float(DISK_SIZES_GB[-1]),
            region=region,
            inet_down_price_per_gb=0.0,  # "free unlimited bandwidth", says the page on availability
            inet_up_price_per_gb=0.0,
            interruptible=False,
            trust="datacenter",
            options={"machine_type": label},
        )

    def _templates(self) -> list:
        return list(self._pages("/os-templates", "list the templates", {}))

    def _is_free(self, label: str, region: str) -> bool:
        """Whether a machine of this type can be had there now."""
        what = "ask for a free %s in %s" % (label, region)
        try:
            answer = self._call("GET", "/machine-availability", what, query={"machineType": label, "region": region})
        except NotFound:
            return False  # no such type there
        if not isinstance(answer, dict) or not isinstance(answer.get("available"), bool):
            raise ProviderUnavailable("%s answered in an unknown form when asked to %s." % (self.TITLE, what), self.NAME)
        return answer["available"]

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> str:
        """Rent a machine: the smallest free type that fits, in the region asked for or the first of `REGIONS` that has one.

        ``image`` is a template, by id or name; left out, the newest ML-in-a-Box. The SSH key comes in by a startup script, because the
        API has no keys. Options: see `LAUNCH_OPTIONS`; ``machine_type`` is a label such as "A100-80G".
        """
        options = check_options(request, self._private)
        label, template, region = self._choose(request, options)
        body = machine_body(request, options, label, template, region)
        script_id = self._make_script(request)
        if script_id:
            body["startupScriptId"] = script_id
        what = "rent a machine %s in %s" % (label, region)
        try:
            answer = self._call("POST", "/machines", what, body=body)
        except ProviderUnavailable:
            raise  # the machine may be there, and its script with it
        except RentedError:
            self._remove_scripts([script_id])
            raise
        answer = _values.mapping(answer)
        machine_id = _values.text(_values.mapping(answer.get("data")).get("id"))
        if machine_id is None:
            raise ProviderUnavailable(
                "%s answered the request to %s without an id. Look into its web page before trying again." % (self.TITLE, what), self.NAME
            )
        trouble = event_trouble(answer)
        if trouble:
            raise self._undo(machine_id, trouble, script_id)
        return machine_id

    def _choose(self, request: LaunchRequest, options: dict) -> tuple:
        """``(label of the machine type, template, region)`` of what is free now; asks only for what fits."""
        templates = self._usable_templates(request)
        offered = labels_of(templates)
        wanted = options.get("machine_type")
        if wanted and wanted not in offered:
            raise NotFound("%s has no machine type '%s' here. %s" % (self.TITLE, wanted, nearest(wanted, offered)), self.NAME)
        number = request.gpu_count or 1
        fitting = [label for label in offered if gpu_of(label)[1] == number and fits(label, request)]
        labels = [wanted] if wanted else sorted(fitting, key=_size_of)
        if not labels:
            raise NotFound(
                "%s has no machine type for %s. It has %s." % (self.TITLE, describe(request), ", ".join(sorted(offered)) or "none at all"),
                self.NAME,
            )
        regions = [request.region.lower()] if request.region else list(REGIONS)
        for label in labels:
            template = best_template(templates, label)
            for region in regions:
                if template.get("region") in (None, region) and self._is_free(label, region):
                    return label, template, region
        raise NotFound(
            "%s has no %s free in %s now. Try later, or another GPU." % (self.TITLE, " or ".join(labels), ", ".join(regions)), self.NAME
        )

    def _usable_templates(self, request: LaunchRequest) -> list:
        """The template that is asked for, alone; else every Linux template of Paperspace."""
        theirs = self._templates()
        if request.image is None:
            return [template for template in theirs if not is_windows(template)]
        found = named_template(theirs, request.image)
        if found is None:
            own = list(self._pages("/custom-templates", "list your templates", {}))
            found = named_template(own, request.image)
            if found is None:
                names = [str(template.get("name")) for template in theirs + own if not is_windows(template)]
                raise NotFound("%s has no template '%s'. %s" % (self.TITLE, request.image, nearest(request.image, names)), self.NAME)
        if is_windows(found):
            raise Unsupported("The template '%s' of %s is Windows, which has no SSH." % (request.image, self.TITLE), self.NAME)
        # Templates of one's own are in one region; those of Paperspace are in all.
        if request.region and found.get("region") not in (None, request.region.lower()):
            raise NotFound(
                "The template '%s' of %s is in %s: rent there, or leave 'region' out." % (request.image, self.TITLE, found["region"]),
                self.NAME,
            )
        return [found]

    def _make_script(self, request: LaunchRequest) -> str | None:
        """The id of a new startup script; None where nothing is to be run."""
        if not request.ssh_public_key and not request.startup_script:
            return None
        body = {"name": SCRIPT_PREFIX + request.name, "script": first_boot(request), "isRunOnce": True}
        answer = _values.mapping(self._call("POST", "/startup-scripts", "store the startup script", body=body))
        script_id = _values.text(answer.get("id"))
        if script_id is None:
            raise RentedError("%s stored the startup script without an id; nothing was rented. Try again." % self.TITLE, self.NAME)
        return script_id

    def _undo(self, machine_id: str, why: str, script_id: str | None) -> PartlyCreated:
        """The error for a rental that went half; what was created is destroyed where that can be done."""
        try:
            self.destroy(machine_id)
            self._remove_scripts([script_id])
            rest = "The machine %s that this had created was destroyed again." % machine_id
        except RentedError as error:
            rest = "The machine %s was created and may be billed; it could not be destroyed (%s): destroy it now." % (
                machine_id,
                error.message,
            )
        return PartlyCreated("Renting at %s failed: %s %s" % (self.TITLE, why.rstrip(".") + ".", rest), machine_id, self.NAME)

    def destroy(self, instance_id: str) -> None:
        """Destroy the machine and the startup script that was made for it. A static address stays, and stays billed."""
        path = "/machines/" + _segment(instance_id)
        scripts = self._our_scripts()
        answer = None
        try:
            answer = self._call("DELETE", path, "destroy machine %s" % instance_id)
        except NotFound:
            pass
        trouble = event_trouble(answer)
        if trouble:
            raise RentedError("%s could not destroy machine %s: %s." % (self.TITLE, instance_id, trouble), self.NAME)
        self._remove_scripts(left_over(scripts, str(instance_id), answer))

    def _our_scripts(self) -> list:
        """The startup scripts that we made; none where they cannot be read, because the machine matters more."""
        try:
            rows = list(self._pages("/startup-scripts", "list the startup scripts", {}))
        except RentedError as error:
            LOG.debug("Paperspace: startup scripts are left: %s", error.message)
            return []
        return [row for row in rows if str(row.get("name") or "").startswith(SCRIPT_PREFIX) and not row.get("dtDeleted")]

    def _remove_scripts(self, ids: list) -> None:
        """Forget startup scripts; one that cannot be forgotten does no harm, and is tried again with the next machine."""
        for script_id in ids:
            if script_id:
                try:
                    self._call("DELETE", "/startup-scripts/" + _segment(script_id), "remove startup script %s" % script_id)
                except RentedError as error:
                    LOG.debug("Paperspace: startup script %s is left: %s", script_id, error.message)

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        self._act(instance_id, "stop")

    def start(self, instance_id: str) -> None:
        self._act(instance_id, "start")

    def _act(self, instance_id: str, verb: str) -> None:
        """The API file has no body for these; the official command sends an empty object, and so do we."""
        answer = self._call("PATCH", "/machines/%s/%s" % (_segment(instance_id), verb), "%s machine %s" % (verb, instance_id), body={})
        trouble = event_trouble(answer)
        if trouble:
            raise RentedError("%s could not %s machine %s: %s." % (self.TITLE, verb, instance_id, trouble), self.NAME)

    def set_label(self, instance_id: str, label: str) -> None:
        self._call("PUT", "/machines/" + _segment(instance_id), "rename machine %s" % instance_id, body={"name": label})

    # --- calling -----------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, what: str, query: dict | None = None, body=None):
        """The decoded answer. A 200 that holds an error counts as that error, as it does for the official client."""
        api = _http.JsonApi(self.TITLE, self.NAME, self.endpoint, self.api_key, timeout=self.timeout, sleep=self.sleep)
        answer = api.call(method, path, query=query, body=body, what=what)
        if isinstance(answer, dict) and "code" in answer and "message" in answer and len(answer) <= 3:
            code, words = _http.error_words(answer)
            words = _http.redact(words or code or "no reason given", self.api_key)
            raise _http.failure(self.TITLE, self.NAME, self.endpoint, CODES.get(code, 400), words, what)
        return answer


# --- what an instance is ---------------------------------------------------------------------------------------------


def instance(row: dict, account: str, private_network: bool = False) -> Instance:
    """One row of the list. Every field but ``id`` may be missing or null.

    ``private_network``: a machine without a public address is reached by its private one.
    """
    gpu, count, raw = gpu_of_row(row)
    windows = is_windows(row)
    host = None if windows else address(row, private_network)
    word = state(row)
    storage = storage_price(row)
    usage = _values.number(row.get("usageRate"))
    price = storage if word == "stopped" else None if usage is None or word == "terminated" else round(usage + (storage or 0.0), 6)
    tags = {"os": _values.text(row.get("os")), "machine_type": _values.text(row.get("machineType"))}
    return Instance(
        provider=PaperspaceProvider.NAME,
        account=account,
        id=str(row["id"]),
        label=_values.text(row.get("name")),
        state=word,
        state_raw=_values.text(row.get("state")),
        kind="vm",
        ssh_host=host,
        ssh_port=SSH_PORT if host else None,
        ssh_user=None if windows else PaperspaceProvider.SSH_USER,
        ssh_via="direct" if host else None,
        gpu_name_raw=raw,
        gpu_model=gpu.model if gpu else None,
        gpu_variant=gpu.variant if gpu else None,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb if gpu else None,
        cpu_cores=_values.number(row.get("cpus")),
        ram_gb=_values.scaled(row.get("ram"), 1e-9),
        disk_gb=disk_gb(row),
        region=_values.text(row.get("region")),
        price_per_hour=price,
        storage_price_per_hour=storage,
        interruptible=False,
        trust="datacenter",
        started_at=_values.moment(row.get("dtCreated")),
        tags={name: value for name, value in tags.items() if value},
    )


def state(row: dict) -> str:
    """Our word for ``state``; a date of deletion says more."""
    if row.get("dtDeleted"):
        return "terminated"
    word = row.get("state")
    found = STATES.get(word) if isinstance(word, str) else None
    if found is None:
        LOG.debug("Paperspace: unknown state %r of machine %s", word, row.get("id"))
        return "unknown"
    return found


def is_windows(row: dict) -> bool:
    """Whether a machine or a template is Windows; the words of ``agentType`` are documented nowhere, so the system's name counts too."""
    return any("windows" in str(row.get(name) or "").lower() for name in ("agentType", "os", "operatingSystemLabel"))


def address(row: dict, private_network: bool) -> str | None:
    """The public address; the private one where there is to be no public one, and only when that was asked for."""
    public = _values.text(row.get("publicIp"))
    if public or not private_network or row.get("publicIpType") in ("dynamic", "static"):
        return public
    return _values.text(row.get("privateIp"))


def gpu_of_row(row: dict) -> tuple:
    """``(GpuName, number of GPUs, the API's own name)``: by the accelerators, else by the machine type; None is not known."""
    label = _values.text(row.get("machineType"))
    typed, count = gpu_of(label)
    for accelerator in _values.rows(row.get("accelerators")):
        raw = _values.text(accelerator.get("name"))
        if raw is None:
            continue
        gpu = sized(_gpu_names.normalise(OLD_TYPES.get(raw, raw), gpu_memory_mb(accelerator.get("memory"))), raw)
        if gpu.vram_mb is None and typed and typed.model == gpu.model:
            gpu = gpu._replace(vram_mb=typed.vram_mb)
        number = _values.whole(accelerator.get("count"))
        return gpu, count if number is None else number, raw
    return typed, count, label if typed else None


def gpu_of(label: str | None) -> tuple:
    """``(GpuName, number of GPUs)`` of a machine type: "A100-80Gx8" has eight. ``(None, 0)`` without a GPU, ``(None, None)`` not known."""
    if not label:
        return None, None
    if re.match(r"^C\d{1,2}$", label):
        return None, 0
    base, count = re.match(r"^(.*?)(?:x(\d{1,2}))?$", " ".join(label.split())).groups()
    base = OLD_TYPES.get(base, base)
    gpu = sized(_gpu_names.normalise(base), base)
    if not _gpu_names.KNOWN.match(gpu.model or ""):
        return None, None
    return gpu, int(count or 1)


def sized(gpu: _gpu_names.GpuName, label: str) -> _gpu_names.GpuName:
    """The GPU with its memory, by what is reported, by its label at Paperspace, or by its model."""
    gigabytes = TYPE_GB.get(label)
    return gpu._replace(vram_mb=gpu.vram_mb or (gigabytes * 1024 if gigabytes else _gpu_names.usual_vram_mb(gpu)))


def gpu_memory_mb(value) -> int | None:
    """MiB of one GPU. The unit is documented nowhere: above 1 MiB it can only be bytes, up to 1024 only GiB, between them only MiB."""
    found = _values.number(value)
    if not found or found < 0:
        return None
    if found >= 2**20:
        return int(found / 2**20)
    return int(found * 1024) if found <= 1024 else int(found)


def disk_gb(row: dict) -> float | None:
    """GB of disk. The unit is documented nowhere: above 1 MiB it can only be bytes, below only GB."""
    found = _values.number(row.get("storageTotal"))
    if not found or found < 0:
        return None
    return round(found / 1e9, 1) if found >= 2**20 else found


def storage_price(row: dict) -> float | None:
    """USD per hour of the disk, which is paid when the machine is off too.

    The unit of ``storageRate`` is documented nowhere. A GB costs some cents in a month and some thousandths of a cent in an hour;
    those are far enough apart to tell which of them is meant. None where the size is not known.
    """
    rate, size = _values.number(row.get("storageRate")), disk_gb(row)
    if rate is None or rate < 0 or not size:
        return None
    return round(rate / Provider.HOURS_PER_MONTH if rate / size > 0.005 else rate, 6)


# --- what a launch asks for ------------------------------------------------------------------------------------------


def check_options(request: LaunchRequest, private_network: bool) -> dict:
    """The launch options, each one known and of its kind. Raises `RentedError`; nothing has been asked by then."""
    title, name = PaperspaceProvider.TITLE, PaperspaceProvider.NAME
    if request.interruptible:
        raise Unsupported("%s has no interruptible machines; leave 'interruptible' out." % title, name)
    if request.bid_per_hour is not None:
        raise Unsupported("%s takes no bids; leave 'bid_per_hour' out." % title, name)
    if request.max_price_per_hour is not None:
        raise Unsupported(
            "A limit of the price cannot be kept. %s Look there, and leave 'max_price_per_hour' out." % PaperspaceProvider.NO_PRICES, name
        )
    if not request.name:
        raise RentedError("A machine at %s needs a name." % title, name)
    options = {}
    for option, value in request.options.items():
        if option not in LAUNCH_OPTIONS:
            raise RentedError("%s takes no launch option '%s'. %s" % (title, option, nearest(str(option), LAUNCH_OPTIONS)), name)
        if value is not None:
            options[option] = of_kind(option, value)
    if request.region and request.region.lower() not in REGIONS:
        raise RentedError("%s has no region '%s'. %s" % (title, request.region, nearest(request.region.lower(), REGIONS)), name)
    if request.disk_gb is not None and not 0 < request.disk_gb <= DISK_SIZES_GB[-1]:
        raise RentedError("A disk at %s has up to %d GB; %g were asked for." % (title, DISK_SIZES_GB[-1], request.disk_gb), name)
    if not request.gpu and "machine_type" not in options:
        raise RentedError("Name the GPU to rent at %s (gpu: RTX A4000), or a machine type (options: machine_type)." % title, name)
    if "machine_type" in options and not fits(options["machine_type"], request):
        raise RentedError("The machine type %s is not %s. Name one of the two." % (options["machine_type"], describe(request)), name)
    if "startup_script_id" in options and (request.ssh_public_key or request.startup_script):
        raise RentedError(
            "%s runs one startup script: 'startup_script_id' leaves no room for 'ssh_public_key' and 'startup_script'." % title, name
        )
    if request.ssh_public_key:
        _public_key.required(request.ssh_public_key, "The SSH key", name)
    if options.get("public_ip_type") == "none" and not private_network:
        raise RentedError(
            "A machine without a public address is reached over its private network only: say so with 'private_network: true' "
            "in the account, or leave 'public_ip_type' out.",
            name,
        )
    return options


def of_kind(option: str, value):
    """An option's value as the API takes it. Raises `RentedError`."""
    kind = LAUNCH_OPTIONS[option][1]
    if kind == "flag":
        return flag(option, value)
    if kind == "number":
        found = _values.number(value)
        if found is None or found <= 0:
            raise RentedError("'%s' is a number above 0." % option, PaperspaceProvider.NAME)
        return int(found) if found == int(found) else found
    if kind == "list":
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise RentedError("'%s' is a list of texts." % option, PaperspaceProvider.NAME)
        return value
    found = _values.text(value)
    if found is None or (option in CHOICES and found not in CHOICES[option]):
        raise RentedError("'%s' is %s." % (option, " or ".join(CHOICES.get(option, ("a text",)))), PaperspaceProvider.NAME)
    return found


def flag(option: str, value) -> bool:
    """True or false, also as the words that YAML and Jinja make of them."""
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise RentedError("'%s' is true or false." % option, PaperspaceProvider.NAME)


def machine_body(request: LaunchRequest, options: dict, label: str, template: dict, region: str) -> dict:
    """The request that rents. What costs or ends by itself is said, not left to defaults that are documented nowhere."""
    body = {
        "name": request.name,
        "machineType": label,
        "templateId": str(template["id"]),
        "diskSize": disk_size(request.disk_gb, template),
        "region": region,
        "publicIpType": "dynamic",
        "startOnCreate": True,
        # Without a key the password that Paperspace sends by e-mail is the only way in.
        "emailPassword": not request.ssh_public_key,
        "autoShutdownEnabled": "auto_shutdown_hours" in options,
        "autoSnapshotEnabled": "auto_snapshot" in options,
    }
    body.update({LAUNCH_OPTIONS[option][0]: value for option, value in options.items()})
    return body


def disk_size(asked: float | None, template: dict) -> int:
    """The next size that is sold, GB; never less than the template needs."""
    least = max(asked or 0, _values.number(template.get("defaultSizeGb")) or 0)
    return next((size for size in DISK_SIZES_GB if size >= least), DISK_SIZES_GB[-1])


def labels_of(templates: list) -> set:
    """Every machine type that one of the templates can be had on."""
    return {label for template in templates for label in _labels(template)}


def _labels(template: dict) -> list:
    rows = _values.rows(template.get("availableMachineTypes"))
    return [row["machineTypeLabel"] for row in rows if row.get("isAvailable") is True and isinstance(row.get("machineTypeLabel"), str)]


def named_template(templates: list, wanted: str) -> dict | None:
    """The template with this id, or this name in any case."""
    word = wanted.strip().lower()
    by_id = [template for template in templates if str(template.get("id")) == wanted.strip()]
    return next(iter(by_id + [template for template in templates if str(template.get("name") or "").strip().lower() == word]), None)


def best_template(templates: list, label: str) -> dict:
    """Among those for the machine type: ML-in-a-Box first (it has NVIDIA's driver), then Ubuntu, each the newest."""

    def rank(template: dict) -> tuple:
        words = "%s %s" % (template.get("name"), template.get("operatingSystemLabel"))
        version = re.search(r"ubuntu[^\d]*(\d+(?:\.\d+)?)", words, re.I)
        return "ml-in-a-box" in words.lower().replace(" ", "-"), bool(version), float(version.group(1)) if version else 0.0

    return max((template for template in templates if label in _labels(template)), key=rank)


def fits(label: str, request: LaunchRequest) -> bool:
    """Whether a machine type has the GPUs asked for: model, board, memory, and number where one is said."""
    gpu, count = gpu_of(label)
    if request.gpu and (gpu is None or not same_gpu(request.gpu, gpu)):
        return False
    return request.gpu_count in (None, count)


def same_gpu(asked: str, got: _gpu_names.GpuName) -> bool:
    """Whether the GPU is the one asked for. A size that is not said is open: "A100" is also the one with 80 GB."""
    wanted = _gpu_names.normalise(OLD_TYPES.get(asked.strip(), asked))
    if wanted.model != got.model or wanted.variant not in (None, got.variant):
        return False
    return not (wanted.vram_mb and got.vram_mb) or _gpu_names.same_size(wanted.vram_mb, got.vram_mb)


def _large_enough(gpu: _gpu_names.GpuName, least_mb: int | None) -> bool:
    return not least_mb or gpu.vram_mb is None or gpu.vram_mb >= least_mb * (1 - _gpu_names.TOLERANCE)


def _size_of(label: str) -> tuple:
    """By memory, for want of prices; the smallest is the cheapest."""
    gpu = gpu_of(label)[0]
    return (gpu.vram_mb if gpu and gpu.vram_mb else 2**31, label)


def describe(request: LaunchRequest) -> str:
    """What was asked for, in words."""
    return "%d× %s" % (request.gpu_count or 1, request.gpu or "any GPU")


# --- the first boot --------------------------------------------------------------------------------------------------


def first_boot(request: LaunchRequest) -> str:
    """The startup script, which Paperspace runs as root: lets the SSH key in, then runs what the user gave."""
    lines = ["#!/bin/sh", "# Made by rented.gpu; runs once."]
    if request.ssh_public_key:
        user, key = PaperspaceProvider.SSH_USER, shlex.quote(request.ssh_public_key.strip())
        lines += [
            "home=$(getent passwd %s | cut -d: -f6)" % user,
            'folder="${home:-/home/%s}/.ssh"' % user,
            'mkdir -p "$folder"',
            'touch "$folder/authorized_keys"',
            # The line before may have no end.
            'grep -qxF -e %s "$folder/authorized_keys" || printf \'\\n%%s\\n\' %s >> "$folder/authorized_keys"' % (key, key),
            'chmod 700 "$folder"',
            'chmod 600 "$folder/authorized_keys"',
            'chown -R %s: "$folder"' % user,
        ]
    if request.startup_script:
        script = request.startup_script.rstrip("\n")
        end = "END_%s" % hashlib.sha256(script.encode()).hexdigest()[:16]  # a line that the script does not have
        lines += [
            "run=$(mktemp /var/tmp/rented-gpu.XXXXXXXX) || exit 1",
            "cat > \"$run\" <<'%s'" % end,
            script,
            end,
            'chmod 700 "$run"',
            '"$run"',
            "code=$?",
            'rm -f "$run"',
            "exit $code",
        ]
    return "\n".join(lines) + "\n"


def left_over(scripts: list, machine_id: str, answer) -> list:
    """The ids of our startup scripts that nobody needs once the machine is gone: its own, and those that belong to none for an hour.

    A request without an answer leaves such a one behind. Time is that of the server: ours may be wrong.
    """
    now = _seconds(_values.mapping(_values.mapping(answer).get("event")).get("dtCreated"))
    found = []
    for script in scripts:
        machines, made = script.get("assignedMachineIds"), _seconds(script.get("dtCreated"))
        alone = machines == [] and now is not None and made is not None and now - made > ORPHAN_SECONDS
        if alone or (isinstance(machines, list) and [str(machine) for machine in machines] == [machine_id]):
            found.append(_values.text(script.get("id")))
    return found


def _seconds(value) -> float | None:
    """Seconds since 1970 of a time in ISO 8601."""
    text = _values.moment(value) if isinstance(value, str) else None
    if text is None:
        return None
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def event_trouble(answer) -> str | None:
    """Why what was asked for will not be done, where the answer's event says so already."""
    event = _values.mapping(_values.mapping(answer).get("event"))
    if event.get("state") not in ("error", "cancelled"):
        return None
    return _values.text(event.get("error")) or "it was %s" % ("cancelled" if event["state"] == "cancelled" else "given up without a reason")


# --- small things ----------------------------------------------------------------------------------------------------


def current_team() -> str | None:
    """The team that ``pspace`` works for."""
    try:
        with open(os.path.expanduser(CONFIG_FILE), encoding="utf-8") as handle:
            return toml_texts(handle.read(), None).get("team") or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MissingCredentials("%s cannot be read: %s." % (CONFIG_FILE, error.strerror), PaperspaceProvider.NAME)


def toml_texts(text: str, section: str | None) -> dict:
    """The texts of one section of a flat TOML file, None: those above the first section. Python before 3.11 cannot read TOML."""
    found, here = {}, None
    for line in text.splitlines():
        head = re.match(r"^\s*\[\s*[\"']?([^\]\"']+?)[\"']?\s*\]\s*(?:#.*)?$", line)
        if head:
            here = head.group(1)
            continue
        pair = re.match(r"^\s*(?:\"([^\"]+)\"|'([^']+)'|([\w-]+))\s*=\s*(?:\"([^\"]*)\"|'([^']*)')\s*(?:#.*)?$", line)
        if pair and here == section:
            found[pair.group(1) or pair.group(2) or pair.group(3)] = (pair.group(4) or pair.group(5) or "").strip()
    return found


def _segment(instance_id) -> str:
    """An id as a part of a path. Raises `NotFound` for what cannot be one: a slash would be another path."""
    if not re.fullmatch(r"[\w-]+", str(instance_id)):
        raise NotFound("Paperspace's ids are letters and digits; '%s' is none." % instance_id, PaperspaceProvider.NAME)
    return str(instance_id)
