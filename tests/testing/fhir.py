"""The one builder of FHIR R4 JSON: resources, Bundles and hook requests as plain dictionaries.

    lab("2823-3", 3.1, "mmol/L", "2026-11-20", id="k1")
    prescription("Quinine 324 MG Oral Capsule", (RXNORM, "852913"))
    searchset(lab("2823-3", 3.1))

Every function makes a sound resource of patient ``of``; ``more`` replaces or adds elements, and
with None leaves one out. A number given as text is written to the JSON as it is spelled
(`spelled`), so that 4.10 stays 4.10. What a test means to be broken, it breaks itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
Coding = tuple[str, str]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem"


def concept(text: str | None = None, *codings: Coding, display: str | None = None) -> Json:
    """A CodeableConcept of a text and (system, code) pairs."""
    shown = {"display": display} if display else {}
    coding = [{"system": system, "code": code, **shown} for system, code in codings]
    return ({"text": text} if text else {}) | ({"coding": coding} if coding else {})


def number(value: float | str) -> float | str:
    """A number as it is, or a text that `spelled` turns into the number it spells."""
    return f"@@{value}@@" if isinstance(value, str) else value


def quantity(value: float | str | None, unit: str | None, comparator: str | None = None) -> Json:
    """A Quantity in UCUM; without a unit if there is none."""
    made: Json = {} if value is None else {"value": number(value)}
    if comparator:
        made["comparator"] = comparator
    if unit is not None:
        made |= {"unit": unit, "system": UCUM, "code": unit}
    return made


def resource(kind: str, made: Mapping[str, Any], more: Mapping[str, Any]) -> Json:
    """Any resource: ``made``, with ``more`` in its place; None leaves an element out."""
    elements = {"resourceType": kind, **made, **more}
    return {name: value for name, value in elements.items() if value is not None}


def subject(of: str = "p1") -> Json:
    """A reference to the patient."""
    return {"reference": f"Patient/{of}"}


def patient(of: str = "p1", /, born: str | None = "1950-03-01", **more: Any) -> Json:
    """A woman, unless ``gender`` says otherwise."""
    return resource("Patient", {"id": of, "gender": "female", "birthDate": born}, more)


def lab(
    loinc: str,
    value: float | str | None = 4.1,
    unit: str | None = "mmol/L",
    when: str = "2026-03-09T08:00:00Z",
    *,
    comparator: str | None = None,
    of: str = "p1",
    **more: Any,
) -> Json:
    """A final laboratory result; ``value`` None: without a value."""
    made: Json = {
        "id": "o1",
        "status": "final",
        "code": concept(None, (LOINC, loinc)),
        "subject": subject(of),
        "effectiveDateTime": when,
    }
    if value is not None:
        made["valueQuantity"] = quantity(value, unit, comparator)
    return resource("Observation", made, more)


def condition(
    text: str | None = None,
    *codings: Coding,
    status: str | None = "active",
    verification: str | None = "confirmed",
    of: str = "p1",
    **more: Any,
) -> Json:
    """A confirmed problem; None for a status leaves it out."""
    made: Json = {
        "id": "c1",
        "clinicalStatus": status and concept(None, (f"{HL7}/condition-clinical", status)),
        "verificationStatus": verification
        and concept(None, (f"{HL7}/condition-ver-status", verification)),
        "code": concept(text, *codings),
        "subject": subject(of),
    }
    return resource("Condition", made, more)


def prescription(text: str | None, *codings: Coding, of: str = "p1", **more: Any) -> Json:
    """An active MedicationRequest; a draft with ``status="draft"``."""
    made: Json = {
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(text, *codings) or None,
        "subject": subject(of),
        "authoredOn": "2026-01-05",
    }
    return resource("MedicationRequest", made, more)


def statement(text: str | None, *codings: Coding, of: str = "p1", **more: Any) -> Json:
    """A medication that the patient reports taking."""
    made: Json = {
        "id": "s1",
        "status": "active",
        "medicationCodeableConcept": concept(text, *codings),
        "subject": subject(of),
    }
    return resource("MedicationStatement", made, more)


def order(text: str | None, *codings: Coding, of: str = "p1", **more: Any) -> Json:
    """An active ServiceRequest."""
    made: Json = {
        "id": "r1",
        "status": "active",
        "intent": "order",
        "code": concept(text, *codings),
        "subject": subject(of),
        "authoredOn": "2026-01-05",
    }
    return resource("ServiceRequest", made, more)


def allergy(
    text: str,
    *,
    status: str = "active",
    verification: str = "confirmed",
    of: str = "p1",
    **more: Any,
) -> Json:
    """An AllergyIntolerance."""
    made: Json = {
        "id": "a1",
        "clinicalStatus": concept(None, (f"{HL7}/allergyintolerance-clinical", status)),
        "verificationStatus": concept(
            None, (f"{HL7}/allergyintolerance-verification", verification)
        ),
        "code": concept(text),
        "patient": subject(of),
    }
    return resource("AllergyIntolerance", made, more)


def encounter(
    name: str = "e1", start: str = "2026-03-10T09:00:00Z", *, of: str = "p1", **more: Any
) -> Json:
    """A finished ambulatory encounter of one day."""
    made: Json = {
        "id": name,
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": subject(of),
        "period": {"start": start, "end": start[:11] + "23:00:00Z"},
        "participant": [{"individual": {"reference": "Practitioner/d1"}}],
    }
    return resource("Encounter", made, more)


def dosage(
    amount: float | str | None = None,
    unit: str = "tablet",
    times_a_day: int | None = 1,
    *,
    high: str | None = None,
    code: str | None = None,
    most: tuple[str, str] | None = None,
    **more: Any,
) -> Json:
    """A Dosage: a number of units, a number of times a day.

    ``high``: the upper end of a range; ``code``: a timing code (BID) for the times a day;
    ``most``: the most units in a day.
    """
    made: Json = {}
    if amount is not None and high:
        ends = {"low": amount, "high": high}
        made["doseAndRate"] = [
            {"doseRange": {end: {"value": number(one), "unit": unit} for end, one in ends.items()}}
        ]
    elif amount is not None:
        made["doseAndRate"] = [{"doseQuantity": {"value": number(amount), "unit": unit}}]
    if code:
        made["timing"] = {"code": concept(None, (f"{HL7}/v3-GTSAbbreviation", code))}
    elif times_a_day:
        made["timing"] = {"repeat": {"frequency": times_a_day, "period": 1, "periodUnit": "d"}}
    if most:
        made["maxDosePerPeriod"] = {
            "numerator": {"value": number(most[0]), "unit": most[1]},
            "denominator": {"value": 1, "unit": "day", "code": "d"},
        }
    return made | more


def bundle(kind: str, *resources: Any, **more: Any) -> Json:
    """A Bundle of this type, whatever its entries hold."""
    made = {"type": kind, "entry": [{"resource": one} for one in resources]}
    return resource("Bundle", made, more)


def searchset(*resources: Any, **more: Any) -> Json:
    """A searchset Bundle."""
    return bundle("searchset", *resources, **more)


def collection(*resources: Any, **more: Any) -> Json:
    """A collection Bundle."""
    return bundle("collection", *resources, **more)


def prefetched(person: Mapping[str, Any], *resources: Json) -> Json:
    """Every prefetch key that discovery asks for, filled with those of the resources it is for."""
    keys = {
        "results": "Observation",
        "conditions": "Condition",
        "medicationRequests": "MedicationRequest",
        "medicationStatements": "MedicationStatement",
        "allergies": "AllergyIntolerance",
        "orders": "ServiceRequest",
    }
    return {"patient": dict(person)} | {
        key: searchset(*(one for one in resources if one["resourceType"] == kind))
        for key, kind in keys.items()
    }


def drafted(*drafts: Json, selected: list[int] | None = None) -> Json:
    """The context of an order hook: the drafts, and which of them (None: all) are selected."""
    chosen = range(len(drafts)) if selected is None else selected
    return {
        "selections": [f"{drafts[at]['resourceType']}/{drafts[at]['id']}" for at in chosen],
        "draftOrders": collection(*drafts),
    }


def call(
    hook: str, prefetch: Json | None, *, of: str = "p1", context: Json | None = None, **more: Any
) -> Json:
    """A hook request of one patient."""
    made = {
        "hook": hook,
        "hookInstance": "6f2c3a54-7a1e-4d7b-9a3c-5f1f0f6f0a01",
        "context": {"userId": "Practitioner/7", "patientId": of, **(context or {})},
        "prefetch": prefetch,
    }
    return {name: value for name, value in (made | more).items() if value is not None}


def spelled(value: Any) -> bytes:
    """As JSON, with the numbers that were given as text."""
    return re.sub(r'"@@([^"@]*)@@"', r"\1", json.dumps(value)).encode()
