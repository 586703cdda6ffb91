"""Ordinary words never downgrade a dangerous result; ordinary charts are not incomplete."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.core.facts import Kind, State
from cds_service.fhir.intake.extent import says_incomplete
from cds_service.fhir.intake.pointing import pointed_at
from cds_service.terminology.codes import normal_key
from tests.fhir_reading.records import kinds, lab, newest, read, result, results
from tests.fhir_reading.test_places import panel, part
from tests.testing.fhir import outcome, resource, searchset, specimen

K = {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}


@pytest.mark.parametrize("flag", ["H++", "H+++", "++", "HH+", "H 4+"])
def test_the_flag_of_a_high_result_is_not_a_haemolysis_index(flag: str) -> None:
    assert result(lab(value=6.9, interpretation=[{"text": flag}])).remarks == ()


@pytest.mark.parametrize(
    "note", ["Critical limits H 6, L 2.5. Called to ward.", "H ++ called", "hi 200", "H 5 L 3"]
)
def test_a_note_on_limits_is_not_a_haemolysis_index(note: str) -> None:
    assert result(lab(value=6.9, note=[{"text": note}])).remarks == ()


DEPARTMENTS = ["Dialysis unit", "Fluid and electrolytes", "Fluids & Electrolytes", "Dialysis labs"]


@pytest.mark.parametrize("words", DEPARTMENTS)
@pytest.mark.parametrize("method", [{}, {"method": {"text": "ISE"}}])
@pytest.mark.parametrize("code", [K, {"text": "Potassium"}])
def test_a_department_is_not_a_specimen(words: str, method: Any, code: Any) -> None:
    observation = lab(value=6.9, code=code, category=[{"text": words}], **method)
    assert result(observation, analyte="potassium").reported == "6.9 mmol/L"


@pytest.mark.parametrize("words", ["Urine chemistry", "Body fluid", "Dialysis fluid", "Dialysate"])
def test_a_category_that_names_a_specimen_applies_when_the_code_does_not(words: str) -> None:
    observation = lab(value=6.9, code={"text": "Potassium"}, category=[{"text": words}])
    assert newest(results(observation), "potassium").result is None


def test_a_code_of_blood_and_a_method_for_urine_contradict_each_other() -> None:
    found = newest(results(lab(value=6.9, code=K, method={"text": "Urine dipstick"})), "potassium")
    assert found.result is None
    assert [(problem.kind, problem.value.reported) for problem in found.unusable] == [
        ("specimen", "6.9 mmol/L")
    ]


def test_a_remark_on_a_contained_specimen_applies_to_the_results_of_that_report() -> None:
    contained = [specimen(condition=[{"text": "Haemolysed"}])]
    observation = panel(part(K, 4.1, "mmol/L"), contained=contained, specimen={"reference": "#s1"})
    found = newest(results(observation), "potassium")
    assert (found.result or found.tentative).remarks == ("haemolysed",)


@pytest.mark.parametrize(
    ("words", "code", "kind", "incomplete"),
    [
        ("Not authorized for Condition - Genomics", "suppressed", Kind.CONDITIONS, False),
        ("Not authorized: Dental Finding", "suppressed", Kind.CONDITIONS, False),
        ("Not authorized for Problem List", "suppressed", Kind.CONDITIONS, True),
        ("Some data was withheld", "suppressed", Kind.CONDITIONS, True),
        ("Some data was withheld", "suppressed", Kind.RESULTS, False),
        ("Genomics timed out", "timeout", Kind.CONDITIONS, True),
    ],
)  # fmt: skip
def test_withheld_data(words: str, code: str, kind: Kind, incomplete: bool) -> None:
    withheld = outcome("warning", code, details={"text": words})
    assert says_incomplete(withheld, kind) is incomplete


def listed(*items: Any, **more: Any) -> Any:
    return resource("List", status="current", entry=[*items], **more)


NAMED = {"item": {"display": "Living will on file"}}
ANY = {Kind.MEDICATIONS, Kind.CONDITIONS, Kind.ALLERGIES}
UNSENT = {"item": {"reference": "urn:uuid:1"}}


@pytest.mark.parametrize("entry", [NAMED, UNSENT])
@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"title": "Advance directives"}, set()),
        ({"code": {"text": "Wound photographs"}}, set()),
        ({"code": {"text": "Problem list"}}, ANY),
        ({"title": "Medications at discharge"}, ANY),
        ({}, ANY),
    ],
)  # fmt: skip
def test_a_list_of_something_else_is_not_incomplete(
    entry: Any, more: Any, expected: set[Kind]
) -> None:
    assert pointed_at(listed(entry, **more), ()) == expected


def test_a_list_of_something_else_still_names_a_medication_by_its_type() -> None:
    directives = listed({"item": {"reference": "MedicationRequest/7"}}, title="Advance directives")
    assert pointed_at(directives, ()) == {Kind.MEDICATIONS}


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"kind": "NutritionOrder"}, set()),
        ({"kind": "NutritionOrder", "productCodeableConcept": {"text": "Low salt"}}, set()),
        ({"kind": "MedicationRequest"}, {Kind.MEDICATIONS}),
        ({"productCodeableConcept": {"text": "Quinine"}}, {Kind.MEDICATIONS}),
    ],
)
def test_a_diet_is_not_a_medication(detail: Any, expected: set[Kind]) -> None:
    plan = resource("CarePlan", status="active", activity=[{"detail": detail}])
    assert pointed_at(plan, ()) == expected


def test_a_specimen_alone_is_neither_a_result_nor_a_problem() -> None:
    reading = read({Kind.RESULTS: searchset(specimen())})
    assert reading.record.availability[Kind.RESULTS].state is State.GIVEN
    assert kinds(reading) == []


@pytest.mark.parametrize(
    ("code", "known"),
    [("K74.6 A", "K74.6 A"), ("K74.6 V", "K74.6 V"), ("k746 z", "K746 Z"), ("K74.6 G", "K74.6"),
     ("N18.5+", "N18.5"), ("N185", "N18.5")],
)  # fmt: skip
def test_a_certainty_of_a_german_code_changes_what_it_says(code: str, known: str) -> None:
    assert normal_key("http://hl7.org/fhir/sid/icd-10-cm", code)[1] == known
