"""Results with an ambiguous name or code: read if it is clear what they are, reported if not."""

from __future__ import annotations

import pytest

from cds_service.core.facts import Kind
from cds_service.core.series import Worse
from tests.fhir_reading.records import UCUM, concept, kinds, lab, read, result, results
from tests.fhir_reading.test_places import panel, part
from tests.testing.fhir import report, searchset, specimen

LOCAL = "https://lab.example/codes"
CRITICAL = [{"coding": [{"code": "HH"}]}]


@pytest.mark.parametrize(
    ("name", "analyte"),
    [
        ("Potassium (BEAKER)", "potassium"),
        ("Potassium, S", "potassium"),
        ("POTASSIUM:SCNC:PT:SER/PLAS:QN", "potassium"),
        ("K (mmol/L)", "potassium"),
        ("U&E - Potassium", "potassium"),
        ("Kalium i.S.", "potassium"),
        ("Kalium (Serum)", "potassium"),
        ("Kalium (ISE indirekt)", "potassium"),
        ("Potassium post dialysis", "potassium"),
        ("Potassium (repeat)", "potassium"),
        ("Potas w surowicy", "potassium"),
        ("Potasio sérico", "potassium"),
        ("P—Kalium; stofk.", "potassium"),
        ("Natrium im Serum", "sodium"),
        ("Sodium - External Lab", "sodium"),
        ("Sodio, plasma", "sodium"),
        ("Magnésium plasmatique", "magnesium"),
        ("Mg SerPl-mCnc", "magnesium"),
        ("Magnesium, venous blood gas", "magnesium"),
        ("Kreatinin (Jaffé)", "creatinine"),
        ("Creatinine, POCT", "creatinine"),
        ("Hämoglobin", "hemoglobin"),
        ("Hgb - historical", "hemoglobin"),
        ("Thrombozyten", "platelets"),
        ("Glomeruläre Filtrationsrate (MDRD)", "egfr"),
    ],
)
def test_words_that_only_describe_the_method_do_not_hide_the_analyte(
    name: str, analyte: str
) -> None:
    values = {"hemoglobin": (13, "g/dL"), "platelets": (250, "10*9/L"), "sodium": (140, "mmol/L")}
    values |= {"creatinine": (1, "mg/dL"), "magnesium": (0.8, "mmol/L"), "egfr": (70, "mL/min")}
    value, unit = values.get(analyte, (4.1, "mmol/L"))
    for code in ({"text": name}, {"coding": [{"system": LOCAL, "code": "x", "display": name}]}):
        assert result(lab(code=code, value=value, unit=unit), analyte=analyte)


@pytest.mark.parametrize(
    "name", ["Potassium 1", "Potassium trend", "Potassium, ward 7", "Delta check potassium"]
)
def test_an_ambiguous_name_is_reported(name: str) -> None:
    reading = results(lab(code={"text": name}, interpretation=CRITICAL))
    assert "potassium" not in reading.series
    (problem,) = reading.record.problems
    assert (problem.kind, problem.about, problem.critical) == ("unknown-name", "potassium", True)
    assert problem.when is not None


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Potassium, urine", "mmol/L"),
        ("Kalium im Urin", "mmol/L"),
        ("Potassium in dialysis bath", "mmol/L"),
        ("Sodium, drain fluid", "mmol/L"),
        ("Potassium chloride given", "mg"),
        ("Potassium supplement", "mmol"),
        ("Mean corpuscular haemoglobin concentration", "g/dL"),
        ("Transtubular potassium gradient", "mmol/L"),
        ("Cord blood haemoglobin", "g/dL"),
    ],
)
def test_another_quantity_is_ignored(name: str, unit: str) -> None:
    reading = results(lab(code={"text": name}, unit=unit))
    assert (dict(reading.series), kinds(reading)) == ({}, [])


