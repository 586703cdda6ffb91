"""diabetes-not-screened: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

RULE = "diabetes-not-screened"


def older(age: int | None = 70) -> Given:
    return given(age=age).cramps()


@pytest.mark.parametrize(("age", "fires"), [(64, False), (65, True), (66, True), (17, False)])
def test_from_age_65(age: int, fires: bool) -> None:
    answer = older(age).ask(RULE)
    if fires:
        assert fired(answer).indicator is Indicator.INFO
        assert offers(fired(answer)) == {"hba1c"}
    else:
        silent(answer)


def test_cannot_tell_without_a_birth_date() -> None:
    assert "date of birth" in unknown(older(None).ask(RULE)).because[0]


@pytest.mark.parametrize(
    ("case", "fires"),
    [
        pytest.param(older().result("hba1c", "5.6 %"), False, id="HbA1c"),
        pytest.param(older().result("hba1c", "38 mmol/mol"), False, id="HbA1c in mmol/mol"),
        pytest.param(older().result("glucose", "95 mg/dL"), False, id="glucose"),
        pytest.param(older().result("glucose", "5 mmol/L", days_ago=1096), False, id="3 years"),
        pytest.param(older().result("glucose", "5 mmol/L", days_ago=1097), True, id="over 3 years"),
        pytest.param(older().result("hba1c", "5.6 %", preliminary=True), True, id="preliminary"),
        pytest.param(older().unusable("hba1c"), True, id="unusable"),
        pytest.param(older().has("diabetes"), False, id="diabetes documented"),
        pytest.param(older().has("diabetes", presence=Presence.ASSUMED), False, id="no status"),
        pytest.param(
            older().has("diabetes", presence=Presence.SUSPECTED), True, id="only suspected"
        ),
        pytest.param(older().testing("hba1c"), False, id="HbA1c drafted"),
        pytest.param(older().testing("glucose", draft=False, days_ago=30), False, id="ordered"),
        pytest.param(older().testing("glucose", draft=False, days_ago=31), True, id="long ago"),
        pytest.param(given(age=70), False, id="no cramps"),
        pytest.param(given(age=70).at(cramps_assumed=True), True, id="cramps assumed"),
        pytest.param(given(age=70, deceased=True).cramps(), False, id="deceased"),
    ],
)
def test_one_screening_in_three_years(case: Given, fires: bool) -> None:
    (fired if fires else silent)(case.ask(RULE))


def test_of_two_simultaneous_results_the_higher_is_shown() -> None:
    case = older().result("hba1c", "7.0 %").result("hba1c", "5.6 %")
    (evidence,) = silent(case.ask(RULE)).evidence
    assert evidence.fact.reported == "7.0 %"  # type: ignore[union-attr]


def test_the_documented_cramps_are_the_evidence() -> None:
    assert evidence_names(fired(older().ask(RULE))) == {"Nocturnal leg cramps"}


def test_an_unusable_result_is_reported() -> None:
    assert "could not be used" in fired(older().unusable("hba1c").ask(RULE)).missing[0]


@pytest.mark.parametrize("kind", [Kind.RESULTS, Kind.CONDITIONS])
@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_cannot_tell_without_the_data(kind: Kind, state: State) -> None:
    unknown(older().lacking(kind, state=state).ask(RULE))
