"""Muscle cramps in cirrhosis, above all on diuretics.

Recommendation: cramps are common in liver disease on diuretics; correct potassium and
magnesium first, consider baclofen 10 mg/day up to 30 mg/day, consider albumin 20-40 g/week,
stop diuretics for incapacitating cramps (article, "Cirrhosis patients on diuretics").

When: cirrhosis is documented, and a diuretic is active or cramps are documented. Warning when
potassium or magnesium is low.
Then: one pathway card in four steps. Baclofen is only named where eGFR is 60 or more, without
encephalopathy or sedatives; neither baclofen nor albumin is ever drafted.
Does not cover: cirrhosis that is only suspected; ascites of other causes.
"""

from __future__ import annotations

from cds_service.core.facts import Kind, Medication, Result
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
    Suggestion,
    Tier,
    conditions,
    demographics,
    medications,
    orders,
    results,
    rule,
)
from cds_service.core.series import Worse
from hooks import cramps, levels
from hooks.reading import conditions_unread, medications_unread
from hooks.renal import renal
from hooks.windows import ACT, YEAR
from hooks.wording import CONTRAINDICATED, FOR_ADVICE, day, headline, named

DIURETICS = ("diuretic_loop", "diuretic_thiazide", "diuretic_potassium_sparing")
CHECKED_FIRST = ("potassium", "magnesium", "sodium", "creatinine")
SEDATING = ("sedative", "opioid", "gabapentinoid")


@rule(
    id="cirrhosis-cramps",
    title="Muscle cramps in cirrhosis",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.ALWAYS,
    references=["article", "general-knowledge"],
    limits=["potassium.low", "magnesium.low", "egfr.moderate", "age.older"],
    needs=[
        conditions("cirrhosis"),
        conditions("ascites", "hepatic_encephalopathy", "leg_cramps").optional(),
        medications(*DIURETICS).optional(),
        medications(*SEDATING, "baclofen").optional(),
        results("potassium", YEAR).optional(),
        results("magnesium", YEAR).optional(),
        results("sodium", ACT).optional(),
        results("creatinine", YEAR).optional(),
        results("egfr", YEAR).optional(),
        orders("potassium", "magnesium", "sodium", "creatinine"),
        demographics(),
    ],
)
def cirrhosis_cramps(facts: Facts) -> Answer:
    """One pathway card for cirrhosis with a diuretic or with cramps."""
    found = facts.conditions("cirrhosis")
    if not found:
        if not facts.availability(Kind.CONDITIONS).whole:
            return CannotTell(("whether cirrhosis is documented: not all conditions came",))
        return NotFired("cirrhosis is not documented")
    diuretics = facts.taking(*DIURETICS)
    documented = cramps.documented(facts)
    if not diuretics and not documented:
        if unread := medications_unread(facts):
            return CannotTell(("whether a diuretic is taken", *unread), trigger=True)
        if documented is None:
            return CannotTell(("whether leg cramps are documented",), trigger=True)
        return NotFired("neither a diuretic nor leg cramps are documented")
    both = (levels.low(facts, "potassium"), levels.low(facts, "magnesium"))
    low = [level for level in both if level.beyond is True]
    pressing = any(not level.stale for level in low)
    return Finding(
        indicator=Indicator.WARNING if pressing else Indicator.INFO,
        summary=headline(_summary(bool(documented), bool(diuretics), pressing)),
        advice=(
            _first(facts, low),
            _baclofen(facts),
            *_albumin(facts, bool(diuretics)),
            _diuretic(bool(diuretics), bool(medications_unread(facts))),
        ),
        evidence=(
            *(Evidence(one) for one in found),
            *(Evidence(one) for one in facts.conditions("ascites")),
            *(Evidence(one) for one in diuretics),
            *(Evidence(one) for one in facts.ever("hepatic_encephalopathy")),
            *(Evidence(one) for one in _sedating(facts)),
            *(level.evidence() for level in low),
            *renal(facts).evidence(facts),
        ),
        missing=_missing(facts),
        strength="Trial evidence for baclofen and albumin is small and from cirrhosis only.",
        suggestions=_suggestions(facts, {one.analyte.key for one in both if one.preliminary}),
        overrides=(*FOR_ADVICE, CONTRAINDICATED),
    )


