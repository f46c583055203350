# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The way to Vast.ai: the API layer of its official client ``vastai``, with our pace, our repeating, and its refusals as our errors.

The requests are the client's. It repeats after 0.15 s where Vast wants a second, and repeats requests that rent; so it is told never to.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import time
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingLibrary,
    NotFound,
    ProviderUnavailable,
    RentedError,
)
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _http, _missing_package, _transport

NAME = "vast"
TITLE = "Vast.ai"
PACKAGE = "vastai"
OLDEST = "1.8.1"  # of the package: the first with VastSession
# Least seconds between two calls of one kind: "x-rate-limit" in Vast's API files.
INTERVALS = {"list": 1.0, "manage": 1.0, "destroy": 3.0, "create": 4.5, "search": 6.0, "keys": 1.0, "bid": 5.5}


class Refused(Exception):
    """A refusal together with the answer's body."""

    def __init__(self, error: RentedError, text: str, data: dict) -> None:
        super().__init__(error.message)
        self.error = error
        self.text = text
        self.data = data


class Connection:
    """Calls of one account, each kind at its pace."""

    def __init__(self, api_key: str, endpoint: str, timeout: float, clock=time.monotonic, sleep=time.sleep) -> None:
        self.api_key = api_key
        self.endpoint = endpoint
        self.timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._paces: dict = {}
        self._library: _Library | None = None

    def call(self, kind: str, what: str, function, repeat: bool = False, keep_body: bool = False, form=dict):
        """Call the client, at the pace of this kind of call; repeat it where ``repeat`` (asking twice does no more than asking once).

        The client is told never to repeat. Raises a `RentedError`; with ``keep_body`` `Refused`, which also has the answer.
        """
        vast = self._loaded()
        pace = self._paces.setdefault(kind, _http.Pace(INTERVALS[kind], clock=self._clock, sleep=self._sleep))
        tries = _http.TRIES if repeat else 1
        for attempt in range(1, tries + 1):
            _deadline.check(what)
            try:
                with pace:
                    answer = function(vast)
            except vast.errors.HTTPError as error:
                response = error.response
                refusal = self._refusal(response, what)
                again = response.status_code in _http.RETRY_STATUS and "search_quota_exceeded" not in refusal.text
                if attempt < tries and again:
                    self._pause(_http.retry_wait(response.headers.get("Retry-After"), attempt), what)
                    continue
                raise refusal if keep_body else refusal.error from None
            except (vast.errors.ConnectionError, vast.errors.Timeout, vast.errors.ChunkedEncodingError, TimeoutError) as error:
                if isinstance(error, vast.errors.SSLError):
                    raise ProviderUnavailable(f"{TITLE} at {self.endpoint} cannot be trusted: its certificate was not accepted.", NAME)
                _deadline.check(what)
                if attempt < tries:
                    self._pause(_http.retry_wait(None, attempt), what)
                    continue
                silent = isinstance(error, vast.silent) or "Timeout" in type(error).__name__
                why = f"no answer in time: {_http.shortened(error, self.api_key)}" if silent else "connection failed"
                raise self._no_answer(what, why, repeat) from None
            except vast.slow as error:
                _deadline.check(what)
                raise self._no_answer(what, f"{error}; raise 'timeout' if the line is that slow", repeat) from None
            except RecursionError:
                raise ProviderUnavailable(
                    f"{TITLE} at {self.endpoint} answered something that is not JSON when asked to {what} (nested "
                    "too deep). Check the endpoint.",
                    NAME,
                ) from None
            except (vast.errors.InvalidJSONError, json.JSONDecodeError) as error:
                found = (
                    "a web page instead of its API" if _http.is_web_page(getattr(error, "doc", "") or "") else "something that is not JSON"
                )
                raise ProviderUnavailable(
                    f"{TITLE} at {self.endpoint} answered {found} when asked to {what}. Check the endpoint, and "
                    "whether a proxy is in between.",
                    NAME,
                ) from None
            except vast.errors.RequestException as error:
                text = _http.shortened(error, self.api_key)
                raise ProviderUnavailable(f"{TITLE} at {self.endpoint} could not be asked to {what}: {text}.", NAME) from None
            except ValueError as error:
                # The client checks some arguments itself, before it sends anything.
                raise RentedError(f"{TITLE}'s client refused to {what}: {_http.shortened(error, self.api_key)}", NAME) from None
            except (KeyError, TypeError, AttributeError):
                raise ProviderUnavailable(f"{TITLE} answered in an unknown form when asked to {what}.", NAME) from None
            try:
                _http.not_too_deep(answer)
            except ValueError:
                answer = None
            if not isinstance(answer, form):
                raise ProviderUnavailable(f"{TITLE} answered in an unknown form when asked to {what}.", NAME)
            if isinstance(answer, dict) and answer.get("success") is False:
                refusal = self._unsuccessful(answer, what)
                raise refusal if keep_body else refusal.error
            return answer
        raise AssertionError("unreachable")

    def _pause(self, seconds: float, what: str) -> None:
        _deadline.check(what, seconds)
        self._sleep(seconds)

    def _no_answer(self, what: str, why: str, repeat: bool) -> ProviderUnavailable:
        unknown = "" if repeat else " Whether it was done is not known."
        return ProviderUnavailable(f"{TITLE} at {self.endpoint} did not answer when asked to {what} ({why}).{unknown}", NAME)

    def _refusal(self, response, what: str) -> Refused:
        """The error of an answer with a bad status."""
        text = response.text[: _http.BODY_LIMIT]
        content_type = response.headers.get("Content-Type", "")
        code, sentence = _http.describe(text, content_type)
        sentence = _http.redact(sentence, self.api_key) if sentence else None
        status = response.status_code
        # A wrong key is answered with 404 by some of the endpoints.
        if status in (401, 403, 404) and (code == "auth_error" or re.search(r"user key|api key", sentence or "", re.I)):
            error: RentedError = AuthenticationError(
                f"{TITLE} refused the API key ({status}: {sentence or code}). Check the key.", NAME, status
            )
        elif _http.is_web_page(text, content_type):
            error = ProviderUnavailable(
                f"{TITLE} at {self.endpoint} answered a web page instead of its API ({status}) when asked to {what}. "
                "Check the endpoint, and whether a proxy is in between.",
                NAME,
                status,
            )
        elif code == "search_quota_exceeded":
            error = ProviderUnavailable(
                f"{TITLE}: the account's searches of today are used up; they come back at midnight UTC.", NAME, status
            )
        else:
            error = _http.failure(TITLE, NAME, self.endpoint, status, sentence, what)
        try:
            data = _http.parsed(text)
        except _http.NOT_READABLE:
            data = {}
        return Refused(error, text, data if isinstance(data, dict) else {})

    def _unsuccessful(self, answer: dict, what: str) -> Refused:
        """The error of a 200 whose body says that it was not a success."""
        code, words = _http.error_words(answer)
        sentence = _http.shortened(words or code or "no reason given", self.api_key)
        if code in ("no_such_instance", "not_found"):
            error: RentedError = NotFound(f"{TITLE} knows nothing of this: {what} ({sentence}).", NAME)
        elif code == "auth_error":
            error = AuthenticationError(f"{TITLE} refused the API key ({sentence}). Check the key.", NAME)
        else:
            error = RentedError(f"{TITLE} refused to {what}: {sentence.rstrip('.')}.", NAME)
        return Refused(error, json.dumps(answer), answer)

    def _loaded(self) -> _Library:
        if self._library is None:
            self._library = _Library(self.api_key, self.endpoint, self.timeout)
        return self._library


