"""Results not measured in blood are refused, and reported if their code says blood."""

from __future__ import annotations

import pytest

from cds_service.core.facts import Kind
from tests.fhir_reading.records import concept, kinds, lab, newest, read, result, results
from tests.fhir_reading.test_places import panel, part
from tests.testing import fhir
from tests.testing.fhir import searchset, specimen

LOINC_K = {"system": "http://loinc.org", "code": "2823-3"}
URINE_SNOMED = {"coding": [{"system": "http://snomed.info/sct", "code": "122575003"}]}
TABLE = "http://terminology.hl7.org/CodeSystem/v2-0487"


@pytest.mark.parametrize(
    "name",
    [
        "U-Kalium", "U-K", "dU-Kalium", "Kalium (U)", "Kalium i.U.", "Kalium/U", "K, U", "U Kalium",
        "Potassium-U", "Kalium (Sammelurin)", "24hU-Kalium", "Potassium, Ur",
    ],
)  # fmt: skip
def test_abbreviated_urine_is_another_specimen_and_is_reported_if_the_code_is_for_blood(
    name,
) -> None:
    by_name = results(lab(code={"text": name}, value=6.8))
    assert (dict(by_name.series), kinds(by_name)) == ({}, [])
    coded = results(lab(code={"text": name, "coding": [LOINC_K]}, value=6.8))
    assert dict(coded.series) == {}
    assert kinds(coded) == [("unknown-name", "Observation/o1")]


@pytest.mark.parametrize(
    "name",
    [
        "S-Kalium", "P-Kalium", "fS-Kalium", "aB-Kalium", "P(aB)-Kalium", "U&E Potassium",
        "U+E: Potassium", "U/E potassium", "Potassium U&E", "Potassium (U&Es)", "U and E Potassium",
        "UEC Potassium", "Dosage du potassium", "du potassium", "K (mmol/L)",
    ],
)  # fmt: skip
def test_prefixes_of_blood_and_names_of_panels_are_not_urine(name) -> None:
    assert result(lab(code={"text": name}, value=6.8), analyte="potassium")


def test_a_unit_in_the_name_is_not_urine() -> None:
    observation = lab(code={"text": "CK (U/L)"}, value=900, unit="U/L")
    assert result(observation, analyte="creatine_kinase")


PANELS = [
    "Urine electrolytes", "Urinalysis", "CSF analysis", "Dialysis fluid",
    "Albumin/creatinine ratio, random urine", "Harnstatus", "UA", "PD effluent",
]  # fmt: skip


@pytest.mark.parametrize("name", PANELS)
def test_the_specimen_named_by_a_panel_applies_to_its_parts(name) -> None:
    code = {"text": name}
    by_words = results(panel(part({"text": "Potassium"}, 6.8, "mmol/L"), code=code))
    assert (dict(by_words.series), kinds(by_words)) == ({}, [])
    coded = results(panel(part({"coding": [LOINC_K]}, 6.8, "mmol/L"), code=code))
    assert dict(coded.series) == {}
    assert kinds(coded) == [("specimen", "Observation/o1")]


@pytest.mark.parametrize("place", ["specimen", "bodySite"])
def test_the_specimen_of_a_panel_applies_to_its_parts(place) -> None:
    specimen_words = {"display": "Urine"} if place == "specimen" else {"text": "Urine"}
    observation = panel(part({"coding": [LOINC_K]}, 6.8, "mmol/L"), code={"text": "Electrolytes"})
    reading = results(observation | {place: specimen_words})
    assert dict(reading.series) == {}
    assert kinds(reading) == [("specimen", "Observation/o1")]


def report(**more):
    contained = lab(code={"coding": [LOINC_K]}, value=6.8)
    return fhir.report(contained, **{"code": None} | more)


@pytest.mark.parametrize(
    "more",
    [
        {"code": {"text": "Urine electrolytes"}},
        {"code": {"text": "Electrolytes"}, "specimen": [{"display": "Urine"}]},
        {"code": {"text": "CSF analysis"}},
    ],
    ids=str,
)
def test_the_specimen_of_a_report_applies_to_its_results(more) -> None:
    reading = read({Kind.RESULTS: searchset(report(**more))})
    assert dict(reading.series) == {}
    assert [kind for kind, _ in kinds(reading)] == ["specimen"]


def test_a_specimen_contained_in_the_report_is_found() -> None:
    urine = specimen("Urine", "s")
    contained_result = lab(code={"coding": [LOINC_K]}, value=6.8, specimen={"reference": "#s"})
    reading = read({Kind.RESULTS: searchset(report(contained=[contained_result, urine]))})
    assert dict(reading.series) == {}
    assert [kind for kind, _ in kinds(reading)] == ["specimen"]


@pytest.mark.parametrize("status", ["cancelled", "registered", "entered-in-error"])
def test_results_in_a_report_that_does_not_count_do_not_count(status) -> None:
    reading = read({Kind.RESULTS: searchset(report(code={"text": "Bloods"}, status=status))})
    assert reading.series == {} or not list(reading.series["potassium"].newest_first())


def test_a_report_on_blood_is_read() -> None:
    reading = read({Kind.RESULTS: searchset(report(code={"text": "Electrolytes"}))})
    assert "potassium" in reading.series


