# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Google Cloud to test against: Compute Engine and the server that gives tokens, for one project, in memory.

In a test::

    with FakeGcp(rows=[row(1), row(2)]) as fake:
        fake.fault("list", "unreachable")
        fake.fails("create", "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone has no such machine.", zone="us-central1-a")
        GcpProvider(endpoint=fake.url, service_account_file=fake.service_account_file()).list_instances()

As a program: ``python3 tests/fakes/gcp.py --count 60``; it prints its address and the environment with a service account's file.

A token is given for a JWT that the service account's key has signed, as google-auth makes it, and has the scope that was asked for.
What the API takes and gives is checked against ``schemas/gcp.json``, as ``fake_api.py`` says.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import pathlib
import re
import signal
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fake_api

KEY = "fake-gcp-token-0123456789abcdef"  # a token of all scopes, for whoever asks without a service account
PROJECT = "ada-gpus"
IMAGES = "deeplearning-platform-release"
FAMILY = "common-cu129-ubuntu-2204-nvidia-580"
EMAIL = "ansible@ada-gpus.iam.gserviceaccount.com"
PAGE = 500
ZONES = ("us-central1-a", "us-central1-b", "us-east4-c", "europe-west4-a", "asia-east1-a")
HOST = "https://www.googleapis.com/compute/v1/"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = {"read": "https://www.googleapis.com/auth/compute.readonly", "write": "https://www.googleapis.com/auth/compute"}
REASONS = {
    400: ("invalid", "INVALID_ARGUMENT"),
    401: ("authError", "UNAUTHENTICATED"),
    403: ("forbidden", "PERMISSION_DENIED"),
    404: ("notFound", "NOT_FOUND"),
    409: ("alreadyExists", "ALREADY_EXISTS"),
    412: ("conditionNotMet", "FAILED_PRECONDITION"),
    429: ("rateLimitExceeded", "RESOURCE_EXHAUSTED"),
}
# Refusals that this API has beside the usual ones: fault -> (status, reason, words)
REFUSALS = {
    "403-rate": (403, "rateLimitExceeded", "Quota exceeded for quota metric 'List requests' and limit 'List requests per minute'."),
    "service-off": (403, "accessNotConfigured", "Compute Engine API has not been used in project 123 before or it is disabled."),
    "billing": (403, "billingNotEnabled", "This API method requires billing to be enabled."),
    "scope": (403, "insufficientPermissions", "Request had insufficient authentication scopes."),
    "stranger": (403, "forbidden", "Permission denied on resource project ada-gpus (or it may not exist)."),
    "quota": (403, "quotaExceeded", "Quota 'NVIDIA_L4_GPUS' exceeded. Limit: 0.0 in region us-central1."),
    "400": (400, "invalid", "Invalid value for field 'resource': it cannot be so."),
}

# name -> (vCPUs, MiB, accelerator, count)
MACHINES = {
    "a2-highgpu-1g": (12, 87040, "nvidia-tesla-a100", 1),
    "a2-ultragpu-1g": (12, 174080, "nvidia-a100-80gb", 1),
    "a3-highgpu-8g": (208, 1916928, "nvidia-h100-80gb", 8),
    "g2-standard-4": (4, 16384, "nvidia-l4", 1),
    "g2-standard-24": (24, 98304, "nvidia-l4", 2),
    "n1-standard-8": (8, 30720, None, 0),
    "e2-small": (2, 2048, None, 0),
}
# accelerator -> (the most that an instance can have, zones)
ACCELERATORS = {
    "nvidia-tesla-t4": (4, ("us-central1-a", "us-central1-b", "europe-west4-a")),
    "nvidia-tesla-v100": (8, ("us-central1-b", "asia-east1-a")),
    "nvidia-l4": (8, ("us-central1-a", "us-east4-c", "europe-west4-a")),
    "nvidia-l4-vws": (8, ("us-central1-a",)),
    "ct6e": (8, ("us-east4-c",)),
}
# Where the machine types are; those that are not here are everywhere.
PLACES = {
    "a2-highgpu-1g": ("us-central1-a", "europe-west4-a", "asia-east1-a"),
    "a2-ultragpu-1g": ("us-central1-b", "us-east4-c"),
    "a3-highgpu-8g": ("us-east4-c",),
    "g2-standard-4": ("us-central1-a", "us-central1-b", "us-east4-c", "europe-west4-a"),
    "g2-standard-24": ("us-central1-a",),
}


