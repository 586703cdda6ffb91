"""Section 1, patient-view: every other rule, with the clauses of sections 2 to 5 for it."""

from __future__ import annotations

from tests.testing import fhir
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
    cond,
    days_ago,
    gfr,
    lab,
    med,
    service,
    statement,
    table,
)

V = Vignette
K, MG, CBC = lab("k", "4.0"), lab("mg", "2.0"), lab("hb", "14")
CHECKED = [K, MG, CBC]
MALARIA = cond("Malaria", (SNOMED, "61462000"))
QUININE = med("quinine sulfate 324 MG Oral Capsule")


def visit(text: str) -> Json:
    return fhir.encounter(status="in-progress", reasonCode=[fhir.concept(text)])


IRON = [
    V("ferritin 49 ng/mL fires", [lab("ferritin", "49")], "low-ferritin:info", says="49|restless"),
    V("ferritin 49 mcg/L", [lab("ferritin", "49", "mcg/L")], "low-ferritin"),
    V("ferritin 75 with restless legs fires", [lab("ferritin", "75"), RLS], "low-ferritin", says="75|39324694"),
    V("ferritin 75 with suspected restless legs does not", [lab("ferritin", "75"), cond("Restless legs", (SNOMED, "32914008"), ver="provisional")], "-low-ferritin"),
    V("TSAT 19 with restless legs fires", [lab("ferritin", "200"), lab("tsat", "19"), RLS], "low-ferritin"),
    V("TSAT 19 without restless legs does not", [lab("tsat", "19")], "-low-ferritin"),
    V("raised CRP: use TSAT", [lab("ferritin", "40"), lab("crp", "40")], "low-ferritin", says="even with inflammation|TSAT", omits="mislead"),
    V("ferritin in CKD: use TSAT", [lab("ferritin", "40"), CKD3], "low-ferritin", says="TSAT|kidney"),
    V("no iron with TSAT over 45", [lab("ferritin", "40"), lab("tsat", "50")], "low-ferritin", omits="oral iron is"),
    V("minors: no ferritin card", [lab("ferritin", "20")], "-low-ferritin", age=12),
    V("preliminary ferritin may raise", [lab("ferritin", "20", status="preliminary")], "low-ferritin", says="preliminary"),
    V("with restless legs a missing ferritin is requested", [RLS], "ferritin-not-checked:info -restless-legs-mimic", offers="ferritin|transferrin", says="morning|24"),
    V("suspected restless legs too", [cond("Restless legs", ver="differential")], "ferritin-not-checked:info"),
    V("never without restless legs", [CRAMPS], "-ferritin-not-checked"),
    V("ferritin ordered already: not requested", [RLS, service("Ferritin", ("http://loinc.org", "2276-4")), service("Iron saturation", ("http://loinc.org", "2502-3"))], "-ferritin-not-checked"),
    V("cramps with restless legs: how they differ", [RLS, CRAMPS], "restless-legs-mimic:info", says="urge|stretch|dopaminergic|alpha-2-delta|augmentation"),
    V("suspected restless legs raises no mimic card", [cond("Restless legs", ver="provisional"), CRAMPS], "-restless-legs-mimic"),
    V("resolved restless legs: none", [cond("Restless legs", status="resolved"), CRAMPS], "-restless-legs-mimic -ferritin-not-checked"),
    V("restless legs without status and abatement counts", [cond("Restless legs", status=None), CRAMPS], "restless-legs-mimic"),
]  # fmt: skip

ANEMIA = [
    V("haemoglobin 11.9 g/dL, sex not known: the limit for women", [lab("hb", "11.9")], "anemia:info", sex=None),
    V("haemoglobin 10.9 in pregnancy is low", [lab("hb", "10.9"), PREGNANT], "anemia"),
    V("anaemia offers ferritin and TSAT", [lab("hb", "10")], "anemia", offers="ferritin|transferrin"),
    V("anaemia with both fresh offers neither", [lab("hb", "10"), lab("ferritin", "200"), lab("tsat", "30")], "anemia", not_offered="ferritin|transferrin"),
    V("anaemia on quinine names platelets", [lab("hb", "10"), QUININE], "anemia", says="platelet"),
    V("anaemia without quinine does not name platelets", [lab("hb", "10")], "anemia", omits="platelet"),
    V("anaemia under 18: none", [lab("hb", "8")], "-anemia", age=9),
    V("haemoglobin 1 is implausible", [lab("hb", "1"), CRAMPS], "data-not-usable -anemia"),
]  # fmt: skip

