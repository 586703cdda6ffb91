"""Hyperkalaemia.

Recommendation: potassium is checked in a patient with cramps (article, "Laboratory
Evaluation"); a high potassium is verified, and what raises it is held or reviewed (UKKA 2023,
cited second-hand).

When: the newest usable potassium is 6.0 mmol/L or above; or 5.5 or above with a drug that
raises potassium, advanced renal impairment, acute kidney injury or documented cramps; or 5.0 or
above with a potassium supplement and a potassium-sparing diuretic or advanced renal
impairment. Critical from 6.0, called severe from 6.5. A sample reported haemolysed or
contaminated gives a warning at most. The card says if the result is older than 30 days or
preliminary.
Then: verify it; the drugs to hold and those to review; offers the repeat, creatinine and ECG.
Does not cover: emergency treatment of hyperkalaemia.
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
    Tier,
    conditions,
    demographics,
    medications,
    orders,
    results,
    rule,
)
from hooks import cramps, levels, potassium_raising, reading
from hooks.potassium_raising import CLASSES, SPARING, SUPPLEMENT, TO_HOLD, TO_REVIEW
from hooks.renal import ADVANCED, RENAL_LIMITS, RenalFunction, renal_function, renal_headline
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_TESTS, day, drugs, headline, named


@rule(
    id="high-potassium",
    title="High potassium",
    version="2.0.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["ukka-hyperkalaemia-2023", "general-knowledge", "article"],
    limits=[
        *RENAL_LIMITS,
        "potassium.caution",
        "potassium.high",
        "potassium.critical",
        "potassium.very_high",
    ],
    minors=True,
    offers=["creatinine", "ecg", "potassium"],
    overrides=(*FOR_TESTS, CONTRAINDICATED),
    needs=[
        results("potassium", YEAR),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        medications(*CLASSES).optional(),
        conditions(*ADVANCED, "ckd_stage_3", "pregnancy", cramps.LEG_CRAMPS).optional(),
        demographics(),
        orders("potassium", "creatinine", "ecg"),
    ],
)
def high_potassium(facts: Facts) -> Answer:
    """A high potassium is verified, and what raises it is held or reviewed."""
    level = levels.at_least(facts, "potassium", "potassium.caution")
    raising = potassium_raising.held_first(potassium_raising.active(facts))
    renal = renal_function(facts)
    trigger = bool(raising) or renal.severe
    if level.result is None or level.beyond is None:
        return CannotTell(levels.undecided(level), level.unusable, trigger=trigger)
    if not level.beyond:
        if level.unusable:
            unread = levels.newer_unusable(level.unusable, "potassium")
            return CannotTell(unread, level.unusable, trigger=trigger)
        return NotFired("potassium is below 5.0 mmol/L", (level.evidence(),))
    critical = level.result.at_least(facts.limits.value("potassium.critical")) is True
    above_high = level.result.at_least(facts.limits.value("potassium.high")) is True
    documented = cramps.documented(facts)
    supplement = potassium_raising.active(facts, SUPPLEMENT)
    accumulating = potassium_raising.active(facts, SPARING) or renal.severe
    if critical or (above_high and (trigger or documented)) or (supplement and accumulating):
        return _finding(facts, level, raising, renal)
    if level.result.at_least(facts.limits.value("potassium.critical")) is None:
        return CannotTell(levels.undecided(level), trigger=True)
    unread = (
        *reading.medications_unread(facts),
        *(reading.conditions_unread(facts) if documented is None or not renal.severe else ()),
        *levels.newer_unusable(renal.unusable, "renal function"),
    )
    if unread and (above_high or supplement or reading.medications_unread(facts)):
        return CannotTell(unread, trigger=True)
    if above_high:
        return NotFired(
            "potassium is 5.5 to 5.9 mmol/L without a drug that raises it, advanced renal "
            "impairment or cramps",
            (level.evidence(),),
        )
    return NotFired(
        "potassium is 5.0 to 5.4 mmol/L without a supplement together with a potassium-sparing "
        "diuretic or advanced renal impairment",
        (level.evidence(),),
    )


def _finding(
    facts: Facts, level: levels.Level, raising: tuple[Medication, ...], renal: RenalFunction
) -> Finding:
    result = level.result
    assert result is not None
    critical = result.at_least(facts.limits.value("potassium.critical")) is True
    above_high = result.at_least(facts.limits.value("potassium.high")) is True
    key = "critical" if critical else "high" if above_high else "caution"
    sample_doubtful = "haemolysed" in result.remarks or levels.contaminated(result)
    indicator = Indicator.CRITICAL if critical and not sample_doubtful else Indicator.WARNING
    offers = [OrderTest("potassium", "verify the high result")]
    if not level.repeat_only:
        offers.append(OrderTest("creatinine", "renal function in high potassium"))
        offers.append(OrderTest("ecg", "high potassium"))
    return Finding(
        indicator=Indicator.INFO if level.stale else indicator,
        summary=_summary(facts, level, raising, renal),
        advice=_advice(facts, level, critical, raising, renal),
        evidence=(
            Evidence(result, facts.limits[f"potassium.{key}"], note=level.evidence().note),
            *(Evidence(drug) for drug in raising),
            *(renal.evidence(facts) if renal.severe or renal.moderate else ()),
        ),
        missing=(
            *levels.newer_unusable(level.unusable, "potassium"),
            *reading.medications_unread(facts),
            *levels.newer_unusable(renal.unusable, "renal function"),
        ),
        strength="Guideline, cited second-hand; the limits are the same for every laboratory.",
        suggestions=tuple(offers),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
    )


def _summary(
    facts: Facts, level: levels.Level, raising: tuple[Medication, ...], renal: RenalFunction
) -> str:
    result = level.result
    assert result is not None
    value = f"{result.reported} ({day(result)})"
    if level.stale:
        return headline(f"Potassium was high, {result.reported} from {day(result)}: repeat first")
    if result.at_least(facts.limits.value("potassium.very_high")) is True:
        severity = "Severe hyperkalaemia"
    elif result.at_least(facts.limits.value("potassium.critical")) is True:
        severity = "Moderate hyperkalaemia"
    else:
        severity = "High potassium"
    remark = "haemolysed" if "haemolysed" in result.remarks else ""
    if levels.contaminated(result):
        remark = "sample contaminated"
    status = ", preliminary" * level.preliminary + (f", {remark}" if remark else "")
    causes = [*([drugs(raising, most=3)] if raising else ())]
    if renal.severe:
        causes.append(renal.phrase())
    with_causes = f" with {', '.join(causes)}" if causes else ""
    action = "ECG and repeat now" if severity != "High potassium" else "Repeat now"
    return renal_headline(renal, f"{severity}: {value}{status}{with_causes}. {action}")


def _advice(
    facts: Facts,
    level: levels.Level,
    critical: bool,
    raising: tuple[Medication, ...],
    renal: RenalFunction,
) -> tuple[str, ...]:
    assert level.result is not None
    lines = [*levels.sample_words(level.result)]
    if level.repeat_only:
        reason = "preliminary" if level.preliminary else f"from {day(level.result)}"
        lines.append(f"The result is {reason}: repeat it before acting on it.")
        if level.stale:
            return tuple(lines)
    if critical and not level.result.remarks:
        lines.append("Urgent same-day assessment with an ECG, without waiting for the repeat.")
    lines.append("Repeat now, without a tourniquet: haemolysis raises potassium.")
    held = [drug for drug in raising if drug.classes & TO_HOLD.keys()]
    reviewed = [drug for drug in raising if drug.classes & TO_REVIEW.keys() and drug not in held]
    if held:
        lines.append(f"Hold: {named(held, most=6)}.")
    if reviewed:
        lines.append(f"Review with their prescriber: {named(reviewed, most=6)}.")
    if not raising:
        lines.append(
            "Ask about potassium supplements and salt substitutes, and hold them."
            if not reading.medications_unread(facts)
            else "Hold potassium supplements, salt substitutes, potassium-sparing diuretics, "
            "NSAIDs and trimethoprim; review RAAS inhibitors, calcineurin inhibitors and heparins."
        )
    if renal.severe:
        lines.append(f"Renal function: {renal.phrase()}.")
    return tuple(lines)
