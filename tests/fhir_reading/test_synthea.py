"""Every resource of the shared synthetic patients is read, or a problem names it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from cds_service.core.call import Call
from cds_service.core.facts import Kind, State
from hooks.knowledge import vocabulary as lists
from hooks.knowledge.files import analytes
from tests.fhir_reading.records import delivery, reader
from tests.testing import fhir
from tests.testing.shared_data import shared_path

TYPES = {
    "Patient": Kind.PATIENT,
    "Observation": Kind.RESULTS,
    "Condition": Kind.CONDITIONS,
    "MedicationRequest": Kind.MEDICATIONS,
    "AllergyIntolerance": Kind.ALLERGIES,
    "ServiceRequest": Kind.ORDERS,
}


@pytest.mark.shared
def test_no_resource_of_the_synthetic_patients_is_lost() -> None:
    index = lists.OBSERVATIONS.code_index
    codes = {key[1] for key, concepts in index.items() if concepts & set(analytes())}
    counts: Counter[str] = Counter()
    for path in sorted(shared_path("synthea").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = [
            entry for entry in content["entry"] if entry["resource"]["resourceType"] in TYPES
        ]
        [me] = [
            entry["resource"]["id"]
            for entry in entries
            if entry["resource"]["resourceType"] == "Patient"
        ]
        pages = {
            kind: delivery(
                kind,
                fhir.searchset(
                    entry=[
                        entry
                        for entry in entries
                        if TYPES[entry["resource"]["resourceType"]] is kind
                    ]
                ),
            )
            for kind in set(TYPES.values())
        }
        reading = reader().read(pages, Call("any-service", me, datetime(2027, 1, 1, tzinfo=UTC)))
        record = reading.record
        accounted_for = {problem.source.reference for problem in record.problems}
        for series in reading.series.values():
            for candidate in series.newest_first():
                accounted_for.add(candidate.answer.source.reference)
        facts = (*record.conditions, *record.medications, *record.orders, *record.allergies)
        accounted_for |= {fact.source.reference for fact in (*facts, record.patient)}
        for entry in entries:
            resource = entry["resource"]
            kind = resource["resourceType"]
            if kind == "Observation":
                coded = {coding["code"] for coding in resource["code"]["coding"]}
                if not coded & codes:
                    continue
            counts[kind] += 1
            assert f"{kind}/{resource['id']}" in accounted_for
        assert record.availability[Kind.RESULTS].state is State.GIVEN
        counts["problems"] += len(record.problems)
    assert counts.pop("Observation") >= 672  # grows with the code lists
    assert counts == {
        "Patient": 30,
        "Condition": 156,
        "MedicationRequest": 102,
        "AllergyIntolerance": 17,
        "problems": 0,
    }
