"""electrolytes-not-checked: a table of cases."""

import pytest

from cds_service.core.facts import Kind, State
from cds_service.engine.rule import Indicator
from tests.testing.given import CRAMPS, Given, evidence_names, fired, given, offers, silent, unknown

RULE = "electrolytes-not-checked"


def checked(*, potassium: int = 1, magnesium: int = 1, hemoglobin: int = 1) -> Given:
    """Cramps, and the days since each test (0: never done)."""
    case = given().cramps()
    for analyte, value, days_ago in (
        ("potassium", "4.0 mmol/L", potassium),
        ("magnesium", "0.85 mmol/L", magnesium),
        ("hemoglobin", "14 g/dL", hemoglobin),
    ):
        if days_ago:
            case.result(analyte, value, days_ago=days_ago)
    return case


@pytest.mark.parametrize(
    ("case", "missing"),
    [
        pytest.param(
            checked(potassium=0, magnesium=0, hemoglobin=0),
            {"potassium", "magnesium", "cbc"},
            id="nothing checked",
        ),
        pytest.param(checked(potassium=0), {"potassium"}, id="no potassium"),
        pytest.param(checked(magnesium=0), {"magnesium"}, id="no magnesium"),
        pytest.param(checked(hemoglobin=0), {"cbc"}, id="no blood count"),
        pytest.param(checked(potassium=91), {"potassium"}, id="potassium of 91 days ago"),
        pytest.param(checked(magnesium=91), {"magnesium"}, id="magnesium of 91 days ago"),
        pytest.param(checked(hemoglobin=366), {"cbc"}, id="a blood count of 366 days ago"),
        pytest.param(
            checked(magnesium=0).result("magnesium", "0.85 mmol/L", preliminary=True),
            {"magnesium"},
            id="a preliminary magnesium does not count as checked",
        ),
        pytest.param(
            checked(potassium=0).unusable("potassium"),
            {"potassium"},
            id="an unusable potassium does not count as checked",
        ),
    ],
)
def test_only_what_is_missing_is_offered(case: Given, missing: set[str]) -> None:
    finding = fired(case.ask(RULE))
    assert finding.indicator is Indicator.INFO
    assert offers(finding) == missing
    assert "idiopathic" in " ".join(finding.advice)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(checked(), id="all checked"),
        pytest.param(checked(potassium=90, magnesium=90, hemoglobin=365), id="at the windows"),
        pytest.param(given(), id="no cramps"),
        pytest.param(given(age=17).cramps(), id="under 18"),
        pytest.param(checked(potassium=0).testing("potassium"), id="potassium is drafted"),
        pytest.param(
            checked(potassium=0).testing("potassium", "sodium", draft=False, days_ago=30),
            id="a panel with potassium is active",
        ),
        pytest.param(
            checked(potassium=0, magnesium=0, hemoglobin=0).testing(
                "potassium", "magnesium", "hemoglobin", "platelets"
            ),
            id="everything is drafted",
        ),
    ],
)
def test_silent(case: Given) -> None:
    silent(case.ask(RULE))


def test_a_metabolic_panel_does_not_cover_magnesium_and_an_old_order_no_longer_counts() -> None:
    case = checked(potassium=0, magnesium=0).testing("potassium", "creatinine", "sodium")
    assert offers(fired(case.ask(RULE))) == {"magnesium"}
    old = checked(potassium=0).testing("potassium", draft=False, days_ago=31)
    assert offers(fired(old.ask(RULE))) == {"potassium"}


@pytest.mark.parametrize(
    ("ordered", "offered"),
    [
        (("hemoglobin",), {"cbc"}),
        (("platelets",), {"cbc"}),
        (("hemoglobin", "platelets"), set()),
    ],
)
def test_an_order_for_one_part_of_a_blood_count_is_not_a_blood_count(
    ordered: tuple[str, ...], offered: set[str]
) -> None:
    case = checked(hemoglobin=0)
    for analyte in ordered:
        case.testing(analyte)
    if offered:
        assert offers(fired(case.ask(RULE))) == offered
    else:
        silent(case.ask(RULE))


def test_cramps_are_the_reason_for_the_encounter_or_are_assumed_by_the_site() -> None:
    fired(given().encounter_for(CRAMPS).ask(RULE))
    fired(given().at(cramps_assumed=True).ask(RULE))


def test_not_obtained_is_not_missing() -> None:
    unknown(given().cramps().lacking(Kind.RESULTS).ask(RULE))
    unknown(given().lacking(Kind.CONDITIONS).ask(RULE))
    cut = checked(magnesium=0).lacking(Kind.RESULTS, state=State.PARTIAL, reason="first pages only")
    assert "first pages" in unknown(cut.ask(RULE)).because[0]


@pytest.mark.parametrize(
    ("case", "names", "missing"),
    [
        (
            checked(potassium=0, magnesium=0, hemoglobin=0),
            "potassium, magnesium and complete blood count",
            3,
        ),
        (checked(potassium=0, magnesium=0), "potassium and magnesium", 2),
        (checked(magnesium=0), "magnesium", 1),
        (
            checked(potassium=0, magnesium=0).testing("magnesium"),
            "potassium",
            2,
        ),
    ],
)
def test_missing_tests_are_listed_in_a_sentence(case: Given, names: str, missing: int) -> None:
    finding = fired(case.ask(RULE))
    advice = f"Missing from the initial workup: {names}. Check only what is missing."
    assert finding.advice[0] == advice
    assert len(finding.missing) == missing
    assert evidence_names(finding) == {"Nocturnal leg cramps"}


def test_an_unusable_result_is_named() -> None:
    finding = fired(checked(potassium=0).unusable("potassium").ask(RULE))
    assert any("could not be used" in line for line in finding.missing)


def test_a_blood_count_panel_counts_as_checked_for_twelve_months() -> None:
    done = given().cramps().done("panel_blood_count", days_ago=360)
    assert offers(fired(done.ask(RULE))) == {"potassium", "magnesium"}
    old = given().cramps().done("panel_blood_count", days_ago=370)
    assert offers(fired(old.ask(RULE))) == {"potassium", "magnesium", "cbc"}
