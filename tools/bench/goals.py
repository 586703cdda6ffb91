"""The goals, and whether a run reached them: each in every turn, or it is missed."""

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
Values = list[float]


@dataclass(frozen=True)
class Goal:
    """One line of the table; it ``held`` in so many of the ``turns``, and must in all of them."""

    what: str
    wanted: str
    found: str
    held: int
    turns: int

    @property
    def reached(self) -> bool:
        """Whether it held in every turn."""
        return self.held == self.turns


def figures(run: Run, key: str, name: str, figure: str) -> Values:
    """One figure of a contestant, by turn. Raises KeyError where it has none."""
    return [one[figure] for one in run["rows"][key][name]]


def ratios(run: Run, key: str, name: str, other: str, figure: str = "rate") -> Values:
    """The ratios of turns side by side."""
    pairs = zip(run["rows"][key][name], run["rows"][key][other], strict=True)
    return [one[figure] / two[figure] if two[figure] else math.inf for one, two in pairs]


def median(run: Run, key: str, name: str, figure: str) -> float:
    """The median of `figures`."""
    return statistics.median(figures(run, key, name, figure))


def ratio(run: Run, key: str, name: str, other: str, figure: str = "rate") -> float:
    """The median of `ratios`."""
    return statistics.median(ratios(run, key, name, other, figure))


def goals(run: Run) -> list[Goal]:
    """Every goal that this run can speak about: what was not measured is left out."""
    made = []
    for what, sign, wanted, unit, of in _wanted(run):
        try:
            values = of()
        except KeyError:
            continue
        held = sum(one >= wanted if sign == "≥" else one <= wanted for one in values)
        found = f"{statistics.median(values):.2f}{unit}"
        made.append(Goal(what, f"{sign} {wanted:g}{unit}", found, held, len(values)))
    return made


def _wanted(run: Run) -> Iterator[tuple[str, str, float, str, Callable[[], Values]]]:
    def cost(what: str, results: int, connections: int, name: str) -> Values:
        return figures(run, f"{what}/{results}/{connections}/2", name, "cpu_ms")

    def side_by_side(one: Values, two: Values) -> Values:
        return [
            first / second if second else math.inf for first, second in zip(one, two, strict=True)
        ]

    def against_release(call: str) -> Values:
        now = run["release"][call]["now"]
        return list(now.get("thirds", [now["ratio"]]))

    def added(what: str) -> Values:
        key = f"{what}/100/8/2"
        return [100 * (one - 1) for one in ratios(run, key, who.AUDITED, who.SERVICE, "cpu_ms")]

    def orders() -> Values:
        return side_by_side(cost(ORDERS, 100, 16, ORDERS), cost(CARDS, 100, 16, who.SERVICE))

    def token() -> Values:
        both = zip(cost(CARDS, 100, 8, who.TOKENS), cost(CARDS, 100, 8, who.SERVICE), strict=True)
        return [one - two for one, two in both]

    def growth() -> Values:
        return side_by_side(cost(CARDS, 49_900, 1, who.LARGE), cost(CARDS, 10_000, 1, who.LARGE))

    def memory(pick: Callable[[list[float]], float], which: str = "after") -> Values:
        return [pick([one[which] for one in run["memory"]])]

    for kind, most in ((CARDS, 0.55), (NONE, 0.5)):
        call = f"{kind}, 100 results"
        what = f"{call}: processor time against the release of 23 November"
        yield what, "≤", most, " ×", partial(against_release, call)
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
        of = partial(ratios, run, f"{kind}/{size}/16/2", other, who.SERVICE, "cpu_ms")
        yield f"{kind}, {size:,} results: calls a core against {other}", "≥", least, " ×", of
    for kind in (CARDS, NONE):
        what = f"{kind}, 100 results: processor time that audit (digest) and a silent rule add"
        yield what, "≤", 5, " %", partial(added, kind)
    one, what = f"{CARDS}/100/1/2", f"{CARDS}, 100 results, 1 connection"
    yield f"{what}: p50", "≤", 1.5, " ms", partial(figures, run, one, who.SERVICE, "p50_ms")
    yield f"{what}: p99", "≤", 10, " ms", partial(figures, run, one, who.SERVICE, "p99_ms")
    p50 = partial(ratios, run, one, who.SERVICE, who.FIXED, "p50_ms")
    yield f"{what}: p50 against {who.FIXED}", "≤", 2.5, " ×", p50
    yield "order-select, 5 drafts: processor time against patient-view", "≤", 1.2, " ×", orders
    yield "a token (ES384, warm keys): processor time added", "≤", 0.5, " ms", token
    missing = partial(figures, run, f"{MISSING}/100/1/2", who.FETCHING, "p50_ms")
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
    yield "start: the rules are listed", "≤", 0.3, " s", lambda: [run["starts"]["rules"]]
    yield "start: the service is ready", "≤", 1.5, " s", lambda: [run["starts"]["ready"]]
    what = "16 connections opened at once: fewest on one of 2 workers"
    yield what, "≥", 1, "", lambda: [min(one) for one in run["spread"]["2"]]
