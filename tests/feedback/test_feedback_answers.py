"""What a feedback call may contain, and which place is named if it is invalid."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cds_service.errors import BadRequest, TooLarge
from cds_service.feedback.elements import MOST_ELEMENTS, read_feedback, read_utc_text, utc_text

MISSING = object()


def accepted(**changes: Any) -> dict[str, Any]:
    answer = {
        "card": "4e0a2fb1-6e4b-4f0e-8f5d-3e9f0c6a1b2c",
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": "e56e1945-20b3-4393-8503-a1a20fd73152"}],
        "outcomeTimestamp": "2026-11-22T23:13:39.274Z",
    } | changes
    return {name: value for name, value in answer.items() if value is not MISSING}


def overridden(**changes: Any) -> dict[str, Any]:
    return accepted(outcome="overridden", acceptedSuggestions=MISSING) | changes


def test_the_schema_is_valid() -> None:
    schema = files("cds_service.calls.schemas").joinpath("feedback.schema.json").read_text("utf-8")
    Draft202012Validator.check_schema(json.loads(schema))


def test_feedback_without_elements_is_valid() -> None:
    assert read_feedback({"feedback": []}) == []


def test_every_field_of_feedback_is_read() -> None:
    reason = {"code": "d7ecf885", "system": "https://example.com/reasons", "display": "Known"}
    answers = read_feedback(
        {
            "feedback": [
                accepted(),
                overridden(overrideReason={"reason": reason, "userComment": "Two\nlines"}),
            ],
            "extension": {"vendor": 1},
        }
    )
    assert answers[0].suggestions == ("e56e1945-20b3-4393-8503-a1a20fd73152",)
    assert answers[1].outcome == "overridden"
    assert answers[1][4:8] == ("https://example.com/reasons", "d7ecf885", "Known", "Two\nlines")


@pytest.mark.parametrize(
    "override",
    [
        pytest.param({}, id="empty"),
        pytest.param({"userComment": ""}, id="empty comment"),
    ],
)
def test_an_empty_override_reason_is_not_a_reason(override: dict[str, Any]) -> None:
    [answer] = read_feedback({"feedback": [overridden(overrideReason=override)]})
    assert answer[4:8] == (None, None, None, None)


@pytest.mark.parametrize(
    "override",
    [
        pytest.param({"reason": {"code": "x", "system": "urn:x"}}, id="no display"),
        pytest.param({"reason": {"code": "x"}}, id="no system"),
        pytest.param({"userComment": "Only words"}, id="only a comment"),
        pytest.param({"userComment": "c" * 4000}, id="the longest comment"),
    ],
)
def test_a_reason_may_be_short(override: dict[str, Any]) -> None:
    assert len(read_feedback({"feedback": [overridden(overrideReason=override)]})) == 1


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param("2026-11-22T23:13:39Z", "2026-11-22T23:13:39.000000000Z", id="UTC"),
        pytest.param("2026-11-22t23:13:39z", "2026-11-22T23:13:39.000000000Z", id="small letters"),
        pytest.param(
            "2026-11-22T23:13:39.274Z", "2026-11-22T23:13:39.274000000Z", id="milliseconds"
        ),
        pytest.param(
            "2026-11-22T23:13:39.123456789Z", "2026-11-22T23:13:39.123456789Z", id="nanoseconds"
        ),
        pytest.param(
            "2026-11-23T01:13:39.5+02:00", "2026-11-22T23:13:39.500000000Z", id="east, next day"
        ),
        pytest.param("2026-11-22T17:43:39-05:30", "2026-11-22T23:13:39.000000000Z", id="west"),
        pytest.param("2026-11-22T23:13:39-00:00", "2026-11-22T23:13:39.000000000Z", id="no zone"),
        pytest.param("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000Z", id="leap second"),
    ],
)
def test_times_are_kept_in_utc(sent: str, stored: str) -> None:
    [answer] = read_feedback({"feedback": [accepted(outcomeTimestamp=sent)]})
    assert answer.outcome_at == stored


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("2026-11-22T23:13:39", id="no offset"),
        pytest.param("2026-11-22", id="a date"),
        pytest.param("2026-11-22 23:13:39Z", id="a space"),
        pytest.param("2026-02-30T00:00:00Z", id="no such day"),
        pytest.param("2026-11-22T24:00:00Z", id="no such hour"),
        pytest.param("2026-11-22T23:13:61Z", id="no such second"),
        pytest.param("2026-11-22T23:13:39+24:00", id="no such offset"),
        pytest.param("2026-11-22T23:13:39+01:60", id="no such offset minutes"),
        pytest.param("0001-01-01T00:00:00+01:00", id="before the first year"),
        pytest.param("9999-12-31T23:59:60Z", id="after the last year"),
        pytest.param("2026-11-22T23:13:39Z\n", id="a line break"),
        pytest.param("٢٠٢٦-11-22T23:13:39Z", id="other digits"),
        pytest.param("", id="empty"),
        pytest.param(1763853219, id="a number"),
        pytest.param(None, id="null"),
        pytest.param(MISSING, id="missing"),
    ],
)
def test_an_invalid_time_is_refused_by_name(sent: object) -> None:
    body = {"feedback": [accepted(), overridden(), accepted(outcomeTimestamp=sent)]}
    with pytest.raises(BadRequest) as refused:
        read_feedback(body)
    assert refused.value.where == "feedback[2].outcomeTimestamp"
    assert "RFC 3339" in refused.value.fix


@pytest.mark.parametrize(
    ("element", "where"),
    [
        (accepted(card=MISSING), "feedback[1].card"),
        (accepted(card=""), "feedback[1].card"),
        (accepted(card=7), "feedback[1].card"),
        (accepted(card="x" * 256), "feedback[1].card"),
        (accepted(card="canary\x00"), "feedback[1].card"),
        (accepted(card="canary\n"), "feedback[1].card"),
        (accepted(outcome=MISSING), "feedback[1].outcome"),
        (accepted(outcome="ignored-canary"), "feedback[1].outcome"),
        (accepted(outcome=None), "feedback[1].outcome"),
        (accepted(acceptedSuggestions=MISSING), "feedback[1].acceptedSuggestions"),
        (accepted(acceptedSuggestions=[]), "feedback[1].acceptedSuggestions"),
        (accepted(acceptedSuggestions={"id": "x"}), "feedback[1].acceptedSuggestions"),
        (accepted(acceptedSuggestions=["canary"]), "feedback[1].acceptedSuggestions[0]"),
        (accepted(acceptedSuggestions=[{}]), "feedback[1].acceptedSuggestions[0].id"),
        (accepted(acceptedSuggestions=[{"id": 1}]), "feedback[1].acceptedSuggestions[0].id"),
        (overridden(overrideReason=None), "feedback[1].overrideReason"),
        (overridden(overrideReason="canary"), "feedback[1].overrideReason"),
        (overridden(overrideReason={"reason": {}}), "feedback[1].overrideReason.reason.code"),
        (overridden(overrideReason={"reason": "canary"}), "feedback[1].overrideReason.reason"),
        (
            overridden(overrideReason={"userComment": "canary" + "c" * 4000}),
            "feedback[1].overrideReason.userComment",
        ),
        (
            overridden(overrideReason={"userComment": "canary\ud800"}),
            "feedback[1].overrideReason.userComment",
        ),
        (
            overridden(overrideReason={"userComment": "canary\x00"}),
            "feedback[1].overrideReason.userComment",
        ),
        ("canary", "feedback[1]"),
        (None, "feedback[1]"),
    ],
)
def test_a_bad_element_is_named_and_never_echoed(element: object, where: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_feedback({"feedback": [accepted(), element]})
    assert refused.value.where == where
    assert refused.value.fix
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("body", [None, [], "canary", {}, {"feedback": None}, {"feedback": {}}])
def test_a_body_of_another_shape_is_refused(body: object) -> None:
    with pytest.raises(BadRequest, match="Send") as refused:
        read_feedback(body)
    assert "canary" not in str(refused.value)


def test_too_many_elements_are_refused_as_too_large() -> None:
    with pytest.raises(TooLarge) as refused:
        read_feedback({"feedback": [accepted()] * (MOST_ELEMENTS + 1)})
    assert refused.value.where == "feedback"


def test_a_stored_time_is_read_back() -> None:
    moment = datetime(2026, 11, 22, 23, 13, 39, 274001, tzinfo=UTC)
    assert read_utc_text(utc_text(moment)) == moment
