"""Pages of every shape, and which patient their resources belong to."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from cds_service.core.facts import Kind, State
from cds_service.errors import TooLarge
from cds_service.fhir.intake.delivery import Delivery
from tests.fhir_reading.records import (
    CALL,
    calling,
    condition,
    delivery,
    kinds,
    lab,
    medication,
    newest,
    read,
    reader,
    results,
)
from tests.testing import fhir
from tests.testing.fhir import searchset

OUTCOME = fhir.outcome("error")
WARNING = fhir.outcome("warning")
OTHER = {"reference": "Patient/p2"}


def arrived(page: object, kind: Kind = Kind.RESULTS):
    reading = read({kind: page})
    return reading, reading.record.availability[kind].state


@pytest.mark.parametrize(
    "page",
    [
        searchset(lab()),
        lab(),
        [lab()],
        [searchset(lab())],
        searchset(searchset(lab())),
        json.dumps(lab()),
        json.dumps(searchset(lab())),
        searchset(entry={"resource": lab()}),
        searchset(entry=[lab()]),
        {"response": {"status": "200 OK"}, "resource": searchset(lab())},
        {"data": searchset(lab()), "status": 200, "headers": {"etag": "1"}},
        {"body": json.dumps(searchset(lab()))},
        {"value": lab()},
        [{"fullUrl": "urn:uuid:1", "resource": lab()}],
        searchset({"resource": lab()}),
        searchset(json.dumps(lab())),
        searchset(entry=[{"resource": lab(), "fullUrl": 7, "search": 8}]),
    ],
    ids=[
        "a Bundle",
        "a single resource instead of a Bundle",
        "a list of resources",
        "a list of Bundles",
        "a Bundle in a Bundle",
        "a resource written as a string",
        "a Bundle written as a string",
        "an object instead of a list of entries",
        "entries that are the resources themselves",
        "the whole answer, as older clients sent it",
        "the whole answer of an HTTP client",
        "an answer whose body is text",
        "a wrapped resource",
        "a list of entries",
        "an entry that is wrapped",
        "an entry's resource written as a string",
        "an entry with other members of a wrong type",
    ],
)
def test_what_can_be_read_is_read(page) -> None:
    reading, state = arrived(page)
    assert newest(reading).result is not None
    assert reading.record.problems == ()
    assert state is State.GIVEN


@pytest.mark.parametrize(
    "page",
    [
        None,
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "entry": None},
        {"resourceType": "Bundle", "entry": []},
        {"resourceType": "Bundle", "entry": {}},
        {"resourceType": "Bundle", "total": 0, "type": "searchset"},
    ],
    ids=str,
)
def test_an_empty_page_means_none_on_file(page) -> None:
    reading, state = arrived(page)
    if page == {"resourceType": "Bundle", "entry": {}}:
        assert kinds(reading) == [("unreadable", "prefetch.results entry[0]")]
        return
    assert (state, reading.record.problems) == (State.NONE, ())


@pytest.mark.parametrize(
    "page",
    [
        "<html><body>Error 500</body></html>",
        "",
        7,
        True,
        [],
        "[]",
        {},
        {"id": "x"},
        {"entry": [{"resource": lab()}]},
        {"entry": []},
        {"data": {"data": searchset(lab())}},
        {"data": {"entry": [{"resource": lab()}]}},
        {"data": [lab()]},
        {"data": None, "response": {"status": "404"}},
        {"resource": searchset(lab()), "response": OUTCOME},
        {"bundle": searchset(lab()), "value": searchset(lab())},
        b"{",
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation"',
        OUTCOME,
        WARNING,
        {"resourceType": "OperationOutcome"},
    ],
    ids=lambda page: str(page)[:40],
)
@pytest.mark.parametrize("kind", [Kind.RESULTS, Kind.CONDITIONS, Kind.PATIENT])
def test_an_unreadable_page_is_unavailable_with_one_problem(page, kind) -> None:
    reading, state = arrived(page, kind)
    assert state is State.UNAVAILABLE
    assert reading.record.availability[kind].reason
    [problem] = reading.record.problems
    assert problem.about == kind.value
    assert problem.source.reference == f"prefetch.{kind.name.lower()}"


def test_an_error_among_the_entries_makes_the_page_partial() -> None:
    reading, state = arrived(searchset(lab(), OUTCOME))
    assert newest(reading).result is not None
    assert state is State.PARTIAL
    assert kinds(reading) == [("incomplete", "prefetch.results entry[1]")]


def test_a_warning_among_the_entries_is_only_noted() -> None:
    reading, state = arrived(searchset(lab(), WARNING))
    assert state is State.GIVEN
    assert reading.record.problems == ()
    assert "warning" in reading.record.availability[Kind.RESULTS].reason


def test_a_page_with_only_a_warning_means_none_on_file() -> None:
    assert arrived(searchset(WARNING))[1] is State.NONE


@pytest.mark.parametrize(
    "page",
    [
        searchset(OUTCOME),
        [OUTCOME],
        {"resourceType": "Bundle", "entry": [{"resource": None}]},
        {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:1"}, 7]},
        {"resourceType": "Bundle", "entry": {"0": {"resource": lab()}}},
        {"resourceType": "Bundle", "resources": [lab()]},
        {"resourceType": "Bundle", "Entry": [{"resource": lab()}]},
        searchset(searchset(searchset(searchset(searchset(searchset(lab())))))),
        searchset(searchset(total=3)),
        searchset(searchset(total="3")),
    ],
    ids=lambda page: str(page)[:60],
)
def test_a_page_with_nothing_readable_does_not_mean_none_on_file(page) -> None:
    reading, state = arrived(page)
    assert state is State.UNAVAILABLE
    assert reading.record.availability[Kind.RESULTS].reason


def test_the_issues_of_a_bundle_are_not_entries() -> None:
    assert arrived(searchset(issues=WARNING))[1] is State.NONE


@pytest.mark.parametrize(
    "page",
    [
        searchset(
            searchset(lab(), link=[{"relation": "next", "url": "https://ehr.example?page=2"}])
        ),
        json.dumps(searchset(lab(), link=[{"relation": "next", "url": "?page=2"}])),
        [searchset(lab()), searchset(link=[{"relation": "next", "url": "?page=2"}])],
        searchset(searchset(lab(), total=12)),
        {"data": json.dumps(searchset(lab(), total=2))},
    ],
    ids=["inside a Bundle", "as text", "in a list", "by its total", "wrapped, as text"],
)
def test_a_truncated_page_is_detected_wherever_it_is(page) -> None:
    reading, state = arrived(page)
    assert newest(reading).result is not None
    assert state is State.PARTIAL


def test_an_entry_without_resource_is_a_problem_at_its_place() -> None:
    reading, _ = arrived(searchset(entry=[{"resource": lab()}, {}, None, 7]))
    assert newest(reading).result is not None
    assert kinds(reading) == [
        ("unreadable", "prefetch.results entry[1]"),
        ("unreadable", "prefetch.results entry[2]"),
        ("unreadable", "prefetch.results entry[3]"),
    ]


def test_a_page_of_another_type_than_requested_is_unavailable_and_still_read() -> None:
    reading, state = arrived(searchset(condition()), Kind.RESULTS)
    assert state is State.UNAVAILABLE
    assert [problem.kind for problem in reading.record.problems] == ["wrong-type"]
    assert "Condition" in reading.record.problems[0].reason
    assert len(reading.record.conditions) == 1


def test_another_type_next_to_the_requested_one_does_not_matter() -> None:
    practitioner = fhir.resource("Practitioner", id="x")
    reading, state = arrived(searchset(practitioner, lab(), condition()))
    assert state is State.GIVEN
    assert newest(reading).result is not None
    assert len(reading.record.conditions) == 1
    assert reading.record.problems == ()


def test_results_contained_in_reports_are_read() -> None:
    contained = {key: value for key, value in lab().items() if key != "subject"} | {"id": "in"}
    report = fhir.report(contained, result=[{"reference": "#in"}], subject=None)
    reading, state = arrived(searchset(report))
    assert state is State.GIVEN
    assert newest(reading).result is not None
    for page in (report, [report], searchset(report, lab(id=7)), searchset(report | {"id": 7})):
        assert newest(arrived(page)[0]).result is not None
    assert len(arrived(searchset(report, lab(id="other")))[0].series["potassium"]) == 2
    bare = {key: value for key, value in report.items() if key != "contained"}
    assert arrived(searchset(bare))[1] is State.UNAVAILABLE


@pytest.mark.parametrize("name", ["MedicationDispense", "MedicationAdministration"])
def test_a_dispensed_or_administered_drug_is_noted(name) -> None:
    given = fhir.resource(name, id="d", medicationCodeableConcept=fhir.concept("Quinine"))
    reading, state = arrived(searchset(medication(), given, given | {"id": "e"}), Kind.MEDICATIONS)
    assert state is State.GIVEN
    [problem] = reading.record.problems
    assert (problem.kind, problem.reason) == ("not-read", f"{name} resources are not read")


@pytest.mark.parametrize("status", [None, "", "unknown", "odd", 7])
def test_an_order_without_a_known_status_is_reported_and_not_counted(status) -> None:
    order = fhir.order("Magnesium", id="s") | {"status": status}
    reading, _ = arrived(searchset(order), Kind.ORDERS)
    assert reading.record.orders == ()
    assert kinds(reading) == [("no-status", "ServiceRequest/s")]


def test_one_unreadable_page_of_two_makes_the_data_partial() -> None:
    pages = delivery(Kind.RESULTS, searchset(lab()), b"<html>")
    reading = reader().read({Kind.RESULTS: pages}, CALL)
    assert newest(reading).result is not None
    assert reading.record.availability[Kind.RESULTS].state is State.PARTIAL
    assert kinds(reading) == [("unreadable", "prefetch.results page 2")]


@pytest.mark.parametrize("state", [State.ABSENT, State.UNAVAILABLE, State.NONE])
def test_the_state_of_data_that_did_not_arrive_is_kept(state) -> None:
    reading = reader().read({Kind.RESULTS: delivery(Kind.RESULTS, state=state)}, CALL)
    assert reading.record.availability[Kind.RESULTS].state is state


def test_a_partial_delivery_stays_partial() -> None:
    pages = delivery(Kind.RESULTS, searchset(lab()), state=State.PARTIAL)
    reading = reader().read({Kind.RESULTS: pages}, CALL)
    assert reading.record.availability[Kind.RESULTS].state is State.PARTIAL


@pytest.mark.parametrize("kind", [Kind.RESULTS, Kind.CONDITIONS])
def test_more_than_fifty_thousand_entries_are_refused(kind) -> None:
    entry = b'{"resource":{"resourceType":"Observation"}}'
    page = b'{"resourceType":"Bundle","entry":[' + b",".join([entry] * 50_001) + b"]}"
    with pytest.raises(TooLarge) as caught:
        reader().read({kind: delivery(kind, page)}, CALL)
    assert caught.value.where == f"prefetch.{kind.name.lower()}"
    assert caught.value.fix


def test_drafts_count_among_the_entries() -> None:
    with pytest.raises(TooLarge) as caught:
        reader().read({}, calling(searchset(entry=[{}] * 50_001)))
    assert caught.value.where == "context.draftOrders"


# --- whose record it is -------------------------------------------------------------------------

OF_THIS_PATIENT = [
    {"reference": "Patient/p1"},
    {"reference": "Patient/p1/_history/3"},
    {"reference": "https://ehr.example/fhir/Patient/p1"},
    {"reference": "https://ehr.example/fhir/Patient/p1/_history/3"},
    {"reference": "urn:uuid:p1"},
    {"reference": "p1"},
    {"display": "Somebody"},
    {"identifier": {"value": "77"}},
    {},
    None,
]
OF_SOMEBODY_ELSE = [
    OTHER,
    {"reference": "Patient/p11"},
    {"reference": "Patient/P1"},
    {"reference": "https://ehr.example/fhir/Patient/p2"},
    {"reference": "https://ehr.example/fhir/xPatient/p1"},
    {"reference": "Group/p1"},
    {"reference": "urn:uuid:2c5a"},
    {"reference": "#p1"},
    {"reference": "Patient?identifier=7"},
]


@pytest.mark.parametrize("subject", OF_THIS_PATIENT, ids=str)
def test_this_patients_resources_are_read(subject) -> None:
    pages = {
        Kind.RESULTS: searchset(lab(subject=subject)),
        Kind.CONDITIONS: searchset(condition(subject=subject)),
    }
    reading = read(pages)
    assert newest(reading).result is not None
    assert len(reading.record.conditions) == 1
    assert reading.record.problems == ()


@pytest.mark.parametrize(
    "subject", [*OF_SOMEBODY_ELSE, 7, ["Patient/p1"], {"reference": 7}], ids=str
)
def test_another_patients_resources_are_refused_and_reported(subject) -> None:
    pages = {
        Kind.RESULTS: searchset(lab(subject=subject)),
        Kind.CONDITIONS: searchset(condition(subject=subject)),
        Kind.MEDICATIONS: searchset(medication(subject=subject)),
    }
    reading = read(pages)
    record = reading.record
    assert (reading.series, record.conditions, record.medications) == ({}, (), ())
    assert sorted(problem.about for problem in record.problems) == [
        "conditions",
        "medication requests",
        "results",
    ]
    assert {problem.kind for problem in record.problems} == {"wrong-patient"}
    assert not any("p2" in problem.reason for problem in record.problems)
    for kind in pages:
        assert record.availability[kind].state is State.UNAVAILABLE


SERVER = "https://ehr.example/fhir"
AT = "Patient/p1"


@pytest.mark.parametrize(
    ("server", "subject", "same"),
    [
        (SERVER, f"{SERVER}/{AT}", True),
        (SERVER, f"{SERVER}/{AT}/_history/2", True),
        (SERVER, AT, True),
        (f"{SERVER}/", f"{SERVER}/{AT}", True),
        ("HTTPS://EHR.example:443/fhir", f"{SERVER}/{AT}", True),
        (SERVER, f"https://EHR.Example./fhir/{AT}", True),
        (SERVER, f"http://ehr.example/fhir/{AT}", True),
        ("http://localhost:8080/fhir", f"http://localhost:8080/fhir/{AT}", True),
        (SERVER, f"https://other.example/fhir/{AT}", False),
        (SERVER, f"https://other.example/fhir/{AT}/_history/2", False),
        (SERVER, f"https://ehr.example.evil.example/fhir/{AT}", False),
        (SERVER, f"https://other.example/https://ehr.example/fhir/{AT}", False),
        (SERVER, f"https://ehr.example@other.example/fhir/{AT}", False),
        (SERVER, f"https://ehr.example:8443/fhir/{AT}", False),
        (SERVER, f"https://ehr.example/tenant-2/{AT}", False),
        (SERVER, f"https://ehr.example/fhir/more/{AT}", False),
        (SERVER, f"https://ehr.example/FHIR/{AT}", False),
        (SERVER, f"https://ehr.example:x/fhir/{AT}", False),
        (SERVER, f"https://[::/fhir/{AT}", False),
        (SERVER, f"https:///fhir/{AT}", False),
        ("https://[::", f"{SERVER}/{AT}", False),
        (None, f"https://anywhere.example/fhir/{AT}", True),
    ],
)
def test_the_same_id_at_another_server_is_somebody_else(
    server: str | None, subject: str, same: bool
) -> None:
    page = searchset(condition(subject={"reference": subject}))
    record = read({Kind.CONDITIONS: page}, replace(CALL, fhir_server=server)).record

    assert [condition.source.reference for condition in record.conditions] == [
        "Condition/c1"
    ] * same
    assert [problem.kind for problem in record.problems] == ["wrong-patient"] * (not same)


def test_resources_of_another_patient_make_the_data_partial() -> None:
    reading = results(lab(), lab("8302-2", 180, "cm", id="x", subject=OTHER))
    assert newest(reading).result is not None
    assert kinds(reading) == [("wrong-patient", "Observation/x")]
    assert reading.record.availability[Kind.RESULTS].state is State.PARTIAL


def test_a_full_url_refers_to_this_patient_if_the_bundle_says_so() -> None:
    urn = "urn:uuid:d9427379-943a-42c1-b3d0-6b5056a12696"
    page = searchset(fhir.patient(), lab(subject={"reference": urn}))
    page["entry"][0]["fullUrl"] = urn
    assert newest(read({Kind.RESULTS: page})).result is not None
    page["entry"][0]["resource"]["id"] = "p2"
    reading = read({Kind.RESULTS: page})
    assert reading.series == {}
    assert [problem.kind for problem in reading.record.problems] == [
        "wrong-patient",
        "wrong-patient",
    ]


@pytest.mark.parametrize("address", ["Patient/p2", "https://ehr.example/Patient/p2"])
def test_a_bundle_cannot_pass_off_another_patient_as_this_one(address) -> None:
    page = searchset(fhir.patient(), lab(subject={"reference": address}))
    page["entry"][0]["fullUrl"] = address
    assert read({Kind.RESULTS: page}).series == {}


def test_a_urn_shared_by_two_patients_refers_to_neither() -> None:
    urn = "urn:uuid:1"
    entries = [{"fullUrl": urn, "resource": fhir.patient(name)} for name in ("p1", "p2")]
    page = searchset(entry=[*entries, {"resource": lab(subject={"reference": urn})}])
    assert read({Kind.RESULTS: page}).series == {}


# --- the patient ---------------------------------------------------------------------


def person(**more: object) -> dict:
    return fhir.patient(**{"birthDate": "1950-07-01", **more})


def patient(page: object):
    reading = read({Kind.PATIENT: page})
    return reading.record.patient, reading


@pytest.mark.parametrize("page", [person(), searchset(person()), [person()], person(id=None)])
def test_the_patient_is_read(page) -> None:
    found, reading = patient(page)
    assert (str(found.birth), found.sex, found.deceased) == ("1950-07-01", "female", False)
    assert reading.record.availability[Kind.PATIENT].state is State.GIVEN
    assert reading.record.problems == ()


@pytest.mark.parametrize("page", [person(id="p2"), searchset(person(id="p2")), person(id=1)])
def test_another_patients_demographics_are_unknown(page) -> None:
    found, reading = patient(page)
    assert (found.birth, found.sex) == (None, "")
    assert reading.record.availability[Kind.PATIENT].state is State.UNAVAILABLE
    assert [problem.kind for problem in reading.record.problems] == ["wrong-patient"]


@pytest.mark.parametrize("birth", ["1950", "1950-07", "soon", 1950, "2027-01-01", "1050-01-01"])
def test_a_birth_date_without_a_day_is_unknown_and_reported(birth) -> None:
    found, reading = patient(person(birthDate=birth))
    assert found.birth is None
    assert kinds(reading) == [("no-birth-date", "Patient/p1")]


@pytest.mark.parametrize(
    ("gender", "sex"),
    [("male", "male"), ("Female", "female"), ("other", ""), ("unknown", ""), (None, ""), (7, "")],
)
def test_sex_is_male_female_or_unknown(gender, sex) -> None:
    assert patient(person(gender=gender))[0].sex == sex


@pytest.mark.parametrize(
    ("members", "deceased", "problems"),
    [
        ({"deceasedBoolean": True}, True, 0),
        ({"deceasedBoolean": False}, False, 0),
        ({"deceasedDateTime": "2025-01-01"}, True, 0),
        ({"deceasedDateTime": "2025"}, True, 0),
        ({"deceasedBoolean": "true"}, False, 1),
        ({"deceasedDateTime": 2025}, False, 1),
    ],
)
def test_whether_the_patient_has_died(members, deceased, problems) -> None:
    found, reading = patient(person(**members))
    assert found.deceased is deceased
    assert len(reading.record.problems) == problems


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        (Kind.PATIENT, person(maritalStatus="@@")),
        (Kind.CONDITIONS, condition(note="@@")),
        (Kind.MEDICATIONS, medication(note="@@")),
        (Kind.RESULTS, lab(**{"status": 7, "@@": 1})),
    ],
)
def test_a_resource_whose_bytes_are_not_text_is_named_in_a_problem(kind, resource) -> None:
    good = fhir.resource("Basic", id="x")
    page = json.dumps(searchset(good, resource)).encode().replace(b"@@", b"\xff")
    reading = reader().read({kind: delivery(kind, page)}, CALL)
    record = reading.record
    assert reading.series == {}
    assert not (record.conditions or record.medications or record.patient.birth)
    expected = f"{resource['resourceType']}/{resource['id']}"
    assert ("unreadable", expected) in kinds(reading)


def test_nested_bundles_are_read_to_a_depth_and_the_rest_is_reported() -> None:
    page: object = lab()
    was_read = []
    for _ in range(8):
        page = searchset(page)
        reading = read({Kind.RESULTS: page})
        was_read.append("potassium" in reading.series)
        assert was_read[-1] or any(
            "too deep" in problem.reason for problem in reading.record.problems
        )
    assert was_read[0]
    assert not was_read[-1]


# --- what is refused only when an element is read ----------------------------------------

HUGE = b"1" * 5000


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        (Kind.CONDITIONS, condition(id="c1", code="HUGE")),
        (Kind.CONDITIONS, condition(id="c1", clinicalStatus="HUGE")),
        (Kind.CONDITIONS, condition(id="c1", subject="HUGE")),
        (Kind.MEDICATIONS, medication(id="c1", medicationCodeableConcept="HUGE")),
        (Kind.MEDICATIONS, medication(id="c1", dosageInstruction=["HUGE"])),
        (Kind.MEDICATIONS, medication(id="c1", note=["HUGE"])),
    ],
)
@pytest.mark.parametrize("replacement", [HUGE, b"-" + HUGE, b'"\xff"'])
def test_a_number_or_text_that_cannot_be_decoded_costs_only_its_resource(
    kind: Kind, resource: dict, replacement: bytes
) -> None:
    page = json.dumps(searchset(resource, condition(id="c3"), medication(id="c3"))).encode()
    page = page.replace(b'"HUGE"', replacement)
    reading = reader().read({kind: Delivery(kind, State.GIVEN, (page,), "prefetch.x")}, CALL)
    record = reading.record
    facts = (*record.conditions, *record.medications)
    assert {fact.source.reference for fact in facts} == {"Condition/c3", "MedicationRequest/c3"}
    assert ("unreadable", f"{resource['resourceType']}/c1") in kinds(reading)


@pytest.mark.parametrize("faulty", [b"1e999", b'""', b"0.5", b"[]", b'{"reference":" "}', b"true"])
@pytest.mark.parametrize("resource", [lab(id="c1"), condition(id="c1"), medication(id="c1")])
def test_the_subject_of_a_resource_must_be_readable(resource: dict, faulty: bytes) -> None:
    kind = {
        "Observation": Kind.RESULTS,
        "Condition": Kind.CONDITIONS,
        "MedicationRequest": Kind.MEDICATIONS,
    }[resource["resourceType"]]
    page = json.dumps(searchset(resource | {"subject": "FAULTY"})).encode()
    page = page.replace(b'"FAULTY"', faulty)
    reading = reader().read({kind: Delivery(kind, State.GIVEN, (page,), "prefetch.x")}, CALL)
    [problem] = reading.record.problems
    assert (problem.kind, problem.reason) == ("wrong-patient", "its subject cannot be read")
    assert reading.record.availability[kind].state is State.UNAVAILABLE


@pytest.mark.parametrize("subject", [b"null", b"{}", b'{"display":"somebody"}'])
def test_a_resource_without_a_subject_is_taken_to_be_the_patients(subject: bytes) -> None:
    page = json.dumps(searchset(condition(subject="NOBODY"))).encode().replace(b'"NOBODY"', subject)
    given = {Kind.CONDITIONS: Delivery(Kind.CONDITIONS, State.GIVEN, (page,), "prefetch.x")}
    reading = reader().read(given, CALL)
    assert len(reading.record.conditions) == 1
    assert reading.record.problems == ()
