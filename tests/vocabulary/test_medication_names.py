"""Medication classes by product code and name, with the traps met in real data."""

from __future__ import annotations

import pytest

from cds_service.terminology.call_texts import one_call
from cds_service.terminology.codes import ATC, RXNORM, Coding
from hooks.knowledge.vocabulary import MEDICATIONS

NAMES = [
    ("Spironolacton 25 mg", "diuretic_potassium_sparing"),
    ("Espironolactona 25 mg comprimidos", "diuretic_potassium_sparing"),
    ("Kaliumchlorid 600 mg", "potassium"),
    ("Chlorure de potassium 600 mg", "potassium"),
    ("Cloruro de potasio 600 mg", "potassium"),
    ("Losartan-Kalium 50 mg", "raas_inhibitor"),
    ("Losartán potásico 50 mg", "raas_inhibitor"),
    ("Phenoxymethylpenicillin-Kalium 1,5 Mega", ""),
    ("Chininsulfat 200 mg", "quinine"),
    ("Limptar N", "quinine"),
    ("Chinidin 200 mg", ""),
    ("Magnesiumoxid 400 mg", "magnesium"),
    ("Furosemid 40 mg", "diuretic_loop"),
    ("Digoxina 0,25 mg", "digoxin"),
    ("Amiodarona 200 mg", "qt_prolonging"),
    ("Baclofène 10 mg", "baclofen"),
    ("esomeprazole magnesium 20 MG Delayed Release Oral Capsule [Nexium]", "ppi"),
    ("omeprazole magnesium 2.5 MG Granules for Oral Suspension", "ppi"),
    ("pitavastatin magnesium 2 MG Oral Tablet", "statin"),
    ("Losartan Potassium 50 MG Oral Tablet", "raas_inhibitor"),
    ("penicillin V potassium 250 MG Oral Tablet", ""),
    ("penicillin G potassium 1000000 UNT/ML Injectable Solution", ""),
    ("amoxicillin 875 MG / clavulanate potassium 125 MG Oral Tablet", ""),
    ("potassium clavulanate 125 mg", ""),
    ("warfarin potassium 5 mg", "anticoagulant warfarin"),
    ("raltegravir potassium 400 MG Oral Tablet", "magnesium_binding"),
    ("dabrafenib", ""),
    ("potassium iodide 1000 MG/ML Oral Solution [SSKI]", ""),
    ("potassium nitrate 50 MG/ML Toothpaste", ""),
    ("potassium permanganate 0.4 MG/ML Topical Solution", ""),
    ("potassium hydroxide 100 MG/ML Topical Solution", ""),
    ("magnesium stearate", ""),
    ("Magnesium Oxide 400 MG Oral Tablet [Mag-Ox]", "magnesium"),
    ("magnesium sulfate 500 MG/ML Injectable Solution", "magnesium magnesium_intravenous"),
    ("50 ML magnesium sulfate 40 MG/ML Injection", "magnesium magnesium_intravenous"),
    (
        "magnesium sulfate 0.1 MEQ/ML / potassium chloride 0.02 MEQ/ML Injectable Solution",
        "magnesium magnesium_intravenous potassium",
    ),
    ("Magnesium citrate 58.2 MG/ML Oral Solution", "magnesium magnesium_antacid_laxative"),
    (
        "Magnesium Hydroxide 80 MG/ML Oral Suspension [Phillips Milk of Magnesia]",
        "magnesium magnesium_antacid_laxative",
    ),
    ("Milk of Magnesia", "magnesium magnesium_antacid_laxative"),
    (
        "aluminum hydroxide 40 MG/ML / magnesium hydroxide 40 MG/ML / "
        "simethicone 4 MG/ML Oral Suspension",
        "magnesium magnesium_antacid_laxative",
    ),
    ("Mylanta", "magnesium magnesium_antacid_laxative"),
    ("Maalox", "magnesium magnesium_antacid_laxative"),
    ("Epsom salt", "magnesium magnesium_antacid_laxative"),
    ("Slow-Mag", "magnesium"),
    ("Mag-Tab SR", "magnesium"),
    ("Uro-Mag", "magnesium"),
    ("MagOx 400", "magnesium"),
    ("magnesium 250 mg", "magnesium"),
    ("Magnesium", "magnesium"),
    ("Nature Made Magnesium 250 mg tablets", "magnesium"),
    ("magnesium glycinate 200mg nightly", "magnesium"),
    ("Prenatal multivitamin with magnesium 20 mg", ""),
    ("furosemide 10 MG/ML Injectable Solution", "diuretic_loop"),
    ("Lasix 40 mg", "diuretic_loop"),
    ("Maxzide", "diuretic_thiazide diuretic_potassium_sparing"),
    ("Dyazide", "diuretic_thiazide diuretic_potassium_sparing"),
    ("Zestoretic 20-12.5", "diuretic_thiazide raas_inhibitor"),
    ("Entresto 24/26", "raas_inhibitor"),
    ("spironolactone 5 MG/ML Oral Suspension [Carospir]", "diuretic_potassium_sparing"),
    ("Klor-Con M20", "potassium"),
    ("LoSalt", "potassium"),
    ("K-Dur 20", "potassium"),
    ("potassium chloride 20 MEQ Powder for Oral Solution", "potassium"),
    ("potassium chloride 1.33 MEQ/ML Oral Solution", "potassium"),
    ("potassium chloride 2 MEQ/ML Injectable Solution", "potassium"),
    (
        "1000 ML potassium chloride 0.02 MEQ/ML / sodium chloride 0.154 MEQ/ML Injection",
        "potassium",
    ),
    (
        "calcium chloride 0.0014 MEQ/ML / potassium chloride 0.004 MEQ/ML / "
        "sodium chloride 0.103 MEQ/ML / sodium lactate 0.028 MEQ/ML Injectable "
        "Solution",
        "",
    ),
    ("potassium phosphate 236 MG/ML Injection", "potassium"),
    ("potassium acetate 2 MEQ/ML Injectable Solution", "potassium"),
    ("potassium bicarbonate 25 MEQ Effervescent Oral Tablet", "potassium"),
    ("potassium citrate 10 MEQ Extended Release Oral Tablet", "potassium"),
    ("potassium 99 mg", "potassium"),
    ("Quinidine gluconate 324 MG Extended Release Oral Tablet", "qt_prolonging"),
    ("quinapril 10 MG Oral Tablet", "raas_inhibitor"),
    ("hydroxychloroquine sulfate 200 MG Oral Tablet", "qt_prolonging"),
    ("quinine sulfate 324 MG Oral Capsule", "quinine qt_prolonging"),
    ("Qualaquin", "quinine"),
    ("quinine 300 MG/ML Injectable Solution", "quinine qt_prolonging"),
    ("cinchona officinalis bark 6 [hp_X] Oral Pellet", ""),
    ("quinine sulfate 12 [hp_X] Oral Tablet", ""),
    ("Quinine sulphate 6X", ""),
    ("China officinalis 30C", ""),
    ("QUININE 12 X [hp_X] pellets", ""),
    ("tonic water with quinine", ""),
    ("quinacrine", ""),
    ("iodoquinol", ""),
    ("baclofen 0.5 MG/ML Injectable Solution [Lioresal]", "baclofen_intrathecal"),
    ("20 ML baclofen 2 MG/ML Injection", "baclofen_intrathecal"),
    ("Lioresal Intrathecal", "baclofen_intrathecal"),
    ("Gablofen", "baclofen_intrathecal"),
    ("baclofen 1 MG/ML Prefilled Syringe", "baclofen_intrathecal"),
    ("baclofen 5 MG/ML Oral Suspension [Fleqsuvy]", "baclofen"),
    ("baclofen 10 MG Oral Granules", "baclofen"),
    ("baclofen 20 mg tablet", "baclofen"),
    ("baclofen 20 MG/ML Topical Cream", ""),
    ("diclofenac sodium 0.01 MG/MG Topical Gel", ""),
    ("diclofenac potassium 50 MG Oral Tablet", "nsaid"),
    ("diclofenac epolamine 1.3% patch", ""),
    ("ketorolac tromethamine 5 MG/ML Ophthalmic Solution", ""),
    ("ketorolac 30 MG/ML Injection", "nsaid"),
    ("ketorolac tromethamine 15.75 MG/ACTUAT Metered Dose Nasal Spray", "nsaid"),
    ("ibuprofen 200 MG Gel Capsule", "nsaid"),
    ("Advil Liqui-Gels 200 mg", "nsaid"),
    ("Voltaren gel", ""),
    ("aspirin 81 MG Delayed Release Oral Tablet", ""),
    ("Aspirin EC 81 mg", ""),
    ("aspirin 325 MG Oral Tablet", "nsaid"),
    (
        "acetaminophen 250 MG / aspirin 250 MG / caffeine 65 MG Oral Tablet [Excedrin]",
        "nsaid acetaminophen",
    ),
    ("ibuprofen 20 MG/ML Oral Suspension", "nsaid"),
    ("albumin human, USP 250 MG/ML Injectable Solution", "albumin"),
    ("albumin human 25% injection", "albumin"),
    ("Albutein", "albumin"),
    ("paclitaxel protein-bound (albumin)", ""),
    ("albumin bound paclitaxel 100 MG Injection", ""),
    ("Sinemet 25-100", "dopaminergic"),
    ("Mirapex", "dopaminergic"),
    ("Requip XL", "dopaminergic"),
    ("Neupro patch", "dopaminergic"),
    ("rotigotine 4 MG/24HR Transdermal Patch", "dopaminergic"),
    (
        "120 ACTUAT fluticasone propionate 0.115 MG/ACTUAT / salmeterol 0.021 "
        "MG/ACTUAT Metered Dose Inhaler [Advair]",
        "laba",
    ),
    ("albuterol 0.83 MG/ML Inhalation Solution", "saba"),
    ("levalbuterol", "saba"),
    ("heparin sodium, porcine 100 UNT/ML Injectable Solution", "anticoagulant"),
    ("heparin lock flush", ""),
    ("enoxaparin sodium 100 MG/ML Injectable Solution [Lovenox]", "anticoagulant heparin"),
    ("fentanyl 0.025 MG/HR Transdermal Patch", "opioid"),
    ("apomorphine 10 MG/ML Injection", "dopaminergic"),
    ("lorazepam 2 MG/ML Injectable Solution", "sedative"),
    ("diphenhydramine 20 MG/ML Topical Cream", ""),
    ("choline magnesium trisalicylate", "nsaid"),
    (
        "sodium picosulfate / magnesium oxide / anhydrous citric acid",
        "magnesium magnesium_antacid_laxative",
    ),
    ("Magnesium Oxide 362 MG / Vitamin B6 20 MG Oral Tablet", "magnesium"),
    (
        "polyethylene glycol 3350 59 MG/ML / potassium chloride 0.01 MEQ/ML / "
        "sodium bicarbonate 0.02 MEQ/ML Oral Solution",
        "",
    ),
    ("lisinopril-hydrochlorothiazide 20-12.5 mg", "raas_inhibitor diuretic_thiazide"),
    ("carbidopa/levodopa 25/100", "dopaminergic"),
    ("potassium chloride ER 20 mEq 2x daily", "potassium"),
    ("HYDROcodone-acetaminophen 5-325 mg", "opioid acetaminophen"),
    ("acesulfame potassium", ""),
    ("levocarnitine", ""),
    ("insulin", ""),
    ("magnesium valproate", ""),
    ("valproate magnesium", ""),
    ("magnesium L-threonate", "magnesium"),
    ("Calcium-Magnesium-Zinc tablet", "magnesium"),
    ("sodium phosphate / potassium phosphate", "potassium"),
    ("potassium para-aminobenzoate 500 MG", ""),
    ("canrenoate potassium", "diuretic_potassium_sparing"),
    ("ferumoxytol 30 MG/ML Injectable Solution", "iron"),
    ("Duragesic", "opioid"),
    ("pregabalin 20 MG/ML Oral Solution", "gabapentinoid"),
    ("Potassium Chloride 10 MEQ Extended Release Oral Tablet [K-Tab]", "potassium"),
    ("cefazolin", ""),
    ("Magnesium chloride 200 MG/ML Injectable Solution", "magnesium magnesium_intravenous"),
    ("hydroquinine", "quinine"),
    ("dextromethorphan hydrobromide 20 MG / quinidine sulfate 10 MG Oral Capsule", "qt_prolonging"),
    ("rabeprazole magnesium 20 mg", "ppi"),
    ("atorvastatin magnesium 10 mg", "statin"),
    ("Dabigatran 150 mg", "anticoagulant"),
    ("tiotropium / olodaterol", "laba"),
    ("estrogens, conjugated (USP) 0.625 MG/GM Vaginal Cream", ""),
    (
        "amlodipine 5 MG / hydrochlorothiazide 25 MG / valsartan 160 MG Oral Tablet",
        "raas_inhibitor diuretic_thiazide",
    ),
    ("methenamine", ""),
    (
        "magnesium chloride 0.3 MG/ML / potassium chloride 0.37 MG/ML / sodium "
        "acetate 3.68 MG/ML Injectable Solution [Plasma-Lyte A]",
        "",
    ),
    (
        "calcium chloride 0.48 MG/ML / magnesium chloride 0.3 MG/ML / "
        "potassium chloride 0.75 MG/ML Ophthalmic Irrigation Solution",
        "",
    ),
    (
        "aluminum-magnesium hydroxide-simethicone 200-200-20 mg/5 mL oral suspension",
        "magnesium magnesium_antacid_laxative",
    ),
    ("magnesium sulfate 2 g in 50 mL D5W IVPB", "magnesium magnesium_intravenous"),
    ("Acme Magnesium 250 mg", "magnesium"),
    ("ASA 81", ""),
    ("ASA 325 mg", "nsaid"),
    ("Aspirin 75mg", ""),
    ("aspirin 100 mg", ""),
    ("aspirin 162 mg", "nsaid"),
    ("Calcium Carbonate 600 MG Chewable Tablet [Maalox Antacid Barrier]", ""),
    (
        "Ascorbic Acid 30 MG / Folic Acid 1 MG / Magnesium Oxide 20 MG / "
        "Niacin 15 MG / Potassium Iodide 0.15 MG Oral Tablet",
        "",
    ),
    ("Aspirin-free Excedrin", "acetaminophen"),
    ("Magnesium Salicylate 580 MG Oral Tablet [Doan's]", "nsaid"),
    ("doxepin 6 MG Oral Tablet", "sedative"),
    ("morphine sulfate 15 MG Extended Release Oral Tablet", "opioid"),
    ("warfarin sodium 5 MG Oral Tablet", "anticoagulant warfarin"),
    ("lisinopril/HCTZ", "raas_inhibitor diuretic_thiazide"),
]


