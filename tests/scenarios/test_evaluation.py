"""Evaluation is apart from answering: outcomes without cards, and one evaluation for every way."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.answer.evaluation import EvaluatedCall, Evaluation
from cds_service.answer.writing import CardWriter
from cds_service.cli import main
from tests.demo.demo_service import demo_app
from tests.population.export import cramps, encounter, evaluated, patient, potassium, write
from tests.scenarios.running import started

SCENARIO = (
    Path(__file__).parents[2]
    / "fixtures"
    / "scenarios"
    / "low-potassium-preliminary"
    / "request.json"
)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
VIEW = "leg-cramps-patient-view"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The calls, with their deliveries, that are evaluated during the test."""
    found: list[tuple[Any, ...]] = []
    evaluate = Evaluation.evaluate

    def watched(self: Evaluation, *given: Any) -> EvaluatedCall:
        found.append(given)
        return evaluate(self, *given)

    monkeypatch.setattr(Evaluation, "evaluate", watched)
    return found


def test_outcomes_need_no_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[tuple[Any, ...]]
) -> None:
    with started(tmp_path / "records.db", lambda: NOW) as running:
        answered = running.answered(json.loads(SCENARIO.read_text()))
        assert answered.cards

        def written(*_: object) -> None:
            raise AssertionError("an evaluation wrote a card")

        monkeypatch.setattr(CardWriter, "write", written)
        found = running.parts.answering.evaluation.evaluate(*seen[0])
    assert [(outcome.rule.id, outcome.answer) for outcome in found.outcomes] == [
        (outcome.rule.id, outcome.answer) for outcome in answered.outcomes
    ]


def test_every_way_uses_the_same_evaluation(tmp_path: Path, seen: list[tuple[Any, ...]]) -> None:
    def calls() -> int:
        found = len(seen)
        seen.clear()
        return found

    app = demo_app(tmp_path)
    client = app.test_client()
    assert client.post(f"/cds-services/{VIEW}", data=SCENARIO.read_bytes()).status_code == 200
    assert calls() == 1
    assert client.post("/demo/answer", json={"patient": "low-magnesium"}).status_code == 200
    assert calls() == 1
    app.extensions["cds_parts"].records.close()
    words = ["evaluate", str(SCENARIO), "--as-of", "2026-11-23"]
    assert CliRunner().invoke(main, words, catch_exceptions=False).exit_code == 0
    assert calls() == 1
    low = potassium(3.1, "2026-03-01T08:00:00Z")
    evaluated(write(tmp_path / "export", patient(), encounter(), cramps(), low))
    assert calls() == 1
