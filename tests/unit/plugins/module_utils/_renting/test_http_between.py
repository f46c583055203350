# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client through a real proxy, beside a stranger, and under a flood: who sees what, and how much is kept."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import ProviderUnavailable
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http
from ansible_collections.rented.gpu.tests.fakes.between import Flood, Proxy, Server, Stranger

KEY = "key-0123456789-secret"
VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


class Api(Server):
    """Answers with what was asked."""

    def answer(self, handler, body):
        data = b'{"ok": true}'
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def api():
    with Api() as made:
        yield made


@pytest.fixture
def proxy():
    with Proxy() as made:
        yield made


@pytest.fixture
def secure(tmp_path, monkeypatch):
    """The same API over https, with a certificate that this test's OpenSSL trusts."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    subprocess.run(words, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
    made = Api()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    made.server.socket = context.wrap_socket(made.server.socket, server_side=True)
    made.url = made.url.replace("http:", "https:")
    with made:
        yield made


def client(url):
    return _http.JsonApi("Acme", "acme", url, KEY, timeout=10, sleep=lambda seconds: None)


def test_without_a_proxy_the_connection_is_direct(api, proxy):
    assert client(api.url).get("/things") == {"ok": True}
    assert (len(api.seen), proxy.seen) == (1, [])


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY"])
def test_the_proxy_of_the_environment_is_used(api, proxy, monkeypatch, variable):
    monkeypatch.setenv(variable, proxy.url)
    assert client(api.url).get("/things", query={"a": "b c"}) == {"ok": True}
    assert [target for _method, target, _headers, _body in proxy.seen] == [api.url + "/things?a=b+c"]
    assert api.seen[0][2]["Authorization"] == "Bearer " + KEY


def test_no_proxy_is_honoured(api, proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "example.org,127.0.0.1")
    assert client(api.url).get("/things") == {"ok": True}
    assert (len(api.seen), proxy.seen) == (1, [])


def test_the_proxy_of_https_sees_a_tunnel_and_never_the_key(secure, proxy, monkeypatch):
    monkeypatch.setenv("https_proxy", proxy.url)
    assert client(secure.url).get("/secret/path") == {"ok": True}
    assert client(secure.url).call("POST", "/secret/path", body={"name": "x"}) == {"ok": True}
    assert [request[:2] for request in proxy.seen] == [("CONNECT", secure.url.replace("https://", ""))] * 2
    assert [request[1] for request in secure.seen] == ["/secret/path"] * 2
    everything = repr(proxy.seen).encode() + proxy.tunnelled
    assert len(proxy.tunnelled) > 500
    for word in (KEY.encode(), b"Authorization", b"/secret/path"):
        assert word not in everything


def test_a_certificate_that_is_not_trusted_stops_before_the_key_is_sent(secure, proxy, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("https_proxy", proxy.url)
    with pytest.raises(ProviderUnavailable, match="cannot be trusted"):
        client(secure.url).get("/things")
    assert secure.seen == [] and KEY.encode() not in proxy.tunnelled


def test_a_proxy_that_is_down_is_named_by_what_failed(api, monkeypatch):
    unused = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    port = unused.server_address[1]
    unused.server_close()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:%d" % port)
    with pytest.raises(ProviderUnavailable, match="did not answer when asked to list"):
        client(api.url).call("GET", "/things", what="list")
    assert api.seen == []


def test_the_password_of_a_proxy_is_in_no_message(api, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://ada:hunter22@127.0.0.1:1")
    with pytest.raises(ProviderUnavailable) as caught:
        client(api.url).get("/things")
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_stranger_sees_nothing_at_all(status, method):
    class Turned(Server):
        def answer(self, handler, body):
            handler.send_response(status)
            handler.send_header("Location", stranger.url.replace("127.0.0.1", "localhost") + "/steal")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    with Stranger() as stranger, Turned() as turned:
        with pytest.raises(ProviderUnavailable, match=r"redirects to another server \(localhost\)"):
            client(turned.url).call(method, "/things", body={"a": 1} if method == "POST" else None)
        assert (len(turned.seen), len(stranger.seen)) == (1, 0)


def test_ten_megabytes_are_read():
    with Flood(10) as flood:
        answer = client(flood.url).get("/things")
    assert len(answer["filler"]) > 10_000_000


def test_forty_megabytes_are_given_up_and_an_endless_answer_too():
    for megabytes in (40, 4000):
        with Flood(megabytes) as flood:
            with pytest.raises(ProviderUnavailable, match="answered more than 32 MB; the answer was given up"):
                client(flood.url).get("/things")
            assert len(flood.seen) == 1  # it is not asked for again
        assert flood.sent < 48 * 1024 * 1024


MEASURED = """
import resource, sys
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    _http.JsonApi("Acme", "acme", sys.argv[1], "key-0123456789", timeout=30).get("/things")
except _http.ProviderUnavailable as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def test_memory_is_bounded():
    """A process of its own: its peak, KiB on Linux, bytes on macOS."""
    unit = 1 if sys.platform == "darwin" else 1024
    path = [entry for entry in sys.path if entry]
    with Flood(4000) as flood:
        code = "import sys; sys.path[:0] = %r\n" % path + MEASURED
        done = subprocess.run([sys.executable, "-c", code, flood.url], capture_output=True, text=True, timeout=120, check=True)
    grown, _blank, said = done.stdout.partition(" ")
    assert "more than 32 MB" in said
    assert int(grown) * unit < 100 * 1024 * 1024
