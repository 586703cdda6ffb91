"""A web server on loopback that misbehaves exactly as a test says, dies and returns.

A test gives a function from a request to a list of steps: bytes are sent, a number is a
wait in seconds (cut short when the server ends), HANG_UP closes and RESET resets the connection.
Connections stay open after the last step.
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.testing import fhir

Step = bytes | float | str
HANG_UP = "hang up"
RESET = "reset"
FOREVER = 60.0


@dataclass(frozen=True)
class Request:
    """One request: its target as sent, its headers (names in lower case), its number from 1."""

    target: str
    headers: dict[str, str]
    number: int
    connection: int


@dataclass
class Loopback(socketserver.ThreadingTCPServer):
    """Serves on 127.0.0.1 inside a ``with`` block. ``requests`` lists the requests received."""

    answer: Callable[[Request], Iterable[Step]]
    requests: list[Request] = field(default_factory=list)
    daemon_threads = True
    allow_reuse_address = True  # it may return
    request_queue_size = 64

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.ending = threading.Event()
        self.connections = 0
        self.open: set[socket.socket] = set()
        self.context: ssl.SSLContext | None = None
        self.lock = threading.Lock()
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        self.url = f"{self.origin}/fhir"

    def __enter__(self) -> Loopback:
        self.ending.clear()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    def die(self) -> None:
        """Refuse connections, and cut those that are open."""
        self.ending.set()
        self.shutdown()
        self.thread.join()
        self.server_close()
        with self.lock:
            for line in self.open:
                with suppress(OSError):  # the client was faster
                    line.shutdown(socket.SHUT_RDWR)

    def return_(self) -> None:
        """Listen again, at the same address."""
        self.socket = socket.socket()
        self.server_bind()
        self.server_activate()
        self.__enter__()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from the next connection on."""
        self.context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return  # the client did not trust the certificate
        with request:
            super().finish_request(request, client_address)

    __hash__ = object.__hash__


class _Conversation(socketserver.StreamRequestHandler):
    server: Loopback
    timeout = 60

    def handle(self) -> None:
        with self.server.lock:
            self.server.connections += 1
            connection = self.server.connections
            self.server.open.add(self.connection)
        try:
            while self._answer_one(connection):
                pass
        except OSError:
            return  # the client closed the connection, as many of these tests want
        finally:
            with self.server.lock:
                self.server.open.discard(self.connection)

    def _answer_one(self, connection: int) -> bool:
        first = self.rfile.readline()
        if not first:
            return False
        headers = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        with self.server.lock:
            request = Request(
                first.split()[1].decode(), headers, len(self.server.requests) + 1, connection
            )
            self.server.requests.append(request)
        for step in self.server.answer(request):
            if isinstance(step, bytes):
                self.wfile.write(step)
            elif step == HANG_UP:
                return False
            elif step == RESET:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                return False
            elif self.server.ending.wait(float(step)):
                return False
        return True


def reply(body: bytes | dict[str, Any], status: int = 200, **headers: str) -> bytes:
    """A whole response with its Content-Length. Underscores in header names become dashes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {
        "content-type": "application/fhir+json",
        "content-length": str(len(content)),
        **{name.replace("_", "-").lower(): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content


def bundle(*ids: str, following: str | None = None) -> dict[str, Any]:
    """A searchset of Conditions with these ids, and a link to the ``following`` page."""
    links = [{"relation": "self", "url": "http://elsewhere.example/self"}]
    if following is not None:
        links.append({"relation": "next", "url": following})
    return fhir.searchset(*(fhir.resource("Condition", id=each) for each in ids), link=links)
