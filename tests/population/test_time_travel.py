"""Only what was known then counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.population.export import (
    Json,
    answers,
    cramps,
    encounter,
    outcome,
    patient,
    potassium,
    quinine,
    write,
)


def told(tmp_path: Path, *resources: Json, **options: Any) -> Json:
    name = f"run{len(list(tmp_path.iterdir()))}"
    source = write(tmp_path / f"{name}-in", patient(), encounter(), *resources)
    return outcome(source, tmp_path / name, **options)


def rows(made: Json) -> list[Json]:
    left_out = {"patient", "encounter", "clinician"}  # each run has its own key
    return [{k: v for k, v in one.items() if k not in left_out} for one in made["evaluations"]]


def caveats(made: Json) -> str:
    return "; ".join(one["kind"] for one in made["caveats"])


BASE = (cramps(), potassium(3.1, "2026-03-01T08:00:00Z"), quinine())


def test_what_was_known_fires(tmp_path: Path) -> None:
    found = answers(told(tmp_path, *BASE))

    assert found["low-potassium"] == "fired"
    assert found["quinine-active"] == "fired"


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
def test_what_came_later_changes_nothing(tmp_path: Path, later: Json) -> None:
    assert rows(told(tmp_path, *BASE)) == rows(told(tmp_path, *BASE, later))


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

    assert answers(told(tmp_path, cramps(), stopped))["quinine-active"] == "fired"


def test_an_earlier_stop_counts(tmp_path: Path) -> None:
    stopped = quinine(status="stopped", statusChanged="2026-03-01T08:00:00Z")

    assert answers(told(tmp_path, cramps(), stopped))["quinine-active"] == "did not fire"


def test_a_stop_at_an_unknown_time_is_a_caveat(tmp_path: Path) -> None:
    made = told(tmp_path, cramps(), quinine(status="stopped"))

    assert answers(made)["quinine-active"] == "did not fire"
    assert "ended at an unknown time" in caveats(made)


def test_a_diagnosis_that_resolved_later_was_active_then(tmp_path: Path) -> None:
    resolved = cramps(
        clinicalStatus={"coding": [{"code": "resolved"}]}, abatementDateTime="2026-05-01"
    )

    made = told(tmp_path, resolved, potassium(3.1, "2026-03-01T08:00:00Z"))
    assert answers(made)["low-potassium"] == "fired"


def test_a_later_death_silences_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "in", patient(deceasedDateTime="2026-06-01"), encounter(), *BASE)

    assert answers(outcome(source, tmp_path / "out"))["quinine-active"] == "fired"


def test_a_discharge_diagnosis_was_not_known_at_the_start(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in", patient(),
        encounter(diagnosis=[{"condition": {"display": "leg cramps"}}]),
    )  # fmt: skip
    before = write(tmp_path / "in2", patient(), encounter())

    with_it, without = outcome(source, tmp_path / "a"), outcome(before, tmp_path / "b")
    assert rows(with_it) == rows(without)


def test_a_day_counts_from_its_end_and_is_a_caveat(tmp_path: Path) -> None:
    made = told(tmp_path, cramps(), potassium(3.1, "2026-03-10", issued=None))

    assert answers(made)["low-potassium"] == "cannot tell"
    assert "by the day only" in caveats(made)


def test_at_a_date_everybody_is_asked_once(tmp_path: Path) -> None:
    made = told(tmp_path, *BASE, at="2026-02-15")

    assert answers(made)["low-potassium"] == "cannot tell"
    assert answers(made)["quinine-active"] == "fired"


def test_the_window_bounds_the_calls(tmp_path: Path) -> None:
    second = encounter("e2", "2026-04-10T09:00:00Z")

    made = told(tmp_path, *BASE, second, start="2026-04-01", end="2026-04-10")
    assert [one["time"].month for one in made["called"]] == [4]


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("later", LATER)
def test_what_came_after_an_order_changes_nothing(tmp_path: Path, hook: str, later: Json) -> None:
    order = {**quinine("2026-03-10T09:00:00Z"), "id": "new"}
    base = (cramps(), potassium(3.1, "2026-03-01T08:00:00Z"), order)
    window = {"at": "orders", "hook": hook, "end": "2026-03-10"}

    before = told(tmp_path, *base, **window)
    assert len(before["called"]) == 1
    assert "fired" in {one["answer"] for one in before["evaluations"]}
    after = told(tmp_path, *base, later, **window)
    assert [{**one, "order": ""} for one in rows(before)] == [
        {**one, "order": ""} for one in rows(after)
    ]


def test_an_order_stopped_later_was_in_force_when_the_next_was_placed(tmp_path: Path) -> None:
    spironolactone = {"medicationCodeableConcept": {"text": "spironolactone 25 MG Oral Tablet"}}
    chloride = {"medicationCodeableConcept": {"text": "potassium chloride 600 MG Oral Tablet"}}
    order = {**quinine("2026-03-10T09:00:00Z"), "id": "new", **chloride}

    def found(**stop: str) -> list[str]:
        taken = quinine(**spironolactone, **stop)
        made = told(tmp_path, cramps(), order, taken, at="orders", start="2026-03-01")
        (hazard,) = [
            one for one in made["evaluations"] if one["rule"] == "potassium-ordered-hazard"
        ]
        return [*hazard["because"], *(one["code"] for one in hazard["facts"])]

    active = found(status="active")
    assert found(status="stopped", statusChanged="2026-04-01T08:00:00Z") == active
    assert found(status="stopped", statusChanged="2026-03-01T08:00:00Z") != active
