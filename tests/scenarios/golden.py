"""Scenarios: a request, what must be true of the answer, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FOLDERS = sorted(path for path in (FIXTURES / "scenarios").iterdir() if path.is_dir())


@dataclass(frozen=True)
class Scenario:
    """One folder of fixtures/scenarios.

    ``expected``: ``as_of`` and either ``status`` with ``says`` (of an error), or ``cards``:
    each with ``rule`` and ``indicator``, and where they matter ``summary``, ``offers`` (the
    labels of all suggestions), ``removes`` (the reference of the deleted draft), ``says`` and
    ``does_not_say`` (of the summary and the detail). ``settings`` are
    the site's; ``answers`` what single rules must have answered.
    """

    name: str
    request: dict[str, Any]
    expected: dict[str, Any]

    @property
    def as_of(self) -> datetime:
        """The moment of the call."""
        return datetime.fromisoformat(self.expected["as_of"])

    @property
    def settings(self) -> dict[str, Any]:
        """The site's settings that differ from the defaults."""
        found: dict[str, Any] = self.expected.get("settings", {})
        return found

    @property
    def path(self) -> str:
        """Where a client posts the request."""
        return f"/cds-services/leg-cramps-{self.request['hook']}"


def scenario(folder: Path) -> Scenario:
    """The scenario of a folder."""
    request, expected = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("request.json", "expected.json")
    )
    return Scenario(folder.name, request, expected)


def rules(cards: list[dict[str, Any]]) -> list[str]:
    """The rule id of each card."""
    return [card["source"]["topic"]["code"] for card in cards]


def differences(cards: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[str]:
    """How the cards differ from what is expected, in words; empty if they do not."""
    expected_rules = [card["rule"] for card in expected]
    if rules(cards) != expected_rules:
        return [f"cards {rules(cards)}, not {expected_rules}"]
    return [
        f"{expected_card['rule']}: {what}"
        for card, expected_card in zip(cards, expected, strict=True)
        for what in _card(card, expected_card)
    ]


def _card(card: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    offers = [suggestion["label"] for suggestion in card.get("suggestions", ())]
    removes = [
        action["resourceId"]
        for suggestion in card.get("suggestions", ())
        for action in suggestion["actions"]
        if action["type"] == "delete"
    ]
    found = {"indicator": card["indicator"], "summary": card["summary"], "offers": offers}
    found["removes"] = removes[0] if len(removes) == 1 else removes
    wording = card["summary"] + "\n" + card["detail"]
    return [
        *(
            f"{name} {value!r}, not {expected[name]!r}"
            for name, value in found.items()
            if name in expected and value != expected[name]
        ),
        *(f"does not say {text!r}" for text in expected.get("says", ()) if text not in wording),
        *(f"says {text!r}" for text in expected.get("does_not_say", ()) if text in wording),
    ]
