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
    is_treatment,
)
from hooks.renal import RenalFunction, renal_headline
from hooks.wording import CONTRAINDICATED, FOR_ADVICE, FOR_HAZARDS, PREFERENCE, day, headline, named


@rule(
    id="magnesium-in-renal-impairment",
    title="Magnesium in renal impairment",
    version="2.0.2",
    changed="2026-11-28",
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
    risk = accumulation(facts)
    taken = facts.taking("magnesium", hazard=True)
    if not taken:
        return _not_taken(facts, risk)
    supplements = tuple(medication for medication in taken if not is_treatment(medication))
    impaired = risk.renal.severe or risk.renal.moderate
    if not supplements and (impaired or risk.recently_above_range):
        return _treatment_taken(facts, risk, taken)
    if impaired or risk.recently_above_range:
        return _supplement_taken(facts, risk, supplements)
    if risk.above_range and supplements:
        return _supplement_taken_and_once_high(facts, risk, supplements)
    if risk.renal.unknown and risk.renal.results_obtained and supplements:
        return _supplement_taken_renal_function_unknown(facts, risk, supplements)
    if risk.unresolved:
        return CannotTell(
            risk.unresolved, (*risk.renal.unusable, *risk.level.unusable), trigger=True
        )
    return NotFired(
        "renal function is not impaired and magnesium is not above range",
        risk.evidence(facts),
    )


def _treatment_taken(facts: Facts, risk: Accumulation, taken: tuple[Medication, ...]) -> Finding:
    return Finding(
        indicator=Indicator.CRITICAL if risk.toxic else Indicator.WARNING,
        summary=renal_headline(
            risk.renal,
            f"Magnesium treatment, {risk.phrase()}: "
            + ("act now" if risk.toxic else "levels, reflexes, urine output"),
        ),
        advice=(
            TOXIC + SIGNS if risk.toxic else "Therapy in progress. " + WATCH,
            f"On the list: {named(taken)}.",
        ),
        evidence=(*(Evidence(medication) for medication in taken), *risk.evidence(facts)),
        missing=risk.missing(),
        strength=STRENGTH,
        suggestions=(
            OrderTest("magnesium", "level under treatment"),
            OrderTest("creatinine", "renal function under treatment"),
        ),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _severity(facts: Facts, risk: Accumulation) -> Indicator:
    """The severity of the card for a supplement."""
    if risk.deficit is not None:
        return Indicator.WARNING
    if risk.renal.severe or risk.reaches(facts, "magnesium.critical"):
        return Indicator.CRITICAL
    if risk.renal.moderate or not risk.renal.fresh_normal:
        return Indicator.WARNING
    if risk.reaches(facts, "magnesium.mild", count_doubtful=True):
        return Indicator.WARNING
    return Indicator.INFO


def _supplement_taken(
    facts: Facts, risk: Accumulation, supplements: tuple[Medication, ...]
) -> Finding:
    indicator = _severity(facts, risk)
    impaired = risk.renal.severe or risk.renal.moderate
    advice = []
    if risk.repeats:
        advice.append("The result is preliminary: repeat it before acting on it.")
    if risk.level.result is not None and risk.recently_above_range:
        advice += levels.sample_words(risk.level.result)
    if risk.deficit is not None:
        action = "correct it with specialist advice"
        advice.append(
            f"Magnesium is low nevertheless ({risk.deficit.reported}): whether to stop it "
            "and how to correct the deficiency should be decided together, with specialist advice."
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
        advice.append("Magnesium is above range: recheck it, and reduce or stop the magnesium.")
    else:
        action = "monitor"
        advice.append(
            "Monitor magnesium and creatinine, and stop magnesium that has no documented reason."
        )
    advice.append(f"Magnesium on the list: {named(supplements)}.")
    if impaired and risk.deficit is None:
        advice.append("In renal insufficiency magnesium can accumulate to toxic levels.")
    tests = risk.repeats or ("magnesium", "creatinine")
    return Finding(
        indicator=indicator,
        summary=renal_headline(risk.renal, f"On magnesium, {risk.phrase()}: {action}"),
        advice=tuple(advice),
        evidence=(*(Evidence(supplement) for supplement in supplements), *risk.evidence(facts)),
        missing=risk.missing(),
        strength=STRENGTH,
        suggestions=tuple(OrderTest(key, "monitoring while on magnesium") for key in tests),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _supplement_taken_and_once_high(
    facts: Facts, risk: Accumulation, supplements: tuple[Medication, ...]
) -> Finding:
    result = risk.level.result
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
        evidence=(*(Evidence(supplement) for supplement in supplements), *risk.evidence(facts)),
        missing=risk.missing(),
        strength=STRENGTH,
        suggestions=(OrderTest("magnesium", "repeat the high result"),),
        overrides=FOR_HAZARDS,
    )


def _supplement_taken_renal_function_unknown(
    facts: Facts, risk: Accumulation, supplements: tuple[Medication, ...]
) -> Finding:
    return Finding(
        indicator=Indicator.INFO,
        summary=headline("On magnesium, renal function not known: check creatinine"),
        advice=(
            f"Magnesium on the list: {named(supplements)}. It accumulates in renal "
            "insufficiency, and there is no usable renal function from the last 12 months.",
        ),
        evidence=(*(Evidence(supplement) for supplement in supplements), *risk.evidence(facts)),
        missing=risk.missing(),
        strength=STRENGTH,
        suggestions=(OrderTest("creatinine", "renal function while on magnesium"),),
        overrides=FOR_HAZARDS,
    )


def _not_taken(facts: Facts, risk: Accumulation) -> Answer:
    if risk.reaches(facts, "magnesium.critical"):
        return _of_unknown_source(facts, risk)
    advanced = _advanced_chronic(facts, risk.renal)
    unread = reading.medications_unread(facts)
    if unread:
        return CannotTell(unread, trigger=risk.renal.severe or risk.recently_above_range)
    documented = cramps.documented(facts)
    if documented is None:
        return CannotTell(reading.conditions_unread(facts))
    if not documented or not advanced:
        return NotFired("no magnesium is on the medication list")
    tests = []
    if not risk.level.checked:
        tests.append(OrderTest("magnesium", "magnesium in advanced renal impairment"))
    if risk.renal.egfr is None or risk.renal.stale:
        tests.append(OrderTest("creatinine", "renal function is not recent"))
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Leg cramps with {risk.renal.phrase()}: advise against over-the-counter magnesium"
        ),
        advice=(
            "Many people take magnesium for cramps without mentioning it. In advanced renal "
            "impairment it can accumulate to toxic levels: ask about supplements, antacids and "
            "laxatives that contain it, and advise against them.",
        ),
        evidence=risk.evidence(facts),
        missing=risk.missing(),
        strength=STRENGTH,
        suggestions=tuple(tests),
        overrides=FOR_ADVICE,
    )


def _of_unknown_source(facts: Facts, risk: Accumulation) -> Finding:
    """A dangerously high magnesium, although none is on the list: it has some source."""
    result = risk.level.result
    assert result is not None  # it reaches a limit
    repeat_now = "The result is preliminary: repeat it now. " if risk.level.preliminary else ""
    return Finding(
        indicator=Indicator.WARNING if risk.level.preliminary else Indicator.CRITICAL,
        summary=renal_headline(
            risk.renal, f"Magnesium {result.reported} ({day(result)}) is high: find its source"
        ),
        advice=(
            f"{repeat_now}No magnesium is known to be taken: ask about laxatives, antacids, "
            "enemas, supplements and infusions, and stop them. " + SIGNS,
        ),
        evidence=risk.evidence(facts),
        missing=(*risk.missing(), *reading.medications_unread(facts)),
        strength=STRENGTH,
        suggestions=(
            OrderTest("magnesium", "repeat the high result"),
            OrderTest("creatinine", "renal function in high magnesium"),
        ),
        overrides=(*FOR_HAZARDS, CONTRAINDICATED),
    )


def _advanced_chronic(facts: Facts, renal: RenalFunction) -> bool:
    if facts.hazards("ckd_stage_4_5", "dialysis"):
        return True
    return renal.egfr is not None and (renal.egfr.below(facts.limits.value("egfr.severe")) is True)
