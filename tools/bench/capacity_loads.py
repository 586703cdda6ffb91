"""The loads behind the capacity page: one worker on one core, and two on two."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.bench import bodies, database_size, load, report, servers
from tools.bench.capacity_figures import (
    BASE_RESULTS,
    CARDS,
    FETCHED,
    NONE,
    ORDERS,
    PLANNED_CONNECTIONS,
    CapacityFigures,
    Cell,
    WorkerMemory,
)
from tools.bench.scenarios import (
    AGAIN,
    MOST_TOKENS_A_SECOND,
    ONCE,
    OPEN,
    ORDERS_PATH,
    VIEW_PATH,
    fetching_from,
    fhir_base,
    guarded_by,
    starter,
)
from tools.bench.servers import Server
from tools.bench.tokens import ALLOW, REJECT, Signer

CONNECTIONS = (4, PLANNED_CONNECTIONS)
FETCHING_CONNECTIONS = (1, PLANNED_CONNECTIONS, 64)


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    quick: bool
    seconds: float
    rounds: int
    results: tuple[int, ...]
    requests: int
    rows: int


FULL = Effort(False, 5.0, 3, (10, 100, 1_000, 10_000), 5_000, 5_000)
QUICK = Effort(True, 1.0, 1, (10, 100, 1_000), 200, 200)


@dataclass(frozen=True)
class Place:
    """Which cores serve and which send; on a small machine they overlap."""

    serving: set[int]
    sending: set[int]


def places(cores: set[int]) -> tuple[Place, Place]:
    """For one worker on one core, and for two on two: the load beside them where there is room."""
    ordered = sorted(cores)
    one, two = set(ordered[:1]), set(ordered[:2])
    return Place(one, cores - one or cores), Place(two, cores - two or cores)


@dataclass(frozen=True)
class Ground:
    """The servers: one worker, two workers, one that wants tokens, one that fetches."""

    folder: Path
    one: Server
    two: Server
    guarded: Server
    fetching: Server
    stub: Server
    signer: Signer
    alone: Place
    pair: Place

    def body(self, what: str, results: int) -> Path:
        """The file with a body, made once."""
        path = self.folder / f"{what}-{results}.json"
        if not path.exists():
            make = {
                CARDS: bodies.patient_view,
                NONE: lambda count: bodies.patient_view(count, cards=False),
                ORDERS: bodies.order_select,
                FETCHED: lambda _: bodies.without_prefetch(fhir_base(self.stub)),
            }
            path.write_bytes(make[what](results))
        return path


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Start all servers, and end them with the block."""
    signer = Signer()
    alone, pair = places(os.sched_getaffinity(0))
    with ExitStack() as stack:
        start = starter(stack, folder)

        def workers(count: int) -> Callable[[int], list[str]]:
            return lambda port: servers.service_command(port, count)

        with servers.on_cores(alone.sending):
            stub = start("stub", lambda port: servers.stub_command(port, BASE_RESULTS))
        with servers.on_cores(alone.serving):
            one = start("one", workers(1))
            guarded = start("guarded", workers(1), guarded_by(signer, folder))
            fetching = start("fetching", workers(1), fetching_from(stub))
        with servers.on_cores(pair.serving):
            two = start("two", workers(2))
        yield Ground(folder, one, two, guarded, fetching, stub, signer, alone, pair)


def measure(on: Ground, effort: Effort, postgres: str | None) -> CapacityFigures:
    """Everything, the most important first."""
    throughput = [
        _cell(on, effort, what, server, workers, connections)
        for workers, server in ((1, on.one), (2, on.two))
        for what in (CARDS, NONE, ORDERS)
        for connections in CONNECTIONS
    ]
    growth = [
        _cell(on, effort, what, on.one, 1, 1, results)
        for results in effort.results
        for what in (CARDS, NONE)
    ]
    tokens = list(_tokens(on, effort))
    fetching = [
        _cell(on, effort, FETCHED, on.fetching, 1, connections)
        for connections in FETCHING_CONNECTIONS
    ]
    memory = [_memory(on, effort, server, count) for count, server in ((1, on.one), (2, on.two))]
    urls = [f"sqlite:///{on.folder}/size.db", *([postgres] if postgres else [])]
    return CapacityFigures(
        when=datetime.now(UTC).date().isoformat(),
        machine=report.hardware(),
        quick=effort.quick,
        seconds=effort.seconds,
        rounds=effort.rounds,
        throughput=throughput,
        growth=growth,
        tokens=tokens,
        fetching=fetching,
        memory=memory,
        databases=[database_size.measure(url, effort.rows) for url in urls],
    )


