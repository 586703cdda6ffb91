"""The report's plots, as static SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.population.tables import need

_BLUE, _GREY, _RED = "#0b5394", "#8a8f98", "#b42318"
_SIZE = re.compile(r'width="[0-9.]+pt" height="[0-9.]+pt"')


def _figure(height: float = 2.6) -> tuple[Any, Any]:
    matplotlib = need("matplotlib")
    matplotlib.use("svg")
    # Text stays text, ids are reproducible, and no time is written.
    matplotlib.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "population", "font.family": "sans-serif",
         "font.size": 10}
    )  # fmt: skip
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any, title: str) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    drawn = written.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = _SIZE.sub("", drawn, count=1)
    return drawn.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


def distribution(rows: Sequence[Mapping[str, Any]]) -> str:
    """A histogram of the number of cards per call."""
    figure, axes = _figure()
    cards = [row["cards"] for row in rows]
    drawn = axes.bar(cards, [row["calls"] for row in rows], color=_BLUE, width=0.7)
    axes.bar_label(drawn, fontsize=9)
    axes.margins(y=0.15)
    axes.set_xticks(range(max(cards, default=0) + 1))
    axes.set(xlabel="cards per call", ylabel="calls", title="Cards per call")
    return _svg(figure, "Cards per call")


def control_limits(weeks: Sequence[Mapping[str, Any]]) -> tuple[float, list[tuple[float, float]]]:
    """Cards per 100 calls over all weeks, and each week's three-sigma limits (a u chart)."""
    calls = sum(week["calls"] for week in weeks)
    mean = sum(week["cards"] for week in weeks) / calls if calls else 0.0
    limits = []
    for week in weeks:
        half = 3 * (mean / week["calls"]) ** 0.5
        limits.append((100 * max(0.0, mean - half), 100 * (mean + half)))
    return 100 * mean, limits


def weekly(weeks: Sequence[Mapping[str, Any]]) -> str:
    """A control chart of the cards per 100 calls by week."""
    from datetime import date

    figure, axes = _figure(3.0)
    mean, limits = control_limits(weeks)
    days = [date.fromisoformat(week["week"]) for week in weeks]
    rates = [100 * week["cards"] / week["calls"] for week in weeks]
    low, high = [pair[0] for pair in limits], [pair[1] for pair in limits]
    axes.fill_between(days, low, high, color=_GREY, alpha=0.25, step="mid", label="3 sigma limits")
    axes.axhline(mean, color=_GREY, linewidth=1, label=f"mean {mean:.1f}")
    axes.plot(days, rates, color=_BLUE, marker="o", markersize=3, linewidth=1, label="week")
    beyond = [
        (day, rate)
        for day, rate, (bottom, top) in zip(days, rates, limits, strict=True)
        if not bottom <= rate <= top
    ]
    if beyond:
        axes.plot(*zip(*beyond, strict=True), "o", color=_RED, markersize=5, label="outside")
    axes.set(
        xlabel="week (its Monday)", ylabel="cards per 100 calls", title="Cards week by week",
        ylim=(0, None),
    )  # fmt: skip
    figure.autofmt_xdate()
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.5))
    return _svg(figure, "Cards per 100 calls, week by week")


def subgroups(rows: Sequence[Mapping[str, Any]]) -> str:
    """The share of patients with a card in each group, with 95 % intervals."""
    figure, axes = _figure(0.8 + 0.3 * len(rows))
    names = [
        f"{row['group'].replace('_', ' ')} {row['value']} (n={row['patients']})" for row in rows
    ]
    share = [100 * row["share"] for row in rows]
    left = [max(0.0, 100 * (row["share"] - row["low"])) for row in rows]
    right = [max(0.0, 100 * (row["high"] - row["share"])) for row in rows]
    axes.errorbar(share, range(len(rows)), xerr=(left, right), fmt="o", color=_BLUE, capsize=3)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set(
        xlabel="patients with a card, % (95 % interval)",
        xlim=(0, 100),
        title="Patients with a card",
    )
    return _svg(figure, "Share of patients with a card, by age band and sex")
