# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Google Cloud: machines of Compute Engine that have GPUs, one project, REST with tokens of google-auth.

Facts: the discovery document ``compute.v1`` (revision 20261106) inside google-api-python-client 2.202; Google's page on the life cycle
of instances for the states. A project holds machines that have nothing to do with GPUs; ``all_instances`` shows them too.
"""

from __future__ import annotations

import datetime
import logging
import re
import uuid

from ansible_collections.rented.gpu.plugins.module_utils import _public_key, _values
from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingCredentials,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
)
from ansible_collections.rented.gpu.plugins.module_utils._gcp import compute, credentials, launching, machines
from ansible_collections.rented.gpu.plugins.module_utils._models import Instance, LaunchRequest, Offer, SshKey, Wish
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanAttachKey,
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanReadConsole,
    CanRegisterKey,
    CanStop,
    Provider,
)

LOG = logging.getLogger("rented.gpu.gcp")

# `status` -> our word. What is missing here is "unknown", never an error.
STATES = {
    "PENDING": "pending",
    "PROVISIONING": "pending",
    "STAGING": "pending",
    "REPAIRING": "pending",
    "RUNNING": "running",
    "PENDING_STOP": "stopping",
    "STOPPING": "stopping",
    "SUSPENDING": "stopping",
    "DEPROVISIONING": "stopping",
    "STOPPED": "stopped",
    "SUSPENDED": "stopped",
    "TERMINATED": "stopped",  # Google's word for stopped; what is destroyed is no longer listed
}
LAUNCH_OPTIONS = launching.LAUNCH_OPTIONS
MOST_ZONES = 12  # zones that one launch tries
PREEMPTIBLE_HOURS = 24  # the older kind of interruptible ends after a day
PROJECT = r"^(?:[a-z0-9.-]+:)?[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$"
USER = r"^[a-z_][a-z0-9_.-]{0,31}$"


class GcpProvider(Provider, CanLaunch, CanStop, CanLabel, CanAttachKey, CanReadConsole, CanListOffers, CanRegisterKey):
    """One project at Google Cloud."""

    NAME = credentials.NAME
    TITLE = credentials.TITLE
    ENDPOINT = "https://compute.googleapis.com/compute/v1"
    ENDPOINT_ENV = ("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE",)
    SSH_USER = "ubuntu"  # who is made on an instance that is rented from here; Google itself has no such user
    OPTIONS = ("project", "service_account_file", "zones", "ssh_user", "all_instances")
    NO_PRICES = (
        "Google Cloud's API tells no prices of what could be rented; they are at https://cloud.google.com/compute/gpus-pricing "
        "and in the Cloud Billing Catalog."
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._check_options()
        path = credentials.find_file(self.options.get("service_account_file"))
        if path is None:
            raise MissingCredentials(
                "No credentials for %s. Looked at %s. Make some with 'gcloud auth application-default login'."
                % (self.TITLE, ", ".join(self.places_looked_at())),
                self.NAME,
            )
        self._info = credentials.read_file(path)
        self.project = credentials.find_project(self.options.get("project"), self._info)
        if not self.project:
            raise MissingCredentials(
                "No project for %s: set 'project', or one of %s." % (self.TITLE, ", ".join("$" + name for name in credentials.PROJECT_ENV)),
                self.NAME,
            )
        if not re.match(PROJECT, self.project):
            raise RentedError(
                "'%s' is no id of a project of %s: it has small letters, digits and '-'." % (self.project, self.TITLE), self.NAME
            )
        self.zones = list(dict.fromkeys(self.options.get("zones") or []))
        self.user = self.options.get("ssh_user")
        self._path = path
        self._tokens = credentials.Tokens(self._info, path, self.timeout)
        self._places: dict = {}  # id -> zone
        self._windows: set = set()  # ids of the last list
        self._types: dict = {}  # (zone, machine type) -> the API's row of it

    def _check_options(self) -> None:
        for name in ("project", "service_account_file", "ssh_user"):
            if name in self.options and not (isinstance(self.options[name], str) and self.options[name].strip()):
                raise RentedError("'%s' of an account of %s is a text that is not empty." % (name, self.TITLE), self.NAME)
        zones = self.options.get("zones", [])
        if not isinstance(zones, list) or not all(
            isinstance(zone, str) and re.match(r"^[a-z]+-[a-z]+\d+-[a-z0-9]+$", zone) for zone in zones
        ):
            raise RentedError(
                "'zones' of an account of %s is a list of zones, such as [us-central1-a, us-central1-b]." % self.TITLE, self.NAME
            )
        if not isinstance(self.options.get("all_instances", False), bool):
            raise RentedError("'all_instances' of an account of %s is true or false." % self.TITLE, self.NAME)
        if not re.match(USER, self.options.get("ssh_user", "x")):
            raise RentedError("'ssh_user' is '%s', which is no name of a user on Linux." % self.options["ssh_user"], self.NAME)

    # --- who asks ----------------------------------------------------------------------------------------------------

    @classmethod
    def available(cls) -> bool:
        """Whether credentials and a project lie in their usual places. Reads files only: google-auth is not imported, nobody is asked."""
        path = credentials.find_file()
        if path is None:
            return False
        found = credentials.find_project(None, credentials.read_file(path)) is not None
        if not found:
            LOG.debug("Google Cloud: %s was found, but no project; set GOOGLE_CLOUD_PROJECT", path)
        return found

    @classmethod
    def places_looked_at(cls) -> list:
        return list(credentials.PLACES)

    def secrets(self) -> list:
        return super().secrets() + credentials.secrets(self._info) + list(self._tokens.given)

    def _asked(self) -> tuple:
        options = sorted((name, value) for name, value in self.options.items() if name not in ("project", "service_account_file"))
        return (self.NAME, self.endpoint, self.project, credentials.digest(self._info), options)

    def same_account(self, other: Provider) -> bool:
        """One project is one account, whoever asks: two logins would list the same machines twice, unless their zones keep them apart."""
        if not isinstance(other, GcpProvider) or (self.endpoint, self.project) != (other.endpoint, other.project):
            return False
        return not (self.zones and other.zones) or bool(set(self.zones) & set(other.zones))

    def _api(self, write: bool = False) -> compute.Compute:
        who = self._info.get("client_email") or self._path
        return compute.Compute(self.endpoint, self.project, self._tokens, who, self.timeout, write, self.sleep, self.clock)

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All machines with GPUs, and what was rented from here, Windows too. Raises a `RentedError`; never answers a part."""
        self._raw = {}
        found = {}
        rows = [row for row in self._rows() if self.options.get("all_instances") or is_ours(row)]
        types = self._machine_types(rows)
        self._windows = {str(row["id"]).strip() for row in rows if is_windows(row)}
        for row in rows:
            one = instance(row, self.account, types.get(_type_of(row)), self.user)
            found[one.id] = one  # one that moved between two pages comes twice
            self.remember_raw(one.id, without_values(row))
        return list(found.values())

    def is_host(self, instance: Instance) -> bool:
        """Not a Windows machine: such a one is listed, so that its name counts and it can be destroyed, but has no SSH without more."""
        if instance.id in self._windows:
            LOG.debug("Google Cloud: instance %s runs Windows and becomes no host", instance.id)
        return instance.id not in self._windows

    def _rows(self) -> list:
        if self.zones:
            parts = compute.in_parallel(
                lambda zone: self._api().in_zone("instances", zone, "list the instances of zone %s" % zone), self.zones
            )
            rows = [row for part in parts for row in part]
        else:
            rows = self._api().aggregated("instances", "list the instances")
        for row in rows:
            if not isinstance(row, dict) or not _values.text(row.get("id")):
                raise ProviderUnavailable("%s listed something that is not an instance; its API may have changed." % self.TITLE, self.NAME)
        self._places = {str(row["id"]).strip(): compute.last(row.get("zone")) for row in rows}
        return rows

    def _machine_types(self, rows: list) -> dict:
        """What the API knows of the machine types that must have GPUs, where the instance does not name them itself; asked once."""
        missing = {_type_of(row) for row in rows if not accelerators(row) and machines.has_gpus(_type_of(row)[1])} - set(self._types)
        missing = sorted(key for key in missing if all(key))

        def ask(key):
            try:
                return self._api().get(
                    "/projects/%s/zones/%s/machineTypes/%s" % (self.project, *key), what="read the machine type %s" % key[1]
                )
            except (AuthenticationError, NotFound) as error:
                # A role without this right, or a type that is no longer sold: the instance itself is listed all the same.
                LOG.debug("Google Cloud: %s", error.message)
                return {}

        self._types.update(zip(missing, compute.in_parallel(ask, missing)))
        return self._types

    def _path_of(self, instance_id: str) -> str:
        """The path of an instance, below the project; its zone is looked for where it is not known. Raises `NotFound`."""
        number = str(instance_id)
        if not number.isdigit():
            raise NotFound("The ids of %s are numbers; '%s' is none." % (self.TITLE, instance_id), self.NAME)
        if number not in self._places:
            self._rows()
        if not self._places.get(number):
            raise NotFound("%s has no instance %s in project '%s'." % (self.TITLE, number, self.project), self.NAME)
        return "/zones/%s/instances/%s" % (self._places[number], number)

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def check_request(self, request: LaunchRequest) -> None:
        launching.check(request, self.user or self.SSH_USER)

    def launch(self, request: LaunchRequest) -> str:
        """Rent in the first zone that has such a machine free. Waits for Google's word that it has begun, or why not.

        Options: see `LAUNCH_OPTIONS`, on the page of this provider.
        """
        user = self.user or self.SSH_USER
        options = launching.check(request, user)
        machine = launching.choose(request, options)
        path = launching.image_path(request.image)
        api = self._api(write=True)
        image = self._image(api, path)
        disk_gb = launching.disk_size(request, image, path)
        driver = "/%s/" % launching.IMAGE_PROJECT in path
        full: list = []
        refused: dict = {}  # region -> what was said of its quota
        for zone in self._zones_for(api, machine, request.region):
            if launching.region_of(zone) in refused or len(full) + len(refused) == MOST_ZONES:
                continue
            body = launching.body(request, options, machine, zone, path, disk_gb, user, driver)
            try:
                return self._rent(api, zone, body, machine)
            except compute.Failed as error:
                if error.code in compute.CAPACITY:
                    full.append(zone)
                elif error.code == "QUOTA_EXCEEDED" and not re.search(r"ALL_REGIONS|globally", error.message):
                    refused[launching.region_of(zone)] = error.message
                else:
                    raise
        raise self._nowhere(machine, full, refused)

    def _nowhere(self, machine: machines.Machine, full: list, refused: dict) -> RentedError:
        sentences = list(refused.values())[:1]
        if len(refused) > 1:
            sentences.append("The same holds for %s." % ", ".join(list(refused)[1:]))
        if full:
            sentences.insert(0, "No %s is free at %s just now in %s." % (machine.name, self.TITLE, ", ".join(full)))
            sentences.append("Try again later, another region, or 'interruptible: true'.")
        return NotFound(" ".join(sentences), self.NAME)

    def _image(self, api: compute.Compute, path: str) -> dict:
        try:
            found = api.get(path, what="read the image %s" % path.rsplit("/", 1)[-1])
        except NotFound as error:
            raise RentedError(
                "%s Images of Deep Learning VMs are listed by: gcloud compute images list --project %s --show-deprecated."
                % (error.message, launching.IMAGE_PROJECT),
                self.NAME,
            ) from None
        return _values.mapping(found)

    def _zones_for(self, api: compute.Compute, machine: machines.Machine, region: str | None) -> list:
        """Zones that have the machine and its GPU, in the order in which they are tried."""
        kind, name = ("acceleratorTypes", machine.accelerator) if machine.attached else ("machineTypes", machine.name)
        rows = api.aggregated(kind, "look for zones with %s" % name, "name = %s" % name, whole=False)
        zones = [compute.last(row.get("zone")) for row in _values.rows(rows) if row.get("name") == name and not is_gone(row)]
        zones = launching.by_preference(zone for zone in zones if zone and (not self.zones or zone in self.zones))
        fitting = [zone for zone in zones if not region or launching.in_region(zone, region)]
        if fitting:
            return fitting
        where = ", ".join(sorted({launching.region_of(zone) for zone in zones}))
        raise RentedError(
            "%s has no %s in %s. %s"
            % (
                self.TITLE,
                name,
                region or "the zones of this account",
                "It is in: %s." % where if where else "Check 'zones' of the account, or ask for another GPU.",
            ),
            self.NAME,
        )

    def _rent(self, api: compute.Compute, zone: str, body: dict, machine: machines.Machine) -> str:
        """Rent in one zone, once. Raises `compute.Failed` when nothing is left of a try that failed, else `PartlyCreated`."""
        what = "rent %s in zone %s" % (machine.name, zone)
        try:
            operation = api.begin("POST", "/zones/%s/instances" % zone, what, body, requestId=str(uuid.uuid4()))
        except RentedError as error:
            if error.status == 409:
                raise RentedError(
                    "%s has an instance '%s' in zone %s already, which is not listed under this name. Choose another name."
                    % (self.TITLE, body["name"], zone),
                    self.NAME,
                    409,
                ) from None
            raise
        number = _values.text(operation.get("targetId"))
        try:
            operation = api.finish(operation, what)
        except compute.Failed as error:
            self._clear(api, zone, number or body["name"], error)
            raise
        number = number or _values.text(operation.get("targetId"))
        if not number:
            raise ProviderUnavailable("%s rented '%s' without saying its id." % (self.TITLE, body["name"]), self.NAME)
        self._places[number] = zone
        return number

    def _clear(self, api: compute.Compute, zone: str, number: str, why: RentedError) -> None:
        """Make sure that nothing is left of a rental that failed; by its id, so that nobody else's machine is meant."""
        path = "/zones/%s/instances/%s" % (zone, number)
        try:
            api.get("/projects/%s%s" % (self.project, path), what="look what is left of instance %s" % number)
            api.finish(api.begin("DELETE", path, "destroy instance %s" % number), "destroy instance %s" % number)
        except NotFound:
            return
        except RentedError as error:
            raise PartlyCreated(
                "%s The instance %s may have been created and be billed; it could not be destroyed (%s): destroy it now."
                % (why.message, number, error.message.rstrip(".")),
                number,
                self.NAME,
            ) from None
        if getattr(why, "code", None) not in compute.CAPACITY:
            raise PartlyCreated("%s The instance %s that this had created was destroyed again." % (why.message, number), number, self.NAME)

    def destroy(self, instance_id: str) -> None:
        try:
            self._api(write=True).begin("DELETE", self._path_of(instance_id), "destroy instance %s" % instance_id)
        except NotFound:
            pass

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        api, path = self._api(write=True), self._path_of(instance_id)
        row = self._read(api, instance_id)
        # The API wants to be told about local SSDs. False asks it to keep what is on them, or to refuse.
        local = any(disk.get("type") == "SCRATCH" for disk in _values.rows(row.get("disks")))
        try:
            api.begin("POST", path + "/stop", "stop instance %s" % instance_id, discardLocalSsd="false" if local else None)
        except RentedError as error:
            if local and error.status == 400:
                raise RentedError(
                    "%s What is on its local SSDs would be lost: save it, and stop the instance with "
                    "'gcloud compute instances stop %s --zone %s --project %s --discard-local-ssd=true'."
                    % (error.message, row.get("name"), compute.last(row.get("zone")), self.project),
                    self.NAME,
                    400,
                ) from None
            raise

    def start(self, instance_id: str) -> None:
        """Waits for the end of the operation: that no such machine is free is said there, and nowhere else."""
        api, path = self._api(write=True), self._path_of(instance_id)
        verb = "resume" if self._read(api, instance_id).get("status") == "SUSPENDED" else "start"
        what = "%s instance %s" % (verb, instance_id)
        api.finish(api.begin("POST", "%s/%s" % (path, verb), what), what)

    def set_label(self, instance_id: str, label: str) -> None:
        launching.check_label(label)
        api, path, what = self._api(write=True), self._path_of(instance_id), "rename instance %s" % instance_id

        def change():
            row = self._read(api, instance_id)
            labels = {**_values.mapping(row.get("labels")), launching.NAME_LABEL: label}
            return {"labels": labels, "labelFingerprint": row.get("labelFingerprint")}

        self._change(api, path + "/setLabels", what, change)

    def attach_key(self, instance_id: str, public_key: str) -> None:
        """Into the instance's metadata, from where Google's agent on it takes the key within seconds; not where OS Login is on."""
        api, path, what = self._api(write=True), self._path_of(instance_id), "attach an SSH key to instance %s" % instance_id

        def change():
            row = self._read(api, instance_id)
            line = key_line(self.user or metadata_user(row) or self.SSH_USER, public_key)
            return self._metadata_with(_values.mapping(row.get("metadata")), lambda lines: with_key(lines, line))

        key_line(self.SSH_USER, public_key)
        self._change(api, path + "/setMetadata", what, change)

    def _read(self, api: compute.Compute, instance_id: str) -> dict:
        path = "/projects/%s%s" % (self.project, self._path_of(instance_id))
        return _values.mapping(api.get(path, what="read instance %s" % instance_id))

    def _change(self, api: compute.Compute, path: str, what: str, change) -> None:
        """Change what others change too: ``change()`` reads and gives the body with the fingerprint of what it read (None: nothing to do);
        when somebody was faster, once more."""
        for again in (True, False):
            body = change()
            if body is None:
                return
            try:
                api.finish(api.begin("POST", path, what, body), what)
                return
            except compute.Conflict:
                if not again:
                    raise

    def console(self, instance_id: str) -> str:
        path = "/projects/%s%s/serialPort" % (self.project, self._path_of(instance_id))
        return str(_values.mapping(self._api().get(path, what="read the console of instance %s" % instance_id)).get("contents") or "")

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """Machine types with GPUs by zone. Whether one is free, and whether the quota allows it, is known only when it is rented."""
        api = self._api()
        families = 'name eq "(%s)-.*"' % "|".join(machines.GPU_FAMILIES)
        rows = api.aggregated("machineTypes", "list the machine types", families)
        attachable = api.aggregated("acceleratorTypes", "list the GPU types")
        kinds = [False, True] if wish.interruptible is None else [wish.interruptible]
        found = []
        for zone, machine, disk_gb in [*fixed_machines(rows), *attached_machines(attachable)]:
            if machine.count != wish.gpu_count or (self.zones and zone not in self.zones):
                continue
            if wish.regions and not any(launching.in_region(zone, place) for place in wish.regions):
                continue
            found += [self._offer(zone, machine, disk_gb, spot) for spot in kinds if spot or machine.name not in machines.SPOT_ONLY]
        return found

    def _offer(self, zone: str, machine: machines.Machine, disk_gb: float | None, spot: bool) -> Offer:
        gpu = machines.gpu_name(machine.accelerator)
        return Offer(
            provider=self.NAME,
            account=self.account,
            id="%s/%s/%dx%s%s" % (zone, machine.name, machine.count, machine.accelerator, "/spot" if spot else ""),
            kind="vm",
            instance_type=machine.name,
            gpu_name_raw=machine.accelerator,
            gpu_model=gpu.model,
            gpu_variant=gpu.variant,
            gpu_count=machine.count,
            gpu_vram_mb=gpu.vram_mb,
            cpu_cores=machine.cpus,
            ram_gb=machine.ram_gb,
            disk_gb=disk_gb,
            region=zone,
            inet_down_price_per_gb=0.0,  # what comes in is free at Google Cloud
            interruptible=spot,
            trust="datacenter",
            options={"machine_type": machine.name},
        )

    # --- keys of the project -----------------------------------------------------------------------------------------

    def list_keys(self) -> list:
        """The keys that may log in to every instance of the project which does not refuse them; as in its metadata."""
        return [key for key in map(project_key, key_lines(self._project_metadata(self._api()))) if key is not None]

    def add_key(self, name: str, public_key: str) -> str:
        if not name.strip() or re.search(r"[\x00-\x1f]", name):
            raise RentedError("The name of a key is some text on one line.", self.NAME)
        line = key_line(self.user or self.SSH_USER, public_key, name.strip())
        self._change_keys("register an SSH key", lambda lines: with_key(lines, line))
        return _id_of(line)

    def remove_key(self, key_id: str) -> None:
        self._change_keys("forget an SSH key", lambda lines: [line for line in lines if _id_of(line) != key_id])

    def _project_metadata(self, api: compute.Compute) -> dict:
        answer = _values.mapping(api.get("/projects/%s" % self.project, what="read the keys of the project"))
        return _values.mapping(answer.get("commonInstanceMetadata"))

    def _change_keys(self, what: str, new_lines) -> None:
        api = self._api(write=True)
        self._change(api, "/setCommonInstanceMetadata", what, lambda: self._metadata_with(self._project_metadata(api), new_lines))

    def _metadata_with(self, found: dict, new_lines) -> dict | None:
        """Metadata with other lines in ``ssh-keys``; None where they stay as they are."""
        lines = key_lines(found)
        wanted = new_lines(lines)
        if wanted == lines:
            return None
        value = "\n".join(wanted)
        if len(value.encode()) > launching.METADATA_VALUE:
            raise RentedError("The keys at %s would be more than 256 KB; remove some first." % self.TITLE, self.NAME)
        # All items are sent: what is left out would be deleted.
        items = [item for item in _values.rows(found.get("items")) if item.get("key") != "ssh-keys"]
        items += [{"key": "ssh-keys", "value": value}] if wanted else []
        return {"items": items, "fingerprint": found.get("fingerprint")}


