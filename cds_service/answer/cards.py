"""From findings to the cards of a call: held back, capped, in order, each with its id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from cds_service.answer.evidence import EvidenceLines, evidence_key
from cds_service.answer.suggestions import random_id
from cds_service.answer.writing import CardWriter
from cds_service.core.call import Call
from cds_service.core.identity import Identity
from cds_service.core.patient import Facts
from cds_service.engine.arranging import (
    NO_PRIORITIES,
    Findings,
    Priorities,
    ShownFinding,
    arrange,
    fired,
)
from cds_service.engine.faults import RAISED, Faults, bare
from cds_service.engine.hook import Hook
from cds_service.engine.rule import (
    Evidence,
    Finding,
    Outcome,
    RemoveDraft,
    Rule,
)

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


class WrittenCards(Struct, frozen=True):
    """The cards of one call in display order, and why others are not shown, by rule id."""

    cards: tuple[Card, ...]
    dropped: Mapping[str, str]
    silent: tuple[Rule, ...] = ()  # silent rules whose cards would have been shown


@dataclass(frozen=True, slots=True)
class Cards:
    """Makes all cards of a call: holds back, caps and sorts them, and gives each an id.

    ``new_id(rule id, version, identity, evidence)`` makes a card's id. Cards that are held back
    make room for others under the cap. ``faults`` is told of every exception in what a rule or
    topic made: the card of that rule is then shown without its details, and the others as ever.
    """

    writer: CardWriter
    new_id: Callable[[str, str, Identity, Iterable[str]], str]
    snooze: Snooze | None = None
    faults: Faults = RAISED
    priorities: Priorities = NO_PRIORITIES

    def write(
        self, hook: Hook, outcomes: Sequence[Outcome], facts: Facts, call: Call
    ) -> WrittenCards:
        """The cards of the rules that fired."""
        keys: dict[str, list[str]] = {}  # without those of findings at fault
        findings = [
            (rule, self._sound(rule, finding, keys))
            for rule, finding in fired(outcomes, self.priorities, self.faults)
        ]
        silent = self._silent(hook, findings, facts)
        if silent:
            findings = [pair for pair in findings if pair[0] not in silent]
        dropped = {rule.id: SILENT for rule in silent}
        if self.snooze is not None and findings:
            for rule_id in self._held_back(self.snooze, findings, keys, call):
                dropped[rule_id] = "answered recently for the same patient and evidence"
            findings = [(rule, finding) for rule, finding in findings if rule.id not in dropped]
        arranged = arrange(
            hook, findings, facts, self.writer.orderables, self.priorities, self.faults
        )
        dropped.update(arranged.dropped)
        lines = EvidenceLines(self.writer.references, origins=facts.site.card_detail == "full")
        cards = []
        for shown in arranged.shown:
            card = self._card(shown, call, keys.get(shown.rule.id), lines)
            if card is None:
                dropped[shown.rule.id] = "it could not be written: an error was logged"
            else:
                cards.append(card)
        silenced = tuple(rule for rule, would in silent.items() if would)
        return WrittenCards(tuple(cards), dropped, silenced)

    def _sound(self, rule: Rule, finding: Finding, keys: dict[str, list[str]]) -> Finding:
        """The finding as it can be offered, and its key; at fault, what is left of it."""
        try:
            offerable = self._offerable(rule, finding)
            keys[rule.id] = evidence_key(offerable)
        except Exception as error:
            self.faults.card(rule, error)
            return bare(rule, finding)
        return offerable

    def _held_back(
        self, snooze: Snooze, findings: Findings, keys: Mapping[str, Sequence[str]], call: Call
    ) -> Iterable[str]:
        """The rules whose cards were answered; never one without a key, which may be new."""
        try:
            proposed = [
                ProposedCard(rule.id, rule.version, str(finding.indicator), keys[rule.id])
                for rule, finding in findings
                if not rule.persistent and rule.id in keys
            ]
            return tuple(snooze.held_back(proposed, call.identity, call.as_of))
        except Exception as error:
            self.faults.step("snooze", error)
            return ()

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
        self.faults.card(rule, KeyError("a suggestion names an unknown order"))
        offerable = [suggestion for suggestion in finding.suggestions if suggestion not in unknown]
        return replace(finding, suggestions=tuple(offerable))

    def _silent(self, hook: Hook, findings: Findings, facts: Facts) -> dict[Rule, bool]:
        """The silent rules that fired, and whether their cards would be shown."""
        site = facts.site
        if not site.rules_silent and not site.starts:
            return {}
        silent = [rule for rule, _ in findings if site.silent(rule.id, facts.today)]
        if not silent:
            return {}

        def report(rule: Rule, error: Exception) -> None:
            if rule in silent:  # the others are arranged once more, and reported then
                self.faults.card(rule, error)

        without_silencing = arrange(
            hook,
            findings,
            facts,
            self.writer.orderables,
            self.priorities,
            Faults(report, lambda _step, _error: None),
        )
        shown_otherwise = {shown.rule for shown in without_silencing.shown}
        return {rule: rule in shown_otherwise for rule in silent}

    def _card(
        self, shown: ShownFinding, call: Call, key: list[str] | None, lines: EvidenceLines
    ) -> Card | None:
        """The card, or what is left of it; None where not even that can be written."""
        rule, finding = shown.rule, shown.finding
        card_id = self._id(rule, call, key or [str(finding.indicator)])
        try:
            return Card(rule, self.writer.write(shown, call, card_id, lines), finding.evidence)
        except Exception as error:
            self.faults.card(rule, error)
        try:
            return Card(
                rule, self.writer.write(ShownFinding(rule, bare(rule, finding)), call, card_id)
            )
        except Exception as error:
            self.faults.card(rule, error)
            return None

    def _id(self, rule: Rule, call: Call, key: list[str]) -> str:
        """The id of a card. A random one, where none can be made: its feedback is not counted."""
        try:
            return self.new_id(rule.id, rule.version, call.identity, key)
        except Exception as error:
            self.faults.card(rule, error)
            return random_id()
