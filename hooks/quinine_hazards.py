"""Contraindications to quinine for any indication, malaria included, and its interactions."""

from __future__ import annotations

from msgspec import Struct

from cds_service.core.facts import Kind, Problem, Result
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.core.text import quoted
from cds_service.engine.rule import Evidence
from hooks import levels
from hooks.arrhythmia import qt_words
from hooks.reading import conditions_unread, results_unread
from hooks.windows import PLATELETS, RECENT
from hooks.wording import named

FALSELY_LOWERING = frozenset({"clotted", "contaminated"})  # remarks that make a count look low
HYPERSENSITIVITY = "quinine_hypersensitivity"
# Words for a card, and whether a past one still counts: myasthenia in remission is not cured,
# and an immune reaction or an allergy to quinine can recur years later.
CONTRAINDICATIONS = {
    "long_qt": ("long QT", False),
    "myasthenia_gravis": ("myasthenia gravis", True),
    "optic_neuritis": ("optic neuritis", False),
    "thrombocytopenia": ("current or previous thrombocytopenia, TTP or HUS", True),
    HYPERSENSITIVITY: ("hypersensitivity to quinine or a related drug", True),
}


class Contraindications(Struct, frozen=True):
    """Contraindications to quinine for any indication; ``unresolved`` is what may hide another."""

    names: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    unresolved: tuple[str, ...]
    problems: tuple[Problem, ...]
    unmeasured: bool
    platelets_only: bool  # a low platelet count is the only contraindication
    doubt: str  # why to repeat the count, if it is the only contraindication: "clotted", ...


def contraindications(facts: Facts) -> Contraindications:
    """The conditions, allergies and platelets that contraindicate quinine, and what is unknown."""
    names: list[str] = []
    evidence: list[Evidence] = []
    for concept, (words, past_counts) in CONTRAINDICATIONS.items():
        recorded = facts.ever(concept) if past_counts else facts.hazards(concept)
        allergic = facts.allergic(concept) if concept == HYPERSENSITIVITY else ()
        if recorded or allergic:
            names.append(words)
            evidence.extend(Evidence(condition) for condition in recorded)
            evidence.extend(Evidence(allergy) for allergy in allergic)
    qtc = _long_qtc(facts)
    if qtc is not None:
        names.append(qt_words(qtc))
        evidence.append(Evidence(qtc, facts.limits["qtc_interval.long"]))
    newest = facts.newest("platelets", Worse.LOW)
    limit = facts.limits["platelets.low"]
    tentative, final = (
        result if facts.within(result, PLATELETS) else None
        for result in (newest.tentative, newest.result)
    )
    tentative_low = tentative is not None and tentative.below(limit.value) is True
    final_low = final is not None and final.below(limit.value) is True
    count = tentative if tentative_low and not final_low else final
    undecided: list[str] = []
    note, platelets_low = "", False
    if count is not None:
        low = count.below(limit.value)
        lowering_remarks = sorted(FALSELY_LOWERING & set(count.remarks))
        note = ", ".join((*(("preliminary",) if count.preliminary else ()), *lowering_remarks))
        evidence.append(Evidence(count, limit, note=note))
        if low:
            platelets_low = True
            names.append(f"platelets {count.reported}")
        elif low is None:
            undecided.append(f"platelets {count.reported} may or may not be below the limit")
    unread = (*conditions_unread(facts), *results_unread(facts), *_allergies_unread(facts))
    platelets_only = platelets_low and len(names) == 1
    return Contraindications(
        names=tuple(names),
        evidence=tuple(evidence),
        unresolved=(
            *unread,
            *undecided,
            *levels.newer_unusable(newest.unusable_except(count), "platelet"),
        ),
        problems=newest.unusable,
        unmeasured=count is None and not newest.unusable and facts.availability(Kind.RESULTS).whole,
        platelets_only=platelets_only,
        doubt=note if platelets_only else "",
    )


def _long_qtc(facts: Facts) -> Result | None:
    """A QTc of the last 30 days at or above the limit; a preliminary one counts."""
    newest = facts.newest("qtc_interval", Worse.HIGH)
    limit = facts.limits.value("qtc_interval.long")
    for result in (newest.tentative, newest.result):
        if result is not None and facts.within(result, RECENT) and result.at_least(limit) is True:
            return result
    return None


INTERACTIONS = {
    "qt_prolonging": "also prolongs QT: avoid together",
    "mefloquine": "seizures and QT prolongation: avoid together",
    "digoxin": "digoxin levels rise: measure them",
    "warfarin": "INR rises: measure it",
}
AVOID_TOGETHER = ("qt_prolonging", "mefloquine")


class Interaction(Struct, frozen=True):
    """A class of medicines that quinine interacts with, and the patient's medicines of it."""

    concept: str
    medications: tuple[Medication, ...]

    @property
    def words(self) -> str:
        """For a card's detail."""
        return f"{named(self.medications)} ({INTERACTIONS[self.concept]})"


def interactions(facts: Facts) -> tuple[Interaction, ...]:
    """Active or drafted medicines that quinine interacts with; those to avoid come first."""
    interacting = []
    for concept in INTERACTIONS:
        others = (*facts.taking(concept, hazard=True), *facts.drafted(concept))
        members = tuple(medication for medication in others if "quinine" not in medication.classes)
        if members:
            interacting.append(Interaction(concept, members))
    return tuple(interacting)


def _allergies_unread(facts: Facts) -> tuple[str, ...]:
    availability = facts.availability(Kind.ALLERGIES)
    if availability.whole:
        return ()
    return (f"allergies could not be checked: {quoted(availability.reason or availability.state)}",)