CHECKS = [
    V("cramps without results: K, Mg and CBC offered", [CRAMPS], "electrolytes-not-checked:info", offers="potassium|magnesium|blood count", says="idiopathic"),
    V("potassium fresh: the other two", [CRAMPS, K], "electrolytes-not-checked", offers="magnesium|blood count", not_offered="potassium"),
    V("all fresh: none", [CRAMPS, *CHECKED], "-electrolytes-not-checked"),
    V("only preliminary is not checked", [CRAMPS, lab("k", "4.0", status="preliminary"), MG, CBC], "electrolytes-not-checked", offers="potassium"),
    V("unusable magnesium is not checked", [CRAMPS, K, lab("mg", "2.0", "furlong"), CBC], "electrolytes-not-checked", offers="magnesium"),
    V("haemoglobin of 13 months is not checked", [CRAMPS, K, MG, lab("hb", "14", ago=396)], "electrolytes-not-checked", offers="blood count"),
    V("a CBC panel counts as checked", [CRAMPS, K, MG, lab("cbc", hasMember=[{"reference": "Observation/x"}])], "-electrolytes-not-checked"),
    V("ordered magnesium is not offered", [CRAMPS, K, CBC, service("Magnesium", ("http://loinc.org", "19123-9"))], "-electrolytes-not-checked"),
    V("an ordered BMP leaves magnesium and CBC", [CRAMPS, service("BMP", ("http://loinc.org", "51990-0"))], "electrolytes-not-checked", offers="magnesium|blood", not_offered="potassium"),
    V("a haemoglobin ordered alone is not a CBC", [CRAMPS, K, MG, service("Haemoglobin", ("http://loinc.org", "718-7"))], "electrolytes-not-checked", offers="blood count"),
    V("an ordered CBC counts as a CBC", [CRAMPS, K, MG, service("CBC", ("http://loinc.org", "58410-2"))], "-electrolytes-not-checked"),
    V("no cramps: none", [], "-electrolytes-not-checked -first-line-measures"),
    V("cramps assumed", [], "electrolytes-not-checked first-line-measures", settings={"cramps": "assumed"}),
    V("results not fetched: cannot tell, data-not-usable is shown", [CRAMPS], "data-not-usable -electrolytes-not-checked", without="results"),
    V("conditions not fetched: data-not-usable is shown", [], "data-not-usable:info -first-line-measures", without="conditions"),
    V("medications not fetched: data-not-usable is shown", [], "data-not-usable:info", without="medicationRequests medicationStatements"),
    V("cramps under 18: none", [CRAMPS], "-electrolytes-not-checked -first-line-measures", age=15),
]  # fmt: skip

