"""Calls in Epic's shape, as an EHR of that vendor is documented to send them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from cds_service.app import build, make_parts
from cds_service.core.facts import Kind, State
from cds_service.settings import Settings
from cds_service.sources.fetch.client import Access
from cds_service.sources.obtaining import Obtaining
from cds_service.storage.tables import feedback
from tests.conformance.signing_client import Client

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ITEMS = "urn:com.epic.cdshooks.action.code.system.preference-list-item"
Json = dict[str, Any]


def fixture(name: str) -> Json:
    content: Json = json.loads((ROOT / "fixtures" / "epic" / f"{name}.json").read_text("utf-8"))
    return content


@pytest.fixture
def ehr(tmp_path: Path) -> Client:
    return Client(tmp_path, site="hospital", fhir_servers=["https://ehr.example/api/FHIR/R4"])


@pytest.fixture
def client(tmp_path: Path, ehr: Client) -> Iterator[FlaskClient]:
    codes = {"magnesium": [{"system": ITEMS, "code": "1000001", "display": "MAGNESIUM"}]}
    (tmp_path / "codes.json").write_text(json.dumps(codes))
    (tmp_path / "sites.toml").write_text(
        '[site.hospital]\nprofile = "epic"\norder_codes = "codes.json"\n'
    )
    parts = make_parts(
        Settings(
            database_url=f"sqlite:///{tmp_path}/records.db",
            sites=str(tmp_path / "sites.toml"),
            log_level="error",
            **ehr.settings,
        )
    )
    obtaining = Obtaining(_no_server_is_allowed, _no_fetch, 3.0, False)
    parts = replace(parts, now=lambda: NOW, obtaining=obtaining)
    parts.records.start()
    yield build(parts).test_client()
    parts.records.close()


def _no_server_is_allowed(url: str, listed: object) -> str | None:
    return None


def _no_fetch(access: Access, *_: object) -> Any:
    raise AssertionError("everything was prefetched")


def post(client: FlaskClient, ehr: Client, service: str, body: Json) -> list[Json]:
    path = f"/cds-services/leg-cramps-{service}"
    response = client.post(path, json=body, headers=ehr.signed(path))
    assert response.status_code == 200, response.text
    cards: list[Json] = response.get_json().get("cards", [])
    return cards


def by_topic(cards: list[Json]) -> dict[str, Json]:
    return {card["source"]["topic"]["code"]: card for card in cards}


def test_cards_meet_the_limits_of_epic(client: FlaskClient, ehr: Client) -> None:
    cards = [
        *post(client, ehr, "patient-view", fixture("patient-view")),
        *post(client, ehr, "order-select", fixture("order-select")),
        *post(client, ehr, "order-sign", fixture("order-sign")),
    ]
    assert {"lowmagnesium", "quinineordered"} <= by_topic(cards).keys()
    suggestions = [suggestion for card in cards for suggestion in card.get("suggestions", ())]
    assert suggestions
    for card in cards:
        code = card["source"]["topic"]["code"]
        assert code.isalnum()
        assert code.isascii()
        assert len(code) <= 100
        assert card.get("selectionBehavior", "any") == "any"
    for suggestion in suggestions:
        (action,) = suggestion["actions"]
        # The description is the whole text of the button; the label is not shown.
        assert action["description"].startswith(suggestion["label"])


def test_orders_list_the_sites_own_code_first(client: FlaskClient, ehr: Client) -> None:
    low_magnesium = by_topic(post(client, ehr, "patient-view", fixture("patient-view")))[
        "lowmagnesium"
    ]
    codings = [
        action["resource"]["code"]["coding"][0]
        for suggestion in low_magnesium["suggestions"]
        for action in suggestion["actions"]
        if action["resource"]["code"]["text"] == "Magnesium, serum"
    ]
    assert codings == [{"system": ITEMS, "code": "1000001", "display": "MAGNESIUM"}]


def test_an_empty_search_result_means_nothing_on_file(client: FlaskClient) -> None:
    from cds_service.api.asking import ask

    parts = client.application.extensions["cds_parts"]
    body = json.dumps(fixture("patient-view")).encode()
    answer = ask(parts, body, NOW)
    for kind in (Kind.CONDITIONS, Kind.MEDICATIONS, Kind.ALLERGIES, Kind.ORDERS):
        assert answer.facts.availability(kind).state is State.NONE, kind
    assert [problem.kind for problem in answer.problems] == []


def test_the_drug_of_the_bundle_is_judged_with_its_reason(client: FlaskClient, ehr: Client) -> None:
    for service in ("order-select", "order-sign"):
        card = by_topic(post(client, ehr, service, fixture(service)))["quinineordered"]
        assert card["extension"]["davinci-crd.associated-resource"] == ["MedicationRequest/eRX1"]


def test_feedback_in_batches_is_kept_with_reason_and_comment(
    client: FlaskClient, ehr: Client
) -> None:
    card = by_topic(post(client, ehr, "patient-view", fixture("patient-view")))["lowmagnesium"]
    body = json.dumps(fixture("feedback")).replace("CARD", card["uuid"])
    body = body.replace("SUGGESTION", card["suggestions"][0]["uuid"])
    post(client, ehr, "patient-view/feedback", json.loads(body))
    parts = client.application.extensions["cds_parts"]
    with parts.records.database.read() as connection:
        columns = feedback.c
        query = select(columns.rule, columns.outcome, columns.reason_code, columns.comment)
        stored = sorted(tuple(row) for row in connection.execute(query.order_by(columns.id)))
    assert stored == sorted(
        [
            ("low-magnesium", "overridden", "patient-refuses", "Discussed on the ward"),
            ("low-magnesium", "overridden", "7", None),
            ("low-magnesium", "accepted", None, None),
        ],
        key=str,
    )
