"""The feedback report on a terminal: tables that fit 80 columns, titles instead of ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cds_service.commands.terminal import console, print_table
from cds_service.engine.overrides import OVERRIDES
from cds_service.feedback.report import interval

if TYPE_CHECKING:
    from cds_service.feedback.report import Report, RuleReport

_RATES = ["per 100 calls", "per patient", "per clinician and day", "per 100 orders"]


def print_report(report: Report, titles: Mapping[str, str]) -> None:
    """Print the rules with any count: cards shown, silent rules, feedback.

    A pipe gets one table with everything.
    """
    if not console().is_terminal:
        print_table("", *report.as_rows())
        return

    def title_of(line: RuleReport) -> str:
        return f"{titles.get(line.id, line.id)} ({line.version})"

    def row_of(line: RuleReport, cards: int) -> list[str]:
        rates = line.rates_of(cards).values()
        return [
            title_of(line),
            str(cards),
            str(line.cannot_tell),
            *("" if rate is None else f"{rate:.2f}" for rate in rates),
        ]

    shown = [row_of(line, line.shown) for line in report.rules if line.shown]
    silent = [row_of(line, line.would_show) for line in report.rules if line.would_show]
    answers = [
        [
            title_of(line) + (" REVIEW" if line.review else ""),
            str(line.accepted),
            str(line.overridden),
            interval(line.accepted, line.accepted + line.overridden),
            "; ".join(f"{OVERRIDES.get(code, code)}: {n}" for code, n in line.reasons.items()),
            str(line.comments),
        ]
        for line in report.rules
        if line.accepted or line.overridden or line.comments
    ]
    if shown:
        print_table("Cards shown", ["rule", "shown", "cannot tell", *_RATES], shown)
    if silent:
        head = ["rule", "would show", "cannot tell", *_RATES]
        print_table("Silent rules: cards that were not shown", head, silent)
    unable = [
        [title_of(line), str(line.cannot_tell)] for line in report.rules if line.only_cannot_tell
    ]
    if unable:
        print_table("No card, and sometimes cannot tell", ["rule", "cannot tell"], unable)
    if answers:
        head = ["rule", "accepted", "overridden", "acceptance", "reasons", "comments"]
        print_table("Feedback", head, answers)
    if not (shown or silent or unable or answers):
        console().print("No card has been shown or answered yet.")
