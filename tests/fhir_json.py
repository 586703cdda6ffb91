"""Builders of FHIR R4 JSON, for tests that enter where a client enters.

    chart = Chart(born="1956-03-02").result("magnesium", "1.3 mg/dL", "2026-11-20")
    chart.has("Nocturnal leg cramps").takes("Quinine 325 MG Oral Capsule", "198186")
    client.post(VIEW, json=chart.view())

A chart is everything on file about one patient; `view` and `select` are the calls that a
client would make for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

Resource = dict[str, Any]

LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"

VIEW = "/cds-services/leg-cramps-patient-view"
SELECT = "/cds-services/leg-cramps-order-select"
INSTANCE = "6f2c3a54-7a1e-4d7b-9a3c-5f1f0f6f0a01"
USER = "Practitioner/example-clinician"

ANALYTES = {
    "magnesium": ("19123-9", "Magnesium [Mass/volume] in Serum or Plasma"),
    "magnesium moles": ("2601-3", "Magnesium [Moles/volume] in Serum or Plasma"),
    "potassium": ("2823-3", "Potassium [Moles/volume] in Serum or Plasma"),
    "sodium": ("2951-2", "Sodium [Moles/volume] in Serum or Plasma"),
    "creatinine": ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"),
    "egfr": (
        "98979-8",
        "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or "
        "Blood by Creatinine-based formula (CKD-EPI 2021)",
    ),
    "ferritin": ("2276-4", "Ferritin [Mass/volume] in Serum or Plasma"),
    "transferrin_saturation": ("2502-3", "Iron saturation [Mass Fraction] in Serum or Plasma"),
    "hemoglobin": ("718-7", "Hemoglobin [Mass/volume] in Blood"),
    "platelets": ("777-3", "Platelets [#/volume] in Blood by Automated count"),
    "hba1c": ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
}
"""LOINC code and display by analyte."""

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def concept(text: str, code: str = "", system: str = "") -> Resource:
    """A CodeableConcept; only a text where no code is given."""
    made: Resource = {"text": text}
    if code:
        made["coding"] = [{"system": system, "code": code, "display": text}]
    return made


def searchset(*resources: Mapping[str, Any]) -> Resource:
    """A searchset Bundle."""
    made: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    if resources:
        made["entry"] = [{"resource": dict(one)} for one in resources]
    return made


class Chart:
    """One patient's resources under construction; every method returns the same chart.

    ``born`` None leaves out the birth date. ``more`` replaces or adds elements.
    """

    def __init__(
        self, patient: str = "example", born: str | None = "1966-03-02", sex: str = "female"
    ) -> None:
        self.patient: Resource = {"resourceType": "Patient", "id": patient, "gender": sex}
        if born:
            self.patient["birthDate"] = born
        self.subject = {"reference": f"Patient/{patient}"}
        self.resources: list[Resource] = []
        self.drafts: list[Resource] = []

    def _add(self, kind: str, name: str, fields: Resource, more: Resource) -> Chart:
        taken = {one["id"] for one in (*self.resources, *self.drafts)}
        number = next(n for n in count(1) if f"{name}-{n}" not in taken)
        made = {"resourceType": kind, "id": f"{name}-{number}", **fields, **more}
        self.resources.append({key: value for key, value in made.items() if value is not None})
        return self

    def result(self, analyte: str, text: str, when: str, **more: Any) -> Chart:
        """A final laboratory result: ``"1.3 mg/dL"``, ``"<15 mL/min/{1.73_m2}"``."""
        code, display = ANALYTES[analyte]
        number, unit = text.split(" ", 1)
        value = number.lstrip("<>=")
        quantity: Resource = {"value": float(value) if "." in value else int(value)}
        if value != number:
            quantity["comparator"] = number[: -len(value)]
        quantity |= {"unit": unit.replace("{1.73_m2}", "1.73m2"), "system": UCUM, "code": unit}
        fields = {
            "status": "final",
            "code": concept(display, code, LOINC),
            "subject": self.subject,
            "effectiveDateTime": when,
            "valueQuantity": quantity,
        }
        return self._add("Observation", analyte.replace(" ", "-").replace("_", "-"), fields, more)

    def has(
        self,
        text: str,
        code: str = "",
        system: str = SNOMED,
        *,
        status: str = "active",
        verification: str = "confirmed",
        **more: Any,
    ) -> Chart:
        """A condition on the problem list."""
        fields = {
            "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": status}]},
            "verificationStatus": {"coding": [{"system": _VERIFICATION, "code": verification}]},
            "code": concept(text, code, system),
            "subject": self.subject,
        }
        return self._add("Condition", "condition", fields, more)

    def takes(self, text: str, code: str = "", **more: Any) -> Chart:
        """An active prescription."""
        return self._add("MedicationRequest", "prescription", self._ordered(text, code), more)

    def states(self, text: str, code: str = "", **more: Any) -> Chart:
        """A medication the patient says to take."""
        fields = {
            "status": "active",
            "medicationCodeableConcept": concept(text, code, RXNORM),
            "subject": self.subject,
            "dateAsserted": "2026-10-01",
        }
        return self._add("MedicationStatement", "statement", fields, more)

    def allergic(self, text: str, **more: Any) -> Chart:
        """An active allergy."""
        system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
        fields = {
            "clinicalStatus": {"coding": [{"system": system, "code": "active"}]},
            "code": concept(text),
            "patient": self.subject,
        }
        return self._add("AllergyIntolerance", "allergy", fields, more)

    def ordered(self, text: str, code: str = "", system: str = LOINC, **more: Any) -> Chart:
        """An active order of a test."""
        fields = {
            "status": "active",
            "intent": "order",
            "code": concept(text, code, system),
            "subject": self.subject,
            "authoredOn": "2026-11-20",
        }
        return self._add("ServiceRequest", "order", fields, more)

    def drafts_drug(self, text: str, code: str = "", *, reason: str = "", **more: Any) -> Chart:
        """A drug being ordered, selected."""
        fields = self._ordered(text, code) | {"status": "draft", "authoredOn": "2026-11-23"}
        if reason:
            fields["reasonCode"] = [concept(reason)]
        self._add("MedicationRequest", "draft", fields, more)
        self.drafts.append(self.resources.pop())
        return self

    def drafts_test(
        self, text: str, code: str = "", system: str = LOINC, *, reason: str = "", **more: Any
    ) -> Chart:
        """A test or procedure being ordered, selected."""
        fields: Resource = {
            "status": "draft",
            "intent": "order",
            "code": concept(text, code, system),
            "subject": self.subject,
        }
        if reason:
            fields["reasonCode"] = [concept(reason)]
        self._add("ServiceRequest", "draft", fields, more)
        self.drafts.append(self.resources.pop())
        return self

    def _ordered(self, text: str, code: str) -> Resource:
        return {
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": concept(text, code, RXNORM),
            "subject": self.subject,
            "authoredOn": "2026-10-01",
        }

    def of(self, kind: str) -> list[Resource]:
        """What is on file of one resource type."""
        return [one for one in self.resources if one["resourceType"] == kind]

    def bundle(self) -> Resource:
        """Everything, drafts included, as one collection."""
        everything = [self.patient, *self.resources, *self.drafts]
        return {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": one} for one in everything],
        }

    def prefetch(self) -> Resource:
        """Every key that discovery asks for; `encounter` cannot be filled without an id."""
        return {
            "patient": self.patient,
            "results": searchset(*self.of("Observation")),
            "conditions": searchset(*self.of("Condition")),
            "medicationRequests": searchset(*self.of("MedicationRequest")),
            "medicationStatements": searchset(*self.of("MedicationStatement")),
            "allergies": searchset(*self.of("AllergyIntolerance")),
            "orders": searchset(*self.of("ServiceRequest")),
        }

    def view(self) -> Resource:
        """The call of patient-view with everything prefetched."""
        return self._call("patient-view", {})

    def select(self) -> Resource:
        """The call of order-select with everything prefetched and every draft selected."""
        context = {
            "selections": [f"{one['resourceType']}/{one['id']}" for one in self.drafts],
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": one} for one in self.drafts],
            },
        }
        return self._call("order-select", context)

    def _call(self, hook: str, context: Resource) -> Resource:
        return {
            "hook": hook,
            "hookInstance": INSTANCE,
            "context": {"userId": USER, "patientId": self.patient["id"], **context},
            "prefetch": self.prefetch(),
        }


def dosage(amount: float, unit: str, times_a_day: int = 1) -> list[Resource]:
    """A dosage instruction: an amount so many times a day, by mouth."""
    return [
        {
            "timing": {"repeat": {"frequency": times_a_day, "period": 1, "periodUnit": "d"}},
            "route": concept("Oral", "26643006", SNOMED),
            "doseAndRate": [{"doseQuantity": {"value": amount, "unit": unit}}],
        }
    ]
