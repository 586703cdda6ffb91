"""Order of cards, the cap, and no order offered twice."""

import pytest
from msgspec.structs import replace

from cds_service.engine.arranging import ArrangedFindings, Priorities, arrange, fired
from cds_service.engine.rule import (
    DraftMedication,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Outcome,
    RemoveDraft,
    Rule,
    Suggestion,
)
from hooks.knowledge.files import orderables
from hooks.patient_view import RULES
from hooks.priorities import PRIORITIES
from tests.testing.given import Given, Service, given, hook_of

BY_ID = {rule.id: rule for rule in RULES}
INFO, WARNING, CRITICAL = Indicator.INFO, Indicator.WARNING, Indicator.CRITICAL


def found(rule: str, indicator: Indicator, *suggestions: Suggestion) -> tuple[Rule, Finding]:
    return BY_ID[rule], Finding(indicator, rule, ("Advice.",), suggestions=suggestions)


def arranged(
    *findings: tuple[Rule, Finding],
    case: Given | None = None,
    service: Service = Service.PATIENT_VIEW,
) -> ArrangedFindings:
    outcomes = [Outcome(rule, finding) for rule, finding in findings]
    facts = (case or given()).facts()
    return arrange(hook_of(service), fired(outcomes), facts, orderables())


def shown(answer: ArrangedFindings) -> list[str]:
    return [card.rule.id for card in answer.shown]


def test_the_most_severe_cards_come_first_and_equally_severe_ones_in_catalogue_order() -> None:
    answer = arranged(
        found("low-magnesium", INFO),
        found("low-potassium", WARNING),
        found("quinine-active", CRITICAL),
        found("magnesium-in-renal-impairment", CRITICAL),
    )
    assert shown(answer) == [
        "quinine-active",
        "magnesium-in-renal-impairment",
        "low-potassium",
        "low-magnesium",
    ]


def test_rules_that_did_not_fire_are_not_shown() -> None:
    assert fired([Outcome(BY_ID["anemia"], NotFired("fine"))]) == []


INFOS = (
    "low-ferritin",
    "anemia",
    "ferritin-not-checked",
    "neuropathy-mimic",
    "first-line-measures",
)


@pytest.mark.parametrize("cap", [0, 1, 3, 5, 9])
def test_info_cards_are_capped_in_catalogue_order(cap: int) -> None:
    answer = arranged(
        *(found(rule_id, INFO) for rule_id in INFOS), case=given().at(max_info_cards=cap)
    )
    assert shown(answer) == list(INFOS[:cap])
    assert list(answer.dropped) == list(INFOS[cap:])
    assert set(answer.dropped.values()) <= {f"over the cap of {cap} info cards"}


def test_warnings_criticals_and_unusable_data_are_neither_dropped_nor_counted() -> None:
    answer = arranged(
        found("low-magnesium", CRITICAL),
        found("low-potassium", WARNING),
        *(found(rule_id, INFO) for rule_id in INFOS),
        found("data-not-usable", INFO),
    )
    assert shown(answer) == ["low-magnesium", "low-potassium", *INFOS[:3], "data-not-usable"]
    none = arranged(
        *(found(rule_id, INFO) for rule_id in INFOS),
        found("data-not-usable", INFO),
        case=given().at(max_info_cards=0),
    )
    assert shown(none) == ["data-not-usable"]


def test_order_select_has_no_cap() -> None:
    answer = arranged(*(found(rule_id, INFO) for rule_id in INFOS), service=Service.ORDER_SELECT)
    assert shown(answer) == list(INFOS)


MAGNESIUM, POTASSIUM = OrderTest("magnesium", "one"), OrderTest("potassium")


def offered(answer: ArrangedFindings) -> dict[str, list[str]]:
    return {
        card.rule.id: [getattr(s, "key", "") or s.reference for s in card.finding.suggestions]  # type: ignore[union-attr]
        for card in answer.shown
    }


def test_an_order_is_offered_once_by_the_first_card_shown() -> None:
    answer = arranged(
        found("low-ferritin", INFO, MAGNESIUM, POTASSIUM),
        found("low-potassium", WARNING, replace(MAGNESIUM, why="another reason")),
    )
    assert offered(answer) == {"low-potassium": ["magnesium"], "low-ferritin": ["potassium"]}


