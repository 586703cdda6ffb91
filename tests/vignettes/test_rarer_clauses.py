"""The clauses that show only with two cards, a list, a setting or a malformed record."""

from __future__ import annotations

import pytest

from tests.testing import fhir
from tests.vignettes.builders import (
    ASCITES,
    CIRRHOSIS,
    CKD3,
    CKD4,
    CRAMPS,
    DIALYSIS,
    ICD10,
    OXIDE,
    RLS,
    SNOMED,
    Json,
    Program,
    Vignette,
    because,
    cond,
    days_ago,
    dose,
    draft,
    draft_test,
    lab,
    med,
    statement,
    table,
)

V = Vignette
FOR_CRAMPS = because("Leg cramps")
GFR, K, MG = lab("egfr", "90"), lab("k", "4.0"), lab("mg", "2.0")
FURO, QUININE = med("furosemide 40 MG Oral Tablet"), med("quinine sulfate 324 MG Oral Capsule")
NAMES = {
    "magnesium-in-renal-impairment:critical": ("Mag-Delay", "MagOx 400", "Uro-Mag 140 MG Oral Capsule", "Magonate", "Slow-Mag", "magnesium chloride 64 MG Delayed Release Oral Tablet", "magnesium gluconate 500 MG Oral Tablet", "Mag-Tab SR", "magnesium lactate 84 MG", "Phillips' Milk of Magnesia", "magnesium aspartate 615 MG", "Magnesium L-threonate capsule", "magnesium malate 500 mg", "magnesium taurate"),
    "magnesium-in-renal-impairment:info": ("esomeprazole magnesium 20 MG", "Nexium 40 MG", "pitavastatin magnesium 2 MG", "Centrum Silver multivitamin", "magnesium stearate excipient", "omeprazole magnesium 20.6 MG Delayed Release Oral Tablet", "choline magnesium trisalicylate 750 MG"),
    "quinine-active:critical": ("quinine bisulfate 300 MG Oral Tablet", "QUININE SULFATE 260 MG", "Quinine sulphate 200mg tabs"),
    "-quinine-active": ("quinidine gluconate 324 MG", "quinapril 10 MG", "hydroxychloroquine 200 MG", "chloroquine 250 MG"),
    "cramp-inducing-medication:info": ("Crestor 10 MG", "Lipitor 20 MG Oral Tablet", "Zocor 40 MG", "Bumex 1 MG", "Lasix 40 MG Oral Tablet", "torsemide 20 MG Oral Tablet", "Advair Diskus", "Serevent Diskus", "Aldactone 25 MG", "Dyazide", "chlorthalidone 25 MG", "metolazone 5 MG", "formoterol 12 mcg", "Inspra 50 MG", "Demadex 10 MG", "Symbicort 160/4.5", "Breo Ellipta"),
    "-cramp-inducing-medication": ("amlodipine 5 MG", "nystatin 100000 UNT/ML Oral Suspension", "metformin 500 MG"),
}  # fmt: skip
PRODUCTS = [
    V(
        f"{name}: {expected}",
        [med(name), CRAMPS, *([CKD4] if "renal" in expected else [])],
        expected,
    )
    for expected, names in NAMES.items()
    for name in names
]
PREVIOUS = {"subject": {"reference": "Patient/other"}}
OUTCOME = fhir.outcome("error", "exception")
TRUNCATED = fhir.searchset(total=400, link=[{"relation": "next", "url": "http://127.0.0.1:1/x"}])
READ = [
    V("a result of another patient is not used", [lab("mg", "1.4", **PREVIOUS)], "-low-magnesium"),
    V("another patient's cramps are not used", [CRAMPS | PREVIOUS], "-first-line-measures"),
    V("effectivePeriod counts by its end", [lab("mg", "1.4", effectiveDateTime=None, effectivePeriod={"start": days_ago(60), "end": days_ago(5)})], "low-magnesium:warning"),
    V("effectiveInstant counts", [lab("mg", "1.4", effectiveDateTime=None, effectiveInstant=days_ago(5))], "low-magnesium:warning"),
    V("a month is not a day: unusable, and reported", [lab("mg", "1.4", at="2026-10"), CRAMPS], "data-not-usable -low-magnesium"),
    V("an invalid entry does not affect the others", [lab("mg", "1.4"), lab("k", "3.0", code="nonsense"), lab("k", "3.1")], "low-magnesium:warning low-potassium:warning"),
    V("a server error in one key is reported", [lab("mg", "1.4")], "data-not-usable low-magnesium", prefetch={"conditions": OUTCOME}),
    V("a truncated page is reported", [CRAMPS], "data-not-usable", prefetch={"results": TRUNCATED}),
    V("null means nothing on file", [CRAMPS], "electrolytes-not-checked", prefetch={"results": None}),
    V("no computed eGFR without a birth date", [lab("creat", "3.0"), med(OXIDE)], "magnesium-in-renal-impairment:info", age=None),
    V("no computed eGFR in dialysis", [lab("creat", "0.7"), DIALYSIS, lab("mg", "1.4")], "low-magnesium", omits="comput"),
    V("without sex the lower of the two computed", [lab("creat", "1.2"), med(OXIDE)], "magnesium-in-renal-impairment:warning", sex=None),
    V("eGFR 201 is implausible", [lab("egfr", "201"), CRAMPS, med(OXIDE)], "data-not-usable"),
    V("creatinine 80 mg/dL is implausible", [lab("creat", "80"), CRAMPS, med(OXIDE)], "data-not-usable"),
    V("creatinine 80 umol/L is plausible", [lab("creat", "80", "umol/L"), CRAMPS, K, MG, lab("hb", "14")], "-data-not-usable"),
    V("a range in another unit than the value", [lab("k", "3.4", referenceRange=[{"low": {"value": 13.7, "unit": "mg/dL"}}])], "low-potassium:warning"),
    V("a potassium range from 2.0 is ignored, the value counts", [lab("k", "3.3", low="2.0"), CRAMPS], "low-potassium:warning -data-not-usable"),
    V("a stale preliminary low asks for the repeat", [lab("mg", "1.1", ago=40, status="preliminary")], "low-magnesium:info", says="repeat|preliminary", omits="urgent|484"),
    V("a newer unusable magnesium is reported beside an older low one", [lab("mg", "1.4", ago=9), lab("mg", "2.0", "furlong", 1), CRAMPS], "data-not-usable low-magnesium"),
    V("at least 6.0 by comparator", [lab("k", "6.0", comp=">=")], "high-potassium:critical"),
    V("at most 3.4 by comparator", [lab("k", "3.4", comp="<=")], "low-potassium:warning"),
    V("patient text is escaped", [CRAMPS, cond("<img src=x onerror=alert(1)> peripheral neuropathy")], "neuropathy-mimic", omits="<img"),
    V("unusable data are reported under 18", [lab("k", "6.1", "furlong"), CRAMPS], "data-not-usable", age=9),
    V("the OID of LOINC counts", [lab("mg", "1.4", code={"coding": [{"system": "urn:oid:2.16.840.1.113883.6.1", "code": "19123-9"}]})], "low-magnesium"),
    V("resolved AKI does not hide the dose", [lab("mg", "1.4"), GFR, cond("AKI", (ICD10, "N17.9"), status="resolved")], "low-magnesium", says="484", offers="oxide"),
    V("inactive malaria does not excuse", [QUININE, cond("Malaria", (SNOMED, "61462000"), status="inactive")], "quinine-active"),
    V("peritoneal dialysis by text", [cond("Peritoneal dialysis status"), med(OXIDE)], "magnesium-in-renal-impairment:critical"),
    V("end-stage renal disease by text", [cond("End-stage renal disease"), med(OXIDE)], "magnesium-in-renal-impairment:critical"),
    V("a family history of cirrhosis is not cirrhosis", [cond("Family history of cirrhosis"), FURO], "-cirrhosis-cramps"),
    V("the words 'No dialysis' do not mean dialysis", [cond("No dialysis"), med(OXIDE), GFR], "-magnesium-in-renal-impairment"),
    V("restless leg syndrome by text", [cond("Restless leg syndrome")], "ferritin-not-checked"),
    V("a newer stopped statement does not end the hazard of quinine", [QUININE, statement("quinine sulfate 324 MG Oral Capsule", "stopped", dateAsserted=days_ago(1))], "quinine-active"),
    V("iron overload: no iron", [lab("ferritin", "40"), cond("Hereditary hemochromatosis", (SNOMED, "399187006"))], "low-ferritin", says="no iron"),
    V("dialysis: no iron", [lab("ferritin", "40"), DIALYSIS], "low-ferritin", says="no iron"),
    V("TSAT 46: no iron", [lab("ferritin", "40"), lab("tsat", "46")], "low-ferritin", says="no iron"),
    V("TSAT 45: no objection to iron", [lab("ferritin", "40"), lab("tsat", "45")], "low-ferritin", omits="no iron is"),
    V("no volume advice beside the cirrhosis card", [lab("mg", "1.4"), CIRRHOSIS, ASCITES, CRAMPS], "low-magnesium cirrhosis-cramps", omits="water and sodium|aldosteron"),
]  # fmt: skip

