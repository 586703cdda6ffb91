"""A Bundle that says in any way that it is incomplete is never treated as complete."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cds_service.core.facts import Kind, State
from cds_service.fhir.read.reading import Reading
from cds_service.sources.obtaining import read_key
from cds_service.sources.prefetch import PrefetchKey
from tests.fhir_reading.records import CALL, lab, medication, reader
from tests.testing.fhir import outcome, searchset

Json = dict[str, Any]
LISTS = [(Kind.RESULTS, lab()), (Kind.MEDICATIONS, medication())]


def arrived(kind: Kind, page: object) -> Reading:
    """A page read as it arrives by prefetch."""
    raw = msgspec.Raw(json.dumps(page).encode())
    return reader().read({kind: read_key(PrefetchKey("key", kind, "", ""), raw)}, CALL)


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
    {"issues": outcome("error")},
]


@pytest.mark.parametrize("more", PARTS, ids=str)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_an_incomplete_bundle_is_partial_or_unavailable_if_it_has_no_entries(
    kind: Kind, resource: Json, more: Json
) -> None:
    assert state(kind, searchset(resource, **more)) is State.PARTIAL
    assert state(kind, searchset(searchset(resource, **more))) is State.PARTIAL
    assert state(kind, searchset(**more)) is State.UNAVAILABLE


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
        {"issues": outcome("information")},
    ],
    ids=str,
)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_a_complete_bundle_is_complete(kind: Kind, resource: Json, more: Json) -> None:
    assert state(kind, searchset(resource, **more)) is State.GIVEN


FAILED: list[Json] = [
    {"status": "404 Not Found"},
    {"status": 503},
    {"status": "403", "outcome": {"resourceType": "OperationOutcome"}},
    {"outcome": outcome("fatal")},
]


@pytest.mark.parametrize("response", FAILED, ids=str)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_an_entry_whose_request_failed_makes_the_bundle_partial(
    kind: Kind, resource: Json, response: Json
) -> None:
    for failed in ({"response": response}, {"response": response, "resource": resource}):
        reading = arrived(kind, searchset(entry=[{"resource": resource}, failed]))
        assert reading.record.availability[kind].state is State.PARTIAL
        assert "incomplete" in {problem.kind for problem in reading.record.problems}


@pytest.mark.parametrize("response", [{"status": "200 OK"}, {"status": "201"}, {}, 7], ids=str)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_an_entry_whose_request_did_not_fail_is_read(
    kind: Kind, resource: Json, response: object
) -> None:
    page = searchset(entry=[{"resource": resource, "response": response}])
    assert state(kind, page) is State.GIVEN
    assert arrived(kind, page).record.problems == ()


@pytest.mark.parametrize(
    "code", ["incomplete", "timeout", "throttled", "too-costly", "transient", "exception"]
)
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_a_warning_that_something_is_missing_makes_the_bundle_partial(
    kind: Kind, resource: Json, code: str
) -> None:
    assert state(kind, searchset(resource, outcome("warning", code))) is State.PARTIAL
    assert state(kind, searchset(outcome("warning", code))) is State.UNAVAILABLE


@pytest.mark.parametrize("code", ["processing", "informational", "not-supported", "invalid"])
@pytest.mark.parametrize(("kind", "resource"), LISTS)
def test_other_warnings_do_not_make_the_bundle_partial(
    kind: Kind, resource: Json, code: str
) -> None:
    assert state(kind, searchset(resource, outcome("warning", code))) is State.GIVEN


def test_withheld_data_make_the_bundle_partial_except_for_results() -> None:
    """Results are requested by code, so other results that are withheld do not matter."""
    withheld = outcome("warning", "suppressed")
    assert state(Kind.MEDICATIONS, searchset(medication(), withheld)) is State.PARTIAL
    assert state(Kind.RESULTS, searchset(lab(), withheld)) is State.GIVEN


@pytest.mark.parametrize("page", [{"entry": [None]}, {"entry": [None, {"resource": medication()}]},
                                  {"entry": [7]}, {"entry": [[]]}], ids=str)  # fmt: skip
def test_an_empty_entry_is_reported(page: Json) -> None:
    reading = arrived(Kind.MEDICATIONS, searchset(**page))
    assert "unreadable" in {problem.kind for problem in reading.record.problems}
