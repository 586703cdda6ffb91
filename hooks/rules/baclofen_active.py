"""Baclofen already taken in renal impairment.

Recommendation: baclofen is cleared by the kidney and causes encephalopathy when it accumulates
(cohort of 2019; Beers criteria 2023); it is never stopped abruptly (label: withdrawal).

When: baclofen by mouth is on the medication list. With advanced renal impairment, dialysis or
acute kidney injury: critical; with eGFR 30-59: warning from 65 years, else info.
Then: reduce or replace it under supervision; names other sedatives and offers creatinine. No
draft and no removal.
Does not cover: intrathecal baclofen.
"""

from __future__ import annotations

from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Tier,
    conditions,
    demographics,
    medications,
    orders,
    results,
    rule,
)
from hooks import levels
from hooks.cirrhosis import SEDATING
from hooks.reading import conditions_unread, medications_unread
from hooks.renal import ADVANCED, RENAL_LIMITS, renal_function, renal_headline
from hooks.rules.baclofen_hazards import BACLOFEN
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_HAZARDS, drugs, named


@rule(
    id="baclofen-active-renal-impairment",
    title="Baclofen taken in renal impairment",
    version="1.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["baclofen-ckd-2019", "beers-2023", "article"],
    limits=[*RENAL_LIMITS, "age.older"],
    minors=True,
    offers=["creatinine"],
    overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    needs=[
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions(*ADVANCED, "ckd_stage_3", "pregnancy").optional(),
        medications(BACLOFEN, *SEDATING).optional(),
        orders("creatinine"),
        demographics(),
    ],
)
def baclofen_active_renal_impairment(facts: Facts) -> Answer:
    """Baclofen accumulates in renal impairment and causes encephalopathy."""
    taken = facts.taking(BACLOFEN, hazard=True)
    if not taken:
        unread = medications_unread(facts)
        return CannotTell(unread) if unread else NotFired("no baclofen by mouth is on the list")
    renal = renal_function(facts)
    evidence = (*(Evidence(medication) for medication in taken), *renal.evidence(facts))
    if not (renal.severe or renal.moderate):
        unread = (
            *conditions_unread(facts),
            *levels.newer_unusable(renal.unusable, "renal function"),
        )
        if unread or renal.unknown:
            no_egfr = not unread and renal.creatinine_only is not None
            return CannotTell(
                unread or renal.missing,
                renal.unusable,
                trigger=True,
                evidence=evidence,
                unjudged="renal function" if no_egfr else "",
            )
        return NotFired("renal function is not impaired", evidence)
    older = facts.age is not None and facts.age >= facts.limits.value("age.older")
    sedating = facts.taking(*SEDATING, hazard=True)
    if renal.severe:
        indicator, action = Indicator.CRITICAL, "reduce or replace, never abruptly"
    elif older:
        indicator, action = Indicator.WARNING, "reduce or replace, never abruptly"
    else:
        indicator, action = Indicator.INFO, "lowest dose, watch for drowsiness"
    with_sedatives = f" and {drugs(sedating, most=2)}" if sedating else ""
    advice = [
        "Reduce or replace it under supervision; never stop it abruptly (withdrawal: seizures, "
        "hallucinations).",
        "Look for drowsiness, confusion and falls today."
        if renal.severe
        else "Look for drowsiness, confusion and falls.",
    ]
    if sedating:
        advice.append(f"Other sedatives: {named(sedating)}.")
    return Finding(
        indicator=indicator,
        summary=renal_headline(renal, f"On baclofen{with_sedatives}, {renal.phrase()}: {action}"),
        advice=tuple(advice),
        evidence=(*evidence, *(Evidence(sedative) for sedative in sedating)),
        missing=(
            *levels.newer_unusable(renal.unusable, "renal function"),
            *conditions_unread(facts),
            *medications_unread(facts),
        ),
        background=(
            "Encephalopathy is most frequent at 20 mg/day or more: 30-day admission 1.11 %, "
            "against 0.42 % below that dose (in CKD).",
        ),
        strength="Observational (cohort of 2019); the eGFR limits are conventional.",
        suggestions=(OrderTest("creatinine", "renal function while taking baclofen"),),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )
