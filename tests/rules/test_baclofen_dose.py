"""baclofen-ordered-dose: a table of cases."""

from decimal import Decimal
from fractions import Fraction

import pytest

from cds_service.core.facts import Kind, Presence, Reason, State
from cds_service.core.medications import Dosage, Taking
from cds_service.engine.rule import Indicator
from tests.testing.given import (
    CRAMPS,
    NO_REASON,
    OTHER_REASON,
    Given,
    evidence_names,
    fired,
    given,
    orders_offered,
    removed,
    silent,
    unknown,
)

RULE = "baclofen-ordered-dose"
SPASTICITY = Reason(True, frozenset({"spasticity", "leg_cramps"}), "spasticity with cramps")


def daily(milligrams: str, **more: object) -> Dosage:
    """A number of milligrams once a day."""
    return Dosage(Decimal(milligrams), "mg", Fraction(1), **more)  # type: ignore[arg-type]


def baclofen(
    *dosages: Dosage, case: Given | None = None, reason: Reason = CRAMPS, name: str = "Baclofen"
) -> Given:
    """Oral baclofen being ordered for cramps in cirrhosis, by default without any hazard."""
    case = case or given().has("cirrhosis")
    return case.ordering("baclofen", name=name, reason=reason, dosages=dosages or (daily("10"),))


def detail_of(finding: object) -> str:
    """The whole detail of a card."""
    return " ".join((*finding.advice, *finding.missing, finding.strength))  # type: ignore[attr-defined]


TABLETS = Dosage(Decimal(1), "tablet", Fraction(3))


@pytest.mark.parametrize(
    ("dosages", "name", "above"),
    [
        pytest.param((daily("9.9"),), "Baclofen", "", id="just below 10 mg/day"),
        pytest.param((daily("10"),), "Baclofen", "", id="at 10 mg/day"),
        pytest.param((daily("10.1"),), "Baclofen", "10.1 mg/day to start", id="just above"),
        pytest.param((TABLETS,), "Baclofen 5 MG Oral Tablet", "15 mg/day to start", id="3 x 5 mg"),
        pytest.param((TABLETS,), "Lioresal 10 MG", "30 mg/day to start", id="a brand"),
        pytest.param(
            (daily("10", sequence=1), daily("20", sequence=2), daily("30", sequence=3)),
            "Baclofen",
            "",
            id="weekly steps to 30",
        ),
        pytest.param(
            (daily("10", sequence=1), daily("40", sequence=2)),
            "Baclofen",
            "40 mg/day, above 30 mg/day",
            id="steps beyond 30",
        ),
    ],
)
def test_a_start_above_ten_or_a_dose_above_thirty_warns(
    dosages: tuple[Dosage, ...], name: str, above: str
) -> None:
    answer = baclofen(*dosages, name=name).ask(RULE)
    if not above:
        silent(answer)
        return
    finding = fired(answer)
    assert finding.indicator is Indicator.WARNING
    assert above in finding.summary
    assert finding.evidence[0].limit is not None
    assert orders_offered(finding) == set()


@pytest.mark.parametrize(
    ("milligrams", "warns"),
    [("20", False), ("30", False), ("30.5", True), ("60", True)],
)
def test_a_patient_who_takes_it_may_have_up_to_thirty(milligrams: str, warns: bool) -> None:
    case = given().has("cirrhosis").takes("baclofen")
    answer = baclofen(daily(milligrams), case=case).ask(RULE)
    assert fired(answer).indicator is Indicator.WARNING if warns else silent(answer)


def test_baclofen_that_was_stopped_counts_as_a_new_start() -> None:
    case = given().has("cirrhosis").takes("baclofen", taking=Taking.STOPPED)
    assert "to start" in fired(baclofen(daily("20"), case=case).ask(RULE)).summary
    unread = given().has("cirrhosis").lacking(Kind.MEDICATIONS)
    finding = fired(baclofen(daily("20"), case=unread).ask(RULE))
    assert "medication list could not be checked" in detail_of(finding)


@pytest.mark.parametrize(
    ("age", "indicator"),
    [(64, None), (65, Indicator.WARNING), (66, Indicator.WARNING), (None, None)],
)
def test_from_sixty_five_it_warns(age: int | None, indicator: Indicator | None) -> None:
    answer = baclofen(case=given(age=age).has("cirrhosis")).ask(RULE)
    if indicator is None:
        silent(answer)
    else:
        assert fired(answer).indicator is indicator
        assert "falls" in fired(answer).summary
        assert "At 65 years or older" in detail_of(fired(answer))


@pytest.mark.parametrize("sedating", ["sedative", "opioid", "gabapentinoid"])
def test_another_sedative_makes_it_a_warning(sedating: str) -> None:
    active = given().has("cirrhosis").takes(sedating, name="Other")
    assert sedating in fired(baclofen(case=active).ask(RULE)).summary
    drafted = given().has("cirrhosis").ordering(sedating, name="Other", selected=False)
    assert "Other" in detail_of(fired(baclofen(case=drafted).ask(RULE)))
    assert {"Other", "Cirrhosis"} <= evidence_names(
        fired(
            baclofen(
                case=given().has("cirrhosis", name="Cirrhosis").takes(sedating, name="Other")
            ).ask(RULE)
        )
    )
    reported_stopped = given().has("cirrhosis").reported_stopped(sedating, name="Other")
    assert sedating in fired(baclofen(case=reported_stopped).ask(RULE)).summary
    stopped = given().has("cirrhosis").takes(sedating, taking=Taking.STOPPED)
    silent(baclofen(case=stopped).ask(RULE))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given, id="no cirrhosis"),
        pytest.param(
            lambda: given().has("cirrhosis", presence=Presence.SUSPECTED), id="only suspected"
        ),
    ],
)
def test_without_cirrhosis_alone_it_is_info(case: object) -> None:
    finding = fired(baclofen(case=case()).ask(RULE))  # type: ignore[operator]
    assert finding.indicator is Indicator.INFO
    assert "no cirrhosis" in finding.summary
    assert "confusion" not in detail_of(finding)


