# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client against a real server on this machine."""

from __future__ import annotations

import email.utils
import gzip
import http.server
import json
import threading
import time

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    RentedError,
)
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http

KEY = "key-0123456789-secret"


class Server:
    """Gives the scripted answers in turn, the last one again and again: (status, body, headers), or a function of the handler."""

    def __init__(self):
        self.answers = []
        self.seen = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else b""
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                answer = outer.answers[min(len(outer.seen), len(outer.answers)) - 1]
                if callable(answer):
                    answer = answer(self)
                if answer is None:
                    self.close_connection = True
                    return
                status, text, headers = answer
                data = text if isinstance(text, bytes) else text.encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = do_PUT = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()

    def answer(self, status=200, body="{}", **headers):
        self.answers.append(
            (status, body if isinstance(body, (str, bytes)) else json.dumps(body), {k.replace("_", "-"): v for k, v in headers.items()})
        )
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def api(server, slept):
    return _http.JsonApi("Acme", "acme", server.url, KEY, timeout=5, sleep=slept.append)


def test_a_read(server, api):
    server.answer(body={"a": [1]})
    assert api.get("/things", query={"limit": 5, "cursor": None, "name": "a b&c"}) == {"a": [1]}
    method, path, headers, _body = server.seen[0]
    assert (method, path) == ("GET", "/things?limit=5&name=a+b%26c")
    assert headers["Authorization"] == "Bearer " + KEY and KEY not in path


def test_a_body_is_sent_as_json(server, api):
    server.answer(201, {"id": 1})
    assert api.call("POST", "/things", body={"ä": 1}) == {"id": 1}
    assert json.loads(server.seen[0][3]) == {"ä": 1} and server.seen[0][2]["Content-Type"] == "application/json"


def test_a_bare_text(server, api):
    server.answer(202, "7f3a-id\n", Content_Type="text/plain").answer(202, "").answer(
        200, "<!DOCTYPE html><p>Sign in", Content_Type="text/html"
    )
    assert api.call("POST", "/things", body={}, text=True) == "7f3a-id"
    assert api.call("POST", "/things", body={}, text=True) is None
    with pytest.raises(ProviderUnavailable, match="answered a web page instead of its API"):
        api.call("POST", "/things", body={}, text=True)


def test_a_key_in_a_header_of_its_own(server):
    server.answer().answer(401, {"message": "no such key: " + KEY})
    api = _http.JsonApi("Acme", "acme", server.url, KEY, key_header="api_key")
    api.get("/things")
    headers = {name.lower(): value for name, value in server.seen[0][2].items()}
    assert headers["api_key"] == KEY and "authorization" not in headers
    with pytest.raises(AuthenticationError) as caught:
        api.get("/things")
    assert KEY not in str(caught.value)


def test_an_empty_answer_is_none(server, api):
    server.answer(204, "")
    assert api.call("DELETE", "/things/1") is None


def test_a_packed_answer(server, api):
    server.answer(200, gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")
    assert api.get("/things") == {"a": 1}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_reads_and_deletes_are_repeated(server, api, slept, method, status):
    server.answer(status, "wait").answer(status, "wait").answer(200, {"ok": 1})
    assert api.call(method, "/things") == {"ok": 1}
    assert slept == [1.0, 2.0]


@pytest.mark.parametrize("status", [429, 502, 503, 504, 500])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_may_rent_is_sent_once(server, api, slept, method, status):
    server.answer(status, "wait")
    with pytest.raises(ProviderUnavailable):
        api.call(method, "/things", body={})
    assert len(server.seen) == 1 and slept == []


def test_a_write_that_is_safe_to_repeat_is_repeated(server, api, slept):
    server.answer(502, "wait").answer(429, "wait").answer(200, {"ok": 1})
    assert api.call("POST", "/things/1/destroy", body={"id": 1}, repeat=True) == {"ok": 1}
    assert slept == [1.0, 2.0] and {body for _method, _path, _headers, body in server.seen} == {b'{"id": 1}'}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(400, {"error": {"code": "quota", "message": "Too many."}}, "quota"), (404, {"message": "none"}, None), (503, "<html>", None)],
)
def test_an_error_carries_the_code_of_the_api(server, api, status, body, code):
    server.answer(status, body)
    with pytest.raises(RentedError) as caught:
        api.call("POST", "/things", body={})
    assert (caught.value.code, caught.value.status) == (code, status)


