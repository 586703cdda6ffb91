"""Snoozing: which cards were answered recently for the same patient and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Row, select

from cds_service.answer.cards import ProposedCard
from cds_service.core.identity import Identity
from cds_service.errors import Unavailable
from cds_service.feedback.answers import read_utc_text
from cds_service.feedback.card_ids import CardIds
from cds_service.storage.database import Database
from cds_service.storage.tables import feedback

QUIET = {"info": timedelta(days=90), "warning": timedelta(days=30)}
"""How long an answered card is not shown again, by indicator. Critical cards always are."""


class HeldBack(NamedTuple):
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
    ) -> dict[str, HeldBack]:
        """The cards to hold back, by rule id, of the ``cards`` about to be shown for one patient.

        There is one query for all of them. New evidence or a new version of the rule gives
        another digest, so that such a card is shown again. Where the database is unavailable
        nothing is held back: an alert too many is safer than one too few.
        """
        wanted: dict[tuple[str, int], ProposedCard] = {}
        for card in cards:
            if card.indicator in QUIET:
                for digest in self._ids.digests(card.rule, card.version, identity, card.evidence):
                    wanted[card.rule, digest] = card
        if not wanted:
            return {}
        columns = feedback.c
        query = select(
            columns.rule,
            columns.digest,
            columns.outcome,
            columns.outcome_at,
            columns.received_at,
        ).where(columns.digest.in_(sorted({digest for _, digest in wanted})))

        def answers() -> Sequence[Row[str, int, str, str, str]]:
            with self._database.read(hurry=True) as connection:
                return connection.execute(query).all()

        try:
            rows = self._database.in_a_hurry(answers)
        except Unavailable:
            return {}
        latest: dict[str, tuple[datetime, str]] = {}
        for rule, digest, outcome, outcome_at, received_at in rows:
            if (rule, digest) in wanted:
                # The earlier time: a client's clock that is fast must not prolong the silence.
                answered = read_utc_text(min(outcome_at, received_at))
                latest[rule] = max(latest.get(rule, (answered, outcome)), (answered, outcome))
        held_back = {}
        for card in cards:
            found = latest.get(card.rule)
            if found is not None and now < found[0] + QUIET[card.indicator]:
                held_back[card.rule] = HeldBack(
                    found[1], found[0], found[0] + QUIET[card.indicator]
                )
        return held_back
