"""The trend of one rule as a small drawing: SVG made here, no script, readable without sight."""

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
"""Dark enough apart for readers who do not tell green from red: they differ in lightness."""


def trend_svg(weeks: Sequence[Week], title: str) -> str:
    """Bars per week, the last 26: accepted, overridden and, on top, shown without an answer.

    ``title`` is plain text; the numbers are also in the description and in each bar.
    """
    drawn = list(weeks)[-MOST_WEEKS:]
    stacks = [
        {
            "accepted": one.accepted,
            "overridden": one.overridden,
            "no answer": max(0, one.shown - one.accepted - one.overridden),
        }
        for one in drawn
    ]
    top = max((sum(stack.values()) for stack in stacks), default=0) or 1
    width = max(1, len(drawn)) * (BAR + GAP) + GAP
    told = "; ".join(
        f"{one.week}: shown {one.shown}, accepted {one.accepted}, overridden {one.overridden}"
        for one in drawn
    )
    bars = []
    for at, (one, stack) in enumerate(zip(drawn, stacks, strict=True)):
        left, above = GAP + at * (BAR + GAP), float(HEIGHT)
        for name, count in stack.items():
            tall = HEIGHT * count / top
            above -= tall
            bars.append(
                f'<rect x="{left}" y="{above:.1f}" width="{BAR}" height="{tall:.1f}" '
                f'fill="{COLOURS[name]}"><title>{escape(one.week)}: {count} {name}</title></rect>'
            )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{HEIGHT}" '
        f'viewBox="0 0 {width} {HEIGHT}"><title>{escape(title)}</title>'
        f"<desc>{escape(told or 'Nothing was shown or answered.')}</desc>{''.join(bars)}</svg>"
    )
