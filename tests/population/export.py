"""Exports for tests: NDJSON folders of a few made-up patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from cds_service.population.running import Asked, run
from cds_service.settings import Settings

Json = dict[str, Any]
pq = pytest.importorskip("pyarrow.parquet")


def quiet(_what: str, _done: float, _of: float) -> None:
    """No progress."""


def patient(name: str = "p1", **more: Any) -> Json:
    return {
        "resourceType": "Patient",
        "id": name,
        "gender": "female",
        "birthDate": "1950-03-01",
        **more,
    }


def subject(name: str = "p1") -> Json:
    return {"reference": f"Patient/{name}"}


def encounter(
    name: str = "e1", start: str = "2026-03-10T09:00:00Z", of: str = "p1", **more: Any
) -> Json:
    return {
        "resourceType": "Encounter",
        "id": name,
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": subject(of),
        "period": {"start": start, "end": start[:11] + "23:00:00Z"},
        "participant": [{"individual": {"reference": "Practitioner/d1"}}],
        **more,
    }  # fmt: skip


def cramps(recorded: str = "2026-01-05T08:00:00Z", of: str = "p1", **more: Any) -> Json:
    return {
        "resourceType": "Condition",
        "id": f"cramps-{of}",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "leg cramps"},
        "subject": subject(of),
        "recordedDate": recorded,
        **more,
    }  # fmt: skip


def potassium(
    value: float,
    when: str,
    issued: str | None = None,
    name: str = "k1",
    of: str = "p1",
    **more: Any,
) -> Json:
    made = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "subject": subject(of),
        "effectiveDateTime": when,
        "issued": issued or when,
        "valueQuantity": {"value": value, "unit": "mmol/L", "code": "mmol/L"},
        **more,
    }  # fmt: skip
    return {key: one for key, one in made.items() if one is not None}


def quinine(authored: str = "2026-02-01T08:00:00Z", of: str = "p1", **more: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": f"quinine-{of}",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "quinine sulfate 300 MG Oral Tablet"},
        "subject": subject(of),
        "authoredOn": authored,
        "requester": {"reference": "Practitioner/d1"},
        **more,
    }


def write(folder: Path, *resources: Json) -> Path:
    """The resources in one NDJSON file a type."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in resources:
        with (folder / f"{one['resourceType']}.000.ndjson").open("a") as file:
            file.write(json.dumps(one) + "\n")
    return folder


def outcome(
    source: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    report: bool = False,
    **options: Any,
) -> Json:
    """A run's summary, and its rows under ``evaluations`` and ``called``. Drawing the plots takes
    most of a small run's time: ``report`` says whether to."""
    asked = Asked(source=str(source), out=out, **{"workers": 1, "partitions": 2, **options})
    if report:
        made = run(asked, settings or Settings(), quiet)
    else:
        with patch("cds_service.population.report.page", return_value=""):
            made = run(asked, settings or Settings(), quiet)
    made["evaluations"] = pq.read_table(out / "evaluations.parquet").to_pylist()
    made["called"] = pq.read_table(out / "calls.parquet").to_pylist()
    return made


def answers(made: Json) -> dict[str, str]:
    """The answer of each rule, where there was one call."""
    assert len(made["called"]) == 1
    return {one["rule"]: one["answer"] for one in made["evaluations"]}
