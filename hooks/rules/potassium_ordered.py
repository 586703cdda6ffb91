"""Potassium, or a potassium-sparing drug, ordered where it is dangerous.

Recommendation: a documented deficiency is corrected (article); potassium is not given where it
accumulates: with high potassium, renal impairment or drugs that raise it (UKKA 2023, cited
second-hand; trimethoprim together with spironolactone: BMJ 2011;343:d5228).

When, for potassium: potassium 5.0 mmol/L or above, advanced renal impairment or acute kidney
injury, or a potassium-sparing diuretic taken or drafted: critical; eGFR 30-59, another drug that
raises potassium, more potassium, or potassium or renal function unknown: warning. With a recent
low potassium: a warning at most, and no removal.
When, for a potassium-sparing diuretic or mineralocorticoid antagonist: potassium 5.5 or above,
potassium taken or drafted, or 5.0 together with advanced renal impairment: critical; one of
these alone, trimethoprim, eGFR 30-59 with another drug that raises potassium, or potassium or
renal function unknown: warning. With a recent low potassium only advanced renal impairment
counts, as a warning without removal.
Then: why; offers removal, and repeat potassium and creatinine.
Does not cover: rates and routes of intravenous potassium.
"""

from __future__ import annotations

from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    RemoveDraft,
    Suggestion,
    Tier,
    conditions,
    demographics,
    medications,
    orders,
    results,
    rule,
)
from hooks import levels, reading
from hooks.potassium_hazards import (
    Hazards,
    judge_sparing,
    judge_supplement,
    preliminary_deficit,
    recent_deficit,
)
from hooks.potassium_raising import CLASSES, SPARING, SUPPLEMENT, TRIMETHOPRIM
from hooks.renal import ADVANCED, RENAL_LIMITS, RenalFunction, renal_function, renal_headline
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_HAZARDS, drugs, named


@rule(
    id="potassium-ordered-hazard",
    title="Potassium ordered: risk of hyperkalaemia",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=[
        "ukka-hyperkalaemia-2023",
        "trimethoprim-spironolactone-2011",
        "general-knowledge",
        "article",
    ],
    limits=[
        *RENAL_LIMITS,
        "potassium.low",
        "potassium.caution",
        "potassium.high",
    ],
    judges=[SUPPLEMENT, SPARING],
    minors=True,
    offers=["creatinine", "potassium"],
    overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    needs=[
        results("potassium", YEAR).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions(*ADVANCED, "ckd_stage_3", "pregnancy").optional(),
        medications(*CLASSES).optional(),
        demographics(),
        orders("potassium", "creatinine"),
    ],
)
def potassium_ordered_hazard(facts: Facts) -> Answer:
    """Potassium, or a drug that spares it, ordered for a patient who may not excrete it."""
    selected = facts.drafts.selected_medications
    potassium = tuple(draft for draft in selected if SUPPLEMENT in draft.classes)
    sparing = tuple(
        draft for draft in selected if SPARING in draft.classes and draft not in potassium
    )
    level = levels.at_least(facts, "potassium", "potassium.caution")
    renal = renal_function(facts)
    deficit = recent_deficit(facts)
    hazards = Hazards()
    if potassium:
        judge_supplement(facts, potassium, level, renal, deficit, hazards)
    if sparing:
        judge_sparing(facts, sparing, level, renal, deficit, hazards)
    if not hazards.reasons:
        unread = (
            *reading.medications_unread(facts),
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.newer_unusable(renal.unusable, "renal function"),
        )
        if unread:
            return CannotTell(unread, renal.unusable, trigger=True)
        evidence = () if level.result is None else (level.evidence(),)
        evidence = evidence if deficit is None else (deficit,)
        classes_checked = (
            "potassium-raising drugs of any class" if potassium else "interacting drugs"
        )
        return NotFired(
            f"potassium and renal function allow it, and no {classes_checked} are taken or drafted"
            if not deficit
            else "a low potassium is documented, and renal function allows it",
            (*evidence, *renal.evidence(facts)),
        )
    return _finding(facts, potassium, sparing, level, renal, deficit, hazards)


