"""Snoozing: which cards were answered recently for the same patient and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Row, select

from cds_service.answer.cards import ProposedCard
from cds_service.core.identity import Identity
from cds_service.errors import Unavailable
from cds_service.feedback.card_ids import CardIds
from cds_service.feedback.elements import read_utc_text
from cds_service.storage.database import Database
from cds_service.storage.tables import feedback

SNOOZE_PERIODS = {"info": timedelta(days=90), "warning": timedelta(days=30)}
"""How long an answered card is not shown again, by indicator. Critical cards always are."""


class SnoozedCard(NamedTuple):
    """Why a card is held back: the outcome that was reported, when, and until when it lasts."""

    outcome: str
    answered: datetime
    until: datetime


class SnoozeStore:
    """Looks up feedback by the keyed digests in card ids; patients are not identified."""

    def __init__(self, database: Database, ids: CardIds) -> None:
        self._database = database
        self._ids = ids

    def held_back(
        self, cards: Sequence[ProposedCard], identity: Identity, now: datetime
    ) -> dict[str, SnoozedCard]:
        """The cards to hold back, by rule id, of the ``cards`` about to be shown for one patient.

        There is one query for all of them. New evidence or a new version of the rule gives
        another digest, so that such a card is shown again. Where the database is unavailable
        nothing is held back: an alert too many is safer than one too few.
        """
        candidates: dict[tuple[str, int], ProposedCard] = {}
        for card in cards:
            if card.indicator in SNOOZE_PERIODS:
                for digest in self._ids.digests(card.rule, card.version, identity, card.evidence):
                    candidates[card.rule, digest] = card
        if not candidates:
            return {}
        columns = feedback.c
        query = select(
            columns.rule,
            columns.digest,
            columns.outcome,
            columns.outcome_at,
            columns.received_at,
        ).where(columns.digest.in_(sorted({digest for _, digest in candidates})))

        def answers() -> Sequence[Row[str, int, str, str, str]]:
            with self._database.read(prompt=True) as connection:
                return connection.execute(query).all()

        try:
            rows = self._database.run_promptly(answers)
        except Unavailable:
            return {}
        latest: dict[str, tuple[datetime, str]] = {}
        for rule, digest, outcome, outcome_at, received_at in rows:
            if (rule, digest) in candidates:
                # The earlier time: a client's clock that is fast must not prolong the silence.
                answered = read_utc_text(min(outcome_at, received_at))
                latest[rule] = max(latest.get(rule, (answered, outcome)), (answered, outcome))
        held_back = {}
        for card in cards:
            last_answer = latest.get(card.rule)
            if last_answer is not None and now < last_answer[0] + SNOOZE_PERIODS[card.indicator]:
                held_back[card.rule] = SnoozedCard(
                    last_answer[1], last_answer[0], last_answer[0] + SNOOZE_PERIODS[card.indicator]
                )
        return held_back
