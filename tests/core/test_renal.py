"""Which eGFR counts, how it is computed, and how far renal function is impaired."""

from fractions import Fraction

import pytest

from cds_service.core.facts import Kind, Presence, Result, State
from cds_service.core.series import Worse
from hooks.renal import Impairment, Renal, acute, ckd_epi_2021, only_preliminary, renal
from tests.given import Given, given

UNIT = "mL/min/{1.73_m2}"
FREE, PAIR = "race_free_2021", "race_coefficient"


def egfr(value: str) -> str:
    return f"{value} {UNIT}"


def used(case: Given) -> Result | None:
    return case.facts().newest("egfr", Worse.LOW).result


def number(case: Given) -> str:
    result = used(case)
    return "" if result is None else result.reported.split(" ")[0]


def function(case: Given) -> Renal:
    return renal(case.facts())


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
    assert function(case).moderate
    assert "computed from creatinine, CKD-EPI 2021" in function(case).note()


def test_the_same_creatinine_in_umol_gives_the_same() -> None:
    one = number(given(age=50).result("creatinine", "2.0 mg/dL"))
    assert one == number(given(age=50).result("creatinine", "176.8 umol/L"))


def test_of_two_simultaneous_creatinines_the_higher_counts() -> None:
    case = given(age=50).result("creatinine", "1.0 mg/dL").result("creatinine", "3.0 mg/dL")
    assert function(case).severe


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
    assert function(case).impairment is Impairment.NONE


def test_a_creatinine_beyond_the_assay_yields_an_egfr_with_a_comparator() -> None:
    case = given(age=50).result("creatinine", ">15.0 mg/dL")
    result = used(case)
    assert result is not None
    assert result.reported.startswith("<")
    assert function(case).severe
    assert function(given(age=50).result("creatinine", "<0.5 mg/dL")).impairment is Impairment.NONE


@pytest.mark.parametrize(
    ("value", "impairment"),
    [
        ("29", Impairment.SEVERE),
        ("29.9", Impairment.SEVERE),
        ("30", Impairment.MODERATE),
        ("59", Impairment.MODERATE),
        ("60", Impairment.NONE),
        ("<15", Impairment.SEVERE),
        ("<30", Impairment.SEVERE),
        ("<50", Impairment.MODERATE),
        (">60", Impairment.NONE),
        (">90", Impairment.NONE),
        (">30", Impairment.UNKNOWN),
        ("<90", Impairment.UNKNOWN),
    ],
)
def test_impairment_by_egfr(value: str, impairment: Impairment) -> None:
    assert function(given().result("egfr", egfr(value))).impairment is impairment


@pytest.mark.parametrize(
    ("concept", "impairment"),
    [
        ("ckd_stage_4_5", Impairment.SEVERE),
        ("dialysis", Impairment.SEVERE),
        ("aki", Impairment.SEVERE),
        ("ckd_stage_3", Impairment.MODERATE),
        ("ckd_any", Impairment.UNKNOWN),
    ],
)
@pytest.mark.parametrize("presence", [Presence.ACTIVE, Presence.ASSUMED, Presence.SUSPECTED])
def test_impairment_by_diagnosis(concept: str, impairment: Impairment, presence: Presence) -> None:
    assert function(given().has(concept, presence=presence)).impairment is impairment


@pytest.mark.parametrize("presence", [Presence.PAST, Presence.REFUTED])
def test_past_or_refuted_diagnoses_are_not_an_impairment(presence: Presence) -> None:
    assert function(given().has("dialysis", presence=presence)).unknown


def test_a_diagnosis_outweighs_a_normal_value() -> None:
    case = given().has("ckd_stage_4_5").result("egfr", egfr("80"))
    assert function(case).severe
    assert not function(case).fresh_normal


@pytest.mark.parametrize(
    ("days_ago", "stale", "known"), [(90, False, True), (91, True, True), (365, True, True)]
)
def test_a_stale_value_is_a_hazard_and_never_fresh(days_ago: int, stale: bool, known: bool) -> None:
    case = given().result("egfr", egfr("25"), days_ago=days_ago)
    assert function(case).stale is stale
    assert function(case).severe is known
    good = given().result("egfr", egfr("80"), days_ago=days_ago)
    assert function(good).fresh_normal is not stale


