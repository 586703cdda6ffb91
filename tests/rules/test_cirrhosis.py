"""cirrhosis-cramps: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.core.medications import Taking
from cds_service.engine.rule import DraftMedication, Indicator, RemoveDraft
from tests.testing.given import CRAMPS, Given, evidence_names, fired, given, offers, silent, unknown

RULE = "cirrhosis-cramps"
TESTS = {"potassium", "magnesium", "sodium", "creatinine"}
EGFR = "90 mL/min/{1.73_m2}"


def checked(case: Given) -> Given:
    """All four tests fresh and normal, renal function too."""
    case.result("potassium", "4.2 mmol/L").result("magnesium", "0.85 mmol/L")
    return (
        case.result("sodium", "140 mmol/L").result("creatinine", "0.8 mg/dL").result("egfr", EGFR)
    )


def words(case: Given) -> str:
    finding = fired(case.ask(RULE))
    return "\n".join((*finding.advice, *(text for _, text in finding.sections)))


@pytest.mark.parametrize(
    ("case", "fires"),
    [
        pytest.param(given().takes("diuretic_loop"), True, id="loop diuretic, no cramps"),
        pytest.param(given().takes("diuretic_thiazide"), True, id="thiazide"),
        pytest.param(given().takes("diuretic_potassium_sparing"), True, id="potassium-sparing"),
        pytest.param(given().cramps(), True, id="cramps, no diuretic"),
        pytest.param(
            given().encounter_for(CRAMPS), True, id="cramps as the reason of the encounter"
        ),
        pytest.param(given().at(cramps_assumed=True), True, id="cramps assumed by the site"),
        pytest.param(given(), False, id="neither"),
        pytest.param(given().cramps(presence=Presence.SUSPECTED), False, id="suspected cramps"),
        pytest.param(given().takes("diuretic_loop", taking=Taking.STOPPED), False, id="stopped"),
        pytest.param(given().takes("nsaid"), False, id="another medicine"),
    ],
)
def test_cirrhosis_with_a_diuretic_or_with_cramps(case: Given, fires: bool) -> None:
    answer = case.has("cirrhosis").ask(RULE)
    if fires:
        assert fired(answer).indicator is Indicator.INFO
        assert offers(fired(answer)) == TESTS
    else:
        silent(answer)


@pytest.mark.parametrize("presence", [Presence.SUSPECTED, Presence.PAST, Presence.REFUTED])
def test_cirrhosis_must_be_documented(presence: Presence) -> None:
    silent(given().has("cirrhosis", presence=presence).cramps().ask(RULE))
    silent(given().has("liver_disease").cramps().ask(RULE))
    fired(given().has("cirrhosis", presence=Presence.ASSUMED).cramps().ask(RULE))


def test_a_newer_statement_that_the_diuretic_was_stopped_is_believed() -> None:
    case = given().has("cirrhosis").takes("diuretic_loop", name="Furosemide", days_ago=20)
    fired(case.ask(RULE))
    stopped = case.takes(
        "diuretic_loop", name="Furosemide", taking=Taking.STOPPED, statement=True, days_ago=2
    )
    silent(stopped.ask(RULE))


@pytest.mark.parametrize(
    ("analyte", "value", "days_ago", "indicator"),
    [
        ("potassium", "3.4 mmol/L", 1, Indicator.WARNING),
        ("potassium", "3.5 mmol/L", 1, Indicator.INFO),
        ("potassium", "3.4 mmol/L", 30, Indicator.WARNING),
        ("potassium", "3.4 mmol/L", 31, Indicator.INFO),
        ("magnesium", "1.6 mg/dL", 1, Indicator.WARNING),
        ("magnesium", "1.7 mg/dL", 1, Indicator.INFO),
        ("magnesium", "0.3 mmol/L", 31, Indicator.INFO),
    ],
)
def test_low_potassium_or_magnesium_warns_within_thirty_days(
    analyte: str, value: str, days_ago: int, indicator: Indicator
) -> None:
    case = given().has("cirrhosis").cramps().result(analyte, value, days_ago=days_ago)
    assert fired(case.ask(RULE)).indicator is indicator


def test_an_old_low_value_is_named_with_its_date_and_repeated_first() -> None:
    case = given().has("cirrhosis").cramps().result("potassium", "3.0 mmol/L", days_ago=60)
    assert "Repeat first: potassium 3.0 mmol/L (from 2026-09-24)" in words(case)
    assert "potassium" in offers(fired(case.ask(RULE)))


def test_a_preliminary_low_value_warns_and_offers_its_repeat() -> None:
    case = checked(given().has("cirrhosis").cramps())
    case.result("potassium", "2.9 mmol/L", preliminary=True, days_ago=0)
    finding = fired(case.ask(RULE))
    assert finding.indicator is Indicator.WARNING
    assert "Repeat first: potassium 2.9 mmol/L (preliminary)" in words(case)
    assert offers(finding) == {"potassium"}


@pytest.mark.parametrize("days_ago", [30, 31])
def test_tests_older_than_thirty_days_are_offered(days_ago: int) -> None:
    case = given().has("cirrhosis").cramps()
    for analyte, value in (
        ("potassium", "4 mmol/L"),
        ("magnesium", "0.9 mmol/L"),
        ("sodium", "140 mmol/L"),
        ("creatinine", "0.8 mg/dL"),
    ):
        case.result(analyte, value, days_ago=days_ago)
    assert offers(fired(case.ask(RULE))) == (TESTS if days_ago > 30 else set())


def test_a_newer_unusable_result_is_reported_and_offered_again() -> None:
    case = checked(given().has("cirrhosis").cramps()).unusable("potassium", days_ago=0)
    finding = fired(case.ask(RULE))
    assert offers(finding) == {"potassium"}
    assert any("could not be used" in line for line in finding.missing)


OPTION = "An option for the clinician to weigh: baclofen 10 mg/day"


@pytest.mark.parametrize(
    ("case", "named"),
    [
        pytest.param(checked(given()), True, id="no known contraindication"),
        pytest.param(given(), False, id="renal function unknown"),
        pytest.param(
            given().result("egfr", "60 mL/min/{1.73_m2}").result("sodium", "125 mmol/L"), True,
            id="eGFR 60, sodium 125",
        ),
        pytest.param(given().result("egfr", EGFR), False, id="sodium unknown"),
        pytest.param(
            given().result("egfr", EGFR).result("sodium", "140 mmol/L", days_ago=31), False,
            id="sodium of 31 days ago",
        ),
        pytest.param(
            given().result("egfr", EGFR).result("sodium", "124 mmol/L"), False, id="sodium 124"
        ),
        pytest.param(checked(given()).unusable("sodium", days_ago=0), False, id="newer unusable"),
        pytest.param(checked(given().has("pregnancy")), False, id="pregnancy"),
        pytest.param(given().result("egfr", "59 mL/min/{1.73_m2}"), False, id="eGFR 59"),
        pytest.param(given().result("egfr", EGFR, days_ago=91), False, id="eGFR of 91 days ago"),
        pytest.param(checked(given().has("aki")), False, id="acute kidney injury"),
        pytest.param(checked(given().has("dialysis")), False, id="dialysis"),
        pytest.param(checked(given().has("ckd_stage_3")), False, id="CKD 3"),
        pytest.param(checked(given().has("hepatic_encephalopathy")), False, id="encephalopathy"),
        pytest.param(
            checked(given().has("hepatic_encephalopathy", presence=Presence.PAST)), False,
            id="past encephalopathy",
        ),
        pytest.param(
            checked(given().has("hepatic_encephalopathy", presence=Presence.SUSPECTED)), False,
            id="encephalopathy suspected",
        ),
        pytest.param(
            checked(given().has("hepatic_encephalopathy", presence=Presence.REFUTED)), True,
            id="encephalopathy refuted",
        ),
        pytest.param(checked(given().takes("sedative")), False, id="a sedative"),
        pytest.param(checked(given().takes("opioid")), False, id="an opioid"),
        pytest.param(checked(given().takes("gabapentinoid")), False, id="a gabapentinoid"),
        pytest.param(
            checked(given().ordering("opioid", selected=False)), False, id="an opioid in a draft"
        ),
        pytest.param(
            checked(given().reported_stopped("opioid")), False, id="an opioid, reported as stopped"
        ),
        pytest.param(
            checked(given().lacking(Kind.MEDICATIONS, state=State.PARTIAL)), False,
            id="medications in part",
        ),
        pytest.param(
            checked(given().lacking(Kind.STATEMENTS, state=State.UNAVAILABLE)), False,
            id="statements failed",
        ),
        pytest.param(
            checked(given().lacking(Kind.CONDITIONS, state=State.PARTIAL)), False,
            id="conditions in part",
        ),
    ],
)  # fmt: skip
def test_baclofen_is_mentioned_only_when_it_is_safe_to_suggest(case: Given, named: bool) -> None:
    text = words(case.has("cirrhosis").cramps())
    assert (OPTION in text) is named
    if not named:
        assert "1. Baclofen is not" in text


def test_baclofen_that_is_taken_is_never_stopped_abruptly() -> None:
    case = checked(given().has("cirrhosis").cramps().takes("baclofen").takes("opioid"))
    assert "never stop it abruptly" in words(case)
    case = checked(given().has("cirrhosis").cramps().reported_stopped("baclofen").takes("opioid"))
    assert "never stop it abruptly" in words(case)
    assert "abruptly" not in words(checked(given().has("cirrhosis").cramps().takes("opioid")))


@pytest.mark.parametrize(("age", "mentioned"), [(64, False), (65, True), (None, False)])
def test_from_age_65_falls_are_mentioned(age: int | None, mentioned: bool) -> None:
    text = words(checked(given(age=age).has("cirrhosis").cramps()))
    assert ("At 65 or older" in text) is mentioned


@pytest.mark.parametrize(
    ("case", "mentioned"),
    [
        (given().cramps(), False),
        (given().cramps().has("ascites"), True),
        (given().takes("diuretic_loop"), True),
    ],
)
def test_albumin_is_discussed_with_ascites_or_a_diuretic(case: Given, mentioned: bool) -> None:
    text = words(case.has("cirrhosis"))
    assert ("Albumin 20–40 g/week" in text) is mentioned
    assert ("discuss with hepatology" in text) is mentioned


def test_stopping_the_diuretic_is_left_to_the_clinician() -> None:
    sentence = "If cramps become incapacitating: discontinue diuretics."
    assert sentence in words(given().has("cirrhosis").takes("diuretic_loop"))
    assert "No diuretic is on the medication list" in words(given().has("cirrhosis").cramps())


def test_no_drug_is_drafted_and_nothing_removed() -> None:
    case = checked(given().has("cirrhosis", "ascites").cramps().takes("diuretic_loop"))
    case.result("potassium", "2.9 mmol/L", days_ago=0)
    suggestions = fired(case.ask(RULE)).suggestions
    assert not any(
        isinstance(suggestion, DraftMedication | RemoveDraft) for suggestion in suggestions
    )


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_cannot_tell(state: State) -> None:
    unread = given().has("cirrhosis").lacking(Kind.MEDICATIONS, state=state)
    assert unknown(unread.ask(RULE)).trigger
    no_list = given().takes("diuretic_loop").lacking(Kind.CONDITIONS, state=state)
    assert not unknown(no_list.ask(RULE)).trigger
    part = given().has("cirrhosis").lacking(Kind.CONDITIONS, state=State.PARTIAL)
    assert unknown(part.ask(RULE)).trigger


def test_advanced_renal_disease_calls_for_cautious_correction() -> None:
    case = given().has("cirrhosis").cramps().result("egfr", "20 mL/min/{1.73_m2}")
    assert "with care (eGFR 20)" in words(case.result("potassium", "3.2 mmol/L"))


def test_baclofen_is_not_suggested_when_advanced_renal_disease_is_diagnosed() -> None:
    text = words(checked(given().has("cirrhosis").cramps().has("dialysis")))
    assert "1. Baclofen is not advised: dialysis." in text


def test_the_evidence_lists_everything_that_the_card_mentions() -> None:
    case = given().has("cirrhosis", name="Cirrhosis").has("ascites", name="Ascites")
    case.has("hepatic_encephalopathy", name="Encephalopathy").takes("opioid", name="Morphine")
    case.takes("diuretic_loop", name="Furosemide").result("potassium", "3.1 mmol/L")
    finding = fired(case.result("magnesium", "0.85 mmol/L").result("egfr", EGFR).ask(RULE))
    assert evidence_names(finding) == {
        *("Cirrhosis", "Ascites", "Encephalopathy", "Morphine", "Furosemide"),
        *("potassium", "magnesium", "egfr"),
    }


@pytest.mark.parametrize(
    ("case", "start"),
    [
        (given().cramps(), "Cramps in cirrhosis: check"),
        (given().cramps().takes("diuretic_loop"), "Cramps in cirrhosis on a diuretic: check"),
        (given().takes("diuretic_loop"), "Cirrhosis on a diuretic: check potassium and"),
        (
            given().cramps().result("potassium", "3.0 mmol/L"),
            "Cramps in cirrhosis: correct low potassium 3.0 first",
        ),
    ],
)
def test_the_summary_names_the_findings(case: Given, start: str) -> None:
    assert fired(case.has("cirrhosis").ask(RULE)).summary.startswith(start)


def test_only_tests_without_a_recent_result_are_missing() -> None:
    assert fired(checked(given().has("cirrhosis").cramps()).ask(RULE)).missing == ()
    lines = fired(given().has("cirrhosis").cramps().ask(RULE)).missing
    assert set(lines) == {f"{analyte} in the last 30 days" for analyte in TESTS}


def test_minors_and_deceased_patients_are_not_assessed() -> None:
    silent(given(age=17).has("cirrhosis").cramps().ask(RULE))
    silent(given(deceased=True).has("cirrhosis").cramps().ask(RULE))


LOOP = {"name": "Furosemide 40 MG Oral Tablet"}
SPARING = {"name": "Spironolactone 100 MG Oral Tablet"}


def on_diuretics() -> Given:
    """Cirrhosis on a loop and a potassium-sparing diuretic, without cramps."""
    case = given().has("cirrhosis").takes("diuretic_loop", **LOOP)  # type: ignore[arg-type]
    return case.takes("diuretic_potassium_sparing", **SPARING)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "summary"),
    [
        pytest.param(
            on_diuretics().result("sodium", "124 mmol/L"),
            "Cirrhosis, sodium 124: discontinue diuretics (furosemide, spironolactone)",
            id="sodium 124",
        ),
        pytest.param(on_diuretics().result("sodium", "125 mmol/L"), "", id="sodium 125"),
        pytest.param(
            on_diuretics().result("sodium", "121 mmol/L", days_ago=31), "", id="old sodium"
        ),
        pytest.param(
            on_diuretics().result("sodium", "121 mmol/L", preliminary=True),
            "Cirrhosis, sodium 121 (preliminary): discontinue",
            id="preliminary sodium",
        ),
        pytest.param(
            on_diuretics().has("aki"), "Cirrhosis, acute kidney injury: discontinue", id="AKI"
        ),
        pytest.param(
            on_diuretics().has("aki", presence=Presence.SUSPECTED),
            "Cirrhosis, acute kidney injury: discontinue",
            id="AKI suspected",
        ),
        pytest.param(on_diuretics().has("aki", presence=Presence.PAST), "", id="AKI resolved"),
        pytest.param(
            on_diuretics().cramps(words="incapacitating leg cramps"),
            "Cirrhosis, incapacitating cramps: discontinue diuretics",
            id="incapacitating cramps",
        ),
        pytest.param(
            on_diuretics().cramps(severe=True), "Cirrhosis, severe cramps: disc", id="severity"
        ),
        pytest.param(on_diuretics().cramps(words="cramps, not severe"), "", id="not severe"),
        pytest.param(on_diuretics().cramps(words="persistent cramps"), "", id="persistent only"),
        pytest.param(
            on_diuretics().has("hepatic_encephalopathy"),
            "Cirrhosis, hepatic encephalopathy: stop the diuretic if this is worsening",
            id="encephalopathy",
        ),
        pytest.param(
            on_diuretics().has("hepatic_encephalopathy", words="history of hepatic encephalopathy"),
            "",
            id="encephalopathy in the history",
        ),
        pytest.param(
            on_diuretics().result("potassium", "2.9 mmol/L"),
            "Cirrhosis, potassium 2.9: discontinue furosemide",
            id="furosemide at 2.9",
        ),
        pytest.param(
            on_diuretics().result("potassium", "6.1 mmol/L"),
            "Cirrhosis, potassium 6.1: discontinue spironolactone",
            id="spironolactone at 6.1",
        ),
        pytest.param(on_diuretics().result("potassium", "6.0 mmol/L"), "", id="6.0 is not above"),
    ],
)
def test_a_reason_to_stop_a_diuretic_comes_first(case: Given, summary: str) -> None:
    finding = fired(case.ask(RULE))
    if summary:
        assert finding.indicator is Indicator.WARNING
        assert finding.summary.startswith(summary)
        assert len(finding.summary) <= 110
        assert "iscontinue" in finding.advice[0]
    else:
        assert finding.indicator is Indicator.INFO
        assert "iscontinue" not in finding.summary


def test_without_a_diuretic_the_card_advises_no_discontinuation() -> None:
    case = checked(given().has("cirrhosis", "aki").cramps(severe=True))
    finding = fired(case.ask(RULE))
    assert finding.indicator is Indicator.INFO
    assert "iscontinue" not in words(case)


def test_normal_values_are_reported_as_normal_and_only_the_other_tests_are_listed() -> None:
    case = given().has("cirrhosis").cramps().result("magnesium", "0.85 mmol/L")
    text = words(case)
    assert "Magnesium 0.85 mmol/L was normal on 2026-11-22." in text
    assert "Check first: potassium (no reliable result in the last 30 days)." in text
    text = words(checked(given().has("cirrhosis").cramps()))
    assert "first" not in text


@pytest.mark.parametrize("value", ["5.0 mmol/L", "5.6 mmol/L", "5.9 mmol/L", "6.4 mmol/L"])
def test_a_high_potassium_is_never_called_normal_and_the_antagonist_is_stopped(value: str) -> None:
    text = words(checked(on_diuretics()).result("potassium", value, days_ago=0))
    assert "Potassium 4.2" not in text
    assert f"Potassium {value} is high" in text
    assert "continue spironolactone" not in text.lower().replace("discontinue", "stop")
