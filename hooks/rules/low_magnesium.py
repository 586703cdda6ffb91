"""Documented hypomagnesaemia.

Recommendation: a documented magnesium deficiency is corrected, after water and sodium
depletion, with magnesium oxide at night; extreme caution in renal insufficiency
(article, "Electrolyte correction").

When: the newest usable serum magnesium is below the laboratory's own range, else below
0.70 mmol/L. Critical below 0.50 mmol/L, or below 0.60 with digoxin or a risk of long QT. A result
older than 30 days is info, the card says if one is preliminary, and for both only the repeat is
offered.
Then: the value, what to do first, causes found, the dose range if renal function allows it, the
tests; a draft of magnesium oxide only without any known contraindication.
Does not cover: ionised, red-cell or urine magnesium; parenteral dosing.
"""

from __future__ import annotations

from cds_service.core.facts import Condition, Kind
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    DraftMedication,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Suggestion,
    Tier,
    conditions,
    demographics,
    medications,
    orders,
    results,
    rule,
)
from hooks import arrhythmia, levels, reading
from hooks.arrhythmia import RhythmRisk, rhythm_risk
from hooks.renal import RENAL_LIMITS, RenalFunction, renal_function, renal_headline
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_TESTS, day, headline, named

FLUID_FIRST_UNSAFE = ("ascites", "cirrhosis", "heart_failure")
_CAUSING_DRUGS = ("ppi", "diuretic_loop", "diuretic_thiazide", "calcineurin_inhibitor")
_CAUSING_CONDITIONS = ("alcohol_use", "diarrhoea", "magnesium_loss")
_LIKELY_CAUSES = "PPI, diuretics, alcohol, diarrhoea"


@rule(
    id="low-magnesium",
    title="Documented low magnesium",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["article", "general-knowledge"],
    limits=[
        *RENAL_LIMITS,
        "magnesium.low",
        "magnesium.severe",
        "magnesium.arrhythmia",
        "magnesium.high",
        "qtc_interval.long",
    ],
    minors=True,
    offers=["calcium", "creatinine", "ecg", "magnesium", "magnesium_oxide", "potassium"],
    overrides=(*FOR_TESTS, CONTRAINDICATED),
    needs=[
        results("magnesium", YEAR),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions("aki", "dialysis", "ckd_stage_4_5", "ckd_stage_3", "pregnancy").optional(),
        conditions(*FLUID_FIRST_UNSAFE, "myasthenia_gravis", *_CAUSING_CONDITIONS).optional(),
        medications(
            "magnesium", "magnesium_intravenous", "magnesium_binding", *_CAUSING_DRUGS
        ).optional(),
        *arrhythmia.NEEDS,
        orders("magnesium", "potassium", "creatinine", "calcium", "ecg"),
        demographics(),
    ],
)
def low_magnesium(facts: Facts) -> Answer:
    """Serum magnesium below range is corrected, taking renal function into account."""
    level = levels.low(facts, "magnesium")
    if level.result is None or level.beyond is None:
        return CannotTell(levels.undecided(level), level.unusable)
    if not level.beyond:
        if level.unusable:
            return CannotTell(levels.newer_unusable(level.unusable, "magnesium"), level.unusable)
        return NotFired("magnesium is not below its limit", (level.evidence(),))
    risk = rhythm_risk(facts)
    below_severe = level.result.below(facts.limits.value("magnesium.severe"))
    severe = below_severe is True
    critical = severe or (
        bool(risk) and level.result.below(facts.limits.value("magnesium.arrhythmia")) is True
    )
    if facts.minor and (not critical or level.stale):
        if below_severe is None and not level.stale:
            return CannotTell(("whether magnesium is critically low in a patient under 18",))
        return NotFired("the patient is under 18 and the level is not critical")
    renal = renal_function(facts)
    causes = _causes(facts)
    return Finding(
        indicator=_indicator(level, critical),
        summary=_summary(level, severe, renal, risk),
        advice=_advice(facts, level, severe, renal, risk),
        evidence=(
            _evidence(facts, level, severe),
            *(
                ()
                if level.repeat_only
                else (*risk.evidence, *(Evidence(cause) for cause in causes))
            ),
            *renal.evidence(facts),
        ),
        missing=(
            *levels.newer_unusable(level.unusable, "magnesium"),
            *levels.newer_unusable(renal.unusable, "renal function"),
            *renal.missing,
        ),
        background=() if level.repeat_only else _background(facts, renal),
        strength="Correcting a documented deficiency is established practice; it is not proven "
        "to stop cramps.",
        suggestions=_suggestions(facts, level, severe, renal, risk),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
    )


def _causes(facts: Facts) -> tuple[Medication | Condition, ...]:
    return (*facts.taking(*_CAUSING_DRUGS), *facts.hazards(*_CAUSING_CONDITIONS))


def _indicator(level: levels.Level, critical: bool) -> Indicator:
    if level.stale:
        return Indicator.INFO
    if critical and not levels.contaminated(level.result):
        return Indicator.CRITICAL
    return Indicator.WARNING


def _summary(level: levels.Level, severe: bool, renal: RenalFunction, risk: RhythmRisk) -> str:
    assert level.result is not None
    value = f"{level.result.reported} ({day(level.result)})"
    if levels.contaminated(level.result):
        value += ", sample contaminated"
    if level.stale:
        return levels.repeat_first("Magnesium was low", level.result)
    if level.preliminary:
        action = "Assess today and repeat" if severe else "Repeat now"
        return headline(f"Low magnesium: {value}, preliminary. {action}")
    with_risk = f" with {risk.words}" if risk else ""
    if severe:
        return headline(f"Severe hypomagnesaemia: {value}{with_risk}. Assess today")
    if renal.severe:
        kidney = f", {renal.phrase()}" if risk else f" with {renal.phrase()}"
        text = f"Low magnesium: {value}{with_risk}{kidney}. Get specialist advice"
        return renal_headline(renal, text)
    action = "ECG, and correct it" if risk else "Correct the deficiency"
    return headline(f"Low magnesium: {value}{with_risk}. {action}")


