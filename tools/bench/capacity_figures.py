"""The figures behind the capacity page, and their file ``tools/bench/capacity.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tools.bench.database_size import DatabaseFigures
from tools.bench.demand import Costs
from tools.bench.scenarios import ONCE, OPEN

CARDS, NONE, ORDERS = "cards", "no card", "order-select"
FETCHED = "nothing in prefetch"
BASE_RESULTS = 100
PLANNED_CONNECTIONS = 16


@dataclass(frozen=True)
class Cell:
    """One load on one server, medians of its turns.

    ``cpu_ms`` is processor time of the server's processes for each call; ``body_kb`` 10^3 bytes.
    """

    what: str
    workers: int
    connections: int
    results: int
    body_kb: float
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    failed: int


@dataclass(frozen=True)
class WorkerMemory:
    """MB (10^6 bytes) after so many requests: of the largest worker, and of all processes."""

    workers: int
    requests: int
    worker_rss: float
    worker_pss: float
    all_pss: float


@dataclass(frozen=True)
class CapacityFigures:
    """All that one run measured. ``quick``: too short to plan by."""

    when: str
    machine: str
    quick: bool
    seconds: float
    rounds: int
    throughput: list[Cell]
    growth: list[Cell]
    tokens: list[Cell]
    fetching: list[Cell]
    memory: list[WorkerMemory]
    databases: list[DatabaseFigures]

    @property
    def failed(self) -> int:
        """Answers that were no success, in all cells."""
        cells = (*self.throughput, *self.growth, *self.tokens, *self.fetching)
        return sum(one.failed for one in cells)

    def costs(self) -> Costs:
        """What the demand is reckoned with: one worker on one core, always busy.

        Database rows are PostgreSQL's where it was measured, else SQLite's.
        """
        database = self.databases[-1]
        return Costs(
            cards_ms=planned_by(self.throughput, CARDS).cpu_ms,
            none_ms=planned_by(self.throughput, NONE).cpu_ms,
            orders_ms=planned_by(self.throughput, ORDERS).cpu_ms,
            token_ms=max(0.0, added_ms(self.tokens, ONCE)),
            fetched_ms=planned_by(self.fetching, FETCHED).cpu_ms,
            replica_mb=next(one for one in self.memory if one.workers == 1).all_pss,
            feedback_bytes=database.feedback.bytes_row,
            shown_bytes=database.shown.bytes_row,
            token_bytes=database.tokens.bytes_row,
            shown_rows=database.shown_rows,
        )


def planned_by(cells: Sequence[Cell], what: str) -> Cell:
    """One worker's cell of that kind with the connections that keep it busy, and no more."""
    wanted = (what, 1, PLANNED_CONNECTIONS)
    return next(one for one in cells if (one.what, one.workers, one.connections) == wanted)


def added_ms(cells: Sequence[Cell], what: str) -> float:
    """Processor milliseconds that ``what`` takes more than a call without a token."""
    by_name = {one.what: one for one in cells}
    return by_name[what].cpu_ms - by_name[OPEN].cpu_ms


def write_figures(path: Path, figures: CapacityFigures) -> None:
    """As JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")


def read_figures(path: Path) -> CapacityFigures:
    """Raises FileNotFoundError, or msgspec.ValidationError for a file of another shape."""
    return msgspec.json.decode(path.read_bytes(), type=CapacityFigures)
