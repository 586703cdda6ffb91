"""The lines of a card about data that could not be used, and what a clinician calls the data."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.core.facts import Kind, Problem
from cds_service.core.text import quoted
from hooks.knowledge.files import analytes

WORDS = {
    Kind.RESULTS: "laboratory results",
    Kind.CONDITIONS: "conditions",
    Kind.MEDICATIONS: "medications",
    Kind.PATIENT: "age and sex",
}
_KIND_WORDS = {kind.value: words for kind, words in WORDS.items()}


def lines_of(problems: Iterable[Problem]) -> dict[str, str]:
    """The lines about problems, each with the name that a summary uses for what it is about."""
    return {line_about(problem): name_of(problem.about) for problem in problems}


def name_of(about: str) -> str:
    """What a clinician calls an analyte or a kind of data."""
    known = analytes().get(about)
    return known.name if known else _KIND_WORDS.get(about, about)


def line_about(problem: Problem) -> str:
    """What could not be checked, why, and the resource."""
    what = quoted(name_of(problem.about))
    if problem.value is not None:
        what += f" {quoted(problem.value.reported)}"
    if problem.critical:
        what += ", flagged critical"
    return (
        f"Could not check {what}: {quoted(problem.reason)} ({quoted(problem.source.reference, 80)})"
    )
