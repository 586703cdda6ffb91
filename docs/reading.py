"""docs/reference/reading.md: what is read of each FHIR element, found by experiment.

A complete sample of each resource type is read. Then each of its elements is removed, or replaced
by an invalid value, and the page says what changes. An element that changes nothing is not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any

from cds_service.core.call import Call
from cds_service.core.facts import Kind, State
from cds_service.core.series import Worse
from cds_service.fhir.intake.arrival import COMPANION_TYPES, EXPECTED
from cds_service.fhir.read.reading import Reader, Reading, Vocabularies
from cds_service.fhir.values.versions import R4_TYPES
from cds_service.sources.obtaining import read_key
from cds_service.sources.prefetch import PrefetchKey
from hooks.knowledge import vocabulary as lists
from hooks.knowledge.files import analytes

Json = dict[str, Any]
AS_OF = datetime(2026, 3, 10, 12, tzinfo=UTC)
CALL = Call("any-service", "p1", AS_OF, encounter_id="e1")
SUBJECT = {"reference": "Patient/p1"}
DOSE = [{"text": "1 tablet", "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
         "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}]  # fmt: skip
CRAMPS = [{"text": "Leg cramps"}]
QUININE = {"text": "Quinine sulfate 324 MG Oral Capsule"}

INSIDE = {
    "resourceType": "Observation", "id": "x", "status": "final", "code": {"text": "Sodium"},
    "valueQuantity": {"value": 140, "unit": "mmol/L"},
}  # fmt: skip

SAMPLES: Mapping[str, tuple[Kind, Json]] = {
    "Patient": (Kind.PATIENT, {
        "id": "p1", "birthDate": "1950-01-01", "gender": "female", "deceasedBoolean": False,
        "deceasedDateTime": None,
    }),
    "Observation": (Kind.RESULTS, {
        "id": "o1", "meta": {"lastUpdated": "2026-03-09T09:00:00Z"}, "status": "final",
        "identifier": [{"system": "urn:lab", "value": "1"}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "subject": SUBJECT, "effectiveDateTime": "2026-03-09T08:00:00Z",
        "valueQuantity": {"value": 4.1, "unit": "mmol/L"},
        "referenceRange": [{"low": {"value": 3.4}, "high": {"value": 5.1}}],
        "interpretation": [{"coding": [{"code": "HH"}]}],
    }),
    "DiagnosticReport": (Kind.RESULTS, {
        "id": "d1", "status": "final", "code": {"text": "Electrolytes"}, "subject": SUBJECT,
        "effectiveDateTime": "2026-03-09T08:00:00Z", "result": [{"reference": "#x"}],
        "contained": [INSIDE],
    }),
    "Condition": (Kind.CONDITIONS, {
        "id": "c1", "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "severity": {"coding": [{"code": "24484000"}]}, "code": {"text": "Leg cramps"},
        "subject": SUBJECT, "onsetDateTime": "2026-01-01", "recordedDate": "2026-01-02",
    }),
    "MedicationRequest": (Kind.MEDICATIONS, {
        "id": "m1", "status": "active", "intent": "order", "doNotPerform": False,
        "medicationCodeableConcept": QUININE, "subject": SUBJECT, "authoredOn": "2026-01-05",
        "reasonCode": CRAMPS, "dosageInstruction": DOSE,
    }),
    "MedicationStatement": (Kind.STATEMENTS, {
        "id": "s1", "status": "active", "medicationCodeableConcept": QUININE, "subject": SUBJECT,
        "effectiveDateTime": "2026-01-05", "dateAsserted": "2026-01-06", "reasonCode": CRAMPS,
        "dosage": DOSE,
    }),
    "AllergyIntolerance": (Kind.ALLERGIES, {
        "id": "a1", "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]}, "code": {"text": "Quinine"},
        "patient": SUBJECT, "reaction": [{"substance": {"text": "Mefloquine"}}],
    }),
    "ServiceRequest": (Kind.ORDERS, {
        "id": "r1", "status": "active", "doNotPerform": False, "code": {"text": "Magnesium"},
        "subject": SUBJECT, "authoredOn": "2026-03-01", "reasonCode": CRAMPS,
    }),
    "Encounter": (Kind.ENCOUNTER, {"id": "e1", "subject": SUBJECT, "reasonCode": CRAMPS}),
}  # fmt: skip
"""A complete resource of each type, and the kind of data it belongs to."""

NAMED = {"display": "Leg cramps"}
QUININE_INSIDE = {"resourceType": "Medication", "id": "x", "code": QUININE}
OBSERVED = {"valueQuantity": None}
NO_RESULTS = {"contained": None, "result": None}
DOCUMENT = NO_RESULTS | {"presentedForm": [{"contentType": "application/pdf"}]}
INSTEAD: Mapping[str, Mapping[str, Json]] = {
    "Patient": {"deceasedDateTime": {"deceasedBoolean": None, "deceasedDateTime": "2026-01-01"}},
    "Observation": {
        "effectivePeriod": {
            "effectiveDateTime": None, "effectivePeriod": {"end": "2026-03-09T08:00:00Z"}},
        "effectiveInstant": {
            "effectiveDateTime": None, "effectiveInstant": "2026-03-09T08:00:00Z"},
        "dataAbsentReason": OBSERVED | {"dataAbsentReason": {"text": "error"}},
        "valueCodeableConcept": OBSERVED | {"valueCodeableConcept": {"text": "high"}},
        "valueString": OBSERVED | {"valueString": "4.1 mmol/L"},
        "valueInteger": OBSERVED | {"valueInteger": 4},
        "valueBoolean": OBSERVED | {"valueBoolean": True},
        "valueRange": OBSERVED | {"valueRange": {"low": {"value": 4}}},
        "valueRatio": OBSERVED | {"valueRatio": {"numerator": {"value": 4}}},
        "valueSampledData": OBSERVED | {"valueSampledData": {"data": "4"}},
        "valueTime": OBSERVED | {"valueTime": "08:00:00"},
        "valueDateTime": OBSERVED | {"valueDateTime": "2026-03-09"},
        "valuePeriod": OBSERVED | {"valuePeriod": {"start": "2026-03-09"}},
        "component": OBSERVED | {"component": [
            {"code": {"text": "Sodium"}, "valueQuantity": {"value": 140, "unit": "mmol/L"}}]},
        "contained": {"contained": [INSIDE], "hasMember": [{"reference": "#x"}]},
        "note": {"note": [{"text": "Sample haemolysed"}]},
        "focus": {"focus": [{"reference": "Patient/p2"}]},
        "specimen": {"specimen": {"display": "Urine"}},
        "bodySite": {"bodySite": {"text": "Urine"}},
        "method": {"method": {"text": "24 h urine"}},
        "category": {"code": {"text": "Potassium"}, "category": [{"text": "Urinalysis"}]},
    },
    "DiagnosticReport": {
        "category": DOCUMENT | {"category": [{"text": "Radiology"}]},
        "code": DOCUMENT | {"code": {"text": "Potassium"}},
        "presentedForm": DOCUMENT,
        "conclusion": NO_RESULTS | {"conclusion": "Potassium critically high"},
        "conclusionCode": NO_RESULTS | {"conclusionCode": [{"text": "High potassium"}]},
        "result": NO_RESULTS | {
            "code": {"text": "Potassium"}, "result": [{"reference": "Observation/x"}]},
        "effectivePeriod": {
            "effectiveDateTime": None,
            "effectivePeriod": {"end": "2026-03-09T08:00:00Z"},
        },
    },
    "Condition": {
        "abatementDateTime": {"clinicalStatus": None, "abatementDateTime": "2026-02-01"},
        "abatementAge": {"clinicalStatus": None, "abatementAge": {"value": 60, "unit": "a"}},
        "abatementPeriod": {"clinicalStatus": None, "abatementPeriod": {"end": "2026-02-01"}},
        "abatementRange": {"clinicalStatus": None, "abatementRange": {"high": {"value": 60}}},
        "abatementString": {"clinicalStatus": None, "abatementString": "last year"},
        "onsetPeriod": {"onsetDateTime": None, "onsetPeriod": {"start": "2026-01-01"}},
        "recordedDate": {"onsetDateTime": None},
        "stage": {
            "code": {"text": "Chronic kidney disease"},
            "stage": [{"summary": {"text": "Stage 5"}}]},
    },
    "MedicationRequest": {
        "doNotPerform": {"doNotPerform": True},
        "medicationReference": {
            "medicationCodeableConcept": None, "medicationReference": {"display": "Quinine"}},
        "contained": {
            "medicationCodeableConcept": None, "medicationReference": {"reference": "#x"},
            "contained": [QUININE_INSIDE]},
        "reasonReference": {"reasonCode": None, "reasonReference": [NAMED]},
    },
    "MedicationStatement": {
        "medicationReference": {
            "medicationCodeableConcept": None, "medicationReference": {"display": "Quinine"}},
        "contained": {
            "medicationCodeableConcept": None, "medicationReference": {"reference": "#x"},
            "contained": [QUININE_INSIDE]},
        "effectiveDateTime": {"dateAsserted": None},
        "effectivePeriod": {
            "dateAsserted": None, "effectiveDateTime": None,
            "effectivePeriod": {"end": "2026-02-01"}},
        "reasonReference": {"reasonCode": None, "reasonReference": [NAMED]},
    },
    "AllergyIntolerance": {
        "code": {"reaction": None},
        "reaction": {"code": None},
        "clinicalStatus": {"clinicalStatus": {"coding": [{"code": "inactive"}]}},
        "verificationStatus": {"verificationStatus": {"coding": [{"code": "refuted"}]}},
    },
    "ServiceRequest": {
        "doNotPerform": {"doNotPerform": True},
        "reasonReference": {"reasonCode": None, "reasonReference": [NAMED]},
    },
    "Encounter": {"reasonReference": {"reasonCode": None, "reasonReference": [NAMED]}},
}  # fmt: skip
"""What is changed in the sample to try one element; None removes an element."""

SECOND_VERSION: Mapping[str, Json] = {
    "meta": {"meta": {"lastUpdated": "2026-03-08T09:00:00Z"}},
    "identifier": {"id": "o2", "status": "entered-in-error"},
}
"""What differs in a second version of the sample, if it takes two to show what is read."""

READ: Mapping[str, str] = {
    "id": "which resource it is; of two with the same id the newer counts, if `meta` tells which",
    "meta": "which of two versions is the newer",
    "identifier": "which results are versions of one another, at the same time and of one analyte",
    "Patient.id": "whether it is the patient of the call",
    "Patient.birthDate": "age; a full date only",
    "Patient.gender": "sex, for limits and equations; anything but male and female is unknown",
    "deceasedBoolean": "whether the patient has died: no rule then applies",
    "deceasedDateTime": "as deceasedBoolean",
    "status": "whether it counts",
    "Observation.code": "which analyte or panel, by listed codes, else by words; an ambiguous "
    "name, and a code of an unlisted system without words, are reported if the unit fits",
    "subject": "to whom it belongs; without one it counts as this patient's, because the search "
    "was for this patient",
    "patient": "to whom it belongs; without one it counts as this patient's",
    "effectiveDateTime": "when it was; a date without a day does not count",
    "effectivePeriod": "its end, else its start",
    "effectiveInstant": "as effectiveDateTime",
    "valueQuantity": "number, comparator, and unit (UCUM code first, then the unit's text)",
    "Observation.valueCodeableConcept": "pregnancy status or test; elsewhere it is not a value, "
    "which is reported",
    "Observation.valueString": "the result of a pregnancy test; elsewhere that it is not a number "
    "with a unit, which is reported",
    "Observation.valueDateTime": "the due date of a pregnancy; elsewhere that it is not a number "
    "with a unit, which is reported",
    "value": "that it is not a number with a unit, which is reported",
    "referenceRange": "the laboratory's own limits: of the ranges without type or of type "
    "normal, without `appliesTo` and for the patient's age, if exactly one is left",
    "specimen": "whether its name (or the type of one that was sent) is a fluid other than blood: "
    "it is then another quantity, which is reported if its code names blood; its condition is a "
    "remark on the sample",
    "bodySite": "whether it names a fluid other than blood, as `specimen`",
    "interpretation": "whether the laboratory flagged it as critical, and remarks on the sample",
    "dataAbsentReason": "that there is no value, and remarks on the sample",
    "component": "each component, as a result of the same time; one with a value and no code "
    "is reported",
    "contained": "what a reference with # refers to; results inside a report",
    "focus": "whether it is about somebody else, or a device: it is then refused and reported",
    "note": "remarks on the sample (haemolysed, clotted, contaminated, wrong tube)",
    "Observation.category": "whether it names a fluid other than blood, if the code does not name "
    "the specimen; this is reported",
    "method": "whether it names a fluid other than blood, which is reported",
    "DiagnosticReport.category": "whether it is a laboratory report: others are not reported",
    "DiagnosticReport.code": "which analyte or panel a report without results is about, which is "
    "reported unless a result of it was sent",
    "presentedForm": "that a report holds a document, which is not read and is reported",
    "conclusion": "which analytes it names, which is reported unless results of them were sent",
    "conclusionCode": "as conclusion",
    "DiagnosticReport.result": "whether the results were sent; missing ones are reported if the "
    "report's code names an analyte",
    "hasMember": "that a panel has results of its own",
    "clinicalStatus": "whether it is present now; none and no abatement: present",
    "verificationStatus": "whether it is suspected, refuted or an error",
    "severity": "whether cramps are severe",
    "Condition.code": "what it is, by listed codes and by words",
    "stage": "words that complete the name: chronic kidney disease, stage 5",
    "onsetDateTime": "the day shown",
    "onsetPeriod": "the day shown: its start",
    "recordedDate": "the day shown if there is no onset",
    "abatement": "that it is over, unless the abatement is in the future",
    "doNotPerform": "that it is not to be given or done",
    "medicationCodeableConcept": "which drug, its classes and strength, by codes and words",
    "medicationReference": "the Medication (contained, in the same Bundle, or anywhere in the "
    "call), its code, form and ingredients; else the reference's display",
    "authoredOn": "since when",
    "dateAsserted": "since when, before effective[x]",
    "reasonCode": "why it was ordered",
    "reasonReference": "why it was ordered: a Condition of the call, else the display",
    "dosageInstruction": "how much a day, by which route; free text gives a route, no number",
    "dosage": "how much a day, by which route; free text gives a route, no number",
    "AllergyIntolerance.code": "to what, by codes and words",
    "reaction": "to what: the substances of reactions",
    "ServiceRequest.code": "what is ordered, by codes and words",
    "Encounter.id": "whether it is the encounter of the call; no other is used",
}
"""What is read of an element; ``Type.element`` if it differs between types."""

NOT_READ: Mapping[str, str] = {
    "issued": "when it was reported is not when it was measured",
    "modifierExtension": "a resource with one is not used and is reported, except the Patient",
    "category": "codes say more than categories",
    "encounter": "a result counts whoever ordered it",
    "effectiveTiming": "it is not one moment: the result counts as undated, which is reported",
    "bodySite": "the words of the code name it if it matters",
    "intent": "the drug of an active proposal may be taken",
    "priority": "urgency is for the clinician to judge",
    "dispenseRequest": "what was dispensed is not what is taken",
    "evidence": "only what the Condition itself says counts",
    "note": "free text is not interpreted",
    "text": "the narrative repeats the elements; it is never parsed",
    "criticality": "any intolerance counts",
    "reason": "an element of R5; it is converted to R4's reasonCode first",
}
"""Why an element is not read, if somebody might ask."""


@dataclass(frozen=True)
class Tried:
    """The result of one reading: an image of its facts, and the reasons of its problems."""

    facts: str
    said: tuple[str, ...]


@cache
def _reader() -> Reader:
    known = Vocabularies(
        lists.CONDITIONS, lists.MEDICATIONS, lists.OBSERVATIONS, lists.ORDERS, lists.ALLERGIES
    )
    return Reader(known, analytes())


def _read(kind: Kind, page: object) -> Reading:
    key = PrefetchKey(kind.name.lower(), kind, "", "")
    return _reader().read({kind: read_key(key, _raw(page))}, CALL)


def _raw(value: object) -> Any:
    import msgspec

    return msgspec.Raw(json.dumps(value).encode())


def _bundle(*resources: object, **more: object) -> Json:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}


def _tried(kind: Kind, *resources: object) -> Tried:
    reading = _read(kind, _bundle(*resources))
    record = reading.record
    newest = [
        (key, repr(series.newest(worse)))
        for key, series in reading.series.items()
        for worse in Worse
    ]
    facts = (
        record.patient, record.conditions, record.medications, record.orders, record.allergies,
        record.encounter, record.performed, newest,
    )  # fmt: skip
    problems = [*record.problems]
    for series in reading.series.values():
        problems += series.newest(Worse.LOW).unusable
    facts = (*facts, sorted({problem.about for problem in problems}))
    return Tried(repr(facts), tuple(dict.fromkeys(problem.reason for problem in problems)))


def elements(name: str) -> list[str]:
    """The elements of a resource type of R4B, in the order of the specification."""
    module = import_module(f"fhir.resources.R4B.{name.lower()}")
    return list(getattr(module, name).elements_sequence())


@dataclass(frozen=True)
class Element:
    """One element as the trials show it: whether it is read, and what is reported without it."""

    name: str
    read: bool
    missing: tuple[str, ...] = ()
    rubbish: tuple[str, ...] = ()


@cache
def tried(name: str) -> tuple[Element, ...]:
    """Every element of a resource type."""
    return tuple(_try(name, element) for element in elements(name))


def _try(name: str, element: str) -> Element:
    kind, sample = SAMPLES[name]
    changes = INSTEAD.get(name, {}).get(element, {})
    whole = {
        key: value
        for key, value in {"resourceType": name, **sample, **changes}.items()
        if value is not None
    }
    if element not in whole:
        return Element(element, read=False)
    more: list[Json] = []
    if element in SECOND_VERSION and name == "Observation":
        more = [whole | {"valueQuantity": {"value": 3, "unit": "mmol/L"}} | SECOND_VERSION[element]]
    base = _tried(kind, whole, *more)
    without = _tried(kind, {key: value for key, value in whole.items() if key != element}, *more)
    spoilt = _tried(kind, whole | {element: 7}, *more)
    return Element(
        element,
        read=not base == without == spoilt,
        missing=tuple(reason for reason in without.said if reason not in base.said),
        rubbish=tuple(reason for reason in spoilt.said if reason not in base.said),
    )


def prose(name: str, element: str) -> str:
    """What is read of an element, in words; empty if none were written."""
    stem = next((prefix for prefix in ("abatement", "value") if element.startswith(prefix)), "")
    return READ.get(f"{name}.{element}") or READ.get(element) or READ.get(stem, "")


STATUSES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Observation": ("status", (
        "final", "amended", "corrected", "preliminary", "registered", "cancelled",
        "entered-in-error", "unknown",
    )),
    "Condition": ("clinicalStatus", (
        "active", "recurrence", "relapse", "inactive", "remission", "resolved", "unknown",
    )),
    "MedicationRequest": ("status", (
        "active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft",
        "unknown",
    )),
    "MedicationStatement": ("status", (
        "active", "intended", "completed", "entered-in-error", "stopped", "on-hold", "not-taken",
        "unknown",
    )),
    "ServiceRequest": ("status", (
        "active", "draft", "on-hold", "revoked", "completed", "entered-in-error", "unknown",
    )),
}  # fmt: skip
"""The element that says whether a resource counts, and the codes of its value set."""


def status_rows() -> Iterable[list[str]]:
    """What becomes of each status."""
    for name, (element, codes) in STATUSES.items():
        kind, sample = SAMPLES[name]
        for code in codes:
            value: object = code if element == "status" else {"coding": [{"code": code}]}
            resource = {"resourceType": name, **sample, element: value}
            reading = _read(kind, _bundle(resource))
            said = _tried(kind, resource).said
            yield [name, f"`{code}`", _outcome(reading), "; ".join(said)]


def _outcome(reading: Reading) -> str:
    record = reading.record
    for series in reading.series.values():
        found = series.newest(Worse.LOW)
        if found.result is not None:
            return "a result"
        if found.tentative is not None:
            return "a preliminary result"
    if record.conditions:
        return record.conditions[0].presence.value
    if record.medications:
        return record.medications[0].taking.value
    return "ordered" if record.orders else "not counted"


RESULT = {"resourceType": "Observation", **SAMPLES["Observation"][1]}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
HINT = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]}
NEXT = [{"relation": "next", "url": "https://ehr.example/page2"}]
SHAPES: Mapping[str, object] = {
    "a Bundle": _bundle(RESULT),
    "a Bundle without entries": {"resourceType": "Bundle", "type": "searchset"},
    "`null`": None,
    "a single resource": RESULT,
    "a list of resources": [RESULT],
    "an empty list": [],
    "a Bundle, or a resource, written as text": json.dumps(_bundle(RESULT)),
    "a Bundle in a Bundle": _bundle(_bundle(RESULT)),
    '`{"response": …, "resource": {…}}`': {
        "response": {"status": "200"}, "resource": _bundle(RESULT)},
    '`{"data": {…}}`, `body`, `value`, `bundle`, or any other one name': {"data": _bundle(RESULT)},
    "a wrapper around two resources": {"data": _bundle(RESULT), "value": _bundle(RESULT)},
    "a wrapper around a wrapper": {"data": {"data": _bundle(RESULT)}},
    "a wrapper around nothing": {"response": {"status": "404"}, "resource": None},
    '`{"entry": […]}` without resourceType': {"entry": [{"resource": RESULT}]},
    "an error page, a number, anything else": "<html>Error 500</html>",
    "an OperationOutcome": ERROR,
    "an OperationOutcome among the entries": _bundle(RESULT, ERROR),
    "a warning among the entries": _bundle(RESULT, HINT),
    "a Bundle with a `next` link": _bundle(RESULT, link=NEXT),
    "a Bundle with a `previous` link, or links that cannot be read": _bundle(RESULT, link="x"),
    "a Bundle tagged SUBSETTED": _bundle(RESULT, meta={"tag": [{"code": "SUBSETTED"}]}),
    "an entry whose `response` failed": {
        "resourceType": "Bundle", "entry": [{"resource": RESULT, "response": {"status": "404"}}]},
    "a warning of which the code says that something is missing (`incomplete`, `timeout`, …)":
        _bundle(RESULT, {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "warning", "code": "incomplete"}]}),
    "a Bundle inside with a `next` link": _bundle(_bundle(RESULT, link=NEXT)),
    "a Bundle whose `total` is more than it holds": _bundle(RESULT, total=7),
    "an entry without a resource": {
        "resourceType": "Bundle", "entry": [{"resource": RESULT}, {"fullUrl": "urn:uuid:1"}]},
    "other resources than were asked for": _bundle({"resourceType": "Practitioner", "id": "x"}),
    "another patient's": _bundle(RESULT | {"subject": {"reference": "Patient/p2"}}),
}  # fmt: skip
"""What a prefetch key, here of results, may hold."""


def shape_rows() -> Iterable[list[str]]:
    """What becomes of each shape of a prefetch value."""
    for words, page in SHAPES.items():
        reading = _read(Kind.RESULTS, page)
        state = reading.record.availability[Kind.RESULTS]
        said = dict.fromkeys(
            [*(problem.reason for problem in reading.record.problems), state.reason]
        )
        read = "yes" if reading.series else "" if state.state is State.NONE else "no"
        yield [words, read, state.state.value, "; ".join(filter(None, said))]


def page(head: str, table: Any) -> str:
    """The whole page."""
    parts = [head, INTRODUCTION]
    parts.append(table(["what the key holds", "read", "state", "reported"], list(shape_rows())))
    parts.append("\n## Status\n\n" + STATUS_WORDS)
    parts.append(table(["type", "status", "counts as", "reported"], list(status_rows())))
    for name in SAMPLES:
        parts.append(f"\n## {name}\n\n")
        rows = [
            [
                f"`{element.name}`",
                prose(name, element.name),
                "; ".join(element.missing),
                "; ".join(element.rubbish),
            ]
            for element in tried(name)
            if element.read
        ]
        parts.append(
            table(["element", "what is read", "reported when missing", "when unreadable"], rows)
        )
        parts.append(f"\nNot read, on purpose: {_ignored(name)}.\n")
    parts.append(OTHERS)
    parts.append("\n## Other versions\n\n" + VERSIONS)
    renamed = [[f"`{old}`", f"`{new}`"] for old, new in R4_TYPES.items()]
    parts.append(table(["type", "read as"], renamed))
    return "".join(parts)


def _ignored(name: str) -> str:
    return ", ".join(
        f"`{element.name}`" + (f" ({NOT_READ[element.name]})" if element.name in NOT_READ else "")
        for element in tried(name)
        if not element.read
    )


_READ = frozenset().union(*EXPECTED.values())
_HELD = {"DiagnosticReport", "Medication", "Specimen", "Substance"}
_IGNORED = ", ".join(f"`{name}`" for name in sorted(COMPANION_TYPES - _READ - _HELD))
_TYPES = ", ".join(f"`{name}`" for name in sorted(_READ))
INTRODUCTION = f"""# What is read of each FHIR element

