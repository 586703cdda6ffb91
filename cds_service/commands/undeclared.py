"""What the rules of a topic do in its scenarios without declaring it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structlog.testing import capture_logs

from cds_service.commands.scenarios import answered_scenarios
from cds_service.engine.declared import scope, undeclared
from cds_service.engine.guarded import UndeclaredError
from cds_service.engine.run import Engine

if TYPE_CHECKING:
    from cds_service.answer.answering import AnsweredCall
    from cds_service.engine.rule import Rule
    from cds_service.engine.topic import Topic


def undeclared_in(topic: Topic, scenarios: Path) -> Iterator[tuple[str, str]]:
    """Each undeclared read, limit, offer and override reason, and each fault: rule id, sentence.

    The id is empty for what is not the fault of a rule. Nothing is logged meanwhile.
    A scenario that is not answered (a refused request) shows nothing and is passed over.
    """
    if not topic.services:
        return
    found: dict[str, tuple[str, str]] = {}
    with capture_logs() as logged:
        for name, answered in answered_scenarios(topic, scenarios):
            of_rules = list(undeclared_by(topic, answered))
            faulty = {rule_id for rule_id, _ in of_rules}
            of_cards = [fault for fault in _failures(logged) if fault[0] not in faulty]
            for rule_id, fault in (*of_rules, *of_cards):
                found.setdefault(fault, (rule_id, name))
            logged.clear()
    for fault, (rule_id, name) in found.items():
        yield rule_id, f"{fault} (in the scenario {name})."


def _failures(logged: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What failed while calls were answered, also in cards and in arranging: rule id, sentence."""
    for entry in logged:
        if entry["log_level"] == "error":
            rule_id, step = entry.get("rule", ""), entry.get("step", "")
            what = f"rule {rule_id}" if rule_id else f"the step {step or entry['event']}"
            yield rule_id, f"{what}: {entry.get('error')} at {entry.get('place')}"


def undeclared_by(topic: Topic, answered: AnsweredCall) -> Iterator[tuple[str, str]]:
    """What the rules of a call do beyond their declarations, and their faults: rule id, sentence.

    They are evaluated once more, with facts that refuse an undeclared read.
    """
    faults: list[tuple[str, str]] = []

    def failed(rule: Rule, error: Exception) -> None:
        names_rule = isinstance(error, UndeclaredError)
        prefix = "" if names_rule else f"rule {rule.id}: {type(error).__name__}: "
        faults.append((rule.id, f"{prefix}{error}"))

    rules, facts = [outcome.rule for outcome in answered.outcomes], answered.facts
    declared = scope(option.name for option in topic.options)
    engine = Engine({"": rules}, topic.knowledge.complaint, failed, declared)
    for outcome in engine.ask("", facts):
        for sentence in undeclared(outcome.rule, outcome.answer, facts.today):
            yield outcome.rule.id, sentence
    yield from faults
