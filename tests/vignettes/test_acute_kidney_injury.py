"""Acute kidney injury shown only by creatinine, in every rule that reads renal function."""

from __future__ import annotations

from tests.vignettes.builders import (
    ASCITES,
    CIRRHOSIS,
    CRAMPS,
    DIALYSIS,
    OXIDE,
    PREGNANT,
    SNOMED,
    Program,
    Vignette,
    because,
    cond,
    dose,
    lab,
    med,
    table,
)

V = Vignette
RISEN = [lab("creat", "0.7", ago=5), lab("creat", "1.2", ago=1)]
STEADY = [lab("creat", "0.9", ago=5), lab("creat", "1.0", ago=1)]
SPIRONOLACTONE = med("Spironolactone 100 MG Oral Tablet")
MALARIA = cond("Malaria", (SNOMED, "61462000"))
K, MG, NA = lab("k", "4.2"), lab("mg", "2.0"), lab("na", "138")
BACLOFEN = "Baclofen 10 MG Oral Tablet"
CALLED = "possible AKI, creatinine 0.7"

KIDNEYS = [
    V("cirrhosis on spironolactone, creatinine up by two thirds in four days: EASL stops the diuretic, coded or not",
      [CIRRHOSIS, ASCITES, SPIRONOLACTONE, K, MG, NA, *RISEN], "cirrhosis-cramps:warning", says=f"{CALLED}|discontinue diuretics (spironolactone)", omits="option for the clinician"),
    V("the same man with a steady creatinine goes on taking it",
      [CIRRHOSIS, ASCITES, SPIRONOLACTONE, K, MG, NA, *STEADY], "cirrhosis-cramps:info", omits="discontinue diuretics (|possible AKI"),
    V("on dialysis the creatinine varies by itself: not a new injury",
      [CIRRHOSIS, ASCITES, SPIRONOLACTONE, DIALYSIS, K, MG, NA, *RISEN], "cirrhosis-cramps:info", omits="possible AKI"),
    V("cirrhosis with cramps, no diuretic, creatinine rising: there is nothing to discontinue, and baclofen is out",
      [CIRRHOSIS, CRAMPS, K, MG, NA, *RISEN], "cirrhosis-cramps:info", says="baclofen is not advised: possible aki", omits="discontinue diuretics ("),
    V("ibuprofen while the creatinine rises: the likeliest culprit, cramps or not",
      [med("Ibuprofen 600 MG Oral Tablet"), *RISEN], "analgesic-use:warning", says=f"ibuprofen|{CALLED}"),
    V("ibuprofen ordered for cramps while the creatinine rises",
      [CRAMPS, *RISEN], "analgesic-ordered-for-cramps:warning", says=CALLED, offers="remove",
      drafts=[med("Ibuprofen 400 MG Oral Tablet", status="draft", **because("leg cramps"))]),
    V("cramps while the creatinine rises: the general advice does not point to baclofen",
      [CRAMPS, *RISEN], "first-line-measures:info", says="is not advised here (possible aki"),
    V("baclofen ordered while the creatinine rises: it would accumulate within days",
      RISEN, "baclofen-ordered-renal-impairment:critical", says=CALLED, offers="remove",
      drafts=[med(BACLOFEN, status="draft", **dose("1"))]),
    V("baclofen that is taken while the creatinine rises: reduced under supervision, never stopped at once",
      [med(BACLOFEN), *RISEN], "baclofen-active-renal-impairment:critical", says=f"{CALLED}|never stop it abruptly"),
    V("low magnesium while the creatinine rises: no dose is printed, nothing is drafted",
      [lab("mg", "1.4"), *RISEN], "low-magnesium:warning", says="possible aki", omits="484", not_offered="magnesium oxide"),
    V("low potassium while the creatinine rises: no potassium chloride is drafted",
      [lab("k", "3.1"), *RISEN], "low-potassium:warning", not_offered="potassium chloride"),
    V("potassium 5.6 while the creatinine rises, no cramps: a warning",
      [lab("k", "5.6"), *RISEN], "high-potassium:warning", says="possible aki"),
    V("magnesium oxide ordered while the creatinine rises",
      RISEN, "magnesium-ordered-renal-impairment:critical", says=CALLED, offers="remove",
      drafts=[med(OXIDE, status="draft")]),
    V("potassium ordered while the creatinine rises, potassium normal",
      [K, *RISEN], "potassium-ordered-hazard:critical", says="possible aki", offers="remove",
      drafts=[med("Potassium chloride 20 MEQ Extended Release Oral Tablet", status="draft")]),
    V("a creatinine 0.35 mg/dL higher within two days is an injury even below 1.5 times",
      [med(BACLOFEN), lab("creat", "1.00", ago=2.5), lab("creat", "1.35", ago=1)], "baclofen-active-renal-impairment:critical", says="possible aki"),
    V("a rise measured eight days ago no longer counts as acute",
      [med(BACLOFEN), lab("creat", "0.7", ago=12), lab("creat", "1.0", ago=8)], "-baclofen-active-renal-impairment"),
    V("a preliminary creatinine alone does not make an injury",
      [CIRRHOSIS, ASCITES, SPIRONOLACTONE, K, MG, NA, lab("creat", "0.7", ago=5), lab("creat", "1.2", ago=1, status="preliminary")],
      "cirrhosis-cramps:info", omits="discontinue diuretics ("),
    V("a creatinine in µmol/L after one in mg/dL: the ratio is taken in one unit",
      [CIRRHOSIS, ASCITES, SPIRONOLACTONE, K, MG, NA, lab("creat", "0.7", ago=5), lab("creat", "106", "umol/L", ago=1)],
      "cirrhosis-cramps:warning", says="possible aki"),
]  # fmt: skip

