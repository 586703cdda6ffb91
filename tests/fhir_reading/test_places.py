"""Where a result can be, how its code is recognised, and remarks on its sample."""

from __future__ import annotations

import pytest

from cds_service.core.series import Worse
from tests.fhir_reading.records import HEMOGLOBIN, SNOMED, concept, lab, results
from tests.testing import fhir

UNIT = {"system": "http://unitsofmeasure.org"}


def part(code: object, value: object, unit: str = "mmol/L", **more: object) -> dict:
    component = {
        "code": code,
        "valueQuantity": {"value": value, "unit": unit, "code": unit, **UNIT},
    }
    return component | more


def panel(*components: object, **more: object) -> dict:
    observation = lab("24326-1", component=list(components), **more)
    observation.pop("valueQuantity")
    return observation


def value_of(reading, key: str) -> str | None:
    series = reading.series.get(key)
    if series is None:
        return None
    found = series.newest(Worse.LOW).result
    return None if found is None else found.reported


@pytest.mark.parametrize(
    ("component", "analyte", "value"),
    [
        (part(concept("2823-3"), 6.8), "potassium", "6.8 mmol/L"),
        (part({"text": "Serum potassium"}, 6.8), "potassium", "6.8 mmol/L"),
        (part(concept(HEMOGLOBIN), 5.9, "g/dL"), "hemoglobin", "5.9 g/dL"),
        (part(concept("1000651000000109", SNOMED), 2.4), "potassium", "2.4 mmol/L"),
        (part(concept("33914-3"), 24, "mL/min/{1.73_m2}"), "egfr", "24 mL/min/1.73 m²"),
    ],
)
def test_a_component_is_a_result_with_the_time_of_its_parent(component, analyte, value) -> None:
    reading = results(panel(part({"text": "Chloride"}, 101), component))
    assert value_of(reading, analyte) == value
    found = reading.series[analyte].newest(Worse.LOW).result
    assert found.day.isoformat() == "2026-03-09"
    assert found.source.reference == "Observation/o1"


def test_an_egfr_and_its_creatinine_in_one_observation() -> None:
    observation = lab("2160-0", 3.1, "mg/dL", component=[part(concept("33914-3"), 19, "mL/min")])
    reading = results(observation)
    assert value_of(reading, "creatinine") == "3.1 mg/dL"
    assert value_of(reading, "egfr") == "19 mL/min"


@pytest.mark.parametrize(
    "component",
    [
        {"code": concept("2823-3"), "valueString": "6.8"},
        part(concept("2823-3"), 6.8, "furlong"),
        {"code": concept("2823-3"), "dataAbsentReason": {"text": "haemolysed"}},
        {"code": concept("2823-3")},
    ],
)
def test_a_component_that_cannot_be_used_is_a_problem(component) -> None:
    reading = results(panel(component))
    (problem,) = reading.series["potassium"].newest(Worse.LOW).unusable
    assert problem.about == "potassium"


@pytest.mark.parametrize("status", ["preliminary", "entered-in-error", "cancelled"])
def test_a_component_has_the_status_of_its_parent(status) -> None:
    reading = results(panel(part(concept("2823-3"), 6.8), status=status))
    assert value_of(reading, "potassium") is None
    found = reading.series["potassium"].newest(Worse.LOW) if reading.series else None
    assert bool(found and found.tentative) == (status == "preliminary")


def test_an_amended_panel_replaces_the_components_of_the_first() -> None:
    meta = {"lastUpdated": "2026-03-09T10:00:00Z"}
    first = panel(part(concept("2823-3"), 6.8), meta={"lastUpdated": "2026-03-09T09:00:00Z"})
    second = panel(part(concept("2823-3"), 4.2), status="amended", meta=meta)
    assert value_of(results(first, second), "potassium") == "4.2 mmol/L"
    assert value_of(results(second, first), "potassium") == "4.2 mmol/L"


def test_a_panel_of_another_patient_is_not_read() -> None:
    other = panel(part(concept("2823-3"), 6.8), subject={"reference": "Patient/other"})
    assert results(other).series == {}


def report(*contained: object, **more: object) -> dict:
    elements = {"code": concept("51990-0"), "effectiveDateTime": "2026-03-08T08:00:00Z"}
    return fhir.report(*contained, **elements | more)


