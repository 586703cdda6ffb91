"""The trend of one rule as a small chart: SVG without scripts, readable by screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds_service.feedback.report import Week

MOST_WEEKS = 26
HEIGHT = 120
BAR = 14
GAP = 6
COLOURS = {"accepted": "#2a7f62", "overridden": "#b3541e", "no answer": "#c9ced6"}
"""They differ in lightness, for readers who cannot tell green from red."""


def trend_svg(weeks: Sequence[Week], title: str) -> str:
    """One bar for each of the last 26 weeks: accepted, overridden and, on top, not answered.

    ``title`` is plain text; the numbers are also in the description and in each bar's title.
    """
    drawn = list(weeks)[-MOST_WEEKS:]
    stacks = [
        {
            "accepted": week.accepted,
            "overridden": week.overridden,
            "no answer": max(0, week.shown - week.accepted - week.overridden),
        }
        for week in drawn
    ]
    top = max((sum(stack.values()) for stack in stacks), default=0) or 1
    width = max(1, len(drawn)) * (BAR + GAP) + GAP
    summary = "; ".join(
        f"{week.week}: shown {week.shown}, accepted {week.accepted}, overridden {week.overridden}"
        for week in drawn
    )
    bars = []
    for at, (week, stack) in enumerate(zip(drawn, stacks, strict=True)):
        left, above = GAP + at * (BAR + GAP), float(HEIGHT)
        for name, count in stack.items():
            height = HEIGHT * count / top
            above -= height
            bars.append(
                f'<rect x="{left}" y="{above:.1f}" width="{BAR}" height="{height:.1f}" '
                f'fill="{COLOURS[name]}"><title>{escape(week.week)}: {count} {name}</title></rect>'
            )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{HEIGHT}" '
        f'viewBox="0 0 {width} {HEIGHT}"><title>{escape(title)}</title>'
        f"<desc>{escape(summary or 'Nothing was shown or answered.')}</desc>{''.join(bars)}</svg>"
    )
