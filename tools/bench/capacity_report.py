"""The capacity page: ``capacity.md`` of this folder with figures and demand in their places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools.bench.capacity_figures import CARDS, FETCHED, CapacityFigures, Cell, added_ms, planned_by
from tools.bench.database_size import Writes
from tools.bench.demand import Assumption, assumptions_table, needs_table
from tools.bench.scenarios import AGAIN, ONCE

PROSE = Path(__file__).with_name("capacity.md")
QUICK_NOTICE = "Quick run: not to plan by"


def document(figures: CapacityFigures, assumptions: Sequence[Assumption]) -> str:
    """The whole page as Markdown."""
    costs = figures.costs()
    notice = (
        f"> **{QUICK_NOTICE}.** These figures come from single turns of "
        f"{figures.seconds:g} s on a machine that did other work. They show the form of the page "
        "and are to be replaced: `make capacity` on a quiet machine.\n\n"
        if figures.quick
        else ""
    )
    places = {
        "{{notice}}": notice,
        "{{when}}": figures.when,
        "{{machine}}": figures.machine,
        "{{seconds}}": f"{figures.seconds:g}",
        "{{rounds}}": str(figures.rounds),
        "{{failed}}": str(figures.failed),
        "{{throughput}}": throughput_table(figures.throughput),
        "{{per_core}}": f"{1000 / planned_by(figures.throughput, CARDS).cpu_ms:,.0f}",
        "{{growth}}": growth_table(figures.growth),
        "{{token_ms}}": f"{added_ms(figures.tokens, ONCE):.2f}",
        "{{token_again_ms}}": f"{added_ms(figures.tokens, AGAIN):.2f}",
        "{{tokens}}": cells_table(figures.tokens),
        "{{fetched_ms}}": f"{planned_by(figures.fetching, FETCHED).cpu_ms:.2f}",
        "{{fetching}}": cells_table(figures.fetching),
        "{{memory}}": memory_table(figures),
        "{{writes}}": writes_table(figures),
        "{{assumptions}}": assumptions_table(assumptions),
        "{{needs}}": needs_table(costs, assumptions),
        "{{replica_mb}}": f"{costs.replica_mb:.0f}",
    }
    text = PROSE.read_text()
    for place, value in places.items():
        text = text.replace(place, value)
    return text


def throughput_table(cells: Sequence[Cell]) -> str:
    """Requests a second, for each core that works, and latencies."""
    lines = [
        "| call, 100 results | workers | connections | calls/s | processor ms a call "
        "| calls/s a busy core | p50 ms | p95 ms | p99 ms |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in cells:
        per_core = 1000 / one.cpu_ms if one.cpu_ms else 0.0
        lines.append(
            f"| {one.what} | {one.workers} | {one.connections} | {one.per_second:,.0f} "
            f"| {one.cpu_ms:.2f} | {per_core:,.0f} "
            f"| {one.p50_ms:.2f} | {one.p95_ms:.2f} | {one.p99_ms:.2f} |"
        )
    return "\n".join(lines)


def growth_table(cells: Sequence[Cell]) -> str:
    """One connection: what each thousand results adds."""
    lines = [
        "| results | body | call | p50 ms | processor ms a call | µs a result |",
        "|--:|--:|---|--:|--:|--:|",
    ]
    for one in cells:
        lines.append(
            f"| {one.results:,} | {one.body_kb / 1e3:.2f} MB | {one.what} | {one.p50_ms:.2f} "
            f"| {one.cpu_ms:.2f} | {one.cpu_ms / one.results * 1e3:.1f} |"
        )
    return "\n".join(lines)


def cells_table(cells: Sequence[Cell]) -> str:
    """Loads that differ in what they ask or in connections."""
    lines = [
        "| call | connections | calls/s | processor ms a call | p50 ms | p95 ms | p99 ms |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for one in cells:
        lines.append(
            f"| {one.what} | {one.connections} | {one.per_second:,.0f} | {one.cpu_ms:.2f} "
            f"| {one.p50_ms:.2f} | {one.p95_ms:.2f} | {one.p99_ms:.2f} |"
        )
    return "\n".join(lines)


def memory_table(figures: CapacityFigures) -> str:
    """What workers take after the load."""
    lines = [
        "| workers | after requests | largest worker, resident | its share "
        "| all processes, shares |",
        "|--:|--:|--:|--:|--:|",
    ]
    for one in figures.memory:
        lines.append(
            f"| {one.workers} | {one.requests:,} | {one.worker_rss:.0f} MB "
            f"| {one.worker_pss:.0f} MB | {one.all_pss:.0f} MB |"
        )
    return "\n".join(lines)


def writes_table(figures: CapacityFigures) -> str:
    """Rows and transactions of one call, by database."""
    lines = [
        "| database | write | bytes a row, with its indexes | rows a call | transactions a call "
        "| ms a transaction |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for one in figures.databases:
        lines += [
            _writes_line(one.kind, writes) for writes in (one.feedback, one.shown, one.tokens)
        ]
    return "\n".join(lines)


def _writes_line(kind: str, one: Writes) -> str:
    return (
        f"| {kind} | {one.what} | {one.bytes_row:.0f} | {one.rows_call:g} "
        f"| {one.transactions_call:g} | {one.ms_transaction:.2f} |"
    )
