"""low-potassium: a table of cases."""

import pytest

from cds_service.core.facts import Kind, State
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

RULE = "low-potassium"
EGFR = "90 mL/min/{1.73_m2}"


@pytest.mark.parametrize(
    ("value", "indicator"),
    [
        pytest.param("3.4 mmol/L", Indicator.WARNING, id="just below 3.5 mmol/L"),
        pytest.param("3.49 mEq/L", Indicator.WARNING, id="mEq/L is mmol/L"),
        pytest.param("13.6 mg/dL", Indicator.WARNING, id="mg/dL"),
        pytest.param("2.9 mmol/L", Indicator.WARNING, id="just below 3.0"),
        pytest.param("9.8 mg/dL", Indicator.WARNING, id="2.5 in mg/dL"),
        pytest.param("9.7 mg/dL", Indicator.CRITICAL, id="just below 2.5 in mg/dL"),
        pytest.param("2.5 mmol/L", Indicator.WARNING, id="at 2.5 it is not yet critical"),
        pytest.param("2.4 mmol/L", Indicator.CRITICAL, id="just below 2.5 is critical"),
        pytest.param("<2.5 mmol/L", Indicator.CRITICAL, id="below the assay's floor"),
    ],
)
def test_fires(value: str, indicator: Indicator) -> None:
    assert fired(given().result("potassium", value).ask(RULE)).indicator is indicator


@pytest.mark.parametrize(
    "value", ["3.5 mmol/L", "3.5 mEq/L", "13.7 mg/dL", ">3.5 mmol/L", "5.8 mmol/L"]
)
def test_does_not_fire(value: str) -> None:
    silent(given().result("potassium", value).ask(RULE))


def test_the_laboratorys_own_range_decides_before_our_limit() -> None:
    silent(given().result("potassium", "3.4 mmol/L", low="3.3").ask(RULE))
    assert (
        fired(given().result("potassium", "3.6 mmol/L", low="3.7").ask(RULE)).evidence[0].own_range
    )


def test_a_rule_that_cannot_tell_says_why() -> None:
    assert "no potassium" in unknown(given().ask(RULE)).because[0]
    unknown(given().result("potassium", "<4.0 mmol/L").ask(RULE))
    unknown(given().result("potassium", "3.0 mmol/L", days_ago=400).ask(RULE))
    unknown(given().unusable("potassium").ask(RULE))
    unknown(given().lacking(Kind.RESULTS).ask(RULE))
    newer = given().result("potassium", "4.1 mmol/L", days_ago=5).unusable("potassium", days_ago=1)
    unknown(newer.ask(RULE))


@pytest.mark.parametrize(
    ("value", "ecg"), [("3.0 mmol/L", False), ("2.9 mmol/L", True), ("2.4 mmol/L", True)]
)
def test_an_ecg_is_offered_and_the_card_is_urgent_below_three(value: str, ecg: bool) -> None:
    finding = fired(given().result("potassium", value).ask(RULE))
    assert {"potassium", "magnesium"} <= offers(finding)
    assert ("ecg" in offers(finding)) is ecg
    assert ("urgent" in " ".join((finding.summary, *finding.advice)).lower()) is ecg


@pytest.mark.parametrize(
    ("days_ago", "indicator"),
    [(30, Indicator.CRITICAL), (31, Indicator.INFO), (365, Indicator.INFO)],
)
def test_after_thirty_days_it_only_offers_a_repeat(days_ago: int, indicator: Indicator) -> None:
    finding = fired(given().result("potassium", "2.1 mmol/L", days_ago=days_ago).ask(RULE))
    assert finding.indicator is indicator
    if indicator is Indicator.INFO:
        assert offers(finding) == {"potassium"}
        assert "repeat first" in finding.summary


