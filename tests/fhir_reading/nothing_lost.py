"""Which concepts of the rules a resource names, and whether reading lost any of them.

`named` are the concepts that the vocabularies find in the places where FHIR says what a resource
is about; `lost` are those of them for which there is neither a fact nor a problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from cds_service.core.facts import Kind, Result
from cds_service.fhir.read.reading import Reading
from cds_service.terminology.codes import Coding
from cds_service.terminology.vocabulary import Vocabulary
from hooks.knowledge import vocabulary as lists
from hooks.knowledge.files import analytes

Json = dict[str, object]
IGNORED = {
    "Observation": {"registered", "cancelled", "entered-in-error"},
    "DiagnosticReport": {"registered", "cancelled", "entered-in-error"},
    "AllergyIntolerance": {"refuted", "entered-in-error", "inactive", "resolved"},
    "ServiceRequest": {"draft", "on-hold", "revoked", "completed", "entered-in-error"},
}
"""Statuses that take back what a resource names, on purpose."""

_KINDS = {kind.value for kind in Kind}


def named(resource: Json, others: Iterable[Json] = ()) -> set[str]:
    """The concepts that a resource names; ``others`` may hold the product it refers to."""
    kind = resource.get("resourceType")
    if statuses(resource) & IGNORED.get(str(kind), set()):
        return set()
    if kind in ("Observation", "DiagnosticReport"):
        contained_results = [
            item for item in _dicts(resource.get("contained")) if _is(item, "Observation")
        ]
        named_concepts = (
            set() if kind == "DiagnosticReport" else concepts(lists.OBSERVATIONS, resource)
        )
        for part in (*_dicts(resource.get("component")), *contained_results):
            if not statuses(part) & IGNORED["Observation"]:
                named_concepts |= concepts(lists.OBSERVATIONS, part)
        return named_concepts & set(analytes())
    if kind == "Condition":
        return concepts(lists.CONDITIONS, resource)
    if kind in ("MedicationRequest", "MedicationStatement"):
        return _medication(resource, others)
    if kind == "AllergyIntolerance":
        return concepts(lists.ALLERGIES, resource)
    if kind == "ServiceRequest":
        return concepts(lists.ORDERS, resource)
    return set()


def lost(resource: Json, reading: Reading, others: Iterable[Json] = ()) -> set[str]:
    """The concepts it names for which there is neither a fact nor a problem."""
    reference = f"{resource['resourceType']}/{resource.get('id')}"
    facts, problems = facts_of(reading), problems_of(reading)
    reported = problems[reference]
    if reported & _KINDS:
        return set()
    return named(resource, others) - facts[reference] - reported


def facts_of(reading: Reading) -> defaultdict[str, set[str]]:
    """The concepts of all facts, by the resource they came from."""
    facts: defaultdict[str, set[str]] = defaultdict(set)
    record = reading.record
    for condition in record.conditions:
        facts[_plain(condition.source.reference)] |= condition.concepts
    for drug in (*record.medications, *record.drafts.medications):
        facts[_plain(drug.source.reference)] |= drug.classes
    for order in (*record.orders, *record.drafts.orders):
        facts[_plain(order.source.reference)] |= order.covers
    for allergy in record.allergies:
        facts[_plain(allergy.source.reference)] |= allergy.concepts
    for key, series in reading.series.items():
        for candidate in series.newest_first():
            if isinstance(candidate.answer, Result):
                facts[_plain(candidate.answer.source.reference)].add(key)
    return facts


def problems_of(reading: Reading) -> defaultdict[str, set[str]]:
    """What the problems are about, by the resource they name."""
    by_resource: defaultdict[str, set[str]] = defaultdict(set)
    problems = list(reading.record.problems)
    for series in reading.series.values():
        problems += series.undated
        answers = (candidate.answer for candidate in series.newest_first())
        problems += [answer for answer in answers if not isinstance(answer, Result)]
    for problem in problems:
        by_resource[_plain(problem.source.reference)].add(problem.about)
    return by_resource


def _plain(reference: str) -> str:
    """The resource that a fact came from, even if it came from a part of it."""
    return reference.partition("#")[0].partition(" ")[0]


def statuses(resource: Json) -> set[str]:
    """Everything a resource says about its status."""
    statuses_found = set()
    for name in ("status", "clinicalStatus", "verificationStatus"):
        value = resource.get(name)
        if isinstance(value, str):
            statuses_found.add(value)
        for coding in _dicts(value.get("coding") if isinstance(value, dict) else None):
            statuses_found.add(str(coding.get("code")))
    return statuses_found


def concepts(vocabulary: Vocabulary, resource: Json, name: str = "code") -> set[str]:
    """The concept of a resource's CodeableConcept."""
    code = resource.get(name)
    if not isinstance(code, dict):
        return set()
    codings = [
        Coding(*(str(coding.get(part, "")) for part in ("system", "code", "display")))
        for coding in _dicts(code.get("coding"))
    ]
    text = code.get("text")
    return set(vocabulary.concepts(codings, [text] if isinstance(text, str) else []))


def _medication(resource: Json, others: Iterable[Json]) -> set[str]:
    named_concepts = concepts(lists.MEDICATIONS, resource, "medicationCodeableConcept")
    pointer = resource.get("medicationReference")
    if not isinstance(pointer, dict):
        return named_concepts
    target = str(pointer.get("reference", ""))
    for product in (*_dicts(resource.get("contained")), *others):
        if _is(product, "Medication") and target.endswith(str(product.get("id"))):
            named_concepts |= concepts(lists.MEDICATIONS, product)
    display = pointer.get("display")
    if isinstance(display, str):
        named_concepts |= lists.MEDICATIONS.concepts((), [display])
    return named_concepts


def _is(resource: Json, kind: str) -> bool:
    return resource.get("resourceType") == kind


def _dicts(value: object) -> Iterator[Json]:
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict):
            yield item
