"""What is measured. Contestants take turns, so that the state of the machine affects all."""

from __future__ import annotations

import platform
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testing.serving import PROGRAM, environment
from tools.bench import CHECKOUT, bodies, compare, servers
from tools.bench import contestants as who
from tools.bench.bodies import CARDS, NONE, ORDERS
from tools.bench.contestants import Ground
from tools.faults import calls
from tools.faults.load import Sender

RELEASE = "b980901"
"""The last commit of 23 November 2026: the first edition, which the goals are measured against."""
MISSING = "nothing in prefetch"
_HERE = str(CHECKOUT)
PEERS = (who.CHAIN_FHIR, who.CHAIN_PLAIN, who.CQL)
FLOORS = (who.FIXED, who.FLASK, who.WSGI)
SIZES = (10, 100, 1_000, 10_000, 49_900)
"""Numbers of results to show how time grows; a call of more than 50,000 entries is refused."""


@dataclass(frozen=True)
class Scenario:
    """One body, its number of results and connections, and the contestants that take turns."""

    what: str
    results: int
    connections: int
    names: tuple[str, ...]
    workers: int = who.WORKERS
    longer: int = 1  # how many times as long a turn is, where a peer answers few calls in one
    refusals: bool = False  # whether admission may refuse some of the calls

    @property
    def key(self) -> str:
        """The key of its figures."""
        return f"{self.what}/{self.results}/{self.connections}/{self.workers}"


BOTH = (who.SERVICE, who.FIXED)
SCENARIOS = (
    Scenario(CARDS, 100, 16, (who.SERVICE, *FLOORS, *PEERS)),
    Scenario(NONE, 10, 16, (who.SERVICE, *FLOORS, who.CQL)),
    Scenario(NONE, 100, 16, (*BOTH, who.CQL)),
    Scenario(NONE, 1_000, 16, (*BOTH, who.CQL), longer=5),
    Scenario(CARDS, 1_000, 16, BOTH),
    Scenario(CARDS, 100, 1, (*BOTH, *PEERS)),
    Scenario(NONE, 100, 1, BOTH),
    Scenario(ORDERS, 100, 16, (who.ORDERS,)),
    Scenario(NONE, 100, 8, (who.SERVICE, who.AUDITED)),
    Scenario(CARDS, 100, 8, (who.SERVICE, who.TOKENS, who.AUDITED)),
    Scenario(MISSING, 100, 1, (who.FETCHING,)),
    *(Scenario(CARDS, n, 1, (who.LARGE, who.FIXED), longer=1 + n // 10_000) for n in SIZES),
    *(Scenario(CARDS, 100, 16, BOTH, workers) for workers in (1, 4, 8)),
    *(Scenario(CARDS, 100, n, BOTH, refusals=True, longer=2) for n in (64, 256, 1_024)),
)


def turns(
    ground: Ground, scenario: Scenario, rounds: int, seconds: float
) -> dict[str, list[dict[str, Any]]]:
    """The figures of each turn by contestant; a first short turn warms up. A peer that cannot be
    installed or started is left out, with a message."""
    figures: dict[str, list[dict[str, Any]]] = {}
    for name in scenario.names:
        try:
            ground.server(name, scenario.workers)
            figures[name] = []
        except RuntimeError as error:
            if name not in PEERS:
                raise
            print(f"{name} is left out: {error}", file=sys.stderr)
    if scenario.what == MISSING:
        content = calls.view(None, of=bodies.PATIENT, fhirServer=ground.fhir_server).body
    else:
        _, content = bodies.of(scenario.what, scenario.results)
    body = ground.body(content)
    for number in range(-1, rounds):
        # The first to run has the cooler machine: they take turns at that, too.
        for name in list(figures)[:: 1 if number % 2 == 0 else -1]:
            server = ground.server(name, scenario.workers)
            token = ground.token() if name == who.TOKENS else ""
            length = 1.0 if number < 0 else seconds * scenario.longer
            turn = servers.loaded(
                server, who.PATHS[name][1], body, scenario.connections, length, token
            )
            if number < 0:
                continue
            figures[name].append(turn)
            if name not in PEERS and not scenario.refusals and turn["failed"]:
                raise RuntimeError(f"{name}, {scenario.key}: {turn['failed']} calls failed")
    return figures


def against_release(folder: Path, rounds: int) -> compare.Compared:
    """Processor time of calls here and in the release of 23 November, see `compare.compared`."""
    archive = str(folder / "release.tar")
    subprocess.run(["git", "-C", _HERE, "archive", "--output", archive, RELEASE], check=True)
    shutil.unpack_archive(archive, folder / "release", filter="data")
    checkouts = {"release": str(folder / "release"), "now": _HERE}
    return compare.compared(
        {name: ([sys.executable], checkout) for name, checkout in checkouts.items()}, rounds
    )


def newer_pythons(rounds: int) -> compare.Compared:
    """Processor time of calls under this Python and newer ones, where these are available."""
    processes = {platform.python_version(): ([sys.executable], _HERE)}
    for release in ("trixie", "forky"):
        python = [f"{_HERE}/tools/newer_python", release, "python"]
        answer = subprocess.run([*python, "-VV"], capture_output=True, text=True, check=False)
        if answer.returncode:
            print(answer.stdout.strip(), file=sys.stderr)
        else:
            processes[answer.stdout.split()[1]] = (python, _HERE)
    return compare.compared(processes, rounds)


def memory(ground: Ground, requests: int) -> list[dict[str, Any]]:
    """The largest worker, in MB, after calls of each kind, and its peak during them."""
    server = ground.server(who.SERVICE)
    client, figures, calls_made = Sender(server.port, fresh=True), [], 0.0
    body = ground.body(bodies.patient_view(100))
    for goal in (requests * 3 // 4, requests):
        while calls_made < goal:
            calls_made += servers.loaded(server, who.VIEW_PATH, body, 16, 2.0)["rate"] * 2
        figures.append({"what": f"{goal:,} calls", "status": 200} | servers.memory(server))
    for call, _ in calls.edges():
        servers.forget_peaks(server)
        status = [client.send(call).status for _ in range(6 if isinstance(call.body, bytes) else 1)]
        servers.rest(server)
        figures.append({"what": call.note, "status": max(status)} | servers.memory(server))
    return figures


def starts(ground: Ground, times: int) -> dict[str, float]:
    """Seconds until the rules are listed, and until a server answers."""
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        subprocess.check_output([PROGRAM, "rules"], env=environment())
        seconds.append(time.perf_counter() - began)
    return {"rules": statistics.median(seconds[1:]), "ready": ground.server(who.SERVICE).ready_s}


def spreads(ground: Ground, opened: int = 16, times: int = 5) -> dict[str, list[list[int]]]:
    """How many of sixteen connections, opened at once, each worker got."""
    spread = {}
    for workers in (2, 4, 8):
        server = ground.server(who.SERVICE, workers)
        spread[str(workers)] = [sorted(servers.spread(server, opened)) for _ in range(times)]
    return spread
