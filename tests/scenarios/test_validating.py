"""Which resources go through the full FHIR models, by setting."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.scenarios.conftest import Service
from tests.scenarios.golden import FIXTURES
from tests.testing import fhir

NOON = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
WRONG = {"onsetDateTime": "some day"}


def request(**wrong: str) -> dict[str, Any]:
    """Active quinine, and a condition that no card of the answer cites."""
    path = FIXTURES / "scenarios" / "quinine-active" / "request.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    patient = content["context"]["patientId"]
    condition = fhir.condition("Hay fever", id="beside", of=patient, **wrong)
    content["prefetch"]["conditions"] = fhir.searchset(condition)
    (medication, *_) = content["prefetch"]["medicationRequests"]["entry"]
    medication["resource"]["authoredOn"] = "2026-10-01"
    medication["resource"]["priority"] = 7  # a number where a code belongs; no rule reads it
    return content


@pytest.mark.parametrize(
    ("setting", "refused"),
    [
        ("none", set()),
        ("cited", {"MedicationRequest"}),
        ("all", {"MedicationRequest", "Condition"}),
    ],
)
def test_resources_that_the_models_reject_are_reported_if_the_setting_asks_for_it(
    service: Service, setting: str, refused: set[str]
) -> None:
    answered = service(NOON, CDS_VALIDATE=setting).answered(request(**WRONG))
    assert {reference.partition("/")[0] for reference in answered.refused} == refused
    assert "quinine-active" in [card.rule.id for card in answered.cards]
    assert all("some day" not in reason for reason in answered.refused.values())


def test_resources_that_the_models_accept_are_not_reported(service: Service) -> None:
    answered = service(NOON, CDS_VALIDATE="all").answered(request())
    assert {reference.partition("/")[0] for reference in answered.refused} == {"MedicationRequest"}
