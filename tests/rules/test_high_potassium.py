"""high-potassium: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, fired, given, offers, silent, unknown

RULE = "high-potassium"


@pytest.mark.parametrize(
    ("value", "alone", "with_cause"),
    [
        pytest.param("5.4 mmol/L", None, None, id="just below 5.5"),
        pytest.param("5.5 mmol/L", None, Indicator.WARNING, id="at 5.5 it needs a cause or cramps"),
        pytest.param("5.9 mEq/L", None, Indicator.WARNING, id="just below 6.0"),
        pytest.param("6.0 mmol/L", Indicator.CRITICAL, Indicator.CRITICAL, id="at 6.0"),
        pytest.param("23.5 mg/dL", Indicator.CRITICAL, Indicator.CRITICAL, id="6.0 in mg/dL"),
        pytest.param("23.4 mg/dL", None, Indicator.WARNING, id="just below 6.0 in mg/dL"),
        pytest.param(">6.5 mmol/L", Indicator.CRITICAL, Indicator.CRITICAL, id="by comparator"),
    ],
)
def test_limits(value: str, alone: Indicator | None, with_cause: Indicator | None) -> None:
    for case, expected in (
        (given(), alone),
        (given().takes("potassium"), with_cause),
        (given().takes("diuretic_potassium_sparing"), with_cause),
        (given().takes("raas_inhibitor"), with_cause),
        (given().takes("trimethoprim"), with_cause),
        (given().takes("heparin"), with_cause),
        (given().takes("calcineurin_inhibitor"), with_cause),
        (given().has("ckd_stage_4_5"), with_cause),
        (given().has("aki"), with_cause),
        (given().cramps(), with_cause),
        (given().at(cramps_assumed=True), with_cause),
    ):
        answer = case.result("potassium", value).ask(RULE)
        if expected is None:
            silent(answer)
        else:
            finding = fired(answer)
            assert finding.indicator is expected
            assert offers(finding) == {"potassium", "creatinine", "ecg"}


def test_the_laboratorys_range_does_not_move_the_fixed_limits() -> None:
    silent(given().cramps().result("potassium", "5.4 mmol/L", high="5.1").ask(RULE))
    fired(given().cramps().result("potassium", "5.5 mmol/L", high="5.8").ask(RULE))


def test_other_drugs_and_suspected_cramps_are_not_a_cause() -> None:
    case = given().takes("statin").has("leg_cramps", presence=Presence.SUSPECTED)
    silent(case.result("potassium", "5.7 mmol/L").ask(RULE))


@pytest.mark.parametrize(
    ("value", "case", "fires"),
    [
        ("5.0 mmol/L", lambda: given().takes("potassium").has("dialysis"), True),
        (
            "5.0 mmol/L",
            lambda: given().takes("potassium").takes("diuretic_potassium_sparing"),
            True,
        ),
        ("4.9 mmol/L", lambda: given().takes("potassium").has("dialysis"), False),
        ("5.4 mmol/L", lambda: given().takes("potassium"), False),
        ("5.4 mmol/L", lambda: given().has("dialysis"), False),
    ],
)
def test_from_5_0_it_fires_with_a_supplement_and_a_second_cause(
    value: str, case: object, fires: bool
) -> None:
    answer = case().result("potassium", value).ask(RULE)  # type: ignore[operator]
    if fires:
        assert fired(answer).indicator is Indicator.WARNING
    else:
        silent(answer)


@pytest.mark.parametrize(
    ("value", "word"),
    [("6.0 mmol/L", "Moderate"), ("6.4 mmol/L", "Moderate"), ("6.5 mmol/L", "Severe")],
)
def test_severe_from_6_5(value: str, word: str) -> None:
    assert fired(given().result("potassium", value).ask(RULE)).summary.startswith(word)


def test_some_drugs_are_held_and_others_are_reviewed_with_the_prescriber() -> None:
    case = given().takes("nsaid", name="Naproxen").takes("raas_inhibitor", name="Lisinopril")
    text = " ".join(fired(case.result("potassium", "5.6 mmol/L").ask(RULE)).advice)
    assert "Hold: Naproxen." in text
    assert "Review with their prescriber: Lisinopril." in text


def test_of_two_results_of_the_same_day_the_higher_counts() -> None:
    case = given().result("potassium", "3.2 mmol/L", day_only=True)
    case.result("potassium", "6.1 mmol/L", day_only=True)
    fired(case.ask(RULE))
    fired(case.ask("low-potassium"))


@pytest.mark.parametrize(
    ("days_ago", "indicator"),
    [(30, Indicator.CRITICAL), (31, Indicator.INFO), (365, Indicator.INFO)],
)
def test_after_thirty_days_it_only_offers_a_repeat(days_ago: int, indicator: Indicator) -> None:
    finding = fired(given().result("potassium", "6.4 mmol/L", days_ago=days_ago).ask(RULE))
    assert finding.indicator is indicator
    if indicator is Indicator.INFO:
        assert offers(finding) == {"potassium"}
        assert "repeat first" in finding.summary


def test_preliminary() -> None:
    raised = given().result("potassium", "4.5 mmol/L", days_ago=3)
    finding = fired(raised.result("potassium", "6.3 mmol/L", preliminary=True).ask(RULE))
    assert finding.indicator is Indicator.CRITICAL
    assert offers(finding) == {"potassium"}
    assert "preliminary" in finding.summary
    for early in ("4.5 mmol/L", "5.6 mmol/L"):
        kept = given().result("potassium", "6.3 mmol/L", days_ago=3)
        finding = fired(kept.result("potassium", early, preliminary=True).ask(RULE))
        assert finding.indicator is Indicator.CRITICAL
        assert "ecg" in offers(finding)


@pytest.mark.parametrize(
    ("value", "days_ago", "preliminary", "repeat", "urgent"),
    [
        pytest.param("5.6 mmol/L", 1, False, "", False, id="high"),
        pytest.param("6.2 mmol/L", 1, False, "", True, id="critical"),
        pytest.param("6.2 mmol/L", 1, True, "is preliminary: repeat", True, id="preliminary"),
        pytest.param("6.2 mmol/L", 31, False, "is from 2026-10-23: repeat", False, id="old"),
        pytest.param(
            "5.6 mmol/L", 1, True, "is preliminary: repeat", False, id="high, preliminary"
        ),
    ],
)
def test_the_advice_depends_on_how_high_and_how_certain_it_is(
    value: str, days_ago: int, preliminary: bool, repeat: str, urgent: bool
) -> None:
    case = given().takes("potassium", name="Klor-Con")
    case.result("potassium", value, days_ago=days_ago, preliminary=preliminary)
    finding = fired(case.ask(RULE))
    text = " ".join(finding.advice)
    assert ("repeat it before acting" in text) is bool(repeat)
    assert repeat in text
    assert ("Urgent same-day assessment" in text) is urgent
    level, drug = finding.evidence
    assert drug.fact.name == "Klor-Con"  # type: ignore[union-attr]
    assert level.limit is not None
    critical = value.startswith("6")
    assert level.limit.key == ("potassium.critical" if critical else "potassium.high")
    assert ("preliminary" in level.note) is preliminary


def high() -> Given:
    return given().result("potassium", "5.6 mmol/L")


def test_a_rule_that_cannot_tell_says_why() -> None:
    unknown(given().ask(RULE))
    unknown(given().lacking(Kind.RESULTS).ask(RULE))
    unknown(given().result("potassium", ">5.0 mmol/L").ask(RULE))
    assert unknown(high().lacking(Kind.MEDICATIONS).ask(RULE)).trigger
    assert unknown(high().lacking(Kind.CONDITIONS).ask(RULE)).trigger
    assert unknown(given().result("potassium", ">=5.5 mmol/L").ask(RULE)).trigger
    fired(high().cramps().lacking(Kind.MEDICATIONS).ask(RULE))
    assert not unknown(given().unusable("potassium").ask(RULE)).trigger
    assert unknown(given().takes("potassium").unusable("potassium").ask(RULE)).trigger
    newer = given().result("potassium", "4.1 mmol/L", days_ago=5).unusable("potassium", days_ago=1)
    assert "a newer potassium result could not be used" in unknown(newer.ask(RULE)).because[0]


def test_a_drug_that_a_newer_statement_reports_as_stopped_is_still_a_cause() -> None:
    assert "Klor-Con" in " ".join(
        fired(high().reported_stopped("potassium", name="Klor-Con").ask(RULE)).advice
    )


def test_a_newer_unusable_result_fires_with_a_cause_and_is_reported_with_a_high_one() -> None:
    newer = given().takes("potassium").result("potassium", "4.1 mmol/L", days_ago=5)
    assert unknown(newer.unusable("potassium").ask(RULE)).trigger
    high_before = given().result("potassium", "6.2 mmol/L", days_ago=5).unusable("potassium")
    lines = fired(high_before.lacking(Kind.MEDICATIONS).ask(RULE)).missing
    assert lines[0].startswith("a newer potassium result could not be used")
    assert lines[1].startswith("the medication list could not be checked")


def test_drugs_taken_are_named_in_the_summary_and_the_advice() -> None:
    finding = fired(high().takes("potassium", name="Klor-Con M20").ask(RULE))
    assert "Klor-Con" in " ".join(finding.advice)
    assert "klor-con" in finding.summary


def test_it_fires_under_eighteen() -> None:
    fired(given(age=3).result("potassium", "6.0 mmol/L").ask(RULE))
    fired(given(age=3).takes("potassium").result("potassium", "5.5 mmol/L").ask(RULE))
