"""Every synthetic patient through both services, as a client calls: nothing is lost silently.

Run with -s to see how many cards of each rule the patients got.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.answer.answering import AnsweredCall
from cds_service.answer.checking import flaws
from cds_service.core.facts import Kind, State
from hooks import TOPIC
from tests.scenarios.golden import rules
from tests.scenarios.running import Running, started
from tests.synthea.template import as_stored, date_of, filled
from tests.testing import fhir
from tests.testing.chart import SELECT, VIEW, Chart, dosage
from tests.testing.fhir import Json
from tests.testing.shared_data import shared_path

pytestmark = pytest.mark.shared

COUNTED = ("final", "amended", "corrected", "preliminary")
DRAFTS = {
    "quinine": ("Quinine 325 MG Oral Capsule", "198186"),
    "magnesium": ("Magnesium Oxide 400 MG Oral Tablet", ""),
}


class Clock:
    """A clock that is set for each patient."""

    now: datetime


class Patient:
    """One synthetic patient, as a server stores the data."""

    def __init__(self, path: Path) -> None:
        self.stored = as_stored(json.loads(path.read_bytes()))
        (self.resource,) = self.of("Patient")
        self.newest = max(date_of(resource) for resource in self.stored)

    def of(self, kind: str) -> list[Json]:
        return [resource for resource in self.stored if resource["resourceType"] == kind]

    @property
    def day_after(self) -> datetime:
        """The day after the newest record."""
        return datetime.fromisoformat(self.newest) + timedelta(days=1)


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return [Patient(path) for path in sorted(shared_path("synthea").glob("*.json"))]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = tmp_path_factory.mktemp("synthea") / "records.db"
    with started(database, lambda: clock.now) as service:
        yield service


@pytest.fixture(scope="module")
def assuming(clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service of a site that calls only for patients with cramps."""
    database = tmp_path_factory.mktemp("synthea") / "records.db"
    with started(database, lambda: clock.now, cramps="assumed") as service:
        yield service


@pytest.fixture(scope="module")
def templates(running: Running) -> dict[str, dict[str, str]]:
    """The published templates of each hook."""
    services = running.client.get("/cds-services").get_json()["services"]
    return {each["hook"]: each["prefetch"] for each in services}


def call(
    patient: Patient, templates: dict[str, dict[str, str]], hook: str, draft: str = ""
) -> dict[str, Any]:
    """A call with every template filled; in order-select one draft is selected."""
    identity = patient.resource["id"]
    encounters = sorted(
        patient.of("Encounter"), key=lambda encounter: str(encounter["period"]["start"])
    )
    context = {
        "userId": "Practitioner/1",
        "patientId": identity,
        "encounterId": encounters[-1]["id"],
    }
    if draft:
        text, code = DRAFTS[draft]
        chart = Chart(identity).drafts_drug(text, code, dosageInstruction=dosage(1, "tablet"))
        context |= {key: chart.select()["context"][key] for key in ("selections", "draftOrders")}
    return fhir.call(hook, filled(templates[hook], context, patient.stored), context=context)


def test_every_patient_is_answered_in_both_services(
    patients: list[Patient],
    clock: Clock,
    running: Running,
    assuming: Running,
    templates: dict[str, dict[str, str]],
    tmp_path: Path,
) -> None:
    assert len(patients) == 30
    counts: dict[str, Counter[str]] = {}
    for patient in patients:
        clock.now = patient.day_after
        calls = [
            (running, "patient-view", VIEW, ""),
            (assuming, "patient-view", VIEW, ""),
            *((running, "order-select", SELECT, each) for each in DRAFTS),
        ]
        for service, hook, path, draft in calls:
            response = service.client.post(path, json=call(patient, templates, hook, draft))
            assert response.status_code == 200, response.text
            body = response.get_json()
            assert flaws(body) == []
            what = draft or ("cramps assumed" if service is assuming else "")
            counted = counts.setdefault(f"{hook} {what}".strip(), Counter())
            counted.update([*rules(body["cards"]), "(calls)"])
            counted["(calls without cards)"] += not body["cards"]
            if draft == "quinine" and "deceasedDateTime" not in patient.resource:
                assert "quinine-ordered" in rules(body["cards"])
    text = json.dumps({name: dict(sorted(each.items())) for name, each in counts.items()})
    (tmp_path / "counts.json").write_text(text)
    print(f"\n{json.dumps(json.loads(text), indent=2)}")


