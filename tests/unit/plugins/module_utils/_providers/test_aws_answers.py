# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How answers of AWS come in: piece by piece, up to a limit, over connections that are kept or cut. botocore's own, over real HTTP."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading
import time
import tracemalloc

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.session import Session

from ansible_collections.rented.gpu.plugins.module_utils._errors import ProviderUnavailable
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import answers, reader
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import Connection
from ansible_collections.rented.gpu.plugins.module_utils._providers.aws import AwsProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish
from ansible_collections.rented.gpu.tests.fakes.aws import KEY, REGION, SECRET, FakeAws, alone

ACCOUNT = {"regions": [REGION], "access_key_id": KEY, "secret_access_key": SECRET}
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@example.org"
LIMIT = 1024 * 1024


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch, tmp_path):
    alone(monkeypatch, tmp_path)
    monkeypatch.setattr(AwsProvider, "sleep", staticmethod(lambda seconds: None))


class Server:
    """Answers each request by ``self.answer(handler)``; ``peers`` are the connections that were used, ``broken`` those that were cut."""

    def __init__(self):
        self.peers, self.broken = [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments):
                pass

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.peers.append(self.client_address)
                self.send_response(200)
                try:
                    outer.answer(self)
                except OSError:
                    outer.broken.set()
                    self.close_connection = True

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_arguments: None  # that a connection was cut is what is tested
        self.url = "http://127.0.0.1:%d/" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def sender():
    return answers.Sender(Session(), 2, LIMIT)


def request(server):
    return AWSRequest("POST", server.url, data=b"x").prepare()


def length(size, sent=None):
    """An answer that says its size, of which some is sent."""

    def answer(handler):
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        handler.wfile.write(b"x" * (size if sent is None else sent))
        if sent is not None:
            handler.close_connection = True

    return answer


def chunks(count, size):
    """An answer that does not say its size."""

    def answer(handler):
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _number in range(count):
            handler.wfile.write(b"%x\r\n%s\r\n" % (size, b"x" * size))
        handler.wfile.write(b"0\r\n\r\n")

    return answer


# --- pieces --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "size"), [(length(100_000), 100_000), (chunks(100, 1000), 100_000), (length(0), 0), (length(LIMIT), LIMIT)]
)
def test_an_answer_comes_in_pieces_and_its_connection_is_kept(server, sender, answer, size):
    server.answer = answer
    for _again in range(3):
        found = sender.send(request(server))
        pieces = list(found.pieces())
        found.close()
        assert sum(map(len, pieces)) == size and all(len(piece) <= answers.PIECE for piece in pieces)
        whole = sender.whole(request=request(server))
        assert (whole.status_code, len(whole.content)) == (200, size)
    assert len(server.peers) == 6 and len(set(server.peers)) == 1


@pytest.mark.parametrize("answer", [length(64 * LIMIT), chunks(10**9, 100_000)], ids=["length", "chunks"])
@pytest.mark.parametrize("whole", [False, True])
def test_an_answer_above_the_limit_is_given_up_and_cut_off(server, sender, answer, whole):
    server.answer = answer
    with pytest.raises(answers.TooLarge, match="answered more than 1 MB; the answer was given up"):
        if whole:
            sender.whole(request=request(server))
        else:
            found = sender.send(request(server))
            try:
                for _piece in found.pieces():
                    pass
            finally:
                found.close()
    assert server.broken.wait(5)
    server.answer = length(3)
    assert sender.whole(request=request(server)).content == b"xxx"
    assert len(set(server.peers)) == 2


def test_what_is_not_read_to_its_end_is_cut_off(server, sender):
    server.answer = chunks(10**9, 100_000)
    found = sender.send(request(server))
    assert next(found.pieces())
    found.close()
    assert server.broken.wait(5)


@pytest.mark.parametrize("whole", [False, True])
def test_an_answer_that_ends_too_soon_is_none(server, sender, whole):
    server.answer = length(100_000, sent=70_000)
    with pytest.raises(ConnectionClosedError):
        sender.whole(request=request(server)) if whole else list(sender.send(request(server)).pieces())


def test_an_answer_that_stops_in_its_midst_ends_with_the_time_out(server):
    def answer(handler):
        length(100_000, sent=50_000)(handler)
        time.sleep(1)

    server.answer = answer
    with pytest.raises(ReadTimeoutError):
        list(answers.Sender(Session(), 0.2, LIMIT).send(request(server)).pieces())


