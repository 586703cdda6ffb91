"""From findings to cards: the only place that writes what a clinician reads.

A card says what was found, why it matters, how strong the evidence is and which data it is based
on; its suggestions have complete draft resources. Text from a record has been escaped before
(`cds_service.core.text`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from cds_service.answer.evidence import EvidenceLines, evidence_key
from cds_service.core.facts import Medication, Order
from cds_service.core.identity import Identity
from cds_service.core.immutable import immutable
from cds_service.core.knowledge import Reference
from cds_service.core.patient import Facts
from cds_service.core.text import one_line, plain_name, shortened
from cds_service.engine.arranging import NO_PRIORITIES, Findings, Priorities, Shown, arrange, fired
from cds_service.engine.hook import Hook
from cds_service.engine.orderables import Orderable, Orderables
from cds_service.engine.overrides import OVERRIDES
from cds_service.engine.rule import (
    Evidence,
    Finding,
    OrderTest,
    Outcome,
    RemoveDraft,
    Rule,
    Suggestion,
)
from cds_service.engine.run import Failed
from cds_service.fhir.models import check_offer, draft_order

TOPIC_SYSTEM = "https://leg-cramps-cds.example/rules"
OVERRIDE_SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
SUMMARY_LENGTH = 139
ASSOCIATED = "davinci-crd.associated-resource"
"""The card extension of Da Vinci CRD 2.2 that links a card to the orders it is about."""
_REFERENCE = re.compile(r"[A-Za-z]{1,64}/[A-Za-z0-9._~-]{1,64}")
SILENT = "silent at this site: counted, not shown"
_NOT_WRITTEN = (
    "**The details of this card could not be written; an error was logged.** What the card says "
    "is still true; see the record for the data behind it."
)


@immutable(slots=False)
class Recipient:
    """For whom and by whom orders are drafted: references as ``Type/id``.

    Only a keyed digest of ``identity`` leaves the call.
    """

    patient: str
    identity: Identity
    encounter: str | None
    requester: str | None
    as_of: datetime

    @cached_property
    def authored(self) -> str:
        """When orders are drafted, as an ISO instant."""
        return self.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@immutable
class _Common:
    """What all cards of a rule with the same reference have in common."""

    source: Mapping[str, Any]
    links: Sequence[Mapping[str, str]]
    closing: str


class CardWriter:
    """Writes one card. What does not depend on the patient is written only once.

    ``profile`` is the kind of EHR: ``epic`` changes what Epic could not read.
    ``rule_pages`` is the base address of the public pages about rules, or "" where the service
    has none.
    """

    def __init__(
        self,
        references: Mapping[str, Reference],
        orderables: Orderables,
        rule_pages: str = "",
        profile: Literal["standard", "epic"] = "standard",
    ) -> None:
        self.references = references
        self._rule_pages = rule_pages
        self._epic = profile == "epic"
        self.orderables = orderables
        self._in_common: dict[tuple[Rule, str], _Common] = {}
        self._checked: set[tuple[str, bool, str | None]] = set()
        self._concepts = {key: _concept(orderable) for key, orderable in orderables.items()}

    def write(
        self, shown: Shown, recipient: Recipient, card_id: str, lines: EvidenceLines | None = None
    ) -> dict[str, Any]:
        """One card as the CDS Hooks JSON object; ``lines`` is shared by the cards of a call."""
        rule, finding = shown.rule, shown.finding
        common = self._common(rule, finding.reference)
        card: dict[str, Any] = {
            "uuid": card_id,
            "summary": shortened(one_line(finding.summary), SUMMARY_LENGTH),
            "detail": _detail(shown, common, lines or EvidenceLines(self.references)),
            "indicator": str(finding.indicator),
            "source": common.source,
        }
        if finding.suggestions:
            card["suggestions"] = [self._suggestion(one, recipient) for one in finding.suggestions]
            card["selectionBehavior"] = "any"
        card["overrideReasons"] = _override_reasons(finding.overrides)
        if common.links:
            card["links"] = common.links
        if about := orders_judged(finding):
            card["extension"] = {ASSOCIATED: about}
        return card

    def bare(self, shown: Shown, card_id: str) -> dict[str, Any]:
        """A card without its details, where they cannot be written: summary and severity."""
        rule, finding = shown.rule, shown.finding
        common = self._common(rule, "")
        return {
            "uuid": card_id,
            "summary": shortened(one_line(finding.summary), SUMMARY_LENGTH),
            "detail": f"{_NOT_WRITTEN}\n\n{common.closing}",
            "indicator": str(finding.indicator),
            "source": common.source,
            "overrideReasons": _override_reasons(finding.overrides),
            **({"extension": {ASSOCIATED: about}} if (about := orders_judged(finding)) else {}),
        }

    def _common(self, rule: Rule, key: str) -> _Common:
        known = self._in_common.get((rule, key))
        if known is None:
            reference = self._leading(rule, key)
            known = self._in_common[rule, key] = _Common(
                source={
                    "label": reference.label,
                    "url": self._address(rule, reference),
                    "topic": {
                        "system": TOPIC_SYSTEM,
                        # Epic takes letters and digits only.
                        "code": rule.id.replace("-", "") if self._epic else rule.id,
                        "display": rule.title,
                    },
                },
                links=self._links(rule, key),
                closing=(
                    f"**Source**\n\n{reference.label} ({_found(reference)})\n\n"
                    f"**Rule**\n\n{rule.id} {rule.version}. For the clinician's judgement; not "
                    "clinically validated."
                ),
            )
        return known

    def _leading(self, rule: Rule, key: str) -> Reference:
        """The source that a card shows: a primary one where there is one, preferably one read."""
        keys = (key, *rule.references) if key else rule.references
        listed = [self.references[one] for one in keys]
        primary = [one for one in listed if one.primary]
        if key and primary and primary[0].key == key:
            return primary[0]
        for one in primary:
            if one.seen:
                return one
        return primary[0] if primary else listed[0]

    def _address(self, rule: Rule, reference: Reference) -> str:
        """The URL of a source. General knowledge and judgements have none; then it is that of
        the next source of the rule, or of its topic."""
        others = (self.references[key] for key in (*rule.references, *self.references))
        return next((one.url for one in (reference, *others) if one.url), "")

    def _links(self, rule: Rule, key: str) -> list[dict[str, str]]:
        keys = dict.fromkeys((key, *rule.references) if key else rule.references)
        links = [
            {"label": reference.label, "url": reference.url, "type": "absolute"}
            for reference in (self.references[one] for one in keys)
            if reference.url
        ]
        if self._rule_pages:
            page = f"{self._rule_pages}/{rule.id}"
            links.append({"label": "About this rule", "url": page, "type": "absolute"})
        return links

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
        return {"label": label, "uuid": _random_id(), "actions": [action]}

    def _resource(self, orderable: Orderable, recipient: Recipient) -> dict[str, Any]:
        resource = draft_order(
            "MedicationRequest" if orderable.medication else "ServiceRequest",
            self._concepts[orderable.key],
            recipient.patient,
            recipient.authored,
            encounter=recipient.encounter,
            requester=recipient.requester,
            dosage=orderable.dosage,
        )
        requester = recipient.requester.split("/")[0] if recipient.requester else None
        # Resources of one ``shape`` differ only in ids, dates and references already checked.
        shape = orderable.key, bool(recipient.encounter), requester
        if shape not in self._checked:
            check_offer(resource)
            self._checked.add(shape)
        return resource


def orders_judged(finding: Finding) -> list[str]:
    """The draft orders that a card is about, as ``Type/id``: those that its rule names, else
    those in its evidence or that it would remove."""
    named = finding.about or (
        *[
            one.fact.source.reference
            for one in finding.evidence
            if isinstance(one.fact, (Medication, Order)) and one.fact.selected
        ],
        *[one.reference for one in finding.suggestions if isinstance(one, RemoveDraft)],
    )
    return [one for one in dict.fromkeys(named) if _REFERENCE.fullmatch(one)]


def _found(reference: Reference) -> str:
    """The kind of a source, whether it was read or cited second-hand, and its PMID or DOI."""
    number = reference.found_at if reference.pmid or reference.doi else ""
    return f"{reference.authority}; {number}" if number else reference.authority


def _random_id() -> str:
    """A random UUID (version 4); `uuid.uuid4` would take as long as the rest of a suggestion."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _concept(orderable: Orderable) -> dict[str, Any]:
    codings = [
        {"system": code.system, "code": code.code, "display": code.display}
        if code.display
        else {"system": code.system, "code": code.code}
        for code in orderable.codes
    ]
    concept: dict[str, Any] = {"text": orderable.label}
    if codings:
        concept["coding"] = codings
    return concept


