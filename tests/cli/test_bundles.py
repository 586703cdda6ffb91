"""Bundles as they come from servers and generators: each is one patient's whole chart."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cds_service.core.kinds import ORDERED
from cds_service.engine.hook import ORDER_SELECT
from cds_service.sources.one_patient import request_of
from tests.cli.conftest import Command
from tests.testing import fhir
from tests.testing.fhir import Json

DAY = ("--as-of", "2026-11-27T12:00:00Z")
ME = "urn:uuid:6f1d4f0e-1111-4222-8333-aaaaaaaaaaaa"
DRUG = "urn:uuid:6f1d4f0e-1111-4222-8333-bbbbbbbbbbbb"
OUTCOME = fhir.outcome("error", "timeout")
HINT = fhir.outcome("information")
NEXT = {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}

PATIENT = fhir.patient(born="1958-04-02")
LOW = {"low-potassium", "quinine-active"}


def potassium(value: float = 2.4, subject: str = "Patient/p1", **more: Any) -> Json:
    fields = {"id": "k1", "subject": {"reference": subject}}
    return fhir.lab("2823-3", value, "mmol/L", "2026-11-25T08:00:00Z", **fields | more)


def quinine(subject: str = "Patient/p1", **more: Any) -> Json:
    fields = {"id": "q1", "subject": {"reference": subject}, "authoredOn": "2026-11-01"}
    return fhir.prescription("Quinine sulfate 324 mg oral capsule", **fields | more)


def bundle(*resources: Any, kind: str = "searchset", **more: Any) -> Json:
    """A Bundle of resources and of entries."""
    entries = [
        resource if "resource" in resource else {"resource": resource} for resource in resources
    ]
    return fhir.bundle(kind, entry=entries, **more)


def answer(batch: Any) -> Json:
    return {"resource": batch, "response": {"status": "200 OK"}}


def without(resource: Json, *names: str) -> Json:
    return {key: value for key, value in resource.items() if key not in names}


@pytest.fixture
def ask(cds: Command, tmp_path: Path) -> Any:
    """The ids of the cards of a Bundle, and the states of its data."""

    def run(content: Json, *words: str) -> tuple[set[str], dict[str, str]]:
        file = tmp_path / "bundle.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        result = cds("evaluate", file, "--json", *DAY, *words)
        assert result.status == 0, result.err
        cards = {card["source"]["topic"]["code"] for card in json.loads(result.out)["cards"]}
        trace = json.loads(cds("explain", file, "--json", *DAY, *words).out)
        return cards, {entry["kind"]: entry["state"] for entry in trace["data"]}

    return run


WHOLE = {
    "a transaction whose references are addresses": bundle(
        {"fullUrl": ME, "resource": PATIENT},
        {"fullUrl": "urn:uuid:1", "resource": potassium(subject=ME)},
        {"fullUrl": DRUG, "resource": fhir.product("Quinine 324 mg capsule")},
        {"fullUrl": "urn:uuid:2", "resource": without(quinine(ME), "medicationCodeableConcept")
            | {"medicationReference": {"reference": DRUG}}},
        kind="transaction",
    ),
    "a transaction whose resources have no ids": bundle(
        {"fullUrl": ME, "resource": without(PATIENT, "id"), "request": {"method": "POST"}},
        {"fullUrl": "urn:uuid:1", "resource": without(potassium(subject=ME), "id")},
        {"fullUrl": "urn:uuid:2", "resource": without(quinine(ME), "id")},
        kind="transaction",
    ),
    "a collection of another server's addresses": bundle(
        {"fullUrl": "https://ehr.example/fhir/Patient/77", "resource": PATIENT},
        {"resource": potassium(subject="https://ehr.example/fhir/Patient/77/_history/2")},
        {"resource": quinine("Patient/77")},
        kind="collection",
    ),
    "the response to a batch": bundle(
        answer(PATIENT), answer(bundle(potassium())), answer(bundle(quinine())),
        kind="batch-response",
    ),
    "the response to a batch of reads": bundle(
        answer(PATIENT), answer(potassium()), answer(quinine()), kind="transaction-response"
    ),
    "searchsets inside a collection": bundle(
        bundle(PATIENT), bundle(potassium()), bundle(quinine()), kind="collection"
    ),
    "a page of everything, the last": bundle(PATIENT, potassium(), quinine(), total=3),
    "the patient in two searches": bundle(
        bundle(PATIENT, potassium()), bundle(PATIENT, quinine()), kind="collection"
    ),
    "with a hint": bundle(PATIENT, potassium(), quinine(), HINT),
    "entries that are the resources themselves": fhir.searchset(
        entry=[PATIENT, potassium(), quinine()]),
    "wrapped as an answer": {
        "response": {"status": "200 OK"}, "resource": bundle(PATIENT, potassium(), quinine())},
    "wrapped as data": {"data": bundle(PATIENT, potassium(), quinine())},
    "wrapped as text": {"body": json.dumps(bundle(PATIENT, potassium(), quinine()))},
    "with types in small letters": bundle(
        PATIENT | {"resourceType": "patient"}, potassium(resourceType="observation"),
        quinine(resourceType="medicationrequest"),
    ),
    "with a deleted resource": bundle(
        PATIENT, potassium(), quinine(), {"resource": None, "request": {"method": "DELETE"}},
        kind="history",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_bundle_is_read_completely(ask: Any, name: str) -> None:
    cards, states = ask(WHOLE[name])
    assert cards == LOW
    assert set(states.values()) <= {"given", "none"}


PARTIAL = {
    "a page of everything": bundle(PATIENT, potassium(), quinine(), **NEXT),
    "an error beside the resources": bundle(PATIENT, potassium(), quinine(), OUTCOME),
    "fewer than are counted": bundle(PATIENT, potassium(), quinine(), total=9),
    "fewer than are counted in text": bundle(PATIENT, potassium(), quinine(), total="9"),
    "a further page, with a capital": bundle(
        PATIENT, potassium(), quinine(), link=[{"relation": "Next", "url": "https://ehr.example/2"}]
    ),
    "a batch one answer of which failed": bundle(
        answer(PATIENT), answer(bundle(potassium())), answer(bundle(quinine())),
        {"resource": OUTCOME, "response": {"status": "500"}}, kind="batch-response",
    ),
    "a batch one answer of which has no resource": bundle(
        answer(PATIENT), answer(bundle(potassium())), answer(bundle(quinine())),
        {"resource": None, "response": {"status": "404"}}, kind="batch-response",
    ),
    "a type that cannot be one of FHIR": bundle(
        PATIENT, potassium(), quinine(), {"resource": {"resourceType": "x", "id": "1"}}
    ),
    "an entry without a resource": bundle(PATIENT, potassium(), quinine(), {"resource": None}),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTIAL)
def test_incomplete_data_are_reported(ask: Any, name: str) -> None:
    cards, states = ask(PARTIAL[name])
    assert cards == LOW | {"data-not-usable"}
    assert states["results"] == states["medication requests"] == "partial"
    # Whether there are data that did not arrive is unknown.
    assert states["conditions"] in ("unavailable", "partial")


def test_a_truncated_page_inside_a_batch_affects_only_its_own_kind(ask: Any) -> None:
    content = bundle(
        answer(PATIENT), answer(bundle(potassium(), **NEXT)), answer(bundle(quinine()))
    )
    _, states = ask(content)
    assert states["results"] == "partial"
    assert states["medication requests"] == "given"
    assert states["conditions"] == "none"


def test_an_error_inside_a_search_affects_only_its_own_kind(ask: Any) -> None:
    content = bundle(
        answer(PATIENT), answer(bundle(potassium())), answer(bundle(quinine(), OUTCOME))
    )
    _, states = ask(content)
    assert states["results"] == "given"
    assert states["medication requests"] == "partial"


def test_a_medication_without_status_is_kept_and_reported(ask: Any) -> None:
    cards, _ = ask(bundle(PATIENT, without(quinine(), "status")))
    assert cards == {"data-not-usable"}


@pytest.mark.parametrize("status", ["completed", "stopped", "on-hold", "cancelled", "draft"])
def test_a_medication_that_is_not_active_is_left_out(ask: Any, status: str) -> None:
    assert ask(bundle(PATIENT, quinine(status=status)))[0] == set()


def test_a_contained_medication_is_read(ask: Any) -> None:
    medication = fhir.product("Quinine 200 mg tablet")
    request = without(quinine(), "medicationCodeableConcept") | {
        "contained": [medication],
        "medicationReference": {"reference": "#m"},
    }
    assert ask(bundle(PATIENT, request))[0] == {"quinine-active"}


def test_drafts_without_ids_are_selected_by_full_url(ask: Any) -> None:
    draft = without(quinine(ME, status="draft"), "id")
    content = bundle(
        {"fullUrl": ME, "resource": without(PATIENT, "id")},
        {"fullUrl": "urn:uuid:22222222-1111-4222-8333-aaaaaaaaaaaa", "resource": draft},
        kind="transaction",
    )
    assert ask(content, "--hook", "order-select")[0] == {"quinine-ordered"}


@pytest.mark.parametrize("more", [{"id": None}, {"id": 7}, {"status": "Draft"}], ids=str)
def test_a_draft_is_selected_whatever_its_id(ask: Any, more: Json) -> None:
    content = bundle(PATIENT, quinine(status="draft") | more)
    assert ask(content, "--hook", "order-select")[0] == {"quinine-ordered"}


@pytest.mark.parametrize("name", [*ORDERED, "ProcedureRequest", "DeviceUseRequest"])
def test_a_draft_of_every_type_of_order_is_sent_as_one(name: str) -> None:
    order = fhir.resource(name, id="o1", subject=fhir.subject())
    drafts = bundle(PATIENT, order | {"status": "draft"}, order | {"id": "o2", "status": "active"})

    context = request_of(drafts, ORDER_SELECT, ())["context"]

    assert [each["resource"]["id"] for each in context["draftOrders"]["entry"]] == ["o1"]
    assert context["selections"] == [f"{name}/o1"]


def test_an_entry_with_a_failed_status_is_still_read(ask: Any) -> None:
    content = bundle(PATIENT, {"resource": potassium(), "response": {"status": "404"}}, quinine())
    cards, states = ask(content)
    assert cards == LOW | {"data-not-usable"}
    assert states["results"] == "partial"


def test_the_decimals_in_a_bundle_matter(cds: Command, tmp_path: Path) -> None:
    # 0.70 mmol/L is 1.70 mg/dL, which is not below 1.70. Read as 1.7 the outcome is the same, so
    # only the printed value shows the difference.
    result = potassium().copy()
    result["code"] = {"coding": [{"system": "http://loinc.org", "code": "19123-9"}]}
    result["valueQuantity"] = {"value": "@", "unit": "mg/dL"}
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(bundle(PATIENT, result)).replace('"@"', "1.20"), encoding="utf-8")
    assert "1.20 mg/dL" in cds("evaluate", file, *DAY).out


@pytest.mark.parametrize(
    "content",
    [
        bundle(PATIENT, PATIENT | {"id": "p2"}),
        bundle(bundle(PATIENT), bundle(PATIENT | {"id": "p2"})),
        bundle(PATIENT, without(PATIENT, "id")),
    ],
    ids=["side by side", "in two searches", "one without id"],
)
def test_two_patients_are_refused_in_one_line(cds: Command, tmp_path: Path, content: Json) -> None:
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    result = cds("evaluate", file, *DAY)
    assert (result.status, result.out) == (1, "")
    assert len(result.err.splitlines()) == 1
    assert "one patient" in result.err


@pytest.mark.parametrize("command", ["evaluate", "explain"])
def test_a_dash_reads_standard_input(
    cds: Command, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    text = json.dumps(bundle(PATIENT, quinine())).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    result = cds(command, "-", "--json", *DAY)
    assert result.status == 0
    assert "quinine-active" in result.out


def test_an_empty_standard_input_is_reported(cds: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    result = cds("evaluate", "-", *DAY)
    assert (result.status, result.out) == (1, "")
    assert "empty" in result.err


@pytest.mark.parametrize("name", ["MedicationDispense", "MedicationAdministration"])
def test_medicines_that_are_not_read_are_reported(ask: Any, name: str) -> None:
    spironolactone = fhir.statement("Spironolactone 25 mg", id="d1", status="completed")
    given = spironolactone | {"resourceType": name}
    cards, states = ask(bundle(PATIENT, potassium(), given))
    assert cards == {"low-potassium", "data-not-usable"}
    assert states["medication requests"] == "unavailable"
    cards, _ = ask(bundle(PATIENT, potassium(), given | {"status": "entered-in-error"}))
    assert cards == {"low-potassium"}


@pytest.mark.parametrize(
    "more",
    [
        {"meta": {"tag": [{"code": "SUBSETTED"}]}},
        {"link": "https://ehr.example/fhir?page=2"},
        {"link": [{"relation": ["next"], "url": "x"}]},
        {"link": [{"relation": "previous", "url": "x"}]},
        {"total": {"value": 9}},
        {"total": 9.0},
        {"issues": OUTCOME},
    ],
    ids=str,
)
def test_a_bundle_that_is_incomplete_is_reported(ask: Any, more: Json) -> None:
    cards, states = ask(bundle(PATIENT, potassium(), quinine(), **more))
    assert cards == LOW | {"data-not-usable"}
    assert {states["results"], states["medication requests"]} == {"partial"}


def test_a_failed_response_and_a_warning_of_missing_data_are_reported(ask: Any) -> None:
    failed = {"resource": quinine(), "response": {"status": "500"}}
    for resource in (failed, fhir.outcome("warning", "incomplete")):
        _, states = ask(bundle(PATIENT, potassium(), quinine(), resource))
        assert states["results"] == "partial"


def list_of(*items: Json, kind: str = "List", **more: Any) -> Json:
    entries = [{"item": item} for item in items]
    return fhir.resource(kind, id="l1", status="current", entry=entries, **more)


NOT_SENT = {"reference": "MedicationStatement/s9"}


@pytest.mark.parametrize(
    "resource",
    [
        list_of(NOT_SENT),
        list_of({"reference": "#s"}, contained=[fhir.statement("Spironolactone", id="s")]),
        list_of({"display": "Spironolactone"}),
        fhir.resource(
            "CarePlan", id="c", status="active",
            activity=[{"detail": {"productCodeableConcept": {"text": "Spironolactone"}}}]),
        fhir.resource("Composition", id="d", status="final", section=[{"entry": [NOT_SENT]}]),
    ],
    ids=str,
)  # fmt: skip
def test_medicines_that_are_only_referenced_are_reported(ask: Any, resource: Json) -> None:
    cards, _ = ask(bundle(PATIENT, potassium(), quinine(), resource))
    assert cards == LOW | {"data-not-usable"}


@pytest.mark.parametrize(
    "resource",
    [
        list_of({"reference": "MedicationRequest/q1"}),
        list_of({"reference": "MedicationRequest/old"}),
        list_of({"reference": "Observation/k1"}),
        fhir.resource(
            "CarePlan", id="c", status="active",
            activity=[{"detail": {"status": "in-progress", "code": {"text": "Exercise"}}}]),
        fhir.resource("DocumentReference", id="d", status="current"),
    ],
    ids=str,
)  # fmt: skip
def test_references_to_entries_in_the_bundle_are_not_reported(ask: Any, resource: Json) -> None:
    old = quinine(id="old", status="completed")
    assert ask(bundle(PATIENT, potassium(), quinine(), old, resource))[0] == LOW


LABORATORY = [
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}
]


@pytest.mark.parametrize(
    ("more", "reported"),
    [
        ({"category": LABORATORY}, True),
        ({"category": [{"text": "Labor"}], "code": {"text": "Befund"}}, True),
        ({"code": {"text": "Laboratory report"}}, True),
        ({"code": {"text": "Blood tests"}}, True),
        ({}, False),
        ({"category": [{"text": "History and physical note"}]}, False),
        ({"category": [{"text": "Labour ward"}], "code": {"text": "CTG"}}, False),
        ({"category": [{"text": "Chemotherapy"}]}, False),
        ({"category": LABORATORY, "code": {"text": "Pap smear cytology"}}, False),
        ({"category": LABORATORY, "code": {"text": "Urine culture"}}, False),
        ({"category": LABORATORY, "code": {"text": "Surgical pathology"}}, False),
        ({"code": {"text": "Discharge letter"}}, False),
        ({"category": LABORATORY, "effectiveDateTime": "2026-01-20"}, False),
    ],
)
def test_a_laboratory_report_in_a_document_is_reported(
    ask: Any, more: dict[str, Any], reported: bool
) -> None:
    bare = {"code": None, "subject": None, "effectiveDateTime": "2026-11-20"}
    report = fhir.report(**bare, presentedForm=[{"url": "x"}])
    cards = ask(bundle(PATIENT, potassium(), quinine(), report | more))[0]
    assert cards == (LOW | {"data-not-usable"} if reported else LOW)


PRODUCT = fhir.product("Quinine 324 mg capsule")


def pointing(kind: str, **more: Any) -> Json:
    """A request or statement whose medication is the resource `PRODUCT`."""
    request = without(quinine(resourceType=kind), "medicationCodeableConcept")
    return request | {"medicationReference": {"reference": "Medication/m"}} | more


def test_a_medication_alone_does_not_say_that_it_is_taken(ask: Any) -> None:
    cards, states = ask(bundle(PATIENT, potassium(), PRODUCT))
    assert cards == {"low-potassium"}
    assert states["medication requests"] == states["medication statements"] == "none"


@pytest.mark.parametrize("kind", ["MedicationRequest", "MedicationStatement"])
def test_a_medication_comes_with_what_refers_to_it(ask: Any, kind: str) -> None:
    cards, states = ask(bundle(PATIENT, potassium(), PRODUCT, pointing(kind)))
    assert cards == LOW
    assert {states["medication requests"], states["medication statements"]} == {"given", "none"}


def test_a_medication_comes_with_the_draft_that_refers_to_it(ask: Any) -> None:
    content = bundle(PATIENT, PRODUCT, pointing("MedicationRequest", status="draft"))
    cards, states = ask(content, "--hook", "order-select")
    assert cards == {"quinine-ordered"}
    assert states["medication requests"] == "none"


def test_a_specimen_in_the_bundle_is_resolved(ask: Any) -> None:
    code = {"coding": [{"system": "urn:oid:1.2", "code": "K", "display": "Potassium"}]}
    result = potassium(code=code, specimen={"reference": "urn:uuid:5e"})
    urine = fhir.specimen("Urine")
    entry = {"fullUrl": "urn:uuid:5e", "resource": urine}
    assert ask(bundle(PATIENT, result, entry))[0] == set()
    entry["resource"] = urine | {"type": {"text": "Serum"}}
    assert ask(bundle(PATIENT, result, entry))[0] == {"low-potassium"}
