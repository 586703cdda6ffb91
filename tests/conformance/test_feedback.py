"""Feedback: the payloads of the specification, and payloads that violate it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.feedback.report import report
from tests.api.conftest import service
from tests.api.minimal_service import VIEW, body, issue, post

__all__ = ["service"]
Make = Callable[..., FlaskClient]

ACCEPTED = {
    "card": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": "e56e1945-20b3-4393-8503-a1a20fd73152"}],
    "outcomeTimestamp": "2021-12-11T10:05:31Z",
}
OVERRIDDEN = {
    "card": "f6b95768-b1c8-40dc-8385-bf3504b82ffb",
    "outcome": "overridden",
    "outcomeTimestamp": "2020-12-11T00:00:00Z",
}
WITH_REASON = OVERRIDDEN | {
    "card": "9368d37b-283f-44a0-93ea-547cebab93ed",
    "overrideReason": {
        # No display: the specification's own example has none here.
        "reason": {"code": "d7ecf885", "system": "https://example.com/override-reasons"},
        "userComment": "A comment",
    },
}


@pytest.mark.parametrize(
    "elements",
    [
        [ACCEPTED],
        [OVERRIDDEN],
        [WITH_REASON],
        [ACCEPTED, OVERRIDDEN, WITH_REASON],
        [OVERRIDDEN | {"outcomeTimestamp": "2020-12-11T01:00:00.274+01:00"}],
        [OVERRIDDEN, OVERRIDDEN | {"outcomeTimestamp": "2020-12-12T00:00:00Z"}],
        [],
    ],
)
def test_the_feedback_examples_of_the_specification_are_stored(
    service: Make, elements: list[dict[str, Any]]
) -> None:
    """SHALL (Feedback; F1 to F4): accepted, overridden with and without a reason."""
    client = service()

    response = post(client, f"{VIEW}/feedback", {"feedback": elements})

    assert (response.status_code, response.get_json()) == (200, {})
    database = client.application.extensions["cds_parts"].records.database
    assert report(database).total == len(elements)


def without(element: dict[str, Any], name: str) -> dict[str, Any]:
    changed = deepcopy(element)
    del changed[name]
    return changed


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ([], ""),
        ("accepted", ""),
        ({}, "feedback"),
        ({"feedback": "accepted"}, "feedback"),
        ({"feedback": without(ACCEPTED, "card")}, "feedback.card"),
        ([ACCEPTED, without(ACCEPTED, "card")], "[1].card"),
        (without(ACCEPTED, "outcomeTimestamp"), "outcomeTimestamp"),
        ({"feedback": [without(ACCEPTED, "card")]}, "feedback[0].card"),
        ({"feedback": [ACCEPTED | {"outcome": "ignored"}]}, "feedback[0].outcome"),
        (
            {"feedback": [without(ACCEPTED, "acceptedSuggestions")]},
            "feedback[0].acceptedSuggestions",
        ),
        ({"feedback": [without(ACCEPTED, "outcomeTimestamp")]}, "feedback[0].outcomeTimestamp"),
        (
            {"feedback": [OVERRIDDEN, ACCEPTED | {"outcomeTimestamp": "yesterday"}]},
            "feedback[1].outcomeTimestamp",
        ),
    ],
)
def test_feedback_that_violates_the_specification_is_400_and_nothing_is_stored(
    service: Make, content: Any, place: str
) -> None:
    """SHALL (Feedback; F2, F5): what an element must have; `ignored` is never sent."""
    client = service()

    response = post(client, f"{VIEW}/feedback", content)

    assert response.status_code == 400
    assert issue(response).get("expression", [""])[0] == place
    assert report(client.application.extensions["cds_parts"].records.database).total == 0


def test_feedback_with_the_id_of_a_card_is_counted_for_its_rule(service: Make) -> None:
    """MAY (Card Attributes, Feedback; C2): a card's `uuid` is what feedback names."""
    client = service()
    (card,) = post(client, VIEW, body()).get_json()["cards"]

    post(client, f"{VIEW}/feedback", {"feedback": [OVERRIDDEN | {"card": card["uuid"]}]})

    parts = client.application.extensions["cds_parts"]
    (counted,) = [row for row in report(parts.records.database).rules if row.overridden]
    assert counted.id == "low-potassium"


def test_feedback_is_for_services_that_exist(service: Make, tmp_path: Path) -> None:
    """SHALL (Feedback; F1): feedback is sent to the service that made the card."""
    response = post(service(), "/cds-services/other/feedback", {"feedback": []})

    assert response.status_code == 404
