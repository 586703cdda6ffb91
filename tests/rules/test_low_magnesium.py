"""low-magnesium: a table of cases."""

import pytest

from cds_service.core.facts import Kind, State
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, fired, given, offers, silent, unknown

RULE = "low-magnesium"


@pytest.mark.parametrize(
    ("value", "indicator"),
    [
        # 0.69 and 0.70 mmol/L themselves are in test_levels.py.
        pytest.param("1.6 mg/dL", Indicator.WARNING, id="1.6 mg/dL warns"),
        pytest.param("0.699 mmol/L", Indicator.WARNING, id="three decimals decide at 0.700 mmol/L"),
        pytest.param("1.69 mg/dL", Indicator.WARNING, id="two decimals decide at 1.70 mg/dL"),
        pytest.param("1.700 mg/dL", Indicator.WARNING, id="1.700 mg/dL is 0.6994 mmol/L"),
        pytest.param("1.3 mEq/L", Indicator.WARNING, id="mEq/L is divided by the valence 2"),
        pytest.param("1.0 mEq/L", Indicator.WARNING, id="1.0 mEq/L is not below 0.50 mmol/L"),
        pytest.param("0.9 mEq/L", Indicator.CRITICAL, id="0.9 mEq/L is critical"),
        pytest.param("1.20 mg/dL", Indicator.CRITICAL, id="1.20 mg/dL is 0.494 mmol/L"),
        pytest.param("0.50 mmol/L", Indicator.WARNING, id="at 0.50 mmol/L it is not yet critical"),
        pytest.param("1.2 mg/dL", Indicator.WARNING, id="1.2 mg/dL is not below 0.50 mmol/L"),
        pytest.param("0.49 mmol/L", Indicator.CRITICAL, id="just below 0.50 mmol/L is critical"),
        pytest.param("1.1 mg/dL", Indicator.CRITICAL, id="1.1 mg/dL is critical"),
        pytest.param("<0.50 mmol/L", Indicator.CRITICAL, id="below the assay's floor is critical"),
    ],
)
def test_fires(value: str, indicator: Indicator) -> None:
    assert fired(given().result("magnesium", value).ask(RULE)).indicator is indicator


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("1.7 mg/dL", id="1.7 mg/dL is normal although it is 0.6994 mmol/L"),
        pytest.param("1.70 mg/dL", id="two decimals at the limit"),
        pytest.param("1.701 mg/dL", id="just above it"),
        pytest.param("1.4 mEq/L", id="at the limit in mEq/L"),
        pytest.param(">0.70 mmol/L", id="above the limit by comparator"),
    ],
)
def test_does_not_fire(value: str) -> None:
    silent(given().result("magnesium", value).ask(RULE))


def test_the_laboratorys_own_range_decides_before_our_limit() -> None:
    for value in ("0.68 mmol/L", "0.66 mmol/L"):
        silent(given().result("magnesium", value, low="0.66").ask(RULE))
    finding = fired(given().result("magnesium", "0.72 mmol/L", low="0.75").ask(RULE))
    assert finding.evidence[0].own_range


def test_a_rule_that_cannot_tell_says_why() -> None:
    assert "no magnesium" in unknown(given().ask(RULE)).because[0]
    unknown(given().result("magnesium", "<1.0 mmol/L").ask(RULE))
    unknown(given().result("magnesium", "0.6 mmol/L", days_ago=400).ask(RULE))
    unknown(given().unusable("magnesium").ask(RULE))
    unknown(given().lacking(Kind.RESULTS).ask(RULE))


def test_an_older_normal_result_does_not_clear_when_a_newer_one_is_unreadable() -> None:
    case = given().result("magnesium", "0.9 mmol/L", days_ago=5).unusable("magnesium", days_ago=1)
    unknown(case.ask(RULE))