def test_an_order_on_a_card_dropped_by_the_cap_is_still_offered() -> None:
    answer = arranged(
        found("low-ferritin", INFO),
        found("anemia", INFO, MAGNESIUM),
        found("data-not-usable", INFO, MAGNESIUM),
        case=given().at(max_info_cards=1),
    )
    assert offered(answer) == {"low-ferritin": [], "data-not-usable": ["magnesium"]}


@pytest.mark.parametrize(
    ("case", "kept"),
    [
        pytest.param(given().testing("magnesium", draft=True), False, id="drafted"),
        pytest.param(given().testing("magnesium", draft=False, days_ago=30), False, id="30 days"),
        pytest.param(given().testing("magnesium", draft=False, days_ago=31), True, id="31 days"),
        pytest.param(given().testing("potassium", draft=True), True, id="another test"),
        pytest.param(given(), True, id="nothing ordered"),
    ],
)
def test_an_order_already_placed_is_reported_and_not_offered(case: Given, kept: bool) -> None:
    answer = arranged(found("low-magnesium", WARNING, MAGNESIUM), case=case)
    assert bool(answer.shown[0].finding.suggestions) is kept
    assert answer.shown[0].ordered == (() if kept else ("Magnesium, serum",))


@pytest.mark.parametrize(
    ("parts", "ordered", "kept"),
    [
        (("hemoglobin", "platelets"), ("hemoglobin",), True),
        (("hemoglobin", "platelets"), ("platelets",), True),
        (("hemoglobin", "platelets"), ("hemoglobin", "platelets"), False),
        (("hemoglobin",), ("hemoglobin",), False),
        (("platelets",), ("hemoglobin",), True),
        ((), ("hemoglobin",), False),
        ((), (), True),
    ],
)
def test_a_panel_counts_as_ordered_when_all_wanted_parts_are_ordered(
    parts: tuple[str, ...], ordered: tuple[str, ...], kept: bool
) -> None:
    case = given()
    for analyte in ordered:
        case.testing(analyte)
    answer = arranged(found("quinine-active", CRITICAL, OrderTest("cbc", "", parts)), case=case)
    assert bool(answer.shown[0].finding.suggestions) is kept


@pytest.mark.parametrize(
    ("case", "kept"),
    [
        pytest.param(given().takes("magnesium"), False, id="taken"),
        pytest.param(given().ordering("magnesium", selected=False), False, id="drafted"),
        pytest.param(given().testing("magnesium"), True, id="the test is not a medicine"),
        pytest.param(given().takes("potassium"), True, id="another medicine"),
    ],
)
def test_a_medicine_that_is_taken_or_drafted_is_not_offered(case: Given, kept: bool) -> None:
    draft = DraftMedication("magnesium_oxide")
    answer = arranged(found("low-magnesium", WARNING, draft), case=case)
    assert bool(answer.shown[0].finding.suggestions) is kept


def test_the_removal_of_a_draft_is_offered_once() -> None:
    removal = RemoveDraft("MedicationRequest/1", "Quinine")
    answer = arranged(
        found("low-magnesium", WARNING, removal), found("low-potassium", WARNING, removal)
    )
    assert offered(answer) == {"low-magnesium": ["MedicationRequest/1"], "low-potassium": []}


# --- priorities ------------------------------------------------------------------------------


def ranked(*findings: tuple[Rule, Finding], cap: int = 3) -> ArrangedFindings:
    outcomes = [Outcome(rule, finding) for rule, finding in findings]
    return arrange(
        hook_of(Service.PATIENT_VIEW),
        fired(outcomes, PRIORITIES),
        given().at(max_info_cards=cap).facts(),
        orderables(),
        PRIORITIES,
    )


def test_the_cap_keeps_hazards_before_findings_before_workup_before_advice() -> None:
    findings = [
        found(rule_id, INFO)
        for rule_id in (
            "low-ferritin",
            "electrolytes-not-checked",
            "restless-legs-mimic",
            "magnesium-not-indicated",
            "neuropathy-mimic",
            "analgesic-use",
            "first-line-measures",
        )
    ]
    assert shown(ranked(*findings, cap=9)) == [
        "analgesic-use",
        "low-ferritin",
        "neuropathy-mimic",
        "electrolytes-not-checked",
        "restless-legs-mimic",
        "magnesium-not-indicated",
        "first-line-measures",
    ]
    assert shown(ranked(*findings, cap=1)) == ["analgesic-use"]


