"""The rule that says which other rules could not be checked, on its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cds_service.answer.writing import SUMMARY_LENGTH
from cds_service.core.facts import Kind, Problem, Source, State
from cds_service.core.times import days
from cds_service.engine.declared import scope
from cds_service.engine.not_checked import not_checked
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Finding,
    NotFired,
    Rule,
    Tier,
    conditions,
    performed,
    results,
    rule,
)
from cds_service.engine.run import FAILED, Engine
from tests.testing.given import NOW, Given, fired, given

if TYPE_CHECKING:
    from cds_service.core.patient import Facts

MONTH = days(30)
POTASSIUM = Source("Observation/k")
NO_RESULT = CannotTell(("no result in the last 30 days",))


def made(answer: Answer | None = NO_RESULT, **changes: object) -> Rule:
    """A rule about potassium with this answer; None: it raises an exception."""

    def check(_facts: Facts) -> Answer:
        if answer is None:
            raise ZeroDivisionError
        return answer

    sound = rule(
        id="low",
        title="Low potassium",
        version="1.0.0",
        changed="2026-11-28",
        tier=Tier.ALWAYS,
        references=["article"],
        needs=[results("potassium", MONTH)],
    )(check)
    return replace(sound, **changes)  # type: ignore[arg-type]


def reviewed(of: Given, *rules: Rule) -> Answer:
    """What the last rule answers after ``rules``, whose complaint cannot be told."""
    last = not_checked("last", rules, reference="article")
    engine = Engine({"one": [*rules, last]}, lambda _: None, lambda *_: None, scope(()))
    return engine.ask("one", of.facts())[-1].answer


def lines(of: Given, *rules: Rule) -> tuple[str, ...]:
    answer = reviewed(of, *rules)
    return answer.missing if isinstance(answer, Finding) else ()


def problem(days_ago: int | None, about: str = "potassium", critical: bool = False) -> Problem:
    when = None if days_ago is None else NOW - timedelta(days=days_ago)
    return Problem("no-value", about, "it has *no* value", POTASSIUM, when, critical)


UNUSABLE = r"Low potassium: it has \*no\* value (Observation/k)"


def test_silent_where_rules_answer_or_nothing_is_on_file() -> None:
    assert isinstance(reviewed(given(), made(NotFired("no"))), NotFired)
    assert isinstance(reviewed(given(), made()), NotFired)
    # A result that cannot be used, while the rule could answer.
    assert lines(given().unusable("potassium"), made(NotFired("no"))) == ()


def test_a_rule_that_fails_is_named_unless_its_card_would_not_be_shown() -> None:
    assert lines(given(), made(None)) == (f"Low potassium: {FAILED}",)
    silent = given().at(rules_silent=frozenset({"low"}))
    assert lines(silent, made(None)) == ()
    assert lines(given(deceased=True), made(None)) == ()


def test_what_a_rule_says_itself_counts_where_its_trigger_or_a_result_is_there() -> None:
    because = ("of potassium",)
    own = ("Low potassium: of potassium",)
    assert lines(given(), made(CannotTell(because, trigger=True))) == own
    assert lines(given(), made(CannotTell(because, unjudged="the eGFR"))) == own
    cannot = made(CannotTell(because))
    assert lines(given().result("potassium", "<3.6 mmol/L"), cannot) == own
    assert lines(given().result("potassium", "<3.6 mmol/L", days_ago=31), cannot) == ()
    assert lines(given().result("potassium", "3.6 mmol/L"), cannot) == ()


@pytest.mark.parametrize(
    ("days_ago", "counts"), [(None, True), (-2, True), (30, True), (31, False)]
)
def test_a_result_that_could_not_be_used_counts_within_the_window_of_the_rule(
    days_ago: int | None, counts: bool
) -> None:
    expected = ("Low potassium: unknown-unit in potassium (Observation/potassium-1)",)
    of = given().unusable("potassium", days_ago=days_ago)
    assert lines(of, made()) == (expected if counts else ())
    # The same where only the rule knows of it.
    answer = CannotTell(("no value",), (problem(days_ago),))
    assert lines(given(), made(answer)) == ((UNUSABLE,) if counts else ())


def test_an_entry_that_may_be_what_is_required_counts() -> None:
    of = given()
    of.problems += [problem(1, "results", critical=True), problem(1, "magnesium")]
    said = r"it has \*no\* value, flagged critical (Observation/k)"
    assert lines(of, made()) == (f"Low potassium: {said}",)
    panel = made(needs=(performed("cbc", MONTH), results("potassium", MONTH).optional()))
    assert lines(of, panel) == (f"Low potassium: {said}",)
    of.problems = [problem(1)]
    assert lines(of, made(needs=(results("potassium", MONTH).optional(),))) == ()


@pytest.mark.parametrize(
    ("state", "counts"),
    [(State.UNAVAILABLE, True), (State.PARTIAL, True), (State.ABSENT, False), (State.NONE, False)],
)
def test_a_required_list_counts_where_it_was_asked_for_and_did_not_arrive_complete(
    state: State, counts: bool
) -> None:
    of = given().lacking(Kind.CONDITIONS, state=state, reason="server failed")
    expected = ("Low potassium: conditions: server failed",) if counts else ()
    assert lines(of, made(needs=(conditions("rls"), conditions("cirrhosis")))) == expected
    assert lines(of, made(tier=Tier.COMPLAINT)) == expected  # whether the complaint is documented
    assert lines(of, made(needs=(conditions("rls").optional(),))) == ()
    of = given().lacking(Kind.CONDITIONS, state=state, reason="")
    assert lines(of, made(needs=(conditions("rls"),))) == (
        (f"Low potassium: conditions: {state.value}",) if counts else ()
    )


def test_for_drafts_only_rules_that_judge_a_selected_one_count() -> None:
    judging = made(None, judges=frozenset({"quinine"}))
    assert lines(given().ordering("quinine"), judging) == (f"Low potassium: {FAILED}",)
    assert lines(given().ordering("quinine", selected=False), judging) == ()


def test_a_long_list_is_cut() -> None:
    rules = [made(None, id=f"low-{n}", title=f"Rule {n}") for n in range(14)]
    finding = fired(reviewed(given(), *rules))
    assert finding.summary == "Not checked: Rule 0, Rule 1, Rule 2 and more"
    assert len(finding.missing) == 13 and finding.missing[-1] == "and 2 more"
    long = fired(reviewed(given(), made(None, title="A title " * 20)))
    assert len(long.summary) == SUMMARY_LENGTH


def test_its_own_fault_has_a_card() -> None:
    low = made()
    last = not_checked("last", [low], reference="article")

    def fails(*_: object) -> Answer:
        raise ZeroDivisionError

    engine = Engine({"one": [low, replace(last, review=fails)]}, lambda _: None, lambda *_: None)
    finding = fired(engine.ask("one", given().facts())[-1].answer)
    assert finding.summary == "Not checked: Whether all data could be used"
    assert finding.missing == (f"Whether all data could be used: {FAILED}",)