def test_a_500_is_not_repeated(server, api):
    server.answer(500, "boom")
    with pytest.raises(ProviderUnavailable, match=r"Acme failed to list the things \(500: boom\) at http://127.0.0.1"):
        api.get("/things", what="list the things")
    assert len(server.seen) == 1


def test_tries_are_bounded(server, api, slept):
    server.answer(429, "API requests too frequent")
    with pytest.raises(RateLimited, match="429: API requests too frequent"):
        api.get("/things")
    assert len(server.seen) == _http.TRIES and slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("0", 1.0), ("-5", 1.0), ("3600", 60.0), ("soon", 1.0), ("nan", 1.0), ("inf", 60.0)]
)
def test_retry_after_is_honoured_within_bounds(server, api, slept, header, wait):
    server.answer(429, "", Retry_After=header).answer()
    api.get("/things")
    assert slept == [wait]


def test_retry_after_as_a_date():
    assert _http.retry_wait(email.utils.formatdate(1000030, usegmt=True), 1, now=1000000) == 30.0
    assert _http.retry_wait(email.utils.formatdate(999000, usegmt=True), 1, now=1000000) == 1.0


def test_a_connection_that_breaks_is_tried_again(server, api, slept):
    server.answers = [lambda handler: None, lambda handler: None]
    server.answer(200, {"ok": 1})
    assert api.get("/things") == {"ok": 1}
    assert slept == [1.0, 2.0]


def test_an_answer_that_breaks_off(server, api):
    def cut(handler):
        handler.close_connection = True
        return 200, '{"a": []}', {"Content-Length": "500"}

    server.answers = [cut]
    with pytest.raises(ProviderUnavailable, match=r"did not answer when asked to list .*broke off"):
        api.get("/things", what="list")


def test_a_host_that_does_not_answer(server):
    server.stop()
    with pytest.raises(ProviderUnavailable, match=r"Acme at http://127.0.0.1:\d+ did not answer when asked to list \(Connection refused\)"):
        _http.JsonApi("Acme", "acme", server.url, KEY, sleep=lambda seconds: None).get("/things", what="list")


def test_a_slow_server_ends_with_the_time_out(server):
    server.answers = [lambda handler: time.sleep(1.5)]
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="timed out"):
        _http.JsonApi("Acme", "acme", server.url, KEY, timeout=0.2, tries=1).get("/things")
    assert time.monotonic() - began < 1.2


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, RentedError, "refused to list"),
        (401, AuthenticationError, "Check the key"),
        (403, AuthenticationError, "does not allow this key to list"),
        (404, NotFound, "knows nothing of this: list"),
        (410, ProviderUnavailable, "has retired"),
        (418, RentedError, "418"),
    ],
)
def test_statuses(server, api, status, error, words):
    server.answer(status, {"message": "because"})
    with pytest.raises(error, match=words) as caught:
        api.get("/things", what="list")
    assert caught.value.status == status and "because" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"type": "about:blank", "title": "Bad", "detail": "the detail"}, ("about:blank", "the detail")),
        ({"success": False, "error": "invalid_args", "msg": "the msg"}, ("invalid_args", "the msg")),
        ({"error": {"code": "global/quota", "message": "the message", "suggestion": "less"}}, ("global/quota", "the message")),
        ({"code": "NOT_FOUND", "message": "the message"}, ("NOT_FOUND", "the message")),
        (
            {"code": "BAD_REQUEST", "message": "the message", "issues": [{"message": "the first"}, {"path": []}, {"message": "next"}]},
            ("BAD_REQUEST", "the message: the first; next"),
        ),
        ({"code": "BAD_REQUEST", "issues": [{"message": "the first"}]}, ("BAD_REQUEST", "the first")),
        ({"errors": [{"message": "the first"}, {"message": "the second"}]}, (None, "the first")),
        (
            {"detail": "Not valid.", "errors": ["$.disk: 0 is below 1", "$: no 'name'"]},
            (None, "Not valid: $.disk: 0 is below 1; $: no 'name'"),
        ),
        ({"detail": "Not valid.", "errors": [{"field": "disk"}]}, (None, "Not valid.")),
        ({"msg": None, "message": "the message"}, (None, "the message")),
        ({"error": "only_a_code"}, ("only_a_code", "only_a_code")),
        ([{"message": "in a list"}], (None, "in a list")),
        ({}, (None, None)),
        ("null", (None, None)),
        ("", (None, None)),
        ("plain  text\n", (None, "plain text")),
        ("x" * 5000, (None, "x" * 300)),
    ],
)
def test_error_texts(body, found):
    assert _http.describe(body if isinstance(body, str) else json.dumps(body)) == found