@pytest.mark.parametrize(
    ("unit", "read_by_words"), [("furlong", True), ("mL/min", False), ("%", False)]
)
def test_an_unlisted_loinc_code_with_an_unknown_unit_is_reported(
    unit: str, read_by_words: bool
) -> None:
    code = {"coding": [{"system": "http://loinc.org", "code": "99999-8", "display": "Potassium"}]}
    reading = results(lab(code=code, unit=unit))
    assert ("potassium" in reading.series) is read_by_words
    if read_by_words:
        (problem,) = reading.series["potassium"].newest(Worse.LOW).unusable
        assert problem.kind == "unknown-unit"


def test_each_analyte_that_a_name_could_mean_is_reported() -> None:
    reading = results(lab(code={"text": "Sodium corrected for glucose"}))
    assert {problem.about for problem in reading.record.problems} == {"glucose", "sodium"}


@pytest.mark.parametrize("name", ["血钾", "Калий", "カリウム", "בוטסיום"])
def test_a_name_in_a_script_that_is_not_read_is_reported(name: str) -> None:
    assert kinds(results(lab(code={"text": name}))) == [("unknown-code", "Observation/o1")]
    assert kinds(results(lab(code={"text": name}, value=71, unit="kg"))) == []
    assert result(lab(code=concept("2823-3", words=name)))


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "registered"])
def test_a_withdrawn_result_is_not_reported_for_its_name(status: str) -> None:
    assert kinds(results(lab(code={"text": "Potassium 1"}, status=status))) == []


@pytest.mark.parametrize(
    "code",
    [
        {"coding": [{"system": LOCAL, "code": "4711"}]},
        {"coding": [{"system": LOCAL, "code": "4711", "display": "4711"}], "text": "4711"},
        {"coding": [{"code": "K01"}]},
        {"coding": [{"system": "urn:oid:1.2.208.176.2.1", "code": "NPU03230"}]},
    ],
)
def test_a_code_of_an_unlisted_system_without_words_is_reported_where_the_unit_fits(code) -> None:
    assert kinds(results(lab(code=code))) == [("unknown-code", "Observation/o1")]
    assert kinds(results(lab(code=code, value=71, unit="kg"))) == []
    observation = panel(part(code, 6.8))
    assert kinds(results(observation)) == [("unknown-code", "Observation/o1")]


@pytest.mark.parametrize("system", ["LOINC", "LN", "loinc", "https://loinc.org/", None])
def test_loinc_is_recognised_by_its_bare_name_or_its_format(system: str | None) -> None:
    coding = {"code": "2823-3"} | ({"system": system} if system else {})
    assert result(lab(code={"coding": [coding]})).reported == "4.1 mmol/L"


def test_a_code_with_a_wrong_check_digit_and_no_system_is_not_loinc() -> None:
    assert kinds(results(lab(code={"coding": [{"code": "2823-4"}]})))


@pytest.mark.parametrize("value", [{"component": part(concept("2823-3"), 6.8)}])
def test_a_single_component_instead_of_a_list(value) -> None:
    assert result(panel() | value).reported == "6.8 mmol/L"


@pytest.mark.parametrize("code", [None, {}, {"coding": []}])
def test_a_component_with_a_value_and_no_code_is_reported(code) -> None:
    component = {"code": code, "valueQuantity": {"value": 6.8, "unit": "mmol/L", "system": UCUM}}
    assert kinds(results(panel(component))) == [("unreadable", "Observation/o1")]
    assert kinds(results(panel(component, status="cancelled"))) == []


def test_components_of_a_contained_result_are_read() -> None:
    observation = panel(part(concept("2823-3"), 6.8))
    assert result(report(observation)).reported == "6.8 mmol/L"
    assert result(panel(contained=[observation])).reported == "6.8 mmol/L"


