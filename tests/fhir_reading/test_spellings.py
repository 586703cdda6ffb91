"""Names, units and flags as laboratories write them; contradictions are reported."""

from __future__ import annotations

import pytest

from tests.fhir_reading.records import LOINC, UCUM, kinds, lab, newest, result, results

FLAG_HH = [{"coding": [{"code": "HH"}]}]


def quantity(value: float, code: str, unit: str):
    return {"value": value, "system": UCUM, "code": code, "unit": unit}


@pytest.mark.parametrize(
    ("analyte", "value", "code", "unit"),
    [
        ("potassium", 6.8, "mg/dL", "mmol/L"),
        ("potassium", 6.8, "mmol/L", "mg/dL"),
        ("magnesium", 1.2, "mg/dL", "mmol / L"),
        ("creatinine", 88, "umol/L", "mg/dL"),
    ],
)
def test_when_two_units_differ_neither_is_guessed(analyte, value, code, unit) -> None:
    observation = lab(code={"text": analyte}, valueQuantity=quantity(value, code, unit))
    found = newest(results(observation), analyte)
    assert found.result is None
    assert [problem.kind for problem in found.unusable] == ["unknown-unit"]
    assert "differ" in found.unusable[0].reason


@pytest.mark.parametrize("unit", ["mEq/L", "mmol/l", "millimole per litre", "mmol/L (SI)"])
def test_one_unit_in_two_spellings_or_with_a_label_is_read(unit) -> None:
    observation = lab(valueQuantity=quantity(4.2, "mmol/L", unit))
    assert result(observation).unit.name == "mmol/L"


@pytest.mark.parametrize(
    "unit", ["mmol / L", "mmol/Liter", "mmol.L-1", "mmol L-1", "mmol·L-1", "mM", "mmol*L^-1"]
)
def test_a_unit_is_read_however_it_is_written(unit) -> None:
    bare = {"value": 4.2, "unit": unit}
    coded = quantity(4.2, unit, unit)
    for stated in (bare, coded):
        assert result(lab(valueQuantity=stated)).unit.name == "mmol/L"
        assert result(lab(code={"text": "Kalium"}, valueQuantity=stated)).unit.name == "mmol/L"


@pytest.mark.parametrize("unit", ["mL/min/1.73 m(2)", "mL/min/1.73m²", "mL/min/1.73 m^2"])
def test_a_square_metre_is_read_however_it_is_written(unit) -> None:
    observation = lab(code={"text": "eGFR"}, valueQuantity={"value": 40, "unit": unit})
    assert result(observation, analyte="egfr")


IONISED = [
    "Calcium (Blood Gas)", "Ca (BGA)", "Ca++ (VBG)", "iCa", "POC Calcium", "cCa2+", "Ionized Ca",
    "Ca2+", "Ca ionisiert", "Calcium.ionized [Moles/volume] in Serum or Plasma", "Calcio iónico",
    "Freies Calcium", "iCa++ (pH 7.4)", "i-STAT Calcium",
]  # fmt: skip


@pytest.mark.parametrize("name", IONISED)
def test_calcium_from_a_blood_gas_analyser_is_ionised(name) -> None:
    assert set(results(lab(code={"text": name}, value=1.2)).series) == {"calcium_ionized"}


@pytest.mark.parametrize("name", ["Calcium", "Serum calcium", "Ca++", "Calcium gesamt", "Ca (S)"])
def test_other_calcium_is_total(name) -> None:
    assert set(results(lab(code={"text": name}, value=2.2)).series) == {"calcium"}


