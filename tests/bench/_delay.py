# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy that makes a host look far away: what goes in comes out half a round trip later, in each direction.

Unlike netem it needs no kernel module, no root and no namespace. It delays a connection's opening by one round trip, as
TCP's handshake does. Bandwidth is not limited, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import threading

CHUNK = 1 << 16


class DelayProxy:
    """Listens on a port of 127.0.0.1 and passes on to ``port`` of ``host``, with ``rtt_ms`` milliseconds there and back."""

    def __init__(self, port: int, rtt_ms: float = 0, host: str = "127.0.0.1") -> None:
        self.target = (host, port)
        self.rtt = rtt_ms / 1000
        self.port = 0
        self._writers: set = set()
        self._tasks: set = set()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    def drop(self) -> None:
        """Cut every connection: masters of ssh that linger behind a control socket end too."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(timeout=10)

    def close(self) -> None:
        """Stop listening and cut everything."""
        self.drop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def __enter__(self) -> DelayProxy:
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    # --- inside the thread ---------------------------------------------------------------------------------------

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.close()

    async def _drop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader, writer) -> None:
        self._tasks.add(asyncio.current_task())
        others = []
        try:
            await asyncio.sleep(self.rtt)
            other_reader, other_writer = await asyncio.open_connection(*self.target)
            others.append(other_writer)
            await asyncio.gather(self._pass_on(reader, other_writer), self._pass_on(other_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(asyncio.current_task())
            for end in [writer, *others]:
                end.close()

    async def _pass_on(self, reader, writer) -> None:
        """Everything from ``reader`` to ``writer``, each piece half a round trip after it came."""
        pieces: asyncio.Queue = asyncio.Queue(maxsize=4096)
        sender = asyncio.ensure_future(self._send(pieces, writer))
        try:
            while True:
                piece = await reader.read(CHUNK)
                await pieces.put((self._loop.time() + self.rtt / 2, piece))
                if not piece:
                    break
            await sender
        finally:
            sender.cancel()

    async def _send(self, pieces, writer) -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(max(0, due - self._loop.time()))
            if not piece:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(piece)
            await writer.drain()
