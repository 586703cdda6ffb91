"""Which eGFR counts, and how it is computed from creatinine."""

from fractions import Fraction

import pytest

from cds_service.core.facts import Presence, Result
from cds_service.core.series import Worse
from hooks.egfr import ckd_epi_2021
from hooks.renal import Impairment, RenalFunction, renal_function
from tests.testing.given import Given, given

UNIT = "mL/min/{1.73_m2}"
FREE, PAIR = "race_free_2021", "race_coefficient"


def egfr(value: str) -> str:
    return f"{value} {UNIT}"


def used(case: Given) -> Result | None:
    return case.facts().newest("egfr", Worse.LOW).result


def number(case: Given) -> str:
    result = used(case)
    return "" if result is None else result.reported.split(" ")[0]


def renal_of(case: Given) -> RenalFunction:
    return renal_function(case.facts())


@pytest.mark.parametrize(
    ("creatinine", "age", "female", "expected"),
    [
        # The equation worked out by hand at kappa, where only age and sex matter.
        pytest.param("0.9", 50, False, 142 * 0.9938**50, id="man at kappa"),
        pytest.param("0.7", 50, True, 142 * 0.9938**50 * 1.012, id="woman at kappa"),
        # As the National Kidney Foundation's calculator gives it (quoted second-hand).
        pytest.param("1.2", 55, False, 71, id="man of 55 with 1.2 mg/dL"),
        # Calculated independently of the code, to the nearest whole number.
        pytest.param("1.0", 50, False, 92, id="man of 50 with 1.0 mg/dL"),
        pytest.param("1.0", 50, True, 69, id="woman of 50 with 1.0 mg/dL"),
        pytest.param("1.2", 60, False, 69, id="man of 60 with 1.2 mg/dL"),
        pytest.param("2.0", 70, True, 26, id="woman of 70 with 2.0 mg/dL"),
        pytest.param("0.5", 30, True, 129, id="woman of 30 with 0.5 mg/dL"),
        pytest.param("0.8", 20, False, 130, id="man of 20 with 0.8 mg/dL"),
        pytest.param("4.0", 80, False, 14, id="man of 80 with 4.0 mg/dL"),
    ],
)
def test_ckd_epi_2021(creatinine: str, age: int, female: bool, expected: float) -> None:
    assert ckd_epi_2021(Fraction(creatinine), age, female) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(
            given().result("egfr", egfr("70"), days_ago=5).result("egfr", egfr("50"), days_ago=1),
            "50",
            id="newest day first",
        ),
        pytest.param(
            given()
            .result("egfr", egfr("50"), method=PAIR)
            .result("egfr", egfr("65"), method=FREE)
            .result("egfr", egfr("58"), method=PAIR),
            "65",
            id="race-free is preferred on one day",
        ),
        pytest.param(
            given()
            .result("egfr", egfr("65"), method=FREE, days_ago=2)
            .result("egfr", egfr("58"), method=PAIR, days_ago=1),
            "58",
            id="but not against a newer day",
        ),
        pytest.param(
            given().result("egfr", egfr("64"), method=PAIR).result("egfr", egfr("55"), method=PAIR),
            "55",
            id="the lower of a race-adjusted pair",
        ),
        pytest.param(
            given()
            .result("egfr", egfr("55"), method=PAIR, days_ago=1.25)  # type: ignore[arg-type]
            .result("egfr", egfr("64"), method=PAIR, days_ago=1),
            "55",
            id="even if the higher is of a later hour",
        ),
        pytest.param(
            given().result("egfr", egfr("55")).result("creatinine", "4.0 mg/dL"),
            "55",
            id="reported before computed on one day",
        ),
        pytest.param(
            given()
            .result("egfr", egfr("55"), days_ago=1)
            .result("creatinine", "4.0 mg/dL", days_ago=9),
            "55",
            id="an older creatinine does not count",
        ),
    ],
)
def test_which_egfr_counts(case: Given, expected: str) -> None:
    assert number(case) == expected


def test_an_egfr_is_computed_from_a_creatinine_of_a_later_day_and_labelled_computed() -> None:
    case = given(age=50).result("egfr", egfr("80"), days_ago=5).result("creatinine", "1.5 mg/dL")
    result = used(case)
    assert result is not None
    assert result.computed
    assert result.reported == "42.2 mL/min/1.73 m²"  # worked by hand
    assert result.decimals == 1
    assert result.method == "computed"
    assert renal_of(case).moderate
    assert "computed from creatinine, CKD-EPI 2021" in renal_of(case).note()


def test_the_same_creatinine_in_umol_gives_the_same() -> None:
    in_mg_dl = number(given(age=50).result("creatinine", "2.0 mg/dL"))
    assert in_mg_dl == number(given(age=50).result("creatinine", "176.8 umol/L"))


def test_of_two_simultaneous_creatinines_the_higher_counts() -> None:
    case = given(age=50).result("creatinine", "1.0 mg/dL").result("creatinine", "3.0 mg/dL")
    assert renal_of(case).severe


def test_a_later_creatinine_that_cannot_be_used_leaves_the_reported_value() -> None:
    case = given(age=None).result("egfr", egfr("45"), days_ago=5)
    assert number(case.result("creatinine", "0.8 mg/dL", days_ago=1)) == "45"


@pytest.mark.parametrize(("age", "computed"), [(17, False), (18, True), (19, True)])
def test_an_egfr_is_computed_from_age_eighteen(age: int, computed: bool) -> None:
    assert (used(given(age=age).result("creatinine", "1.0 mg/dL")) is not None) is computed


def test_for_unknown_sex_the_lower_value_counts() -> None:
    def of(sex: str) -> float:
        return float(number(given(age=50, sex=sex).result("creatinine", "1.0 mg/dL")))

    assert of("") == of("female") < of("male")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given(age=17), id="a child"),
        pytest.param(given(age=None), id="age unknown"),
        pytest.param(given().has("aki"), id="acute kidney injury"),
        pytest.param(given().has("aki", presence=Presence.SUSPECTED), id="suspected kidney injury"),
        pytest.param(given().has("dialysis"), id="dialysis"),
    ],
)
def test_when_no_egfr_is_computed(case: Given) -> None:
    assert used(case.result("creatinine", "1.0 mg/dL")) is None


def test_a_past_kidney_injury_does_not_prevent_the_computation() -> None:
    case = given().has("aki", presence=Presence.PAST).result("creatinine", "0.8 mg/dL")
    assert renal_of(case).impairment is Impairment.NONE


def test_a_creatinine_beyond_the_assay_yields_an_egfr_with_a_comparator() -> None:
    case = given(age=50).result("creatinine", ">15.0 mg/dL")
    result = used(case)
    assert result is not None
    assert result.reported.startswith("<")
    assert renal_of(case).severe
    assert renal_of(given(age=50).result("creatinine", "<0.5 mg/dL")).impairment is Impairment.NONE


def test_of_two_results_one_of_which_has_only_a_date_the_lower_counts() -> None:
    for reported, day_only, expected in (
        ("70", True, "29.9"),
        ("20", True, "20"),
        ("70", False, "70"),
    ):
        case = given().result("creatinine", "2.0 mg/dL", days_ago=1, day_only=True)
        case.result("egfr", egfr(reported), days_ago=1, day_only=day_only)
        assert number(case) == (expected if day_only else "29.9")