def _cell(
    on: Ground,
    effort: Effort,
    what: str,
    server: Server,
    workers: int,
    connections: int,
    results: int = BASE_RESULTS,
) -> Cell:
    body = on.body(what, results)
    path = ORDERS_PATH if what == ORDERS else VIEW_PATH
    job = load.Job(server.port, path, body, connections, effort.seconds)
    return measured(
        what, on.pair if workers == 2 else on.alone, server, workers, results, job, effort.rounds
    )


def measured(
    what: str,
    place: Place,
    server: Server,
    workers: int,
    results: int,
    job: load.Job,
    rounds: int,
    fresh: Callable[[], Path] | None = None,
) -> Cell:
    """The medians of ``rounds`` turns; a short one before them warms up, with tokens of its own."""

    def turn(seconds: float) -> tuple[load.Figures, float]:
        tokens = fresh() if fresh else job.tokens
        one = load.Job(job.port, job.path, job.body, job.connections, seconds, tokens)
        before = servers.processor_seconds(server)
        with servers.on_cores(place.sending):
            found = load.run(one)
        used = servers.processor_seconds(server) - before
        return found, used * 1e3 / found.requests if found.requests else 0.0

    turn(min(1.0, job.seconds))
    turns = [turn(job.seconds) for _ in range(rounds)]

    def median(of: Callable[[load.Figures], float]) -> float:
        return statistics.median(of(found) for found, _ in turns)

    return Cell(
        what=what,
        workers=workers,
        connections=job.connections,
        results=results,
        body_kb=job.body.stat().st_size / 1e3,
        per_second=median(lambda one: one.per_second),
        p50_ms=median(lambda one: one.p50_ms),
        p95_ms=median(lambda one: one.p95_ms),
        p99_ms=median(lambda one: one.p99_ms),
        cpu_ms=statistics.median(cpu_ms for _, cpu_ms in turns),
        failed=sum(found.failed for found, _ in turns),
    )


def _tokens(on: Ground, effort: Effort) -> Iterator[Cell]:
    body = on.body(CARDS, BASE_RESULTS)
    audience = f"http://127.0.0.1:{on.guarded.port}{VIEW_PATH}"
    file = on.folder / "tokens.txt"

    def fresh(iss: str, count: int) -> Path:
        file.write_text("\n".join(on.signer.tokens(iss, audience, count)) + "\n")
        return file

    many = round(MOST_TOKENS_A_SECOND * effort.seconds)
    for what, server, make in (
        (OPEN, on.one, None),
        (AGAIN, on.guarded, lambda: fresh(ALLOW, 1)),
        (ONCE, on.guarded, lambda: fresh(REJECT, many)),
    ):
        job = load.Job(server.port, VIEW_PATH, body, 1, effort.seconds)
        yield measured(what, on.alone, server, 1, BASE_RESULTS, job, effort.rounds, make)


def _memory(on: Ground, effort: Effort, server: Server, workers: int) -> WorkerMemory:
    """After so many requests of the usual size, for each worker."""
    place = on.pair if workers == 2 else on.alone
    done = 0
    while done < effort.requests * workers:
        job = load.Job(server.port, VIEW_PATH, on.body(CARDS, BASE_RESULTS), 16, 1.0)
        with servers.on_cores(place.sending):
            done += load.run(job).requests
    worker = servers.largest_worker(server)
    whole = servers.whole_memory(server)
    return WorkerMemory(workers, done, worker.resident, worker.share, whole.share)
