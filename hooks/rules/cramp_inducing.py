"""Medicines on the list that may provoke cramps.

Recommendation: do not overlook medication review; certain drugs may precipitate or worsen
cramps (article, "Common pitfalls"). A sequence symmetry analysis (2012) measured how often
treatment for cramps followed a new prescription.

When: cramps are documented and a long-acting beta-agonist, potassium-sparing, thiazide-like or
loop diuretic, statin, short-acting beta-agonist or another listed drug is active (tyrosine
kinase inhibitors, hedgehog inhibitors, ciclosporin, tacrolimus, ...).
Then: one card that names them, with the adjusted sequence ratio of their class as background.
Does not cover: whether a drug may be stopped; that depends on why it is taken. If another card
says that one must be stopped, this card does not contradict it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    Tier,
    medications,
    rule,
)
from hooks.reading import medications_unread
from hooks.wording import FOR_ADVICE, drugs, headline, named


@dataclass(frozen=True, slots=True)
class _DrugClass:
    """A class of drugs in words, and its adjusted sequence ratio as the study prints it."""

    words: str
    ratio: str = ""
    remark: str = ""


# In the order of their ratios; a class without one was not measured.
_CLASSES = {
    "laba": _DrugClass("long-acting beta-agonist", "2.42"),
    "diuretic_potassium_sparing": _DrugClass("potassium-sparing diuretic", "2.12"),
    "diuretic_thiazide": _DrugClass("thiazide-like diuretic", "1.48"),
    "diuretic_loop": _DrugClass("loop diuretic", "1.20", ", not significant"),
    "statin": _DrugClass("statin", "1.16"),
    "saba": _DrugClass("short-acting beta-agonist"),
    "other_cramp_provoking": _DrugClass("other medicine with cramps as a listed side effect"),
}


@rule(
    id="cramp-inducing-medication",
    title="Medicines that may provoke cramps",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.COMPLAINT,
    references=["sequence-symmetry-2012", "article", "general-knowledge"],
    overrides=FOR_ADVICE,
    needs=[medications(*_CLASSES).optional()],
)
def cramp_inducing_medication(facts: Facts) -> Answer:
    """A medication review names what may provoke the cramps; it does not say to stop anything."""
    by_class = {concept: facts.taking(concept) for concept in _CLASSES}
    taken_by_class = {
        _CLASSES[concept]: drugs_taken for concept, drugs_taken in by_class.items() if drugs_taken
    }
    unread = medications_unread(facts)
    if not taken_by_class:
        if unread:
            return CannotTell(unread)
        return NotFired("no medicine is active that is known to provoke cramps")
    taken = dict.fromkeys(
        medication for drugs_taken in taken_by_class.values() for medication in drugs_taken
    )
    lines = [
        f"- {drug_class.words} ({_ratio(drug_class)}): {named(drugs_taken, most=6)}"
        for drug_class, drugs_taken in taken_by_class.items()
    ]
    return Finding(
        indicator=Indicator.INFO,
        summary=_summary(taken),
        advice=(
            f"Medication review: {named(taken)} may contribute to the cramps. Consider why each "
            "is taken, and whether the cramps began after it was started.",
        ),
        background=(
            "How much more often treatment for cramps was started after the drug than before it:",
            "\n".join(lines),
        ),
        evidence=tuple(Evidence(medication) for medication in taken),
        missing=unread,
        strength="One sequence symmetry analysis (association, not proof); classes without a "
        "ratio rest on general knowledge.",
        overrides=FOR_ADVICE,
    )


def _ratio(drug_class: _DrugClass) -> str:
    if not drug_class.ratio:
        return "no ratio measured"
    return f"adjusted sequence ratio {drug_class.ratio}{drug_class.remark}"


def _summary(taken: Iterable[Medication]) -> str:
    names = drugs(taken)
    return headline(f"Possible cramp triggers: {names or 'medicines on the list'}")
