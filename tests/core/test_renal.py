"""How far renal function is impaired, and how a card says so."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.core.series import Worse
from hooks.renal import Impairment, RenalFunction, only_preliminary, renal_function
from tests.testing.given import Given, given

UNIT = "mL/min/{1.73_m2}"


def egfr(value: str) -> str:
    return f"{value} {UNIT}"


def renal_of(case: Given) -> RenalFunction:
    return renal_function(case.facts())


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
    assert renal_of(given().result("egfr", egfr(value))).impairment is impairment


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
    assert renal_of(given().has(concept, presence=presence)).impairment is impairment


@pytest.mark.parametrize("presence", [Presence.PAST, Presence.REFUTED])
def test_past_or_refuted_diagnoses_are_not_an_impairment(presence: Presence) -> None:
    assert renal_of(given().has("dialysis", presence=presence)).unknown


def test_a_diagnosis_outweighs_a_normal_value() -> None:
    case = given().has("ckd_stage_4_5").result("egfr", egfr("80"))
    assert renal_of(case).severe
    assert not renal_of(case).fresh_normal


@pytest.mark.parametrize(
    ("days_ago", "stale", "known"), [(90, False, True), (91, True, True), (365, True, True)]
)
def test_a_stale_value_is_a_hazard_and_never_fresh(days_ago: int, stale: bool, known: bool) -> None:
    case = given().result("egfr", egfr("25"), days_ago=days_ago)
    assert renal_of(case).stale is stale
    assert renal_of(case).severe is known
    good = given().result("egfr", egfr("80"), days_ago=days_ago)
    assert renal_of(good).fresh_normal is not stale


def test_after_twelve_months_renal_function_is_unknown() -> None:
    assert renal_of(given().result("egfr", egfr("25"), days_ago=366)).unknown
    assert renal_of(given().result("egfr", egfr("80"), days_ago=366)).unknown


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given().result("egfr", egfr("80")), id="conditions"),
    ],
)
def test_renal_function_is_not_known_to_be_normal_without_the_problem_list(case: Given) -> None:
    assert renal_of(case).fresh_normal
    assert not renal_of(case.lacking(Kind.CONDITIONS, state=State.PARTIAL)).fresh_normal


def test_an_undated_unusable_result_keeps_a_normal_one_from_being_fresh() -> None:
    case = given().result("egfr", egfr("80")).unusable("creatinine", days_ago=None)
    assert not renal_of(case).fresh_normal


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
    assert renal_of(case).note() == note


def test_a_newer_unusable_result_keeps_a_normal_one_from_being_fresh() -> None:
    for analyte in ("egfr", "creatinine"):
        case = given().result("egfr", egfr("80"), days_ago=5).unusable(analyte, days_ago=1)
        assert not renal_of(case).fresh_normal
        assert renal_of(case).unusable
    older = given().result("egfr", egfr("80"), days_ago=1).unusable("creatinine", days_ago=5)
    assert renal_of(older).fresh_normal


def test_which_of_several_preliminary_values_counts() -> None:
    same_day = given().result("egfr", egfr("80")).result("egfr", egfr("25"), preliminary=True)
    assert renal_of(same_day).severe
    two_results = given().result("egfr", egfr("80"), days_ago=5)
    two_results.result("egfr", egfr("45"), preliminary=True)
    assert renal_of(two_results.result("egfr", egfr("25"), preliminary=True)).severe
    newer = given(age=50).result("egfr", egfr("50"), preliminary=True, days_ago=5)
    assert renal_of(newer.result("creatinine", "5.0 mg/dL", preliminary=True)).severe
    equal = given().result("egfr", egfr("25"), days_ago=5)
    value = renal_of(equal.result("egfr", egfr("25"), preliminary=True)).egfr
    assert value is not None
    assert not value.preliminary
    assert renal_of(given().result("egfr", egfr("25"), preliminary=True, days_ago=366)).unknown


def test_an_unusable_result_of_the_same_moment_is_not_newer() -> None:
    case = given().result("egfr", egfr("80"), days_ago=1).unusable("creatinine", days_ago=1)
    assert renal_of(case).fresh_normal


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
    assert only_preliminary(case.facts(), renal_of(case)) is only


def test_without_a_value_nothing_is_stale_or_measured() -> None:
    nothing = renal_of(given().has("dialysis"))
    assert not (nothing.stale or nothing.shown_by_egfr or nothing.fresh_normal)


def test_the_evidence_gives_the_value_with_the_limit_it_crosses() -> None:
    for value, key in (("25", "egfr.severe"), ("45", "egfr.moderate"), ("80", "egfr.moderate")):
        case = given().result("egfr", egfr(value))
        evidence = renal_of(case).evidence(case.facts())
        assert [line.limit.key for line in evidence if line.limit is not None] == [key]


def test_a_preliminary_value_can_raise_severity_but_never_clear() -> None:
    raised = given().result("egfr", egfr("80"), days_ago=5)
    raised.result("egfr", egfr("25"), preliminary=True)
    assert renal_of(raised).severe
    assert "preliminary" in renal_of(raised).note()
    kept = given().result("egfr", egfr("25"), days_ago=5)
    assert renal_of(kept.result("egfr", egfr("80"), preliminary=True)).severe
    only = given().result("egfr", egfr("80"), preliminary=True)
    assert renal_of(only).unknown


def test_without_an_egfr_there_are_no_remarks() -> None:
    assert renal_of(given()).note() == ""
    assert renal_of(given().has("dialysis")).note() == ""


def test_a_preliminary_creatinine_alone_shows_impairment() -> None:
    case = given(age=70).result("creatinine", "5.0 mg/dL", preliminary=True)
    assert renal_of(case).severe
    assert case.facts().newest("egfr", Worse.LOW).result is None


def test_a_preliminary_value_is_superseded_by_a_later_final_creatinine() -> None:
    case = given(age=50).result("egfr", egfr("25"), preliminary=True, days_ago=5)
    assert not renal_of(case.result("creatinine", "0.8 mg/dL", days_ago=1)).severe


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
    assert renal_of(case).phrase() == words


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
    assert renal_of(case).impairment is impairment
