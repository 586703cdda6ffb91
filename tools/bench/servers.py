"""The servers that are measured: started as subprocesses on loopback, loaded by wrk (Debian:
``apt-get install wrk``), and ended again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
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
_SCRIPT = str(Path(__file__).with_name("wrk.lua"))
_REQUEST_S = 60


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

        def idle() -> bool:
            before = self.processor_s()
            time.sleep(0.1)
            return self.processor_s() - before <= 0.01

        with suppress(NotInTimeError):
            until(idle, "rest", _PATIENCE_S)

    def memory(self) -> dict[str, float]:
        """Of its largest worker, in MB (10^6 bytes): ``after`` counts in full what workers share,
        ``share`` divides it by those who share it, ``peak`` is since `forget_peaks`."""
        found = [one.memory_full_info() for one in self.workers]
        statuses = [Path(f"/proc/{one.pid}/status").read_text() for one in self.workers]
        peak = max(int(one.partition("VmHWM:")[2].split()[0]) for one in statuses) * 1024
        after, share = max(one.rss for one in found), max(one.pss for one in found)
        return {"after": after / 1e6, "share": share / 1e6, "peak": peak / 1e6}

    def forget_peaks(self) -> None:
        """Let the peaks of memory begin anew."""
        for one in self.workers:
            Path(f"/proc/{one.pid}/clear_refs").write_text("5")

    def spread(self, connections: int) -> list[int]:
        """Open so many connections at once, and count what each worker got."""

        def held() -> list[int]:
            ours = (psutil.CONN_ESTABLISHED, self.port)
            each = (one.net_connections("tcp") for one in self.workers)
            return [sum((line.status, line.laddr.port) == ours for line in lines) for lines in each]

        with ExitStack() as stack:
            for _ in range(connections):
                stack.enter_context(socket.create_connection((HOST, self.port)))
            until(lambda: sum(held()) == connections, "all connections", _PATIENCE_S)
            return held()


@contextmanager
def running(
    name: str, command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The server from its first answer to the end of the block; its log goes into ``folder``.

    ``{port}`` in the command becomes a free port. Raises RuntimeError (NotInTimeError) when
    nothing answers within half a minute.
    """
    port, place = free_port(), folder / name.replace(" ", "-")
    place.mkdir(parents=True)
    url = f"http://{HOST}:{port}"
    told = {"PYTHONPATH": str(CHECKOUT), "CDS_PUBLIC_URL": url, **(more or {})}
    with (place / "log").open("wb") as log:
        process = psutil.Popen(
            [one.format(port=port) for one in command], cwd=place, start_new_session=True,
            env=user_environment() | told, stdout=log, stderr=log,
        )  # fmt: skip

    def answers() -> bool:
        if process.poll() is not None:
            said = (place / "log").read_text()[-300:]
            raise RuntimeError(f"{name} ended with {process.returncode}: {said}")
        with suppress(requests.RequestException):
            return requests.get(f"{url}/readyz", timeout=_READY_S).status_code < 500
        return False

    try:
        yield Server(name, port, process.pid, until(answers, name, _READY_S))
    finally:
        with suppress(psutil.Error):
            process.terminate()
            process.wait(_PATIENCE_S)
        with suppress(ProcessLookupError):  # what it started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def user_environment() -> dict[str, str]:
    """The environment as users have it: no settings of ours, and bytecode is kept."""
    dropped = ("CDS_", "PYTHONDONTWRITEBYTECODE")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}


def wrk(
    port: int, path: str, connections: int, seconds: float, token: str = "", **settings: object
) -> dict[str, Any]:
    """What ``wrk.lua`` says of a load, which also says what ``settings`` there are (``body``).

    Raises RuntimeError where it gives no figures.
    """
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--timeout={_REQUEST_S}s"]
    command += [f"--duration={max(1, round(seconds))}s", f"--script={_SCRIPT}"]
    command += [f"--header=Authorization: Bearer {token}"] if token else []
    told = {f"WRK_{name.upper()}": str(value) for name, value in settings.items()}
    ended = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"],
        env=os.environ | told,
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds + _REQUEST_S,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    if ended.returncode or not lines:
        raise RuntimeError(f"wrk gave no figures: {ended.stderr.strip()[:300]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def loaded(
    server: Server, path: str, body: Path, connections: int, seconds: float, token: str = ""
) -> dict[str, Any]:
    """Load one server: ``rate``, ``p50_ms``, ``p99_ms``, processor milliseconds of the server for
    each answer (``cpu_ms``), and how many ``failed``: were no success, or lost."""
    before = server.processor_s()
    found = wrk(server.port, path, connections, seconds, token, body=body)
    server.rest()
    # What is on its way when the turn ends is answered all the same, and nobody counts it.
    answered = found["requests"] + connections
    found["cpu_ms"] = (server.processor_s() - before) * 1e3 / answered
    return {one: found[one] for one in ("rate", "p50_ms", "p99_ms", "cpu_ms", "failed")}
