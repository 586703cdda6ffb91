"""What helps first in leg cramps.

Recommendation: stretching of the calves before bed, forced dorsiflexion during a cramp,
massage and ice as adjuncts; drugs only for severe or refractory cramps (article, "First-line
non-pharmacological interventions" and "Pharmacological treatment").

When: leg cramps are documented.
Then: the measures, and how weak the evidence is.
Does not cover: cramps of exercise, dialysis or pregnancy.
"""

from __future__ import annotations

from cds_service.core.patient import Facts
from cds_service.core.rule import (
    Answer,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    Service,
    Tier,
    conditions,
    demographics,
    medications,
    results,
    rule,
)
from hooks import cramps
from hooks.renal import ADVANCED, renal
from hooks.windows import YEAR
from hooks.wording import FOR_ADVICE, REFUSED, headline, named

SEDATING = ("sedative", "opioid", "gabapentinoid")


@rule(
    id="first-line-measures",
    title="First-line measures for leg cramps",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.CRAMPS,
    references=["article", "patient-survey-2024", "cochrane-magnesium-2020", "fda-quinine"],
    limits=["age.older", "egfr.moderate", "egfr.severe"],
    needs=[
        conditions(
            "leg_cramps", "dvt", "hepatic_encephalopathy", *ADVANCED, "ckd_stage_3"
        ).optional(),
        medications(*SEDATING).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        demographics(),
    ],
)
def first_line_measures(facts: Facts) -> Answer:
    """Stretching first; drugs only for severe or refractory cramps."""
    if thrombosis := facts.hazards("dvt"):
        return NotFired(
            "a deep vein thrombosis is documented or suspected: no massage",
            tuple(Evidence(one) for one in thrombosis),
        )
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("Leg cramps: calf stretching before bed first; drugs only if refractory"),
        advice=(
            "Calf stretching before bed; forced dorsiflexion of the foot during a cramp; massage "
            "and ice as adjuncts.",
            f"A drug only for severe or refractory cramps: {_baclofen(facts)} No empiric "
            "magnesium, no quinine.",
        ),
        evidence=cramps.evidence(facts),
        strength="Limited and mixed for stretching; massage and ice are patient-reported.",
        overrides=(*FOR_ADVICE, REFUSED),
    )


def _baclofen(facts: Facts) -> str:
    """What is said of baclofen: nothing that would endanger this patient."""
    against = [
        *([renal(facts).phrase()] if renal(facts).severe or renal(facts).moderate else []),
        *([named(past)] if (past := facts.ever("hepatic_encephalopathy")) else []),
    ]
    if against:
        return f"baclofen, which the article names, is not advised here ({', '.join(against)})."
    text = "the article names baclofen, the trial evidence is from cirrhosis."
    if sedating := (*facts.taking(*SEDATING, hazard=True), *facts.drafted(*SEDATING)):
        text += f" Sedation adds up with {named(sedating)}."
    if facts.age is not None and facts.age >= facts.limits.value("age.older"):
        text += " From 65 years on, sedation, falls and interactions weigh more."
    return text
