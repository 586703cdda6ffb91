"""What a clinician and an EHR get: one card, complete, without HTML."""

import re
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from cds_service.answer.cards import Cards, WrittenCards
from cds_service.answer.checking import flaws
from cds_service.answer.evidence import evidence_key
from cds_service.answer.writing import TOPIC_SYSTEM, CardWriter
from cds_service.core.call import Call
from cds_service.core.facts import Presence
from cds_service.engine.arranging import ShownFinding
from cds_service.engine.faults import RAISED, Faults
from cds_service.engine.hook import PATIENT_VIEW
from cds_service.engine.overrides import OVERRIDES
from cds_service.engine.rule import Finding, Indicator, Rule
from hooks.knowledge.files import orderables, references
from hooks.order_select import RULES as ORDERS
from hooks.patient_view import RULES as CHART
from tests.testing.given import NOW, Given, Service, given, hook_of

CALL = Call("any-service", "1", NOW)
WRITER = CardWriter(references(), orderables())
HOSTILE = '<img src=x onerror=alert(1)> [x](https://evil.example) `"&'
EGFR = "90 mL/min/{1.73_m2}"


def new_id(rule: str, version: str, patient: str, evidence: object) -> str:
    return f"{rule}-{version}-id"


def written(
    case: Given,
    service: Service = Service.PATIENT_VIEW,
    encounter: str | None = "7",
    user: str | None = "Practitioner/3",
) -> WrittenCards:
    call = replace(CALL, encounter_id=encounter, user=user)
    return Cards(WRITER, new_id).write(hook_of(service), case.outcomes(service), case.facts(), call)


def cards(case: Given, service: Service = Service.PATIENT_VIEW) -> dict[str, Any]:
    return {card.rule.id: card.body for card in written(case, service).cards}


def crowded() -> Given:
    """A patient for whom many rules fire, with hostile names everywhere."""
    return (
        given(age=72)
        .cramps(severe=True)
        .has("cirrhosis", name=HOSTILE)
        .has("ascites", name=HOSTILE)
        .has("rls", name=HOSTILE)
        .has("claudication", name=HOSTILE)
        .has("motor_neuron_disease", name=HOSTILE)
        .has("hepatic_encephalopathy", name=HOSTILE, presence=Presence.PAST)
        .takes("quinine", name=HOSTILE)
        .takes("diuretic_loop", name=HOSTILE)
        .takes("magnesium", name=HOSTILE)
        .takes("sedative", name=HOSTILE)
        .takes("nsaid", name=HOSTILE)
        .result("magnesium", "0.6 mmol/L")
        .result("potassium", "2.4 mmol/L")
        .result("ferritin", "30 ng/mL")
        .result("hemoglobin", "10 g/dL")
        .result("egfr", "25 mL/min/{1.73_m2}")
        .at(max_info_cards=20)
    )


def ordered() -> Given:
    case = crowded()
    for classes in ("quinine", "magnesium", "potassium", "baclofen", "nsaid", "diuretic_loop"):
        case.ordering(classes, name=HOSTILE)
    return case


BOTH = [(crowded(), Service.PATIENT_VIEW), (ordered(), Service.ORDER_SELECT)]
ALL = [
    pytest.param(card, id=f"{service.name.lower()} {name}")
    for case, service in BOTH
    for name, card in cards(case, service).items()
]


def test_many_rules_fire_in_these_cases() -> None:
    assert len(ALL) >= 15


@pytest.mark.parametrize("card", ALL)
def test_a_card_is_complete(card: dict[str, Any]) -> None:
    assert 0 < len(card["summary"]) < 140
    assert "\n" not in card["summary"]
    assert card["indicator"] in ("info", "warning", "critical")
    assert card["source"]["label"]
    assert card["source"]["url"].startswith("https://")
    topic = card["source"]["topic"]
    assert topic["system"] == TOPIC_SYSTEM
    assert topic["code"]
    assert topic["display"]
    assert re.fullmatch(rf"{topic['code']}-\d+\.\d+\.\d+-id", card["uuid"])
    for suggestion in card.get("suggestions", ()):
        assert suggestion["uuid"]
        assert suggestion["label"]
    assert ("suggestions" in card) == ("selectionBehavior" in card)


