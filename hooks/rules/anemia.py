"""Anaemia in the blood count.

Recommendation: a complete blood count looks for anaemia, which may contribute to symptoms
(article, "Laboratory evaluation").

When: newest haemoglobin of 12 months below 13 g/dL in men, 12 in women and where the sex is
unknown, 11 in pregnancy.
Then: the value; offers ferritin and transferrin saturation where none is fresh; names the
platelets where the patient takes quinine.
Does not cover: the cause of anaemia, children.
"""

from __future__ import annotations

from cds_service.core.facts import Condition, Kind, Result
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
from hooks.levels import unread
from hooks.windows import IRON, YEAR
from hooks.wording import FOR_TESTS, day, headline


@rule(
    id="anemia",
    title="Anaemia in the blood count",
    version="1.0.0",
    changed="2026-11-23",
    service=Service.PATIENT_VIEW,
    tier=Tier.ALWAYS,
    references=["article", "who-anaemia"],
    limits=["hemoglobin.men", "hemoglobin.women", "hemoglobin.pregnant"],
    needs=[
        results("hemoglobin", YEAR),
        results("ferritin", IRON).optional(),
        results("transferrin_saturation", IRON).optional(),
        results("platelets", YEAR).optional(),
        conditions("pregnancy").optional(),
        medications("quinine").optional(),
        orders("hemoglobin", "ferritin", "transferrin_saturation"),
        demographics().optional(),
    ],
)
def anemia(facts: Facts) -> Answer:
    """Haemoglobin below the limit for sex and pregnancy."""
    newest = facts.newest("hemoglobin", Worse.LOW)
    limit = facts.limits[_limit_key(facts)]
    result = newest.result if facts.within(newest.result, YEAR) else None
    early = newest.preliminary if facts.within(newest.preliminary, YEAR) else None
    settled = result is not None and result.below(limit.value) is True
    if early is not None and not settled and early.below(limit.value) is True:
        result = early
    if result is None:
        missing = unread(newest.unusable, "haemoglobin")
        return CannotTell(missing or ("no haemoglobin in the last 12 months",), newest.unusable)
    low = result.below(limit.value)
    if low is None:
        return CannotTell((f"haemoglobin {result.reported} does not say whether it is low",))
    if not low:
        if newest.unusable:
            return CannotTell(unread(newest.unusable, "haemoglobin"), newest.unusable)
        return NotFired("haemoglobin is not below its limit", (Evidence(result, limit),))
    early_words = ", preliminary" if result.preliminary else ""
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(
            f"Haemoglobin low: {result.reported} ({day(result)}){early_words}; anaemia may "
            "contribute to symptoms"
        ),
        advice=_advice(facts, result),
        evidence=(
            Evidence(result, limit, note="preliminary" if result.preliminary else ""),
            *(Evidence(one) for one in _pregnancy(facts)),
            *(Evidence(one) for one in facts.taking("quinine", hazard=True)),
            *_platelets(facts),
        ),
        missing=(*unread(newest.unusable, "haemoglobin"), *_unchecked(facts)),
        strength="The article names anaemia as a possible contributor; the limits are WHO's, from "
        "general knowledge.",
        suggestions=_suggestions(facts, result),
        overrides=FOR_TESTS,
    )


def _limit_key(facts: Facts) -> str:
    if facts.patient.sex == "male":
        return "hemoglobin.men"
    # Only a documented pregnancy: a suspected one must not clear a value that is low in women.
    return "hemoglobin.pregnant" if facts.conditions("pregnancy") else "hemoglobin.women"


def _advice(facts: Facts, result: Result) -> tuple[str, ...]:
    if result.preliminary:
        return ("The result is preliminary: repeat it before acting on it.",)
    lines = [
        "Anaemia may contribute to leg symptoms: look for its cause; iron deficiency is the "
        "commonest."
    ]
    if facts.taking("quinine", hazard=True):
        lines.append(
            "The patient takes quinine, which can lower platelets and destroy red cells: look at "
            "the platelets in the same count."
        )
    return tuple(lines)


def _platelets(facts: Facts) -> tuple[Evidence, ...]:
    if not facts.taking("quinine", hazard=True):
        return ()
    platelets = facts.newest("platelets", Worse.LOW).result
    if platelets is None or not facts.within(platelets, YEAR):
        return ()
    return (Evidence(platelets),)


def _pregnancy(facts: Facts) -> tuple[Condition, ...]:
    return () if facts.patient.sex == "male" else facts.conditions("pregnancy")


def _unchecked(facts: Facts) -> tuple[str, ...]:
    lines = []
    if not facts.patient.sex:
        lines.append("sex: the limit for women was used")
    if facts.patient.sex != "male" and not facts.availability(Kind.CONDITIONS).whole:
        lines.append("pregnancy: the problem list could not be checked")
    if facts.taking("quinine", hazard=True) and not _platelets(facts):
        lines.append("platelets in the last 12 months, of a patient who takes quinine")
    return tuple(lines)


def _suggestions(facts: Facts, result: Result) -> tuple[Suggestion, ...]:
    if result.preliminary:
        return (OrderTest("cbc", "repeat the early result", ("hemoglobin",)),)
    offers: list[Suggestion] = []
    for analyte in ("ferritin", "transferrin_saturation"):
        newest = facts.newest(analyte, Worse.LOW).result
        if newest is None or not facts.within(newest, IRON):
            offers.append(OrderTest(analyte, "iron deficiency is the commonest cause"))
    return tuple(offers)
