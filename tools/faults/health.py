"""How fast /healthz is answered, asked by a process of its own: the makers of load are busy.

Each time it also asks an echo, a process that does nothing else. What that one takes is the delay
of a busy machine, and not the service's.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.testing.serving import HOST

WITHIN_S = 0.1
"""What the contract promises."""
_EVERY_S = 0.05
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"


@dataclass(slots=True)
class Health:
    """Seconds of the slowest answer of the service, of the echo, and how many were asked for."""

    slowest: float = float("inf")
    echo: float = 0.0
    asked: int = 0

    @property
    def in_time(self) -> bool:
        """Whether every answer came within the promise, beyond what the machine itself took."""
        return self.slowest < WITHIN_S + self.echo

    def __str__(self) -> str:
        return (f"slowest of {self.asked:,} /healthz {self.slowest * 1000:.0f} ms (an idle process "
                f"beside it {self.echo * 1000:.0f} ms)")  # fmt: skip


@contextmanager
def watched(port: int) -> Iterator[Health]:
    """Ask all through the block; what is yielded is known after it. Lost answers count as inf."""
    found = Health()
    program = [sys.executable, "-m", "tools.faults.health", str(port)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asker:
        try:
            yield found
        finally:
            said, _ = asker.communicate(timeout=30)
    slowest, echo, asked = said.split()
    found.slowest, found.echo, found.asked = float(slowest), float(echo), int(asked)


def _ask(port: int) -> float:
    started = time.monotonic()
    try:
        with socket.create_connection((HOST, port), timeout=10) as line:
            line.sendall(_REQUEST)
            good = line.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        good = False
    return time.monotonic() - started if good else float("inf")


def _echo() -> int:
    """The port of a process that answers until this one ends."""
    listening = socket.create_server((HOST, 0))
    if not os.fork():
        while True:
            line, _ = listening.accept()
            with line:
                if not line.recv(4096).startswith(b"GET"):
                    os._exit(0)
                line.sendall(_ANSWER)
    return int(listening.getsockname()[1])


def main(port: int) -> None:
    """Ask until standard input ends, then say seconds, seconds and a number."""
    os.set_blocking(0, False)
    echo, found = _echo(), Health(slowest=0.0)
    while sys.stdin.buffer.raw.read(1) is None:  # type: ignore[attr-defined]
        found.slowest = max(found.slowest, _ask(port))
        found.echo = max(found.echo, _ask(echo))
        found.asked += 1
        time.sleep(_EVERY_S)
    with socket.create_connection((HOST, echo)) as line:
        line.sendall(b"end")
    print(found.slowest, found.echo, found.asked)


if __name__ == "__main__":
    main(int(sys.argv[1]))
