"""The one builder of FHIR R4 JSON: resources, Bundles and hook requests as plain dictionaries.

    lab("2823-3", 3.1, "mmol/L", "2026-11-20", id="k1")
    prescription("Quinine 324 MG Oral Capsule", (RXNORM, "852913"))
    searchset(lab("2823-3", 3.1))

Every function makes a valid resource of patient ``of``; ``more`` replaces or adds elements, and
leaves one out if it is None. A number given as text is written to the JSON as it is spelled
(`spelled`), so that 4.10 stays 4.10. A test that needs a broken resource breaks it itself.
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
    displays = {"display": display} if display else {}
    coding = [{"system": system, "code": code, **displays} for system, code in codings]
    return ({"text": text} if text else {}) | ({"coding": coding} if coding else {})


def number(value: float | str) -> float | str:
    """A number as it is, or a text that `spelled` turns into the number it spells."""
    return f"@@{value}@@" if isinstance(value, str) else value


def quantity(value: float | str | None, unit: str | None, comparator: str | None = None) -> Json:
    """A Quantity in UCUM; without a unit if there is none."""
    result: Json = {} if value is None else {"value": number(value)}
    if comparator:
        result["comparator"] = comparator
    if unit is not None:
        result |= {"unit": unit, "system": UCUM, "code": unit}
    return result


def resource(kind: str, /, **elements: Any) -> Json:
    """A resource of any type, of these elements alone; None leaves one out."""
    merged = {"resourceType": kind, **elements}
    return {name: value for name, value in merged.items() if value is not None}


def subject(of: str = "p1") -> Json:
    """A reference to the patient."""
    return {"reference": f"Patient/{of}"}


def patient(of: str = "p1", /, born: str | None = "1950-03-01", **more: Any) -> Json:
    """A woman, unless ``gender`` says otherwise."""
    return resource("Patient", **{"id": of, "gender": "female", "birthDate": born} | more)


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
    elements: Json = {
        "id": "o1",
        "status": "final",
        "code": concept(None, (LOINC, loinc)),
        "subject": subject(of),
        "effectiveDateTime": when,
    }
    if value is not None:
        elements["valueQuantity"] = quantity(value, unit, comparator)
    return resource("Observation", **elements | more)


def condition(
    text: str | None = None,
    *codings: Coding,
    status: str | None = "active",
    verification: str | None = "confirmed",
    of: str = "p1",
    **more: Any,
) -> Json:
    """A confirmed problem; None for a status leaves it out."""
    elements: Json = {
        "id": "c1",
        "clinicalStatus": status and concept(None, (f"{HL7}/condition-clinical", status)),
        "verificationStatus": verification
        and concept(None, (f"{HL7}/condition-ver-status", verification)),
        "code": concept(text, *codings),
        "subject": subject(of),
    }
    return resource("Condition", **elements | more)


def prescription(text: str | None, *codings: Coding, of: str = "p1", **more: Any) -> Json:
    """An active MedicationRequest; a draft with ``status="draft"``."""
    elements: Json = {
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(text, *codings) or None,
        "subject": subject(of),
        "authoredOn": "2026-01-05",
    }
    return resource("MedicationRequest", **elements | more)


def product(text: str, name: str = "m", **more: Any) -> Json:
    """A Medication, to which a prescription or statement can refer."""
    return resource("Medication", **{"id": name, "code": concept(text)} | more)


def statement(text: str | None, *codings: Coding, of: str = "p1", **more: Any) -> Json:
    """A medication that the patient reports taking."""
    elements: Json = {
        "id": "s1",
        "status": "active",
        "medicationCodeableConcept": concept(text, *codings),
        "subject": subject(of),
    }
    return resource("MedicationStatement", **elements | more)


def order(text: str | None, *codings: Coding, of: str = "p1", **more: Any) -> Json:
    """An active ServiceRequest."""
    elements: Json = {
        "id": "r1",
        "status": "active",
        "intent": "order",
        "code": concept(text, *codings),
        "subject": subject(of),
        "authoredOn": "2026-01-05",
    }
    return resource("ServiceRequest", **elements | more)


def allergy(
    text: str,
    *,
    status: str = "active",
    verification: str = "confirmed",
    of: str = "p1",
    **more: Any,
) -> Json:
    """An AllergyIntolerance."""
    elements: Json = {
        "id": "a1",
        "clinicalStatus": concept(None, (f"{HL7}/allergyintolerance-clinical", status)),
        "verificationStatus": concept(
            None, (f"{HL7}/allergyintolerance-verification", verification)
        ),
        "code": concept(text),
        "patient": subject(of),
    }
    return resource("AllergyIntolerance", **elements | more)


def report(*contained: Json, of: str = "p1", **more: Any) -> Json:
    """A final DiagnosticReport, with the resources that it contains."""
    elements: Json = {
        "id": "d1",
        "status": "final",
        "code": concept("Laboratory report"),
        "subject": subject(of),
        "effectiveDateTime": "2026-03-09T08:00:00Z",
        "contained": [*contained] or None,
    }
    return resource("DiagnosticReport", **elements | more)


def specimen(text: str | None = None, name: str = "s1", **more: Any) -> Json:
    """A Specimen, to which a result can refer."""
    return resource("Specimen", **{"id": name, "type": concept(text) or None} | more)


def outcome(severity: str = "error", code: str = "processing", **more: Any) -> Json:
    """An OperationOutcome of one issue; ``more`` of that issue."""
    issue = {"severity": severity, "code": code, **more}
    return resource("OperationOutcome", issue=[issue])


def encounter(
    name: str = "e1", start: str = "2026-03-10T09:00:00Z", *, of: str = "p1", **more: Any
) -> Json:
    """A finished ambulatory encounter, within one day."""
    elements: Json = {
        "id": name,
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": subject(of),
        "period": {"start": start, "end": start[:11] + "23:00:00Z"},
        "participant": [{"individual": {"reference": "Practitioner/d1"}}],
    }
    return resource("Encounter", **elements | more)


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
    result: Json = {}
    if amount is not None and high:
        limits = {"low": amount, "high": high}
        range_ = {end: {"value": number(n), "unit": unit} for end, n in limits.items()}
        result["doseAndRate"] = [{"doseRange": range_}]
    elif amount is not None:
        result["doseAndRate"] = [{"doseQuantity": {"value": number(amount), "unit": unit}}]
    if code:
        result["timing"] = {"code": concept(None, (f"{HL7}/v3-GTSAbbreviation", code))}
    elif times_a_day:
        result["timing"] = {"repeat": {"frequency": times_a_day, "period": 1, "periodUnit": "d"}}
    if most:
        result["maxDosePerPeriod"] = {
            "numerator": {"value": number(most[0]), "unit": most[1]},
            "denominator": {"value": 1, "unit": "day", "code": "d"},
        }
    return result | more


def bundle(kind: str, *resources: Any, **more: Any) -> Json:
    """A Bundle of this type, whatever its entries hold."""
    elements = {"type": kind, "entry": [{"resource": each} for each in resources]}
    return resource("Bundle", **elements | more)


def searchset(*resources: Any, **more: Any) -> Json:
    """A searchset Bundle."""
    return bundle("searchset", *resources, **more)


def collection(*resources: Any, **more: Any) -> Json:
    """A collection Bundle."""
    return bundle("collection", *resources, **more)


def prefetched(person: Mapping[str, Any], *resources: Json) -> Json:
    """Every prefetch key that discovery requests, filled with the resources that belong there."""
    keys = {
        "results": "Observation",
        "conditions": "Condition",
        "medicationRequests": "MedicationRequest",
        "medicationStatements": "MedicationStatement",
        "allergies": "AllergyIntolerance",
        "orders": "ServiceRequest",
    }
    return {"patient": dict(person)} | {
        key: searchset(*(each for each in resources if each["resourceType"] == kind))
        for key, kind in keys.items()
    }


def drafted(*drafts: Json, selected: list[int] | None = None) -> Json:
    """The context of an order hook: the drafts, and which of them (None: all) are selected."""
    indices = range(len(drafts)) if selected is None else selected
    return {
        "selections": [f"{drafts[n]['resourceType']}/{drafts[n]['id']}" for n in indices],
        "draftOrders": collection(*drafts),
    }


def call(
    hook: str, prefetch: Json | None, *, of: str = "p1", context: Json | None = None, **more: Any
) -> Json:
    """A hook request of one patient."""
    request = {
        "hook": hook,
        "hookInstance": "6f2c3a54-7a1e-4d7b-9a3c-5f1f0f6f0a01",
        "context": {"userId": "Practitioner/7", "patientId": of, **(context or {})},
        "prefetch": prefetch,
    }
    return {name: value for name, value in (request | more).items() if value is not None}


def spelled(value: Any) -> bytes:
    """As JSON, with the numbers that were given as text."""
    return re.sub(r'"@@([^"@]*)@@"', r"\1", json.dumps(value)).encode()