def test_a_page_is_never_held_whole(server):
    """20 MB of what is not read of instances: what is held is a piece, and the entry that it belongs to."""
    entry = b"<item><instancesSet><item><instanceId>i-0123456789abcdef0</instanceId><x>%s</x></item></instancesSet></item>" % (
        b"y" * 20_000
    )

    def answer(handler):
        parts = [b"<DescribeInstancesResponse><reservationSet>", *[entry] * 1000, b"</reservationSet></DescribeInstancesResponse>"]
        handler.send_header("Content-Length", str(sum(map(len, parts))))
        handler.end_headers()
        for part in parts:
            handler.wfile.write(part)

    server.answer = answer
    session = Session()
    session.set_credentials(KEY, SECRET)
    asked = reader.Reader(session, server.url, answers.Sender(session, 30, 32 * LIMIT), "test")
    tracemalloc.start()
    try:
        found = asked.ask(REGION, "describe_instances", {}, lambda answer: None)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found["Reservations"]) == 1000 and most < 3_000_000


# --- the whole way -------------------------------------------------------------------------------------------------------


@pytest.fixture
def fake():
    with FakeAws() as made:
        made.deep_learning_images()
        yield made
    assert made.violations == []


def swell(fake, operation):
    """Let the answers to an operation be longer than the limit, by blanks at their end."""
    real = fake.answer

    def answer(method, path, headers, raw):
        status, more, body = real(method, path, headers, raw)
        asked = raw.decode("latin-1") + str(headers.get("X-Amz-Target"))
        return status, more, body + b" " * (LIMIT if operation in asked else 0)

    fake.answer = answer


@pytest.mark.parametrize(
    ("operation", "act", "words"),
    [
        ("DescribeRegions", lambda provider: provider.list_instances(), " in us-east-1, when asked to list the regions"),
        ("DescribeInstances", lambda provider: provider.list_instances(), " in us-east-1, when asked to list the instances"),
        ("DescribeInstanceTypes", lambda provider: provider.list_instances(), " in us-east-1, when asked to read the types"),
        ("DescribeInstanceTypeOfferings", lambda provider: provider.list_offers(Wish()), ", when asked to read which types there are"),
        ("GetProducts", lambda provider: provider.list_offers(Wish()), ", when asked to read the price list"),
        (
            "DescribeSpotPriceHistory",
            lambda provider: provider.list_offers(Wish(interruptible=True)),
            ", when asked to read the spot prices",
        ),
        ("DescribeKeyPairs", lambda provider: provider.list_keys(), ", when asked to list the key pairs"),
        ("GetConsoleOutput", lambda provider: provider.console(provider.list_instances()[0].id), ", when asked to read the console"),
    ],
)
def test_an_answer_above_the_limit_is_one_sentence_and_asked_for_once(fake, monkeypatch, operation, act, words):
    monkeypatch.setattr(Connection, "answer_limit", LIMIT)
    fake.place(1)
    provider = AwsProvider(endpoint=fake.url, **{**ACCOUNT, "regions": None if operation == "DescribeRegions" else [REGION]})
    swell(fake, operation)
    with pytest.raises(ProviderUnavailable) as caught:
        act(provider)
    said = str(caught.value)
    assert said.startswith("AWS in ") and words in said and said.endswith(", answered more than 1 MB; the answer was given up.")
    assert SECRET not in said and KEY not in said
    asked = [request["params"] for request in fake.requests if request["operation"] == operation]
    assert asked and all(asked.count(one) == 1 for one in asked)


def test_renting_is_asked_for_once_and_what_is_not_known_is_said(fake, monkeypatch):
    monkeypatch.setattr(Connection, "answer_limit", LIMIT)
    provider = AwsProvider(endpoint=fake.url, **ACCOUNT)
    swell(fake, "RunInstances")
    with pytest.raises(
        ProviderUnavailable, match=r"asked to rent g6.xlarge, answered more than 1 MB; .*Whether it was done is not known\."
    ):
        provider.launch(LaunchRequest(name="homework", gpu="L4", ssh_public_key=SSH))
    assert len(fake.calls("RunInstances")) == 1
    fake.answer = type(fake).answer.__get__(fake)
    (found,) = provider.list_instances()
    assert provider.launch(LaunchRequest(name="homework", gpu="L4", ssh_public_key=SSH)) == found.id


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", None])
def test_whose_certificates_are_trusted_is_botocores_choice_for_every_request(fake, tmp_path, monkeypatch, variable):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    fake._server.socket = context.wrap_socket(fake._server.socket, server_side=True)
    fake.place(1)
    provider = AwsProvider(endpoint=fake.url.replace("http:", "https:"), **ACCOUNT)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "certificate"))
        assert len(provider.list_instances()) == 1 and provider.list_keys() == []
        return
    for act in (provider.list_instances, provider.list_keys):
        with pytest.raises(ProviderUnavailable, match="cannot be trusted: its certificate was not accepted"):
            act()
    assert fake.requests == []
