"""The engine evaluates every rule."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import msgspec
import pytest

from cds_service.core.facts import Kind, State
from cds_service.core.patient import Facts
from cds_service.engine.checking import check_topics
from cds_service.engine.rule import (
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    Rule,
    Tier,
    conditions,
    demographics,
    reviewing,
    rule,
)
from cds_service.engine.run import FAILED, Engine, judges, may_fire
from hooks import TOPIC
from hooks.order_select import RULES as ORDER_SELECT
from hooks.patient_view import RULES as PATIENT_VIEW
from tests.testing.given import given, rules_by_service

FIRED = Finding(Indicator.INFO, "It fired", ("Advice.",))


def made(**changes: object) -> Rule:
    """A sound rule that always fires, with some of its attributes changed."""
    sound = rule(
        id="sound",
        title="A sound rule",
        version="1.0.0",
        changed="2026-11-23",
        tier=Tier.ALWAYS,
        references=["article"],
        limits=["magnesium.low"],
        needs=[demographics()],
    )(lambda facts: FIRED)
    return replace(sound, **changes)  # type: ignore[arg-type]


def test_the_rules_of_all_services_are_valid() -> None:
    check_topics([TOPIC])
    assert rules_by_service() == {
        f"leg-cramps-{service.hook}": import_module(f"hooks.{service.hook.module}").RULES
        for service in TOPIC.services
    }


def ask(rule: Rule, facts: Facts, cramps: bool | None = True) -> object:
    return Engine({"one": [rule]}, lambda _: cramps).ask("one", facts)[0].answer


@pytest.mark.parametrize(
    ("cramps", "answer"), [(True, Finding), (False, NotFired), (None, CannotTell)]
)
def test_tier_c_waits_for_documented_cramps_and_tier_a_does_not(
    cramps: bool | None, answer: type
) -> None:
    facts = given().facts()
    assert isinstance(ask(made(tier=Tier.COMPLAINT), facts, cramps), answer)
    assert isinstance(ask(made(tier=Tier.ALWAYS), facts, cramps), Finding)


def test_messages_name_the_condition_of_the_topic() -> None:
    def reason(documented: bool | None) -> object:
        rules = {"one": [made(tier=Tier.COMPLAINT)]}
        engine = Engine(rules, lambda _: documented, complaint_is="hyponatraemia is")
        return engine.ask("one", given().facts())[0].answer.because  # type: ignore[union-attr]

    assert reason(False) == "hyponatraemia is not documented"
    assert reason(None) == ("whether hyponatraemia is documented",)


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (State.GIVEN, Finding),
        (State.NONE, Finding),
        (State.PARTIAL, Finding),
        (State.ABSENT, CannotTell),
        (State.UNAVAILABLE, CannotTell),
    ],
)
def test_a_rule_cannot_tell_when_a_required_need_was_not_obtained(
    state: State, answer: type
) -> None:
    facts = given().lacking(Kind.CONDITIONS, state=state, reason="server failed").facts()
    got = ask(made(needs=(conditions("rls"),)), facts)
    assert isinstance(got, answer)
    if isinstance(got, CannotTell):
        assert got.because == ("conditions: server failed",)
    assert isinstance(ask(made(needs=(conditions("rls").optional(),)), facts), Finding)


def test_patients_whom_a_rule_does_not_apply_to() -> None:
    rule = made()
    assert isinstance(ask(rule, given(deceased=True).facts()), NotFired)
    assert isinstance(ask(rule, given(age=17).facts()), NotFired)
    assert isinstance(ask(rule, given(age=18).facts()), Finding)
    assert isinstance(ask(rule, given(age=None).facts()), Finding)
    assert isinstance(ask(made(minors=True), given(age=17).facts()), Finding)
    off = given().at(rules_off=frozenset({"sound"})).facts()
    assert isinstance(ask(rule, off), NotFired)
    assert not may_fire(rule, off)
    assert may_fire(made(minors=True), given(age=17).facts())


def test_an_order_rule_judges_only_what_was_selected() -> None:
    rule = made(judges=frozenset({"magnesium", "abi"}))
    for case, asked in (
        (given().ordering("magnesium"), True),
        (given().ordering("magnesium", selected=False), False),
        (given().ordering("quinine"), False),
        (given().takes("magnesium"), False),
        (given().testing("abi", selected=True), True),
        (given().testing("abi"), False),
    ):
        facts = case.facts()
        assert judges(rule, facts) is asked
        assert isinstance(ask(rule, facts), Finding if asked else NotFired)


def test_a_reviewing_rule_is_asked_last_and_sees_every_answer() -> None:
    seen: list[str] = []
    review = reviewing(made(id="review"), lambda _, outcomes: _note(seen, outcomes))
    rules = (review, made(), made(id="other"))
    outcomes = Engine({"one": rules}, lambda _: True).ask("one", given().facts())
    assert [outcome.rule.id for outcome in outcomes] == ["sound", "other", "review"]
    assert seen == ["sound", "other"]


def _note(seen: list[str], outcomes: object) -> NotFired:
    seen.extend(outcome.rule.id for outcome in outcomes)  # type: ignore[attr-defined]
    return NotFired("seen")


def _raises(*_args: object) -> NotFired:
    raise ZeroDivisionError("a bug")


def test_without_a_fault_handler_the_exception_of_a_rule_propagates() -> None:
    facts = given().facts()
    for faulty in (made(check=_raises), reviewing(made(), _raises)):
        with pytest.raises(ZeroDivisionError):
            Engine({"one": [faulty]}, lambda _: True).ask("one", facts)


def test_a_fault_in_one_rule_costs_no_other_rules_outcome() -> None:
    reported: list[tuple[str, str]] = []
    rules = (
        made(id="before"),
        made(id="bad", check=_raises),
        made(id="after"),
        reviewing(made(id="review"), _raises),
        reviewing(made(id="with another answer"), _raises, FIRED),
    )
    engine = Engine(
        {"one": rules},
        lambda _: True,
        lambda rule, error: reported.append((rule.id, type(error).__name__)),
    )
    answers = {outcome.rule.id: outcome.answer for outcome in engine.ask("one", given().facts())}

    cannot = CannotTell((FAILED,), trigger=True, failed=True)
    assert answers == {
        "before": FIRED,
        "bad": cannot,
        "after": FIRED,
        "review": cannot,
        "with another answer": FIRED,
    }
    error = "ZeroDivisionError"
    assert reported == [("bad", error), ("review", error), ("with another answer", error)]


def test_a_rule_that_does_not_apply_to_the_patient_is_not_run() -> None:
    reported: list[Rule] = []
    engine = Engine(
        {"one": [made(check=_raises)]}, lambda _: True, lambda rule, _error: reported.append(rule)
    )
    (outcome,) = engine.ask("one", given(deceased=True).facts())
    assert isinstance(outcome.answer, NotFired)
    assert reported == []


def test_a_fault_while_checking_for_documented_cramps_is_attributed_to_the_rule() -> None:
    rules = [made(tier=Tier.COMPLAINT), made(id="other")]
    engine = Engine({"one": rules}, lambda _: bool(_raises()), lambda _rule, _error: None)
    outcomes = engine.ask("one", given().facts())
    assert [type(outcome.answer) for outcome in outcomes] == [CannotTell, Finding]


SOUND = Finding(Indicator.INFO, "S", ("A.",))
NOWHERE = Evidence(None)  # type: ignore[arg-type]
POTASSIUM = given().result("potassium", "3 mmol/L").facts().series["potassium"]


class Silent(NotFired, frozen=True):
    pass


class Unclear(CannotTell, frozen=True):
    pass


class Found(Finding, frozen=True):
    pass


BEYOND = Evidence(next(iter(POTASSIUM.finals())), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "fired",
        Silent("x"),  # `answer_word` knows no subclass: the call was a 500
        Unclear(("x",)),
        Found(Indicator.INFO, "x", ("y",)),
        NotFired(3),  # type: ignore[arg-type]
        NotFired("x", (3,)),  # type: ignore[arg-type]
        NotFired("x", (NOWHERE,)),
        CannotTell(None),  # type: ignore[arg-type]
        CannotTell((3,)),  # type: ignore[arg-type]
        CannotTell(("x",), problems=(3,)),  # type: ignore[arg-type]
        CannotTell(("x",), unjudged=3),  # type: ignore[arg-type]
        CannotTell(("x",), evidence=(NOWHERE,)),
        msgspec.structs.replace(SOUND, missing=(3,)),
        msgspec.structs.replace(SOUND, about=(3,)),
        msgspec.structs.replace(SOUND, about="draft"),
        msgspec.structs.replace(SOUND, sections=("heading",)),
        msgspec.structs.replace(SOUND, sections=(("heading",),)),
        msgspec.structs.replace(SOUND, background=(None,)),
        msgspec.structs.replace(SOUND, strength=None),
        msgspec.structs.replace(SOUND, evidence=(NOWHERE,)),
        msgspec.structs.replace(SOUND, evidence=[]),
        msgspec.structs.replace(SOUND, evidence=(BEYOND,)),
        msgspec.structs.replace(SOUND, suggestions=range(0)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("reviews", [False, True])
def test_a_malformed_answer_costs_only_its_own_rule(answer: Any, reviews: bool) -> None:
    bad = made(id="bad", check=lambda _facts: answer)
    if reviews:
        bad = reviewing(made(id="bad"), lambda _facts, _outcomes: answer)
    reported: list[str] = []
    engine = Engine(
        {"one": (made(), bad)}, lambda _: True, lambda rule, _error: reported.append(rule.id)
    )
    answers = {outcome.rule.id: outcome.answer for outcome in engine.ask("one", given().facts())}
    assert answers == {"sound": FIRED, "bad": CannotTell((FAILED,), trigger=True, failed=True)}
    assert reported == ["bad"]


def test_texts_may_be_members_of_an_enumeration() -> None:
    answer = msgspec.structs.replace(SOUND, summary=Kind.RESULTS, about=(Kind.ORDERS,))
    engine = Engine({"one": (made(check=lambda _facts: answer),)}, lambda _: True)
    assert [outcome.answer for outcome in engine.ask("one", given().facts())] == [answer]


@pytest.mark.parametrize(
    "rule", [*PATIENT_VIEW, *ORDER_SELECT], ids=lambda r: f"{r.id} {bool(r.judges)}"
)
def test_deceased_patients_get_no_card_from_any_rule(rule: Rule) -> None:
    case = given(deceased=True).cramps().ordering(*rule.judges or {"magnesium"})
    engine = Engine({"one": [rule]}, lambda _: True)
    assert isinstance(engine.ask("one", case.facts())[0].answer, NotFired)


HAZARDS_UNDER_18 = {
    "metabolic-cause-found",
    "quinine-active",
    "quinine-ordered",
    "high-potassium",
    "potassium-ordered-hazard",
    "magnesium-in-renal-impairment",
    "magnesium-ordered-renal-impairment",
    "baclofen-ordered-renal-impairment",
    "baclofen-ordered-encephalopathy",
    "baclofen-ordered-dose",
    "baclofen-active-renal-impairment",
    "data-not-usable",
    "low-magnesium",
    "low-potassium",
}


def test_only_the_settled_hazards_fire_under_eighteen() -> None:
    speaking = {rule.id for rule in (*PATIENT_VIEW, *ORDER_SELECT) if rule.minors}
    assert speaking == HAZARDS_UNDER_18


def test_the_catalogue_is_in_the_order_of_the_clinical_content() -> None:
    assert [rule.id for rule in PATIENT_VIEW][-2:] == ["first-line-measures", "data-not-usable"]
    assert [rule.id for rule in PATIENT_VIEW][:4] == [
        "low-magnesium",
        "low-potassium",
        "high-potassium",
        "low-ferritin",
    ]
