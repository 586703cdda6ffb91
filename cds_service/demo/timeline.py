"""Where the results of one analyte stand on a small timeline. Geometry only, no judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.core.facts import Result
from cds_service.core.knowledge import Limit
from cds_service.core.quantities import printed_unit

WIDTH, HEIGHT = 260, 84
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 34, 10, 16
_LEAST_DAYS = 365
MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class Dot:
    """One result: place in the drawing, and its words."""

    x: float
    y: float
    words: str
    exact: bool
    newest: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One limit across the drawing."""

    y: float
    number: str
    words: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A drawing of ``WIDTH`` by ``HEIGHT``; ``first`` and ``last`` are its ends in time."""

    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    first: date
    last: date
    path: str
    words: str
    unit: str
    width: int = WIDTH
    height: int = HEIGHT
    right: int = WIDTH - _RIGHT


def timeline(results: Sequence[Result], limits: Sequence[Limit], today: date) -> Timeline:
    """The newest results (at least one; any order) with the limits next to them, until today.

    Values and limits are placed in the canonical unit. A limit is drawn when it lies among
    the values or is the next one above or below them.
    """
    drawn = sorted(results, key=lambda one: one.when)[-MOST_POINTS:]
    values = [float(one.unit.to_canonical(one.value.middle())) for one in drawn]
    heights = {limit.key: float(limit.value) for limit in limits}
    shown = _near(heights, min(values), max(values))
    low = min([*values, *shown.values()])
    high = max([*values, *shown.values()])
    margin = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
    low, high = low - margin, high + margin
    first = min(drawn[0].day, today - timedelta(days=_LEAST_DAYS))
    last = max(drawn[-1].day, today)
    days = (last - first).days or 1

    def across(day: date) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (day - first).days / days, 1)

    def up(value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low), 1)

    dots = tuple(
        Dot(
            across(one.day),
            up(value),
            f"{one.reported}, {one.day.isoformat()}" + (", preliminary" * one.preliminary),
            one.value.exact,
            one is drawn[-1],
        )
        for one, value in zip(drawn, values, strict=True)
    )
    lines = tuple(
        Line(up(shown[limit.key]), f"{limit.value:f}", f"{limit}: {limit.meaning}")
        for limit in limits
        if limit.key in shown
    )
    told = "; ".join(dot.words for dot in dots)
    against = "; ".join(line.words for line in lines)
    return Timeline(
        dots=dots,
        lines=lines,
        first=first,
        last=last,
        path=" ".join(f"{dot.x},{dot.y}" for dot in dots),
        unit=printed_unit(drawn[-1].analyte.canonical),
        words=f"Results: {told}." + (f" Limits: {against}." if against else ""),
    )


def _near(heights: dict[str, float], low: float, high: float) -> dict[str, float]:
    """The limits among the values, and the next one on either side."""
    below = max((one for one in heights.values() if one <= low), default=low)
    above = min((one for one in heights.values() if one >= high), default=high)
    return {key: one for key, one in heights.items() if below <= one <= above}