TEXTS = [
    *[V(f"cramps by text: {text}", [cond(text)], "first-line-measures:info") for text in ("Leg cramps", "Calf cramp", "Nocturnal cramps", "Night cramps in legs", "Muscle cramp", "Cramps of lower limb", "Lower limb cramp", "Charley horse", "Nocturnal leg cramps, severe", "Cramp in calf")],
    *[V(f"no cramps by text: {text}", [cond(text)], "-first-line-measures") for text in ("No leg cramps", "Denies leg cramps", "Without muscle cramps", "Menstrual cramps", "Abdominal cramps", "Writer's cramp", "Muscle spasm", "Abdominal muscle cramps")],
    V("R25.2 counts", [cond(None, (ICD10, "R25.2"))], "first-line-measures"),
    V("45352006 spasm does not count", [cond(None, (SNOMED, "45352006"))], "-first-line-measures"),
    V("449917004 counts", [cond(None, (SNOMED, "449917004"))], "first-line-measures"),
    V("suspected cramps do not count", [cond("Leg cramps", ver="provisional")], "-first-line-measures"),
    V("resolved cramps do not count", [cond("Leg cramps", status="resolved")], "-first-line-measures"),
    V("inactive cramps do not count", [cond("Leg cramps", status="inactive")], "-first-line-measures"),
    V("entered in error", [cond("Leg cramps", ver="entered-in-error")], "-first-line-measures"),
    V("recurrence counts", [cond("Leg cramps", status="recurrence")], "first-line-measures"),
    V("no status, no abatement counts", [cond("Leg cramps", status=None)], "first-line-measures"),
    V("no status but abated does not count", [cond("Leg cramps", status=None, abatementDateTime="2025-01-01")], "-first-line-measures"),
    V("the encounter's reason counts", [visit("Leg cramps at night")], "first-line-measures", context={"encounterId": "e1"}),
    V("the reason of another encounter does not count", [visit("Leg cramps at night")], "-first-line-measures", context={"encounterId": "e9"}),
    V("an encounter's reason about something else", [visit("Cough")], "-first-line-measures", context={"encounterId": "e1"}),
    V("the words of the first-line card", [CRAMPS, *CHECKED], "first-line-measures:info", says="stretch|dorsiflexion|massage|ice|baclofen|cirrhosis|limited", omits="guideline"),
]  # fmt: skip

FURO = med("furosemide 40 MG Oral Tablet")
LIVER = [
    V("cirrhosis on a diuretic, no cramps", [CIRRHOSIS, FURO], "cirrhosis-cramps:info", says="20–40 g|hepatolog"),
    V("cirrhosis with cramps, no diuretic", [CIRRHOSIS, CRAMPS], "cirrhosis-cramps:info"),
    V("cirrhosis alone", [CIRRHOSIS], "-cirrhosis-cramps"),
    V("suspected cirrhosis", [cond("Cirrhosis", (SNOMED, "19943007"), ver="provisional"), FURO], "-cirrhosis-cramps"),
    V("low potassium makes it a warning", [CIRRHOSIS, FURO, lab("k", "3.2")], "cirrhosis-cramps:warning low-potassium"),
    V("low magnesium makes it a warning", [CIRRHOSIS, FURO, lab("mg", "1.4")], "cirrhosis-cramps:warning low-magnesium"),
    V("a stale low potassium does not", [CIRRHOSIS, FURO, lab("k", "3.2", ago=40)], "cirrhosis-cramps:info"),
    V("offers what is older than 30 days", [CIRRHOSIS, FURO, lab("k", "4", ago=31), lab("mg", "2", ago=31)], "cirrhosis-cramps", offers="potassium|magnesium|sodium|creatinine"),
    V("offers nothing that is fresh", [CIRRHOSIS, FURO, K, MG, lab("na", "138"), lab("creat", "0.8"), gfr("90")], "cirrhosis-cramps", not_offered="potassium|magnesium|sodium|creatinine"),
    V("baclofen named with eGFR 60", [lab("na", "138"), CIRRHOSIS, FURO, gfr("60")], "cirrhosis-cramps", says="baclofen|10 mg/day|30 mg/day", not_offered="baclofen"),
    V("baclofen dose not named with unknown eGFR", [CIRRHOSIS, FURO], "cirrhosis-cramps", omits="30 mg"),
    V("baclofen dose not named with encephalopathy", [CIRRHOSIS, FURO, gfr("80"), ENCEPHALOPATHY], "cirrhosis-cramps", omits="30 mg"),
    V("baclofen dose not named with past encephalopathy", [CIRRHOSIS, FURO, gfr("80"), cond("Hepatic encephalopathy", (SNOMED, "13920009"), status="resolved")], "cirrhosis-cramps", omits="30 mg"),
    V("baclofen dose not named with a sedative", [CIRRHOSIS, FURO, gfr("80"), med("lorazepam 1 MG Oral Tablet")], "cirrhosis-cramps", omits="30 mg"),
    V("albumin named with ascites", [CIRRHOSIS, CRAMPS, ASCITES], "cirrhosis-cramps", says="20–40 g", not_offered="albumin"),
    V("albumin not named without ascites and diuretic", [CIRRHOSIS, CRAMPS], "cirrhosis-cramps", omits="20–40 g"),
    V("incapacitating cramps: reduce or stop the diuretic", [CIRRHOSIS, FURO], "cirrhosis-cramps", says="incapacitating"),
    V("under 18: none", [CIRRHOSIS, FURO], "-cirrhosis-cramps", age=16),
    V("K74.60 by code alone", [cond(None, (ICD10, "K74.60")), FURO], "cirrhosis-cramps"),
    V("spironolactone is a diuretic", [CIRRHOSIS, med("spironolactone 100 MG Oral Tablet")], "cirrhosis-cramps"),
    V("a completed diuretic is not active", [CIRRHOSIS, med("furosemide 40 MG Oral Tablet", status="completed")], "-cirrhosis-cramps"),
]  # fmt: skip

