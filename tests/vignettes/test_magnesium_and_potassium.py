"""Sections 1 and 3: low magnesium, low and high potassium, and how results are read."""

from __future__ import annotations

from typing import Any

from tests.vignettes.builders import (
    AKI,
    ASCITES,
    CIRRHOSIS,
    CKD4,
    CRAMPS,
    DIALYSIS,
    OXIDE,
    PREGNANT,
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
LOW = "low-magnesium"


def mg(value: str, unit: str | None = "mg/dL", ago: float = 3, **more: Any) -> Json:
    return lab("mg", value, unit, ago, **more)


def k(value: str, unit: str | None = "mmol/L", ago: float = 3, **more: Any) -> Json:
    return lab("k", value, unit, ago, **more)


def coded(value: str, unit: str | None, code: str | None) -> Json:
    result = mg(value, unit)
    if code:
        result["valueQuantity"] |= {"system": "http://unitsofmeasure.org", "code": code}
    return result


def ranged(value: str, unit: str, *ranges: Json) -> Json:
    return mg(value, unit, referenceRange=list(ranges))


def side(low: str, unit: str | None = "mg/dL", **more: Any) -> Json:
    return {"low": {"value": f"@@{low}@@", **({"unit": unit} if unit else {})}, **more}


# The limits themselves are in the rules' own tables (tests/rules); here is only what reading adds.
MAGNESIUM = [
    V("two decimals are two decimals: 1.70 mg/dL is not low", [mg("1.70")], f"-{LOW}"),
    V("three decimals are three: 1.700 mg/dL is 0.6994 mmol/L", [mg("1.700")], f"{LOW}:warning"),
    V("the laboratory's own low limit decides: 1.7 under 1.8", [mg("1.7", low="1.8", high="2.6")], f"{LOW}:warning"),
    V("critical does not move with the laboratory's range", [mg("1.1", low="1.6")], f"{LOW}:critical"),
    V("a range that contradicts its unit makes the result unusable", [mg("1.5", "mmol/L", low="1.7", high="2.6"), CRAMPS], f"data-not-usable:info -{LOW}"),
    V("a range of type therapeutic is not used", [ranged("1.7", "mg/dL", side("1.9", type={"coding": [{"code": "therapeutic"}]}))], f"-{LOW}"),
    V("a range of type normal is used", [ranged("1.7", "mg/dL", side("1.9", type={"coding": [{"system": "http://terminology.hl7.org/CodeSystem/referencerange-meaning", "code": "normal"}]}))], f"{LOW}:warning"),
    V("a range that applies to a group of people is not used", [ranged("1.7", "mg/dL", side("1.9", appliesTo=[{"text": "male"}]))], f"-{LOW}"),
    V("several ranges: none is used", [ranged("1.7", "mg/dL", side("1.8"), side("1.9"))], f"-{LOW}"),
    V("a range without a unit has the unit of the value", [ranged("1.7", "mg/dL", side("1.8", None))], f"{LOW}:warning"),
    V("the UCUM code takes precedence over the unit in words", [coded("0.65", "mg/dL", "mmol/L")], f"{LOW}:warning"),
    V("a value that is low only by its code or only by its unit is unusable", [coded("1.2", "mg/dL", "mmol/L")], f"data-not-usable -{LOW}", says="differ"),
    V("no unit: unusable", [mg("1.2", None), CRAMPS], f"data-not-usable:info -{LOW}"),
    V("an unknown unit is named", [mg("1.2", "furlong"), CRAMPS], f"data-not-usable:info -{LOW}", says="furlong"),
    V("UCUM is case-sensitive: MMOL/L is an unknown unit as a code", [coded("0.6", None, "Mmol/L"), CRAMPS], f"data-not-usable -{LOW}"),
    V("red-cell magnesium does not count", [lab("mg_rbc", "0.3", "mmol/L"), lab("mg_red", "0.3", "mmol/L")], f"-{LOW}"),
    V("urine magnesium does not count", [lab("mg_urine", "0.3", "mmol/L")], f"-{LOW}"),
    V("the molar code counts", [lab("mg_molar", "0.6", "mmol/L")], f"{LOW}:warning"),
    V("a local code beside LOINC counts", [mg("1.4", code={"coding": [{"system": "urn:oid:1.2.3", "code": "MG"}, {"system": "http://loinc.org", "code": "19123-9"}]})], f"{LOW}:warning"),
    V("implausible magnesium is unusable", [mg("15", "mmol/L"), CRAMPS], f"data-not-usable -{LOW}"),
    V("implausibly low magnesium is unusable", [mg("0.05", "mmol/L"), CRAMPS], f"data-not-usable -{LOW}"),
    V("a future result is unusable", [mg("1.2", ago=-2), CRAMPS], f"data-not-usable -{LOW}"),
    V("no date: unusable, issued does not help", [mg("1.2", effectiveDateTime=None, issued=days_ago(2)), CRAMPS], f"data-not-usable -{LOW}"),
    V("text values are not parsed", [mg("1.2", valueQuantity=None, valueString="1.2 mg/dL"), CRAMPS], f"data-not-usable -{LOW}"),
    V("an unusable magnesium is reported, with or without cramps", [mg("1.2", "furlong")], f"data-not-usable -{LOW}"),
    V("an older unusable result is not reported when a newer one is usable", [mg("1.2", "furlong", 5), mg("2.0"), k("4.0"), lab("hb", "14"), CRAMPS], f"first-line-measures -data-not-usable -{LOW}"),
    V("data absent: no value", [mg("1.2", dataAbsentReason={"text": "error"}, valueQuantity=None)], f"-{LOW}"),
    *[V(f"status {status} is ignored", [mg("1.2", status=status)], f"-{LOW}") for status in ("registered", "cancelled", "entered-in-error", "unknown")],
    *[V(f"status {status} decides", [mg("1.4", status=status)], f"{LOW}:warning") for status in ("amended", "corrected")],
    V("preliminary raises, says so, and offers only the repeat", [mg("1.4", status="preliminary"), k("4.0"), gfr("90")], f"{LOW}:warning", says="preliminary", offers="magnesium, serum", not_offered="oxide|potassium|creatinine"),
    V("a preliminary normal does not replace an older final low", [mg("1.4", ago=5), mg("2.0", ago=1, status="preliminary")], f"{LOW}:warning"),
    V("a newer final normal does replace it", [mg("1.4", ago=5), mg("2.0", ago=1)], f"-{LOW}"),
    V("same instant: the worse wins", [mg("1.4"), mg("2.1")], f"{LOW}:warning"),
    V("same day where one has only a date: the worse wins", [mg("1.4", at="2026-11-20"), mg("2.1", at="2026-11-20T18:00:00Z")], f"{LOW}:warning"),
    V("two instants of one day: the newest wins", [mg("1.4", at="2026-11-20T06:00:00Z"), mg("2.1", at="2026-11-20T18:00:00Z")], f"-{LOW}"),
    V("an amended version replaces its original, same id", [mg("1.4", id="x"), mg("2.1", id="x", status="amended")], f"-{LOW}"),
    V("an amended version replaces its original, same identifier", [mg("1.4", identifier=[{"system": "urn:l", "value": "7"}]), mg("2.1", identifier=[{"system": "urn:l", "value": "7"}], status="corrected")], f"-{LOW}"),
    V("a result of <2.0 mg/dL does not tell", [mg("2.0", comp="<")], f"-{LOW}"),
    V("31 days old is info, repeat first, offers only the repeat", [mg("1.1", ago=31), gfr("90")], f"{LOW}:info", says="repeat", offers="magnesium, serum", not_offered="oxide|potassium|creatinine", omits="484"),
    V("a date alone is the end of that day: 30 days ago acts", [mg("1.4", at="2026-10-24")], f"{LOW}:warning"),
    V("cramps are not needed", [mg("1.4")], f"{LOW}:warning"),
    V("value, date, salt and elemental dose are printed", [mg("1.4"), gfr("90")], f"{LOW}:warning", says="1.4 mg/dL|2026-11-20|12–24 mmol|484|967|292|583|extreme caution|salt|elemental|low-magnesium 2.0|clinician's judg", offers="magnesium, serum|potassium, serum|creatinine|magnesium oxide"),
    V("never the word guideline", [mg("1.4"), gfr("90"), CRAMPS], f"{LOW}", omits="guideline"),
    V("sodium and water first", [mg("1.4"), gfr("90")], LOW, says="sodium|aldosteron"),
    V("no volume advice with ascites", [mg("1.4"), gfr("90"), ASCITES], LOW, omits="aldosteron"),
    V("no volume advice with cirrhosis", [mg("1.4"), gfr("90"), CIRRHOSIS], LOW, omits="aldosteron"),
    V("no volume advice with heart failure", [mg("1.4"), gfr("90"), cond("Congestive heart failure", ("http://hl7.org/fhir/sid/icd-10-cm", "I50.9"))], LOW, omits="aldosteron"),
    V("eGFR 29: no dose, says why", [mg("1.4"), gfr("29")], f"{LOW}:warning", omits="484|583", says="29", not_offered="oxide"),
    V("eGFR 30: the dose is printed with caution, no draft", [mg("1.4"), gfr("30")], LOW, says="484|extreme caution", not_offered="oxide"),
    V("CKD 4: no dose", [mg("1.4"), CKD4], LOW, omits="484|583", not_offered="oxide"),
    V("dialysis: no dose", [mg("1.4"), DIALYSIS, gfr("90")], LOW, omits="484|583", not_offered="oxide"),
    V("AKI: no dose", [mg("1.4"), AKI, gfr("90")], LOW, omits="484|583", not_offered="oxide"),
    V("suspected AKI counts as a hazard: no dose", [mg("1.4"), cond("Acute kidney injury", ("http://hl7.org/fhir/sid/icd-10-cm", "N17.9"), ver="provisional"), gfr("90")], LOW, omits="484", not_offered="oxide"),
    V("eGFR unknown: renal function first", [mg("1.4")], LOW, says="renal function", offers="creatinine", not_offered="oxide"),
    V("eGFR 60 fresh: the draft is offered", [mg("1.4"), gfr("60")], LOW, offers="magnesium oxide"),
    V("a stale eGFR of 20 still hides the dose", [mg("1.4"), gfr("20", 200)], LOW, omits="484"),
    V("a preliminary eGFR clears nothing: no draft", [mg("1.4"), gfr("90", status="preliminary")], LOW, not_offered="oxide"),
    V("eGFR >60 clears: draft", [mg("1.4"), gfr("60", comp=">")], LOW, offers="magnesium oxide"),
    V("critical: urgent, ECG, potassium, calcium, parenteral, no draft", [mg("1.1"), gfr("90")], f"{LOW}:critical", says="urgent|same-day|ECG|calcium|parenteral", not_offered="oxide"),
    V("magnesium already taken: no draft", [mg("1.4"), gfr("90"), med(OXIDE)], LOW, not_offered="oxide"),
    V("magnesium already taken by statement: no draft", [mg("1.4"), gfr("90"), statement("Slow-Mag")], LOW, not_offered="oxide"),
    V("pregnant by condition: no draft", [mg("1.4"), gfr("90"), PREGNANT], LOW, not_offered="oxide"),
    V("pregnant by observation: no draft", [mg("1.4"), gfr("90"), lab("pregnant", valueCodeableConcept={"coding": [{"system": "http://snomed.info/sct", "code": "77386006"}]})], LOW, not_offered="oxide"),
    V("pregnant by LOINC answer: no draft", [mg("1.4"), gfr("90"), lab("pregnant", ago=200, valueCodeableConcept={"coding": [{"system": "http://loinc.org", "code": "LA15173-0"}]})], LOW, not_offered="oxide"),
    V("pregnant by text answer: no draft", [mg("1.4"), gfr("90"), lab("pregnant", valueCodeableConcept={"text": "Pregnant"})], LOW, not_offered="oxide"),
    V("a pregnancy of more than 42 weeks ago is over", [mg("1.4"), gfr("90"), lab("pregnant", ago=300, valueCodeableConcept={"text": "Pregnant"})], LOW, offers="magnesium oxide"),
    V("not pregnant: draft", [mg("1.4"), gfr("90"), lab("pregnant", valueCodeableConcept={"text": "Not pregnant", "coding": [{"system": "http://loinc.org", "code": "LA26683-5"}]})], LOW, offers="magnesium oxide"),
    V("conditions not read: no draft", [mg("1.4"), gfr("90")], LOW, without="conditions", not_offered="oxide"),
    V("medications not read: no draft", [mg("1.4"), gfr("90")], LOW, without="medicationRequests medicationStatements", not_offered="oxide"),
    V("no birth date: no draft", [mg("1.4"), gfr("90")], LOW, age=None, not_offered="oxide"),
    V("under 18 a warning is silent", [mg("1.4"), gfr("90")], f"-{LOW}", age=17),
    V("under 18 a critical level is reported, without a draft", [mg("1.1"), gfr("90")], f"{LOW}:critical", age=17, not_offered="oxide"),
    V("deceased: none", [mg("1.1"), CRAMPS], f"-{LOW} -data-not-usable -first-line-measures", patient={"deceasedBoolean": True}),
    V("deceased by date: none", [mg("1.1"), CRAMPS], f"-{LOW} -first-line-measures", patient={"deceasedDateTime": "2026-10-01"}),
    V("a magnesium test ordered within 30 days is not offered", [mg("1.4"), gfr("90"), service("Magnesium", ("http://loinc.org", "19123-9"), ago=10)], LOW, not_offered="magnesium, serum", offers="potassium, serum"),
    V("a metabolic panel includes potassium and creatinine, not magnesium", [mg("1.4"), gfr("90"), service("BMP", ("http://loinc.org", "51990-0"), ago=1)], LOW, offers="magnesium, serum", not_offered="potassium, serum|creatinine"),
    V("a completed order does not count as ordered", [mg("1.4"), service("Magnesium", ("http://loinc.org", "19123-9"), status="completed")], LOW, offers="magnesium, serum"),
    V("CKD-EPI 2021 from creatinine 0.7, woman of 50, is enough for a draft", [mg("1.4"), lab("creat", "0.7")], LOW, offers="magnesium oxide", says="comput"),
    V("creatinine in umol/L is computed too", [mg("1.4"), lab("creat", "62", "umol/L")], LOW, offers="magnesium oxide"),
    V("micro sign in both code points", [mg("1.4"), lab("creat", "62", "\u00b5mol/L")], LOW, offers="magnesium oxide"),
    V("greek mu", [mg("1.4"), lab("creat", "62", "\u03bcmol/L")], LOW, offers="magnesium oxide"),
    V("a creatinine later than the eGFR is computed and used", [mg("1.4"), gfr("90", 10), lab("creat", "2.6", ago=2)], LOW, omits="484"),
    V("an eGFR of the same day takes precedence over creatinine", [mg("1.4"), gfr("90", 2), lab("creat", "2.6", ago=2)], LOW, says="484"),
    V("race-free is preferred on the same day", [mg("1.4"), gfr("65"), lab("egfr_nonblack", "25")], LOW, says="484", offers="magnesium oxide"),
    V("of two eGFRs by race the lower counts", [mg("1.4"), lab("egfr_nonblack", "28"), lab("egfr_black", "33")], LOW, omits="484"),
    V("the newest day first, whatever the equation", [mg("1.4"), gfr("65", 20), lab("egfr_mdrd", "25", ago=2)], LOW, omits="484"),
    V("creatinine clearance in mL/min is not an eGFR", [mg("1.4"), lab("crcl", "90", "mL/min")], LOW, not_offered="oxide"),
    V("plain mL/min is accepted under eGFR codes", [mg("1.4"), lab("egfr", "65", "mL/min")], LOW, offers="magnesium oxide"),
    V("mL/min/1.73m2 is accepted", [mg("1.4"), lab("egfr", "65", "mL/min/1.73m2")], LOW, offers="magnesium oxide"),
    V("no computed eGFR without a birth date", [mg("1.4"), lab("creat", "2.6")], LOW, age=None, omits="computed"),
    V("refuted cramps do not count", [CRAMPS | {"verificationStatus": {"coding": [{"code": "refuted"}]}}], "-first-line-measures -electrolytes-not-checked"),
]  # fmt: skip

POTASSIUM = [
    V("2.9 is worded urgent", [k("2.9")], "low-potassium:warning", says="urgent", offers="ECG|potassium, serum|magnesium, serum"),
    V("magnesium is checked with it", [k("3.2")], "low-potassium", says="magnesium|diuretic|refractory", offers="potassium, serum|magnesium, serum"),
    V("KCl draft with eGFR 60", [k("3.2"), gfr("60")], "low-potassium", offers="potassium chloride"),
    V("no KCl draft with eGFR unknown", [k("3.2")], "low-potassium", not_offered="chloride"),
    V("no KCl draft with CKD 4", [k("3.2"), gfr("70"), CKD4], "low-potassium", not_offered="chloride"),
    V("no KCl draft with dialysis", [k("3.2"), gfr("70"), DIALYSIS], "low-potassium", not_offered="chloride"),
    V("no KCl draft with AKI", [k("3.2"), gfr("70"), AKI], "low-potassium", not_offered="chloride"),
    *[V(f"no KCl draft with {drug}, says why", [k("3.2"), gfr("70"), med(drug)], "low-potassium", not_offered="chloride") for drug in ("lisinopril 10 MG Oral Tablet", "losartan potassium 50 MG Oral Tablet", "spironolactone 25 MG Oral Tablet", "ibuprofen 400 MG Oral Tablet", "Klor-Con M20", "triamterene 37.5 MG / hydrochlorothiazide 25 MG Oral Capsule", "Entresto", "eplerenone 25 mg", "naproxen 500 mg")],
    V("losartan potassium is a RAAS inhibitor, not a supplement", [k("5.6"), med("losartan potassium 50 MG Oral Tablet")], "high-potassium:warning", says="prescriber", omits="hold:"),
    V("penicillin V potassium is not a potassium supplement", [k("5.6"), med("penicillin V potassium 500 MG Oral Tablet")], "-high-potassium"),
    V("no KCl draft when medications were not read", [k("3.2"), gfr("70")], "low-potassium", without="medicationRequests medicationStatements", not_offered="chloride"),
    V("no KCl draft when conditions were not read", [k("3.2"), gfr("70")], "low-potassium", without="conditions", not_offered="chloride"),
    V("below 2.5 no oral draft", [k("2.4"), gfr("90")], "low-potassium:critical", not_offered="chloride"),
    V("potassium 31 days old is info", [k("2.4", ago=31), gfr("90")], "low-potassium:info", says="repeat", offers="potassium, serum", not_offered="chloride|magnesium|ECG"),
    V("under 18 potassium 3.2 is silent", [k("3.2")], "-low-potassium", age=10),
    V("under 18 a potassium of 2.4 is reported", [k("2.4"), gfr("90")], "low-potassium:critical", age=10, not_offered="chloride"),
    V("urine potassium does not count", [lab("k_urine", "2.0")], "-low-potassium"),
    V("potassium 13 is implausible", [k("13"), CRAMPS], "data-not-usable -high-potassium"),
    V("two potassiums of one instant may raise two cards", [k("3.2"), k("6.0")], "high-potassium:critical low-potassium"),
    V("3.2 and 5.8 of one instant with cramps: two cards", [k("3.2"), k("5.8"), CRAMPS], "high-potassium:warning low-potassium:warning"),
    V("potassium 6.0 is critical", [k("6.0")], "high-potassium:critical", says="haemolys", offers="potassium, serum|ECG"),
    V("potassium 5.5 with cramps is a warning", [k("5.5"), CRAMPS], "high-potassium:warning", offers="potassium, serum|ECG"),
    V("potassium 5.5 with a supplement", [k("5.5"), med("potassium chloride 20 MEQ Extended Release Oral Tablet")], "high-potassium:warning", says="hold"),
    V("potassium 5.5 with a potassium-sparing diuretic", [k("5.5"), med("amiloride 5 MG Oral Tablet")], "high-potassium:warning"),
    V("potassium 5.5 with cramps assumed", [k("5.5")], "high-potassium:warning", settings={"cramps": "assumed"}),
    V("high potassium is reported under 18", [k("6.1")], "high-potassium:critical", age=8),
    V("preliminary high potassium raises", [k("6.1", status="preliminary")], "high-potassium:critical", says="preliminary"),
]  # fmt: skip


@table(MAGNESIUM)
def test_magnesium(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(POTASSIUM)
def test_potassium(program: Program, vignette: Vignette) -> None:
    program.check(vignette)
