"""One patient's chart under construction, for tests that call like a client.

    chart = Chart(born="1956-03-02").result("magnesium", "1.3 mg/dL", "2026-11-20")
    chart.has("Nocturnal leg cramps").takes("Quinine 325 MG Oral Capsule", "198186")
    client.post(VIEW, json=chart.view())

A chart is everything on file about one patient; `view` and `select` are the calls that a
client would make for it.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.testing import fhir
from tests.testing.fhir import ICD10, LOINC, RXNORM, SNOMED, Json, concept, dosage, searchset

__all__ = ["ICD10", "concept", "dosage", "searchset"]

VIEW = "/cds-services/leg-cramps-patient-view"
SELECT = "/cds-services/leg-cramps-order-select"
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


class Chart:
    """One patient's resources under construction; every method returns the same chart.

    ``born=None`` leaves out the birth date. ``more`` replaces or adds elements.
    """

    def __init__(
        self, patient: str = "example", born: str | None = "1966-03-02", sex: str = "female"
    ) -> None:
        self.patient = fhir.patient(patient, born, gender=sex)
        self.id = patient
        self.resources: list[Json] = []
        self.drafts: list[Json] = []

    def _add(self, elements: Json, name: str, more: Json, to: list[Json] | None = None) -> Chart:
        used = {resource["id"] for resource in (*self.resources, *self.drafts)}
        number = next(n for n in count(1) if f"{name}-{n}" not in used)
        kind = elements.pop("resourceType")
        resource = fhir.resource(kind, **elements | {"id": f"{name}-{number}"} | more)
        (self.resources if to is None else to).append(resource)
        return self

    def result(self, analyte: str, text: str, when: str, **more: Any) -> Chart:
        """A final laboratory result: ``"1.3 mg/dL"``, ``"<15 mL/min/{1.73_m2}"``."""
        code, display = ANALYTES[analyte]
        number, unit = text.split(" ", 1)
        value = number.lstrip("<>=")
        lab = fhir.lab(
            code, float(value) if "." in value else int(value), unit, when, of=self.id,
            comparator=number[: -len(value)], code=concept(display, (LOINC, code), display=display),
        )  # fmt: skip
        lab["valueQuantity"]["unit"] = unit.replace("{1.73_m2}", "1.73m2")
        return self._add(lab, analyte.replace(" ", "-").replace("_", "-"), more)

    def has(
        self, text: str, code: str = "", system: str = SNOMED, *, status: str = "active",
        verification: str = "confirmed", **more: Any,
    ) -> Chart:  # fmt: skip
        """A condition on the problem list."""
        condition = fhir.condition(status=status, verification=verification, of=self.id)
        return self._add(condition | {"code": _named(text, code, system)}, "condition", more)

    def takes(self, text: str, code: str = "", **more: Any) -> Chart:
        """An active prescription."""
        return self._add(self._drug(text, code, "2026-10-01"), "prescription", more)

    def states(self, text: str, code: str = "", **more: Any) -> Chart:
        """A medication that the patient reports taking."""
        statement = fhir.statement(text, of=self.id, dateAsserted="2026-10-01")
        statement["medicationCodeableConcept"] = _named(text, code, RXNORM)
        return self._add(statement, "statement", more)

    def allergic(self, text: str, **more: Any) -> Chart:
        """An active allergy."""
        return self._add(fhir.allergy(text, of=self.id), "allergy", more)

    def ordered(self, text: str, code: str = "", system: str = LOINC, **more: Any) -> Chart:
        """An active order of a test."""
        order = fhir.order(text, of=self.id, authoredOn="2026-11-20")
        return self._add(order | {"code": _named(text, code, system)}, "order", more)

    def drafts_drug(self, text: str, code: str = "", *, reason: str = "", **more: Any) -> Chart:
        """A drug being ordered, selected."""
        draft = self._drug(text, code, "2026-11-23") | {"status": "draft"} | _because(reason)
        return self._add(draft, "draft", more, self.drafts)

    def drafts_test(
        self, text: str, code: str = "", system: str = LOINC, *, reason: str = "", **more: Any
    ) -> Chart:
        """A test or procedure being ordered, selected."""
        draft = fhir.order(text, of=self.id, authoredOn=None, status="draft") | _because(reason)
        return self._add(draft | {"code": _named(text, code, system)}, "draft", more, self.drafts)

    def _drug(self, text: str, code: str, when: str) -> Json:
        prescription = fhir.prescription(text, of=self.id, authoredOn=when)
        return prescription | {"medicationCodeableConcept": _named(text, code, RXNORM)}

    def of(self, kind: str) -> list[Json]:
        """The resources of one type."""
        return [resource for resource in self.resources if resource["resourceType"] == kind]

    def bundle(self) -> Json:
        """Everything, drafts included, as one collection."""
        return fhir.collection(self.patient, *self.resources, *self.drafts)

    def prefetch(self) -> Json:
        """Every key that discovery requests; `encounter` cannot be filled without an id."""
        return fhir.prefetched(self.patient, *self.resources)

    def view(self) -> Json:
        """The call of patient-view with everything prefetched."""
        return fhir.call("patient-view", self.prefetch(), of=self.id)

    def select(self) -> Json:
        """The call of order-select with everything prefetched and every draft selected."""
        drafts = fhir.drafted(*self.drafts)
        return fhir.call("order-select", self.prefetch(), of=self.id, context=drafts)


def _named(text: str, code: str, system: str) -> Json:
    return concept(text, *([(system, code)] if code else []), display=text)


def _because(reason: str) -> Json:
    return {"reasonCode": [concept(reason)]} if reason else {}