QUININES = [
    V("quinine active, US", [QUININE], "quinine-active:critical", says="boxed", offers="blood count"),
    V("quinine: a haemoglobin ordered alone leaves the CBC", [QUININE, service("Haemoglobin", ("http://loinc.org", "718-7"))], "quinine-active:critical", offers="blood count"),
    V("quinine: an ordered CBC is not offered", [QUININE, service("CBC", ("http://loinc.org", "58410-2"))], "quinine-active:critical", not_offered="blood count"),
    V("quinine active, UK", [QUININE], "quinine-active:warning", settings={"jurisdiction": "uk"}),
    V("Qualaquin", [med("Qualaquin 324 MG Oral Capsule")], "quinine-active:critical"),
    V("by ATC P01BC01", [med(None, ("http://www.whocc.no/atc", "P01BC01"))], "quinine-active"),
    V("by RxNorm product 198186", [med(None, ("http://www.nlm.nih.gov/research/umls/rxnorm", "198186"))], "quinine-active"),
    V("quinine by statement", [statement("Quinine sulphate 300 mg tablets")], "quinine-active"),
    V("quinidine is not quinine", [med("quinidine sulfate 200 MG Oral Tablet")], "-quinine-active"),
    V("hydroquinone is not quinine", [med("hydroquinone 40 MG/ML Topical Cream")], "-quinine-active"),
    V("homeopathic potencies do not count", [med("Quinine sulfate 6X homeopathic tablet"), med("cinchona officinalis bark 30 [hp_C] / quinine 6 [hp_X] Oral Pellet")], "-quinine-active"),
    V("tonic water does not count", [statement("Tonic water with quinine")], "-quinine-active"),
    V("malaria: none", [QUININE, MALARIA], "-quinine-active"),
    V("malaria without status does not excuse", [QUININE, cond("Malaria", (SNOMED, "61462000"), status=None)], "quinine-active"),
    V("suspected malaria does not excuse", [QUININE, cond("Malaria", (SNOMED, "61462000"), ver="provisional")], "quinine-active"),
    V("resolved malaria does not excuse", [QUININE, cond("Malaria", (SNOMED, "61462000"), status="resolved")], "quinine-active"),
    V("names long QT", [QUININE, cond("Long QT syndrome", (SNOMED, "9651007"))], "quinine-active:critical", says="QT"),
    V("names myasthenia", [QUININE, cond("Myasthenia gravis", (SNOMED, "91637004"))], "quinine-active", says="myasthenia"),
    V("names low platelets", [QUININE, lab("plt", "90")], "quinine-active", says="90"),
    V("quinine is reported under 18", [QUININE], "quinine-active:critical", age=10),
    *[V(f"quinine {status} is not active", [med("quinine sulfate 324 MG Oral Capsule", status=status)], "-quinine-active") for status in ("completed", "stopped", "cancelled", "on-hold", "entered-in-error", "draft")],
    V("do not perform is not active", [med("quinine sulfate 324 MG Oral Capsule", doNotPerform=True)], "-quinine-active"),
    V("not taken is not active", [statement("Quinine", "not-taken")], "-quinine-active"),
    V("rule off", [QUININE], "-quinine-active", settings={"rules_off": ("quinine-active",)}),
    V("quinine in a contained medication", [med(None, contained=[fhir.product("Quinine sulfate", "x")], medicationReference={"reference": "#x"})], "quinine-active"),
]  # fmt: skip

