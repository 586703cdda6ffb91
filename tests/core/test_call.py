"""The one value of a call: what is computed from it, and that it can be sent to another process."""

import pickle
from datetime import datetime, timedelta, timezone

from msgspec.structs import replace

from cds_service.core.call import Call
from cds_service.core.identity import Identity, Origin

EVENING = datetime(2026, 3, 10, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
CALL = Call(
    "leg-cramps-order-select",
    "p1",
    EVENING,
    user="Practitioner/3",
    encounter_id="7",
    selections=("MedicationRequest/d1",),
    draft_orders=b'{"resourceType":"Bundle"}',
    origin=Origin("https://ehr.example", "north", "site-a"),
    fhir_server="https://ehr.example/fhir/",
)


def test_references_are_made_from_ids() -> None:
    assert (CALL.patient, CALL.encounter) == ("Patient/p1", "Encounter/7")
    assert replace(CALL, encounter_id=None).encounter is None


def test_an_address_with_and_without_a_final_slash_is_the_same_server() -> None:
    assert CALL.identity == Identity(CALL.origin, "https://ehr.example/fhir", "p1")
    assert replace(CALL, fhir_server="https://ehr.example/fhir").identity == CALL.identity
    assert replace(CALL, fhir_server=None).identity != CALL.identity


def test_orders_are_dated_in_utc() -> None:
    assert CALL.authored == "2026-03-11T04:30:00Z"


def test_a_call_can_be_sent_to_another_process_before_and_after_it_was_used() -> None:
    fresh = replace(CALL)
    for call in (fresh, CALL):
        sent = pickle.loads(pickle.dumps(call))
        assert sent == CALL
        assert (sent.identity, sent.authored) == (CALL.identity, CALL.authored)


def test_what_is_computed_belongs_to_one_call_only() -> None:
    assert CALL.identity.patient == "p1"
    other = replace(CALL, patient_id="p2")
    assert (other.patient, other.identity.patient) == ("Patient/p2", "p2")


def test_printing_a_call_shows_neither_patient_nor_clinician() -> None:
    call = replace(
        CALL, patient_id="SECRET-1", user="Practitioner/SECRET-2", encounter_id="SECRET-3"
    )
    assert "SECRET" not in repr(call)
