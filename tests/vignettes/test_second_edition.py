"""Section 1, second edition: whole patients, each with the reason in a clinician's words."""

from __future__ import annotations

from tests.vignettes.builders import (
    AKI,
    ASCITES,
    CIRRHOSIS,
    CKD4,
    CRAMPS,
    DIALYSIS,
    ENCEPHALOPATHY,
    ICD10,
    PREGNANT,
    RLS,
    SNOMED,
    Program,
    Vignette,
    because,
    cond,
    dose,
    lab,
    med,
    quinine,
    service,
    table,
)

V = Vignette
ATORVASTATIN = med("atorvastatin 80 MG Oral Tablet")
SPIRONOLACTONE = med("Spironolactone 100 MG Oral Tablet")
FUROSEMIDE = med("Furosemide 40 MG Oral Tablet")
THIAZIDE = med("Chlorthalidone 25 MG Oral Tablet")
IBUPROFEN = med("Ibuprofen 600 MG Oral Tablet")
APIXABAN = med("Apixaban 5 MG Oral Tablet")
LISINOPRIL = med("Lisinopril 10 MG Oral Tablet")
QUININE = med("quinine sulfate 324 MG Oral Capsule")
MALARIA = cond("Malaria", (SNOMED, "61462000"))
DVT = cond("Deep vein thrombosis of left leg", (ICD10, "I82.402"))
SEVERE = cond("Incapacitating muscle cramps of legs", (ICD10, "R25.2"))
K, MG, NA = lab("k", "4.2"), lab("mg", "2.0"), lab("na", "138")
GFR = lab("egfr", "90")
CAUSE, LIVER, NSAID = "metabolic-cause-found", "cirrhosis-cramps", "analgesic-use"


CAUSES = [
    V("CK of 12,000 on a statin: rhabdomyolysis until shown otherwise, the statin stops today and stretching can wait",
      [CRAMPS, ATORVASTATIN, lab("ck", "12000")], f"{CAUSE}:critical -first-line-measures", says="stop the statin|rhabdomyolysis|12000", offers="creatine kinase|creatinine|potassium"),
    V("CK of 12,000 on a statin in a patient who never mentioned cramps: as dangerous",
      [ATORVASTATIN, lab("ck", "12000")], f"{CAUSE}:critical", says="atorvastatin"),
    V("CK of 3,000 without a statin: a muscle disease to look for, not an emergency",
      [CRAMPS, lab("ck", "3000")], f"{CAUSE}:warning", omits="stop the statin"),
    V("CK of 900, after exercise as likely as not: nothing to say",
      [CRAMPS, ATORVASTATIN, lab("ck", "900")], f"-{CAUSE} cramp-inducing-medication"),
    V("calcium 1.80 with an albumin of 2.2: corrected 2.16, the calcium is not the cause",
      [CRAMPS, lab("ca", "1.80"), lab("albumin", "2.2")], f"-{CAUSE}"),
    V("calcium 1.80 with a normal albumin after thyroid surgery: tetany, today, with an ECG",
      [lab("ca", "1.80"), lab("albumin", "4.1")], f"{CAUSE}:critical", says="ECG|magnesium", offers="ecg|magnesium", not_offered="PTH"),
    V("ionised calcium 0.85: critical whatever the albumin is",
      [lab("ca_ionised", "0.85")], f"{CAUSE}:critical"),
    V("sodium 126 on chlorthalidone: the thiazide is the likely cause",
      [CRAMPS, THIAZIDE, lab("na", "126")], f"{CAUSE}:warning", says="chlorthalidone|slowly"),
    V("sodium 117: seizures come before cramps",
      [lab("na", "117")], f"{CAUSE}:critical", says="today"),
    V("sodium 126 without cramps: not this service's business",
      [lab("na", "126")], f"-{CAUSE}"),
    V("TSH 42: hypothyroidism, treatable, not urgent",
      [CRAMPS, lab("tsh", "42")], f"{CAUSE}:info", says="hypothyroidism"),
    V("CK of 12,000 two months ago: repeat it before anybody acts",
      [CRAMPS, ATORVASTATIN, lab("ck", "12000", ago=60)], f"{CAUSE}:info", says="repeat first", omits="stop the statin (", offers="creatine kinase"),
    V("a thrombosed calf hurts like a cramp: nobody should massage it",
      [CRAMPS, DVT], "dvt-mimic:warning -first-line-measures", says="no massage"),
    V("a thrombosis only suspected is still not to be massaged",
      [CRAMPS, cond("Rule out DVT")], "dvt-mimic:warning -first-line-measures", says="suspected"),
    V("a thrombosis of ten years ago is history",
      [CRAMPS, cond("History of deep vein thrombosis")], "-dvt-mimic first-line-measures"),
    V("a thrombosis of the arm does not hurt in the calf",
      [CRAMPS, cond("Upper extremity DVT")], "-dvt-mimic"),
]  # fmt: skip

