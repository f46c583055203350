# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of docs/add_a_provider.md, taken from the page, lists instances of a server of its API."""

from __future__ import annotations

import http.server
import json
import pathlib
import re
import threading
import urllib.parse

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import ProviderUnavailable

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "add_a_provider.md"
KEY = "key-0123456789"
FIRST = {
    "id": "m-1",
    "name": "homework",
    "status": "on",
    "ip": "192.0.2.7",
    "gpu": "RTX 4090",
    "gpus": 2,
    "vram_gb": 24,
    "usd_per_hour": 0.7,
}


class Acme(http.server.BaseHTTPRequestHandler):
    """Two pages, if ``whole``."""

    whole = True

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        assert (parts.path, self.headers["Authorization"]) == ("/v1/machines", "Bearer " + KEY)
        answer = {"items": [{"id": "m-2", "status": "melting"}]} if query.get("after") else {"items": [FIRST], "next": "c2"}
        data = json.dumps(answer if self.whole else {"message": "ok"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def acme(monkeypatch):
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    made: dict = {}
    exec(compile(example, str(PAGE), "exec"), made)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Acme)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
    monkeypatch.setenv("ACME_API_KEY", KEY)
    monkeypatch.setenv("ACME_URL", "http://127.0.0.1:%d/v1" % server.server_address[1])
    yield made["AcmeProvider"]()
    server.shutdown()
    server.server_close()


def test_it_lists_all_pages(acme):
    first, second = acme.list_instances()
    assert (first.state, first.ssh_host, first.ssh_port, first.ssh_user) == ("running", "192.0.2.7", 22, "ubuntu")
    assert (first.gpu_model, first.gpu_count, first.gpu_vram_mb, first.price_per_hour) == ("RTX 4090", 2, 24576, 0.7)
    assert (second.state, second.state_raw, second.ssh_host, second.gpu_model) == ("unknown", "melting", None, None)


def test_what_is_no_list_is_an_error(acme, monkeypatch):
    monkeypatch.setattr(Acme, "whole", False)
    with pytest.raises(ProviderUnavailable, match="Acme Cloud answered no list"):
        acme.list_instances()
