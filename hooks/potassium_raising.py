"""The drugs that raise potassium: one table for every rule.

Sources: UKKA hyperkalaemia guideline 2023, cited second-hand; for trimethoprim together with
spironolactone BMJ 2011;343:d5228.
"""

from __future__ import annotations

from cds_service.core.medications import Medication
from cds_service.core.patient import Facts

SUPPLEMENT = "potassium"
SPARING = "diuretic_potassium_sparing"
TRIMETHOPRIM = "trimethoprim"
TO_HOLD: dict[str, str] = {
    SUPPLEMENT: "a potassium supplement or salt substitute",
    SPARING: "a potassium-sparing diuretic",
    "nsaid": "an NSAID",
    TRIMETHOPRIM: "trimethoprim",
}
"""Classes to hold in hyperkalaemia, in words."""
TO_REVIEW: dict[str, str] = {
    "raas_inhibitor": "a RAAS inhibitor",
    "calcineurin_inhibitor": "a calcineurin inhibitor",
    "heparin": "a heparin",
}
"""Classes to review with their prescriber; a card never says to stop them."""
CLASSES: dict[str, str] = TO_HOLD | TO_REVIEW


def active(facts: Facts, *classes: str) -> tuple[Medication, ...]:
    """Active drugs that raise potassium, each once: those of ``classes``, by default of all."""
    requested = classes or tuple(CLASSES)
    return tuple(dict.fromkeys(facts.taking(*requested, hazard=True)))


def held_first(medications: tuple[Medication, ...]) -> tuple[Medication, ...]:
    """The drugs to hold before those to review, for a summary that names three."""
    return tuple(sorted(medications, key=lambda medication: medication.classes.isdisjoint(TO_HOLD)))


def drafted(
    facts: Facts, *classes: str, other_than: Medication | None = None
) -> tuple[Medication, ...]:
    """Draft orders of drugs that raise potassium."""
    return facts.drafted(*(classes or tuple(CLASSES)), other_than=other_than)
