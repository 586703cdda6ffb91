"""Why a card was overridden, in every shape that EHRs are known to send."""

from __future__ import annotations

import json
import time
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from test_feedback_answers import accepted, overridden

from cds_service.errors import BadRequest, TooLarge
from cds_service.feedback.elements import MOST_SUGGESTIONS, Feedback, read_feedback

SNOMED = "http://snomed.info/sct"
FIRST = {"code": "patient-refuses", "system": "urn:x", "display": "Patient declines"}
SECOND = {"code": "2", "system": SNOMED}
BOTH = (("urn:x", "patient-refuses", "Patient declines"), (SNOMED, "2", None))
ONE = BOTH[:1]
WORDS = "Discussed on the ward"
URL = "https://ehr.example/override"


def _reasons(answer: Feedback) -> tuple[tuple[str | None, str, str | None], ...]:
    if answer.reason_code is None:
        return ()
    first = (answer.reason_system, answer.reason_code, answer.reason_display)
    others = json.loads(answer.more_reasons or "[]")
    return (first, *((reason["system"], reason["code"], reason["display"]) for reason in others))


PLACED: list[tuple[dict[str, Any], object, str | None]] = [
    ({"overrideReason": {"reason": FIRST, "userComment": WORDS}}, ONE, WORDS),
    ({"overrideReason": [{"reason": FIRST}, {"reason": SECOND}]}, BOTH, None),
    ({"overrideReason": FIRST | {"userComment": WORDS}}, ONE, WORDS),
    ({"overrideReasons": {"reason": FIRST, "userComment": WORDS}}, ONE, WORDS),
    ({"overrideReasons": [{"reason": FIRST, "userComment": WORDS}]}, ONE, WORDS),
    ({"overrideReasons": [FIRST, SECOND]}, BOTH, None),
    ({"overrideReasons": [{"reason": FIRST}, {"userComment": WORDS}]}, ONE, WORDS),
    ({"overrideReasons": [{"userComment": "a"}, {"userComment": "b"}]}, (), "a\nb"),
    ({"overrideReasons": []}, (), None),
    ({"overrideReasons": {"reason": [FIRST, SECOND]}}, BOTH, None),
    ({"overrideReasons": [{"reason": {"coding": [FIRST, SECOND], "text": WORDS}}]}, BOTH, WORDS),
    ({"overrideReason": {"reason": FIRST}, "overrideReasons": [FIRST, SECOND]}, BOTH, None),
    ({"overrideReasons": [FIRST], "userComment": WORDS}, ONE, WORDS),
    ({"reason": FIRST, "comment": WORDS}, ONE, WORDS),
]
BY_NAME: list[tuple[dict[str, Any], object, str | None]] = [
    ({"extension": {"com.ehr.cdshooks.override-reason": FIRST}}, ONE, None),
    ({"extension": {"com.ehr.overrideReasons": [{"reason": FIRST}, SECOND]}}, BOTH, None),
    ({"extension": {"com.ehr": {"reason": FIRST, "userComment": WORDS}}}, ONE, WORDS),
    ({"extension": {"com.ehr.answer": FIRST, "com.ehr.user": "u-17"}}, ONE, None),
    ({"extension": {"com.ehr.override-comment": WORDS}}, (), WORDS),
    ({"overrideReason": {"extension": {"com.ehr.x": FIRST}}}, ONE, None),
    ({"overrideReasons": [{"extension": {"com.ehr.x": {"coding": [FIRST]}}}]}, ONE, None),
    ({"overrideReasons": {"reason": SECOND, "extension": {"x": FIRST}}}, BOTH[::-1], None),
    # Extensions for other purposes, which give no reason.
    ({"extension": {"com.ehr.user": {"name": "u-17", "unit": 7}, "n": None}}, (), None),
    ({"overrideReason": {"reason": FIRST}, "extension": {"com.ehr.user": SECOND}}, ONE, None),
]
CONCEPT = {"coding": [FIRST]}
NESTED = {"url": URL, "extension": [{"url": "a", "valueCoding": FIRST}]}
AS_FHIR: list[tuple[dict[str, Any], object, str | None]] = [
    ({"extension": [{"url": f"{URL}-reason", "valueCoding": FIRST}]}, ONE, None),
    (
        {
            "extension": [
                {"url": f"{URL}-reason", "valueCodeableConcept": CONCEPT},
                {"url": f"{URL}-comment", "valueString": WORDS},
            ]
        },
        ONE,
        WORDS,
    ),
    ({"overrideReasons": [{"extension": [NESTED]}]}, ONE, None),
    ({"extension": [NESTED]}, ONE, None),
    ({"extension": [{"url": f"{URL}-reason", "valueCode": "17"}]}, ((None, "17", None),), None),
]


