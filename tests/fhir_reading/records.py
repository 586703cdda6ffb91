"""Records for tests of reading: FHIR resources as plain JSON, and a reader of the real lists."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache

from cds_service.core.facts import Kind, Problem, Result, State
from cds_service.core.series import Newest, Worse
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.read.reading import Context, Reader, Reading, Vocabularies
from hooks.knowledge import vocabulary as lists
from hooks.knowledge.files import analytes

AS_OF = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ME = "p1"
CONTEXT = Context(ME)
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
POTASSIUM, MAGNESIUM, EGFR, HEMOGLOBIN = "2823-3", "19123-9", "98979-8", "718-7"


@cache
def reader() -> Reader:
    """The reader the service would make."""
    known = Vocabularies(
        conditions=lists.CONDITIONS,
        medications=lists.MEDICATIONS,
        observations=lists.OBSERVATIONS,
        orders=lists.ORDERS,
        allergies=lists.ALLERGIES,
    )
    return Reader(known, analytes())


def bundle(*resources: object, **more: object) -> dict[str, object]:
    """A search Bundle."""
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries} | more


def delivery(kind: Kind, *pages: object, state: State = State.GIVEN) -> Delivery:
    """Pages of JSON (bytes are taken as they are) as they arrive by prefetch."""
    raw = tuple(one if isinstance(one, bytes) else json.dumps(one).encode() for one in pages)
    return Delivery(kind, state, raw, f"prefetch.{kind.name.lower()}")


def read(pages: dict[Kind, object], context: Context = CONTEXT, as_of: datetime = AS_OF) -> Reading:
    """Read one page for each kind."""
    deliveries = {kind: delivery(kind, page) for kind, page in pages.items()}
    return reader().read(deliveries, context, as_of)


def concept(code: str, system: str = LOINC, words: str = "") -> dict[str, object]:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]} | ({"text": words} if words else {})


def lab(loinc: str = POTASSIUM, value: object = 4.1, unit: str = "mmol/L", **more: object) -> dict:
    """A final laboratory result; ``more`` replaces or (with None) removes members."""
    made: dict[str, object] = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": concept(loinc),
        "subject": {"reference": f"Patient/{ME}"},
        "effectiveDateTime": "2026-03-09T08:00:00Z",
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
    }
    return _with(made, more)


def condition(**more: object) -> dict:
    """An active, confirmed problem."""
    made: dict[str, object] = {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": concept("19943007", SNOMED, "Cirrhosis of liver"),
        "subject": {"reference": f"Patient/{ME}"},
    }
    return _with(made, more)


def medication(name: str = "Quinine Sulfate 324 MG Oral Capsule", **more: object) -> dict:
    """An active medication request, known by its text."""
    made: dict[str, object] = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": name},
        "subject": {"reference": f"Patient/{ME}"},
        "authoredOn": "2026-01-05",
    }
    return _with(made, more)


def _with(made: dict[str, object], more: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in (made | more).items() if value is not None}


def newest(reading: Reading, analyte: str = "potassium", worse: Worse = Worse.LOW) -> Newest:
    """The newest of one analyte; fails where there is no series."""
    return reading.series[analyte].newest(worse)


def results(*resources: object, as_of: datetime = AS_OF) -> Reading:
    """Read one page of results."""
    return read({Kind.RESULTS: bundle(*resources)}, as_of=as_of)


def raw_results(page: bytes) -> Reading:
    """Read one page of results, its bytes as they are."""
    return reader().read({Kind.RESULTS: delivery(Kind.RESULTS, page)}, CONTEXT, AS_OF)


def result(*resources: object, analyte: str = "potassium") -> Result:
    """The newest usable result; fails where there is none."""
    found = newest(results(*resources), analyte).result
    assert found is not None
    return found


def problem(*resources: object, analyte: str = "potassium") -> Problem:
    """The one reason why there is no usable result."""
    found = newest(results(*resources), analyte)
    assert found.result is None and found.preliminary is None
    assert len(found.unusable) == 1
    return found.unusable[0]


def kinds(reading: Reading) -> list[tuple[str, str]]:
    """The problems of a record: what kind, and about which resource or place."""
    return [(one.kind, one.source.reference) for one in reading.record.problems]