@pytest.mark.parametrize(
    ("days_ago", "indicator"),
    [(30, Indicator.CRITICAL), (31, Indicator.INFO), (365, Indicator.INFO)],
)
def test_after_thirty_days_it_only_offers_a_repeat(days_ago: int, indicator: Indicator) -> None:
    finding = fired(given().result("magnesium", "0.4 mmol/L", days_ago=days_ago).ask(RULE))
    assert finding.indicator is indicator
    if indicator is Indicator.INFO:
        assert offers(finding) == {"magnesium"}
        assert "repeat first" in finding.summary


def test_a_preliminary_low_value_fires_but_a_preliminary_normal_one_does_not_clear() -> None:
    raised = given().result("magnesium", "0.9 mmol/L", days_ago=3)
    raised.result("magnesium", "0.6 mmol/L", preliminary=True)
    finding = fired(raised.ask(RULE))
    assert offers(finding) == {"magnesium"}
    assert "preliminary" in finding.summary
    kept = given().result("magnesium", "0.6 mmol/L", days_ago=3)
    fired(kept.result("magnesium", "0.9 mmol/L", preliminary=True).ask(RULE))


EGFR = "90 mL/min/{1.73_m2}"


def test_a_draft_is_offered_only_without_a_known_contraindication() -> None:
    def low() -> object:
        return given().result("magnesium", "0.6 mmol/L").result("egfr", EGFR)

    assert "magnesium_oxide" in offers(fired(low().ask(RULE)))
    against = {
        "severe": given().result("magnesium", "0.4 mmol/L").result("egfr", EGFR),
        "kidney": given().result("magnesium", "0.6 mmol/L").result("egfr", "59 mL/min/{1.73_m2}"),
        "old kidney": given().result("magnesium", "0.6 mmol/L").result("egfr", EGFR, days_ago=91),
        "no kidney": given(age=None).result("magnesium", "0.6 mmol/L"),
        "acute": low().has("aki"),
        "taken": low().takes("magnesium"),
        "stopped by a newer statement": low().reported_stopped("magnesium"),
        "drafted": low().ordering("magnesium"),
        "pregnant": low().has("pregnancy"),
        "list unread": low().lacking(Kind.MEDICATIONS),
        "problems unread": low().lacking(Kind.CONDITIONS),
    }
    for why, case in against.items():
        assert "magnesium_oxide" not in offers(fired(case.ask(RULE))), why


def test_the_dose_is_withheld_in_advanced_renal_impairment() -> None:
    case = given().result("magnesium", "0.6 mmol/L").result("egfr", "29 mL/min/{1.73_m2}")
    text = " ".join(fired(case.ask(RULE)).advice)
    assert "484" not in text
    assert "eGFR 29" in text


@pytest.mark.parametrize(
    ("case", "dose"),
    [
        pytest.param(given().result("egfr", EGFR), "in renal insufficiency.", id="normal"),
        pytest.param(
            given(),
            "No dose is given: renal function is unknown. Check creatinine first.",
            id="unknown",
        ),
        pytest.param(
            given().result("egfr", "45 mL/min/{1.73_m2}"),
            "eGFR 45: start low and monitor.",
            id="moderate",
        ),
        pytest.param(
            given().result("egfr", EGFR, days_ago=91),
            "from the last 90 days: check it first.",
            id="old",
        ),
        pytest.param(given().has("dialysis"), "No dose is given: dialysis.", id="dialysis"),
        pytest.param(
            given().result("egfr", EGFR).lacking(Kind.CONDITIONS),
            "No dose is given: the problem list could not be checked",
            id="problems not sent",
        ),
    ],
)
def test_the_dose_depends_on_the_known_renal_function(case: Given, dose: str) -> None:
    text = " ".join(fired(case.result("magnesium", "0.6 mmol/L").ask(RULE)).advice)
    assert dose in text
    assert ("is unknown" in text) is ("renal function is unknown" in dose)
    assert ("484" in text) is not dose.startswith("No dose")
    assert ("start low" in text) is dose.startswith("eGFR")