@pytest.mark.parametrize(
    "kind",
    [
        URINE_SNOMED,
        concept("UR", TABLE),
        concept("CSF", TABLE),
        {"text": "Sammelurin"},
        {"text": "24h collection"},
        {"text": "Harn"},
    ],
    ids=str,
)
def test_a_specimen_is_recognised_by_its_code_alone(kind) -> None:
    contained = [specimen(None, "s", type=kind)]
    observation = lab(code={"text": "Potassium"}, specimen={"reference": "#s"}, contained=contained)
    assert dict(results(observation).series) == {}
    coded = lab(code={"coding": [LOINC_K]}, specimen={"reference": "#s"}, contained=contained)
    assert kinds(results(coded)) == [("specimen", "Observation/o1")]


@pytest.mark.parametrize(
    "more", [{"specimen": {"display": "UR"}}, {"bodySite": URINE_SNOMED}], ids=str
)
def test_a_code_is_read_in_place_of_words(more) -> None:
    assert dict(results(lab(code={"text": "Potassium"}, **more)).series) == {}


@pytest.mark.parametrize("name", ["Harnstoff/Kreatinin", "Post dialysis bloods", "U&E"])
def test_a_panel_on_blood_is_read(name) -> None:
    observation = panel(part({"text": "Potassium"}, 6.8, "mmol/L"), code={"text": name})
    assert "potassium" in results(observation).series


def test_a_part_of_the_body_is_not_a_specimen() -> None:
    assert result(lab(code={"text": "Potassium"}, bodySite={"text": "Left arm"}))


@pytest.mark.parametrize("other", ["2828-2", "2829-0"])
def test_codings_of_two_quantities_are_reported(other) -> None:
    codings = [{"system": "http://loinc.org", "code": other}, LOINC_K]
    for ordered in (codings, codings[::-1]):
        reading = results(lab(code={"coding": ordered}, value=6.8))
        assert dict(reading.series) == {}
        assert kinds(reading) == [("unknown-name", "Observation/o1")]


def test_a_component_inside_a_component_is_read_with_its_parent() -> None:
    component = {"code": {"text": "Electrolytes"}}
    component["component"] = [part({"text": "Potassium"}, 6.8, "mmol/L")]
    assert "potassium" in results(panel(component)).series
    component["code"] = {"text": "Urine electrolytes"}
    assert dict(results(panel(component)).series) == {}


NAMELESS = {"coding": [{"system": "urn:oid:1.2.3", "code": "K1", "display": "Potassium"}]}
BY_WORDS = [
    {"category": [{"text": "Urinalysis"}]},
    {"category": [{"coding": [{"code": "laboratory"}]}, {"text": "Urine chemistry"}]},
    {"category": [{"coding": [{"code": "UA", "display": "UA"}]}]},
    {"category": [{"text": "Body fluid"}]},
    {"method": {"text": "24 h urine collection"}},
    {"method": {"coding": [{"display": "Urine ion selective electrode"}]}},
    {"method": {"text": "Liquor"}},
]


@pytest.mark.parametrize("more", BY_WORDS, ids=str)
def test_category_and_method_give_the_specimen_when_the_code_does_not(more) -> None:
    found = newest(results(lab(code=NAMELESS, value=9.5, **more)))
    assert (found.result, [problem.kind for problem in found.unusable]) == (None, ["specimen"])
    observation = panel(part(NAMELESS, 9.5, "mmol/L"), code={"text": "Electrolytes"}, **more)
    found = newest(results(observation))
    assert (found.result, [problem.kind for problem in found.unusable]) == (None, ["specimen"])


@pytest.mark.parametrize(
    "more",
    [
        {"category": [{"coding": [{"code": "laboratory", "display": "Laboratory"}]}]},
        {"category": [{"text": "Chemistry"}], "method": {"text": "Ion selective electrode"}},
        {"category": [{"text": "Blood, urine and fluids"}]},
        {"category": 7, "method": "x"},
        {},
    ],
    ids=str,
)
def test_category_and_method_without_a_specimen_have_no_effect(more) -> None:
    assert result(lab(code=NAMELESS, value=9.5, **more)).reported == "9.5 mmol/L"


def test_a_serum_code_outranks_the_category_but_not_the_method() -> None:
    assert result(lab(category=[{"text": "Urinalysis"}]))
    assert newest(results(lab(method={"text": "Urine, 24 h"}))).result is None


POINTERS = [
    ({"reference": "Specimen/s1"}, {}),
    ({"reference": "https://ehr.example/fhir/Specimen/s1"}, {}),
    ({"reference": "urn:uuid:5e"}, {"fullUrl": "urn:uuid:5e"}),
    ({"reference": "#s1"}, None),
]


@pytest.mark.parametrize(("pointer", "entry"), POINTERS, ids=str)
def test_a_specimen_that_was_sent_gives_its_type_and_condition(pointer, entry) -> None:
    def read_with(**more: object):
        observation = lab(code=NAMELESS, value=6.8, specimen=pointer)
        if entry is None:
            return results(observation | {"contained": [specimen(**more)]})
        page = searchset(observation)
        page["entry"].append({"resource": specimen(**more), **entry})
        return read({Kind.RESULTS: page})

    assert dict(read_with(type={"text": "Urine"}).series) == {}
    assert newest(read_with(type={"text": "Serum"})).result.remarks == ()
    for state in ({"coding": [{"code": "HEM"}]}, {"text": "grossly haemolysed"}):
        assert newest(read_with(condition=[state])).tentative.remarks == ("haemolysed",)
    assert newest(read_with(note=[{"text": "Clotted"}])).tentative.remarks == ("clotted",)
    assert newest(read_with(condition=[{"coding": [{"code": "COOL"}]}])).result.remarks == ()
