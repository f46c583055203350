# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The only place for HTTP, and what providers with a client library of their own share with it: waiting, paging, reading errors.

Only reads and deletes are repeated. A request that rents is sent once: when its outcome is unknown, the caller lists before
anything else. A key is in a header, never in a URL, never in a message, and never goes to another host.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from ansible_collections.rented.gpu.plugins.module_utils import _masking, _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    RentedError,
)
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _transport, _values

USER_AGENT = "rented.gpu"
RETRY_STATUS = (429, 502, 503, 504)
RETRY_METHODS = ("GET", "HEAD", "DELETE")
TRIES = 4  # in all, the first included
LONGEST_WAIT = 60.0  # seconds; a server may ask for more, we give up sooner
FIRST_WAIT = 1.0  # seconds; doubled each time
ANSWER_LIMIT = 32 * 1024 * 1024  # bytes; the largest real answer, a page of a thousand offers, is below 5 MB
PAGE_LIMIT = 1000
REDIRECT_LIMIT = 5
REDIRECTS = (301, 302, 303, 307, 308)
TEXT_LIMIT = 300  # characters of a provider's own words in a message
BODY_LIMIT = 65536  # characters of a failed answer that are looked at
DEPTH_LIMIT = 100  # brackets within brackets; no API comes near it, and Python's own limit would be an error of its own kind
NOT_READABLE = (ValueError, RecursionError)  # what reading JSON raises


# --- shared with providers that have a client library ------------------------------------------------------------------


def retry_wait(retry_after: str | None, attempt: int, now: float | None = None) -> float:
    """Seconds to wait after the try number ``attempt`` (from 1): what ``Retry-After`` says (seconds or a date), else 1, 2, 4…

    Always between `FIRST_WAIT` and `LONGEST_WAIT`: servers send 0, negative, huge and nonsensical values.
    """
    wait = None
    if retry_after:
        text = str(retry_after).strip()
        try:
            wait = float(text)
        except ValueError:
            try:
                wait = parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now)
            except (TypeError, ValueError, IndexError, OverflowError):
                wait = None
    if wait is None or math.isnan(wait):
        wait = FIRST_WAIT * 2 ** (attempt - 1)
    return min(max(wait, FIRST_WAIT), LONGEST_WAIT)


class Pace:
    """At least ``seconds`` between two requests; providers publish such intervals per endpoint.

    ``with pace:`` around each request. The interval counts from the end of the one before: the first request also sets up
    the connection, so by the server's clock it arrives later than it was begun.
    """

    def __init__(self, seconds: float, clock=time.monotonic, sleep=time.sleep) -> None:
        self.seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._last = None

    def __enter__(self) -> None:
        if self._last is not None:
            left = self._last + self.seconds - self._clock()
            if left > 0:
                self._sleep(left)

    def __exit__(self, *unused) -> None:
        self._last = self._clock()


def pages(fetch, title: str, limit: int = PAGE_LIMIT):
    """Yield the items of every page. ``fetch(cursor)`` gives ``(items, next cursor or None)``; the first cursor is None.

    A cursor that comes twice, or more than ``limit`` pages, is an error: a list without an end is not a list.
    """
    cursor, seen = None, set()
    for _number in range(limit):
        items, cursor = fetch(cursor)
        yield from items
        if not cursor:
            return
        if not isinstance(cursor, (str, int, float)):
            raise ProviderUnavailable(f"{title} says in an unknown form where its list goes on; its API may have changed.")
        if cursor in seen:
            raise ProviderUnavailable(f"{title} gives the same page again and again; its list has no end. Try later.")
        seen.add(cursor)
    raise ProviderUnavailable(f"{title} gives more than {limit} pages; the list was given up.")


def no_list(title: str, name: str, what: str) -> ProviderUnavailable:
    """The error for an answer without the list that was asked for. It must not read as "you have none": instances would go on billing."""
    return ProviderUnavailable(f"{title} answered no list when asked to {what}; its API may have changed.", name)


