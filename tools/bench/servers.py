"""What is measured at a server: its processor time, memory and connections, and its answers under
the load of wrk (Debian: ``apt-get install wrk``)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.testing.serving import HOST, NotInTimeError, Server, until

_PATIENCE_S = 8.0
_SCRIPT = str(Path(__file__).with_name("wrk.lua"))
_REQUEST_S = 60


def processor_s(server: Server) -> float:
    """The processor time that its processes have used so far, in steps of 10 ms."""
    return sum(
        sum(process.cpu_times()[:2]) for process in (server.process, *server.worker_processes())
    )


def rest(server: Server) -> None:
    """Wait until it has no work left, at most a few seconds: load ends before its answers."""

    def idle() -> bool:
        before = processor_s(server)
        time.sleep(0.1)
        return processor_s(server) - before <= 0.01

    with suppress(NotInTimeError):
        until(idle, "rest", _PATIENCE_S)


def memory(server: Server) -> dict[str, float]:
    """Of its largest worker, in MB (10^6 bytes): ``after`` counts in full what workers share,
    ``share`` divides it by those who share it, ``peak`` is since `forget_peaks`."""
    kinds = {"after": "VmRSS", "share": "Pss", "peak": "VmHWM"}
    return {name: max(server.memory_mb(kind)) for name, kind in kinds.items()}


def forget_peaks(server: Server) -> None:
    """Start the peaks of memory again."""
    for worker in server.worker_processes():
        Path(f"/proc/{worker.pid}/clear_refs").write_text("5")


def spread(server: Server, connections: int) -> list[int]:
    """Open so many connections at once, and count those of each worker."""

    def counts() -> list[int]:
        ours = (psutil.CONN_ESTABLISHED, server.port)
        each = (worker.net_connections("tcp") for worker in server.worker_processes())
        return [sum((line.status, line.laddr.port) == ours for line in lines) for lines in each]

    with ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(socket.create_connection((HOST, server.port)))
        until(lambda: sum(counts()) == connections, "all connections", _PATIENCE_S)
        return counts()


def wrk(
    port: int, path: str, connections: int, seconds: float, token: str = "", **settings: object
) -> dict[str, Any]:
    """The figures that ``wrk.lua`` gives for a load; it also says what ``settings`` there are.

    Raises RuntimeError where it gives no figures.
    """
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--timeout={_REQUEST_S}s"]
    command += [f"--duration={max(1, round(seconds))}s", f"--script={_SCRIPT}"]
    command += [f"--header=Authorization: Bearer {token}"] if token else []
    environ = {f"WRK_{name.upper()}": str(value) for name, value in settings.items()}
    result = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"],
        env=os.environ | environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds + _REQUEST_S,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if result.returncode or not lines:
        raise RuntimeError(f"wrk gave no figures: {result.stderr.strip()[:300]}")
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures


def loaded(
    server: Server, path: str, body: Path, connections: int, seconds: float, token: str = ""
) -> dict[str, Any]:
    """Load one server: ``rate``, ``p50_ms``, ``p99_ms``, processor milliseconds of the server for
    each answer (``cpu_ms``), and how many ``failed``: were not answered 200, or were lost."""
    before = processor_s(server)
    figures = wrk(server.port, path, connections, seconds, token, body=body)
    rest(server)
    # Calls on their way when the turn ends are answered all the same, but wrk does not count them.
    answers = figures["requests"] + connections
    figures["cpu_ms"] = (processor_s(server) - before) * 1e3 / answers
    return {name: figures[name] for name in ("rate", "p50_ms", "p99_ms", "cpu_ms", "failed")}
