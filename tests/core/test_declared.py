"""A rule does what it declares: anything else it reads, uses or offers is refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.core.times import days
from cds_service.engine.declared import DeclaredFacts, UndeclaredError, undeclared
from cds_service.engine.rule import (
    Answer,
    DraftMedication,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    RemoveDraft,
    Rule,
    Tier,
    allergies,
    conditions,
    medications,
    orders,
    performed,
    results,
    rule,
)
from cds_service.engine.run import Engine
from tests.given import given


def declaring(check: Callable[[Facts], Answer]) -> Rule:
    """A minimal rule that declares little."""
    return rule(
        id="few-words",
        title="A rule of few words",
        version="1.0.0",
        changed="2026-11-27",
        tier=Tier.ALWAYS,
        references=["article"],
        limits=["potassium.low"],
        offers=["potassium"],
        overrides=["action-completed"],
        judges=["hemoglobin"],
        needs=[
            results("potassium", days(30)).optional(),
            performed("panel_blood_count", days(30)).optional(),
            conditions("cirrhosis").optional(),
            medications("quinine").optional(),
            allergies("quinine"),
            orders("potassium"),
        ],
    )(check)


READS: dict[str, tuple[Callable[[Facts], object], Callable[[Facts], object]]] = {
    "results": (
        lambda f: f.newest("potassium", Worse.LOW),
        lambda f: f.newest("magnesium", Worse.LOW),
    ),
    "results, all of them": (lambda f: f.series.get("potassium"), lambda f: f.series["magnesium"]),
    "panels": (
        lambda f: f.performed("panel_blood_count", within=days(9)),
        lambda f: f.performed("panel_metabolic", within=days(9)),
    ),
    "conditions": (lambda f: f.conditions("cirrhosis"), lambda f: f.conditions("dialysis")),
    "hazards": (lambda f: f.hazards("cirrhosis"), lambda f: f.hazards("cirrhosis", "dialysis")),
    "history": (lambda f: f.ever("cirrhosis"), lambda f: f.ever("dialysis")),
    "certain": (lambda f: f.certain("cirrhosis"), lambda f: f.certain("dialysis")),
    "medications": (lambda f: f.taking("quinine"), lambda f: f.taking("digoxin")),
    "allergies": (lambda f: f.allergic("quinine"), lambda f: f.allergic("baclofen")),
    "orders": (
        lambda f: f.ordered("potassium", "hemoglobin", within=days(9)),
        lambda f: f.ordered("magnesium", within=days(9)),
    ),
    "limits": (
        lambda f: f.limits.value("potassium.low"),
        lambda f: f.limits["potassium.high"],
    ),
}
"""For each way of reading: one that is declared, one that is not."""


@pytest.mark.parametrize("way", READS)
def test_a_rule_reads_what_it_declares_and_nothing_else(way: str) -> None:
    allowed, refused = READS[way]
    case = given().has("cirrhosis", "dialysis").takes("quinine").result("magnesium", "0.9 mmol/L")
    allowed(DeclaredFacts(case.facts(), declaring(lambda _: NotFired("nothing"))))
    with pytest.raises(UndeclaredError, match=r"rule few-words (reads|uses)"):
        refused(DeclaredFacts(case.facts(), declaring(lambda _: NotFired("nothing"))))


def test_declared_facts_equal_the_complete_facts() -> None:
    case = given().has("cirrhosis").takes("quinine").result("potassium", "3.1 mmol/L")
    whole = case.facts()
    seen = DeclaredFacts(whole, declaring(lambda _: NotFired("nothing")))
    assert seen.newest("potassium", Worse.LOW) == whole.newest("potassium", Worse.LOW)
    assert seen.conditions("cirrhosis") == whole.conditions("cirrhosis")
    assert seen.taking("quinine") == whole.taking("quinine")
    assert dict(seen.series) == dict(whole.series)
    assert len(seen.limits) == len(whole.limits)
    assert len(seen.series) == len(whole.series)


def test_the_engine_gives_a_rule_only_its_declared_facts() -> None:
    reads = declaring(lambda facts: NotFired(str(facts.conditions("dialysis"))))
    reads = Rule(**{**{n: getattr(reads, n) for n in reads.__slots__}, "judges": frozenset()})
    assert isinstance(
        Engine({"s": [reads]}, lambda _: True).ask("s", given().facts())[0].answer, NotFired
    )
    with pytest.raises(UndeclaredError, match="reads dialysis from conditions"):
        Engine({"s": [reads]}, lambda _: True, scope=DeclaredFacts).ask("s", given().facts())


def test_an_offer_or_an_override_reason_that_is_not_declared_is_reported() -> None:
    declared = declaring(lambda _: NotFired("nothing"))
    finding = Finding(
        Indicator.INFO,
        "Fired",
        ("Advice.",),
        suggestions=(
            OrderTest("potassium"),
            OrderTest("magnesium"),
            DraftMedication("magnesium_oxide"),
            RemoveDraft("MedicationRequest/1", "quinine"),
        ),
        overrides=("action-completed", "patient-refuses"),
    )
    assert list(undeclared(declared, finding)) == [
        "rule few-words offers magnesium, which it does not declare",
        "rule few-words offers magnesium_oxide, which it does not declare",
        "rule few-words gives the override reason patient-refuses, which it does not declare",
    ]
    assert list(undeclared(declared, NotFired("nothing"))) == []
