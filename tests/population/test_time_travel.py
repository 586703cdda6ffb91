"""Only what was known at the time counts; whole runs where a request refers to its Medication."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.population.export import (
    Json,
    answers,
    cramps,
    encounter,
    evaluated,
    outcome,
    patient,
    potassium,
    quinine,
    write,
)
from tests.testing import fhir


def evaluated_export(tmp_path: Path, *resources: Json, **options: Any) -> Json:
    source = tmp_path / f"export{len(list(tmp_path.iterdir()))}"
    return evaluated(write(source, patient(), encounter(), *resources), **options)


def rows(result: Json) -> list[Json]:
    ignored = {"patient", "encounter", "clinician"}  # each run has its own key
    return [{k: v for k, v in row.items() if k not in ignored} for row in result["evaluations"]]


def caveats(result: Json) -> str:
    return "; ".join(caveat["kind"] for caveat in result["caveats"])


BASE = (cramps(), potassium(3.1, "2026-03-01T08:00:00Z"), quinine())


def test_rules_fire_on_what_was_known(tmp_path: Path) -> None:
    answered = answers(evaluated_export(tmp_path, *BASE))

    assert answered["low-potassium"] == "fired"
    assert answered["quinine-active"] == "fired"


LATER = [
    pytest.param(potassium(6.9, "2026-03-11T08:00:00Z", name="k2"), id="taken later"),
    pytest.param(
        potassium(6.9, "2026-03-10T08:00:00Z", "2026-03-10T10:00:00Z", name="k2"),
        id="issued later",
    ),
    pytest.param(
        cramps("2026-03-10T09:30:00Z", id="ckd", code={"text": "end stage renal disease"},
               onsetDateTime="2020-01-01"),
        id="recorded later, although it began earlier",
    ),
    pytest.param(
        {**quinine("2026-03-12T08:00:00Z"), "id": "m2",
         "medicationCodeableConcept": {"text": "furosemide 40 MG Oral Tablet"}},
        id="prescribed later",
    ),
]  # fmt: skip


@pytest.mark.parametrize("later", LATER)
def test_later_data_change_nothing(tmp_path: Path, later: Json) -> None:
    assert rows(evaluated_export(tmp_path, *BASE)) == rows(evaluated_export(tmp_path, *BASE, later))


@pytest.mark.parametrize(
    "stop",
    [
        {"statusChanged": "2026-04-01T08:00:00Z"},
        {"dispenseRequest": {"validityPeriod": {"end": "2026-04-01T08:00:00Z"}}},
        {"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "2026-04-01"}}}}]},
        {"statusHistory": [{"status": "stopped", "period": {"start": "2026-04-01"}}]},
    ],
)
def test_a_later_stop_changes_nothing(tmp_path: Path, stop: Json) -> None:
    stopped = quinine(status="stopped", **stop)

    assert answers(evaluated_export(tmp_path, cramps(), stopped))["quinine-active"] == "fired"


def test_an_earlier_stop_counts(tmp_path: Path) -> None:
    stopped = quinine(status="stopped", statusChanged="2026-03-01T08:00:00Z")

    assert (
        answers(evaluated_export(tmp_path, cramps(), stopped))["quinine-active"] == "did not fire"
    )


def test_a_stop_at_an_unknown_time_is_a_caveat(tmp_path: Path) -> None:
    result = evaluated_export(tmp_path, cramps(), quinine(status="stopped"))

    assert answers(result)["quinine-active"] == "did not fire"
    assert "ended at an unknown time" in caveats(result)


def test_a_diagnosis_that_resolved_later_was_active_then(tmp_path: Path) -> None:
    resolved = cramps(
        clinicalStatus={"coding": [{"code": "resolved"}]}, abatementDateTime="2026-05-01"
    )

    result = evaluated_export(tmp_path, resolved, potassium(3.1, "2026-03-01T08:00:00Z"))
    assert answers(result)["low-potassium"] == "fired"


def test_a_later_death_suppresses_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "in", patient(deceasedDateTime="2026-06-01"), encounter(), *BASE)

    assert answers(evaluated(source))["quinine-active"] == "fired"


def test_a_discharge_diagnosis_was_not_known_at_the_start(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in", patient(),
        encounter(diagnosis=[{"condition": {"display": "leg cramps"}}]),
    )  # fmt: skip
    before = write(tmp_path / "in2", patient(), encounter())

    with_diagnosis, without = evaluated(source), evaluated(before)
    assert rows(with_diagnosis) == rows(without)


def test_a_day_counts_from_its_end_and_is_a_caveat(tmp_path: Path) -> None:
    result = evaluated_export(tmp_path, cramps(), potassium(3.1, "2026-03-10", issued=None))

    assert answers(result)["low-potassium"] == "cannot tell"
    assert "by the day only" in caveats(result)


def test_at_a_date_every_patient_is_evaluated_once(tmp_path: Path) -> None:
    result = evaluated_export(tmp_path, *BASE, at="2026-02-15")

    assert answers(result)["low-potassium"] == "cannot tell"
    assert answers(result)["quinine-active"] == "fired"


def test_the_window_bounds_the_calls(tmp_path: Path) -> None:
    second = encounter("e2", "2026-04-10T09:00:00Z")

    result = evaluated_export(tmp_path, *BASE, second, start="2026-04-01", end="2026-04-10")
    assert [call["time"].month for call in result["called"]] == [4]


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("later", LATER)
def test_data_after_an_order_change_nothing(tmp_path: Path, hook: str, later: Json) -> None:
    order = {**quinine("2026-03-10T09:00:00Z"), "id": "new"}
    base = (cramps(), potassium(3.1, "2026-03-01T08:00:00Z"), order)
    window = {"at": "orders", "hook": hook, "end": "2026-03-10"}

    before = evaluated_export(tmp_path, *base, **window)
    assert len(before["called"]) == 1
    assert "fired" in {row["answer"] for row in before["evaluations"]}
    after = evaluated_export(tmp_path, *base, later, **window)
    assert [{**row, "order": ""} for row in rows(before)] == [
        {**row, "order": ""} for row in rows(after)
    ]


def test_an_order_stopped_later_was_in_force_when_the_next_was_placed(tmp_path: Path) -> None:
    spironolactone = {"medicationCodeableConcept": {"text": "spironolactone 25 MG Oral Tablet"}}
    chloride = {"medicationCodeableConcept": {"text": "potassium chloride 600 MG Oral Tablet"}}
    order = {**quinine("2026-03-10T09:00:00Z"), "id": "new", **chloride}

    def shown(**stop: str) -> list[str]:
        drug = quinine(**spironolactone, **stop)
        result = evaluated_export(tmp_path, cramps(), order, drug, at="orders", start="2026-03-01")
        (hazard,) = [
            row for row in result["evaluations"] if row["rule"] == "potassium-ordered-hazard"
        ]
        return [*hazard["because"], *(fact["code"] for fact in hazard["facts"])]

    active = shown(status="active")
    assert shown(status="stopped", statusChanged="2026-04-01T08:00:00Z") == active
    assert shown(status="stopped", statusChanged="2026-03-01T08:00:00Z") != active


@pytest.fixture(params=["America/New_York", "Asia/Tokyo", "UTC"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is in one of these time zones."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


WHEN = (
    ("2026-03-10T09:00:00", "2026-03-10T10:00:00", "cannot tell"),
    ("2026-03-10T09:00:00", "2026-03-10T08:00:00", "fired"),
    ("2026-03-10T08:00:00", "2026-03-09", "fired"),
    ("2026-03-10T22:00:00", "2026-03-10", "cannot tell"),
    ("2026-03-10", "2026-03-10T12:30:00", "cannot tell"),
    ("2026-07-10", "2026-07-10T11:30:00", "fired"),  # in summer time
    ("2026-01-10", "2026-01-10T11:30:00", "fired"),
)
"""The start of an encounter, when potassium was taken, and the answer to its being low."""


@pytest.mark.usefixtures("zone")
def test_dates_without_an_offset_are_in_the_time_zone_of_the_call(tmp_path: Path) -> None:
    for number, (start, drawn_at, _) in enumerate(WHEN):
        name = f"p{number}"
        visit = encounter(f"e{number}", of=name, period={"start": start})
        low = potassium(3.1, drawn_at, name=f"k{number}", of=name)
        write(tmp_path / "in", patient(name), visit, cramps("2025-12-01", of=name), low)

    summary = outcome(tmp_path / "in", tmp_path / "out", identified=True)
    answered = {
        row["patient"]: row["answer"]
        for row in summary["evaluations"]
        if row["rule"] == "low-potassium"
    }
    assert answered == {f"p{number}": answer for number, (*_, answer) in enumerate(WHEN)}


@pytest.mark.parametrize("status", ["on-hold", "suspended", "entered-in-error"])
@pytest.mark.parametrize(
    ("set_at", "answer"),
    [
        ({"statusChanged": "2026-04-01T08:00:00Z"}, "fired"),
        ({"statusChanged": "2026-03-01T08:00:00Z"}, "did not fire"),
        ({"dispenseRequest": {"validityPeriod": {"end": "2026-12-31"}}}, "did not fire"),
        ({}, "did not fire"),
    ],
)
def test_entries_put_on_hold_or_deleted_later_were_in_force(
    tmp_path: Path, status: str, set_at: Json, answer: str
) -> None:
    result = evaluated_export(tmp_path, cramps(), quinine(status=status, **set_at))

    assert answers(result)["quinine-active"] == answer
    assert ("on hold or entered in error since an unknown" in caveats(result)) == (
        "statusChanged" not in set_at
    )


def test_a_planned_end_is_not_the_stop_if_the_entry_changed_before(
    tmp_path: Path,
) -> None:
    planned = {"dispenseRequest": {"validityPeriod": {"end": "2026-12-31"}}}

    stopped = quinine(status="stopped", meta={"lastUpdated": "2026-03-01T08:00:00Z"}, **planned)
    assert (
        answers(evaluated_export(tmp_path, cramps(), stopped))["quinine-active"] == "did not fire"
    )


FIRST = potassium(3.1, "2026-03-01T08:00:00Z", meta={"lastUpdated": "2026-03-01T09:00:00Z"})


@pytest.mark.parametrize(
    ("issued", "answer"),
    [("2026-03-12T08:00:00Z", "fired"), ("2026-03-05T08:00:00Z", "did not fire")],
)
def test_a_correction_counts_from_when_it_was_issued(
    tmp_path: Path, issued: str, answer: str
) -> None:
    corrected = potassium(
        4.4, "2026-03-01T08:00:00Z", issued, status="corrected", meta={"lastUpdated": issued}
    )

    result = evaluated_export(tmp_path, cramps(), corrected, FIRST)
    assert answers(result)["low-potassium"] == answer
    assert "its earlier versions are not in the export" not in caveats(result)


@pytest.mark.parametrize(
    "deleted",
    [
        potassium(3.1, "2026-03-01T08:00:00Z", status="entered-in-error"),
        cramps(id="x", verificationStatus={"coding": [{"code": "entered-in-error"}]}),
        cramps(id="x", verificationStatus={"coding": [{"code": "refuted"}]}),
    ],
)
def test_an_entry_deleted_at_an_unknown_time_is_a_caveat(tmp_path: Path, deleted: Json) -> None:
    assert "entered in error or refuted at an unknown time" in caveats(
        evaluated_export(tmp_path, deleted)
    )


def test_a_death_dated_by_the_year_is_a_caveat(tmp_path: Path) -> None:
    source = write(tmp_path / "in", patient(deceasedDateTime="2026"), encounter(), *BASE)

    result = evaluated(source)
    assert answers(result)["quinine-active"] == "fired"
    assert "deceased at an unknown time" in caveats(result)


DRUG = fhir.product("quinine sulfate 300 MG Oral Tablet", "d1")


@pytest.mark.parametrize("more", [{}, {"status": "stopped", "statusChanged": "2026-03-01"}])
def test_a_medication_is_not_included_if_its_request_was_not_in_force(
    tmp_path: Path, more: Json
) -> None:
    by_name = {
        "medicationCodeableConcept": None,
        "medicationReference": {"reference": "Medication/d1"},
    }
    request = quinine("2026-02-01" if more else "2026-05-01", **by_name, **more)

    source = write(tmp_path / "in", patient(), encounter(), cramps(), DRUG, request)
    summary = outcome(source, tmp_path / "out")
    assert summary["called"][0]["problems"] == []


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_draft_is_judged_with_the_drug_that_it_references(tmp_path: Path, hook: str) -> None:
    by_name = {
        "medicationCodeableConcept": None,
        "medicationReference": {"reference": "Medication/d1"},
    }
    order = quinine("2026-03-10T09:00:00Z", **by_name)

    source = write(tmp_path / "in", patient(), encounter(), cramps(), DRUG, order)
    summary = outcome(source, tmp_path / "out", at="orders", hook=hook)
    assert answers(summary)["quinine-ordered"] == "fired"
    assert summary["called"][0]["problems"] == []


@pytest.mark.parametrize(("fluid", "fired"), [("Serum", True), ("Urine", False)])
def test_a_result_is_read_with_its_specimen(tmp_path: Path, fluid: str, fired: bool) -> None:
    low = potassium(2.4, "2026-03-01T08:00:00Z", specimen={"reference": "Specimen/s1"})
    low["code"] = {"coding": [{"system": "urn:oid:1.2", "code": "K", "display": "Potassium"}]}
    sample = fhir.specimen(fluid, subject=fhir.subject())

    result = evaluated_export(tmp_path, cramps(), low, sample)

    assert (answers(result)["low-potassium"] == "fired") is fired
    assert "Specimen" not in caveats(result)


@pytest.mark.parametrize(
    ("more", "reported"),
    [({}, True), ({"category": [{"text": "Radiology"}]}, False), ({"conclusion": ""}, False)],
    ids=["of a laboratory", "of another department", "saying nothing"],
)
@pytest.mark.parametrize("when", ["2026-03-05T08:00:00Z", "2026-03-20T08:00:00Z"])
def test_a_laboratory_report_in_words_is_reported_once_it_was_known(
    tmp_path: Path, more: Json, reported: bool, when: str
) -> None:
    report = fhir.report(
        code=None, effectiveDateTime=when, issued=when, conclusion="Potassium 2.4 mmol/L"
    )

    result = evaluated_export(
        tmp_path, cramps(), potassium(4.1, "2026-02-01T08:00:00Z"), report | more
    )

    problems = {problem["kind"] for problem in result["called"][0]["problems"]}
    assert ("report" in problems) is (reported and when < "2026-03-10")
