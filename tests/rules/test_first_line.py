"""first-line-measures: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator
from tests.testing.given import (
    CRAMPS,
    OTHER_REASON,
    Given,
    Service,
    evidence_names,
    fired,
    given,
    silent,
    unknown,
)

RULE = "first-line-measures"


@pytest.mark.parametrize(
    ("case", "fires"),
    [
        pytest.param(given().cramps(), True, id="condition"),
        pytest.param(given().cramps(presence=Presence.ASSUMED), True, id="without status"),
        pytest.param(given().cramps(presence=Presence.SUSPECTED), False, id="suspected"),
        pytest.param(given().cramps(presence=Presence.PAST), False, id="past"),
        pytest.param(given().encounter_for(CRAMPS), True, id="reason of the encounter"),
        pytest.param(given().encounter_for(OTHER_REASON), False, id="another reason"),
        pytest.param(given().ordering("iron", reason=CRAMPS), True, id="reason of a draft"),
        pytest.param(given().testing("abi", reason=CRAMPS), True, id="reason of a test draft"),
        pytest.param(given().at(cramps_assumed=True), True, id="assumed by the site"),
        pytest.param(given(), False, id="nothing"),
        pytest.param(given(age=17).cramps(), False, id="under 18"),
        pytest.param(given(age=18).cramps(), True, id="18"),
        pytest.param(given(age=None).cramps(), True, id="age unknown counts as adult"),
        pytest.param(given(deceased=True).cramps(), False, id="deceased"),
    ],
)
def test_whenever_cramps_are_documented(case: Given, fires: bool) -> None:
    answer = case.ask(RULE, Service.PATIENT_VIEW)
    if fires:
        assert fired(answer).indicator is Indicator.INFO
        assert fired(answer).suggestions == ()
    else:
        silent(answer)


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_cannot_tell_when_conditions_were_not_read(state: State) -> None:
    unknown(given().lacking(Kind.CONDITIONS, state=state).ask(RULE))
    fired(given().lacking(Kind.CONDITIONS, state=state).encounter_for(CRAMPS).ask(RULE))


def test_cannot_tell_when_the_encounter_failed_but_one_not_requested_does_not_matter() -> None:
    unknown(given().lacking(Kind.ENCOUNTER, state=State.UNAVAILABLE).ask(RULE))
    silent(given().lacking(Kind.ENCOUNTER, state=State.ABSENT).ask(RULE))
    silent(given().lacking(Kind.ENCOUNTER, state=State.NONE).ask(RULE))


def words(case: Given) -> str:
    return " ".join(fired(case.cramps().ask(RULE)).advice)


def test_it_names_the_measures_and_how_weak_the_evidence_is() -> None:
    text = words(given())
    for phrase in (
        "stretching before bed",
        "dorsiflexion",
        "assage",
        "ice",
        "No empiric",
        "no quinine",
    ):
        assert phrase in text
    strength = fired(given().cramps().ask(RULE)).strength
    assert "Limited and mixed" in strength
    assert "patient-reported" in strength


@pytest.mark.parametrize(
    ("case", "against"),
    [
        pytest.param(given(), False, id="nothing known against it"),
        pytest.param(given().result("egfr", "25 mL/min/{1.73_m2}"), True, id="eGFR 25"),
        pytest.param(given().result("egfr", "59 mL/min/{1.73_m2}"), True, id="eGFR 59"),
        pytest.param(given().result("egfr", "60 mL/min/{1.73_m2}"), False, id="eGFR 60"),
        pytest.param(given().has("dialysis"), True, id="dialysis"),
        pytest.param(
            given().has("hepatic_encephalopathy", presence=Presence.PAST), True, id="encephalopathy"
        ),
    ],
)
def test_baclofen_is_not_suggested_if_another_card_warns_of_it(case: Given, against: bool) -> None:
    text = words(case)
    assert ("is not advised here" in text) is against
    assert ("evidence is from cirrhosis" in text) is not against


@pytest.mark.parametrize(("age", "mentioned"), [(64, False), (65, True), (None, False)])
def test_sedation_is_stressed_in_older_patients(age: int | None, mentioned: bool) -> None:
    assert ("At 65 or older" in words(given(age=age))) is mentioned


def test_sedatives_are_named() -> None:
    for case in (
        given().takes("sedative", name="zolpidem"),
        given().reported_stopped("opioid", name="zolpidem"),
        given().ordering("gabapentinoid", name="zolpidem", selected=False),
    ):
        assert "Sedation adds up with zolpidem" in words(case)
    assert "Sedation" not in words(given())


def test_the_documented_cramps_are_the_evidence() -> None:
    assert evidence_names(fired(given().cramps().ask(RULE))) == {"Nocturnal leg cramps"}


def everything(case: Given) -> str:
    """The whole text of the card."""
    finding = fired(case.ask(RULE))
    return " ".join((finding.summary, *finding.advice, *(text for _, text in finding.sections)))


def test_it_starts_with_the_examination_and_distinguishes_the_four_conditions() -> None:
    text = everything(given().cramps())
    for phrase in ("strength, reflexes, sensation", "pulses and bruits", "seconds to minutes"):
        assert phrase in text
    for phrase in ("urge to move", "minutes of rest", "burning, tingling", "Analgesics do not"):
        assert phrase in text


def test_in_pregnancy_neither_baclofen_nor_magnesium() -> None:
    text = everything(given().cramps().has("pregnancy"))
    assert "aclofen" not in text
    assert "agnesium" not in text
    assert "obstetric" in text


def test_vitamin_k2_is_described_as_unproven_and_not_for_patients_on_warfarin() -> None:
    text = everything(given().cramps())
    assert "0.96 against 3.63" in text
    assert "not repeated" in text
    assert "Not with warfarin" in text
    assert "not for this patient" in everything(given().cramps().takes("warfarin"))