@lru_cache(maxsize=256)
def _override_reasons(codes: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"code": code, "system": OVERRIDE_SYSTEM, "display": OVERRIDES[code]}
        for code in (dict.fromkeys(codes) or ("cds-not-applicable",))
    ]


def _detail(shown: Shown, common: _Common, lines: EvidenceLines) -> str:
    """The card's Markdown: advice, data, what is missing, strength of evidence, and rule."""
    finding = shown.finding
    parts = [*finding.advice]
    parts += [f"**{heading}**\n\n{text}" for heading, text in finding.sections]
    if shown.ordered:
        parts.append("Already ordered, so not offered again: " + ", ".join(shown.ordered) + ".")
    if finding.evidence:
        parts.append("**Based on**\n\n" + _bullets(map(lines.line, finding.evidence)))
    if finding.missing:
        parts.append("**Not known**\n\n" + _bullets(finding.missing))
    if finding.background:
        parts.append("**Evidence**\n\n" + "\n\n".join(finding.background))
    if finding.strength:
        parts.append(f"**Strength of evidence**\n\n{finding.strength}")
    parts.append(common.closing)
    return "\n\n".join(parts)


class Proposed(NamedTuple):
    """A card about to be shown, with what identifies it when it is shown again."""

    rule: str
    version: str
    indicator: str
    evidence: Sequence[str]


