"""Conditions, reasons, allergies, orders and the encounter."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cds_service.core.facts import Kind, Presence
from tests.fhir_reading.records import (
    CALL,
    SNOMED,
    concept,
    condition,
    kinds,
    medication,
    read,
)
from tests.testing import fhir
from tests.testing.fhir import searchset

CRAMPS = {"text": "Nocturnal leg cramps"}


def conditions(*resources: object):
    return read({Kind.CONDITIONS: searchset(*resources)})


def code(word: str) -> dict:
    return {"coding": [{"system": "http://terminology.hl7.org/x", "code": word}]}


@pytest.mark.parametrize(
    ("clinical", "verified", "more", "presence"),
    [
        (code("active"), code("confirmed"), {}, Presence.ACTIVE),
        (code("recurrence"), None, {}, Presence.ACTIVE),
        (code("relapse"), None, {}, Presence.ACTIVE),
        ("active", "confirmed", {}, Presence.ACTIVE),
        ({"text": "Active"}, None, {}, Presence.ACTIVE),
        ({"coding": [{"display": "Active"}]}, None, {}, Presence.ACTIVE),
        ({"coding": [{"code": "A1"}, {"code": "active"}]}, None, {}, Presence.ACTIVE),
        (code("active"), code("provisional"), {}, Presence.SUSPECTED),
        (code("active"), code("differential"), {}, Presence.SUSPECTED),
        (code("active"), "unconfirmed", {}, Presence.SUSPECTED),
        (code("active"), code("refuted"), {}, Presence.REFUTED),
        (code("active"), "entered-in-error", {}, Presence.REFUTED),
        (code("resolved"), code("refuted"), {}, Presence.REFUTED),
        (code("inactive"), None, {}, Presence.PAST),
        (code("remission"), None, {}, Presence.PAST),
        (code("resolved"), code("unconfirmed"), {}, Presence.PAST),
        (None, None, {}, Presence.ASSUMED),
        (None, code("confirmed"), {}, Presence.ASSUMED),
        (None, code("provisional"), {}, Presence.SUSPECTED),
        (None, None, {"abatementDateTime": "2025-01-01"}, Presence.PAST),
        (None, None, {"abatementDateTime": "2027-01-01"}, Presence.ASSUMED),
        (None, None, {"abatementString": "last year"}, Presence.PAST),
        (None, None, {"abatementAge": {"value": 50}}, Presence.PAST),
        (None, None, {"abatementPeriod": {"end": "2025-01-01"}}, Presence.PAST),
        (None, None, {"abatementBoolean": True}, Presence.PAST),
        (None, None, {"abatementBoolean": False}, Presence.ASSUMED),
        (code("active"), None, {"abatementDateTime": "2025-01-01"}, Presence.ACTIVE),
        (code("unknown"), None, {}, Presence.ASSUMED),
        (code("unknown"), None, {"abatementDateTime": "2025"}, Presence.PAST),
    ],
    ids=str,
)
def test_whether_a_condition_is_present_now(clinical, verified, more, presence) -> None:
    reading = conditions(condition(clinicalStatus=clinical, verificationStatus=verified, **more))
    [found] = reading.record.conditions
    assert found.presence is presence
    assert "cirrhosis" in found.concepts
    assert reading.record.problems == ()


@pytest.mark.parametrize("name", ["clinicalStatus", "verificationStatus"])
@pytest.mark.parametrize("stated", [code("acute"), "whatever", 7, [{"text": 5}]], ids=str)
def test_an_unknown_status_counts_as_no_status_and_is_reported(name, stated) -> None:
    reading = conditions(condition(**({"verificationStatus": None} | {name: stated})))
    [found] = reading.record.conditions
    expected = Presence.ACTIVE if name == "verificationStatus" else Presence.ASSUMED
    assert found.presence is expected
    assert kinds(reading) == [("unknown-status", "Condition/c1")]


def test_a_condition_keeps_its_words_status_and_day() -> None:
    severe = {"coding": [{"system": SNOMED, "code": "24484000"}]}
    reading = conditions(
        condition(
            code={"text": "Severe Leg Cramps", "coding": [{"display": "Cramp in limb"}]},
            severity=severe,
            clinicalStatus="recurrence",
            onsetDateTime="2024-05-01T10:00:00Z",
        )
    )
    [found] = reading.record.conditions
    assert found.name == "Severe Leg Cramps"
    assert found.words == "severe leg cramps; cramp in limb"
    assert found.clinical_status == "recurrence"
    assert found.severe
    assert str(found.day) == "2024-05-01"
    assert found.source.reference == "Condition/c1"
    assert "leg_cramps" in found.concepts


@pytest.mark.parametrize(
    ("severity", "severe"),
    [
        ({"text": "Severe"}, True),
        ({"coding": [{"display": "Severe (severity modifier)"}]}, True),
        ("severe", True),
        ({"text": "Not severe"}, False),
        ({"text": "Mild"}, False),
        (None, False),
        (7, False),
    ],
)
def test_severity(severity, severe) -> None:
    assert conditions(condition(severity=severity)).record.conditions[0].severe is severe


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ({"coding": [{"system": SNOMED, "code": "1"}]}, "code 1"),
        ({"coding": [{"display": "Ache"}], "text": " "}, "Ache"),
        ("Ache", "Ache"),
        ({"coding": {"display": "Ache"}}, "Ache"),
    ],
)
def test_a_condition_has_a_name_however_it_is_coded(stated, name) -> None:
    assert conditions(condition(code=stated)).record.conditions[0].name == name


@pytest.mark.parametrize("stated", [None, {}, {"coding": [{}]}, {"text": ""}, 7])
def test_a_condition_that_does_not_say_what_it_is_is_a_problem(stated) -> None:
    reading = conditions(condition(code=stated), condition(id="c2"))
    assert kinds(reading) == [("no-code", "Condition/c1")]
    assert len(reading.record.conditions) == 1


def test_the_same_condition_from_two_keys_counts_once() -> None:
    page = searchset(condition())
    reading = read({Kind.CONDITIONS: page, Kind.RESULTS: page})
    assert len(reading.record.conditions) == 1


@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_versions_of_a_condition_the_newer_counts(reverse) -> None:
    old = condition(meta={"lastUpdated": "2025-01-01T00:00:00Z"})
    new = condition(meta={"lastUpdated": "2026-01-01T00:00:00Z"}, clinicalStatus="resolved")
    pair = (new, old) if reverse else (old, new)
    [found] = conditions(*pair).record.conditions
    assert found.presence is Presence.PAST


@pytest.mark.parametrize("reverse", [False, True])
def test_a_withdrawn_version_wins_and_two_that_differ_are_both_kept(reverse) -> None:
    wrong = condition(verificationStatus="entered-in-error")
    pair = (wrong, condition()) if reverse else (condition(), wrong)
    [found] = conditions(*pair).record.conditions
    assert found.presence is Presence.REFUTED
    pair = (condition(), condition(clinicalStatus="resolved"))
    assert len(conditions(*(pair[::-1] if reverse else pair)).record.conditions) == 2


# --- reasons ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "given", "cramps"),
    [
        ({}, False, False),
        ({"reasonCode": []}, False, False),
        ({"reasonCode": [{}]}, False, False),
        ({"reasonCode": [CRAMPS]}, True, True),
        ({"reasonCode": CRAMPS}, True, True),
        ({"reasonCode": "Leg cramps"}, True, True),
        ({"reasonCode": [{"text": "Hypertension"}]}, True, False),
        ({"reasonCode": [{"extension": [{}]}]}, True, False),
        ({"reasonReference": [{"reference": "Condition/c9"}]}, True, True),
        ({"reasonReference": {"reference": "https://ehr.example/Condition/c9"}}, True, True),
        ({"reasonReference": [{"reference": "Condition/none"}]}, True, False),
        ({"reasonReference": [{"reference": "x", "display": "Leg cramps"}]}, True, True),
        ({"reason": [{"concept": CRAMPS}]}, True, True),
        ({"reason": [{"reference": {"reference": "Condition/c9"}}]}, True, True),
        ({"reasonCodeableConcept": CRAMPS}, True, True),
        ({"reasonReference": [{"reference": "#r"}], "contained": [
            fhir.resource("Condition", id="r", code=CRAMPS)]}, True, True),
        ({"reasonCode": [7]}, True, False),
    ],
    ids=str,
)  # fmt: skip
def test_the_reason_for_an_order(members, given, cramps) -> None:
    pages = {
        Kind.MEDICATIONS: searchset(medication(**members)),
        Kind.CONDITIONS: searchset(condition(id="c9", code=CRAMPS)),
    }
    [found] = read(pages).record.medications
    assert found.reason.given is given
    assert ("leg_cramps" in found.reason.concepts) is cramps
    assert ("cramp" in found.reason.words) is cramps


# --- encounter -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"reasonCode": [CRAMPS]},
        {"reason": [CRAMPS]},
        {"reason": CRAMPS},
        {"reason": [{"value": [{"concept": CRAMPS}]}]},
        {"reasonReference": [{"reference": "Condition/c9"}]},
        {"indication": [{"reference": "Condition/c9"}]},
    ],
    ids=str,
)
def test_the_reason_for_the_encounter(members) -> None:
    pages = {
        Kind.ENCOUNTER: fhir.encounter(**members),
        Kind.CONDITIONS: searchset(condition(id="c9", code=CRAMPS)),
    }
    record = read(pages, replace(CALL, encounter_id="e1")).record
    assert record.encounter.given
    assert "leg_cramps" in record.encounter.concepts
    assert record.problems == ()


@pytest.mark.parametrize("call", [replace(CALL, encounter_id="e2"), CALL])
def test_another_encounter_is_refused(call) -> None:
    record = read({Kind.ENCOUNTER: fhir.encounter(reasonCode=[CRAMPS])}, call).record
    assert not record.encounter.given
    assert [problem.kind for problem in record.problems] == ["wrong-encounter"]


# --- allergies -------------------------------------------------------------------------


def allergy(**more: object) -> dict:
    quinine = fhir.allergy("Quinine", verificationStatus=None)
    return fhir.resource("AllergyIntolerance", **quinine | more)


@pytest.mark.parametrize(
    ("members", "counts"),
    [
        ({}, True),
        ({"clinicalStatus": None}, True),
        ({"clinicalStatus": "active"}, True),
        ({"verificationStatus": code("unconfirmed")}, True),
        ({"clinicalStatus": code("inactive")}, False),
        ({"clinicalStatus": "resolved"}, False),
        ({"verificationStatus": code("refuted")}, False),
        ({"verificationStatus": "entered-in-error"}, False),
        ({"clinicalStatus": None, "status": "active"}, True),
        ({"clinicalStatus": None, "status": "confirmed"}, True),
        ({"clinicalStatus": None, "status": "refuted"}, False),
        ({"clinicalStatus": None, "status": "inactive"}, False),
        ({"code": None, "substance": {"text": "Quinine"}}, True),
        ({"code": None, "reaction": [{"substance": {"text": "Quinine"}}]}, True),
        ({"code": {"text": "A tablet"}, "reaction": [{"substance": {"text": "Quinine"}}]}, True),
    ],
    ids=str,
)
def test_an_allergy_counts_unless_it_is_refuted_or_resolved(members, counts) -> None:
    record = read({Kind.ALLERGIES: searchset(allergy(**members))}).record
    assert bool(record.allergies) is counts
    if counts:
        assert record.allergies[0].concepts == frozenset({"quinine_hypersensitivity"})
    assert record.problems == ()


@pytest.mark.parametrize(
    ("code", "reported"),
    [
        ({"coding": [{"system": "http://fdasis.nlm.nih.gov", "code": "A7V27PHC7A"}]}, True),
        ({"coding": [{"system": "urn:oid:1.2.3", "code": "7"}]}, True),
        ({"text": "キニーネ"}, True),
        ({"coding": [{"system": "urn:oid:1.2.3", "code": "7", "display": "Nuts"}]}, False),
        ({"coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]}, False),
        ({"text": "Nuts"}, False),
    ],
    ids=str,
)
def test_an_allergy_to_an_unreadable_substance_is_reported(code, reported) -> None:
    record = read({Kind.ALLERGIES: searchset(allergy(code=code))}).record
    assert [problem.kind for problem in record.problems] == (["unknown-code"] if reported else [])
    assert len(record.allergies) == 1


@pytest.mark.parametrize(
    ("target", "reported"),
    [("AllergyIntolerance/9", ["not-sent"]), ("AllergyIntolerance/a1", []), ("Group/9", [])],
)
def test_a_list_that_refers_to_allergies_that_were_not_sent_is_reported(target, reported) -> None:
    listing = fhir.resource("List", id="l", entry=[{"item": {"reference": target}}])
    record = read({Kind.ALLERGIES: searchset(allergy(), listing)}).record
    assert [problem.kind for problem in record.problems] == reported


def test_an_allergy_without_a_substance_is_a_problem_and_another_patients_is_refused() -> None:
    theirs = allergy(id="a2", patient={"reference": "Patient/p2"})
    reading = read({Kind.ALLERGIES: searchset(allergy(code=None), theirs)})
    assert reading.record.allergies == ()
    assert kinds(reading) == [
        ("wrong-patient", "AllergyIntolerance/a2"),
        ("no-code", "AllergyIntolerance/a1"),
    ]


# --- orders ----------------------------------------------------------------------------


def order(**more: object) -> dict:
    fields = {"id": "s1", "authoredOn": "2026-03-01T09:00:00Z"}
    return fhir.order(None, (fhir.LOINC, "2823-3"), **fields | more)


def test_an_active_order_covers_what_it_asks_for() -> None:
    [found] = read({Kind.ORDERS: searchset(order(reasonCode=[CRAMPS]))}).record.orders
    assert "potassium" in found.covers
    assert found.when is not None and found.when.isoformat() == "2026-03-01T09:00:00+00:00"
    assert "leg_cramps" in found.reason.concepts
    assert not found.draft and found.named
    assert found.source.reference == "ServiceRequest/s1"


@pytest.mark.parametrize(
    ("members", "count"),
    [
        ({"status": "completed"}, 0),
        ({"status": "draft"}, 0),
        ({"status": "on-hold"}, 0),
        ({"status": None}, 0),
        ({"doNotPerform": True}, 0),
        ({"resourceType": "ProcedureRequest"}, 1),
        ({"resourceType": "ProcedureRequest", "status": "requested"}, 1),
        ({"resourceType": "DiagnosticOrder", "status": "in-progress"}, 1),
        ({"resourceType": "DiagnosticOrder", "status": "cancelled"}, 0),
    ],
    ids=str,
)
def test_only_active_orders_count(members, count) -> None:
    assert len(read({Kind.ORDERS: searchset(order(**members))}).record.orders) == count


def test_every_item_of_an_older_versions_order_counts() -> None:
    older_order = order(
        resourceType="DiagnosticOrder",
        code=None,
        item=[{"code": concept("2823-3")}, {"code": concept("19123-9")}],
    )
    [found] = read({Kind.ORDERS: searchset(older_order)}).record.orders
    assert {"potassium", "magnesium"} <= found.covers


@pytest.mark.parametrize("kind", ["DeviceRequest", "NutritionOrder", "VisionPrescription"])
def test_orders_of_unknown_kinds_cover_nothing(kind) -> None:
    [found] = read({Kind.ORDERS: searchset(order(resourceType=kind))}).record.orders
    assert found.covers == frozenset()


def test_an_order_without_a_code_is_not_named() -> None:
    [found] = read({Kind.ORDERS: searchset(order(code={"coding": [{}]}))}).record.orders
    assert not found.named
    assert (found.covers, found.name) == (frozenset(), "")


@pytest.mark.parametrize(
    ("verification", "reported"), [("confirmed", ["no-code"]), ("refuted", []), (None, ["no-code"])]
)
def test_a_condition_that_does_not_say_what_it_is_is_reported_unless_refuted(
    verification, reported
) -> None:
    status = verification and {"coding": [{"code": verification}]}
    reading = read({Kind.CONDITIONS: searchset(condition(code=None, verificationStatus=status))})
    assert reading.record.conditions == ()
    assert [kind for kind, _ in kinds(reading)] == reported
