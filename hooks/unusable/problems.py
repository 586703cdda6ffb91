"""Which entries and results that could not be used matter to a clinician."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.core.facts import Kind, Problem
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from hooks.windows import RECENT, YEAR

WATCHED = ("potassium", "magnesium", "sodium", "creatinine", "egfr", "hemoglobin")
"""Analytes whose newest result is never ignored silently."""
# Limits beyond which a value is critical.
_BELOW = {
    "potassium": "potassium.severe",
    "magnesium": "magnesium.severe",
    "sodium": "sodium.critical",
    "hemoglobin": "hemoglobin.critical",
}
_AT_LEAST = {"potassium": "potassium.critical"}
LIMITS = (*_BELOW.values(), *_AT_LEAST.values())
"""The limits beyond which a value is critical."""
# An unreadable entry of these may be anything: a potassium result, or a drug.
_NEVER_SILENT = (Kind.RESULTS, Kind.CONDITIONS, Kind.MEDICATIONS, Kind.STATEMENTS)
_DRAFTS = "draft orders"


def watched_problems(facts: Facts, keys: Iterable[str]) -> list[Problem]:
    """The newest results of some analytes in the last 30 days that could not be used.

    One with a date in the future counts. One without a date counts if no result of these days is
    usable, or if it is critical. The worst come first.
    """
    problems: list[Problem] = []
    for key in keys:
        newest = facts.newest(key, Worse.LOW)
        fresh = facts.within(newest.result, RECENT)
        for problem in (
            *newest.unusable,
            *(problem for problem in facts.record.problems if problem.about == key),
        ):
            if problem.about not in keys or problem in problems or problem.kind == "sample":
                continue  # a remark on a sample is for the rules to weigh
            if problem.when is None:
                counts = not fresh or is_critical(problem, facts)
            elif newest.result is not None and (
                problem.when < newest.result.when
                or (problem.kind == "other-quantity" and problem.when == newest.result.when)
            ):
                counts = False
            else:
                counts = facts.on_day(problem.when) >= RECENT.start(facts.today)
            if counts:
                problems.append(problem)
    return sorted(problems, key=lambda problem: not is_critical(problem, facts))


def matters(problem: Problem, facts: Facts) -> bool:
    """Whether a problem is of the last 12 months and no newer result of its kind is usable."""
    if problem.when is None:
        return True
    if facts.on_day(problem.when) < YEAR.start(facts.today):
        return False
    usable = facts.series.get(problem.about)
    result = None if usable is None else facts.newest(problem.about, Worse.LOW).result
    return result is None or problem.when >= result.when


def could_be_any_entry(problem: Problem, facts: Facts) -> bool:
    """Whether the problem could be about any entry of a list; a report only while it is recent."""
    if problem.about not in _NEVER_SILENT:
        return False
    if problem.kind != "report" or problem.when is None:
        return True
    return facts.on_day(problem.when) >= RECENT.start(facts.today)


def is_critical(problem: Problem, facts: Facts) -> bool:
    """Whether the laboratory flagged it as critical, or its value is critical."""
    if problem.critical:
        return True
    value = problem.value
    if value is None:
        return False
    low, high = _BELOW.get(problem.about), _AT_LEAST.get(problem.about)
    return (low is not None and value.below(facts.limits.value(low)) is True) or (
        high is not None and value.at_least(facts.limits.value(high)) is True
    )


def unread_drafts(facts: Facts) -> list[Problem]:
    """Selected orders that could not be read: they may be anything."""
    selected = {draft.source.reference for draft in facts.drafts.selected_medications}
    return [
        problem
        for problem in facts.record.problems
        if problem.source.origin.startswith("context")
        and (problem.about == _DRAFTS or problem.source.reference in selected)
    ]


def of_other_patients(problems: Iterable[Problem]) -> list[Problem]:
    """The problems of resources that belong to another patient."""
    return [problem for problem in problems if problem.kind == "wrong-patient"]
