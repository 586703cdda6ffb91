"""Documented hypokalaemia.

Recommendation: a documented potassium deficiency is corrected, its cause looked for, and
magnesium checked with it (article, "Laboratory Evaluation" and "Electrolyte correction").

When: the newest usable potassium is below the laboratory's own range, else below 3.5 mmol/L.
Below 3.0 urgent wording and an ECG, below 2.5 critical. Older than 30 days, or preliminary:
said so, and only the repeat is offered.
Then: value, causes, magnesium; a draft of potassium chloride only where nothing known speaks
against it, and otherwise why not.
Does not cover: intravenous replacement and its rates; redistribution (insulin, thyroid).
"""

from __future__ import annotations

from cds_service.core.facts import Medication
from cds_service.core.patient import Facts
from cds_service.core.rule import (
    Answer,
    CannotTell,
    DraftMedication,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Service,
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
from hooks.renal import ADVANCED, Renal, renal
from hooks.windows import FRESH_RENAL, YEAR
from hooks.wording import CONTRAINDICATED, FOR_TESTS, day, headline, named

_LOSING = ("diuretic_loop", "diuretic_thiazide")
_RAISING = {
    "potassium": "potassium is already taken or drafted",
    "raas_inhibitor": "a RAAS inhibitor",
    "diuretic_potassium_sparing": "a potassium-sparing diuretic",
    "nsaid": "an NSAID",
}


@rule(
    id="low-potassium",
    title="Documented low potassium",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.ALWAYS,
    references=["article", "general-knowledge"],
    limits=[
        "potassium.low",
        "potassium.urgent",
        "potassium.severe",
        "potassium.caution",
        "egfr.severe",
        "egfr.moderate",
    ],
    minors=True,
    needs=[
        results("potassium", YEAR),
        results("magnesium", YEAR).optional(),
        results("egfr", FRESH_RENAL).optional(),
        results("creatinine", FRESH_RENAL).optional(),
        conditions(*ADVANCED, "ckd_stage_3").optional(),
        medications(*_LOSING, *_RAISING).optional(),
        orders("potassium", "magnesium", "ecg"),
        demographics(),
    ],
)
def low_potassium(facts: Facts) -> Answer:
    """Serum potassium below range is corrected, with its cause and magnesium in mind."""
    level = levels.low(facts, "potassium")
    if level.result is None or level.beyond is None:
        return CannotTell(levels.undecided(level), level.unusable)
    if not level.beyond:
        if level.unusable:
            return CannotTell(levels.unread(level.unusable, "potassium"), level.unusable)
        return NotFired("potassium is not below its limit", (level.evidence(),))
    severe = level.result.below(facts.limits.value("potassium.severe"))
    if facts.minor and (severe is not True or level.stale):
        if severe is None and not level.stale:
            return CannotTell(("whether potassium is critically low in a patient under 18",))
        return NotFired("the patient is under 18 and the level is not critical")
    urgent = level.result.below(facts.limits.value("potassium.urgent")) is True
    losing = facts.taking(*_LOSING)
    return Finding(
        indicator=_indicator(level, severe is True),
        summary=_summary(level, severe is True, urgent),
        advice=_advice(facts, level, severe is True, urgent, losing),
        evidence=(
            _evidence(facts, level, severe is True, urgent),
            *(() if level.repeat_only else (Evidence(one) for one in losing)),
            *(() if level.repeat_only else renal(facts).evidence(facts)),
        ),
        missing=levels.unread(level.unusable, "potassium"),
        strength="Correcting a documented deficiency is established practice; it is not proven "
        "to stop cramps. The limits 2.5 and 3.0 mmol/L are general medical knowledge.",
        suggestions=_suggestions(facts, level, urgent),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
    )


def _indicator(level: levels.Level, severe: bool) -> Indicator:
    if level.stale:
        return Indicator.INFO
    return Indicator.CRITICAL if severe else Indicator.WARNING


def _summary(level: levels.Level, severe: bool, urgent: bool) -> str:
    assert level.result is not None
    value = f"{level.result.reported} ({day(level.result)})"
    if level.stale:
        return headline(f"Potassium was low: {value}. From {day(level.result)}: repeat first")
    if level.preliminary:
        action = "Assess today and repeat" if severe else "Repeat now"
        return headline(f"Low potassium: {value}, preliminary. {action}")
    if severe:
        return headline(f"Severe hypokalaemia: {value}. Assess today")
    if urgent:
        return headline(f"Low potassium, urgent: {value}. ECG and correction without delay")
    return headline(f"Low potassium: {value}. Find the cause and correct it")


def _evidence(facts: Facts, level: levels.Level, severe: bool, urgent: bool) -> Evidence:
    evidence = level.evidence()
    if level.stale or not urgent:
        return evidence
    limit = facts.limits["potassium.severe" if severe else "potassium.urgent"]
    return Evidence(evidence.fact, limit, note=evidence.note)


_AT_ONCE = (
    "Urgent same-day assessment with an ECG; replacement under monitoring, to be considered "
    "parenterally."
)


def _advice(
    facts: Facts, level: levels.Level, severe: bool, urgent: bool, losing: tuple[Medication, ...]
) -> tuple[str, ...]:
    assert level.result is not None
    if level.repeat_only:
        reason = "preliminary" if level.preliminary else f"from {day(level.result)}"
        repeat = f"The result is {reason}: repeat it before acting on it."
        return (repeat, _AT_ONCE) if severe and level.preliminary else (repeat,)
    lines = [_AT_ONCE] if severe else []
    if urgent and not severe:
        lines.append("Urgent: ECG and correction without delay, sooner with heart disease.")
    taken = f" Taken: {named(losing)}." if losing else ""
    lines.append(
        "Assess the cause (diuretics, gastrointestinal loss, low magnesium) and correct the "
        f"deficiency.{taken}"
    )
    lines.append("Check magnesium with it: low magnesium makes hypokalaemia refractory.")
    against = _against_a_draft(facts, level)
    if against:
        lines.append(f"No potassium chloride is drafted here: {'; '.join(against)}.")
    return tuple(lines)


def _suggestions(facts: Facts, level: levels.Level, urgent: bool) -> tuple[Suggestion, ...]:
    repeat = OrderTest("potassium", "repeat the low result")
    if level.repeat_only:
        return (repeat,)
    offers: list[Suggestion] = [
        repeat,
        OrderTest("magnesium", "low magnesium makes hypokalaemia refractory"),
    ]
    if urgent:
        offers.append(OrderTest("ecg", "potassium below 3.0 mmol/L"))
    if not _against_a_draft(facts, level):
        offers.append(DraftMedication("potassium_chloride", "documented deficiency"))
    return tuple(offers)


def _against_a_draft(facts: Facts, level: levels.Level) -> list[str]:
    """Everything that speaks against offering oral potassium, in words; empty: nothing."""
    assert level.result is not None
    reasons = [*_renal_reasons(renal(facts))]
    if level.result.at_least(facts.limits.value("potassium.severe")) is not True:
        reasons.append("below 2.5 mmol/L, which tablets do not treat")
    if levels.at_least(facts, "potassium", "potassium.caution").beyond is True:
        reasons.append("another result of the same time is 5.0 mmol/L or above")
    if level.unusable:
        reasons.append("a newer potassium result could not be used")
    if facts.age is None:
        reasons.append("the age is not known")
    elif facts.minor:
        reasons.append("the patient is under 18")
    for kind, words in _RAISING.items():
        found = (*facts.taking(kind, hazard=True), *facts.drafted(kind))
        if found:
            reasons.append(f"{words} ({named(found)})")
    reasons.extend(reading.lists_unread(facts))
    return reasons


def _renal_reasons(function: Renal) -> list[str]:
    if function.severe or function.moderate or function.unknown:
        return [function.phrase()]
    if function.stale:
        return ["the last renal function is older than 90 days"]
    if function.unusable:
        return ["a newer renal function could not be used"]
    return []
