"""ferritin-not-checked and restless-legs-mimic: tables of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

CHECK, MIMIC = "ferritin-not-checked", "restless-legs-mimic"
BOTH = {"ferritin", "transferrin_saturation"}


@pytest.mark.parametrize(
    ("presence", "fires"),
    [
        (Presence.ACTIVE, True),
        (Presence.ASSUMED, True),
        (Presence.SUSPECTED, True),
        (Presence.PAST, False),
        (Presence.REFUTED, False),
    ],
)
def test_documented_or_suspected_restless_legs_need_a_ferritin(
    presence: Presence, fires: bool
) -> None:
    answer = given().has("rls", presence=presence).ask(CHECK)
    if fires:
        finding = fired(answer)
        assert finding.indicator is Indicator.INFO
        assert offers(finding) == BOTH
        assert "in the morning" in finding.advice[0]
        assert "24 hours" in finding.advice[0]
    else:
        silent(answer)


def test_it_never_fires_without_restless_legs() -> None:
    silent(given().cramps().ask(CHECK))
    silent(given().at(cramps_assumed=True).ask(CHECK))


@pytest.mark.parametrize(("days_ago", "fires"), [(1, False), (184, False), (185, True)])
def test_a_ferritin_result_counts_for_six_months(days_ago: int, fires: bool) -> None:
    case = given().has("rls").result("ferritin", "90 ng/mL", days_ago=days_ago)
    if fires:
        assert any("ferritin since" in line for line in fired(case.ask(CHECK)).missing)
    else:
        silent(case.ask(CHECK))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given().result("ferritin", "90 ng/mL", preliminary=True), id="preliminary"),
        pytest.param(given().unusable("ferritin"), id="unusable"),
        pytest.param(given().unusable("ferritin", days_ago=None), id="undated"),
    ],
)
def test_results_that_do_not_count_as_a_checked_ferritin(case: Given) -> None:
    fired(case.has("rls").ask(CHECK))


@pytest.mark.parametrize(
    ("case", "fires"),
    [
        pytest.param(given().testing("ferritin"), False, id="drafted"),
        pytest.param(given().testing("ferritin", draft=False, days_ago=30), False, id="30 days"),
        pytest.param(given().testing("ferritin", draft=False, days_ago=31), True, id="31 days"),
        pytest.param(given().testing("transferrin_saturation"), True, id="only the saturation"),
    ],
)
def test_a_ferritin_already_ordered_is_enough(case: Given, fires: bool) -> None:
    answer = case.has("rls").ask(CHECK)
    if fires:
        fired(answer)
    else:
        assert "already ordered" in silent(answer).because


def test_a_recent_saturation_is_not_offered_again() -> None:
    case = given().has("rls").result("transferrin_saturation", "25 %")
    assert offers(fired(case.ask(CHECK))) == {"ferritin"}


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_cannot_tell_about_ferritin_without_the_data(state: State) -> None:
    unknown(given().lacking(Kind.CONDITIONS, state=state).ask(CHECK))
    answer = unknown(given().has("rls").lacking(Kind.RESULTS, state=state).ask(CHECK))
    assert answer.trigger is (state is State.PARTIAL)


@pytest.mark.parametrize(
    ("case", "fires"),
    [
        pytest.param(given().cramps().has("rls"), True, id="both documented"),
        pytest.param(
            given().cramps().has("rls", presence=Presence.SUSPECTED), False, id="only suspected"
        ),
        pytest.param(given().cramps().has("rls", presence=Presence.PAST), False, id="past"),
        pytest.param(given().cramps(), False, id="cramps alone"),
        pytest.param(given().has("rls"), False, id="restless legs alone"),
        pytest.param(given().has("rls").at(cramps_assumed=True), True, id="cramps assumed"),
    ],
)
def test_the_mimic_needs_both_cramps_and_restless_legs(case: Given, fires: bool) -> None:
    (fired if fires else silent)(case.ask(MIMIC))


def test_the_evidence_is_restless_legs_and_any_documented_cramps() -> None:
    case = given().cramps().has("rls", name="Willis-Ekbom")
    assert evidence_names(fired(case.ask(MIMIC))) == {"Willis-Ekbom", "Nocturnal leg cramps"}
    assert evidence_names(fired(case.ask(CHECK))) == {"Willis-Ekbom"}


def test_the_mimic_describes_both_treatments_and_orders_neither() -> None:
    finding = fired(given().cramps().has("rls").ask(MIMIC))
    text = " ".join((*finding.advice, *(words for _, words in finding.sections)))
    for phrase in (
        "suggests against",
        "and iron",
        "urge to move",
        "worse at rest",
        "relieved by stretching",
        "dopaminergic",
        "alpha-2-delta",
        "augmentation",
    ):
        assert phrase in text
    assert finding.suggestions == ()
    assert finding.indicator is Indicator.INFO


def test_the_mimic_cannot_tell_without_the_conditions() -> None:
    unknown(given().lacking(Kind.CONDITIONS).ask(MIMIC))
    unknown(given().cramps().lacking(Kind.CONDITIONS, state=State.PARTIAL).ask(MIMIC))


@pytest.mark.parametrize("rule", [CHECK, MIMIC])
def test_minors_and_deceased_patients_are_not_assessed(rule: str) -> None:
    silent(given(age=17).cramps().has("rls").ask(rule))
    silent(given(deceased=True).cramps().has("rls").ask(rule))