def bare(code: str = "2823-3", value: object = 6.8, **more: object) -> dict:
    observation = lab(code, value, id="k", **more)
    for name in ("subject", "effectiveDateTime", "status"):
        if name not in more:
            observation.pop(name)
    return observation


@pytest.mark.parametrize(
    ("resource", "day"),
    [
        (report(bare()), "2026-03-08"),
        (report(bare(effectiveDateTime="2026-03-07T08:00:00Z")), "2026-03-07"),
        (report(fhir.specimen(), bare(), status="appended"), "2026-03-08"),
        (panel(contained=[bare()]), "2026-03-09"),
    ],
)
def test_a_contained_result_without_a_time_has_the_time_of_its_report(resource, day) -> None:
    reading = results(resource)
    assert value_of(reading, "potassium") == "6.8 mmol/L"
    assert reading.series["potassium"].newest(Worse.LOW).result.day.isoformat() == day


def test_a_partial_report_is_preliminary_and_one_of_another_patient_is_refused() -> None:
    preliminary = results(report(bare(), status="partial"))
    assert preliminary.series["potassium"].newest(Worse.LOW).tentative is not None
    assert results(report(bare(), subject={"reference": "Patient/other"})).series == {}
    assert results(report(bare(), status="entered-in-error")).series == {}


@pytest.mark.parametrize(
    ("words", "unit", "is_read"),
    [
        ("Potassium [Moles/volume] in Capillary blood", "mmol/L", True),
        ("Potassium POC", "meq/L", True),
        ("Potassium [Moles/volume] in Urine", "mmol/L", False),
        ("Potassium [Moles/volume] in Body fluid", "mmol/L", False),
        ("Potassium", "mL/min", False),
    ],
)
def test_an_unlisted_loinc_code_is_read_by_its_words_if_the_unit_agrees(
    words, unit, is_read
) -> None:
    coding = {"coding": [{"system": "http://loinc.org", "code": "99999-8", "display": words}]}
    reading = results(lab(value=6.8, unit=unit, code=coding))
    assert (value_of(reading, "potassium") is not None) == is_read
    assert reading.record.problems == ()


@pytest.mark.parametrize(
    "coding",
    [
        [{"system": SNOMED, "code": "365760004", "display": "Finding of potassium level"}],
        [{"system": "http://www.ama-assn.org/go/cpt", "code": "84999"}],
        [{"system": "urn:oid:1.2.3.4", "code": "K1"}, {"system": SNOMED, "code": "365760004"}],
        [{"system": "http://read.info/readv2", "code": "44I4."}],
    ],
)
def test_words_are_read_with_any_unlisted_code(coding) -> None:
    reading = results(lab(value=6.8, code={"coding": coding, "text": "Serum potassium"}))
    assert value_of(reading, "potassium") == "6.8 mmol/L"


IDENTIFIER = [{"system": "urn:lab", "value": "ORDER-7"}]


def test_an_order_number_links_no_results_of_different_times() -> None:
    first = lab(value=6.8, id="a", status="preliminary", identifier=IDENTIFIER)
    later = lab(value=4.1, id="b", identifier=IDENTIFIER, effectiveDateTime="2026-03-01T08:00:00Z")
    found = results(first, later).series["potassium"].newest(Worse.HIGH)
    assert found.tentative is not None
    same = lab(value=4.1, id="b", identifier=IDENTIFIER)
    assert results(first, same).series["potassium"].newest(Worse.HIGH).tentative is None


@pytest.mark.parametrize(
    ("members", "remarks"),
    [
        ({"note": [{"text": "Sample haemolysed"}]}, ("haemolysed",)),
        ({"note": [{"text": "Moderate hemolysis, interpret with care"}]}, ("haemolysed",)),
        ({"note": [{"text": "Haemolysis index 3+"}]}, ("haemolysed",)),
        ({"interpretation": [{"text": "hemolyzed specimen"}]}, ("haemolysed",)),
        ({"note": [{"text": "Lipaemic. Clotted sample"}]}, ("lipaemic", "clotted")),
        ({"note": [{"text": "Possible EDTA contamination"}]}, ("contaminated",)),
        ({"note": [{"text": "Received in wrong tube"}]}, ("contaminated",)),
        ({"note": [{"text": "No haemolysis"}]}, ()),
        ({"note": [{"text": "Not haemolysed"}]}, ()),
        ({"note": [{"text": "Haemolysis index: normal"}]}, ()),
        ({"note": [{"text": "Hemolysis: none"}]}, ()),
        ({"note": [{"text": "No clot seen"}]}, ()),
        ({"note": "free text, not a list"}, ()),
        ({}, ()),
    ],
)
def test_remarks_on_the_sample(members, remarks) -> None:
    found = results(lab(value=6.8, **members)).series["potassium"].newest(Worse.HIGH)
    shown = found.tentative if remarks else found.result
    assert shown.remarks == remarks


