# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Lambda cloud to test against: a real HTTP server that holds instances in memory and can be told to misbehave.

In a test::

    with FakeLambda(rows=[row(1), row(2)]) as fake:
        fake.fault("list", "429", times=2, retry_after=1)
        LambdaProvider(api_key=fake.key, endpoint=fake.url).list_instances()

As a program: ``python3 tests/fakes/lambda_cloud.py --port 8808 --count 60 --fault list:html``; it prints its address and key.

What it takes and gives is checked against ``schemas/lambda.json``, as ``fake_api.py`` says.
"""

from __future__ import annotations

import copy
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fake_api

KEY = "secret_fake-lambda_0123456789abcdef"
USER_DATA_LIMIT = 1_000_000  # bytes
REGIONS = {"us-west-1": "California, USA", "us-east-1": "Virginia, USA", "europe-central-1": "Germany"}

CODES = {
    400: "global/invalid-parameters",
    401: "global/invalid-api-key",
    403: "global/forbidden",
    404: "global/object-does-not-exist",
    410: "global/not-found",
    500: "global/internal-error",
}


def region(name: str) -> dict:
    """A region by its name."""
    return {"name": name, "description": REGIONS.get(name, "Somewhere")}


def kind(name: str, gpu: str, count: int, cents: int, vcpus: int = 30, memory: int = 200, storage: int = 512) -> dict:
    """An instance type; ``gpu`` is its description: "A10 (24 GB PCIe)"."""
    return {
        "name": name,
        "description": "%dx %s" % (count, gpu) if count else "%dx CPU General (%d GiB)" % (vcpus, memory),
        "gpu_description": gpu if count else "N/A",
        "price_cents_per_hour": cents,
        "specs": {"vcpus": vcpus, "memory_gib": memory, "storage_gib": storage, "gpus": count},
    }


# Names and forms as Lambda writes them; prices are made up.
KINDS = {
    made["name"]: made
    for made in (
        kind("gpu_1x_a10", "A10 (24 GB PCIe)", 1, 75, 30, 200, 1400),
        kind("gpu_1x_rtx6000", "RTX 6000 (24 GB)", 1, 50, 14, 46, 512),
        kind("gpu_2x_a6000", "A6000 (48 GB)", 2, 160, 28, 200, 1024),
        kind("gpu_1x_a100", "A100 (40 GB PCIe)", 1, 129, 30, 200, 512),
        kind("gpu_1x_a100_sxm4", "A100 (40 GB SXM4)", 1, 129, 30, 220, 512),
        kind("gpu_8x_a100_80gb_sxm4", "A100 (80 GB SXM4)", 8, 1432, 240, 1800, 20480),
        kind("gpu_8x_v100", "Tesla V100 (16 GB)", 8, 440, 92, 448, 5973),
        kind("gpu_1x_gh200", "GH200 (96 GB)", 1, 149, 64, 432, 4096),
        kind("gpu_1x_h100_pcie", "H100 (80 GB PCIe)", 1, 249, 26, 225, 1024),
        kind("gpu_8x_h100_sxm5", "H100 (80 GB SXM5)", 8, 2392, 208, 1800, 22528),
        kind("gpu_16x_h100_sxm5", "H100 (80 GB SXM5)", 16, 4784, 416, 3600, 45056),
        kind("gpu_1x_b200_sxm6", "B200 (180 GB SXM6)", 1, 499, 26, 360, 2816),
        kind("cpu_4x_general", "", 0, 20, 4, 16, 512),
    )
}
CAPACITY = {"gpu_1x_a10": ["us-west-1", "us-east-1"], "gpu_8x_h100_sxm5": ["us-east-1"], "cpu_4x_general": ["us-east-1"]}


def identity(number: int) -> str:
    """An id as Lambda makes them: 32 hexadecimal digits."""
    return "0920582c7ff041399e34%012x" % number


def actions(available: bool = True) -> dict:
    """What may be done with an instance now."""
    blocked = {"available": False, "reason_code": "vm-is-terminating", "reason_description": "The instance is being terminated."}
    return {
        name: {"available": True} if available else dict(blocked) for name in ("migrate", "rebuild", "restart", "cold_reboot", "terminate")
    }


def row(number: int, **changes) -> dict:
    """An instance as the list gives it: made up, plausible, with secrets in it that must not come out at the other end.

    A field that is changed to None is left out: so does Lambda with what it does not know.
    """
    made = {
        "id": identity(number),
        "name": "box-%d" % number,
        "ip": "198.51.100.%d" % (number % 250 + 1),
        "private_ip": "10.0.%d.%d" % (number // 250 % 250, number % 250 + 1),
        "status": "active",
        "ssh_key_names": ["laptop"],
        "file_system_names": [],
        "region": region("us-west-1"),
        "instance_type": copy.deepcopy(KINDS["gpu_1x_a10"]),
        "hostname": "198-51-100-%d" % (number % 250 + 1),
        "jupyter_token": "SECRET-jupyter-%d" % number,
        "jupyter_url": "https://jupyter-%d.lambda.invalid/?token=SECRET-jupyter-%d" % (number, number),
        "is_reserved": False,
        "actions": actions(),
        "tags": [{"key": "course", "value": "ml-%d" % number}],
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def image(number: int, family: str = "lambda-stack-22-04", architecture: str = "x86_64", where: str = "us-west-1") -> dict:
    """An image in one region."""
    return {
        "id": "43336648-096d-4cba-9aa2-%012x" % number,
        "created_time": "2025-11-18T10:00:00Z",
        "updated_time": "2025-11-18T10:00:00Z",
        "name": family + "-1",
        "description": "Ubuntu with drivers and PyTorch",
        "family": family,
        "version": "1",
        "architecture": architecture,
        "region": region(where),
    }


def file_system(number: int, name: str, where: str = "us-west-1") -> dict:
    """A file system of the account."""
    return {
        "id": "a098b0c7ff041399e348%012x" % number,
        "name": name,
        "mount_point": "/lambda/nfs/" + name,
        "created": "2025-11-18T10:00:00Z",
        "created_by": {"id": "3da5a70a57a7422ea8a7203f98b2198b", "email": "ada@example.org", "status": "active"},
        "is_in_use": False,
        "region": region(where),
        "bytes_used": 123456789,
    }


class FakeLambda(fake_api.FakeApi):
    """The server and its state.

    ``capacity`` says for each type in which regions it is shown as free; ``taken`` holds the ``(type, region)`` that are gone all the
    same when somebody rents; ``quota`` is how many instances the account may have.
    """

    NAME = "lambda"
    KEY = KEY
    ENV = {"url": "LAMBDA_CLOUD_BASE_URL", "key": "LAMBDA_API_KEY"}
    FAULTS = (*fake_api.FAULTS, "inactive", "provider", "null")

    def __init__(self, rows=(), kinds=None, capacity=None, **options) -> None:
        super().__init__(rows, **options)
        self.kinds = copy.deepcopy(KINDS if kinds is None else kinds)
        self.capacity = copy.deepcopy(CAPACITY if capacity is None else capacity)
        self.taken: set = set()
        self.quota = 10_000
        self.keys = {"k1": {"id": "k1", "name": "laptop", "public_key": "ssh-ed25519 AAAAC3Nlaptop ada@example.org"}}
        self.images = [image(1), image(2, where="us-east-1"), image(3, "ubuntu-24-04"), image(4, architecture="arm64", where="us-east-1")]
        self.file_systems = [file_system(1, "data"), file_system(2, "models", "us-east-1")]
        self._booting: dict = {}
        self._going: dict = {}

    # --- its own ways ------------------------------------------------------------------------------------------------

    def error(self, status: int, words: str) -> tuple:
        if status == 429:
            return status, words, {}  # what it looks like is not documented; not JSON is the worst that a client can meet
        code = "global/not-found" if words == "no such path" else CODES.get(status, "global/invalid-parameters")
        return status, {"error": {"code": code, "message": words[:1].upper() + words[1:] + "."}}, {}

    def unauthorized(self) -> tuple:
        words = {"message": "API key was invalid, expired, or deleted.", "suggestion": "Check your API key or create a new one."}
        return 401, {"error": {"code": CODES[401], **words}}, {}

    def answer(self, operation: str, ids: dict, query: dict, body) -> tuple:
        # A launch has a limit of its own, and counts for the general one too.
        if operation == "launch" and self.pace:
            with self._lock:
                now = self.clock()
                early = now - self._last.get("all", -1e9) < 0.98
                self._last["all"] = now
                if early:
                    self.requests.append((operation, None, body))
                    return self.too_soon({})
        return super().answer(operation, ids, query, body)

    def broken(self, fault: dict, operation: str, ids: dict, query: dict, body) -> tuple | None:
        if fault["kind"] == "inactive":
            return 403, {"error": {"code": "global/account-inactive", "message": "Your account is inactive."}}, {}
        if fault["kind"] == "provider":
            return fault.get("status", 400), {"error": {"code": "provider/internal-unavailable", "message": "Provider unavailable"}}, {}
        if fault["kind"] == "null":
            return 200, {"data": None}, {}
        return super().broken(fault, operation, ids, query, body)

    def _refuse(self, status: int, code: str, words: str) -> tuple:
        return status, {"error": {"code": code, "message": words, "suggestion": "Try something else."}}

    def _gone(self, what: str) -> tuple:
        return self._refuse(404, CODES[404], what + " does not exist.")

    # --- instances ---------------------------------------------------------------------------------------------------

    def op_list(self, _ids, query, _body) -> tuple:
        for known in [known for known, left in self._going.items() if left <= 0]:
            self.rows.pop(known, None)
            del self._going[known]
        self._going = {known: left - 1 for known, left in self._going.items()}
        for known, left in list(self._booting.items()):
            if left <= 0:
                self._run(known)
            else:
                self._booting[known] = left - 1
        # The members of a cluster are not told apart here: nothing of ours asks for one.
        return 200, {"data": [] if query.get("cluster_id") else list(self.rows.values())}

    def _run(self, known: str) -> None:
        del self._booting[known]
        made = row(int(known[-12:], 16))
        self.rows[known].update(status="active", **{name: made[name] for name in ("ip", "private_ip", "jupyter_token", "jupyter_url")})

    def op_get(self, ids, _query, _body) -> tuple:
        if ids["id"] not in self.rows:
            return self._gone("The instance")
        return 200, {"data": self.rows[ids["id"]]}

    def op_rename(self, ids, _query, body) -> tuple:
        if ids["id"] not in self.rows:
            return self._gone("The instance")
        self.rows[ids["id"]].update(body)
        return 200, {"data": self.rows[ids["id"]]}

    def op_launch(self, _ids, _query, body) -> tuple:
        refusal = self._cannot_launch(body)
        if refusal:
            return refusal
        number = max([4095, *(int(known[-12:], 16) for known in self.rows)]) + 1
        mounts = [dict(mount) for mount in body.get("file_system_mounts", [])]
        names = {item["id"]: item["name"] for item in self.file_systems}
        self.rows[identity(number)] = row(
            number,
            name=body.get("name"),
            status="booting",
            ip=None,
            private_ip=None,
            jupyter_token=None,
            jupyter_url=None,
            hostname=body.get("hostname"),
            ssh_key_names=body["ssh_key_names"],
            file_system_names=[*body.get("file_system_names", []), *(names[mount["file_system_id"]] for mount in mounts)],
            file_system_mounts=mounts or None,
            region=region(body["region_name"]),
            instance_type=copy.deepcopy(self.kinds[body["instance_type_name"]]),
            tags=body.get("tags"),
            firewall_rulesets=body.get("firewall_rulesets"),
        )
        self._booting[identity(number)] = self.boot_lists
        return 200, {"data": {"instance_ids": [identity(number)]}}

    def _cannot_launch(self, body: dict) -> tuple | None:
        """The refusal of a launch, in the order of a cautious server; None where it may be."""
        if body["region_name"] not in REGIONS:
            return self._gone("The region")
        if body["instance_type_name"] not in self.kinds:
            return self._gone("The instance type")
        if body["ssh_key_names"][0] not in [key["name"] for key in self.keys.values()]:
            return self._gone("The SSH key")
        if len(body.get("user_data", "").encode()) > USER_DATA_LIMIT:
            return self._refuse(400, CODES[400], "user_data is too large")
        for item in self.file_systems:
            used = item["name"] in body.get("file_system_names", []) or item["id"] in [
                mount["file_system_id"] for mount in body.get("file_system_mounts", [])
            ]
            if used and item["region"]["name"] != body["region_name"]:
                return self._refuse(400, "instance-operations/launch/file-system-in-wrong-region", "The file system is elsewhere.")
        wanted = body.get("image")
        if wanted and not any(
            all(item[name] == value for name, value in wanted.items()) and item["region"]["name"] == body["region_name"]
            for item in self.images
        ):
            return self._gone("The image")
        if len(self.rows) >= self.quota:
            return self._refuse(400, "global/quota-exceeded", "Quota exceeded.")
        place = (body["instance_type_name"], body["region_name"])
        if place in self.taken or place[1] not in self.capacity.get(place[0], []):
            return self._refuse(400, "instance-operations/launch/insufficient-capacity", "Not enough capacity to fulfill launch request.")
        return None

    def op_terminate(self, _ids, _query, body) -> tuple:
        if any(known not in self.rows for known in body["instance_ids"]):
            return self._gone("The instance")
        if any(known in self._going for known in body["instance_ids"]):
            return self._refuse(400, CODES[400], "The instance is being terminated.")
        ended = []
        for known in body["instance_ids"]:
            self._booting.pop(known, None)
            self.rows[known].update(status="terminating", actions=actions(False))
            ended.append(copy.deepcopy(self.rows[known]))
            if self.gone_lists:
                self._going[known] = self.gone_lists
            else:
                del self.rows[known]
        return 200, {"data": {"terminated_instances": ended}}

    # --- what there is -----------------------------------------------------------------------------------------------

    def op_types(self, _ids, _query, _body) -> tuple:
        return 200, {
            "data": {
                name: {"instance_type": made, "regions_with_capacity_available": [region(where) for where in self.capacity.get(name, [])]}
                for name, made in self.kinds.items()
            }
        }

    def op_regions(self, _ids, _query, _body) -> tuple:
        return 200, {"data": [region(name) for name in REGIONS]}

    def op_images(self, _ids, _query, _body) -> tuple:
        return 200, {"data": self.images}

    def op_file_systems(self, _ids, _query, _body) -> tuple:
        return 200, {"data": self.file_systems}

    # --- keys --------------------------------------------------------------------------------------------------------

    def op_keys(self, _ids, _query, _body) -> tuple:
        return 200, {"data": list(self.keys.values())}

    def op_add_key(self, _ids, _query, body) -> tuple:
        if body["name"] in [key["name"] for key in self.keys.values()]:
            return self._refuse(400, CODES[400], "The name is in use.")
        number = "ddf9a910ceb744a0bb95%012x" % (len(self.keys) + 1)
        made = {"id": number, "name": body["name"], "public_key": body.get("public_key", "ssh-rsa AAAAmade")}
        self.keys[number] = made
        if "public_key" not in body:
            return 200, {"data": {**made, "private_key": "SECRET-private-key"}}
        return 200, {"data": made}

    def op_remove_key(self, ids, _query, _body) -> tuple:
        if ids["id"] not in self.keys:
            return self._refuse(404, "global/not-found", "The requested resource was not found.")
        del self.keys[ids["id"]]
        return 200, {"data": {}}


if __name__ == "__main__":
    fake_api.program(FakeLambda, row, "A Lambda cloud to test against.")
