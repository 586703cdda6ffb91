"""A diuretic ordered for a patient with leg cramps.

Recommendation: in cirrhosis patients on diuretics, low potassium and magnesium are corrected
first, and diuretics are discontinued when incapacitating cramps develop (article, "Cirrhosis
patients on diuretics"); certain drugs worsen cramps (article, "Common pitfalls").

When: a selected draft orders a diuretic, cramps are documented, and there is cirrhosis, or
potassium or magnesium is low (warning), or not checked for 30 days (info).
Then: correct first; the tests that are missing; in cirrhosis with incapacitating cramps rather
stop a diuretic than add one.
Does not cover: high potassium and potassium-sparing diuretics (see potassium-ordered-hazard).
"""

from __future__ import annotations

from cds_service.core.facts import Kind
from cds_service.core.patient import Facts
from cds_service.core.records import record
from cds_service.core.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Service,
    Suggestion,
    Tier,
    conditions,
    medications,
    orders,
    results,
    rule,
)
from cds_service.core.series import Worse
from hooks import cramps, levels
from hooks.cirrhosis import DIURETICS
from hooks.reading import conditions_unread, results_unread
from hooks.windows import ACT, YEAR
from hooks.wording import FOR_TESTS, day, headline, named


@rule(
    id="diuretic-ordered-with-cramps",
    title="Diuretic ordered for a patient with cramps",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.ORDER_SELECT,
    tier=Tier.ALWAYS,
    references=["article", "sequence-symmetry-2012"],
    limits=["potassium.low", "magnesium.low"],
    judges=DIURETICS,
    needs=[
        conditions(cramps.LEG_CRAMPS, "cirrhosis").optional(),
        results("potassium", YEAR).optional(),
        results("magnesium", YEAR).optional(),
        medications(*DIURETICS).optional(),
        orders("potassium", "magnesium"),
    ],
)
def diuretic_ordered_with_cramps(facts: Facts) -> Answer:
    """Potassium and magnesium are corrected before a diuretic is added to cramps."""
    documented = cramps.documented(facts)
    if documented is None:
        return CannotTell(conditions_unread(facts), trigger=True)
    if not documented:
        return NotFired("leg cramps are not documented")
    cirrhosis = facts.conditions("cirrhosis")
    electrolytes = tuple(_electrolyte(facts, analyte) for analyte in ("potassium", "magnesium"))
    low = tuple(one for one in electrolytes if one.low)
    unchecked = tuple(one for one in electrolytes if not one.low and not one.checked)
    unread = (*conditions_unread(facts), *results_unread(facts))
    evidence = tuple(line for one in electrolytes for line in one.evidence)
    if not cirrhosis and not low:
        if unchecked and results_unread(facts):
            problems = tuple(problem for one in unchecked for problem in one.level.unusable)
            return CannotTell(unread, problems, trigger=True, evidence=evidence)
        if not unchecked:
            if unread:
                return CannotTell(unread, trigger=True, evidence=evidence)
            return NotFired("potassium and magnesium are checked and not low", evidence)
    drafts = tuple(
        one for one in facts.drafts.selected_medications if not one.classes.isdisjoint(DIURETICS)
    )
    return Finding(
        indicator=Indicator.WARNING if cirrhosis or low else Indicator.INFO,
        summary=_summary(low, unchecked, bool(cirrhosis)),
        advice=_advice(facts, low, unchecked, bool(cirrhosis)),
        evidence=(
            *(Evidence(one) for one in drafts),
            *cramps.evidence(facts),
            *(Evidence(one) for one in cirrhosis),
            *evidence,
        ),
        missing=(*unread, *(line for one in unchecked for line in one.missing)),
        strength="Correcting a documented deficiency is established practice; that a diuretic "
        "worsens cramps rests on associations and, in cirrhosis, on experience.",
        suggestions=_tests(low, unchecked, bool(cirrhosis)),
        overrides=FOR_TESTS,
    )


@record
class _Electrolyte:
    """Potassium or magnesium: low now, or known to be checked within 30 days, or neither."""

    name: str
    level: levels.Level
    low: bool
    checked: bool
    evidence: tuple[Evidence, ...]
    missing: tuple[str, ...]


def _electrolyte(facts: Facts, analyte: str) -> _Electrolyte:
    level = levels.low(facts, analyte)
    final = facts.newest(analyte, Worse.LOW).result
    recent = facts.within(final, ACT)
    missing = list(levels.unread(level.unusable, analyte))
    if level.result is not None and level.beyond is None:
        missing.extend(levels.undecided(level))
    if not recent and facts.obtained(Kind.RESULTS):
        missing.append(f"{analyte} in the last 30 days{_before(level)}")
    return _Electrolyte(
        name=analyte,
        level=level,
        low=level.beyond is True and not level.stale,
        checked=recent and level.beyond is False and not level.unusable,
        evidence=() if level.result is None else (level.evidence(),),
        missing=tuple(missing),
    )


def _before(level: levels.Level) -> str:
    if level.result is None:
        return ""
    low = ", low then" if level.beyond else ""
    return f" (last {level.result.reported} on {day(level.result)}{low})"


def _summary(
    low: tuple[_Electrolyte, ...], unchecked: tuple[_Electrolyte, ...], cirrhosis: bool
) -> str:
    where = " in cirrhosis" if cirrhosis else ""
    if low:
        values = " and ".join(
            f"{one.name} {one.level.result.reported}"
            + (" (preliminary)" if one.level.preliminary else "")
            for one in low
            if one.level.result is not None
        )
        return headline(f"Diuretic ordered, cramps documented{where}: low {values}. Correct first")
    if unchecked:
        names = " and ".join(one.name for one in unchecked)
        return headline(f"Diuretic ordered, cramps documented{where}: check {names} first")
    return headline(f"Diuretic ordered, cramps documented{where}: weigh stopping against adding")


def _advice(
    facts: Facts,
    low: tuple[_Electrolyte, ...],
    unchecked: tuple[_Electrolyte, ...],
    cirrhosis: bool,
) -> tuple[str, ...]:
    lines = []
    if any(one.level.preliminary for one in low):
        lines.append("A low result is preliminary: repeat it before acting on it.")
    if low:
        names = " and ".join(one.name for one in low)
        lines.append(f"Correct the deficiency of {names} before the diuretic is added.")
    if unchecked:
        names = " and ".join(one.name for one in unchecked)
        lines.append(f"Check {names} before the diuretic is added: not known for 30 days.")
    if cirrhosis:
        severe = cramps.persistent(facts)
        lines.append(
            "In cirrhosis, incapacitating cramps are a reason to reduce or stop a diuretic rather "
            "than to add one" + (f"; the cramps are {severe}." if severe else ".")
        )
        if taken := facts.taking(*DIURETICS):
            lines.append(f"Already active: {named(taken)}.")
    return tuple(lines)


def _tests(
    low: tuple[_Electrolyte, ...], unchecked: tuple[_Electrolyte, ...], cirrhosis: bool
) -> tuple[Suggestion, ...]:
    early = [one for one in low if one.level.preliminary]
    if early and len(early) == len(low) and not cirrhosis:
        return tuple(OrderTest(one.name, "repeat the preliminary result") for one in early)
    return (
        *(OrderTest(one.name, "repeat the low result") for one in low),
        *(OrderTest(one.name, "not checked for 30 days") for one in unchecked),
    )
