"""Every answer to the scenarios, compared with the specification."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import black_box
from tests.scenarios.conftest import Service
from tests.scenarios.golden import FOLDERS, scenario

OVERRIDE_CODES = {
    "cds-not-applicable", "cds-suboptimal-context", "recipient-disagrees-evidence",
    "recipient-concerns-outcomes", "does-not-align-preferences", "not-convenient-feasible",
    "action-completed", "patient-contraindication", "patient-refuses", "too-costly-uncovered",
    "service-not-available", "recipient-does-not-understand",
}  # fmt: skip
"""https://terminology.hl7.org/ValueSet-non-adherence-reason-clinical"""


@pytest.mark.parametrize("version", ["2.0.1", "3.0"])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_answer_breaks_no_requirement(folder: Path, version: str, service: Service) -> None:
    """SHALL (CDS Service Response, Card Attributes; G3, G4, C0 to C16): what every answer
    must hold."""
    example = scenario(folder)
    running = service(example.as_of, spec_version=version, **example.settings)
    response = running.client.post(example.path, json=example.request)

    if response.status_code == 200:
        assert response.mimetype == "application/json"
        assert black_box.response(response.get_json()) == []
    else:
        assert response.status_code == 412
        assert response.get_json()["resourceType"] == "OperationOutcome"


def test_the_scenarios_produce_every_kind_of_card(service: Service) -> None:
    """SHALL (Suggestion, Action, OverrideReason; C7 to C12): each kind of card is among those
    checked."""
    indicators, actions, empty = set(), set(), False
    for folder in FOLDERS:
        example = scenario(folder)
        body = (
            service(example.as_of, **example.settings)
            .client.post(example.path, json=example.request)
            .get_json()
        )
        cards = body.get("cards", ())
        empty = empty or body == {"cards": []}
        for card in cards:
            indicators.add(card["indicator"])
            codes = {(reason["system"], reason["code"]) for reason in card["overrideReasons"]}
            assert {system for system, _ in codes} == {
                "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
            }
            assert {code for _, code in codes} <= OVERRIDE_CODES
            for suggestion in card.get("suggestions", ()):
                # Epic knows no other; several recommended ones are then allowed.
                assert card["selectionBehavior"] == "any"
                actions |= {action["type"] for action in suggestion["actions"]}

    assert indicators == {"info", "warning", "critical"}
    assert actions == {"create", "delete"}
    assert empty


GOOD: dict[str, Any] = {
    "cards": [
        {
            "uuid": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
            "summary": "s" * 139,
            "detail": "Less than: 3 < 4.",
            "indicator": "info",
            "source": {
                "label": "L",
                "url": "https://a.example",
                "topic": {"code": "c", "system": "urn:s", "display": "d"},
            },
            "selectionBehavior": "any",
            "suggestions": [
                {
                    "label": "S",
                    "uuid": "4e0a3a1e-3283-4575-ab82-028d55fe2710",
                    "actions": [
                        {
                            "type": "create",
                            "description": "D",
                            "resource": {"resourceType": "ServiceRequest"},
                        },
                        {"type": "delete", "description": "D", "resourceId": "A/1"},
                    ],
                }
            ],
            "overrideReasons": [{"code": "c", "system": "urn:s", "display": "d"}],
            "links": [{"label": "L", "url": "https://a.example", "type": "absolute"}],
        }
    ]
}


def changed(place: str, value: Any) -> dict[str, Any]:
    """The good answer with one value replaced: ``cards.0.summary``."""
    answer = deepcopy(GOOD)
    holder: Any = answer
    *steps, last = place.split(".")
    for step in steps:
        holder = holder[int(step)] if step.isdigit() else holder[step]
    holder[int(last) if last.isdigit() else last] = value
    return answer


CARD, SUGGESTION = "cards.0", "cards.0.suggestions.0"


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        (GOOD, []),
        ({"cards": []}, []),
        ({}, ["C0"]),
        ({"cards": {}}, ["C0"]),
        (changed("systemActions", [{"type": "create"}]), ["C11"]),
        (changed(f"{CARD}.uuid", "7"), ["C2"]),
        (changed(f"{SUGGESTION}.uuid", GOOD["cards"][0]["uuid"]), ["C2"]),
        (changed(f"{CARD}.summary", "s" * 140), ["C3"]),
        (changed(f"{CARD}.summary", "two\nlines"), ["C3"]),
        (changed(f"{CARD}.detail", "a <b>bold</b> word"), ["C4"]),
        (changed(f"{CARD}.indicator", "hard-stop"), ["C5"]),
        (changed(f"{CARD}.source.label", 1), ["C6"]),
        (changed(f"{CARD}.source.url", "/relative"), ["C6"]),
        (changed(f"{CARD}.source.topic.version", "1"), ["C16"]),
        (changed(f"{CARD}.selectionBehavior", "all"), ["C7"]),
        (changed(f"{SUGGESTION}.label", 1), ["C9"]),
        (changed(f"{SUGGESTION}.uuid", "7"), ["C9"]),
        (changed(f"{SUGGESTION}.actionSelectionBehavior", "all"), ["R14"]),
        (changed(f"{SUGGESTION}.actions.0.type", "CREATE"), ["C10"]),
        (changed(f"{SUGGESTION}.actions.0.resource", "{}"), ["C10"]),
        (changed(f"{SUGGESTION}.actions.1.resourceId", "https://a.example/A/1"), ["C10"]),
        (changed(f"{SUGGESTION}.actions.1.resource", "A/1"), ["C10"]),
        (changed(f"{SUGGESTION}.actions.1.description", None), ["C10", "G3"]),
        (changed(f"{CARD}.overrideReasons.0", {"code": "c", "system": "urn:s"}), ["C12"]),
        (changed(f"{CARD}.links.0.type", "web"), ["C13"]),
        (changed(f"{CARD}.links.0.appContext", "x"), ["C13"]),
        (changed(f"{CARD}.extension", "text"), ["C15"]),
        (changed(f"{CARD}.links", []), ["G3"]),
        (changed(f"{CARD}.links.0.label", ""), ["G3"]),
    ],
)
def test_the_checker_detects(body: Any, broken: list[str]) -> None:
    """SHALL (Card Attributes; C0 to C16): the checker finds an answer that breaks each
    requirement."""
    assert black_box.response(body) == broken


def test_the_checker_detects_two_recommended_suggestions_when_only_one_may_be_accepted() -> None:
    """SHALL (Suggestion; C8): with at-most-one, no more than one suggestion is recommended."""
    suggestions = [
        {"label": "S", "isRecommended": True, "uuid": f"4e0a3a1e-3283-4575-ab82-028d55fe271{n}"}
        for n in range(2)
    ]
    body = changed(f"{CARD}.suggestions", suggestions)
    assert black_box.response(body) == []
    body["cards"][0]["selectionBehavior"] = "at-most-one"
    assert black_box.response(body) == ["C8"]
