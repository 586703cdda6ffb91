"""The request of a new rule's scenario: a patient, one result, and the drafts to judge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cds_service.calls.shapes import schema
from cds_service.engine.hook import Hook
from cds_service.engine.topic import Topic
from cds_service.terminology.codes import Coding, category_of, parse_code
from cds_service.terminology.vocabulary import Vocabulary


def scenario_request(
    topic: Topic, name: str, hook: Hook, analyte: str, orders: Sequence[str], value: str
) -> dict[str, Any]:
    """A request for ``hook``: a 66-year-old woman with one result from three days ago.

    What its context needs besides user, patient and drafts is taken from the first of the
    ``examples`` in its JSON Schema.
    """
    knowledge = topic.knowledge
    subject = {"reference": f"Patient/{name}"}
    unit = knowledge.analytes[analyte].canonical
    (example,) = schema(hook.schema).get("examples", [{}])[:1]
    context = {**example, "userId": "Practitioner/example-clinician", "patientId": name}
    if hook.drafts:
        drafts = [
            {"resource": {**draft, "id": f"draft-{number}", "subject": subject}}
            for number, order in enumerate(orders, 1)
            if (draft := draft_of(topic, order)) is not None
        ]
        if hook.selects:
            context["selections"] = [
                f"{draft['resource']['resourceType']}/{draft['resource']['id']}" for draft in drafts
            ]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": drafts}
    coding = next(iter(knowledge.codes(analyte)))
    observation = {
        "resourceType": "Observation",
        "id": f"{analyte.replace('_', '-')}-1",
        "status": "final",
        "code": {"coding": [_written(coding)]},
        "subject": subject,
        "effectiveDateTime": "2026-11-20T08:00:00Z",
        "valueQuantity": {
            "value": json.loads(value),
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    }
    kinds = ("conditions", "medicationRequests", "medicationStatements", "allergies", "orders")
    return {
        "hook": hook.name,
        "hookInstance": "6f2c3a54-7a1e-4d7b-9a3c-5f1f0f6f0aff",
        "context": context,
        "prefetch": {
            "patient": {
                "resourceType": "Patient",
                "id": name,
                "gender": "female",
                "birthDate": "1960-05-04",
            },
            "results": {
                "resourceType": "Bundle",
                "type": "searchset",
                "entry": [{"resource": observation}],
            },
            **dict.fromkeys(kinds),
        },
    }


def draft_of(topic: Topic, concept: str) -> dict[str, Any] | None:
    """A draft order for a concept, with the first code of its list; None without a code."""
    lists = topic.knowledge.vocabularies
    coding = _first_code(lists.medications, concept)
    common = {"status": "draft", "intent": "order", "authoredOn": "2026-11-23"}
    if coding is not None:
        drug = {"coding": [_written(coding)], "text": coding.display}
        return {"resourceType": "MedicationRequest", **common, "medicationCodeableConcept": drug}
    coding = _first_code(lists.orders, concept)
    if coding is None:
        return None
    return {"resourceType": "ServiceRequest", **common, "code": {"coding": [_written(coding)]}}


def _first_code(vocabulary: Vocabulary, concept: str) -> Coding | None:
    """The first code of a concept that does not stand for a whole category."""
    for code in vocabulary.codes(concept):
        if category_of(parse_code(code.system, code.code)) is None:
            return code
    return None


def _written(coding: Coding) -> dict[str, str]:
    return {"system": coding.system, "code": coding.code, "display": coding.display}