@pytest.mark.parametrize(("fields", "reasons", "comment"), [*PLACED, *BY_NAME, *AS_FHIR])
def test_a_reason_in_any_known_shape_is_stored(
    fields: dict[str, Any], reasons: object, comment: str | None
) -> None:
    [answer] = read_feedback({"feedback": [overridden(**fields)]})
    assert _reasons(answer) == reasons
    assert answer.comment == comment


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"overrideReasons": None}, "overrideReasons"),
        ({"overrideReasons": "canary"}, "overrideReasons"),
        ({"overrideReasons": ["canary"]}, "overrideReasons[0]"),
        ({"overrideReasons": [FIRST, {"canary": "x"}]}, "overrideReasons[1]"),
        ({"overrideReason": {"because": "canary"}}, "overrideReason"),
        ({"overrideReason": {"extension": {"x": 7}}}, "overrideReason"),
        (
            {"overrideReasons": [{"reason": {"display": "canary"}}]},
            "overrideReasons[0].reason.code",
        ),
        ({"overrideReasons": {"reason": [FIRST, {}]}}, "overrideReasons.reason[1].code"),
        ({"overrideReasons": {"reason": {"coding": "canary"}}}, "overrideReasons.reason.coding"),
        ({"overrideReasons": [{"code": "c" * 256}]}, "overrideReasons[0].code"),
        ({"extension": {"ehr.reason": {"code": "canary\x00"}}}, "extension[0].code"),
        ({"userComment": 7}, "userComment"),
        ({"overrideReasons": [{"code": str(n)} for n in range(21)]}, "overrideReasons[20]"),
    ],
)
def test_a_reason_that_cannot_be_read_is_refused_with_its_place(
    fields: dict[str, Any], where: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        read_feedback({"feedback": [accepted(), overridden(**fields)]})
    assert refused.value.where == f"feedback[1].{where}"
    assert refused.value.fix
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [accepted(), [accepted()], {"feedback": accepted()}],
    ids=["one answer", "a bare list", "feedback is one answer"],
)
def test_feedback_is_accepted_in_any_container(body: object) -> None:
    assert read_feedback(body) == read_feedback({"feedback": [accepted()]})


def test_everything_that_the_published_schema_allows_is_read() -> None:
    text = files("cds_service.calls.schemas").joinpath("feedback.schema.json").read_text("utf-8")
    validator = Draft202012Validator(json.loads(text))
    for fields in (
        {},
        {"overrideReason": {}},
        {"overrideReason": {"reason": FIRST, "userComment": WORDS}},
        {"overrideReason": [{"reason": FIRST}]},
        {"overrideReasons": {"reason": FIRST}},
        {"overrideReasons": [{"reason": FIRST}, {"userComment": WORDS}]},
        {"extension": {"com.ehr.reason": FIRST}},
    ):
        body = {"feedback": [overridden(**fields)]}
        assert validator.is_valid(body)
        assert len(read_feedback(body)) == 1


def test_too_many_suggestions_are_refused_as_too_large() -> None:
    many = [{"id": "x"}] * (MOST_SUGGESTIONS + 1)
    with pytest.raises(TooLarge) as refused:
        read_feedback({"feedback": [accepted(acceptedSuggestions=many)]})
    assert refused.value.where == "feedback[0].acceptedSuggestions"


def _largest(answers: int) -> dict[str, Any]:
    """Elements that hold as much as one may: suggestions, reasons and a comment."""
    element = accepted(
        acceptedSuggestions=[{"id": f"{n:036}"} for n in range(MOST_SUGGESTIONS)],
        overrideReasons=[{"reason": {"code": str(n)}} for n in range(20)],
        userComment="c" * 4000,
        extension={"com.ehr.reason": [{"deep": [{"code": "1"}]}] * 50},
    )
    return {"feedback": [element] * answers}


@pytest.mark.parametrize(
    "extension",
    [
        {"n" * 400_000: {str(number): {} for number in range(20_000)}},
        {"url": "u" * 400_000} | {str(number): {} for number in range(20_000)},
        [{"url": "u" * 400_000, "extension": [{}] * 20_000}],
        {"reason": {"reason": {"reason": {"reason": [{"reason": [{}] * 20_000}]}}}},
    ],
    ids=["a long name", "a long url", "a long url of a list", "deep"],
)
def test_a_large_extension_takes_linear_time(extension: object) -> None:
    started = time.process_time()
    [answer] = read_feedback({"feedback": [overridden(extension=extension)]})
    assert answer.reason_code is None
    assert time.process_time() - started < 2


def test_the_name_of_an_extension_is_never_echoed() -> None:
    fields = {"extension": {"canary": {"canary-reason": {"code": 7, "coding": [{"code": ""}]}}}}
    with pytest.raises(BadRequest) as refused:
        read_feedback({"feedback": [overridden(**fields)]})
    assert "canary" not in str(refused.value)


def test_the_time_to_read_feedback_grows_with_its_length() -> None:
    def seconds(answers: int) -> float:
        body = _largest(answers)
        best = float("inf")
        for _ in range(5):
            started = time.process_time()
            read_feedback(body)
            best = min(best, time.process_time() - started)
        return best

    # Sixteen times as much: if the time grew with the square, it would be 256 times as long.
    assert seconds(160) < 16 * 4 * seconds(10)
