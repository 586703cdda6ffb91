"""Sentences of the clinical content, second edition, that no other vignette covers, each as one patient."""

from __future__ import annotations

from tests.testing import fhir
from tests.testing.fhir import ATC, LOINC, RXNORM, SNOMED
from tests.vignettes.builders import (
    AKI,
    ASCITES,
    CIRRHOSIS,
    CKD3,
    CKD4,
    CRAMPS,
    DIALYSIS,
    OXIDE,
    PREGNANT,
    RLS,
    Program,
    Vignette,
    allergy,
    because,
    cond,
    days_ago,
    dose,
    draft,
    lab,
    med,
    service,
    table,
)

V = Vignette
DIGOXIN = med("Digoxin 0.125 MG Oral Tablet")
SPIRONOLACTONE = med("Spironolactone 25 MG Oral Tablet")
KCL = "Potassium chloride 20 MEQ Extended Release Oral Tablet"
BACLOFEN = "Baclofen 10 MG Oral Tablet"
SULFATE = "magnesium sulfate 500 MG/ML Injectable Solution"
QUININE = "quinine sulfate 324 MG Oral Capsule"
MALARIA = cond("Malaria", (SNOMED, "61462000"))
K, MG, NA, GFR = lab("k", "4.2"), lab("mg", "2.0"), lab("na", "138"), lab("egfr", "90")
HB = lab("hb", "14")
LOW_MG = lab("mg_molar", "0.62")


def given(route: str, code: str = "") -> dict[str, list[dict[str, object]]]:
    """``dosageInstruction`` by a route."""
    coding = {"coding": [{"system": SNOMED, "code": code}]} if code else {}
    return {"dosageInstruction": [{"route": {"text": route, **coding}}]}


