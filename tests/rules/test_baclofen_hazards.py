"""baclofen-ordered-renal-impairment and baclofen-ordered-encephalopathy: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

RENAL, LIVER = "baclofen-ordered-renal-impairment", "baclofen-ordered-encephalopathy"
DRAFT = "MedicationRequest/draft-1"
UNIT = "mL/min/{1.73_m2}"


def baclofen(**more: object) -> Given:
    """Oral baclofen being ordered."""
    return given(**more).ordering("baclofen", name="Baclofen 10 mg")  # type: ignore[arg-type]


def detail_of(finding: object) -> str:
    """The whole detail of a card."""
    return " ".join((*finding.advice, *finding.missing, finding.strength))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "indicator"),
    [
        pytest.param("29", Indicator.CRITICAL, id="just below 30"),
        pytest.param("30", Indicator.WARNING, id="at 30"),
        pytest.param("31", Indicator.WARNING, id="just above 30"),
        pytest.param("59", Indicator.WARNING, id="just below 60"),
        pytest.param("60", None, id="at 60"),
        pytest.param("61", None, id="just above 60"),
        pytest.param("<15", Indicator.CRITICAL, id="below 15 by comparator"),
        pytest.param("<50", Indicator.WARNING, id="<50 is at least below 60"),
        pytest.param(">60", None, id=">60 clears"),
        pytest.param("<90", Indicator.WARNING, id="<90 says nothing: unknown"),
    ],
)
def test_the_egfr_decides_the_severity(value: str, indicator: Indicator | None) -> None:
    answer = baclofen().result("egfr", f"{value} {UNIT}").ask(RENAL)
    if indicator is None:
        silent(answer)
    else:
        assert fired(answer).indicator is indicator


@pytest.mark.parametrize(
    ("concept", "indicator"),
    [
        ("ckd_stage_4_5", Indicator.CRITICAL),
        ("dialysis", Indicator.CRITICAL),
        ("aki", Indicator.CRITICAL),
        ("ckd_stage_3", Indicator.WARNING),
    ],
)
@pytest.mark.parametrize("presence", [Presence.ACTIVE, Presence.ASSUMED, Presence.SUSPECTED])
def test_a_diagnosis_decides_whatever_the_egfr_is(
    concept: str, indicator: Indicator, presence: Presence
) -> None:
    case = baclofen().result("egfr", f"90 {UNIT}").has(concept, presence=presence)
    assert fired(case.ask(RENAL)).indicator is indicator


def test_a_kidney_injury_that_is_over_does_not_count() -> None:
    case = baclofen().result("egfr", f"90 {UNIT}").has("aki", presence=Presence.PAST)
    silent(case.ask(RENAL))


def test_unknown_renal_function_is_a_warning_that_says_so() -> None:
    finding = fired(baclofen().ask(RENAL))
    assert finding.indicator is Indicator.WARNING
    assert "renal function unknown" in finding.summary
    assert offers(finding) == {"creatinine", DRAFT}
    old = fired(baclofen().result("egfr", f"90 {UNIT}", days_ago=366).ask(RENAL))
    assert "unknown" in old.summary
    silent(baclofen().result("egfr", f"90 {UNIT}", days_ago=365).ask(RENAL))


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE])
def test_renal_function_that_was_not_fetched_could_not_be_checked(state: State) -> None:
    finding = fired(baclofen().lacking(Kind.RESULTS, state=state).ask(RENAL))
    assert finding.indicator is Indicator.WARNING
    assert "could not be checked" in finding.summary
    assert "laboratory results could not be checked" in detail_of(finding)


YEAR = "renal function in the last 12 months"


@pytest.mark.parametrize(
    ("case", "missing"),
    [
        pytest.param(baclofen, (YEAR,), id="none on file"),
        pytest.param(
            lambda: baclofen().lacking(Kind.RESULTS),
            ("laboratory results could not be checked",),
            id="results not sent",
        ),
        pytest.param(lambda: baclofen().result("egfr", f"25 {UNIT}"), (), id="known"),
        pytest.param(
            lambda: baclofen().result("egfr", f"25 {UNIT}").lacking(Kind.CONDITIONS),
            ("the problem list could not be checked",),
            id="problems not sent",
        ),
        pytest.param(
            lambda: baclofen().result("egfr", f"25 {UNIT}").lacking(Kind.MEDICATIONS),
            ("the medication list could not be checked",),
            id="medications not sent",
        ),
    ],
)
def test_only_missing_data_are_named(case: object, missing: tuple[str, ...]) -> None:
    lines = fired(case().ask(RENAL)).missing  # type: ignore[operator]
    assert len(lines) == len(missing)
    assert all(line.startswith(start) for line, start in zip(lines, missing, strict=True))


@pytest.mark.parametrize(
    ("case", "tested"),
    [
        pytest.param(lambda: baclofen().has("dialysis"), True, id="dialysis, no eGFR"),
        pytest.param(
            lambda: baclofen().result("egfr", f"<90 {UNIT}"), True, id="an eGFR that says nothing"
        ),
        pytest.param(lambda: baclofen().result("egfr", f"25 {UNIT}"), False, id="a fresh eGFR"),
        pytest.param(
            lambda: baclofen().has("dialysis").result("egfr", f"25 {UNIT}"), False, id="both"
        ),
    ],
)
def test_creatinine_is_offered_when_the_egfr_is_inconclusive(case: object, tested: bool) -> None:
    assert ("creatinine" in offers(fired(case().ask(RENAL)))) is tested  # type: ignore[operator]


def test_it_still_warns_when_no_data_were_obtained() -> None:
    finding = fired(baclofen().lacking(*Kind).ask(RENAL))
    assert finding.indicator is Indicator.WARNING
    assert DRAFT not in offers(finding)


def test_a_good_egfr_does_not_make_up_for_data_that_could_not_be_read() -> None:
    good = baclofen().result("egfr", f"90 {UNIT}", days_ago=5)
    assert unknown(good.lacking(Kind.CONDITIONS).ask(RENAL)).trigger
    newer = baclofen().result("egfr", f"90 {UNIT}", days_ago=5).unusable("creatinine")
    assert unknown(newer.ask(RENAL)).problems
    old = baclofen().unusable("egfr", days_ago=3)
    assert "could not be used" in detail_of(fired(old.ask(RENAL)))


def test_an_egfr_is_computed_from_creatinine() -> None:
    case = baclofen(age=50, sex="female").result("creatinine", "3.0 mg/dL")
    assert fired(case.ask(RENAL)).indicator is Indicator.CRITICAL
    micromol = baclofen(age=50, sex="female").result("creatinine", "265 umol/L")
    assert fired(micromol.ask(RENAL)).indicator is Indicator.CRITICAL


def test_a_stale_egfr_counts_and_a_repeat_is_offered() -> None:
    finding = fired(baclofen().result("egfr", f"25 {UNIT}", days_ago=91).ask(RENAL))
    assert finding.indicator is Indicator.CRITICAL
    assert "creatinine" in offers(finding)
    fresh = fired(baclofen().result("egfr", f"25 {UNIT}", days_ago=90).ask(RENAL))
    assert offers(fresh) == {DRAFT}


def test_a_preliminary_egfr_can_raise_severity_but_never_clear_and_offers_only_the_repeat() -> None:
    early = baclofen().result("egfr", f"90 {UNIT}", days_ago=3)
    early.result("egfr", f"20 {UNIT}", preliminary=True)
    finding = fired(early.ask(RENAL))
    assert finding.indicator is Indicator.CRITICAL
    assert "preliminary" in finding.summary
    assert offers(finding) == {"creatinine"}
    settled = baclofen().result("egfr", f"25 {UNIT}", days_ago=3)
    settled.result("egfr", f"20 {UNIT}", preliminary=True)
    assert DRAFT in offers(fired(settled.ask(RENAL)))
    kept = baclofen().result("egfr", f"25 {UNIT}", days_ago=3)
    kept.result("egfr", f"90 {UNIT}", preliminary=True)
    assert fired(kept.ask(RENAL)).indicator is Indicator.CRITICAL


@pytest.mark.parametrize(
    ("age", "value", "wording"),
    [
        pytest.param(65, "45", True, id="65 years and eGFR 45"),
        pytest.param(64, "45", False, id="64 years"),
        pytest.param(None, "45", False, id="age unknown"),
        pytest.param(80, "20", True, id="80 years and eGFR 20"),
    ],
)
def test_the_beers_wording_is_used_from_age_65(age: int | None, value: str, wording: bool) -> None:
    finding = fired(baclofen(age=age).result("egfr", f"{value} {UNIT}").ask(RENAL))
    assert ("Beers" in " ".join(finding.advice)) is wording


def critical(rule: str) -> Given:
    """Baclofen being ordered in the state that makes the rule critical."""
    return baclofen().has("dialysis" if rule == RENAL else "hepatic_encephalopathy")


@pytest.mark.parametrize("rule", [RENAL, LIVER])
def test_removal_is_offered_only_to_a_patient_known_not_to_take_it(rule: str) -> None:
    finding = fired(critical(rule).ask(rule))
    assert DRAFT in offers(finding)
    assert "abruptly" not in detail_of(finding)
    taking = [critical(rule).takes(concept) for concept in ("baclofen", "baclofen_intrathecal")]
    for case in (*taking, critical(rule).reported_stopped("baclofen")):
        finding = fired(case.ask(rule))
        assert DRAFT not in offers(finding)
        assert "already takes baclofen: never stop it abruptly" in detail_of(finding)
    for state in (State.ABSENT, State.PARTIAL):
        unread = critical(rule).lacking(Kind.MEDICATIONS, state=state)
        finding = fired(unread.ask(rule))
        assert DRAFT not in offers(finding)
        assert "never stop it abruptly" in detail_of(finding)


@pytest.mark.parametrize("rule", [RENAL, LIVER])
def test_it_fires_under_eighteen_but_not_for_deceased_patients(rule: str) -> None:
    child = given(age=12).ordering("baclofen").has("dialysis").has("hepatic_encephalopathy")
    assert fired(child.ask(rule)).indicator is Indicator.CRITICAL
    dead = given(deceased=True).ordering("baclofen").has("dialysis").has("hepatic_encephalopathy")
    silent(dead.ask(rule))


@pytest.mark.parametrize("rule", [RENAL, LIVER])
def test_only_selected_oral_baclofen_is_judged_and_one_card_names_all(rule: str) -> None:
    hazard = "dialysis" if rule == RENAL else "hepatic_encephalopathy"
    silent(given().has(hazard).ordering("baclofen_intrathecal").ask(rule))
    silent(given().has(hazard).ordering("baclofen", selected=False).ask(rule))
    two = given().ordering("baclofen", name="A").ordering("baclofen", name="B").has(hazard)
    finding = fired(two.ask(rule))
    removed = {offered for offered in offers(finding) if offered.startswith("MedicationRequest/")}
    assert removed == {DRAFT, "MedicationRequest/draft-2"}


@pytest.mark.parametrize("presence", [Presence.ACTIVE, Presence.SUSPECTED, Presence.PAST])
def test_current_or_past_encephalopathy_is_critical(presence: Presence) -> None:
    finding = fired(baclofen().has("hepatic_encephalopathy", presence=presence).ask(LIVER))
    assert finding.indicator is Indicator.CRITICAL
    assert "Certainty is low" in finding.strength
    assert "hepatic encephalopathy). Baclofen sedates" in finding.advice[0]
    assert evidence_names(finding) == {"Baclofen 10 mg", "hepatic encephalopathy"}


@pytest.mark.parametrize(
    ("concept", "presence", "fires"),
    [
        pytest.param("cirrhosis", Presence.ACTIVE, True, id="cirrhosis"),
        pytest.param("cirrhosis", Presence.ASSUMED, True, id="cirrhosis without status"),
        pytest.param("cirrhosis", Presence.SUSPECTED, False, id="suspected cirrhosis"),
        pytest.param("liver_disease", Presence.ACTIVE, False, id="other liver disease"),
        pytest.param(
            "hepatic_encephalopathy", Presence.REFUTED, False, id="refuted encephalopathy"
        ),
    ],
)
def test_cirrhosis_without_encephalopathy_is_info(
    concept: str, presence: Presence, fires: bool
) -> None:
    answer = baclofen().has(concept, presence=presence).ask(LIVER)
    if not fires:
        silent(answer)
        return
    finding = fired(answer)
    assert finding.indicator is Indicator.INFO
    assert offers(finding) == set()
    assert evidence_names(finding) == {"Baclofen 10 mg", concept}


def test_an_unread_problem_list_cannot_rule_out_liver_disease() -> None:
    assert unknown(baclofen().lacking(Kind.CONDITIONS).ask(LIVER)).trigger
    partly = baclofen().has("cirrhosis").lacking(Kind.CONDITIONS, state=State.PARTIAL)
    assert "problem list" in detail_of(fired(partly.ask(LIVER)))
    lists = baclofen().has("cirrhosis").lacking(Kind.MEDICATIONS)
    assert "medication list" in fired(lists.ask(LIVER)).missing[0]
