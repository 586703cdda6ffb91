"""First-line measures for leg cramps.

Recommendation: a neurological and vascular examination that tells cramps from their mimics;
stretching the calves before bed, forced dorsiflexion during a cramp, massage and ice as
adjuncts; drugs only for severe or refractory cramps (article, "Initial clinical assessment",
"First-line non-pharmacological interventions" and "Pharmacological treatment").

When: leg cramps are documented, and no deep vein thrombosis of the leg is documented or
suspected.
Then: the examination, the measures, and how weak the evidence is; that vitamin K2 is unsettled. In
pregnancy neither baclofen nor magnesium is mentioned.
Does not cover: cramps caused by exercise or dialysis.
"""

from __future__ import annotations

from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    Tier,
    conditions,
    demographics,
    medications,
    results,
    rule,
)
from hooks import cramps
from hooks.cirrhosis import SEDATING, contraindication_to_baclofen, unknown_before_baclofen
from hooks.renal import ADVANCED, RENAL_LIMITS, renal_function
from hooks.windows import RECENT, YEAR
from hooks.wording import FOR_ADVICE, REFUSED, headline, named

NO_MASSAGE = ("dvt", "limb_or_spine_emergency")


@rule(
    id="first-line-measures",
    title="First-line measures for leg cramps",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.COMPLAINT,
    references=[
        "article",
        "patient-survey-2024",
        "cochrane-magnesium-2020",
        "fda-quinine",
        "vitamin-k2-2024",
    ],
    limits=[*RENAL_LIMITS, "age.older", "sodium.diuretic"],
    overrides=(*FOR_ADVICE, REFUSED),
    needs=[
        conditions(
            "leg_cramps",
            *NO_MASSAGE,
            "cirrhosis",
            "hepatic_encephalopathy",
            *ADVANCED,
            "ckd_stage_3",
            "pregnancy",
        ).optional(),
        medications(*SEDATING, "warfarin").optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        results("sodium", RECENT).optional(),
        demographics(),
    ],
)
def first_line_measures(facts: Facts) -> Answer:
    """Stretching first; drugs only for severe or refractory cramps."""
    if emergencies := facts.hazards(*NO_MASSAGE):
        return NotFired(
            "a thrombosis, or an emergency of the leg or spine, is documented or suspected",
            tuple(Evidence(condition) for condition in emergencies),
        )
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("Leg cramps: examine nerves and pulses; start with calf stretching"),
        advice=(
            "Examine first: strength, reflexes, sensation; pulses and bruits.",
            "Calf stretching before bed; forced dorsiflexion during a cramp; massage and ice.",
            f"Analgesics do not prevent cramps. {_drug_step(facts)}",
        ),
        sections=(("Tell apart", _MIMICS), ("Vitamin K2", _vitamin_k2(facts))),
        evidence=cramps.evidence(facts),
        strength="Limited and mixed for stretching; massage and ice are patient-reported.",
        overrides=(*FOR_ADVICE, REFUSED),
    )


_MIMICS = """- True cramp: sudden, seconds to minutes, relieved by stretching.
- Restless legs: an urge to move, at rest and in the evening.
- Claudication: with exercise, relieved by minutes of rest.
- Neuropathy: burning, tingling."""


def _vitamin_k2(facts: Facts) -> str:
    text = (
        "Unsettled: one trial (2024; age 65 or older, no diuretic, 8 weeks) found 0.96 against "
        "3.63 cramps a week (−2.67), but placebo rose from 2.71, and it was not repeated. Not "
        "with warfarin."
    )
    if taken := facts.taking("warfarin", hazard=True):
        text += f" The patient takes {named(taken)}: not for this patient."
    return text


def _drug_step(facts: Facts) -> str:
    """The pharmacological step; in pregnancy neither baclofen nor magnesium is mentioned."""
    if facts.hazards("pregnancy"):
        return "In pregnancy, drugs only on obstetric advice. No quinine."
    return (
        f"Drugs only for severe or refractory cramps: {_baclofen_sentence(facts)} No empiric "
        "magnesium, no quinine."
    )


def _baclofen_sentence(facts: Facts) -> str:
    """What the card says about baclofen, without anything that would endanger this patient."""
    renal = renal_function(facts)
    reasons = []
    if renal.severe or renal.moderate:
        reasons.append(renal.phrase())
    if encephalopathy := facts.ever("hepatic_encephalopathy"):
        reasons.append(named(encephalopathy))
    if not reasons and facts.conditions("cirrhosis"):
        reasons = [contraindication_to_baclofen(facts) or unknown_before_baclofen(facts)]
    if any(reasons):
        return f"baclofen, which the article names, is not advised here ({', '.join(reasons)})."
    text = "the article names baclofen; the trial evidence is from cirrhosis."
    if sedatives := (*facts.taking(*SEDATING, hazard=True), *facts.drafted(*SEDATING)):
        text += f" Sedation adds up with {named(sedatives)}."
    if facts.age is not None and facts.age >= facts.limits.value("age.older"):
        text += " At 65 or older: sedation, falls, interactions."
    return text
