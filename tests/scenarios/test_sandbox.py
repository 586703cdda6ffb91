"""What the CDS Hooks sandbox sends, from discovery to the dismissal of a card.

Recorded from the sandbox at 3b7e255: its headers, its order of calls, its feedback. The
requests themselves are the scenarios `sandbox-*`.
"""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.report import report
from hooks import TOPIC
from tests.scenarios.conftest import Service
from tests.scenarios.golden import FOLDERS, Scenario, rules, scenario
from tests.scenarios.running import Running

ORIGIN = "https://sandbox.cds-hooks.org"
STEPS = {
    folder.name.removeprefix("sandbox-")[2:]: scenario(folder)
    for folder in FOLDERS
    if folder.name.startswith("sandbox-")
}
SERVICES = ("leg-cramps-patient-view", "leg-cramps-order-select")


@pytest.fixture
def running(service: Service) -> Running:
    return service(STEPS["patient-view"].as_of)


@pytest.fixture
def client(running: Running) -> FlaskClient:
    return running.client


def send(client: FlaskClient, step: Scenario) -> TestResponse:
    """A call as the page makes it. An open service ignores its token, whose key is public."""
    headers = {"Origin": ORIGIN, "Accept": "application/json", "Authorization": "Bearer a.b.c"}
    return client.post(step.path, json=step.request, headers=headers)


def cards(response: TestResponse) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["Access-Control-Allow-Origin"] in (ORIGIN, "*")
    found: list[dict[str, Any]] = response.get_json()["cards"]
    return found


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/cds-services",
        *(f"/cds-services/{each}" for each in SERVICES),
        *(f"/cds-services/{each}/feedback" for each in SERVICES),
    ],
)
def test_the_browser_may_call_every_address(client: FlaskClient, path: str, method: str) -> None:
    answer = client.options(
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] in (ORIGIN, "*")
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert {"authorization", "content-type"} <= {each.strip() for each in allowed.split(",")}
    methods = {each.strip() for each in answer.headers["Access-Control-Allow-Methods"].split(",")}
    assert {"GET", "POST", "OPTIONS"} <= methods


def test_a_page_from_another_origin_may_not_call(client: FlaskClient) -> None:
    answer = client.get("/cds-services", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers.get("Access-Control-Allow-Origin") != "https://elsewhere.example"


def test_discovery_lists_services_of_different_ids(client: FlaskClient) -> None:
    answer = client.get("/cds-services", headers={"Origin": ORIGIN, "Accept": "application/json"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] in (ORIGIN, "*")
    listed = answer.get_json()["services"]
    hooks = {service["id"]: service["hook"] for service in listed}
    assert hooks == {service.id: service.hook.name for service in TOPIC.services}
    for hook in ("patient-view", "order-select", "order-sign"):
        assert hooks[f"leg-cramps-{hook}"] == hook
    for service in listed:
        for template in service["prefetch"].values():
            names = [pair.split("=")[0] for pair in template.partition("?")[2].split("&")]
            # The page merges the values of a repeated parameter into one, so none may repeat.
            assert len(names) == len(set(names))


def test_the_card_follows_what_is_being_typed(client: FlaskClient) -> None:
    steps = [
        ("nothing-chosen", []),
        ("quinine-chosen", ["quinine-ordered"]),
        ("dose-changed", ["quinine-ordered"]),
        ("reason-added", ["quinine-ordered"]),
        ("reason-malaria", []),
        ("quinine-chosen", ["quinine-ordered"]),
        ("quinine-removed", []),
        ("imaging-view", []),
    ]
    assert [(name, rules(cards(send(client, STEPS[name])))) for name, _ in steps] == steps


def test_every_card_can_be_dismissed_and_its_suggestions_can_be_taken(client: FlaskClient) -> None:
    for step in ("patient-view", "quinine-chosen"):
        for card in cards(send(client, STEPS[step])):
            assert card["uuid"]
            assert all(reason["display"] for reason in card["overrideReasons"])
            for suggestion in card.get("suggestions", ()):
                assert suggestion["uuid"]
                assert all(action["description"] for action in suggestion["actions"])


def test_the_offered_removal_deletes_the_draft_order(client: FlaskClient) -> None:
    (card,) = cards(send(client, STEPS["quinine-chosen"]))
    (action,) = card["suggestions"][0]["actions"]
    assert action["type"] == "delete"
    assert action["resourceId"] == "MedicationRequest/request-123"
    assert "resource" not in action


def test_errors_can_be_read_by_the_page(client: FlaskClient) -> None:
    wrong = STEPS["patient-view"].request | {"hook": "order-sign"}
    answer = client.post(STEPS["patient-view"].path, json=wrong, headers={"Origin": ORIGIN})
    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] in (ORIGIN, "*")
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def kept(running: Running) -> dict[str, Any]:
    """What the report says about the quinine order card."""
    known = [
        RuleVersion(rule.id, rule.version)
        for each in running.parts.answering.keys
        for rule in running.parts.answering.rules(each)
    ]
    found = report(running.parts.records.database, known).as_json()
    row: dict[str, Any] = next(each for each in found["rules"] if each["rule"] == "quinine-ordered")
    return row


def test_feedback_on_accepted_and_dismissed_cards_is_stored(running: Running) -> None:
    client, step = running.client, STEPS["quinine-chosen"]
    before = kept(running)
    (card,) = cards(send(client, step))
    taken = {
        "card": card["uuid"],
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}],
        "outcomeTimestamp": "2026-11-23T12:00:39.274Z",
    }
    # The page sends a reason without a display, and no comment.
    reason = card["overrideReasons"][0]
    dismissed = {
        "card": cards(send(client, step))[0]["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-23T12:01:02.001Z",
        "overrideReason": {"reason": {"code": reason["code"], "system": reason["system"]}},
    }
    for answer in (taken, dismissed):
        response = client.post(
            f"{step.path}/feedback", json={"feedback": [answer]}, headers={"Origin": ORIGIN}
        )
        assert response.status_code == 200, response.text
        assert response.headers["Access-Control-Allow-Origin"] in (ORIGIN, "*")
    after = kept(running)
    assert after["accepted"] == before["accepted"] + 1
    assert after["overridden"] == before["overridden"] + 1
    assert reason["code"] in " ".join(after["reasons"])