KLOR, PRAMI = med("Klor-Con M20", status="draft"), "pramipexole 0.125 MG Oral Tablet"
CRAMPY_LIVER = [GFR, CRAMPS, CIRRHOSIS]
EVERY_8_H = {
    "timing": {"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}},
    "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
}
CONTAINED = fhir.product("Magnesium oxide") | {
    "ingredient": [
        {
            "itemCodeableConcept": {"text": "magnesium oxide"},
            "strength": {
                "numerator": {"value": 400, "unit": "mg"},
                "denominator": {"value": 1, "unit": "tablet"},
            },
        }
    ],
}


SELECTED = [
    V("CKD 3 with an eGFR above 60 for an order", [CKD3, lab("egfr", "75"), MG], "magnesium-ordered-renal-impairment:warning", drafts=[draft(OXIDE)]),
    V("a draft's own reason of cramps documents them", [], "diuretic-ordered-with-cramps", drafts=[draft("furosemide 40 MG Oral Tablet", **FOR_CRAMPS)]),
    V("cramps as the reason of another draft document them", [], "diuretic-ordered-with-cramps", drafts=[draft("furosemide 40 MG Oral Tablet"), draft_test("Magnesium", **FOR_CRAMPS)], pick=[0]),
    V("two quinines selected: one card", [], "quinine-ordered:critical", drafts=[draft("quinine sulfate 324 MG Oral Capsule"), draft("Qualaquin")], offers="remove"),
    V("potassium drafted twice is a warning", [K, GFR], "potassium-ordered-hazard:warning", drafts=[KLOR, draft("potassium chloride 10 MEQ")], pick=[0]),
    V("lisinopril drafted beside potassium", [K, GFR], "potassium-ordered-hazard:warning", drafts=[KLOR, draft("lisinopril 10 MG Oral Tablet")], pick=[0]),
    V("baclofen 20 mg tablets once is above the start", CRAMPY_LIVER, "baclofen-ordered-dose:warning", drafts=[draft("baclofen 20 MG Oral Tablet", **dose("1"))]),
    V("baclofen every 8 hours", CRAMPY_LIVER, "baclofen-ordered-dose:warning", drafts=[draft("baclofen 10 MG Oral Tablet", dosageInstruction=[EVERY_8_H])], says="30"),
    V("baclofen 10 in mg", CRAMPY_LIVER, "-baclofen-ordered-dose", drafts=[draft("baclofen 10 MG Oral Tablet", **dose("10", "mg"))]),
    V("baclofen as needed, 30 mg a day at most", CRAMPY_LIVER, "baclofen-ordered-dose:warning", drafts=[draft("baclofen 10 MG Oral Tablet", **dose("1", frequency=None, as_needed=True, top=("30", "mg")))]),
    V("baclofen 5 mg TID by timing code", CRAMPY_LIVER, "baclofen-ordered-dose:warning", drafts=[draft("baclofen 5 MG Oral Tablet", **dose("1", code="TID"))]),
    V("an albumin test is not an order of albumin", [], "-albumin-ordered-without-cirrhosis", drafts=[draft_test("Albumin [Mass/volume] in Serum", **FOR_CRAMPS)]),
    V("strength from the contained medication's ingredient", [GFR, lab("mg", "1.4")], "magnesium-ordered-dose", drafts=[draft(None, **dose("1", frequency=3), contained=[CONTAINED], medicationReference={"reference": "#m"})]),
    V("magnesium of unknown salt: dose silent", [GFR, lab("mg", "1.4")], "-magnesium-ordered-dose", drafts=[draft("magnesium 250 MG Oral Tablet", **dose("1"))]),
    V("dopaminergic without a reason", [], "-dopaminergic-ordered-for-cramps", drafts=[draft(PRAMI)]),
    V("dopaminergic with suspected restless legs", [cond("Restless legs", ver="provisional")], "dopaminergic-ordered-for-cramps", drafts=[draft(PRAMI, **FOR_CRAMPS)]),
    V("CT of the lumbar spine with foot drop", [cond("Foot drop")], "-extensive-workup-ordered", drafts=[draft_test("CT lumbar spine", **FOR_CRAMPS)]),
    V("venous duplex of the leg for cramps", [], "-extensive-workup-ordered", drafts=[draft_test("Duplex ultrasound of leg veins", **FOR_CRAMPS)]),
    V("another patient's draft is not judged", [], "-quinine-ordered", drafts=[draft("quinine sulfate 324 MG Oral Capsule", **PREVIOUS)]),
    V("a nutrition order selected", [CRAMPS], "-quinine-ordered -data-not-usable", drafts=[fhir.resource("NutritionOrder", id="n1", status="draft", intent="order", patient=fhir.subject(), dateTime=days_ago(0))]),
]  # fmt: skip


@table(PRODUCTS)
def test_names(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(READ)
def test_reading(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


@table(SELECTED)
def test_orders(program: Program, vignette: Vignette) -> None:
    program.check(vignette)


MANY: list[Json] = [
    CRAMPS,
    RLS,
    CIRRHOSIS,
    FURO,
    med("atorvastatin 40 MG Oral Tablet"),
    med("ibuprofen 400 MG Oral Tablet"),
    cond("Peripheral neuropathy", (SNOMED, "42658009")),
    lab("k", "2.2"),
    lab("mg", "1.5", "furlong"),
    lab("ferritin", "30"),
]
NOTHING = "patient results conditions medicationRequests medicationStatements allergies orders"


def rules(cards: list[Json]) -> list[str]:
    return [card["source"]["topic"]["code"] for card in cards]


def many(most: int) -> Vignette:
    return V("many", MANY, "", age=70, settings={"max_info_cards": most})


@pytest.mark.parametrize("most", [0, 1, 3])
def test_info_cards_are_capped_and_other_cards_never_dropped(program: Program, most: int) -> None:
    cards = program.cards(many(most))
    info_cards = [card for card in cards if card["indicator"] == "info"]
    counted = [rule for rule in rules(info_cards) if rule != "data-not-usable"]
    assert len(counted) == most
    assert {"low-potassium", "cirrhosis-cramps", "data-not-usable"} <= set(rules(cards))


def test_cards_are_sorted_by_severity_and_no_advice_is_shown_with_a_critical_card(
    program: Program,
) -> None:
    cards = program.cards(many(50))
    ranks = [["critical", "warning", "info"].index(card["indicator"]) for card in cards]
    assert ranks == sorted(ranks)
    assert 0 in ranks
    assert "first-line-measures" not in rules(cards)


def test_no_order_is_offered_twice(program: Program) -> None:
    labels = [
        each["label"] for card in program.cards(many(50)) for each in card.get("suggestions", [])
    ]
    assert labels
    assert len(labels) == len(set(labels))


def test_the_first_card_shown_under_the_cap_keeps_the_order(program: Program) -> None:
    cards = program.cards(V("", [CRAMPS, CIRRHOSIS], "", settings={"max_info_cards": 1}))
    assert len(cards) == 1
    assert any("Potassium" in each["label"] for each in cards[0]["suggestions"])


def test_no_data_obtained_is_412(program: Program) -> None:
    assert program.answer(V("", [], "", without=NOTHING))["status"] == 412


def test_an_order_that_no_rule_judges_without_data_is_412(program: Program) -> None:
    vignette = V("", [], "", without=NOTHING, drafts=[draft("amoxicillin")])
    assert program.answer(vignette)["status"] == 412