MAGNESIUM = [
    V("QTc of 510 ms: critical below 0.60", [lab("mg_molar", "0.58"), lab("qtc", "510"), GFR], "low-magnesium:critical", says="QT", offers="ecg|potassium"),
    V("long QT: critical below 0.60", [lab("mg_molar", "0.58"), cond("Long QT syndrome"), GFR], "low-magnesium:critical", says="QT"),
    V("a QTc of 40 days ago does not count", [lab("mg_molar", "0.58"), lab("qtc", "510", ago=40), GFR], "low-magnesium:warning"),
    V("QTc in seconds", [lab("mg_molar", "0.58"), lab("qtc", "0.51", "s"), GFR], "low-magnesium:critical"),
    V("pregnant: no dose, obstetric advice", [LOW_MG, PREGNANT, lab("creat", "0.6")], "low-magnesium:warning", says="obstetric", omits="484", not_offered="oxide"),
    V("AKI by creatinine: no dose, and why", [LOW_MG, lab("creat", "0.8", ago=5), lab("creat", "1.4", ago=1)], "low-magnesium", says="AKI", omits="484", not_offered="oxide"),
    V("eGFR unknown: renal function first", [LOW_MG], "low-magnesium", says="renal function", offers="creatinine", not_offered="oxide"),
    V("eGFR 45 prints the dose, drafts nothing", [LOW_MG, lab("egfr", "45")], "low-magnesium", says="484", not_offered="oxide"),
    V("a stale eGFR is not fresh enough to draft", [LOW_MG, lab("egfr", "90", ago=120)], "low-magnesium", not_offered="oxide"),
    V("tacrolimus, alcohol and an ileostomy are causes", [LOW_MG, med("tacrolimus 1 MG Oral Capsule"), cond("Alcohol use disorder"), cond("Ileostomy present"), GFR], "low-magnesium", says="tacrolimus|alcohol|ileostomy"),
    V("no cause found: look for one", [LOW_MG, GFR], "low-magnesium", says="look for a cause"),
    V("doxycycline and alendronate: hours apart", [LOW_MG, med("doxycycline 100 MG Oral Tablet"), med("alendronate 70 MG Oral Tablet"), GFR], "low-magnesium", says="hours apart|doxycycline|alendronate"),
    V("mycophenolate and dolutegravir: hours apart", [LOW_MG, med("mycophenolate mofetil 500 MG Oral Tablet"), med("dolutegravir 50 MG Oral Tablet"), GFR], "low-magnesium", says="hours apart|mycophenolate|dolutegravir"),
    V("no spacing where no dose is printed", [LOW_MG, med("Levothyroxine Sodium 0.1 MG Oral Tablet"), CKD4], "low-magnesium", omits="hours apart"),
    V("a nameless condition: no draft", [LOW_MG, GFR, cond(None)], "low-magnesium data-not-usable", not_offered="oxide"),
    V("heart failure: no volume repletion", [LOW_MG, cond("Congestive heart failure"), GFR], "low-magnesium", omits="aldosteron"),
    V("volume depletion first", [LOW_MG, GFR], "low-magnesium", says="aldosteron"),
    V("magnesium drafted: not drafted again", [LOW_MG, GFR, med(OXIDE)], "low-magnesium", not_offered="oxide"),
    V("Mg 1.5 mmol/L with normal renal function on a supplement: warning", [lab("mg_molar", "1.5"), med(OXIDE), GFR], "magnesium-in-renal-impairment:warning"),
    V("Mg 1.49 with normal renal function: info", [lab("mg_molar", "1.49"), med(OXIDE), GFR], "magnesium-in-renal-impairment:info"),
    V("eGFR 45 and a supplement: warning", [lab("egfr", "45"), med(OXIDE)], "magnesium-in-renal-impairment:warning"),
    V("CKD 4 with cramps and no supplement: over-the-counter products", [CKD4, CRAMPS], "magnesium-in-renal-impairment:info", says="over-the-counter"),
    V("low Mg 6 months ago: the supplement is not called unnecessary", [CRAMPS, MG, lab("mg", "1.4", ago=180), med(OXIDE), GFR], "-magnesium-not-indicated"),
    V("short bowel: the supplement is not called unnecessary", [CRAMPS, MG, cond("Short bowel syndrome"), med(OXIDE), GFR], "-magnesium-not-indicated"),
    V("normal Mg, cramps, supplement", [CRAMPS, MG, med(OXIDE), GFR], "magnesium-not-indicated:info", says="0.18|307"),
    V("pregnant: no objection to magnesium", [CRAMPS, MG, med(OXIDE), PREGNANT], "-magnesium-not-indicated"),
    V("milk of magnesia for constipation", [CRAMPS, MG, med("magnesium hydroxide 80 MG/ML Oral Suspension", **because("constipation")), GFR], "-magnesium-not-indicated"),
    V("ordered at 1.10 with normal renal function: warning", [lab("mg_molar", "1.10"), GFR], "magnesium-ordered-renal-impairment:warning", says="1.10|above range", drafts=[draft(OXIDE)]),
    V("ordered at 1.6 with normal renal function: critical", [lab("mg_molar", "1.6"), GFR], "magnesium-ordered-renal-impairment:critical", drafts=[draft(OXIDE)]),
    V("renal function unknown", [], "magnesium-ordered-renal-impairment:warning", says="unknown", offers="creatinine", drafts=[draft(OXIDE)]),
    V("by vein, renal function unknown: info", [], "magnesium-ordered-renal-impairment:info", omits="check before", not_offered="remove", drafts=[draft(SULFATE, **because("Eclampsia"))]),
    V("by vein for replacement in CKD 4: half the dose", [CKD4, lab("mg_molar", "0.45")], "magnesium-ordered-renal-impairment:warning", says="half the dose|0.45|reflexes", not_offered="remove", drafts=[draft(SULFATE)]),
    V("severe asthma by vein in AKI", [AKI], "magnesium-ordered-renal-impairment:warning", says="loading dose unchanged", not_offered="remove", drafts=[draft(SULFATE, **because("Severe acute asthma"))]),
    V("sulfate by a stated route", [AKI], "magnesium-ordered-renal-impairment:warning", not_offered="remove", drafts=[draft("magnesium sulfate", **given("Intravenous route", "47625008"))]),
    V("magnesium, no salt, by vein as the text says", [AKI], "magnesium-ordered-renal-impairment:warning", not_offered="remove", drafts=[draft("magnesium", dosageInstruction=[{"text": "2 g IV over 20 min"}])]),
    V("sulfate by mouth is not an infusion", [AKI], "magnesium-ordered-renal-impairment:critical", offers="remove", drafts=[draft("magnesium sulfate", **given("Oral"))]),
    V("sulfate without route or form: by vein, no card obstructs", [AKI], "magnesium-ordered-renal-impairment:warning", not_offered="remove", drafts=[draft("Magnesium sulfate 4 g in 100 mL")]),
    V("sulfate whose Medication has an injection's form", [AKI], "magnesium-ordered-renal-impairment:warning", not_offered="remove", drafts=[draft(None, contained=[fhir.product("magnesium chloride 1 g", "x", form=fhir.concept("Injection"))], medicationReference={"reference": "#x"})]),
    V("cardiac arrest: not obstructed whatever the product is called", [AKI], "magnesium-ordered-renal-impairment:warning", not_offered="remove", drafts=[draft("magnesium", **because("Cardiac arrest, VF"))]),
    V("before a preterm birth", [AKI], "magnesium-ordered-renal-impairment:warning", says="loading dose unchanged", not_offered="remove", drafts=[draft("magnesium sulfate", **because("Fetal neuroprotection"))]),
    V("level unknown: check before", [CRAMPS, GFR], "magnesium-ordered-level-unknown:info", offers="magnesium", drafts=[draft(OXIDE, **because("leg cramps"))]),
    V("level unknown, magnesium test drafted", [CRAMPS, GFR], "-magnesium-ordered-level-unknown", drafts=[draft(OXIDE, **because("leg cramps")), service("Magnesium [Moles/volume] in Serum", (LOINC, "2601-3"), status="draft", intent="proposal")], pick=[0]),
    V("ordered although the level is normal", [CRAMPS, MG, GFR], "magnesium-ordered-normal-level:info", drafts=[draft(OXIDE)]),
    V("ordered although the level is normal, in pregnancy", [CRAMPS, MG, PREGNANT, lab("creat", "0.6")], "-magnesium-ordered-normal-level", drafts=[draft(OXIDE)]),
    V("dose of 800 mg a day is 19.9 mmol", [LOW_MG, GFR], "-magnesium-ordered-dose", drafts=[draft(OXIDE, **dose("1", frequency=2))]),
    V("dose of 1,600 mg a day is 40 mmol", [LOW_MG, GFR], "magnesium-ordered-dose:info", says="mmol|elemental", drafts=[draft(OXIDE, **dose("2", frequency=2))]),
]  # fmt: skip

