"""Values, units, comparators and ranges of results."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from cds_service.core.facts import Kind
from tests.fhir_reading.records import (
    EGFR,
    HEMOGLOBIN,
    MAGNESIUM,
    UCUM,
    concept,
    lab,
    newest,
    problem,
    raw_results,
    read,
    result,
    results,
)
from tests.testing.fhir import patient, searchset


def quantity(**members: object) -> dict[str, object]:
    return lab(valueQuantity=members)


def test_a_value_keeps_its_decimals_and_its_unit() -> None:
    page = b'{"resourceType":"Bundle","entry":[{"resource":%s}]}'
    body = (
        b'{"resourceType":"Observation","id":"o1","status":"final","effectiveDateTime":"2026-03-09"'
        b',"subject":{"reference":"Patient/p1"},"code":{"coding":[{"system":"http://loinc.org",'
        b'"code":"19123-9"}]},"valueQuantity":{"value":1.20,"unit":"mg/dL"}}'
    )
    found = newest(raw_results(page % body), "magnesium")
    assert found.result is not None
    assert found.result.value.low == Decimal("1.20")
    assert found.result.decimals == 2
    assert found.result.reported == "1.20 mg/dL"
    assert found.result.unit.name == "mg/dL"


@pytest.mark.parametrize(
    ("comparator", "low", "high", "low_open", "high_open"),
    [
        ("<", None, "3.0", False, True),
        ("<=", None, "3.0", False, False),
        (">", "3.0", None, True, False),
        (">=", "3.0", None, False, False),
    ],
)
def test_a_comparator_becomes_an_interval(comparator, low, high, low_open, high_open) -> None:
    value = result(quantity(value=3.0, unit="mmol/L", comparator=comparator)).value
    assert value.low == (None if low is None else Decimal(low))
    assert value.high == (None if high is None else Decimal(high))
    assert (value.low_open, value.high_open) == (low_open, high_open)


@pytest.mark.parametrize(
    ("members", "kind", "word"),
    [
        ({"value": 4, "unit": "mmol/L", "comparator": "ad"}, "comparator", "ad"),
        ({"value": 4, "unit": "mmol/L", "comparator": "~"}, "comparator", "~"),
        ({"value": 4, "unit": "mmol/L", "comparator": 7}, "comparator", "?"),
        ({"value": "4.1", "unit": "mmol/L"}, "not-a-number", "text"),
        ({"value": True, "unit": "mmol/L"}, "not-a-number", "number"),
        ({"value": [4], "unit": "mmol/L"}, "not-a-number", "number"),
        ({"value": None, "unit": "mmol/L"}, "no-value", "no value"),
        ({"unit": "mmol/L"}, "no-value", "no value"),
        ({"value": 4}, "no-unit", "no unit"),
        ({"value": 4, "unit": " "}, "no-unit", "no unit"),
        ({"value": 4, "unit": "mg%"}, "unknown-unit", "mg%"),
        ({"value": 4, "unit": "MMOL/L"}, "unknown-unit", "MMOL/L"),
        ({"value": 4, "unit": "mmol/L", "code": "furlong", "system": UCUM}, "unknown-unit", "furl"),
        ({"value": 4, "code": "mmol/L", "system": "urn:local"}, "unknown-unit", "mmol/L"),
        (
            {"value": 4, "unit": 7, "code": "mmol/L", "system": "urn:local"},
            "unknown-unit",
            "mmol/L",
        ),
        ({"value": 4, "unit": "furlongs" * 9}, "unknown-unit", f"{('furlongs' * 9)[:29]}… is"),
        ({"value": 4, "unit": "mmol/L", "comparator": "nearly" * 9}, "comparator", "nearlynea… "),
        ({"value": 41, "unit": "mmol/L"}, "implausible", "41 mmol/L"),
        ({"value": -4.1, "unit": "mmol/L"}, "implausible", "-4.1"),
        ({"value": 0, "unit": "mmol/L"}, "implausible", "0 mmol/L"),
        ({"value": 12.01, "unit": "mmol/L"}, "implausible", "12.01"),
        ({"value": 50, "unit": "mmol/L", "comparator": "<"}, "implausible", "50"),
    ],
    ids=str,
)
def test_an_unusable_value_says_why(members, kind, word) -> None:
    found = problem(lab(valueQuantity=members))
    assert found.kind == kind
    assert word in found.reason
    assert found.about == "potassium"
    assert found.source.reference == "Observation/o1"
    assert found.source.origin == "prefetch.results"


@pytest.mark.parametrize("number", ["1e400", "1e31", "4.1e-40", "1" * 5000, "1E+999999999"])
def test_an_absurd_number_is_not_usable_and_takes_no_time(number) -> None:
    content = searchset(lab(value=1234))
    page = json.dumps(content).replace("1234", number).encode()
    found = newest(raw_results(page))
    assert found.result is None
    assert found.unusable[0].kind == "not-a-number"


@pytest.mark.parametrize(
    ("members", "unit"),
    [
        ({"code": "mmol/L", "system": UCUM}, "mmol/L"),
        ({"code": "mmol/L", "system": UCUM + "/"}, "mmol/L"),
        ({"code": "meq/L", "unit": "mEq/L", "system": UCUM}, "mEq/L"),
        ({"code": "mmol/L"}, "mmol/L"),
        ({"unit": "mEq/L"}, "mEq/L"),
        ({"unit": " mmol/l "}, "mmol/L"),
        ({"code": "258813002", "unit": "mmol/L", "system": "http://snomed.info/sct"}, "mmol/L"),
        ({"code": "local-7", "unit": "mmol/L"}, "mmol/L"),
        ({"code": "", "unit": "mmol/L", "system": UCUM}, "mmol/L"),
        ({"code": 5, "unit": "mmol/L", "system": UCUM}, "mmol/L"),
        ({"code": "mmol/L", "unit": "?", "system": "https://unitsofmeasure.org"}, "mmol/L"),
        ({"code": "mmol/L", "unit": "?", "system": "urn:oid:2.16.840.1.113883.6.8"}, "mmol/L"),
        ({"code": "mmol/L", "unit": 7, "system": UCUM}, "mmol/L"),
    ],
    ids=str,
)
def test_the_unit_is_the_ucum_code_or_else_the_text(members, unit) -> None:
    assert result(lab(valueQuantity={"value": 4} | members)).unit.name == unit


@pytest.mark.parametrize("unit", ["umol/L", "µmol/L", "μmol/L"])
def test_the_micro_sign_counts_in_both_code_points(unit) -> None:
    found = result(lab("2160-0", 88, unit), analyte="creatinine")
    assert found.canonical.startswith("1.0")


def test_haemoglobin_below_the_plausible_minimum_of_its_unit_is_refused() -> None:
    found = problem(lab(HEMOGLOBIN, 2.2, "mmol/L"), analyte="hemoglobin")
    assert found.kind == "ambiguous-unit"
    assert "tetramer" in found.reason


@pytest.mark.parametrize(
    ("members", "kind", "words"),
    [
        ({"valueString": "4.1 mmol/L"}, "not-a-number", "its value is text, not a number"),
        ({"valueInteger": 4}, "not-a-number", "a number without a unit"),
        ({"valueDecimal": 4.1}, "not-a-number", "a number without a unit"),
        ({"valueCodeableConcept": {"text": "high"}}, "not-a-number", "a code"),
        ({"valueRange": {"low": {"value": 3}}}, "not-a-number", "a range"),
        ({"valueRatio": {"numerator": {"value": 3}}}, "not-a-number", "a ratio"),
        ({"valueSampledData": {"dimensions": 1}}, "not-a-number", "sampled data"),
        ({"valueAttachment": {"title": "scan"}}, "not-a-number", "an attachment"),
        ({"valueSomethingNew": 4}, "not-a-number", "its value is not a number with a unit"),
        ({"component": [{"code": concept("2823-3")}]}, "no-value", "it has no value"),
        ({"component": [{"code": concept("2951-2")}]}, "no-value", "only components"),
        ({}, "no-value", "it has no value"),
        ({"dataAbsentReason": {"text": "haemolysed"}}, "no-value", "dataAbsentReason"),
        ({"valueQuantity": None, "valueBoolean": False}, "not-a-number", "yes or no"),
        ({"valueQuantity": "4.1 mmol/L"}, "unreadable", "cannot be read"),
        ({"valueQuantity": [{"value": 4.1, "unit": "mmol/L"}]}, "unreadable", "cannot be read"),
    ],
    ids=str,
)
def test_only_a_quantity_is_a_value(members, kind, words) -> None:
    base = {key: value for key, value in lab().items() if key != "valueQuantity"}
    found = problem(base | members)
    assert found.kind == kind
    assert words in found.reason


def test_a_value_with_a_reason_for_its_absence_is_not_used() -> None:
    assert problem(lab(dataAbsentReason=concept("error"))).kind == "no-value"


LOW = {"value": 3.5, "unit": "mmol/L", "code": "mmol/L", "system": UCUM}
HIGH = {"value": 5.1, "unit": "mmol/L"}


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([{"low": LOW, "high": HIGH}], ("3.5", "5.1")),
        ([{"low": LOW}], ("3.5", None)),
        ([{"high": HIGH}], (None, "5.1")),
        ([{"low": {"value": 3.4}, "high": {"value": 5}}], ("3.4", "5")),
        ([{"low": {"value": 3.45, "unit": "mmol/L"}}], ("3.45", None)),
        ([{"low": LOW, "type": {"coding": [{"code": "normal"}]}}], ("3.5", None)),
        ([{"low": LOW, "type": {"coding": [{"code": "therapeutic"}]}}], (None, None)),
        ([{"low": LOW, "meaning": {"coding": [{"code": "critical"}]}}], (None, None)),
        ([{"low": LOW, "appliesTo": [{"text": "pregnant"}]}], (None, None)),
        ([{"low": LOW, "appliesTo": []}], ("3.5", None)),
        ([{"low": LOW, "age": {"low": {"value": 18}}}], ("3.5", None)),
        ([{"low": LOW}, {"low": {"value": 3.3}}], (None, None)),
        ([{"low": LOW}, {"low": LOW, "type": {"text": "panic"}}], ("3.5", None)),
        ([{"low": LOW}, {"text": "3.5 to 5.1"}], ("3.5", None)),
        ([{"low": LOW | {"unit": "stones", "code": "st"}}], (None, None)),
        ([{"low": {"value": "3.5"}}], (None, None)),
        ([{"low": {"value": 3.9}, "high": {"value": 3.6}}], (None, None)),
        ({"low": LOW}, ("3.5", None)),
        ("3.5-5.1", (None, None)),
        ([None, 5, []], (None, None)),
    ],
    ids=str,
)
def test_the_laboratorys_own_range(ranges, expected) -> None:
    found = result(lab(referenceRange=ranges))
    limits = tuple(None if bound is None else Decimal(bound) for bound in expected)
    assert (found.range_low, found.range_high) == limits


@pytest.mark.parametrize(
    ("ages", "birth", "low"),
    [
        ({"low": {"value": 70, "unit": "a"}}, "1970-01-01", None),
        ({"low": {"value": 50, "unit": "years"}}, "1970-01-01", "3.3"),
        ({"high": {"value": 60, "unit": "yr"}}, "1970-01-01", "3.3"),
        ({"high": {"value": 55, "code": "a"}}, "1970-01-01", None),
        ({"low": {"value": 600, "unit": "months"}}, "1970-01-01", "3.3"),
        ({"high": {"value": 28, "unit": "d"}}, "1970-01-01", None),
        ({"low": {"value": 18, "unit": "a"}}, None, "3.3"),
        ({"low": {"value": 60, "unit": "a"}}, None, None),
        ({"high": {"value": 60, "unit": "a"}}, None, None),
        ({"low": {"value": 18, "unit": "moons"}}, "1970-01-01", None),
        ({"low": {"value": "18", "unit": "a"}}, "1970-01-01", None),
        ({}, "1970-01-01", None),
    ],
)
def test_a_range_by_age_counts_only_at_that_age(ages, birth, low) -> None:
    ranges = [{"low": {"value": 3.3, "unit": "mmol/L"}, "age": ages}]
    pages = {Kind.PATIENT: patient(born=birth), Kind.RESULTS: searchset(lab(referenceRange=ranges))}
    found = newest(read(pages)).result
    assert found.range_low == (low and Decimal(low))


def test_of_several_ranges_by_age_the_one_for_the_patient_counts() -> None:
    ranges = [
        {"low": {"value": low}, "age": {"low": {"value": min_age, "unit": "a"}, "high": high}}
        for low, min_age, high in (
            (3.0, 0, {"value": 17, "unit": "a"}),
            (3.4, 18, {"value": 64, "unit": "a"}),
            (3.2, 65, {"value": 120, "unit": "a"}),
        )
    ]
    for birth, low in (("2010-01-01", "3.0"), ("1970-01-01", "3.4"), ("1950-01-01", "3.2")):
        person, observation = patient(born=birth), lab(referenceRange=ranges)
        pages = {Kind.PATIENT: person, Kind.RESULTS: searchset(observation)}
        assert newest(read(pages)).result.range_low == Decimal(low)


@pytest.mark.parametrize(
    "words", ["Kritisch", "Therapeutischer Bereich", "2nd trimester", "Newborn", "Panikwerte"]
)
def test_a_range_of_another_kind_in_other_words_is_not_a_limit(words: str) -> None:
    ranges = [{"low": {"value": 3.3}, "high": {"value": 5.5}, "text": words}]
    assert result(lab(referenceRange=ranges)).range_low is None


@pytest.mark.parametrize("unit", ["mmol / L", "mEq /L", "mmol/litre"])
def test_spaces_in_a_unit_do_not_matter(unit: str) -> None:
    assert result(lab(valueQuantity={"value": 4.1, "unit": unit}))


def test_a_range_in_another_unit_is_converted_to_the_unit_of_the_value() -> None:
    limits = [{"low": {"value": 0.70, "unit": "mmol/L"}, "high": {"value": 1.05, "unit": "mmol/L"}}]
    found = result(lab(MAGNESIUM, 1.65, "mg/dL", referenceRange=limits), analyte="magnesium")
    assert (found.range_low, found.range_high) == (Decimal("1.70"), Decimal("2.55"))


def test_a_range_is_converted_with_the_offset_of_its_unit_and_one_decimal_at_least() -> None:
    limits = [{"low": {"value": 4.0, "unit": "%"}, "high": {"value": 6.0, "unit": "%"}}]
    found = result(lab("4548-4", 48, "mmol/mol", referenceRange=limits), analyte="hba1c")
    assert (str(found.range_low), str(found.range_high)) == ("20.2", "42.1")


def test_the_same_range_of_another_analyte_is_converted_by_the_factor_of_that_analyte() -> None:
    limits = [{"high": {"value": 5.1, "unit": "mmol/L"}}]
    sodium = lab("2951-2", 140, "mmol/L", referenceRange=limits)
    assert result(sodium, analyte="sodium").range_high == Decimal("5.1")
    potassium = lab(value=16.0, unit="mg/dL", referenceRange=limits)
    assert result(potassium).range_high == Decimal("19.9")


def test_a_range_that_contradicts_the_unit_makes_the_result_unusable() -> None:
    limits = [{"low": {"value": 1.7, "unit": "mmol/L"}, "high": {"value": 2.6, "unit": "mmol/L"}}]
    found = problem(lab(MAGNESIUM, 1.5, "mmol/L", referenceRange=limits), analyte="magnesium")
    assert found.kind == "contradicting-range"
    assert "1.7" in found.reason


@pytest.mark.parametrize(
    ("code", "method"),
    [("98979-8", "race_free_2021"), ("48642-3", "race_coefficient"), ("33914-3", "other")],
)
def test_an_egfr_states_its_equation(code, method) -> None:
    found = result(lab(code, 55, "mL/min/{1.73_m2}"), analyte="egfr")
    assert found.method == method


def test_other_results_have_no_method() -> None:
    assert result(lab()).method == ""


def test_a_code_that_no_rule_reads_gives_no_series() -> None:
    reading = results(lab("8302-2", 170, "cm"))
    assert reading.series == {}
    assert reading.record.problems == ()
    assert reading.entries == 1


def test_every_coding_of_a_code_is_tried() -> None:
    code = {"coding": [{"system": "urn:lab", "code": "K"}, {}, *concept("2823-3")["coding"]]}
    assert result(lab(code=code)).analyte.key == "potassium"


def test_plain_volume_per_time_counts_for_an_egfr() -> None:
    assert result(lab(EGFR, 28, "mL/min"), analyte="egfr").value.low == Decimal(28)


def test_a_result_without_a_listed_code_is_recognised_by_its_text() -> None:
    assert result(lab(code={"text": "Potassium, serum"})).analyte.key == "potassium"
    assert results(lab(code={"text": "Potassium, urine"})).series == {}