@pytest.mark.parametrize("status", ["unknown", None])
def test_components_of_a_contained_result_of_unknown_status_are_reported(status) -> None:
    reading = results(report(panel(part(concept("2823-3"), 6.8)), status=status))
    assert "potassium" not in reading.series
    assert ("no-status", "DiagnosticReport/d1") in kinds(reading)


def test_a_single_contained_result_instead_of_a_list() -> None:
    assert result(report(contained=lab(value=6.8))).reported == "6.8 mmol/L"
    assert ("unreadable", "DiagnosticReport/d1") in kinds(results(report(contained="lost"), lab()))


@pytest.mark.parametrize("name", ["x", "observatio", "Observation1", "Obs ervation", "検査"])
def test_a_type_that_is_not_a_fhir_type_is_reported(name: str) -> None:
    reading = results(lab(id="o2"), lab(value=6.8) | {"resourceType": name})
    assert [kind for kind, _ in kinds(reading)] == ["unreadable"]


@pytest.mark.parametrize("name", ["observation", "OBSERVATION", "oBservation", " Observation "])
def test_the_case_of_a_resource_type_does_not_matter(name: str) -> None:
    observation = lab() | {"resourceType": name}
    assert result(observation).reported == "4.1 mmol/L"
    assert result(lab(id="o2", value=4.0), observation).reported == "4.0 mmol/L"


@pytest.mark.parametrize("name", ["bundle", "BUNDLE"])
def test_the_case_of_the_type_bundle_does_not_matter(name: str) -> None:
    reading = read({Kind.RESULTS: searchset(lab()) | {"resourceType": name}})
    assert "potassium" in reading.series


OF_URINE = [
    {"display": "Urine"},
    {"reference": "Specimen/1", "display": "Urine, random"},
    {"display": "Body fluid sample"},
    {"display": "Dialysate"},
]


@pytest.mark.parametrize("specimen", OF_URINE, ids=str)
@pytest.mark.parametrize(
    "code", [{"text": "Potassium"}, concept("59573005", "http://snomed.info/sct")]
)
def test_a_result_of_another_specimen_is_another_quantity(code, specimen) -> None:
    reading = results(lab(code=code, specimen=specimen))
    assert (dict(reading.series), kinds(reading)) == ({}, [])


@pytest.mark.parametrize("specimen", OF_URINE, ids=str)
def test_a_specimen_that_contradicts_the_code_is_reported(specimen) -> None:
    reading = results(lab(specimen=specimen))
    assert dict(reading.series) == {}
    assert kinds(reading) == [("specimen", "Observation/o1")]


@pytest.mark.parametrize(
    "specimen",
    [
        {"display": "Venous blood"},
        {"display": "Serum"},
        {"reference": "Specimen/1"},
        {"display": "Blood or body fluid"},
        "Specimen/1",
        None,
    ],
    ids=str,
)
def test_blood_and_unnamed_specimens_are_read(specimen) -> None:
    assert result(lab(code={"text": "Potassium"}, specimen=specimen))


def test_a_contained_specimen_says_what_it_is() -> None:
    for kind, is_read in (("Urine", False), ("Serum", True)):
        contained = [specimen(kind, "s")]
        observation = lab(
            code={"text": "Potassium"}, specimen={"reference": "#s"}, contained=contained
        )
        assert ("potassium" in results(observation).series) is is_read


@pytest.mark.parametrize("code", ["88480006", "312468003", "1000000000000108"])
def test_an_unlisted_snomed_code_alone_is_reported_if_the_unit_fits_an_analyte(code: str) -> None:
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": code}]}
    reading = results(lab(code=coded, value=6.8, interpretation=CRITICAL))
    [problem] = reading.record.problems
    assert (problem.kind, problem.about, problem.critical) == ("unknown-code", "results", True)
    assert results(lab(code=coded, value=70, unit="kg")).record.problems == ()
    named = {"coding": [coded["coding"][0] | {"display": "Chloride"}]}
    assert results(lab(code=named, value=101)).record.problems == ()
