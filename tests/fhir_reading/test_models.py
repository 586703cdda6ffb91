"""The full FHIR models: what they reject is named, and its content never repeated."""

from __future__ import annotations

import json

import pytest

from cds_service.fhir import models
from tests.fhir_reading.records import condition, lab


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        pytest.param(lab(), "", id="a valid result"),
        pytest.param(condition(), "", id="a valid condition"),
        pytest.param(lab(issued="canary"), "Observation.issued: ", id="a wrong instant"),
        pytest.param({"resourceType": "Canary"}, "Canary is not a resource type", id="no type"),
        pytest.param({"resourceType": "../os"}, "../os is not a resource type", id="a path"),
        pytest.param({"resourceType": "Ｐatient"}, "is not a resource type", id="another script"),
        pytest.param({"resourceType": 7}, "it is not a resource type", id="a number for a type"),
        pytest.param({}, "it is not a resource type", id="no type at all"),
    ],
)
def test_why_a_resource_is_refused(resource: dict[str, object], reason: str) -> None:
    refusal = models.refusal(json.dumps(resource).encode())
    assert bool(refusal) is bool(reason)
    assert reason in refusal
    assert "canary" not in refusal


def test_input_that_is_not_json_is_refused() -> None:
    for raw in (b"{", b"[]", b'"Patient"', b'{"resourceType":"Patient","birthDate":'):
        assert models.refusal(raw) == "it is not a resource type of R4B"


def test_a_model_that_crashes_counts_as_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def model_validate_json(_raw: bytes) -> None:
            raise RecursionError("canary")

    monkeypatch.setattr(models, "_model", lambda _type: Broken)
    assert models.refusal(b'{"resourceType":"Patient"}') == "Patient: RecursionError"


def test_a_resource_that_its_model_rejects_is_not_offered() -> None:
    sound = models.draft_order(
        "ServiceRequest",
        {"text": "Magnesium"},
        "Patient/p1",
        "2026-11-23T12:00:00Z",
        encounter=None,
        requester=None,
    )
    models.check_offer(sound)
    for wrong in ({"resourceType": "Canary"}, sound | {"authoredOn": "soon"}):
        with pytest.raises(ValueError):
            models.check_offer(wrong)