@pytest.mark.parametrize(
    ("name", "analyte", "value", "unit"),
    [
        ("cK+(aP)", "potassium", 4, "mmol/L"),
        ("cK+", "potassium", 4, "mmol/L"),
        ("Potasium", "potassium", 4, "mmol/L"),
        ("cNa+", "sodium", 140, "mmol/L"),
        ("ctHb (aB)", "hemoglobin", 12, "g/dL"),
        ("tHb", "hemoglobin", 12, "g/dL"),
        ("CK gesamt", "creatine_kinase", 90, "U/L"),
        ("CK NAC", "creatine_kinase", 90, "U/L"),
        ("DFG estimé", "egfr", 40, "mL/min"),
        ("DFG (CKD-EPI)", "egfr", 40, "mL/min"),
        ("Filtrado glomerular", "egfr", 40, "mL/min"),
    ],
)
def test_result_names_used_by_laboratories_are_read(name, analyte, value, unit) -> None:
    assert set(results(lab(code={"text": name}, value=value, unit=unit)).series) == {analyte}


@pytest.mark.parametrize("name", ["eGFR target", "Potassium goal", "Serum potassium target"])
def test_a_target_is_not_a_measurement(name) -> None:
    unit = "mL/min" if "GFR" in name else "mmol/L"
    assert dict(results(lab(code={"text": name}, value=4, unit=unit)).series) == {}


@pytest.mark.parametrize(
    ("flag", "critical"),
    [
        ({"text": "HH"}, True),
        ({"text": "LL"}, True),
        ({"text": "Kritisch hoch"}, True),
        ({"text": "alert"}, True),
        ({"coding": [{"code": "H!"}]}, True),
        ({"coding": [{"code": "CRIT"}]}, True),
        ({"coding": [{"code": "HU"}]}, True),
        ({"coding": [{"code": "CRITICAL HIGH"}]}, True),
        ({"text": "H"}, False),
        ({"text": "not critical"}, False),
        ({"text": "nicht kritisch"}, False),
    ],
)
def test_flags_used_by_laboratories(flag, critical) -> None:
    assert result(lab(interpretation=[flag])).critical is critical


@pytest.mark.parametrize(
    "remark",
    [
        {"note": [{"text": "hämolytisch"}]},
        {"note": [{"text": "H-Index erhöht"}]},
        {"note": [{"text": "échantillon hémolysé"}]},
        {"note": [{"text": "muestra hemolizada"}]},
        {"note": [{"text": "grossly lysed"}]},
        {"note": [{"text": "muestra hemolítica"}]},
        {"comments": "Specimen haemolysed"},
        {"comment": "hemolyzed"},
    ],
    ids=str,
)
def test_haemolysis_in_other_words(remark) -> None:
    assert newest(results(lab(**remark))).tentative.remarks == ("haemolysed",)


@pytest.mark.parametrize(
    "words", ["nicht hämolytisch", "keine Hämolyse", "Sample analysed twice", "pas d'hémolyse"]
)
def test_no_haemolysis_in_other_words(words) -> None:
    assert result(lab(note=[{"text": words}])).remarks == ()


@pytest.mark.parametrize(
    ("second", "unusable"),
    [
        ({"value": 6.8, "unit": "foo", "interpretation": FLAG_HH}, 1),
        ({"value": 6.8, "unit": "foo"}, 1),
        ({"value": 68}, 1),
        ({"value": None, "valueString": "6.8"}, 1),
        ({"value": None, "dataAbsentReason": {"text": "error"}}, 0),
        ({"value": None, "dataAbsentReason": {"text": "error"}, "interpretation": FLAG_HH}, 1),
    ],
    ids=str,
)
def test_an_unusable_result_of_the_same_time_as_a_usable_one_is_reported(second, unusable) -> None:
    found = newest(results(lab(id="o1", value=4.2), lab(id="o2", **second)))
    assert found.result is not None
    assert len(found.unusable) == unusable