POTASSIUM = [
    V("K 2.8 with magnesium low too", [lab("k", "2.8"), lab("mg_molar", "0.58"), GFR], "low-potassium:warning low-magnesium", says="magnesium is low too|0.58"),
    V("K 2.8 with magnesium not known", [lab("k", "2.8"), GFR], "low-potassium:warning", says="refractory", offers="magnesium|ecg"),
    V("K 2.4: critical", [lab("k", "2.4"), GFR], "low-potassium:critical", says="urgent", not_offered="chloride"),
    V("K 3.2 on lisinopril: not drafted", [lab("k", "3.2"), med("Lisinopril 10 MG Oral Tablet"), MG, GFR], "low-potassium:warning", says="lisinopril", not_offered="chloride"),
    V("K 3.2 on enoxaparin: not drafted", [lab("k", "3.2"), med("enoxaparin sodium 40 MG injection"), MG, GFR], "low-potassium:warning", says="enoxaparin", not_offered="chloride"),
    V("K 3.2 in a well patient: drafted", [lab("k", "3.2"), MG, GFR], "low-potassium:warning", offers="chloride"),
    V("K 3.2, CKD 4: not drafted", [lab("k", "3.2"), MG, CKD4], "low-potassium:warning", not_offered="chloride"),
    V("K 3.2, pregnant: not drafted", [lab("k", "3.2"), MG, PREGNANT, lab("creat", "0.6")], "low-potassium:warning", not_offered="chloride"),
    V("K 5.0 on potassium in CKD 4", [lab("k", "5.0"), med(KCL), CKD4], "high-potassium:warning"),
    V("K 4.9 on potassium in CKD 4", [lab("k", "4.9"), med(KCL), CKD4], "-high-potassium"),
    V("K 5.5 with cramps", [lab("k", "5.5"), CRAMPS, GFR], "high-potassium:warning"),
    V("K 5.5 with an eGFR of 28: named", [lab("k", "5.5"), lab("egfr", "28")], "high-potassium:warning", says="eGFR 28"),
    V("K 6.6 haemolysed: warning", [lab("k", "6.6", note=[{"text": "haemolysed"}]), GFR], "high-potassium:warning", says="haemolysed"),
    V("tacrolimus is reviewed with its prescriber", [lab("k", "5.8"), med("tacrolimus 1 MG Oral Capsule"), GFR], "high-potassium:warning", says="tacrolimus|prescriber", omits="hold tacrolimus"),
    V("potassium ordered, K unknown for 30 days", [GFR], "potassium-ordered-hazard:warning", drafts=[draft(KCL)]),
    V("potassium ordered, eGFR 45", [K, lab("egfr", "45")], "potassium-ordered-hazard:warning", drafts=[draft(KCL)]),
    V("potassium ordered, eGFR 28", [K, lab("egfr", "28")], "potassium-ordered-hazard:critical", offers="remove", drafts=[draft(KCL)]),
    V("potassium ordered at 3.2 with an eGFR of 28", [lab("k", "3.2"), lab("egfr", "28")], "potassium-ordered-hazard:warning", says="3.2", not_offered="remove", drafts=[draft(KCL)]),
    V("potassium ordered at 3.2, nothing else", [lab("k", "3.2"), GFR], "-potassium-ordered-hazard", drafts=[draft(KCL)]),
    V("potassium at 4.2 on a K-sparing diuretic", [K, SPIRONOLACTONE, GFR], "potassium-ordered-hazard:critical", offers="remove", drafts=[draft(KCL)]),
    V("spironolactone ordered at 6.4", [lab("k", "6.4"), GFR], "potassium-ordered-hazard:critical", offers="remove", drafts=[draft("Spironolactone 25 MG Oral Tablet")]),
    V("spironolactone at 4.2 in CKD 4: warning", [K, CKD4], "potassium-ordered-hazard:warning", drafts=[draft("Spironolactone 25 MG Oral Tablet")]),
    V("spironolactone beside trimethoprim", [K, GFR, med("trimethoprim 100 MG Oral Tablet")], "potassium-ordered-hazard:warning", says="trimethoprim", drafts=[draft("Spironolactone 25 MG Oral Tablet")]),
    V("spironolactone, everything known and normal", [K, GFR], "-potassium-ordered-hazard", drafts=[draft("Spironolactone 25 MG Oral Tablet")]),
    V("spironolactone, K unknown", [GFR], "potassium-ordered-hazard:warning", drafts=[draft("Spironolactone 25 MG Oral Tablet")]),
    V("spironolactone, K 3.1, lisinopril", [lab("k", "3.1"), GFR, med("lisinopril 10 MG Oral Tablet")], "-potassium-ordered-hazard", drafts=[draft("Spironolactone 25 MG Oral Tablet")]),
    V("eplerenone with eGFR 45 on an ARB", [K, lab("egfr", "45"), med("losartan potassium 50 MG Oral Tablet")], "potassium-ordered-hazard:warning", drafts=[draft("eplerenone 25 MG Oral Tablet")]),
    V("eplerenone with eGFR 45 alone", [K, lab("egfr", "45")], "-potassium-ordered-hazard", drafts=[draft("eplerenone 25 MG Oral Tablet")]),
    V("Plasma-Lyte is not a supplement", [K, DIALYSIS], "-potassium-ordered-hazard -magnesium-ordered-renal-impairment", drafts=[draft("Plasma-Lyte A injectable solution")]),
    V("a macrogol preparation is not a supplement", [K, DIALYSIS], "-potassium-ordered-hazard", drafts=[draft("polyethylene glycol 3350 / potassium chloride / sodium bicarbonate / sodium chloride oral solution")]),
]  # fmt: skip