@pytest.mark.parametrize(
    ("name", "classes"), NAMES, ids=[f"{n} is {e or 'of no class'}" for n, e in NAMES]
)
def test_a_product_name_is_of_these_classes(name: str, classes: str) -> None:
    assert MEDICATIONS.concepts((), (name,)) == set(classes.split())


CODED = [
    ("an ATC substance", [Coding(ATC, "M01AE01")], "nsaid"),
    ("an ATC class", [Coding(ATC, "C03C")], "diuretic_loop"),
    (
        "ATC in https and with a slash",
        [Coding("https://www.whocc.no/atc/", "c03ca01")],
        "diuretic_loop",
    ),
    ("the topical ATC code beats the name", [Coding(ATC, "M02AA15", "diclofenac")], ""),
    ("the eye's ATC code beats the name", [Coding(ATC, "S01BC03", "diclofenac")], ""),
    ("glucosamine is no NSAID", [Coding(ATC, "M01AX05", "glucosamine")], ""),
    (
        "an ACE inhibitor with a diuretic",
        [Coding(ATC, "C09BA03")],
        "raas_inhibitor diuretic_thiazide",
    ),
    (
        "an RxNorm ingredient by its OID",
        [Coding("urn:oid:2.16.840.1.113883.6.88", "9071")],
        "quinine",
    ),
    (
        "a coded product still gets the classes of all its ingredients",
        [Coding(RXNORM, "6582", "Magnesium Oxide 200 MG / Cyclobenzaprine 10 MG Oral Capsule")],
        "magnesium sedative",
    ),
    (
        "the form beats the code of the ingredient",
        [Coding(RXNORM, "1292", "20 ML baclofen 2 MG/ML Injection")],
        "baclofen_intrathecal",
    ),
    (
        "a homeopathic potency beats the code",
        [Coding(RXNORM, "9071", "quinine sulfate 12 [hp_X] Oral Tablet")],
        "",
    ),
    (
        "aspirin 81 mg under the code of aspirin",
        [Coding(ATC, "N02BA01", "Aspirin 81 MG Oral Tablet")],
        "",
    ),
    ("a code without a system says nothing", [Coding("", "9071")], ""),
    (
        "any coding counts, also the second",
        [Coding("urn:local", "x"), Coding(RXNORM, "9071")],
        "quinine",
    ),
]


@pytest.mark.parametrize(("what", "codings", "classes"), CODED, ids=[row[0] for row in CODED])
def test_codes_and_names_work_together(what: str, codings: list[Coding], classes: str) -> None:
    assert MEDICATIONS.concepts(codings, ()) == set(classes.split())


def test_a_repeated_product_costs_one_look_up() -> None:
    with one_call():
        first = MEDICATIONS.concepts([], ["Quinine 325 MG Oral Capsule"])
        assert MEDICATIONS.concepts([], ["Quinine 325 MG Oral Capsule"]) is first
