"""The parts of the initial laboratory workup of leg cramps that are missing.

Recommendation: potassium, magnesium and a complete blood count in a patient with cramps;
nothing more extensive without a specific finding (article, "Laboratory Evaluation").

When: cramps are documented, and there is no usable potassium or magnesium in 90 days, or no
blood count in 12 months.
Then: what is missing, each as its own order.
Does not cover: ferritin (measured only with restless legs) and what other rules ask for.
"""

from __future__ import annotations

from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Tier,
    conditions,
    orders,
    performed,
    results,
    rule,
)
from hooks import cramps, levels, reading
from hooks.windows import ORDERED, YEAR
from hooks.wording import FOR_TESTS, TOO_COSTLY, headline


@rule(
    id="electrolytes-not-checked",
    title="Initial workup of cramps not complete",
    version="1.0.3",
    changed="2026-11-28",
    tier=Tier.COMPLAINT,
    references=["article"],
    offers=["cbc", "magnesium", "potassium"],
    overrides=(*FOR_TESTS, TOO_COSTLY),
    limits=["magnesium.low", "potassium.low"],
    needs=[
        results("potassium", YEAR),
        results("magnesium", YEAR),
        results("hemoglobin", YEAR),
        performed("panel_blood_count", YEAR),
        conditions(cramps.LEG_CRAMPS).optional(),
        orders("potassium", "magnesium", "hemoglobin", "platelets"),
    ],
)
def electrolytes_not_checked(facts: Facts) -> Answer:
    """Potassium, magnesium and a blood count are the whole initial workup."""
    potassium, magnesium = levels.low(facts, "potassium"), levels.low(facts, "magnesium")
    haemoglobin = facts.newest("hemoglobin", Worse.LOW)
    is_missing_by_analyte = {
        "potassium": not potassium.checked,
        "magnesium": not magnesium.checked,
        "hemoglobin": not (
            facts.within(haemoglobin.result, YEAR)
            or facts.performed("panel_blood_count", within=YEAR)
        ),
    }
    missing = [analyte for analyte, is_missing in is_missing_by_analyte.items() if is_missing]
    if not missing:
        return NotFired("potassium, magnesium and a blood count were checked")
    if unread := reading.results_unread(facts):
        return CannotTell(unread)
    not_ordered = [
        analyte
        for analyte in missing
        if not all(facts.ordered(part, within=ORDERED) for part in _TESTS[analyte].parts)
    ]
    if not not_ordered:
        return NotFired("everything that is missing is already ordered")
    unusable = {
        "potassium": potassium.unusable,
        "magnesium": magnesium.unusable,
        "hemoglobin": haemoglobin.unusable,
    }
    names = " and ".join(", ".join(_NAMES[analyte] for analyte in not_ordered).rsplit(", ", 1))
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(f"Leg cramps: initial workup lacks {names}"),
        advice=(
            f"Missing from the initial workup: {names}. Check only what is missing.",
            "Most leg cramps are idiopathic: nothing more extensive without a specific finding.",
        ),
        evidence=cramps.evidence(facts),
        missing=tuple(
            line
            for analyte in missing
            for line in (
                _WINDOWS[analyte],
                *levels.newer_unusable(unusable[analyte], _NAMES[analyte]),
            )
        ),
        strength="The article's recommendation. Nothing more is recommended, because most cramps "
        "are idiopathic.",
        suggestions=tuple(_TESTS[analyte] for analyte in not_ordered),
        overrides=(*FOR_TESTS, TOO_COSTLY),
    )


_NAMES = {
    "potassium": "potassium",
    "magnesium": "magnesium",
    "hemoglobin": "complete blood count",
}
# A haemoglobin result shows that a blood count was done, but an order for it alone is not one.
_TESTS = {
    key: OrderTest(test, "initial workup of cramps", parts)
    for key, test, parts in (
        ("potassium", "potassium", ("potassium",)),
        ("magnesium", "magnesium", ("magnesium",)),
        ("hemoglobin", "cbc", ("hemoglobin", "platelets")),
    )
}
_WINDOWS = {
    "potassium": "a final potassium result of the last 90 days",
    "magnesium": "a final magnesium result of the last 90 days",
    "hemoglobin": "a blood count of the last 12 months",
}
