"""Section 1, order-select: selections, reasons, doses, hazards; and what is not judged."""

from __future__ import annotations

from typing import Any

from tests.vignettes.builders import (
    AKI,
    ASCITES,
    CIRRHOSIS,
    CKD3,
    CKD4,
    CRAMPS,
    DIALYSIS,
    ENCEPHALOPATHY,
    ICD10,
    OXIDE,
    PREGNANT,
    RLS,
    SNOMED,
    Json,
    Program,
    Vignette,
    allergy,
    because,
    cond,
    days_ago,
    dose,
    draft,
    draft_test,
    gfr,
    lab,
    med,
    quinine,
    statement,
    table,
)

V = Vignette
FOR_CRAMPS = because("Leg cramps")


def oxide(**more: Any) -> Json:
    return draft(OXIDE, **more)


def kcl(**more: Any) -> Json:
    return draft("potassium chloride 20 MEQ Extended Release Oral Tablet", **more)


def baclofen(**more: Any) -> Json:
    return draft("baclofen 10 MG Oral Tablet", **more)


OK_K, OK_MG, OK_GFR = lab("k", "4.0"), lab("mg", "2.0"), gfr("90")
MALARIA = cond("Malaria", (SNOMED, "61462000"))

Q = "quinine-ordered"
QUININE = [
    V("quinine, US", [OK_K, OK_MG], f"{Q}:critical", drafts=[quinine()], offers="remove", not_offered="potassium"),
    V("quinine, UK without contraindication", [OK_K, OK_MG], f"{Q}:warning", drafts=[quinine()], settings={"jurisdiction": "uk"}),
    V("quinine, UK with a contraindication", [cond("Long QT syndrome", (SNOMED, "9651007"))], f"{Q}:critical", drafts=[quinine()], settings={"jurisdiction": "uk"}),
    V("K and Mg not fresh: both offered", [], f"{Q}:critical", drafts=[quinine()], offers="potassium|magnesium"),
    V("malaria as reason", [], f"-{Q}", drafts=[quinine(**because("Malaria"))]),
    V("malaria on the problem list", [MALARIA], f"-{Q}", drafts=[quinine()]),
    V("babesiosis as reason", [], f"-{Q}", drafts=[quinine(**because("Babesiosis"))]),
    V("malaria resolved", [cond("Malaria", (SNOMED, "61462000"), status="resolved")], f"{Q}", drafts=[quinine()]),
    V("malaria without a status does not excuse", [cond("Malaria", (SNOMED, "61462000"), status=None)], f"{Q}", drafts=[quinine()]),
    V("malaria by reason reference", [MALARIA | {"id": "mal"}], f"-{Q}", drafts=[quinine(reasonReference=[{"reference": "Condition/mal"}])]),
    *[V(f"malaria, but {name}", [MALARIA, cond(name)], f"{Q}:critical", drafts=[quinine()]) for name in ("Long QT syndrome", "Myasthenia gravis", "Optic neuritis", "Thrombotic thrombocytopenic purpura", "Hemolytic uremic syndrome", "Thrombocytopenia")],
    V("malaria, but previous thrombocytopenia, resolved", [MALARIA, cond("Thrombocytopenia", (SNOMED, "302215000"), status="resolved")], f"{Q}:critical", drafts=[quinine()]),
    V("malaria, platelets 99", [MALARIA, lab("plt", "99")], f"{Q}:critical", drafts=[quinine()]),
    V("malaria, platelets 100", [MALARIA, lab("plt", "100")], f"-{Q}", drafts=[quinine()]),
    V("malaria, platelets 99000 /uL", [MALARIA, lab("plt", "99000", "/uL")], f"{Q}:critical", drafts=[quinine()]),
    V("malaria, allergy to quinidine", [MALARIA, allergy("Quinidine")], f"{Q}:critical", drafts=[quinine()], says="quinidine"),
    V("malaria, allergy to mefloquine", [MALARIA, allergy("Mefloquine")], f"{Q}:critical", drafts=[quinine()]),
    V("malaria, refuted allergy", [MALARIA, allergy("Quinine", ver="refuted")], f"-{Q}", drafts=[quinine()]),
    V("malaria, inactive allergy", [MALARIA, allergy("Quinine", "inactive")], f"-{Q}", drafts=[quinine()]),
    V("malaria, allergy to penicillin", [MALARIA, allergy("Penicillin")], f"-{Q}", drafts=[quinine()]),
    V("G6PD deficiency with malaria is a warning", [MALARIA, cond("G6PD deficiency", (ICD10, "D55.0"))], f"{Q}:warning", drafts=[quinine()], says="G6PD"),
    V("G6PD deficiency without malaria", [cond("G6PD deficiency", (ICD10, "D55.0"))], f"{Q}:critical", drafts=[quinine()], says="G6PD|caution"),
    V("quinine without any prefetch is judged", [], f"{Q}:critical data-not-usable", drafts=[quinine()], without="patient results conditions medicationRequests medicationStatements allergies orders"),
    V("quinine not selected is not judged", [], f"-{Q}", drafts=[quinine(), draft("amoxicillin 500 MG Oral Capsule")], pick=[1]),
    V("quinine under 18", [], f"{Q}:critical", drafts=[quinine()], age=12),
    V("quinidine is not quinine", [], f"-{Q}", drafts=[draft("quinidine gluconate 324 MG Extended Release Oral Tablet")]),
    V("quinine by ATC", [], Q, drafts=[draft(None, ("http://www.whocc.no/atc", "P01BC01"))]),
    V("a draft with no medication", [CRAMPS], f"-{Q} -data-not-usable", drafts=[draft(None)]),
    V("a draft with an unknown code and no name: nobody can judge it, and a card says so", [CRAMPS], f"data-not-usable:info -{Q}", drafts=[draft(None, ("urn:x", "1"))]),
]  # fmt: skip

