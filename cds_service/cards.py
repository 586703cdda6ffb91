"""Findings become cards: the one place that writes what a clinician reads.

A card says what, why, how sure, and from which data; its suggestions carry complete draft
resources. Text from a record is escaped before it comes here (`cds_service.core.text`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from cds_service.core.arranging import Shown, arrange, fired
from cds_service.core.facts import Allergy, Condition, Medication, Order, Presence, Result, Taking
from cds_service.core.knowledge import Limit, Reference
from cds_service.core.orderables import Orderable, Orderables
from cds_service.core.patient import Facts
from cds_service.core.quantities import printed_unit
from cds_service.core.records import record
from cds_service.core.rule import (
    Evidence,
    Fact,
    Finding,
    OrderTest,
    Outcome,
    RemoveDraft,
    Rule,
    Service,
    Suggestion,
)
from cds_service.core.text import one_line, plain_name, quoted, shortened
from cds_service.fhir.models import draft_order, offered

TOPIC_SYSTEM = "https://leg-cramps-cds.example/rules"
OVERRIDE_SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
SUMMARY_LENGTH = 139
OVERRIDES: Mapping[str, str] = {
    "cds-not-applicable": "Does not apply to this patient",
    "cds-suboptimal-context": "Wrong moment in the workflow",
    "recipient-disagrees-evidence": "Disagree with the evidence",
    "recipient-concerns-outcomes": "Concerned about the outcome",
    "does-not-align-preferences": "Not what the patient or clinician prefers",
    "not-convenient-feasible": "Not convenient or feasible",
    "action-completed": "Already done",
    "patient-contraindication": "Contraindicated for this patient",
    "patient-refuses": "Patient declines",
    "too-costly-uncovered": "Too costly or not covered",
    "service-not-available": "Service not available",
    "recipient-does-not-understand": "The advice is not clear",
}


@record
class Recipient:
    """For whom and by whom orders are drafted: references as ``Type/id``.

    ``identity`` tells the patient apart from those of every other caller; only its keyed
    digest leaves the call.
    """

    patient: str
    identity: str
    encounter: str | None
    requester: str | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CardWriter:
    """Writes one card."""

    references: Mapping[str, Reference]
    orderables: Orderables

    def write(self, shown: Shown, recipient: Recipient, card_id: str) -> dict[str, Any]:
        """One card as the CDS Hooks JSON object."""
        rule, finding = shown.rule, shown.finding
        reference = self.references[finding.reference or rule.references[0]]
        card: dict[str, Any] = {
            "uuid": card_id,
            "summary": shortened(one_line(finding.summary), SUMMARY_LENGTH),
            "detail": self.detail(shown, reference),
            "indicator": str(finding.indicator),
            "source": {
                "label": reference.label,
                "url": reference.url,
                "topic": {"system": TOPIC_SYSTEM, "code": rule.id, "display": rule.title},
            },
        }
        if finding.suggestions:
            card["suggestions"] = [self._suggestion(one, recipient) for one in finding.suggestions]
            card["selectionBehavior"] = "any"
        card["overrideReasons"] = [
            {"code": code, "system": OVERRIDE_SYSTEM, "display": OVERRIDES[code]}
            for code in (dict.fromkeys(finding.overrides) or ("cds-not-applicable",))
        ]
        return card

    def detail(self, shown: Shown, reference: Reference) -> str:
        """The card's Markdown: advice, evidence, what is missing, how sure, which rule."""
        rule, finding = shown.rule, shown.finding
        parts = ["\n\n".join(finding.advice)]
        if finding.evidence:
            lines = [evidence_line(one, self.references) for one in finding.evidence]
            parts.append("**Based on**\n\n" + _bullets(lines))
        if finding.missing:
            parts.append("**Not known**\n\n" + _bullets(finding.missing))
        if shown.ordered:
            parts.append("Already ordered, so not offered again: " + ", ".join(shown.ordered) + ".")
        if finding.strength:
            parts.append(f"Strength of evidence: {finding.strength}")
        parts.append(f"Source ({reference.authority}): {reference.label}. {reference.found_at}")
        parts.append(
            f"Rule {rule.id} {rule.version}. Decision support for the clinician's judgement; "
            "not clinically validated."
        )
        return "\n\n".join(parts)

    # --- suggestions -------------------------------------------------------------------

    def _suggestion(self, suggestion: Suggestion, recipient: Recipient) -> dict[str, Any]:
        if isinstance(suggestion, RemoveDraft):
            label = f"Remove the draft order: {plain_name(suggestion.name)}"
            action: dict[str, Any] = {
                "type": "delete",
                "description": label,
                "resourceId": suggestion.reference,
            }
        else:
            orderable = self.orderables[suggestion.key]
            verb = "Order" if isinstance(suggestion, OrderTest) else "Draft for review"
            label = f"{verb}: {orderable.label}"
            action = {
                "type": "create",
                "description": f"{label} ({suggestion.why})" if suggestion.why else label,
                "resource": self._resource(orderable, recipient),
            }
        return {"label": label, "uuid": str(uuid.uuid4()), "actions": [action]}

    @staticmethod
    def _resource(orderable: Orderable, recipient: Recipient) -> dict[str, Any]:
        codings = [
            {"system": code.system, "code": code.code, "display": code.display}
            if code.display
            else {"system": code.system, "code": code.code}
            for code in orderable.codes
        ]
        concept: dict[str, Any] = {"text": orderable.label}
        if codings:
            concept["coding"] = codings
        resource = draft_order(
            "MedicationRequest" if orderable.medication else "ServiceRequest",
            concept,
            recipient.patient,
            recipient.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            encounter=recipient.encounter,
            requester=recipient.requester,
            dosage=orderable.dosage,
        )
        requester = recipient.requester.split("/")[0] if recipient.requester else None
        return offered(resource, (orderable, bool(recipient.encounter), requester))


