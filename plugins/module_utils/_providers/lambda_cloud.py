# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Lambda's public cloud, through its REST API.

Facts: Lambda's OpenAPI file 1.10.0 (units, limits, error codes), and its documentation's pages on billing and on access. Lambda has
no paging, no way to stop an instance, nothing interruptible and no creation times.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import re
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
    CanRegisterKey,
    Provider,
)

LOG = logging.getLogger("rented.gpu.lambda")

API_PATH = "/api/v1"
INTERVAL = 1.0  # least seconds between two requests of any kind
LAUNCH_INTERVAL = 12.0  # least seconds between two launches
LAUNCHES = 10  # tries over types and regions before a launch is given up: two minutes
LONGEST_NAME = 64  # characters; of instances and of keys
LONGEST_KEY = 4096
LONGEST_USER_DATA = 1_000_000  # bytes; "1MB"
SSH_PORT = 22
NO_CAPACITY = "instance-operations/launch/insufficient-capacity"
NO_SUCH_OBJECT = "global/object-does-not-exist"
NO_SUCH_THING = "global/not-found"  # a key, or an address
ARM_GPUS = ("GH200", "GB200", "GB300")  # boards whose CPU is arm64; images are for one architecture

# `status` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "booting": "pending",
    "active": "running",
    "unhealthy": "error",
    "terminating": "stopping",
    "terminated": "terminated",
    "preempted": "terminated",
}

# What LaunchRequest.options may hold.
LAUNCH_OPTIONS = (
    "instance_type",
    "ssh_key_name",
    "file_systems",
    "file_system_mounts",
    "hostname",
    "tags",
    "firewall_rulesets",
    "user_data",
)
HOSTNAME = re.compile(r"^[a-z0-9][0-9a-z-]{0,62}\Z")
TAG_KEY = re.compile(r"^[a-z][a-z0-9:-]{1,54}\Z")
LONGEST_TAG = 128
MOUNT_POINT = re.compile(r"^(?:/home|/lambda/nfs|/data)[/a-zA-Z0-9-]*\Z")
LONGEST_MOUNT_POINT = 256

# Error code -> class and sentence, where the status alone would say the wrong thing.
MEANINGS = {
    "global/account-inactive": (
        AuthenticationError,
        "The account at Lambda is inactive. Confirm its e-mail address and give it a means of payment.",
    ),
    "global/invalid-address": (RentedError, "Lambda does not accept the account's billing address. Correct it in Lambda's web page."),
    "global/quota-exceeded": (
        RentedError,
        "The quota of the account at Lambda is used up. Destroy an instance, or ask Lambda's support for more.",
    ),
}


