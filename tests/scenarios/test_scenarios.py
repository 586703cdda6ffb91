"""Every folder of fixtures/scenarios, from the request to the cards, as a client asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.answer.checking import flaws
from hooks import TOPIC
from tests.scenarios.conftest import Service
from tests.scenarios.golden import FOLDERS, differences, scenario

CARD = {"rule", "indicator", "summary", "offers", "removes", "says", "does_not_say"}


def test_each_folder_has_a_request_the_expected_answer_and_the_reason() -> None:
    for folder in FOLDERS:
        files = {file.name for file in folder.iterdir()}
        assert files == {"request.json", "expected.json", "why.md"}, folder
        assert len((folder / "why.md").read_text(encoding="utf-8").split()) >= 5, folder


def test_expectations_have_no_unknown_keys() -> None:
    for folder in FOLDERS:
        expected = scenario(folder).expected
        known = {"as_of", "settings", "answers", "cards", "status", "says"}
        assert set(expected) <= known, folder
        assert ("cards" in expected) != ("status" in expected), folder
        for card in expected.get("cards", ()):
            assert {"rule", "indicator"} <= set(card) <= CARD, folder


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_answer_is_as_expected(folder: Path, service: Service) -> None:
    example = scenario(folder)
    client = service(example.as_of, **example.settings).client
    response = client.post(example.path, json=example.request)
    status = example.expected.get("status", 200)
    assert response.status_code == status, response.text
    body = response.get_json()
    if status != 200:
        assert body["resourceType"] == "OperationOutcome"
        assert [text for text in example.expected["says"] if text not in response.text] == []
        return
    assert flaws(body) == []
    assert differences(body["cards"], example.expected["cards"]) == []


TRACED = [folder for folder in FOLDERS if scenario(folder).expected.get("answers")]


@pytest.mark.parametrize("folder", TRACED, ids=lambda folder: folder.name)
def test_rules_that_do_not_fire_give_the_right_reason(folder: Path, service: Service) -> None:
    example = scenario(folder)
    trace = service(example.as_of, **example.settings).answered(example.request).trace
    answers = {traced.rule: traced.answer for traced in trace}
    assert {rule: answers[rule] for rule in example.expected["answers"]} == example.expected[
        "answers"
    ]


def test_every_rule_has_a_scenario_in_which_it_fires() -> None:
    spoken = {
        card["rule"] for folder in FOLDERS for card in scenario(folder).expected.get("cards", ())
    }
    assert {rule.id for rule in TOPIC.rules} - spoken == set()


def test_a_wrong_expectation_is_detected() -> None:
    card: dict[str, Any] = {
        "summary": "Low",
        "detail": "1.4 mg/dL",
        "indicator": "info",
        "source": {"topic": {"code": "low-magnesium"}},
        "suggestions": [{"label": "Order: Magnesium", "actions": [{"type": "create"}]}],
    }
    right: dict[str, Any] = {
        "rule": "low-magnesium",
        "indicator": "info",
        "offers": ["Order: Magnesium"],
    }
    assert differences([card], [right | {"says": ["1.4"], "does_not_say": ["1.5"]}]) == []
    for wrong in (
        {"rule": "low-potassium"},
        {"indicator": "warning"},
        {"summary": "High"},
        {"offers": []},
        {"removes": "MedicationRequest/1"},
        {"says": ["1.5"]},
        {"does_not_say": ["1.4"]},
    ):
        assert len(differences([card], [right | wrong])) == 1
    assert len(differences([card, card], [right])) == 1
