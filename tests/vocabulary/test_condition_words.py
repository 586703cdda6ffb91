"""Conditions by code and by the words of their text, with negation and other places."""

from __future__ import annotations

import pytest

from cds_service.terminology.codes import ICD10CM, RXNORM, SNOMED, Coding
from hooks.knowledge.vocabulary import ALLERGIES, CONDITIONS

TEXTS = [
    ("Leg cramps", "leg_cramps"),
    ("Nocturnal leg cramps", "leg_cramps"),
    ("Sleep related leg cramps", "leg_cramps"),
    ("Muscle cramps", "leg_cramps"),
    ("Cramp in lower limb", "leg_cramps"),
    ("Cramps of lower extremity", "leg_cramps"),
    ("Charley horse", "leg_cramps"),
    ("Night cramps", "leg_cramps"),
    ("calf cramping at night", "leg_cramps"),
    ("No leg cramps", ""),
    ("Denies leg cramps", ""),
    ("Patient denies cramps in the legs or calves", ""),
    ("without muscle cramps", ""),
    ("Menstrual cramps", ""),
    ("Abdominal cramps", ""),
    ("Stomach cramps", ""),
    ("Writer's cramp", ""),
    ("Muscle spasm", ""),
    ("Muscle spasm of calf", ""),
    ("Cramp and spasm", ""),
    ("Abdominal muscle cramps", ""),
    ("History of leg cramps", ""),
    ("Family history of leg cramps", ""),
    ("Cirrhosis of liver", "cirrhosis liver_disease"),
    ("Alcoholic cirrhosis of liver without ascites", "cirrhosis liver_disease"),
    ("Alcoholic cirrhosis of liver with ascites", "cirrhosis ascites liver_disease"),
    ("Cirrhosis - non-alcoholic (disorder)", "cirrhosis liver_disease"),
    ("Primary biliary cirrhosis", "cirrhosis liver_disease"),
    ("Cirrhosis of lung", ""),
    ("No evidence of cirrhosis", ""),
    ("Screening for cirrhosis", ""),
    ("Malignant ascites", ""),
    ("Ascites due to malignant neoplasm", ""),
    ("Hepatic encephalopathy", "hepatic_encephalopathy liver_disease"),
    ("History of hepatic encephalopathy", "hepatic_encephalopathy liver_disease"),
    ("Cirrhosis without hepatic encephalopathy", "cirrhosis liver_disease"),
    ("Cirrhosis, hepatic encephalopathy ruled out", "cirrhosis liver_disease"),
    ("No history of hepatic encephalopathy", ""),
    ("Portosystemic encephalopathy", "hepatic_encephalopathy liver_disease"),
    ("Liver coma", "hepatic_encephalopathy liver_disease"),
    ("Hepatorenal syndrome", "aki"),
    ("Contrast-induced nephropathy", "aki"),
    ("Severe renal impairment", "ckd_any ckd_stage_4_5"),
    ("Moderate renal impairment", "ckd_any ckd_stage_3"),
    ("CKD stage four", "ckd_any ckd_stage_4_5"),
    ("On renal replacement therapy", "dialysis"),
    ("Alcohol withdrawal", "alcohol_use"),
    ("CKD stage 3", "ckd_any ckd_stage_3"),
    ("Chronic kidney disease, stage 4 (severe)", "ckd_any ckd_stage_4_5"),
    ("Chronic kidney disease stage IV", "ckd_any ckd_stage_4_5"),
    ("CKD 3b", "ckd_any ckd_stage_3"),
    ("CKD G4A2", "ckd_any ckd_stage_4_5"),
    ("CKD G4", "ckd_any ckd_stage_4_5"),
    ("Stage 5 chronic kidney disease", "ckd_any ckd_stage_4_5"),
    ("ESRD", "ckd_any ckd_stage_4_5"),
    ("End-stage renal disease on hemodialysis", "ckd_any ckd_stage_4_5 dialysis"),
    ("Chronic kidney disease stage 2", "ckd_any"),
    ("CKD stage 4, no dialysis", "ckd_any ckd_stage_4_5"),
    ("CKD stage 5 not on dialysis", "ckd_any ckd_stage_4_5"),
    ("on hemodialysis", "dialysis"),
    ("Dependence on renal dialysis", "dialysis"),
    ("no dialysis", ""),
    ("Acute kidney injury", "aki"),
    ("Acute renal failure", "aki"),
    ("Acute on chronic kidney failure", "aki ckd_any"),
    ("History of acute kidney injury", ""),
    ("AKI resolved", ""),
    ("At risk for acute kidney injury", ""),
    ("Restless legs syndrome", "rls"),
    ("Peripheral arterial disease", "pad"),
    ("Intermittent claudication", "claudication"),
    ("Neurogenic claudication", "neurogenic_claudication"),
    ("Spinal stenosis, lumbar region without neurogenic claudication", "neurogenic_claudication"),
    ("Spinal stenosis of cervical region", ""),
    ("Lumbar radiculopathy", "radiculopathy"),
    ("Cervical radiculopathy", ""),
    ("Diabetic peripheral neuropathy", "neuropathy diabetes"),
    ("Optic neuropathy", ""),
    ("Type 2 diabetes mellitus", "diabetes"),
    ("Diabetes insipidus", ""),
    ("Prediabetes", ""),
    ("Pre-diabetes", ""),
    ("Gestational diabetes mellitus", "pregnancy"),
    ("Screening for diabetes mellitus", ""),
    ("Encounter for screening for diabetes mellitus", ""),
    ("Family history of diabetes mellitus", ""),
    ("Diabetes mellitus without complication", "diabetes"),
    ("Parkinson's disease", "parkinson"),
    ("Wolff-Parkinson-White syndrome", ""),
    ("Prolactinoma", "prolactinoma"),
    ("Malaria", "malaria"),
    ("Malaria prophylaxis", ""),
    ("History of malaria", ""),
    ("Babesiosis", "babesiosis"),
    ("Long QT syndrome", "long_qt arrhythmia"),
    ("Prolonged QT interval", "long_qt arrhythmia"),
    ("G6PD deficiency", "g6pd_deficiency"),
    ("Myasthenia gravis", "myasthenia_gravis"),
    ("Thrombotic thrombocytopenic purpura", "thrombocytopenia"),
    ("History of thrombocytopenia", "thrombocytopenia"),
    ("Hemolytic uremic syndrome", "thrombocytopenia"),
    ("Allergy to quinine", "quinine_hypersensitivity"),
    ("Multiple sclerosis", "spasticity"),
    ("Foot drop", "neurological_deficit"),
    ("Muscle weakness", "neurological_deficit"),
    ("No weakness, numbness or tingling", ""),
    ("Congestive heart failure", "heart_failure"),
    ("Pregnant", "pregnancy"),
    ("Not pregnant", ""),
    ("Pre-eclampsia", "eclampsia"),
    ("Preeclampsia in pregnancy", "eclampsia pregnancy"),
    ("Motor neurone disease", "motor_neuron_disease"),
    ("Hemochromatosis", "iron_overload"),
    ("Iron deficiency anemia", "anemia"),
    ("Hypothyroidism", "hypothyroidism"),
    ("Deep vein thrombosis", "dvt"),
    ("Rule out DVT", "dvt"),
    ("Denies cramps, claudication, or rest pain", ""),
    ("Denies claudication; has leg cramps", "leg_cramps"),
    ("No ascites but hepatic encephalopathy", "hepatic_encephalopathy liver_disease"),
    ("Leg cramps, no claudication", "leg_cramps"),
    ("Severe persistent leg cramps", "leg_cramps"),
    ("Rhabdomyolysis", "rhabdomyolysis"),
    ("Fear of pregnancy", ""),
    ("Nonalcoholic steatohepatitis", "liver_disease"),
    ("Chronic kidney disease due to type 2 diabetes mellitus", "ckd_any diabetes"),
    ("Chronic renal insufficiency", "ckd_any"),
    ("Renal insufficiency", "ckd_any"),
    ("Acute hepatic failure without hepatic coma", "liver_disease"),
    ("Leg cramps not present", ""),
    ("Exercise-associated muscle cramps", "leg_cramps"),
    ("Hand cramps", ""),
    ("Cramps of hand", ""),
    (
        "Hypertensive chronic kidney disease with stage 1 through stage 4 "
        "chronic kidney disease, or unspecified chronic kidney disease",
        "ckd_any",
    ),
    (
        "Hypertensive chronic kidney disease with stage 5 chronic kidney "
        "disease or end stage renal disease",
        "ckd_any ckd_stage_4_5",
    ),
    ("CKD (chronic kidney disease) stage 4, GFR 15-29 ml/min (HCC)", "ckd_any ckd_stage_4_5"),
    (
        "Type 2 diabetes mellitus with stage 3b chronic kidney disease",
        "diabetes ckd_any ckd_stage_3",
    ),
    ("Parkinson disease stage 4", "parkinson"),
    ("Pressure ulcer stage 3", ""),
    ("Stage 4 lung cancer, chronic kidney disease stage 2", "ckd_any"),
    ("Chronic kidney disease, pressure ulcer of heel stage 4", "ckd_any"),
    ("Cirrhosis of liver needing cancer screening", "cirrhosis liver_disease"),
    ("Diabetes mellitus screening", ""),
    ("DVT was ruled out", ""),
    ("DVT, ruled out", ""),
    ("Mother has diabetes", ""),
    ("Cramps, muscle", "leg_cramps"),
    ("Bilateral leg cramping", "leg_cramps"),
    ("Cirrhosis without ascites, anemia", "cirrhosis liver_disease anemia"),
    ("Muscle cramps (not claudication)", "leg_cramps"),
    ("Ascites due to alcoholic cirrhosis", "ascites cirrhosis liver_disease"),
    ("Diabetes mellitus type 1", "diabetes"),
    ("Nephrogenic diabetes insipidus", ""),
    ("Iron deficiency without anemia", ""),
    ("Pseudothrombocytopenia", ""),
    ("Immune thrombocytopenic purpura", "thrombocytopenia"),
]


