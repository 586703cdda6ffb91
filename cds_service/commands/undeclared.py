"""What the rules of a topic do in its scenarios without declaring it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.engine.declared import Declared, Undeclared, undeclared
from cds_service.engine.run import Engine
from cds_service.errors import ServiceError
from cds_service.settings import Settings

if TYPE_CHECKING:
    from cds_service.core.patient import Facts
    from cds_service.engine.rule import Rule
    from cds_service.engine.topic import Topic


def undeclared_in(topic: Topic, scenarios: Path) -> Iterator[tuple[str, str]]:
    """Each undeclared read, limit, offer and override reason, and each fault: rule id, sentence.

    A scenario that is not answered (a refused request) shows nothing and is passed over.
    """
    if not topic.services:
        return
    made: dict[str, Any] = {}
    said: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for request in sorted(scenarios.glob("*/request.json")):
            try:
                expected = json.loads(request.with_name("expected.json").read_text("utf-8"))
                chosen, when = (
                    expected.get("settings", {}),
                    datetime.fromisoformat(expected["as_of"]),
                )
            except (OSError, ValueError, KeyError, AttributeError):
                continue  # the check of the scenario names this
            wanted = json.dumps(chosen, sort_keys=True)
            try:
                if wanted not in made:
                    made[wanted] = make_parts(_settings(topic, folder, chosen), (topic,))
                answered = ask(made[wanted], request.read_bytes(), when)
            except ServiceError:
                continue
            rules = [one.rule for one in answered.outcomes]
            for rule_id, one in _by(topic, rules, answered.facts):
                if one not in said:
                    said.add(one)
                    yield rule_id, f"{one} (in the scenario {request.parent.name})."


def _settings(topic: Topic, folder: str, chosen: Mapping[str, Any]) -> Settings:
    """The default settings, whatever the environment says, with those of a scenario."""
    plain = {name: one.default for name, one in Settings.model_fields.items() if one.alias is None}
    options = {one.name: one.default for one in topic.options}
    own = {"topics": (topic.key,), "database_url": f"sqlite:///{folder}/records.db"}
    return Settings(**{**plain, **options, **chosen, **own})


def _by(topic: Topic, rules: list[Rule], facts: Facts) -> Iterator[tuple[str, str]]:
    """What the rules do beyond their declarations, with these facts: rule id, sentence."""
    faults: list[tuple[str, str]] = []

    def failed(rule: Rule, error: Exception) -> None:
        named = "" if isinstance(error, Undeclared) else f"rule {rule.id}: {type(error).__name__}: "
        faults.append((rule.id, f"{named}{error}"))

    engine = Engine({"": rules}, topic.knowledge.complaint, failed, Declared)
    for outcome in engine.ask("", facts):
        for sentence in undeclared(outcome.rule, outcome.answer):
            yield outcome.rule.id, sentence
    yield from faults
