# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Paperspace to test against: machines, templates, startup scripts and what is free, in memory, over real HTTP.

In a test::

    with FakePaperspace(rows=[row(1), row(2)]) as fake:
        fake.fault("list", "429", times=2, retry_after=1)
        PaperspaceProvider(api_key=fake.key, endpoint=fake.url).list_instances()

As a program: ``python3 tests/fakes/paperspace.py --port 8809 --count 200 --fault list:html``; it prints its address and key.

What it takes and gives is checked against ``schemas/paperspace.json``, as ``fake_api.py`` says.
"""

from __future__ import annotations

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fake_api

KEY = "fake-paperspace-key-0123456789abcdef"
PAGE = 120
CODES = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 409: "CONFLICT", 429: "TOO_MANY_REQUESTS"}
NOW = "2026-11-20T12:00:00.000Z"
GB, GIB = 10**9, 2**30

# Machine type -> GPU, GiB, number, CPU cores, GB of memory, USD per hour: made up, of plausible size.
TYPES = {
    "C5": (None, None, 0, 4, 8, 0.08),
    "P4000": ("P4000", 8, 1, 8, 30, 0.51),
    "RTX4000": ("RTX4000", 8, 1, 8, 30, 0.56),
    "A4000": ("A4000", 16, 1, 8, 45, 0.76),
    "V100": ("V100", 16, 1, 8, 30, 2.3),
    "V100-32G": ("V100-32G", 32, 1, 8, 30, 2.3),
    "A100": ("A100", 40, 1, 12, 90, 3.09),
    "A100-80G": ("A100-80G", 80, 1, 12, 90, 3.18),
    "A100-80Gx8": ("A100-80G", 80, 8, 96, 720, 25.44),
    "H100x8": ("H100", 80, 8, 128, 1638, 47.6),
}


def row(number: int, **changes) -> dict:
    """A machine as the list gives it: made up, plausible."""
    gpu, memory, count, cores, ram, price = TYPES.get(changes.get("machineType"), TYPES["A100-80G"])
    reachable = changes.get("state", "ready") not in ("off", "provisioning")
    made = {
        "id": "ps%06d" % number,
        "name": "box-%d" % number,
        "state": "ready",
        "os": "Ubuntu 22.04",
        "machineType": "A100-80G",
        "agentType": "LinuxHeadless",
        "cpus": cores,
        "ram": ram * GB,
        "storageTotal": 100 * GB,
        "storageUsed": 31 * GB,
        "accelerators": [{"name": gpu, "memory": memory * GIB, "count": count}] if gpu else [],
        "region": "ny2",
        "privateIp": "10.64.%d.%d" % (number // 250 % 250, number % 250 + 1),
        "networkId": "nw0000001",
        "publicIp": "198.51.100.%d" % (number % 250 + 1) if reachable else None,
        "publicIpType": "dynamic",
        "autoShutdownEnabled": False,
        "autoShutdownTimeout": None,
        "autoShutdownForce": None,
        "autoSnapshotEnabled": False,
        "autoSnapshotFrequency": None,
        "autoSnapshotSaveCount": None,
        "updatesPending": False,
        "restorePointEnabled": False,
        "restorePointFrequency": None,
        "restorePointSnapshotId": None,
        "usageRate": price,
        "storageRate": 0.0096,
        "dtCreated": "2026-11-%02dT08:30:00.000Z" % (number % 19 + 1),
        "dtModified": "2026-11-20T08:31:00.000Z",
        "dtDeleted": None,
        "reservation": None,
    }
    made.update(changes)
    return made


def template(number: int, name: str, system: str, types=tuple(TYPES), **changes) -> dict:
    """A template as its list gives it."""
    made = {
        "id": "t%07d" % number,
        "name": name,
        "agentType": "WindowsDesktop" if "Windows" in system else "LinuxHeadless",
        "operatingSystemLabel": system,
        "defaultSizeGb": 50,
        "availableMachineTypes": [{"machineTypeLabel": label, "isAvailable": label in types} for label in TYPES],
        "dtCreated": "2024-03-01T00:00:00.000Z",
    }
    made.update(changes)
    return made


def templates() -> list:
    """Those of Paperspace: the newest ML-in-a-Box for all machines, an older one not for H100."""
    return [
        template(1, "Windows 10 (Server 2022)", "Windows Server 2022"),
        template(2, "Ubuntu 24.04", "Ubuntu 24.04"),
        template(3, "ML-in-a-Box Ubuntu 20.04", "Ubuntu 20.04", types=set(TYPES) - {"H100x8"}, defaultSizeGb=100),
        template(4, "ML-in-a-Box Ubuntu 22.04", "Ubuntu 22.04", defaultSizeGb=100),
    ]


class FakePaperspace(fake_api.FakeApi):
    """The server and its state.

    ``page`` is the most that one page holds; ``free`` is what can be had, as pairs of machine type and region; ``scripts`` are the
    startup scripts, ``texts`` what they run.
    """

    NAME = "paperspace"
    KEY = KEY
    ENV = {"url": "PAPERSPACE_API_URL", "key": "PAPERSPACE_API_KEY"}
    FAULTS = (*fake_api.FAULTS, "cursor", "no-list", "no-next", "null", "event-error", "error-200")

    def __init__(self, rows=(), own_templates=(), page: int = PAGE, free=None, **options) -> None:
        super().__init__(rows, **options)
        self.page = page
        self.templates = templates()
        self.own_templates = list(own_templates)
        self.free = {(label, "ny2") for label in TYPES} | {("A4000", "ca1"), ("C5", "ams1")} if free is None else set(free)
        self.scripts: dict = {}
        self.texts: dict = {}
        self._moving: dict = {}  # id -> [lists to come, what the machine is then; None: gone]
        self._made = 0

    # --- its own ways ------------------------------------------------------------------------------------------------

    def error(self, status: int, words: str) -> tuple:
        answer = {"code": CODES.get(status, "INTERNAL_SERVER_ERROR"), "message": words}
        if status == 400:
            answer = {"code": CODES[400], "message": "Input validation failed", "issues": [{"message": words}]}
        return status, answer, {}

    def unauthorized(self) -> tuple:
        return self.error(401, "Unauthorized")

    def endless(self, operation: str):
        return {"hasMore": True, "nextPage": "the-same", "items": [row(1)]}

    def broken(self, fault: dict, operation: str, ids: dict, query: dict, body) -> tuple | None:
        kind = fault["kind"]
        if kind == "no-list":
            return 200, {"hasMore": False}, {}
        if kind == "null":
            return 200, "null", {"Content-Type": "application/json"}
        if kind == "no-next":
            return 200, {"hasMore": True, "items": [row(1)]}, {}
        if kind == "error-200":
            return 200, {"code": "FORBIDDEN", "message": "Your team may not do this."}, {}
        if kind == "event-error":
            _status, answer = self.perform(operation, ids, query, body)
            answer["event"].update(state="error", error="No host has room for this machine")
            return 200, answer, {}
        return super().broken(fault, operation, ids, query, body)

    # --- answering ---------------------------------------------------------------------------------------------------

    def _page(self, rows: list, query: dict) -> tuple:
        start = 0
        if "after" in query:
            match = re.match(r"^after-(\d+)$", query["after"])
            if not match:
                return self.error(400, "after is not a cursor")[:2]
            start = int(match.group(1))
        end = start + min(int(query.get("limit", 20)), self.page)
        return 200, {"hasMore": end < len(rows), "nextPage": "after-%d" % end if end < len(rows) else None, "items": rows[start:end]}

    def _event(self, name: str, machine_id: str) -> dict:
        return {
            "id": "me%06d" % len(self.requests),
            "name": name,
            "state": "new",
            "machineId": machine_id,
            "dtCreated": NOW,
            "dtStarted": None,
            "dtFinished": None,
            "error": None,
        }

    def _done(self, name: str, machine_id: str) -> tuple:
        return 200, {"event": self._event(name, machine_id), "data": dict(self.rows[machine_id])}

    def _gone(self) -> tuple:
        return self.error(404, "Machine not found")[:2]

    def op_list(self, _ids, query: dict, _body) -> tuple:
        if "after" not in query:
            for machine_id, (left, then) in list(self._moving.items()):
                if left > 0:
                    self._moving[machine_id][0] -= 1
                    continue
                del self._moving[machine_id]
                if then is None:
                    del self.rows[machine_id]
                else:
                    self.rows[machine_id].update(then)
        by = query.get("orderBy", "dtCreated")
        rows = sorted(self.rows.values(), key=lambda item: (item[by], item["id"]), reverse=query.get("order", "desc") == "desc")
        return self._page([item for item in rows if query.get("name") in (None, item["name"])], query)

    def op_create(self, _ids, _query, body: dict) -> tuple:
        made_from = next((item for item in self.templates + self.own_templates if item["id"] == body["templateId"]), None)
        if made_from is None:
            return self.error(404, "Template not found")[:2]
        if (body["machineType"], body["region"]) not in self.free:
            return self.error(409, "We are out of capacity for %s in %s." % (body["machineType"], body["region"]))[:2]
        if not any(item["machineTypeLabel"] == body["machineType"] and item["isAvailable"] for item in made_from["availableMachineTypes"]):
            return self.error(400, "The template is not available on %s" % body["machineType"])[:2]
        if "startupScriptId" in body and body["startupScriptId"] not in self.scripts:
            return self.error(404, "Startup script not found")[:2]
        self._made += 1
        number = 900000 + self._made
        starts = body.get("startOnCreate", True)
        # A new machine is the newest, whatever has been made up before.
        made = row(
            number,
            name=body["name"],
            state="provisioning",
            machineType=body["machineType"],
            os=made_from["operatingSystemLabel"],
            agentType=made_from["agentType"],
            storageTotal=int(body["diskSize"] * GB),
            region=body["region"],
            publicIpType=body.get("publicIpType", "none"),
            networkId=body.get("networkId"),
            autoShutdownEnabled=body.get("autoShutdownEnabled", False),
            autoShutdownTimeout=body.get("autoShutdownTimeout"),
            dtCreated=NOW,
        )
        self.rows[made["id"]] = made
        self._moving[made["id"]] = [self.boot_lists, self._up(made, number) if starts else {"state": "off"}]
        if "startupScriptId" in body:
            self.scripts[body["startupScriptId"]]["assignedMachineIds"].append(made["id"])
        return self._done("create", made["id"])

    @staticmethod
    def _up(item: dict, number: int) -> dict:
        address = None if item["publicIpType"] == "none" else "203.0.113.%d" % (number % 250 + 1)
        return {"state": "ready", "publicIp": address}

    def op_destroy(self, ids: dict, _query, _body) -> tuple:
        machine_id = ids["id"]
        leaving = machine_id in self._moving and self._moving[machine_id][1] is None
        if machine_id not in self.rows or leaving:
            return self._gone()
        answer = self._done("deactivate", machine_id)
        for script in self.scripts.values():
            script["assignedMachineIds"] = [other for other in script["assignedMachineIds"] if other != machine_id]
        if self.gone_lists:
            self._moving[machine_id] = [self.gone_lists - 1, None]
            self.rows[machine_id].update(state="stopping", publicIp=None)
        else:
            self._moving.pop(machine_id, None)
            del self.rows[machine_id]
        return answer

    def op_rename(self, ids: dict, _query, body: dict) -> tuple:
        if ids["id"] not in self.rows:
            return self._gone()
        self.rows[ids["id"]].update(body)
        return 200, {"data": dict(self.rows[ids["id"]])}

    def op_start(self, ids: dict, _query, _body) -> tuple:
        return self._switch(ids["id"], "start", "off", "starting", {"state": "ready"})

    def op_stop(self, ids: dict, _query, _body) -> tuple:
        return self._switch(ids["id"], "stop", "ready", "stopping", {"state": "off", "publicIp": None})

    def _switch(self, machine_id: str, verb: str, before: str, between: str, then: dict) -> tuple:
        if machine_id not in self.rows:
            return self._gone()
        item = self.rows[machine_id]
        if item["state"] != before:
            return self.error(409, "This machine is currently %s." % item["state"])[:2]
        item["state"] = between
        if verb == "start":
            then = self._up(item, int(machine_id[2:]) + 7)  # a dynamic address is another one each time
        self._moving[machine_id] = [self.boot_lists, then]
        return self._done(verb, machine_id)

    def op_available(self, _ids, query: dict, _body) -> tuple:
        if query["machineType"] not in TYPES:
            return self.error(404, "Machine type not found")[:2]
        return 200, {"available": (query["machineType"], query["region"]) in self.free}

    def op_templates(self, _ids, query: dict, _body) -> tuple:
        return self._page(self.templates, query)

    def op_own_templates(self, _ids, query: dict, _body) -> tuple:
        return self._page(self.own_templates, query)

    def op_scripts(self, _ids, query: dict, _body) -> tuple:
        return self._page(list(self.scripts.values()), query)

    def op_add_script(self, _ids, _query, body: dict) -> tuple:
        self._made += 1
        made = script("ss%06d" % self._made, name=body["name"], isRunOnce=body.get("isRunOnce", False))
        self.scripts[made["id"]] = made
        self.texts[made["id"]] = body["script"]
        return 200, made

    def op_remove_script(self, ids: dict, _query, _body) -> tuple:
        made = self.scripts.pop(ids["id"], None)
        if made is None:
            return self.error(404, "Startup script not found")[:2]
        return 200, {**made, "dtDeleted": NOW}


def script(script_id: str, **changes) -> dict:
    """A startup script as its list gives it."""
    made = {
        "id": script_id,
        "name": "a script",
        "description": None,
        "isEnabled": True,
        "isRunOnce": True,
        "assignedMachineIds": [],
        "dtCreated": NOW,
        "dtDeleted": None,
    }
    made.update(changes)
    return made


if __name__ == "__main__":
    fake_api.program(FakePaperspace, row, "A Paperspace to test against.")
