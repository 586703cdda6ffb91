"""The goals, and whether a run reached them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tools.bench import contestants as who
from tools.bench.measure import CARDS, MISSING, NONE, ORDERS

Run = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """One line of the table."""

    what: str
    wanted: str
    found: str
    reached: bool


def median(run: Run, key: str, name: str, figure: str) -> float:
    """One figure of a contestant: the median of its turns. Raises KeyError where it has none."""
    return statistics.median(one[figure] for one in run["rows"][key][name])


def ratio(run: Run, key: str, name: str, other: str, figure: str = "rate") -> float:
    """The median of the ratios of turns side by side."""
    pairs = zip(run["rows"][key][name], run["rows"][key][other], strict=True)
    return statistics.median(
        one[figure] / two[figure] if two[figure] else math.inf for one, two in pairs
    )


def goals(run: Run) -> list[Goal]:
    """Every goal that this run can speak about: what was not measured is left out."""
    found = []
    for what, sign, wanted, unit, of in _wanted(run):
        try:
            value = of()
        except KeyError:
            continue
        reached = value >= wanted if sign == "≥" else value <= wanted
        found.append(Goal(what, f"{sign} {wanted:g}{unit}", f"{value:.2f}{unit}", reached))
    return found


def _wanted(run: Run) -> Iterator[tuple[str, str, float, str, Callable[[], float]]]:
    def cost(what: str, results: int, connections: int, name: str) -> float:
        return median(run, f"{what}/{results}/{connections}/2", name, "cpu_ms")

    def added(what: str) -> float:
        key = f"{what}/100/8/2"
        return 100 * (ratio(run, key, who.AUDITED, who.SERVICE, "cpu_ms") - 1)

    def orders() -> float:
        return cost(ORDERS, 100, 16, ORDERS) / cost(CARDS, 100, 16, who.SERVICE)

    def token() -> float:
        return cost(CARDS, 100, 8, who.TOKENS) - cost(CARDS, 100, 8, who.SERVICE)

    def growth() -> float:
        return cost(CARDS, 49_900, 1, who.LARGE) / cost(CARDS, 10_000, 1, who.LARGE)

    def memory(pick: Callable[[list[float]], float], which: str = "after") -> float:
        return pick([one[which] for one in run["memory"]])

    for kind, most in ((CARDS, 0.55), (NONE, 0.5)):
        call = f"{kind}, 100 results"
        what = f"{call}: processor time against the release of 23 November"
        yield what, "≤", most, " ×", lambda call=call: run["release"][call]["now"]["ratio"]
    for kind, size, other, least in (
        (NONE, 100, who.FIXED, 0.6),
        (NONE, 10, who.FIXED, 0.35),
        (CARDS, 1_000, who.FIXED, 1.5),
        (NONE, 10, who.CQL, 10),
        (NONE, 100, who.CQL, 30),
        (NONE, 1_000, who.CQL, 100),
        (CARDS, 100, who.CHAIN_FHIR, 15),
        (CARDS, 100, who.CHAIN_PLAIN, 5),
    ):
        of = partial(ratio, run, f"{kind}/{size}/16/2", other, who.SERVICE, "cpu_ms")
        yield f"{kind}, {size:,} results: calls a core against {other}", "≥", least, " ×", of
    for kind in (CARDS, NONE):
        what = f"{kind}, 100 results: processor time that audit (digest) and a silent rule add"
        yield what, "≤", 5, " %", partial(added, kind)
    one, what = f"{CARDS}/100/1/2", f"{CARDS}, 100 results, 1 connection"
    yield f"{what}: p50", "≤", 1.5, " ms", partial(median, run, one, who.SERVICE, "p50_ms")
    yield f"{what}: p99", "≤", 10, " ms", partial(median, run, one, who.SERVICE, "p99_ms")
    p50 = partial(ratio, run, one, who.SERVICE, who.FIXED, "p50_ms")
    yield f"{what}: p50 against {who.FIXED}", "≤", 2.5, " ×", p50
    yield "order-select, 5 drafts: processor time against patient-view", "≤", 1.2, " ×", orders
    yield "a token (ES384, warm keys): processor time added", "≤", 0.5, " ms", token
    missing = partial(median, run, f"{MISSING}/100/1/2", who.FETCHING, "p50_ms")
    yield f"{MISSING}, a FHIR server that takes 20 ms: p50", "≤", 35, " ms", missing
    yield "49,900 results: processor time against 10,000 (linear is 5)", "≤", 6, " ×", growth
    share = partial(memory, lambda m: m[1], "share")
    yield "memory of a worker after 10,000 calls, its share", "≤", 90, " MB", share
    growing = partial(memory, lambda m: m[1] / m[0])
    yield "memory: last quarter of these calls against before", "≤", 1.1, " ×", growing
    yield (
        "memory of a worker after any hostile or large call",
        "≤",
        250,
        " MB",
        partial(memory, max),
    )
    yield "start: the rules are listed", "≤", 0.3, " s", lambda: run["starts"]["rules"]
    yield "start: the service is ready", "≤", 1.5, " s", lambda: run["starts"]["ready"]
    what = "16 connections opened at once: fewest on one of 2 workers"
    yield what, "≥", 1, "", lambda: min(min(one) for one in run["spread"]["2"])