@pytest.mark.parametrize("card", ALL)
def test_the_detail_states_rule_version_strength_and_that_judgement_is_required(
    card: dict[str, Any],
) -> None:
    detail = card["detail"]
    topic = card["source"]["topic"]["code"]
    assert re.search(rf"\*\*Rule\*\*\n\n{topic} \d+\.\d+\.\d+\. ", detail)
    assert detail.count("clinician's judgement") == 1
    assert detail.count("**Strength of evidence**\n\n") == 1
    assert f"**Source**\n\n{card['source']['label']} (" in detail


@pytest.mark.parametrize("card", ALL)
def test_the_advice_comes_first_and_each_heading_appears_once(card: dict[str, Any]) -> None:
    headings = re.findall(r"^\*\*(.+?)\*\*$", card["detail"], re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert not card["detail"].startswith("**Based on")
    assert headings[-2:] == ["Source", "Rule"]


@pytest.mark.parametrize("card", ALL)
def test_sources_are_links_with_public_pages(card: dict[str, Any]) -> None:
    assert ".example" not in card["source"]["url"]
    assert card["source"]["url"].startswith("https://")
    for link in card["links"]:
        assert link["type"] == "absolute"
        assert link["label"]
        assert link["url"].startswith("https://")
        assert ".example" not in link["url"]
    assert len({link["url"] for link in card["links"]}) == len(card["links"])


@pytest.mark.parametrize("card", ALL)
def test_the_publisher_of_the_article_is_named_only_if_there_is_no_other_source(
    card: dict[str, Any],
) -> None:
    rule = next(rule for rule in (*CHART, *ORDERS) if rule.id == card["source"]["topic"]["code"])
    has_primary = any(references()[key].primary for key in rule.references)
    assert (card["source"]["url"] == references()["article"].url) != has_primary


@pytest.mark.parametrize("card", ALL)
def test_the_short_detail_names_no_resource_and_no_prefetch_key(card: dict[str, Any]) -> None:
    assert not re.search(r"\b(Observation|Condition|Medication\w*|Encounter)/", card["detail"])
    assert "prefetch." not in card["detail"]


def test_with_public_pages_each_card_links_to_the_page_of_its_rule() -> None:
    writer = CardWriter(references(), orderables(), "https://cds.hospital.org/rules")
    case = given().result("magnesium", "0.6 mmol/L")
    answer = Cards(writer, new_id).write(
        PATIENT_VIEW, case.outcomes(Service.PATIENT_VIEW), case.facts(), CALL
    )
    links = [card.body["links"][-1] for card in answer.cards]
    assert links
    for card, link in zip(answer.cards, links, strict=True):
        assert link == {
            "label": "About this rule",
            "url": f"https://cds.hospital.org/rules/{card.rule.id}",
            "type": "absolute",
        }


@pytest.mark.parametrize("card", ALL)
def test_there_is_no_html_and_no_link_anywhere_a_client_shows(card: dict[str, Any]) -> None:
    shown = [card["summary"], card["source"]["label"], card["source"]["topic"]["display"]]
    for suggestion in card.get("suggestions", ()):
        shown.append(suggestion["label"])
        shown.extend(action["description"] for action in suggestion["actions"])
    for text in shown:
        assert not re.search(r"<\s*[a-zA-Z/!]", text)
    assert not re.search(r"<\s*[a-zA-Z/!]", card["detail"])
    assert "https://evil" not in card["detail"]
    assert "[x](" not in card["detail"]


def test_hostile_names_are_shown_escaped_and_not_dropped() -> None:
    detail = cards(crowded())["quinine-active"]["detail"]
    assert "&lt;img src=x onerror=alert" in detail


@pytest.mark.parametrize("card", ALL)
def test_override_reasons_have_system_code_and_display(card: dict[str, Any]) -> None:
    assert card["overrideReasons"]
    codes = [reason["code"] for reason in card["overrideReasons"]]
    assert len(set(codes)) == len(codes)
    for reason in card["overrideReasons"]:
        assert reason["system"] == (
            "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
        )
        assert reason["display"] == OVERRIDES[reason["code"]]


def test_a_summary_that_is_too_long_is_cut_with_an_ellipsis() -> None:
    case = given().result("magnesium", "0.6 mmol/L")
    outcomes = [
        replace(outcome, answer=replace(outcome.answer, summary="word\n" * 100))
        if isinstance(outcome.answer, Finding)
        else outcome
        for outcome in case.outcomes(Service.PATIENT_VIEW)
    ]
    made = Cards(WRITER, new_id).write(PATIENT_VIEW, outcomes, case.facts(), CALL)
    summary = made.cards[0].body["summary"]
    assert len(summary) == 139
    assert summary.endswith("…")
    assert "\n" not in summary


def resources(answer: WrittenCards) -> list[dict[str, Any]]:
    return [
        action["resource"]
        for card in answer.cards
        for suggestion in card.body.get("suggestions", ())
        for action in suggestion["actions"]
        if action["type"] == "create"
    ]


def low() -> Given:
    return (
        given()
        .cramps(severe=True)
        .has("claudication")
        .result("magnesium", "0.6 mmol/L")
        .result("potassium", "2.9 mmol/L")
        .result("egfr", EGFR)
    )


@pytest.mark.parametrize("encounter", ["7", None])
@pytest.mark.parametrize("requester", ["Practitioner/3", "PractitionerRole/4", None])
def test_offered_resources_are_valid_and_reference_only_what_was_sent(
    encounter: str | None, requester: str | None
) -> None:
    offered = resources(written(low(), encounter=encounter, user=requester))
    kinds = {resource["resourceType"] for resource in offered}
    assert kinds == {"ServiceRequest", "MedicationRequest"}
    for resource in offered:
        module = import_module(f"fhir.resources.R4B.{resource['resourceType'].lower()}")
        getattr(module, resource["resourceType"]).model_validate(resource)
        assert resource["status"] == "draft"
        assert resource["intent"] == "proposal"
        assert resource["subject"] == {"reference": "Patient/1"}
        assert resource["authoredOn"] == "2026-11-23T12:00:00Z"
        expected = None if encounter is None else f"Encounter/{encounter}"
        assert resource.get("encounter", {}).get("reference") == expected
        assert resource.get("requester", {}).get("reference") == requester
        assert ("encounter" in resource) == (encounter is not None)
        assert ("requester" in resource) == (requester is not None)


def test_a_drafted_medicine_states_both_masses_and_leaves_the_dose_to_the_clinician() -> None:
    drafts = [
        resource
        for resource in resources(written(low()))
        if resource["resourceType"] == "MedicationRequest"
    ]
    texts = " ".join(draft["dosageInstruction"][0]["text"] for draft in drafts)
    assert "484-967 mg" in texts
    assert "292-583 mg" in texts
    assert all("doseAndRate" not in draft["dosageInstruction"][0] for draft in drafts)


def test_no_order_is_offered_twice_in_one_response() -> None:
    for case, service in BOTH:
        labels = [
            suggestion["label"]
            for card in cards(case, service).values()
            for suggestion in card.get("suggestions", ())
            if suggestion["label"].startswith("Order")
        ]
        assert len(labels) == len(set(labels))


def test_the_removal_of_a_draft_names_it_by_reference() -> None:
    case = given().ordering("quinine", name="Quinine sulfate 324 mg")
    card = cards(case, Service.ORDER_SELECT)["quinine-ordered"]
    action = card["suggestions"][0]["actions"][0]
    assert action["type"] == "delete"
    assert action["resourceId"] == case.draft_medications[0].source.reference
    assert "resource" not in action


def test_orders_already_placed_are_reported_on_the_card() -> None:
    card = cards(low().testing("magnesium"))["low-magnesium"]
    assert "Already ordered, so not offered again: Magnesium, serum" in card["detail"]


def test_each_value_has_date_unit_limit_and_origin() -> None:
    case = given().result("magnesium", "1.2 mg/dL").at(card_detail="full")
    detail = cards(case)["low-magnesium"]["detail"]
    assert "Magnesium 1.2 mg/dL (0.49 mmol/L), 2026-11-22" in detail
    assert "limit 0.70 mmol/L" in detail
    assert "Observation/magnesium-1, prefetch.results" in detail


def test_the_laboratorys_own_range_is_shown_when_it_was_applied() -> None:
    case = given().result("magnesium", "0.72 mmol/L", low="0.75", high="1.0")
    detail = cards(case)["low-magnesium"]["detail"]
    assert "laboratory's own range 0.75–1.0 mmol/L" in detail


def test_the_cap_and_its_reason_are_stated() -> None:
    answer = written(crowded().at(max_info_cards=1))
    infos = [card.rule.id for card in answer.cards if card.body["indicator"] == "info"]
    assert len([rule_id for rule_id in infos if rule_id != "data-not-usable"]) == 1
    assert "over the cap of 1 info cards" in set(answer.dropped.values())
    assert not set(answer.dropped) & {card.rule.id for card in answer.cards}


class Quiet:
    """Holds back one card."""

    def __init__(self, held: str) -> None:
        self.held = held

    def held_back(self, cards: Any, identity: Any, now: Any) -> dict[str, object]:
        return {card.rule: True for card in cards if card.rule == self.held}


def test_a_recently_answered_card_makes_room_for_others() -> None:
    case = crowded().at(max_info_cards=1)
    shown = [card.rule.id for card in written(case).cards if card.body["indicator"] == "info"]
    quiet = Cards(WRITER, new_id, Quiet(shown[0]))
    outcomes = case.outcomes(Service.PATIENT_VIEW)
    answer = quiet.write(PATIENT_VIEW, outcomes, case.facts(), CALL)
    now = [card.rule.id for card in answer.cards if card.body["indicator"] == "info"]
    assert shown[0] not in now
    assert len(now) == len(shown)
    assert answer.dropped[shown[0]].startswith("answered recently")


def test_the_evidence_key_of_a_card_changes_only_with_the_value() -> None:
    def key(value: str) -> list[str]:
        answer = given().result("magnesium", value).ask("low-magnesium")
        assert isinstance(answer, Finding)
        return evidence_key(answer)

    assert key("0.6 mmol/L") == key("0.6 mmol/L")
    assert key("0.6 mmol/L") != key("0.61 mmol/L")
    assert key("0.6 mmol/L") != key("0.4 mmol/L")


def test_a_card_without_evidence_is_identified_by_what_was_missing() -> None:
    finding = Finding(Indicator.INFO, "Could not check", (), missing=("magnesium",))
    assert evidence_key(finding) == ["info", "magnesium"]


def test_a_card_that_cannot_be_written_is_shown_without_its_details(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[tuple[str, str]] = []

    def failed(rule: Rule, error: Exception) -> None:
        reported.append((rule.id, type(error).__name__))

    def broken(self: CardWriter, shown: ShownFinding, *rest: object) -> dict[str, Any]:
        if shown.rule.id == "quinine-active" and shown.finding.evidence:
            raise LookupError("canary")
        return real(self, shown, *rest)  # type: ignore[arg-type]

    real = CardWriter.write
    monkeypatch.setattr(CardWriter, "write", broken)
    case = crowded()
    facts, outcomes = case.facts(), case.outcomes(Service.PATIENT_VIEW)

    shown = Cards(WRITER, new_id, faults=Faults(failed, RAISED.step)).write(
        PATIENT_VIEW, outcomes, facts, CALL
    )
    monkeypatch.setattr(CardWriter, "write", real)
    whole = {card.rule.id: card.body for card in written(case).cards}

    assert reported == [("quinine-active", "LookupError")]
    assert [card.rule.id for card in shown.cards] == list(whole)
    for card in shown.cards:
        if card.rule.id != "quinine-active":
            continue
        for name in ("uuid", "summary", "indicator", "source", "overrideReasons"):
            assert card.body[name] == whole["quinine-active"][name]
        assert "could not be written" in card.body["detail"]
        assert "canary" not in card.body["detail"]
        card.body["uuid"] = str(uuid4())
        assert flaws({"cards": [card.body]}) == []
    monkeypatch.setattr(CardWriter, "write", broken)
    with pytest.raises(LookupError):
        Cards(WRITER, new_id).write(PATIENT_VIEW, outcomes, facts, CALL)
