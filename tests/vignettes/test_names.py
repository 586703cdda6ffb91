"""Names as records write them, through the whole service: each adds, removes or softens a card."""

from __future__ import annotations

from typing import Any

from tests.testing.fhir import concept
from tests.vignettes.builders import (
    AKI,
    CKD4,
    CRAMPS,
    DIALYSIS,
    LOINC,
    Json,
    Program,
    Vignette,
    because,
    cond,
    lab,
    med,
    service,
    statement,
    table,
)

V = Vignette
BACLOFEN = med("Baclofen 10 MG Oral Tablet", status="draft")
K, MG, GFR = lab("k", "4.3"), lab("mg", "2.0"), lab("egfr", "90")


def observed(loinc: str | None, words: str, **value: Any) -> Json:
    """A statement of pregnancy in another form than the coded status."""
    codings = [(LOINC, loinc)] if loinc else []
    return {**lab("pregnant"), "code": concept(words, *codings), **value}


def vein(name: str, **more: Any) -> Json:
    return med(name, status="draft", **more)


MAGNESIUM = [
    V(f"in kidney injury {name} is a treatment: adjusted, not removed",
      [AKI], "magnesium-ordered-renal-impairment:warning", says="half the dose", not_offered="remove", drafts=[vein(name)])
    for name in (
        "mag sulfate 2 g", "Mag sulf 2g/50mL premix", "Magnesium 2 g IV rider", "magnesium gluconate IV",
        "Mg sulphate 20 mmol in 100 ml", "Magnesiumsulfat 50% Injektionslösung", "Cormagnesin", "Mg2+ infusion",
        "Sulfato de magnesio 1,5 g ampolla", "MgSO4 2 g/50 mL",
    )
] + [
    V(f"on dialysis {name} accumulates",
      [DIALYSIS, statement(name)], "magnesium-in-renal-impairment:critical")
    for name in (
        "over the counter magnesium supplement", "magnesium (unknown dose)", "Doppelherz Magnesium 400",
        "Biolectra Magnesium", "MOM 30 mL PO PRN", "Magné B6", "Magnerot", "Citramag", "Asilone", "Altacite Plus",
    )
]  # fmt: skip

KIDNEYS = [
    V(f"baclofen is ordered with {words}",
      [cond(words)], "baclofen-ordered-renal-impairment:critical", drafts=[BACLOFEN])
    for words in (
        "Renal failure, end-stage", "On CVVH", "CKD stage 4T", "CKD stage 3b/4", "HD MWF", "Uraemia", "Anuria",
        "Niereninsuffizienz Stadium 4", "Insuffisance rénale terminale", "Dialysepflicht",
    )
]  # fmt: skip

RHYTHM = [
    V(f"potassium 2.9 on {name}",
      [lab("k", "2.9"), MG, GFR, med(name)], "low-potassium:critical", offers="ecg")
    for name in ("Aricept 10 mg", "Zithromax Z-Pak 250 mg", "Geodon", "flecainide", "terlipressin", "Lanoxicaps", "Lanitop")
]  # fmt: skip

POTASSIUM = [
    V(f"potassium 5.6 on {name}",
      [lab("k", "5.6"), GFR, med(name)], "high-potassium:warning")
    for name in ("Moduret 25", "Dytac", "Spiractin", "Nurofen", "Voltarol 50 mg", "Morton Lite Salt", "Effercitrate", "K+10")
]  # fmt: skip

REASONS = [
    V(f"magnesium by vein for {reason}: the loading dose stays",
      [CKD4], "magnesium-ordered-renal-impairment:warning", says="loading dose unchanged", not_offered="remove",
      drafts=[vein("magnesium sulfate 4 g IV", **because(reason))])
    for reason in (
        "Severe range blood pressures", "Gestational hypertension with severe features", "Preterm labour", "PET",
        "Long QT with torsade", "Digoxin toxicity", "COPD exacerbation", "Bronchospasm",
    )
]  # fmt: skip

LEGS = [
    V("thrombophlebitis of deep vessels is a thrombosis",
      [CRAMPS, cond("Phlebitis and thrombophlebitis of deep vessels of lower extremity"), K, MG], "dvt-mimic:warning"),
    V("a bypass in the leg is arterial disease",
      [CRAMPS, cond("s/p fem-pop bypass"), K, MG], "claudication-mimic"),
    V("a threatened limb is arterial disease",
      [CRAMPS, cond("Chronic limb-threatening ischaemia"), K, MG], "claudication-mimic"),
    V("Wadenkrämpfe are cramps", [cond("Wadenkrämpfe"), K, MG], "first-line-measures"),
    V("crampes nocturnes are cramps", [cond("Crampes nocturnes"), K, MG], "first-line-measures"),
    V("Leberzirrhose is cirrhosis", [CRAMPS, cond("Leberzirrhose Child B"), K, MG, GFR], "cirrhosis-cramps"),
    *(
        V(f"an MRI of the spine with {words}: something calls for it",
          [CRAMPS, cond(words)], "-extensive-workup-ordered", drafts=[service("MRI lumbar spine", status="draft")])
        for words in ("Cauda equina syndrome", "Spinal cord compression", "Guillain-Barré syndrome", "MND", "Numbness of both feet")
    ),
    *(
        V(f"{order} looks for a thrombosis",
          [CRAMPS], "-extensive-workup-ordered", drafts=[service(order, status="draft")])
        for order in ("US venous duplex lower extremity left", "Doppler venous leg left", "Compression ultrasound leg", "CT venogram leg")
    ),
]  # fmt: skip

PREGNANCIES = [
    V(f"magnesium 1.4 and {what}: nothing is drafted",
      [lab("mg", "1.4"), GFR, K, observation], "low-magnesium:warning", not_offered="magnesium oxide", age=30)
    for what, observation in (
        ("a positive urine test", observed("2106-3", "hCG urine", valueCodeableConcept={"text": "Positive"})),
        ("a positive serum test", observed("2118-8", "hCG", valueCodeableConcept={"text": "Detected"})),
        ("a test without a code", observed(None, "Pregnancy test, urine", valueString="Positive")),
        ("a due date", observed("11778-8", "EDD", valueDateTime="2027-03-01")),
    )
] + [
    V("magnesium 1.4 and a negative test: magnesium oxide is drafted",
      [lab("mg", "1.4"), GFR, K, observed("2106-3", "hCG urine", valueCodeableConcept={"text": "Negative"})],
      "low-magnesium:warning", offers="magnesium oxide", age=30),
]  # fmt: skip


@table([*MAGNESIUM, *KIDNEYS, *RHYTHM, *POTASSIUM, *REASONS, *LEGS, *PREGNANCIES])
def test_a_name_as_written_in_records_leads_to_the_card(
    program: Program, vignette: Vignette
) -> None:
    program.check(vignette)
