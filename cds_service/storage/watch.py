"""Client-side time limits for a database server, which may be stopped or unreachable.

The server's own limits (``statement_timeout``) help only while it runs.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_LOOK_S = 0.25


class Watch:
    """Cuts connections whose work takes too long, with one thread while there is any work."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._under_way: dict[int, tuple[float, Any]] = {}
        self._lock = threading.Lock()
        self._looking = False
        self._pid = os.getpid()

    @contextmanager
    def over(self, connection: Any, seconds: float) -> Iterator[None]:
        """Cut ``connection`` (a driver's, with a ``fileno``) if the block takes longer."""
        if self._pid != os.getpid():  # a fork keeps no threads
            self._under_way, self._lock = {}, threading.Lock()
            self._looking, self._pid = False, os.getpid()
        number = next(self._numbers)
        with self._lock:
            self._under_way[number] = time.monotonic() + seconds, connection
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="cds-watch", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._under_way.pop(number, None)

    def _look(self) -> None:
        idle = 0
        while True:
            time.sleep(_LOOK_S)
            now = time.monotonic()
            with self._lock:
                late = [n for n, (end, _) in self._under_way.items() if end < now]
                connections = [self._under_way.pop(number)[1] for number in late]
                idle = 0 if self._under_way else idle + 1
                if idle > 40:
                    self._looking = False
                    return
            for connection in connections:
                _cut(connection)


def _cut(connection: Any) -> None:
    """Shut down the connection, so that the thread waiting for it gets an error."""
    with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