R = "magnesium-ordered-renal-impairment"
N = "magnesium-ordered-normal-level"
U = "magnesium-ordered-level-unknown"
D = "magnesium-ordered-dose"
MAGNESIUM = [
    V("eGFR 29", [gfr("29")], f"{R}:critical", drafts=[oxide()], offers="remove|magnesium, serum|creatinine"),
    V("CKD 4", [CKD4], f"{R}:critical", drafts=[oxide()]),
    V("CKD 3 with eGFR unknown", [CKD3], f"{R}:warning", drafts=[oxide()]),
    V("dialysis", [DIALYSIS, gfr("90")], f"{R}:critical", drafts=[oxide()]),
    V("AKI", [AKI, gfr("90")], f"{R}:critical", drafts=[oxide()]),
    V("Mg above range, normal renal function", [OK_GFR, lab("mg", "2.8")], f"{R}:warning", drafts=[oxide()]),
    V("renal function unknown", [], f"{R}:warning", drafts=[oxide()], says="unknown", offers="creatinine"),
    V("renal function of 13 months is unknown", [gfr("90", 400)], f"{R}:warning", drafts=[oxide()], says="unknown"),
    V("results not fetched: renal function could not be checked", [], f"{R}:warning", drafts=[oxide()], without="results", says="could not be checked"),
    V("stale 25 counts", [gfr("25", 300)], f"{R}:critical", drafts=[oxide()]),
    V("<50 is a warning", [gfr("50", comp="<")], f"{R}:warning", drafts=[oxide()]),
    V("intravenous magnesium is treatment: never obstructed", [gfr("20")], f"{R}:warning", not_offered="remove", drafts=[draft("magnesium sulfate 500 MG/ML Injectable Solution")]),
    V("milk of magnesia counts for the hazard", [gfr("20")], f"{R}:critical", drafts=[draft("Milk of Magnesia")]),
    V("esomeprazole magnesium does not count", [gfr("20")], f"-{R}", drafts=[draft("esomeprazole magnesium 20 MG Delayed Release Oral Capsule")]),
    V("under 18", [gfr("20")], f"{R}:critical", drafts=[oxide()], age=14),
    V("not selected", [gfr("20")], f"-{R}", drafts=[oxide(), draft_test("Chest x-ray")], pick=[1]),
    V("normal level, reason cramps", [OK_GFR, OK_MG], f"{N}:info -{R}", drafts=[oxide(**FOR_CRAMPS)], says="−0.18|−0.84 to 0.49"),
    V("normal level, no reason, cramps documented", [OK_GFR, OK_MG, CRAMPS], f"{N}:info", drafts=[oxide()]),
    V("normal level, no reason, no cramps", [OK_GFR, OK_MG], f"-{N}", drafts=[oxide()]),
    V("normal level, another reason", [OK_GFR, OK_MG, CRAMPS], f"-{N}", drafts=[oxide(**because("Migraine prophylaxis"))]),
    V("normal level, IV", [OK_GFR, OK_MG, CRAMPS], f"-{N}", drafts=[draft("magnesium sulfate 500 MG/ML Injectable Solution")]),
    V("normal level, laxative", [OK_GFR, OK_MG, CRAMPS], f"-{N}", drafts=[draft("magnesium hydroxide 80 MG/ML Oral Suspension")]),
    V("normal level, pregnancy", [OK_GFR, OK_MG, CRAMPS, PREGNANT], f"-{N}", drafts=[oxide()]),
    V("normal level, reason by reference to cramps", [OK_GFR, OK_MG, CRAMPS | {"id": "cr"}], f"{N}", drafts=[oxide(reasonReference=[{"reference": "Condition/cr"}])]),
    V("cramps assumed", [OK_GFR, OK_MG], f"{N}", drafts=[oxide()], settings={"cramps": "assumed"}),
    V("level unknown", [OK_GFR, CRAMPS], f"{U}:info", drafts=[oxide()], offers="magnesium"),
    V("level unknown, test drafted beside it", [OK_GFR, CRAMPS], f"-{U}", drafts=[oxide(), draft_test("Magnesium", ("http://loinc.org", "19123-9"))], pick=[0]),
    V("level unknown, not for cramps", [OK_GFR], f"-{U}", drafts=[oxide()]),
    V("level unknown under 18", [OK_GFR, CRAMPS], f"-{U}", drafts=[oxide()], age=14),
    V("low, 400 mg daily: 9.9 mmol, below 12", [OK_GFR, lab("mg", "1.4")], f"{D}:info", drafts=[oxide(**dose("1"))], says="400|241|mmol"),
    V("low, 800 mg daily: 19.8 mmol, inside", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[oxide(**dose("2"))]),
    V("low, 400 mg three times: 29.8 mmol, above 24", [OK_GFR, lab("mg", "1.4")], f"{D}:info", drafts=[oxide(**dose("1", frequency=3))], says="1200"),
    V("low, 484 mg is 12 mmol", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[oxide(**dose("484", "mg"))]),
    V("low, 967 mg is 24 mmol", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[oxide(**dose("967", "mg"))]),
    V("low, 480 mg rounds to 12 mmol", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[oxide(**dose("480", "mg"))]),
    V("low, 460 mg rounds to 11 mmol", [OK_GFR, lab("mg", "1.4")], f"{D}", drafts=[oxide(**dose("460", "mg"))]),
    V("low, 1000 mg rounds to 25 mmol", [OK_GFR, lab("mg", "1.4")], f"{D}", drafts=[oxide(**dose("1000", "mg"))]),
    V("low, 400 mg BID by code", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[oxide(**dose("1", code="BID"))]),
    V("low, 400 mg TID by code", [OK_GFR, lab("mg", "1.4")], f"{D}", drafts=[oxide(**dose("1", code="TID"))]),
    V("low, 400 mg QD by code", [OK_GFR, lab("mg", "1.4")], f"{D}", drafts=[oxide(**dose("1", code="QD"))]),
    V("low, range 1 to 3 tablets: the high end", [OK_GFR, lab("mg", "1.4")], f"{D}", drafts=[oxide(**dose("1", high="3"))], says="1200"),
    V("low, as needed with 2 tablets at most a day", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[oxide(**dose("1", frequency=None, as_needed=True, top=("2", "tablet")))]),
    V("low, as needed with 4 tablets at most a day", [OK_GFR, lab("mg", "1.4")], f"{D}", drafts=[oxide(**dose("1", frequency=None, as_needed=True, top=("4", "tablet")))]),
    V("low, dose unknown", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[oxide()]),
    V("normal magnesium: dose silent", [OK_GFR, OK_MG, CRAMPS], f"-{D}", drafts=[oxide(**dose("1"))]),
    V("dose silent when the renal card fires", [gfr("40"), lab("mg", "1.4")], f"{R} -{D}", drafts=[oxide(**dose("1"))]),
    V("dose silent in pregnancy", [OK_GFR, lab("mg", "1.4"), PREGNANT], f"-{D}", drafts=[oxide(**dose("1"))]),
    V("dose silent under 18", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[oxide(**dose("1"))], age=15),
    V("citrate is not judged by the oxide dose", [OK_GFR, lab("mg", "1.4")], f"-{D}", drafts=[draft("magnesium citrate 100 MG Oral Tablet", **dose("1"))]),
]  # fmt: skip

