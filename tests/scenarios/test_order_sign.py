"""order-sign: every draft is judged, only hazards fire, and nothing signed is removed.

Source: clinical content, "Service leg-cramps-order-sign"; CDS Hooks library, order-sign.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.answer.checking import flaws
from tests.scenarios.conftest import Service
from tests.scenarios.golden import FOLDERS, rules, scenario
from tests.scenarios.running import Running
from tests.testing import fhir
from tests.testing.fhir import Json, searchset

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SIGN = "/cds-services/leg-cramps-order-sign"
ASSOCIATED = "davinci-crd.associated-resource"
HAZARDS = {
    "quinine-ordered",
    "magnesium-ordered-renal-impairment",
    "potassium-ordered-hazard",
    "baclofen-ordered-renal-impairment",
    "baclofen-ordered-encephalopathy",
    "albumin-ordered-without-cirrhosis",
    "data-not-usable",
}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
KCL = "Potassium Chloride 20 MEQ Extended Release Oral Tablet"
SPIRONOLACTONE = "Spironolactone 25 MG Oral Tablet"
BACLOFEN = "Baclofen 10 MG Oral Tablet"
QUININE = "Quinine Sulfate 324 MG Oral Capsule"


@pytest.fixture
def running(service: Service) -> Running:
    return service(NOW)


def medication(name: str, number: int = 1, status: str = "draft", **fields: Any) -> Json:
    made = {"id": f"order-{number}", "status": status, "authoredOn": "2026-11-23"}
    return fhir.prescription(name, **made | fields)


def result(code: str, value: float, unit: str) -> Json:
    return fhir.lab(code, value, unit, "2026-11-20", id=f"result-{code}")


HEALTHY = (
    result("2823-3", 4.2, "mmol/L"),
    result("19123-9", 0.85, "mmol/L"),
    result("98979-8", 90, "mL/min/{1.73_m2}"),
)


def signing(
    *drafts: Json,
    results: tuple[Json, ...] = HEALTHY,
    conditions: tuple[Json, ...] = (),
    taken: tuple[Json, ...] = (),
    **context: Any,
) -> Json:
    prefetch = {
        "patient": fhir.patient(born="1980-01-01"),
        "results": searchset(*results),
        "conditions": searchset(*conditions),
        "medicationRequests": searchset(*taken),
        **dict.fromkeys(("medicationStatements", "allergies", "orders")),
    }
    ordered = {"userId": "PractitionerRole/7", "draftOrders": fhir.collection(*drafts)}
    return fhir.call("order-sign", prefetch, context=ordered | context)


def cards(running: Running, request: Json, path: str = SIGN) -> list[Json]:
    response = running.client.post(path, json=request)
    assert response.status_code == 200, response.text
    body = response.get_json()
    assert flaws(body) == []
    found: list[Json] = body["cards"]
    return found


def removed(card: Json) -> list[str]:
    return [
        action["resourceId"]
        for suggestion in card.get("suggestions", ())
        for action in suggestion["actions"]
        if action["type"] == "delete"
    ]


SELECTED = [folder for folder in FOLDERS if scenario(folder).request["hook"] == "order-select"]


@pytest.mark.parametrize("folder", SELECTED, ids=lambda folder: folder.name)
def test_only_hazards_fire_with_the_same_wording(folder: Any, service: Service) -> None:
    example = scenario(folder)
    if "status" in example.expected:
        return
    running = service(example.as_of, **example.settings)
    asked = deepcopy(example.request)
    drafts = asked["context"]["draftOrders"].get("entry", [])
    asked["context"]["selections"] = [
        f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}"
        for entry in drafts
        if isinstance(entry.get("resource"), dict)
    ]
    selected = cards(running, asked, example.path)
    asked["hook"] = "order-sign"
    del asked["context"]["selections"]
    signed = cards(running, asked)
    assert {card["source"]["topic"]["code"] for card in signed} <= HAZARDS
    dangerous = {
        card["source"]["topic"]["code"]: (card["indicator"], card["summary"])
        for card in selected
        if card["source"]["topic"]["code"] in HAZARDS - {"data-not-usable"}
        and card["indicator"] != "info"
    }
    shown = {
        card["source"]["topic"]["code"]: (card["indicator"], card["summary"]) for card in signed
    }
    assert dangerous.items() <= shown.items()
    assert all(
        card["indicator"] != "info" or card["source"]["topic"]["code"] == "data-not-usable"
        for card in signed
    )


def test_every_draft_is_judged_and_the_card_names_its_order(running: Running) -> None:
    (card,) = cards(running, signing(medication("Ibuprofen 400 mg"), medication(QUININE, 2)))
    assert rules([card]) == ["quinine-ordered"]
    assert card["extension"] == {ASSOCIATED: ["MedicationRequest/order-2"]}
    assert removed(card) == ["MedicationRequest/order-2"]


@pytest.mark.parametrize("status", ["active", "on-hold", "unknown"])
def test_an_order_that_is_signed_again_is_judged_and_not_removed(
    running: Running, status: str
) -> None:
    (card,) = cards(running, signing(medication(QUININE, status=status)))
    assert (rules([card]), card["indicator"]) == (["quinine-ordered"], "critical")
    assert removed(card) == []
    assert card["extension"] == {ASSOCIATED: ["MedicationRequest/order-1"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "stopped"},
        {"status": "cancelled"},
        {"status": "completed"},
        {"status": "entered-in-error"},
        {"doNotPerform": True},
    ],
)
def test_signing_a_stop_or_a_prohibition_is_not_an_order(running: Running, fields: Json) -> None:
    assert cards(running, signing(medication(QUININE, **fields))) == []


def test_an_order_signed_again_is_not_its_own_duplicate(running: Running) -> None:
    resigned = medication(KCL, status="active")
    assert cards(running, signing(resigned, taken=(resigned,))) == []


def test_two_drafts_are_judged_as_a_pair(running: Running) -> None:
    assert cards(running, signing(medication(KCL))) == []
    (card,) = cards(running, signing(medication(KCL), medication(SPIRONOLACTONE, 2)))
    assert (rules([card]), card["indicator"]) == (["potassium-ordered-hazard"], "critical")
    assert "MedicationRequest/order-1" in card["extension"][ASSOCIATED]
    (card,) = cards(running, signing(medication(KCL), medication(KCL, 2)))
    assert (rules([card]), card["indicator"]) == (["potassium-ordered-hazard"], "warning")
    assert set(card["extension"][ASSOCIATED]) == {
        "MedicationRequest/order-1",
        "MedicationRequest/order-2",
    }


def test_baclofen_signed_again_is_never_stopped_abruptly(running: Running) -> None:
    dialysis = fhir.condition("Dependence on haemodialysis")
    (card,) = cards(running, signing(medication(BACLOFEN, status="active"), conditions=(dialysis,)))
    assert (rules([card]), card["indicator"]) == (["baclofen-ordered-renal-impairment"], "critical")
    assert "abruptly" in card["detail"]
    assert removed(card) == []


def test_unusable_data_are_reported_although_it_is_an_info_card(running: Running) -> None:
    undated = {**result("2823-3", 4.2, "mmol/L"), "effectiveDateTime": None}
    found = cards(running, signing(medication(KCL), results=(undated, *HEALTHY[1:])))
    assert "data-not-usable" in rules(found)


def test_no_cards_without_drafts_or_for_drafts_that_no_rule_judges(running: Running) -> None:
    assert cards(running, signing(medication("Amoxicillin 500 mg"))) == []
    assert cards(running, signing()) == []


def test_quinine_is_judged_without_any_data(running: Running) -> None:
    request = signing(medication(QUININE))
    del request["prefetch"]
    found = cards(running, request)
    assert rules(found)[0] == "quinine-ordered"
    assert "data-not-usable" in rules(found)


@pytest.mark.parametrize("missing", ["userId", "patientId", "draftOrders"])
def test_a_context_that_lacks_something_is_refused(running: Running, missing: str) -> None:
    request = signing(medication(QUININE))
    del request["context"][missing]
    response = running.client.post(SIGN, json=request)
    assert response.status_code == 400
    assert missing in response.text


def test_selections_are_ignored(running: Running) -> None:
    request = signing(medication(QUININE), selections=[])
    assert rules(cards(running, request)) == ["quinine-ordered"]


def test_a_draft_of_another_patient_is_reported_and_not_judged(running: Running) -> None:
    other = medication(QUININE, subject={"reference": "Patient/p2"})
    assert rules(cards(running, signing(other))) == ["data-not-usable"]
