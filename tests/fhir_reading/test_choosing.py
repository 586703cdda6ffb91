"""Which Observations count: status, date, versions, subject."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.core.series import Worse
from cds_service.fhir.read import own_range
from tests.fhir_reading.records import (
    CALL,
    SNOMED,
    concept,
    delivery,
    kinds,
    lab,
    newest,
    problem,
    raw_results,
    read,
    reader,
    result,
    results,
)
from tests.testing import fhir
from tests.testing.fhir import searchset

OLD = "2026-03-01T08:00:00Z"


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_final_result_decides(status) -> None:
    assert result(lab(status=status)).preliminary is False


def test_a_preliminary_result_is_kept_beside_the_older_final_one() -> None:
    found = newest(
        results(lab(id="a", status="preliminary"), lab(id="b", value=3.1, effectiveDateTime=OLD))
    )
    assert found.tentative is not None and found.tentative.preliminary
    assert found.result is not None and str(found.result.value.low) == "3.1"


@pytest.mark.parametrize("status", ["registered", "cancelled", "entered-in-error"])
def test_a_registered_cancelled_or_erroneous_result_is_ignored_silently(status) -> None:
    reading = results(lab(status=status))
    assert reading.series == {}
    assert reading.record.problems == ()


@pytest.mark.parametrize(
    ("status", "word"), [(None, "missing"), ("done", "known"), ("unknown", "known"), (7, "missing")]
)
def test_a_result_without_a_known_status_is_a_problem(status, word) -> None:
    reading = results(lab(status=status))
    assert reading.series == {}
    [problem] = reading.record.problems
    assert (problem.kind, problem.about, problem.source.reference) == (
        "no-status",
        "potassium",
        "Observation/o1",
    )
    assert word in problem.reason


@pytest.mark.parametrize(
    ("members", "when", "day_only"),
    [
        ({"effectiveDateTime": "2026-03-09T08:00:00Z"}, datetime(2026, 3, 9, 8, tzinfo=UTC), False),
        (
            {"effectiveDateTime": "2026-03-09T08:00:00.123+02:00"},
            datetime(2026, 3, 9, 6, 0, 0, 123000, tzinfo=UTC),
            False,
        ),
        ({"effectiveDateTime": "2026-03-09T08:00"}, datetime(2026, 3, 9, 8, tzinfo=UTC), False),
        (
            {"effectiveDateTime": "2026-03-09"},
            datetime(2026, 3, 9, 23, 59, 59, 999999, tzinfo=UTC),
            True,
        ),
        (
            {"effectivePeriod": {"start": "2026-03-01", "end": "2026-03-02T10:00:00Z"}},
            datetime(2026, 3, 2, 10, tzinfo=UTC),
            False,
        ),
        (
            {"effectivePeriod": {"start": "2026-03-01T10:00:00Z"}},
            datetime(2026, 3, 1, 10, tzinfo=UTC),
            False,
        ),
        (
            {"effectiveDateTime": "2026-03-09T08:00:00.123456789Z"},
            datetime(2026, 3, 9, 8, 0, 0, 123456, tzinfo=UTC),
            False,
        ),
        (
            {"effectiveInstant": "2026-03-09T08:00:00Z"},
            datetime(2026, 3, 9, 8, tzinfo=UTC),
            False,
        ),
    ],
    ids=str,
)
def test_the_effective_time_counts(members, when, day_only) -> None:
    found = result(lab(**({"effectiveDateTime": None} | members)))
    assert (found.when, found.day_only) == (when, day_only)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({}, "no date"),
        ({"issued": "2026-03-09T08:00:00Z"}, "no date"),
        ({"effectiveTiming": {"event": ["2026-03-09"]}}, "no date"),
        ({"effectiveDateTime": "2026-03"}, "no day"),
        ({"effectiveDateTime": "2026"}, "no day"),
        ({"effectiveDateTime": "yesterday"}, "cannot be read"),
        ({"effectiveDateTime": "2026-02-30"}, "cannot be read"),
        ({"effectiveDateTime": "2026-W10-1"}, "cannot be read"),
        ({"effectiveDateTime": "0001-01-01T00:00:00+14:00"}, "cannot be read"),
        ({"effectiveDateTime": "9999-12-31T23:59:59-14:00"}, "cannot be read"),
        ({"effectiveDateTime": 20260309}, "cannot be read"),
        ({"effectivePeriod": {}}, "no date"),
        ({"effectivePeriod": "2026-03-09"}, "no date"),
    ],
    ids=str,
)
def test_a_result_without_a_day_is_undated_and_not_lost(members, word) -> None:
    found = problem(lab(**({"effectiveDateTime": None} | members)))
    assert (found.kind, found.about) == ("undated", "potassium")
    assert word in found.reason


@pytest.mark.parametrize(
    ("stamp", "future"),
    [
        ("2026-03-10T12:05:00Z", False),
        ("2026-03-10T12:05:01Z", True),
        ("2026-03-10", False),
        ("2026-03-11", True),
        ("2062-03-09", True),
    ],
)
def test_a_date_in_the_future_is_not_used(stamp, future) -> None:
    found = newest(results(lab(effectiveDateTime=stamp)))
    assert (found.result is None) is future
    assert [problem.kind for problem in found.unusable] == (["future"] if future else [])


def test_a_result_from_the_future_does_not_hide_the_older_one() -> None:
    reading = results(lab(id="a", effectiveDateTime="2027-01-01"), lab(id="b", value=3.3))
    found = newest(reading)
    assert found.result is not None and str(found.result.value.low) == "3.3"
    assert [problem.kind for problem in found.unusable] == ["future"]


def test_days_are_counted_in_the_time_zone_of_the_call() -> None:
    east = timezone(timedelta(hours=10))
    as_of = datetime(2026, 3, 11, 8, tzinfo=east)
    found = newest(results(lab(effectiveDateTime="2026-03-10T23:30:00Z"), as_of=as_of))
    assert found.result is None  # 09:30 in the east, which is after the call
    found = newest(results(lab(effectiveDateTime="2026-03-10T20:30:00Z"), as_of=as_of))
    assert found.result is not None and found.result.day == date(2026, 3, 11)
    found = newest(results(lab(effectiveDateTime="2026-03-11"), as_of=as_of))
    assert found.result is not None and found.result.when.tzinfo is east


# --- versions --------------------------------------------------------------------------

IDENTIFIER = [{"system": "urn:lab", "value": "77"}]


def values(*resources: object) -> list[str]:
    reading = results(*resources)
    if "potassium" not in reading.series:
        return []
    return sorted(str(result.value.low) for result in reading.series["potassium"].finals())


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([lab(), lab()], ["4.1"]),
        ([lab(value=3.1), lab(value=4.1)], ["3.1", "4.1"]),
        ([lab(value=3.1), lab(value=4.1, status="amended")], ["4.1"]),
        ([lab(value=4.1, status="corrected"), lab(value=3.1)], ["4.1"]),
        ([lab(), lab(status="entered-in-error")], []),
        ([lab(status="amended"), lab(status="entered-in-error")], []),
        ([lab(), lab(status="entered-in-error", code=None, valueQuantity=None)], []),
        ([lab(id="a"), lab(id="b", status="entered-in-error")], ["4.1"]),
        (
            [
                lab(value=3.1, meta={"versionId": "9"}),
                lab(value=4.1, meta={"versionId": "10"}),
            ],
            ["4.1"],
        ),
        (
            [
                lab(value=3.1, meta={"lastUpdated": "2026-03-09T10:00:00Z"}),
                lab(value=4.1, meta={"lastUpdated": "2026-03-09T09:00:00+00:00"}),
            ],
            ["3.1"],
        ),
        (
            [
                lab(status="cancelled", meta={"lastUpdated": "2026-03-09T10:00:00Z"}),
                lab(meta={"lastUpdated": "2026-03-09T09:00:00Z"}),
            ],
            [],
        ),
        (
            [
                lab(id="a", value=3.1, identifier=IDENTIFIER),
                lab(id="b", status="corrected", identifier=IDENTIFIER),
            ],
            ["4.1"],
        ),
        (
            [
                lab(id="a", value=3.1, identifier=IDENTIFIER),
                lab(id="b", status="entered-in-error", identifier=IDENTIFIER),
            ],
            [],
        ),
        (
            [
                lab(id="a", value=3.1, identifier=IDENTIFIER),
                lab(
                    id="b",
                    status="entered-in-error",
                    identifier=IDENTIFIER,
                    code={"text": "Comment"},
                ),
            ],
            ["3.1"],
        ),
        (
            [
                lab(id="a", value=3.1, identifier=IDENTIFIER),
                lab("2951-2", 140, id="b", status="entered-in-error", identifier=IDENTIFIER),
            ],
            ["3.1"],
        ),
        (
            [
                lab(id="a", value=3.1, identifier=IDENTIFIER, status="entered-in-error"),
                lab(id="b", status="corrected", identifier=IDENTIFIER),
            ],
            ["4.1"],
        ),
        (
            [
                lab(id="a", value=3.1, identifier=IDENTIFIER),
                lab(id="b", status="corrected", identifier=[{"system": "urn:x", "value": "77"}]),
            ],
            ["3.1", "4.1"],
        ),
        (
            [
                lab(id="a", value=3.1, identifier=IDENTIFIER),
                lab("2951-2", 140, id="b", status="corrected", identifier=IDENTIFIER),
            ],
            ["3.1"],
        ),
        (
            [
                lab(id="a", value=3.1, identifier=IDENTIFIER),
                lab(id="b", value=3.2, identifier=IDENTIFIER),
            ],
            ["3.1", "3.2"],
        ),
    ],
    ids=[
        "a result that was sent twice counts once",
        "two different finals of one id are both kept: their order is unknown",
        "an amended version replaces its original",
        "an amended version replaces its original, whatever the order",
        "a withdrawn version retracts the result",
        "a withdrawn version retracts an amended one",
        "a withdrawn version without a code retracts the result",
        "a withdrawn other result retracts nothing",
        "the higher version counts",
        "the later update counts, as instants",
        "a later cancelled version withdraws the result",
        "a correction under a new id replaces by identifier",
        "a withdrawal under another id retracts by identifier",
        "a withdrawn comment with the same order number retracts nothing",
        "a withdrawn result of another analyte with the same order number retracts nothing",
        "a correction outlives the withdrawal of what it corrects",
        "another system's identifier is another identifier",
        "an identifier binds only within one analyte",
        "a shared identifier alone replaces nothing",
    ],
)
def test_of_several_versions_only_one_counts(resources, expected) -> None:
    assert values(*resources) == expected
    assert values(*reversed(resources)) == expected


def test_a_final_result_replaces_its_own_preliminary_one() -> None:
    first = lab(id="a", value=6.4, status="preliminary", identifier=IDENTIFIER)
    final = lab(id="b", value=4.4, identifier=IDENTIFIER)
    found = newest(results(first, final), worse=Worse.HIGH)
    assert found.tentative is None
    assert found.result is not None and str(found.result.value.low) == "4.4"


# --- one bad resource never affects the others --------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        lab(id="bad", status=["final"]),
        lab(id="bad", code=7),
        lab(id="bad", code=None),
        lab(id=5, status=None),
        {"resourceType": "Observation"},
        {"resourceType": ["Observation"]},
        "Observation",
        ["Observation"],
        None,
        7,
    ],
    ids=str,
)
def test_one_bad_result_is_one_problem_and_the_others_are_read(bad) -> None:
    reading = results(lab(id="good"), bad)
    assert len(reading.record.problems) == 1
    found = newest(reading)
    assert found.result is not None and found.result.source.reference == "Observation/good"
    assert reading.record.availability[Kind.RESULTS].state is State.GIVEN


@pytest.mark.parametrize(
    "members",
    [
        {"identifier": "77"},
        {"identifier": [None, {"value": 7}]},
        {"meta": "today"},
        {"code": concept("2823-3")["coding"][0]},
        {"code": {"coding": concept("2823-3")["coding"][0]}},
        {"code": {"coding": [None, concept("2823-3")["coding"][0], {"code": 5}]}},
        {"code": [concept("2823-3")]},
        {"subject": "Patient/p1"},
        {"category": 7, "note": "wrong"},
        {"valueQuantity": {"value": 4.1, "unit": "mmol/L", "comparator": None, "system": 8}},
    ],
    ids=str,
)
def test_a_flaw_elsewhere_in_a_result_does_not_lose_its_value(members) -> None:
    reading = results(lab(**members), lab(id="other", effectiveDateTime=OLD))
    found = newest(reading)
    assert found.result is not None and found.result.source.reference == "Observation/o1"
    assert reading.record.problems == ()


def test_bytes_that_are_not_text_lose_only_their_own_entry() -> None:
    page = json.dumps(searchset(lab(id="good"), lab(id="bad", status="@@"))).encode()
    reading = raw_results(page.replace(b"@@", b"\xff\xfe"))
    assert newest(reading).result is not None
    assert kinds(reading) == [("no-status", "Observation/bad")]


def test_the_raw_result_can_be_retrieved_by_its_reference() -> None:
    reading = results(lab(), lab("8302-2", 170, "cm", id="height"))
    assert reading.series["potassium"].newest(Worse.LOW).result is not None
    raw = reading.resources("Observation/o1")
    assert raw is not None and b'"value": 4.1' in raw
    assert reading.resources("Observation/none") is None


# --- pregnancy -------------------------------------------------------------------------

PREGNANT = {"coding": [{"system": SNOMED, "code": "77386006", "display": "Pregnant"}]}
NOT_PREGNANT = {"coding": [{"system": SNOMED, "code": "60001007", "display": "Not pregnant"}]}


def stated(value: object, when: str = "2026-03-01", **more: object) -> dict:
    more = {"valueQuantity": None, "valueCodeableConcept": value} | more
    return lab("82810-3", effectiveDateTime=when, **more)


@pytest.mark.parametrize(
    ("resources", "pregnant"),
    [
        ([stated(PREGNANT)], True),
        ([stated({"coding": [{"system": "http://loinc.org", "code": "LA15173-0"}]})], True),
        ([stated({"text": "Pregnant"})], True),
        ([stated({"text": "positive"})], True),
        ([stated({"text": "yes"})], True),
        ([stated({"text": "Detected"})], True),
        ([stated({"coding": [{"system": "http://loinc.org", "code": "LA6576-8"}]})], True),
        ([stated(None, valueString="Positive")], True),
        ([stated(None, valueString="Weakly positive.")], True),
        ([stated({"text": "Positive"}, specimen={"display": "Urine"})], True),
        ([stated(None, valueString="NEGATIVE")], False),
        ([stated({"text": "Indeterminate"})], False),
        ([stated(PREGNANT), stated({"text": "Inconclusive"}, "2026-03-05", id="o2")], True),
        ([stated({"text": "Not pregnant"})], False),
        ([stated(NOT_PREGNANT)], False),
        ([stated({"text": "unknown"})], False),
        ([stated(PREGNANT, "2025-05-21")], True),
        ([stated(PREGNANT, "2025-05-19")], False),
        ([stated(PREGNANT), stated(NOT_PREGNANT, "2026-03-05", id="o2")], False),
        ([stated(NOT_PREGNANT), stated(PREGNANT, "2026-03-05", id="o2")], True),
        ([stated(NOT_PREGNANT), stated(PREGNANT, id="o2")], True),
        ([stated(PREGNANT, status="preliminary")], False),
        ([stated(PREGNANT, status="entered-in-error")], False),
        ([stated(PREGNANT, subject={"reference": "Patient/p2"})], False),
    ],
    ids=str,
)
def test_a_coded_pregnancy_is_a_condition_for_42_weeks(resources, pregnant) -> None:
    for order in (resources, resources[::-1]):
        reading = results(*order)
        found = [
            condition
            for condition in reading.record.conditions
            if "pregnancy" in condition.concepts
        ]
        assert bool(found) is pregnant
        if pregnant:
            assert found[0].presence is Presence.ACTIVE
            assert found[0].name.startswith("Pregnancy status: ")
            assert found[0].clinical_status == ""


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        (stated(PREGNANT, "2027-01-01"), "future"),
        (stated(PREGNANT, "2026"), "undated"),
        (stated(None), "no-value"),
        (stated(None, valueString="see report"), "no-value"),
        (stated(None, valueDateTime="2026-09"), "no-value"),
    ],
    ids=str,
)
def test_a_statement_of_pregnancy_that_cannot_be_used_is_a_problem(resource, kind) -> None:
    reading = results(resource)
    assert reading.record.conditions == ()
    assert kinds(reading) == [(kind, "Observation/o1")]


@pytest.mark.parametrize(
    ("due", "pregnant"),
    [("2026-09-01", True), ("2026-03-01", True), ("2026-02-01", False), ("2027-06-01", False)],
)
def test_a_due_date_means_pregnancy_until_two_weeks_after_it(due: str, pregnant: bool) -> None:
    reading = results(
        lab("11778-8", effectiveDateTime="2026-02-20", valueQuantity=None, valueDateTime=due)
    )
    found = [
        condition.name
        for condition in reading.record.conditions
        if "pregnancy" in condition.concepts
    ]
    assert found == ([f"Pregnancy: due {due}"] if pregnant else [])
    assert kinds(reading) == []


def test_a_series_for_the_newest_of_many() -> None:
    many = [
        lab(id=f"o{n}", value=3 + n / 10, effectiveDateTime=f"2026-02-{n + 1:02}T08:00:00Z")
        for n in range(20)
    ]
    found = newest(results(*many))
    assert found.result is not None and found.result.source.reference == "Observation/o19"


def test_results_are_read_from_several_pages() -> None:
    pages = delivery(
        Kind.RESULTS, searchset(lab(id="a", effectiveDateTime=OLD)), searchset(lab(id="b"))
    )
    reading = reader().read({Kind.RESULTS: pages}, CALL)
    assert len(reading.series["potassium"]) == 2
    assert reading.entries == 2


def test_results_under_another_prefetch_key_are_read_too() -> None:
    reading = read({Kind.CONDITIONS: searchset(lab())})
    assert newest(reading).result is not None
    assert reading.record.availability[Kind.CONDITIONS].state is State.UNAVAILABLE


@pytest.mark.parametrize(
    "same", [{"id": "o1"}, {"identifier": IDENTIFIER}], ids=["one id", "one identifier"]
)
def test_very_many_results_of_one_name_do_not_take_quadratic_time(same) -> None:
    many = [
        lab(**({"id": f"o{n}", "value": 3 + n / 10_000, "status": "amended"} | same))
        for n in range(4000)
    ]
    started = time.perf_counter()
    assert newest(results(*many)).result is not None
    assert time.perf_counter() - started < 5


def test_of_very_many_versions_the_newest_counts() -> None:
    many = [lab(value=3 + n / 100, meta={"versionId": str(n)}) for n in range(100)]
    assert values(*many[50:], *many[:50]) == ["3.99"]


def panel(status: str = "final", effective: str = "2026-01-05") -> dict[str, object]:
    """A blood count as a parent Observation: a code, a date, and no value."""
    return fhir.lab("58410-2", None, when=effective, id="cbc", status=status)


@pytest.mark.parametrize(
    "inside",
    [
        {"hasMember": [{"reference": "Observation/member"}]},
        {"component": [{"code": {"text": "MCV"}, "valueQuantity": {"value": 90, "unit": "fL"}}]},
    ],
)
def test_a_panel_with_at_least_one_part_done_counts_as_done(inside) -> None:
    reading = results(panel() | inside)
    (done,) = reading.record.performed
    assert done.concepts == {"panel_blood_count"}
    assert done.day.isoformat() == "2026-01-05"
    assert kinds(reading) == []


@pytest.mark.parametrize(
    "observation",
    [
        pytest.param(panel(), id="nothing in it"),
        pytest.param(
            panel() | {"component": [{"code": {"text": "MCV"}, "dataAbsentReason": {"text": "x"}}]},
            id="a part without a value",
        ),
        pytest.param(
            panel()
            | {
                "dataAbsentReason": {"text": "clotted"},
                "hasMember": [{"reference": "Observation/m"}],
            },
            id="not done",
        ),
        pytest.param(panel(status="preliminary"), id="not yet final"),
        pytest.param(panel(status="entered-in-error"), id="withdrawn"),
        pytest.param(panel(effective="2026-04-01"), id="in the future"),
        pytest.param(panel(effective="2026"), id="without a day"),
    ],
)
def test_a_panel_that_does_not_count(observation) -> None:
    assert results(observation).record.performed == ()


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param(
            [lab(value=3.1, meta={"versionId": "9"}), lab(meta={"versionId": "9"})],
            ["3.1", "4.1"],
            id="one version number for two contents gives no order",
        ),
        pytest.param(
            [
                lab(value=3.1, meta={"versionId": "1", "lastUpdated": "2026-03-09T10:00:00Z"}),
                lab(value=3.2, meta={"versionId": "5", "lastUpdated": "2026-03-09T09:00:00Z"}),
                lab(value=3.3, meta={"versionId": "3"}),
            ],
            ["3.1", "3.2", "3.3"],
            id="timestamps that contradict each other in a circle exclude no version",
        ),
        pytest.param(
            [lab(id=None, value=3.1), lab(id=None, value=3.1), lab(), lab()],
            ["3.1", "3.1", "4.1"],
            id="results without an id are never the same result",
        ),
        pytest.param(
            [
                lab(
                    id="a",
                    value=3.1,
                    status="corrected",
                    identifier=IDENTIFIER,
                    meta={"lastUpdated": "2026-03-09T10:00:00Z"},
                ),
                lab(
                    id="b",
                    status="amended",
                    identifier=IDENTIFIER,
                    meta={"lastUpdated": "2026-03-09T11:00:00Z"},
                ),
            ],
            ["4.1"],
            id="the later of two corrections counts",
        ),
        pytest.param(
            [
                lab(id="a", value=3.1, status="corrected", identifier=IDENTIFIER),
                lab(id="b", status="amended", identifier=IDENTIFIER),
            ],
            ["3.1", "4.1"],
            id="two corrections without timestamps are both kept",
        ),
    ],
)
def test_nothing_is_lost_when_versions_cannot_be_ordered(resources, expected) -> None:
    assert values(*resources) == expected
    assert values(*reversed(resources)) == expected


def test_the_cache_of_ranges_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(own_range, "_MOST_RANGES", 1)
    for low in (3.4, 3.5, 3.6):
        found = result(lab(referenceRange=[{"low": {"value": low, "unit": "mmol/L"}}]))
        assert str(found.range_low) == str(low)
    assert len(own_range._RANGES) == 1