def row(number: int, **changes) -> dict:
    """An instance as the list gives it: made up, plausible, with secrets in its metadata that must not come out at the other end."""
    zone = changes.pop("zone", ZONES[number % 3])
    name = changes.pop("name", "box-%d" % number)
    machine = changes.pop("machine", "g2-standard-4")
    link = "%sprojects/%s/zones/%s" % (HOST, PROJECT, zone)
    accelerator, count = MACHINES.get(machine, (0, 0, None, 0))[2:]
    made = {
        "kind": "compute#instance",
        "id": str(7000000000000000000 + number),
        "creationTimestamp": "2026-11-20T09:00:00.000-08:00",
        "name": name,
        "description": "",
        "tags": {"items": ["rented-gpu"], "fingerprint": "42WmSpB8rSM="},
        "machineType": "%s/machineTypes/%s" % (link, machine),
        "status": "RUNNING",
        "zone": link,
        "canIpForward": False,
        "networkInterfaces": [
            {
                "kind": "compute#networkInterface",
                "network": "%sprojects/%s/global/networks/default" % (HOST, PROJECT),
                "networkIP": "10.128.0.%d" % (number % 250 + 2),
                "name": "nic0",
                "stackType": "IPV4_ONLY",
                "accessConfigs": [
                    {
                        "type": "ONE_TO_ONE_NAT",
                        "name": "External NAT",
                        "natIP": "203.0.113.%d" % (number % 250 + 1),
                        "networkTier": "PREMIUM",
                    }
                ],
            }
        ],
        "disks": [
            {
                "kind": "compute#attachedDisk",
                "type": "PERSISTENT",
                "mode": "READ_WRITE",
                "source": "%s/disks/%s" % (link, name),
                "index": 0,
                "boot": True,
                "autoDelete": True,
                "diskSizeGb": "100",
            }
        ],
        "metadata": {
            "kind": "compute#metadata",
            "fingerprint": "Xq9Zb1-h3mE=",
            "items": [
                {"key": "ssh-keys", "value": "ada:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== ada@example.org"},
                {"key": "startup-script", "value": "#!/bin/sh\nexport TOKEN=SECRET-startup-%d" % number},
                {"key": "db-password", "value": "SECRET-metadata-%d" % number},
            ],
        },
        "scheduling": {
            "onHostMaintenance": "TERMINATE",
            "automaticRestart": True,
            "preemptible": False,
            "provisioningModel": "STANDARD",
        },
        "labels": {"rented-gpu": "true", "name": name},
        "startRestricted": False,
        "deletionProtection": False,
        "lastStartTimestamp": "2026-11-20T09:00:09.123-08:00",
    }
    if accelerator:
        made["guestAccelerators"] = [{"acceleratorType": "%s/acceleratorTypes/%s" % (link, accelerator), "acceleratorCount": count}]
    made.update(changes)
    made["labelFingerprint"] = fingerprint(made["labels"])
    return made


def fingerprint(value) -> str:
    """What changes when the value does."""
    return base64.b64encode(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:8]).decode()


