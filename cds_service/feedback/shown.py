"""How many cards were shown: counted in memory, added to the database now and then."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, date, datetime

from cds_service.errors import Unavailable
from cds_service.feedback.database import Database
from cds_service.feedback.forks import after_fork
from cds_service.feedback.tables import insert_into, shown

Key = tuple[str, str, str, str]


class ShownCounters:
    """Cards shown per (service, rule, version, day).

    ``add`` costs a dictionary update; ``flush`` runs in the upkeep thread. While the
    database is away the counts stay in memory. A process that is killed outright loses the
    counts since its last flush (seconds), never feedback.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()
        after_fork(self._forked)

    def add(self, service: str, rule: str, version: str, day: date | None = None) -> None:
        """Count one card shown on ``day`` (default: today in UTC)."""
        at = (day or datetime.now(UTC).date()).isoformat()
        with self._lock:
            self._counts[(service, rule, version, at)] += 1

    def flush(self) -> None:
        """Add what was counted to the database. Raises Unavailable and keeps the counts."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            self._write(counts)
        except Unavailable:
            with self._lock:
                self._counts.update(counts)
            raise

    def _write(self, counts: Counter[Key]) -> None:
        with self._database.write() as connection:
            insert = insert_into(connection, shown)
            add = insert.on_conflict_do_update(
                index_elements=["service", "rule", "version", "day"],
                set_={"cards": shown.c.cards + insert.excluded.cards},
            )
            connection.execute(
                add,
                [  # sorted: two hosts take the rows in the same order and never wait in a circle
                    dict(zip(("service", "rule", "version", "day"), key, strict=True))
                    | {"cards": n}
                    for key, n in sorted(counts.items())
                ],
            )

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counter()  # the parent writes its own