DANGERS = [
    V("an NSAID in stage 4 kidney disease harms with or without cramps",
      [CKD4, IBUPROFEN], f"{NSAID}:warning", says="ibuprofen|stop or replace"),
    V("an NSAID with apixaban bleeds",
      [APIXABAN, IBUPROFEN, GFR], f"{NSAID}:warning", says="apixaban"),
    V("NSAID, diuretic and ACE inhibitor: the triple whammy",
      [FUROSEMIDE, LISINOPRIL, IBUPROFEN, GFR], f"{NSAID}:warning", says="a diuretic and a RAAS inhibitor"),
    V("an NSAID at 70 with normal renal function: review it, and treat pain by more than one means",
      [CRAMPS, IBUPROFEN, GFR], f"{NSAID}:info", says="multimodal", age=70),
    V("an NSAID at 70 without cramps: not a matter for this service",
      [IBUPROFEN, GFR], f"-{NSAID}", age=70),
    V("haemoglobin 5.8: bleeding or haemolysis, not advice on stretching",
      [CRAMPS, lab("hb", "5.8")], "anemia:critical -first-line-measures", says="urgently|bleeding|haemolysis", omits="cramp-"),
    V("haemoglobin 7.6: severe, urgent, a warning",
      [lab("hb", "7.6")], "anemia:warning", says="urgently"),
    V("haemoglobin 5.8 of six weeks ago: repeat first, it may have been transfused",
      [lab("hb", "5.8", ago=42)], "anemia:info", says="repeat first"),
    V("haemoglobin from 13 to 10.6 in six weeks on quinine: haemolysis until shown otherwise",
      [QUININE, lab("hb", "10.6"), lab("hb", "13.0", ago=42)], "anemia:warning", says="stop quinine"),
    V("restless legs, ferritin 150, CRP 60: the ferritin proves nothing, measure TSAT",
      [RLS, lab("ferritin", "150"), lab("crp", "60")], "low-ferritin:info", says="hide a deficiency", offers="transferrin"),
    V("restless legs on dialysis: iron by vein is the renal team's decision",
      [RLS, DIALYSIS, lab("ferritin", "70")], "low-ferritin:info", says="renal team|sucrose", not_offered="iron sucrose"),
    V("pregnant with cramps: no baclofen, and no objection to the magnesium her midwife gave",
      [CRAMPS, PREGNANT], "first-line-measures:info", says="obstetric", omits="baclofen|empiric"),
]  # fmt: skip