SAMPLES = [
    V("a clotted count of 60 is not thrombocytopenia: quinine is judged without it, and the count is repeated",
      [CRAMPS, lab("plt", "60", note=[{"text": "Sample clotted"}]), med("quinine sulfate 324 MG Oral Capsule"), lab("hb", "11.0", ago=3)],
      "anemia:info", says="clotted|platelets"),
    V("quinine for malaria, a clotted count of 60: treat the malaria, repeat the count",
      [MALARIA, lab("plt", "60", note=[{"text": "Sample clotted"}])], "quinine-ordered:warning", says="clotted|repeat it before acting", offers="platelets", not_offered="remove",
      drafts=[med("quinine sulfate 324 MG Oral Capsule", status="draft")]),
    V("quinine for malaria, a clean count of 60: another drug",
      [MALARIA, lab("plt", "60")], "quinine-ordered:critical", omits="clotted", offers="remove",
      drafts=[med("quinine sulfate 324 MG Oral Capsule", status="draft")]),
    V("quinine for cramps is critical, whatever happened to the sample",
      [CRAMPS, lab("plt", "60", note=[{"text": "Sample clotted"}])], "quinine-ordered:critical", offers="remove",
      drafts=[med("quinine sulfate 324 MG Oral Capsule", status="draft")]),
    V("haemoglobin 5.8 in a contaminated sample (drip arm): a warning, repeat it now",
      [lab("hb", "5.8", note=[{"text": "contaminated with IV fluid"}])], "anemia:warning", says="contaminated"),
    V("haemoglobin 5.8 in a haemolysed sample: haemolysis does not explain it, it stays critical",
      [lab("hb", "5.8", note=[{"text": "haemolysed"}])], "anemia:critical"),
    V("potassium 6.4 in a haemolysed sample: repeat before anybody treats",
      [lab("k", "6.4", note=[{"text": "Specimen hemolyzed"}])], "high-potassium:warning", says="haemolysed"),
    V("potassium 2.3 in a haemolysed sample is lower still",
      [lab("k", "2.3", note=[{"text": "Specimen hemolyzed"}])], "low-potassium:critical"),
]  # fmt: skip

PREGNANCIES = [
    V("pregnant, creatinine 0.95 mg/dL: impaired for pregnancy, magnesium oxide is watched",
      [PREGNANT, lab("creat", "0.95")], "magnesium-ordered-renal-impairment:warning", says="in pregnancy",
      drafts=[med(OXIDE, status="draft")]),
    V("pregnant, creatinine 0.6: renal function is normal, a midwife's magnesium is not obstructed",
      [PREGNANT, lab("creat", "0.6")], "-magnesium-ordered-renal-impairment", drafts=[med(OXIDE, status="draft")]),
    V("pregnant with potassium 3.1: no potassium is drafted",
      [PREGNANT, lab("k", "3.1"), lab("creat", "0.6"), lab("mg", "2.0")], "low-potassium:warning", not_offered="potassium chloride"),
    V("pregnant with magnesium 1.4: obstetric advice, no dose",
      [PREGNANT, lab("mg", "1.4"), lab("creat", "0.6")], "low-magnesium:warning", says="obstetric", omits="484", not_offered="magnesium oxide"),
]  # fmt: skip


@table([*KIDNEYS, *SAMPLES, *PREGNANCIES])
def test_renal_function_and_sample_quality_are_judged_as_a_clinician_would(
    program: Program, vignette: Vignette
) -> None:
    program.check(vignette)
