"""A Bundle that says in any way that it is incomplete is never treated as complete."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cds_service.core.facts import Kind, State
from cds_service.fhir.read.reading import Reading
from cds_service.sources.obtaining import read_key
from cds_service.sources.prefetch import Key
from tests.fhir_reading.records import CALL, bundle, lab, medication, reader

Json = dict[str, Any]
LISTS = [(Kind.RESULTS, lab()), (Kind.MEDICATIONS, medication())]


def arrived(kind: Kind, page: object) -> Reading:
    """A page read as it arrives by prefetch."""
    raw = msgspec.Raw(json.dumps(page).encode())
    return reader().read({kind: read_key(Key("key", kind, "", ""), raw)}, CALL)


def state(kind: Kind, page: object) -> State:
    return arrived(kind, page).record.availability[kind].state


LINKS: list[object] = [
    [{"relation": "next", "url": "?page=2"}],
    [{"relation": "next", "url": 7}],
    [{"relation": "next"}],
    [{"relation": " Next ", "url": "x"}],
    [{"relation": ["next"], "url": "x"}],
    [{"relation": "http://www.iana.org/assignments/relation/next", "url": "x"}],
    [{"rel": "next", "href": "x"}],
    [{"next": "x"}],
    [{"url": "x"}],
    {"next": "x"},
    {"relation": "next", "url": "x"},
    "x",
    ["x"],
    [{"relation": "previous", "url": "x"}],
    [{"relation": "self", "url": "x"}, {"relation": "prev", "url": "y"}],
]
PARTS: list[Json] = [
    *({"link": link} for link in LINKS),
    {"total": 7},
    {"total": "7"},
    {"total": 7.0},
    {"total": {"value": 7}},
    {"total": True},
    {"meta": {"tag": [{"code": "SUBSETTED"}]}},
    {"meta": {"tag": {"code": "SUBSETTED"}}, "total": 0},
    {"link": "", "meta": {"tag": [{"code": "SUBSETTED"}]}},
    {"issues": {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}},
]


@pytest.mark.parametrize("more", PARTS, ids=str)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_an_incomplete_bundle_is_partial_or_unavailable_if_it_has_no_entries(
    kind: Kind, resource: Json, more: Json
) -> None:
    assert state(kind, bundle(resource, **more)) is State.PARTIAL
    assert state(kind, bundle(bundle(resource, **more))) is State.PARTIAL
    assert state(kind, bundle(**more)) is State.UNAVAILABLE


@pytest.mark.parametrize(
    "more",
    [
        {"link": [{"relation": "self", "url": "x?_count=500"}, {"relation": "first", "url": "x"}]},
        {"link": None},
        {"link": []},
        {"link": [{}], "total": {}} | {"link": [{"relation": "last", "url": "x"}], "total": 1},
        {"total": 0},
        {"total": None},
        {"meta": {"lastUpdated": "2026-03-09T08:00:00Z"}},
        {"meta": {"tag": [{"code": "actionable"}]}},
        {"issues": {"resourceType": "OperationOutcome", "issue": [{"severity": "information"}]}},
    ],
    ids=str,
)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_a_complete_bundle_is_complete(kind: Kind, resource: Json, more: Json) -> None:
    assert state(kind, bundle(resource, **more)) is State.GIVEN


def entries(*items: Json) -> Json:
    return {"resourceType": "Bundle", "type": "batch-response", "entry": list(items)}


FAILED: list[Json] = [
    {"status": "404 Not Found"},
    {"status": 503},
    {"status": "403", "outcome": {"resourceType": "OperationOutcome"}},
    {"outcome": {"resourceType": "OperationOutcome", "issue": [{"severity": "fatal"}]}},
]


@pytest.mark.parametrize("response", FAILED, ids=str)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_an_entry_whose_request_failed_makes_the_bundle_partial(
    kind: Kind, resource: Json, response: Json
) -> None:
    for failed in ({"response": response}, {"response": response, "resource": resource}):
        reading = arrived(kind, entries({"resource": resource}, failed))
        assert reading.record.availability[kind].state is State.PARTIAL
        assert "incomplete" in {problem.kind for problem in reading.record.problems}


@pytest.mark.parametrize("response", [{"status": "200 OK"}, {"status": "201"}, {}, 7], ids=str)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_an_entry_whose_request_did_not_fail_is_read(
    kind: Kind, resource: Json, response: object
) -> None:
    page = entries({"resource": resource, "response": response})
    assert state(kind, page) is State.GIVEN
    assert arrived(kind, page).record.problems == ()


def outcome(code: str, severity: str = "warning") -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


@pytest.mark.parametrize(
    "code", ["incomplete", "timeout", "throttled", "too-costly", "transient", "exception"]
)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_a_warning_that_something_is_missing_makes_the_bundle_partial(
    kind: Kind, resource: Json, code: str
) -> None:
    assert state(kind, bundle(resource, outcome(code))) is State.PARTIAL
    assert state(kind, bundle(outcome(code))) is State.UNAVAILABLE


@pytest.mark.parametrize("code", ["processing", "informational", "not-supported", "invalid"])
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_other_warnings_do_not_make_the_bundle_partial(
    kind: Kind, resource: Json, code: str
) -> None:
    assert state(kind, bundle(resource, outcome(code))) is State.GIVEN


def test_withheld_data_make_the_bundle_partial_except_for_results() -> None:
    """Results are requested by code, so other results that are withheld do not matter."""
    assert state(Kind.MEDICATIONS, bundle(medication(), outcome("suppressed"))) is State.PARTIAL
    assert state(Kind.RESULTS, bundle(lab(), outcome("suppressed"))) is State.GIVEN


@pytest.mark.parametrize("page", [{"entry": [None]}, {"entry": [None, {"resource": medication()}]},
                                  {"entry": [7]}, {"entry": [[]]}], ids=str)  # fmt: skip
def test_an_empty_entry_is_reported(page: Json) -> None:
    reading = arrived(Kind.MEDICATIONS, {"resourceType": "Bundle", **page})
    assert "unreadable" in {problem.kind for problem in reading.record.problems}
