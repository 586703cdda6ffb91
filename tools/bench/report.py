"""What was measured, as lines on a terminal and as a document."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tools.bench import breakdown
from tools.bench.goals import Goal
from tools.bench.plan import Measured
from tools.bench.scenarios import OURS, WORKERS

PROSE = Path(__file__).with_name("about.md")
COLUMNS = {"cards": "cards", "none": "no card", "orders": "order-select"}


def run_lines(one: Measured) -> str:
    """One scenario: a heading, and a line for each contestant."""
    at = one.scenario
    lines = [f"{at.title}: {at.observations:,} results, {at.connections} connections"]
    for name in one.turns:
        failed = f", {one.failed(name)} FAILED" if one.failed(name) else ""
        lines.append(
            f"  {name:40} {one.per_second(name):8.0f}/s   p50 {one.p50(name):8.2f} ms   "
            f"p99 {one.p99(name):8.2f} ms{_ratio(one, name)}{failed}"
        )
    return "\n".join(lines)


def _ratio(one: Measured, name: str) -> str:
    first = next(iter(one.turns))
    return "" if name == first else f"   {first} / this: {one.rate_ratio(first, name):.2f}"


def goals_table(found: Sequence[Goal]) -> str:
    """The goals as a Markdown table."""
    lines = ["| what | goal | found | |", "|---|---|---|---|"]
    for goal in found:
        lines.append(
            f"| {goal.what} | {goal.wanted} | {goal.found} | "
            f"{'reached' if goal.reached else '**missed**'} |"
        )
    return "\n".join(lines)


def runs_table(runs: Sequence[Measured]) -> str:
    """Every scenario and contestant as a Markdown table."""
    lines = [
        "| scenario | results | connections | contestant | requests/s | p50 ms | p99 ms | failed |",
        "|---|--:|--:|---|--:|--:|--:|--:|",
    ]
    for one in runs:
        at = one.scenario
        for name in one.turns:
            lines.append(
                f"| {at.title} | {at.observations:,} | {at.connections} | {name} | "
                f"{one.per_second(name):,.0f} | {one.p50(name):.2f} | {one.p99(name):.2f} | "
                f"{one.failed(name)} |"
            )
    return "\n".join(lines)


def stages_table(stages: dict[str, dict[str, float]]) -> str:
    """Microseconds of each stage as a Markdown table."""
    lines = [
        f"| stage, µs | {' | '.join(COLUMNS.values())} |",
        f"|---|{'--:|' * len(COLUMNS)}",
    ]
    labels = list(stages["cards"])
    floors = (breakdown.FLOOR_FLASK, breakdown.FLOOR_PARSE)
    for label in labels:
        cells = " | ".join(f"{stages[key][label]:,.0f}" for key in COLUMNS)
        mark = "**" if label == breakdown.WHOLE else "*" if label in floors else ""
        lines.append(f"| {mark}{label}{mark} | {cells} |")
    return "\n".join(lines)


def hardware() -> str:
    """The machine in generic words."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in ("granian", "flask", "msgspec"))
    return (
        f"{cores} processor cores ({platform.machine()}), {memory:.0f} GB of memory, "
        f"Linux, CPython {platform.python_version()}, {packages}"
    )


def machine() -> str:
    """The machine, and how the servers of the benchmark share it."""
    return (
        f"{hardware()}; {WORKERS} workers of each server; the load generator runs on the same cores"
    )


def document(
    runs: Sequence[Measured],
    reached: Sequence[Goal],
    stages: dict[str, dict[str, float]],
    rounds: int,
    minutes: float,
) -> str:
    """``docs/benchmarks.md``: ``about.md`` of this folder with the figures of this run in place."""
    failed = sum(one.failed(name) for one in runs for name in one.turns if name == OURS)
    places = {
        "{{machine}}": machine(),
        "{{when}}": datetime.now(UTC).date().isoformat(),
        "{{rounds}}": str(rounds),
        "{{minutes}}": f"{minutes:.0f}",
        "{{failed}}": str(failed),
        "{{goals}}": goals_table(reached),
        "{{runs}}": runs_table(runs),
        "{{stages}}": stages_table(stages),
    }
    text = PROSE.read_text()
    for place, figures in places.items():
        text = text.replace(place, figures)
    return text