def test_a_preliminary_low_value_fires_but_a_preliminary_normal_one_does_not_clear() -> None:
    raised = given().result("potassium", "4.0 mmol/L", days_ago=3)
    finding = fired(raised.result("potassium", "2.4 mmol/L", preliminary=True).ask(RULE))
    assert finding.indicator is Indicator.CRITICAL
    assert offers(finding) == {"potassium"}
    kept = given().result("potassium", "2.4 mmol/L", days_ago=3)
    kept.result("potassium", "4.0 mmol/L", preliminary=True)
    assert fired(kept.ask(RULE)).indicator is Indicator.CRITICAL
    milder = given().result("potassium", "2.4 mmol/L", days_ago=3)
    milder.result("potassium", "3.3 mmol/L", preliminary=True)
    assert fired(milder.ask(RULE)).indicator is Indicator.CRITICAL
    worse = given().result("potassium", "3.3 mmol/L", days_ago=3)
    worse.result("potassium", "2.4 mmol/L", preliminary=True)
    assert fired(worse.ask(RULE)).indicator is Indicator.CRITICAL


def low(value: str = "3.2 mmol/L") -> Given:
    return given().result("potassium", value).result("egfr", EGFR)


def test_a_draft_is_offered_without_a_known_contraindication() -> None:
    for value in ("3.2 mmol/L", "2.5 mmol/L"):
        finding = fired(low(value).ask(RULE))
        assert "potassium_chloride" in offers(finding)
        assert "No potassium chloride" not in " ".join(finding.advice)


AGAINST = {
    "below 2.5": (low("2.4 mmol/L"), "2.5"),
    "perhaps below 2.5": (low("<2.8 mmol/L"), "2.5"),
    "eGFR 59": (
        given().result("potassium", "3.2 mmol/L").result("egfr", "59 mL/min/{1.73_m2}"),
        "eGFR 59",
    ),
    "stale eGFR": (
        given().result("potassium", "3.2 mmol/L").result("egfr", EGFR, days_ago=91),
        "90 days",
    ),
    "no eGFR": (given().result("potassium", "3.2 mmol/L"), "renal function"),
    "newer creatinine unusable": (
        given()
        .result("potassium", "3.2 mmol/L")
        .result("egfr", EGFR, days_ago=5)
        .unusable("creatinine"),
        "could not be used",
    ),
    "CKD 4": (low().has("ckd_stage_4_5"), "CKD stage 4-5"),
    "AKI": (low().has("aki"), "acute kidney injury"),
    "dialysis": (low().has("dialysis"), "dialysis"),
    "RAAS inhibitor": (low().takes("raas_inhibitor", name="Lisinopril"), "Lisinopril"),
    "potassium-sparing": (low().takes("diuretic_potassium_sparing"), "sparing"),
    "NSAID": (low().takes("nsaid", name="Naproxen"), "Naproxen"),
    "potassium taken": (low().takes("potassium", name="Klor-Con"), "Klor-Con"),
    "RAAS inhibitor, stopped by a newer statement": (
        low().reported_stopped("raas_inhibitor", name="Lisinopril"),
        "Lisinopril",
    ),
    "CKD 3": (low().has("ckd_stage_3"), "CKD stage 3"),
    "potassium drafted": (low().ordering("potassium", selected=False), "drafted"),
    "high on the same day": (
        given()
        .result("egfr", EGFR)
        .result("potassium", "3.2 mmol/L", day_only=True)
        .result("potassium", "5.8 mmol/L", day_only=True),
        "5.0",
    ),
    "problems unread": (low().lacking(Kind.CONDITIONS), "problem list"),
    "medications unread": (low().lacking(Kind.MEDICATIONS), "medication list"),
    "statements cut": (low().lacking(Kind.STATEMENTS, state=State.PARTIAL), "statements"),
    "a child": (given(age=12).result("potassium", "2.4 mmol/L").result("egfr", EGFR), "under 18"),
    "age unknown": (given(age=None).result("potassium", "3.2 mmol/L").result("egfr", EGFR), "age"),
}


@pytest.mark.parametrize("why", AGAINST)
def test_otherwise_no_draft_and_the_card_says_why(why: str) -> None:
    case, words = AGAINST[why]
    finding = fired(case.ask(RULE))
    assert "potassium_chloride" not in offers(finding)
    reasons = [line for line in finding.advice if line.startswith("No potassium chloride")]
    assert words in reasons[0]


