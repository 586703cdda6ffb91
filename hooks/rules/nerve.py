"""Nerve disease, a mimic of leg cramps.

Recommendation: a neurological examination for neuropathy, radiculopathy and focal deficits;
burning, tingling and sensory loss point to neuropathy (article, "History and physical
examination").

When: cramps documented together with neuropathy, radiculopathy, spinal stenosis or neurogenic
claudication, motor neuron disease, or diabetes. Warning for motor neuron disease.
Then: what to examine, and how to tell them apart.
Does not cover: the workup of neuropathy.
"""

from __future__ import annotations

from cds_service.core.facts import Kind
from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    Tier,
    conditions,
    rule,
)
from hooks import cramps
from hooks.wording import FOR_ADVICE, headline

NERVE_CONDITIONS = (
    "neuropathy",
    "radiculopathy",
    "neurogenic_claudication",
    "motor_neuron_disease",
    "diabetes",
)


@rule(
    id="neuropathy-mimic",
    title="Nerve disease can pass for leg cramps",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.COMPLAINT,
    references=["article"],
    overrides=FOR_ADVICE,
    needs=[conditions(*NERVE_CONDITIONS, "leg_cramps")],
)
def neuropathy_mimic(facts: Facts) -> Answer:
    """Nerve disease or diabetes together with leg cramps: examine the nerves."""
    nerve_disease = facts.conditions(*NERVE_CONDITIONS)
    if not nerve_disease:
        if not facts.could_be_read(Kind.CONDITIONS):
            return CannotTell(("whether nerve disease or diabetes is documented",))
        return NotFired("neither nerve disease nor diabetes is documented")
    motor_neuron_disease = facts.conditions("motor_neuron_disease")
    advice = [
        "Focused neurological examination: strength, reflexes, sensation. Burning or tingling "
        "points to neuropathy; pain along a root to radiculopathy."
    ]
    if motor_neuron_disease:
        advice.append("Motor neuron disease: cramps may be part of it; look for fasciculation.")
    elif facts.conditions("neurogenic_claudication"):
        advice.append("Neurogenic claudication: on standing and walking, eased by bending forward.")
    return Finding(
        indicator=Indicator.WARNING if motor_neuron_disease else Indicator.INFO,
        summary=headline(
            "Motor neuron disease on record: cramps may be part of it"
            if motor_neuron_disease
            else "Nerve disease or diabetes on record: examine strength, reflexes, sensation"
        ),
        advice=tuple(advice),
        evidence=(*(Evidence(condition) for condition in nerve_disease), *cramps.evidence(facts)),
        strength="A clinical distinction that the article names.",
        overrides=FOR_ADVICE,
    )