def test_after_twelve_months_renal_function_is_unknown() -> None:
    assert function(given().result("egfr", egfr("25"), days_ago=366)).unknown
    assert function(given().result("egfr", egfr("80"), days_ago=366)).unknown


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given().result("egfr", egfr("80")), id="conditions"),
    ],
)
def test_renal_function_is_not_known_to_be_normal_without_the_problem_list(case: Given) -> None:
    assert function(case).fresh_normal
    assert not function(case.lacking(Kind.CONDITIONS, state=State.PARTIAL)).fresh_normal


def test_an_undated_unusable_result_keeps_a_normal_one_from_being_fresh() -> None:
    case = given().result("egfr", egfr("80")).unusable("creatinine", days_ago=None)
    assert not function(case).fresh_normal


@pytest.mark.parametrize(
    ("case", "note"),
    [
        (given().result("egfr", egfr("25")), ""),
        (given().result("egfr", egfr("25"), days_ago=91), "older than 90 days"),
        (given().result("egfr", egfr("25"), preliminary=True), "preliminary"),
        (
            given(age=50).result("creatinine", "5.0 mg/dL", preliminary=True, days_ago=91),
            "computed from creatinine, CKD-EPI 2021, preliminary, older than 90 days",
        ),
    ],
)
def test_remarks_on_the_value(case: Given, note: str) -> None:
    assert function(case).note() == note


def test_a_newer_unusable_result_keeps_a_normal_one_from_being_fresh() -> None:
    for analyte in ("egfr", "creatinine"):
        case = given().result("egfr", egfr("80"), days_ago=5).unusable(analyte, days_ago=1)
        assert not function(case).fresh_normal
        assert function(case).unusable
    older = given().result("egfr", egfr("80"), days_ago=1).unusable("creatinine", days_ago=5)
    assert function(older).fresh_normal


def test_which_of_several_preliminary_values_counts() -> None:
    same_day = given().result("egfr", egfr("80")).result("egfr", egfr("25"), preliminary=True)
    assert function(same_day).severe
    both = given().result("egfr", egfr("80"), days_ago=5)
    both.result("egfr", egfr("45"), preliminary=True)
    assert function(both.result("egfr", egfr("25"), preliminary=True)).severe
    newer = given(age=50).result("egfr", egfr("50"), preliminary=True, days_ago=5)
    assert function(newer.result("creatinine", "5.0 mg/dL", preliminary=True)).severe
    equal = given().result("egfr", egfr("25"), days_ago=5)
    value = function(equal.result("egfr", egfr("25"), preliminary=True)).egfr
    assert value is not None
    assert not value.preliminary
    assert function(given().result("egfr", egfr("25"), preliminary=True, days_ago=366)).unknown


def test_an_unusable_result_of_the_same_moment_is_not_newer() -> None:
    case = given().result("egfr", egfr("80"), days_ago=1).unusable("creatinine", days_ago=1)
    assert function(case).fresh_normal


@pytest.mark.parametrize(
    ("case", "only"),
    [
        pytest.param(given().result("egfr", egfr("25")), False, id="a final value"),
        pytest.param(given(), False, id="no value"),
        pytest.param(
            given().result("egfr", egfr("25"), preliminary=True), True, id="a preliminary one alone"
        ),
        pytest.param(
            given()
            .result("egfr", egfr("45"), days_ago=5)
            .result("egfr", egfr("25"), preliminary=True),
            True,
            id="the final one shows a milder impairment",
        ),
        pytest.param(
            given()
            .result("egfr", egfr("28"), days_ago=5)
            .result("egfr", egfr("25"), preliminary=True),
            False,
            id="the final one shows the same",
        ),
        pytest.param(
            given()
            .result("egfr", egfr("50"), days_ago=5)
            .result("egfr", egfr("40"), preliminary=True),
            False,
            id="both moderate",
        ),
        pytest.param(
            given()
            .result("egfr", egfr("28"), days_ago=366)
            .result("egfr", egfr("25"), preliminary=True),
            True,
            id="the final one is older than a year",
        ),
        pytest.param(
            given().has("dialysis").result("egfr", egfr("25"), preliminary=True),
            False,
            id="dialysis says it too",
        ),
        pytest.param(
            given().has("ckd_stage_3").result("egfr", egfr("40"), preliminary=True),
            False,
            id="CKD 3 says it too",
        ),
        pytest.param(
            given().has("ckd_stage_3").result("egfr", egfr("25"), preliminary=True),
            True,
            id="CKD 3 does not say that it is severe",
        ),
    ],
)
def test_whether_only_a_preliminary_value_shows_the_impairment(case: Given, only: bool) -> None:
    assert only_preliminary(case.facts(), function(case)) is only


