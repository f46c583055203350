# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How answers of AWS come in: piece by piece, and up to a limit. botocore itself reads whatever is sent, into one piece.

Connections, certificates and proxies are botocore's. `reader` takes the pieces as they come; clients of botocore get the whole
answer by the event ``before-send``, whose handler may answer in place of the client's own connection.
"""

from __future__ import annotations

import contextlib
import threading

from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _http, _transport

PIECE = 16384  # bytes
MOST_CONNECTIONS = 8  # kept for one host


class TooLarge(Exception):
    """An answer above the limit. Its text is the end of a sentence that begins with who answered."""


class TooSlow(Exception):
    """An answer that came slowly, and was not whole in time. Its text says after how long, and what had come."""


class Answer:
    """An answer whose body is read once, by `pieces`. Close it in any case: that breaks off what was not read to its end."""

    def __init__(self, request, found, limit: int, watch) -> None:
        self.status, self.headers, self.url = found.status_code, found.headers, found.url
        self._request, self._raw, self._limit, self._watch = request, found.raw, limit, watch

    def pieces(self):
        """The bytes, none of the pieces larger than `PIECE`.

        Raises `TooLarge`, `TooSlow`, or botocore's error for a connection that failed.
        """
        size = 0
        piece = self._read()
        while piece:
            size += len(piece)
            self._watch.came(len(piece))
            if size > self._limit:
                raise TooLarge(_http.too_much(self._limit))
            yield piece
            piece = self._read()
        if self._watch.over:  # what is cut can look whole
            self._too_slow()
        # The connection says nothing of an answer that ends too soon.
        wanted = str(self.headers.get("Content-Length") or "")
        if wanted.isdigit() and size < int(wanted):
            self._broke_off(EOFError("%d bytes are missing" % (int(wanted) - size)))

    def _read(self) -> bytes:
        from botocore.exceptions import ReadTimeoutError
        from urllib3 import exceptions

        try:
            return self._raw.read(PIECE)
        except (exceptions.HTTPError, OSError, ValueError) as error:
            if self._watch.over:
                self._too_slow()
            if isinstance(error, exceptions.ReadTimeoutError):
                raise ReadTimeoutError(endpoint_url=self.url, error=error) from None
            return self._broke_off(error)

    def _too_slow(self):
        from botocore.exceptions import ReadTimeoutError

        if self._watch.stalled:
            raise ReadTimeoutError(endpoint_url=self.url, error=self._watch.sentence()) from None
        raise TooSlow(self._watch.sentence()) from None

    def _broke_off(self, error):
        from botocore.exceptions import ConnectionClosedError

        raise ConnectionClosedError(endpoint_url=self.url, request=self._request, error=error) from None

    def close(self) -> None:
        """A connection whose answer was read to its end is kept for the next request, any other is cut."""
        self._watch.__exit__()
        self._raw.close()
        self._raw.release_conn()


class Sender:
    """Sends requests that are signed, each once, from any thread. ``session`` is botocore's, ``timeout`` in seconds, ``limit`` in bytes."""

    def __init__(self, session, timeout: float, limit: int) -> None:
        self._session, self._timeout, self._limit = session, timeout, limit
        self._lock = threading.Lock()
        self._connections: dict = {}

    def send(self, request) -> Answer:
        """Send a prepared request; the answer has its status and headers, its body is still to come."""
        from botocore.exceptions import ConnectionError as NotConnected
        from botocore.exceptions import HTTPClientError, ReadTimeoutError

        request.stream_output = True
        with contextlib.ExitStack() as stack:
            watch = stack.enter_context(_deadline.Watch(self._timeout))
            try:
                found = self._connection(request.url).send(request)
            except (NotConnected, HTTPClientError) as error:
                if watch.over:
                    raise ReadTimeoutError(endpoint_url=request.url, error=error) from None
                raise
            stack.pop_all()  # `Answer.close` ends the watch
            return Answer(request, found, self._limit, watch)

    def whole(self, request, **_more):
        """The handler of botocore's ``before-send``: the answer with its body."""
        from botocore.awsrequest import AWSResponse

        answer = self.send(request)
        try:
            return AWSResponse(answer.url, answer.status, answer.headers, _Held(list(answer.pieces())))
        finally:
            answer.close()

    def _connection(self, url: str):
        """botocore's connections, for the proxies that the environment names for this host."""
        from botocore.utils import get_environ_proxies

        proxies = get_environ_proxies(url)
        key = tuple(sorted(proxies.items()))
        with self._lock:
            if key not in self._connections:
                self._connections[key] = _watched_session(
                    verify=self._session.get_config_variable("ca_bundle") or _transport.ca_bundle() or True,
                    proxies=proxies,
                    timeout=(self._timeout, self._timeout),
                    max_pool_connections=MOST_CONNECTIONS,
                )
            return self._connections[key]


def _watched_session(**arguments):
    """botocore's connections, those through a proxy too, under the watch of a request's time."""
    from botocore.httpsession import URLLib3Session

    session = URLLib3Session(**arguments)
    session._pool_classes_by_scheme = _deadline.watched_pools(session._pool_classes_by_scheme)
    session._manager.pool_classes_by_scheme = session._pool_classes_by_scheme
    return session


class _Held:
    """A body that has been read, as AWSResponse asks for it."""

    def __init__(self, pieces: list) -> None:
        self._pieces = pieces

    def stream(self, *_size, **_more):
        pieces, self._pieces = self._pieces, []
        return iter(pieces)
