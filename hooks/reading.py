"""Whether the problem list and the medication list could be read, and in which words not."""

from __future__ import annotations

from cds_service.core.facts import Kind, Problem, State
from cds_service.core.patient import Facts
from cds_service.core.text import quoted

_NAMES = {
    Kind.CONDITIONS: "the problem list",
    Kind.MEDICATIONS: "the medication list",
    Kind.STATEMENTS: "the list of medication statements",
    Kind.RESULTS: "laboratory results",
}


def conditions_unread(facts: Facts) -> tuple[str, ...]:
    """Why the problem list is not known to be whole; empty where it is."""
    return _unread(facts, Kind.CONDITIONS)


def medications_unread(facts: Facts) -> tuple[str, ...]:
    """Why the medication list is not known to be whole; empty where it is.

    Statements are a second list that many sites do not keep: they are missed only where
    they were asked for and did not come whole.
    """
    lines = _unread(facts, Kind.MEDICATIONS)
    if facts.availability(Kind.STATEMENTS).state in (State.UNAVAILABLE, State.PARTIAL):
        lines += _unread(facts, Kind.STATEMENTS)
    return lines


def results_unread(facts: Facts) -> tuple[str, ...]:
    """Why the results are not known to be whole; empty where they are."""
    return _unread(facts, Kind.RESULTS)


def lists_unread(facts: Facts) -> tuple[str, ...]:
    """Why no drug may be drafted: the conditions or medications could not all be read.

    Besides what did not arrive, every active entry that does not say what it is counts: it
    may be the one that forbids the drug. Empty where all could be read.
    """
    problems = [*facts.unread(Kind.MEDICATIONS), *facts.unread(Kind.CONDITIONS)]
    return tuple(dict.fromkeys(map(_entry, problems)))


def _entry(problem: Problem) -> str:
    kind = Kind(problem.about)
    if problem.source.reference == problem.about:  # the list itself
        return f"{_NAMES[kind]} could not be checked: {quoted(problem.reason)}"
    what = "a condition" if kind is Kind.CONDITIONS else "a medication"
    return f"{what} could not be read: {quoted(problem.reason)}"


def _unread(facts: Facts, kind: Kind) -> tuple[str, ...]:
    availability = facts.availability(kind)
    if availability.whole:
        return ()
    reason = availability.reason or availability.state.value
    return (f"{_NAMES[kind]} could not be checked: {quoted(reason)}",)