# --- what an instance is ---------------------------------------------------------------------------------------------


def instance(row: dict, account: str, machine_type: dict | None = None, ssh_user: str | None = None) -> Instance:
    """One row of the list. Every field but ``id`` may be missing or null; of the metadata only the first name in ``ssh-keys`` is looked at.

    ``machine_type`` is the API's row of its type, for GPUs that the instance does not name; ``ssh_user`` is what the account says.
    """
    zone, type_name = _type_of(row)
    known = machines.BY_NAME.get(type_name or "")
    kind = _values.mapping(machine_type)
    raw, count = accelerators(row) or type_accelerators(kind) or ((known.accelerator, known.count) if known else (None, None))
    gpu = machines.gpu_name(raw)
    cpus, ram = machines.cpus_and_ram(type_name)
    labels = {str(key): str(value) for key, value in _values.mapping(row.get("labels")).items() if value is not None}
    windows = is_windows(row)
    host = None if windows else address(row)
    memory = _values.scaled(kind.get("memoryMb"), 1 / 1024)
    return Instance(
        provider=GcpProvider.NAME,
        account=account,
        id=str(row["id"]).strip(),
        label=labels.get(launching.NAME_LABEL) or _values.text(row.get("name")),
        state=state(row),
        state_raw=_values.text(row.get("status")),
        kind="vm",
        ssh_host=host,
        ssh_port=22 if host else None,
        ssh_user=None if windows else ssh_user or metadata_user(row) or labels.get("ssh-user"),
        ssh_via="direct" if host else None,
        gpu_name_raw=raw,
        gpu_model=gpu.model,
        gpu_variant=gpu.variant,
        gpu_count=count,
        gpu_vram_mb=gpu.vram_mb,
        cpu_cores=_values.number(kind.get("guestCpus")) or cpus,
        ram_gb=memory or ram,
        disk_gb=boot_disk_gb(row),
        region=zone,
        interruptible=interruptible(row),
        trust="datacenter",
        machine_id=_values.text(_values.mapping(row.get("resourceStatus")).get("physicalHost")),
        started_at=_values.moment(row.get("lastStartTimestamp")) or _values.moment(row.get("creationTimestamp")),
        ends_at=ends_at(row),
        tags=labels,
    )


