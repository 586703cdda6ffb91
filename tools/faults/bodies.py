"""The calls that are sent as they are, and that the mutator starts from."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tools.faults.load import Call

_FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
VIEW = "/cds-services/leg-cramps-patient-view"
SELECT = "/cds-services/leg-cramps-order-select"
FEEDBACK = f"{VIEW}/feedback"


@cache
def scenarios() -> tuple[dict[str, Any], ...]:
    """Every request of fixtures/scenarios, and every vendor's shape."""
    found = [
        json.loads(path.read_bytes()) for path in sorted(_FIXTURES.glob("scenarios/*/request.json"))
    ]
    for path in sorted(_FIXTURES.glob("vendor_shapes/*.json")):
        shape = json.loads(path.read_bytes())
        hook = "order-select" if "draftOrders" in shape.get("context", {}) else "patient-view"
        found.append(
            {"hook": hook, "hookInstance": "5f1d9f5a-3a80-4c0b-9f3f-8f0a3c0e7b11", **shape}
        )
    return tuple(found)


@cache
def good_calls() -> tuple[Call, ...]:
    """Calls that bring their data and are answered with 200."""
    answered = [
        json.loads((path.parent / "request.json").read_bytes())
        for path in sorted(_FIXTURES.glob("scenarios/*/expected.json"))
        if "status" not in json.loads(path.read_bytes())
    ]
    return tuple(
        Call(SELECT if one["hook"] == "order-select" else VIEW, _encoded(one))
        for one in answered
        if one.get("prefetch") and "fhirServer" not in one
    )


def view_call() -> Call:
    """One of them, to patient-view."""
    return next(call for call in good_calls() if call.path == VIEW)


def asking(fhir_server: str, patient_id: str) -> Call:
    """A call without prefetch, which sends us to a FHIR server."""
    body = {
        "hook": "patient-view",
        "hookInstance": "5f1d9f5a-3a80-4c0b-9f3f-8f0a3c0e7b11",
        "fhirServer": fhir_server,
        "context": {"userId": "Practitioner/1", "patientId": patient_id},
    }
    return Call(VIEW, _encoded(body))


def with_results(count: int) -> bytes:
    """A patient-view call whose prefetch holds so many results, each small."""
    entry = (
        '{"resource":{"resourceType":"Observation","id":"o%d","status":"final",'
        '"subject":{"reference":"Patient/p1"},"code":{"coding":[{"system":"http://loinc.org",'
        '"code":"2823-3"}]},"effectiveDateTime":"2024-01-01T00:00:00Z",'
        '"valueQuantity":{"value":4.1,"unit":"mmol/L","system":"http://unitsofmeasure.org",'
        '"code":"mmol/L"}}}'
    )
    entries = ",".join(entry % number for number in range(count))
    head = (
        '{"hook":"patient-view","hookInstance":"5f1d9f5a-3a80-4c0b-9f3f-8f0a3c0e7b11",'
        '"context":{"userId":"Practitioner/1","patientId":"p1"},"prefetch":{'
        '"patient":{"resourceType":"Patient","id":"p1","gender":"female","birthDate":"1950-01-01"},'
        '"results":{"resourceType":"Bundle","type":"searchset","entry":['
    )
    return f"{head}{entries}]}}}}}}".encode()


class Answers:
    """Feedback, every element with a card of its own; remembers what was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self._next = 0
        self._run = time.time_ns() & 0xFFFFFFFF
        self._lock = threading.Lock()

    def calls(self) -> Iterator[Call]:
        """Feedback calls without end, one answer each; the card is the call's note."""
        while True:
            with self._lock:
                self._next += 1
                card = f"{self._run:08x}-0000-4000-8000-{self._next:012x}"
            yield Call(FEEDBACK, feedback(card), note=card)

    def hear(self, call: Call, status: int) -> None:
        """Remember the card of a call that was answered with 200."""
        if call.note and status == 200:
            with self._lock:
                self.acknowledged.add(call.note)


def feedback(card: str) -> bytes:
    """One answer to one card."""
    answer = {
        "card": card,
        "outcome": "overridden",
        "outcomeTimestamp": "2026-01-02T03:04:05Z",
        "overrideReason": {"userComment": "faults"},
    }
    return _encoded({"feedback": [answer]})


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
