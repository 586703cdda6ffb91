"""The patients of fixtures/patients: each has the story that the index tells."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cds_service.answer.checking import flaws
from cds_service.sources.one_patient import moment, request_of
from tests.scenarios.conftest import Service
from tests.scenarios.golden import FIXTURES, rules

FOLDER = FIXTURES / "patients"
INDEX: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))


def bundle(name: str) -> dict[str, Any]:
    """The Bundle of a patient."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def test_the_index_lists_exactly_the_patient_files() -> None:
    files = {file.stem for file in FOLDER.glob("*.json")} - {"index", "orders"}
    assert [entry["name"] for entry in INDEX if entry["name"] not in files] == []
    assert files - {entry["name"] for entry in INDEX} == set()
    for entry in INDEX:
        assert set(entry) == {"name", "title", "story", "hook", "as_of", "cards"}
        assert len(entry["story"].splitlines()) == 1


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["name"])
def test_a_patient_gets_the_cards_that_the_index_promises(
    entry: dict[str, Any], service: Service
) -> None:
    running = service(moment(f"{entry['as_of']}T12:00:00+00:00"))
    services = running.parts.answering.services.values()
    which = next(service for service in services if service.hook.name == entry["hook"])
    keys = running.parts.answering.keys[which.id]
    request = request_of(bundle(entry["name"]), which.hook, keys)
    response = running.client.post(f"/cds-services/{which}", json=request)
    assert response.status_code == 200, response.text
    assert flaws(response.get_json()) == []
    assert rules(response.get_json()["cards"]) == entry["cards"]


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["name"])
def test_every_resource_is_accepted_by_the_full_fhir_models(entry: dict[str, Any]) -> None:
    from cds_service.fhir.models import refusal

    resources = [item["resource"] for item in bundle(entry["name"])["entry"]]
    assert [why for resource in resources if (why := refusal(json.dumps(resource).encode()))] == []