@pytest.mark.parametrize(
    "flag",
    ["C", "!!", "H*", "L*", "**", "*H", "HH!", "H!!", "PH", "PL", "LC", "CL", "VH", "HHH", "A*",
     "+++", ">", "<", "(HH)", "C*", "crit", "panic", "PANICHIGH", "Extreme low", "very high",
     "Life-threatening", "critically high"],
)  # fmt: skip
def test_how_laboratories_write_critical(flag) -> None:
    for stated in ({"coding": [{"code": flag}]}, {"text": flag},
                   {"coding": [{"system": "urn:lab", "code": "7", "display": flag}]}):  # fmt: skip
        assert result(lab(interpretation=[stated])).critical, stated


@pytest.mark.parametrize(
    "flag", ["H", "L", "A", "N", "*", "!", "--", "HX", "U", "High", "abnormal", "non-critical", ""]
)
def test_how_laboratories_write_flags_below_critical(flag) -> None:
    for stated in ({"coding": [{"code": flag, "display": flag}]}, {"text": flag}, flag):
        assert not result(lab(interpretation=[stated])).critical, stated


@pytest.mark.parametrize(
    "words",
    ["HIL: H 3+", "HIL H3 I0 L0", "HIL 3/0/0", "H-Index 250", "hemolyzed +++",
     "Hemolyzed 4+", "Hem 3+", "Haem +++", "H:3+ I:0 L:0", "Serum index H=4", "SI-H 4",
     "HMLZ", "HEMOL", "mod hemol", "red cell lysis"],
)  # fmt: skip
def test_a_haemolysis_index_is_a_remark(words) -> None:
    assert newest(results(lab(note=[{"text": words}]))).tentative.remarks == ("haemolysed",)


@pytest.mark.parametrize(
    "words",
    ["HIL: H 0", "HIL: H neg", "HIL H0 I3 L0", "HIL 0/2/0", "Hemolysis 0", "Icterus 3+",
     "Hb 12.3 g/dL", "24 h", "Hi 7.2", "Na 140 K 4.1 H 7.38"],
)  # fmt: skip
def test_a_zero_index_or_another_value_is_not_a_haemolysis_remark(words) -> None:
    assert result(lab(note=[{"text": words}])).remarks == ()


def test_a_code_for_haemolysis_is_a_remark_like_the_words() -> None:
    for code in ("HEMOLYZED", "hemolysis", "HMLZ"):
        found = newest(results(lab(interpretation=[{"coding": [{"code": code}]}])))
        assert found.tentative.remarks == ("haemolysed",)


def test_a_usable_result_has_no_problem_kinds() -> None:
    assert kinds(results(lab())) == []


@pytest.mark.parametrize(
    "code",
    [
        {"coding": [{"system": LOINC, "code": "2164-2"}]},
        {"coding": [{"system": LOINC, "code": "35591-7"}]},
        {"text": "Creatinine clearance, 24 h urine"},
        {"text": "CrCl (Cockcroft-Gault)"},
        {"text": "Measured GFR (iohexol)"},
        {"text": "GFR measured by isotope clearance"},
    ],
    ids=str,
)
@pytest.mark.parametrize("unit", ["mL/min", "mL/s", "mL/min/{1.73_m2}"])
def test_a_quantity_sent_in_place_of_an_egfr_is_reported_and_not_read_as_one(code, unit) -> None:
    reading = results(lab(code=code, value=22, unit=unit))
    assert "egfr" not in reading.series
    [problem] = reading.record.problems
    assert (problem.kind, problem.about, str(problem.when)[:10]) == (
        "other-quantity",
        "egfr",
        "2026-03-09",
    )


@pytest.mark.parametrize(
    "name", ["eGFR (cystatin C)", "eGFRcys cystatin", "Estimated GFR by creatinine and cystatin C"]
)
def test_an_egfr_by_cystatin_c_is_an_egfr(name) -> None:
    found = results(lab(code={"text": name}, value=22, unit="mL/min/{BSA}"))
    assert newest(found, "egfr").result is not None


def test_potassium_of_red_cells_is_another_quantity() -> None:
    for code in ("2824-1", "2828-2", "32336-0"):
        assert "potassium" not in results(lab(code, value=9.5)).series