def is_ours(row: dict) -> bool:
    """Whether a machine has GPUs, or was rented from here."""
    if accelerators(row) or machines.has_gpus(_type_of(row)[1]):
        return True
    return _values.mapping(row.get("labels")).get(launching.MARK) == "true"


def is_windows(row: dict) -> bool:
    """Whether it boots Windows: its disk has the feature (``guestOsFeatures``) or a licence (``licenses``) of such an image."""
    disks = [disk for disk in _values.rows(row.get("disks")) if disk.get("boot") is True]
    if any(feature.get("type") == "WINDOWS" for disk in disks for feature in _values.rows(disk.get("guestOsFeatures"))):
        return True
    # Names of licences are documented nowhere; those of Windows are in the projects windows-cloud and windows-sql-cloud.
    return any("windows" in str(disk.get("licenses")).lower() for disk in disks)


def state(row: dict) -> str:
    """Our word for ``status``."""
    word = row.get("status")
    if word is None:
        return "unknown"
    found = STATES.get(word) if isinstance(word, str) else None
    if found is None:
        LOG.debug("Google Cloud: unknown status %r of instance %s", word, row.get("id"))
    return found or "unknown"


def accelerators(row: dict) -> tuple | None:
    """``(type, number)`` of the GPUs that an instance names itself."""
    found = [item for item in _values.rows(row.get("guestAccelerators")) if _values.text(item.get("acceleratorType"))]
    if not found:
        return None
    counts = [_values.whole(item.get("acceleratorCount")) for item in found]
    return compute.last(found[0]["acceleratorType"]), sum(counts) if all(count is not None for count in counts) else None


