"""Names and codes as records in other countries, registers and interfaces write them."""

from __future__ import annotations

import pytest

from cds_service.terminology.codes import Coding
from hooks.knowledge import vocabulary as lists


@pytest.mark.parametrize(
    ("name", "concepts"),
    [
        ("Renal failure, acute", {"aki"}),
        ("Kidney failure, acute", {"aki"}),
        ("Kidney failure, acute on chronic", {"aki", "ckd_any"}),
        ("Renal insufficiency, acute on chronic", {"aki", "ckd_any"}),
        ("Gravidity", set()),
        ("Kidney injury, acute", {"aki"}),
        ("Akutes Nierenversagen", {"aki"}),
        ("Nierenversagen, akut", {"aki"}),
        ("Nierenversagen", {"ckd_any"}),
        ("Renal failure, chronic", {"ckd_any"}),
        ("No renal failure", set()),
        ("QT prolonged", {"arrhythmia", "long_qt"}),
        ("QTc prolonged (510 ms)", {"arrhythmia", "long_qt"}),
        ("Gravidität", {"pregnancy"}),
        ("IUP at 12 weeks", {"pregnancy"}),
        ("Herzinsuffizienz NYHA III", {"heart_failure"}),
        ("Hjärtsvikt", {"heart_failure"}),
        ("EtOH abuse", {"alcohol_use"}),
        ("Alkoholabhängigkeit", {"alcohol_use"}),
    ],
)
def test_a_condition_in_other_words(name: str, concepts: set[str]) -> None:
    assert lists.CONDITIONS.concepts((), [name]) == concepts


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("http://fhir.de/CodeSystem/dimdi/icd-10-gm", "N18.5"),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "N18.5 G"),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "N18.5+"),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "N18.5!"),
        ("http://hl7.org/fhir/sid/icd-10-am", "N18.5"),
        ("http://hl7.org/fhir/sid/icd-10-ca", "N185"),
        ("urn:oid:1.2.276.0.76.5.409", "n18.5*"),
    ],
)
def test_an_icd_code_from_another_country(system: str, code: str) -> None:
    assert "ckd_stage_4_5" in lists.CONDITIONS.concepts([Coding(system, code, "")], ())


@pytest.mark.parametrize(
    ("name", "analyte"),
    [
        ("Kaliumspiegel", "potassium"),
        ("Serumkalium", "potassium"),
        ("P—Kalium-ion; stofk. = ? mmol/L", "potassium"),
        ("Kalium-ion;P", "potassium"),
        ("P—Natrium-ion; stofk. = ? mmol/L", "sodium"),
        ("P—Kreatininium; stofk. = ? µmol/L", "creatinine"),
        ("Serumkreatinin", "creatinine"),
        ("Hæmoglobin", "hemoglobin"),
        ("B—Hæmoglobin(Fe); stofk. = ? mmol/L", "hemoglobin"),
        ("Magnesiumkonzentration", "magnesium"),
    ],
)
def test_a_result_in_other_words(name: str, analyte: str) -> None:
    assert lists.OBSERVATIONS.concepts((), [name]) == {analyte}


@pytest.mark.parametrize(
    ("coded", "words", "bare"),
    [
        ([("http://snomed.info/sct", "88480006", "")], [], True),
        ([("http://snomed.info/sct", "88480006", "Potassium")], [], False),
        ([("http://snomed.info/sct", "88480006", "")], ["Potassium"], False),
        ([("http://snomed.info/sct", "59573005", "")], [], False),  # listed
        ([("http://snomed.info/sct", "88480006", ""), ("http://loinc.org", "1-8", "")], [], False),
    ],
)
def test_an_unlisted_snomed_code_alone(coded: list, words: list[str], bare: bool) -> None:
    assert lists.OBSERVATIONS.bare([Coding(*coding) for coding in coded], words) is bare
