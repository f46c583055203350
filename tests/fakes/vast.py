# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Vast.ai to test against: a real HTTP server that holds instances in memory and can be told to misbehave.

In a test::

    with FakeVast(rows=[row(1), row(2)]) as fake:
        fake.fault("list", "429", times=2, retry_after=1)
        VastProvider(api_key=fake.key, endpoint=fake.url).list_instances()

As a program: ``python3 tests/fakes/vast.py --port 8808 --count 60 --fault list:html``; it prints its address and key.

What it takes and gives is checked against ``schemas/vast.json``; a request that breaks it is answered 400 and kept in
``violations``, an answer that breaks it is a defect of the fake and answered 500.
"""

from __future__ import annotations

import argparse
import copy
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import schema

SCHEMA = schema.load("vast")
KEY = "fake-vast-key-0123456789abcdef"
PAGE = 25
PAGE_OF_HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in to the network.</body></html>"
FAULTS = (
    "429",
    "429-json",
    "500",
    "502",
    "503",
    "html",
    "html-200",
    "410",
    "404",
    "auth-404",
    "auth-401",
    "slow",
    "cut",
    "cursor",
    "text-200",
    "no-list",
    "null",
    "redirect",
)


def row(number: int, **changes) -> dict:
    """An instance as the list gives it: made up, plausible, with secrets in it that must not come out at the other end."""
    running = changes.get("actual_status", "running") == "running"
    made = {
        "id": number,
        "actual_status": "running",
        "cur_state": "running",
        "next_state": "running",
        "intended_status": "running",
        "label": "box-%d" % number,
        "template_id": None,
        "template_hash_id": None,
        "template_name": None,
        "image_uuid": "vastai/pytorch:2.9-cuda-12.8",
        "image_args": [],
        "image_runtype": "ssh_direc ssh_proxy",
        "extra_env": [["WANDB_API_KEY", "SECRET-env-%d" % number]],
        "onstart": "export TOKEN=SECRET-onstart-%d" % number,
        "jupyter_token": "SECRET-jupyter-%d" % number,
        "status_msg": "success, running vastai/pytorch",
        "public_ipaddr": "198.51.100.%d\n" % (number % 250 + 1),
        "local_ipaddrs": "10.0.0.5 172.17.0.2 \n",
        "ssh_host": "ssh%d.vast.ai" % (number % 9 + 1),
        "ssh_idx": str(number % 9 + 1),
        "ssh_port": 10000 + number % 20000,
        "machine_id": 7000 + number,
        "start_date": 1763600000.5 + number,
        "end_date": 1795136000.0,
        "duration": 31536000.0,
        "cpu_cores": 64,
        "cpu_cores_effective": 16.0,
        "cpu_ram": 257000,
        "gpu_name": "RTX 4090",
        "gpu_totalram": 24564,
        "gpu_ram": 24564,
        "gpu_frac": 0.25,
        "disk_space": 60.0,
        "ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(40000 + number % 20000)}]} if running else None,
        "static_ip": False,
        "geolocation": "Oslo, NO",
        "country_code": None,
        "verification": "verified",
        "host_id": 77,
        "min_bid": 0.21,
        "is_bid": False,
        "dph_base": 0.4,
        "dph_total": 0.4125,
        "reliability2": 0.9951,
        "num_gpus": 1,
        "storage_cost": 0.15,
        "storage_total_cost": 0.0125,
        "instance": {"gpuCostPerHour": 0.4 if running else 0, "diskHour": 0.0125, "totalHour": 0.4125 if running else 0.0125},
        "hosting_type": 0,
        "cuda_max_good": 12.8,
        "driver_version": "570.172.08",
        "inet_down": 812.4,
        "inet_up": 640.1,
    }
    made.update(changes)
    return made


def offer(number: int, **changes) -> dict:
    """An offer as the search gives it."""
    made = {
        "id": number,
        "ask_contract_id": number,
        "gpu_name": "RTX 4090",
        "num_gpus": 1,
        "gpu_ram": 24564,
        "dph_total": 0.35,
        "min_bid": 0.2,
        "disk_space": 500.0,
        "geolocation": "Oslo, NO",
        "verification": "verified",
        "rentable": True,
        "rented": False,
        "machine_id": 9000 + number,
        "hosting_type": 0,
        "direct_port_count": 100,
        "is_bid": False,
        "cuda_max_good": 12.8,
        "driver_version": "570.172.08",
        "inet_down": 812.4,
        "inet_up": 640.1,
        "storage_cost": 0.15,
        "reliability": 0.9951,
        "cpu_ram": 257000,
        "cpu_cores": 64,
        "cpu_cores_effective": 16.0,
    }
    made.update(changes)
    return made


class FakeVast:
    """The server and its state. ``boot_lists`` is how many lists a new instance stays without a status, ``gone_lists`` how many a
    destroyed one is still listed; ``pace`` refuses calls that come sooner than Vast allows."""

    def __init__(
        self,
        rows=(),
        offers=None,
        key: str = KEY,
        port: int = 0,
        pace: bool = False,
        boot_lists: int = 0,
        gone_lists: int = 0,
        page: int = PAGE,
        check: bool = True,
    ) -> None:
        self.key = key
        self.rows = {item["id"]: copy.deepcopy(item) for item in rows}
        self.offers = {
            item["id"]: item
            for item in (offers if offers is not None else [offer(501), offer(502, dph_total=0.3, gpu_name="RTX 3090", gpu_ram=24576)])
        }
        self.pace, self.boot_lists, self.gone_lists, self.page, self.check = pace, boot_lists, gone_lists, page, check
        self.requests: list = []  # (operation, id, body or query)
        self.violations: list = []
        self.attached: dict = {}
        self.logs: dict = {}
        self.strangers: list = []  # headers of requests that came to another host name
        self._faults: list = []
        self._booting: dict = {}
        self._going: dict = {}
        self._last: dict = {}
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"fake": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port

    def __enter__(self) -> FakeVast:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self) -> None:
        """For the program."""
        self._server.serve_forever()

    def fault(self, operation: str, kind: str, times: int = 1, skip: int = 0, **details) -> None:
        """Misbehave: ``operation`` is a name of the schema or "*"; ``skip`` calls are served first, then ``times`` go wrong (-1: all)."""
        if kind not in FAULTS and kind not in ("answer",):
            raise ValueError("unknown fault %r" % kind)
        self._faults.append({"operation": operation, "kind": kind, "times": times, "skip": skip, **details})

    def calls(self, operation: str) -> list:
        """What was asked of one operation, in order."""
        return [entry[2] for entry in self.requests if entry[0] == operation]

    # --- answering ---------------------------------------------------------------------------------------------------

    def _take_fault(self, operation: str) -> dict | None:
        for fault in self._faults:
            if fault["operation"] in (operation, "*") and fault["times"] != 0:
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                    continue
                fault["times"] -= 1
                return fault
        return None

    def answer(self, operation: str, number: int | None, query: dict, body) -> tuple:
        """(status, JSON or text, headers) of one request whose key is right."""
        rules = SCHEMA["operations"][operation]
        with self._lock:
            self.requests.append((operation, number, query if operation == "list" else body))
            now = time.monotonic()
            too_soon = self.pace and now - self._last.get(operation, -1e9) < rules.get("interval", 0) - 0.02
            self._last[operation] = now
            if too_soon:
                return 429, "API requests too frequent: endpoint threshold=%s" % rules["interval"], {}
            fault = self._take_fault(operation)
            if fault:
                broken = self._broken(fault, operation, number)
                if broken is not None:
                    return broken
            wrong = (
                schema.defects(body or {}, rules.get("body", {}), operation + ".body")
                if rules["method"] != "GET"
                else self._query_defects(query, rules)
            )
            if wrong and self.check:
                self.violations.extend(wrong)
                return 400, {"success": False, "error": "invalid_args", "msg": "; ".join(wrong)}, {}
            status, answer = getattr(self, "_" + operation)(number, query if operation == "list" else body or {})
            if status == 200 and self.check:
                wrong = schema.defects(answer, rules["answer"], operation + ".answer")
                for name, item in SCHEMA["objects"].items():
                    if item["at"][0] == operation:
                        for entry in answer.get(item["at"][1]) or []:
                            wrong += schema.defects(entry, item["fields"], name)
                if wrong:
                    return 500, {"msg": "The fake broke its own schema: " + "; ".join(wrong)}, {}
            return status, answer, {}

    def _query_defects(self, query: dict, rules: dict) -> list:
        typed = {}
        for name, value in query.items():
            try:
                typed[name] = int(value) if rules["query"].get(name, {}).get("type") == "integer" else value
            except ValueError:
                typed[name] = value
        return schema.defects(typed, rules["query"], "list.query")

    def _broken(self, fault: dict, operation: str, number) -> tuple | None:
        kind = fault["kind"]
        retry = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
        if kind == "429":
            return 429, "API requests too frequent", retry
        if kind == "429-json":
            return 429, {"detail": "API requests too frequent endpoint threshold=1.0"}, retry
        if kind in ("500", "502", "503"):
            return int(kind), "Internal error" if kind == "500" else "", retry
        if kind == "html":
            return 503, PAGE_OF_HTML, {"Content-Type": "text/html"}
        if kind == "html-200":
            return 200, PAGE_OF_HTML, {"Content-Type": "text/html"}
        if kind == "text-200":
            return 200, "OK", {"Content-Type": "text/plain"}
        if kind == "410":
            return (
                410,
                {
                    "success": False,
                    "error": "deprecated_endpoint",
                    "msg": "/api/v1/instances/ is deprecated. Use /api/v2/instances/ instead.",
                },
                {},
            )
        if kind == "404":
            return 404, {"success": False, "error": "not_found", "msg": "Instance not found"}, {}
        if kind in ("auth-404", "auth-401"):
            return int(kind[-3:]), {"success": False, "error": "auth_error", "msg": "Invalid user key"}, {}
        if kind == "slow":
            time.sleep(fault.get("seconds", 5))
            return None
        if kind == "cut":
            return 0, None, {}
        if kind == "cursor":
            return 200, {"success": True, "instances": [row(1)], "next_token": "the-same"}, {}
        if kind == "no-list":
            return 200, {"success": True}, {}
        if kind == "null":
            return 200, {"success": True, "instances": None, "next_token": None, "total_instances": fault.get("total", 0)}, {}
        if kind == "redirect":
            return 302, "", {"Location": fault["to"]}
        # "answer": a status and a body of the test's own; `done` also does what was asked.
        if fault.get("done"):
            getattr(self, "_" + operation)(number, self.requests[-1][2] or {})
        return fault["status"], fault["body"], {}

    def _list(self, _number, query: dict) -> tuple:
        for number in [number for number, left in self._going.items() if left <= 0]:
            self.rows.pop(number, None)
            del self._going[number]
        self._going = {number: left - 1 for number, left in self._going.items()}
        for number, left in list(self._booting.items()):
            if left <= 0:
                self._run(number)
            else:
                self._booting[number] = left - 1
        limit = int(query.get("limit", PAGE))
        limit = min(limit if limit > 0 else 5, self.page)
        after = 0
        if query.get("after_token"):
            match = re.match(r"^after-(\d+)$", query["after_token"])
            if not match:
                return 400, {"error": "invalid_token", "msg": "invalid after_token"}
            after = int(match.group(1))
        numbers = sorted(number for number in self.rows if number > after)
        shown = [self.rows[number] for number in numbers[:limit]]
        labels: dict = {}
        for item in self.rows.values():
            labels[item["label"] or ""] = labels.get(item["label"] or "", 0) + 1
        token = "after-%d" % shown[-1]["id"] if len(numbers) > limit else None
        return 200, {
            "success": True,
            "instances_found": len(shown),
            "total_instances": len(self.rows),
            "label_counts": labels,
            "next_token": token,
            "instances": shown,
        }

    def _run(self, number: int) -> None:
        self._booting.pop(number, None)
        made = row(number)
        self.rows[number].update(
            actual_status="running", cur_state="running", next_state="running", ports=made["ports"], instance=made["instance"]
        )

    def _create(self, number: int, body: dict) -> tuple:
        wanted = self.offers.get(number)
        if wanted is None:
            return 410, {
                "success": False,
                "error": "no_such_ask",
                "msg": "error 410/3907: no_such_ask Instance type %d is no longer available." % number,
                "ask_id": number,
            }
        if "image" not in body and "template_hash_id" not in body:
            return 400, {"success": False, "error": "invalid_args", "msg": "Invalid args: image is required"}
        new = max([3000000, *self.rows]) + 1
        price = body.get("price", wanted["dph_total"])
        self.rows[new] = row(
            new,
            label=body.get("label"),
            actual_status=None,
            cur_state="created",
            gpu_name=wanted["gpu_name"],
            gpu_ram=wanted["gpu_ram"],
            num_gpus=wanted["num_gpus"],
            disk_space=float(body.get("disk", 8)),
            is_bid="price" in body,
            dph_total=price,
            machine_id=wanted["machine_id"],
            ports=None,
            image_uuid=body.get("image"),
            image_runtype=body.get("runtype"),
            instance={"totalHour": price},
            extra_env=[[key, str(value)] for key, value in (body.get("env") or {}).items()],
        )
        self._booting[new] = self.boot_lists
        if "price" in body and price < wanted["min_bid"]:
            del self._booting[new]
            self.rows[new].update(cur_state="stopped", intended_status="stopped", next_state="stopped")
            return 400, {
                "success": False,
                "error": "invalid_price",
                "msg": "bid is below the minimum",
                "ask_id": number,
                "new_contract": new,
            }
        del self.offers[number]
        return 200, {"success": True, "new_contract": new}

    def _manage(self, number: int, body: dict) -> tuple:
        if number not in self.rows:
            return 404, {"success": False, "error": "no_such_instance", "msg": "Instance not found"}
        item = self.rows[number]
        if "label" in body:
            item["label"] = body["label"]
        if body.get("state") == "stopped":
            self._booting.pop(number, None)
            item.update(
                actual_status="exited",
                intended_status="stopped",
                cur_state="stopped",
                next_state="stopped",
                ports=None,
                instance={"totalHour": 0.0125},
            )
        elif body.get("state") == "running":
            item.update(actual_status="loading", intended_status="running", cur_state="running", next_state="running")
            self._booting[number] = self.boot_lists
        return 200, {"success": True}

    def _destroy(self, number: int, _body: dict) -> tuple:
        if number not in self.rows or number in self._going:
            return 404, {"success": False, "error": "no_such_instance", "msg": "Instance %d not found" % number}
        self._booting.pop(number, None)
        if self.gone_lists:
            self._going[number] = self.gone_lists
        else:
            del self.rows[number]
        return 200, {"success": True, "msg": "Instance destroyed successfully"}

    def _attach(self, number: int, body: dict) -> tuple:
        if number not in self.rows:
            return 404, {"success": False, "error": "no_such_instance", "msg": "Instance not found"}
        keys = self.attached.setdefault(number, [])
        if body["ssh_key"] in keys:
            return 400, {"success": False, "error": "invalid_args", "msg": "SSH key already associated with instance"}
        keys.append(body["ssh_key"])
        return 200, {"success": True, "msg": "SSH key attached successfully"}

    def _logs(self, number: int, _body: dict) -> tuple:
        if number not in self.rows:
            return 404, {"error": "invalid_id", "msg": "Invalid instance id."}
        return 200, {"success": True, "msg": "Logs requested", "result_url": "%s/_fake/logs/%d" % (self.url, number)}

    def _search(self, _number, body: dict) -> tuple:
        found = [
            item
            for item in self.offers.values()
            if all(_holds(item.get(name), rule) for name, rule in body.items() if isinstance(rule, dict) and name in item)
        ]
        for column, direction in reversed(body.get("order") or []):
            found.sort(key=lambda item: item.get(column, 0), reverse=direction == "desc")
        return 200, {"offers": found[: body.get("limit", 64)]}


def _holds(value, rule: dict) -> bool:
    tests = {
        "eq": lambda wanted: value == wanted,
        "neq": lambda wanted: value != wanted,
        "in": lambda wanted: value in wanted,
        "notin": lambda wanted: value not in wanted,
        "gte": lambda wanted: value >= wanted,
        "lte": lambda wanted: value <= wanted,
        "gt": lambda wanted: value > wanted,
        "lt": lambda wanted: value < wanted,
    }
    # A place is "Oslo, NO"; what is asked for is the country.
    if isinstance(value, str) and "in" in rule and re.search(r", [A-Z]{2}$", value):
        return value[-2:] in rule["in"]
    return all(tests[name](wanted) for name, wanted in rule.items())


ROUTES = [
    (rules["method"], re.compile("^" + rules["path"].replace("{id}", r"(?P<id>\d+)") + "$"), operation)
    for operation, rules in SCHEMA["operations"].items()
]


class _Handler(BaseHTTPRequestHandler):
    fake: FakeVast
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments) -> None:
        pass

    def _serve(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        if self.fake.key in self.path:
            self.fake.violations.append("the key is in the URL")
        if parts.path.startswith("/_fake/"):
            return self._own(parts.path, raw)
        routed = [
            (pattern.match(parts.path), name) for method, pattern, name in ROUTES if method == self.command and pattern.match(parts.path)
        ]
        if not routed:
            if parts.path.rstrip("/") == "/api/v0/instances" and self.command == "GET":
                return self._send(
                    410,
                    {
                        "success": False,
                        "error": "deprecated_endpoint",
                        "msg": "/api/v0/instances/ is deprecated. Use /api/v1/instances/ instead.",
                    },
                )
            return self._send(404, {"msg": "no such path"})
        match, operation = routed[0]
        if self.headers.get("Authorization") != "Bearer " + self.fake.key:
            return self._send(404, {"success": False, "error": "auth_error", "msg": "Invalid user key"})
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            return self._send(400, {"error": "invalid_request", "msg": "Invalid json body"})
        number = int(match.group("id")) if "id" in match.groupdict() else None
        status, answer, headers = self.fake.answer(operation, number, query, body)
        if status == 0:
            self.close_connection = True
            return self.connection.close()
        return self._send(status, answer, headers)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _own(self, path: str, raw: bytes) -> None:
        """What is not Vast's: the place of logs, and the strings of the puppet when it runs as a program."""
        if path.startswith("/_fake/logs/"):
            if self.headers.get("Authorization"):
                self.fake.violations.append("the key was sent to the place of the logs")
            return self._send(200, self.fake.logs.get(int(path.rsplit("/", 1)[1]), "hello from the instance\n"))
        data = json.loads(raw) if raw else {}
        if path == "/_fake/fault":
            self.fake.fault(**data)
        elif path == "/_fake/rows":
            self.fake.rows = {item["id"]: item for item in data}
        elif path == "/_fake/requests":
            return self._send(200, {"requests": self.fake.requests, "violations": self.fake.violations})
        return self._send(200, {"success": True})

    def _send(self, status: int, answer, headers: dict | None = None) -> None:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        headers = {"Content-Type": "text/plain" if isinstance(answer, str) else "application/json", **(headers or {})}
        data = text.encode()
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:  # the client gave up: that is what the slow fault is for
            self.close_connection = True


def main() -> None:
    """Run as a program until killed."""
    parser = argparse.ArgumentParser(description="A Vast.ai to test against.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default=KEY)
    parser.add_argument("--count", type=int, default=3, help="made-up running instances to begin with")
    parser.add_argument("--rows", type=argparse.FileType(), help="a JSON list of instances to serve instead (fields left out are made up)")
    parser.add_argument("--pace", action="store_true", help="refuse calls that come sooner than Vast allows")
    parser.add_argument("--boot-lists", type=int, default=0, help="how many lists a new instance stays without a status")
    parser.add_argument("--fault", action="append", default=[], metavar="OPERATION:KIND[:TIMES]", help="one of: " + ", ".join(FAULTS))
    options = parser.parse_args()
    rows = (
        [row(item["id"], **item) for item in json.load(options.rows)]
        if options.rows
        else [row(number) for number in range(1, options.count + 1)]
    )
    fake = FakeVast(rows=rows, key=options.key, port=options.port, pace=options.pace, boot_lists=options.boot_lists)
    for words in options.fault:
        operation, kind, *times = words.split(":")
        fake.fault(operation, kind, times=int(times[0]) if times else -1)
    print(json.dumps({"url": fake.url, "key": fake.key}), flush=True)
    try:
        fake.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