@functools.lru_cache(maxsize=None)
def key_pair() -> tuple:
    """A service account's key, made once: (private, public), PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class FakeGcp(fake_api.FakeApi):
    """The server and its state; ``page`` is the most that one page holds, ``wall`` its clock for tokens, ``waits`` how often an operation
    that is waited for is not done yet."""

    NAME = "gcp"
    KEY = KEY
    FAULTS = (*fake_api.FAULTS, *REFUSALS, "cursor", "unreachable", "zone-warning", "no-kind")

    def __init__(self, rows=(), page: int = PAGE, waits: int = 0, wall=time.time, **options) -> None:
        super().__init__(rows, **options)
        self.page, self.waits, self.wall = page, waits, wall
        self.issued: dict = {}  # token -> scopes
        self.token_requests: list = []
        self.token_faults: list = []  # (status, body) of the next answers of the token server
        self.metadata: list = [
            {"key": "enable-oslogin", "value": "FALSE"},
            {"key": "ssh-keys", "value": "grace:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAE= grace@example.org"},
        ]
        self.images: dict = {(IMAGES, FAMILY): 50, ("ubuntu-os-cloud", "ubuntu-2404-lts-amd64"): 10}
        self.fills_accelerators = True  # whether an instance of a GPU family names its GPUs itself
        self.operations: dict = {}
        self.consoles: dict = {}
        self._planned: list = []
        self._changing: dict = {}  # id -> [lists left, what then]
        self._folder = tempfile.TemporaryDirectory(prefix="fake-gcp-")
        self._caller = threading.local()

    def __exit__(self, *exception) -> None:
        super().__exit__(*exception)
        self._folder.cleanup()

    # --- credentials -------------------------------------------------------------------------------------------------

    def service_account(self, **changes) -> dict:
        """What the file of the service account says."""
        made = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "0123456789abcdef0123456789abcdef01234567",
            "private_key": key_pair()[0],
            "client_email": EMAIL,
            "client_id": "100000000000000000001",
            "token_uri": self.origin + "/token",
            "universe_domain": "googleapis.com",
        }
        made.update(changes)
        return {name: value for name, value in made.items() if value is not None}

    def service_account_file(self, **changes) -> str:
        """The path of such a file."""
        text = json.dumps(self.service_account(**changes))
        path = pathlib.Path(self._folder.name) / ("account-%s.json" % hashlib.sha256(text.encode()).hexdigest()[:12])
        path.write_text(text)
        return str(path)

    def environment(self) -> dict:
        return {"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": self.url, "GOOGLE_APPLICATION_CREDENTIALS": self.service_account_file()}

    def own(self, method: str, path: str, body) -> tuple | None:
        if (method, path) == ("POST", "/token"):
            return self._give_token(dict(urllib.parse.parse_qsl(body.decode())))
        return None

    def _give_token(self, form: dict) -> tuple:
        from google.auth import exceptions, jwt

        self.token_requests.append(form)
        if self.token_faults:
            status, answer = self.token_faults.pop(0)
            return status, answer, {}
        if form.get("grant_type") != JWT_GRANT:
            return 400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}, {}
        try:
            claims = jwt.decode(form.get("assertion", ""), certs=key_pair()[1], verify=False)
            jwt.decode(form["assertion"], certs=key_pair()[1], clock_skew_in_seconds=10**10)
        except (exceptions.GoogleAuthError, ValueError):
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, {}
        if claims.get("iss") != EMAIL or claims.get("aud") != "https://oauth2.googleapis.com/token":
            return 400, {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}, {}
        if not claims["iat"] - 300 <= self.wall() <= claims["exp"]:
            words = (
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values."
            )
            return 400, {"error": "invalid_grant", "error_description": words}, {}
        token = "ya29.fake-%s" % hashlib.sha256(form["assertion"].encode()).hexdigest()
        self.issued[token] = claims["scope"].split()
        return 200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}, {}

    def authorized(self, headers) -> bool:
        token = (headers.get("Authorization") or "").replace("Bearer ", "", 1)
        self._caller.scopes = list(SCOPES.values()) if token == self.key else self.issued.get(token)
        return self._caller.scopes is not None

    # --- its own ways ------------------------------------------------------------------------------------------------

    def error(self, status: int, words: str, reason: str | None = None) -> tuple:
        usual, word = REASONS.get(status, ("backendError", "UNAVAILABLE"))
        inner = {"message": words, "domain": "global", "reason": reason or usual}
        return status, {"error": {"code": status, "message": words, "errors": [inner], "status": word}}, {}

    def unauthorized(self) -> tuple:
        return self.error(401, "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other.")

    def endless(self, operation: str):
        return {"kind": "compute#instanceAggregatedList", "items": {}, "nextPageToken": "the-same"}

    def broken(self, fault: dict, operation: str, ids: dict, query: dict, body) -> tuple | None:
        kind = fault["kind"]
        if kind in REFUSALS:
            status, reason, words = REFUSALS[kind]
            return self.error(status, words, reason)
        if kind == "no-kind":
            return 200, {"message": "welcome"}, {}
        if kind == "unreachable":
            return 200, {**self._aggregated("instance", "instances", self._shown(), query), "unreachables": ["zones/asia-east1-a"]}, {}
        if kind == "zone-warning":
            answer = self._aggregated("instance", "instances", self._shown(), query)
            answer["items"]["zones/asia-east1-a"] = {"warning": {"code": "UNREACHABLE", "message": "no answer", "data": []}}
            return 200, answer, {}
        return super().broken(fault, operation, ids, query, body)

    def perform(self, operation: str, ids: dict, query: dict, body) -> tuple:
        if any(token in str(query) for token in [*self.issued, self.key]):
            self.violations.append("a token is in the URL")
        reads = self.schema["operations"][operation]["method"] == "GET" or operation.startswith("wait")
        allowed = {SCOPES["write"]} | ({SCOPES["read"]} if reads else set())
        if not allowed & set(self._caller.scopes):
            return self.error(403, "Request had insufficient authentication scopes.", "insufficientPermissions")
        if ids["project"] != PROJECT and not operation.startswith("image"):
            return self.error(404, "The resource 'projects/%s' was not found" % ids["project"])
        if ids.get("zone", ZONES[0]) not in ZONES:
            return self.error(400, "Invalid value for field 'zone': '%s'. Unknown zone." % ids["zone"])
        if "instance" in ids:
            found = self._find(ids)
            if found is None:
                return self.error(404, "The resource 'projects/%s/zones/%s/instances/%s' was not found" % tuple(ids.values()))
            return getattr(self, "_" + operation)(found, query, body)
        return getattr(self, "_" + operation)(ids, query, body)

    def fails(self, operation: str, code: str, words: str, zone: str | None = None, times: int = 1, leaves: bool = False) -> None:
        """Let the operations of a kind ("create", "start") end with an error; ``leaves``: with the instance there nevertheless."""
        self._planned.append({"operation": operation, "code": code, "words": words, "zone": zone, "times": times, "leaves": leaves})

    # --- answering ---------------------------------------------------------------------------------------------------

    def _find(self, ids: dict) -> dict | None:
        for item in self.rows.values():
            if ids["instance"] in (item["id"], item["name"]) and _last(item["zone"]) == ids["zone"]:
                return item
        return None

    def _shown(self) -> list:
        """The instances, one list later: what changes by itself has changed."""
        for number, change in list(self._changing.items()):
            if change[0] > 0:
                change[0] -= 1
                continue
            del self._changing[number]
            if change[1] is None:
                self.rows.pop(number, None)
            elif number in self.rows:
                self.rows[number].update(change[1])
        return sorted(self.rows.values(), key=lambda item: (item["zone"], item["name"]))

    def _aggregated(self, kind: str, plural: str, items: list, query: dict) -> dict:
        kept, token = self._paged(_filtered(items, query.get("filter")), query)
        scopes: dict = {}
        for zone in ZONES:
            mine = [item for item in kept if _last(item["zone"]) == zone]
            empty = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results for scope.", "data": []}}
            scopes["zones/" + zone] = {plural: mine} if mine else empty
        answer = {"kind": "compute#%sAggregatedList" % kind, "id": "projects/%s/aggregated/%s" % (PROJECT, plural), "items": scopes}
        return {**answer, "nextPageToken": token} if token else answer

    def _paged(self, items: list, query: dict) -> tuple:
        size = min(int(query.get("maxResults", PAGE)), self.page)
        start = int(query.get("pageToken", "from-0").rsplit("-", 1)[1])
        return items[start : start + size], "from-%d" % (start + size) if start + size < len(items) else None

    def _list(self, _ids: dict, query: dict, _body) -> tuple:
        return 200, self._aggregated("instance", "instances", self._shown(), query)

    def _list_zone(self, ids: dict, query: dict, _body) -> tuple:
        items, token = self._paged([item for item in self._shown() if _last(item["zone"]) == ids["zone"]], query)
        answer = {"kind": "compute#instanceList", "id": "projects/%s/zones/%s/instances" % (PROJECT, ids["zone"])}
        # The real one leaves out what is empty.
        return 200, {**answer, **({"items": items} if items else {}), **({"nextPageToken": token} if token else {})}

    def _get(self, item: dict, _query: dict, _body) -> tuple:
        return 200, item

    def _console(self, item: dict, _query: dict, _body) -> tuple:
        text = self.consoles.get(item["id"], "Debian GNU/Linux\nlogin: ")
        return 200, {"kind": "compute#serialPortOutput", "contents": text, "start": "0", "next": str(len(text))}

    def _create(self, ids: dict, query: dict, body: dict) -> tuple:
        zone = ids["zone"]
        wrong = self._wrong_body(zone, body)
        if wrong:
            return self.error(400, wrong)
        if any(item["name"] == body["name"] and _last(item["zone"]) == zone for item in self.rows.values()):
            return self.error(409, "The resource 'projects/%s/zones/%s/instances/%s' already exists" % (PROJECT, zone, body["name"]))
        number = str(int(max([*self.rows, "7100000000000000000"])) + 1)
        plan = self._take_plan("create", zone)
        if plan is None or plan["leaves"]:
            self._make(number, zone, body)
        operation = self._operation("insert", number, zone, plan)
        return 200, {**operation, "clientOperationId": query["requestId"]}

    def _wrong_body(self, zone: str, body: dict) -> str | None:
        machine = _last(body["machineType"])
        attached = body.get("guestAccelerators", [])
        if "zones/%s/" % zone not in body["machineType"]:
            return "Invalid value for field 'resource.machineType': it is of another zone."
        if machine not in MACHINES or zone not in PLACES.get(machine, ZONES):
            return "Invalid value for field 'resource.machineType': '%s'. Machine type does not exist in zone '%s'." % (machine, zone)
        gpus = attached or MACHINES[machine][2]
        if gpus and body.get("scheduling", {}).get("onHostMaintenance") != "TERMINATE":
            return "Instances with guest accelerators do not support live migration."
        for one in attached:
            most, zones = ACCELERATORS.get(_last(one["acceleratorType"]), (0, ()))
            if zone not in zones or one["acceleratorCount"] > most or not machine.startswith("n1-"):
                return "Invalid value for field 'resource.guestAccelerators': not in this zone, or not with this machine type."
        scheduling = body.get("scheduling", {})
        if scheduling.get("provisioningModel") == "SPOT" and scheduling.get("automaticRestart"):
            return "Scheduling must have automatic restart off for Spot."
        disk = body["disks"][0]["initializeParams"]
        project, name = re.match(r"^projects/([^/]+)/global/images/(?:family/)?(.+)$", disk["sourceImage"]).groups()
        size = self.images.get((project, name))
        if size is None:
            return (
                "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': The referenced image resource cannot be found."
            )
        if int(disk.get("diskSizeGb", size)) < size:
            return "Requested disk size cannot be smaller than the image size (%d GB)" % size
        return None

    def _make(self, number: str, zone: str, body: dict) -> None:
        machine = _last(body["machineType"])
        made = row(int(number) - 7000000000000000000, zone=zone, name=body["name"], machine=machine, status="PROVISIONING")
        made["labels"] = body.get("labels", {})
        made["labelFingerprint"] = fingerprint(made["labels"])
        made["metadata"] = {"kind": "compute#metadata", "fingerprint": "new", "items": body.get("metadata", {}).get("items", [])}
        made["scheduling"] = body.get("scheduling", {})
        made["tags"] = {**body.get("tags", {}), "fingerprint": "new"}
        made["disks"][0]["diskSizeGb"] = body["disks"][0]["initializeParams"].get("diskSizeGb", "50")
        if not body["networkInterfaces"][0].get("accessConfigs"):
            made["networkInterfaces"][0]["accessConfigs"] = []
        if body.get("guestAccelerators"):
            made["guestAccelerators"] = body["guestAccelerators"]
        elif not self.fills_accelerators:
            made.pop("guestAccelerators", None)
        self.rows[number] = made
        self._changing[number] = [self.boot_lists, {"status": "RUNNING"}]

    def _destroy(self, item: dict, _query: dict, _body) -> tuple:
        if item["deletionProtection"]:
            return self.error(400, "Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.'.")
        if self.gone_lists:
            item["status"] = "STOPPING"
            self._changing[item["id"]] = [self.gone_lists, None]
        else:
            self._changing.pop(item["id"], None)
            del self.rows[item["id"]]
        return 200, self._operation("delete", item["id"], _last(item["zone"]))

    def _stop(self, item: dict, query: dict, _body) -> tuple:
        if any(disk["type"] == "SCRATCH" for disk in item["disks"]) and query.get("discardLocalSsd") != "true":
            return self.error(400, "Stopping this instance with local SSD needs discardLocalSsd to be true.")
        item["status"] = "STOPPING"
        self._changing[item["id"]] = [self.boot_lists, {"status": "TERMINATED"}]
        return 200, self._operation("stop", item["id"], _last(item["zone"]))

    def _start(self, item: dict, _query: dict, _body) -> tuple:
        if item["status"] == "SUSPENDED":
            return self.error(400, "Instance is suspended; resume it.")
        return self._wake(item, "start")

    def _resume(self, item: dict, _query: dict, _body) -> tuple:
        if item["status"] != "SUSPENDED":
            return self.error(400, "Instance is not suspended.")
        return self._wake(item, "resume")

    def _wake(self, item: dict, verb: str) -> tuple:
        plan = self._take_plan("start", _last(item["zone"]))
        if plan is None:
            item["status"] = "STAGING"
            self._changing[item["id"]] = [self.boot_lists, {"status": "RUNNING"}]
        return 200, self._operation(verb, item["id"], _last(item["zone"]), plan)

    def _set_labels(self, item: dict, _query: dict, body: dict) -> tuple:
        if body["labelFingerprint"] != item["labelFingerprint"]:
            return self.error(412, "Labels fingerprint either invalid or resource labels have changed")
        for key, value in body["labels"].items():
            if not re.match(r"^[a-z][a-z0-9_-]{0,62}$", key) or not re.match(r"^[a-z0-9_-]{0,63}$", value):
                return self.error(400, "Invalid value for field 'labels': '%s'." % value)
        item["labels"] = body["labels"]
        item["labelFingerprint"] = fingerprint(item["labels"])
        return 200, self._operation("setLabels", item["id"], _last(item["zone"]))

    def _set_metadata(self, item: dict, _query: dict, body: dict) -> tuple:
        if body["fingerprint"] != item["metadata"]["fingerprint"]:
            return self.error(412, "Supplied fingerprint does not match current metadata fingerprint.")
        item["metadata"] = {"kind": "compute#metadata", "items": body["items"], "fingerprint": fingerprint(body["items"])}
        return 200, self._operation("setMetadata", item["id"], _last(item["zone"]))

    # --- operations --------------------------------------------------------------------------------------------------

    def _take_plan(self, operation: str, zone: str) -> dict | None:
        for plan in self._planned:
            if plan["operation"] == operation and plan["zone"] in (None, zone) and plan["times"] != 0:
                plan["times"] -= 1
                return plan
        return None

    def _operation(self, kind: str, target: str, zone: str | None, plan: dict | None = None) -> dict:
        name = "operation-%d" % (len(self.operations) + 1)
        made = {
            "kind": "compute#operation",
            "id": str(9000 + len(self.operations)),
            "name": name,
            "operationType": kind,
            "targetId": target,
            "status": "RUNNING",
            "progress": 0,
            "insertTime": "2026-11-20T09:00:00.000-08:00",
            "user": EMAIL,
        }
        if zone:
            made["zone"] = "%sprojects/%s/zones/%s" % (HOST, PROJECT, zone)
        self.operations[name] = {"answer": made, "left": self.waits, "plan": plan}
        return made

    def _wait(self, ids: dict, _query: dict, _body) -> tuple:
        kept = self.operations.get(ids["operation"])
        if kept is None:
            return self.error(404, "The resource 'operations/%s' was not found" % ids["operation"])
        if kept["left"] > 0:
            kept["left"] -= 1
            return 200, kept["answer"]
        done = {**kept["answer"], "status": "DONE", "progress": 100, "endTime": "2026-11-20T09:01:00.000-08:00"}
        if kept["plan"]:
            done["error"] = {"errors": [{"code": kept["plan"]["code"], "message": kept["plan"]["words"]}]}
            done["httpErrorStatusCode"], done["httpErrorMessage"] = 503, "SERVICE UNAVAILABLE"
        return 200, done

    _wait_global = _wait

    # --- what there is to rent, images, the project ------------------------------------------------------------------

    def _machine_row(self, name: str, zone: str) -> dict:
        cpus, memory, accelerator, count = MACHINES[name]
        made = {
            "kind": "compute#machineType",
            "id": "1",
            "name": name,
            "zone": zone,
            "guestCpus": cpus,
            "memoryMb": memory,
            "maximumPersistentDisksSizeGb": "263168",
            "isSharedCpu": False,
        }
        if accelerator:
            made["accelerators"] = [{"guestAcceleratorType": accelerator, "guestAcceleratorCount": count}]
        return made

    def _machine_types(self, _ids: dict, query: dict, _body) -> tuple:
        items = [self._machine_row(name, zone) for zone in ZONES for name in sorted(MACHINES) if zone in PLACES.get(name, ZONES)]
        return 200, self._aggregated("machineType", "machineTypes", items, query)

    def _machine_type(self, ids: dict, _query: dict, _body) -> tuple:
        if ids["machineType"] not in MACHINES:
            return self.error(404, "The resource 'machineTypes/%s' was not found" % ids["machineType"])
        return 200, self._machine_row(ids["machineType"], ids["zone"])

    def _accelerator_types(self, _ids: dict, query: dict, _body) -> tuple:
        items = [
            {
                "kind": "compute#acceleratorType",
                "id": "10",
                "name": name,
                "zone": "%sprojects/%s/zones/%s" % (HOST, PROJECT, zone),
                "maximumCardsPerInstance": most,
            }
            for zone in ZONES
            for name, (most, zones) in sorted(ACCELERATORS.items())
            if zone in zones
        ]
        return 200, self._aggregated("acceleratorType", "acceleratorTypes", items, query)

    def _image_family(self, ids: dict, _query: dict, _body) -> tuple:
        return self._image_row(ids["project"], ids["family"], "family/")

    def _image(self, ids: dict, _query: dict, _body) -> tuple:
        return self._image_row(ids["project"], ids["image"], "")

    def _image_row(self, project: str, name: str, kind: str) -> tuple:
        size = self.images.get((project, name))
        if size is None:
            return self.error(404, "The resource 'projects/%s/global/images/%s%s' was not found" % (project, kind, name))
        return 200, {"kind": "compute#image", "id": "5", "name": name, "diskSizeGb": str(size), "status": "READY", "architecture": "X86_64"}

    def _project(self, _ids: dict, _query: dict, _body) -> tuple:
        metadata = {"kind": "compute#metadata", "fingerprint": fingerprint(self.metadata), "items": self.metadata}
        return 200, {"kind": "compute#project", "id": "123", "name": PROJECT, "commonInstanceMetadata": metadata}

    def _set_project_metadata(self, _ids: dict, _query: dict, body: dict) -> tuple:
        if body["fingerprint"] != fingerprint(self.metadata):
            return self.error(412, "Supplied fingerprint does not match current metadata fingerprint.")
        self.metadata = body["items"]
        return 200, self._operation("compute.projects.setCommonInstanceMetadata", "123", None)


def _last(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def _filtered(items: list, text: str | None) -> list:
    """The two forms of a filter that are needed: ``name = x`` and ``name eq "regular expression"``."""
    if not text:
        return items
    plain, pattern = re.match(r"^name = ([a-z0-9-]+)$", text), re.match(r'^name eq "(.+)"$', text)
    if plain:
        return [item for item in items if item["name"] == plain.group(1)]
    return [item for item in items if re.fullmatch(pattern.group(1), item["name"])]


def _end(_signal, _frame) -> None:
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # the file with the key goes with the server
    fake_api.program(FakeGcp, row, "A Google Cloud to test against.")
