# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""AWS EC2, through boto3's core. Accounts hold all kinds of machines: listed are those with a GPU, and those launched from here.

Facts: the API reference of Amazon EC2, and its model in botocore (``data/ec2/2016-11-15/service-2.json``).
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import logging
import os
import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    NotFound,
    ProviderUnavailable,
    RentedError,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import (
    credentials,
    images,
    keys,
    machines,
    network,
    offers,
    prices,
    renting,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import NAME, TITLE, Connection, Refused
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.machines import instance
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.options import check_options
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanReadConsole,
    CanRegisterKey,
    CanStop,
    Provider,
)
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _http, _offers
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance, LaunchRequest, Wish

LOG = logging.getLogger("rented.gpu.aws")

PAGE_SIZE = 200  # instances; the API takes up to 1000, but so many with fifty tags each can be more than an answer may be
BATCH = 100  # types or images of one question
MOST_THREADS = 8
USER_TAG = "ssh-user"


class AwsProvider(Provider, CanLaunch, CanStop, CanLabel, CanReadConsole, CanListOffers, CanRegisterKey):
    """One account at AWS."""

    NAME = NAME
    TITLE = TITLE
    ENDPOINT = "https://ec2.amazonaws.com"  # stands for the address of each region; only another one is used as it is
    ENDPOINT_ENV = ("AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL")
    SSH_USER = "ubuntu"  # of the images that are rented by default; what is listed has the user of its own image
    OPTIONS = ("profile", "regions", "access_key_id", "secret_access_key", "session_token", "ssh_user", "all_instances")
    SECRET_OPTIONS = ("secret_access_key", "session_token")
    SECRET_ENV = credentials.SECRET_ENV

    def __init__(self, account=None, api_key=None, endpoint=None, timeout: float = 30, **options) -> None:
        super().__init__(account=account, api_key=api_key, endpoint=endpoint, timeout=timeout, **options)
        # An address of the environment is botocore's business: it may be for one service only.
        self._given_endpoint = (endpoint or "").rstrip("/") or None
        if self._given_endpoint == self.ENDPOINT:
            self._given_endpoint = None
        self._keys = check_options(self.options)
        self._connections: dict = {}
        self._region_names: list | None = None
        self._types: dict = {}  # name -> Machine; None: AWS does not describe it
        self._images: dict = {}  # (region, id) -> who logs in, or None
        self._where: dict = {}  # instance -> region
        self._windows: set = set()  # instances of the last list

    # --- credentials -------------------------------------------------------------------------------------------------

    @classmethod
    def available(cls) -> bool:
        return credentials.exist()

    @classmethod
    def places_looked_at(cls) -> list:
        return list(credentials.PLACES)

    def secrets(self) -> list:
        found = super().secrets() + credentials.secrets()
        for connection in self._connections.values():
            found += connection.secrets()
        return list(dict.fromkeys(found))

    def _asked(self) -> tuple:
        who = hashlib.sha256(repr(credentials.who(self.options)).encode()).hexdigest()
        partition = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        plain = sorted((name, value) for name, value in self.options.items() if name not in self.SECRET_OPTIONS)
        # Each partition (China, GovCloud) has accounts of its own; within one the region of the environment says nothing.
        return (self.NAME, self.endpoint, who, partition.split("-")[0] in ("cn",) or "gov" in partition, plain)

    def _connect(self) -> Connection:
        lean = not self.keep_raw
        if lean not in self._connections:
            self._connections[lean] = Connection(
                self.options.get("profile"), self._keys, self._given_endpoint, self.timeout, lean, self.sleep
            )
        return self._connections[lean]

    # --- regions -----------------------------------------------------------------------------------------------------

    def regions(self) -> list:
        """The regions that are asked: those of the option, else every one that is enabled for the account."""
        if self._region_names is None:
            wanted = self.options.get("regions")
            if wanted:
                for name in wanted:
                    self._check_region(name)
                self._region_names = list(wanted)
            else:
                self._region_names = sorted(name for name, status in self._every_region().items() if status != "not-opted-in")
            if not self._region_names:
                raise ProviderUnavailable(f"{self.TITLE} names no region that is enabled for this account.", self.NAME)
        return self._region_names

    def _every_region(self) -> dict:
        """Name -> whether it is enabled, as AWS says it."""
        connection = self._connect()
        answer = connection.call(connection.home(), "describe_regions", "list the regions", brief=True, AllRegions=True)
        return {row["RegionName"]: row.get("OptInStatus") for row in answer.get("Regions") or [] if row.get("RegionName")}

    def _check_region(self, name: str) -> None:
        """Raises `RentedError` for a region that does not exist. AWS is asked only about those that botocore does not know."""
        if name in self._connect().known_regions():
            return
        try:
            known = self._every_region()
        except AuthenticationError:
            known = dict.fromkeys(self._connect().known_regions())
        if name not in known:
            raise RentedError(f"{self.TITLE} has no region '{name}'. {nearest(name, known)}", self.NAME)

    def _in_regions(self, regions, function) -> list:
        """``function(region)`` for each region, side by side, in their order. The first failure is raised; a part is not an answer."""
        regions = list(regions)
        if len(regions) < 2:
            return [function(region) for region in regions]
        with _deadline.Threads(max_workers=min(len(regions), MOST_THREADS)) as pool:
            futures = [pool.submit(function, region) for region in regions]
            concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_EXCEPTION)
            for future in futures:
                future.cancel()
            failed = [future for future in futures if future.done() and not future.cancelled() and future.exception()]
            if failed:
                raise failed[0].exception()
            return [future.result() for future in futures]

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All instances with a GPU, and those that were launched from here, in every region, Windows too. Never a part."""
        self._raw = {}
        regions = self.regions()
        listed = list(zip(regions, self._in_regions(regions, self._rows)))
        self._learn_types({region: {row.get("InstanceType") for row in rows} for region, rows in listed})
        kept = [(region, row) for region, rows in listed for row in rows if self._counts(row)]
        self._learn_images(kept)
        self._windows = {row["InstanceId"] for _region, row in kept if machines.is_windows(row)}
        found = []
        for region, row in kept:
            made = instance(row, self.account, region, self._types.get(row.get("InstanceType")), self._user(region, row), self.secrets())
            self._where[made.id] = region
            self.remember_raw(made.id, machines.plain({**row, "Tags": machines.tags_of(row)}))
            found.append(made)
        return found

    def _rows(self, region: str) -> list:
        found: dict = {}
        for reservation in self._connect().pages(
            region, "describe_instances", "Reservations", "list the instances", brief=True, MaxResults=PAGE_SIZE
        ):
            for row in reservation.get("Instances") or []:
                found[_http.id_in(row, f"{self.TITLE} in {region}", self.NAME, "InstanceId")] = (
                    row  # one that moved between two pages comes twice
                )
        return list(found.values())

    def _counts(self, row: dict) -> bool:
        """Whether an instance is listed."""
        if self.options.get("all_instances"):
            return True
        if machines.tags_of(row).get(machines.OURS) == "true":
            return True
        described = self._types.get(row.get("InstanceType"))
        return bool(described.count != 0) if described else machines.may_have_gpu(str(row.get("InstanceType") or ""))

    def is_host(self, instance: Instance) -> bool:
        """Not a Windows machine: such a one is listed, so that its name counts and it can be destroyed, but has no SSH without more."""
        if instance.id in self._windows:
            LOG.debug("AWS: %s runs Windows and becomes no host", instance.id)
        return instance.id not in self._windows

    def _learn_types(self, seen: dict) -> None:
        """Ask for the types (region -> names) that are not known yet, each once, in a region that has it.

        A type that none of its regions describes stays unknown.
        """
        left: dict = {}
        for region, names in seen.items():
            for name in names:
                if name and name not in self._types:
                    left.setdefault(name, []).append(region)
        while left:
            questions: dict = {}
            for name, regions in left.items():
                if regions:
                    questions.setdefault(regions.pop(0), []).append(name)
                else:
                    LOG.debug("AWS: the type %s is not described in any region that has it", name)
                    self._types[name] = None
            for described in self._in_regions(questions, lambda region, asked=questions: self._describe_types(region, asked[region])):
                self._types.update(described)
            left = {name: regions for name, regions in left.items() if name not in self._types}

    def _describe_types(self, region: str, names: list) -> dict:
        rows = self._in_batches(region, "describe_instance_types", "InstanceTypes", "InstanceTypes", names, "InvalidInstanceType", "types")
        return {row.name: row for row in map(machines.machine, rows)}

    def _learn_images(self, kept: list) -> None:
        """Who logs in to each image that is not known yet, where neither the account nor a tag says it."""
        wanted: dict = {}
        for region, row in kept:
            known = self.options.get("ssh_user") or machines.tags_of(row).get(USER_TAG) or machines.is_windows(row)
            if not known and row.get("ImageId") and (region, row["ImageId"]) not in self._images:
                wanted.setdefault(region, {})[row["ImageId"]] = row.get("PlatformDetails")

        def ask(region):
            # Deprecated images are still in use; one that was deregistered is gone, and says nothing.
            rows = self._in_batches(
                region, "describe_images", "ImageIds", "Images", list(wanted[region]), "InvalidAMIID", "images", IncludeDeprecated=True
            )
            return {row["ImageId"]: row for row in rows if row.get("ImageId")}

        for region, rows in zip(list(wanted), self._in_regions(wanted, ask)):
            for image_id, platform in wanted[region].items():
                self._images[(region, image_id)] = machines.login(rows.get(image_id) or {}, platform)

    def _user(self, region: str, row: dict) -> str | None:
        if machines.is_windows(row):
            return None
        found = self.options.get("ssh_user") or machines.tags_of(row).get(USER_TAG) or self._images.get((region, row.get("ImageId")))
        if not found:
            LOG.debug("AWS: nothing says who logs in to %s (image %s); set the tag %s", row["InstanceId"], row.get("ImageId"), USER_TAG)
        return found

    def _in_batches(self, region: str, operation: str, argument: str, key: str, names: list, bad: str, what: str, **more) -> list:
        """The answers for many names. One bad name sinks a whole question at AWS, so it is asked again without those it complains of."""
        rows: list = []
        questions = [names[start : start + BATCH] for start in range(0, len(names), BATCH)]
        while questions:
            asked = questions.pop()
            codes = (bad, bad + ".NotFound", bad + ".Malformed", bad + ".Unavailable")
            try:
                answer = self._connect().call(
                    region, operation, f"read the {what}", refusals=codes, brief=True, **dict(more, **{argument: asked})
                )
                rows += answer.get(key) or []
            except Refused as refused:
                named = set(re.findall(r"[\w.-]+", refused.message))
                good = [name for name in asked if name not in named]
                LOG.debug("AWS: %s in %s: %s", operation, region, refused.message)
                if len(good) < len(asked):
                    questions += [good] if good else []
                elif len(asked) > 1:
                    questions += [asked[: len(asked) // 2], asked[len(asked) // 2 :]]
        return rows

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def check_request(self, request: LaunchRequest) -> None:
        renting.check(request)
        renting.user_data(request.startup_script)

    def launch(self, request: LaunchRequest) -> str:
        """Rent one instance. All that can be checked is checked before anything is made; making a key pair or a security group is free.

        Options: ``instance_type``, ``image_owners``, ``key_name``, ``security_group_ids``, ``subnet_id``, ``public_ip``,
        ``iam_instance_profile``.
        """
        options = renting.check(request)
        data = renting.user_data(request.startup_script)
        region, zone = self._place(request.region)
        connection = self._connect()
        image = None
        if request.image:
            image = images.image(connection, region, request.image, None, options.get("image_owners"))
        machine = renting.choose(connection, region, request, options, image.get("Architecture") if image else None)
        if image is None:
            image = images.image(connection, region, None, machine, None)
        disk = images.root_disk(image, request.disk_gb)
        groups = options.get("security_group_ids") or [network.group(connection, region, options.get("subnet_id"))]
        key = keys.ensure(connection, region, request.ssh_public_key) if request.ssh_public_key else options.get("key_name")
        wanted = renting.body(request, options, machine, image["ImageId"], groups)
        more = {"KeyName": key, "BlockDeviceMappings": disk, "UserData": data, "Placement": zone and {"AvailabilityZone": zone}}
        wanted.update({name: value for name, value in more.items() if value})
        instance_id = renting.run(connection, region, request, wanted)
        self._where[instance_id] = region
        return instance_id

    def _place(self, asked: str | None) -> tuple:
        """(region, zone or None) to rent in: what is asked for, else the only region of the account, else that of AWS's configuration."""
        if not asked:
            wanted = self.options.get("regions") or []
            asked = wanted[0] if len(wanted) == 1 else self._connect().home()
            if wanted and asked not in wanted:
                raise RentedError(f"Name the region to rent in, one of {', '.join(wanted)}.", self.NAME)
        region, zone = asked, None
        if re.match(r"^[a-z]{2}-.+-\d[a-z]$", asked):
            region, zone = asked[:-1], asked
        self._check_region(region)
        return region, zone

    def destroy(self, instance_id: str) -> None:
        try:
            self._act(instance_id, "terminate_instances", f"destroy instance {instance_id}")
        except NotFound:
            pass

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        self._act(instance_id, "stop_instances", f"stop instance {instance_id}")

    def start(self, instance_id: str) -> None:
        self._act(instance_id, "start_instances", f"start instance {instance_id}")

    def set_label(self, instance_id: str, label: str) -> None:
        if not label or len(label) > renting.TAG_LIMIT:
            raise RentedError(f"{self.TITLE} takes names of 1 to {renting.TAG_LIMIT} characters.", self.NAME)
        what = f"rename instance {instance_id}"
        region = self._region_of(instance_id, what)
        self._connect().call(region, "create_tags", what, Resources=[instance_id], Tags=[{"Key": "Name", "Value": label}])

    def console(self, instance_id: str) -> str:
        what = f"read the console of instance {instance_id}"
        region, connection = self._region_of(instance_id, what), self._connect()
        try:
            # Machines before Nitro only have what they printed when they booted.
            answer = connection.call(
                region, "get_console_output", what, refusals=("UnsupportedOperation",), InstanceId=instance_id, Latest=True
            )
        except Refused:
            answer = connection.call(region, "get_console_output", what, InstanceId=instance_id)
        return str(answer.get("Output") or "")

    def _act(self, instance_id: str, operation: str, what: str) -> None:
        """Ask something of one instance. Asking twice does no more than asking once."""
        region = self._region_of(instance_id, what)
        try:
            self._connect().call(
                region,
                operation,
                what,
                refusals=("OperationNotPermitted", "UnsupportedOperation", "IncorrectInstanceState"),
                InstanceIds=[instance_id],
            )
        except Refused as refused:
            if refused.code == "OperationNotPermitted" and operation == "terminate_instances":
                raise RentedError(
                    f"Instance {instance_id} is protected against being destroyed. Take its termination protection "
                    "away in AWS's console first.",
                    self.NAME,
                ) from None
            if refused.code == "UnsupportedOperation" and "spot" in refused.message.lower():
                raise RentedError(
                    f"{self.TITLE} cannot {what}: a spot instance that was asked for once can only be destroyed.", self.NAME
                ) from None
            raise refused.error from None

    def _region_of(self, instance_id: str, what: str) -> str:
        """Where an instance is: from the last list, else by asking every region."""
        if not re.match(r"^i-[0-9a-f]{8,17}$", str(instance_id)):
            raise NotFound(f"{self.TITLE}'s ids look like i-0123456789abcdef0; '{instance_id}' does not.", self.NAME)
        if instance_id not in self._where:
            regions = self.regions()
            for region, there in zip(regions, self._in_regions(regions, lambda region: self._is_in(region, instance_id, what))):
                if there:
                    self._where[instance_id] = region
        if instance_id not in self._where:
            raise NotFound(f"{self.TITLE} knows nothing of this: {what}.", self.NAME)
        return self._where[instance_id]

    def _is_in(self, region: str, instance_id: str, what: str) -> bool:
        try:
            answer = self._connect().call(
                region, "describe_instances", what, refusals=("InvalidInstanceID.NotFound",), InstanceIds=[instance_id]
            )
        except Refused:
            return False
        return any(reservation.get("Instances") for reservation in answer.get("Reservations") or [])

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """Types with GPUs by region, on demand and as spot machines, as far as they may fit. AWS does not say how many are free."""
        regions = [name for name in self.regions() if not wish.regions or any(_offers.is_in(name, place) for place in wish.regions)]
        offered = dict(zip(regions, self._in_regions(regions, self._offered_types)))
        self._learn_types(offered)
        fitting = {
            region: sorted(name for name in names if self._types.get(name) and offers.may_fit(self._types[name], wish))
            for region, names in offered.items()
        }
        fitting = {region: names for region, names in fitting.items() if names}
        if not fitting:
            return []
        connection, types = self._connect(), sorted({name for names in fitting.values() for name in names})
        volumes = prices.storage(connection, list(fitting))
        found = []
        if wish.interruptible is not True:
            listed = prices.on_demand(connection, types, list(fitting))
            found += [
                offers.offer(region, self._types[name], listed.get((region, name)), False, volumes.get(region), self.account)
                for region, names in fitting.items()
                for name in names
                if "on-demand" in (self._types[name].usages or ("on-demand",))
            ]
        if wish.interruptible is not False:
            asked = {region: [name for name in names if "spot" in self._types[name].usages] for region, names in fitting.items()}
            asked = {region: names for region, names in asked.items() if names}
            now = self._in_regions(asked, lambda region: prices.spot(connection, region, asked[region]))
            # A type without a spot price is not to be had as a spot machine there.
            found += [
                offers.offer(region, self._types[name], price, True, volumes.get(region), self.account)
                for region, spot in zip(asked, now)
                for name, price in spot.items()
            ]
        return found

    def _offered_types(self, region: str) -> list:
        rows = self._connect().pages(
            region,
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            "read which types there are",
            LocationType="region",
            Filters=[{"Name": "instance-type", "Values": list(machines.GPU_FAMILIES)}],
        )
        return [row["InstanceType"] for row in rows if row.get("InstanceType")]

    # --- keys of the account -----------------------------------------------------------------------------------------

    def list_keys(self) -> list:
        regions = self.regions()
        return keys.merged(dict(zip(regions, self._in_regions(regions, lambda region: keys.pairs(self._connect(), region)))))

    def add_key(self, name: str, public_key: str) -> str:
        keys.check(public_key)
        return keys.add(self._connect(), self.regions(), name, public_key)

    def remove_key(self, key_id: str) -> None:
        keys.remove(self._connect(), key_id)