def type_accelerators(kind: dict) -> tuple | None:
    """``(type, number)`` of the GPUs that a machine type has."""
    found = [item for item in _values.rows(kind.get("accelerators")) if _values.text(item.get("guestAcceleratorType"))]
    return (compute.last(found[0]["guestAcceleratorType"]), _values.whole(found[0].get("guestAcceleratorCount"))) if found else None


def address(row: dict) -> str | None:
    """Where SSH goes: the public IPv4 address, else the public IPv6 one, else the one inside the network."""
    interfaces = _values.rows(row.get("networkInterfaces"))
    public = [item.get("natIP") for one in interfaces for item in _values.rows(one.get("accessConfigs"))]
    public += [item.get("externalIpv6") for one in interfaces for item in _values.rows(one.get("ipv6AccessConfigs"))]
    inside = [one.get(key) for one in interfaces for key in ("networkIP", "ipv6Address")]
    return next((found for found in map(_values.text, public + inside) if found), None)


def metadata_user(row: dict) -> str | None:
    """The first user for whom the instance's own metadata has an SSH key ("user:ssh-ed25519 AAAA… comment")."""
    for line in key_lines(_values.mapping(row.get("metadata"))):
        user = line.split(":", 1)[0].strip()
        if re.match(USER, user):
            return user
    return None


