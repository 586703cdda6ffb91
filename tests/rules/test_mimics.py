"""claudication-mimic and neuropathy-mimic: tables of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

VASCULAR, NERVE = "claudication-mimic", "neuropathy-mimic"


@pytest.mark.parametrize(
    ("rule", "concepts", "indicator"),
    [
        (VASCULAR, ("pad",), Indicator.INFO),
        (VASCULAR, ("claudication",), Indicator.WARNING),
        (VASCULAR, ("pad", "claudication"), Indicator.WARNING),
        (NERVE, ("neuropathy",), Indicator.INFO),
        (NERVE, ("radiculopathy",), Indicator.INFO),
        (NERVE, ("neurogenic_claudication",), Indicator.INFO),
        (NERVE, ("diabetes",), Indicator.INFO),
        (NERVE, ("motor_neuron_disease",), Indicator.WARNING),
        (NERVE, ("diabetes", "motor_neuron_disease"), Indicator.WARNING),
    ],
)
def test_a_documented_mimic_fires(
    rule: str, concepts: tuple[str, ...], indicator: Indicator
) -> None:
    case = given().cramps()
    for concept in concepts:
        case.has(concept)
    assert fired(case.ask(rule)).indicator is indicator


@pytest.mark.parametrize(
    ("rule", "concept", "summary", "advice"),
    [
        (VASCULAR, "pad", "Peripheral arterial disease", ""),
        (VASCULAR, "claudication", "Claudication on record", ""),
        (NERVE, "neuropathy", "Nerve disease or diabetes", ""),
        (NERVE, "neurogenic_claudication", "Nerve disease or", "eased by bending forward"),
        (NERVE, "motor_neuron_disease", "Motor neuron disease", "look for fasciculation"),
    ],
)
def test_the_card_is_about_the_mimic_and_its_evidence_is_the_mimic_and_the_cramps(
    rule: str, concept: str, summary: str, advice: str
) -> None:
    finding = fired(given().cramps().has(concept, name="The mimic").ask(rule))
    assert finding.summary.startswith(summary)
    assert evidence_names(finding) == {"The mimic", "Nocturnal leg cramps"}
    if rule == NERVE:
        assert len(finding.advice) == 1 + bool(advice)
        assert advice in finding.advice[-1]


@pytest.mark.parametrize(
    ("rule", "concept"),
    [(VASCULAR, "neurogenic_claudication"), (NERVE, "claudication"), (NERVE, "rls")],
)
def test_other_conditions_do_not_count(rule: str, concept: str) -> None:
    silent(given().cramps().has(concept).ask(rule))


@pytest.mark.parametrize(("rule", "concept"), [(VASCULAR, "claudication"), (NERVE, "neuropathy")])
def test_cramps_and_mimic_must_both_be_documented(rule: str, concept: str) -> None:
    silent(given().has(concept).ask(rule))
    silent(given().cramps().ask(rule))
    silent(given().cramps(presence=Presence.SUSPECTED).has(concept).ask(rule))
    fired(given().at(cramps_assumed=True).has(concept).ask(rule))
    for presence in (Presence.SUSPECTED, Presence.PAST, Presence.REFUTED):
        silent(given().cramps().has(concept, presence=presence).ask(rule))
    silent(given(age=17).cramps().has(concept).ask(rule))
    silent(given(deceased=True).cramps().has(concept).ask(rule))


@pytest.mark.parametrize("rule", [VASCULAR, NERVE])
def test_cannot_tell_without_the_conditions(rule: str) -> None:
    unknown(given().lacking(Kind.CONDITIONS).ask(rule))
    unknown(given().cramps().lacking(Kind.CONDITIONS, state=State.PARTIAL).ask(rule))


@pytest.mark.parametrize(
    ("case", "offered"),
    [
        pytest.param(given(), True, id="none known"),
        pytest.param(given().testing("abi", draft=False, days_ago=365), False, id="within a year"),
        pytest.param(given().testing("abi", draft=False, days_ago=366), True, id="over a year"),
        pytest.param(given().testing("abi", draft=True), False, id="drafted"),
    ],
)
def test_an_ankle_brachial_index_is_offered_when_none_is_known(case: Given, offered: bool) -> None:
    finding = fired(case.cramps().has("pad").ask(VASCULAR))
    assert offers(finding) == ({"abi"} if offered else set())
    text = " ".join((*finding.advice, *(words for _, words in finding.sections)))
    for phrase in ("exercise", "minutes of rest", "pulses", "bruits", "ankle–brachial index"):
        assert phrase in text


def test_a_neurological_examination_is_advised_and_nothing_is_ordered() -> None:
    finding = fired(given().cramps().has("diabetes").ask(NERVE))
    assert finding.suggestions == ()
    assert "neurological examination" in finding.advice[0]
    assert "Burning or tingling points to neuropathy" in finding.advice[0]


THROMBOSIS = "dvt-mimic"


def test_calf_pain_with_a_thrombosis_is_not_taken_for_a_cramp() -> None:
    finding = fired(given().cramps().has("dvt", name="DVT of left leg").ask(THROMBOSIS))
    assert finding.indicator is Indicator.WARNING
    assert "no massage" in finding.summary
    assert "No massage of that leg" in finding.advice[0]
    assert evidence_names(finding) == {"DVT of left leg", "Nocturnal leg cramps"}
    suspected = given().cramps().has("dvt", presence=Presence.SUSPECTED)
    assert "suspected" in fired(suspected.ask(THROMBOSIS)).summary


def test_a_past_thrombosis_or_one_without_cramps_is_silent() -> None:
    silent(given().cramps().has("dvt", presence=Presence.PAST).ask(THROMBOSIS))
    silent(given().has("dvt").ask(THROMBOSIS))
    silent(given().cramps().has("pad").ask(THROMBOSIS))
    unknown(given().cramps().lacking(Kind.CONDITIONS, state=State.PARTIAL).ask(THROMBOSIS))
    silent(given(age=17).cramps().has("dvt").ask(THROMBOSIS))


def test_massage_is_never_suggested_with_a_thrombosis() -> None:
    silent(given().cramps().has("dvt").ask("first-line-measures"))
    silent(given().cramps().has("dvt", presence=Presence.SUSPECTED).ask("first-line-measures"))
    fired(given().cramps().has("dvt", presence=Presence.PAST).ask("first-line-measures"))
