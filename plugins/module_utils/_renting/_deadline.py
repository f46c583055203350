# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Two limits in time: one for each request, and one for everything that is asked of an account.

A socket's own timeout bounds the wait for the next byte only, so an answer of one byte per second never ends. `Watch` bounds the whole
request: when its time is over it shuts the sockets down that the request uses, whatever library reads from them.
The limit of an account lives in a context variable: code that reads pages and repeats requests need not pass it on.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import functools
import math
import socket
import threading
import time
import typing

from ansible_collections.rented.gpu.plugins.module_utils._errors import ProviderUnavailable

# Seconds for all requests of one list. Vast.ai gives 25 instances per second, so this is enough for more than ten thousand of them.
ACCOUNT_SECONDS = 600.0
MOST_SECONDS = 86400  # that a limit may have

_account: contextvars.ContextVar = contextvars.ContextVar("rented_gpu_account", default=None)
_watch: contextvars.ContextVar = contextvars.ContextVar("rented_gpu_watch", default=None)


# --- one account -------------------------------------------------------------------------------------------------------


class Limit:
    """The time that one account has, and how many requests it has been sent."""

    def __init__(self, whose: str, name: str, seconds: float) -> None:
        self.whose, self.name, self.seconds = whose, name, seconds
        self.end = time.monotonic() + seconds
        self.requests = 0

    def error(self, what: str) -> ProviderUnavailable:
        """The sentence for a limit that is reached."""
        return ProviderUnavailable(
            f"{self.whose} did not answer everything within {self.seconds:g} s: it was given up when it was asked to "
            f"{what} ({self.requests} requests were sent before). Try later, or raise 'account_timeout'.",
            self.name,
        )


@contextlib.contextmanager
def account(provider):
    """Everything that is asked inside, of this provider, is done in ``provider.account_timeout`` seconds. Inside another limit: nothing."""
    if _account.get() is not None:
        yield
        return
    whose = f"The account '{provider.account}' at {provider.TITLE or provider.NAME}"
    token = _account.set(Limit(whose, provider.NAME, provider.account_timeout))
    try:
        yield
    finally:
        _account.reset(token)


def within_account(function):
    """A method of a provider, under the limit of its account."""

    @functools.wraps(function)
    def limited(provider, *arguments, **more):
        with account(provider):
            return function(provider, *arguments, **more)

    return limited


def left() -> float:
    """Seconds that the account still has; infinity where no limit is set."""
    limit = _account.get()
    return math.inf if limit is None else limit.end - time.monotonic()


def check(what: str, pause: float = 0.0) -> None:
    """Raise `ProviderUnavailable` when the account has no time left for ``what`` after ``pause`` seconds. Call it before each pause."""
    limit = _account.get()
    if limit is not None and time.monotonic() + pause >= limit.end:
        raise limit.error(what)


class Threads(concurrent.futures.ThreadPoolExecutor):
    """A pool whose threads have the limits of the thread that gives them work."""

    def submit(self, function, /, *arguments, **more):
        return super().submit(contextvars.copy_context().run, function, *arguments, **more)


# --- one request -------------------------------------------------------------------------------------------------------


class Watch:
    """``with Watch(seconds):`` around one request, from the connection to the last byte of the answer.

    It ends after ``seconds``, or earlier when the account's time is over. `over` says whether it had to cut the connection: what was read
    then is not a whole answer, even where it looks like one. `stalled` says whether nothing had come for half of that time: such a
    request may be repeated like one without an answer, while an answer that comes steadily, but slowly, would be as slow again.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = max(min(seconds, left()), 0.001)
        self.over = False
        self.stalled = True
        self._come = 0
        self._last = time.monotonic()
        self._sockets: list = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(self.seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Watch:
        limit = _account.get()
        if limit is not None:
            limit.requests += 1
        self._before = _watch.get()
        _watch.set(self)
        self._timer.start()
        return self

    def __exit__(self, *unused) -> None:
        _watch.set(self._before)
        self._timer.cancel()
        with self._lock:
            self._sockets = []

    def came(self, size: int) -> None:
        """Note that ``size`` more bytes of the answer's body have come."""
        self._come += size
        self._last = time.monotonic()

    def add(self, connection) -> None:
        """Watch one more socket."""
        with self._lock:
            if not self.over:
                self._sockets.append(connection)
                return
        _shut(connection)

    def _cut(self) -> None:
        with self._lock:
            self.over = True
            self.stalled = time.monotonic() - self._last > self.seconds / 2
            sockets, self._sockets = self._sockets, []
        for connection in sockets:
            _shut(connection)

    def sentence(self) -> str:
        """How long it was, and what had come."""
        come = f"{self._come} bytes of an answer" if self._come else "no answer"
        return f"timed out: after {self.seconds:.3g} s {come} had come"


def _shut(connection) -> None:
    # Not the method of an SSLSocket: that takes the encryption away while another thread reads.
    with contextlib.suppress(OSError, TypeError, ValueError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def watched(connection):
    """Put a socket under the `Watch` of this thread, if there is one."""
    watch = _watch.get()
    if watch is not None and connection is not None:
        watch.add(connection)
    return connection


def come(size: int) -> None:
    """Note that ``size`` more bytes of the answer to this thread's request have come."""
    watch = _watch.get()
    if watch is not None:
        watch.came(size)


class Watched:
    """For a class of connections of ``http.client`` or ``urllib3``, put before it: every socket that it uses is watched."""

    _create_connection: typing.Any

    def __init__(self, *arguments, **more) -> None:
        super().__init__(*arguments, **more)
        if hasattr(self, "_create_connection"):  # of http.client; urllib3 makes its sockets in `_new_conn`
            create = self._create_connection
            self._create_connection = lambda *args, **kwargs: watched(create(*args, **kwargs))

    def _new_conn(self):
        return watched(super()._new_conn())

    def connect(self):
        super().connect()
        watched(self.sock)  # with TLS it is another object than the one that was made

    def putrequest(self, *arguments, **more):
        watched(self.sock)  # one that was kept from an earlier request
        return super().putrequest(*arguments, **more)


def watched_pools(pools: dict) -> dict:
    """urllib3's classes of pools by scheme, the same with connections that are watched."""
    return {
        scheme: type("Watched" + pool.__name__, (pool,), {"ConnectionCls": type("Watched", (Watched, pool.ConnectionCls), {})})
        for scheme, pool in pools.items()
    }