KIDNEYS = [
    V("creatinine 30 % up is not AKI", [lab("creat", "0.9", ago=5), lab("creat", "1.1", ago=1), LOW_MG], "low-magnesium", omits="AKI"),
    V("rise of 0.4 mg/dL in 36 hours", [lab("creat", "1.0", ago=2), lab("creat", "1.4", ago=0.5), med(BACLOFEN)], "baclofen-active-renal-impairment:critical", says="AKI"),
    V("1.6 x the median of a year", [lab("creat", "0.8", ago=200), lab("creat", "0.8", ago=100), lab("creat", "1.3", ago=1), med(BACLOFEN)], "baclofen-active-renal-impairment:critical", says="AKI"),
    V("AKI of three weeks ago by creatinine does not count as now", [lab("creat", "0.8", ago=25), lab("creat", "1.4", ago=20), lab("egfr", "90", ago=2), med(BACLOFEN)], "-baclofen-active-renal-impairment"),
    V("dialysis has no AKI by creatinine", [lab("creat", "4", ago=5), lab("creat", "8", ago=1), DIALYSIS, med(BACLOFEN)], "baclofen-active-renal-impairment:critical", omits="possible AKI"),
    V("provisional AKI counts for a hazard", [cond("Acute kidney injury", ver="provisional"), med(BACLOFEN)], "baclofen-active-renal-impairment:critical"),
    V("pregnant with creatinine 80 umol/L: like eGFR 30-59", [PREGNANT, lab("creat", "80", "umol/L")], "baclofen-ordered-renal-impairment:warning", drafts=[draft(BACLOFEN)]),
    V("pregnant with creatinine 60: not impaired", [PREGNANT, lab("creat", "60", "umol/L")], "-baclofen-ordered-renal-impairment", drafts=[draft(BACLOFEN)]),
    V("pregnant without creatinine: unknown", [PREGNANT, GFR], "baclofen-ordered-renal-impairment:warning", drafts=[draft(BACLOFEN)]),
    V("pregnancy test of 20 weeks ago", [{**lab("pregnant"), "valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "10828004"}], "text": "Positive"}, "effectiveDateTime": days_ago(140)}, LOW_MG, GFR], "low-magnesium", not_offered="oxide"),
    V("eGFR below 50 is at least below 60", [lab("egfr", "50", comp="<")], "baclofen-ordered-renal-impairment:warning", drafts=[draft(BACLOFEN)]),
    V("eGFR above 60 clears", [lab("egfr", "60", comp=">")], "-baclofen-ordered-renal-impairment", drafts=[draft(BACLOFEN)]),
    V("baclofen with opioid on dialysis names it", [DIALYSIS, med(BACLOFEN), med("oxycodone 5 MG Oral Tablet")], "baclofen-active-renal-impairment:critical", says="oxycodone|abruptly", offers="creatinine"),
    V("a later creatinine is computed", [lab("egfr", "90", ago=10), lab("creat", "3.2", ago=9)], "baclofen-ordered-renal-impairment:critical", drafts=[draft(BACLOFEN)]),
]  # fmt: skip

CAUSES = [
    V("sodium of 60 days: info, repeat first", [CRAMPS, lab("na", "126", ago=60)], "metabolic-cause-found:info", says="repeat first"),
    V("calcium below the lab's range", [CRAMPS, lab("ca", "2.12", low="2.15", high="2.55"), lab("albumin", "42", "g/L")], "metabolic-cause-found:warning"),
    V("calcium without albumin: the total, and the card says so", [CRAMPS, lab("ca", "2.00")], "metabolic-cause-found:warning", says="albumin"),
    V("ionised 1.10", [CRAMPS, lab("ca_ionised", "1.10")], "metabolic-cause-found:warning"),
    V("CK above five times the laboratory's own upper limit", [CRAMPS, lab("ck", "1600", high="300")], "metabolic-cause-found:warning"),
    V("CK 1,400 is not above five times an upper limit of 300", [CRAMPS, lab("ck", "1400", high="300")], "-metabolic-cause-found"),
    V("CK 5,100 without a statin, without cramps", [lab("ck", "5100")], "metabolic-cause-found:critical"),
    V("TSH 10 is not above 10", [CRAMPS, lab("tsh", "10.0")], "-metabolic-cause-found"),
    V("TSH 12 uIU/mL", [CRAMPS, lab("tsh", "12", "uIU/mL")], "metabolic-cause-found:info"),
    V("worst first of two", [CRAMPS, lab("tsh", "42"), lab("na", "117")], "metabolic-cause-found:critical", says="sodium 117|TSH"),
    V("age 12, sodium 126: not this service's patient", [CRAMPS, lab("na", "126")], "-metabolic-cause-found", age=12),
    V("statin with CK 12,000: the drug card does not say that nothing is stopped", [CRAMPS, med("atorvastatin 80 MG Oral Tablet"), lab("ck", "12000")], "metabolic-cause-found:critical", omits="no reason to stop"),
    V("thrombosis of the leg without cramps: silent", [cond("Deep vein thrombosis of left leg")], "-dvt-mimic"),
]  # fmt: skip

OTHERS = [
    V("anaemia with RLS and low ferritin", [RLS, lab("ferritin", "70")], "low-ferritin:info"),
    V("ferritin 70 without restless legs", [lab("ferritin", "70")], "-low-ferritin"),
    V("RLS, ferritin 150, CRP 60, TSAT of a month ago", [RLS, lab("ferritin", "150"), lab("crp", "60"), lab("tsat", "25", ago=30)], "-low-ferritin"),
    V("RLS, ferritin 150, CKD: offers TSAT", [RLS, lab("ferritin", "150"), CKD3], "low-ferritin:info", says="hide a deficiency", offers="transferrin"),
    V("Hb 7.2 in pregnancy: below 8 warns at any time", [PREGNANT, lab("hb", "7.2")], "anemia:warning"),
    V("Hb 6.9 in pregnancy: critical", [PREGNANT, lab("hb", "6.9")], "anemia:critical"),
    V("quinine and platelets of 90", [med(QUININE), lab("hb", "11"), lab("plt", "90")], "anemia:warning quinine-active"),
    V("motor neuron disease: warning", [CRAMPS, cond("Amyotrophic lateral sclerosis")], "neuropathy-mimic:warning"),
    V("diabetes: info", [CRAMPS, cond("Type 2 diabetes mellitus")], "neuropathy-mimic:info"),
    V("claudication: warning, ABI", [CRAMPS, cond("Intermittent claudication")], "claudication-mimic:warning", offers="ankle"),
    V("ABI of two months ago", [CRAMPS, cond("Intermittent claudication"), service("Ankle brachial index", ago=60)], "claudication-mimic", not_offered="ankle"),
    V("severe cramps in cirrhosis: hepatology", [CIRRHOSIS, cond("Severe leg cramps"), K, MG, NA, GFR], "specialist-referral:info", says="hepatology"),
    V("70, no diabetes test: screen", [CRAMPS, K, MG, HB], "diabetes-not-screened:info", age=70),
    V("70, an HbA1c of two years ago", [CRAMPS, K, MG, HB, lab("a1c", "5.6", ago=700)], "-diabetes-not-screened", age=70),
    V("the first-line card tells the four apart", [CRAMPS, K, MG, HB], "first-line-measures:info", says="strength|pulses|true cramp|claudication|neuropathy|restless|analgesics|refractory|vitamin K2"),
    V("warfarin: no vitamin K2 with it", [CRAMPS, K, MG, HB, med("warfarin sodium 5 MG Oral Tablet")], "first-line-measures:info", says="warfarin"),
    V("salmeterol and chlorthalidone are named", [CRAMPS, med("salmeterol 0.05 MG inhaler"), med("Chlorthalidone 25 MG Oral Tablet")], "cramp-inducing-medication:info", says="salmeterol|chlorthalidone|2.42|1.48"),
    V("vismodegib and ciclosporin", [CRAMPS, med("vismodegib 150 MG Oral Capsule"), med("ciclosporin 100 MG Oral Capsule")], "cramp-inducing-medication:info", says="vismodegib|ciclosporin"),
    V("aspirin 81 mg is not an analgesic", [CRAMPS, med("aspirin 81 MG Oral Tablet"), CKD4], "-analgesic-use"),
    V("acetaminophen in CKD 4", [CRAMPS, med("acetaminophen 500 MG Oral Tablet"), CKD4], "-analgesic-use"),
    V("acetaminophen in cirrhosis", [CRAMPS, med("acetaminophen 500 MG Oral Tablet"), CIRRHOSIS], "analgesic-use:info"),
    V("ibuprofen in cirrhosis: warning without cramps", [med("ibuprofen 400 MG Oral Tablet"), CIRRHOSIS], "analgesic-use:warning"),
    V("spironolactone, ascites, no cramps", [CIRRHOSIS, ASCITES, SPIRONOLACTONE, K, MG, NA, GFR], "cirrhosis-cramps:info", says="albumin"),
    V("furosemide at K 2.9 in cirrhosis", [CIRRHOSIS, med("Furosemide 40 MG Oral Tablet"), lab("k", "2.9"), MG, NA, GFR], "cirrhosis-cramps:warning", says="discontinue furosemide"),
    V("cirrhosis with everything fresh: nothing is offered", [CIRRHOSIS, CRAMPS, K, MG, NA, GFR], "cirrhosis-cramps:info", omits="in the last 30 days", not_offered="creatinine|potassium|sodium|magnesium"),
    V("cirrhosis, eGFR of two months: creatinine is offered", [CIRRHOSIS, CRAMPS, K, MG, NA, lab("egfr", "90", ago=60)], "cirrhosis-cramps:info", offers="creatinine"),
    V("cirrhosis with eGFR 45: baclofen not named", [CIRRHOSIS, CRAMPS, K, MG, NA, lab("egfr", "45")], "cirrhosis-cramps:info", omits="baclofen 10 mg/day"),
    V("quinine in the UK: warning", [med(QUININE)], "quinine-active:warning", settings={"jurisdiction": "uk"}),
    V("quinine for babesiosis", [cond("Babesiosis")], "-quinine-ordered", drafts=[draft(QUININE)]),
    V("quinine with malaria and optic neuritis: removal", [MALARIA, cond("Optic neuritis")], "quinine-ordered:critical", offers="remove", drafts=[draft(QUININE)]),
    V("quinine with malaria and mefloquine", [MALARIA, med("mefloquine 250 MG Oral Tablet")], "quinine-ordered:warning", says="mefloquine", not_offered="remove", drafts=[draft(QUININE)]),
    V("quinidine allergy", [allergy("quinidine"), MALARIA], "quinine-ordered:critical", drafts=[draft(QUININE)]),
    V("refuted allergy", [allergy("quinidine", ver="refuted"), MALARIA], "-quinine-ordered", drafts=[draft(QUININE)]),
    V("G6PD with malaria: warning", [MALARIA, cond("G6PD deficiency")], "quinine-ordered:warning", not_offered="remove", drafts=[draft(QUININE)]),
    V("naproxen for cramps with CKD 4", [CRAMPS, CKD4], "analgesic-ordered-for-cramps:warning", offers="remove", drafts=[draft("naproxen 500 MG Oral Tablet", **because("leg cramps"))]),
    V("furosemide in cirrhosis with cramps: warning", [CRAMPS, CIRRHOSIS, K, MG, NA], "diuretic-ordered-with-cramps:warning", drafts=[draft("furosemide 40 MG Oral Tablet")]),
    V("furosemide, K and Mg fresh and normal, no cirrhosis", [CRAMPS, K, MG, NA], "-diuretic-ordered-with-cramps", drafts=[draft("furosemide 40 MG Oral Tablet")]),
    V("furosemide at sodium 128", [CRAMPS, K, MG, lab("na", "128")], "-diuretic-ordered-with-cramps", drafts=[draft("furosemide 40 MG Oral Tablet")]),
    V("furosemide for pulmonary oedema at potassium 2.9: nothing is delayed", [CRAMPS, lab("k", "2.9"), MG, NA], "diuretic-ordered-with-cramps:warning", says="correct alongside", omits="before the diuretic|correct first", not_offered="remove", drafts=[draft("furosemide 10 MG/ML Injectable Solution", **because("Acute pulmonary oedema"))]),
    V("furosemide at potassium 2.9 for oedema of the legs: correct first", [CRAMPS, lab("k", "2.9"), MG, NA], "diuretic-ordered-with-cramps:warning", says="correct first", offers="remove", drafts=[draft("furosemide 40 MG Oral Tablet", **because("leg oedema"))]),
    V("furosemide at sodium 124", [CRAMPS, K, MG, lab("na", "124")], "diuretic-ordered-with-cramps:warning", drafts=[draft("furosemide 40 MG Oral Tablet")]),
    V("albumin in cirrhosis without ascites: info", [CIRRHOSIS, CRAMPS], "albumin-ordered-without-cirrhosis:info", drafts=[draft("albumin human 25 % Injection", **because("leg cramps"))]),
    V("MRI for typical cramps", [CRAMPS], "extensive-workup-ordered:info", drafts=[service("MRI lumbar spine", status="draft", **because("leg cramps"))]),
    V("baclofen by the intrathecal route", [DIALYSIS], "-baclofen-ordered-renal-impairment", drafts=[draft("baclofen 2 MG/ML", **given("Intrathecal route"))]),
    V("baclofen pump on the list", [DIALYSIS, med("baclofen", **given("intrathecal"))], "-baclofen-active-renal-impairment"),
    V("diclofenac on the skin", [CKD4, CRAMPS, med("diclofenac 1 %", **given("", "6064005"))], "-analgesic-use"),
    V("moxifloxacin for the eye does not prolong the QT", [lab("k", "3.1"), MG, GFR, med("moxifloxacin 5 MG/ML", **given("Ophthalmic"))], "low-potassium:warning", omits="moxifloxacin"),
    V("moxifloxacin by mouth does", [lab("k", "3.1"), MG, GFR, med("moxifloxacin 400 MG", **given("PO"))], "low-potassium:warning", says="moxifloxacin", offers="ecg"),
    V("baclofen start of 30 mg", [CRAMPS, CIRRHOSIS, GFR, NA], "baclofen-ordered-dose:warning", drafts=[draft(BACLOFEN, **dose("1", frequency=3))]),
    V("baclofen beside gabapentin", [CRAMPS, CIRRHOSIS, GFR, NA, med("gabapentin 300 MG Oral Capsule")], "baclofen-ordered-dose:warning", says="gabapentin", drafts=[draft(BACLOFEN, **dose("1"))]),
    V("baclofen, no cirrhosis: info", [CRAMPS, GFR], "baclofen-ordered-dose:info", says="cirrhosis", drafts=[draft(BACLOFEN, **dose("1"))]),
    V("the newest haemoglobin without a unit, no cramps", [lab("hb", "5.1", None)], "data-not-usable", says="haemoglobin"),
    V("the newest sodium in the future", [lab("na", "118", ago=-3)], "data-not-usable", says="sodium"),
    V("an undated potassium of 6.9 beside a usable one: reported", [lab("k", "6.9", effectiveDateTime=None), K], "data-not-usable", says="potassium"),
    V("an undated potassium of 4.1 beside a usable one: silent", [lab("k", "4.1", effectiveDateTime=None), K], "-data-not-usable"),
    V("an unknown status is reported", [lab("k", "6.9", status="unknown")], "data-not-usable", says="potassium"),
    V("an unknown comparator is reported", [lab("k", "6.9", comp="~")], "data-not-usable", says="potassium"),
]  # fmt: skip


KCL_IV = "potassium chloride 20 MEQ/100 ML Injection"
FURO_IV = "furosemide 10 MG/ML Injectable Solution"
WITHOUT_WORDS = [
    V("an active RxNorm code that no list has, without words: it may be the spironolactone", [lab("k", "2.7"), MG, GFR, med(None, (RXNORM, "200817"))], "low-potassium data-not-usable", not_offered="chloride"),
    V("a listed RxNorm code needs no words", [lab("k", "5.8"), GFR, med(None, (RXNORM, "29046"))], "high-potassium:warning -data-not-usable"),
    V("an ATC code of another class needs no words", [lab("k", "3.2"), MG, GFR, med(None, (ATC, "J01CA04"))], "low-potassium -data-not-usable", offers="chloride"),
    V("an unlisted RxNorm code with its words is read by them", [lab("k", "3.2"), MG, GFR, med("Amoxicillin 500 MG Oral Capsule", (RXNORM, "308191"))], "low-potassium -data-not-usable", offers="chloride"),
    V("a draft with an unlisted code: no card", [GFR, K], "-data-not-usable", drafts=[med(None, (RXNORM, "308191"), status="draft")]),
]  # fmt: skip
EMERGENCIES = [
    *(
        V(f"potassium 6.9, {remark}: the sample is sound", [lab("k", "6.9", note=[{"text": remark}]), GFR], "high-potassium:critical", omits="haemolysed")
        for remark in ("Haemolysis index 5, within limits", "Haemolysis index acceptable", "Haemolysis excluded", "Haemolysis unlikely", "hemolysis ruled out", "Hemolysis index below threshold")
    ),
    *(
        V(f"potassium 6.9, {remark}: a warning", [lab("k", "6.9", note=[{"text": remark}]), GFR], "high-potassium:warning", says="haemolysed")
        for remark in ("Haemolysis index 320, result unreliable", "Slightly hemolyzed", "Haemolysis above acceptable limits", "Haemolysed specimen. Other results within limits", "Haemolysis ++")
    ),
    V("potassium 6.4 five hours ago, 3.2 now: repeated, nothing drafted", [lab("k", "6.4", ago=0.2), lab("k", "3.2", ago=0.04), MG, GFR], "low-potassium:warning", says="6.4|repeat it first", not_offered="chloride"),
    V("potassium 5.9 yesterday, 3.1 today", [lab("k", "5.9", ago=1), lab("k", "3.1", ago=0.1), MG, GFR], "low-potassium:warning", says="5.9", not_offered="chloride"),
    V("potassium 5.9 two weeks ago, 3.1 today", [lab("k", "5.9", ago=14), lab("k", "3.1", ago=0.1), MG, GFR], "low-potassium:warning", offers="chloride"),
    V("a child of 8 with creatinine 4.0: stated, not called unknown", [lab("creat", "4.0")], "baclofen-ordered-renal-impairment:warning", says="4.0 mg/dL", omits="of the last 12 months is not known|renal function in the last 12 months", drafts=[draft(BACLOFEN)], age=8),
    V("no birth date, creatinine 3.0, baclofen taken: what cannot be checked is reported", [lab("creat", "3.0"), med(BACLOFEN)], "data-not-usable", says="renal function|3.0 mg/dL", age=None),
    V("dialysis with creatinine 8: renal function is not called unknown", [DIALYSIS, lab("creat", "8.0"), med(OXIDE)], "magnesium-in-renal-impairment:critical", omits="renal function in the last 12 months"),
    V("magnesium 3.2 in AKI and none on the list: somebody must be giving it", [AKI, lab("mg_molar", "3.2")], "magnesium-in-renal-impairment:critical", says="laxatives|source", offers="magnesium|creatinine"),
    V("magnesium 1.9 and none on the list: silent", [lab("mg_molar", "1.9"), GFR], "-magnesium-in-renal-impairment"),
    V("magnesium 0.38 with an infusion running: no tablets", [lab("mg_molar", "0.38"), cond("Torsades de pointes"), med(SULFATE), GFR], "low-magnesium:critical", omits="484", says="is active", not_offered="oxide"),
    V("an HbA1c without a unit is not usable", [CRAMPS, K, MG, HB, lab("a1c", "7.9", None)], "diabetes-not-screened data-not-usable", says="no usable HbA1c", age=70),
    V("cirrhosis with an unreadable medicine: baclofen is not named beside it", [CIRRHOSIS, CRAMPS, K, MG, NA, GFR, med(None)], "first-line-measures", omits="trial evidence is from cirrhosis"),
    V("baclofen ordered against its own withdrawal on dialysis: not removed", [DIALYSIS, cond("Baclofen withdrawal syndrome")], "baclofen-ordered-renal-impairment:critical", says="withdrawal|supervision", not_offered="remove", drafts=[draft(BACLOFEN)]),
    V("baclofen withdrawal as the reason, encephalopathy on record", [cond("Hepatic encephalopathy", (SNOMED, "13920009")), GFR], "baclofen-ordered-encephalopathy:critical", not_offered="remove", drafts=[draft(BACLOFEN, **because("baclofen withdrawal"))]),
    V("acute limb ischaemia is not a cramp", [CRAMPS, cond("Acute limb ischemia, left leg"), K, MG, HB], "claudication-mimic:warning -first-line-measures", says="vascular surgery now|no massage", omits="reproducible"),
    V("compartment syndrome: nothing is massaged", [CRAMPS, cond("Compartment syndrome of left lower leg"), K, MG, HB], "-first-line-measures"),
    V("MRI with cauda equina syndrome is needed", [CRAMPS, cond("Cauda equina syndrome")], "-extensive-workup-ordered", drafts=[service("MRI lumbar spine", status="draft", **because("leg cramps"))]),
    V("MRI with metastatic cancer and urinary retention is needed", [CRAMPS, cond("Metastatic breast cancer"), cond("Urinary retention")], "-extensive-workup-ordered", drafts=[service("MRI lumbar spine", status="draft", **because("leg cramps"))]),
    V("furosemide at potassium 6.8 with a low magnesium: it may be the treatment", [CRAMPS, AKI, lab("k", "6.8"), LOW_MG], "diuretic-ordered-with-cramps:warning", says="alongside", omits="before the diuretic", not_offered="remove", drafts=[draft(FURO_IV)]),
    V("furosemide with pulmonary oedema on the problem list", [CRAMPS, cond("Acute pulmonary oedema"), lab("k", "3.1"), MG], "diuretic-ordered-with-cramps:warning", says="alongside", not_offered="remove", drafts=[draft(FURO_IV)]),
    V("furosemide for heart failure on the problem list", [CRAMPS, cond("Congestive heart failure"), lab("k", "3.1"), MG], "diuretic-ordered-with-cramps:warning", says="alongside", not_offered="remove", drafts=[draft(FURO_IV)]),
    V("spironolactone for ascites: weighed, not removed", [CRAMPS, CIRRHOSIS, ASCITES, K, MG, NA, GFR], "diuretic-ordered-with-cramps:warning", not_offered="remove", drafts=[draft("Spironolactone 100 MG Oral Tablet", **because("Ascites"))]),
    V("spironolactone in cirrhosis at potassium 3.1 may correct it: not removed", [CRAMPS, CIRRHOSIS, lab("k", "3.1"), MG, NA, GFR], "diuretic-ordered-with-cramps:warning", says="may correct it", not_offered="remove", drafts=[draft("Spironolactone 100 MG Oral Tablet")]),
    V("a preliminary potassium of 2.1 in AKI: confirmed, and not removed", [AKI, lab("k", "2.1", ago=0.02, status="preliminary")], "potassium-ordered-hazard:critical", says="2.1|preliminary|confirm", omits="unknown for 30 days|do not give", not_offered="remove", drafts=[draft(KCL_IV)]),
    V("a preliminary magnesium of 0.3 on dialysis: confirmed, and not removed", [DIALYSIS, lab("mg_molar", "0.30", ago=0.02, status="preliminary")], "magnesium-ordered-renal-impairment:critical", says="0.30|preliminary", not_offered="remove", drafts=[draft(OXIDE)]),
    V("pregnant, creatinine 1.3, sulfate by vein without a reason: the loading dose is not halved", [PREGNANT, lab("creat", "1.3")], "magnesium-ordered-renal-impairment:warning", says="loading dose unchanged", omits="half the dose, more", not_offered="remove", drafts=[draft(SULFATE)]),
    V("oxide and sulfate together in AKI: both are mentioned, the sulfate stays", [AKI, lab("mg_molar", "1.0")], "magnesium-ordered-renal-impairment:critical", says="not to be removed: magnesium sulfate|reflexes", not_offered="remove the draft order: magnesium sulfate", drafts=[draft(OXIDE), draft(SULFATE)]),
    V("malaria with platelets of 40: malaria lowers them", [MALARIA, lab("plt", "40")], "quinine-ordered:critical", says="malaria itself lowers platelets|untreated", omits="choose another drug", drafts=[draft(QUININE, **because("Malaria"))]),
    V("triamterene/HCTZ as the EHR writes it has a name", [K, GFR, med("triamterene/HCTZ 37.5/25 mg tab")], "potassium-ordered-hazard:critical", says="triamterene", drafts=[draft(KCL)]),
    V("sacubitril/valsartan as the EHR writes it has a name", [lab("k", "5.8"), GFR, med("sacubitril/valsartan 49/51 mg")], "high-potassium:warning", says="sacubitril/valsartan"),
    V("a name with digits keeps its digits", [lab("k", "5.8"), GFR, med("Maxzide-25")], "high-potassium:warning", says="maxzide-25"),
]  # fmt: skip


@table([*MAGNESIUM, *POTASSIUM, *KIDNEYS, *CAUSES, *OTHERS, *WITHOUT_WORDS, *EMERGENCIES])
def test_the_cards_say_what_the_sentence_says(program: Program, vignette: Vignette) -> None:
    program.check(vignette)
