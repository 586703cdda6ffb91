"""Whether the problem list and the medication list could be read, and what a card says if not."""

from __future__ import annotations

from cds_service.core.facts import Kind, Problem
from cds_service.core.patient import Facts
from cds_service.core.text import quoted

_NAMES = {
    Kind.CONDITIONS: "the problem list",
    Kind.MEDICATIONS: "the medication list",
    Kind.STATEMENTS: "the list of medication statements",
    Kind.RESULTS: "laboratory results",
}


def conditions_unread(facts: Facts) -> tuple[str, ...]:
    """Why the problem list is not known in full; empty if it is.

    Either it did not arrive complete, or an active entry does not say what it is. No condition
    can then be said to be absent.
    """
    return _lines(facts.unread(Kind.CONDITIONS))


def medications_unread(facts: Facts) -> tuple[str, ...]:
    """Why the medication list is not known in full; empty if it is.

    Statements are a second list that many sites do not keep: they count as missing only if
    they were requested and did not arrive complete.
    """
    return _lines(facts.unread(Kind.MEDICATIONS))


def results_unread(facts: Facts) -> tuple[str, ...]:
    """Why the results are not known to be complete; empty if they are."""
    return _kind_unread(facts, Kind.RESULTS)


def lists_unread(facts: Facts) -> tuple[str, ...]:
    """Why no drug may be drafted: the conditions or medications could not all be read.

    An entry that could not be read may be a contraindication to the drug.
    """
    return (*medications_unread(facts), *conditions_unread(facts))


def _lines(problems: tuple[Problem, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_line, problems))) if problems else ()


def _line(problem: Problem) -> str:
    kind = Kind(problem.about)
    if problem.source.reference == problem.about:  # the list itself
        return f"{_NAMES[kind]} could not be checked: {quoted(problem.reason)}"
    what = "a condition" if kind is Kind.CONDITIONS else "a medication"
    return f"{what} could not be read: {quoted(problem.reason)}"


def _kind_unread(facts: Facts, kind: Kind) -> tuple[str, ...]:
    availability = facts.availability(kind)
    if availability.whole:
        return ()
    reason = availability.reason or availability.state.value
    return (f"{_NAMES[kind]} could not be checked: {quoted(reason)}",)
