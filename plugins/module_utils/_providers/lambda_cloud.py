# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Lambda's public cloud, through its REST API.

Facts: Lambda's OpenAPI file 1.10.0 (units, limits, error codes), and its documentation's pages on billing and on access. Lambda has
no paging, no way to stop an instance, nothing interruptible and no creation times.
"""

from __future__ import annotations

import re
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import NotFound, ProviderUnavailable, RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanRegisterKey,
    Provider,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda import connection, keys, launching, machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._lambda.machines import instance
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http, _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, SshKey, Wish

API_PATH = "/api/v1"
LAUNCHES = 10  # tries over types and regions before a launch is given up: two minutes


class LambdaProvider(Provider, CanLaunch, CanLabel, CanListOffers, CanRegisterKey):
    """One account at Lambda."""

    NAME = connection.NAME
    TITLE = connection.TITLE
    ENDPOINT = "https://cloud.lambda.ai" + API_PATH
    ENDPOINT_ENV = ("LAMBDA_CLOUD_BASE_URL",)
    API_KEY_ENV = ("LAMBDA_API_KEY", "LAMBDA_CLOUD_API_TOKEN", "LAMBDA_API_TOKEN")
    KEY_FILES = ("~/.lambda_cloud/lambda_keys",)
    SSH_USER = machines.SSH_USER

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        _http.check_key(self.TITLE, self.NAME, self.api_key)
        # Other programs that read the same variable want the server alone in it.
        if urllib.parse.urlsplit(self.endpoint).path == "":
            self.endpoint += API_PATH
        self._connection: _http.JsonApi | None = None
        self._launch_pace: _http.Pace | None = None

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
            _http.id_in(row, self.TITLE, self.NAME)
            found.append(instance(row, self.account))
            self.remember_raw(found[-1].id, row)
        return found

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def check_request(self, request: LaunchRequest) -> None:
        launching.check(request)

    def launch(self, request: LaunchRequest) -> str:
        """Rent the cheapest type that fits, in a region that has one. Where there is none left, the next region and type are tried.

        Options: ``instance_type``, ``ssh_key_name`` (of the account), ``file_systems`` (names), ``file_system_mounts`` (list of
        ``mount_point`` and ``file_system_id``), ``hostname``, ``tags`` (mapping), ``firewall_rulesets`` (ids), ``user_data`` (cloud-init).
        """
        options = launching.check(request)
        types = launching.fitting(self._types(), request, options)
        regions = self._regions_of_file_systems(options, request)
        images = self._images(request.image) if request.image else None
        places = [
            (kind["name"], region)
            for kind, free in types
            for region in free
            if launching.may_be(kind, region, request.region, regions, images)
        ]
        if not places:
            raise self._no_place(types, request, regions, images)
        body = launching.body(request, options)
        body["ssh_key_names"] = [self._key_name(request.ssh_public_key, options.get("ssh_key_name"))]
        tried = []
        for type_name, region in places[:LAUNCHES]:
            tried.append(f"{type_name} in {region}")
            try:
                return self._rent({**body, "instance_type_name": type_name, "region_name": region})
            except RentedError as error:
                if error.code != connection.NO_CAPACITY:
                    raise
        raise NotFound(
            f"Lambda has no capacity left for {launching.describe(request, options)}; tried {', '.join(tried)}. Try "
            "again later, or ask for another GPU or region.",
            self.NAME,
        )

    def _rent(self, body: dict) -> str:
        """Send the one request that costs money, once."""
        what = f"rent {body['instance_type_name']} in {body['region_name']}"
        if self._launch_pace is None:
            self._launch_pace = _http.Pace(connection.LAUNCH_INTERVAL, clock=self.clock, sleep=self.sleep)
        with self._launch_pace:
            answer = self._call("POST", "/instance-operations/launch", what, body)
        ids = [_values.text(item) for item in _values.mapping(answer).get("instance_ids") or []]
        if not ids or ids[0] is None or None in ids:
            raise ProviderUnavailable(f"Lambda answered the request to {what} without an instance id.", self.NAME)
        if len(ids) > 1:
            why = f"one instance was asked for, and Lambda made {len(ids)}"
            raise _launching.given_back(self.TITLE, self.NAME, why, ids, self.destroy)
        return ids[0]

    def destroy(self, instance_id: str) -> None:
        what = f"destroy instance {instance_id}"
        try:
            answer = self._call("POST", "/instance-operations/terminate", what, {"instance_ids": [str(instance_id)]}, repeat=True)
        except RentedError as error:
            if error.code == connection.NO_SUCH_OBJECT:
                return
            # What a second request for one that is terminating is answered, Lambda does not document; so look.
            if error.status in (400, 409) and self._is_going(instance_id):
                return
            raise
        ended = [_values.text(row.get("id")) for row in _values.rows(_values.mapping(answer).get("terminated_instances"))]
        if str(instance_id) not in ended and not self._is_going(instance_id):
            raise RentedError(
                f"Lambda answered the request to {what}, but did not do it. It is billed: look into Lambda's web page.", self.NAME
            )

    def _is_going(self, instance_id: str) -> bool:
        found = self.get_instance(instance_id)
        return found is None or found.state in ("stopping", "terminated")

    def set_label(self, instance_id: str, label: str) -> None:
        launching.check_name(label, "an instance")
        self._call("POST", "/instances/" + connection.quoted(instance_id), f"rename instance {instance_id}", {"name": label}, repeat=True)

    # --- where it may be ---------------------------------------------------------------------------------------------

    def _types(self) -> list:
        """``(instance type, names of the regions that have one)`` of every type that Lambda has."""
        what = "list the instance types"
        answer = self._call("GET", "/instance-types", what)
        if not isinstance(answer, dict):  # by name
            raise _http.no_list(self.TITLE, self.NAME, what)
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
                    raise RentedError(f"The account at Lambda has no file system '{word}'. {hint}", self.NAME)
                where[word] = there[word]
        told = ", ".join("'%s' is in %s" % item for item in sorted(where.items()))
        if len(set(where.values())) > 1:
            raise RentedError(f"An instance mounts the file systems of its own region, but {told}.", self.NAME)
        if request.region and request.region not in where.values():
            raise RentedError(f"The instance cannot be in {request.region}: the file system {told}.", self.NAME)
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
            raise RentedError(f"Lambda has no image family and no image id '{image}'. {hint}", self.NAME)
        return found

    def _no_place(self, types: list, request: LaunchRequest, regions: set | None, images: set | None) -> RentedError:
        """Why no region will do. A region that does not exist is told from one that has none left."""
        asked, free = request.region, sorted({region for _kind, there in types for region in there})
        if asked and asked not in free:
            known = _names(self._list("/regions", "list the regions"))
            if asked not in known:
                return RentedError(f"Lambda has no region '{asked}'. {nearest(asked, known)}", self.NAME)
        where = "none at all" if not free else "only in " + ", ".join(free)
        if free and regions is not None and not regions & set(free):
            where += ", and the file systems are in " + ", ".join(sorted(regions))
        elif free and images is not None and (not asked or asked in free):
            where += f", where the image '{request.image}' is not to be had for its processor"
        return NotFound(
            f"Lambda has no capacity for {launching.describe(request, dict(request.options))} now: {where}. Try "
            "again later, or ask for another GPU or region.",
            self.NAME,
        )

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """One offer per type with a GPU and region that has one. The disk is part of the price, and transfer is not billed."""
        return [
            offers.offer(kind, region, self.account) for kind, regions in self._types() if machines.gpus(kind)[0] != 0 for region in regions
        ]

    # --- keys --------------------------------------------------------------------------------------------------------

    def list_keys(self) -> list:
        return [
            SshKey(id=_values.text(row["id"]) or "", name=_values.text(row.get("name")), public_key=_values.text(row.get("public_key")))
            for row in _values.rows(self._list("/ssh-keys", "list the SSH keys"))
            if _values.text(row.get("id"))
        ]

    def add_key(self, name: str, public_key: str) -> str:
        launching.check_name(name, "a key")
        key = keys.check(public_key)
        for known in self.list_keys():
            if known.name == name:
                if _public_key.same(known.public_key, key):
                    return known.id
                raise RentedError(
                    f"Lambda has another SSH key under the name '{name}'. Choose another name, or remove that key first.", self.NAME
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
            self._call("DELETE", "/ssh-keys/" + connection.quoted(key_id), f"remove SSH key {key_id}")
        except RentedError as error:
            # The same code is the answer to an address that Lambda does not know, so the list decides.
            if error.code not in (connection.NO_SUCH_OBJECT, connection.NO_SUCH_THING) or any(
                key.id == str(key_id) for key in self.list_keys()
            ):
                raise

    def _key_name(self, public_key: str | None, name: str | None) -> str:
        """The name of the one key that a launch takes; a key that the account lacks is registered under a name made from itself."""
        there = [key for key in self.list_keys() if key.name]
        names = [key.name for key in there]
        if public_key:
            key = keys.check(public_key)
            for known in there:
                if _public_key.same(known.public_key, key):
                    return known.name
            made = keys.name_for(key)
            self._add_key(made, key)
            return made
        if name:
            if name not in names:
                hint = nearest(name, names) if names else "It has none."
                raise RentedError(f"The account at Lambda has no SSH key '{name}'. {hint}", self.NAME)
            return name
        if len(names) == 1:
            return names[0]
        found = f"several ({', '.join(sorted(names))})" if names else "none"
        raise RentedError(
            f"Lambda rents with exactly one SSH key, and the account has {found}. Give 'ssh_public_key', or a key's "
            "name (options: ssh_key_name).",
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
                pace=_http.Pace(connection.INTERVAL, clock=self.clock, sleep=self.sleep),
                sleep=self.sleep,
            )
        try:
            answer = self._connection.call(method, path, body=body, what=what, repeat=repeat)
        except RentedError as error:
            raise connection.explained(error, what) from None
        if not isinstance(answer, dict) or "data" not in answer:
            raise ProviderUnavailable(f"Lambda's answer holds no data when asked to {what}; its API may have changed.", self.NAME)
        return answer["data"]

    def _list(self, path: str, what: str) -> list:
        """A payload that is a list."""
        return _http.list_in(self._call("GET", path, what), None, self.TITLE, self.NAME, what)


def _names(value) -> list:
    """The names of a list of regions, in their order."""
    return [name for name in (_values.text(row.get("name")) for row in _values.rows(value)) if name]
