"""Hyperkalaemia.

Recommendation: potassium is checked in a patient with cramps (article, "Laboratory
Evaluation"); a high potassium is verified, and what raises it is stopped first (general
medical knowledge).

When: the newest usable potassium is 6.0 mmol/L or above; or 5.5 or above and potassium or a
potassium-sparing diuretic is taken, or cramps are documented. Critical from 6.0. Older than
30 days, or preliminary: said so, and only the repeat is offered.
Then: verify, stop supplements first, repeat, ECG.
Does not cover: emergency treatment of hyperkalaemia.
"""

from __future__ import annotations

from cds_service.core.facts import Medication
from cds_service.core.patient import Facts
from cds_service.core.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Service,
    Tier,
    conditions,
    medications,
    orders,
    results,
    rule,
)
from hooks import cramps, levels, reading
from hooks.windows import YEAR
from hooks.wording import CONTRAINDICATED, FOR_TESTS, day, headline, named

RAISING = ("potassium", "diuretic_potassium_sparing")


@rule(
    id="high-potassium",
    title="High potassium",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.ALWAYS,
    references=["general-knowledge", "article"],
    limits=["potassium.high", "potassium.critical"],
    minors=True,
    needs=[
        results("potassium", YEAR),
        medications(*RAISING).optional(),
        conditions(cramps.LEG_CRAMPS).optional(),
        orders("potassium", "ecg"),
    ],
)
def high_potassium(facts: Facts) -> Answer:
    """A high potassium is verified, and what raises it stopped first."""
    level = levels.at_least(facts, "potassium", "potassium.high")
    raising = facts.taking(*RAISING, hazard=True)
    if level.result is None or level.beyond is None:
        return CannotTell(levels.undecided(level), level.unusable, trigger=bool(raising))
    if not level.beyond:
        if level.unusable:
            unread = levels.unread(level.unusable, "potassium")
            return CannotTell(unread, level.unusable, trigger=bool(raising))
        return NotFired("potassium is below 5.5 mmol/L", (level.evidence(),))
    critical = level.result.at_least(facts.limits.value("potassium.critical")) is True
    documented = cramps.documented(facts)
    if not (critical or raising or documented):
        unread = (
            *reading.medications_unread(facts),
            *(reading.conditions_unread(facts) if documented is None else ()),
        )
        if unread:
            return CannotTell(unread, trigger=True)
        return NotFired(
            "potassium is 5.5 to 5.9 mmol/L without potassium, a potassium-sparing diuretic or "
            "cramps",
            (level.evidence(),),
        )
    return _finding(facts, level, critical, raising)


def _finding(
    facts: Facts, level: levels.Level, critical: bool, raising: tuple[Medication, ...]
) -> Finding:
    result = level.result
    assert result is not None
    value = f"{result.reported} ({day(result)})"
    repeat = OrderTest("potassium", "verify the high result")
    early = ", preliminary" if level.preliminary else ""
    if level.stale:
        indicator = Indicator.INFO
        summary = f"Potassium was high: {value}. From {day(result)}: repeat first"
    elif critical:
        indicator = Indicator.CRITICAL
        summary = f"Severe hyperkalaemia: {value}{early}. ECG and repeat now"
    else:
        indicator = Indicator.WARNING
        summary = f"High potassium: {value}{early}. Verify, stop potassium first"
    limit = facts.limits["potassium.critical"] if critical else level.limit
    note = level.evidence().note
    return Finding(
        indicator=indicator,
        summary=headline(summary),
        advice=_advice(level, critical, raising),
        evidence=(Evidence(result, limit, note=note), *(Evidence(one) for one in raising)),
        missing=(
            *levels.unread(level.unusable, "potassium"),
            *reading.medications_unread(facts),
        ),
        strength="General medical knowledge; the limits are fixed for every laboratory.",
        suggestions=(
            (repeat,)
            if level.repeat_only
            else (repeat, OrderTest("ecg", "potassium 5.5 mmol/L or above"))
        ),
        overrides=(*FOR_TESTS, CONTRAINDICATED),
    )


def _advice(
    level: levels.Level, critical: bool, raising: tuple[Medication, ...]
) -> tuple[str, ...]:
    assert level.result is not None
    lines = []
    if level.repeat_only:
        reason = "preliminary" if level.preliminary else f"from {day(level.result)}"
        lines.append(f"The result is {reason}: repeat it before acting on it.")
        if level.stale:
            return tuple(lines)
    if critical:
        lines.append("Urgent same-day assessment with an ECG, without waiting for the repeat.")
    lines.append("Verify: haemolysis or a delayed sample? Repeat without stasis.")
    taken = f" Taken: {named(raising)}." if raising else ""
    lines.append(
        "Stop potassium supplements and salt substitutes first, then review "
        f"potassium-sparing diuretics, RAAS inhibitors and NSAIDs.{taken}"
    )
    return tuple(lines)