H = "potassium-ordered-hazard"
POTASSIUM = [
    V("K 5.0", [lab("k", "5.0"), OK_GFR], f"{H}:critical", drafts=[kcl()], offers="remove"),
    V("K 4.9", [lab("k", "4.9"), OK_GFR], f"-{H}", drafts=[kcl()]),
    V("eGFR 29", [OK_K, gfr("29")], f"{H}:critical", drafts=[kcl()]),
    V("CKD 4", [OK_K, CKD4], f"{H}:critical", drafts=[kcl()]),
    V("dialysis", [OK_K, OK_GFR, DIALYSIS], f"{H}:critical", drafts=[kcl()]),
    V("AKI", [OK_K, OK_GFR, AKI], f"{H}:critical", drafts=[kcl()]),
    V("spironolactone active", [OK_K, OK_GFR, med("spironolactone 25 MG Oral Tablet")], f"{H}:critical", drafts=[kcl()]),
    V("spironolactone drafted beside it", [OK_K, OK_GFR], f"{H}:critical", drafts=[kcl(), draft("spironolactone 25 MG Oral Tablet")], pick=[0]),
    V("spironolactone selected, potassium drafted", [OK_K, OK_GFR], f"{H}:critical", drafts=[kcl(), draft("spironolactone 25 MG Oral Tablet")], pick=[1]),
    V("spironolactone selected, potassium active", [OK_K, OK_GFR, med("Klor-Con M20")], f"{H}:critical", drafts=[draft("spironolactone 25 MG Oral Tablet")]),
    V("spironolactone selected alone", [OK_K, OK_GFR], f"-{H}", drafts=[draft("spironolactone 25 MG Oral Tablet")]),
    V("lisinopril active", [OK_K, OK_GFR, med("lisinopril 10 MG Oral Tablet")], f"{H}:warning", drafts=[kcl()]),
    V("ibuprofen active", [OK_K, OK_GFR, med("ibuprofen 400 MG Oral Tablet")], f"{H}:warning", drafts=[kcl()]),
    V("renal function unknown", [OK_K], f"{H}:warning", drafts=[kcl()]),
    V("a supplement already active", [OK_K, OK_GFR, med("Klor-Con M20")], f"{H}:warning", drafts=[kcl()]),
    V("K 2.9 lowers the renal part", [lab("k", "2.9"), gfr("20")], f"{H}:warning", drafts=[kcl()]),
    V("K 3.0 is low: at most a warning", [lab("k", "3.0"), gfr("20")], f"{H}:warning", not_offered="remove", drafts=[kcl()]),
    V("K 2.9 softens the sparing part too", [lab("k", "2.9"), OK_GFR, med("spironolactone 25 MG Oral Tablet")], f"{H}:warning", drafts=[kcl()], says="replacement is needed|monitor", not_offered="remove"),
    V("results not fetched", [], f"{H}:warning", drafts=[kcl()], without="results", says="could not be checked"),
    V("under 18", [lab("k", "5.4")], f"{H}:critical", drafts=[kcl()], age=9),
    V("losartan potassium is not potassium", [lab("k", "5.4"), gfr("20")], f"-{H}", drafts=[draft("losartan potassium 50 MG Oral Tablet")]),
    V("penicillin V potassium is not potassium", [lab("k", "5.4"), gfr("20")], f"-{H}", drafts=[draft("penicillin V potassium 500 MG Oral Tablet")]),
    V("preliminary K 5.2 raises", [lab("k", "5.2", status="preliminary"), OK_GFR], f"{H}:critical", drafts=[kcl()]),
]  # fmt: skip

