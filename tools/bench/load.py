"""The load: wrk (Debian: ``apt-get install wrk``), with figures that a program can read."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench.servers import Server

_SCRIPT = str(Path(__file__).with_name("wrk.lua"))
_REQUEST_S = 60


@dataclass(frozen=True)
class Figures:
    """One turn: answers a second, milliseconds, processor milliseconds of the server for each
    answer, and how many were no success or were lost."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    failed: int


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


def run(
    server: Server, path: str, body: Path, connections: int, seconds: float, token: str = ""
) -> Figures:
    """Load one server, and count what it used."""
    before = server.processor_s()
    found = wrk(server.port, path, connections, seconds, token, body=body)
    server.rest()
    # What is on its way when the turn ends is answered all the same, and nobody counts it.
    answered = found["requests"] + connections
    cpu_ms = (server.processor_s() - before) * 1e3 / answered
    return Figures(found["rate"], found["p50_ms"], found["p99_ms"], cpu_ms, found["failed"])
