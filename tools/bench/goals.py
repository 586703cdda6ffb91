"""The goals, and whether a run reached them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.bench.plan import Measured
from tools.bench.scenarios import (
    AGAIN,
    CARDS,
    FIXED,
    MISSING,
    NO_CARDS,
    ONCE,
    OPEN,
    ORDER,
    ORDERS,
    OURS,
    PEER,
    PEER_INSTALLED,
    TOKENS,
    VIEW,
)
from tools.bench.servers import Memory

MEMORY_REQUESTS = 10_000
_SAME = 1.1
"""Memory after the last quarter, for each MB before it, that still counts as no growth."""


@dataclass(frozen=True)
class Process:
    """What is measured of the service as a process; memory of its largest worker."""

    rules_s: float
    ready_s: float
    before: Memory
    after: Memory


@dataclass(frozen=True)
class Goal:
    """One line of the table."""

    what: str
    wanted: str
    found: str
    reached: bool


def goals(runs: Sequence[Measured], process: Process) -> list[Goal]:
    """Every goal that this run can speak about."""
    return [*_speed(runs), *_tokens_and_fetching(runs), *_process(process)]


def find(
    runs: Sequence[Measured], title: str, observations: int, connections: int
) -> Measured | None:
    """The scenario of that description, if it was measured."""
    for one in runs:
        at = one.scenario
        if (at.title, at.observations, at.connections) == (title, observations, connections):
            return one
    return None


def _speed(runs: Sequence[Measured]) -> Iterator[Goal]:
    if one := find(runs, CARDS, 100, 16):
        for peer in (PEER, PEER_INSTALLED):
            if peer in one.turns:
                ratio = one.rate_ratio(OURS, peer)
                yield _at_least(f"100 results, cards, 16 connections: against {peer}", 8, ratio)
        ratio = one.rate_ratio(OURS, FIXED)
        yield _at_least("100 results, cards, 16 connections: against fixed", 0.5, ratio)
    if one := find(runs, CARDS, 1000, 16):
        ratio = one.rate_ratio(OURS, FIXED)
        yield _at_least("1,000 results, cards, 16 connections: against fixed", 1.5, ratio)
    if one := find(runs, CARDS, 100, 1):
        what = "100 results, cards, 1 connection"
        yield _at_most(f"{what}: p50", 1.5, one.p50(OURS), " ms")
        yield _at_most(f"{what}: p99", 10, one.p99(OURS), " ms")
        yield _at_most(f"{what}: p50 against fixed", 2.5, one.p50_ratio(OURS, FIXED), " ×")
    if one := find(runs, NO_CARDS, 100, 16):
        ratio = one.rate_ratio(OURS, FIXED)
        yield _at_least("100 results, no card, 16 connections: against fixed", 0.8, ratio)
    if one := find(runs, ORDER, 100, 16):
        ratio = one.rate_ratio(VIEW, ORDERS)
        yield _at_most("order-select with 5 drafts: cost against patient-view", 1.2, ratio, " ×")
    big, smaller = find(runs, CARDS, 10_000, 1), find(runs, CARDS, 1000, 1)
    if big and smaller:
        growth = big.p50(OURS) / smaller.p50(OURS)
        yield _at_most("10,000 results: time against 1,000", 12, growth, " ×")


def _tokens_and_fetching(runs: Sequence[Measured]) -> Iterator[Goal]:
    if one := find(runs, TOKENS, 100, 1):
        for name in (AGAIN, ONCE):
            added = one.p50(name) - one.p50(OPEN)
            yield _at_most(f"ES384, {name}: added to p50", 0.5, added, " ms")
    if one := find(runs, MISSING, 100, 1):
        yield _at_most("nothing in prefetch, queries of 20 ms: p50", 35, one.p50(OURS), " ms")


def _process(process: Process) -> Iterator[Goal]:
    what = f"memory of a worker after {MEMORY_REQUESTS:,} requests"
    after = process.after
    yield Goal(
        f"{what}, its share of what workers share",
        "≤ 90 MB",
        f"{after.share:.0f} MB ({after.resident:.0f} MB resident)",
        after.share <= 90,
    )
    growth = after.resident / process.before.resident
    yield _at_most("memory: last quarter of them against before", _SAME, growth, " ×")
    yield _at_most("start of `cds-service rules`", 0.3, process.rules_s, " s")
    yield _at_most("start until ready", 1.5, process.ready_s, " s")


def _at_least(what: str, wanted: float, found: float) -> Goal:
    return Goal(what, f"≥ {wanted:g} ×", f"{found:.2f} ×", found >= wanted)


def _at_most(what: str, wanted: float, found: float, unit: str) -> Goal:
    return Goal(what, f"≤ {wanted:g}{unit}", f"{found:.2f}{unit}", found <= wanted)
