"""A TCP proxy between two parts: it can die, come back, dawdle, and share out connections."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from tests.testing.serving import HOST, free_port


class Proxy:
    """Each new connection goes to the next of ``backends`` (ports of loopback).

    It never tries a connection twice and never looks inside. Taken off the list, a backend keeps
    the connections that it has. ``refused`` counts connections that a backend on the list did
    not take; ``delay_s`` is how long it holds back what backends say.
    """

    def __init__(self, *backends: int) -> None:
        self.port = free_port()
        self.backends = backends
        self.refused = self.number = 0
        self.delay_s = 0.0
        self._loop = asyncio.new_event_loop()
        self._lines: set[asyncio.StreamWriter] = set()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.return_()

    def return_(self) -> None:
        """Listen (again, at the same address), without delay."""
        self.delay_s = 0.0
        starting = asyncio.start_server(self._join, HOST, self.port, backlog=512)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)

    def die(self) -> None:
        """Refuse connections, and cut those that are open."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)

    async def _end(self) -> None:
        self._server.close()
        for line in tuple(self._lines):
            line.transport.abort()

    async def _join(self, ours: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.number += 1
        backend = self.backends[self.number % len(self.backends)]
        try:
            theirs, there = await asyncio.open_connection(HOST, backend)
        except OSError:
            self.refused += 1
            client.close()
            return
        self._lines |= {client, there}
        forth = asyncio.create_task(self._copy(ours, there, False))
        await self._copy(theirs, client, True)
        # The backend has sent everything: nobody waits for the client's end.
        forth.cancel()
        for line in (client, there):
            line.close()
            self._lines.discard(line)

    async def _copy(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, held_back: bool
    ) -> None:
        """Pass on what comes, and its end."""
        with contextlib.suppress(OSError):
            while part := await source.read(65536):
                await asyncio.sleep(self.delay_s if held_back else 0)
                sink.write(part)
                await sink.drain()
            sink.write_eof()