@pytest.mark.parametrize("status", [200, 403, 503])
def test_a_web_page_is_called_one(server, status):
    server.answer(status, "\n<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>", Content_Type="text/html; charset=utf-8")
    with pytest.raises(RentedError, match="a web page instead of its API") as caught:
        _http.JsonApi("Acme", "acme", server.url, KEY, tries=1).get("/things")
    assert "<h1>" not in str(caught.value)


def test_what_is_not_json_is_an_error(server, api):
    server.answer(200, "OK")
    with pytest.raises(ProviderUnavailable, match="something that is not JSON"):
        api.get("/things")


def test_a_key_that_the_server_repeats_is_not_shown(server, api):
    server.answer(401, {"message": "bad key %s, header Bearer %s" % (KEY, KEY)})
    with pytest.raises(AuthenticationError) as caught:
        api.get("/things")
    assert KEY not in str(caught.value) and "***" in str(caught.value)


@pytest.mark.parametrize("key", ["a b", "a\nX-Evil: 1", "é", ""])
def test_a_key_that_cannot_go_into_a_header(key):
    with pytest.raises(AuthenticationError, match="holds spaces"):
        _http.JsonApi("Acme", "acme", "http://127.0.0.1:9", key)


def test_the_key_does_not_leave_with_a_redirect(server, api):
    other = Server()
    other.answer(body={"ok": 1})
    server.answer(302, "", Location=other.url.replace("127.0.0.1", "localhost") + "/steal")
    with pytest.raises(ProviderUnavailable, match=r"redirects to another server \(localhost\).*the key was not sent there"):
        api.get("/things")
    assert other.seen == []
    other.stop()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_server_is_followed(server, api, status):
    server.answer(status, "", Location="/things/").answer(200, {"ok": 1})
    assert api.get("/things") == {"ok": 1}
    assert server.seen[1][1] == "/things/" and server.seen[1][2]["Authorization"]


def test_redirects_end(server, api):
    server.answer(302, "", Location="/things")
    with pytest.raises(ProviderUnavailable, match="in a circle"):
        api.get("/things")


def test_a_write_is_not_redirected(server, api):
    server.answer(307, "", Location="/other")
    with pytest.raises(ProviderUnavailable, match="only reads are redirected"):
        api.call("POST", "/things", body={})
    assert len(server.seen) == 1


