"""The page of the FHIR elements that are read: found by trial, and each of them described."""

from __future__ import annotations

import pytest

from docs import reading


def elements() -> list[tuple[str, reading.Element]]:
    """The elements of all samples, with what was found by trial."""
    return [(name, trial) for name in reading.SAMPLES for trial in reading.tried(name)]


def test_every_element_that_is_read_is_described() -> None:
    read = [(name, element.name) for name, element in elements() if element.read]
    missing = [".".join(element) for element in read if not reading.prose(*element)]
    assert missing == [], "say in READ of docs/reading.py what is read of them"


def test_the_trials_distinguish_what_is_read_from_what_is_not() -> None:
    read = {f"{name}.{element.name}" for name, element in elements() if element.read}
    assert {
        "Patient.birthDate",
        "Observation.meta",
        "Observation.identifier",
        "Observation.interpretation",
        "Condition.severity",
        "MedicationRequest.contained",
        "MedicationRequest.doNotPerform",
        "AllergyIntolerance.reaction",
        "ServiceRequest.authoredOn",
        "Encounter.reasonCode",
    } <= read
    assert {"Observation.issued", "Observation.performer", "Condition.recorder"}.isdisjoint(read)


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("Observation", "status"),
        ("Observation", "code"),
        ("Observation", "effectiveDateTime"),
        ("Observation", "valueQuantity"),
        ("Condition", "code"),
        ("MedicationRequest", "status"),
        ("MedicationRequest", "medicationCodeableConcept"),
        ("MedicationStatement", "medicationReference"),
        ("AllergyIntolerance", "code"),
        ("ServiceRequest", "status"),
    ],
)
def test_a_missing_important_element_is_reported(name: str, element: str) -> None:
    [trial] = [each for each in reading.tried(name) if each.name == element]
    assert trial.missing and trial.rubbish


def test_every_shape_is_read_or_reported() -> None:
    for shape, read, _state, message in reading.shape_rows():
        assert read == "yes" or message or shape in ("a Bundle without entries", "`null`"), shape
