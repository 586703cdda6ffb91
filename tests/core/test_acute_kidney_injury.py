"""Acute kidney injury shown by creatinine: when, and in which words."""

import pytest

from hooks.acute_kidney_injury import acute_kidney_injury
from tests.testing.given import Given, given


@pytest.mark.parametrize(
    ("earlier", "newest", "shown"),
    [
        # NHS England: 1.5 x the lowest of the last 7 days.
        pytest.param([("1.0", 6)], "1.5", True, id="1.5 x within a week"),
        pytest.param([("1.0", 6)], "1.49", False, id="just below 1.5 x within a week"),
        # NHS England: more than 26 umol/L (0.294 mg/dL) within 48 hours.
        pytest.param([("1.0", 1)], "1.3", True, id="0.30 mg/dL in a day"),
        pytest.param([("1.0", 1)], "1.29", False, id="0.29 mg/dL in a day"),
        pytest.param([("1.0", 3)], "1.4", False, id="0.4 mg/dL in three days, below 1.5 x"),
        # NHS England: 1.5 x the median of 8 to 365 days where the week has none.
        pytest.param([("0.8", 200), ("1.0", 100), ("3.0", 50)], "1.5", True, id="median"),
        pytest.param([("0.8", 200), ("1.2", 100)], "1.5", True, id="median of two: 1.0"),
        pytest.param([("0.8", 200), ("1.3", 100)], "1.5", False, id="median of two: 1.05"),
        pytest.param([("0.8", 366)], "3.0", False, id="older than a year"),
    ],
)
def test_acute_injury_by_creatinine(
    earlier: list[tuple[str, int]], newest: str, shown: bool
) -> None:
    case = given().result("creatinine", f"{newest} mg/dL", days_ago=0)
    for value, days in earlier:
        case.result("creatinine", f"{value} mg/dL", days_ago=days)
    assert (acute_kidney_injury(case.facts()) is not None) is shown


def test_acute_injury_says_rise_and_days() -> None:
    case = given().result("creatinine", "1.6 mg/dL", days_ago=0)
    case.result("creatinine", "1.0 mg/dL", days_ago=2)
    found = acute_kidney_injury(case.facts())
    assert found is not None
    assert found.words == "possible AKI, creatinine 1.0 → 1.6 mg/dL in 2 days"


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given(age=17), id="under 18"),
        pytest.param(given().has("dialysis"), id="on dialysis"),
    ],
)
def test_no_acute_injury_by_creatinine(case: Given) -> None:
    case.result("creatinine", "3.0 mg/dL", days_ago=0).result("creatinine", "1.0 mg/dL", days_ago=2)
    assert acute_kidney_injury(case.facts()) is None