def test_the_concepts_in_the_text_of_a_condition() -> None:
    found = {text: CONDITIONS.concepts((), (text,)) for text, _ in TEXTS}
    assert found == {text: set(concepts.split()) for text, concepts in TEXTS}


CODED = [
    ("R25.2 counts as leg cramps", ICD10CM, "R25.2", "leg_cramps"),
    ("M62.831, the code of the charley horse, counts", ICD10CM, "M62.831", "leg_cramps"),
    ("spasm is not cramps", SNOMED, "45352006", ""),
    ("K72.90 alone is not encephalopathy", ICD10CM, "K72.90", "liver_disease"),
    ("N19 is kidney failure, not an acute injury", ICD10CM, "N19", "ckd_any"),
    ("R94.31 is not long QT", ICD10CM, "R94.31", ""),
    ("prediabetes is not diabetes", ICD10CM, "R73.03", ""),
    ("gestational diabetes is pregnancy", ICD10CM, "O24.410", "pregnancy"),
    ("pre-existing diabetes in pregnancy", ICD10CM, "O24.111", "diabetes"),
    ("a code below a category", ICD10CM, "E11.65", "diabetes"),
    ("a code of two lists", ICD10CM, "E11.42", "diabetes neuropathy"),
    ("a code without its dot", ICD10CM, "E1142", "diabetes neuropathy"),
    ("ICD-10 of the WHO", "http://hl7.org/fhir/sid/icd-10", "E14.9", "diabetes"),
    ("ICD-10-CM by OID", "urn:oid:2.16.840.1.113883.6.90", "g25.81", "rls"),
    ("a category as the record's own code", ICD10CM, "E11.-", "diabetes"),
    ("diabetes insipidus", ICD10CM, "E23.2", ""),
    ("malignant ascites", ICD10CM, "R18.0", ""),
    ("stage 4 is CKD", ICD10CM, "N18.4", "ckd_stage_4_5 ckd_any"),
    ("an unknown system", "urn:local", "N18.4", ""),
]


@pytest.mark.parametrize(
    ("what", "system", "code", "concepts"), CODED, ids=[row[0] for row in CODED]
)
def test_the_concepts_of_the_code_of_a_condition(
    what: str, system: str, code: str, concepts: str
) -> None:
    assert CONDITIONS.concepts([Coding(system, code)], ()) == set(concepts.split())


def test_an_excluding_code_overrides_the_text() -> None:
    assert CONDITIONS.concepts([Coding(ICD10CM, "R18.0")], ["Ascites"]) == set()


def test_a_substance_in_an_allergy_counts_by_code_and_by_name() -> None:
    assert ALLERGIES.concepts([Coding(RXNORM, "6694")], ()) == {"quinine_hypersensitivity"}
    assert ALLERGIES.concepts([], ["Quinidine sulfate"]) == {"quinine_hypersensitivity"}
    assert ALLERGIES.concepts([], ["No known allergy to quinine"]) == set()
    assert ALLERGIES.concepts([], ["Hydroxychloroquine"]) == set()
