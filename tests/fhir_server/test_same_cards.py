"""The same patient gets the same cards by full, partial and no prefetch.

What is not prefetched is fetched from a FHIR server by other authors. It answers an
empty Bundle to what it does not understand, so what was stored and requested is counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.answer.checking import flaws
from cds_service.sources.one_patient import request_of
from tests.fhir_server.medplum import FhirServer
from tests.scenarios.golden import FIXTURES
from tests.scenarios.running import Running, started
from tests.testing.given import Service, hook_of

pytestmark = pytest.mark.node

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PATIENTS = ("anaemia-on-quinine", "cirrhosis-on-diuretic", "elderly-polypharmacy")
DRAFTER = "potassium-being-ordered"
PARTS: dict[str, set[str] | None] = {
    "only the patient": {"patient"},
    "all but the results": {
        "patient",
        "conditions",
        "medicationRequests",
        "medicationStatements",
        "allergies",
        "orders",
    },
    "only results and conditions": {"results", "conditions"},
    "nothing": set(),
    "no prefetch at all": None,
}


def bundle(name: str) -> dict[str, Any]:
    """A patient of the fixtures; a server does not hold drafts."""
    path = FIXTURES / "patients" / f"{name}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture
def loaded(fhir_server: FhirServer) -> Iterator[FhirServer]:
    """The patients on the server, each with ids of its own."""
    fhir_server.reset()
    resources = [
        entry["resource"]
        for name in (*PATIENTS, DRAFTER)
        for entry in renamed(name)["entry"]
        if entry["resource"].get("status") != "draft"
    ]
    stored = fhir_server.load(resources)
    assert stored == Counter(resource["resourceType"] for resource in resources)
    assert stored["Patient"] == len(PATIENTS) + 1
    yield fhir_server
    fhir_server.reset()


def renamed(name: str) -> dict[str, Any]:
    """The Bundle with ids that no other patient's resources have."""
    content = bundle(name)
    for entry in content["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] != "Patient":
            resource["id"] = f"{resource['id']}-of-{name}"
    return content


@pytest.fixture(scope="module")
def running(fhir_server: FhirServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = tmp_path_factory.mktemp("same-cards") / "records.db"
    settings: dict[str, Any] = {
        "fhir_servers": fhir_server.url,
        "fhir_open": True,
        "fhir_deadline": 30,
    }
    with started(database, lambda: NOW, **settings) as service:
        yield service


def full(name: str, service: Service, running: Running) -> dict[str, Any]:
    """The call with everything prefetched."""
    return request_of(renamed(name), hook_of(service), running.parts.answering.keys[service])


def cards(running: Running, request: dict[str, Any], service: Service) -> list[dict[str, Any]]:
    """The cards without what differs by design: ids, and how a value was obtained."""
    response = running.client.post(f"/cds-services/{service}", json=request)
    assert response.status_code == 200, response.text
    assert flaws(response.get_json()) == []
    keys = [key.name for key in running.parts.answering.keys[service]]
    comparable = []
    for card in response.get_json()["cards"]:
        detail = card["detail"]
        for origin in ("FHIR server", *(f"prefetch.{key}" for key in keys)):
            detail = detail.replace(f", {origin})", ")")
        suggestions = [
            (suggestion["label"], [action.get("resource") for action in suggestion["actions"]])
            for suggestion in card.get("suggestions", ())
        ]
        comparable.append(
            {
                "rule": card["source"]["topic"]["code"],
                "summary": card["summary"],
                "indicator": card["indicator"],
                "detail": detail,
                "suggestions": suggestions,
                "overrides": card["overrideReasons"],
            }
        )
    return comparable


@pytest.mark.parametrize("prefetched", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize(
    ("name", "service"),
    [*((name, Service.PATIENT_VIEW) for name in PATIENTS), (DRAFTER, Service.ORDER_SELECT)],
)
def test_the_cards_are_the_same_whatever_was_prefetched(
    loaded: FhirServer, running: Running, name: str, service: Service, prefetched: set[str] | None
) -> None:
    request = full(name, service, running)
    expected = cards(running, request, service)
    assert expected
    before = len(loaded.requests())
    partial = request | {"fhirServer": loaded.url}
    if prefetched is None:
        del partial["prefetch"]
    else:
        partial["prefetch"] = {
            key: value for key, value in partial["prefetch"].items() if key in prefetched
        }
    missing = set(request["prefetch"]) - (prefetched or set())
    assert cards(running, partial, service) == expected
    assert len(loaded.requests()) - before == len(missing)


def test_with_everything_prefetched_no_request_is_sent(
    loaded: FhirServer, running: Running
) -> None:
    request = full(PATIENTS[0], Service.PATIENT_VIEW, running) | {"fhirServer": loaded.url}
    before = len(loaded.requests())
    assert cards(running, request, Service.PATIENT_VIEW)
    assert len(loaded.requests()) == before


def test_a_failing_type_is_reported_and_changes_no_other_card(
    loaded: FhirServer, running: Running
) -> None:
    request = full("anaemia-on-quinine", Service.PATIENT_VIEW, running)
    del request["prefetch"]["conditions"]
    with loaded.knobs(failing={"Condition": 500}):
        response = running.client.post(
            f"/cds-services/{Service.PATIENT_VIEW}", json=request | {"fhirServer": loaded.url}
        )
    assert response.status_code == 200, response.text
    rules = [card["source"]["topic"]["code"] for card in response.get_json()["cards"]]
    assert rules == ["quinine-active", "anemia", "data-not-usable"]


def test_small_pages_bring_the_same_cards(loaded: FhirServer, running: Running) -> None:
    name, service = "elderly-polypharmacy", Service.PATIENT_VIEW
    request = full(name, service, running)
    expected = cards(running, request, service)
    del request["prefetch"]
    with loaded.knobs(page_size=2):
        assert cards(running, request | {"fhirServer": loaded.url}, service) == expected
