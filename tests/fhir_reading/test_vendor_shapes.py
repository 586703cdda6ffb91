"""Every shape in fixtures/vendor_shapes is read correctly."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from msgspec.structs import replace

from cds_service.core.facts import Kind, Presence, State
from cds_service.core.medications import Taking
from cds_service.fhir.read.reading import Reading
from tests.fhir_reading.records import calling, delivery, kinds, reader

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "vendor_shapes"
KINDS = {
    "conditions": Kind.CONDITIONS,
    "medications": Kind.MEDICATIONS,
    "statements": Kind.STATEMENTS,
    "allergies": Kind.ALLERGIES,
    "orders": Kind.ORDERS,
}
DRAFTS = {
    "sandbox-r4-drug-chosen": "MedicationRequest/request-123",
    "sandbox-dstu2-drug-chosen": "MedicationOrder/order-123",
    "specification-example-dose-as-object": "MedicationRequest/103",
    "epic-medication-by-display": "MedicationRequest/eK9",
    "stu3-drafts": "MedicationRequest/m3",
    "r5-draft": "MedicationRequest/m5",
    "resource-as-string": "MedicationRequest/s1",
}
RECORDS = ("r4-record", "dstu2-record", "stu3-record", "r5-record")


def read_shape(name: str) -> Reading:
    request = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    context = request["context"]
    call_with_drafts = calling(context.get("draftOrders"), *context.get("selections", ()))
    call = replace(
        call_with_drafts,
        patient_id=context["patientId"], encounter_id=context.get("encounterId"),
        user=context["userId"],
    )  # fmt: skip
    pages = request.get("prefetch", {})
    deliveries = {KINDS[key]: delivery(KINDS[key], page) for key, page in pages.items()}
    return reader().read(deliveries, call)


@pytest.mark.parametrize(("name", "reference"), DRAFTS.items())
def test_a_draft_of_quinine_for_cramps_in_every_shape(name, reference) -> None:
    reading = read_shape(name)
    [found] = reading.record.drafts.selected_medications
    assert found.source.reference == reference
    assert found.taking is Taking.DRAFT
    assert "quinine" in found.classes
    assert "leg_cramps" in found.reason.concepts
    [dose] = found.dosages
    assert (dose.amount, dose.per_day, dose.unread) == (Decimal(1), Fraction(1), "")
    assert dose.amount_unit in ("tablet", "pill")
    assert found.ingredients[0].amount == Decimal(130)
    assert reading.record.problems == ()


def test_a_draft_with_nothing_chosen_yet() -> None:
    reading = read_shape("sandbox-r4-nothing-chosen")
    [found] = reading.record.drafts.selected_medications
    assert (found.named, found.classes) == (False, frozenset())
    assert reading.record.problems == ()


def test_an_order_with_an_empty_coding() -> None:
    [found] = read_shape("sandbox-imaging-order").record.drafts.selected_orders
    assert (found.named, found.covers, found.reason.given) == (False, frozenset(), False)


def test_a_procedure_request_among_the_drafts() -> None:
    [found] = read_shape("stu3-drafts").record.drafts.selected_orders
    assert found.source.reference == "ProcedureRequest/p3"
    assert "potassium" in found.covers


@pytest.mark.parametrize("name", RECORDS)
def test_the_same_record_in_every_version_reads_the_same(name) -> None:
    record = read_shape(name).record
    [cirrhosis] = record.conditions
    assert cirrhosis.presence is Presence.ACTIVE and "cirrhosis" in cirrhosis.concepts
    quinine, baclofen = sorted(record.medications, key=lambda medication: medication.statement)
    assert quinine.taking is Taking.ACTIVE and "quinine" in quinine.classes
    assert "leg_cramps" in quinine.reason.concepts
    assert quinine.when is not None and quinine.when.date().isoformat() == "2026-01-05"
    assert baclofen.taking is Taking.NOT_TAKEN and "baclofen" in baclofen.classes
    [allergy] = record.allergies
    assert allergy.concepts == frozenset({"quinine_hypersensitivity"})
    [order] = record.orders
    assert "potassium" in order.covers
    assert record.problems == ()
    assert {availability.state for availability in record.availability.values()} == {State.GIVEN}


def test_an_error_page_makes_the_data_unavailable() -> None:
    reading = read_shape("error-page-in-prefetch")
    assert {availability.state for availability in reading.record.availability.values()} == {
        State.UNAVAILABLE
    }
    assert kinds(reading) == [
        ("unreadable", "prefetch.conditions"),
        ("incomplete", "prefetch.medications"),
    ]


def test_every_shape_is_read_by_a_test_and_described_in_the_readme() -> None:
    shapes = {path.stem for path in FOLDER.glob("*.json")}
    tested = {*DRAFTS, *RECORDS, "sandbox-r4-nothing-chosen", "sandbox-imaging-order"}
    assert shapes == tested | {"error-page-in-prefetch"}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in shapes)