class LambdaProvider(Provider, CanLaunch, CanLabel, CanListOffers, CanRegisterKey):
    """One account at Lambda."""

    NAME = "lambda"
    TITLE = "Lambda"
    ENDPOINT = "https://cloud.lambda.ai" + API_PATH
    ENDPOINT_ENV = ("LAMBDA_CLOUD_BASE_URL",)
    API_KEY_ENV = ("LAMBDA_API_KEY", "LAMBDA_CLOUD_API_TOKEN", "LAMBDA_API_TOKEN")
    KEY_FILES = ("~/.lambda_cloud/lambda_keys",)
    SSH_USER = "ubuntu"

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        _http.check_key(self.TITLE, self.NAME, self.api_key)
        # Other programs that read the same variable want the server alone in it.
        if urllib.parse.urlsplit(self.endpoint).path == "":
            self.endpoint += API_PATH
        self._connection = None
        self._launch_pace = None

    @staticmethod
    def key_from_file(text: str) -> str | None:
        """The key of a line ``api_key = KEY``."""
        found = re.search(r"(?m)^\s*api_key\s*=\s*[\"']?([^\s\"']+)", text)
        return found.group(1) if found else None

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All instances of the account; Lambda has no pages. Raises a `RentedError`; never answers a part."""
        self._raw = {}
        found = []
        for row in self._list("/instances", "list the instances"):
            if not isinstance(row, dict) or not _values.text(row.get("id")):
                raise ProviderUnavailable("Lambda listed something that is not an instance; its API may have changed.", self.NAME)
            found.append(instance(row, self.account))
            self.remember_raw(found[-1].id, row)
        return found

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> str:
        """Rent the cheapest type that fits, in a region that has one. Where there is none left, the next region and type are tried.

        Options: ``instance_type``, ``ssh_key_name`` (of the account), ``file_systems`` (names), ``file_system_mounts`` (list of
        ``mount_point`` and ``file_system_id``), ``hostname``, ``tags`` (mapping), ``firewall_rulesets`` (ids), ``user_data`` (cloud-init).
        """
        options = check_options(request)
        types = fitting(self._types(), request, options)
        regions = self._regions_of_file_systems(options, request)
        images = self._images(request.image) if request.image else None
        places = [
            (kind["name"], region) for kind, free in types for region in free if _may_be(kind, region, request.region, regions, images)
        ]
        if not places:
            raise self._no_place(types, request, regions, images)
        body = launch_body(request, options)
        body["ssh_key_names"] = [self._key_name(request.ssh_public_key, options.get("ssh_key_name"))]
        tried = []
        for type_name, region in places[:LAUNCHES]:
            tried.append("%s in %s" % (type_name, region))
            try:
                return self._rent({**body, "instance_type_name": type_name, "region_name": region})
            except RentedError as error:
                if error.code != NO_CAPACITY:
                    raise
        raise NotFound(
            "Lambda has no capacity left for %s; tried %s. Try again later, or ask for another GPU or region."
            % (describe(request, options), ", ".join(tried)),
            self.NAME,
        )

    def _rent(self, body: dict) -> str:
        """Send the one request that costs money, once."""
        what = "rent %s in %s" % (body["instance_type_name"], body["region_name"])
        if self._launch_pace is None:
            self._launch_pace = _http.Pace(LAUNCH_INTERVAL, clock=self.clock, sleep=self.sleep)
        with self._launch_pace:
            answer = self._call("POST", "/instance-operations/launch", what, body)
        ids = [_values.text(item) for item in _values.mapping(answer).get("instance_ids") or []]
        if not ids or None in ids:
            raise ProviderUnavailable("Lambda answered the request to %s without an instance id." % what, self.NAME)
        if len(ids) > 1:
            raise self._undo(ids, "one instance was asked for, and Lambda made %d" % len(ids))
        return ids[0]

    def _undo(self, ids: list, why: str) -> PartlyCreated:
        """The error for a rental that went wrong; what was created is destroyed where that can be done."""
        left = []
        for instance_id in ids:
            try:
                self.destroy(instance_id)
            except RentedError as error:
                left.append("%s (%s)" % (instance_id, error.message.rstrip(".")))
        if left:
            rest = "Created, billed, and not destroyed: %s. Destroy them now." % ", ".join(left)
        else:
            rest = "They were destroyed again: %s." % ", ".join(ids)
        return PartlyCreated("Renting at Lambda failed: %s. %s" % (why, rest), ids[0], self.NAME)

    def destroy(self, instance_id: str) -> None:
        what = "destroy instance %s" % instance_id
        try:
            answer = self._call("POST", "/instance-operations/terminate", what, {"instance_ids": [str(instance_id)]}, repeat=True)
        except RentedError as error:
            if error.code == NO_SUCH_OBJECT:
                return
            # What a second request for one that is terminating is answered, Lambda does not document; so look.
            if error.status in (400, 409) and self._is_going(instance_id):
                return
            raise
        ended = [_values.text(row.get("id")) for row in _values.rows(_values.mapping(answer).get("terminated_instances"))]
        if str(instance_id) not in ended and not self._is_going(instance_id):
            raise RentedError(
                "Lambda answered the request to %s, but did not do it. It is billed: look into Lambda's web page." % what, self.NAME
            )

    def _is_going(self, instance_id: str) -> bool:
        found = self.get_instance(instance_id)
        return found is None or found.state in ("stopping", "terminated")

    def set_label(self, instance_id: str, label: str) -> None:
        check_name(label, "an instance")
        self._call("POST", "/instances/" + _quoted(instance_id), "rename instance %s" % instance_id, {"name": label}, repeat=True)

    # --- where it may be ---------------------------------------------------------------------------------------------

    def _types(self) -> list:
        """``(instance type, names of the regions that have one)`` of every type that Lambda has."""
        answer = self._call("GET", "/instance-types", "list the instance types")
        if not isinstance(answer, dict):
            raise ProviderUnavailable("Lambda answered no list when asked to list the instance types.", self.NAME)
        found = []
        for row in _values.rows(list(answer.values())):
            kind = _values.mapping(row.get("instance_type"))
            if _values.text(kind.get("name")):
                found.append((kind, _names(row.get("regions_with_capacity_available"))))
        return found

    def _regions_of_file_systems(self, options: dict, request: LaunchRequest) -> set | None:
        """Where the file systems are that shall be mounted; None: anywhere."""
        names = list(options.get("file_systems") or [])
        ids = [mount["file_system_id"] for mount in options.get("file_system_mounts") or []]
        if not names and not ids:
            return None
        rows = _values.rows(self._list("/file-systems", "list the file systems"))
        where = {}
        for key, wanted in (("name", names), ("id", ids)):
            there = {_values.text(row.get(key)): _values.text(_values.mapping(row.get("region")).get("name")) for row in rows}
            for word in wanted:
                if word not in there:
                    hint = nearest(word, [name for name in there if name]) if there else "It has none."
                    raise RentedError("The account at Lambda has no file system '%s'. %s" % (word, hint), self.NAME)
                where[word] = there[word]
        told = ", ".join("'%s' is in %s" % item for item in sorted(where.items()))
        if len(set(where.values())) > 1:
            raise RentedError("An instance mounts the file systems of its own region, but %s." % told, self.NAME)
        if request.region and request.region not in where.values():
            raise RentedError("The instance cannot be in %s: the file system %s." % (request.region, told), self.NAME)
        return set(where.values())

    def _images(self, image: str) -> set:
        """``(region, architecture)`` of every place where an image, named by its id or its family, can be had."""
        rows = _values.rows(self._list("/images", "list the images"))
        found = set()
        for row in rows:
            if image in (row.get("id"), row.get("family")):
                found.add((_values.text(_values.mapping(row.get("region")).get("name")), _values.text(row.get("architecture"))))
        if not found:
            families = {_values.text(row.get("family")) for row in rows} - {None}
            hint = nearest(image, families) if families else "It lists none."
            raise RentedError("Lambda has no image family and no image id '%s'. %s" % (image, hint), self.NAME)
        return found

    def _no_place(self, types: list, request: LaunchRequest, regions: set | None, images: set | None) -> RentedError:
        """Why no region will do. A region that does not exist is told from one that has none left."""
        asked, free = request.region, sorted({region for _kind, there in types for region in there})
        if asked and asked not in free:
            known = _names(self._list("/regions", "list the regions"))
            if asked not in known:
                return RentedError("Lambda has no region '%s'. %s" % (asked, nearest(asked, known)), self.NAME)
        where = "none at all" if not free else "only in " + ", ".join(free)
        if free and regions is not None and not regions & set(free):
            where += ", and the file systems are in " + ", ".join(sorted(regions))
        elif free and images is not None and (not asked or asked in free):
            where += ", where the image '%s' is not to be had for its processor" % request.image
        return NotFound(
            "Lambda has no capacity for %s now: %s. Try again later, or ask for another GPU or region."
            % (describe(request, dict(request.options)), where),
            self.NAME,
        )

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """One offer per type with a GPU and region that has one. The disk is part of the price, and transfer is not billed."""
        return [offer(kind, region, self.account) for kind, regions in self._types() if gpus(kind)[0] != 0 for region in regions]

    # --- keys --------------------------------------------------------------------------------------------------------

    def list_keys(self) -> list:
        return [
            SshKey(id=str(row["id"]), name=_values.text(row.get("name")), public_key=_values.text(row.get("public_key")))
            for row in _values.rows(self._list("/ssh-keys", "list the SSH keys"))
            if _values.text(row.get("id"))
        ]

    def add_key(self, name: str, public_key: str) -> str:
        check_name(name, "a key")
        key = check_public_key(public_key)
        for known in self.list_keys():
            if known.name == name:
                if _public_key.same(known.public_key, key):
                    return known.id
                raise RentedError(
                    "Lambda has another SSH key under the name '%s'. Choose another name, or remove that key first." % name, self.NAME
                )
        return self._add_key(name, key)

    def _add_key(self, name: str, key: str) -> str:
        # Without "public_key" Lambda would make a pair of its own and answer the private half.
        answer = _values.mapping(self._call("POST", "/ssh-keys", "register an SSH key", {"name": name, "public_key": key}))
        if not _values.text(answer.get("id")):
            raise ProviderUnavailable("Lambda answered the request to register an SSH key without an id.", self.NAME)
        return str(answer["id"])

    def remove_key(self, key_id: str) -> None:
        try:
            self._call("DELETE", "/ssh-keys/" + _quoted(key_id), "remove SSH key %s" % key_id)
        except RentedError as error:
            # The same code is the answer to an address that Lambda does not know, so the list decides.
            if error.code not in (NO_SUCH_OBJECT, NO_SUCH_THING) or any(key.id == str(key_id) for key in self.list_keys()):
                raise

    def _key_name(self, public_key: str | None, name: str | None) -> str:
        """The name of the one key that a launch takes; a key that the account lacks is registered under a name made from itself."""
        keys = [key for key in self.list_keys() if key.name]
        names = [key.name for key in keys]
        if public_key:
            key = check_public_key(public_key)
            for known in keys:
                if _public_key.same(known.public_key, key):
                    return known.name
            made = "rented-gpu-" + hashlib.sha256(_public_key.parse(key).body.encode()).hexdigest()[:16]
            self._add_key(made, key)
            return made
        if name:
            if name not in names:
                hint = nearest(name, names) if names else "It has none."
                raise RentedError("The account at Lambda has no SSH key '%s'. %s" % (name, hint), self.NAME)
            return name
        if len(names) == 1:
            return names[0]
        found = "several (%s)" % ", ".join(sorted(names)) if names else "none"
        raise RentedError(
            "Lambda rents with exactly one SSH key, and the account has %s. Give 'ssh_public_key', or a key's name (options: ssh_key_name)."
            % found,
            self.NAME,
        )

    # --- calling -----------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, what: str, body=None, repeat: bool = False):
        """The payload of an answer, at Lambda's pace. Raises a `RentedError` with the API's ``code``."""
        if self._connection is None:
            self._connection = _http.JsonApi(
                self.TITLE,
                self.NAME,
                self.endpoint,
                self.api_key,
                timeout=self.timeout,
                pace=_http.Pace(INTERVAL, clock=self.clock, sleep=self.sleep),
                sleep=self.sleep,
            )
        try:
            answer = self._connection.call(method, path, body=body, what=what, repeat=repeat)
        except RentedError as error:
            raise explained(error, what) from None
        if not isinstance(answer, dict) or "data" not in answer:
            raise ProviderUnavailable("Lambda's answer holds no data when asked to %s; its API may have changed." % what, self.NAME)
        return answer["data"]

    def _list(self, path: str, what: str) -> list:
        """A payload that is a list. Anything else must not read as "you have none": instances would go on billing unseen."""
        data = self._call("GET", path, what)
        if not isinstance(data, list):
            raise ProviderUnavailable("Lambda answered no list when asked to %s." % what, self.NAME)
        return data


def explained(error: RentedError, what: str) -> RentedError:
    """The error in words that fit its code. Lambda asks clients to rely on the code alone."""
    code = error.code or ""
    if code in MEANINGS:
        cls, sentence = MEANINGS[code]
        made = cls(sentence, LambdaProvider.NAME, error.status)
    elif code.startswith("provider/") and not isinstance(error, ProviderUnavailable):
        # An error of whoever is behind Lambda, whatever the status is: what was asked may have been done or not.
        made = ProviderUnavailable("Lambda's own supplier failed to %s (%s, %s). Try later." % (what, error.status, code), error.provider)
        made.status = error.status
    else:
        return error
    made.code = code
    return made


# --- what an instance and an offer are -------------------------------------------------------------------------------


def instance(row: dict, account: str) -> Instance:
    """One row of the list. Every field but ``id`` may be missing or null; the Jupyter token and address are not looked at."""
    kind = _values.mapping(row.get("instance_type"))
    specs = _values.mapping(kind.get("specs"))
    count, raw, gpu = gpus(kind)
    word = _values.text(row.get("status"))
    host = address(row.get("ip"))
    return Instance(
        provider=LambdaProvider.NAME,
        account=account,
        id=str(row["id"]),
        label=_values.text(row.get("name")),
        state=state(word, row["id"]),
        state_raw=word,
        kind="vm",
        ssh_host=host,
        ssh_port=SSH_PORT if host else None,
        ssh_user=LambdaProvider.SSH_USER,
        ssh_via="direct" if host else None,
        gpu_name_raw=raw,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(specs.get("vcpus")),
        ram_gb=_values.number(specs.get("memory_gib")),
        disk_gb=_values.number(specs.get("storage_gib")),
        region=_values.text(_values.mapping(row.get("region")).get("name")),
        price_per_hour=price_now(row, word),
        interruptible=word == "preempted",
        trust="datacenter",
        tags=tags(row.get("tags")),
    )


def state(word: str | None, instance_id) -> str:
    """Our word for ``status``."""
    if word not in STATES:
        LOG.debug("Lambda: unknown status %r of instance %s", word, instance_id)
    return STATES.get(word, "unknown")


def address(value) -> str | None:
    """The public address; Lambda leaves it out while an instance boots."""
    text = _values.text(value)
    try:
        return str(ipaddress.ip_address(text)) if text else None
    except ValueError:
        LOG.debug("Lambda: %r is no address", text)
        return None


def price_now(row: dict, word: str | None) -> float | None:
    """USD per hour for the whole instance, from cents. A reserved instance is paid by its contract, not by this price."""
    if STATES.get(word) == "terminated":
        return 0.0
    if row.get("is_reserved") is True:
        return None
    return dollars(_values.mapping(row.get("instance_type")))


def dollars(kind: dict) -> float | None:
    """USD per hour of an instance type, from cents."""
    return _values.scaled(kind.get("price_cents_per_hour"), 0.01, 4)


def gpus(kind: dict) -> tuple:
    """``(count, name as it is written, GpuName)`` of an instance type; a type without a GPU has the count 0 and no name.

    ``gpu_description`` is "H100 (80 GB SXM5)", ``description`` "8x H100 (80 GB SXM5)", ``name`` "gpu_8x_h100_sxm5".
    """
    described, name = _values.text(kind.get("description")), _values.text(kind.get("name")) or ""
    count = _values.whole(_values.mapping(kind.get("specs")).get("gpus"))
    if count is None:
        found = re.match(r"^(\d{1,3})x ", described or "") or re.match(r"^gpu_(\d{1,3})x_", name)
        count = int(found.group(1)) if found and not name.startswith("cpu_") else 0 if name.startswith("cpu_") else None
    if count == 0:
        return 0, None, _gpu_names.GpuName(None, None, None)
    raw = _values.text(kind.get("gpu_description")) or described or name or None
    size = next(filter(None, (re.search(r"\((\d{1,4}) ?Gi?B\b", text or "") for text in (raw, described))), None)
    gpu = _gpu_names.normalise(raw, int(size.group(1)) * 1024 if size else None)
    return count, raw, gpu._replace(vram_mb=gpu.vram_mb or _gpu_names.usual_vram_mb(gpu))


def tags(value) -> dict:
    """A list of ``{key, value}`` as a mapping."""
    found = {}
    for row in _values.rows(value):
        key = _values.text(row.get("key"))
        if key:
            found[key] = _values.text(row.get("value")) or ""
    return found


def offer(kind: dict, region: str, account: str) -> Offer:
    """One type in one region that has it."""
    specs = _values.mapping(kind.get("specs"))
    count, raw, gpu = gpus(kind)
    return Offer(
        provider=LambdaProvider.NAME,
        account=account,
        id="%s/%s" % (kind["name"], region),
        kind="vm",
        instance_type=kind["name"],
        gpu_name_raw=raw,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(specs.get("vcpus")),
        ram_gb=_values.number(specs.get("memory_gib")),
        disk_gb=_values.number(specs.get("storage_gib")),
        region=region,
        price_per_hour=dollars(kind),
        # Lambda's page on billing: paid are the hours of instances and the size of file systems; ingress and egress are not.
        storage_price_per_gb_month=0.0,
        inet_down_price_per_gb=0.0,
        inet_up_price_per_gb=0.0,
        interruptible=False,
        trust="datacenter",
        options={"instance_type": kind["name"]},
    )


# --- what a launch asks for ------------------------------------------------------------------------------------------


def check_options(request: LaunchRequest) -> dict:
    """The launch options, each one known and as Lambda takes it. Raises `RentedError`; nothing has been asked by then."""
    for name in request.options:
        if name not in LAUNCH_OPTIONS:
            raise _wrong("Lambda takes no launch option '%s'. %s" % (name, nearest(str(name), LAUNCH_OPTIONS)))
    if request.interruptible:
        raise Unsupported("Lambda rents nothing interruptible. Leave 'interruptible' out, or ask another provider.", LambdaProvider.NAME)
    if request.bid_per_hour is not None:
        raise Unsupported("Lambda has fixed prices and takes no bids. Leave 'bid_per_hour' out.", LambdaProvider.NAME)
    options = {key: value for key, value in request.options.items() if value is not None}
    check_name(request.name, "an instance")
    if not request.gpu and not options.get("instance_type"):
        raise _wrong("Name the GPU to rent at Lambda (gpu: A10), or a type (options: instance_type).")
    if request.gpu_count is not None and request.gpu_count < 1:
        raise _wrong("'gpu_count' is 1 or more.")
    for name in ("file_systems", "file_system_mounts", "firewall_rulesets"):
        if not isinstance(options.get(name, []), list):
            raise _wrong("The launch option '%s' of Lambda is a list." % name)
    for mount in options.get("file_system_mounts", []):
        if not isinstance(mount, dict) or set(mount) != {"mount_point", "file_system_id"}:
            raise _wrong("Each of the launch option 'file_system_mounts' of Lambda is a mapping of mount_point and file_system_id.")
        point = str(mount["mount_point"])
        if not MOUNT_POINT.match(point) or len(point) > LONGEST_MOUNT_POINT:
            raise _wrong("Lambda mounts file systems below /home, /lambda/nfs or /data (letters, digits, '-'); '%s' is not." % point)
    if "hostname" in options and not HOSTNAME.match(str(options["hostname"])):
        raise _wrong("A hostname at Lambda is 1 to 63 of a-z, 0-9 and '-', without '-' in front; '%s' is not." % options["hostname"])
    check_tags(options.get("tags", {}))
    if request.ssh_public_key:
        check_public_key(request.ssh_public_key)
        if options.get("ssh_key_name"):
            raise _wrong("Lambda rents with exactly one SSH key: give 'ssh_public_key' or the launch option 'ssh_key_name', not both.")
    if request.startup_script and options.get("user_data"):
        raise _wrong("Give Lambda 'startup_script' or the launch option 'user_data', not both: they are one thing there.")
    if not isinstance(options.get("user_data", ""), str):
        raise _wrong("The launch option 'user_data' of Lambda is a text, in a form that cloud-init knows.")
    if (request.startup_script or "").startswith("#cloud-"):
        raise _wrong("'startup_script' is a script. Data for cloud-init goes into the launch option 'user_data' of Lambda.")
    if "\0" in user_data(request, options):
        raise _wrong("The startup script for Lambda must be text; this one holds a NUL character.")
    size = len(user_data(request, options).encode("utf-8"))
    if size > LONGEST_USER_DATA:
        raise _wrong("Lambda takes startup scripts of up to 1 MB; this one has %d bytes. Let it fetch the rest." % size)
    return options


def check_tags(given) -> None:
    """Refuse tags that Lambda would refuse."""
    if not isinstance(given, dict):
        raise _wrong("The launch option 'tags' of Lambda is a mapping.")
    for key, value in given.items():
        if not TAG_KEY.match(str(key)):
            raise _wrong("A tag at Lambda has a key of 2 to 55 of a-z, 0-9, '-' and ':', a letter in front; '%s' is not." % key)
        if isinstance(value, (dict, list)) or len(str(value)) > LONGEST_TAG:
            raise _wrong("The tag '%s' has no value that Lambda takes: a text of up to %d characters." % (key, LONGEST_TAG))


def check_name(name: str, what: str) -> None:
    """Refuse a name that Lambda would refuse."""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise _wrong("The name of %s at Lambda has 1 to %d characters; this one has %d." % (what, LONGEST_NAME, len(name)))


def check_public_key(text: str) -> str:
    """The key on one line. Never repeats the text: it may be private."""
    key = _public_key.required(text, "The SSH key for Lambda", LambdaProvider.NAME).line
    if len(key) > LONGEST_KEY:
        raise _wrong("Lambda takes SSH keys of up to %d characters; this one has %d." % (LONGEST_KEY, len(key)))
    return key


def user_data(request: LaunchRequest, options: dict) -> str:
    """What cloud-init gets. It runs what begins with "#!", as root, when an instance boots for the first time."""
    script = request.startup_script
    if script:
        return script if script.startswith("#!") else "#!/bin/sh\n" + script
    return str(options.get("user_data") or "")


def launch_body(request: LaunchRequest, options: dict) -> dict:
    """The fields of the request, but the type, the region and the key. What is not asked for is left out."""
    body: dict = {"name": request.name}
    if request.image:
        # Ids are numbers in hexadecimal; families are words.
        body["image"] = {"id" if re.match(r"^[0-9a-f]{8}-?[0-9a-f-]{23,27}\Z", request.image) else "family": request.image}
    data = user_data(request, options)
    if data:
        body["user_data"] = data
    if options.get("file_systems"):
        body["file_system_names"] = [str(name) for name in options["file_systems"]]
    if options.get("file_system_mounts"):
        body["file_system_mounts"] = [{key: str(value) for key, value in mount.items()} for mount in options["file_system_mounts"]]
    if options.get("hostname"):
        body["hostname"] = options["hostname"]
    if options.get("tags"):
        body["tags"] = [{"key": str(key), "value": str(value)} for key, value in options["tags"].items()]
    if options.get("firewall_rulesets"):
        body["firewall_rulesets"] = [{"id": str(item)} for item in options["firewall_rulesets"]]
    return body


def fitting(types: list, request: LaunchRequest, options: dict) -> list:
    """The types that fit, cheapest first, whether there is one left or not. Raises `RentedError` with the reason when none does."""
    name, wanted = options.get("instance_type"), describe(request, options)
    if name and name not in [kind["name"] for kind, _regions in types]:
        raise _wrong("Lambda has no instance type '%s'. %s" % (name, nearest(str(name), [kind["name"] for kind, _regions in types])))
    found = [(kind, regions) for kind, regions in types if is_wanted(kind, request, name)]
    if not found:
        has = sorted({"%d× %s" % (gpus(kind)[0], gpus(kind)[2].model) for kind, _regions in types if gpus(kind)[0]})
        raise NotFound("Lambda has no instance type with %s. It has %s." % (wanted, ", ".join(has) or "none at all"), LambdaProvider.NAME)
    big = [
        item for item in found if (_values.number(_values.mapping(item[0].get("specs")).get("storage_gib")) or 0) >= (request.disk_gb or 0)
    ]
    if not big:
        raise NotFound(
            "No instance type of Lambda with %s has a disk of %g GB; disks come with the type." % (wanted, request.disk_gb), "lambda"
        )
    limit = request.max_price_per_hour
    cheap = [item for item in big if limit is None or (dollars(item[0]) is not None and dollars(item[0]) <= limit)]
    if not cheap:
        least = min((dollars(kind) for kind, _regions in big if dollars(kind) is not None), default=None)
        costs = "Lambda does not say what it costs" if least is None else "The cheapest costs %.2f USD/h" % least
        raise NotFound("Lambda has nothing for %s. %s." % (wanted, costs), LambdaProvider.NAME)
    return sorted(cheap, key=lambda item: (dollars(item[0]) is None, dollars(item[0]) or 0.0, item[0]["name"]))


def is_wanted(kind: dict, request: LaunchRequest, name: str | None) -> bool:
    """Whether a type is the one named, and has the GPUs asked for; one GPU where neither a type nor a number is given."""
    if name and kind["name"] != name:
        return False
    count, _raw, gpu = gpus(kind)
    number = request.gpu_count or (None if name else 1)
    if number is not None and count != number:
        return False
    if not request.gpu:
        return True
    asked = _gpu_names.normalise(request.gpu)
    if gpu.model != asked.model or (asked.variant and gpu.variant != asked.variant):
        return False
    return not asked.vram_mb or bool(gpu.vram_mb and _gpu_names.same_size(asked.vram_mb, gpu.vram_mb))


def architecture(kind: dict) -> str:
    """Of the CPU, in the words of the list of images. Lambda says it of images only."""
    return "arm64" if gpus(kind)[2].model in ARM_GPUS else "x86_64"


def _may_be(kind: dict, region: str, asked: str | None, regions: set | None, images: set | None) -> bool:
    return (
        (not asked or region == asked)
        and (regions is None or region in regions)
        and (images is None or (region, architecture(kind)) in images)
    )


def describe(request: LaunchRequest, options: dict) -> str:
    """What was asked for, in words."""
    name = options.get("instance_type")
    words = "%d× %s" % (request.gpu_count or 1, request.gpu) if request.gpu and not name else str(name)
    if request.gpu and name:
        words += " with %s%s" % ("%d× " % request.gpu_count if request.gpu_count else "", request.gpu)
    if request.region:
        words += " in %s" % request.region
    if request.max_price_per_hour is not None:
        words += " for up to %.3f USD/h" % request.max_price_per_hour
    return words


# --- small things ----------------------------------------------------------------------------------------------------


def _wrong(sentence: str) -> RentedError:
    return RentedError(sentence, LambdaProvider.NAME)


def _names(value) -> list:
    """The names of a list of regions, in their order."""
    return [name for name in (_values.text(row.get("name")) for row in _values.rows(value)) if name]


def _quoted(instance_id) -> str:
    return urllib.parse.quote(str(instance_id), safe="")
