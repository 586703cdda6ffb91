"""Whatever names an analyte, a condition or a drug becomes a fact or a problem.

By default a few hundred generated records; `READING_RECORDS=5000` for as many as the
figure in docs/reference/reading.md is based on.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.core.call import Call
from cds_service.core.facts import Kind
from cds_service.fhir.read.reading import Reading
from cds_service.terminology.codes import Coding
from cds_service.terminology.vocabulary import Vocabulary
from hooks.knowledge import vocabulary as lists
from hooks.knowledge.files import analytes
from tests.fhir_reading.nothing_lost import IGNORED, Json, facts_of, named, problems_of, statuses
from tests.fhir_reading.records import CALL, ME, delivery, reader
from tests.testing import fhir
from tests.testing.fhir import searchset
from tests.testing.shared_data import shared_path
from tests.testing.thorough import examples

RECORDS = int(os.environ.get("READING_RECORDS", examples(300)))
WORDS = {
    "potassium": "Potassium", "magnesium": "Magnesium, serum", "sodium": "Sodium",
    "creatinine": "Creatinine", "egfr": "eGFR", "hemoglobin": "Haemoglobin",
    "ferritin": "Ferritin", "platelets": "Platelet count", "hba1c": "HbA1c",
}  # fmt: skip
UNITS = {
    "potassium": (4.1, "mmol/L"), "magnesium": (1.9, "mg/dL"), "sodium": (140, "mmol/L"),
    "creatinine": (0.9, "mg/dL"), "egfr": (88, "mL/min/{1.73_m2}"), "hemoglobin": (13.1, "g/dL"),
    "ferritin": (88, "ng/mL"), "platelets": (210, "10*3/uL"), "hba1c": (6.1, "%"),
}  # fmt: skip
CONDITIONS = ["Cirrhosis of liver", "Nocturnal leg cramps", "End-stage renal disease on dialysis"]
DRUGS = ["Spironolactone 25 MG Oral Tablet", "Quinine sulfate 324 mg capsule", "Magnesium oxide"]
FOREIGN = ["urn:oid:1.2.3.4", "https://codes.example/local", "http://read.info/readv2", ""]
LISTED = ["http://snomed.info/sct", "http://www.ama-assn.org/go/cpt", "http://loinc.org"]


Generated = tuple[Json, str, list[Json]]
"""A resource, the concept that it names, and the product it refers to."""


@dataclass
class Record:
    """One generated record: the page, the kind it came under, and the concept it names."""

    page: object
    kind: Kind
    resource: Json
    concept: str


def codes(vocabulary: Vocabulary, concept: str) -> list[Coding]:
    return [coding for coding in vocabulary.codes(concept) if not coding.code.endswith("-")]


def coded(coding: Coding, display: bool = False) -> Json:
    fields = {"system": coding.system, "code": coding.code}
    return {"coding": [fields | ({"display": coding.display} if display else {})]}


def in_words(words: str, systems: list[str]) -> st.SearchStrategy[Json]:
    """The words as text, or as the display of a code that is on no list."""
    foreign = st.sampled_from(systems).map(
        lambda system: {"coding": [{"system": system, "code": "X4711", "display": words}]}
    )
    return st.just({"text": words}) | foreign


@st.composite
def meaning(
    draw: st.DrawFn,
    vocabulary: Vocabulary,
    concept: str,
    words: str,
    systems: list[str] = FOREIGN,
) -> Json:
    """A CodeableConcept for a concept."""
    listed = codes(vocabulary, concept)
    if listed and draw(st.booleans()):
        return coded(draw(st.sampled_from(listed)), draw(st.booleans()))
    return draw(in_words(words, systems))


ODD = st.sampled_from([None, 7, True, "x", [], {}, [7], {"value": 3}])
DATES = st.sampled_from(
    [
        {"effectiveDateTime": "2026-03-09T08:00:00Z"},
        {"effectiveDateTime": "2026-03-09"},
        {"effectivePeriod": {"start": "2026-03-01", "end": "2026-03-09"}},
        {"effectiveInstant": "2026-03-09T08:00:00Z"},
        {"effectiveDateTime": "2031-03-09"},
        {"effectiveDateTime": "2026-03"},
        {"effectiveDateTime": "yesterday"},
        {"effectiveDateTime": 20260309},
        {"issued": "2026-03-09T08:00:00Z"},
        {},
    ]
)
SUBJECTS = st.sampled_from(
    [
        {"subject": {"reference": f"Patient/{ME}"}},
        {"subject": {"reference": "Patient/somebody-else"}},
        {"subject": {"reference": "#s"}},
        {"subject": {"display": "me"}},
        {"subject": 7},
        {},
    ]
)
COUNTED = ["final", "amended", "corrected", "preliminary"]
STATUSES = st.sampled_from(
    [*sorted(IGNORED["Observation"]), *COUNTED, "unknown", "active", "", None, 7, {"text": "final"}]
)
IDS = st.sampled_from([{"id": "x1"}, {"id": 7}, {}])


PANEL: Json = {"coding": [{"system": "http://loinc.org", "code": "24326-1"}]}


@st.composite
def values(draw: st.DrawFn, analyte: str) -> Json:
    number, unit = UNITS[analyte]
    quantity = {"value": number, "unit": unit}
    return draw(
        st.sampled_from(
            [
                {"valueQuantity": quantity},
                {"valueQuantity": quantity | {"comparator": "<"}},
                {"valueQuantity": quantity | {"comparator": "about"}},
                {"valueQuantity": quantity | {"unit": "furlong"}},
                {"valueQuantity": quantity | {"value": str(number)}},
                {"valueQuantity": quantity | {"value": None}},
                {"valueQuantity": {"value": number}},
                {"valueQuantity": quantity | {"value": 10**9}},
                {"valueQuantity": [quantity]},
                {"valueString": f"{number} {unit}"},
                {"valueInteger": 4},
                {"valueCodeableConcept": {"text": "high"}},
                {"dataAbsentReason": {"text": "haemolysed"}},
                {"valueQuantity": quantity, "referenceRange": 7},
                {},
            ]
        )
    )


@st.composite
def observations(draw: st.DrawFn, places: list[str], systems: list[str]) -> Generated:
    analyte = draw(st.sampled_from(sorted(WORDS)))
    measurement = {"code": draw(meaning(lists.OBSERVATIONS, analyte, WORDS[analyte], systems))}
    measurement |= draw(values(analyte))
    observation: Json = {"resourceType": "Observation", "status": draw(STATUSES)}
    observation |= draw(DATES) | draw(SUBJECTS) | draw(IDS)
    place = draw(st.sampled_from(places))
    if place == "component":
        code = draw(st.sampled_from([PANEL, {"text": "Point of care"}, {}]))
        return observation | {"code": code, "component": [measurement]}, analyte, []
    if place == "nested":
        holder = {"code": {"text": "Electrolytes"}, "component": [measurement]}
        return observation | {"code": PANEL, "component": [holder]}, analyte, []
    if place in ("report", "conclusion"):
        report = {"resourceType": "DiagnosticReport", "status": draw(STATUSES)}
        if place == "report":
            report |= {
                "code": measurement["code"],
                "presentedForm": [{"contentType": "application/pdf"}],
            }
        else:
            report |= {"code": PANEL, "conclusion": f"{WORDS[analyte]} critically high"}
        return report | draw(DATES) | draw(SUBJECTS) | draw(IDS), analyte, []
    if place == "contained":
        contained = observation | measurement | {"id": "c1"}
        report = fhir.resource("DiagnosticReport", status="final", code=PANEL)
        report |= {"contained": [contained], "result": [{"reference": "#c1"}]}
        return report | draw(SUBJECTS) | draw(IDS), analyte, []
    return observation | measurement, analyte, []


@st.composite
def conditions(draw: st.DrawFn) -> Generated:
    words = draw(st.sampled_from(CONDITIONS))
    [concept, *_] = sorted(lists.CONDITIONS.concepts((), [words]))
    status = st.sampled_from(["active", "resolved", "recurrence", "inactive", "odd", None, 7])
    coding = status.map(lambda code: {"coding": [{"code": code}]})
    code = draw(meaning(lists.CONDITIONS, concept, words))
    condition = fhir.resource("Condition", code=code) | {
        "clinicalStatus": draw(coding | ODD),
        "verificationStatus": draw(
            st.sampled_from([None, {"coding": [{"code": "refuted"}]}, {"text": "provisional"}])
        ),
    }
    return condition | draw(SUBJECTS) | draw(IDS), concept, []


def pointers(resource: Json, words: str) -> st.SearchStrategy[Json]:
    """Resources that hold no medicine as an entry, but reference or name one."""
    elsewhere = {"reference": f"{resource['resourceType']}/not-sent"}
    pointer = st.sampled_from([elsewhere, {"reference": "#h"}, {"display": words}])
    contained = [resource | {"id": "h"}]
    drug = {"detail": {"status": "in-progress", "productCodeableConcept": {"text": words}}}
    return pointer.flatmap(
        lambda target: st.sampled_from(
            [
                fhir.resource(
                    "List", status="current", entry=[{"item": target}], contained=contained
                ),
                fhir.resource("Composition", section=[{"entry": [target]}], contained=contained),
                fhir.resource("RequestGroup", action=[{"resource": target}], contained=contained),
                fhir.resource("CarePlan", activity=[{"reference": target}], contained=contained),
                fhir.resource("CarePlan", activity=[drug]),
                fhir.resource("Parameters", parameter=[{"resource": resource}]),
            ]
        )
    )


@st.composite
def medications(draw: st.DrawFn) -> Generated:
    words = draw(st.sampled_from(DRUGS))
    [concept, *_] = sorted(lists.MEDICATIONS.concepts((), [words]))
    what = draw(meaning(lists.MEDICATIONS, concept, words))
    kind = draw(st.sampled_from(["MedicationRequest", "MedicationStatement"]))
    status = ["active", "completed", "stopped", "on-hold", "draft", "unknown", "", None, 7]
    request: Json = {"resourceType": kind, "status": draw(st.sampled_from(status))}
    product = fhir.resource("Medication", id="m", code=what)
    where = draw(st.sampled_from(["concept", "contained", "beside", "missing", "shown", "pointed"]))
    others: list[Json] = []
    if where == "pointed":
        return draw(pointers(request | {"medicationCodeableConcept": what}, words)), concept, []
    if where == "concept":
        request["medicationCodeableConcept"] = what
    elif where == "contained":
        request |= {"contained": [product], "medicationReference": {"reference": "#m"}}
    elif where == "shown":
        request["medicationReference"] = {"reference": "Medication/none", "display": words}
    elif where == "beside":
        request["medicationReference"] = {"reference": "Medication/m"}
        others = [product]
    else:  # which drug was stopped does not matter
        request |= {"status": "active", "medicationReference": {"reference": "Medication/m"}}
    return request | draw(SUBJECTS) | draw(IDS), concept, others


@st.composite
def allergies(draw: st.DrawFn) -> Generated:
    allergy: Json = {"resourceType": "AllergyIntolerance"}
    allergy |= {"code": {"text": "Quinine"}, "clinicalStatus": draw(ODD)}
    patient = st.sampled_from([{"patient": {"reference": f"Patient/{ME}"}}, {}])
    [concept, *_] = sorted(lists.ALLERGIES.concepts((), ["Quinine"]))
    return allergy | draw(IDS) | draw(patient), concept, []


@st.composite
def orders(draw: st.DrawFn) -> Generated:
    analyte = draw(st.sampled_from(["potassium", "magnesium", "creatinine"]))
    status = ["active", "completed", "revoked", "unknown", "", None, 7]
    order: Json = {"resourceType": "ServiceRequest", "status": draw(st.sampled_from(status))}
    order["code"] = draw(meaning(lists.ORDERS, analyte, WORDS[analyte]))
    return order | draw(SUBJECTS) | draw(IDS), analyte, []


ANOTHER: Mapping[Kind, Json] = {
    Kind.RESULTS: fhir.lab("2075-0", None, id="z", code=fhir.concept("Chloride")),
    Kind.CONDITIONS: fhir.condition("Asthma", id="z"),
    Kind.MEDICATIONS: fhir.prescription("Paracetamol", id="z"),
    Kind.ALLERGIES: fhir.allergy("Nuts", id="z"),
    Kind.ORDERS: fhir.order("Chest X-ray", id="z"),
}
"""What is sent with the record but names none of its concepts."""


@st.composite
def records(draw: st.DrawFn, makers: Mapping[Kind, st.SearchStrategy[Generated]]) -> Record:
    kind = draw(st.sampled_from(list(makers)))
    resource, concept, others = draw(makers[kind])
    unrelated = [fhir.resource("Practitioner", id="p"), ANOTHER[kind]]
    complete = searchset(resource, *others, *draw(st.sampled_from([[], unrelated])))
    page = draw(
        st.sampled_from(
            [
                complete,
                [resource, *others],
                json.dumps(complete),
                searchset(complete),
                {"data": complete},
                {"response": {"status": "200"}, "resource": complete},
                {"data": [complete]},
                {"entry": complete["entry"]},
                {"first": complete, "second": complete},
                complete | {"link": [{"relation": "next", "url": "?"}]},
                complete | {"link": "?", "total": 1},
                complete | {"meta": {"tag": [{"code": "SUBSETTED"}]}},
                complete
                | {
                    "entry": [
                        {"response": {"status": "500"}, **entry} for entry in complete["entry"]
                    ]
                },
                complete | {"entry": [resource, *others]},
            ]
        )
    )
    sent_as = draw(st.sampled_from([kind, kind, kind, Kind.RESULTS, Kind.CONDITIONS]))
    return Record(page, sent_as, resource, concept)


PLACES = ["itself", "itself", "component", "nested", "contained", "report", "conclusion"]
MAKERS: dict[Kind, st.SearchStrategy[Generated]] = {
    Kind.RESULTS: observations(PLACES, [*FOREIGN, *LISTED]),
    Kind.CONDITIONS: conditions(),
    Kind.MEDICATIONS: medications(),
    Kind.ALLERGIES: allergies(),
    Kind.ORDERS: orders(),
}


def taken_back(resource: Json) -> bool:
    contained = resource.get("contained") if resource["resourceType"] == "DiagnosticReport" else []
    return any(
        statuses(part) & IGNORED.get(str(part["resourceType"]), set())
        for part in (resource, *(contained if isinstance(contained, list) else []))
    )


def neither(record: Record, reading: Reading) -> bool:
    """Whether the concept that the record names became neither a fact nor a problem."""
    if any(problems_of(reading).values()):
        return False  # this is the only resource, so the problem must be about it
    if not all(availability.whole for availability in reading.record.availability.values()):
        return False
    found = set().union(*facts_of(reading).values())
    return record.concept not in found and not taken_back(record.resource)


many = settings(
    max_examples=RECORDS,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def read(record: Record) -> Reading:
    return reader().read({record.kind: delivery(record.kind, record.page)}, CALL)


@many
@given(records(MAKERS))
def test_whatever_a_record_names_becomes_a_fact_or_a_problem(record: Record) -> None:
    assert not neither(record, read(record))


def test_the_generated_records_name_what_they_should() -> None:
    """The property would prove nothing if no generated record became a fact."""
    for analyte, words in WORDS.items():
        assert analyte in lists.OBSERVATIONS.concepts((), [words])
        assert codes(lists.OBSERVATIONS, analyte)
    for words in CONDITIONS:
        assert lists.CONDITIONS.concepts((), [words])
    for words in DRUGS:
        assert lists.MEDICATIONS.concepts((), [words])
    counts: Counter[str] = Counter()

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(records(MAKERS))
    def count(record: Record) -> None:
        found = set().union(*facts_of(read(record)).values())
        counts["fact" if record.concept in found else "none"] += 1

    count()
    assert counts["fact"] > 20
    assert counts["none"] > 40


KINDS = {
    "Patient": Kind.PATIENT,
    "Observation": Kind.RESULTS,
    "DiagnosticReport": Kind.RESULTS,
    "Condition": Kind.CONDITIONS,
    "MedicationRequest": Kind.MEDICATIONS,
    "MedicationStatement": Kind.STATEMENTS,
    "Medication": Kind.MEDICATIONS,
    "AllergyIntolerance": Kind.ALLERGIES,
    "ServiceRequest": Kind.ORDERS,
}


@pytest.mark.shared
def test_nothing_of_the_synthetic_patients_is_lost() -> None:
    counts: Counter[str] = Counter()
    for path in sorted(shared_path("synthea").glob("*.json")):
        entries = json.loads(path.read_text(encoding="utf-8"))["entry"]
        resources = [entry["resource"] for entry in entries]
        [me] = [resource["id"] for resource in resources if resource["resourceType"] == "Patient"]
        pages = {
            kind: delivery(kind, searchset(entry=found))
            for kind in set(KINDS.values())
            if (
                found := [
                    entry
                    for entry in entries
                    if KINDS.get(entry["resource"]["resourceType"]) is kind
                ]
            )
        }
        reading = reader().read(pages, Call("any-service", me, datetime(2027, 1, 1, tzinfo=UTC)))
        facts, problems = facts_of(reading), problems_of(reading)
        for resource in resources:
            reference = f"{resource['resourceType']}/{resource['id']}"
            missing = named(resource, resources) - facts[reference]
            counts["named"] += len(named(resource, resources))
            counts["neither"] += 0 if problems[reference] else len(missing)
    assert counts["named"] > 700
    assert counts["neither"] == 0


def test_only_withdrawn_records_are_ignored() -> None:
    assert set(IGNORED) <= set(KINDS)
    assert set(WORDS) <= set(analytes())
    assert statuses({"status": "final"}) == {"final"}
