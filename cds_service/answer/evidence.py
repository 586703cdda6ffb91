"""The evidence of a card: one line of text for each fact, and a key that identifies it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cds_service.core.facts import Allergy, Condition, Order, Presence, Result
from cds_service.core.knowledge import Limit, Reference
from cds_service.core.medications import Medication, Taking
from cds_service.core.quantities import decimal_text, printed_unit
from cds_service.core.text import quoted
from cds_service.engine.rule import Evidence, Fact, Finding

UNWRITTEN = "this fact could not be written: an error was logged"
_STATES = {
    Presence.SUSPECTED: ", suspected",
    Presence.PAST: ", in the past",
    Presence.ASSUMED: ", no clinical status recorded",
}


class EvidenceLines:
    """Writes the evidence of one call; the text of a fact is made once for all cards."""

    def __init__(
        self, references: Mapping[str, Reference] | None = None, *, origins: bool = True
    ) -> None:
        self._references = references
        self._origins = origins
        # By identity: facts live as long as the call, and comparing them would read every field.
        self._known: dict[int, tuple[str, str]] = {}

    def line(self, evidence: Evidence) -> str:
        """One fact in one line: value, day, limit, note, and with ``origins`` the resource."""
        fact = evidence.fact
        known = self._known.get(id(fact))
        if known is None:
            known = self._known[id(fact)] = (
                _fact(fact),
                f" ({_origin(fact)})" if self._origins else "",
            )
        words, origin = known
        if evidence.own_range and isinstance(fact, Result):
            words = f"{words}; laboratory's own range {_range(fact)}"
        elif evidence.limit is not None:
            words = f"{words}; {self._limit(evidence.limit)}"
        return f"{words}; {evidence.note}{origin}" if evidence.note else f"{words}{origin}"

    def _limit(self, limit: Limit) -> str:
        if self._references is None or limit.overridden:
            return _limit(limit, "")
        return _limit(limit, self._references[limit.reference].label)


def evidence_line(evidence: Evidence, lines: EvidenceLines | None = None) -> str:
    """One fact in one line, with the limit but not the limit's source.

    For traces and the audit trail, which must not fail where a rule cites a fact that cannot be
    written: such a line says so. The card of the rule was reported then.
    """
    try:
        return (lines or EvidenceLines()).line(evidence)
    except Exception:
        return UNWRITTEN


def evidence_key(finding: Finding) -> list[str]:
    """The evidence of a card as text: the same facts give the same key, new facts a new one."""
    key = [str(finding.indicator)]
    for evidence in finding.evidence:
        fact = evidence.fact
        value = fact.reported + fact.when.isoformat() if isinstance(fact, Result) else fact.name
        key.append(f"{fact.source.reference} {value}")
    return key if finding.evidence else [*key, *finding.missing]


@lru_cache(maxsize=1024)
def _limit(limit: Limit, source: str) -> str:
    if limit.overridden:
        return f"limit {limit}, set by this site"
    return f"limit {limit} ({source})" if source else f"limit {limit}"


def _fact(fact: Fact) -> str:
    match fact:
        case Result():
            canonical = f" ({fact.canonical})" if fact.canonical else ""
            return f"{fact.analyte.name} {fact.reported}{canonical}, {fact.day.isoformat()}"
        case Condition():
            since = f", {fact.day.isoformat()}" if fact.day else ""
            return f"Condition: {quoted(fact.name)}{_STATES.get(fact.presence, '')}{since}"
        case Medication():
            kind = "Draft order" if fact.taking is Taking.DRAFT else "Medication"
            since = f", {fact.when.date().isoformat()}" if fact.when else ""
            return f"{kind}: {quoted(fact.name)}{since}"
        case Order():
            kind = "Draft order" if fact.draft else "Order"
            return f"{kind}: {quoted(fact.name)}"
        case Allergy():
            return f"Allergy or intolerance: {quoted(fact.name)}"


def _range(fact: Result) -> str:
    low = decimal_text(fact.range_low) if fact.range_low is not None else ""
    high = decimal_text(fact.range_high) if fact.range_high is not None else ""
    if low and high:
        return f"{low}–{high} {printed_unit(fact.unit.name)}"
    return f"{'from ' + low if low else 'up to ' + high} {printed_unit(fact.unit.name)}"


def _origin(fact: Fact) -> str:
    reference = quoted(fact.source.reference, 80)
    # The origin is text of this program, and needs no escaping.
    return f"{reference}, {fact.source.origin}" if fact.source.origin else reference
