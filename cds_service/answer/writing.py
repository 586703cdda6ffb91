"""The text and JSON of one card: the only place that writes what a clinician reads.

A card says what was found, why it matters, how strong the evidence is and which data it is based
on. Text from a record has been escaped before (`cds_service.core.text`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from cds_service.answer.evidence import EvidenceLines
from cds_service.answer.suggestions import SuggestionWriter
from cds_service.core.call import Call
from cds_service.core.knowledge import Reference
from cds_service.core.text import one_line, shortened
from cds_service.engine.arranging import ShownFinding
from cds_service.engine.faults import orders_judged
from cds_service.engine.orderables import Orderables
from cds_service.engine.overrides import OVERRIDES
from cds_service.engine.rule import Rule

TOPIC_SYSTEM = "https://leg-cramps-cds.example/rules"
OVERRIDE_SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
SUMMARY_LENGTH = 139
ASSOCIATED = "davinci-crd.associated-resource"
"""The card extension of Da Vinci CRD 2.2 that links a card to the orders it is about."""


class _Common(Struct, frozen=True):
    """What all cards of a rule with the same reference have in common."""

    source: Mapping[str, Any]
    links: Sequence[Mapping[str, str]]
    closing: str


class CardWriter:
    """Writes one card of a topic. What does not depend on the patient is written only once.

    ``references`` are those of the topic: a card never names the source of another. ``profile`` is
    the kind of EHR: ``epic`` changes what Epic could not read.
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
        self._suggestions = SuggestionWriter(orderables)
        self._in_common: dict[tuple[Rule, str], _Common] = {}

    def write(
        self, shown: ShownFinding, call: Call, card_id: str, lines: EvidenceLines | None = None
    ) -> dict[str, Any]:
        """One card as the CDS Hooks JSON object; ``lines`` is shared by the cards of a call."""
        rule, finding = shown.rule, shown.finding
        common = self._common(rule, finding.reference)
        card: dict[str, Any] = {
            "uuid": card_id,
            # A card without a summary is invalid, and a client may reject the whole answer.
            "summary": shortened(one_line(finding.summary) or rule.title, SUMMARY_LENGTH),
            "detail": _detail(shown, common, lines or EvidenceLines(self.references)),
            "indicator": str(finding.indicator),
            "source": common.source,
        }
        if finding.suggestions:
            write = self._suggestions.write
            card["suggestions"] = [write(suggestion, call) for suggestion in finding.suggestions]
            card["selectionBehavior"] = "any"
        card["overrideReasons"] = _override_reasons(tuple(finding.overrides))
        if common.links:
            card["links"] = common.links
        if about := orders_judged(finding):
            card["extension"] = {ASSOCIATED: about}
        return card

    def _common(self, rule: Rule, key: str) -> _Common:
        common = self._in_common.get((rule, key))
        if common is None:
            reference = self._leading(rule, key)
            address = self._address(rule, reference)
            common = self._in_common[rule, key] = _Common(
                source={
                    "label": reference.label,
                    **({"url": address} if address else {}),
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
        return common

    def _leading(self, rule: Rule, key: str) -> Reference:
        """The source that a card shows: a primary one where there is one, preferably one read."""
        keys = (key, *rule.references) if key else rule.references
        references = [self.references[source_key] for source_key in keys]
        primary = [reference for reference in references if reference.primary]
        if key and primary and primary[0].key == key:
            return primary[0]
        for reference in primary:
            if reference.seen:
                return reference
        return primary[0] if primary else references[0]

    def _address(self, rule: Rule, reference: Reference) -> str:
        """The URL of a source. General knowledge and judgements have none; then it is that of
        the next source of the rule, or of its topic, else of the page about the rule. It is empty
        where there is none of these: CDS Hooks does not require it."""
        others = (self.references[key] for key in (*rule.references, *self.references))
        page = f"{self._rule_pages}/{rule.id}" if self._rule_pages else ""
        return next((source.url for source in (reference, *others) if source.url), page)

    def _links(self, rule: Rule, key: str) -> list[dict[str, str]]:
        keys = dict.fromkeys((key, *rule.references) if key else rule.references)
        links = [
            {"label": reference.label, "url": reference.url, "type": "absolute"}
            for reference in (self.references[source_key] for source_key in keys)
            if reference.url
        ]
        if self._rule_pages:
            page = f"{self._rule_pages}/{rule.id}"
            links.append({"label": "About this rule", "url": page, "type": "absolute"})
        return links


def _found(reference: Reference) -> str:
    """The kind of a source, whether it was read or cited second-hand, and its PMID or DOI."""
    number = reference.found_at if reference.pmid or reference.doi else ""
    return f"{reference.authority}; {number}" if number else reference.authority


@lru_cache(maxsize=256)
def _override_reasons(codes: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"code": code, "system": OVERRIDE_SYSTEM, "display": OVERRIDES[code]}
        for code in (dict.fromkeys(codes) or ("cds-not-applicable",))
    ]


def _detail(shown: ShownFinding, common: _Common, lines: EvidenceLines) -> str:
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


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join([f"- {line}" for line in lines])
