# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fakes of provider APIs share: a real HTTP server that routes by a schema, checks what it takes and gives, and misbehaves.

A subclass names its schema and answers each operation of it in a method of the same name::

    class FakeAcme(FakeApi):
        NAME = "acme"
        ENV = {"url": "ACME_URL", "key": "ACME_API_KEY"}

        def op_list(self, ids, query, body):
            return 200, {"machines": list(self.rows.values())}

A request that breaks the schema is refused and kept in ``violations``; an answer that breaks it is a defect of the fake and answered 500.
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

PAGE_OF_HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in to the network.</body></html>"
FAULTS = (
    "429",
    "500",
    "502",
    "503",
    "504",
    "html",
    "html-200",
    "text-200",
    "410",
    "401",
    "403",
    "404",
    "slow",
    "cut",
    "redirect",
    "answer",
)


class FakeApi:
    """The server and its state.

    ``rows`` is what there is, by id; ``pace`` refuses calls that come sooner than the API allows, by ``clock``; ``check`` holds requests
    and answers against the schema; ``boot_lists`` is how many lists a new instance stays without running, ``gone_lists`` how many a
    destroyed one is still listed (both are for the subclass to honour).
    """

    NAME = ""  # of the schema, and of the provider
    KEY = "fake-key-0123456789abcdef"
    ENV: dict = {}  # which environment variables take the "url" and the "key"
    FAULTS = FAULTS
    LIST = "list"  # the operation whose page a client follows to its end
    TEXT_TYPE = "text/plain"
    JSON_TYPE = "application/json"

    def __init__(
        self,
        rows=(),
        key: str | None = None,
        port: int = 0,
        pace: bool = False,
        boot_lists: int = 0,
        gone_lists: int = 0,
        check: bool = True,
        clock=time.monotonic,
        host: str = "127.0.0.1",
    ) -> None:
        self.schema = schema.load(self.NAME)
        self.key = key or self.KEY
        self.rows = {item["id"]: copy.deepcopy(item) for item in rows}
        self.pace, self.boot_lists, self.gone_lists, self.check, self.clock = pace, boot_lists, gone_lists, check, clock
        self.requests: list = []  # (operation, id, body of a write or query of a read)
        self.violations: list = []
        self.rewrite = None  # a test's own: (operation, answer) -> answer, for answers that no schema allows
        self._faults: list = []
        self._last: dict = {}
        self._lock = threading.RLock()
        self.routes = [
            (rules["method"], re.compile("^%s$" % re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", re.escape(rules["path"]))), name)
            for name, rules in self.schema["operations"].items()
        ]
        self._server = ThreadingHTTPServer((host, port), type("Handler", (_Handler,), {"fake": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.origin = "http://%s:%d" % (host, self.port)
        self.url = self.origin + self.schema.get("endpoint", "")

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self) -> None:
        """For the program."""
        self._server.serve_forever()

    def environment(self) -> dict:
        """The environment variables with which every client of the API finds this server."""
        return {name: {"url": self.url, "key": self.key}[what] for what, name in self.ENV.items()}

    def fault(self, operation: str, kind: str, times: int = 1, skip: int = 0, **details) -> None:
        """Misbehave: ``operation`` is a name of the schema or "*"; ``skip`` calls are served first, then ``times`` go wrong (-1: all).

        Details: ``retry_after`` for 429 and 5xx, ``seconds`` for slow, ``to`` for redirect, ``status`` and ``body`` for answer, with
        ``done`` when what was asked is done nevertheless.
        """
        if kind not in self.FAULTS:
            raise ValueError("unknown fault %r" % kind)
        self._faults.append({"operation": operation, "kind": kind, "times": times, "skip": skip, **details})

    def calls(self, operation: str) -> list:
        """What was asked of one operation, in order."""
        return [entry[2] for entry in self.requests if entry[0] == operation]

    # --- what a subclass may say otherwise ---------------------------------------------------------------------------

    def authorized(self, headers) -> bool:
        """Whether the request carries the key."""
        return headers.get("Authorization") == "Bearer " + self.key

    def error(self, status: int, words: str) -> tuple:
        """``(status, body, headers)`` of a refusal in the API's own form."""
        return status, {"message": words}, {}

    def unauthorized(self) -> tuple:
        """The answer to a wrong key."""
        return self.error(401, "invalid key")

    def too_soon(self, rules: dict) -> tuple:
        """The answer to a call that came before its interval was over."""
        return self.error(429, "too many requests")

    def own(self, method: str, path: str, body) -> tuple | None:
        """What is not the API's: ``(status, body, headers)``, or None where the path does not exist. Asked without a key."""
        return None

    def identifier(self, text: str):
        """The id of a path as it stands in the rows."""
        return text

    def perform(self, operation: str, ids: dict, query: dict, body) -> tuple:
        """``(status, body)`` or ``(status, body, headers)`` of a request that is as the schema says."""
        return getattr(self, "op_" + operation)(ids, query, body)

    def endless(self, operation: str):
        """A page whose cursor leads to itself, for the fault "cursor"; only where the API has pages."""
        raise ValueError("%s has no pages" % self.NAME)

    def broken(self, fault: dict, operation: str, ids: dict, query: dict, body) -> tuple | None:
        """What a fault makes of the answer; None: the answer comes as always (only later)."""
        kind = fault["kind"]
        retry = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
        if kind == "429":
            status, answer, headers = self.error(429, "too many requests")
            return status, answer, {**headers, **retry}
        if kind in ("500", "502", "503", "504"):
            return int(kind), "Internal error" if kind == "500" else "", retry
        if kind in ("html", "html-200"):
            return (200 if kind == "html-200" else 503), PAGE_OF_HTML, {"Content-Type": "text/html"}
        if kind == "text-200":
            return 200, "OK", {}
        if kind == "401":
            return self.unauthorized()
        if kind in ("403", "404", "410"):
            return self.error(int(kind), {"403": "forbidden", "404": "not found", "410": "gone: use the next version"}[kind])
        if kind == "slow":
            time.sleep(fault.get("seconds", 5))
            return None
        if kind == "cut":
            return 0, None, {}
        if kind == "cursor":
            return 200, self.endless(operation), {}
        if kind == "redirect":
            return 302, "", {"Location": fault["to"]}
        # "answer": a status and a body of the test's own; `done` also does what was asked.
        if fault.get("done"):
            self.perform(operation, ids, query, body)
        return fault["status"], fault["body"], {}

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

    def answer(self, operation: str, ids: dict, query: dict, body) -> tuple:
        """(status, JSON or text, headers) of one request whose key is right."""
        rules = self.schema["operations"][operation]
        reads = rules["method"] == "GET"
        with self._lock:
            first = self.identifier(next(iter(ids.values()))) if ids else None
            self.requests.append((operation, first, query if reads else body))
            # Limits are per operation, or for a group of operations together.
            group, now = rules.get("group", operation), self.clock()
            early = self.pace and now - self._last.get(group, -1e9) < rules.get("interval", 0) - 0.02
            self._last[group] = now
            if early:
                return self.too_soon(rules)
            fault = self._take_fault(operation)
            if fault:
                answer = self.broken(fault, operation, ids, query, body)
                if answer is not None:
                    return answer
            if self.check:
                wrong = schema.defects(_typed(query, rules.get("query", {})), rules.get("query", {}), operation + ".query", self.schema)
                if not reads:
                    wrong += schema.defects({} if body is None else body, rules.get("body", {}), operation + ".body", self.schema)
                if wrong:
                    self.violations.extend(wrong)
                    return self.error(400, "; ".join(wrong))
            status, answer, *headers = self.perform(operation, ids, query, body)
            if self.check and 200 <= status < 300:
                wrong = schema.wrong_answer(answer, rules, operation + ".answer", self.schema)
                if status != rules.get("status", 200):
                    wrong.append("%s: status %d instead of %d" % (operation, status, rules.get("status", 200)))
                if wrong:
                    return 500, "The fake broke its own schema: " + "; ".join(wrong), {}
            if self.rewrite and 200 <= status < 300:
                answer = self.rewrite(operation, answer)
            return status, answer, headers[0] if headers else {}


def _typed(query: dict, rules: dict) -> dict:
    """The texts of a URL as the types that the schema names, where they can be."""
    made: dict = {}
    for name, value in query.items():
        rule = rules.get(name, {})
        words = (rule if isinstance(rule, str) else rule.get("type", "")).rstrip("!").split("|")
        made[name] = value
        if "integer" in words and re.match(r"^-?\d+$", value):
            made[name] = int(value)
        elif "boolean" in words and value in ("true", "false"):
            made[name] = value == "true"
        elif "array" in words:
            made[name] = value.split(",")
    return made


class _Handler(BaseHTTPRequestHandler):
    fake: FakeApi
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments) -> None:
        pass

    def _serve(self) -> None:
        fake = self.fake
        parts = urllib.parse.urlsplit(self.path)
        query: dict = {}
        for name, value in urllib.parse.parse_qsl(parts.query, keep_blank_values=True):
            query[name] = query[name] + "," + value if name in query else value
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        if fake.key in self.path:
            fake.violations.append("the key is in the URL")
        if parts.path.startswith("/_fake/"):
            return self._send(*self._own(parts.path, raw))
        matches = [(pattern.match(parts.path), name) for method, pattern, name in fake.routes if method == self.command]
        match, operation = next(((match, name) for match, name in matches if match), (None, None))
        if operation is None:
            return self._send(*(fake.own(self.command, parts.path, raw) or fake.error(404, "no such path")))
        if not fake.authorized(self.headers):
            return self._send(*fake.unauthorized())
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            return self._send(*fake.error(400, "the body is not JSON"))
        ids = {name: urllib.parse.unquote(value) for name, value in match.groupdict().items()}
        status, answer, headers = fake.answer(operation, ids, query, body)
        if status == 0:
            self.close_connection = True
            return self.connection.close()
        return self._send(status, answer, headers)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _own(self, path: str, raw: bytes) -> tuple:
        """The strings of the puppet, for when it runs as a program; anything else is the subclass's."""
        fake = self.fake
        data = json.loads(raw) if raw and path in ("/_fake/fault", "/_fake/rows") else None
        if path == "/_fake/fault":
            fake.fault(**data)
        elif path == "/_fake/rows":
            fake.rows = {item["id"]: item for item in data}
        elif path == "/_fake/requests":
            return 200, {"requests": fake.requests, "violations": fake.violations}, {}
        else:
            if self.headers.get("Authorization"):
                fake.violations.append("the key was sent to %s" % path)
            return fake.own(self.command, path, raw) or (404, "no such path", {})
        return 200, {"success": True}, {}

    def _send(self, status: int, answer, headers: dict | None = None) -> None:
        text = "" if answer is None else answer if isinstance(answer, str) else json.dumps(answer)
        kind = self.fake.TEXT_TYPE if isinstance(answer, str) else self.fake.JSON_TYPE
        data = text.encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Type": kind, **(headers or {})}.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if status != 204:
                self.wfile.write(data)
        except OSError:  # the client gave up: that is what the slow fault is for
            self.close_connection = True


def program(cls, row, about: str) -> None:
    """Run a fake as a program until it is killed: it prints its address, its key and the environment that leads to it, as one line of JSON.

    ``row(number, **fields)`` makes an instance up.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default=cls.KEY)
    parser.add_argument("--count", type=int, default=3, help="made-up running instances to begin with")
    parser.add_argument("--rows", type=argparse.FileType(), help="a JSON list of instances to serve instead (fields left out are made up)")
    parser.add_argument("--pace", action="store_true", help="refuse calls that come sooner than the API allows")
    parser.add_argument("--boot-lists", type=int, default=0, help="how many lists a new instance stays without running")
    parser.add_argument("--fault", action="append", default=[], metavar="OPERATION:KIND[:TIMES]", help="one of: " + ", ".join(cls.FAULTS))
    options = parser.parse_args()
    # A row of one's own is a made-up one with other values: its number decides what is made up.
    given = json.load(options.rows) if options.rows else [{} for _number in range(options.count)]
    rows = [row(number, **item) for number, item in enumerate(given, 1)]
    fake = cls(rows=rows, key=options.key, port=options.port, pace=options.pace, boot_lists=options.boot_lists)
    for words in options.fault:
        operation, kind, *times = words.split(":")
        fake.fault(operation, kind, times=int(times[0]) if times else -1)
    print(json.dumps({"url": fake.url, "key": fake.key, "env": fake.environment()}), flush=True)
    try:
        fake.serve_forever()
    except KeyboardInterrupt:
        pass
