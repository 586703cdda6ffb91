"""Whatever JSON arrives, reading never raises and never yields facts about another patient."""

from __future__ import annotations

import copy
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cds_service.core.facts import Kind, Problem, Result, State
from cds_service.core.series import Worse
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.read.reading import Reading
from cds_service.fhir.values.dosage import read_dosages
from cds_service.fhir.values.strengths import ingredients_of
from tests.fhir_reading.records import (
    CALL,
    calling,
    condition,
    lab,
    medication,
    reader,
)
from tests.testing.fhir import searchset
from tests.testing.thorough import examples

NAMES = [
    "resourceType", "id", "entry", "resource", "fullUrl", "status", "code", "coding", "system",
    "text", "subject", "reference", "patient", "effectiveDateTime", "effectivePeriod", "start",
    "end", "valueQuantity", "value", "unit", "comparator", "referenceRange", "low", "high",
    "identifier", "meta", "lastUpdated", "versionId", "medicationCodeableConcept", "contained",
    "medicationReference", "medication", "concept", "dosageInstruction", "doseAndRate",
    "doseQuantity", "timing", "repeat", "frequency", "period", "periodUnit", "reasonCode",
    "reasonReference", "reason", "clinicalStatus", "verificationStatus", "abatementDateTime",
    "maxDosePerPeriod", "numerator", "denominator", "ingredient", "birthDate", "issue", "severity",
    "valueCodeableConcept", "dataAbsentReason", "display", "authoredOn", "item", "product",
]  # fmt: skip
WORDS = [
    "Bundle", "Observation", "Condition", "MedicationRequest", "MedicationOrder", "Medication",
    "MedicationStatement", "Patient", "AllergyIntolerance", "ServiceRequest", "DiagnosticOrder",
    "Encounter", "OperationOutcome", "p1", "Patient/p1", "Patient/p2", "#x", "urn:uuid:1",
    "active", "final", "amended", "entered-in-error", "2026-03-01", "2026-03-01T08:00:00Z",
    "2026", "http://loinc.org", "2823-3", "82810-3", "mmol/L", "mg", "<", "1", "d",
    "Quinine 130 MG Oral Tablet", "Leg cramps", "<html>", '{"resourceType":"Bundle"}', "error",
]  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(WORDS)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=25,
)
resources = st.builds(
    lambda kind, rest: rest | {"resourceType": kind},
    st.sampled_from(WORDS[:13]),
    st.dictionaries(st.sampled_from(NAMES), anything, max_size=8),
)
pages = anything | resources | st.lists(resources, max_size=4).map(lambda items: searchset(*items))
fast = settings(
    max_examples=examples(150),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def use_everything(reading: Reading) -> None:
    """Read every candidate, and ask for every raw resource."""
    for key, series in reading.series.items():
        for worse in Worse:
            newest = series.newest(worse)
            for result in (newest.result, newest.tentative):
                if result is not None:
                    assert isinstance(result, Result) and result.analyte.key == key
                    assert result.reported
                    assert reading.resources(result.source.reference) is not None
            assert all(
                isinstance(problem, Problem) and problem.reason for problem in newest.unusable
            )
        list(series.finals())
    for fact in (*reading.record.conditions, *reading.record.medications):
        assert fact.source.reference
    for problem in reading.record.problems:
        assert problem.kind and problem.about and problem.reason
        reading.resources(problem.source.reference)


@fast
@given(st.dictionaries(st.sampled_from(list(Kind)), pages, max_size=4), pages, st.data())
def test_reading_arbitrary_json_never_raises(given_pages, drafts, data) -> None:
    selections = tuple(data.draw(st.lists(st.sampled_from([*WORDS, "x/y"]), max_size=2)))
    deliveries = {
        kind: Delivery(kind, State.GIVEN, (json.dumps(page).encode(),), "prefetch.x")
        for kind, page in given_pages.items()
    }
    call = replace(calling(drafts, *selections), encounter_id="e1")
    use_everything(reader().read(deliveries, call))


@fast
@given(st.binary(max_size=60), st.sampled_from(list(Kind)))
def test_reading_arbitrary_bytes_never_raises(raw, kind) -> None:
    deliveries = {kind: Delivery(kind, State.GIVEN, (raw, b"[" + raw + b"]"), "prefetch.x")}
    use_everything(reader().read(deliveries, CALL))


VALID = [
    lab(referenceRange=[{"low": {"value": 3.5, "unit": "mmol/L"}}], identifier=[{"value": "1"}]),
    lab("82810-3", valueQuantity=None, valueCodeableConcept={"text": "pregnant"}, id="g"),
    condition(reasonCode=[{"text": "x"}], severity={"text": "severe"}),
    medication(
        dosageInstruction=[
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
            }
        ],
        reasonReference=[{"reference": "Condition/c1"}],
    ),
]


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path of every member and element."""
    paths = [path] if path else []
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, inner in steps:
        paths += places(inner, (*path, step))
    return paths


@fast
@given(st.data())
def test_a_valid_record_changed_anywhere_never_raises_and_never_loses_the_rest(data) -> None:
    record = copy.deepcopy(VALID)
    changed = data.draw(st.integers(0, len(record) - 1))
    *above, last = data.draw(st.sampled_from(places(record[changed])))
    target = record[changed]
    for step in above:
        target = target[step]
    target[last] = data.draw(anything)
    good = lab("718-7", 14.2, "g/dL", id="good")
    page = json.dumps(searchset(*record, good)).encode()
    deliveries = {Kind.RESULTS: Delivery(Kind.RESULTS, State.GIVEN, (page,), "prefetch.results")}
    call = calling(searchset(*record))
    reading = reader().read(deliveries, call)
    use_everything(reading)
    found = reading.series["hemoglobin"].newest(Worse.LOW).result
    assert found is not None and found.source.reference == "Observation/good"


@fast
@given(st.lists(resources, max_size=4), st.sampled_from(["subject", "patient"]))
def test_nothing_of_another_patient_becomes_a_fact(theirs, name) -> None:
    other = {"reference": "Patient/p2"}
    for resource in theirs:
        resource[name] = other
        if resource["resourceType"] == "Patient":
            resource["id"] = "p2"
    theirs = [resource for resource in theirs if resource["resourceType"] != "Bundle"]
    page = json.dumps(
        searchset(*theirs, *(resource | {"subject": other} for resource in VALID))
    ).encode()
    deliveries = {kind: Delivery(kind, State.GIVEN, (page,), "prefetch.x") for kind in Kind}
    call = replace(calling(searchset(*theirs)), encounter_id="e1")
    reading = reader().read(deliveries, call)
    record = reading.record
    assert reading.series == {}
    assert not (record.conditions or record.medications or record.orders or record.allergies)
    assert not (record.drafts.medications or record.drafts.orders)
    assert not record.encounter.given
    assert (record.patient.birth, record.patient.sex) == (None, "")
    use_everything(reading)


@fast
@given(anything)
def test_any_dosage_is_read_or_says_why_not(value) -> None:
    for dosage in read_dosages(value):
        assert dosage.unread or (dosage.amount is not None and dosage.per_day is not None)


@fast
@given(
    st.text(max_size=60) | st.from_regex(r"[A-Za-z ]{1,9} [0-9.,]{1,6} ?(mg|MEQ|g)/?[0-9 mML]{0,5}")
)
def test_any_product_name_can_be_read(name) -> None:
    for ingredient in ingredients_of(name):
        assert ingredient.name and ingredient.amount is not None and ingredient.amount > 0