def _finding(
    facts: Facts,
    potassium: tuple[Medication, ...],
    sparing: tuple[Medication, ...],
    level: levels.Level,
    renal: RenalFunction,
    deficit: Evidence | None,
    hazards: Hazards,
) -> Finding:
    drafts = (*potassium, *sparing)
    other_drugs = tuple(drug for drug in dict.fromkeys(hazards.drugs) if drug not in drafts)
    unconfirmed = preliminary_deficit(facts)
    advice = []
    offers: list[Suggestion] = []
    if hazards.repeats:
        advice.append("The result is preliminary: repeat it before acting on it.")
        offers = [OrderTest(key, "repeat the preliminary result") for key in hazards.repeats]
    elif deficit is None and unconfirmed is None:
        offers += [RemoveDraft(draft.source.reference, draft.name) for draft in drafts]
    if not hazards.repeats:
        offers.append(OrderTest("potassium", "potassium level before giving more"))
        if renal.unknown or renal.stale or renal.unusable:
            offers.append(OrderTest("creatinine", "renal function before potassium"))
    if level.result is not None and level.beyond is True and not level.stale:
        advice += levels.sample_words(level.result)
    if unconfirmed is not None:
        advice.append(f"Potassium {unconfirmed.reported} is low but preliminary: confirm it now.")
    if deficit is not None and not potassium:
        advice.append(
            "It may correct the low potassium: recheck potassium and creatinine within days."
        )
    elif deficit is not None:
        advice.append(
            "Replacement is needed: monitor potassium and ECG closely, and stop when it is normal."
        )
    elif hazards.critical and unconfirmed is None:
        advice.append("Do not give it until potassium and renal function have been verified.")
    else:
        advice.append(
            "If it is needed, check potassium and creatinine first, and again within a few days."
        )
    advice.append(f"Ordered: {named(drafts)}. Reasons: {'; '.join(hazards.reasons)}.")
    if other_drugs:
        advice.append(f"Also taken or drafted: {named(other_drugs, most=6)}.")
    level_evidence = () if level.result is None else (level.evidence(),)
    return Finding(
        indicator=Indicator.CRITICAL if hazards.critical else Indicator.WARNING,
        summary=renal_headline(renal, _summary(potassium, sparing, deficit, hazards)),
        advice=tuple(advice),
        evidence=(
            *(Evidence(draft) for draft in (*drafts, *other_drugs)),
            *(level_evidence if deficit is None else (deficit,)),
            *renal.evidence(facts),
        ),
        missing=(
            *reading.medications_unread(facts),
            *reading.conditions_unread(facts),
            *reading.results_unread(facts),
            *levels.newer_unusable(level.unusable, "potassium"),
            *levels.newer_unusable(renal.unusable, "renal function"),
            *renal.missing,
        ),
        strength="Guideline, cited second-hand; the limits were not taken from a trial.",
        suggestions=tuple(offers),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
        reference=(
            "trimethoprim-spironolactone-2011"
            if any(TRIMETHOPRIM in medication.classes for medication in hazards.drugs)
            else "ukka-hyperkalaemia-2023"
        ),
        about=tuple(draft.source.reference for draft in drafts),
    )


def _summary(
    potassium: tuple[Medication, ...],
    sparing: tuple[Medication, ...],
    deficit: Evidence | None,
    hazards: Hazards,
) -> str:
    reasons = "; ".join(hazards.reasons)
    if deficit is not None:
        value = getattr(deficit.fact, "reported", "")
        if potassium:
            return f"K {value}: replacement needed; {reasons}: monitor"
        return f"{drugs(sparing).capitalize()} ordered, K {value}; {reasons}: monitor"
    subject = "Potassium" if potassium else drugs(sparing).capitalize()
    unchecked = " could not be checked"
    both_unchecked = f"potassium{unchecked}; renal function{unchecked}"
    reasons = reasons.replace(both_unchecked, f"potassium and renal function{unchecked}")
    return f"{subject} ordered, risk of hyperkalaemia: {reasons}"