Everything that arrives becomes a fact; or it becomes a problem that says what could not be used
and why (the card `data-not-usable` shows it if it matters); or it is ignored on purpose, and is
listed here. This page is made by experiment: each element is removed from a complete resource,
then replaced by an invalid value, and the tables show what is reported in each case. A property
test
(`READING_RECORDS=5000 python -m pytest tests/fhir_reading/test_nothing_lost.py`) finds no
generated record that names an analyte, a condition or a drug and became neither a fact nor a
problem.

Types that are read: {_TYPES}; results contained in a `DiagnosticReport` or an `Observation`; and
`Medication`, `Substance` and other contained resources to which something refers. The case of
the letters in a type's name does not matter. No drug is drafted while a list is incomplete, or
has an active entry that does not say what it is.

An entry that names nothing (no code and no words, only a null flavour or data-absent-reason, a
placeholder such as "unknown", "see notes" or "non-formulary medication", a number, a dash, its own
code again) is a problem; so is one with only a code of a system that has no list here, or with
words in another script than the Latin one.

## What a prefetch key may hold

"""
STATUS_WORDS = """A status that is missing, or is not one of these, is reported. A condition of
unknown status counts as present, and never lifts a hazard.

"""
OTHERS = f"""
## Other resources

`MedicationDispense` and `MedicationAdministration` are not read: what was dispensed, or given
once, is not what is taken. If they are sent beside the prescriptions, that is reported.