BR, BE, BD = (
    "baclofen-ordered-renal-impairment",
    "baclofen-ordered-encephalopathy",
    "baclofen-ordered-dose",
)
ONE = dose("1")
BACLOFEN = [
    V("eGFR 29", [gfr("29")], f"{BR}:critical", drafts=[baclofen()], offers="remove", says="1.11|0.42"),
    V("CKD 4", [CKD4], f"{BR}:critical", drafts=[baclofen()]),
    V("dialysis", [DIALYSIS], f"{BR}:critical", drafts=[baclofen()]),
    V("AKI", [AKI, gfr("90")], f"{BR}:critical", drafts=[baclofen()]),
    V("unknown 12 months", [], f"{BR}:warning", drafts=[baclofen()]),
    V("not fetched", [], f"{BR}:warning", drafts=[baclofen()], without="results", says="could not be checked"),
    V("Beers at 70 with eGFR 50", [gfr("50")], f"{BR}:warning", drafts=[baclofen()], age=70, says="Beers"),
    V("already taking it: never abruptly, no removal", [gfr("20"), med("baclofen 10 MG Oral Tablet")], f"{BR}:critical", drafts=[baclofen()], says="abrupt", not_offered="remove"),
    V("Lioresal brand", [gfr("20")], f"{BR}:critical", drafts=[draft("Lioresal 10 MG Oral Tablet")]),
    V("intrathecal is excluded", [gfr("20"), CRAMPS], f"-{BR} -{BD} -{BE}", drafts=[draft("baclofen 0.5 MG/ML Injectable Solution intrathecal")]),
    V("Gablofen is intrathecal", [gfr("20"), CRAMPS], f"-{BR}", drafts=[draft("Gablofen 50 mcg/mL")]),
    V("under 18", [gfr("20")], f"{BR}:critical", drafts=[baclofen()], age=14),
    V("encephalopathy", [gfr("90"), ENCEPHALOPATHY], f"{BE}:critical", drafts=[baclofen()], says="certain", offers="remove"),
    V("past encephalopathy", [gfr("90"), cond("Hepatic encephalopathy", (SNOMED, "13920009"), status="resolved")], f"{BE}:critical", drafts=[baclofen()]),
    V("suspected encephalopathy", [gfr("90"), cond("Hepatic encephalopathy", (SNOMED, "13920009"), ver="provisional")], f"{BE}:critical", drafts=[baclofen()]),
    V("cirrhosis without it", [gfr("90"), CIRRHOSIS], f"{BE}:info", drafts=[baclofen()]),
    V("K72.90 alone is not encephalopathy", [gfr("90"), cond("Hepatic failure", (ICD10, "K72.90"))], f"-{BE}", drafts=[baclofen()]),
    V("cramps, no cirrhosis, 10 mg", [gfr("90"), CRAMPS], f"{BD}:info", drafts=[baclofen(**ONE)]),
    V("cramps, cirrhosis, 10 mg", [gfr("90"), CRAMPS, CIRRHOSIS], f"-{BD}", drafts=[baclofen(**ONE)]),
    V("cramps, cirrhosis, start at 20 mg", [gfr("90"), CRAMPS, CIRRHOSIS], f"{BD}:warning", drafts=[baclofen(**dose("1", code="BID"))]),
    V("cramps, cirrhosis, 5 mg twice", [gfr("90"), CRAMPS, CIRRHOSIS], f"-{BD}", drafts=[draft("baclofen 5 MG Oral Tablet", **dose("1", code="BID"))]),
    V("cramps, cirrhosis, taking it, 20 mg", [gfr("90"), CRAMPS, CIRRHOSIS, med("baclofen 10 MG Oral Tablet")], f"-{BD}", drafts=[baclofen(**dose("1", code="BID"))]),
    V("cramps, cirrhosis, taking it, 30 mg", [gfr("90"), CRAMPS, CIRRHOSIS, med("baclofen 10 MG Oral Tablet")], f"-{BD}", drafts=[baclofen(**dose("1", frequency=3))]),
    V("cramps, cirrhosis, taking it, 40 mg", [gfr("90"), CRAMPS, CIRRHOSIS, med("baclofen 10 MG Oral Tablet")], f"{BD}:warning", drafts=[baclofen(**dose("1", frequency=4))]),
    V("cramps, age 65", [gfr("90"), CRAMPS, CIRRHOSIS], f"{BD}:warning", drafts=[baclofen(**ONE)], age=66, says="fall"),
    *[V(f"cramps, with {drug}", [gfr("90"), CRAMPS, CIRRHOSIS, med(drug)], f"{BD}:warning", drafts=[baclofen(**ONE)]) for drug in ("lorazepam 1 MG Oral Tablet", "zolpidem tartrate 5 MG Oral Tablet", "oxycodone hydrochloride 5 MG Oral Tablet", "gabapentin 300 MG Oral Capsule", "pregabalin 75 MG Oral Capsule", "tramadol hydrochloride 50 MG Oral Tablet")],
    V("a sedative drafted beside it", [gfr("90"), CRAMPS, CIRRHOSIS], f"{BD}:warning", drafts=[baclofen(**ONE), draft("diazepam 5 MG Oral Tablet")], pick=[0]),
    V("spasticity in MS", [gfr("90"), CRAMPS, cond("Multiple sclerosis", (SNOMED, "24700007"))], f"-{BD}", drafts=[baclofen(**ONE)]),
    V("spasticity as reason", [gfr("90"), CRAMPS], f"-{BD}", drafts=[baclofen(**ONE, **because("Spasticity"))]),
    V("no cramps: none", [gfr("90")], f"-{BD}", drafts=[baclofen(**ONE)]),
    V("dose unknown, no cirrhosis", [gfr("90"), CRAMPS], f"{BD}:info", drafts=[baclofen()]),
]  # fmt: skip