@pytest.mark.parametrize(
    "advice",
    [
        "first-line-measures",
        "diabetes-not-screened",
        "ferritin-not-checked",
        "restless-legs-mimic",
        "magnesium-not-indicated",
    ],
)
def test_no_advice_is_shown_with_a_critical_card(advice: str) -> None:
    arranged_cards = ranked(found("anemia", CRITICAL), found(advice, INFO))
    assert shown(arranged_cards) == ["anemia"]
    assert arranged_cards.dropped == {advice: "advice is not shown beside a critical card"}
    assert shown(ranked(found("anemia", WARNING), found(advice, INFO))) == ["anemia", advice]


def test_the_electrolyte_check_is_dropped_only_for_critical_electrolytes_or_quinine() -> None:
    check = found("electrolytes-not-checked", INFO, OrderTest("potassium"), OrderTest("magnesium"))
    assert shown(ranked(found("quinine-active", CRITICAL), check)) == ["quinine-active"]
    assert shown(ranked(found("anemia", CRITICAL), check)) == ["anemia", "electrolytes-not-checked"]
    count = found("electrolytes-not-checked", INFO, OrderTest("potassium"), OrderTest("cbc"))
    assert shown(ranked(found("quinine-active", CRITICAL), count)) == [
        "quinine-active",
        "electrolytes-not-checked",
    ]


# --- one card for one draft ------------------------------------------------------------------


def judged(
    rule: str, indicator: Indicator, *about: str, offers: tuple[Suggestion, ...] = ()
) -> tuple[Rule, Finding]:
    finding = Finding(
        indicator, f"{rule} speaks", (f"Advice of {rule}.",), suggestions=offers, about=about
    )
    return BY_ID[rule], finding


def test_of_two_cards_on_one_draft_the_more_severe_is_shown_and_includes_the_other() -> None:
    removal = RemoveDraft("MedicationRequest/1", "Baclofen")
    answer = arranged(
        judged("low-magnesium", WARNING, "MedicationRequest/1", offers=(MAGNESIUM,)),
        judged("low-potassium", CRITICAL, "MedicationRequest/1", offers=(removal,)),
    )
    (card,) = answer.shown
    assert card.rule.id == "low-potassium"
    assert card.finding.indicator is CRITICAL
    assert card.finding.advice == ("Advice of low-potassium.",)
    title = BY_ID["low-magnesium"].title
    assert card.finding.sections == ((title, "low-magnesium speaks.\n\nAdvice of low-magnesium."),)
    assert card.finding.suggestions == (removal, MAGNESIUM)
    assert "low-potassium" in answer.dropped["low-magnesium"]


def test_two_drafts_get_two_cards() -> None:
    answer = arranged(
        judged("low-magnesium", WARNING, "MedicationRequest/1"),
        judged("low-potassium", CRITICAL, "MedicationRequest/2"),
        judged("anemia", INFO),
    )
    assert shown(answer) == ["low-potassium", "low-magnesium", "anemia"]
    assert answer.dropped == {}


def test_of_two_equally_severe_cards_the_one_with_more_evidence_is_shown() -> None:
    rule, unknown = judged("low-magnesium", WARNING, "MedicationRequest/1")
    answer = arranged(
        (rule, replace(unknown, missing=("renal function in the last 12 months",))),
        judged("low-potassium", WARNING, "MedicationRequest/1"),
    )
    assert shown(answer) == ["low-potassium"]
    assert "low-potassium" in answer.dropped["low-magnesium"]


@pytest.mark.parametrize(
    ("withheld", "still_shown"),
    [
        pytest.param("low-potassium", ["low-magnesium"], id="the one that would have led"),
        pytest.param("low-magnesium", ["low-potassium"], id="the one that would have been added"),
        pytest.param("anemia", ["low-potassium"], id="one about something else"),
    ],
)
def test_a_card_that_is_withheld_takes_no_other_one_with_it(
    withheld: str, still_shown: list[str]
) -> None:
    findings = [
        judged("low-potassium", CRITICAL, "MedicationRequest/1"),
        judged("low-magnesium", WARNING, "MedicationRequest/1"),
        judged("anemia", INFO),
    ]
    priorities = Priorities({}, lambda _: {withheld: "not now"})
    hook = hook_of(Service.ORDER_SELECT)
    answer = arrange(hook, findings, given().facts(), orderables(), priorities)
    assert shown(answer) == [*still_shown, *(["anemia"] if withheld != "anemia" else [])]
    assert answer.dropped[withheld] == "not now"
    assert not any(withheld in why for rule, why in answer.dropped.items() if rule != withheld)
