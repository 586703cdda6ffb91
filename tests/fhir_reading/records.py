"""Records for tests of reading: FHIR resources as plain JSON, and a reader of the real lists."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from msgspec.structs import replace

from cds_service.core.call import Call
from cds_service.core.facts import Kind, Problem, Result, State
from cds_service.core.series import Newest, Worse
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.read.reading import Reader, Reading, Vocabularies
from hooks.knowledge import vocabulary as lists
from hooks.knowledge.files import analytes
from hooks.knowledge.observing import OBSERVING
from tests.testing import fhir
from tests.testing.fhir import LOINC, RXNORM, SNOMED, UCUM, Json, searchset

__all__ = ["LOINC", "RXNORM", "SNOMED", "UCUM"]

AS_OF = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ME = "p1"
CALL = Call("any-service", ME, AS_OF)
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
    return Reader(known, analytes(), OBSERVING)


def delivery(kind: Kind, *pages: object, state: State = State.GIVEN) -> Delivery:
    """Pages of JSON (bytes are taken as they are) as they arrive by prefetch."""
    raw = tuple(page if isinstance(page, bytes) else json.dumps(page).encode() for page in pages)
    return Delivery(kind, state, raw, f"prefetch.{kind.name.lower()}")


def calling(drafts: object = None, *selections: str) -> Call:
    """A call with these draft orders, any JSON, of which some are selected."""
    return replace(CALL, selections=selections, draft_orders=json.dumps(drafts).encode())


def signing(drafts: object) -> Call:
    """A call with these draft orders, all of which are judged."""
    return replace(calling(drafts), selections=None)


def read(pages: dict[Kind, object], call: Call = CALL) -> Reading:
    """Read one page for each kind."""
    deliveries = {kind: delivery(kind, page) for kind, page in pages.items()}
    return reader().read(deliveries, call)


def concept(code: str, system: str = LOINC, words: str = "") -> Json:
    """A CodeableConcept."""
    return fhir.concept(words, (system, code))


def lab(loinc: str = POTASSIUM, value: Any = 4.1, unit: str = "mmol/L", **more: object) -> Json:
    """A final laboratory result; ``more`` replaces or (with None) removes members."""
    return fhir.lab(loinc, value, unit, **more)


def condition(**more: object) -> Json:
    """An active, confirmed problem."""
    return fhir.condition("Cirrhosis of liver", (SNOMED, "19943007"), **more)


def medication(name: str = "Quinine Sulfate 324 MG Oral Capsule", **more: object) -> Json:
    """An active medication request, known by its text."""
    return fhir.prescription(name, **more)


def newest(reading: Reading, analyte: str = "potassium", worse: Worse = Worse.LOW) -> Newest:
    """The newest of one analyte; fails if there is no series."""
    return reading.series[analyte].newest(worse)


def results(*resources: object, as_of: datetime = AS_OF) -> Reading:
    """Read one page of results."""
    return read({Kind.RESULTS: searchset(*resources)}, replace(CALL, as_of=as_of))


def raw_results(page: bytes) -> Reading:
    """Read one page of results, its bytes as they are."""
    return reader().read({Kind.RESULTS: delivery(Kind.RESULTS, page)}, CALL)


def result(*resources: object, analyte: str = "potassium") -> Result:
    """The newest usable result; fails where there is none."""
    series = newest(results(*resources), analyte).result
    assert series is not None
    return series


def problem(*resources: object, analyte: str = "potassium") -> Problem:
    """The only reason why there is no usable result."""
    series = newest(results(*resources), analyte)
    assert series.result is None and series.tentative is None
    assert len(series.unusable) == 1
    return series.unusable[0]


def kinds(reading: Reading) -> list[tuple[str, str]]:
    """The problems of a record: what kind, and about which resource or place."""
    return [(problem.kind, problem.source.reference) for problem in reading.record.problems]
