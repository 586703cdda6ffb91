"""Documented hypomagnesaemia.

Recommendation: a documented magnesium deficiency is corrected, after water and sodium
depletion, with magnesium oxide at night; extreme caution in renal insufficiency
(article, "Electrolyte correction").

When: the newest usable serum magnesium is below the laboratory's own range, else below
0.70 mmol/L. Critical below 0.50 mmol/L. Older than 30 days, or preliminary: info or said to
be preliminary, and only the repeat is offered.
Then: value, what to do first, the dose range where renal function allows it, the tests; a
draft of magnesium oxide only where nothing known speaks against it.
Does not cover: ionised, red-cell or urine magnesium; parenteral dosing.
"""

from __future__ import annotations

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
from hooks.renal import Impairment, Renal, renal
from hooks.windows import FRESH_RENAL, YEAR
from hooks.wording import CONTRAINDICATED, FOR_TESTS, day, headline

FLUID_FIRST_UNSAFE = ("ascites", "cirrhosis", "heart_failure")


@rule(
    id="low-magnesium",
    title="Documented low magnesium",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.ALWAYS,
    references=["article", "general-knowledge"],
    limits=["magnesium.low", "magnesium.severe", "egfr.severe", "egfr.moderate"],
    minors=True,
    needs=[
        results("magnesium", YEAR),
        results("egfr", FRESH_RENAL).optional(),
        results("creatinine", FRESH_RENAL).optional(),
        conditions("aki", "dialysis", "ckd_stage_4_5", "ckd_stage_3", "pregnancy").optional(),
        conditions(*FLUID_FIRST_UNSAFE).optional(),
        medications("magnesium").optional(),
        orders("magnesium", "potassium", "creatinine"),
        demographics(),
    ],
)
def low_magnesium(facts: Facts) -> Answer:
    """Serum magnesium below range is corrected, with the kidney in mind."""
    level = levels.low(facts, "magnesium")
    if level.result is None or level.beyond is None:
        return CannotTell(levels.undecided(level), level.unusable)
    if not level.beyond:
        if level.unusable:
            return CannotTell(levels.unread(level.unusable, "magnesium"), level.unusable)
        return NotFired("magnesium is not below its limit", (level.evidence(),))
    below_severe = level.result.below(facts.limits.value("magnesium.severe"))
    severe = below_severe is True
    if facts.minor and (not severe or level.stale):
        if below_severe is None and not level.stale:
            return CannotTell(("whether magnesium is critically low in a patient under 18",))
        return NotFired("the patient is under 18 and the level is not critical")
    function = renal(facts)
    return Finding(
        indicator=_indicator(level, severe),
        summary=_summary(level, severe, function),
        advice=_advice(facts, level, severe, function),
        evidence=(_evidence(facts, level, severe), *function.evidence(facts)),
        missing=(
            *levels.unread(level.unusable, "magnesium"),
            *levels.unread(function.unusable, "renal function"),
            *(() if function.egfr else ("renal function in the last 12 months",)),
        ),
        strength="Correcting a documented deficiency is established practice; it is not proven "
        "to stop cramps.",
        suggestions=_suggestions(facts, level, severe, function),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
    )


def _indicator(level: levels.Level, severe: bool) -> Indicator:
    if level.stale:
        return Indicator.INFO
    return Indicator.CRITICAL if severe else Indicator.WARNING


def _summary(level: levels.Level, severe: bool, function: Renal) -> str:
    assert level.result is not None
    value = f"{level.result.reported} ({day(level.result)})"
    if level.stale:
        return headline(f"Magnesium was low: {value}. From {day(level.result)}: repeat first")
    if level.preliminary:
        action = "Assess today and repeat" if severe else "Repeat now"
        return headline(f"Low magnesium: {value}, preliminary. {action}")
    if severe:
        return headline(f"Severe hypomagnesaemia: {value}. Assess today")
    if function.impairment is Impairment.SEVERE:
        return headline(
            f"Low magnesium: {value}. Correct only with specialist advice: {function.phrase()}"
        )
    return headline(f"Low magnesium: {value}. Correct the deficiency")


def _evidence(facts: Facts, level: levels.Level, severe: bool) -> Evidence:
    evidence = level.evidence()
    if severe and not level.stale:
        return Evidence(evidence.fact, facts.limits["magnesium.severe"], note=evidence.note)
    return evidence


def _advice(facts: Facts, level: levels.Level, severe: bool, function: Renal) -> tuple[str, ...]:
    assert level.result is not None
    if level.repeat_only:
        reason = "preliminary" if level.preliminary else f"from {day(level.result)}"
        repeat = f"The result is {reason}: repeat it before acting on it."
        if level.stale or not severe:
            return (repeat,)
        return (repeat, _URGENT)
    lines = [_URGENT] if severe else []
    if not facts.hazards(*FLUID_FIRST_UNSAFE):
        unchecked = " (not with ascites, cirrhosis or heart failure: could not be checked)"
        lines.append(
            "If water or sodium is depleted, correct that first: secondary hyperaldosteronism "
            f"worsens magnesium loss{unchecked if reading.conditions_unread(facts) else ''}."
        )
    lines.append(_dose(facts, function))
    return tuple(lines)


_URGENT = (
    "Urgent same-day assessment: ECG, potassium and calcium; parenteral replacement is to be "
    "considered."
)


def _dose(facts: Facts, function: Renal) -> str:
    if facts.minor:
        return "No dose is given: the patient is under 18."
    if function.impairment is Impairment.SEVERE:
        return (
            f"No dose of magnesium is given here: {function.phrase()}. Magnesium accumulates to "
            "toxic levels in renal insufficiency; replacement needs specialist advice and "
            "monitoring."
        )
    if reading.conditions_unread(facts):
        return "No dose is given: the problem list could not be checked for kidney disease."
    if function.unknown:
        return (
            "Renal function is unknown: check it first. With extreme caution in renal "
            "insufficiency, magnesium oxide 12–24 mmol nightly (484–967 mg of the magnesium oxide "
            "salt = 292–583 mg elemental magnesium)."
        )
    caution = ""
    if function.moderate:
        caution = f" {function.phrase()}: start low and monitor."
    elif function.stale or function.unusable:
        caution = " No usable renal function of the last 90 days is known: check it first."
    return (
        "Magnesium oxide 12–24 mmol nightly (484–967 mg of the magnesium oxide salt = 292–583 mg "
        f"elemental magnesium), with extreme caution in renal insufficiency.{caution}"
    )


def _suggestions(
    facts: Facts, level: levels.Level, severe: bool, function: Renal
) -> tuple[Suggestion, ...]:
    repeat = OrderTest("magnesium", "repeat the low result")
    if level.repeat_only:
        return (repeat,)
    offers: list[Suggestion] = [
        repeat,
        OrderTest("potassium", "potassium and magnesium fall together"),
        OrderTest("creatinine", "renal function before replacement"),
    ]
    if _draft_is_safe(facts, level, function):
        offers.append(DraftMedication("magnesium_oxide", "documented deficiency"))
    return tuple(offers)


def _draft_is_safe(facts: Facts, level: levels.Level, function: Renal) -> bool:
    assert level.result is not None
    return (
        function.fresh_normal
        and level.result.at_least(facts.limits.value("magnesium.severe")) is True
        and levels.high(facts, "magnesium").beyond is not True
        and not level.unusable
        and facts.age is not None
        and not facts.minor
        and not reading.lists_unread(facts)
        and not facts.taking("magnesium", hazard=True)
        and not facts.drafted("magnesium")
        and not facts.hazards("pregnancy")
    )
