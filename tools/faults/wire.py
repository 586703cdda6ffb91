"""HTTP by hand: requests that no client library would send, and clients that dawdle or leave."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import struct

from tools.faults.service import HOST


class _Read(io.BytesIO):
    """Bytes that http.client takes for a socket."""

    def makefile(self, *_: object) -> _Read:
        return self


def head(path: str, length: int | None, extra: str = "") -> bytes:
    """The head of a POST; without a length it is chunked."""
    body = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST {path} HTTP/1.1\r\nHost: cds.example\r\nContent-Type: application/json\r\n"
        f"{body}\r\n{extra}\r\n"
    ).encode()


def chunked(body: bytes, size: int) -> bytes:
    """The body in chunks of ``size`` bytes, with its end."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def connect(port: int, timeout: float = 20) -> socket.socket:
    """A new connection to the service."""
    return socket.create_connection((HOST, port), timeout=timeout)


def said(line: socket.socket) -> tuple[int, bytes]:
    """Status and body of the answer on ``line``; 0 where the server closed without one."""
    received = b""
    while True:
        with contextlib.suppress(http.client.HTTPException, ValueError):
            answer = http.client.HTTPResponse(_Read(received))  # type: ignore[arg-type]
            answer.begin()
            body = answer.read()
            if answer.length in (0, None):
                return answer.status, body
        try:
            more = line.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            more = b""
        if not more:
            return 0, received
        received += more


def reset(line: socket.socket) -> None:
    """Close with a reset instead of a goodbye."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()
