"""What is measured: scenarios, each a few contestants that take turns in the same minutes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench.load import Figures, Job, run


@dataclass(frozen=True)
class Entry:
    """One contestant of a scenario. ``fresh`` makes the tokens for a run, where it has any."""

    name: str
    port: int
    path: str
    body: Path
    fresh: Callable[[], Path] | None = None


@dataclass(frozen=True)
class Scenario:
    """``title`` as it is printed; ``entries`` take turns; ``seconds`` is one turn."""

    title: str
    observations: int
    connections: int
    entries: tuple[Entry, ...]
    seconds: float


@dataclass
class Measured:
    """All turns of one scenario, by contestant."""

    scenario: Scenario
    turns: dict[str, list[Figures]] = field(default_factory=dict)

    def per_second(self, name: str) -> float:
        """The median of the turns."""
        return statistics.median(one.per_second for one in self.turns[name])

    def p50(self, name: str) -> float:
        """Milliseconds, the median of the turns."""
        return statistics.median(one.p50_ms for one in self.turns[name])

    def p99(self, name: str) -> float:
        """Milliseconds, the median of the turns."""
        return statistics.median(one.p99_ms for one in self.turns[name])

    def failed(self, name: str) -> int:
        """Answers that were no success, and lost connections, in all turns."""
        return sum(one.failed for one in self.turns[name])

    def rate_ratio(self, name: str, other: str) -> float:
        """Requests a second of ``name`` for each of ``other``: the median of turns side by side."""
        return _median_ratio(
            (one.per_second, two.per_second) for one, two in self._pairs(name, other)
        )

    def p50_ratio(self, name: str, other: str) -> float:
        """How many times the median answer of ``other`` that of ``name`` takes."""
        return _median_ratio((one.p50_ms, two.p50_ms) for one, two in self._pairs(name, other))

    def _pairs(self, name: str, other: str) -> Iterable[tuple[Figures, Figures]]:
        return zip(self.turns[name], self.turns[other], strict=True)


def _median_ratio(pairs: Iterable[tuple[float, float]]) -> float:
    return statistics.median(one / two if two else 0.0 for one, two in pairs)


def measured(scenario: Scenario, rounds: int, warm_up_s: float = 1.0) -> Measured:
    """Every contestant in turn, ``rounds`` times over; a first short turn warms up."""
    outcome = Measured(scenario, {entry.name: [] for entry in scenario.entries})
    for entry in scenario.entries:
        run(_job(scenario, entry, warm_up_s))
    for number in range(rounds):
        # Whoever begins has the cooler machine: they take turns at that, too.
        order = scenario.entries if number % 2 == 0 else scenario.entries[::-1]
        for entry in order:
            outcome.turns[entry.name].append(run(_job(scenario, entry, scenario.seconds)))
    return outcome


def _job(scenario: Scenario, entry: Entry, seconds: float) -> Job:
    return Job(
        port=entry.port,
        path=entry.path,
        body=entry.body,
        connections=scenario.connections,
        seconds=seconds,
        tokens=entry.fresh() if entry.fresh else None,
    )
