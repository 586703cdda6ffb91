"""All that outlives a call, opened together: what the application factory takes.

``open_records`` connects to nothing. ``Records.start`` tries once and goes on without the
database; the upkeep thread then does the rest as soon as the database is there. Until then
card ids are made under a temporary key of this process: answers to such cards are counted
for their rule as always, but the cards are not recognised as the same ones later.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from sqlalchemy import select

from cds_service.errors import StartupError
from cds_service.feedback.card_ids import KEY_BYTES, CardIds, RuleVersion
from cds_service.feedback.database import Database, open_database
from cds_service.feedback.replay import DatabaseReplay
from cds_service.feedback.rules_seen import RulesSeen
from cds_service.feedback.shown import ShownCounters
from cds_service.feedback.snooze import SnoozeStore
from cds_service.feedback.store import FeedbackStore
from cds_service.feedback.tables import insert_into, kept_secrets
from cds_service.feedback.upkeep import Upkeep

SHORTEST_KEY = 16


class Records:
    """The database and everything that uses it, for one process and the workers it forks."""

    def __init__(self, database: Database, seen: RulesSeen, card_key: bytes | None) -> None:
        self.database = database
        self.card_ids = CardIds(card_key or secrets.token_bytes(KEY_BYTES))
        self.feedback = FeedbackStore(database, seen)
        self.shown = ShownCounters(database)
        self.snooze = SnoozeStore(database)
        self.replay = DatabaseReplay(database)
        self.upkeep = Upkeep([database.probe, self._settle, self.shown.flush])
        self._seen = seen
        self._key_given = card_key is not None
        self._settled = False

    def start(self) -> None:
        """Migrate, take the shared key and record the rules; if the database is away, later."""
        self.upkeep.run_once()
        if not self._settled:
            self.upkeep.touch()

    def count_shown(self, service: str, rule: str, version: str) -> None:
        """Count one card shown today; it reaches the database within seconds."""
        self.shown.add(service, rule, version)
        self.upkeep.touch()

    def close(self) -> None:
        """Write what is still in memory and give back the connections."""
        self.upkeep.close()
        self.database.close()

    def _settle(self) -> None:
        if self._settled:
            return
        self.database.migrate()
        if not self._key_given:
            self.card_ids.use(kept_key(self.database))
        self._seen.record(self.database)
        self._settled = True


def open_records(
    database_url: str, rules: Iterable[RuleVersion], card_key: str | None = None
) -> Records:
    """Everything that outlives a call, not yet connected; see ``Records.start``.

    ``rules``: (id, version) of every rule of the program. ``card_key``: the setting.
    Raises StartupError for a URL that cannot be used, a key shorter than 16 characters, or
    two rules that cannot be told apart.
    """
    if card_key is not None and len(card_key) < SHORTEST_KEY:
        raise StartupError(
            f"CDS_CARD_KEY is shorter than {SHORTEST_KEY} characters.",
            "Use 64 random hexadecimal digits, or unset it.",
        )
    return Records(
        open_database(database_url),
        RulesSeen(rules),
        None if card_key is None else card_key.encode(),
    )


def kept_key(database: Database) -> bytes:
    """The card key kept in the database; the first process that asks makes it.

    Raises Unavailable.
    """
    with database.write() as connection:
        connection.execute(
            insert_into(connection, kept_secrets).on_conflict_do_nothing(),
            {"name": "card_key", "value": secrets.token_hex(KEY_BYTES)},
        )
        query = select(kept_secrets.c.value).where(kept_secrets.c.name == "card_key")
        return bytes.fromhex(connection.execute(query).scalar_one())
