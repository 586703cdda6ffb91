"""Muscle cramps in cirrhosis, especially on diuretics.

Recommendation: cramps are common in liver disease on diuretics; correct potassium and
magnesium first, consider baclofen 10 mg/day up to 30 mg/day, consider albumin 20-40 g/week,
discontinue diuretics for incapacitating cramps (article, "Cirrhosis patients on diuretics").
EASL 2018 also discontinues them for sodium below 125 mmol/L, acute kidney injury and worsening
encephalopathy, furosemide for potassium below 3.0 and mineralocorticoid antagonists above 6.0.

When: cirrhosis is documented, and a diuretic is active or cramps are documented. A warning if
potassium or magnesium is low, or with a diuretic and one of the reasons to stop it.
Then: one pathway card: reasons to stop the diuretic, what to correct, then the next steps.
Baclofen is mentioned as an option only with eGFR 60 or more and sodium 125 or more, and without
encephalopathy, pregnancy or sedatives; neither baclofen nor albumin is ever drafted.
Does not cover: cirrhosis that is only suspected; ascites of other causes; a potassium between
5.0 and 6.0 (see high-potassium, which decides there).
"""

from __future__ import annotations

from cds_service.core.facts import Kind
from cds_service.core.patient import Facts
from cds_service.core.series import Newest, Worse
from cds_service.engine.rule import (
    Answer,
    CannotTell,
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
from hooks import cramps, levels
from hooks.cirrhosis import (
    CHECKED_FIRST,
    DIURETICS,
    SEDATING,
    baclofen_advice,
    electrolytes,
    reasons_to_stop,
)
from hooks.reading import conditions_unread, medications_unread
from hooks.renal import ADVANCED, RENAL_LIMITS, renal_function, renal_headline
from hooks.windows import RECENT, YEAR
from hooks.wording import CONTRAINDICATED, FOR_ADVICE


@rule(
    id="cirrhosis-cramps",
    title="Muscle cramps in cirrhosis",
    version="2.1.2",
    changed="2026-11-28",
    tier=Tier.ALWAYS,
    references=["easl-2018", "article", "aasld-2021", "general-knowledge"],
    limits=[
        *RENAL_LIMITS,
        "magnesium.high",
        "potassium.high",
        "potassium.low",
        "potassium.urgent",
        "potassium.critical",
        "potassium.caution",
        "magnesium.low",
        "sodium.diuretic",
        "age.older",
    ],
    offers=["creatinine", "magnesium", "potassium", "sodium"],
    overrides=(*FOR_ADVICE, CONTRAINDICATED),
    needs=[
        conditions("cirrhosis"),
        conditions("ascites", "hepatic_encephalopathy", "leg_cramps", "pregnancy").optional(),
        conditions(*ADVANCED, "ckd_stage_3").optional(),
        medications(*DIURETICS).optional(),
        medications(*SEDATING, "baclofen").optional(),
        results("potassium", YEAR).optional(),
        results("magnesium", YEAR).optional(),
        results("sodium", RECENT).optional(),
        results("creatinine", YEAR).optional(),
        results("egfr", YEAR).optional(),
        orders("potassium", "magnesium", "sodium", "creatinine"),
        demographics(),
    ],
)
def cirrhosis_cramps(facts: Facts) -> Answer:
    """One pathway card for cirrhosis with a diuretic or with cramps."""
    cirrhosis = facts.conditions("cirrhosis")
    if not cirrhosis:
        if not facts.could_be_read(Kind.CONDITIONS):
            return CannotTell(
                ("whether cirrhosis is documented: not all conditions were received",)
            )
        return NotFired("cirrhosis is not documented")
    diuretics = facts.taking(*DIURETICS)
    documented = cramps.documented(facts)
    if not diuretics and not documented:
        if unread := medications_unread(facts):
            return CannotTell(("whether a diuretic is taken", *unread), trigger=True)
        if documented is None:
            return CannotTell(("whether leg cramps are documented",), trigger=True)
        return NotFired("neither a diuretic nor leg cramps are documented")
    stop = reasons_to_stop(facts, diuretics)
    electrolyte_state = electrolytes(facts)
    renal = renal_function(facts)
    checks = _checks(facts)
    return Finding(
        indicator=Indicator.WARNING
        if stop.present or electrolyte_state.recently_low
        else Indicator.INFO,
        summary=renal_headline(
            renal,
            stop.summary or _summary(bool(documented), bool(diuretics), electrolyte_state.summary),
        ),
        advice=(*stop.advice, electrolyte_state.advice),
        sections=(("Next steps", _steps(facts, bool(diuretics))),),
        evidence=(
            *(Evidence(condition) for condition in cirrhosis),
            *(Evidence(condition) for condition in facts.conditions("ascites")),
            *(Evidence(diuretic) for diuretic in diuretics),
            *stop.evidence,
            *(Evidence(condition) for condition in facts.ever("hepatic_encephalopathy")),
            *(Evidence(sedative) for sedative in facts.taking(*SEDATING, hazard=True)),
            *electrolyte_state.evidence,
            *renal.evidence(facts),
        ),
        missing=_missing(facts, checks),
        strength="The reasons to stop a diuretic are those of EASL 2018, cited second-hand. Trials "
        "of baclofen and albumin are few, small and only in cirrhosis.",
        suggestions=_suggestions(checks, electrolyte_state.preliminary),
        overrides=(*FOR_ADVICE, CONTRAINDICATED),
        reference="easl-2018" if stop.present else "article",
    )


def _summary(documented: bool, diuretic: bool, state: str) -> str:
    if documented:
        lead = "Cramps in cirrhosis on a diuretic" if diuretic else "Cramps in cirrhosis"
    else:
        lead = "Cirrhosis on a diuretic"
    return f"{lead}: {state}"


def _steps(facts: Facts, diuretic: bool) -> str:
    lines = [baclofen_advice(facts)]
    if diuretic or facts.conditions("ascites"):
        lines.append("Albumin 20–40 g/week may be considered: discuss with hepatology.")
    if diuretic or medications_unread(facts):
        lines.append("If cramps become incapacitating: discontinue diuretics.")
    else:
        lines.append("No diuretic is on the medication list.")
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


_Check = tuple[str, Newest, bool]


def _checks(facts: Facts) -> list[_Check]:
    """What is checked first, with the newest results, and whether any is of the last 30 days."""
    return [
        (analyte, facts.newest(analyte, Worse.LOW), _measured(facts, analyte))
        for analyte in CHECKED_FIRST
    ]


def _missing(facts: Facts, checks: list[_Check]) -> tuple[str, ...]:
    lines: list[str] = []
    for analyte, newest, measured in checks:
        lines.extend(levels.newer_unusable(newest.unusable, analyte))
        if not measured:
            lines.append(f"{analyte} in the last 30 days")
    return (*lines, *conditions_unread(facts), *medications_unread(facts))


def _measured(facts: Facts, analyte: str) -> bool:
    """Whether it was measured in the last 30 days; an eGFR shows that creatinine was."""
    analytes = (analyte, "egfr") if analyte == "creatinine" else (analyte,)
    return any(facts.within(facts.newest(key, Worse.LOW).result, RECENT) for key in analytes)


def _suggestions(checks: list[_Check], preliminary: frozenset[str]) -> tuple[Suggestion, ...]:
    offers: list[Suggestion] = []
    for analyte, newest, measured in checks:
        if not measured:
            offers.append(OrderTest(analyte, "none in the last 30 days"))
        elif newest.unusable:
            offers.append(OrderTest(analyte, "the newest one could not be used"))
        elif analyte in preliminary:
            offers.append(OrderTest(analyte, "repeat the preliminary result"))
    return tuple(offers)