def lost(request: dict[str, Any], answer: AnsweredCall) -> list[str]:
    """Resources of the prefetch that neither became facts nor are named by a problem."""
    record, facts = answer.facts.record, answer.facts
    known = {problem.source.reference for problem in answer.problems}
    lists = (record.conditions, record.medications, record.allergies, record.orders)
    known |= {fact.source.reference for each in lists for fact in each}
    for series in facts.series.values():
        # Reads every value, also those that no rule asks for.
        known |= {candidate.answer.source.reference for candidate in series.newest_first()}
        known |= {problem.source.reference for problem in series.undated}
    return [
        reference
        for value in request["prefetch"].values()
        for entry in value.get("entry", ())
        for reference in [f"{entry['resource']['resourceType']}/{entry['resource']['id']}"]
        if reference not in known and not _says_nothing(entry["resource"])
    ]


def _says_nothing(resource: Json) -> bool:
    """Resolved and inactive allergies do not count, and are not facts."""
    status = resource.get("clinicalStatus", {}).get("coding", [{}])[0].get("code")
    return resource["resourceType"] == "AllergyIntolerance" and status in ("inactive", "resolved")


def test_no_resource_is_lost_without_a_problem_naming_it(
    patients: list[Patient], clock: Clock, running: Running, templates: dict[str, dict[str, str]]
) -> None:
    sent: Counter[str] = Counter()
    for patient in patients:
        clock.now = patient.day_after
        for hook, draft in (("patient-view", ""), ("order-select", "quinine")):
            request = call(patient, templates, hook, draft)
            answer = running.answered(request)
            assert {
                kind: answer.facts.availability(kind).state
                for kind in Kind
                if answer.facts.availability(kind).state not in (State.GIVEN, State.NONE)
            } == {}
            assert lost(request, answer) == []
            sent.update(
                entry["resource"]["resourceType"]
                for value in request["prefetch"].values()
                for entry in value.get("entry", ())
            )
    assert sent["Condition"] == 2 * sum(len(each.of("Condition")) for each in patients)
    assert min(sent[kind] for kind in ("Observation", "MedicationRequest")) > 50
    print(f"\nsent: {dict(sent)}")


def test_every_result_is_under_the_analyte_of_its_code(
    patients: list[Patient], clock: Clock, running: Running, templates: dict[str, dict[str, str]]
) -> None:
    by_code = {
        coding.code: analyte
        for analyte in _analytes(running)
        for coding in TOPIC.knowledge.codes(analyte)
    }
    counts: Counter[str] = Counter()
    for patient in patients:
        clock.now = patient.day_after
        request = call(patient, templates, "patient-view")
        answer = running.answered(request)
        expected = Counter(
            by_code[entry["resource"]["code"]["coding"][0]["code"]]
            for entry in request["prefetch"]["results"]["entry"]
            if entry["resource"]["status"] in COUNTED
        )
        assert {key: len(each) for key, each in answer.facts.series.items()} == expected
        counts.update(expected)
    assert {"potassium", "creatinine", "hemoglobin", "glucose"} <= set(counts)
    print(f"\nresults by analyte: {dict(counts)}")


def _analytes(running: Running) -> set[str]:
    return {
        need.analyte
        for service in running.parts.answering.keys
        for rule in running.parts.answering.rules(service)
        for need in rule.needs
        if need.analyte
    }


def test_a_lost_resource_is_detected(
    patients: list[Patient], clock: Clock, running: Running, templates: dict[str, dict[str, str]]
) -> None:
    patient = next(each for each in patients if len(each.of("Condition")) > 1)
    clock.now = patient.day_after
    request = call(patient, templates, "patient-view")
    complete_request = json.loads(json.dumps(request))
    removed = request["prefetch"]["conditions"]["entry"].pop()["resource"]
    assert lost(complete_request, running.answered(request)) == [f"Condition/{removed['id']}"]
