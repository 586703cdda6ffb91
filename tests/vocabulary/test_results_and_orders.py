"""Analytes of results, and what an order covers: by code, or else by careful matching of words."""

from __future__ import annotations

import pytest

from cds_service.terminology.codes import CPT, LOINC, SNOMED, Coding
from hooks.knowledge.vocabulary import OBSERVATIONS, ORDERS

RESULTS = [
    ("Magnesium, serum", "magnesium"),
    ("Mg", "magnesium"),
    ("Magnesium", "magnesium"),
    ("Mg2+", "magnesium"),
    ("eGFRcreat (CKD-EPI)/1.73 m*2", "egfr"),
    ("MAGNESIUM LEVEL", "magnesium"),
    ("Magnesium [Mass/volume] in Serum or Plasma", "magnesium"),
    ("Magnesium, urine", ""),
    ("Adjusted calcium", "calcium_adjusted"),
    ("Serum adjusted calcium concentration", "calcium_adjusted"),
    ("Calcium, corrected", "calcium_adjusted"),
    ("Calcium Album cor SerPl-sCnc", "calcium_adjusted"),
    ("Calcium [Moles/volume] corrected for albumin in Serum or Plasma", "calcium_adjusted"),
    ("Korrigiertes Kalzium", "calcium_adjusted"),
    ("Calcium, ionized, adjusted to pH 7.4", "calcium_ionized"),
    ("Magnesium 24 hour urine", ""),
    ("Magnesium RBC", ""),
    ("Magnesium, red cell", ""),
    ("Ionized magnesium", ""),
    ("Magnesium, body fluid", ""),
    ("Magnesium oxide 400 mg", ""),
    ("Potassium", "potassium"),
    ("K", "potassium"),
    ("K+", "potassium"),
    ("Serum potassium level", "potassium"),
    ("Potassium [Moles/volume] in Blood", "potassium"),
    ("Potassium urine", ""),
    ("Potassium, stool", ""),
    ("Vitamin K", ""),
    ("eGFR", "egfr"),
    ("eGFR CKD-EPI 2021", "egfr"),
    ("Hgb", "hemoglobin"),
    ("Hemoglobin", "hemoglobin"),
    ("Hemoglobin A1c", "hba1c"),
    ("Hemoglobin, urine", ""),
    ("Free hemoglobin", ""),
    ("Mean corpuscular hemoglobin", ""),
    ("Platelets", "platelets"),
    ("Mean platelet volume", ""),
    ("Platelet count", "platelets"),
    ("Ferritin", "ferritin"),
    ("CSF glucose", ""),
    ("Glucose, urine", ""),
    ("Glucose", "glucose"),
    ("Creatinine", "creatinine"),
    ("Creatinine clearance", "creatinine_clearance"),
    ("Urine creatinine", ""),
    ("Albumin/Creatinine ratio", ""),
    ("Creatinine kinase", "creatine_kinase"),
    ("Sodium", "sodium"),
    ("Na", "sodium"),
    ("TSAT", "transferrin_saturation"),
    ("Iron saturation", "transferrin_saturation"),
    ("CRP", "crp"),
    ("Protein/creatinine ratio in urine", ""),
    ("Cystatin C eGFR", "egfr"),
    ("Cystatin C", ""),
    ("Measured GFR", "gfr_measured"),
    ("Glucose tolerance 2h", ""),
]


ORDERED = [
    ("Basic metabolic panel", "potassium creatinine egfr sodium glucose panel_metabolic"),
    ("CMP", "potassium creatinine egfr sodium glucose panel_metabolic"),
    ("Comprehensive metabolic 2000 panel", ""),
    ("CBC with differential", "hemoglobin platelets panel_blood_count"),
    ("Serum magnesium", "magnesium"),
    ("Magnesium level", "magnesium"),
    ("Magnesium, urine", ""),
    ("Potassium, urine", ""),
    ("MRI lumbar spine without contrast", "imaging_leg_spine"),
    ("X-ray of lumbar spine", "imaging_leg_spine"),
    ("CT lower extremity", "imaging_leg_spine"),
    ("MRI brain", ""),
    ("MR upper extremity", ""),
    ("Chest x-ray", ""),
    ("EMG bilateral lower extremities", "emg_nerve_conduction"),
    ("Nerve conduction study", "emg_nerve_conduction"),
    ("ECG 12 lead", "ecg"),
    ("Ankle brachial index", "abi"),
    ("Referral to neurology", "referral_neurology"),
    ("Neurology consult", "referral_neurology"),
    ("Ambulatory referral to Vascular Surgery", "referral_vascular"),
    ("Iron studies", "transferrin_saturation panel_iron"),
    ("Ferritin", "ferritin"),
    ("Heavy metal panel", "extended_panel"),
    ("Electrolyte panel", "potassium sodium panel_electrolytes"),
    ("Hemoglobin A1c", "hba1c"),
    ("Venous duplex ultrasound of left leg", ""),
    ("Lumbar puncture", ""),
    ("Physical therapy for leg", ""),
    ("Creatinine clearance, 24 hour urine", "creatinine_clearance"),
    ("Urine creatinine", ""),
    (
        "Doppler ultrasound lower extremity arterial with ankle brachial index",
        "abi imaging_leg_spine",
    ),
]