@pytest.mark.parametrize(
    ("reason", "documented", "fires"),
    [
        pytest.param(CRAMPS, False, True, id="cramps are the reason"),
        pytest.param(NO_REASON, True, True, id="no reason, cramps documented"),
        pytest.param(NO_REASON, False, False, id="no reason, no cramps"),
        pytest.param(OTHER_REASON, True, False, id="another reason"),
        pytest.param(SPASTICITY, True, False, id="spasticity is the reason"),
    ],
)
def test_only_baclofen_for_cramps_is_judged(reason: Reason, documented: bool, fires: bool) -> None:
    case = given().cramps() if documented else given()
    answer = baclofen(daily("40"), case=case, reason=reason).ask(RULE)
    (fired if fires else silent)(answer)


def test_assumed_cramps_count() -> None:
    case = baclofen(daily("40"), case=given().at(cramps_assumed=True), reason=NO_REASON)
    fired(case.ask(RULE))


@pytest.mark.parametrize(
    ("presence", "silences"),
    [(Presence.ACTIVE, True), (Presence.ASSUMED, False), (Presence.PAST, False)],
)
def test_spasticity_silences_the_rule_only_when_recorded_as_active(
    presence: Presence, silences: bool
) -> None:
    case = given().has("spasticity", presence=presence)
    (silent if silences else fired)(baclofen(daily("40"), case=case).ask(RULE))


def test_a_dose_that_cannot_be_read_is_reported_and_never_guessed() -> None:
    words = Dosage(text="as directed", unread="the dose is given in words only")
    answer = unknown(baclofen(words).ask(RULE))
    assert answer.trigger
    assert "could not be read" in answer.because[0]
    assert not unknown(
        given().has("cirrhosis").ordering("baclofen", reason=CRAMPS).ask(RULE)
    ).trigger
    finding = fired(baclofen(words, case=given(age=70)).ask(RULE))
    assert "could not be read" in detail_of(finding)


def test_cannot_tell_when_data_were_not_obtained() -> None:
    assert unknown(baclofen(case=given().lacking(Kind.CONDITIONS)).ask(RULE)).trigger
    no_reason = baclofen(case=given().lacking(Kind.CONDITIONS), reason=NO_REASON)
    assert unknown(no_reason.ask(RULE)).trigger
    lists = given().has("cirrhosis").lacking(Kind.MEDICATIONS, state=State.PARTIAL)
    assert unknown(baclofen(case=lists).ask(RULE)).trigger


def test_the_dose_range_is_printed_only_when_no_other_card_warns_against_baclofen() -> None:
    schedule = "10 mg/day, weekly steps of 10 mg, to 30 mg/day."
    good = given(age=70).result("egfr", "90 mL/min/{1.73_m2}")
    text = detail_of(fired(baclofen(case=good).ask(RULE)))
    assert schedule in text
    assert "check it first" not in text
    text = detail_of(fired(baclofen(case=given(age=70)).ask(RULE)))
    assert schedule + " Renal function is not known: check it first." in text
    for case in (
        given(age=70).result("egfr", "59 mL/min/{1.73_m2}"),
        given(age=70).result("egfr", "29 mL/min/{1.73_m2}"),
        given(age=70).result("egfr", "90 mL/min/{1.73_m2}").has("hepatic_encephalopathy"),
    ):
        assert schedule not in detail_of(fired(baclofen(case=case).ask(RULE)))


def test_minors_deceased_patients_and_unselected_drafts() -> None:
    fired(baclofen(daily("40"), case=given(age=12)).ask(RULE))
    silent(baclofen(daily("40"), case=given(deceased=True)).ask(RULE))
    silent(given().ordering("baclofen", reason=CRAMPS, selected=False).ask(RULE))
    silent(given().ordering("baclofen_intrathecal", reason=CRAMPS).ask(RULE))


def test_one_card_names_every_draft() -> None:
    two = baclofen(daily("20"), name="A baclofen").ordering(
        "baclofen", name="B baclofen", reason=CRAMPS, dosages=(daily("40"),)
    )
    finding = fired(two.ask(RULE))
    assert "20 mg/day" in finding.summary
    assert "40 mg/day" in finding.summary
    assert len(finding.summary) <= 139
    assert len([evidence for evidence in finding.evidence if evidence.limit]) == 2


def test_pregnancy_is_a_warning_that_mentions_the_newborn() -> None:
    case = given().cramps().has("cirrhosis").has("pregnancy")
    finding = fired(case.ordering("baclofen", dosages=(daily("10"),)).ask(RULE))
    assert finding.indicator is Indicator.WARNING
    assert "pregnancy" in finding.summary
    assert "newborn" in detail_of(finding)
    assert "weekly steps" not in detail_of(finding)
    assert removed(finding) == set(finding.about) != set()
    taken = given().cramps().has("pregnancy").takes("baclofen")
    assert removed(fired(taken.ordering("baclofen").ask(RULE))) == set()
