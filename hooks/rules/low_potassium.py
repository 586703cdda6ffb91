"""Documented hypokalaemia.

Recommendation: a documented potassium deficiency is corrected, its cause looked for, and
magnesium checked with it (article, "Laboratory Evaluation" and "Electrolyte correction").

When: the newest usable potassium is below the laboratory's own range, else below 3.5 mmol/L.
Below 3.0 urgent wording and an ECG, below 2.5 critical; below 3.0 critical with digoxin or a
risk of long QT. The card says if the result is older than 30 days or preliminary, and then offers
only the repeat.
Then: the value, causes, magnesium; a draft of potassium chloride only without any known
contraindication, and otherwise why not.
Does not cover: intravenous replacement and its rates; redistribution (insulin, thyroid).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cds_service.core.facts import Result
from cds_service.core.medications import Medication
from cds_service.core.patient import Facts
from cds_service.core.series import NO_RESULTS
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
from hooks import arrhythmia, levels, potassium_raising, reading
from hooks.arrhythmia import RhythmRisk, rhythm_risk
from hooks.renal import ADVANCED, PREGNANCY, RENAL_LIMITS, RenalFunction, renal_function
from hooks.windows import RECENT, YEAR
from hooks.wording import CONTRAINDICATED, FOR_TESTS, append_if_short, day, headline, named

_POTASSIUM_LOSING = ("diuretic_loop", "diuretic_thiazide")


@rule(
    id="low-potassium",
    title="Documented low potassium",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=["article", "general-knowledge"],
    limits=[
        *RENAL_LIMITS,
        "potassium.low",
        "potassium.urgent",
        "potassium.severe",
        "potassium.caution",
        "magnesium.low",
        "magnesium.high",
        "qtc_interval.long",
    ],
    minors=True,
    offers=["ecg", "magnesium", "potassium", "potassium_chloride"],
    overrides=(*FOR_TESTS, CONTRAINDICATED),
    needs=[
        results("potassium", YEAR),
        results("magnesium", YEAR).optional(),
        results("egfr", YEAR).optional(),
        results("creatinine", YEAR).optional(),
        conditions(*ADVANCED, "ckd_stage_3").optional(),
        conditions(PREGNANCY).optional(),
        medications(*_POTASSIUM_LOSING, *potassium_raising.CLASSES).optional(),
        *arrhythmia.NEEDS,
        orders("potassium", "magnesium", "ecg"),
        demographics(),
    ],
)
def low_potassium(facts: Facts) -> Answer:
    """Serum potassium below range is corrected, taking its cause and magnesium into account."""
    level = levels.low(facts, "potassium")
    if level.result is None or level.beyond is None:
        return CannotTell(levels.undecided(level), level.unusable)
    if not level.beyond:
        if level.unusable:
            return CannotTell(levels.newer_unusable(level.unusable, "potassium"), level.unusable)
        return NotFired("potassium is not below its limit", (level.evidence(),))
    risk = rhythm_risk(facts)
    severe = level.result.below(facts.limits.value("potassium.severe"))
    urgent = level.result.below(facts.limits.value("potassium.urgent")) is True
    critical = severe is True or (urgent and bool(risk))
    if facts.minor and (not critical or level.stale):
        if severe is None and not level.stale:
            return CannotTell(("whether potassium is critically low in a patient under 18",))
        return NotFired("the patient is under 18 and the level is not critical")
    losing_drugs = facts.taking(*_POTASSIUM_LOSING)
    reasons_against = [] if level.repeat_only else _reasons_against_a_draft(facts, level)
    magnesium = ("", ()) if level.repeat_only else _magnesium(facts)
    return Finding(
        indicator=_indicator(level, critical),
        summary=_summary(level, severe is True, urgent, risk),
        advice=_advice(
            level, severe is True, urgent, risk, losing_drugs, magnesium[0], reasons_against
        ),
        evidence=(
            _evidence(facts, level, severe is True, urgent),
            *(() if level.repeat_only else risk.evidence),
            *(() if level.repeat_only else (Evidence(diuretic) for diuretic in losing_drugs)),
            *magnesium[1],
            *(() if level.repeat_only else renal_function(facts).evidence(facts)),
        ),
        missing=levels.newer_unusable(level.unusable, "potassium"),
        strength="Correcting a documented deficiency is established practice; it is not proven "
        "to stop cramps. The limits 2.5 and 3.0 mmol/L are general medical knowledge.",
        suggestions=_suggestions(facts, level, urgent, risk, reasons_against),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
    )


def _indicator(level: levels.Level, critical: bool) -> Indicator:
    if level.stale:
        return Indicator.INFO
    if critical and not levels.contaminated(level.result):
        return Indicator.CRITICAL
    return Indicator.WARNING


def _summary(level: levels.Level, severe: bool, urgent: bool, risk: RhythmRisk) -> str:
    assert level.result is not None
    value = f"{level.result.reported} ({day(level.result)})"
    if levels.contaminated(level.result):
        value += ", sample contaminated"
    if level.stale:
        return levels.repeat_first("Potassium was low", level.result)
    if level.preliminary:
        action = "Assess today and repeat" if severe else "Repeat now"
        return headline(f"Low potassium: {value}, preliminary. {action}")
    with_risk = f" with {risk.words}" if risk else ""
    if severe:
        return headline(f"Severe hypokalaemia: {value}{with_risk}. Assess today")
    if urgent:
        return headline(
            append_if_short(f"Low potassium: {value}{with_risk}. Urgent: ECG", ", correct it today")
        )
    if risk:
        return headline(f"Low potassium: {value}{with_risk}. ECG, and correct it")
    return headline(f"Low potassium: {value}. Find the cause and correct it")


def _evidence(facts: Facts, level: levels.Level, severe: bool, urgent: bool) -> Evidence:
    evidence = level.evidence()
    if level.stale or not urgent:
        return evidence
    limit = facts.limits["potassium.severe" if severe else "potassium.urgent"]
    return Evidence(evidence.fact, limit, note=evidence.note)


_URGENT_ASSESSMENT = (
    "Urgent same-day assessment with an ECG; replacement under monitoring, and consider the "
    "parenteral route."
)


def _advice(
    level: levels.Level,
    severe: bool,
    urgent: bool,
    risk: RhythmRisk,
    losing_drugs: tuple[Medication, ...],
    magnesium: str,
    reasons_against: Sequence[str],
) -> tuple[str, ...]:
    assert level.result is not None
    if level.repeat_only:
        reason = "preliminary" if level.preliminary else f"from {day(level.result)}"
        repeat = f"The result is {reason}: repeat it before acting on it."
        return (repeat, _URGENT_ASSESSMENT) if severe and level.preliminary else (repeat,)
    lines = [*levels.sample_words(level.result, lower_still=True)]
    if severe:
        lines.append(_URGENT_ASSESSMENT)
    elif urgent:
        lines.append("Urgent: ECG and correction without delay, above all with heart disease.")
    elif risk:
        lines.append(f"ECG now: arrhythmia is more likely with {risk.words}.")
    taken = f" The patient takes {named(losing_drugs)}." if losing_drugs else ""
    lines.append(
        "Assess the cause (diuretics, gastrointestinal loss, low magnesium) and correct the "
        f"deficiency.{taken}"
    )
    lines.append(magnesium)
    if reasons_against:
        lines.append(f"No potassium chloride is drafted: {'; '.join(reasons_against)}.")
    return tuple(lines)


def _magnesium(facts: Facts) -> tuple[str, tuple[Evidence, ...]]:
    """What is known of magnesium, in a sentence, and the result behind it."""
    level = levels.low(facts, "magnesium")
    if level.beyond is True and not level.stale and level.result is not None:
        return (
            f"Magnesium is low too ({level.result.reported}): correct it with the potassium.",
            (level.evidence(),),
        )
    if _magnesium_known(facts) and level.result is not None:
        return (
            f"Magnesium {level.result.reported} was normal on {day(level.result)}.",
            (level.evidence(),),
        )
    return "Check magnesium with it: low magnesium makes hypokalaemia refractory.", ()


def _magnesium_known(facts: Facts) -> bool:
    """Whether a usable magnesium of the last 30 days is normal, and final."""
    result = levels.low(facts, "magnesium").result
    return (
        levels.normal(facts, "magnesium") is True
        and result is not None
        and facts.within(result, RECENT)
        and not result.remarks
    )


def _suggestions(
    facts: Facts,
    level: levels.Level,
    urgent: bool,
    risk: RhythmRisk,
    reasons_against: Sequence[str],
) -> tuple[Suggestion, ...]:
    repeat = OrderTest("potassium", "repeat the low result")
    if level.repeat_only:
        return (repeat,)
    offers: list[Suggestion] = [repeat]
    if not _magnesium_known(facts):
        offers.append(OrderTest("magnesium", "low magnesium makes hypokalaemia refractory"))
    if urgent or risk:
        why = "potassium below 3.0 mmol/L" if urgent else f"low potassium with {risk.words}"
        offers.append(OrderTest("ecg", why))
    if not reasons_against:
        offers.append(DraftMedication("potassium_chloride", "documented deficiency"))
    return tuple(offers)


def _reasons_against_a_draft(facts: Facts, level: levels.Level) -> list[str]:
    """Every contraindication to offering oral potassium, in words; empty if there is none."""
    assert level.result is not None
    reasons = []
    if facts.hazards(PREGNANCY):
        reasons.append("pregnancy")
    reasons += _renal_reasons(renal_function(facts))
    if level.result.at_least(facts.limits.value("potassium.severe")) is not True:
        reasons.append("below 2.5 mmol/L, where tablets are not enough")
    if levels.at_least(facts, "potassium", "potassium.caution").beyond is True:
        reasons.append("another result from the same time is 5.0 mmol/L or above")
    recent_high = _recently_high(facts, level.result)
    if recent_high is not None:
        reasons.append(
            f"potassium was {recent_high.reported} on {day(recent_high)}: repeat it first"
        )
    if levels.contaminated(level.result):
        reasons.append("the sample was reported contaminated")
    if level.unusable:
        reasons.append("a newer potassium result could not be used")
    if facts.age is None:
        reasons.append("the age is not known")
    elif facts.minor:
        reasons.append("the patient is under 18")
    for drug_class, words in potassium_raising.CLASSES.items():
        medications_found = (*facts.taking(drug_class, hazard=True), *facts.drafted(drug_class))
        if medications_found:
            reasons.append(f"{words} ({named(medications_found)})")
    reasons.extend(reading.lists_unread(facts))
    return reasons


def _recently_high(facts: Facts, low: Result) -> Result | None:
    """A high potassium in the week before: it may recur, or one of the two is wrong."""
    limit = facts.limits.value("potassium.caution")
    since = low.when - timedelta(days=_RECENT_HIGH_DAYS)
    earlier = facts.series.get("potassium", NO_RESULTS).finals(since)
    return next(
        (result for result in earlier if result.when < low.when and result.at_least(limit)), None
    )


_RECENT_HIGH_DAYS = 7


def _renal_reasons(renal: RenalFunction) -> list[str]:
    if renal.severe or renal.moderate or renal.unknown:
        return [renal.phrase()]
    if renal.stale:
        return ["the last renal function is older than 90 days"]
    if renal.unusable:
        return ["a newer renal function could not be used"]
    return [] if renal.fresh_normal else ["renal function is not known to be normal"]
