"""Typed codes reject malformed values; spellings in records are normalised."""

from __future__ import annotations

import pytest

from cds_service.terminology.codes import (
    ATC,
    CPT,
    ICD10CM,
    LOINC,
    RXNORM,
    SNOMED,
    CodeError,
    category_of,
    normal_key,
    normal_system,
    parse_code,
)

GOOD = [
    (LOINC, "2823-3"),
    (LOINC, "19123-9"),
    (SNOMED, "449917004"),
    (SNOMED, "1082601000119104"),
    (ICD10CM, "G47.62"),
    (ICD10CM, "M31.10"),
    (ICD10CM, "E11.-"),
    (ICD10CM, "I70.2-"),
    (ICD10CM, "Z3A.-"),
    (RXNORM, "9071"),
    (ATC, "M09AA"),
    (ATC, "A12CC10"),
    (ATC, "V"),
    (CPT, "83735"),
]


@pytest.mark.parametrize(("system", "code"), GOOD, ids=[code for _, code in GOOD])
def test_a_well_formed_code_is_accepted(system: str, code: str) -> None:
    parsed = parse_code(system, code)
    assert parsed == code
    assert parsed.system == system


BAD = [
    ("a wrong LOINC check digit", LOINC, "2823-4"),
    ("LOINC without its check digit", LOINC, "2823"),
    ("LOINC with a space", LOINC, " 2823-3"),
    ("a wrong SNOMED check digit", SNOMED, "449917005"),
    ("SNOMED digits swapped", SNOMED, "494917004"),
    ("SNOMED too short", SNOMED, "12345"),
    ("ICD-10 without its dot", ICD10CM, "E1142"),
    ("ICD-10 ending in a dot", ICD10CM, "E11."),
    ("ICD-10 in small letters", ICD10CM, "e11.42"),
    ("RxNorm with letters", RXNORM, "RX9071"),
    ("ATC of six characters", ATC, "C03CA0"),
    ("ATC of two characters", ATC, "C0"),
    ("CPT of four digits", CPT, "8373"),
    ("an empty code", RXNORM, ""),
    ("an unknown system", "urn:local", "1"),
]


@pytest.mark.parametrize(("what", "system", "code"), BAD, ids=[row[0] for row in BAD])
def test_a_malformed_code_is_refused_with_a_remedy(what: str, system: str, code: str) -> None:
    with pytest.raises(CodeError) as refused:
        parse_code(system, code)
    assert refused.value.what
    assert refused.value.fix


SYSTEMS = [
    ("urn:oid:2.16.840.1.113883.6.88", RXNORM),
    ("urn:oid:2.16.840.1.113883.6.96", SNOMED),
    ("urn:oid:2.16.840.1.113883.6.1", LOINC),
    ("urn:oid:2.16.840.1.113883.6.90", ICD10CM),
    ("http://hl7.org/fhir/sid/icd-10", ICD10CM),
    ("https://loinc.org/", LOINC),
    ("http://loinc.org/", LOINC),
    ("https://www.whocc.no/atc", ATC),
    ("http://snomed.info/sct/731000124108", SNOMED),
    ("URN:OID:2.16.840.1.113883.6.1", LOINC),
    ("urn:local", "urn:local"),
    ("", ""),
]


@pytest.mark.parametrize(("sent", "expected"), SYSTEMS, ids=[s or "no system" for s, _ in SYSTEMS])
def test_systems_are_recognised_in_the_spellings_that_records_use(sent: str, expected: str) -> None:
    assert normal_system(sent) == expected


KEYS = [
    (ICD10CM, "e1142", (ICD10CM, "E11.42")),
    (ICD10CM, "G2581", (ICD10CM, "G25.81")),
    (ICD10CM, "N19", (ICD10CM, "N19")),
    (ATC, "c03ca01", (ATC, "C03CA01")),
    (LOINC, " 2823-3 ", (LOINC, "2823-3")),
    ("urn:local", "abc", ("urn:local", "abc")),
]


@pytest.mark.parametrize(("system", "code", "key"), KEYS, ids=[row[1].strip() for row in KEYS])
def test_codes_in_records_are_normalised_to_the_spelling_of_the_lists(
    system: str, code: str, key: tuple[str, str]
) -> None:
    assert normal_key(system, code) == key


def test_a_category_and_a_class_include_their_descendants() -> None:
    assert category_of(parse_code(ICD10CM, "E11.-")) == "E11"
    assert category_of(parse_code(ICD10CM, "E11-")) == "E11"
    assert category_of(parse_code(ICD10CM, "I70.2-")) == "I70.2"
    assert category_of(parse_code(ATC, "C03C")) == "C03C"
    assert category_of(parse_code(ATC, "C03CA01")) is None
    assert category_of(parse_code(ICD10CM, "E11.42")) is None
