"""Stores feedback: what clinicians did with cards."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Table
from sqlalchemy.engine import Connection

from cds_service.core.identity import ANYBODY, Origin
from cds_service.feedback.card_ids import CardId, RuleVersion, read_card_id
from cds_service.feedback.card_keys import CardKeys
from cds_service.feedback.elements import Feedback, read_feedback, utc_text
from cds_service.feedback.rules_seen import RulesSeen
from cds_service.storage.database import Database
from cds_service.storage.tables import feedback, insert_into, unknown_feedback

_ONCE = {
    feedback: ["card", "outcome", "outcome_at"],
    unknown_feedback: ["card", "outcome", "outcome_at", "issuer", "tenant", "site"],
}


class SavedFeedback(NamedTuple):
    """The result of one feedback call: the numbers of elements stored, of repeats that were left
    out, and of elements for unknown cards, and the outcomes in the order they were sent."""

    stored: int
    repeats: int
    unknown: int
    outcomes: tuple[str, ...] = ()


class FeedbackStore:
    """Stores feedback calls whole or not at all.

    ``now()`` gives the moment of receipt, with an offset.
    """

    def __init__(
        self,
        database: Database,
        seen: RulesSeen,
        keys: CardKeys,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._seen = seen
        self._keys = keys
        self._now = now

    def save(self, service: str, body: object, origin: Origin = ANYBODY) -> SavedFeedback:
        """Check and store the parsed JSON ``body`` of a feedback call to ``service``.

        When this returns, every element is on disk, or was there before: the same card with the
        same outcome and timestamp counts once. Feedback on a card that was not made by this
        service for this caller is stored separately. Raises BadRequest or TooLarge (nothing is
        stored; they name the place) and Unavailable.
        """
        elements = read_feedback(body)
        if not elements:
            return SavedFeedback(0, 0, 0)
        received = utc_text(self._now())
        with self._database.write() as connection:
            made_here = self._made_here(connection, {element.card for element in elements}, origin)
            rules = self._seen.resolve(connection, {read.tags for read in made_here.values()})
            rules_by_card = {
                card: rules[read.tags] for card, read in made_here.items() if read.tags in rules
            }
            rows: dict[Table, list[dict[str, Any]]] = {feedback: [], unknown_feedback: []}
            for element in elements:
                made_by = rules_by_card.get(element.card)
                table = unknown_feedback if made_by is None else feedback
                row = _row(service, element, received, made_here.get(element.card), made_by)
                rows[table].append(row | origin._asdict())
            stored = sum(
                _insert(connection, table, table_rows) for table, table_rows in rows.items()
            )
        return SavedFeedback(
            stored=stored,
            repeats=len(elements) - stored,
            unknown=len(rows[unknown_feedback]),
            outcomes=tuple([element.outcome for element in elements]),
        )

    def _made_here(
        self, connection: Connection, cards: set[str], origin: Origin
    ) -> dict[str, CardId]:
        """The parts of the card ids that were made by this service for this caller, by card."""
        ids = self._keys.ids
        made_here = {card for card in cards if ids.was_made_for(card, origin)}
        if made_here != cards:
            self._keys.refresh(connection)  # another process may have changed the key just now
            made_here |= {card for card in cards - made_here if ids.was_made_for(card, origin)}
        return {card: read for card in made_here if (read := read_card_id(card)) is not None}


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    """Insert the rows; returns how many of them are new."""
    if not rows:
        return 0
    # Sorted: two hosts that store the same rows lock them in the same order, without deadlock.
    rows.sort(key=lambda row: (row["card"], row["outcome"], row["outcome_at"]))
    insert = insert_into(connection, table).on_conflict_do_nothing(index_elements=_ONCE[table])
    # Drivers differ in whether they count rows that a conflict left out: ask for the ids.
    return len(connection.execute(insert.returning(table.c.id), rows).all())


def _row(
    service: str,
    element: Feedback,
    received: str,
    read: CardId | None,
    made_by: RuleVersion | None,
) -> dict[str, Any]:
    return {
        **element._asdict(),
        "suggestions": json.dumps(element.suggestions),
        "service": service,
        "received_at": received,
        "rule": made_by.id if made_by else None,
        "version": made_by.version if made_by else None,
        "rule_tag": read.rule_tag if read else None,
        "digest": read.digest if read else None,
    }
