"""Where one analyte's results are drawn on a small timeline. Geometry only, no judgement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from cds_service.core.facts import Result
from cds_service.core.knowledge import Limit
from cds_service.core.quantities import printed_unit

WIDTH, HEIGHT = 300, 104
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 34, 16, 16
_LEAST_DAYS = 365
MOST_POINTS = 60


class Beyond(Enum):
    """On which side of a limit a result is out of bounds."""

    NONE = 0
    BELOW = 1
    ABOVE = 2


@dataclass(frozen=True, slots=True)
class Dot:
    """One result: its place and text; ``beyond`` says whether it is outside a limit of a card."""

    x: float
    y: float
    words: str
    exact: bool
    newest: bool
    beyond: bool


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit across the drawing."""

    y: float
    number: str
    words: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A drawing of ``WIDTH`` by ``HEIGHT`` pixels; ``first`` and ``last`` are its ends in time.

    ``ticks`` are the heights and numbers on the left axis.
    """

    dots: tuple[Dot, ...]
    lines: tuple[LimitLine, ...]
    first: date
    last: date
    path: str
    words: str
    unit: str
    ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def timeline(
    results: Sequence[Result],
    limits: Sequence[Limit],
    today: date,
    beyond: Mapping[Limit, Beyond] | None = None,
) -> Timeline:
    """The newest results (at least one, in any order) up to today, with the nearest limits.

    ``beyond`` says on which side of a limit results are out of bounds. Values and limits are
    drawn in the canonical unit. A limit is drawn where it lies among the values or is the next
    one above or below them.
    """
    drawn = sorted(results, key=lambda result: result.when)[-MOST_POINTS:]
    values = [float(result.canonical_middle()) for result in drawn]
    heights = {limit.key: float(limit.value) for limit in limits}
    shown = _nearest_limits(heights, min(values), max(values))
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
            across(result.day),
            up(value),
            f"{result.reported}, {result.day.isoformat()}" + (", preliminary" * result.preliminary),
            result.value.exact,
            result is drawn[-1],
            any(_is_beyond(value, limit, side) for limit, side in (beyond or {}).items()),
        )
        for result, value in zip(drawn, values, strict=True)
    )
    lines = tuple(
        LimitLine(up(shown[limit.key]), f"{limit.value:f}", f"{limit} – {limit.meaning}")
        for limit in limits
        if limit.key in shown
    )
    points = "; ".join(dot.words for dot in dots)
    against = "; ".join(line.words for line in lines)
    return Timeline(
        dots=dots,
        lines=lines,
        first=first,
        last=last,
        path=" ".join(f"{dot.x},{dot.y}" for dot in dots),
        unit=printed_unit(drawn[-1].analyte.canonical),
        ticks=tuple((up(value), f"{value:g}") for value in _rounded(low, high)),
        words=f"Results: {points}." + (f" Limits: {against}." if against else ""),
    )


def _is_beyond(value: float, limit: Limit, side: Beyond) -> bool:
    if side is Beyond.BELOW:
        return value < float(limit.value)
    return side is Beyond.ABOVE and value >= float(limit.value)


def _rounded(low: float, high: float) -> list[float]:
    """Up to five round numbers between the ends."""
    step = 10.0 ** math.floor(math.log10(high - low))
    for part in (1.0, 0.5, 0.2, 0.1):
        found = [
            round(at * step * part, 6)
            for at in range(math.ceil(low / (step * part)), math.floor(high / (step * part)) + 1)
        ]
        if len(found) > 2:
            return found if len(found) <= 5 else found[:: len(found) // 3]
    return found


def _nearest_limits(heights: dict[str, float], low: float, high: float) -> dict[str, float]:
    """The limits among the values, and the next one on each side."""
    below = max((height for height in heights.values() if height <= low), default=low)
    above = min((height for height in heights.values() if height >= high), default=high)
    return {key: height for key, height in heights.items() if below <= height <= above}
