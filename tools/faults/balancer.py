"""A tiny TCP balancer for two instances: each new connection to the next one in its list.

It never tries a connection twice and never looks inside. Taken off the list, an instance
keeps the connections that it has.
"""

from __future__ import annotations

import contextlib
import socket
import threading

from tools.faults.service import HOST


class Balancer:
    """Works in threads of its own from ``start`` to ``stop``. ``refused`` counts connections
    that an instance on the list did not take."""

    def __init__(self) -> None:
        self.refused = 0
        self._backends: tuple[int, ...] = ()
        self._next = 0
        self._door = socket.create_server((HOST, 0), backlog=512)
        self.port: int = self._door.getsockname()[1]

    def start(self) -> None:
        """Take connections."""
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        """Take no more."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def use(self, *backends: int) -> None:
        """Send new connections to these ports from now on."""
        self._backends = backends

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            self._next += 1
            backend = self._backends[self._next % len(self._backends)]
            threading.Thread(target=self._join, args=(client, backend), daemon=True).start()

    def _join(self, client: socket.socket, backend: int) -> None:
        try:
            instance = socket.create_connection((HOST, backend), timeout=10)
        except OSError:
            self.refused += 1
            client.close()
            return
        instance.settimeout(None)
        with client, instance:
            forth = threading.Thread(target=_copy, args=(client, instance), daemon=True)
            forth.start()
            _copy(instance, client)
            # The instance has said its last word: nobody waits for the client's.
            for line in (client, instance):
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            forth.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes, and its end."""
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
