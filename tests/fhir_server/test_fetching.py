"""Fetching from a FHIR server by other authors. It answers an empty Bundle to what it
does not understand: every test counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from cds_service.calls.envelope import Authorization
from cds_service.sources.fetch.client import Access, FetchedData, fetch_missing
from tests.fhir_server.medplum import FhirServer
from tests.testing import fhir
from tests.testing.fhir import Json
from tests.testing.shared_data import shared_path

pytestmark = pytest.mark.node

LOINC = "http://loinc.org"
POTASSIUM, MAGNESIUM, HEMOGLOBIN = "2823-3", "2601-3", "718-7"


def result(number: int, patient: str, code: str, date: str) -> Json:
    return fhir.lab(code, 4.1, "mmol/L", date, of=patient, id=f"result-{number}")


def condition(number: int, patient: str, status: str) -> Json:
    code = (fhir.SNOMED, "449917004")
    return fhir.condition(None, code, status=status, of=patient, id=f"condition-{number}")


def prescription(number: int, patient: str, status: str) -> Json:
    fields = {"id": f"prescription-{number}", "status": status, "authoredOn": None}
    return fhir.prescription(None, (fhir.RXNORM, "197730"), of=patient, **fields)


PATIENTS = [
    fhir.patient("ada", "1950-02-03"),
    fhir.patient("bea", "1971-11-30"),
    *(result(n, "ada", POTASSIUM, f"2026-0{n}-01") for n in range(1, 6)),
    *(result(10 + n, "ada", MAGNESIUM, f"2026-0{n}-02") for n in range(1, 4)),
    *(result(20 + n, "ada", HEMOGLOBIN, f"2026-0{n}-03") for n in range(1, 3)),
    result(30, "bea", POTASSIUM, "2026-09-09"),
    condition(1, "ada", "active"),
    condition(2, "ada", "active"),
    condition(3, "ada", "resolved"),
    condition(4, "bea", "active"),
    prescription(1, "ada", "active"),
    prescription(2, "ada", "on-hold"),
    prescription(3, "ada", "stopped"),
    prescription(4, "bea", "active"),
]


@pytest.fixture
def server(fhir_server: FhirServer) -> Iterator[FhirServer]:
    fhir_server.reset()
    stored = fhir_server.load(PATIENTS)
    assert stored == {"Patient": 2, "Observation": 11, "Condition": 4, "MedicationRequest": 4}
    yield fhir_server
    fhir_server.reset()


def fetch(
    server: FhirServer, token: str | None = None, patient: str = "ada", **queries: str
) -> dict[str, FetchedData]:
    access = Access(server.url, Authorization(token, "patient/*.rs") if token else None)
    return fetch_missing(queries, access, patient, deadline_s=20)


def ids(fetched: FetchedData) -> list[str]:
    """The ids of all resources on all pages, in order."""
    all_ids: list[str] = []
    for page in fetched.pages:
        body = json.loads(page)
        entries = (
            body.get("entry", []) if body["resourceType"] == "Bundle" else [{"resource": body}]
        )
        all_ids += [entry["resource"]["id"] for entry in entries]
    return all_ids


def test_every_kind_of_query_of_one_patient_brings_exactly_what_was_stored(
    server: FhirServer,
) -> None:
    answers = fetch(
        server,
        patient_="Patient/ada",
        potassium=f"Observation?patient=ada&code={LOINC}|{POTASSIUM}&_sort=-date&_count=200",
        two_codes=f"Observation?patient=ada&code={LOINC}|{POTASSIUM},{LOINC}|{MAGNESIUM}",
        since="Observation?patient=Patient/ada&date=ge2026-03-01",
        problems="Condition?patient=ada&clinical-status=active",
        drugs="MedicationRequest?patient=ada&status=active,on-hold",
        none="Procedure?patient=ada",
    )
    assert {key: fetched.state for key, fetched in answers.items()} == dict.fromkeys(
        answers, "given"
    )
    assert ids(answers["patient_"]) == ["ada"]
    assert ids(answers["potassium"]) == [f"result-{n}" for n in (5, 4, 3, 2, 1)]
    assert sorted(ids(answers["two_codes"])) == sorted(
        f"result-{n}" for n in (1, 2, 3, 4, 5, 11, 12, 13)
    )
    assert sorted(ids(answers["since"])) == sorted(f"result-{n}" for n in (3, 4, 5, 13))
    assert sorted(ids(answers["problems"])) == ["condition-1", "condition-2"]
    assert sorted(ids(answers["drugs"])) == ["prescription-1", "prescription-2"]
    assert ids(answers["none"]) == []


def test_a_list_of_many_codes_as_long_as_four_kilobytes_is_understood(server: FhirServer) -> None:
    others = [f"{LOINC}|{n}-9" for n in range(20_000, 20_170)]
    query = f"Observation?patient=ada&code={','.join([*others, f'{LOINC}|{MAGNESIUM}'])}&_count=2"
    assert len(query) > 4_000
    with server.knobs(page_size=2):  # the link to the second page is as long as the query
        (fetched,) = fetch(server, long=query).values()
    assert (fetched.state, fetched.reason, len(fetched.pages)) == ("given", "", 2)
    assert sorted(ids(fetched)) == ["result-11", "result-12", "result-13"]


def test_small_pages_are_followed_to_the_last_without_duplicates(server: FhirServer) -> None:
    with server.knobs(page_size=3):
        (fetched,) = fetch(server, all="Observation?patient=ada&_sort=-date").values()
    assert (fetched.state, len(fetched.pages)) == ("given", 4)
    assert Counter(ids(fetched)) == Counter(
        f"result-{n}" for n in (1, 2, 3, 4, 5, 11, 12, 13, 21, 22)
    )


def test_only_missing_data_are_requested(server: FhirServer) -> None:
    fetch(server, patient_="Patient/ada", problems="Condition?patient=ada")
    assert sorted(server.requests()) == ["Condition?patient=ada", "Patient/ada"]


def test_the_token_is_presented_and_without_it_the_server_refuses(server: FhirServer) -> None:
    with server.knobs(token="let-me-in"):
        (accepted,) = fetch(server, "let-me-in", problems="Condition?patient=ada").values()
        (refused,) = fetch(server, "another", problems="Condition?patient=ada").values()
    assert (accepted.state, len(ids(accepted))) == ("given", 3)
    assert (refused.state, refused.status) == ("unavailable", 401)


def test_an_unknown_patient_is_unavailable_and_not_a_patient_without_data(
    server: FhirServer,
) -> None:
    (fetched,) = fetch(server, patient="nobody", patient_="Patient/nobody").values()
    assert (fetched.state, fetched.status) == ("unavailable", 404)
    assert fetched.reason == "the FHIR server answered 404 to Patient"


def test_one_failing_resource_type_does_not_affect_the_others(server: FhirServer) -> None:
    with server.knobs(failing={"Condition": 500}):
        answers = fetch(
            server, problems="Condition?patient=ada", drugs="MedicationRequest?patient=ada"
        )
    assert (answers["problems"].state, answers["problems"].status) == ("unavailable", 500)
    assert (answers["drugs"].state, len(ids(answers["drugs"]))) == ("given", 3)


@pytest.mark.shared
def test_a_synthetic_patient_bundle_is_stored_with_its_references_resolved(
    server: FhirServer,
) -> None:
    server.reset()
    path = min(shared_path("synthea").glob("*.json"), key=lambda each: each.stat().st_size)
    bundle = json.loads(path.read_bytes())
    stored = server.load(bundle)
    assert stored == Counter(entry["resource"]["resourceType"] for entry in bundle["entry"])
    (patient,) = (
        entry["resource"]["id"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    )
    types = ["Observation", "Condition", "MedicationRequest", "Procedure"]
    queries = {each: f"{each}?patient={patient}&_count=500" for each in types}
    answers = fetch(server, patient=patient, **queries)
    assert {each: len(ids(answers[each])) for each in types} == {
        each: stored[each] for each in types
    }
