"""low-ferritin: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

RULE = "low-ferritin"
BOTH = {"ferritin", "transferrin_saturation"}


def words(case: Given) -> str:
    return " ".join(fired(case.ask(RULE)).advice)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("49 ng/mL", id="just below 50"),
        pytest.param("49.9 ug/L", id="49.9 ug/L"),
        pytest.param("112 pmol/L", id="below 112.4 pmol/L"),
        pytest.param("<50 ng/mL", id="behind a comparator"),
        pytest.param("<10 ng/mL", id="below the assay"),
        pytest.param("4.9 ug/dL", id="ug/dL times ten"),
    ],
)
def test_fires_below_50(value: str) -> None:
    finding = fired(given().result("ferritin", value).ask(RULE))
    assert finding.indicator is Indicator.INFO
    assert offers(finding) == {"transferrin_saturation"}
    assert finding.reference == "article"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("50 ng/mL", id="at 50"),
        pytest.param("113 pmol/L", id="113 pmol/L"),
        pytest.param("75 ng/mL", id="75 without restless legs"),
        pytest.param(">50 ng/mL", id="behind a comparator"),
    ],
)
def test_is_silent_at_50_and_above(value: str) -> None:
    silent(given().result("ferritin", value).ask(RULE))


@pytest.mark.parametrize(
    ("value", "fires"),
    [
        pytest.param("50 ng/mL", True, id="50"),
        pytest.param("75 ng/mL", True, id="at 75"),
        pytest.param("168 pmol/L", True, id="168 pmol/L is at most 168.5"),
        pytest.param("<75 ng/mL", True, id="<75"),
        pytest.param("76 ng/mL", False, id="just above 75"),
        pytest.param("75.1 ng/mL", False, id="75.1"),
    ],
)
def test_in_documented_restless_legs_the_limit_is_75(value: str, fires: bool) -> None:
    answer = given().has("rls").result("ferritin", value).ask(RULE)
    if fires:
        assert fired(answer).reference == "aasm-2025"
    else:
        silent(answer)


@pytest.mark.parametrize(
    ("value", "fires"),
    [("19 %", True), ("19.9 %", True), ("20 %", False), ("0.19 1", True), ("0.20 1", False)],
)
def test_in_documented_restless_legs_a_low_saturation_counts(value: str, fires: bool) -> None:
    case = given().has("rls").result("ferritin", "120 ng/mL")
    answer = case.result("transferrin_saturation", value).ask(RULE)
    if fires:
        assert "Low transferrin saturation" in fired(answer).summary
    else:
        silent(answer)
    without = given().result("ferritin", "120 ng/mL").result("transferrin_saturation", value)
    silent(without.ask(RULE))


@pytest.mark.parametrize("presence", [Presence.SUSPECTED, Presence.PAST, Presence.REFUTED])
def test_undocumented_restless_legs_do_not_raise_the_limit(presence: Presence) -> None:
    silent(given().has("rls", presence=presence).result("ferritin", "60 ng/mL").ask(RULE))


def test_restless_legs_without_a_clinical_status_count() -> None:
    case = given().has("rls", presence=Presence.ASSUMED).result("ferritin", "60 ng/mL")
    fired(case.ask(RULE))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given(), id="no ferritin"),
        pytest.param(
            given().result("ferritin", "20 ng/mL", days_ago=190), id="older than 6 months"
        ),
        pytest.param(given().result("ferritin", "<100 ng/mL"), id="open comparator"),
        pytest.param(given().unusable("ferritin"), id="unusable"),
        pytest.param(given().unusable("ferritin", days_ago=None), id="undated"),
        pytest.param(
            given().result("ferritin", "90 ng/mL", days_ago=9).unusable("ferritin", days_ago=1),
            id="a newer one unusable",
        ),
        pytest.param(given().lacking(Kind.RESULTS), id="results not sent"),
        pytest.param(
            given().result("ferritin", "90 ng/mL", preliminary=True), id="preliminary only"
        ),
    ],
)
def test_cannot_tell(case: Given) -> None:
    assert not unknown(case.ask(RULE)).trigger


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_between_the_limits_restless_legs_must_be_known(state: State) -> None:
    case = given().lacking(Kind.CONDITIONS, state=state)
    assert unknown(case.result("ferritin", "60 ng/mL").ask(RULE)).trigger
    short = given().lacking(Kind.CONDITIONS, state=state).result("ferritin", "90 ng/mL")
    assert unknown(short.result("transferrin_saturation", "12 %").ask(RULE)).trigger
    low = given().lacking(Kind.CONDITIONS, state=state).result("ferritin", "40 ng/mL")
    assert any("problem list" in line for line in fired(low.ask(RULE)).missing)
    silent(given().lacking(Kind.CONDITIONS, state=state).result("ferritin", "90 ng/mL").ask(RULE))


@pytest.mark.parametrize(("days_ago", "fires"), [(184, True), (185, False)])
def test_ferritin_counts_for_six_months(days_ago: int, fires: bool) -> None:
    answer = given().result("ferritin", "20 ng/mL", days_ago=days_ago).ask(RULE)
    if fires:
        fired(answer)
    else:
        unknown(answer)


def test_of_two_simultaneous_results_the_lower_counts() -> None:
    two_results = given().result("ferritin", "90 ng/mL").result("ferritin", "30 ng/mL")
    assert "30 ng/mL" in fired(two_results.ask(RULE)).summary
    two_results = given().lacking(Kind.CONDITIONS).result("ferritin", "90 ng/mL")
    assert unknown(two_results.result("ferritin", "60 ng/mL").ask(RULE)).trigger


def test_missing_means_not_measured_or_not_usable() -> None:
    tsat = "transferrin saturation in the last 6 months"
    assert fired(given().result("ferritin", "30 ng/mL").ask(RULE)).missing == (tsat,)
    two_results = given().result("ferritin", "30 ng/mL").result("transferrin_saturation", "25 %")
    assert fired(two_results.ask(RULE)).missing == ()
    newer = given().result("ferritin", "30 ng/mL", days_ago=9).unusable("ferritin")
    lines = fired(newer.unusable("transferrin_saturation").ask(RULE)).missing
    assert lines[0].startswith("a newer ferritin result could not be used")
    assert lines[1].startswith("a newer transferrin saturation result could not be used")


def test_the_advice_covers_restless_legs_when_documented_and_otherwise_asks_about_them() -> None:
    known = words(given().has("rls").result("ferritin", "30 ng/mL"))
    assert "Restless legs are documented" in known
    assert "ask about an urge to move" not in known
    asked = words(given().result("ferritin", "30 ng/mL"))
    assert "Restless legs are documented" not in asked
    assert "ask about an urge to move" in asked


def test_restless_legs_and_contraindications_to_iron_are_evidence() -> None:
    case = given().has("rls", name="Restless legs").has("iron_overload", name="Overload")
    finding = fired(case.result("ferritin", "30 ng/mL", preliminary=True).ask(RULE))
    assert evidence_names(finding) == {"ferritin", "Restless legs", "Overload"}
    assert finding.evidence[0].note == "preliminary"


def test_a_recent_saturation_is_shown_and_not_offered_again() -> None:
    case = given().result("ferritin", "30 ng/mL").result("transferrin_saturation", "25 %")
    finding = fired(case.ask(RULE))
    assert offers(finding) == set()
    assert len(finding.evidence) == 2


def test_a_preliminary_low_ferritin_offers_only_its_repeat() -> None:
    case = given().result("ferritin", "90 ng/mL", days_ago=5)
    finding = fired(case.result("ferritin", "30 ng/mL", preliminary=True).ask(RULE))
    assert offers(finding) == {"ferritin"}
    assert "preliminary" in finding.summary
    assert "repeat" in finding.advice[0]


def test_a_preliminary_low_saturation_offers_its_own_repeat() -> None:
    case = given().has("rls").result("ferritin", "90 ng/mL")
    finding = fired(case.result("transferrin_saturation", "12 %", preliminary=True).ask(RULE))
    assert offers(finding) == {"transferrin_saturation"}


def test_a_preliminary_value_neither_clears_a_final_one_nor_lowers_its_severity() -> None:
    for early in ("90 ng/mL", "45 ng/mL"):
        case = given().result("ferritin", "20 ng/mL", days_ago=5)
        finding = fired(case.result("ferritin", early, preliminary=True).ask(RULE))
        assert "20 ng/mL" in finding.summary
        assert "preliminary" not in finding.summary


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(
            given().result("transferrin_saturation", "46 %"), "46 % is above 45 %", id="TSAT 46 %"
        ),
        pytest.param(given().has("iron_overload"), "No iron is advised here", id="overload"),
        pytest.param(given().has("dialysis"), "a decision for the renal team", id="dialysis"),
        pytest.param(
            given().has("iron_overload", presence=Presence.SUSPECTED),
            "No iron is advised here",
            id="suspected overload",
        ),
    ],
)
def test_iron_is_not_advised_when_it_would_harm(case: Given, expected: str) -> None:
    text = words(case.has("rls").result("ferritin", "30 ng/mL"))
    assert expected in text
    assert "whether to give iron" not in text


def test_at_45_percent_iron_is_left_to_the_clinician() -> None:
    case = given().result("ferritin", "30 ng/mL").result("transferrin_saturation", "45 %")
    assert "Giving iron is the clinician's decision" in words(case)


@pytest.mark.parametrize(
    ("case", "raised"),
    [
        pytest.param(given().result("crp", "11 mg/L"), True, id="CRP raised"),
        pytest.param(given().result("crp", "1.1 mg/dL"), True, id="CRP raised, in mg/dL"),
        pytest.param(given().result("crp", "10 mg/L"), False, id="CRP at its limit"),
        pytest.param(given().result("crp", "90 mg/L", days_ago=31), False, id="CRP too old"),
        pytest.param(given().has("ckd_any"), True, id="CKD"),
        pytest.param(given().result("egfr", "50 mL/min/{1.73_m2}"), True, id="eGFR 50"),
        pytest.param(given().has("liver_disease"), True, id="liver disease"),
        pytest.param(given().has("cirrhosis"), True, id="cirrhosis"),
        pytest.param(given(), False, id="none of them"),
    ],
)
def test_a_low_ferritin_is_low_even_with_inflammation(case: Given, raised: bool) -> None:
    text = words(case.result("ferritin", "30 ng/mL"))
    assert ("low even with inflammation" in text) is raised
    assert "mislead" not in text


def test_the_limit_that_was_applied_is_shown() -> None:
    def limit(value: str) -> str:
        finding = fired(given().has("rls").result("ferritin", value).ask(RULE))
        assert finding.evidence[0].limit is not None
        return finding.evidence[0].limit.key

    assert limit("30 ng/mL") == "ferritin.low"
    assert limit("60 ng/mL") == "ferritin.rls"


def test_minors_and_deceased_patients_are_not_assessed() -> None:
    silent(given(age=17).result("ferritin", "20 ng/mL").ask(RULE))
    silent(given(deceased=True).result("ferritin", "20 ng/mL").ask(RULE))
    fired(given(age=None).result("ferritin", "20 ng/mL").ask(RULE))


def test_no_medicine_is_ever_offered() -> None:
    for case in (given(), given().has("rls")):
        assert offers(fired(case.result("ferritin", "5 ng/mL").ask(RULE))) <= BOTH


CRP = "40 mg/L"


@pytest.mark.parametrize(
    ("case", "fires"),
    [
        pytest.param(given().has("rls").result("crp", CRP), True, id="CRP"),
        pytest.param(given().has("rls").result("crp", "10 mg/L"), False, id="CRP at 10"),
        pytest.param(given().has("rls").result("crp", CRP, days_ago=31), False, id="old CRP"),
        pytest.param(given().has("rls").has("ckd_any"), True, id="CKD"),
        pytest.param(given().has("rls").has("liver_disease"), True, id="liver disease"),
        pytest.param(given().has("rls"), False, id="nothing raises it"),
        pytest.param(given().result("crp", CRP), False, id="no restless legs"),
        pytest.param(
            given().has("rls").result("crp", CRP).result("transferrin_saturation", "30 %"), False,
            id="a saturation of 6 months",
        ),
        pytest.param(
            given().has("rls").result("crp", CRP).result(
                "transferrin_saturation", "30 %", days_ago=200
            ), True, id="an old saturation",
        ),
    ],
)  # fmt: skip
def test_a_ferritin_that_is_not_low_may_hide_a_deficiency(case: Given, fires: bool) -> None:
    answer = case.result("ferritin", "150 ng/mL").ask(RULE)
    if not fires:
        silent(answer)
        return
    finding = fired(answer)
    assert finding.indicator is Indicator.INFO
    assert "may hide a deficiency" in finding.summary
    assert offers(finding) == {"transferrin_saturation"}


def test_on_dialysis_with_restless_legs_the_renal_team_decides() -> None:
    case = given().has("rls").has("dialysis").result("ferritin", "60 ng/mL")
    text = words(case)
    assert "IV iron sucrose when ferritin < 200 ng/mL and TSAT < 20 %" in text
    assert "renal team" in text
    without = words(given().has("dialysis").result("ferritin", "30 ng/mL"))
    assert "sucrose" not in without
