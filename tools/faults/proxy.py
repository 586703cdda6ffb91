"""A TCP proxy between two parts: it can die, come back, dawdle, and share out connections."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading

from tests.testing.serving import HOST


class Proxy(socketserver.ThreadingTCPServer):
    """Each new connection goes to the next of ``backends`` (ports of loopback).

    It never tries a connection twice and never looks inside. Taken off the list, a backend keeps
    the connections that it has. ``refused`` counts connections that a backend on the list did
    not take; ``delay_s`` is how long it holds back what backends say.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, *backends: int) -> None:
        super().__init__((HOST, 0), _Joined)
        self.port: int = self.server_address[1]
        self.backends = backends
        self.refused = self.number = 0
        self.delay_s = 0.0
        self.woken = threading.Event()
        self.lines: set[socket.socket] = set()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def die(self) -> None:
        """Refuse connections, and cut those that are open."""
        self.woken.set()
        self.shutdown()
        self.server_close()
        for line in tuple(self.lines):
            _end(line)

    def return_(self) -> None:
        """Listen again, at the same address, without delay."""
        self.delay_s = 0.0
        self.woken.clear()
        self.socket = socket.create_server((HOST, self.port), backlog=self.request_queue_size)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Joined(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        proxy = self.server
        proxy.number += 1
        backend = proxy.backends[proxy.number % len(proxy.backends)]
        try:
            there = socket.create_connection((HOST, backend), timeout=10)
        except OSError:
            proxy.refused += 1
            return
        there.settimeout(None)
        ours = {self.request, there}
        proxy.lines |= ours
        forth = threading.Thread(target=self._copy, args=(self.request, there, False), daemon=True)
        forth.start()
        self._copy(there, self.request, True)
        # The backend has sent everything: nobody waits for the client's end.
        for line in ours:
            _end(line)
        forth.join()
        proxy.lines -= ours
        there.close()

    def _copy(self, source: socket.socket, sink: socket.socket, held_back: bool) -> None:
        """Pass on what comes, and its end."""
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                if held_back and self.server.delay_s:
                    self.server.woken.wait(self.server.delay_s)
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)


def _end(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
