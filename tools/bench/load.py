"""The load: wrk where it is installed, else a small generator in Python with a notice."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
_REQUEST_S = 60


@dataclass(frozen=True)
class Job:
    """One run: where to, with what, how many connections, for how many seconds.

    ``tokens``: none, one that is used again and again, or one for each request.
    """

    port: int
    path: str
    body: Path
    connections: int
    seconds: float
    tokens: Path | None = None


@dataclass(frozen=True)
class Figures:
    """What one run gave. ``failed`` are answers that were no success, and lost connections."""

    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    requests: int
    failed: int


def has_wrk() -> bool:
    """Whether wrk can be used (Debian: ``apt-get install wrk``)."""
    return shutil.which("wrk") is not None


def run(job: Job) -> Figures:
    """Run one job to its end."""
    return with_wrk(job) if has_wrk() else with_python(job)


def with_wrk(job: Job) -> Figures:
    """Raises RuntimeError when wrk gives no figures."""
    ended = subprocess.run(
        [
            "wrk",
            "--threads=1",
            f"--connections={job.connections}",
            f"--duration={max(1, round(job.seconds))}s",
            f"--timeout={_REQUEST_S}s",
            f"--script={SCRIPT}",
            f"http://127.0.0.1:{job.port}{job.path}",
        ],
        env={
            **os.environ,
            "BENCH_BODY": str(job.body),
            "BENCH_TOKENS": str(job.tokens or ""),
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=job.seconds + _REQUEST_S,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    if ended.returncode or not lines:
        raise RuntimeError(f"wrk gave no figures: {ended.stderr.strip()[:300]}")
    return figures_of(lines[-1])


def figures_of(line: str) -> Figures:
    """The figures in the line that the script prints."""
    read = json.loads(line)
    return Figures(
        per_second=read["requests"] / read["seconds"] if read["seconds"] else 0.0,
        p50_ms=read["p50_ms"],
        p95_ms=read["p95_ms"],
        p99_ms=read["p99_ms"],
        requests=read["requests"],
        failed=read["refused"] + read["lost"],
    )


def with_python(job: Job) -> Figures:
    """The same load from threads: it costs the machine more, so it measures less than wrk."""
    body = job.body.read_bytes()
    tokens = iter(job.tokens.read_text().split() if job.tokens else ())
    first = next(tokens, None)
    lock = threading.Lock()
    taken: list[float] = []
    failures: list[str] = []
    end = time.perf_counter() + job.seconds
    only_one = job.tokens is not None and len(job.tokens.read_text().split()) == 1

    def authorization() -> str | None:
        nonlocal first
        with lock:
            if only_one or job.tokens is None:
                return first
            token, first = first, next(tokens, None)
            return token

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", job.port, timeout=_REQUEST_S)
        while time.perf_counter() < end:
            headers = {"Content-Type": "application/json"}
            token = authorization()
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            elif job.tokens is not None:
                break
            begun = time.perf_counter()
            try:
                connection.request("POST", job.path, body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    failures.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                failures.append(type(error).__name__)
                connection.close()
            taken.append(time.perf_counter() - begun)
        connection.close()

    begun = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(job.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    taken.sort()
    return Figures(
        per_second=len(taken) / seconds,
        p50_ms=_percentile(taken, 50),
        p95_ms=_percentile(taken, 95),
        p99_ms=_percentile(taken, 99),
        requests=len(taken),
        failed=len(failures),
    )


def _percentile(taken: list[float], percent: int) -> float:
    """Milliseconds, of sorted seconds."""
    return taken[len(taken) * percent // 100] * 1e3 if taken else 0.0
