"""Diabetes in older patients with cramps.

Recommendation: in elderly patients, screen for comorbidities such as diabetes that may
contribute to neuropathic symptoms (article, "Elderly patients").

When: cramps documented, age 65 or more, no diabetes, no HbA1c or glucose in 3 years.
Then: offers HbA1c.
Does not cover: screening of younger patients.
"""

from __future__ import annotations

from cds_service.core.facts import Kind
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
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
    demographics,
    orders,
    results,
    rule,
)
from hooks import cramps
from hooks.levels import newer_unusable
from hooks.windows import GLYCEMIA, ORDERED
from hooks.wording import FOR_TESTS, headline


@rule(
    id="diabetes-not-screened",
    title="No screening for diabetes",
    version="1.0.1",
    changed="2026-11-27",
    tier=Tier.COMPLAINT,
    references=["article"],
    limits=["age.older"],
    offers=["hba1c"],
    overrides=FOR_TESTS,
    needs=[
        demographics(),
        conditions("diabetes", "leg_cramps"),
        results("hba1c", GLYCEMIA),
        results("glucose", GLYCEMIA),
        orders("hba1c", "glucose"),
    ],
)
def diabetes_not_screened(facts: Facts) -> Answer:
    """From the age of 65, look for diabetes once every three years."""
    older = facts.limits["age.older"]
    if facts.age is None:
        return CannotTell(("the age: no date of birth is known",))
    if facts.age < older.value:
        return NotFired(f"the patient is under {older}")
    if diabetes := facts.conditions("diabetes"):
        return NotFired(
            "diabetes is documented", tuple(Evidence(condition) for condition in diabetes)
        )
    tests = [facts.newest(analyte, Worse.HIGH) for analyte in ("hba1c", "glucose")]
    for test in tests:
        if test.result is not None and facts.within(test.result, GLYCEMIA):
            return NotFired("HbA1c or glucose was measured", (Evidence(test.result),))
    if not facts.availability(Kind.RESULTS).whole:
        return CannotTell(("whether glucose was measured: not all results were received",))
    if not facts.could_be_read(Kind.CONDITIONS):
        return CannotTell(("whether diabetes is documented: not all conditions were received",))
    if facts.ordered("hba1c", "glucose", within=ORDERED):
        return NotFired("HbA1c or glucose is already ordered")
    usable = "usable " if any(test.unusable for test in tests) else ""
    return Finding(
        indicator=Indicator.INFO,
        summary=headline(f"No {usable}HbA1c or glucose in 3 years: screen for diabetes"),
        advice=("Diabetes may contribute to neuropathic symptoms; a single HbA1c is enough.",),
        evidence=cramps.evidence(facts),
        missing=tuple(
            line for test in tests for line in newer_unusable(test.unusable, "glucose or HbA1c")
        ),
        strength="Named by the article for elderly patients; the interval is a judgement.",
        suggestions=(OrderTest("hba1c", "none in the last 3 years"),),
        overrides=FOR_TESTS,
    )
