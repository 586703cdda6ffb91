"""Keeps what clinicians did with cards."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cds_service.feedback.answers import Answer, read_answers, utc_text
from cds_service.feedback.card_ids import CardId, RuleVersion, read_card_id
from cds_service.feedback.database import Database
from cds_service.feedback.rules_seen import RulesSeen
from cds_service.feedback.tables import feedback, insert_into


class Saved(NamedTuple):
    """What became of one feedback call: answers added, repeats left out,
    and how many of all these were to unknown cards."""

    stored: int
    repeats: int
    unknown: int


class FeedbackStore:
    """Stores feedback calls whole or not at all.

    ``now()`` gives the moment of receipt, with an offset.
    """

    def __init__(
        self,
        database: Database,
        seen: RulesSeen,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._seen = seen
        self._now = now

    def save(self, service: str, body: object) -> Saved:
        """Check and store the parsed JSON ``body`` of a feedback call to ``service``.

        When this returns, every element is on the disk, or was there before: the same card
        with the same outcome and timestamp counts once. Raises BadRequest or TooLarge
        (nothing stored, names the place) and Unavailable (nothing acknowledged).
        """
        answers = read_answers(body)
        if not answers:
            return Saved(0, 0, 0)
        received = utc_text(self._now())
        parts = {answer.card: read_card_id(answer.card) for answer in answers}
        with self._database.write() as connection:
            rules = self._seen.resolve(connection, {read[:2] for read in parts.values() if read})
            rows = [
                _row(service, answer, received, parts[answer.card], rules) for answer in answers
            ]
            # One order for all: two hosts that store the same repeats never wait in a circle.
            rows.sort(key=lambda row: (row["card"], row["outcome"], row["outcome_at"]))
            insert = insert_into(connection, feedback).on_conflict_do_nothing(
                index_elements=["card", "outcome", "outcome_at"]
            )
            # Drivers do not agree on counting rows that a conflict left out: ask for the ids.
            stored = len(connection.execute(insert.returning(feedback.c.id), rows).all())
        unknown = sum(row["rule"] is None for row in rows)
        return Saved(stored=stored, repeats=len(rows) - stored, unknown=unknown)


def _row(
    service: str,
    answer: Answer,
    received: str,
    read: CardId | None,
    rules: dict[tuple[int, int], RuleVersion],
) -> dict[str, Any]:
    made_by = None if read is None else rules.get((read.rule_tag, read.version_tag))
    return {
        **answer._asdict(),
        "suggestions": json.dumps(answer.suggestions),
        "service": service,
        "received_at": received,
        "rule": made_by.rule if made_by else None,
        "version": made_by.version if made_by else None,
        "rule_tag": read.rule_tag if read else None,
        "digest": read.digest if read else None,
    }
