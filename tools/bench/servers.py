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
    return sum(sum(one.cpu_times()[:2]) for one in (server.process, *server.worker_processes()))


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
    """Let the peaks of memory begin anew."""
    for one in server.worker_processes():
        Path(f"/proc/{one.pid}/clear_refs").write_text("5")


def spread(server: Server, connections: int) -> list[int]:
    """Open so many connections at once, and count what each worker got."""

    def held() -> list[int]:
        ours = (psutil.CONN_ESTABLISHED, server.port)
        each = (one.net_connections("tcp") for one in server.worker_processes())
        return [sum((line.status, line.laddr.port) == ours for line in lines) for lines in each]

    with ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(socket.create_connection((HOST, server.port)))
        until(lambda: sum(held()) == connections, "all connections", _PATIENCE_S)
        return held()


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
    before = processor_s(server)
    found = wrk(server.port, path, connections, seconds, token, body=body)
    rest(server)
    # What is on its way when the turn ends is answered all the same, and nobody counts it.
    answered = found["requests"] + connections
    found["cpu_ms"] = (processor_s(server) - before) * 1e3 / answered
    return {one: found[one] for one in ("rate", "p50_ms", "p99_ms", "cpu_ms", "failed")}
