"""A tiny TCP balancer for two instances: each new connection to the next one in its list.

It never tries a connection twice and never looks inside. Taken off the list, an instance
keeps the connections that it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading

from torture.service import HOST, free_port


class Balancer:
    """Runs in a thread of its own between ``start`` and ``stop``; ``backends`` are ports."""

    def __init__(self) -> None:
        self.port = free_port()
        self.refused = 0
        self._backends: tuple[int, ...] = ()
        self._next = 0
        self._open: dict[int, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def use(self, *backends: int) -> None:
        """Send new connections to these from now on."""
        self._backends = backends

    def open_to(self, backend: int) -> int:
        """Connections that go through to ``backend`` now."""
        return self._open.get(backend, 0)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._join, HOST, self.port, backlog=512)

    async def _join(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._next += 1
        backend = self._backends[self._next % len(self._backends)]
        self._open[backend] = self._open.get(backend, 0) + 1
        try:
            there, forth = await asyncio.open_connection(HOST, backend)
        except OSError:
            self.refused += 1
            back.close()
        else:
            await asyncio.gather(_pipe(here, forth), _pipe(there, back))
        finally:
            self._open[backend] -= 1


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await source.read(65536):
            sink.write(part)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
            return
    sink.close()
