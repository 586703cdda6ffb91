"""Prefetch keys of the client's own: whatever holds data of a kind is read or reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cds_service.answer.answering import AnsweredCall
from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.core.facts import Kind, State
from cds_service.errors import TooLarge
from cds_service.settings import Settings
from cds_service.sources.own_keys import own_keys
from tests.testing import fhir
from tests.testing.fhir import searchset

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOW = fhir.lab("2823-3", 2.3, "mmol/L", "2026-11-22T08:00:00Z", id="k")
QUININE = fhir.prescription("Quinine sulfate 324 MG Oral Capsule", id="q")
SPECIMEN = fhir.specimen("Urine", "s")
MEDICATION = fhir.product("Quinine sulfate 324 MG")
TASK = fhir.resource("Task", id="t")

AnswerTo = Callable[..., AnsweredCall]


@pytest.fixture(scope="module")
def answer_to(tmp_path_factory: pytest.TempPathFactory) -> AnswerTo:
    """The answer to a call with these prefetch keys and the patient."""
    folder: Path = tmp_path_factory.mktemp("own-keys")
    parts = make_parts(Settings(database_url=f"sqlite:///{folder}/records.db"))

    def answer(**prefetch: Any) -> AnsweredCall:
        patient = fhir.patient("p1", born="1960-01-01")
        call = fhir.call("patient-view", {"patient": patient} | prefetch)
        return ask(parts, json.dumps(call).encode(), NOW)

    return answer


def nested(value: Any, depth: int, wrap: Callable[[Any], Any]) -> Any:
    for _ in range(depth):
        value = wrap(value)
    return value


def rules(answered: AnsweredCall) -> set[str]:
    return {card.rule.id for card in answered.cards}


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda resource: [resource], id="a list"),
        pytest.param(lambda resource: [searchset(), resource], id="a list with a Bundle beside it"),
        pytest.param(
            lambda resource: [searchset(resource), searchset(TASK)], id="a list of Bundles"
        ),
        pytest.param(lambda resource: searchset(searchset(resource)), id="a Bundle in a Bundle"),
        pytest.param(
            lambda resource: searchset(TASK, searchset(TASK, resource)), id="beside tasks"
        ),
        pytest.param(lambda resource: nested(resource, 4, searchset), id="Bundles, four deep"),
        pytest.param(
            lambda resource: nested(resource, 4, lambda inner: [inner]), id="lists, four deep"
        ),
        pytest.param(lambda resource: [json.dumps(resource)], id="text in a list"),
        pytest.param(
            lambda resource: {"data": json.dumps(searchset(resource))}, id="text, wrapped"
        ),
        pytest.param(
            lambda resource: [{"resource": resource, "fullUrl": "urn:x"}], id="a list of entries"
        ),
        pytest.param(lambda resource: searchset(entry=[resource]), id="no entries"),
        pytest.param(
            lambda resource: searchset(entry={"resource": resource}),
            id="one entry",
        ),
        pytest.param(
            lambda resource: searchset(entry=[None, {"resource": resource}]),
            id="an entry that is null",
        ),
        pytest.param(
            lambda resource: searchset({"resourceType": 5}, resource), id="a type that is a number"
        ),
    ],
)
@pytest.mark.parametrize(
    ("resource", "rule"), [(LOW, "low-potassium"), (QUININE, "quinine-active")], ids=["lab", "drug"]
)
def test_every_shape_that_is_read_elsewhere_is_read_here(
    answer_to: AnswerTo, shape: Callable[[Any], Any], resource: dict[str, Any], rule: str
) -> None:
    given = shape(resource | {"subject": {"reference": "Patient/p1"}})
    assert rule in rules(answer_to(theirs=given))
    empty = searchset()
    assert rule in rules(answer_to(results=empty, medicationRequests=empty, theirs=given))


CONDITION = fhir.resource("Condition", id="c", code=fhir.concept("Cirrhosis"))


@pytest.mark.parametrize(
    ("given", "reason", "place"),
    [
        (nested(CONDITION, 5, searchset), "Bundles are nested too deeply", "entry[0] entry[0]"),
        (nested(CONDITION, 20, searchset), "Bundles are nested too deeply", "entry[0] entry[0]"),
        (
            nested(CONDITION, 5, lambda resource: [resource]),
            "it is not a FHIR resource",
            "[0] [0] [0] [0]",
        ),
        (
            [QUININE, nested(CONDITION, 4, lambda resource: [resource])],
            "it is not a FHIR resource",
            "[1] [0] [0]",
        ),
        ({"a": CONDITION, "b": searchset(CONDITION)}, "it has no resourceType", "prefetch"),
        ({"data": [CONDITION]}, "it has no resourceType", "prefetch"),
        (
            searchset(entry=None, resources=[CONDITION]),
            "it contains resources, but not as entries",
            "prefetch",
        ),
        (
            fhir.resource("Parameters", parameter=[{"name": "a", "resource": CONDITION}]),
            "other resources were sent instead: Parameters",
            "prefetch",
        ),
        (
            searchset(fhir.resource("Parameters", parameter=[{"resource": CONDITION}])),
            "other resources were sent instead: Parameters",
            "prefetch",
        ),
        (searchset(entry=[[CONDITION]]), "it is not an entry", "entry[0]"),
    ],
)
@pytest.mark.parametrize("ours", [{}, {"conditions": None}, {"conditions": searchset()}])
def test_what_cannot_be_read_is_reported_with_its_place_and_is_not_none(
    answer_to: AnswerTo, given: Any, reason: str, place: str, ours: dict[str, Any]
) -> None:
    answered = answer_to(theirs=given, **ours)
    assert answered.facts.availability(Kind.CONDITIONS).state is State.UNAVAILABLE
    problems = (problem for problem in answered.facts.problems() if problem.about == "conditions")
    problem = next(each for each in problems if each.reason == reason)
    assert place in problem.source.reference.replace("prefetch.conditions page 2", "prefetch")
    assert not answered.facts.could_be_read(Kind.CONDITIONS)
    assert "data-not-usable" in rules(answered)


@pytest.mark.parametrize(
    "given",
    [
        searchset(TASK, searchset(TASK, fhir.resource("DocumentReference"))),
        [TASK, fhir.resource("QuestionnaireResponse", contained=[CONDITION])],
        [1, "text", None, {}, []],
        fhir.resource("Parameters", parameter=[{"name": "a", "resource": TASK}]),
        {"config": {"a": TASK, "b": 1}},
        'text with "resourceType": "Condition" in it',
        [],
        searchset(),
    ],
)
def test_what_holds_nothing_of_a_kind_makes_nothing_incomplete(
    answer_to: AnswerTo, given: Any
) -> None:
    empty = dict.fromkeys(
        ("results", "conditions", "medicationRequests", "medicationStatements", "orders")
    )
    answered = answer_to(theirs=given, **empty)
    assert not answered.facts.problems()
    for kind in (Kind.RESULTS, Kind.CONDITIONS, Kind.MEDICATIONS, Kind.ORDERS):
        assert answered.facts.availability(kind).state is State.NONE
    assert own_keys([json.dumps(given).encode()]).deliveries == {}


@pytest.mark.parametrize(
    "shape",
    [
        lambda resource: resource,
        lambda resource: [resource],
        searchset,
        lambda resource: searchset(searchset(resource, TASK)),
    ],
)
@pytest.mark.parametrize("key", ["results", "labs"])
def test_a_specimen_alone_counts_for_the_results_that_refer_to_it(
    answer_to: AnswerTo, shape: Callable[[Any], Any], key: str
) -> None:
    subject = {"subject": {"reference": "Patient/p1"}}
    urine = LOW | subject | {"specimen": {"reference": "Specimen/s"}}
    assert "low-potassium" in rules(answer_to(**{key: searchset(urine)}))
    answered = answer_to(**{key: searchset(urine)}, theirs=shape(SPECIMEN | subject))
    assert "low-potassium" not in rules(answered)
    assert [problem.kind for problem in answered.facts.problems()] == ["specimen"]


@pytest.mark.parametrize(
    "shape",
    [
        lambda resource: resource,
        lambda resource: [resource],
        searchset,
        lambda resource: searchset(searchset(resource, SPECIMEN)),
    ],
)
@pytest.mark.parametrize("key", ["medicationRequests", "medicationStatements", "drugs"])
def test_a_medication_alone_counts_for_the_requests_that_refer_to_it(
    answer_to: AnswerTo, shape: Callable[[Any], Any], key: str
) -> None:
    kind = "MedicationStatement" if key == "medicationStatements" else "MedicationRequest"
    request = fhir.prescription(
        None, id="q", resourceType=kind, medicationReference={"reference": "Medication/m"}
    )
    assert "quinine-active" not in rules(answer_to(**{key: searchset(request)}))
    answered = answer_to(**{key: searchset(request)}, theirs=shape(MEDICATION))
    assert "quinine-active" in rules(answered)
    assert not answered.facts.problems()


@pytest.mark.parametrize("ours", [None, searchset()], ids=["null", "empty"])
def test_what_nothing_refers_to_makes_nothing_incomplete(answer_to: AnswerTo, ours: Any) -> None:
    keys = ("results", "medicationRequests", "medicationStatements")
    answered = answer_to(theirs=[SPECIMEN, MEDICATION], **dict.fromkeys(keys, ours))
    for kind in (Kind.RESULTS, Kind.MEDICATIONS, Kind.STATEMENTS):
        assert answered.facts.availability(kind).state is State.NONE
    assert not answered.facts.problems()


def test_a_bundle_of_which_nothing_is_left_out_is_passed_on_unchanged() -> None:
    page = json.dumps(searchset(LOW, searchset(QUININE)), indent=1).encode()
    deliveries = own_keys([page]).deliveries
    assert deliveries[Kind.RESULTS].pages == deliveries[Kind.MEDICATIONS].pages == (page,)


@pytest.mark.parametrize(
    "values",
    [
        [b'[{"resourceType":"Task"}' + b",{}" * 50_000 + b"]"],
        [b'{"resourceType":"Bundle","entry":[{"resourceType":"Task"}' + b",{}" * 50_000 + b"]}"],
        [b'[[{"resourceType":"Task"}' + b",{}" * 30_000 + b"]]"] * 2,
    ],
    ids=["a list", "a Bundle", "two values"],
)
def test_more_entries_than_are_read_are_refused(values: list[bytes]) -> None:
    with pytest.raises(TooLarge, match="more than 50,000 entries"):
        own_keys(values)