def test_potassium_losing_diuretics_are_named() -> None:
    finding = fired(low().takes("diuretic_loop", name="Furosemide").ask(RULE))
    assert "Furosemide" in " ".join(finding.advice)
    assert "potassium_chloride" in offers(finding)


def test_under_eighteen_only_a_critical_level_fires_and_no_draft_is_offered() -> None:
    silent(given(age=12).result("potassium", "2.6 mmol/L").ask(RULE))
    silent(given(age=12).result("potassium", "2.0 mmol/L", days_ago=60).ask(RULE))
    unknown(given(age=12).result("potassium", "<3.0 mmol/L").ask(RULE))
    finding = fired(given(age=12).result("potassium", "2.4 mmol/L").result("egfr", EGFR).ask(RULE))
    assert offers(finding) == {"potassium", "magnesium", "ecg"}


@pytest.mark.parametrize(
    ("value", "days_ago", "preliminary", "repeat", "urgent", "limit"),
    [
        pytest.param("3.2 mmol/L", 1, False, "", "", "low", id="low"),
        pytest.param("2.9 mmol/L", 1, False, "", "Urgent: ECG", "urgent", id="urgent"),
        pytest.param("2.4 mmol/L", 1, False, "", "Urgent same-day", "severe", id="severe"),
        pytest.param("3.2 mmol/L", 1, True, "is preliminary: repeat", "", "low", id="early"),
        pytest.param(
            "2.9 mmol/L", 1, True, "is preliminary: repeat", "", "urgent", id="preliminary 2.9"
        ),
        pytest.param(
            "2.4 mmol/L",
            1,
            True,
            "is preliminary: repeat",
            "Urgent same",
            "severe",
            id="preliminary 2.4",
        ),
        pytest.param("2.4 mmol/L", 31, False, "is from 2026-10-23: repeat", "", "low", id="old"),
    ],
)
def test_the_advice_depends_on_how_low_and_how_certain_it_is(
    value: str, days_ago: int, preliminary: bool, repeat: str, urgent: str, limit: str
) -> None:
    case = given().takes("diuretic_loop", name="Furosemide").result("egfr", EGFR)
    case.result("potassium", value, days_ago=days_ago, preliminary=preliminary)
    finding = fired(case.ask(RULE))
    text = " ".join(finding.advice)
    assert ("repeat it before acting" in text) is bool(repeat)
    assert repeat in text
    assert ("Urgent" in text) is bool(urgent)
    assert urgent in text
    assert ("The patient takes Furosemide" in text) is not bool(repeat)
    assert evidence_names(finding) == (
        {"potassium"} if repeat else {"potassium", "Furosemide", "egfr"}
    )
    assert finding.evidence[0].limit is not None
    assert finding.evidence[0].limit.key == f"potassium.{limit}"
    assert ("preliminary" in finding.evidence[0].note) is preliminary


def test_a_newer_result_that_could_not_be_used_is_reported() -> None:
    case = given().result("potassium", "3.2 mmol/L", days_ago=5).result("egfr", EGFR)
    finding = fired(case.unusable("potassium").ask(RULE))
    assert finding.missing[0].startswith("a newer potassium result could not be used")
    assert "a newer potassium result could not be used" in finding.advice[-1]
    clear = given().result("potassium", "4.1 mmol/L", days_ago=5).unusable("potassium")
    assert unknown(clear.ask(RULE)).because[0].startswith("a newer potassium result")


def test_a_child_whose_old_value_has_a_comparator_is_not_judged() -> None:
    silent(given(age=12).result("potassium", "<3.0 mmol/L", days_ago=60).ask(RULE))


def test_deceased_patients_get_no_card() -> None:
    silent(given(deceased=True).result("potassium", "2.0 mmol/L").ask(RULE))


def test_a_preliminary_value_asks_for_the_repeat_in_its_summary() -> None:
    early = given().result("potassium", "2.9 mmol/L", preliminary=True)
    assert fired(early.ask("low-potassium")).summary.endswith("preliminary. Repeat now")
    severe = given().result("potassium", "2.3 mmol/L", preliminary=True)
    assert fired(severe.ask("low-potassium")).summary.endswith("Assess today and repeat")
