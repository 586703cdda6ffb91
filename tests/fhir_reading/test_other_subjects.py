"""Data about another person, or with a modifier that is not understood, never become facts."""

from __future__ import annotations

import pytest

from cds_service.core.facts import Kind
from tests.fhir_reading.records import (
    concept,
    condition,
    lab,
    medication,
    read,
    result,
    results,
)
from tests.testing.fhir import searchset

MODIFIER = [{"url": "http://example.org/not", "valueBoolean": True}]
VALUE = {"value": 6.8, "unit": "mmol/L"}
OTHERS = {
    "a child": {"reference": "Patient/child"},
    "a donor": {"reference": "RelatedPerson/donor"},
    "a device": {"reference": "Device/pump"},
    "an unknown urn": {"reference": "urn:uuid:0b0b"},
    "somebody by name": {"display": "Fetus"},
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_result_about_somebody_else_is_not_the_patients(other: str) -> None:
    found = results(lab(value=6.8, focus=[OTHERS[other]]))
    assert not found.series
    assert [problem.kind for problem in found.record.problems] == ["wrong-patient"]


@pytest.mark.parametrize(
    "focus", ["Patient/p1", "Condition/c1", "https://ehr.example/fhir/Procedure/x"]
)
def test_a_result_about_the_patients_own_is_the_patients(focus: str) -> None:
    assert "potassium" in results(lab(focus=[{"reference": focus}])).series
    assert "potassium" in results(lab(focus=[])).series


def test_a_contained_result_about_somebody_else_is_not_the_patients() -> None:
    contained = lab(id="k", subject=None, focus=[OTHERS["a donor"]])
    found = results(lab("24326-1", valueQuantity=None, contained=[contained]))
    assert not found.series
    assert [problem.kind for problem in found.record.problems] == ["wrong-patient"]


PLACES = {
    "the result": lab(modifierExtension=MODIFIER),
    "a component": lab(
        "24326-1",
        valueQuantity=None,
        component=[
            {"code": concept("2823-3"), "valueQuantity": VALUE, "modifierExtension": MODIFIER}
        ],
    ),
    "a contained result": lab(
        "24326-1", valueQuantity=None, contained=[lab(id="k", modifierExtension=MODIFIER)]
    ),
    "the panel": lab(
        "24326-1",
        valueQuantity=None,
        modifierExtension=MODIFIER,
        component=[{"code": concept("2823-3"), "valueQuantity": VALUE}],
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_result_with_a_modifier_is_reported_and_not_used(place: str) -> None:
    found = results(PLACES[place])
    assert not found.series
    assert [problem.kind for problem in found.record.problems] == ["modified"]


@pytest.mark.parametrize("empty", [[], None])
def test_an_empty_modifier_has_no_effect(empty: object) -> None:
    assert "potassium" in results(lab(modifierExtension=empty)).series


def test_a_withdrawn_result_with_a_modifier_is_not_reported() -> None:
    assert not results(lab(status="entered-in-error", modifierExtension=MODIFIER)).record.problems


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        (Kind.CONDITIONS, condition(modifierExtension=MODIFIER)),
        (Kind.MEDICATIONS, medication(modifierExtension=MODIFIER)),
        (
            Kind.STATEMENTS,
            medication(resourceType="MedicationStatement", modifierExtension=MODIFIER),
        ),
    ],
)
def test_an_entry_with_a_modifier_is_reported_and_not_used(kind: Kind, resource: dict) -> None:
    record = read({kind: searchset(resource)}).record
    assert not record.conditions and not record.medications
    assert [(problem.kind, problem.about) for problem in record.problems] == [
        ("modified", kind.value)
    ]


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        ({"high": {"value": 1, "code": "a"}}, False),
        ({"low": {"value": 0, "unit": "mo"}, "high": {"value": 28, "unit": "d"}}, False),
        ({"high": {"value": 17, "unit": "years"}}, False),
        ({"low": {"value": 18, "unit": "a"}}, True),
        ({"low": {"value": 18, "unit": "a"}, "high": {"value": 120, "unit": "years"}}, True),
    ],
)
def test_a_range_for_children_is_not_a_limit(age: dict, counts: bool) -> None:
    ranged = lab(referenceRange=[{"low": {"value": 3.3}, "age": age}])
    assert (result(ranged).range_low is not None) is counts


@pytest.mark.parametrize("target", ["Patient/other", "#somebody", "RelatedPerson/donor"])
def test_a_contained_result_of_another_subject_is_not_the_patients(target: str) -> None:
    contained = lab(id="k", subject={"reference": target})
    for outer in ("Observation", "DiagnosticReport"):
        parent = lab("24326-1", resourceType=outer, valueQuantity=None, contained=[contained])
        found = results(parent)
        assert not found.series
        assert [problem.kind for problem in found.record.problems] == ["wrong-patient"]
