"""Quiet after an answer: which cards were answered lately for the same patient and evidence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select

from cds_service.errors import Unavailable
from cds_service.feedback.answers import read_utc_text
from cds_service.feedback.card_ids import read_card_id
from cds_service.feedback.database import Database
from cds_service.feedback.tables import feedback

QUIET = {"info": timedelta(days=90), "warning": timedelta(days=30)}
"""How long an answered card stays away, by its indicator. Critical is not here: it comes back."""


class HeldBack(NamedTuple):
    """Why a card is not shown now: what was answered, when, and until when it stays away."""

    outcome: str
    answered: datetime
    until: datetime


class SnoozeStore:
    """Looks up answers by the keyed digests in card ids; knows no patient."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def held_back(self, cards: Iterable[tuple[str, str]], now: datetime) -> dict[str, HeldBack]:
        """Of the ``cards`` about to be shown (uuid, indicator): those to hold back, by uuid.

        One query for all of them. New evidence or a new version of the rule gives another
        digest, so such a card is not found and comes back. A database that is away holds
        nothing back: an alert too many is safer than one too few.
        """
        wanted = {}
        for card, indicator in cards:
            read = read_card_id(card)
            if read is not None and indicator in QUIET:
                wanted[card] = (read.rule_tag, read.digest, QUIET[indicator])
        if not wanted:
            return {}
        digests = sorted({digest for _, digest, _ in wanted.values()})
        columns = feedback.c
        query = select(
            columns.rule_tag,
            columns.digest,
            columns.outcome,
            columns.outcome_at,
            columns.received_at,
        ).where(columns.digest.in_(digests), columns.rule.is_not(None))
        try:
            with self._database.read(hurry=True) as connection:
                rows = connection.execute(query).all()
        except Unavailable:
            return {}
        latest: dict[tuple[int, int], tuple[datetime, str]] = {}
        for of_rule, digest, outcome, outcome_at, received_at in rows:
            # The earlier of the two: a client's clock that runs ahead must not prolong silence.
            answered = read_utc_text(min(outcome_at, received_at))
            key = (of_rule, digest)
            latest[key] = max(latest.get(key, (answered, outcome)), (answered, outcome))
        held = {}
        for card, (of_rule, digest, quiet) in wanted.items():
            found = latest.get((of_rule, digest))
            if found is not None and now < found[0] + quiet:
                held[card] = HeldBack(found[1], found[0], found[0] + quiet)
        return held