class HoldsBack(Protocol):
    """Says which cards were answered lately (`feedback.snooze.SnoozeStore`)."""

    def held_back(self, cards: Iterable[tuple[str, str]], now: datetime) -> Mapping[str, object]:
        """Of the cards about to be shown (uuid, indicator), those to hold back, by uuid."""
        ...


@record
class Card:
    """One card: the rule it speaks for, and its JSON."""

    rule: Rule
    body: Mapping[str, Any]
    cited: tuple[str, ...] = ()  # references of the resources it rests on


@record
class Written:
    """The cards of one call in display order, and why others are not shown, by rule id."""

    cards: tuple[Card, ...]
    dropped: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cards:
    """All cards of a call: held back, capped, in order, each with its id.

    ``new_id(rule id, version, patient, evidence)`` makes a card's id. Held-back cards make
    room under the cap for others.
    """

    writer: CardWriter
    new_id: Callable[[str, str, str, Iterable[str]], str]
    quiet: HoldsBack | None = None

    def write(
        self, service: Service, outcomes: Sequence[Outcome], facts: Facts, recipient: Recipient
    ) -> Written:
        """The cards of the rules that fired."""
        findings = fired(outcomes)
        ids = {
            rule.id: self.new_id(rule.id, rule.version, recipient.identity, evidence_key(finding))
            for rule, finding in findings
        }
        dropped: dict[str, str] = {}
        if self.quiet is not None and findings:
            asked = [(ids[rule.id], str(finding.indicator)) for rule, finding in findings]
            held = self.quiet.held_back(asked, facts.as_of)
            for rule, _ in findings:
                if ids[rule.id] in held:
                    dropped[rule.id] = "answered lately for the same patient and evidence"
            findings = [(rule, finding) for rule, finding in findings if rule.id not in dropped]
        arranged = arrange(service, findings, facts, self.writer.orderables)
        for rule in arranged.dropped:
            dropped[rule.id] = f"over the cap of {facts.site.max_info_cards} info cards"
        cards = tuple(
            Card(
                shown.rule,
                self.writer.write(shown, recipient, ids[shown.rule.id]),
                tuple(dict.fromkeys(e.fact.source.reference for e in shown.finding.evidence)),
            )
            for shown in arranged.shown
        )
        return Written(cards, dropped)


def evidence_line(evidence: Evidence, references: Mapping[str, Reference] | None = None) -> str:
    """One fact in one line: value, day, limit, remarks, and where it came from."""
    fact = evidence.fact
    remarks = [_fact(fact)]
    if isinstance(fact, Result) and evidence.own_range:
        remarks.append(f"laboratory's own range {_range(fact)}")
    elif evidence.limit is not None:
        remarks.append(_limit(evidence.limit, references))
    if evidence.note:
        remarks.append(evidence.note)
    return "; ".join(remarks) + f" ({_origin(fact)})"


def _limit(limit: Limit, references: Mapping[str, Reference] | None) -> str:
    if limit.overridden:
        return f"limit {limit}, set by this site"
    return (
        f"limit {limit} ({references[limit.reference].label})" if references else f"limit {limit}"
    )


def evidence_key(finding: Finding) -> list[str]:
    """What a card rests on, as text: the same facts give the same key, new ones another."""
    key = [str(finding.indicator)]
    for evidence in finding.evidence:
        fact = evidence.fact
        value = fact.reported + fact.when.isoformat() if isinstance(fact, Result) else fact.name
        key.append(f"{fact.source.reference} {value}")
    return key if finding.evidence else [*key, *finding.missing]


def _bullets(lines: tuple[str, ...] | list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _fact(fact: Fact) -> str:
    match fact:
        case Result():
            canonical = f" ({fact.canonical})" if fact.canonical else ""
            return f"{fact.analyte.name} {fact.reported}{canonical}, {fact.day.isoformat()}"
        case Condition():
            return _condition(fact)
        case Medication():
            kind = "Draft order" if fact.taking is Taking.DRAFT else "Medication"
            since = f", {fact.when.date().isoformat()}" if fact.when else ""
            return f"{kind}: {quoted(fact.name)}{since}"
        case Order():
            kind = "Draft order" if fact.draft else "Order"
            return f"{kind}: {quoted(fact.name)}"
        case Allergy():
            return f"Allergy or intolerance: {quoted(fact.name)}"


def _condition(fact: Condition) -> str:
    if fact.presence is Presence.SUSPECTED:
        state = ", suspected"
    elif fact.presence is Presence.PAST:
        state = ", in the past"
    elif fact.presence is Presence.ASSUMED:
        state = ", no clinical status recorded"
    else:
        state = ""
    since = f", {fact.day.isoformat()}" if fact.day else ""
    return f"Condition: {quoted(fact.name)}{state}{since}"


def _range(fact: Result) -> str:
    low = f"{fact.range_low:f}" if fact.range_low is not None else ""
    high = f"{fact.range_high:f}" if fact.range_high is not None else ""
    if low and high:
        return f"{low}–{high} {printed_unit(fact.unit.name)}"
    return f"{'from ' + low if low else 'up to ' + high} {printed_unit(fact.unit.name)}"


def _origin(fact: Fact) -> str:
    reference = quoted(fact.source.reference, 80)
    return f"{reference}, {quoted(fact.source.origin, 40)}" if fact.source.origin else reference