def list_in(answer, key: str | None, title: str, name: str, what: str) -> list:
    """The list under ``key`` of an answer, or the answer itself where ``key`` is None. Raises `no_list` for anything else."""
    found = answer if key is None else answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise no_list(title, name, what)
    return found


def id_in(row, title: str, name: str, key: str = "id") -> str:
    """The id of a row of a list of instances. Raises `ProviderUnavailable` for what is not one: unseen, it would go on billing."""
    found = _values.text(row.get(key)) if isinstance(row, dict) else None
    if found is None:
        raise ProviderUnavailable(f"{title} listed something that is not an instance; its API may have changed.", name)
    return found


def too_much(limit: int) -> str:
    """The end of a sentence that begins with who answered more than ``limit`` bytes."""
    return "answered more than %d MB; the answer was given up" % (limit // (1024 * 1024))


def is_web_page(body: str, content_type: str = "") -> bool:
    """Whether this is HTML: a proxy's login page, a maintenance page, a wrong address."""
    return "html" in content_type.lower() or body.lstrip()[:15].lower().startswith(("<!doctype", "<html", "<head"))


def error_words(data) -> tuple:
    """``(code, words)`` of an error answer's JSON, in any of the shapes that providers use.

    problem+json ``{type,title,detail}``, ``{error,msg}``, ``{error:{code,message}}``, ``{code,message}``,
    ``{code,message,issues:[…]}``, ``{errors:[…]}``.
    """
    if isinstance(data, list) and data:
        return error_words(data[0])
    if not isinstance(data, dict):
        return None, None if data is None else shortened(data)
    inner = data.get("error")
    if isinstance(inner, dict):
        return error_words(inner)
    code = data.get("code") or inner or data.get("type")
    words = None
    for key in ("msg", "message", "detail", "error_description", "title", "suggestion"):
        if isinstance(data.get(key), str) and data[key].strip():
            words = data[key]
            break
    if words is None and data.get("errors"):
        inner_code, words = error_words(data["errors"])
        code = code or inner_code
    elif words and isinstance(data.get("errors"), list):
        # RunPod says "Request validation failed." there, and here what failed.
        parts = [item for item in data["errors"] if isinstance(item, str)]
        words = f"{words.rstrip('.:')}: {'; '.join(parts)}" if parts else words
    if isinstance(data.get("issues"), list):  # which field is wrong is only there
        issues = [item["message"] for item in data["issues"] if isinstance(item, dict) and isinstance(item.get("message"), str)]
        words = ": ".join(part for part in (words, "; ".join(issues)) if part) or None
    return (str(code) if code is not None else None), words


def describe(body: str, content_type: str = "") -> tuple:
    """``(code, sentence)`` for the body of a failed answer; both may be None."""
    if is_web_page(body, content_type):
        return None, "it answered a web page instead of its API"
    try:
        code, words = error_words(parsed(body[:BODY_LIMIT]))
    except NOT_READABLE:
        code, words = None, body
    return code, shortened(words or code or "") or None


def parsed(text: str):
    """The data of a JSON text. Raises one of `NOT_READABLE`, also for what is nested too deeply to be worked on."""
    return not_too_deep(json.loads(text))


def not_too_deep(data):
    """``data``. Raises `ValueError` when it is nested too deeply: whatever walks through it would fail there."""
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > DEPTH_LIMIT:
            raise ValueError(f"nested more than {DEPTH_LIMIT} deep")
        level = [
            item
            for part in level
            if isinstance(part, (dict, list))
            for item in (part.values() if isinstance(part, dict) else part)
            if isinstance(item, (dict, list))
        ]
    return data


def shortened(words, *secrets) -> str:
    """Text from elsewhere as a part of a sentence: on one line, without secrets, and short.

    Masked before they are cut: half a key is not recognised as a key.
    """
    text = redact(" ".join(str(words)[:BODY_LIMIT].split()), *secrets)
    return _plain.plain(text)[:TEXT_LIMIT]


def check_key(title: str, name: str, key: str | None) -> None:
    """Refuse a key that cannot go into a header. Libraries would name the whole header, key included, in their error."""
    if key is not None and not re.match(r"^[\x21-\x7e]+$", key):
        raise AuthenticationError(
            f"The API key for {title} holds spaces, line ends or characters that no key has. Copy it again, whole and alone.", name
        )


def redact(text: str, *secrets) -> str:
    """``text`` without these secrets, and without those of any account: servers like to repeat what they refused."""
    return _masking.mask_these(text, {secret for secret in secrets if secret and len(secret) >= 4} | _masking.known())


def failure(title: str, name: str, endpoint: str, status: int, sentence: str | None, what: str) -> RentedError:
    """The error for a status code: one sentence with what was tried, what was found and what to do next."""
    said = f": {sentence}" if sentence else ""
    if status == 401:
        return AuthenticationError(f"{title} refused the API key (401{said}). Check the key.", name, status)
    if status == 403:
        return AuthenticationError(f"{title} does not allow this key to {what} (403{said}). Check the key's rights.", name, status)
    if status == 404:
        return NotFound(f"{title} knows nothing of this: {what} (404{said}).", name, status)
    if status == 429:
        return RateLimited(f"{title} kept answering 'too many requests' to: {what} (429{said}). Try again in a minute.", name, status)
    if status == 410:
        return ProviderUnavailable(
            f"{title} has retired the address used to {what} (410{said}). A newer release of the collection or of "
            "the client library is needed.",
            name,
            status,
        )
    if status >= 500:
        return ProviderUnavailable(f"{title} failed to {what} ({status}{said}) at {endpoint}. Try later.", name, status)
    return RentedError(f"{title} refused to {what} ({status}{said}).", name, status)


# --- the client --------------------------------------------------------------------------------------------------------


class JsonApi:
    """JSON over HTTP with a key in a header.

    ``endpoint`` is the base URL without a trailing slash, ``timeout`` is in seconds per try, from the connection to the last byte.
    ``api_key`` may be a function that gives the key of the moment: tokens that are good for an hour.
    It is sent as a bearer token, or as it is in the header ``key_header``.
    ``clock`` and ``sleep`` can be replaced, so that tests do not wait.
    """

    def __init__(
        self,
        title: str,
        name: str,
        endpoint: str,
        api_key: str | Callable[[], str] | None = None,
        timeout: float = 30,
        tries: int = TRIES,
        pace: contextlib.AbstractContextManager | None = None,
        sleep=time.sleep,
        answer_limit: int = ANSWER_LIMIT,
        key_header: str | None = None,
    ) -> None:
        self.title = title
        self.name = name
        self.endpoint = endpoint.rstrip("/")
        self.timeout = timeout
        self.tries = tries
        self.pace = pace or Pace(0)
        self.answer_limit = answer_limit
        if not callable(api_key):
            check_key(title, name, api_key)
        self._give_key = api_key if callable(api_key) else lambda: api_key
        self._api_key: str | None = None
        self._key_header = key_header
        self._sleep = sleep
        # Redirects are followed here, by hand: a handler of the library would send the key along to any host.
        self._opener = _transport.opener()

    def get(self, path: str, query: dict | None = None, what: str | None = None):
        """The decoded answer of a read."""
        return self.call("GET", path, query=query, what=what)

    def call(
        self,
        method: str,
        path: str,
        query: dict | None = None,
        body=None,
        what: str | None = None,
        repeat: bool = False,
        text: bool = False,
    ):
        """The decoded JSON of the answer, or None when it is empty.

        ``query`` values that are None are left out; ``what`` says in a message what was tried ("list the instances");
        ``repeat`` is for a write that does no more when it is sent twice: it is then tried as often as a read.
        ``text`` is for an answer that is not JSON but a bare text, such as an id: it is given as it is, without spaces around it.
        Raises `AuthenticationError`, `NotFound`, `RateLimited`, `ProviderUnavailable` or `RentedError`.
        """
        what = what or f"{method} {path}"
        url, headers = self._address(path, query, "application/json")
        data = None
        if body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
        tries = self.tries if repeat or method in RETRY_METHODS else 1
        for attempt in range(1, tries + 1):
            last = attempt == tries
            _deadline.check(what)
            try:
                with self.pace, _deadline.Watch(self.timeout) as watch:
                    status, answer_headers, said = self._send(method, url, data, headers, what, watch)
            except _NoAnswer as error:
                _deadline.check(what)
                if last or error.final:
                    raise self._unavailable(f"did not answer when asked to {what} ({error})") from None
                self._pause(retry_wait(None, attempt), what)
                continue
            if status in RETRY_STATUS and not last:
                self._pause(retry_wait(answer_headers.get("Retry-After"), attempt), what)
                continue
            kind = answer_headers.get("Content-Type") or ""
            if text and 200 <= status < 300 and not is_web_page(said, kind):
                return said.strip() or None
            return self._decode(status, kind, said, what)
        raise AssertionError("unreachable")

    def events(self, path: str, query: dict | None = None, what: str | None = None, quiet: float = 5.0, longest: float = 20.0) -> list:
        """What a stream of events (``text/event-stream``) gives: the text of each ``data`` line.

        Such a stream has no end. It is read until nothing comes for ``quiet`` seconds, for ``longest`` seconds at most, and up to the
        limit of an answer. Sent once. Raises as `call` does, but not for a stream that broke off after something had come.
        """
        what = what or "GET " + path
        url, headers = self._address(path, query, "text/event-stream")
        with self.pace, _deadline.Watch(longest) as watch:
            return self._stream(url, headers, what, min(self.timeout, quiet), time.monotonic() + longest, watch)

    def _stream(self, url: str, headers: dict, what: str, quiet: float, end: float, watch) -> list:
        found, size = [], 0
        try:
            answer = self._open("GET", url, None, headers, quiet, watch)
            kind = answer.headers.get("Content-Type") or ""
            if answer.status != 200 or "event-stream" not in kind:
                status, _headers, text = self._read(answer, watch)
                self._decode(status, kind, text, what)  # raises for all but JSON
                raise self._unavailable(f"answered no stream when asked to {what}")
        except _NoAnswer as error:
            raise self._unavailable(f"did not answer when asked to {what} ({error})") from None
        with contextlib.closing(answer):
            try:
                while size < self.answer_limit and time.monotonic() < end:
                    line = answer.readline(self.answer_limit)
                    if not line:
                        break
                    size += len(line)
                    if line.startswith(b"data:"):
                        found.append(line[5:].decode("utf-8", "replace").strip())
            except (OSError, HTTPException):  # silent, or broken off: what has come has come
                pass
        return found

    def _address(self, path: str, query: dict | None, accept: str) -> tuple:
        """``(URL, headers)`` of a request, with the key of the moment."""
        url = self.endpoint + path
        if query:
            pairs = [(key, value) for key, value in query.items() if value is not None]
            url += "?" + urllib.parse.urlencode(pairs, doseq=True)
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
        self._api_key = self._give_key()
        if self._api_key:
            headers[self._key_header or "Authorization"] = self._api_key if self._key_header else "Bearer " + self._api_key
        return url, headers

    def _decode(self, status: int, content_type: str, text: str, what: str):
        if 200 <= status < 300:
            if not text.strip():
                return None
            try:
                return parsed(text)
            except NOT_READABLE:
                found = "a web page instead of its API" if is_web_page(text, content_type) else "something that is not JSON"
                raise ProviderUnavailable(
                    f"{self.title} answered {found} when asked to {what}. Check that {self.endpoint} is its API and "
                    "that no proxy is in between.",
                    self.name,
                    status,
                ) from None
        code, sentence = describe(text, content_type)
        error = failure(self.title, self.name, self.endpoint, status, redact(sentence, self._api_key) if sentence else None, what)
        error.code = code
        raise error

    def _pause(self, seconds: float, what: str) -> None:
        _deadline.check(what, seconds)
        self._sleep(seconds)

    def _send(self, method: str, url: str, data, headers: dict, what: str, watch) -> tuple:
        """One try: (status, headers, text). Redirects of reads are followed on the same host only."""
        for _hop in range(REDIRECT_LIMIT):
            status, answer_headers, text = self._once(method, url, data, headers, watch)
            target = answer_headers.get("Location")
            if status not in REDIRECTS or not target:
                return status, answer_headers, text
            try:
                target = urllib.parse.urljoin(url, target)
                elsewhere, parts = _origin(target) != _origin(url), urllib.parse.urlsplit(target)
            except ValueError:
                raise self._unavailable(f"redirects to '{shortened(target)}', which is not an address, when asked to {what}") from None
            if elsewhere:
                raise self._unavailable(
                    f"redirects to another server ({shortened(parts.hostname or target)}) when asked to {what}; the "
                    "key was not sent there. Check the endpoint"
                )
            if method not in ("GET", "HEAD"):
                raise self._unavailable(
                    f"redirects to {shortened(parts.path)} when asked to {what}; only reads are redirected. Check the endpoint"
                )
            url = target
        raise self._unavailable(f"redirects in a circle when asked to {what}")

    def _once(self, method: str, url: str, data, headers: dict, watch) -> tuple:
        return self._read(self._open(method, url, data, headers, self.timeout, watch), watch)

    def _open(self, method: str, url: str, data, headers: dict, timeout: float, watch):
        """The answer, its body unread."""
        try:
            body = data.encode() if isinstance(data, str) else data
            return self._opener.open(urllib.request.Request(url, data=body, headers=headers, method=method), None, timeout)
        except ssl.SSLError as error:
            raise self._not_trusted(error, watch) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLError):
                raise self._not_trusted(error.reason, watch) from None
            raise _NoAnswer(watch.sentence() if watch.over else _reason(error.reason)) from None
        except (OSError, HTTPException) as error:
            raise _NoAnswer(watch.sentence() if watch.over else _reason(error)) from None
        except ValueError as error:  # an address, of the user or of a redirect, that is none
            raise self._unavailable(f"cannot be asked: {_reason(error)}") from None

    def _not_trusted(self, error, watch) -> Exception:
        if watch.over:  # the handshake was cut
            return _NoAnswer(watch.sentence())
        return self._unavailable(f"cannot be trusted: {_reason(error)}")

    def _read(self, answer, watch) -> tuple:
        """(status, headers, text) of an answer."""
        kept = bytearray()
        try:
            for block in _transport.blocks(answer):
                kept += block
                watch.came(len(block))
                if len(kept) > self.answer_limit:
                    raise self._unavailable(too_much(self.answer_limit))
        except (OSError, HTTPException, EOFError, zlib.error, ValueError) as error:
            if not watch.over:
                raise _NoAnswer(f"the answer broke off: {_reason(error)}") from None
        finally:
            answer.close()
        if watch.over:  # what is cut can look whole
            raise _NoAnswer(f"{watch.sentence()}; raise 'timeout' if the line is that slow", final=not watch.stalled)
        return answer.status, answer.headers, kept.decode("utf-8", "replace")

    def _unavailable(self, found: str) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self.title} at {self.endpoint} {redact(found, self._api_key)}.", self.name)


class _NoAnswer(Exception):
    """The connection failed or broke off: another try may help, unless it is ``final``."""

    def __init__(self, words: str, final: bool = False) -> None:
        super().__init__(words)
        self.final = final


def _reason(error) -> str:
    return shortened(getattr(error, "strerror", None) or error) or type(error).__name__


def _origin(url: str) -> tuple:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
