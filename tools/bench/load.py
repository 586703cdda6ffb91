"""The load: wrk, with figures that a program can read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.bench.servers import Server

_SCRIPT = Path(__file__).with_name("wrk.lua")
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


def has_wrk() -> bool:
    """Whether wrk can be used (Debian: ``apt-get install wrk``)."""
    return shutil.which("wrk") is not None


def run(
    server: Server, path: str, body: Path, connections: int, seconds: float, token: str = ""
) -> Figures:
    """Load one server. Raises RuntimeError when wrk gives no figures."""
    command = [
        "wrk",
        "--threads=1",
        f"--connections={connections}",
        f"--duration={max(1, round(seconds))}s",
        f"--timeout={_REQUEST_S}s",
        f"--script={_SCRIPT}",
        *((f"--header=Authorization: Bearer {token}",) if token else ()),
        f"http://127.0.0.1:{server.port}{path}",
    ]
    before = server.processor_s()
    ended = subprocess.run(
        command,
        env={**os.environ, "BENCH_BODY": str(body)},
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds + _REQUEST_S,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    if ended.returncode or not lines:
        raise RuntimeError(f"wrk gave no figures: {ended.stderr.strip()[:300]}")
    found = json.loads(lines[-1])
    server.rest()
    # What is on its way when the turn ends is answered all the same, and nobody counts it.
    answered = found.pop("requests") + connections
    return Figures(**found, cpu_ms=(server.processor_s() - before) * 1e3 / answered)
