# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can stand between a client and an API: a proxy, a stranger, a second key. Real servers on this machine, which note what they see."""

from __future__ import annotations

import http.client
import http.server
import select
import socket
import socketserver
import threading
import urllib.parse


class Server:
    """A threaded HTTP server on 127.0.0.1; ``with`` starts and stops it. ``seen`` holds (method, target, headers, body) of each request."""

    def __init__(self) -> None:
        self.seen: list = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                outer.answer(self, body)

            do_GET = do_POST = do_PUT = do_DELETE = do_CONNECT = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def answer(self, handler, body: bytes) -> None:
        """Answer one request."""
        raise NotImplementedError

    @property
    def methods(self) -> list:
        return [method for method, _target, _headers, _body in self.seen]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        return self

    def __exit__(self, *unused) -> None:
        self.server.shutdown()
        self.server.server_close()


def forward(handler, body: bytes, url: str, headers: dict) -> None:
    """Ask the real server, and pass its answer on."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request(handler.command, target or "/", body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    handler.send_response(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def _passed_on(headers) -> dict:
    return {name: value for name, value in headers.items() if name.lower() not in ("connection", "proxy-connection", "host")}


class Proxy(Server):
    """A forward proxy: whole URLs for http, CONNECT tunnels for https. ``tunnelled`` holds the bytes that clients sent through tunnels."""

    def __init__(self) -> None:
        super().__init__()
        self.tunnelled = b""

    def answer(self, handler, body: bytes) -> None:
        if handler.command == "CONNECT":
            self._tunnel(handler)
        else:
            forward(handler, body, handler.path, _passed_on(handler.headers))

    def _tunnel(self, handler) -> None:
        host, _colon, port = handler.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as far:
            handler.send_response(200)
            handler.end_headers()
            near = handler.connection
            handler.close_connection = True
            while True:
                for ready in select.select([near, far], [], [], 10)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is near:
                        self.tunnelled += data
                    (far if ready is near else near).sendall(data)


class OtherKeys(Server):
    """The API at ``url`` with further keys for the same account: each of ``keys`` is passed on as ``key``."""

    def __init__(self, url: str, key: str, keys) -> None:
        super().__init__()
        self.far, self.key, self.keys = url, key, keys

    def answer(self, handler, body: bytes) -> None:
        headers = _passed_on(handler.headers)
        if headers.get("Authorization", "").replace("Bearer ", "") in self.keys:
            headers["Authorization"] = "Bearer " + self.key
        forward(handler, body, self.far + handler.path, headers)


class Stranger(Server):
    """Somebody else's server, to which an answer redirects; it says yes to everything."""

    def answer(self, handler, body: bytes) -> None:
        data = b'{"instances": [], "next_token": null}'
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


class Flood(Server):
    """An API whose answers have ``megabytes`` of JSON; ``sent`` counts the bytes that went out. The length is not said beforehand."""

    def __init__(self, megabytes: float) -> None:
        super().__init__()
        self.size = int(megabytes * 1024 * 1024)
        self.sent = 0

    def answer(self, handler, body: bytes) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Connection", "close")
        handler.end_headers()
        start, end = b'{"success": true, "next_token": null, "total_instances": 0, "instances": [], "filler": "', b'"}'
        try:
            handler.wfile.write(start)
            left = self.size - len(start) - len(end)
            while left > 0:
                block = b"x" * min(left, 65536)
                handler.wfile.write(block)
                self.sent += len(block)
                left -= len(block)
            handler.wfile.write(end)
        except OSError:
            pass  # the client had enough


class Wire:
    """A server below HTTP: it reads each request and then sends what `answer` sends, byte for byte. ``seen`` holds the requests.

    ``answers`` are whole answers in bytes, in turn, the last one again and again.
    """

    def __init__(self, *answers: bytes) -> None:
        self.seen: list = []
        self.answers = answers
        self.over = threading.Event()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                request = self.rfile.readline()
                size = 0
                for line in iter(self.rfile.readline, b"\r\n"):
                    if not line:
                        return
                    request += line
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                outer.seen.append(request + b"\r\n" + self.rfile.read(size))
                try:
                    outer.answer(self.wfile.write)
                except OSError:
                    pass  # the client had enough

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_arguments: None
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def answer(self, send) -> None:
        """Answer one request; the connection is closed afterwards."""
        send(self.answers[min(len(self.seen), len(self.answers)) - 1])

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        return self

    def __exit__(self, *unused) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


class Drip(Wire):
    """An answer that comes byte by byte and never ends: its ``headers``, or its ``body`` after whole headers."""

    BEGINNING = {"headers": b"HTTP/1.1 200 OK\r\nX-Filler: ", "body": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"}

    def __init__(self, part: str, every: float = 0.02) -> None:
        super().__init__()
        self.part, self.every = part, every

    def answer(self, send) -> None:
        send(self.BEGINNING[self.part])
        while not self.over.wait(self.every):
            send(b" ")


def wire_answer(status="200 OK", body=b"", **headers) -> bytes:
    """A whole answer, as it goes over the wire; a header that is None is left out, and values may be bytes that are not allowed."""
    body = body if isinstance(body, bytes) else body.encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    lines.update({name.replace("_", "-"): value for name, value in headers.items()})
    made = b"HTTP/1.1 " + status.encode("latin-1") + b"\r\n"
    for name, value in lines.items():
        if value is not None:
            made += name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("latin-1")) + b"\r\n"
    return made + b"\r\n" + body