def _summary(documented: bool, diuretic: bool, pressing: bool) -> str:
    lead = "Cramps in cirrhosis" if documented else "Cirrhosis on a diuretic: cramps are common"
    if pressing:
        return f"{lead}: correct the low potassium or magnesium first"
    if documented and diuretic:
        return f"{lead} on a diuretic: check potassium and magnesium first, then the next steps"
    return f"{lead}: check potassium and magnesium first, then the next steps"


def _first(facts: Facts, low: list[levels.Level]) -> str:
    kidney = f", carefully: {renal(facts).phrase()}" if renal(facts).severe else ""
    text = f"1. Correct potassium and magnesium first{kidney}"
    values = [_value(level.result, level) for level in low if level.result is not None]
    return f"{text} (low: {', '.join(values)})." if values else f"{text}, where they are low."


def _value(result: Result, level: levels.Level) -> str:
    value = f"{result.analyte.name.lower()} {result.reported}"
    if level.preliminary:
        return f"{value}, preliminary: repeat first"
    return f"{value} from {day(result)}: repeat first" if level.stale else value


def _baclofen(facts: Facts) -> str:
    taken = facts.taking("baclofen", hazard=True)
    stop = " It is taken: review it, but never stop it abruptly." if taken else ""
    function = renal(facts)
    if past := facts.ever("hepatic_encephalopathy"):
        return f"2. Baclofen is not advised: {named(past)}.{stop}"
    if function.severe or function.moderate:
        return f"2. Baclofen is not advised: {function.phrase()}.{stop}"
    if sedating := _sedating(facts):
        return f"2. Baclofen is not advised together with {named(sedating)}.{stop}"
    if conditions_unread(facts):
        return f"2. Baclofen is not named as an option: the problem list could not be read.{stop}"
    if medications_unread(facts):
        return f"2. Baclofen is not named as an option: medications could not be read.{stop}"
    if not function.fresh_normal:
        return (
            "2. Baclofen is not named as an option: renal function is not known to be normal "
            f"within 90 days.{stop}"
        )
    older = facts.age is not None and facts.age >= facts.limits.value("age.older")
    falls = " Sedation and falls weigh more from 65 years on." if older else ""
    return (
        "2. An option for the clinician to weigh: baclofen 10 mg/day, weekly steps of 10 mg to "
        f"30 mg/day; watch for sedation and encephalopathy.{falls}"
    )


def _sedating(facts: Facts) -> tuple[Medication, ...]:
    return (*facts.taking(*SEDATING, hazard=True), *facts.drafted(*SEDATING))


def _albumin(facts: Facts, diuretic: bool) -> tuple[str, ...]:
    if not diuretic and not facts.conditions("ascites"):
        return ()
    return ("3. Albumin 20–40 g/week may be considered: discuss with hepatology.",)


def _diuretic(taken: bool, unread: bool) -> str:
    if not taken and not unread:
        return "4. No diuretic is on the medication list."
    return (
        "4. Incapacitating cramps: reducing or stopping the diuretic is a decision for the "
        "clinician; never automatic."
    )


def _missing(facts: Facts) -> tuple[str, ...]:
    lines: list[str] = []
    for analyte in CHECKED_FIRST:
        newest = facts.newest(analyte, Worse.LOW)
        lines.extend(levels.unread(newest.unusable, analyte))
        if not facts.within(newest.result, ACT):
            lines.append(f"{analyte} in the last 30 days")
    return (*lines, *conditions_unread(facts), *medications_unread(facts))


def _suggestions(facts: Facts, early: set[str]) -> tuple[Suggestion, ...]:
    offers: list[Suggestion] = []
    for analyte in CHECKED_FIRST:
        newest = facts.newest(analyte, Worse.LOW)
        if not facts.within(newest.result, ACT):
            offers.append(OrderTest(analyte, "none in the last 30 days"))
        elif newest.unusable:
            offers.append(OrderTest(analyte, "the newest one could not be used"))
        elif analyte in early:
            offers.append(OrderTest(analyte, "repeat the early result"))
    return tuple(offers)