A `List`, `Composition`, `CarePlan` or `RequestGroup` only refers to other resources. These are read
if they were sent; a medicine, condition or allergy that was not (or that it contains, plans as a
product of an activity, or only names) is reported, and no drug is drafted. Any other resource among
those requested that may hold the same (`DocumentReference`, `Binary`, `Parameters`, `Task`,
`Basic`, and every type not named here) is reported too.

Ignored on purpose, because they say nothing of what is requested: {_IGNORED}. A `Medication` counts
only if something refers to it.

In a Bundle for `evaluate`, `explain` and the demo page only the types above are used, and what
refers to medicines, conditions or allergies that are not in it; requests that are not active are
left out, as the prefetch templates leave them out. What a client sends under prefetch keys of its
own is read together with ours, whichever of the types and names above it has; what was dispensed
or administered is reported, unless it was entered in error. Results to which a `DiagnosticReport`
or a panel merely refers, and which were not sent, do not count as missing unless its code names an
analyte: the templates ask for some codes only.

A creatinine clearance and a measured filtration rate are not an eGFR: they are reported if no eGFR
is newer. A code of LOINC, ATC or ICD-10 without words that is on no list is taken to be irrelevant;
a bare code of SNOMED CT or RxNorm that is on no list may be a kind of what is listed, and is
reported if it stands for a condition or a medicine.
"""
VERSIONS = """DSTU2, STU3 and R5 are converted to the shape of R4 before anything is read.

"""
