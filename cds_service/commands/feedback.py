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


def print_report(found: Report, titles: Mapping[str, str]) -> None:
    """Print the rules with any count: cards shown, silent rules, feedback.

    A pipe gets one table with everything.
    """
    if not console().is_terminal:
        print_table("", *found.as_rows())
        return

    def named(one: RuleReport) -> str:
        return f"{titles.get(one.rule, one.rule)} ({one.version})"

    def counted(one: RuleReport, cards: int) -> list[str]:
        rates = one.rates_of(cards).values()
        return [
            named(one),
            str(cards),
            str(one.cannot_tell),
            *("" if rate is None else f"{rate:.2f}" for rate in rates),
        ]

    shown = [counted(one, one.shown) for one in found.rules if one.shown]
    silent = [counted(one, one.would_show) for one in found.rules if one.would_show]
    answers = [
        [
            named(one) + (" REVIEW" if one.review else ""),
            str(one.accepted),
            str(one.overridden),
            interval(one.accepted, one.accepted + one.overridden),
            "; ".join(f"{OVERRIDES.get(code, code)}: {n}" for code, n in one.reasons.items()),
            str(one.comments),
        ]
        for one in found.rules
        if one.accepted or one.overridden or one.comments
    ]
    if shown:
        print_table("Cards shown", ["rule", "shown", "cannot tell", *_RATES], shown)
    if silent:
        head = ["rule", "would show", "cannot tell", *_RATES]
        print_table("Silent rules: cards that were not shown", head, silent)
    unable = [[named(one), str(one.cannot_tell)] for one in found.rules if one.only_cannot_tell]
    if unable:
        print_table("No card, and sometimes cannot tell", ["rule", "cannot tell"], unable)
    if answers:
        head = ["rule", "accepted", "overridden", "acceptance", "reasons", "comments"]
        print_table("Feedback", head, answers)
    if not (shown or silent or unable or answers):
        console().print("No card has been shown or answered yet.")