def test_a_result_without_loinc_is_recognised_by_its_words() -> None:
    found = {
        text: OBSERVATIONS.concepts([Coding("urn:local", "x", text)], ()) for text, _ in RESULTS
    }
    assert found == {text: set(analytes.split()) for text, analytes in RESULTS}


def test_an_order_is_recognised_by_its_words() -> None:
    found = {text: ORDERS.concepts((), (text,)) for text, _ in ORDERED}
    assert found == {text: set(covered.split()) for text, covered in ORDERED}


CODED = [
    ("potassium in serum", LOINC, "2823-3", "", "potassium"),
    ("LOINC by OID", "urn:oid:2.16.840.1.113883.6.1", "2823-3", "", "potassium"),
    ("potassium in urine, whatever the display", LOINC, "2828-2", "Potassium", ""),
    (
        "after an unlisted LOINC code the words decide",
        LOINC,
        "32698-3",
        "Magnesium",
        "magnesium",
    ),
    ("an unlisted LOINC code of urine", LOINC, "32698-3", "Magnesium in Urine", ""),
    ("SNOMED CT as the UK uses it", SNOMED, "1000651000000109", "", "potassium"),
    ("an unlisted SNOMED code", SNOMED, "365760004", "Serum potassium level", "potassium"),
    ("an unlisted CPT code", CPT, "84999", "Magnesium, serum", "magnesium"),
    ("CPT", CPT, "84132", "", "potassium"),
    ("Read v2", "http://read.info/readv2", "44I4.", "Serum potassium level", "potassium"),
    ("red-cell magnesium", LOINC, "2597-3", "Magnesium", ""),
    ("ionised magnesium", LOINC, "73573-8", "Magnesium", ""),
    ("creatinine clearance is not an eGFR", LOINC, "2164-2", "", "creatinine_clearance"),
    ("the 2021 equation", LOINC, "98979-8", "", "egfr egfr_race_free_2021"),
    ("a coefficient for race", LOINC, "48642-3", "", "egfr egfr_race_coefficient"),
    ("any other equation", LOINC, "33914-3", "", "egfr"),
]


@pytest.mark.parametrize(
    ("what", "system", "code", "display", "analytes"), CODED, ids=[row[0] for row in CODED]
)
def test_a_result_is_recognised_by_its_loinc_code(
    what: str, system: str, code: str, display: str, analytes: str
) -> None:
    coding = Coding(system, code, display)
    assert OBSERVATIONS.concepts([coding], ()) == set(analytes.split())


def test_all_codings_of_a_result_are_tried_and_an_excluding_one_wins() -> None:
    local = Coding("urn:local", "K")
    assert OBSERVATIONS.concepts([local, Coding(LOINC, "2823-3")], ()) == {"potassium"}
    contradicting = [Coding(LOINC, "2823-3"), Coding(LOINC, "2828-2")]
    assert OBSERVATIONS.concepts(contradicting, ()) == set()


def test_the_fast_index_returns_analytes_by_normalised_key() -> None:
    assert OBSERVATIONS.code_index[LOINC, "2823-3"] == {"potassium"}
    assert (LOINC, "2828-2") not in OBSERVATIONS.code_index


PANELS = [
    ("85027", "hemoglobin platelets"),
    ("80048", "potassium sodium creatinine egfr glucose"),
    ("80051", "potassium sodium"),
    ("83735", "magnesium"),
]


@pytest.mark.parametrize(("code", "covered"), PANELS, ids=[f"CPT {p[0]}" for p in PANELS])
def test_a_panel_covers_its_analytes_and_no_others(code: str, covered: str) -> None:
    found = ORDERS.concepts([Coding(CPT, code)], ())
    assert {c for c in found if not c.startswith("panel_")} == set(covered.split())


def test_a_coded_order_is_not_recognised_by_its_words() -> None:
    urine = Coding(CPT, "84133", "Potassium")
    assert ORDERS.concepts([urine], ()) == set()


def test_codes_for_search_templates_include_those_of_the_parts() -> None:
    codes = {coding.code for coding in OBSERVATIONS.codes("egfr")}
    assert {"98979-8", "48642-3", "33914-3"} <= codes
    assert {coding.system for coding in OBSERVATIONS.codes("egfr")} == {LOINC, SNOMED}
    assert OBSERVATIONS.codes("nothing") == ()