TAKES = med(OXIDE)
RENAL = [
    V("supplement with eGFR 59", [TAKES, gfr("59")], "magnesium-in-renal-impairment:warning", says="monitor"),
    V("supplement with CKD 4", [TAKES, CKD4], "magnesium-in-renal-impairment:critical"),
    V("supplement with CKD 5 by text", [TAKES, cond("Chronic kidney disease, stage 5")], "magnesium-in-renal-impairment:critical"),
    V("supplement on dialysis", [TAKES, DIALYSIS], "magnesium-in-renal-impairment:critical"),
    V("supplement with AKI", [TAKES, AKI], "magnesium-in-renal-impairment:critical"),
    V("supplement with suspected AKI", [TAKES, cond("AKI", (ICD10, "N17.9"), ver="unconfirmed")], "magnesium-in-renal-impairment:critical"),
    V("supplement with Mg 1.06 mmol/L", [TAKES, gfr("90"), lab("mg", "1.06", "mmol/L")], "magnesium-in-renal-impairment:info"),
    V("supplement above the laboratory's own high", [TAKES, gfr("90"), lab("mg", "2.5", high="2.4", low="1.6")], "magnesium-in-renal-impairment:info"),
    V("CKD 3 without eGFR", [TAKES, CKD3], "magnesium-in-renal-impairment:warning"),
    V("no renal function in 12 months", [TAKES], "magnesium-in-renal-impairment:info", offers="creatinine"),
    V("eGFR 25 of 200 days counts", [TAKES, gfr("25", 200)], "magnesium-in-renal-impairment:critical"),
    V("eGFR <50 is at least below 60", [TAKES, gfr("50", comp="<")], "magnesium-in-renal-impairment:warning"),
    V("milk of magnesia is a hazard", [med("magnesium hydroxide 80 MG/ML Oral Suspension"), gfr("20")], "magnesium-in-renal-impairment:critical"),
    V("esomeprazole magnesium is not", [med("esomeprazole magnesium 40 MG Delayed Release Oral Capsule"), gfr("20")], "-magnesium-in-renal-impairment"),
    V("pitavastatin magnesium is not", [med("pitavastatin magnesium 4 MG Oral Tablet"), gfr("20")], "-magnesium-in-renal-impairment"),
    V("a multivitamin is not", [med("multivitamin with minerals, magnesium 50 mg, zinc, vitamin C, vitamin D tablet"), gfr("20")], "-magnesium-in-renal-impairment"),
    V("advanced CKD with cramps, no supplement", [CRAMPS, CKD4], "magnesium-in-renal-impairment:info", says="over-the-counter"),
    V("advanced CKD without cramps, no supplement", [CKD4], "-magnesium-in-renal-impairment"),
    V("eGFR 25 with cramps, no supplement", [CRAMPS, gfr("25")], "magnesium-in-renal-impairment:info"),
    V("eGFR 45 with cramps, no supplement", [CRAMPS, gfr("45")], "-magnesium-in-renal-impairment"),
    V("the hazard is reported under 18", [TAKES, gfr("20")], "magnesium-in-renal-impairment:critical", age=12),
    V("Mag-Ox 400 brand", [med("Mag-Ox 400"), gfr("20")], "magnesium-in-renal-impairment:critical"),
    V("Slow-Mag brand", [statement("Slow-Mag 64 mg"), gfr("20")], "magnesium-in-renal-impairment:critical"),
    V("a newer statement of stopping does not end a hazard", [TAKES, statement(OXIDE, "stopped", dateAsserted=days_ago(2)), gfr("20")], "magnesium-in-renal-impairment:critical"),
    V("creatinine alone: computed, said so", [TAKES, lab("creat", "2.6")], "magnesium-in-renal-impairment:critical", says="comput"),
    V("CKD-EPI 2021: man of 60 with 1.33 is above 60", [TAKES, lab("creat", "1.33")], "-magnesium-in-renal-impairment", age=60, sex="male"),
    V("CKD-EPI 2021: man of 60 with 1.40 is below 60", [TAKES, lab("creat", "1.40")], "magnesium-in-renal-impairment:warning", age=60, sex="male"),
    V("low and impaired: no dose beside the warning", [TAKES, gfr("25"), lab("mg", "1.4")], "low-magnesium magnesium-in-renal-impairment:warning", omits="484"),
]  # fmt: skip