def boot_disk_gb(row: dict) -> float | None:
    """GB of the disk that it boots from."""
    disks = _values.rows(row.get("disks"))
    boot = next((disk for disk in disks if disk.get("boot") is True), None)
    return _values.number(boot.get("diskSizeGb")) if boot else None


def interruptible(row: dict) -> bool | None:
    """Whether Google may take it away: spot, or preemptible as it was called before."""
    scheduling = _values.mapping(row.get("scheduling"))
    if scheduling.get("provisioningModel") == "SPOT" or scheduling.get("preemptible") is True:
        return True
    return False if scheduling else None


def ends_at(row: dict) -> str | None:
    """When Google ends it at the latest: a time that was set, or the longest run after its last start."""
    if state(row) not in ("running", "pending"):
        return None
    scheduling = _values.mapping(row.get("scheduling"))
    status = _values.mapping(_values.mapping(row.get("resourceStatus")).get("scheduling"))
    named = _values.moment(status.get("terminationTimestamp")) or _values.moment(scheduling.get("terminationTime"))
    seconds = _values.number(_values.mapping(scheduling.get("maxRunDuration")).get("seconds"))
    if seconds is None and scheduling.get("preemptible") is True and scheduling.get("provisioningModel") != "SPOT":
        seconds = PREEMPTIBLE_HOURS * 3600
    started = _values.moment(row.get("lastStartTimestamp"))
    if named or not started or not seconds:
        return named
    try:
        begun = datetime.datetime.strptime(started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
        return _values.moment(begun + datetime.timedelta(seconds=seconds))
    except OverflowError:
        return None


def without_values(row: dict) -> dict:
    """A row as it may be shown: of the metadata only the keys, for scripts and passwords are among the values."""
    metadata = _values.mapping(row.get("metadata"))
    return {**row, "metadata": {"items": [{"key": item.get("key")} for item in _values.rows(metadata.get("items"))]}}


def _type_of(row: dict) -> tuple:
    return compute.last(row.get("zone")), compute.last(row.get("machineType"))


# --- offers and keys -------------------------------------------------------------------------------------------------


def is_gone(row: dict) -> bool:
    """Whether a type is no longer rented."""
    return _values.mapping(row.get("deprecated")).get("state") in ("OBSOLETE", "DELETED")


def fixed_machines(rows: list) -> list:
    """``(zone, machine, GB of the largest disk)`` for every machine type that has GPUs."""
    found = []
    for row in _values.rows(rows):
        zone, name, gpus = compute.last(row.get("zone")), _values.text(row.get("name")), type_accelerators(row)
        if not zone or not name or not gpus or not gpus[1] or is_gone(row):
            continue
        cpus, ram = _values.number(row.get("guestCpus")), _values.scaled(row.get("memoryMb"), 1 / 1024)
        found.append((zone, machines.Machine(name, gpus[0], gpus[1], cpus, ram), _values.number(row.get("maximumPersistentDisksSizeGb"))))
    return found


def attached_machines(rows: list) -> list:
    """The same for GPUs that an N1 machine can have."""
    found = []
    for row in _values.rows(rows):
        zone, name, most = compute.last(row.get("zone")), row.get("name"), _values.whole(row.get("maximumCardsPerInstance"))
        if zone and not is_gone(row):
            fitting = [one for one in machines.ATTACHED if one.accelerator == name and (most is None or one.count <= most)]
            found += [(zone, one, float(launching.MOST_DISK_GB)) for one in fitting]
    return found


def key_lines(metadata: dict) -> list:
    """The lines of ``ssh-keys``."""
    values = [item.get("value") for item in _values.rows(metadata.get("items")) if item.get("key") == "ssh-keys"]
    return [line.strip() for value in values if isinstance(value, str) for line in value.split("\n") if line.strip()]


def key_line(user: str, public_key: str, name: str | None = None) -> str:
    """A line of ``ssh-keys``. Raises `RentedError`, without the text, for what is no public key."""
    key = _public_key.required(public_key, "The SSH key", GcpProvider.NAME)
    line = ("%s:%s %s" % (user, key.body, name or key.comment or "")).strip()
    if project_key(line) is None:
        raise RentedError("The SSH key is not whole: its middle part is no base64.", GcpProvider.NAME)
    return line


def with_key(lines: list, line: str) -> list:
    """The lines with one more, where its user does not have the key yet."""
    return lines if _id_of(line) in map(_id_of, lines) else [*lines, line]


def project_key(line: str) -> SshKey | None:
    """One line of ``ssh-keys``: "user:type key name". The id is the user with the key's fingerprint, as ``ssh-keygen -l`` shows it."""
    user, _colon, rest = line.partition(":")
    key = _public_key.parse(rest)
    if key is None or key.content is None:
        return None
    return SshKey("%s:%s" % (user, _public_key.fingerprint(key.content)), key.comment, rest.strip())


def _id_of(line: str) -> str | None:
    key = project_key(line)
    return key.id if key else None
