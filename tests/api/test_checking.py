"""Every flaw of a response is found and its place named."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.answer.checking import flaws
from tests.api.minimal_service import QUININE, SELECT, VIEW, body, order_body, post, prefetch
from tests.testing import fhir


@pytest.fixture
def answer(client: FlaskClient) -> dict[str, Any]:
    """A valid answer with one card, which offers to remove a draft."""
    response: dict[str, Any] = post(client, SELECT, order_body(QUININE)).get_json()
    return response


def test_a_valid_answer_has_no_flaw(client: FlaskClient, answer: dict[str, Any]) -> None:
    assert flaws(answer) == []
    nothing = post(client, VIEW, body(prefetch=prefetch(results=None))).get_json()
    assert nothing == {"cards": []}
    assert flaws(nothing) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("detail", "Avoid <b>it</b>.", "cards[0].detail: HTML in Markdown", id="HTML"),
        pytest.param("summary", "x" * 200, "cards.0.summary: ", id="a summary that is too long"),
        pytest.param("indicator", "grave", "cards.0.indicator: ", id="an unknown indicator"),
        pytest.param("selectionBehavior", None, "cards[0].selectionBehavior: null", id="null"),
        pytest.param("links", [], "cards[0].links: null or empty", id="an empty list"),
        pytest.param("extension", {}, "cards[0].extension: null or empty", id="an empty object"),
    ],
)
def test_a_flaw_of_a_card_is_named_with_its_place(
    answer: dict[str, Any], name: str, value: object, message: str
) -> None:
    answer["cards"][0][name] = value
    assert any(flaw.startswith(message) for flaw in flaws(answer)), flaws(answer)


def test_a_uuid_used_twice_is_a_flaw(answer: dict[str, Any]) -> None:
    answer["cards"].append(deepcopy(answer["cards"][0]))
    assert flaws(answer) == ["cards: a uuid is used twice"]


def test_an_offered_resource_that_the_models_refuse_is_a_flaw(answer: dict[str, Any]) -> None:
    (action,) = answer["cards"][0]["suggestions"][0]["actions"]
    action["type"] = "create"
    action["resource"] = fhir.order("Magnesium", status="draft", authoredOn="soon")
    faults = [flaw for flaw in flaws(answer) if flaw.startswith("cards[0].suggestions[0]: ")]
    assert len(faults) == 1
    assert "ServiceRequest." in faults[0]
    assert "soon" not in faults[0]