A = "albumin-ordered-without-cirrhosis"
ALB = "albumin human, USP 250 MG/ML Injectable Solution"
OTHERS = [
    V("albumin for cramps without cirrhosis", [], f"{A}:warning", drafts=[draft(ALB, **FOR_CRAMPS)], says="20–40 g"),
    V("albumin for cramps, cirrhosis without ascites", [CIRRHOSIS], f"{A}:info", drafts=[draft(ALB, **FOR_CRAMPS)]),
    V("albumin for cramps, cirrhosis and ascites", [CIRRHOSIS, ASCITES], f"-{A}", drafts=[draft(ALB, **FOR_CRAMPS)]),
    V("albumin for cramps, cirrhosis on a diuretic", [CIRRHOSIS, med("furosemide 40 MG Oral Tablet")], f"-{A}", drafts=[draft(ALB, **FOR_CRAMPS)]),
    V("albumin without a reason, cramps documented", [CRAMPS], f"-{A}", drafts=[draft(ALB)]),
    V("the brand Albuminar", [], A, drafts=[draft("Albuminar-25 25% intravenous solution", **FOR_CRAMPS)]),
    V("albuterol is not albumin", [], f"-{A}", drafts=[draft("albuterol 90 mcg inhaler", **FOR_CRAMPS)]),
    V("pramipexole for cramps", [], "dopaminergic-ordered-for-cramps:warning", drafts=[draft("pramipexole dihydrochloride 0.125 MG Oral Tablet", **FOR_CRAMPS)]),
    V("levodopa for cramps", [], "dopaminergic-ordered-for-cramps:warning", drafts=[draft("carbidopa 25 MG / levodopa 100 MG Oral Tablet", **FOR_CRAMPS)]),
    V("ropinirole with restless legs", [RLS], "-dopaminergic-ordered-for-cramps", drafts=[draft("ropinirole 0.5 MG Oral Tablet", **FOR_CRAMPS)]),
    V("ropinirole with Parkinson disease", [cond("Parkinson's disease", (SNOMED, "49049000"))], "-dopaminergic-ordered-for-cramps", drafts=[draft("ropinirole 0.5 MG Oral Tablet", **FOR_CRAMPS)]),
    V("cabergoline with prolactinoma", [cond("Prolactinoma")], "-dopaminergic-ordered-for-cramps", drafts=[draft("cabergoline 0.5 MG Oral Tablet", **FOR_CRAMPS)]),
    V("ropinirole without reason, cramps documented", [CRAMPS], "-dopaminergic-ordered-for-cramps", drafts=[draft("ropinirole 0.5 MG Oral Tablet")]),
    V("ibuprofen for cramps at 70", [], "analgesic-ordered-for-cramps:warning", age=70, drafts=[draft("ibuprofen 400 MG Oral Tablet", **FOR_CRAMPS)]),
    V("ibuprofen for cramps at 50", [], "-analgesic-ordered-for-cramps", drafts=[draft("ibuprofen 400 MG Oral Tablet", **FOR_CRAMPS)]),
    V("ibuprofen for cramps, eGFR 50", [gfr("50")], "analgesic-ordered-for-cramps:warning", drafts=[draft("ibuprofen 400 MG Oral Tablet", **FOR_CRAMPS)]),
    V("ibuprofen for cramps on warfarin", [med("warfarin sodium 5 MG Oral Tablet")], "analgesic-ordered-for-cramps:warning", drafts=[draft("ibuprofen 400 MG Oral Tablet", **FOR_CRAMPS)]),
    V("ibuprofen for headache at 70", [CRAMPS], "-analgesic-ordered-for-cramps", age=70, drafts=[draft("ibuprofen 400 MG Oral Tablet", **because("Headache"))]),
    V("acetaminophen for cramps with cirrhosis", [CIRRHOSIS], "analgesic-ordered-for-cramps:info", drafts=[draft("acetaminophen 500 MG Oral Tablet", **FOR_CRAMPS)], says="2 g|safer"),
    V("acetaminophen for cramps at 70", [], "-analgesic-ordered-for-cramps", age=70, drafts=[draft("acetaminophen 500 MG Oral Tablet", **FOR_CRAMPS)]),
    V("topical diclofenac at 70", [CRAMPS], "-analgesic-ordered-for-cramps", age=70, drafts=[draft("diclofenac sodium 0.01 MG/MG Topical Gel")]),
    V("aspirin 81 at 70", [CRAMPS], "-analgesic-ordered-for-cramps", age=70, drafts=[draft("aspirin 81 MG Oral Tablet")]),
    V("aspirin 325 at 70", [CRAMPS], "analgesic-ordered-for-cramps:warning", age=70, drafts=[draft("aspirin 325 MG Oral Tablet")]),
    V("diuretic with cramps, all normal", [CRAMPS, OK_K, OK_MG], "-diuretic-ordered-with-cramps", drafts=[draft("furosemide 40 MG Oral Tablet")]),
    V("diuretic with cramps, low K", [CRAMPS, lab("k", "3.2"), OK_MG], "diuretic-ordered-with-cramps:warning", drafts=[draft("furosemide 40 MG Oral Tablet")]),
    V("diuretic with cramps, low Mg", [CRAMPS, OK_K, lab("mg", "1.4")], "diuretic-ordered-with-cramps:warning", drafts=[draft("furosemide 40 MG Oral Tablet")]),
    V("diuretic with cramps, unchecked", [CRAMPS], "diuretic-ordered-with-cramps:info", drafts=[draft("hydrochlorothiazide 25 MG Oral Tablet")], offers="potassium|magnesium"),
    V("diuretic with cramps and cirrhosis", [CRAMPS, OK_K, OK_MG, CIRRHOSIS], "diuretic-ordered-with-cramps:warning", drafts=[draft("spironolactone 100 MG Oral Tablet")], says="incapacitating|stop"),
    V("diuretic without cramps", [lab("k", "3.2")], "-diuretic-ordered-with-cramps", drafts=[draft("furosemide 40 MG Oral Tablet")]),
    V("MRI of the lumbar spine for cramps", [], "extensive-workup-ordered:info", drafts=[draft_test("MRI lumbar spine", **FOR_CRAMPS)]),
    V("EMG for cramps", [], "extensive-workup-ordered:info", drafts=[draft_test("Electromyography", **FOR_CRAMPS)]),
    V("nerve conduction study for cramps", [], "extensive-workup-ordered:info", drafts=[draft_test("Nerve conduction study", **FOR_CRAMPS)]),
    V("x-ray of the leg for cramps", [], "extensive-workup-ordered:info", drafts=[draft_test("X-ray of lower leg", **FOR_CRAMPS)]),
    V("MRI for cramps with radiculopathy", [cond("Lumbar radiculopathy", (SNOMED, "128196005"))], "-extensive-workup-ordered", drafts=[draft_test("MRI lumbar spine", **FOR_CRAMPS)]),
    V("ultrasound of leg arteries with PAD", [cond("Peripheral arterial disease", (SNOMED, "840580004"))], "-extensive-workup-ordered", drafts=[draft_test("Ultrasound lower extremity arteries", **FOR_CRAMPS)]),
    V("MRI for back pain", [CRAMPS], "-extensive-workup-ordered", drafts=[draft_test("MRI lumbar spine", **because("Low back pain"))]),
    V("chest x-ray for cramps", [], "-extensive-workup-ordered", drafts=[draft_test("Chest x-ray", **FOR_CRAMPS)]),
    V("a potassium for cramps is not an extensive workup", [], "-extensive-workup-ordered", drafts=[draft_test("Potassium", ("http://loinc.org", "2823-3"), **FOR_CRAMPS)]),
    V("an unreadable magnesium for a selected magnesium", [OK_GFR, lab("mg", "1.4", "furlong"), CRAMPS], "data-not-usable:info", drafts=[oxide()], says="furlong"),
    V("an unreadable magnesium is not reported for another draft", [lab("mg", "1.4", "furlong"), CRAMPS], "-data-not-usable", drafts=[draft("amoxicillin 500 MG Oral Capsule"), oxide()], pick=[0]),
    V("a statement of quinine does not affect an order of magnesium", [statement("Quinine"), OK_GFR, OK_MG], "-quinine-ordered", drafts=[oxide(**FOR_CRAMPS)], not_offered=""),
    V("baclofen that was stated yesterday is being taken: no removal", [statement("baclofen 10 mg", dateAsserted=days_ago(1)), gfr("20")], f"{BR}:critical", drafts=[baclofen()], not_offered="remove"),
]  # fmt: skip


@table(QUININE)
def test_quinine(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(MAGNESIUM)
def test_magnesium(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(POTASSIUM)
def test_potassium(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(BACLOFEN)
def test_baclofen(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(OTHERS)
def test_other_orders(program: Program, vignette: Vignette) -> None:
    program.check(vignette)
