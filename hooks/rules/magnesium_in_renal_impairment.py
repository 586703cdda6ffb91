"""Magnesium on the medication list in renal impairment.

Recommendation: extreme caution with magnesium in renal insufficiency, because it can
accumulate to toxic levels (article, "Electrolyte correction").

When: magnesium of any kind (supplement, antacid, laxative, infusion) is on the medication
list, and renal function is impaired or unknown, or serum magnesium is above range. A supplement
in advanced disease (eGFR below 30, CKD 4-5, dialysis, AKI), or with a magnesium of 2.0 mmol/L or
more: critical; with eGFR 30-59, CKD 3 or a milder high magnesium: warning (info below 1.5 with
normal renal function); with a recent low magnesium never more than a warning. A magnesium of 2.0
mmol/L or more with none on the list: critical, find its source. Advanced chronic kidney disease
with cramps and no magnesium: advice on over-the-counter products.
Treatment: parenteral magnesium, or magnesium for eclampsia, pre-eclampsia, torsades, another
arrhythmia or severe asthma: the card never says to stop it, and is at most a warning up to
3.5 mmol/L.
Then: why; offers magnesium and creatinine.
Does not cover: treatment of magnesium toxicity; how to dose magnesium in renal impairment.
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
    medications,
    rule,
)
from hooks import cramps, levels, reading
from hooks.magnesium import (
    LIMITS,
    NEEDS,
    REFERENCES,
    SIGNS,
    STRENGTH,
    TOXIC,
    WATCH,
    Accumulation,
    accumulation,
    treats,
)
from hooks.renal import Renal, kidney_headline
from hooks.wording import CONTRAINDICATED, FOR_ADVICE, FOR_HAZARDS, PREFERENCE, day, headline, named


@rule(
    id="magnesium-in-renal-impairment",
    title="Magnesium in renal impairment",
    version="2.0.1",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=REFERENCES,
    limits=LIMITS,
    minors=True,
    offers=["creatinine", "magnesium"],
    overrides=(*FOR_HAZARDS, PREFERENCE, CONTRAINDICATED),
    needs=[*NEEDS, medications("magnesium").optional(), conditions(cramps.LEG_CRAMPS).optional()],
)
def magnesium_in_renal_impairment(facts: Facts) -> Answer:
    """Magnesium on the medication list accumulates in renal impairment."""
    danger = accumulation(facts)
    taken = facts.taking("magnesium", hazard=True)
    if not taken:
        return _without(facts, danger)
    supplements = tuple(one for one in taken if not treats(one))
    impaired = danger.function.severe or danger.function.moderate
    if not supplements and (impaired or danger.urgent):
        return _treated(facts, danger, taken)
    if impaired or danger.urgent:
        return _taken(facts, danger, supplements)
    if danger.high and supplements:
        return _taken_and_once_high(facts, danger, supplements)
    if danger.function.unknown and danger.function.fetched and supplements:
        return _taken_unchecked(facts, danger, supplements)
    if danger.open:
        return CannotTell(
            danger.open, (*danger.function.unusable, *danger.level.unusable), trigger=True
        )
    return NotFired(
        "renal function is not impaired and magnesium is not above range",
        danger.evidence(facts),
    )


def _treated(facts: Facts, danger: Accumulation, taken: tuple[Medication, ...]) -> Finding:
    return Finding(
        indicator=Indicator.CRITICAL if danger.toxic else Indicator.WARNING,
        summary=kidney_headline(
            danger.function,
            f"Magnesium treatment, {danger.because()}: "
            + ("act now" if danger.toxic else "levels, reflexes, urine output"),
        ),
        advice=(
            TOXIC + SIGNS if danger.toxic else "Therapy in progress. " + WATCH,
            f"On the list: {named(taken)}.",
        ),
        evidence=(*(Evidence(one) for one in taken), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=STRENGTH,
        suggestions=(
            OrderTest("magnesium", "level under treatment"),
            OrderTest("creatinine", "renal function under treatment"),
        ),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _graded(facts: Facts, danger: Accumulation) -> Indicator:
    """The severity of the card for a supplement."""
    if danger.deficit is not None:
        return Indicator.WARNING
    if danger.function.severe or danger.reaches(facts, "magnesium.critical"):
        return Indicator.CRITICAL
    if danger.function.moderate or not danger.function.fresh_normal:
        return Indicator.WARNING
    if danger.reaches(facts, "magnesium.mild", doubtful=True):
        return Indicator.WARNING
    return Indicator.INFO


def _taken(facts: Facts, danger: Accumulation, supplements: tuple[Medication, ...]) -> Finding:
    indicator = _graded(facts, danger)
    impaired = danger.function.severe or danger.function.moderate
    advice = []
    if danger.repeats:
        advice.append("The result is preliminary: repeat it before acting on it.")
    if danger.level.result is not None and danger.urgent:
        advice += levels.sample_words(danger.level.result)
    if danger.deficit is not None:
        action = "correct it with specialist advice"
        advice.append(
            f"Magnesium is low nevertheless ({danger.deficit.reported}): whether to stop "
            "it and how to correct the deficiency is one decision, with specialist advice."
        )
    elif indicator is Indicator.CRITICAL:
        action = "toxic accumulation possible" if impaired else "stop it and recheck"
        advice.append(
            "Review today whether it is still needed; check magnesium and creatinine. " + SIGNS
            if impaired
            else "Stop it today; check magnesium and creatinine. " + SIGNS
        )
    elif not impaired:
        action = "recheck, less or none"
        advice.append("Magnesium is above range: recheck it, and give less or none.")
    else:
        action = "monitor"
        advice.append(
            "Monitor magnesium and creatinine, and stop magnesium that has no documented reason."
        )
    advice.append(f"Magnesium on the list: {named(supplements)}.")
    if impaired and danger.deficit is None:
        advice.append("In renal insufficiency magnesium can accumulate to toxic levels.")
    tests = danger.repeats or ("magnesium", "creatinine")
    return Finding(
        indicator=indicator,
        summary=kidney_headline(danger.function, f"On magnesium, {danger.because()}: {action}"),
        advice=tuple(advice),
        evidence=(*(Evidence(one) for one in supplements), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=STRENGTH,
        suggestions=tuple(OrderTest(key, "monitoring while on magnesium") for key in tests),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _taken_and_once_high(
    facts: Facts, danger: Accumulation, supplements: tuple[Medication, ...]
) -> Finding:
    result = danger.level.result
    assert result is not None  # a level above range exists
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"On magnesium, level was high, {result.reported} from {day(result)}: repeat first"
        ),
        advice=(
            f"Magnesium on the list: {named(supplements)}. The result above range is from "
            f"{day(result)}: repeat it before acting on it.",
        ),
        evidence=(*(Evidence(one) for one in supplements), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=STRENGTH,
        suggestions=(OrderTest("magnesium", "repeat the high result"),),
        overrides=FOR_HAZARDS,
    )


def _taken_unchecked(
    facts: Facts, danger: Accumulation, supplements: tuple[Medication, ...]
) -> Finding:
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("On magnesium, renal function not known: check creatinine"),
        advice=(
            f"Magnesium on the list: {named(supplements)}. It accumulates in renal "
            "insufficiency, and no usable renal function from the last 12 months is known.",
        ),
        evidence=(*(Evidence(one) for one in supplements), *danger.evidence(facts)),
        missing=danger.missing(),
        strength=STRENGTH,
        suggestions=(OrderTest("creatinine", "renal function while on magnesium"),),
        overrides=FOR_HAZARDS,
    )


def _without(facts: Facts, danger: Accumulation) -> Answer:
    if danger.reaches(facts, "magnesium.critical"):
        return _of_unknown_source(facts, danger)
    advanced = _advanced_chronic(facts, danger.function)
    unread = reading.medications_unread(facts)
    if unread:
        return CannotTell(unread, trigger=danger.function.severe or danger.urgent)
    documented = cramps.documented(facts)
    if documented is None:
        return CannotTell(reading.conditions_unread(facts))
    if not documented or not advanced:
        return NotFired("no magnesium is on the medication list")
    tests = []
    if not danger.level.checked:
        tests.append(OrderTest("magnesium", "magnesium in advanced renal impairment"))
    if danger.function.egfr is None or danger.function.stale:
        tests.append(OrderTest("creatinine", "renal function is not recent"))
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Leg cramps with {danger.function.phrase()}: advise against over-the-counter magnesium"
        ),
        advice=(
            "Many people take magnesium for cramps without mentioning it. In advanced renal "
            "impairment it can accumulate to toxic levels: ask about supplements, antacids and "
            "laxatives that contain it, and advise against them.",
        ),
        evidence=danger.evidence(facts),
        missing=danger.missing(),
        strength=STRENGTH,
        suggestions=tuple(tests),
        overrides=FOR_ADVICE,
    )


def _of_unknown_source(facts: Facts, danger: Accumulation) -> Finding:
    """A dangerously high magnesium, although none is on the list: it has some source."""
    result = danger.level.result
    assert result is not None  # it reaches a limit
    early = "The result is preliminary: repeat it now. " if danger.level.preliminary else ""
    return Finding(
        indicator=Indicator.WARNING if danger.level.preliminary else Indicator.CRITICAL,
        summary=kidney_headline(
            danger.function, f"Magnesium {result.reported} ({day(result)}) is high: find its source"
        ),
        advice=(
            f"{early}No magnesium is known to be taken: ask about laxatives, antacids, enemas, "
            "supplements and infusions, and stop them. " + SIGNS,
        ),
        evidence=danger.evidence(facts),
        missing=(*danger.missing(), *reading.medications_unread(facts)),
        strength=STRENGTH,
        suggestions=(
            OrderTest("magnesium", "repeat the high result"),
            OrderTest("creatinine", "renal function in high magnesium"),
        ),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _advanced_chronic(facts: Facts, function: Renal) -> bool:
    if facts.hazards("ckd_stage_4_5", "dialysis"):
        return True
    return function.egfr is not None and (
        function.egfr.below(facts.limits.value("egfr.severe")) is True
    )