def test_a_netrc_entry_does_not_replace_the_key(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.answer()
    _http.JsonApi("Acme", "acme", server.url, KEY).get("/things")
    assert server.seen[0][2]["Authorization"] == "Bearer " + KEY


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_an_end_is_given_up(server, packed):
    data = b'"' + b" " * 3_000_000 + b'"'
    server.answer(200, gzip.compress(data) if packed else data, **({"Content_Encoding": "gzip"} if packed else {}))
    with pytest.raises(ProviderUnavailable, match="answered more than 1 MB"):
        _http.JsonApi("Acme", "acme", server.url, KEY, answer_limit=1024 * 1024).get("/things")


def stream(*parts, pause=0.0, hold=0.0):
    """An answer that comes bit by bit and is not ended."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            for part in parts:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                handler.wfile.flush()
                time.sleep(pause)
            time.sleep(hold)
        except OSError:  # the client has seen enough
            pass

    return answer


def test_a_stream_is_read_until_it_is_silent(server, api):
    server.answers = [stream(b"id: 1\ndata: one\n\nda", b"ta: two\n: comment\n\n", b"data: tail without an end", hold=3)]
    began = time.monotonic()
    assert api.events("/logs", query={"tail": 5}, quiet=0.5) == ["one", "two"]
    assert time.monotonic() - began < 2.5
    assert server.seen[0][1] == "/logs?tail=5" and server.seen[0][2]["Authorization"] == "Bearer " + KEY
    assert server.seen[0][2]["Accept"] == "text/event-stream"


def test_a_stream_that_is_never_silent_is_left_in_time(server, api):
    server.answers = [stream(*[b"data: %d\n\n" % number for number in range(100)], pause=0.05)]
    began = time.monotonic()
    found = api.events("/logs", quiet=2, longest=0.5)
    assert found[:3] == ["0", "1", "2"] and len(found) < 50 and time.monotonic() - began < 2


def test_a_stream_that_fails_is_an_error(server, api):
    server.answers = [(404, '{"detail": "no such thing"}', {}), (302, "", {"Location": "http://127.0.0.1:9/"}), None]
    with pytest.raises(NotFound, match="no such thing"):
        api.events("/logs", what="read the log")
    with pytest.raises(RentedError, match="302"):
        api.events("/logs", what="read the log")
    with pytest.raises(ProviderUnavailable, match="did not answer when asked to read the log"):
        api.events("/logs", what="read the log")
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, "<html>Sign in</html>", {"Content-Type": "text/html"}), "a web page instead of its API"),
        ((200, "{}", {}), "answered no stream"),
    ],
)
def test_what_is_no_stream_is_an_error(server, api, answer, words):
    server.answers = [answer]
    with pytest.raises(ProviderUnavailable, match=words):
        api.events("/logs", what="read the log")


def test_an_endpoint_with_a_slash_at_its_end(server):
    server.answer()
    _http.JsonApi("Acme", "acme", server.url + "/", KEY).get("/things")
    assert server.seen[0][1] == "/things"


def test_pages():
    asked = []

    def fetch(cursor):
        asked.append(cursor)
        return {None: ([1, 2], "b"), "b": ([], "c"), "c": ([3], None)}[cursor]

    assert list(_http.pages(fetch, "Acme")) == [1, 2, 3]
    assert asked == [None, "b", "c"]


def test_pages_without_an_end():
    with pytest.raises(ProviderUnavailable, match="same page again"):
        list(_http.pages(lambda cursor: ([1], "b"), "Acme"))
    with pytest.raises(ProviderUnavailable, match="more than 7 pages"):
        list(_http.pages(lambda cursor: ([1], (cursor or 0) + 1), "Acme", limit=7))


def test_pace():
    now, slept = [100.0], []
    pace = _http.Pace(1.0, clock=lambda: now[0], sleep=lambda seconds: (slept.append(seconds), now.__setitem__(0, now[0] + seconds)))
    with pace:
        now[0] += 0.5  # how long the first request takes does not count as a pause
    with pace:
        pass
    now[0] += 0.75
    with pace:
        pass
    now[0] += 9
    with pace:
        pass
    assert slept == [1.0, 0.25]


# --- lists ---


@pytest.mark.parametrize(("answer", "key"), [({"items": [1]}, "items"), ([1], None)])
def test_the_list_of_an_answer(answer, key):
    assert _http.list_in(answer, key, "Acme Cloud", "acme", "list the keys") == [1]


@pytest.mark.parametrize(
    ("answer", "key"), [({"items": None}, "items"), ({"items": {}}, "items"), ({}, "items"), (None, "items"), ([1], "items"), ({}, None)]
)
def test_an_answer_without_its_list_is_not_an_empty_one(answer, key):
    with pytest.raises(ProviderUnavailable) as caught:
        _http.list_in(answer, key, "Acme Cloud", "acme", "list the keys")
    assert str(caught.value) == "Acme Cloud answered no list when asked to list the keys; its API may have changed."
    assert caught.value.provider == "acme"


@pytest.mark.parametrize(("row", "found"), [({"id": "i-1"}, "i-1"), ({"id": 7}, "7"), ({"id": " i-2 "}, "i-2")])
def test_the_id_of_a_row(row, found):
    assert _http.id_in(row, "Acme Cloud", "acme") == found


@pytest.mark.parametrize("row", [None, "i-1", [], {}, {"id": None}, {"id": ""}, {"id": {}}, {"InstanceId": "i-1"}], ids=repr)
def test_a_row_without_an_id_is_no_instance(row):
    with pytest.raises(ProviderUnavailable, match="Acme Cloud listed something that is not an instance; its API may have changed"):
        _http.id_in(row, "Acme Cloud", "acme")