def _evidence(facts: Facts, level: levels.Level, severe: bool) -> Evidence:
    evidence = level.evidence()
    if severe and not level.stale:
        return Evidence(evidence.fact, facts.limits["magnesium.severe"], note=evidence.note)
    return evidence


_URGENT_ASSESSMENT = (
    "Urgent same-day assessment: ECG, potassium and calcium; parenteral replacement "
    "to be considered."
)


def _advice(
    facts: Facts, level: levels.Level, severe: bool, renal: RenalFunction, risk: RhythmRisk
) -> tuple[str, ...]:
    assert level.result is not None
    if level.repeat_only:
        reason = "preliminary" if level.preliminary else f"from {day(level.result)}"
        repeat = f"The result is {reason}: repeat it before acting on it."
        if level.stale or not severe:
            return (repeat,)
        return (repeat, _URGENT_ASSESSMENT)
    lines = [*levels.sample_words(level.result, lower_still=True)]
    if severe:
        lines.append(_URGENT_ASSESSMENT)
    elif risk:
        lines.append(f"ECG and potassium now: arrhythmia is more likely with {risk.words}.")
    if not facts.hazards(*FLUID_FIRST_UNSAFE):
        unchecked = " (not with ascites, cirrhosis or heart failure, which could not be checked)"
        lines.append(
            "If water or sodium is depleted, correct that first"
            f"{unchecked if reading.conditions_unread(facts) else ''}."
        )
    lines.append(_dose(facts, renal))
    causes = _causes(facts)
    lines.append(
        f"Causes found: {named(causes)}." if causes else f"Look for a cause ({_LIKELY_CAUSES})."
    )
    return tuple(lines)


def _dose(facts: Facts, renal: RenalFunction) -> str:
    why_not = _why_no_dose(facts, renal)
    if why_not:
        return why_not
    caution = ""
    if renal.moderate:
        caution = f" {renal.phrase()}: start low and monitor."
    elif renal.stale or renal.unusable:
        caution = " There is no usable renal function result from the last 90 days: check it first."
    binding_drugs = facts.taking("magnesium_binding")
    spacing = (
        f" Give it hours apart from {named(binding_drugs)}, by its label." if binding_drugs else ""
    )
    return (
        "Magnesium oxide 12–24 mmol nightly (484–967 mg of the magnesium oxide salt = 292–583 mg "
        f"elemental magnesium), with extreme caution in renal insufficiency.{caution}{spacing}"
    )


def _why_no_dose(facts: Facts, renal: RenalFunction) -> str:
    if facts.minor:
        return "No dose is given: the patient is under 18."
    if facts.hazards("pregnancy"):
        return "No dose is given in pregnancy: seek obstetric advice."
    if infusion := facts.taking("magnesium_intravenous"):
        return f"No oral dose is given: {named(infusion)} is active."
    if renal.severe:
        return (
            f"No dose is given: {renal.phrase()}. Magnesium accumulates to toxic levels; "
            "replacement needs specialist advice and monitoring."
        )
    if renal.doubtful:
        return f"No dose is given: {renal.phrase()}. Repeat creatinine first."
    if not facts.availability(Kind.CONDITIONS).whole:
        return "No dose is given: the problem list could not be checked for kidney disease."
    if renal.unknown:
        return "No dose is given: renal function is unknown. Check creatinine first."
    return ""


def _background(facts: Facts, renal: RenalFunction) -> tuple[str, ...]:
    lines = ["Secondary hyperaldosteronism from water and sodium depletion worsens the loss."]
    if facts.hazards(*FLUID_FIRST_UNSAFE):
        lines = []
    if not _why_no_dose(facts, renal):
        lines.append(
            "The dose is a regimen described for short-bowel magnesium loss; diarrhoea is common."
        )
    return tuple(lines)


def _suggestions(
    facts: Facts, level: levels.Level, severe: bool, renal: RenalFunction, risk: RhythmRisk
) -> tuple[Suggestion, ...]:
    repeat = OrderTest("magnesium", "repeat the low result")
    if level.repeat_only:
        return (repeat,)
    offers: list[Suggestion] = [
        repeat,
        OrderTest("potassium", "potassium and magnesium are often low together"),
        OrderTest("creatinine", "renal function before replacement"),
    ]
    if severe:
        offers.append(OrderTest("calcium", "severe hypomagnesaemia lowers calcium"))
    if severe or risk:
        offers.append(OrderTest("ecg", "rhythm and QT in low magnesium"))
    if _draft_is_safe(facts, level, renal):
        offers.append(DraftMedication("magnesium_oxide", "documented deficiency"))
    return tuple(offers)


def _draft_is_safe(facts: Facts, level: levels.Level, renal: RenalFunction) -> bool:
    assert level.result is not None
    return (
        renal.fresh_normal
        and level.result.at_least(facts.limits.value("magnesium.severe")) is True
        and levels.high(facts, "magnesium").beyond is not True
        and not level.unusable
        and not levels.contaminated(level.result)
        and facts.age is not None
        and not facts.minor
        and not reading.lists_unread(facts)
        and not facts.taking("magnesium", hazard=True)
        and not facts.drafted("magnesium")
        and not facts.hazards("pregnancy", "myasthenia_gravis")
    )
