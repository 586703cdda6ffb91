"""A rule does what it declares: anything else it reads, uses or offers is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cds_service.core.facts import Kind
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.core.times import days
from cds_service.engine.declared import DeclaredFacts, undeclared
from cds_service.engine.guarded import UndeclaredError
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    DraftMedication,
    Evidence,
    Finding,
    Indicator,
    Need,
    NotFired,
    OrderTest,
    RemoveDraft,
    Rule,
    Tier,
    allergies,
    conditions,
    demographics,
    medications,
    orders,
    performed,
    results,
    rule,
)
from cds_service.engine.run import Engine
from tests.testing.given import NOW, given


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
            demographics(),
        ],
    )(check)


MONTH, YEAR = days(30), days(365)
FREE = "of the call, not of the patient"

Read = Callable[[Facts], object]
MEMBERS: dict[str, tuple[list[Read], list[Read]] | str] = {
    "as_of": FREE,
    "today": FREE,
    "on_day": FREE,
    "memory": "a memory for this rule alone",
    "derived": "what is derived reads these facts",
    "age": ([lambda f: f.age], []),
    "minor": ([lambda f: f.minor], []),
    "patient": ([lambda f: f.patient.sex, lambda f: f.patient.birth], []),
    "record": (
        [],
        [
            lambda f: f.record.conditions,
            lambda f: f.record.medications,
            lambda f: f.record.allergies,
            lambda f: f.record.patient,
            lambda f: f.record.problems,
            lambda f: f.record.encounter,
        ],
    ),
    "drafts": (
        [
            lambda f: f.drafts.medications,
            lambda f: f.drafts.selected_medications,
            lambda f: f.drafts.selected_orders,
            lambda f: f.drafts.signed,
        ],
        [],
    ),
    "site": (
        [lambda f: f.site.limits["potassium.low"]],
        [
            lambda f: f.site.options.get("unit"),
            lambda f: f.site.options["unit"],
            lambda f: f.site.limits["potassium.high"],
        ],
    ),
    "limits": (
        [lambda f: f.limits.value("potassium.low"), lambda f: f.limits.get("potassium.low")],
        [
            lambda f: f.limits["potassium.high"],
            lambda f: f.limits.value("potassium.high"),
            lambda f: f.limits.get("potassium.high"),
            lambda f: dict(f.limits),
        ],
    ),
    "series": (
        [lambda f: f.series.get("potassium"), lambda f: f.series["potassium"]],
        [lambda f: f.series["magnesium"], lambda f: "magnesium" in f.series],
    ),
    "availability": (
        [
            lambda f: f.availability(Kind.RESULTS),
            lambda f: f.availability(Kind.ENCOUNTER),
            lambda f: f.availability(Kind.STATEMENTS),
        ],
        [],
    ),
    "obtained": ([lambda f: f.obtained(Kind.PATIENT)], []),
    "could_be_read": ([lambda f: f.could_be_read(Kind.CONDITIONS, Kind.MEDICATIONS)], []),
    "unread": ([lambda f: f.unread(Kind.ALLERGIES), lambda f: f.unread(Kind.STATEMENTS)], []),
    "problems": ([], [lambda f: f.problems()]),
    "newest": (
        [lambda f: f.newest("potassium", Worse.LOW)],
        [lambda f: f.newest("magnesium", Worse.LOW), lambda f: f.newest("sodium", Worse.HIGH)],
    ),
    "within": (
        [lambda f: f.within(POTASSIUM, MONTH), lambda f: f.within(POTASSIUM, days(3))],
        [
            lambda f: f.within(POTASSIUM, YEAR),
            lambda f: f.within(POTASSIUM, days(31)),
            lambda f: f.within(MAGNESIUM, MONTH),
        ],
    ),
    "conditions": (
        [lambda f: f.conditions("cirrhosis")],
        [lambda f: f.conditions("dialysis"), lambda f: f.conditions("asthma")],
    ),
    "hazards": (
        [lambda f: f.hazards("cirrhosis")],
        [
            lambda f: f.hazards("cirrhosis", "dialysis"),
            lambda f: f.hazards("pregnancy"),
        ],
    ),
    "ever": ([lambda f: f.ever("cirrhosis")], [lambda f: f.ever("dialysis")]),
    "certain": ([lambda f: f.certain("cirrhosis")], [lambda f: f.certain("dialysis")]),
    "reasons": ([lambda f: f.reasons()], []),
    "taking": (
        [lambda f: f.taking("quinine")],
        [lambda f: f.taking("digoxin"), lambda f: f.taking("quinine", "baclofen", hazard=True)],
    ),
    "drafted": (
        [lambda f: f.drafted("quinine", "hemoglobin")],
        [lambda f: f.drafted("digoxin"), lambda f: f.drafted("quinine", "magnesium")],
    ),
    "ordered": (
        [lambda f: f.ordered("potassium", "hemoglobin", within=YEAR)],
        [lambda f: f.ordered("magnesium", within=days(9))],
    ),
    "performed": (
        [lambda f: f.performed("panel_blood_count", within=MONTH)],
        [
            lambda f: f.performed("panel_metabolic", within=days(9)),
            lambda f: f.performed("panel_blood_count", within=YEAR),
        ],
    ),
    "allergic": ([lambda f: f.allergic("quinine")], [lambda f: f.allergic("baclofen")]),
}
"""For each member of Facts: reads for a rule that declares them, and reads that are refused to it
too; or why every rule may read it."""


CASE = (
    given()
    .has("cirrhosis", "dialysis")
    .takes("quinine")
    .ordering("quinine")
    .ordering("magnesium")
    .testing("hemoglobin", selected=True)
    .result("potassium", "3.1 mmol/L")
    .result("magnesium", "0.9 mmol/L")
    .at(cramps_assumed=True)
)
CASE.options["unit"] = "meq"
POTASSIUM = CASE.facts().newest("potassium", Worse.LOW).result
MAGNESIUM = CASE.facts().newest("magnesium", Worse.LOW).result
LITTLE = declaring(lambda _: NotFired("nothing"))
NOTHING = replace(LITTLE, needs=(), limits=(), judges=frozenset())
OPTIONS = frozenset({"cramps"})


def test_every_public_member_of_the_facts_has_a_decision() -> None:
    """A new member of Facts is given out to rules, or refused, on purpose."""
    facts = given().facts()
    assert MEMBERS.keys() == {name for name in dir(facts) if not name.startswith("_")}


@pytest.mark.parametrize(
    "reads",
    [pytest.param(row, id=name) for name, row in MEMBERS.items() if not isinstance(row, str)],
)
def test_a_rule_reads_what_it_declares_and_nothing_else(
    reads: tuple[list[Read], list[Read]],
) -> None:
    declared, never = reads
    whole = CASE.facts()
    for read in declared:
        assert read(DeclaredFacts(CASE.facts(), LITTLE, OPTIONS)) is not None
        with pytest.raises(UndeclaredError, match=r"^rule few-words (reads|uses) "):
            read(DeclaredFacts(whole, NOTHING, OPTIONS))
    for read in never:
        read(whole)  # it is there
        for one in (LITTLE, NOTHING):
            with pytest.raises(UndeclaredError, match=r"^rule few-words (reads|uses) "):
                read(DeclaredFacts(whole, one, OPTIONS))


@pytest.mark.parametrize("name", [name for name, rows in MEMBERS.items() if isinstance(rows, str)])
def test_what_every_rule_may_read(name: str) -> None:
    member = getattr(DeclaredFacts(CASE.facts(), NOTHING, OPTIONS), name)
    if name == "derived":
        with pytest.raises(UndeclaredError):
            member(lambda facts: facts.hazards("dialysis"))
    elif name == "memory":
        assert member == {}
    elif name == "on_day":
        assert member(NOW) == NOW.date()
    else:
        assert member == getattr(CASE.facts(), name)


@pytest.mark.parametrize("name", ["_named", "_active", "_drafted", "_computed", "no_such_member"])
def test_what_the_facts_keep_to_themselves_is_not_given_out(name: str) -> None:
    with pytest.raises(UndeclaredError, match=f"reads {name} itself"):
        getattr(DeclaredFacts(CASE.facts(), LITTLE), name)


def test_of_the_drafts_a_rule_sees_those_that_it_judges_or_needs() -> None:
    seen = DeclaredFacts(CASE.facts(), LITTLE).drafts
    assert [draft.classes for draft in seen.medications] == [{"quinine"}]
    assert [order.covers for order in seen.selected_orders] == [{"hemoglobin"}]
    reviewing_rule = replace(LITTLE, review=lambda *_: NotFired("nothing"))
    whole = CASE.facts()
    assert DeclaredFacts(whole, reviewing_rule).drafts == whole.drafts


@pytest.mark.parametrize(
    ("need", "seen", "refused"),
    [
        (orders("hemoglobin"), "selected_orders", "selected_medications"),
        (orders("hemoglobin"), "orders", "medications"),
        (medications("quinine"), "selected_medications", "selected_orders"),
        (medications("quinine"), "medications", "orders"),
    ],
)
def test_a_rule_sees_no_drafts_of_a_kind_that_it_neither_judges_nor_needs(
    need: Need, seen: str, refused: str
) -> None:
    drafts = DeclaredFacts(CASE.facts(), replace(NOTHING, needs=(need,))).drafts
    assert len(getattr(drafts, seen)) == 1
    with pytest.raises(UndeclaredError, match=f"reads {refused} of the drafts"):
        getattr(drafts, refused)


def test_a_reviewing_rule_reads_problems_and_arrivals_on_behalf_of_others() -> None:
    whole = CASE.nameless(Kind.ALLERGIES).facts()
    seen = DeclaredFacts(whole, replace(NOTHING, review=lambda *_: NotFired("nothing")))
    assert seen.record.problems == whole.record.problems
    assert seen.problems() == whole.problems()
    assert seen.unread(Kind.ALLERGIES) == whole.unread(Kind.ALLERGIES)
    with pytest.raises(UndeclaredError, match="reads conditions of the record"):
        _ = seen.record.conditions


def test_of_the_series_a_rule_sees_those_that_it_needs() -> None:
    assert list(DeclaredFacts(CASE.facts(), LITTLE).series) == ["potassium"]
    assert len(DeclaredFacts(CASE.facts(), NOTHING).series) == 0


@pytest.mark.parametrize(("days_ago", "seen"), [(30, 2), (31, 1), (400, 1)])
def test_a_series_goes_back_as_far_as_a_need(days_ago: int, seen: int) -> None:
    case = (
        given()
        .result("potassium", "3.1 mmol/L")
        .result("potassium", "3.2 mmol/L", days_ago=days_ago)
    )
    series = DeclaredFacts(case.facts(), LITTLE).series["potassium"]
    assert len(list(series.finals())) == seen
    assert len(series) == 2
    assert series.newest(Worse.LOW) == case.facts().newest("potassium", Worse.LOW)


def test_declared_facts_equal_the_complete_facts() -> None:
    case = given().has("cirrhosis").takes("quinine").result("potassium", "3.1 mmol/L")
    whole = case.facts()
    seen = DeclaredFacts(whole, LITTLE)
    assert seen.newest("potassium", Worse.LOW) == whole.newest("potassium", Worse.LOW)
    assert seen.conditions("cirrhosis") == whole.conditions("cirrhosis")
    assert seen.hazards("cirrhosis") == whole.hazards("cirrhosis")
    assert seen.taking("quinine") == whole.taking("quinine")
    assert (seen.age, seen.minor, seen.patient) == (whole.age, whole.minor, whole.patient)
    assert seen.site.options == whole.site.options
    assert list(seen.series) == list(whole.series)
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
    assert list(undeclared(declared, finding, NOW.date())) == [
        "rule few-words offers magnesium, which it does not declare",
        "rule few-words offers magnesium_oxide, which it does not declare",
        "rule few-words gives the override reason patient-refuses, which it does not declare",
    ]
    assert list(undeclared(declared, NotFired("nothing"), NOW.date())) == []


@pytest.mark.parametrize(
    ("analyte", "days_ago", "reported"),
    [("potassium", 30, False), ("potassium", 31, True), ("magnesium", 1, True)],
)
def test_a_result_that_is_cited_lies_within_what_is_declared(
    analyte: str, days_ago: int, reported: bool
) -> None:
    facts = given().result(analyte, "1.0 mmol/L", days_ago=days_ago).facts()
    result = facts.newest(analyte, Worse.LOW).result
    assert result is not None
    cited = (Evidence(result),)
    for answer in (
        Finding(Indicator.INFO, "Fired", ("Advice.",), evidence=cited),
        NotFired("nothing", cited),
        CannotTell(("something",), evidence=cited),
    ):
        sentences = list(undeclared(LITTLE, answer, NOW.date()))
        assert [f"cites {analyte} of " in sentence for sentence in sentences] == [True] * reported
