"""specialist-referral and extensive-workup-ordered: tables of cases."""

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
    offers,
    silent,
    unknown,
)

REFERRAL, WORKUP = "specialist-referral", "extensive-workup-ordered"
NEUROLOGY, VASCULAR = "referral_neurology", "referral_vascular"


@pytest.mark.parametrize(
    ("case", "offered"),
    [
        pytest.param(given().cramps(severe=True), {NEUROLOGY}, id="severity severe"),
        pytest.param(given().cramps(status="recurrence"), {NEUROLOGY}, id="recurrence"),
        pytest.param(given().cramps(status="relapse"), {NEUROLOGY}, id="relapse"),
        *(
            pytest.param(given().cramps(words=f"{word} nocturnal leg cramps"), {NEUROLOGY}, id=word)
            for word in (
                "severe",
                "persistent",
                "refractory",
                "intractable",
                "progressive",
                "incapacitating",
            )
        ),
        pytest.param(given().cramps().has("motor_neuron_disease"), {NEUROLOGY}, id="MND"),
        pytest.param(given().cramps().has("radiculopathy"), {NEUROLOGY}, id="radiculopathy"),
        pytest.param(given().cramps().has("neurological_deficit"), {NEUROLOGY}, id="deficit"),
        pytest.param(given().cramps().has("claudication"), {VASCULAR}, id="claudication"),
        pytest.param(given().cramps().has("pad"), {VASCULAR}, id="arterial disease"),
        pytest.param(
            given().cramps().has("pad", presence=Presence.SUSPECTED), {VASCULAR},
            id="suspected vascular disease",
        ),
        pytest.param(
            given().cramps(severe=True).has("pad"), {NEUROLOGY, VASCULAR}, id="both"
        ),
        pytest.param(
            given().encounter_for(
                Reason(True, frozenset({"leg_cramps"}), "persistent leg cramps")
            ),
            {NEUROLOGY},
            id="persistent, as the encounter's reason",
        ),
    ],
)  # fmt: skip
def test_a_criterion_names_the_specialist(case: Given, offered: set[str]) -> None:
    finding = fired(case.ask(REFERRAL))
    assert finding.indicator is Indicator.INFO
    assert offers(finding) == offered
    assert ("neurology" in finding.summary) is (NEUROLOGY in offered)
    assert ("vascular surgery" in finding.summary) is (VASCULAR in offered)
    assert len(finding.advice) == len(offered)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(given().cramps(), id="plain cramps"),
        pytest.param(given().cramps(words="nocturnal leg cramps, mild"), id="mild"),
        pytest.param(given().has("pad", words="severe"), id="no cramps"),
        pytest.param(given().cramps().has("rls", words="severe"), id="another text is severe"),
        pytest.param(given().cramps().has("diabetes"), id="diabetes is not a deficit"),
        pytest.param(given().cramps().has("pad", presence=Presence.PAST), id="past"),
        pytest.param(given(age=17).cramps(severe=True), id="under 18"),
        pytest.param(given(deceased=True).cramps(severe=True), id="deceased"),
    ],
)
def test_without_a_criterion_no_referral_is_suggested(case: Given) -> None:
    silent(case.ask(REFERRAL))


def test_a_referral_already_ordered_is_not_suggested_again() -> None:
    silent(given().cramps(severe=True).testing(NEUROLOGY).ask(REFERRAL))
    silent(given().cramps(severe=True).testing(NEUROLOGY, draft=False, days_ago=30).ask(REFERRAL))
    fired(given().cramps(severe=True).testing(NEUROLOGY, draft=False, days_ago=31).ask(REFERRAL))
    fired(given().cramps(severe=True).testing(VASCULAR).ask(REFERRAL))
    both = given().cramps(severe=True).has("pad").testing(NEUROLOGY)
    fired(both.ask(REFERRAL))
    silent(both.testing(VASCULAR).ask(REFERRAL))


def test_the_criteria_for_referral_are_evidence_and_both_specialists_are_named() -> None:
    case = given().cramps(severe=True).has("pad", name="PAD")
    finding = fired(case.has("radiculopathy", name="Sciatica").ask(REFERRAL))
    assert evidence_names(finding) == {"Nocturnal leg cramps", "PAD", "Sciatica"}
    assert finding.summary.endswith("consider referral to neurology and vascular surgery")
    assert [line.split(":")[0] for line in finding.advice] == [
        "Neurology",
        "Neurology",
        "Vascular surgery",
    ]
    workup = fired(given().cramps().testing(KINDS[0], selected=True, name="MRI").ask(WORKUP))
    assert evidence_names(workup) == {"MRI", "Nocturnal leg cramps"}


