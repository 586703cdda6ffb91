"""What the rules of a topic do in its scenarios without declaring it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.commands.scenarios import answered_scenarios
from cds_service.engine.declared import DeclaredFacts, UndeclaredError, undeclared
from cds_service.engine.run import Engine

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
    reported: set[str] = set()
    for name, answered in answered_scenarios(topic, scenarios):
        rules = [outcome.rule for outcome in answered.outcomes]
        for rule_id, fault in _undeclared_by(topic, rules, answered.facts):
            if fault not in reported:
                reported.add(fault)
                yield rule_id, f"{fault} (in the scenario {name})."


def _undeclared_by(topic: Topic, rules: list[Rule], facts: Facts) -> Iterator[tuple[str, str]]:
    """What the rules do beyond their declarations, with these facts: rule id, sentence."""
    faults: list[tuple[str, str]] = []

    def failed(rule: Rule, error: Exception) -> None:
        names_rule = isinstance(error, UndeclaredError)
        prefix = "" if names_rule else f"rule {rule.id}: {type(error).__name__}: "
        faults.append((rule.id, f"{prefix}{error}"))

    engine = Engine({"": rules}, topic.knowledge.complaint, failed, DeclaredFacts)
    for outcome in engine.ask("", facts):
        for sentence in undeclared(outcome.rule, outcome.answer):
            yield outcome.rule.id, sentence
    yield from faults
