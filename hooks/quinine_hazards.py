"""What speaks against quinine for any indication, malaria included."""

from __future__ import annotations

from cds_service.core.facts import Kind, Problem
from cds_service.core.patient import Facts
from cds_service.core.records import record
from cds_service.core.rule import Evidence
from cds_service.core.series import Worse
from cds_service.core.text import quoted
from hooks import levels
from hooks.reading import conditions_unread, results_unread
from hooks.windows import PLATELETS

SENSITIVE = "quinine_hypersensitivity"
# Words for a card, and whether one that is past still counts: myasthenia in remission is not
# cured, and neither an immune reaction to quinine nor an allergy is forgotten.
AGAINST = {
    "long_qt": ("long QT", False),
    "myasthenia_gravis": ("myasthenia gravis", True),
    "optic_neuritis": ("optic neuritis", False),
    "thrombocytopenia": ("thrombocytopenia, TTP or HUS now or before", True),
    SENSITIVE: ("hypersensitivity to quinine or its relatives", True),
}


@record
class Contraindications:
    """What speaks against quinine for any indication; ``open`` is what leaves that undecided."""

    names: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    open: tuple[str, ...]
    problems: tuple[Problem, ...]
    unmeasured: bool
    early: bool  # a preliminary platelet count is all there is


def contraindications(facts: Facts) -> Contraindications:
    """Conditions, allergies and platelets that speak against quinine, and what is not known."""
    names: list[str] = []
    evidence: list[Evidence] = []
    for concept, (words, past_counts) in AGAINST.items():
        found = facts.ever(concept) if past_counts else facts.hazards(concept)
        allergic = facts.allergic(concept) if concept == SENSITIVE else ()
        if found or allergic:
            names.append(words)
            evidence.extend(Evidence(one) for one in found)
            evidence.extend(Evidence(one) for one in allergic)
    newest = facts.newest("platelets", Worse.LOW)
    limit = facts.limits["platelets.low"]
    early, final = (
        one if facts.within(one, PLATELETS) else None for one in (newest.preliminary, newest.result)
    )
    raises = early is not None and early.below(limit.value) is True
    settled = final is not None and final.below(limit.value) is True
    count = early if raises and not settled else final
    undecided: list[str] = []
    if count is not None:
        low = count.below(limit.value)
        note = "preliminary" if count.preliminary else ""
        evidence.append(Evidence(count, limit, note=note))
        if low:
            names.append(f"platelets {count.reported}")
        elif low is None:
            undecided.append(f"platelets {count.reported} do not say whether below the limit")
    unread = (*conditions_unread(facts), *results_unread(facts), *_allergies_unread(facts))
    return Contraindications(
        names=tuple(names),
        evidence=tuple(evidence),
        open=(*unread, *undecided, *levels.unread(newest.unusable, "platelet")),
        problems=newest.unusable,
        unmeasured=count is None and facts.availability(Kind.RESULTS).whole,
        early=count is not None and count.preliminary and len(names) == 1,
    )


def _allergies_unread(facts: Facts) -> tuple[str, ...]:
    availability = facts.availability(Kind.ALLERGIES)
    if availability.whole:
        return ()
    return (f"allergies could not be checked: {quoted(availability.reason or availability.state)}",)
