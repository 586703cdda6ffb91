"""No card suggests what another card for the same facts warns against.

A grid of patients goes through the engine and the arrangement of cards of all services.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.arranging import arrange, fired
from cds_service.engine.rule import (
    DraftMedication,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    RemoveDraft,
)
from hooks.knowledge.files import orderables
from hooks.order_select import RULES as ORDER_SELECT
from hooks.patient_view import RULES as PATIENT_VIEW
from hooks.renal import renal_function
from tests.testing.given import Given, Service, hook_of
from tests.testing.given import given as patient
from tests.testing.thorough import examples

CHART, ORDER = Service.PATIENT_VIEW, Service.ORDER_SELECT
MAGNESIUM_WARNINGS = {
    "magnesium-in-renal-impairment",
    "magnesium-not-indicated",
    "magnesium-ordered-renal-impairment",
    "magnesium-ordered-normal-level",
    "magnesium-ordered-level-unknown",
}
POTASSIUM_WARNINGS = {"high-potassium", "potassium-ordered-hazard"}

LABS = {
    "magnesium": ["0.4 mmol/L", "0.6 mmol/L", "0.85 mmol/L", "1.3 mmol/L", "<0.6 mmol/L"],
    "potassium": [
        "2.3 mmol/L",
        "2.8 mmol/L",
        "3.3 mmol/L",
        "4.2 mmol/L",
        "5.2 mmol/L",
        "6.1 mmol/L",
    ],
    "egfr": [f"{value} mL/min/{{1.73_m2}}" for value in ("20", "45", "80", "<50", ">60")],
    "creatinine": ["0.8 mg/dL", "1.3 mg/dL", "3.0 mg/dL"],
    "sodium": ["118 mmol/L", "138 mmol/L"],
    "creatine_kinase": ["12000 U/L"],
    "calcium": ["1.7 mmol/L"],
    "ferritin": ["20 ng/mL"],
    "transferrin_saturation": ["12 %", "60 %"],
    "hemoglobin": ["9 g/dL"],
}
CONCEPTS = [
    "aki",
    "dialysis",
    "ckd_stage_4_5",
    "ckd_stage_3",
    "cirrhosis",
    "ascites",
    "hepatic_encephalopathy",
    "pregnancy",
    "rls",
    "iron_overload",
    "malaria",
    "heart_failure",
    "long_qt",
    "spasticity",
    "dvt",
    "myasthenia_gravis",
]
CLASSES = [
    "magnesium",
    "potassium",
    "diuretic_potassium_sparing",
    "diuretic_loop",
    "raas_inhibitor",
    "nsaid",
    "quinine",
    "baclofen",
    "sedative",
    "iron",
    "acetaminophen",
    "trimethoprim",
    "heparin",
    "calcineurin_inhibitor",
    "digoxin",
    "qt_prolonging",
]


labs = st.sampled_from([(key, value) for key, values in LABS.items() for value in values]).flatmap(
    lambda pair: st.tuples(
        st.just(pair[0]),
        st.just(pair[1]),
        st.sampled_from([1, 1, 1, 20, 60, 200]),
        st.sampled_from([False, False, False, True]),
    )
)
conditions = st.tuples(
    st.sampled_from(CONCEPTS),
    st.sampled_from([Presence.ACTIVE, Presence.ACTIVE, Presence.SUSPECTED, Presence.PAST]),
)
failures = st.sampled_from([Kind.CONDITIONS, Kind.MEDICATIONS, Kind.STATEMENTS, Kind.RESULTS])


@st.composite
def patients(draw: st.DrawFn, ages: tuple[int | None, ...] = (50, 50, 72, 12, None)) -> Given:
    """Patients with or without cramps, with labs, conditions, medicines and drafts."""
    case = patient(
        age=draw(st.sampled_from(ages)),
        sex=draw(st.sampled_from(["female", "male", ""])),
    )
    # Mostly the facts under which drugs are offered: low levels and normal renal function.
    if draw(st.booleans()):
        case.result("egfr", "80 mL/min/{1.73_m2}")
    if draw(st.booleans()):
        case.result("magnesium", "0.6 mmol/L").result("potassium", "3.1 mmol/L")
    if draw(st.booleans()):
        case.cramps()
    if draw(st.integers(0, 3)) == 0:  # acute kidney injury that only the creatinine shows
        case.result("creatinine", "0.8 mg/dL", days_ago=5)
        case.result("creatinine", "1.3 mg/dL", days_ago=1)
    for analyte, value, days_ago, early in draw(st.lists(labs, max_size=4)):
        case.result(analyte, value, days_ago=days_ago, preliminary=early)
    for concept, presence in draw(st.lists(conditions, max_size=2)):
        case.has(concept, presence=presence)
    for name in draw(st.lists(st.sampled_from(CLASSES), max_size=2)):
        case.takes(name)
    for name in draw(st.lists(st.sampled_from(CLASSES), max_size=2)):
        case.ordering(name, selected=draw(st.booleans()))
    if draw(st.integers(0, 3)) == 0:
        case.lacking(
            draw(failures), state=draw(st.sampled_from([State.UNAVAILABLE, State.PARTIAL]))
        )
    return case.at(max_info_cards=20)


def shown(case: Given, service: Service) -> dict[str, Finding]:
    facts = case.facts()
    arranged = arrange(hook_of(service), fired(case.outcomes(service)), facts, orderables())
    return {card.rule.id: card.finding for card in arranged.shown}


def drafts(cards: dict[str, Finding]) -> set[str]:
    return {
        suggestion.key
        for finding in cards.values()
        for suggestion in finding.suggestions
        if isinstance(suggestion, DraftMedication)
    }


def warned(case: Given) -> set[str]:
    """Rules of all services that fired, ignoring the cap."""
    return {*shown(case, CHART), *shown(case, ORDER)}


many = settings(max_examples=examples(400), deadline=None, derandomize=True)


def low_everything() -> Given:
    case = patient().result("egfr", "80 mL/min/{1.73_m2}").at(max_info_cards=20)
    return case.result("magnesium", "0.6 mmol/L").result("potassium", "3.1 mmol/L")


def test_for_each_drug_the_grid_has_patients_who_are_offered_it() -> None:
    assert drafts(shown(low_everything(), CHART)) == {"magnesium_oxide", "potassium_chloride"}


@many
@given(case=patients())
@example(case=low_everything())
def test_no_drug_is_drafted_that_another_card_warns_against(case: Given) -> None:
    offered = drafts(shown(case, CHART))
    assert drafts(shown(case, ORDER)) == set()
    warnings = warned(case)
    facts = case.facts()
    if "magnesium_oxide" in offered:
        assert not warnings & MAGNESIUM_WARNINGS
        assert not facts.hazards("aki", "dialysis", "ckd_stage_4_5", "ckd_stage_3", "pregnancy")
    if "potassium_chloride" in offered:
        assert not warnings & POTASSIUM_WARNINGS
        assert not facts.hazards("aki", "dialysis", "ckd_stage_4_5", "ckd_stage_3")
    if offered:
        assert renal_function(facts).injury is None
        assert not facts.hazards("pregnancy")
        assert facts.age is not None
        assert facts.age >= 18
        for kind in (Kind.CONDITIONS, Kind.MEDICATIONS):
            assert facts.availability(kind).whole


@many
@given(case=patients())
@example(case=low_everything())
def test_a_drug_that_was_offered_gets_no_warning_when_it_is_ordered(case: Given) -> None:
    for key in drafts(shown(case, CHART)):
        ordered = next(iter(orderables()[key].covers))
        cards = shown(case.ordering(ordered), ORDER)
        for rule in MAGNESIUM_WARNINGS | POTASSIUM_WARNINGS:
            if rule.startswith(ordered):
                assert rule not in cards


@many
@given(case=patients())
def test_nothing_is_both_drafted_and_removed_and_no_test_offered_twice(case: Given) -> None:
    for service in Service:
        cards = shown(case, service)
        tests = [
            suggestion.key
            for finding in cards.values()
            for suggestion in finding.suggestions
            if isinstance(suggestion, OrderTest)
        ]
        assert len(tests) == len(set(tests))
        removals = [
            suggestion.reference
            for finding in cards.values()
            for suggestion in finding.suggestions
            if isinstance(suggestion, RemoveDraft)
        ]
        assert len(removals) == len(set(removals))
        assert not (removals and drafts(cards))
        selected = {draft.source.reference for draft in case.facts().drafts.selected_medications}
        assert set(removals) <= selected


@many
@given(case=patients())
def test_no_advice_suggests_what_another_card_warns_against(case: Given) -> None:
    cards = shown(case, CHART)
    fires = warned(case)
    text = {rule: "\n".join(finding.advice) for rule, finding in cards.items()}
    toxic = cards.get("magnesium-in-renal-impairment")
    if toxic is not None and toxic.indicator is Indicator.CRITICAL:
        assert all("484" not in advice for advice in text.values())
    ordered = shown(case, ORDER)
    baclofen = {"baclofen-ordered-renal-impairment", "baclofen-ordered-encephalopathy"}
    critical = any(
        rule in baclofen and finding.indicator is Indicator.CRITICAL
        for rule, finding in ordered.items()
    )
    facts = case.facts()
    if critical or renal_function(facts).severe or facts.ever("hepatic_encephalopathy"):
        assert all("An option for the clinician to weigh" not in advice for advice in text.values())
        assert "evidence is from cirrhosis" not in text.get("first-line-measures", "")
    if facts.hazards("iron_overload", "dialysis"):
        assert "whether to give iron" not in text.get("low-ferritin", "")
    if facts.hazards("pregnancy") or renal_function(facts).severe:
        assert all("484" not in advice for advice in text.values())
    if "dvt-mimic" in cards:
        assert all("massage and ice" not in advice for advice in text.values())
    if "high-potassium" in fires:
        assert "potassium_chloride" not in drafts(cards)


ABSENT = {
    Kind.CONDITIONS: re.compile(
        r"(is|are|was) not documented|^neither .*(documented|suspected)|^no criterion|^no deep vein"
        r"|no cirrhosis|documented nor|no contraindication is on record",
        re.I,
    ),
    Kind.MEDICATIONS: re.compile(
        # What is ordered is known from the drafts, whatever the list says.
        r"^no (active|analgesic|medicine|baclofen|magnesium)\b(?! is ordered)"
        r".*(active|list|cramps)$"
        r"|none is taken|without (a drug|a supplement)|no sedative|no diuretic is"
        r"|^neither a diuretic",
        re.I,
    ),
}


@many
@given(
    case=patients(),
    kind=st.sampled_from(sorted(ABSENT)),
    state=st.sampled_from([State.ABSENT, State.UNAVAILABLE, State.PARTIAL, None]),
)
def test_nothing_is_called_absent_unless_its_list_was_read_completely(
    case: Given, kind: Kind, state: State | None
) -> None:
    if state is None:
        case.nameless(kind)
    else:
        case.lacking(kind, state=state)
    for service in Service:
        for outcome in case.outcomes(service):
            answer = outcome.answer
            texts: tuple[str, ...] = ()
            if isinstance(answer, NotFired):
                texts = (answer.because,)
            elif isinstance(answer, Finding):
                lines = (*answer.advice, *(text for _, text in answer.sections))
                texts = (answer.summary, *(line for text in lines for line in text.split("\n")))
            for line in texts:
                assert not ABSENT[kind].search(line), (outcome.rule.id, line)


@many
@given(case=patients(ages=(2, 12, 17)))
def test_a_child_is_offered_no_drug_and_only_the_settled_hazards_fire(case: Given) -> None:
    for service in Service:
        cards = shown(case, service)
        assert drafts(cards) == set()
        assert set(cards) <= {rule.id for rule in (*PATIENT_VIEW, *ORDER_SELECT) if rule.minors}
        for finding in cards.values():
            assert "484" not in "\n".join(finding.advice)


@pytest.mark.parametrize(
    "hazard", ["diuretic_potassium_sparing", "raas_inhibitor", "nsaid", "potassium"]
)
@pytest.mark.parametrize("draft", [False, True])
def test_potassium_is_not_drafted_with_drugs_that_raise_it(hazard: str, draft: bool) -> None:
    case = low_everything()
    case = case.ordering(hazard, selected=False) if draft else case.takes(hazard)
    assert "potassium_chloride" not in drafts(shown(case, CHART))


@pytest.mark.parametrize("value", ["5.0 mmol/L", "5.5 mmol/L", "6.0 mmol/L"])
def test_potassium_is_not_drafted_with_a_high_one_of_the_same_day(value: str) -> None:
    case = low_everything().result("potassium", value, day_only=True)
    assert "potassium_chloride" not in drafts(shown(case, CHART))


@pytest.mark.parametrize(
    "concept", ["pregnancy", "aki", "dialysis", "ckd_stage_4_5", "ckd_stage_3"]
)
@pytest.mark.parametrize("presence", [Presence.ACTIVE, Presence.ASSUMED, Presence.SUSPECTED])
def test_magnesium_is_not_drafted_with_a_contraindication(concept: str, presence: Presence) -> None:
    case = low_everything().has(concept, presence=presence)
    assert "magnesium_oxide" not in drafts(shown(case, CHART))