class Snooze(Protocol):
    """Says which cards were answered recently (`feedback.snooze.SnoozeStore`)."""

    def held_back(
        self, cards: Sequence[Proposed], identity: Identity, now: datetime
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
        return tuple(dict.fromkeys(one.fact.source.reference for one in self.evidence))


@immutable
class Written:
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
    failed: Failed | None = None
    priorities: Priorities = NO_PRIORITIES

    def write(
        self, hook: Hook, outcomes: Sequence[Outcome], facts: Facts, recipient: Recipient
    ) -> Written:
        """The cards of the rules that fired."""
        findings = [
            (rule, self._offerable(rule, finding))
            for rule, finding in fired(outcomes, self.priorities)
        ]
        silent = self._silent(hook, findings, facts)
        if silent:
            findings = [one for one in findings if one[0] not in silent]
        keys = {rule.id: evidence_key(finding) for rule, finding in findings}
        dropped = {rule.id: SILENT for rule in silent}
        if self.snooze is not None and findings:
            proposed = [
                Proposed(rule.id, rule.version, str(finding.indicator), keys[rule.id])
                for rule, finding in findings
                if not rule.persistent
            ]
            for rule_id in self.snooze.held_back(proposed, recipient.identity, facts.as_of):
                dropped[rule_id] = "answered recently for the same patient and evidence"
            findings = [(rule, finding) for rule, finding in findings if rule.id not in dropped]
        arranged = arrange(hook, findings, facts, self.writer.orderables, self.priorities)
        dropped.update(arranged.dropped)
        lines = EvidenceLines(self.writer.references, origins=facts.site.card_detail == "full")
        cards = tuple(
            Card(
                shown.rule,
                self._write(shown, recipient, keys[shown.rule.id], lines),
                shown.finding.evidence,
            )
            for shown in arranged.shown
        )
        return Written(cards, dropped, tuple(rule for rule, would in silent.items() if would))

    def _offerable(self, rule: Rule, finding: Finding) -> Finding:
        """The finding without suggestions of unknown orders, which are the rule's mistake."""
        orderables = self.writer.orderables
        unknown = [
            one
            for one in finding.suggestions
            if not isinstance(one, RemoveDraft) and one.key not in orderables
        ]
        if not unknown:
            return finding
        known = tuple([one for one in finding.suggestions if one not in unknown])
        error = KeyError("a suggestion names an unknown order")
        if self.failed is None:
            raise error
        self.failed(rule, error)
        return replace(finding, suggestions=known)

    def _silent(self, hook: Hook, findings: Findings, facts: Facts) -> dict[Rule, bool]:
        """The silent rules that fired, and whether their cards would be shown."""
        site = facts.site
        if not site.rules_silent and not site.starts:
            return {}
        silent = [rule for rule, _ in findings if site.silent(rule.id, facts.today)]
        if not silent:
            return {}
        whole = arrange(hook, findings, facts, self.writer.orderables, self.priorities)
        would = {one.rule for one in whole.shown}
        return {rule: rule in would for rule in silent}

    def _write(
        self, shown: Shown, recipient: Recipient, key: list[str], lines: EvidenceLines
    ) -> dict[str, Any]:
        rule = shown.rule
        card_id = self.new_id(rule.id, rule.version, recipient.identity, key)
        try:
            return self.writer.write(shown, recipient, card_id, lines)
        except Exception as error:
            if self.failed is None:
                raise
            self.failed(rule, error)
            return self.writer.bare(shown, card_id)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join([f"- {line}" for line in lines])