class _Library:
    """The parts of the official client that are used; imported on first use, because that takes a second."""

    def __init__(self, api_key: str, endpoint: str, timeout: float) -> None:
        try:
            import requests.exceptions as errors
            from vastai.api import client as library
            from vastai.api import instances, keys, offers
        except ImportError as error:
            raise MissingLibrary(_missing_package.missing(TITLE, [PACKAGE + ">=" + OLDEST], error), NAME) from None
        if not hasattr(library, "VastSession"):
            raise MissingLibrary(_missing_package.too_old(TITLE, PACKAGE, OLDEST, _version()), NAME)
        self.errors, self.instances, self.keys, self.offers = errors, instances, keys, offers
        self.silent, self.slow, careful = _careful(library, errors)
        self.client = careful(api_key=api_key, server_url=endpoint, retry=1, timeout=timeout)


def _version() -> str:
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"


def _careful(library, errors):
    """The official client, with limits on the size and the time of an answer, and without going to another server when an answer says so.

    By itself it reads whatever comes into memory, for as long as it comes, and asks a stranger the same, though without the key.
    Also given: what it raises when no answer came in time, and when one came too slowly.
    """
    import requests

    class Silent(errors.ConnectionError):
        """No answer came in time, or it stalled."""

    class Slow(Exception):
        """An answer came slowly, and was not whole in time."""

    class Session(library.VastSession):
        def rebuild_auth(self, prepared_request, response):
            target = urllib.parse.urlsplit(prepared_request.url)
            if not self.same_service(target):
                raise errors.RequestException(
                    f"it redirects to another server ({target.hostname}); nothing was sent there. Check the endpoint"
                )

    class Client(library.VastClient):
        def _request(self, method, url, headers, json_data=None, timeout=None):
            seconds = self.timeout if timeout is None else timeout
            with _transport.careful(Session(self.server_url)) as session, _deadline.Watch(seconds) as watch:
                request = session.prepare_request(requests.Request(method=method, url=url, headers=headers, json=json_data))
                response = self._begun(session, request, seconds, url, watch)
                kept = bytearray()
                try:
                    for block in response.iter_content(_transport.BLOCK):
                        kept += block
                        watch.came(len(block))
                        if len(kept) > _http.ANSWER_LIMIT:
                            response.close()
                            raise errors.RequestException("it " + _http.too_much(_http.ANSWER_LIMIT))
                except (errors.RequestException, OSError):
                    if not watch.over:
                        raise
                if watch.over:  # what is cut can look whole
                    raise (Silent if watch.stalled else Slow)(watch.sentence())
                response._content = bytes(kept)
                response.encoding = "utf-8"  # JSON has no other, whatever the answer calls itself
                return response

        @staticmethod
        def _begun(session, request, seconds, url, watch):
            """The answer, its body unread."""
            try:
                return session.send(request, timeout=seconds, stream=True, **_transport.surroundings(url))
            except (errors.RequestException, OSError) as error:
                # An address that is none is also a ValueError: it says nothing of the time.
                if watch.over and not isinstance(error, ValueError):
                    raise Silent(watch.sentence()) from None
                raise
            except (ValueError, AttributeError, TypeError):
                raise errors.RequestException("it redirects to something that is not an address. Check the endpoint") from None

    return Silent, Slow, Client


def number(instance_id) -> int:
    """An id as the API takes it. Raises `NotFound`."""
    try:
        return int(str(instance_id))
    except ValueError:
        raise NotFound(f"Vast.ai's ids are numbers; '{instance_id}' is none.", NAME)