BENEFIT = [
    V("normal magnesium, supplement, cramps", [TAKES, CRAMPS, MG], "magnesium-not-indicated:info", says="−0.18|−0.84 to 0.49|11–37|307|PMC8094171"),
    V("without cramps: none", [TAKES, MG], "-magnesium-not-indicated"),
    V("low magnesium: none", [TAKES, CRAMPS, lab("mg", "1.4")], "-magnesium-not-indicated"),
    V("high magnesium is not normal", [TAKES, CRAMPS, lab("mg", "2.8")], "-magnesium-not-indicated"),
    V("pregnancy: none", [TAKES, CRAMPS, MG, PREGNANT], "-magnesium-not-indicated"),
    V("for constipation: none", [med(OXIDE, reasonCode=[{"text": "Constipation"}]), CRAMPS, MG], "-magnesium-not-indicated"),
    V("an antacid: none", [med("magnesium hydroxide 80 MG/ML Oral Suspension"), CRAMPS, MG], "-magnesium-not-indicated"),
    V("magnesium citrate laxative: none", [med("magnesium citrate 58 MG/ML Oral Solution"), CRAMPS, MG], "-magnesium-not-indicated"),
    V("stopped by a newer statement: none", [TAKES, statement(OXIDE, "stopped", dateAsserted=days_ago(2)), CRAMPS, MG], "-magnesium-not-indicated"),
    V("under 18: none", [TAKES, CRAMPS, MG], "-magnesium-not-indicated", age=16),
    V("only preliminary normal: none", [TAKES, CRAMPS, lab("mg", "2.0", status="preliminary")], "-magnesium-not-indicated"),
    V("magnesium glycinate counts", [statement("Magnesium glycinate 200 mg"), CRAMPS, MG], "magnesium-not-indicated"),
]  # fmt: skip