CIRRHOTIC = [CIRRHOSIS, ASCITES, SPIRONOLACTONE, FUROSEMIDE]
CIRRHOSES = [
    V("sodium 121 on two diuretics in cirrhosis: they are discontinued before anything else",
      [*CIRRHOTIC, K, MG, lab("na", "121"), GFR], f"{LIVER}:warning", says="sodium 121|discontinue diuretics", omits="baclofen 10 mg|correct first"),
    V("kidney injury on diuretics in cirrhosis: stop them",
      [*CIRRHOTIC, AKI, K, MG, NA], f"{LIVER}:warning", says="acute kidney injury|discontinue diuretics", omits="option for the clinician"),
    V("incapacitating cramps on diuretics: the article and EASL say stop, and hepatology should know",
      [*CIRRHOTIC, SEVERE, K, MG, NA, GFR], f"{LIVER}:warning specialist-referral:info", says="incapacitating cramps: discontinue"),
    V("encephalopathy on diuretics: the record cannot tell whether it is getting worse",
      [*CIRRHOTIC, ENCEPHALOPATHY, K, MG, NA, GFR], f"{LIVER}:warning", says="if this is worsening|baclofen is not advised"),
    V("potassium 2.8 on furosemide in cirrhosis: furosemide stops, spironolactone is not named",
      [*CIRRHOTIC, lab("k", "2.8"), MG, NA, GFR], f"{LIVER}:warning", says="discontinue furosemide", omits="discontinue spironolactone"),
    V("potassium 6.3 on spironolactone in cirrhosis: it stops",
      [*CIRRHOTIC, lab("k", "6.3"), MG, NA, GFR], f"{LIVER}:warning high-potassium:critical", says="discontinue spironolactone"),
    V("a well compensated man with cramps: normal values are stated to be normal, then come the next steps",
      [CIRRHOSIS, CRAMPS, K, MG, NA, GFR], f"{LIVER}:info", says="was normal on|baclofen 10 mg/day|No diuretic"),
    V("sodium unknown: baclofen is not named before it is known",
      [CIRRHOSIS, CRAMPS, K, MG, GFR], f"{LIVER}:info", says="no reliable sodium result", offers="sodium"),
]  # fmt: skip

ORDERS = [
    V("quinine for malaria beside amiodarone: two drugs on the QT, but malaria kills",
      [MALARIA, med("Amiodarone 200 MG Oral Tablet")], "quinine-ordered:warning", says="amiodarone|avoid together", not_offered="remove", drafts=[quinine()]),
    V("quinine for malaria in cirrhosis: exposure is raised, treatment goes on",
      [MALARIA, CIRRHOSIS], "quinine-ordered:info", says="raises exposure", not_offered="remove", drafts=[quinine()]),
    V("quinine for malaria with a QTc of 520: another drug",
      [MALARIA, lab("qtc", "520")], "quinine-ordered:critical", says="QTc 520", offers="remove", drafts=[quinine()]),
    V("quinine for cramps on warfarin and digoxin: both are named",
      [CRAMPS, med("warfarin sodium 5 MG Oral Tablet"), med("Digoxin 0.125 MG Oral Tablet")], "quinine-ordered:critical", says="INR rises|digoxin levels", offers="remove", drafts=[quinine()]),
    V("baclofen for cramps in pregnancy: the newborn withdraws",
      [CRAMPS, PREGNANT, GFR], "baclofen-ordered-dose:warning", says="pregnancy|newborn", offers="remove",
      drafts=[med("Baclofen 10 MG Oral Tablet", status="draft", **dose("1"))]),
    V("a thiazide at sodium 128: it would go lower",
      [CRAMPS, K, MG, lab("na", "128")], "diuretic-ordered-with-cramps:warning", says="sodium 128", offers="remove|sodium",
      drafts=[med("Hydrochlorothiazide 25 MG Oral Tablet", status="draft")]),
    V("spironolactone at potassium 3.2: it may correct it",
      [CRAMPS, lab("k", "3.2"), MG, NA, GFR], "-diuretic-ordered-with-cramps",
      drafts=[med("Spironolactone 25 MG Oral Tablet", status="draft")]),
    V("ibuprofen for cramps beside apixaban: removed again in one click",
      [CRAMPS, APIXABAN, GFR], "analgesic-ordered-for-cramps:warning", says="apixaban", offers="remove",
      drafts=[med("Ibuprofen 400 MG Oral Tablet", status="draft", **because("leg cramps"))]),
    V("a duplex of the leg's veins is not an extensive workup",
      [CRAMPS], "-extensive-workup-ordered", drafts=[service("Venous duplex ultrasound of left leg", status="draft")]),
    V("an MRI of the spine for cramps in a swollen leg: something calls for a look",
      [CRAMPS, cond("Left leg swelling")], "-extensive-workup-ordered", drafts=[service("MRI lumbar spine", status="draft")]),
]  # fmt: skip


@table([*CAUSES, *DANGERS, *CIRRHOSES, *ORDERS])
def test_the_answer_is_what_a_clinician_would_expect(program: Program, vignette: Vignette) -> None:
    program.check(vignette)