@pytest.mark.parametrize(
    ("value", "days_ago", "preliminary", "repeat", "urgent"),
    [
        pytest.param("0.6 mmol/L", 1, False, "", False, id="low"),
        pytest.param("0.4 mmol/L", 1, False, "", True, id="severe"),
        pytest.param("0.6 mmol/L", 1, True, "is preliminary: repeat", False, id="early"),
        pytest.param(
            "0.4 mmol/L", 1, True, "is preliminary: repeat", True, id="severe, preliminary"
        ),
        pytest.param("0.4 mmol/L", 31, False, "is from 2026-10-23: repeat", False, id="old"),
    ],
)
def test_the_advice_depends_on_how_low_and_how_certain_it_is(
    value: str, days_ago: int, preliminary: bool, repeat: str, urgent: bool
) -> None:
    case = given().result("magnesium", value, days_ago=days_ago, preliminary=preliminary)
    finding = fired(case.ask(RULE))
    text = " ".join(finding.advice)
    assert ("repeat it before acting" in text) is bool(repeat)
    assert repeat in text
    assert ("Urgent same-day assessment" in text) is urgent
    assert finding.evidence[0].limit is not None
    assert finding.evidence[0].limit.key == ("magnesium.severe" if urgent else "magnesium.low")


def test_fluid_replacement_is_not_advised_with_ascites() -> None:
    case = given().result("magnesium", "0.6 mmol/L")
    assert "correct that first" in " ".join(fired(case.ask(RULE)).advice)
    assert "aldosteron" in " ".join(fired(case.ask(RULE)).background)
    swollen = fired(case.has("ascites").ask(RULE))
    assert "correct that first" not in " ".join(swollen.advice)
    assert "aldosteron" not in " ".join(swollen.background)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (lambda: given().takes("ppi", name="Omeprazole"), "Causes found: Omeprazole."),
        (lambda: given().has("alcohol_use", name="Alcoholism"), "Causes found: Alcoholism."),
        (lambda: given().has("diarrhoea", name="Diarrhoea"), "Causes found: Diarrhoea."),
        (lambda: given().has("magnesium_loss", name="Short bowel"), "Causes found: Short bowel."),
        (given, "Look for a cause (PPI, diuretics, alcohol, diarrhoea)."),
    ],
)
def test_causes_are_named(case: object, words: str) -> None:
    low = case().result("magnesium", "0.6 mmol/L")  # type: ignore[operator]
    assert words in fired(low.ask(RULE)).advice


@pytest.mark.parametrize(
    ("value", "case", "indicator"),
    [
        ("0.59 mmol/L", lambda: given().takes("digoxin", name="Digoxin"), Indicator.CRITICAL),
        ("0.60 mmol/L", lambda: given().takes("digoxin", name="Digoxin"), Indicator.WARNING),
        ("0.59 mmol/L", lambda: given().takes("qt_prolonging", name="Sotalol"), Indicator.CRITICAL),
        ("0.59 mmol/L", lambda: given().has("long_qt"), Indicator.CRITICAL),
        ("0.59 mmol/L", lambda: given().result("qtc_interval", "500 ms"), Indicator.CRITICAL),
        ("0.59 mmol/L", lambda: given().result("qtc_interval", "499 ms"), Indicator.WARNING),
        ("0.59 mmol/L", given, Indicator.WARNING),
    ],
)
def test_a_risk_of_arrhythmia_makes_it_critical_below_0_60(
    value: str, case: object, indicator: Indicator
) -> None:
    finding = fired(case().result("magnesium", value).ask(RULE))  # type: ignore[operator]
    assert finding.indicator is indicator
    assert ("ecg" in offers(finding)) is (" with " in finding.summary)


