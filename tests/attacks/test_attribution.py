"""Feedback from one hospital never affects another's cards or counts, and never hides a hazard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.core.facts import Kind
from cds_service.engine.rule import Finding, Indicator, Need, Tier, rule
from cds_service.feedback.report import Report, report
from cds_service.settings import Settings
from tests.api.conftest import service
from tests.api.minimal_service import NOW, VIEW, body, feedback, post, topics
from tests.conformance.signing_client import Client
from tests.testing import fhir

__all__ = ["service"]
Make = Callable[..., FlaskClient]
FEEDBACK = f"{VIEW}/feedback"
SERVERS = ["https://north.example/fhir", "https://south.example/fhir"]


@pytest.fixture
def ehr(tmp_path: Path) -> Client:
    return Client(tmp_path, tenants=["north", "south"], fhir_servers=SERVERS)


def _call(client: FlaskClient, ehr: Client, tenant: str, server: str = SERVERS[0]) -> Any:
    call = body(fhirServer=server)
    return client.post(VIEW, json=call, headers=ehr.signed(VIEW, tenant=tenant))


def _answer(client: FlaskClient, ehr: Client, tenant: str, card: str) -> None:
    headers = ehr.signed(FEEDBACK, tenant=tenant)
    assert client.post(FEEDBACK, json=feedback(card), headers=headers).status_code == 200


def _report(client: FlaskClient) -> Report:
    return report(client.application.extensions["cds_parts"].records.database)


def test_feedback_of_one_tenant_silences_no_card_of_another(service: Make, ehr: Client) -> None:
    client = service(snooze=True, **ehr.settings)
    card = _call(client, ehr, "north").get_json()["cards"][0]["uuid"]
    _answer(client, ehr, "north", card)
    assert topics(_call(client, ehr, "north")) == []
    assert topics(_call(client, ehr, "south")) == ["low-potassium"]
    # The same id at another FHIR server is another patient; one base URL has two spellings.
    assert topics(_call(client, ehr, "north", SERVERS[1])) == ["low-potassium"]
    assert topics(_call(client, ehr, "north", f"{SERVERS[0]}/")) == []


def test_feedback_on_the_card_of_another_caller_silences_and_counts_nothing(
    service: Make, ehr: Client
) -> None:
    client = service(snooze=True, **ehr.settings)
    card = _call(client, ehr, "north").get_json()["cards"][0]["uuid"]
    _answer(client, ehr, "south", card)
    assert topics(_call(client, ehr, "north")) == ["low-potassium"]
    assert topics(_call(client, ehr, "south")) == ["low-potassium"]
    counts = _report(client)
    assert (counts.total, counts.unknown) == (1, 1)
    # It replaced nothing: the valid feedback of the same second is stored and counted.
    _answer(client, ehr, "north", card)
    counts = _report(client)
    assert (counts.total, counts.unknown) == (2, 1)
    assert [line.overridden for line in counts.rules if line.id == "low-potassium"] == [1]


def test_made_up_cards_are_counted_for_no_rule(service: Make, ehr: Client) -> None:
    client = service(snooze=True, **ehr.settings)
    card = _call(client, ehr, "north").get_json()["cards"][0]["uuid"]
    for digit in range(-6, 0):
        changed = format(int(card[digit], 16) ^ 1, "x")
        made_up = card[:digit] + changed + (card[digit + 1 :] if digit < -1 else "")
        _answer(client, ehr, "north", made_up)
    counts = _report(client)
    assert counts.unknown == counts.total == 6
    assert all(line.overridden == 0 for line in counts.rules)
    assert topics(_call(client, ehr, "north")) == ["low-potassium"]


def test_two_feedbacks_on_one_card_count_once(service: Make) -> None:
    client = service()
    card = post(client, VIEW, body()).get_json()["cards"][0]["uuid"]
    (first,) = feedback(card)["feedback"]
    accepted = first | {"outcome": "accepted", "acceptedSuggestions": [{"id": "x"}]}
    later = accepted | {"outcomeTimestamp": "2099-01-01T00:00:00Z"}
    assert post(client, FEEDBACK, {"feedback": [later, first]}).status_code == 200
    [line] = [row for row in _report(client).rules if row.id == "low-potassium"]
    assert (line.accepted, line.overridden) == (1, 0)


def _always_firing(name: str, indicator: Indicator, persistent: bool) -> Any:
    @rule(
        id=name,
        title=name,
        version="1.0.0",
        tier=Tier.ALWAYS,
        references=["article"],
        needs=[Need(Kind.ALLERGIES, required=False)],
        changed="2026-11-27",
        persistent=persistent,
    )
    def check(_facts: Any) -> Finding:
        """Always fires."""
        return Finding(indicator, name, advice=("Look.",))

    return check


def test_critical_and_not_checked_cards_are_shown_again_after_feedback(service: Make) -> None:
    rules = [
        _always_firing("critical-card", Indicator.CRITICAL, False),
        _always_firing("not-checked", Indicator.INFO, True),
        _always_firing("ordinary", Indicator.INFO, False),
    ]
    client = service(*rules, snooze=True)
    for card in post(client, VIEW, body()).get_json()["cards"]:
        post(client, FEEDBACK, feedback(card["uuid"]))
    assert topics(post(client, VIEW, body())) == ["critical-card", "not-checked"]


def test_unusable_data_are_reported_every_time(tmp_path: Path) -> None:
    parts = make_parts(Settings(database_url=f"sqlite:///{tmp_path}/a.db", snooze=True))
    parts.records.start()
    call = body(prefetch={"patient": fhir.resource("Patient", id="p1")})
    for _ in range(2):
        answer = ask(parts, json.dumps(call).encode(), NOW)
        uuids = {card.rule.id: card.body["uuid"] for card in answer.cards}
        assert "data-not-usable" in uuids
        parts.records.feedback.save("s", feedback(uuids["data-not-usable"]))
    assert report(parts.records.database).unknown == 0
    parts.records.close()
