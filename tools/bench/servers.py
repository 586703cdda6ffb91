"""The servers that are measured: started as subprocesses on loopback, and ended again."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.testing.serving import HOST, NotInTimeError, free_port, until

CHECKOUT = Path(__file__).resolve().parents[2]
_READY_S = 30.0
_PATIENCE_S = 8.0


def home() -> Path:
    """What the benchmark installs, and files that other roots (``tools/newer_python``) must see."""
    folder = CHECKOUT / ".bench"
    folder.mkdir(exist_ok=True)
    return folder


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
        return sum(sum(one.cpu_times()[:2]) for one in (psutil.Process(self.pid), *self.workers))

    def rest(self) -> None:
        """Wait until it has no work left, at most a few seconds: load ends before its answers."""
        seen = [self.processor_s()]

        def idle() -> bool:
            time.sleep(0.1)
            seen.append(self.processor_s())
            return seen[-1] - seen[-2] <= 0.01

        with suppress(NotInTimeError):
            until(idle, "rest", _PATIENCE_S)

    def memory(self) -> dict[str, float]:
        """Of its largest worker, in MB (10^6 bytes): ``after`` counts in full what workers share,
        ``share`` divides it by those who share it, ``peak`` is since `forget_peaks`."""
        found = [one.memory_full_info() for one in self.workers]
        statuses = [Path(f"/proc/{one.pid}/status").read_text() for one in self.workers]
        peaks = [int(one.partition("VmHWM:")[2].split()[0]) / 1e3 * 1.024 for one in statuses]
        after, share = max(one.rss for one in found), max(one.pss for one in found)
        return {"after": after / 1e6, "share": share / 1e6, "peak": max(peaks)}

    def forget_peaks(self) -> None:
        """Let the peaks of memory begin anew."""
        for one in self.workers:
            Path(f"/proc/{one.pid}/clear_refs").write_text("5")

    def connections(self) -> list[int]:
        """How many connections of clients each worker holds."""
        held = [one.net_connections("tcp") for one in self.workers]
        ours = (psutil.CONN_ESTABLISHED, self.port)
        return [sum((one.status, one.laddr.port) == ours for one in each) for each in held]


def spread(server: Server, connections: int) -> list[int]:
    """Open so many connections at once, and count what each worker got."""
    with ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(socket.create_connection((HOST, server.port)))
        with suppress(NotInTimeError):
            until(lambda: sum(server.connections()) == connections, "all", _PATIENCE_S)
        return server.connections()


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
    url = f"http://{HOST}:{port}"
    told = {"PYTHONPATH": str(CHECKOUT), "CDS_PUBLIC_URL": url, **(more or {})}
    command = [one.format(port=port) for one in command]
    with (home / "log").open("wb") as log:
        process = psutil.Popen(
            command, cwd=home, env=user_environment() | told, stdout=log, stderr=log
        )

    def answers() -> bool:
        if process.poll() is not None:
            said = (home / "log").read_text()[-300:]
            raise RuntimeError(f"{name} ended with {process.returncode}: {said}")
        with suppress(requests.RequestException):
            return requests.get(f"{url}/readyz", timeout=_READY_S).status_code < 500
        return False

    try:
        ready_s = until(answers, name, _READY_S)
        yield Server(name, port, process.pid, ready_s)
    finally:
        started = process.children(recursive=True) if process.poll() is None else []
        with suppress(psutil.NoSuchProcess):
            process.terminate()
        for one in psutil.wait_procs([process, *started], _PATIENCE_S)[1]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def ask(
    port: int, path: str, body: bytes = b"", method: str = "POST", **headers: str
) -> tuple[int, Any]:
    """Status and decoded answer of one call."""
    headers = {"Content-Type": "application/json", **headers}
    answer = requests.request(
        method, f"http://{HOST}:{port}{path}", data=body, headers=headers, timeout=_READY_S
    )
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, None


def user_environment() -> dict[str, str]:
    """The environment as users have it: no settings of ours, and bytecode is kept."""
    dropped = ("CDS_", "PYTHONDONTWRITEBYTECODE")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