def test_cannot_tell_when_only_some_conditions_were_received() -> None:
    unknown(given().cramps().lacking(Kind.CONDITIONS, state=State.PARTIAL).ask(REFERRAL))
    fired(given().cramps(severe=True).lacking(Kind.CONDITIONS, state=State.PARTIAL).ask(REFERRAL))


KINDS = ("imaging_leg_spine", "emg_nerve_conduction", "extended_panel")
ROOT = Reason(
    given=True, concepts=frozenset({"leg_cramps", "radiculopathy"}), words="cramps, sciatica"
)


def ordered(kind: str, reason: Reason = CRAMPS, selected: bool = True) -> Given:
    return given().testing(kind, reason=reason, selected=selected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("reason", "documented", "fires"),
    [
        pytest.param(CRAMPS, False, True, id="for cramps"),
        pytest.param(NO_REASON, True, True, id="no reason, cramps documented"),
        pytest.param(NO_REASON, False, False, id="no reason, no cramps"),
        pytest.param(OTHER_REASON, True, False, id="another reason"),
        pytest.param(ROOT, True, False, id="cramps and a root"),
    ],
)
def test_extensive_workup_for_typical_cramps(
    kind: str, reason: Reason, documented: bool, fires: bool
) -> None:
    case = ordered(kind, reason)
    answer = (case.cramps() if documented else case).ask(WORKUP)
    if fires:
        finding = fired(answer)
        assert finding.indicator is Indicator.INFO
        assert finding.suggestions == ()
    else:
        silent(answer)


@pytest.mark.parametrize(
    "concept",
    [
        "motor_neuron_disease",
        "radiculopathy",
        "neurological_deficit",
        "claudication",
        "pad",
        "neurogenic_claudication",
        "neuropathy",
        "dvt",
        "rhabdomyolysis",
    ],
)
@pytest.mark.parametrize("presence", [Presence.ACTIVE, Presence.ASSUMED, Presence.SUSPECTED])
def test_a_clinical_finding_justifies_a_workup(concept: str, presence: Presence) -> None:
    silent(ordered(KINDS[0]).has(concept, presence=presence).ask(WORKUP))
    fired(ordered(KINDS[0]).has(concept, presence=Presence.PAST).ask(WORKUP))


def test_only_selected_drafts_are_judged_for_workup() -> None:
    silent(ordered(KINDS[0], selected=False).cramps().ask(WORKUP))
    silent(given().testing("magnesium", reason=CRAMPS, selected=True).ask(WORKUP))


def test_severe_or_persistent_cramps_are_not_typical() -> None:
    silent(ordered(KINDS[0]).cramps(severe=True).ask(WORKUP))


def test_cannot_tell_about_workup_without_the_complete_problem_list() -> None:
    for state in (State.PARTIAL, State.UNAVAILABLE, State.ABSENT):
        unknown(ordered(KINDS[0]).lacking(Kind.CONDITIONS, state=state).ask(WORKUP))
    part = ordered(KINDS[0], NO_REASON).lacking(Kind.CONDITIONS, state=State.PARTIAL)
    assert unknown(part.ask(WORKUP)).trigger


def test_workup_under_18_is_not_judged() -> None:
    case = given(age=17).testing(KINDS[0], reason=CRAMPS, selected=True)
    silent(case.ask(WORKUP))


@pytest.mark.parametrize(
    ("words", "severe", "named"),
    [
        ("incapacitating muscle cramps of legs", False, True),
        ("nocturnal leg cramps", True, True),
        ("persistent leg cramps", False, False),
        ("leg cramps, not severe", False, False),
    ],
)
def test_severe_cramps_in_cirrhosis_are_referred_to_hepatology(
    words: str, severe: bool, named: bool
) -> None:
    case = given().has("cirrhosis", name="Cirrhosis").cramps(words=words, severe=severe)
    answer = case.has("radiculopathy").ask("specialist-referral")
    finding = fired(answer)
    assert ("hepatology" in finding.summary) is named
    assert ("referral_hepatology" in offers(finding)) is named
    without = fired(given().cramps(words=words, severe=True).ask("specialist-referral"))
    assert "hepatology" not in without.summary


@pytest.mark.parametrize("concept", ["dvt", "leg_swelling"])
def test_a_thrombosis_or_a_swollen_leg_calls_for_imaging(concept: str) -> None:
    case = given().cramps().testing("imaging_leg_spine", selected=True, reason=CRAMPS)
    assert fired(case.ask("extensive-workup-ordered")).about
    silent(case.has(concept, presence=Presence.SUSPECTED).ask("extensive-workup-ordered"))
