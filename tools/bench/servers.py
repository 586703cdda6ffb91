"""The servers that are measured: started as subprocesses on loopback, and ended again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
PEER_HOME = CHECKOUT / ".bench" / "healthchain"
PEER_PACKAGES = ("healthchain==0.16.1", "uvicorn[standard]")
SERVICE = Path(sys.executable).with_name("cds-service")
_READY_S = 30.0
_PATIENCE_S = 8.0


@dataclass(frozen=True)
class Server:
    """One server under load; ``pid`` is its first process, workers are its children."""

    name: str
    port: int
    pid: int = field(default=0)
    ready_s: float = 0.0


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    name: str, command: list[str], port: int, folder: Path, more: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The server, from its first answer to the end of the block; its logs go into ``folder``.

    Raises RuntimeError when it does not answer within half a minute.
    """
    environment = _environment() | {"PYTHONPATH": str(CHECKOUT), **(more or {})}
    started = time.perf_counter()
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(name, process, port)
        yield Server(name, port, process.pid, time.perf_counter() - started)
    finally:
        _end(process)


def _wait(name: str, process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with status {process.returncode}; see its log")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status < 500:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.01)
    raise RuntimeError(f"{name} did not answer within {_READY_S:g} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop the process, and whatever it left behind in its session."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def service_command(port: int, workers: int) -> list[str]:
    """The service as its users start it."""
    return [str(SERVICE), "serve", "--port", str(port), "--workers", str(workers)]


def fixed_command(port: int, workers: int) -> list[str]:
    """The endpoint that only parses."""
    return [sys.executable, "-m", "tools.bench.fixed", str(port), str(workers)]


def stub_command(port: int, observations: int) -> list[str]:
    """The FHIR server that takes 20 ms."""
    return [sys.executable, "-m", "tools.bench.fhir_stub", str(port), str(observations)]


def peer_command(port: int, workers: int, *more: str) -> list[str]:
    """The peer, in its own environment; ``h11``: on the server that comes with it."""
    script = CHECKOUT / "tools" / "bench" / "peer.py"
    return [str(PEER_HOME / "bin" / "python"), str(script), str(port), str(workers), *more]


def answer(port: int, path: str, body: bytes) -> Any:
    """What a server answers to one call, decoded. Raises RuntimeError unless its status is 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_READY_S)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"{path} answered {response.status}: {content[:200]!r}")
    return json.loads(content)


def peer_installed() -> bool:
    """Whether the peer is at hand; it is installed at the first run, which needs the network."""
    python = str(PEER_HOME / "bin" / "python")
    try:
        if not Path(python).exists():
            subprocess.run([sys.executable, "-m", "venv", str(PEER_HOME)], check=True)
        found = subprocess.run(
            [python, "-c", "import healthchain"], check=False, capture_output=True
        )
        if found.returncode:
            command = [python, "-m", "pip", "install", "--quiet", *PEER_PACKAGES]
            subprocess.run(command, check=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@dataclass(frozen=True)
class Memory:
    """Memory of one worker in MB (10^6 bytes).

    ``resident`` counts what workers share in full for each, ``share`` divides it by those who
    share it: the shares of all add up to what the machine gives.
    """

    resident: float
    share: float


def largest_worker(server: Server) -> Memory:
    """The memory of the worker that has most. Raises RuntimeError where it cannot be read."""
    found = [_memory(child) for child in children(server.pid)]
    if not found:
        raise RuntimeError(f"{server.name} has no workers")
    return max(found, key=lambda one: one.share)


def whole_memory(server: Server) -> Memory:
    """The memory of all processes of a server together."""
    found = [_memory(pid) for pid in (server.pid, *children(server.pid))]
    return Memory(sum(one.resident for one in found), sum(one.share for one in found))


def processor_seconds(server: Server) -> float:
    """The processor time that a server's processes have used so far, in steps of 10 ms."""
    ticks = 0
    for pid in (server.pid, *children(server.pid)):
        # The name in brackets may hold anything; behind it, user and system time come 12th, 13th.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """What this thread starts in the block runs on these processor cores and no others."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _memory(pid: int) -> Memory:
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size = line.split(":")
        sizes[name] = int(size.split()[0]) * 1024 / 1e6
    return Memory(sizes["Rss"], sizes["Pss"])


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and not yet lost."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in listed.read_text().split()] if listed.exists() else []


def median_seconds(command: list[str], times: int) -> float:
    """The median duration of a command that must succeed, after a first time."""
    taken = []
    for _ in range(times + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=CHECKOUT, env=_environment())
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def _environment() -> dict[str, str]:
    """The environment as users have it: no settings of ours, and bytecode is kept."""
    dropped = ("CDS_", "PYTHONDONTWRITEBYTECODE")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
