# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Vast.ai to test against: a real HTTP server that holds instances in memory and can be told to misbehave.

In a test::

    with FakeVast(rows=[row(1), row(2)]) as fake:
        fake.fault("list", "429", times=2, retry_after=1)
        VastProvider(api_key=fake.key, endpoint=fake.url).list_instances()

As a program: ``python3 tests/fakes/vast.py --port 8808 --count 60 --fault list:html``; it prints its address and key.

What it takes and gives is checked against ``schemas/vast.json``, as ``fake_api.py`` says.
"""

from __future__ import annotations

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fake_api

KEY = "fake-vast-key-0123456789abcdef"
PAGE = 25


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


class FakeVast(fake_api.FakeApi):
    """The server and its state; ``page`` is the most that one page holds."""

    NAME = "vast"
    KEY = KEY
    ENV = {"url": "VAST_URL", "key": "VAST_API_KEY"}
    FAULTS = (*fake_api.FAULTS, "429-json", "auth-404", "auth-401", "cursor", "no-list", "null")

    def __init__(self, rows=(), offers=None, page: int = PAGE, **options) -> None:
        super().__init__(rows, **options)
        made = offers if offers is not None else [offer(501), offer(502, dph_total=0.3, gpu_name="RTX 3090", gpu_ram=24576)]
        self.offers = {item["id"]: item for item in made}
        self.page = page
        self.attached: dict = {}
        self.logs: dict = {}
        self._booting: dict = {}
        self._going: dict = {}

    # --- its own ways ------------------------------------------------------------------------------------------------

    def error(self, status: int, words: str) -> tuple:
        if status == 404 and words == "not found":
            return status, {"success": False, "error": "not_found", "msg": "Instance not found"}, {}
        if status == 410:
            words = "/api/v1/instances/ is deprecated. Use /api/v2/instances/ instead."
            return status, {"success": False, "error": "deprecated_endpoint", "msg": words}, {}
        if status == 429:
            return status, "API requests too frequent", {}
        return status, {"success": False, "error": "invalid_args", "msg": words}, {}

    def unauthorized(self) -> tuple:
        return 404, {"success": False, "error": "auth_error", "msg": "Invalid user key"}, {}

    def too_soon(self, rules: dict) -> tuple:
        return 429, "API requests too frequent: endpoint threshold=%s" % rules["interval"], {}

    def identifier(self, text: str):
        return int(text) if text.isdigit() else text

    def own(self, method: str, path: str, body) -> tuple | None:
        if path.startswith("/_fake/logs/"):
            return 200, self.logs.get(int(path.rsplit("/", 1)[1]), "hello from the instance\n"), {}
        if path.rstrip("/") == "/api/v0/instances" and method == "GET":
            words = "/api/v0/instances/ is deprecated. Use /api/v1/instances/ instead."
            return 410, {"success": False, "error": "deprecated_endpoint", "msg": words}, {}
        return None

    def endless(self, operation: str):
        return {"success": True, "instances": [row(1)], "next_token": "the-same"}

    def broken(self, fault: dict, operation: str, ids: dict, query: dict, body) -> tuple | None:
        kind = fault["kind"]
        if kind == "429-json":
            return 429, {"detail": "API requests too frequent endpoint threshold=1.0"}, {}
        if kind in ("auth-404", "auth-401"):
            return int(kind[-3:]), {"success": False, "error": "auth_error", "msg": "Invalid user key"}, {}
        if kind == "no-list":
            return 200, {"success": True}, {}
        if kind == "null":
            return 200, {"success": True, "instances": None, "next_token": None, "total_instances": fault.get("total", 0)}, {}
        return super().broken(fault, operation, ids, query, body)

    def perform(self, operation: str, ids: dict, query: dict, body) -> tuple:
        number = self.identifier(ids["id"]) if "id" in ids else None
        return getattr(self, "_" + operation)(number, query if operation == "list" else body or {})

    # --- answering ---------------------------------------------------------------------------------------------------

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


if __name__ == "__main__":
    fake_api.program(FakeVast, lambda number, **fields: row(fields.pop("id", number), **fields), "A Vast.ai to test against.")
