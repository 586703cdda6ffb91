"""Counts of calls, cards and outcomes: kept in memory and regularly added to the database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime

from cds_service.core.identity import DEFAULT_SITE
from cds_service.errors import Unavailable
from cds_service.ops.forks import after_fork
from cds_service.storage.database import Database
from cds_service.storage.tables import counts, insert_into

SHOWN = "shown"
WOULD_SHOW = "would show"
CANNOT_TELL = "cannot tell"
CALL = "call"
"""Events; a call is counted for its service, without a rule."""
_KEY = ("site", "service", "rule", "version", "day", "event")
_Counted = tuple[str, str, str, str, str, str]


class ShownCounters:
    """Counts per (site, service, rule, version, day, event); the usual event is `SHOWN`.

    ``add`` costs a dictionary update; ``flush`` runs in the upkeep thread. While the database is
    unavailable the counts stay in memory. A process that is killed loses the counts since its
    last flush (seconds), but never feedback.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: Counter[_Counted] = Counter()
        after_fork(self._forked)

    def add(
        self,
        service: str,
        rule: str,
        version: str,
        day: date | None = None,
        *,
        site: str = DEFAULT_SITE,
        event: str = SHOWN,
    ) -> None:
        """Count one ``event`` on ``day`` (default: today in UTC)."""
        self.add_all(service, [(rule, version, event)], day or datetime.now(UTC).date(), site)

    def add_all(
        self, service: str, events: Iterable[tuple[str, str, str]], day: date, site: str
    ) -> None:
        """Count what happened in one call: (rule, version, event)."""
        at = day.isoformat()
        with self._lock:
            counted = self._counts
            for rule, version, event in events:
                counted[(site, service, rule, version, at, event)] += 1

    def flush(self) -> None:
        """Add the counts to the database. Raises Unavailable, and then keeps the counts."""
        with self._lock:
            counted, self._counts = self._counts, Counter()
        if not counted:
            return
        try:
            self._write(counted)
        except Unavailable:
            with self._lock:
                self._counts.update(counted)
            raise

    def _write(self, counted: Counter[_Counted]) -> None:
        with self._database.write() as connection:
            insert = insert_into(connection, counts)
            add = insert.on_conflict_do_update(
                index_elements=[*_KEY],
                set_={"number": counts.c.number + insert.excluded.number},
            )
            connection.execute(
                add,
                [  # sorted: two hosts lock the rows in the same order, and cannot deadlock
                    dict(zip(_KEY, key, strict=True)) | {"number": n}
                    for key, n in sorted(counted.items())
                ],
            )

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counter()  # the parent writes its own
