"""dopaminergic-ordered-for-cramps: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, Reason, State
from cds_service.engine.rule import Indicator
from tests.testing.given import (
    CRAMPS,
    NO_REASON,
    OTHER_REASON,
    Given,
    evidence_names,
    fired,
    given,
    silent,
    unknown,
)

RULE = "dopaminergic-ordered-for-cramps"
INDICATIONS = ["rls", "parkinson", "prolactinoma"]


def drug(case: Given | None = None, reason: Reason = CRAMPS) -> Given:
    """A dopaminergic drug being ordered for cramps."""
    return (case or given()).ordering("dopaminergic", name="Pramipexole", reason=reason)


def test_it_warns_when_cramps_are_the_only_indication() -> None:
    finding = fired(drug().ask(RULE))
    assert finding.indicator is Indicator.WARNING
    assert "not restless legs" in finding.summary
    assert "Pramipexole" in finding.advice[0]
    assert {suggestion.reference for suggestion in finding.suggestions} == set(finding.about)  # type: ignore[union-attr]
    assert len(finding.about) == 1


def test_the_evidence_lists_drug_and_suspicion_and_the_difference_is_explained() -> None:
    case = given().has("rls", presence=Presence.SUSPECTED, name="Restless legs?")
    finding = fired(drug(case).ask(RULE))
    assert evidence_names(finding) == {"Pramipexole", "Restless legs?"}
    assert "relieved by moving" in finding.sections[0][1]
    assert "relieved by stretching" in finding.sections[0][1]


def test_a_second_drug_ordered_for_cramps_does_not_imply_that_this_one_is_for_cramps() -> None:
    silent(drug(given().ordering("quinine", reason=CRAMPS), OTHER_REASON).ask(RULE))


@pytest.mark.parametrize("concept", INDICATIONS)
@pytest.mark.parametrize("presence", [Presence.ACTIVE, Presence.ASSUMED])
def test_a_documented_indication_silences_the_rule(concept: str, presence: Presence) -> None:
    silent(drug(given().has(concept, presence=presence)).ask(RULE))


@pytest.mark.parametrize("concept", INDICATIONS)
def test_an_indication_given_as_the_reason_silences_the_rule(concept: str) -> None:
    cramps_and_indication = Reason(True, frozenset({"leg_cramps", concept}), "both")
    silent(drug(reason=cramps_and_indication).ask(RULE))


@pytest.mark.parametrize("concept", INDICATIONS)
@pytest.mark.parametrize("presence", [Presence.SUSPECTED, Presence.PAST, Presence.REFUTED])
def test_an_indication_that_is_not_present_does_not_silence_the_rule(
    concept: str, presence: Presence
) -> None:
    finding = fired(drug(given().has(concept, presence=presence)).ask(RULE))
    doubt = concept == "rls" and presence is Presence.SUSPECTED
    assert ("confirm them first" in " ".join(finding.advice)) is doubt


@pytest.mark.parametrize("reason", [NO_REASON, OTHER_REASON])
def test_only_the_reason_given_on_the_order_counts(reason: Reason) -> None:
    silent(drug(given().cramps(), reason).ask(RULE))
    silent(drug(given().at(cramps_assumed=True), reason).ask(RULE))


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.PARTIAL])
def test_cannot_tell_when_the_problem_list_was_not_read(state: State) -> None:
    assert unknown(drug(given().lacking(Kind.CONDITIONS, state=state)).ask(RULE)).trigger
    silent(drug(given().has("rls").lacking(Kind.CONDITIONS, state=State.PARTIAL)).ask(RULE))


def test_minors_deceased_patients_and_unselected_drafts() -> None:
    silent(drug(given(age=12)).ask(RULE))
    silent(drug(given(deceased=True)).ask(RULE))
    silent(given().ordering("dopaminergic", reason=CRAMPS, selected=False).ask(RULE))
    silent(given().ordering("statin", reason=CRAMPS).ask(RULE))


def test_one_card_names_all() -> None:
    two = drug().ordering("dopaminergic", name="Levodopa", reason=CRAMPS)
    assert "Pramipexole, Levodopa" in fired(two.ask(RULE)).advice[0]
