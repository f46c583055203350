# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A RunPod (REST API v2) to test against: a real HTTP server that holds pods in memory and can be told to misbehave.

In a test::

    with FakeRunpod(rows=[row(1), row(2)], page=1) as fake:
        fake.fault("list", "429", times=2, retry_after=1)
        RunpodProvider(api_key=fake.key, endpoint=fake.url).list_instances()

As a program: ``python3 tests/fakes/runpod.py --port 8809 --count 60 --fault list:html``; it prints its address and key.

What it takes and gives is checked against ``schemas/runpod.json``, as ``fake_api.py`` says.
"""

from __future__ import annotations

import copy
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fake_api

KEY = "fake-runpod-key-0123456789abcdef"
PROBLEM = {"Content-Type": "application/problem+json"}
QUOTA = 60  # requests in a minute
ACTIONS = {
    "PROVISIONING": ["stop", "terminate"],
    "STARTING": ["stop", "terminate"],
    "RUNNING": ["stop", "restart", "terminate"],
    "EXITED": ["start", "terminate"],
    "ERROR": ["start", "terminate"],
    "TERMINATED": [],
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    410: "Gone",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
}
KEY_LINE = re.compile(r"^(ssh|ecdsa|sk)-[^\s]+ [^\s]+([ \t][^\n\r]*)?$")
FULL = "There are no longer any instances available with the requested specifications. Please refresh and try again."


def way(host: str, port: int, username: str) -> dict:
    """One way in over SSH."""
    return {"host": host, "port": port, "username": username, "command": "ssh %s@%s -p %d" % (username, host, port)}


def row(number: int, **changes) -> dict:
    """A pod as the list gives it: made up, plausible, with secrets in it that must not come out at the other end."""
    pod_id = changes.get("id", "pod%05d" % number)
    status = changes.get("status", "RUNNING")
    running = status == "RUNNING"
    host, port = "198.51.100.%d" % (number % 250 + 1), 30000 + number % 30000
    made = {
        "id": pod_id,
        "name": "box-%d" % number,
        "image": "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
        "args": "--token SECRET-args-%d" % number,
        "disk": 50,
        "ports": ["8888/http", "22/tcp"],
        "env": {"WANDB_API_KEY": "SECRET-env-%d" % number, "JUPYTER_PASSWORD": "SECRET-jupyter-%d" % number},
        "registry": None,
        "status": status,
        "actions": ACTIONS.get(status, []),
        "mounts": {"persistent": {"size": 20, "path": "/workspace"}},
        "gpu": {"id": "NVIDIA GeForce RTX 4090", "count": 1},
        "cloud": "SECURE",
        "dataCenterId": "US-KS-2",
        "cudaVersion": "12.8",
        "ssh": {
            "proxy": way("ssh.runpod.io", 22, "%s-64411eb2" % pod_id),
            "direct": way(host, port, "root") if running else None,
        },
        "template": None,
        "cost": 0.0 if status in ("EXITED", "TERMINATED") else 0.44,
        "locked": False,
        "globalNetworking": {"enabled": False},
        "runtime": {"uptime": 3600, "ports": [{"private": 22, "public": port, "type": "tcp", "ip": host}]} if running else None,
        "createdAt": "2026-06-01T12:00:00Z",
        "startedAt": "2026-06-01T12:02:00Z",
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not ...}


def gpu_type(gpu_id: str, name: str, memory: int, secure: float, community: float, stock: dict, **changes) -> dict:
    """A row of the catalogue. ``stock`` is, by cloud, the stock of each data centre, or one word where there are none."""
    made = {
        "id": gpu_id,
        "name": name,
        "pool": None,
        "manufacturer": "AMD" if gpu_id.startswith("AMD") else "NVIDIA",
        "memory": memory,
        "secure": "SECURE" in stock,
        "community": "COMMUNITY" in stock,
        "price": {"secure": secure, "community": community},
        "maxCount": {"secure": 8 if "SECURE" in stock else 0, "community": 4 if "COMMUNITY" in stock else 0},
        "stock": stock,
    }
    made.update(changes)
    return made


def catalogue() -> list:
    """Some GPUs, made up in price and stock."""
    return [
        gpu_type(
            "NVIDIA GeForce RTX 4090", "RTX 4090", 24, 0.59, 0.34, {"SECURE": {"US-KS-2": "HIGH", "EU-RO-1": "LOW"}, "COMMUNITY": "MEDIUM"}
        ),
        gpu_type("NVIDIA H100 80GB HBM3", "H100 SXM", 80, 2.69, 2.59, {"SECURE": {"US-KS-2": "LOW", "EUR-IS-1": "NONE"}}),
        gpu_type("NVIDIA H100 PCIe", "H100 PCIe", 80, 2.39, 1.99, {"SECURE": {"US-KS-2": "LOW", "CA-MTL-3": "MEDIUM"}}),
        gpu_type("NVIDIA H100 NVL", "H100 NVL", 94, 2.79, 2.59, {"SECURE": {"US-TX-3": "HIGH"}}),
        gpu_type("NVIDIA H200", "H200 SXM", 141, 3.59, 0.0, {"SECURE": {"EUR-IS-1": "LOW"}}),
        gpu_type("NVIDIA RTX A6000", "RTX A6000", 48, 0.49, 0.33, {"SECURE": {"US-KS-2": "NONE"}, "COMMUNITY": "LOW"}),
        gpu_type("AMD Instinct MI300X OAM", "MI300X", 192, 2.69, 0.0, {"SECURE": {"EU-RO-1": "LOW"}}),
        gpu_type(
            "NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb",
            "RTX PRO 6000 MIG 24GB",
            24,
            0.49,
            0.0,
            {"SECURE": {"US-KS-2": "LOW"}},
        ),
    ]


CENTRES = {
    "US-KS-2": ("US Kansas 2", "NORTH_AMERICA"),
    "US-TX-3": ("US Texas 3", "NORTH_AMERICA"),
    "CA-MTL-3": ("CA Montreal 3", "NORTH_AMERICA"),
    "EU-RO-1": ("EU Romania 1", "EUROPE"),
    "EUR-IS-1": ("EU Iceland 1", "EUROPE"),
    "AP-JP-1": ("AP Japan 1", "ASIA"),
}


class FakeRunpod(fake_api.FakeApi):
    """The server and its state.

    ``page`` is the most that one page holds, ``paged`` whether lists have pages at all, ``gpus`` the catalogue, ``keys`` the account's SSH
    keys, ``full`` the ``(GPU id, data centre or None)`` that are out of stock whatever the catalogue says, ``discount`` what a pod costs
    by the list price. ``logins`` has, by pod, the keys that its image would let in.
    """

    NAME = "runpod"
    KEY = KEY
    ENV = {"url": "RUNPOD_REST_V2_URL", "key": "RUNPOD_API_KEY"}
    FAULTS = (*fake_api.FAULTS, "cursor", "no-list", "null", "lost-cursor")

    def __init__(self, rows=(), gpus=None, keys=(), page: int = 1000, paged: bool = True, **options) -> None:
        super().__init__(rows, **options)
        self.gpus = copy.deepcopy(gpus if gpus is not None else catalogue())
        self.keys = list(keys)
        self.page, self.paged = page, paged
        self.full: set = set()
        self.volumes = {"vol1": {"id": "vol1", "name": "data", "size": 100, "dataCenter": "EU-RO-1", "type": "STANDARD"}}
        self.templates = {
            "tpl1": {"image": "runpod/base:1.0", "args": "", "disk": 30, "ports": ["8888/http"], "env": {"FROM_TEMPLATE": "1"}}
        }
        self.discount = 1.0
        self.elsewhere: str | None = None  # the data centre that pods are placed in, whatever was asked for
        self.logins: dict = {}
        self.logs: dict = {}  # by pod: (source, line)
        self._booting: dict = {}
        self._going: dict = {}
        self._asked: list = []
        self._made = 0

    # --- its own ways ------------------------------------------------------------------------------------------------

    def problem(self, status: int, detail: str, errors=()) -> tuple:
        """A refusal, as problem+json."""
        body = {"title": TITLES.get(status, "Error"), "status": status, "detail": detail}
        return status, {**body, **({"errors": list(errors)} if errors else {})}, PROBLEM

    def error(self, status: int, words: str) -> tuple:
        if status == 400:  # what breaks the schema
            return self.problem(422, "Request validation failed.", words.split("; "))
        return self.problem(status, {403: "access denied", 404: "resource not found"}.get(status, words))

    def unauthorized(self) -> tuple:
        return self.problem(401, "invalid bearer token")

    def endless(self, operation: str):
        return {"pods": [row(1)], "pagination": {"nextCursor": "the-same", "hasNextPage": True}}

    def own(self, method: str, path: str, body) -> tuple | None:
        if path.startswith("/v1/"):
            return self.problem(410, "REST v1 is retired; use v2")
        return None

    def broken(self, fault: dict, operation: str, ids: dict, query: dict, body) -> tuple | None:
        kind = fault["kind"]
        if kind == "429":
            retry = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
            status, answer, headers = self.problem(429, "rate limit exceeded for the minute window")
            return status, answer, {**headers, **retry}
        if kind == "no-list":
            return 200, {"pagination": {"nextCursor": None, "hasNextPage": False}}, {}
        if kind == "null":
            return 200, {"pods": None}, {}
        if kind == "lost-cursor":
            return 200, {"pods": [], "pagination": {"nextCursor": None, "hasNextPage": True}}, {}
        return super().broken(fault, operation, ids, query, body)

    def answer(self, operation: str, ids: dict, query: dict, body) -> tuple:
        """Every answer says what is left of the quota, which is one for all operations."""
        with self._lock:
            now = self.clock()
            self._asked = [moment for moment in self._asked if moment > now - 60]
            over = self.pace and len(self._asked) >= QUOTA
            if over:
                self.requests.append((operation, None, None))
                status, answer, headers = self.problem(429, "rate limit exceeded for the minute window")
                headers = {**headers, "Retry-After": str(int(self._asked[0] + 60 - now) + 1)}
            else:
                self._asked.append(now)
                status, answer, headers = super().answer(operation, ids, query, body)
            if operation == "logs" and status == 200 and isinstance(answer, dict):
                events = ["id: %s\ndata: %s\n\n" % (event["ts"], json.dumps(event)) for event in answer["events"]]
                answer, headers = "".join(events), {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
            left = {"RateLimit": '"minute";r=%d;t=60' % (QUOTA - len(self._asked)), "RateLimit-Policy": '"minute";q=%d;w=60' % QUOTA}
            return status, answer, {**left, **headers}

    # --- pods --------------------------------------------------------------------------------------------------------

    def op_list(self, _ids, query: dict, _body) -> tuple:
        self._pass_time()
        rows = [item for item in self.rows.values() if "cluster" not in item or query.get("includeClusterPods") == "true"]
        if not self.paged:
            return 200, {"pods": rows}
        limit, after = min(int(query.get("limit", 100)), self.page), 0
        if query.get("cursor"):
            match = re.match(r"^after-(\d+)$", query["cursor"])
            if not match:
                return self.problem(400, "invalid cursor")
            after = int(match.group(1))
        more = len(rows) > after + limit
        page = {"nextCursor": "after-%d" % (after + limit) if more else None, "hasNextPage": more}
        return 200, {"pods": rows[after : after + limit], "pagination": page}

    def _pass_time(self) -> None:
        """One list later: pods that boot get nearer to running, destroyed ones nearer to be forgotten."""
        for pod_id in [pod_id for pod_id, left in self._going.items() if left <= 0]:
            self.rows.pop(pod_id, None)
            del self._going[pod_id]
        self._going = {pod_id: left - 1 for pod_id, left in self._going.items()}
        for pod_id, left in list(self._booting.items()):
            if left <= 0:
                del self._booting[pod_id]
                self._run(pod_id)
            else:
                self._booting[pod_id] = left - 1

    def _run(self, pod_id: str) -> None:
        pod = self.rows[pod_id]
        self._made += 1
        pod.update(status="RUNNING", actions=ACTIONS["RUNNING"], startedAt="2026-06-01T12:02:00Z")
        pod["runtime"] = {"uptime": 1, "ports": []}
        if "22/tcp" in pod["ports"]:
            host, port = "203.0.113.%d" % (self._made % 250 + 1), 40000 + self._made  # another port at each start
            pod["ssh"]["direct"] = way(host, port, "root")
            pod["runtime"]["ports"] = [{"private": 22, "public": port, "type": "tcp", "ip": host}]

    def op_get(self, ids, _query, _body) -> tuple:
        pod = self.rows.get(ids["id"])
        return (200, pod) if pod else self.problem(404, "pod not found")

    def op_logs(self, ids, query: dict, _body) -> tuple:
        if ids["id"] not in self.rows:
            return self.problem(404, "pod not found")
        lines = self.logs.get(ids["id"], [("system", "start container"), ("container", "hello from the pod")])
        events = [
            {"ts": "2026-06-01T12:02:0%dZ" % (number % 10), "source": source, "line": line} for number, (source, line) in enumerate(lines)
        ]
        tail = int(query.get("tail", 100))
        return 200, {"events": events[-tail:] if tail else []}

    def op_create(self, _ids, _query, body: dict) -> tuple:
        template = {}
        if "templateId" in body:
            if body["templateId"] not in self.templates:
                return self.problem(404, "template not found")
            template = self.templates[body["templateId"]]
        wrong = [] if "image" in body or template else ["image: required without templateId"]
        wrong += ["env.%s: not a string" % name for name, value in body.get("env", {}).items() if not isinstance(value, str)]
        if wrong:
            return self.problem(422, "Request validation failed.", wrong)
        if ("gpu" in body) == ("cpu" in body):
            return self.problem(400, "exactly one of gpu or cpu must be set")
        mounts = body.get("mounts", {})
        if "persistent" in mounts and ("network" in mounts or "cpu" in body):
            return self.problem(400, "mounts cannot be combined so")
        if body.get("gpu", {}).get("allowedCudaVersions") and "minCudaVersion" in body["gpu"]:
            return self.problem(400, "allowedCudaVersions and minCudaVersion are mutually exclusive")
        cloud, kind = body.get("cloud", "SECURE"), next((gpu for gpu in self.gpus if gpu["id"] == body["gpu"]["id"]), None)
        count = body["gpu"].get("count", 1)
        stock = (kind or {}).get("stock", {}).get(cloud)
        centres = {None: stock} if isinstance(stock, str) else stock or {}
        wanted = body.get("dataCenterIds")
        free = [
            centre
            for centre, level in centres.items()
            if level != "NONE" and (not wanted or centre in wanted) and not self.full & {(kind["id"], centre), (kind["id"], None)}
        ]
        if not free or count > kind["maxCount"][cloud.lower()]:
            return self.problem(400, FULL)
        if "network" in mounts and self.volumes.get(mounts["network"][0]["volumeId"], {}).get("dataCenter") not in free:
            return self.problem(400, "the network volume is in another data center")
        self._made += 1
        pod_id = "new%05d" % self._made
        env = {**template.get("env", {}), **body.get("env", {})}
        if body.get("startSsh") and "PUBLIC_KEY" not in env and self.keys:
            env["PUBLIC_KEY"] = "\n".join(self.keys)
        self.logins[pod_id] = env.get("PUBLIC_KEY", "").splitlines()
        made = row(
            self._made,
            id=pod_id,
            name=body["name"],
            image=body.get("image", template.get("image")),
            args=body.get("args", template.get("args", "")),
            disk=body.get("disk", template.get("disk", 20)),
            ports=body.get("ports", template.get("ports", [])),
            env=env,
            registry=body.get("registry"),
            status="PROVISIONING",
            mounts=mounts,
            gpu={"id": kind["id"], "count": count},
            cloud=cloud,
            dataCenterId=self.elsewhere or free[0],
            cost=round(kind["price"][cloud.lower()] * count * self.discount, 4),
            globalNetworking={"enabled": body.get("globalNetworking", False)},
            runtime={},
            startedAt=None,
        )
        self.rows[pod_id] = made
        self._booting[pod_id] = self.boot_lists
        return 201, made

    def _refused(self, pod_id: str, member: bool = True) -> tuple | None:
        """Why nothing can be done with a pod."""
        if pod_id not in self.rows or pod_id in self._going:
            return self.problem(404, "pod not found")
        if member and "cluster" in self.rows[pod_id]:
            return self.problem(409, "pod belongs to a cluster")
        return None

    def op_update(self, ids, _query, body: dict) -> tuple:
        refused = self._refused(ids["id"])
        if refused:
            return refused
        self.rows[ids["id"]].update(body)
        return 200, self.rows[ids["id"]]

    def op_act(self, ids, _query, body: dict) -> tuple:
        refused = self._refused(ids["id"])
        if refused:
            return refused
        pod, action = self.rows[ids["id"]], body["action"]
        if action not in pod["actions"] or (pod["locked"] and action != "start"):
            return self.problem(409, "action not valid for current pod status")
        if action == "terminate":
            return self.problem(400, "this fake destroys by DELETE alone")
        pod["ssh"] = {**pod["ssh"], "direct": None}
        pod["runtime"] = None
        if action == "stop":
            self._booting.pop(pod["id"], None)
            pod.update(status="EXITED", actions=ACTIONS["EXITED"], cost=0.0)
        else:
            pod.update(status="STARTING", actions=ACTIONS["STARTING"], cost=0.44)
            self._booting[pod["id"]] = self.boot_lists
        return 200, pod

    def op_destroy(self, ids, _query, _body) -> tuple:
        refused = self._refused(ids["id"])
        if refused:
            return refused
        self._booting.pop(ids["id"], None)
        if self.gone_lists:
            self._going[ids["id"]] = self.gone_lists
            self.rows[ids["id"]].update(status="TERMINATED", actions=[], cost=0.0, runtime=None)
        else:
            del self.rows[ids["id"]]
        return 204, None

    # --- the account and the catalogue -------------------------------------------------------------------------------

    def op_keys(self, _ids, _query, _body) -> tuple:
        return 200, {"keys": self.keys}

    def op_set_keys(self, _ids, _query, body: dict) -> tuple:
        wrong = ["keys[%d]: does not match the pattern" % number for number, key in enumerate(body["keys"]) if not KEY_LINE.match(key)]
        if wrong:
            return self.problem(422, "Request validation failed.", wrong)
        self.keys = list(body["keys"])
        return 200, {"keys": self.keys}

    def op_gpus(self, _ids, query: dict, _body) -> tuple:
        wanted = query.get("include") == "AVAILABILITY"
        only = {"product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion"} & set(query)
        if wanted != ("product" in query) or (only and not wanted):
            return self.problem(400, "include=AVAILABILITY and product go together, and the other filters with them")
        return 200, {"gpus": [self._gpu(gpu, query) for gpu in self.gpus]}

    @staticmethod
    def _gpu(gpu: dict, query: dict) -> dict:
        shown = {name: value for name, value in gpu.items() if name not in ("stock", "cudaVersions")}
        if "include" not in query:
            return shown
        cloud, count = query.get("cloud", "SECURE"), int(query.get("count", 1))
        stock = gpu["stock"].get(cloud, "NONE") if count <= gpu["maxCount"][cloud.lower()] else "NONE"
        order = ["NONE", "LOW", "MEDIUM", "HIGH"]
        if isinstance(stock, dict):
            shown["availability"] = max(stock.values(), key=order.index, default="NONE")
            if shown["availability"] != "NONE":
                shown["dataCenters"] = [{"id": name, "name": CENTRES[name][0], "availability": level} for name, level in stock.items()]
        else:
            shown["availability"] = stock
        shown["cudaVersions"] = gpu.get("cudaVersions", [{"version": "12.9", "available": False}, {"version": "12.8", "available": True}])
        return shown

    def op_centres(self, _ids, _query, _body) -> tuple:
        return 200, {
            "dataCenters": [
                {"id": name, "name": words, "region": region, "networkVolumeTypes": ["STANDARD"], "compliance": [], "globalNetwork": True}
                for name, (words, region) in CENTRES.items()
            ]
        }

    def op_volume(self, ids, _query, _body) -> tuple:
        return (200, self.volumes[ids["id"]]) if ids["id"] in self.volumes else self.problem(404, "network volume not found")


if __name__ == "__main__":
    fake_api.program(FakeRunpod, row, "A RunPod to test against.")
