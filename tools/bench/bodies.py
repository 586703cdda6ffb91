"""Synthetic calls: one made-up patient whose record grows with the number of results.

Each Observation weighs about 1.4 kB, as laboratory systems send them. The results are a mixed
panel of thirteen analytes that some rule reads and seven that none does, in draws spread over
years, newest first. Nobody's data are in here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

PATIENT = "bench-1"
USER = "Practitioner/bench-clinician"
DAYS_BETWEEN_DRAWS = 17
_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"

# code, name, value of a patient with cards, value of one without, unit, low, high
_PANEL = (
    ("19123-9", "Magnesium [Mass/volume] in Serum or Plasma", 1.5, 2.0, "mg/dL", 1.7, 2.4),
    ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", 3.2, 4.2, "mmol/L", 3.5, 5.1),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", 1.4, 0.8, "mg/dL", 0.6, 1.2),
    ("2951-2", "Sodium [Moles/volume] in Serum or Plasma", 139, 140, "mmol/L", 135, 145),
    ("2075-0", "Chloride [Moles/volume] in Serum or Plasma", 102, 103, "mmol/L", 98, 107),
    ("17861-6", "Calcium [Mass/volume] in Serum or Plasma", 9.2, 9.4, "mg/dL", 8.6, 10.2),
    ("1751-7", "Albumin [Mass/volume] in Serum or Plasma", 4.1, 4.2, "g/dL", 3.5, 5.0),
    ("2276-4", "Ferritin [Mass/volume] in Serum or Plasma", 22, 120, "ng/mL", 20, 250),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", 11.1, 13.9, "g/dL", 12.0, 15.5),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", 240, 245, "10*3/uL", 150, 400),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", 7, 6, "10*3/uL", 4, 11),
    ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", 97, 92, "mg/dL", 70, 99),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", 5.6, 5.3, "%", 4.0, 5.6),
    ("1742-6", "Alanine aminotransferase [Enzymatic activity/volume]", 24, 22, "U/L", 7, 35),
    ("1920-8", "Aspartate aminotransferase [Enzymatic activity/volume]", 25, 21, "U/L", 8, 33),
    ("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma", 0.7, 0.6, "mg/dL", 0.1, 1.2),
    ("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", 18, 14, "mg/dL", 7, 20),
    ("2157-6", "Creatine kinase [Enzymatic activity/volume]", 110, 95, "U/L", 30, 170),
    ("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", 2.1, 1.9, "m[IU]/L", 0.4, 4.5),
    ("2028-9", "Carbon dioxide, total [Moles/volume]", 25, 26, "mmol/L", 22, 29),
)

_CONDITIONS = {
    True: (
        ("Nocturnal leg cramps", "G47.62"),
        ("Alcoholic cirrhosis of liver without ascites", "K70.30"),
        ("Essential (primary) hypertension", "I10"),
        ("Hyperlipidemia, unspecified", "E78.5"),
        ("Chronic kidney disease, stage 3a", "N18.31"),
        ("Seasonal allergic rhinitis", "J30.2"),
    ),
    False: (
        ("Essential (primary) hypertension", "I10"),
        ("Hyperlipidemia, unspecified", "E78.5"),
        ("Seasonal allergic rhinitis", "J30.2"),
        ("Gastro-esophageal reflux disease", "K21.9"),
        ("Low back pain", "M54.50"),
        ("Migraine, unspecified", "G43.909"),
    ),
}

_MEDICATIONS = {
    True: (
        ("Quinine 325 MG Oral Capsule", "198186"),
        ("Magnesium Oxide 400 MG Oral Tablet", ""),
        ("Furosemide 40 MG Oral Tablet", "313988"),
        ("Atorvastatin 20 MG Oral Tablet", "617310"),
        ("Lisinopril 10 MG Oral Tablet", "314076"),
    ),
    False: (
        ("Lisinopril 10 MG Oral Tablet", "314076"),
        ("Atorvastatin 20 MG Oral Tablet", "617310"),
        ("Omeprazole 20 MG Delayed Release Oral Capsule", "198051"),
        ("Cetirizine 10 MG Oral Tablet", "1014678"),
        ("Acetaminophen 325 MG Oral Tablet", "313782"),
    ),
}


def patient_view(observations: int, *, cards: bool = True, now: datetime | None = None) -> bytes:
    """A ``patient-view`` call with so many results; ``cards=False``: a patient without any."""
    return _encoded(_call("patient-view", _prefetch(observations, cards, _moment(now))))


def order_select(observations: int, *, now: datetime | None = None) -> bytes:
    """An ``order-select`` call: the prefetch of `patient_view`, and five drafts just picked."""
    moment = _moment(now)
    call = _call("order-select", _prefetch(observations, True, moment))
    drafts = _drafts(moment)
    call["context"]["selections"] = [f"{one['resourceType']}/{one['id']}" for one in drafts]
    call["context"]["draftOrders"] = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in drafts],
    }
    return _encoded(call)


def without_prefetch(fhir_server: str) -> bytes:
    """A ``patient-view`` call that brings nothing but the address of a FHIR server."""
    call = _call("patient-view", {})
    del call["prefetch"]
    call["fhirServer"] = fhir_server
    return _encoded(call)


def pages(observations: int, *, now: datetime | None = None) -> dict[str, bytes]:
    """What a FHIR server holds of the patient with cards, by resource type."""
    prefetch = _prefetch(observations, True, _moment(now))
    kinds = {
        "Patient": "patient",
        "Observation": "results",
        "Condition": "conditions",
        "MedicationRequest": "medicationRequests",
        "MedicationStatement": "medicationStatements",
        "AllergyIntolerance": "allergies",
        "ServiceRequest": "orders",
    }
    return {kind: _encoded(prefetch[key]) for kind, key in kinds.items()}


def _moment(now: datetime | None) -> datetime:
    return now or datetime.now(UTC).replace(microsecond=0)


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _call(hook: str, prefetch: dict[str, Any]) -> dict[str, Any]:
    return {
        "hook": hook,
        "hookInstance": "5f1d9f5a-3a80-4c0b-9f3f-8f0a3c0e7b11",
        "context": {"userId": USER, "patientId": PATIENT},
        "prefetch": prefetch,
    }


def _prefetch(observations: int, cards: bool, now: datetime) -> dict[str, Any]:
    return {
        "patient": {
            "resourceType": "Patient",
            "id": PATIENT,
            "name": [{"use": "official", "family": "Bench", "given": ["Ada"]}],
            "gender": "female",
            "birthDate": f"{now.year - 64}-04-12",
        },
        "results": _bundle([_observation(n, cards, now) for n in range(observations)]),
        "conditions": _bundle(
            [_condition(n, *one, now) for n, one in enumerate(_CONDITIONS[cards])]
        ),
        "medicationRequests": _bundle(
            [_medication(n, *one, now) for n, one in enumerate(_MEDICATIONS[cards])]
        ),
        "medicationStatements": _bundle([]),
        "allergies": _bundle([]),
        "orders": _bundle([]),
    }


def _bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
    }
    if resources:
        bundle["entry"] = [
            {
                "fullUrl": f"https://ehr.example/fhir/{one['resourceType']}/{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in resources
        ]
    return bundle


def _observation(number: int, cards: bool, now: datetime) -> dict[str, Any]:
    draw, position = divmod(number, len(_PANEL))
    code, name, with_cards, without, unit, low, high = _PANEL[position]
    # Older values differ a little, so that no two results are the same.
    value = round((with_cards if cards else without) * (1 + 0.002 * (draw % 7)), 2)
    taken = now - timedelta(days=2 + DAYS_BETWEEN_DRAWS * draw, minutes=position)
    released = taken + timedelta(hours=2)
    return {
        "resourceType": "Observation",
        "id": f"lab-{number}",
        "meta": {
            "versionId": "1",
            "lastUpdated": released.isoformat(),
            "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"],
        },
        "identifier": [
            {"system": "https://ehr.example/laboratory/results", "value": f"R-{number:07d}"}
        ],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                        "display": "Laboratory",
                    }
                ],
                "text": "Laboratory",
            }
        ],
        "code": {"coding": [{"system": _LOINC, "code": code, "display": name}], "text": name},
        "subject": {"reference": f"Patient/{PATIENT}", "display": "Bench, Ada"},
        "encounter": {"reference": f"Encounter/draw-{draw}"},
        "effectiveDateTime": taken.isoformat(),
        "issued": released.isoformat(),
        "performer": [
            {"reference": "Organization/laboratory", "display": "Central laboratory, example"}
        ],
        "valueQuantity": {"value": value, "unit": unit, "system": _UCUM, "code": unit},
        "referenceRange": [
            {
                "low": {"value": low, "unit": unit, "system": _UCUM, "code": unit},
                "high": {"value": high, "unit": unit, "system": _UCUM, "code": unit},
                "text": f"{low} to {high} {unit}",
            }
        ],
    }


def _condition(number: int, name: str, code: str, now: datetime) -> dict[str, Any]:
    status = "http://terminology.hl7.org/CodeSystem/condition-"
    return {
        "resourceType": "Condition",
        "id": f"problem-{number}",
        "clinicalStatus": {"coding": [{"system": f"{status}clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": f"{status}ver-status", "code": "confirmed"}]},
        "code": {"coding": [{"system": _ICD, "code": code, "display": name}], "text": name},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "recordedDate": (now - timedelta(days=400 + number)).date().isoformat(),
    }


def _medication(number: int, name: str, code: str, now: datetime) -> dict[str, Any]:
    concept: dict[str, Any] = {"text": name}
    if code:
        concept["coding"] = [{"system": _RXNORM, "code": code, "display": name}]
    return {
        "resourceType": "MedicationRequest",
        "id": f"prescription-{number}",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept,
        "subject": {"reference": f"Patient/{PATIENT}"},
        "authoredOn": (now - timedelta(days=60 + number)).date().isoformat(),
        "dosageInstruction": [
            {
                "text": "1 daily",
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [
                    {"doseQuantity": {"value": 1, "unit": "tablet", "system": _UCUM, "code": "1"}}
                ],
            }
        ],
    }


def _drafts(now: datetime) -> list[dict[str, Any]]:
    drafts = [
        _medication(90, "Quinine 325 MG Oral Capsule", "198186", now),
        _medication(91, "Magnesium Oxide 400 MG Oral Tablet", "", now),
        _medication(92, "Baclofen 10 MG Oral Tablet", "197391", now),
    ]
    for number, (code, name) in enumerate(
        (
            ("19123-9", "Magnesium [Mass/volume] in Serum or Plasma"),
            ("2823-3", "Potassium [Moles/volume] in Serum or Plasma"),
        )
    ):
        drafts.append(
            {
                "resourceType": "ServiceRequest",
                "id": f"order-{number}",
                "intent": "order",
                "code": {
                    "coding": [{"system": _LOINC, "code": code, "display": name}],
                    "text": name,
                },
                "subject": {"reference": f"Patient/{PATIENT}"},
            }
        )
    return [{**one, "status": "draft", "authoredOn": now.isoformat()} for one in drafts]