MIMICS = [
    V("arterial disease with cramps", [CRAMPS, cond("Peripheral arterial disease", (SNOMED, "840580004"))], "claudication-mimic:info specialist-referral", offers="ankle", says="exercise|rest|pulse|bruit"),
    V("claudication with cramps", [CRAMPS, cond("Intermittent claudication", (SNOMED, "63491006"))], "claudication-mimic:warning specialist-referral"),
    V("neurogenic claudication is nerve, not artery", [CRAMPS, cond("Neurogenic claudication", (SNOMED, "303081002"))], "neuropathy-mimic -claudication-mimic"),
    V("claudication without cramps", [cond("Intermittent claudication", (SNOMED, "63491006"))], "-claudication-mimic"),
    V("the referral is not the claudication card's", [CRAMPS, cond("Intermittent claudication")], "claudication-mimic", not_offered="referral"),
    V("neuropathy", [CRAMPS, cond("Peripheral neuropathy", (SNOMED, "42658009"))], "neuropathy-mimic:info", says="burning|tingling"),
    V("radiculopathy", [CRAMPS, cond("Lumbar radiculopathy", (SNOMED, "128196005"))], "neuropathy-mimic:info specialist-referral"),
    V("spinal stenosis", [CRAMPS, cond("Spinal stenosis of lumbar region", (SNOMED, "18347007"))], "neuropathy-mimic:info"),
    V("motor neuron disease", [CRAMPS, cond("Amyotrophic lateral sclerosis", (SNOMED, "86044005"))], "neuropathy-mimic:warning specialist-referral"),
    V("diabetes", [CRAMPS, cond("Type 2 diabetes mellitus", (SNOMED, "44054006"))], "neuropathy-mimic:info"),
    V("neuropathy without cramps", [cond("Peripheral neuropathy", (SNOMED, "42658009"))], "-neuropathy-mimic"),
    V("age 65 without screening", [CRAMPS], "diabetes-not-screened:info", age=66, offers="HbA1c"),
    V("exactly 65 today", [CRAMPS], "diabetes-not-screened", age=65, patient={"birthDate": "1961-11-23"}),
    V("65 tomorrow", [CRAMPS], "-diabetes-not-screened", age=65, patient={"birthDate": "1961-11-24"}),
    V("HbA1c of 35 months", [CRAMPS, lab("a1c", "5.4", ago=1060)], "-diabetes-not-screened", age=70),
    V("HbA1c of 37 months", [CRAMPS, lab("a1c", "5.4", ago=1130)], "diabetes-not-screened", age=70),
    V("glucose of 2 years", [CRAMPS, lab("glucose", "95", ago=700)], "-diabetes-not-screened", age=70),
    V("HbA1c in mmol/mol", [CRAMPS, lab("a1c", "36", "mmol/mol")], "-diabetes-not-screened", age=70),
    V("diabetes known", [CRAMPS, cond("Type 2 diabetes mellitus", (SNOMED, "44054006"))], "-diabetes-not-screened", age=70),
    V("HbA1c ordered", [CRAMPS, service("HbA1c", ("http://loinc.org", "4548-4"))], "-diabetes-not-screened", age=70),
    V("an ordered metabolic panel includes glucose", [CRAMPS, service("BMP", ("http://loinc.org", "51990-0"))], "-diabetes-not-screened", age=70),
    V("no birth date: no age rule", [CRAMPS], "-diabetes-not-screened", age=None),
    V("severe cramps by coded severity", [cond("Leg cramps", severity={"coding": [{"system": SNOMED, "code": "24484000"}]})], "specialist-referral:info", offers="referral"),
    V("severe by severity text", [cond("Leg cramps", severity={"text": "Severe"})], "specialist-referral"),
    V("recurrence is persistent", [cond("Leg cramps", status="recurrence")], "specialist-referral"),
    *[V(f"{word} in the cramps' own text", [cond(f"{word} nocturnal leg cramps")], "specialist-referral") for word in ("Severe", "Persistent", "Refractory", "Intractable", "Progressive", "Incapacitating")],
    V("severe in another condition's text", [CRAMPS, cond("Severe asthma")], "-specialist-referral"),
    *[V(f"neurological deficit: {word}", [CRAMPS, cond(word)], "specialist-referral", offers="neurolog") for word in ("Foot drop", "Weakness of left leg", "Fasciculation", "Lumbar radiculopathy")],
    V("vascular referral", [CRAMPS, cond("Intermittent claudication", (SNOMED, "63491006"))], "specialist-referral", offers="vascular"),
    V("plain cramps are not referred", [CRAMPS, *CHECKED], "-specialist-referral"),
    V("no deficit when denied", [CRAMPS, cond("No weakness")], "-specialist-referral"),
    V("severe without cramps", [cond("Foot drop")], "-specialist-referral"),
]  # fmt: skip

