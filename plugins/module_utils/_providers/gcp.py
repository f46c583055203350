# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Google Cloud: machines of Compute Engine that have GPUs, one project, REST with tokens of google-auth.

Facts: the discovery document ``compute.v1`` (revision 20261106) inside google-api-python-client 2.202; Google's page on the life cycle
of instances for the states. A project holds machines that have nothing to do with GPUs; ``all_instances`` shows them too.
"""

from __future__ import annotations

import logging
import re
import uuid

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingCredentials,
    NotFound,
    ProviderUnavailable,
    RentedError,
)
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
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp import compute, credentials, keys, launching, machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp.machines import instance
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http, _launching, _offers, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance, LaunchRequest, Wish

LOG = logging.getLogger("rented.gpu.gcp")

MOST_ZONES = 12  # zones that one launch tries
PROJECT = r"^(?:[a-z0-9.-]+:)?[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$"


class GcpProvider(Provider, CanLaunch, CanStop, CanLabel, CanAttachKey, CanReadConsole, CanListOffers, CanRegisterKey):
    """One project at Google Cloud."""

    NAME = credentials.NAME
    TITLE = credentials.TITLE
    ENDPOINT = "https://compute.googleapis.com/compute/v1"
    ENDPOINT_ENV = ("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE",)
    SSH_USER = "ubuntu"  # who is made on an instance that is rented from here; Google itself has no such user
    OPTIONS = ("project", "service_account_file", "zones", "ssh_user", "all_instances")
    NO_PRICES = launching.NO_PRICES

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._check_options()
        path = credentials.find_file(self.options.get("service_account_file"))
        if path is None:
            raise MissingCredentials(
                f"No credentials for {self.TITLE}. Looked at {', '.join(self.places_looked_at())}. Make some with "
                "'gcloud auth application-default login'.",
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
                f"'{self.project}' is not an id of a project of {self.TITLE}: it has small letters, digits and '-'.", self.NAME
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
                raise RentedError(f"'{name}' of an account of {self.TITLE} is a text that is not empty.", self.NAME)
        zones = self.options.get("zones", [])
        if not isinstance(zones, list) or not all(
            isinstance(zone, str) and re.match(r"^[a-z]+-[a-z]+\d+-[a-z0-9]+$", zone) for zone in zones
        ):
            raise RentedError(
                f"'zones' of an account of {self.TITLE} is a list of zones, such as [us-central1-a, us-central1-b].", self.NAME
            )
        if not isinstance(self.options.get("all_instances", False), bool):
            raise RentedError(f"'all_instances' of an account of {self.TITLE} is true or false.", self.NAME)
        if not re.match(machines.USER, self.options.get("ssh_user", "x")):
            raise RentedError(f"'ssh_user' is '{self.options['ssh_user']}', which is not a name of a user on Linux.", self.NAME)

    # --- who asks ----------------------------------------------------------------------------------------------------

    @classmethod
    def available(cls) -> bool:
        """Whether credentials and a project are in their usual places. Reads files only: no import of google-auth, no request."""
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
        """One project is one account, whichever login asks: two logins would list the same machines, unless their zones differ."""
        if not isinstance(other, GcpProvider) or (self.endpoint, self.project) != (other.endpoint, other.project):
            return False
        return not (self.zones and other.zones) or bool(set(self.zones) & set(other.zones))

    def _api(self, write: bool = False) -> compute.Compute:
        who = str(self._info.get("client_email") or self._path)
        return compute.Compute(self.endpoint, str(self.project), self._tokens, who, self.timeout, write, self.sleep, self.clock)

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All machines with GPUs, and what was rented from here, Windows too. Raises a `RentedError`; never answers a part."""
        self._raw = {}
        found = {}
        rows = [row for row in self._rows() if self.options.get("all_instances") or machines.is_ours(row)]
        types = self._machine_types(rows)
        self._windows = {str(row["id"]).strip() for row in rows if machines.is_windows(row)}
        for row in rows:
            one = instance(row, self.account, types.get(machines.type_of(row)), self.user)
            found[one.id] = one  # one that moved between two pages comes twice
            self.remember_raw(one.id, machines.without_values(row))
        return list(found.values())

    def is_host(self, instance: Instance) -> bool:
        """Not a Windows machine: such a one is listed, so that its name counts and it can be destroyed, but has no SSH without more."""
        if instance.id in self._windows:
            LOG.debug("Google Cloud: instance %s runs Windows and becomes no host", instance.id)
        return instance.id not in self._windows

    def _rows(self) -> list:
        if self.zones:
            parts = compute.in_parallel(
                lambda zone: self._api().in_zone("instances", zone, f"list the instances of zone {zone}"), self.zones
            )
            rows = [row for part in parts for row in part]
        else:
            rows = self._api().aggregated("instances", "list the instances")
        for row in rows:
            _http.id_in(row, self.TITLE, self.NAME)
        self._places = {str(row["id"]).strip(): compute.last(row.get("zone")) for row in rows}
        return rows

    def _machine_types(self, rows: list) -> dict:
        """What the API knows of the machine types that must have GPUs, where the instance does not name them itself; asked once."""
        unnamed = {machines.type_of(row) for row in rows if not machines.accelerators(row)}
        missing = sorted(key for key in unnamed - set(self._types) if all(key) and machines.has_gpus(key[1]))

        def ask(key):
            try:
                return self._api().get(
                    "/projects/%s/zones/%s/machineTypes/%s" % (self.project, *key), what=f"read the machine type {key[1]}"
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
            raise NotFound(f"The ids of {self.TITLE} are numbers; '{instance_id}' is none.", self.NAME)
        if number not in self._places:
            self._rows()
        if not self._places.get(number):
            raise NotFound(f"{self.TITLE} has no instance {number} in project '{self.project}'.", self.NAME)
        return f"/zones/{self._places[number]}/instances/{number}"

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
        driver = f"/{launching.IMAGE_PROJECT}/" in path
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
            sentences.append(f"The same holds for {', '.join(list(refused)[1:])}.")
        if full:
            sentences.insert(0, f"No {machine.name} is free at {self.TITLE} just now in {', '.join(full)}.")
            sentences.append("Try again later, another region, or 'interruptible: true'.")
        return NotFound(" ".join(sentences), self.NAME)

    def _image(self, api: compute.Compute, path: str) -> dict:
        try:
            found = api.get(path, what=f"read the image {path.rsplit('/', 1)[-1]}")
        except NotFound as error:
            raise RentedError(
                f"{error.message} Images of Deep Learning VMs are listed by: gcloud compute images list --project "
                f"{launching.IMAGE_PROJECT} --show-deprecated.",
                self.NAME,
            ) from None
        return _values.mapping(found)

    def _zones_for(self, api: compute.Compute, machine: machines.Machine, region: str | None) -> list:
        """Zones that have the machine and its GPU, in the order in which they are tried."""
        kind, name = ("acceleratorTypes", machine.accelerator) if machine.attached else ("machineTypes", machine.name)
        rows = api.aggregated(kind, f"look for zones with {name}", f"name = {name}", whole=False)
        there = [compute.last(row.get("zone")) for row in _values.rows(rows) if row.get("name") == name and not offers.is_gone(row)]
        zones = launching.by_preference(zone for zone in there if zone and (not self.zones or zone in self.zones))
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
                f"It is in: {where}." if where else "Check 'zones' of the account, or ask for another GPU.",
            ),
            self.NAME,
        )

    def _rent(self, api: compute.Compute, zone: str, body: dict, machine: machines.Machine) -> str:
        """Rent in one zone, once. Raises `compute.Failed` when nothing is left of a try that failed, else `PartlyCreated`."""
        what = f"rent {machine.name} in zone {zone}"
        try:
            operation = api.begin("POST", f"/zones/{zone}/instances", what, body, requestId=str(uuid.uuid4()))
        except RentedError as error:
            if error.status == 409:
                raise RentedError(
                    f"{self.TITLE} has an instance '{body['name']}' in zone {zone} already, which is not listed "
                    "under this name. Choose another name.",
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
            raise ProviderUnavailable(f"{self.TITLE} rented '{body['name']}' without saying its id.", self.NAME)
        self._places[number] = zone
        return number

    def _clear(self, api: compute.Compute, zone: str, number: str, why: compute.Failed) -> None:
        """Make sure that nothing is left of a rental that failed; by its id, so that no other machine is meant."""
        path, what = f"/zones/{zone}/instances/{number}", f"destroy instance {number}"
        full, clean = why.code in compute.CAPACITY, False

        def destroy(_number):
            nonlocal clean
            try:
                api.get(f"/projects/{self.project}{path}", what=f"look what is left of instance {number}")
                api.finish(api.begin("DELETE", path, what), what)
                clean = full  # the next zone may have one, so that is not a failure
            except NotFound:
                clean = True

        error = _launching.given_back(self.TITLE, self.NAME, why.message, [number], destroy)
        if not clean:
            raise error from None

    def destroy(self, instance_id: str) -> None:
        try:
            self._api(write=True).begin("DELETE", self._path_of(instance_id), f"destroy instance {instance_id}")
        except NotFound:
            pass

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        api, path = self._api(write=True), self._path_of(instance_id)
        row = self._read(api, instance_id)
        # The API wants to be told about local SSDs. False asks it to keep what is on them, or to refuse.
        local = any(disk.get("type") == "SCRATCH" for disk in _values.rows(row.get("disks")))
        try:
            api.begin("POST", path + "/stop", f"stop instance {instance_id}", discardLocalSsd="false" if local else None)
        except RentedError as error:
            if local and error.status == 400:
                raise RentedError(
                    f"{error.message} What is on its local SSDs would be lost: save it, and stop the instance with "
                    f"'gcloud compute instances stop {row.get('name')} --zone {compute.last(row.get('zone'))} "
                    f"--project {self.project} --discard-local-ssd=true'.",
                    self.NAME,
                    400,
                ) from None
            raise

    def start(self, instance_id: str) -> None:
        """Waits for the end of the operation: that no such machine is free is said there, and nowhere else."""
        api, path = self._api(write=True), self._path_of(instance_id)
        verb = "resume" if self._read(api, instance_id).get("status") == "SUSPENDED" else "start"
        what = f"{verb} instance {instance_id}"
        api.finish(api.begin("POST", f"{path}/{verb}", what), what)

    def set_label(self, instance_id: str, label: str) -> None:
        launching.check_label(label)
        api, path, what = self._api(write=True), self._path_of(instance_id), f"rename instance {instance_id}"

        def change():
            row = self._read(api, instance_id)
            labels = {**_values.mapping(row.get("labels")), machines.NAME_LABEL: label}
            return {"labels": labels, "labelFingerprint": row.get("labelFingerprint")}

        self._change(api, path + "/setLabels", what, change)

    def attach_key(self, instance_id: str, public_key: str) -> None:
        """Into the instance's metadata, from where Google's agent on it takes the key within seconds; not where OS Login is on."""
        api, path, what = self._api(write=True), self._path_of(instance_id), f"attach an SSH key to instance {instance_id}"

        def change():
            row = self._read(api, instance_id)
            line = keys.key_line(self.user or machines.metadata_user(row) or self.SSH_USER, public_key)
            return keys.metadata_with(_values.mapping(row.get("metadata")), lambda lines: keys.with_key(lines, line))

        keys.key_line(self.SSH_USER, public_key)
        self._change(api, path + "/setMetadata", what, change)

    def _read(self, api: compute.Compute, instance_id: str) -> dict:
        path = f"/projects/{self.project}{self._path_of(instance_id)}"
        return _values.mapping(api.get(path, what=f"read instance {instance_id}"))

    def _change(self, api: compute.Compute, path: str, what: str, change) -> None:
        """Change what others change too: ``change()`` reads and gives the body with the fingerprint of what it read (None: nothing to do);
        when another client was faster, once more."""
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
        path = f"/projects/{self.project}{self._path_of(instance_id)}/serialPort"
        return str(_values.mapping(self._api().get(path, what=f"read the console of instance {instance_id}")).get("contents") or "")

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """Machine types with GPUs by zone. Whether one is free, and whether the quota allows it, is known only when it is rented."""
        api = self._api()
        families = 'name eq "(%s)-.*"' % "|".join(machines.GPU_FAMILIES)
        rows = api.aggregated("machineTypes", "list the machine types", families)
        attachable = api.aggregated("acceleratorTypes", "list the GPU types")
        kinds = [False, True] if wish.interruptible is None else [wish.interruptible]
        found = []
        for zone, machine, disk_gb in [*offers.fixed_machines(rows), *offers.attached_machines(attachable)]:
            if machine.count != wish.gpu_count or (self.zones and zone not in self.zones):
                continue
            if wish.regions and not any(_offers.is_in(zone, place) for place in wish.regions):
                continue
            sold = [spot for spot in kinds if spot or machine.name not in machines.SPOT_ONLY]
            found += [offers.offer(zone, machine, disk_gb, spot, self.account) for spot in sold]
        return found

    # --- keys of the project -----------------------------------------------------------------------------------------

    def list_keys(self) -> list:
        """The keys that may log in to every instance of the project which does not refuse them; as in its metadata."""
        return [key for key in map(keys.project_key, keys.key_lines(self._project_metadata(self._api()))) if key is not None]

    def add_key(self, name: str, public_key: str) -> str:
        if not name.strip() or re.search(r"[\x00-\x1f]", name):
            raise RentedError("The name of a key is some text on one line.", self.NAME)
        line = keys.key_line(self.user or self.SSH_USER, public_key, name.strip())
        self._change_keys("register an SSH key", lambda lines: keys.with_key(lines, line))
        return str(keys.id_of(line))

    def remove_key(self, key_id: str) -> None:
        self._change_keys("forget an SSH key", lambda lines: [line for line in lines if keys.id_of(line) != key_id])

    def _project_metadata(self, api: compute.Compute) -> dict:
        answer = _values.mapping(api.get(f"/projects/{self.project}", what="read the keys of the project"))
        return _values.mapping(answer.get("commonInstanceMetadata"))

    def _change_keys(self, what: str, new_lines) -> None:
        api = self._api(write=True)
        self._change(api, "/setCommonInstanceMetadata", what, lambda: keys.metadata_with(self._project_metadata(api), new_lines))
