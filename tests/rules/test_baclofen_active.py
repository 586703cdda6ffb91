"""baclofen-active-renal-impairment: a table of cases."""

import pytest

from cds_service.core.facts import Kind
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, fired, given, offers, silent, unknown

RULE = "baclofen-active-renal-impairment"
UNIT = "mL/min/{1.73_m2}"


def taking(egfr: str = "", age: int = 50) -> Given:
    case = given(age=age).takes("baclofen", name="Baclofen 10 MG Oral Tablet")
    return case.result("egfr", f"{egfr} {UNIT}") if egfr else case


@pytest.mark.parametrize(
    ("case", "indicator"),
    [
        (taking("29"), Indicator.CRITICAL),
        (taking().has("dialysis"), Indicator.CRITICAL),
        (taking().has("aki"), Indicator.CRITICAL),
        (taking().has("ckd_stage_4_5"), Indicator.CRITICAL),
        (taking("30"), Indicator.INFO),
        (taking("59", age=64), Indicator.INFO),
        (taking("59", age=65), Indicator.WARNING),
        (taking("29", age=9), Indicator.CRITICAL),
    ],
)
def test_fires(case: Given, indicator: Indicator) -> None:
    finding = fired(case.ask(RULE))
    assert finding.indicator is indicator
    assert offers(finding) == {"creatinine"}
    assert "never stop it abruptly" in finding.advice[0]


@pytest.mark.parametrize(
    "case",
    [
        taking("60"),
        given().has("dialysis"),
        given().takes("baclofen_intrathecal").has("dialysis"),
        given().ordering("baclofen").has("dialysis"),
    ],
)
def test_silent(case: Given) -> None:
    silent(case.ask(RULE))


def test_other_sedatives_are_named() -> None:
    finding = fired(taking("20").takes("gabapentinoid", name="Gabapentin 300 MG").ask(RULE))
    assert "gabapentin" in finding.summary
    assert "Other sedatives: Gabapentin 300 MG." in finding.advice


def test_a_rule_that_cannot_tell_says_why() -> None:
    assert unknown(taking().ask(RULE)).trigger
    assert unknown(given().lacking(Kind.MEDICATIONS).ask(RULE)).because
    assert unknown(taking("90").lacking(Kind.CONDITIONS).ask(RULE)).trigger


def test_acute_kidney_injury_by_creatinine_counts() -> None:
    case = taking().result("creatinine", "0.7 mg/dL", days_ago=5)
    finding = fired(case.result("creatinine", "1.3 mg/dL", days_ago=1).ask(RULE))
    assert finding.indicator is Indicator.CRITICAL
    assert "possible AKI" in finding.summary
