"""metabolic-cause-found: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator
from tests.testing.given import CRAMPS, Given, fired, given, offers, silent, unknown

RULE = "metabolic-cause-found"
INFO, WARNING, CRITICAL = Indicator.INFO, Indicator.WARNING, Indicator.CRITICAL
CK = "creatine_kinase"


def cramps() -> Given:
    return given().cramps()


@pytest.mark.parametrize(
    ("case", "indicator"),
    [
        pytest.param(cramps().result("calcium", "2.09 mmol/L"), WARNING, id="Ca just below"),
        pytest.param(cramps().result("calcium", "2.10 mmol/L"), None, id="Ca at"),
        pytest.param(cramps().result("calcium", "8.4 mg/dL"), None, id="Ca 8.4 mg/dL is 2.10"),
        pytest.param(cramps().result("calcium", "8.3 mg/dL"), WARNING, id="Ca 8.3 mg/dL"),
        pytest.param(cramps().result("calcium", "4.1 mEq/L"), WARNING, id="Ca in mEq/L"),
        pytest.param(
            cramps().result("calcium", "2.15 mmol/L", low="2.20"), WARNING, id="Ca, own range"
        ),
        pytest.param(
            cramps().result("calcium", "2.05 mmol/L", low="2.00"), None, id="Ca, lower own range"
        ),
        pytest.param(cramps().result("calcium", "1.90 mmol/L"), WARNING, id="Ca at critical"),
        pytest.param(cramps().result("calcium", "1.89 mmol/L"), CRITICAL, id="Ca critical"),
        pytest.param(
            cramps().result("calcium_adjusted", "2.05 mmol/L"), WARNING, id="adjusted by the lab"
        ),
        pytest.param(
            given().result("calcium_adjusted", "7.5 mg/dL"), CRITICAL, id="adjusted, critical"
        ),
        pytest.param(
            cramps().result("calcium_adjusted", "2.15 mmol/L", low="2.20"),
            WARNING,
            id="adjusted, own range",
        ),
        pytest.param(
            cramps().result("calcium", "2.00 mmol/L").result("calcium_adjusted", "2.25 mmol/L"),
            None,
            id="adjusted calcium outranks the total",
        ),
        pytest.param(
            cramps()
            .result("calcium", "2.00 mmol/L")
            .result("calcium_adjusted", "2.25 mmol/L", days_ago=9),
            WARNING,
            id="a newer total calcium counts",
        ),
        pytest.param(
            cramps()
            .result("calcium", "2.30 mmol/L", days_ago=9)
            .result("calcium_adjusted", "2.00 mmol/L"),
            WARNING,
            id="a newer adjusted calcium counts",
        ),
        pytest.param(
            cramps().result("calcium", "1.95 mmol/L").result("albumin", "30 g/L"),
            None,
            id="Ca 1.95 with albumin 30 is 2.15",
        ),
        pytest.param(
            cramps().result("calcium", "1.85 mmol/L").result("albumin", "2.8 g/dL"),
            WARNING,
            id="Ca 1.85 with albumin 28 is 2.09",
        ),
        pytest.param(
            cramps().result("calcium", "2.05 mmol/L").result("albumin", "48 g/L"),
            WARNING,
            id="a high albumin does not correct",
        ),
        pytest.param(
            cramps().result("calcium", "2.00 mmol/L").result("albumin", "20 g/L", days_ago=8),
            None,
            id="albumin 7 days apart corrects",
        ),
        pytest.param(
            cramps().result("calcium", "2.00 mmol/L").result("albumin", "20 g/L", days_ago=9),
            WARNING,
            id="albumin 8 days apart does not",
        ),
        pytest.param(cramps().result("calcium_ionized", "1.12 mmol/L"), None, id="iCa at"),
        pytest.param(cramps().result("calcium_ionized", "1.11 mmol/L"), WARNING, id="iCa below"),
        pytest.param(cramps().result("calcium_ionized", "0.90 mmol/L"), WARNING, id="iCa at crit"),
        pytest.param(cramps().result("calcium_ionized", "0.89 mmol/L"), CRITICAL, id="iCa crit"),
        pytest.param(cramps().result(CK, "1000 U/L"), None, id="CK at 5 times"),
        pytest.param(cramps().result(CK, "1001 U/L"), WARNING, id="CK above 5 times"),
        pytest.param(cramps().result(CK, "18 ukat/L"), WARNING, id="CK in ukat/L"),
        pytest.param(cramps().result(CK, "900 U/L", high="170"), WARNING, id="CK, own range"),
        pytest.param(cramps().result(CK, "1600 U/L", high="390"), None, id="CK, high own range"),
        pytest.param(cramps().result(CK, "5000 U/L"), WARNING, id="CK at 25 times"),
        pytest.param(cramps().result(CK, "5001 U/L"), CRITICAL, id="CK above 25 times"),
        pytest.param(
            cramps().takes("statin").result(CK, "2000 U/L"), WARNING, id="CK at 10 times, statin"
        ),
        pytest.param(
            cramps().takes("statin").result(CK, "2001 U/L"), CRITICAL, id="above 10, statin"
        ),
        pytest.param(
            cramps().reported_stopped("statin").result(CK, "2001 U/L"),
            CRITICAL,
            id="a statin said to be stopped still counts",
        ),
        pytest.param(cramps().result("sodium", "130 mmol/L"), None, id="Na at"),
        pytest.param(cramps().result("sodium", "129 mmol/L"), WARNING, id="Na below"),
        pytest.param(cramps().result("sodium", "120 mmol/L"), WARNING, id="Na at critical"),
        pytest.param(cramps().result("sodium", "119 mEq/L"), CRITICAL, id="Na critical"),
        pytest.param(cramps().result("tsh", "10 mIU/L"), None, id="TSH at"),
        pytest.param(cramps().result("tsh", "10.1 uIU/mL"), INFO, id="TSH above"),
        pytest.param(cramps().result("tsh", ">100 mIU/L"), INFO, id="TSH beyond measuring"),
    ],
)
def test_limits(case: Given, indicator: Indicator | None) -> None:
    answer = case.ask(RULE)
    if indicator is None:
        silent(answer)
    else:
        assert fired(answer).indicator is indicator


@pytest.mark.parametrize(
    ("analyte", "value", "days_ago", "indicator"),
    [
        ("calcium", "1.80 mmol/L", 30, CRITICAL),
        ("calcium", "1.80 mmol/L", 31, INFO),
        ("calcium", "1.80 mmol/L", 91, None),
        (CK, "9000 U/L", 31, INFO),
        (CK, "9000 U/L", 91, None),
        ("sodium", "118 mmol/L", 31, INFO),
        ("sodium", "118 mmol/L", 91, None),
        ("tsh", "60 mIU/L", 89, INFO),
    ],
)
def test_age_of_the_result(
    analyte: str, value: str, days_ago: int, indicator: Indicator | None
) -> None:
    answer = cramps().result(analyte, value, days_ago=days_ago).ask(RULE)
    if indicator is None:
        silent(answer)
        return
    finding = fired(answer)
    assert finding.indicator is indicator
    if days_ago > 30:
        assert "repeat first" in finding.summary
        assert offers(finding) == {analyte}


def test_only_the_critical_ones_fire_without_cramps() -> None:
    silent(given().result("sodium", "125 mmol/L").ask(RULE))
    fired(given().encounter_for(CRAMPS).result("sodium", "125 mmol/L").ask(RULE))
    assert fired(given().result("sodium", "118 mmol/L").ask(RULE)).indicator is CRITICAL
    unread = (
        given().result("sodium", "125 mmol/L").lacking(Kind.CONDITIONS, state=State.UNAVAILABLE)
    )
    assert "whether leg cramps are documented" in unknown(unread.ask(RULE)).because


def test_under_18_only_the_critical_ones_fire() -> None:
    child = given(age=12).cramps()
    silent(child.result("calcium", "2.05 mmol/L").ask(RULE))
    assert fired(given(age=12).result("calcium", "1.80 mmol/L").ask(RULE)).indicator is CRITICAL


def test_creatine_kinase_of_60_times_the_limit_on_a_statin() -> None:
    case = cramps().takes("statin", name="atorvastatin 80 MG Oral Tablet").result(CK, "12000 U/L")
    finding = fired(case.ask(RULE))
    assert finding.summary.startswith("CK 12000 U/L on atorvastatin: stop statin")
    assert len(finding.summary) <= 90
    assert "Stop the statin" in finding.advice[0]
    assert offers(finding) == {CK, "creatinine", "potassium"}


def test_one_card_lists_the_worst_first() -> None:
    case = cramps().result("tsh", "40 mIU/L").result("sodium", "126 mmol/L")
    finding = fired(case.result(CK, "30000 U/L").ask(RULE))
    assert finding.indicator is CRITICAL
    assert finding.summary.startswith("CK 30000")
    assert [line.split()[0] for line in finding.advice] == ["Look", "Sodium", "TSH"]


def test_low_calcium_is_treated_together_with_low_magnesium() -> None:
    finding = fired(cramps().result("calcium", "1.80 mmol/L").ask(RULE))
    assert offers(finding) == {"calcium", "magnesium", "ecg"}
    assert "No albumin within 7 days" in finding.advice[0]
    corrected = cramps().result("calcium", "1.70 mmol/L").result("albumin", "35 g/L")
    finding = fired(corrected.ask(RULE))
    assert "Calcium 1.80 mmol/L (corrected)" in finding.summary
    assert "No albumin" not in finding.advice[0]


def test_of_two_equally_close_albumins_the_higher_one_is_used_for_the_correction() -> None:
    case = cramps().result("calcium", "1.95 mmol/L", days_ago=5)
    case.result("albumin", "20 g/L", days_ago=3).result("albumin", "36 g/L", days_ago=7)
    fired(case.ask(RULE))


def test_the_diuretic_is_named() -> None:
    case = cramps().takes("diuretic_thiazide", name="Chlorthalidone 25 MG Oral Tablet")
    finding = fired(case.result("sodium", "127 mmol/L").ask(RULE))
    assert "chlorthalidone" in finding.summary
    assert "Review Chlorthalidone" in finding.advice[0]
    cirrhotic = cramps().has("cirrhosis").takes("diuretic_loop", name="Furosemide 40 MG")
    finding = fired(cirrhotic.result("sodium", "124 mmol/L").ask(RULE))
    assert "discontinue the diuretics" in finding.advice[0]


@pytest.mark.parametrize("presence", [Presence.SUSPECTED, Presence.PAST])
def test_suspected_cramps_are_not_documented(presence: Presence) -> None:
    silent(given().cramps(presence=presence).result("tsh", "30 mIU/L").ask(RULE))


def test_preliminary_results_fire_only_when_critical() -> None:
    silent(cramps().result("sodium", "126 mmol/L", preliminary=True).ask(RULE))
    finding = fired(cramps().result("sodium", "117 mmol/L", preliminary=True).ask(RULE))
    assert "preliminary" in finding.summary
    assert offers(finding) == {"sodium"}
    case = cramps().result("sodium", "126 mmol/L", days_ago=3)
    case.result("sodium", "140 mmol/L", preliminary=True, days_ago=1)
    assert fired(case.ask(RULE)).indicator is WARNING


def test_unusable_data_are_reported() -> None:
    assert "calcium" in unknown(cramps().unusable("calcium").ask(RULE)).because[0]
    case = cramps().result("tsh", "20 mIU/L").unusable(CK)
    assert any("creatine" in line for line in fired(case.ask(RULE)).missing)
    assert unknown(cramps().result(CK, ">500 U/L").ask(RULE))


def test_values_that_were_not_measured_are_not_called_normal() -> None:
    assert "was measured" in silent(cramps().ask(RULE)).because
    assert "not measured" in silent(cramps().result("tsh", "2 mIU/L").ask(RULE)).because


def test_every_test_that_is_offered_can_be_ordered() -> None:
    from hooks.knowledge.files import orderables

    case = cramps().result("calcium_ionized", "0.80 mmol/L").result("calcium", "1.70 mmol/L")
    case.result("tsh", "40 mIU/L").result("sodium", "117 mmol/L").result(CK, "9000 U/L")
    assert offers(fired(case.ask(RULE))) <= set(orderables())