DRUGS = [
    V("one card names all", [CRAMPS, FURO, med("atorvastatin 40 MG Oral Tablet"), med("salmeterol 50 mcg inhaler")], "cramp-inducing-medication:info", says="2.42|1.20|1.16|furosemide|atorvastatin|salmeterol|22157068"),
    V("thiazide-like 1.48", [CRAMPS, med("indapamide 2.5 MG Oral Tablet")], "cramp-inducing-medication", says="1.48"),
    V("potassium-sparing 2.12", [CRAMPS, med("spironolactone 25 MG Oral Tablet")], "cramp-inducing-medication", says="2.12"),
    V("loop is not significant", [CRAMPS, FURO], "cramp-inducing-medication", says="1.20|not significant"),
    V("without cramps none", [FURO], "-cramp-inducing-medication"),
    V("pravastatin brand Pravachol", [CRAMPS, med("Pravachol 40 MG Oral Tablet")], "cramp-inducing-medication"),
    V("amoxicillin does not", [CRAMPS, med("amoxicillin 500 MG Oral Capsule")], "-cramp-inducing-medication"),
    V("ibuprofen at 70", [CRAMPS, med("ibuprofen 400 MG Oral Tablet")], "analgesic-use:info", age=70, omits="ineffective"),
    V("ibuprofen at 50", [CRAMPS, med("ibuprofen 400 MG Oral Tablet")], "-analgesic-use"),
    V("ibuprofen with eGFR 59", [CRAMPS, med("ibuprofen 400 MG Oral Tablet"), gfr("59")], "analgesic-use"),
    V("ibuprofen with cirrhosis", [CRAMPS, med("ibuprofen 400 MG Oral Tablet"), CIRRHOSIS], "analgesic-use"),
    V("ibuprofen with warfarin", [CRAMPS, med("ibuprofen 400 MG Oral Tablet"), med("warfarin sodium 5 MG Oral Tablet")], "analgesic-use"),
    V("ibuprofen with apixaban", [CRAMPS, med("ibuprofen 400 MG Oral Tablet"), med("Eliquis 5 MG")], "analgesic-use"),
    V("ibuprofen with diuretic and ACE inhibitor", [CRAMPS, med("ibuprofen 400 MG Oral Tablet"), FURO, med("lisinopril 10 MG Oral Tablet")], "analgesic-use"),
    V("ibuprofen with a combination of both", [CRAMPS, med("ibuprofen 400 MG Oral Tablet"), med("lisinopril 20 MG / hydrochlorothiazide 12.5 MG Oral Tablet")], "analgesic-use"),
    V("ibuprofen with diuretic alone", [CRAMPS, med("ibuprofen 400 MG Oral Tablet"), FURO], "-analgesic-use"),
    V("diclofenac gel is topical", [CRAMPS, med("diclofenac sodium 0.01 MG/MG Topical Gel")], "-analgesic-use", age=70),
    V("aspirin 81 mg is not", [CRAMPS, med("aspirin 81 MG Oral Tablet")], "-analgesic-use", age=70),
    V("aspirin 100 mg is not", [CRAMPS, med("aspirin 100 MG Oral Tablet")], "-analgesic-use", age=70),
    V("aspirin 325 mg is", [CRAMPS, med("aspirin 325 MG Oral Tablet")], "analgesic-use", age=70),
    V("acetaminophen at 70 is not", [CRAMPS, med("acetaminophen 500 MG Oral Tablet")], "-analgesic-use", age=70),
    V("acetaminophen with cirrhosis is", [CRAMPS, med("acetaminophen 500 MG Oral Tablet"), CIRRHOSIS], "analgesic-use"),
    V("Advil brand", [CRAMPS, med("Advil 200 MG Oral Tablet")], "analgesic-use", age=70),
    V("Tylenol with cirrhosis", [CRAMPS, statement("Tylenol"), CIRRHOSIS], "analgesic-use"),
]  # fmt: skip


def _all(*tables: list[Vignette]) -> list[Vignette]:
    return [vignette for each in tables for vignette in each]


@table(_all(IRON, ANEMIA))
def test_blood(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(_all(CHECKS, TEXTS))
def test_cramps_and_workup(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(_all(LIVER, QUININES))
def test_liver_and_quinine(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(_all(RENAL, BENEFIT))
def test_magnesium_taken(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(MIMICS)
def test_mimics(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(DRUGS)
def test_drugs(program: Program, vignette: Vignette) -> None:
    program.check(vignette)