def test_drugs_that_magnesium_binds_are_named_when_the_dose_is_printed() -> None:
    case = given().takes("magnesium_binding", name="Levothyroxine").result("egfr", EGFR)
    text = " ".join(fired(case.result("magnesium", "0.6 mmol/L").ask(RULE)).advice)
    assert "Give it hours apart from Levothyroxine, by its label." in text
    stopped = " ".join(fired(case.has("dialysis").ask(RULE)).advice)
    assert "Levothyroxine" not in stopped


def test_acute_kidney_injury_by_creatinine_withholds_dose_and_draft() -> None:
    case = given().result("creatinine", "0.7 mg/dL", days_ago=6).result("egfr", EGFR, days_ago=6)
    case.result("creatinine", "1.2 mg/dL", days_ago=1).result("magnesium", "0.6 mmol/L")
    finding = fired(case.ask(RULE))
    text = " ".join(finding.advice)
    assert "possible AKI, creatinine 0.7 → 1.2 mg/dL in 5 days" in text
    assert "484" not in text
    assert "magnesium_oxide" not in offers(finding)


def test_under_eighteen_only_a_critical_level_fires_and_no_draft_is_offered() -> None:
    silent(given(age=12).result("magnesium", "0.6 mmol/L").ask(RULE))
    finding = fired(given(age=12).result("magnesium", "0.4 mmol/L").result("egfr", EGFR).ask(RULE))
    assert "magnesium_oxide" not in offers(finding)
    assert "484" not in " ".join(finding.advice)


def test_deceased_patients_get_no_card() -> None:
    silent(given(deceased=True).result("magnesium", "0.4 mmol/L").ask(RULE))


def test_a_preliminary_value_never_makes_a_final_one_look_milder() -> None:
    case = given().result("magnesium", "0.4 mmol/L", days_ago=3)
    finding = fired(case.result("magnesium", "0.6 mmol/L", preliminary=True).ask(RULE))
    assert finding.indicator is Indicator.CRITICAL
    assert offers(finding) > {"magnesium"}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            given().result("magnesium", "<0.60 mmol/L").result("egfr", EGFR),
            id="perhaps below 0.50",
        ),
        pytest.param(
            given()
            .result("magnesium", "0.6 mmol/L", day_only=True)
            .result("magnesium", "1.3 mmol/L", day_only=True)
            .result("egfr", EGFR),
            id="another result of the same day is high",
        ),
        pytest.param(
            given()
            .result("magnesium", "0.6 mmol/L")
            .result("egfr", EGFR)
            .lacking(Kind.STATEMENTS, state=State.UNAVAILABLE),
            id="statements could not be read",
        ),
    ],
)
def test_no_draft_when_in_doubt(case: Given) -> None:
    assert "magnesium_oxide" not in offers(fired(case.ask(RULE)))


def test_cannot_tell_for_a_child_whose_value_has_a_comparator() -> None:
    unknown(given(age=12).result("magnesium", "<0.60 mmol/L").ask(RULE))


def test_old_or_unusable_renal_function_must_be_checked_before_a_dose() -> None:
    old = given().result("magnesium", "0.6 mmol/L").result("egfr", EGFR, days_ago=120)
    assert "check it first" in " ".join(fired(old.ask(RULE)).advice)
    newer = given().result("magnesium", "0.6 mmol/L").result("egfr", EGFR, days_ago=9)
    finding = fired(newer.unusable("creatinine").ask(RULE))
    assert "check it first" in " ".join(finding.advice)
    assert any("renal function" in line for line in finding.missing)


def test_advice_on_fluid_replacement_states_its_exceptions_when_they_could_not_be_checked() -> None:
    case = given().result("magnesium", "0.6 mmol/L").lacking(Kind.CONDITIONS)
    assert "not with ascites" in " ".join(fired(case.ask(RULE)).advice)


def test_a_preliminary_value_asks_for_the_repeat_in_its_summary() -> None:
    early = given().result("magnesium", "0.6 mmol/L", preliminary=True)
    assert fired(early.ask(RULE)).summary.endswith("preliminary. Repeat now")
