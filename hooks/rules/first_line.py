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
    Finding,
    Indicator,
    Service,
    Tier,
    conditions,
    demographics,
    rule,
)
from hooks import cramps
from hooks.wording import FOR_ADVICE, REFUSED, headline


@rule(
    id="first-line-measures",
    title="First-line measures for leg cramps",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.CRAMPS,
    references=["article", "patient-survey-2024", "cochrane-magnesium-2020", "fda-quinine"],
    limits=["age.older"],
    needs=[conditions("leg_cramps").optional(), demographics()],
)
def first_line_measures(facts: Facts) -> Answer:
    """Stretching first; drugs only for severe or refractory cramps."""
    older = facts.age is not None and facts.age >= facts.limits.value("age.older")
    falls = " From 65 years on, sedation, falls and interactions weigh more." if older else ""
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("Leg cramps: calf stretching before bed first; drugs only if refractory"),
        advice=(
            "Calf stretching before bed; forced dorsiflexion of the foot during a cramp; massage "
            "and ice as adjuncts.",
            "A drug only for severe or refractory cramps: the article names baclofen, the trial "
            f"evidence is from cirrhosis.{falls} No empiric magnesium, no quinine.",
        ),
        evidence=cramps.evidence(facts),
        strength="Limited and mixed for stretching; massage and ice are patient-reported.",
        overrides=(*FOR_ADVICE, REFUSED),
    )
