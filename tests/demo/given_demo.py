"""The whole service with the demo on and the clock of the fixtures."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask

from cds_service.app import build, make_parts
from cds_service.settings import Settings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "patients"
PATIENTS = [
    entry["name"] for entry in json.loads((FIXTURES / "index.json").read_text(encoding="utf-8"))
]
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>{{ 7*7 }} \'"&'


def demo_app(folder: Path, **settings: Any) -> Flask:
    """The application with its database in ``folder``; close its records at the end."""
    values: dict[str, Any] = {
        "database_url": f"sqlite:///{folder}/records.db",
        "demo": True,
        "log_level": "error",
    } | settings
    app = build(replace(make_parts(Settings(**values)), now=lambda: NOW))
    app.extensions["cds_parts"].records.start()
    return app


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    """A record of one patient with a hostile name."""
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "gender": "female",
        "birthDate": "1960-01-01",
        "name": [{"text": HOSTILE, "family": HOSTILE}],
    }
    subject = {"reference": "Patient/p1"}
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": patient}]
        + [{"resource": {"subject": subject, **one}} for one in resources],
    }


def hostile_bundle() -> dict[str, Any]:
    """Hostile text wherever the page shows text of a record."""
    active = {"coding": [{"code": "active"}]}
    return bundle(
        {
            "resourceType": "Condition",
            "id": "c1",
            "code": {"text": f"Nocturnal leg cramps {HOSTILE}"},
            "clinicalStatus": active,
        },
        {
            "resourceType": "MedicationRequest",
            "id": "m1",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": f"Quinine sulfate 324 MG {HOSTILE}"},
            "authoredOn": "2026-10-01",
        },
        {
            "resourceType": "MedicationRequest",
            "id": "d1",
            "status": "draft",
            "intent": "order",
            "medicationCodeableConcept": {"text": f"Quinine sulfate 324 MG {HOSTILE}"},
        },
        {
            "resourceType": "Observation",
            "id": "o1",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": HOSTILE},
            "effectiveDateTime": "2026-11-20",
            "valueQuantity": {"value": 3.1, "unit": HOSTILE, "code": HOSTILE},
        },
    )
