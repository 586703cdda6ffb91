"""Makes the audit row of a call."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec

from cds_service.answer.answering import AnsweredCall
from cds_service.answer.evidence import EvidenceLines, evidence_line
from cds_service.audit.sealing import Sealer
from cds_service.audit.trail import AuditRow, Trail
from cds_service.core.knowledge import Limits
from cds_service.engine.rule import CannotTell, Evidence, Finding, NotFired
from cds_service.errors import Unavailable
from cds_service.feedback.card_ids import CardIds
from cds_service.feedback.elements import utc_text
from cds_service.ops import logs

_encode = msgspec.json.Encoder().encode
_REMEMBERED = 64
_WORDS = {Finding: "fired", NotFired: "did not fire", CannotTell: "cannot tell"}


class Recorder:
    """Makes the row of a call and passes it to the trail.

    With a ``sealer`` the row also has what each card said and its evidence, encrypted. With
    ``required`` the row is on disk before the call is answered. ``begin()`` makes sure that the
    upkeep thread runs, which flushes rows. ``topics`` is the topic of each service, by id.
    """

    def __init__(
        self,
        trail: Trail,
        ids: CardIds,
        sealer: Sealer | None,
        begin: Callable[[], None],
        topics: Mapping[str, str],
        *,
        required: bool = False,
    ) -> None:
        self.trail = trail
        self.required = required
        self._ids = ids
        self._sealer = sealer
        self._begin = begin
        self._topics = topics
        self._limits: dict[int, tuple[Limits, str]] = {}

    def record(self, answered: AnsweredCall, instance: str | None = None) -> None:
        """Record one answered call; ``instance`` is its hookInstance if that is a UUID.

        Raises Unavailable where the trail is required and cannot be written.
        """
        try:
            row = self.row(answered, instance)
            if self.required:
                self.trail.write([row])
                return
            self.trail.add(row)
        except Unavailable:
            raise
        except Exception as error:
            # The clinician gets the cards nevertheless.
            logs.logger(__name__).error("audit_failed", **logs.described(error))
            self.trail.lose()
            if self.required:
                raise Unavailable("The audit trail cannot be written.") from None
        self._begin()

    def row(self, answered: AnsweredCall, instance: str | None = None) -> AuditRow:
        """The row of one call."""
        record = os.urandom(16).hex()
        call = answered.call
        origin, server, patient = call.identity
        pseudonym = self._ids.pseudonym
        service = str(call.service)
        content = {
            "instance": instance,
            "rules": [
                (outcome.rule.id, outcome.rule.version, _WORDS[type(outcome.answer)])
                for outcome in answered.outcomes
            ],
            "cards": [
                {
                    "card": card.body["uuid"],
                    "rule": card.rule.id,
                    "version": card.rule.version,
                    "indicator": card.body["indicator"],
                }
                for card in answered.cards
            ],
            "notShown": answered.dropped,
            "limits": self._limits_digest(answered.facts.limits),
            "problems": Counter([problem.kind for problem in answered.problems]),
        }
        return AuditRow(
            record=record,
            at=utc_text(call.as_of),
            site=origin.site,
            topic=self._topics.get(service, ""),
            service=service,
            caller=pseudonym("caller", origin.issuer, origin.tenant),
            clinician=pseudonym("clinician", *origin, server, call.user or ""),
            patient=pseudonym("patient", *origin, server, patient),
            content=_encode(content).decode(),
            cards=tuple([card.body["uuid"] for card in answered.cards]),
            seal=self._sealing(answered, record),
        )

    def _sealing(self, answered: AnsweredCall, record: str) -> Callable[[], bytes] | None:
        if self._sealer is None:
            return None
        findings = {
            outcome.rule.id: outcome.answer.evidence
            for outcome in answered.outcomes
            if isinstance(outcome.answer, Finding)
        }
        # Only the cards and what they cite are kept beyond the call, nothing else of the record.
        cards = [(card.body, findings.get(card.rule.id, ())) for card in answered.cards]
        return partial(_seal, self._sealer, cards, record)

    def _limits_digest(self, limits: Limits) -> str:
        known = self._limits.get(id(limits))
        if known is None:
            if len(self._limits) >= _REMEMBERED:
                self._limits.clear()
            text = "\n".join(f"{key} {limits[key]}" for key in sorted(limits))
            known = (limits, sha256(text.encode()).hexdigest()[:16])
            self._limits[id(limits)] = known  # kept with its limits, so that their id is not reused
        return known[1]


def _seal(
    sealer: Sealer, cards: Sequence[tuple[Mapping[str, Any], Sequence[Evidence]]], record: str
) -> bytes:
    lines = EvidenceLines()
    contents = [
        {
            "card": body,
            "evidence": [
                {"reference": item.fact.source.reference, "said": evidence_line(item, lines)}
                for item in evidence
            ],
        }
        for body, evidence in cards
    ]
    return sealer.seal(_encode(contents), record)
