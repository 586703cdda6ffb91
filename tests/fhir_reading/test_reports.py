"""What a laboratory report says besides its results: in words, documents, references."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.core.facts import Kind
from cds_service.fhir.read.reading import Reading
from tests.fhir_reading.records import LOINC, concept, lab, read, results
from tests.testing import fhir

Json = dict[str, Any]
LAB = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}]
PDF = [{"contentType": "application/pdf", "data": "JVBERi0="}]
SODIUM = lab("2951-2", value=140, id="na")


def report(**more: object) -> Json:
    return fhir.report(**{"category": LAB} | more)


def reported(reading: Reading) -> set[str]:
    return {problem.about for problem in reading.record.problems if problem.kind == "report"}


@pytest.mark.parametrize(
    ("more", "about"),
    [
        ({"presentedForm": PDF}, "results"),
        ({"presentedForm": [{"url": "https://ehr.example/Binary/7"}], "category": None}, "results"),
        ({"conclusion": "See attached"}, "results"),
        ({"presentedForm": PDF, "code": {"text": "Potassium"}}, "potassium"),
        ({"presentedForm": PDF, "code": concept("2823-3")}, "potassium"),
        ({"conclusion": "Potassium 6.9, critically high. Repeat."}, "potassium"),
        ({"conclusion": "Kalium 2,1 mmol/l", "code": {}}, "potassium"),
        ({"conclusionCode": [{"text": "Magnesium critically low"}]}, "magnesium"),
        ({"conclusionCode": [{"coding": [{"code": "1", "display": "Low haemoglobin"}]}]},
         "hemoglobin"),
        ({"result": [{"reference": "Observation/99"}], "code": {"text": "Serum sodium"},
          "effectiveDateTime": "2026-03-10T08:00:00Z"}, "sodium"),
        ({"result": [{"reference": "Observation/99"}], "code": concept("58410-2")}, "results"),
    ],
    ids=str,
)  # fmt: skip
def test_a_report_without_results_is_reported(more: Json, about: str) -> None:
    diagnostic_report = report(**more)
    assert reported(results(SODIUM, diagnostic_report)) == {about}
    assert reported(results(SODIUM, diagnostic_report | {"status": "entered-in-error"})) == set()
    assert reported(results(SODIUM, diagnostic_report | {"status": "registered"})) == set()
    assert (
        reported(results(SODIUM, diagnostic_report | {"subject": {"reference": "Patient/other"}}))
        == set()
    )


RADIOLOGY = [{"coding": [{"system": LOINC, "code": "LP29684-5", "display": "Radiology"}]}]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"result": [{"reference": "Observation/na"}]},
        {"result": [{"reference": "https://ehr.example/fhir/Observation/na/"}], "code": {}},
        {"result": [{"reference": "Observation/na"}], "presentedForm": PDF},
        {"result": [{"reference": "Observation/99"}]},  # of something that was not requested
        {"presentedForm": PDF, "category": RADIOLOGY},
        {"conclusion": "Potassium was mentioned", "category": [{"text": "History and physical"}]},
        {"conclusion": "Sodium 140, normal"},  # sent as a result too
        {"presentedForm": PDF, "code": {"text": "Sodium"}},
    ],
    ids=str,
)
def test_a_report_that_has_its_results_or_is_not_from_a_laboratory_is_not_reported(
    more: Json,
) -> None:
    assert reported(results(SODIUM, report(**more))) == set()


def test_a_conclusion_about_a_result_that_was_not_sent_is_reported_with_others() -> None:
    diagnostic_report = report(
        result=[{"reference": "Observation/na"}], conclusion="Potassium critically low"
    )
    assert reported(results(SODIUM, diagnostic_report)) == {"potassium"}
    assert reported(results(SODIUM, lab(id="k"), diagnostic_report)) == set()
    old = lab(id="k", effectiveDateTime="2026-02-01T08:00:00Z")
    assert reported(results(SODIUM, old, diagnostic_report)) == {"potassium"}
    undated = {
        name: value for name, value in diagnostic_report.items() if name != "effectiveDateTime"
    }
    assert reported(results(SODIUM, lab(id="k"), undated)) == {"potassium"}


def test_a_report_that_cannot_be_read_in_full_is_reported_too() -> None:
    assert reported(results(SODIUM, report(code=7, id=7, presentedForm=PDF))) == {"results"}


UUID = "urn:uuid:379189a7-4531-43cd-bf85-d3ab88c7f767"
BLOOD_COUNT = concept("58410-2")


@pytest.mark.parametrize(
    ("target", "entry"),
    [
        (UUID, {"fullUrl": UUID}),
        (UUID, {"fullUrl": UUID, "search": {"mode": "match"}}),
        ("urn:uuid:na", {}),
        ("https://ehr.example/fhir/Observation/na/_history/2", {}),
        ("Observation/na", {"response": {"status": "200"}}),
        (UUID, {"fullUrl": UUID, "response": {"status": "200"}}),
    ],
    ids=str,
)
def test_a_result_is_found_by_its_full_url(target: str, entry: Json) -> None:
    diagnostic_report = report(code=BLOOD_COUNT, result=[{"reference": target}])
    page = fhir.searchset(diagnostic_report, SODIUM)
    page["entry"][1] |= entry
    assert reported(read({Kind.RESULTS: page})) == set()
    page["entry"][1] = {"resource": SODIUM | {"id": "z"}, "fullUrl": "urn:uuid:other"}
    assert reported(read({Kind.RESULTS: page})) == {"results"}
