"""The servers that are measured: started as subprocesses on loopback, and ended again."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.testing.serving import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
_READY_S = 30.0
_PATIENCE_S = 8.0


@dataclass(frozen=True)
class Server:
    """One server under load; ``pid`` is its first process, workers are its children."""

    name: str
    port: int
    pid: int
    ready_s: float = 0.0

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that the first one has started and not yet lost."""
        return psutil.Process(self.pid).children()

    def processor_s(self) -> float:
        """The processor time that its processes have used so far, in steps of 10 ms."""
        times = [one.cpu_times() for one in (psutil.Process(self.pid), *self.workers)]
        return sum(one.user + one.system for one in times)

    def rest(self) -> None:
        """Wait until it has no work left, at most a few seconds: load ends before its answers."""
        before, deadline = self.processor_s(), time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            time.sleep(0.1)
            now = self.processor_s()
            if now - before <= 0.01:
                return
            before = now

    def memory(self) -> dict[str, float]:
        """Of its largest worker, in MB (10^6 bytes): ``after`` counts in full what workers share,
        ``share`` divides it by those who share it, ``peak`` is since `forget_peaks`."""
        found = [one.memory_full_info() for one in self.workers]
        statuses = [Path(f"/proc/{one.pid}/status").read_text() for one in self.workers]
        peaks = [int(one.partition("VmHWM:")[2].split()[0]) * 1024 for one in statuses]
        after, share = max(one.rss for one in found), max(one.pss for one in found)
        return {"after": after / 1e6, "share": share / 1e6, "peak": max(peaks) / 1e6}

    def forget_peaks(self) -> None:
        """Let the peaks of memory begin anew."""
        for one in self.workers:
            Path(f"/proc/{one.pid}/clear_refs").write_text("5")

    def connections(self) -> list[int]:
        """How many connections of clients each worker holds."""
        return [
            sum(
                each.status == psutil.CONN_ESTABLISHED and each.laddr.port == self.port
                for each in one.net_connections("tcp")
            )
            for one in self.workers
        ]


def spread(server: Server, connections: int) -> list[int]:
    """Open so many connections at once, and count what each worker got."""
    opened = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(connections)]
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while sum(server.connections()) < connections and time.monotonic() < deadline:
            time.sleep(0.05)
        return server.connections()
    finally:
        for one in opened:
            one.close()


@contextmanager
def running(
    name: str, command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The server from its first answer to the end of the block; its log goes into ``folder``.

    ``{port}`` in the command becomes a free port. Raises RuntimeError when nothing answers
    within half a minute.
    """
    port = free_port()
    home = folder / name.replace(" ", "-")
    home.mkdir(parents=True)
    environment = user_environment() | {
        "PYTHONPATH": str(CHECKOUT),
        "CDS_PUBLIC_URL": f"http://127.0.0.1:{port}",
        **(more or {}),
    }
    started = time.perf_counter()
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [one.format(port=port) for one in command],
            cwd=home,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(name, process, port, home / "log")
        yield Server(name, port, process.pid, time.perf_counter() - started)
    finally:
        _end(process)


def _wait(name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with {process.returncode}: {log.read_text()[-300:]}")
        with suppress(requests.RequestException):
            if ask(port, "GET", "/readyz")[0] < 500:
                return
        time.sleep(0.01)
    raise RuntimeError(f"{name} did not answer within {_READY_S:g} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop the process, and whatever it started."""
    started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_S)
    for one in started:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.wait()


def ask(
    port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Status and decoded answer of one call."""
    answer = requests.request(
        method,
        f"http://127.0.0.1:{port}{path}",
        data=body,
        headers={"Content-Type": "application/json", **(headers or {})},
        timeout=_READY_S,
    )
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, None


def user_environment() -> dict[str, str]:
    """The environment as users have it: no settings of ours, and bytecode is kept."""
    dropped = ("CDS_", "PYTHONDONTWRITEBYTECODE")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
