"""anemia: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator, OrderTest
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

RULE = "anemia"
IRON = {"ferritin", "transferrin_saturation"}


@pytest.mark.parametrize(
    ("sex", "value", "fires"),
    [
        pytest.param("male", "12.9 g/dL", True, id="man just below 13"),
        pytest.param("male", "13.0 g/dL", False, id="man at 13"),
        pytest.param("male", "129 g/L", True, id="man 129 g/L"),
        pytest.param("male", "130 g/L", False, id="man 130 g/L"),
        pytest.param("male", "8.0 mmol/L", True, id="man 8.0 mmol/L"),
        pytest.param("male", "8.1 mmol/L", False, id="man 8.1 mmol/L, where 13 g/dL rounds to"),
        pytest.param("female", "11.9 g/dL", True, id="woman just below 12"),
        pytest.param("female", "12.0 g/dL", False, id="woman at 12"),
        pytest.param("female", "7.3 mmol/L", True, id="woman 7.3 mmol/L"),
        pytest.param("female", "7.4 mmol/L", False, id="woman 7.4 mmol/L, where 12 g/dL rounds to"),
        pytest.param("", "12.5 g/dL", False, id="sex unknown: the female limit"),
        pytest.param("", "11.9 g/dL", True, id="sex unknown, below the female limit"),
        pytest.param("female", "<9.0 g/dL", True, id="below the assay"),
    ],
)
def test_the_limit_depends_on_sex(sex: str, value: str, fires: bool) -> None:
    answer = given(sex=sex).result("hemoglobin", value).ask(RULE)
    if fires:
        finding = fired(answer)
        assert finding.indicator is Indicator.INFO
        assert offers(finding) == IRON
        assert bool(finding.missing) is (not sex)
    else:
        silent(answer)


@pytest.mark.parametrize(
    ("presence", "value", "fires"),
    [
        pytest.param(Presence.ACTIVE, "11.0 g/dL", False, id="pregnant at 11"),
        pytest.param(Presence.ACTIVE, "10.9 g/dL", True, id="pregnant just below 11"),
        pytest.param(Presence.ASSUMED, "11.5 g/dL", False, id="no clinical status"),
        pytest.param(Presence.SUSPECTED, "11.5 g/dL", True, id="suspected does not clear"),
        pytest.param(Presence.PAST, "11.5 g/dL", True, id="past pregnancy"),
    ],
)
def test_in_pregnancy_the_limit_is_11(presence: Presence, value: str, fires: bool) -> None:
    case = given().has("pregnancy", presence=presence).result("hemoglobin", value)
    (fired if fires else silent)(case.ask(RULE))


def test_a_man_keeps_the_male_limit_whatever_is_recorded() -> None:
    fired(given(sex="male").has("pregnancy").result("hemoglobin", "12.5 g/dL").ask(RULE))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given(), id="none"),
        pytest.param(given().result("hemoglobin", "8 g/dL", days_ago=366), id="older than a year"),
        pytest.param(given().result("hemoglobin", "<15 g/dL"), id="open comparator"),
        pytest.param(given().unusable("hemoglobin"), id="unusable"),
        pytest.param(
            given().result("hemoglobin", "14 g/dL", days_ago=9).unusable("hemoglobin"),
            id="a newer one unusable",
        ),
        pytest.param(given().lacking(Kind.RESULTS, state=State.UNAVAILABLE), id="server failed"),
        pytest.param(
            given().result("hemoglobin", "14 g/dL", preliminary=True), id="preliminary only"
        ),
    ],
)
def test_cannot_tell(case: Given) -> None:
    unknown(case.ask(RULE))


@pytest.mark.parametrize(("days_ago", "fires"), [(365, True), (366, False)])
def test_haemoglobin_counts_for_twelve_months(days_ago: int, fires: bool) -> None:
    answer = given().result("hemoglobin", "8 g/dL", days_ago=days_ago).ask(RULE)
    (fired if fires else unknown)(answer)


def test_a_newer_unusable_result_is_reported_with_a_low_one() -> None:
    case = given().result("hemoglobin", "8 g/dL", days_ago=9).unusable("hemoglobin", days_ago=1)
    assert any("could not be used" in line for line in fired(case.ask(RULE)).missing)


def test_a_preliminary_low_value_offers_only_the_repeat() -> None:
    case = given().result("hemoglobin", "14 g/dL", days_ago=5)
    finding = fired(case.result("hemoglobin", "8 g/dL", preliminary=True).ask(RULE))
    assert offers(finding) == {"cbc"}
    assert "preliminary" in finding.summary


def test_a_preliminary_value_neither_clears_a_final_one_nor_lowers_its_severity() -> None:
    for early in ("14 g/dL", "10 g/dL"):
        case = given().result("hemoglobin", "8.0 g/dL", days_ago=5)
        finding = fired(case.result("hemoglobin", early, preliminary=True).ask(RULE))
        assert "8.0 g/dL" in finding.summary
        assert offers(finding) == IRON


@pytest.mark.parametrize(
    ("case", "offered"),
    [
        (given().result("ferritin", "90 ng/mL"), {"transferrin_saturation"}),
        (given().result("transferrin_saturation", "30 %"), {"ferritin"}),
        (given().result("ferritin", "90 ng/mL").result("transferrin_saturation", "30 %"), set()),
        (given().result("ferritin", "90 ng/mL", days_ago=190), IRON),
        (given().result("ferritin", "90 ng/mL", preliminary=True), IRON),
    ],
)
def test_iron_studies_are_offered_when_there_is_no_recent_result(
    case: Given, offered: set[str]
) -> None:
    assert offers(fired(case.result("hemoglobin", "8 g/dL").ask(RULE))) == offered


def test_platelets_are_mentioned_when_the_patient_takes_quinine() -> None:
    case = given().takes("quinine").result("hemoglobin", "8 g/dL")
    without = fired(case.ask(RULE))
    assert any("platelets" in line for line in without.missing)
    finding = fired(case.result("platelets", "90 10*9/L").ask(RULE))
    assert "platelets" in " ".join(finding.advice)
    assert any(
        evidence.fact.source.reference.startswith("Observation/platelets")
        for evidence in finding.evidence
    )
    plain = fired(given().result("hemoglobin", "8 g/dL").result("platelets", "90 10*9/L").ask(RULE))
    assert "platelets" not in " ".join(plain.advice)


def test_the_evidence_lists_what_the_limit_and_the_advice_depend_on() -> None:
    case = given().has("pregnancy", name="Pregnancy").takes("quinine", name="Quinine")
    finding = fired(case.result("hemoglobin", "8 g/dL").ask(RULE))
    assert evidence_names(finding) == {"hemoglobin", "Pregnancy", "Quinine"}
    man = given(sex="male").has("pregnancy", name="Pregnancy").result("hemoglobin", "8 g/dL")
    assert evidence_names(fired(man.ask(RULE))) == {"hemoglobin"}


def test_quinine_that_a_newer_statement_reports_as_stopped_still_counts() -> None:
    case = given().reported_stopped("quinine", name="Quinine").result("hemoglobin", "8 g/dL")
    finding = fired(case.ask(RULE))
    assert "takes quinine" in " ".join(finding.advice)
    assert "takes quinine" in " ".join(finding.missing)
    assert "Quinine" in evidence_names(finding)


@pytest.mark.parametrize(("days_ago", "counts"), [(365, True), (366, False)])
def test_platelets_count_for_twelve_months(days_ago: int, counts: bool) -> None:
    case = given().takes("quinine").result("hemoglobin", "8 g/dL")
    finding = fired(case.result("platelets", "90 10*9/L", days_ago=days_ago).ask(RULE))
    assert ("platelets" in evidence_names(finding)) is counts
    assert any("platelets" in line for line in finding.missing) is not counts


def test_a_result_that_cannot_be_used_is_named() -> None:
    newer = given().result("hemoglobin", "14 g/dL", days_ago=9).unusable("hemoglobin")
    assert "a newer haemoglobin result" in unknown(newer.ask(RULE)).because[0]
    newer = given().result("hemoglobin", "8 g/dL", days_ago=9).unusable("hemoglobin")
    assert "a newer haemoglobin result" in fired(newer.ask(RULE)).missing[0]


def test_the_repeat_of_a_preliminary_result_covers_haemoglobin() -> None:
    case = given().result("hemoglobin", "8 g/dL", preliminary=True)
    (repeat,) = fired(case.ask(RULE)).suggestions
    assert isinstance(repeat, OrderTest)
    assert repeat.parts == ("hemoglobin",)


def test_unread_conditions_are_reported_because_they_could_include_pregnancy() -> None:
    for sex, mentioned in (("female", True), ("", True), ("male", False)):
        case = given(sex=sex).lacking(Kind.CONDITIONS, state=State.PARTIAL)
        finding = fired(case.result("hemoglobin", "8 g/dL").ask(RULE))
        assert any("pregnancy" in line for line in finding.missing) is mentioned


def test_minors_and_deceased_patients_are_not_assessed() -> None:
    silent(given(age=17).result("hemoglobin", "8 g/dL").ask(RULE))
    silent(given(deceased=True).result("hemoglobin", "8 g/dL").ask(RULE))
    fired(given(age=18).result("hemoglobin", "8 g/dL").ask(RULE))


INFO, WARNING, CRITICAL = Indicator.INFO, Indicator.WARNING, Indicator.CRITICAL


@pytest.mark.parametrize(
    ("case", "indicator"),
    [
        pytest.param(given().result("hemoglobin", "8.0 g/dL"), INFO, id="8.0"),
        pytest.param(given().result("hemoglobin", "7.9 g/dL"), WARNING, id="7.9"),
        pytest.param(given().result("hemoglobin", "79 g/L"), WARNING, id="79 g/L"),
        pytest.param(given().result("hemoglobin", "7.0 g/dL"), WARNING, id="7.0"),
        pytest.param(given().result("hemoglobin", "6.9 g/dL"), CRITICAL, id="6.9"),
        pytest.param(given().result("hemoglobin", "<5 g/dL"), CRITICAL, id="below the assay"),
        pytest.param(given().result("hemoglobin", "4.2 mmol/L"), CRITICAL, id="4.2 mmol/L"),
        pytest.param(
            given().has("pregnancy").result("hemoglobin", "7.5 g/dL"), WARNING, id="pregnant 7.5"
        ),
        pytest.param(given().result("hemoglobin", "5.8 g/dL", days_ago=30), CRITICAL, id="30 days"),
        pytest.param(given().result("hemoglobin", "5.8 g/dL", days_ago=31), INFO, id="31 days"),
        pytest.param(
            given().result("hemoglobin", "5.8 g/dL", preliminary=True), CRITICAL, id="preliminary"
        ),
    ],
)
def test_a_value_counts_as_severe_for_thirty_days(case: Given, indicator: Indicator) -> None:
    finding = fired(case.ask(RULE))
    assert finding.indicator is indicator
    if indicator is not INFO:
        text = " ".join((finding.summary, *finding.advice))
        assert "urgent" in text
        assert "bleeding" in text
        assert "cramp" not in text
        assert "cbc" in offers(finding)


def test_an_old_value_is_repeated_first() -> None:
    finding = fired(given().result("hemoglobin", "5.8 g/dL", days_ago=45).ask(RULE))
    assert "repeat first" in finding.summary
    assert offers(finding) == {"cbc"}


@pytest.mark.parametrize(
    ("case", "warns"),
    [
        pytest.param(given().result("platelets", "99 10*9/L"), True, id="platelets 99"),
        pytest.param(given().result("platelets", "100 10*9/L"), False, id="platelets 100"),
        pytest.param(
            given().result("platelets", "60 10*9/L", days_ago=91), False, id="old platelets"
        ),
        pytest.param(given().result("hemoglobin", "12.5 g/dL", days_ago=40), True, id="fell 2.0"),
        pytest.param(given().result("hemoglobin", "12.4 g/dL", days_ago=40), False, id="fell 1.9"),
        pytest.param(
            given().result("hemoglobin", "14 g/dL", days_ago=92), False, id="fell, over 90 days"
        ),
        pytest.param(
            given().result("hemoglobin", "14 g/dL", days_ago=60).result(
                "hemoglobin", "11 g/dL", days_ago=20
            ), True, id="fell in steps",
        ),
        pytest.param(
            given().result("hemoglobin", "125 g/L", days_ago=40), True, id="fell, another unit"
        ),
        pytest.param(given(), False, id="one value"),
    ],
)  # fmt: skip
def test_a_possible_effect_of_quinine_is_a_warning(case: Given, warns: bool) -> None:
    without = fired(case.result("hemoglobin", "10.5 g/dL").ask(RULE))
    assert without.indicator is INFO
    finding = fired(case.takes("quinine").ask(RULE))
    assert (finding.indicator is WARNING) is warns
    assert ("Stop quinine" in " ".join(finding.advice)) is warns