@pytest.mark.parametrize(
    ("comparator", "exact"), [("=", True), (None, True), (">", False), ("<=", False)]
)
def test_an_equals_sign_is_exact(comparator, exact) -> None:
    quantity = {"value": 6.8, "unit": "mmol/L", "comparator": comparator}
    found = results(lab(valueQuantity=quantity)).series["potassium"].newest(Worse.HIGH)
    assert found.result.value.exact == exact


@pytest.mark.parametrize("comparator", ["==", "ad", "~", "about", 7])
def test_an_unknown_comparator_is_reported(comparator) -> None:
    quantity = {"value": 6.8, "unit": "mmol/L", "comparator": comparator}
    found = results(lab(valueQuantity=quantity)).series["potassium"].newest(Worse.HIGH)
    assert found.result is None
    assert found.unusable[0].kind == "comparator"


def limits(low: object, high: object, words: str = "", kind: str = "") -> list[dict]:
    limits_given: dict[str, object] = {"low": {"value": low, "unit": "mmol/L"}}
    limits_given["high"] = {"value": high, "unit": "mmol/L"}
    if words:
        limits_given["text"] = words
    if kind:
        limits_given["type"] = {"coding": [{"code": kind}]}
    return [limits_given]


@pytest.mark.parametrize(
    ("stated", "low"),
    [
        (limits(3.6, 5.2), "3.6"),
        (limits(3.6, 5.2, "Normal range adult"), "3.6"),
        (limits(3.6, 5.2, kind="normal"), "3.6"),
        (limits(2.5, 6.5, "Critical range"), None),
        (limits(3.6, 5.2, "panic values"), None),
        (limits(3.6, 5.2, "Therapeutic target"), None),
        (limits(3.6, 5.2, "Alert limits"), None),
        (limits(3.6, 5.2, kind="therapeutic"), None),
        (limits(3.6, 5.2, "Recommended before dialysis (pre-dialysis)"), None),
        (limits(2.5, 6.5), None),
        (limits(3.6, 8.0), None),
    ],
)
def test_only_a_normal_and_plausible_range_is_a_limit(stated, low) -> None:
    found = results(lab(value=3.3, referenceRange=stated)).series["potassium"].newest(Worse.LOW)
    assert found.result is not None
    assert (None if found.result.range_low is None else str(found.result.range_low)) == low


NESTED_RESULT = lab(id="k", value=6.8)


@pytest.mark.parametrize(
    "more",
    [
        {"component": [[part(concept("2823-3"), 6.8)]]},
        {"component": [{"code": concept("2823-3"), "valueQuantity": {}}, [[{"code": 7}]]]},
        {"component": ["code: potassium, 6.8"]},
        {"contained": [fhir.searchset(NESTED_RESULT)]},
        {"contained": [fhir.resource("DiagnosticReport", contained=[NESTED_RESULT])]},
        {"contained": [fhir.resource("Parameters", parameter=[{"resource": NESTED_RESULT}])]},
    ],
    ids=str,
)
def test_results_nested_too_deeply_are_reported(more) -> None:
    observation = panel() | more
    for page in ([observation], [report(**more)] if "contained" in more else [observation]):
        found = {problem.kind for problem in results(*page).record.problems}
        assert "unreadable" in found
        withdrawn = [each | {"status": "entered-in-error"} for each in page]
        assert results(*withdrawn).record.problems == ()


@pytest.mark.parametrize(
    "contained",
    [fhir.specimen(name="s"), fhir.resource("Device"), 7, {"id": "x"}],
    ids=str,
)
def test_contained_resources_that_are_not_results_are_not_reported(contained) -> None:
    observation = panel(part(concept("2823-3"), 6.8), contained=[contained])
    assert results(observation).record.problems == ()
