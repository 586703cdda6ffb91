"""cramp-inducing-medication: a table of cases."""

import pytest

from cds_service.core.facts import Kind, State
from cds_service.core.medications import Taking
from cds_service.engine.rule import Indicator
from tests.testing.given import CRAMPS, Given, fired, given, offers, silent, unknown

RULE = "cramp-inducing-medication"
CLASSES = [
    pytest.param("laba", "2.42", id="long-acting beta-agonist"),
    pytest.param("diuretic_potassium_sparing", "2.12", id="potassium-sparing diuretic"),
    pytest.param("diuretic_thiazide", "1.48", id="thiazide-like diuretic"),
    pytest.param("diuretic_loop", "1.20, not significant", id="loop diuretic"),
    pytest.param("statin", "1.16", id="statin"),
    pytest.param("saba", "no ratio measured", id="short-acting beta-agonist"),
    pytest.param("other_cramp_provoking", "no ratio measured", id="another listed drug"),
]


def cramped() -> Given:
    """A patient with documented cramps."""
    return given().cramps()


@pytest.mark.parametrize(("concept", "ratio"), CLASSES)
def test_each_class_fires_with_its_ratio(concept: str, ratio: str) -> None:
    finding = fired(cramped().takes(concept, name="The drug").ask(RULE))
    assert finding.indicator is Indicator.INFO
    line = finding.background[1]
    assert f"({ratio})" in line or f"ratio {ratio})" in line
    assert "The drug" in line
    assert finding.summary == "Possible cramp triggers: the drug"
    assert offers(finding) == set()


def test_the_summary_names_the_drugs_without_strength_or_form() -> None:
    case = cramped().takes("diuretic_thiazide", name="Chlorthalidone 25 MG Oral Tablet")
    case.takes("statin", name="24 HR atorvastatin 40 MG Oral Tablet [Lipitor]")
    case.takes("statin", name="amlodipine 5 MG / rosuvastatin 10 MG Oral Tablet")
    case.takes("saba", name="0.3 ML Something 1 MG").takes("saba", name="<b>Hurt</b>")
    summary = fired(case.ask(RULE)).summary
    assert summary.startswith("Possible cramp triggers: chlorthalidone, atorvastatin, ")
    assert summary.endswith("amlodipine/rosuvastatin and 2 more")
    assert "<" not in summary


def test_one_card_names_all_and_a_combination_counts_in_every_class() -> None:
    case = cramped().takes("diuretic_thiazide", "diuretic_potassium_sparing", name="Both")
    finding = fired(case.takes("statin", name="Statin").ask(RULE))
    lines = finding.background[1].splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("Both")
    assert lines[1].endswith("Both")
    assert len(finding.evidence) == 2
    assert "2.12" in lines[0]
    assert "1.16" in lines[2]


@pytest.mark.parametrize(("drugs", "rest"), [(6, ""), (7, " and 1 more")])
def test_up_to_six_medicines_of_a_class_are_named(drugs: int, rest: str) -> None:
    case = cramped()
    for number in range(1, drugs + 1):
        case.takes("statin", name=f"Statin {number}")
    assert fired(case.ask(RULE)).background[1].endswith(f"Statin 5, Statin 6{rest}")


def test_it_advises_neither_stopping_nor_continuing() -> None:
    finding = fired(cramped().takes("statin").ask(RULE))
    text = " ".join((finding.summary, *finding.advice, *finding.background))
    assert "stop" not in text
    assert "continue" not in text


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(lambda: given().takes("statin"), id="no cramps documented"),
        pytest.param(lambda: cramped().takes("iron"), id="another drug"),
        pytest.param(lambda: cramped().takes("statin", taking=Taking.STOPPED), id="stopped"),
        pytest.param(lambda: cramped().takes("statin", taking=Taking.NOT_TAKEN), id="on hold"),
        pytest.param(lambda: given(age=12).cramps().takes("statin"), id="under 18"),
        pytest.param(lambda: given(deceased=True).cramps().takes("statin"), id="deceased"),
    ],
)
def test_silent(case: object) -> None:
    silent(case().ask(RULE))  # type: ignore[operator]


def test_a_newer_statement_that_the_drug_was_stopped_is_believed() -> None:
    case = cramped().takes("statin", name="Statin", days_ago=30)
    case.takes("statin", name="Statin", taking=Taking.STOPPED, statement=True, days_ago=3)
    silent(case.ask(RULE))


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_cannot_tell_when_the_medication_list_was_not_read(state: State) -> None:
    assert (
        "medication list"
        in unknown(cramped().lacking(Kind.MEDICATIONS, state=state).ask(RULE)).because[0]
    )
    finding = fired(cramped().takes("statin").lacking(Kind.MEDICATIONS, state=state).ask(RULE))
    assert "medication list" in finding.missing[0]


def test_cramps_are_the_reason_for_the_encounter_or_are_assumed() -> None:
    fired(given().encounter_for(CRAMPS).takes("statin").ask(RULE))
    fired(given().at(cramps_assumed=True).takes("statin").ask(RULE))
    unknown(given().lacking(Kind.CONDITIONS).takes("statin").ask(RULE))