def test_without_a_value_nothing_is_stale_or_measured() -> None:
    nothing = function(given().has("dialysis"))
    assert not (nothing.stale or nothing.measured or nothing.fresh_normal)


def test_the_evidence_gives_the_value_with_the_limit_it_crosses() -> None:
    for value, key in (("25", "egfr.severe"), ("45", "egfr.moderate"), ("80", "egfr.moderate")):
        case = given().result("egfr", egfr(value))
        evidence = function(case).evidence(case.facts())
        assert [one.limit.key for one in evidence if one.limit is not None] == [key]


def test_a_preliminary_value_can_raise_severity_but_never_clear() -> None:
    raised = given().result("egfr", egfr("80"), days_ago=5)
    raised.result("egfr", egfr("25"), preliminary=True)
    assert function(raised).severe
    assert "preliminary" in function(raised).note()
    kept = given().result("egfr", egfr("25"), days_ago=5)
    assert function(kept.result("egfr", egfr("80"), preliminary=True)).severe
    only = given().result("egfr", egfr("80"), preliminary=True)
    assert function(only).unknown


def test_without_an_egfr_there_are_no_remarks() -> None:
    assert function(given()).note() == ""
    assert function(given().has("dialysis")).note() == ""


def test_a_preliminary_creatinine_alone_shows_impairment() -> None:
    case = given(age=70).result("creatinine", "5.0 mg/dL", preliminary=True)
    assert function(case).severe
    assert used(case) is None


def test_a_preliminary_value_is_superseded_by_a_later_final_creatinine() -> None:
    case = given(age=50).result("egfr", egfr("25"), preliminary=True, days_ago=5)
    assert not function(case.result("creatinine", "0.8 mg/dL", days_ago=1)).severe


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (given().has("aki"), "acute kidney injury"),
        (given().has("dialysis").result("egfr", egfr("12")), "dialysis"),
        (given().has("ckd_stage_4_5"), "CKD stage 4-5"),
        (given().has("ckd_stage_3"), "CKD stage 3"),
        (given().result("egfr", egfr("<15")), "eGFR <15"),
        (given().result("egfr", egfr("80")), "eGFR 80"),
        (given(), "renal function unknown"),
        (given().result("egfr", egfr("<90")), "renal function unknown"),
        (given().lacking(Kind.RESULTS), "renal function could not be checked"),
    ],
)
def test_renal_function_in_a_few_words(case: Given, words: str) -> None:
    assert function(case).phrase() == words


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
    assert (acute(case.facts()) is not None) is shown


def test_acute_injury_says_rise_and_days() -> None:
    case = given().result("creatinine", "1.6 mg/dL", days_ago=0)
    case.result("creatinine", "1.0 mg/dL", days_ago=2)
    found = acute(case.facts())
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
    assert acute(case.facts()) is None


def test_of_two_results_one_of_which_has_only_a_date_the_lower_counts() -> None:
    for reported, day_only, expected in (
        ("70", True, "29.9"),
        ("20", True, "20"),
        ("70", False, "70"),
    ):
        case = given().result("creatinine", "2.0 mg/dL", days_ago=1, day_only=True)
        case.result("egfr", egfr(reported), days_ago=1, day_only=day_only)
        assert number(case) == (expected if day_only else "29.9")


@pytest.mark.parametrize(
    ("creatinine", "impairment"),
    [
        pytest.param("77 umol/L", Impairment.NONE, id="at the upper limit of pregnancy"),
        pytest.param("90 umol/L", Impairment.MODERATE, id="above it"),
        pytest.param(">50 umol/L", Impairment.UNKNOWN, id="above or below it"),
    ],
)
def test_in_pregnancy_creatinine_decides(creatinine: str, impairment: Impairment) -> None:
    case = given().has("pregnancy").result("creatinine", creatinine)
    assert function(case).impairment is impairment
