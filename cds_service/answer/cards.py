"""From findings to the cards of a call: held back, capped, in order, each with its id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from cds_service.answer.evidence import EvidenceLines, evidence_key
from cds_service.answer.writing import CardWriter
from cds_service.core.call import Call
from cds_service.core.identity import Identity
from cds_service.core.immutable import immutable
from cds_service.core.patient import Facts
from cds_service.engine.arranging import NO_PRIORITIES, Findings, Priorities, Shown, arrange, fired
from cds_service.engine.hook import Hook
from cds_service.engine.rule import (
    Evidence,
    Finding,
    Outcome,
    RemoveDraft,
    Rule,
)
from cds_service.engine.run import OnFailure

SILENT = "silent at this site: counted, not shown"


class ProposedCard(NamedTuple):
    """A card about to be shown, with what identifies it when it is shown again."""

    rule: str
    version: str
    indicator: str
    evidence: Sequence[str]


class Snooze(Protocol):
    """Says which cards were answered recently (`feedback.snooze.SnoozeStore`)."""

    def held_back(
        self, cards: Sequence[ProposedCard], identity: Identity, now: datetime
    ) -> Mapping[str, object]:
        """The cards to hold back, by rule id, of those about to be shown for one patient."""
        ...


class Card(Struct, frozen=True):
    """One card: the rule it comes from, its JSON, and the resources it is based on."""

    rule: Rule
    body: Mapping[str, Any]
    evidence: tuple[Evidence, ...] = ()

    @property
    def cited(self) -> tuple[str, ...]:
        """References to the resources it is based on."""
        return tuple(dict.fromkeys(evidence.fact.source.reference for evidence in self.evidence))


@immutable
class WrittenCards:
    """The cards of one call in display order, and why others are not shown, by rule id."""

    cards: tuple[Card, ...]
    dropped: Mapping[str, str]
    silent: tuple[Rule, ...] = ()  # silent rules whose cards would have been shown


@dataclass(frozen=True, slots=True)
class Cards:
    """Makes all cards of a call: holds back, caps and sorts them, and gives each an id.

    ``new_id(rule id, version, identity, evidence)`` makes a card's id. Cards that are held back
    make room for others under the cap. ``failed`` is called when writing a card raises an
    exception, and the card is shown without its details; without ``failed`` it propagates.
    """

    writer: CardWriter
    new_id: Callable[[str, str, Identity, Iterable[str]], str]
    snooze: Snooze | None = None
    failed: OnFailure | None = None
    priorities: Priorities = NO_PRIORITIES

    def write(
        self, hook: Hook, outcomes: Sequence[Outcome], facts: Facts, call: Call
    ) -> WrittenCards:
        """The cards of the rules that fired."""
        findings = [
            (rule, self._offerable(rule, finding))
            for rule, finding in fired(outcomes, self.priorities)
        ]
        silent = self._silent(hook, findings, facts)
        if silent:
            findings = [pair for pair in findings if pair[0] not in silent]
        keys = {rule.id: evidence_key(finding) for rule, finding in findings}
        dropped = {rule.id: SILENT for rule in silent}
        if self.snooze is not None and findings:
            proposed = [
                ProposedCard(rule.id, rule.version, str(finding.indicator), keys[rule.id])
                for rule, finding in findings
                if not rule.persistent
            ]
            for rule_id in self.snooze.held_back(proposed, call.identity, call.as_of):
                dropped[rule_id] = "answered recently for the same patient and evidence"
            findings = [(rule, finding) for rule, finding in findings if rule.id not in dropped]
        arranged = arrange(hook, findings, facts, self.writer.orderables, self.priorities)
        dropped.update(arranged.dropped)
        lines = EvidenceLines(self.writer.references, origins=facts.site.card_detail == "full")
        cards = tuple(
            Card(
                shown.rule,
                self._write(shown, call, keys[shown.rule.id], lines),
                shown.finding.evidence,
            )
            for shown in arranged.shown
        )
        return WrittenCards(cards, dropped, tuple(rule for rule, would in silent.items() if would))

    def _offerable(self, rule: Rule, finding: Finding) -> Finding:
        """The finding without suggestions of unknown orders, which are the rule's mistake."""
        orderables = self.writer.orderables
        unknown = [
            suggestion
            for suggestion in finding.suggestions
            if not isinstance(suggestion, RemoveDraft) and suggestion.key not in orderables
        ]
        if not unknown:
            return finding
        offerable = tuple(
            [suggestion for suggestion in finding.suggestions if suggestion not in unknown]
        )
        error = KeyError("a suggestion names an unknown order")
        if self.failed is None:
            raise error
        self.failed(rule, error)
        return replace(finding, suggestions=offerable)

    def _silent(self, hook: Hook, findings: Findings, facts: Facts) -> dict[Rule, bool]:
        """The silent rules that fired, and whether their cards would be shown."""
        site = facts.site
        if not site.rules_silent and not site.starts:
            return {}
        silent = [rule for rule, _ in findings if site.silent(rule.id, facts.today)]
        if not silent:
            return {}
        without_silencing = arrange(hook, findings, facts, self.writer.orderables, self.priorities)
        shown_otherwise = {shown.rule for shown in without_silencing.shown}
        return {rule: rule in shown_otherwise for rule in silent}

    def _write(
        self, shown: Shown, call: Call, key: list[str], lines: EvidenceLines
    ) -> dict[str, Any]:
        rule = shown.rule
        card_id = self.new_id(rule.id, rule.version, call.identity, key)
        try:
            return self.writer.write(shown, call, card_id, lines)
        except Exception as error:
            if self.failed is None:
                raise
            self.failed(rule, error)
            return self.writer.bare(shown, card_id)
