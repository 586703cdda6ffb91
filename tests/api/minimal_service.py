"""A service with two rules of its own, so that HTTP tests do not depend on the medical content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.app import build, make_parts
from cds_service.core.facts import Kind
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.core.times import days
from cds_service.engine.hook import ORDER_SELECT, PATIENT_VIEW
from cds_service.engine.rule import (
    Answer,
    Evidence,
    Finding,
    Indicator,
    Need,
    NotFired,
    RemoveDraft,
    Rule,
    Tier,
    conditions,
    demographics,
    medications,
    results,
    rule,
)
from cds_service.engine.topic import Topic
from cds_service.settings import Settings
from cds_service.terminology.codes import LOINC, Coding
from hooks import TOPIC
from tests.testing import fhir
from tests.testing.databases import empty_sqlite
from tests.testing.fhir import RXNORM, Json, searchset

VIEW = "/cds-services/leg-cramps-patient-view"
SELECT = "/cds-services/leg-cramps-order-select"
SIGN = "/cds-services/leg-cramps-order-sign"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
CODES = {"potassium": (Coding(LOINC, "2823-3", "Potassium"), Coding(LOINC, "6298-4"))}


@rule(
    id="low-potassium",
    title="Low potassium",
    version="1.0.0",
    tier=Tier.ALWAYS,
    references=["article"],
    needs=[
        demographics(),
        results("potassium", days(30)),
        conditions("cirrhosis").optional(),
        medications("diuretic_loop").optional(),
        Need(Kind.ALLERGIES, required=False),
        Need(Kind.ORDERS, required=False),
    ],
    changed="2026-11-23",
)
def low_potassium(facts: Facts) -> Answer:
    """A potassium below 3.5 mmol/L."""
    newest = facts.newest("potassium", Worse.LOW).result
    if newest is None or not newest.below(facts.limits.value("potassium.low")):
        return NotFired("potassium is not low")
    return Finding(
        Indicator.WARNING,
        "Potassium is low",
        ("Look for the cause.",),
        evidence=(Evidence(newest),),
        overrides=("action-completed",),
    )


@rule(
    id="quinine-ordered",
    title="Quinine ordered",
    version="1.0.0",
    tier=Tier.ALWAYS,
    references=["article"],
    needs=[demographics(), conditions("malaria").optional()],
    judges=["quinine"],
    changed="2026-11-23",
)
def quinine_ordered(facts: Facts) -> Answer:
    """A selected draft of quinine."""
    draft = next(d for d in facts.drafts.selected_medications if "quinine" in d.classes)
    return Finding(
        Indicator.CRITICAL,
        "Quinine is not for cramps",
        ("Avoid it.",),
        evidence=(Evidence(draft),),
        suggestions=(RemoveDraft(draft.source.reference, draft.name),),
        overrides=("recipient-disagrees-evidence",),
    )


def known(*more: Rule) -> Topic:
    """A topic of the two rules and ``more``, with the codes under which potassium is found."""
    rules = (low_potassium, quinine_ordered, *more)
    services = {service.hook: service for service in TOPIC.services}
    view, select = services[PATIENT_VIEW], services[ORDER_SELECT]
    of_orders = [rule for rule in rules if rule.judges or rule in select.rules]
    return replace(
        TOPIC,
        services=(
            replace(view, rules=tuple(rule for rule in rules if rule not in of_orders)),
            replace(select, rules=tuple(of_orders)),
        ),
        knowledge=replace(TOPIC.knowledge, codes=lambda analyte: CODES.get(analyte, ())),
    )


def minimal_app(folder: Path, *more: Rule, **settings: Any) -> Flask:
    """The application with a database in ``folder``; ``settings`` by their field names.

    It asks ``more`` rules besides its two.
    """
    values: Json = {"database_url": empty_sqlite(folder / "records.db")} | settings
    app = build(make_parts(Settings(**values), [known(*more)]))
    app.extensions["cds_parts"].records.start()
    return app


def body(**changes: Any) -> Json:
    """A patient-view call with a low potassium; ``changes`` replace members, None as null."""
    return fhir.call("patient-view", prefetch(), hookInstance=INSTANCE) | changes


def order_body(
    *drafts: Mapping[str, Any], selections: list[str] | None = None, **changes: Any
) -> Json:
    """An order-select call in which all ``drafts`` are selected, unless said otherwise."""
    context = fhir.drafted(*drafts)
    if selections is not None:
        context["selections"] = selections
    call = body(hook="order-select")
    return call | {"context": call["context"] | context} | changes


def draft(text: str, code: str = "", **fields: Any) -> Json:
    """A draft MedicationRequest for patient p1."""
    fields_given = {"id": "request-123", "status": "draft", "authoredOn": None}
    if not code:
        fields_given["medicationCodeableConcept"] = {"text": text}
    return fhir.prescription(text, (RXNORM, code), **fields_given | fields)


QUININE = draft("Quinine 130 MG Oral Tablet", "312762")
NAMELESS = draft("")


def prefetch(**keys: Any) -> Json:
    """Every key filled: a low potassium, and nothing else on record."""
    filled: Json = {
        "patient": fhir.patient(born="1956-01-01", gender=None),
        "results": searchset(potassium("3.1")),
        "conditions": searchset(),
        "medicationRequests": searchset(),
        "medicationStatements": None,
        "allergies": searchset(),
        "orders": None,
    }
    return filled | keys


def potassium(value: str, number: int = 1, patient: str = "p1") -> Json:
    """A final potassium of today, in mmol/L."""
    today = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
    return fhir.lab("2823-3", float(value), "mmol/L", today, id=f"k{number}", of=patient)


def post(client: FlaskClient, path: str, content: Any, **options: Any) -> TestResponse:
    """A POST of JSON; bytes are sent as they are."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    options.setdefault("content_type", "application/json")
    return client.post(path, data=data, **options)


def issue(response: TestResponse) -> Json:
    """The one issue of an OperationOutcome."""
    outcome = response.get_json()
    assert outcome["resourceType"] == "OperationOutcome"
    (the_issue,) = outcome["issue"]
    assert isinstance(the_issue, dict)
    return the_issue


def feedback(card: str) -> Json:
    """The feedback that a card was overridden just now."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"feedback": [{"card": card, "outcome": "overridden", "outcomeTimestamp": moment}]}


def topics(response: TestResponse) -> list[str]:
    """The rule ids of the cards in an answer."""
    assert response.status_code == 200, response.text
    return [card["source"]["topic"]["code"] for card in response.get_json()["cards"]]
