"""The rows of the audit trail: written in the background, found by card."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import insert, select

from cds_service.errors import Unavailable
from cds_service.ops import logs
from cds_service.ops.forks import after_fork
from cds_service.storage.database import Database
from cds_service.storage.tables import audit, audit_cards

MOST_ROWS = 10_000
MOST_BYTES = 32_000_000
"""What one process keeps in memory while the database cannot be written to."""
PATIENCE_S = 2.0
"""How many seconds a row that must be written waits for another writer."""
_BATCH = 200
_CARD_BYTES = 4000


class AuditRow(NamedTuple):
    """One call. ``caller``, ``clinician`` and ``patient`` are keyed digests; ``content`` is JSON.

    ``cards`` are the ids of the cards that were sent. ``seal``, where there is one, encrypts
    what they said; it is called in the background, and returns ``sealed``.
    """

    record: str
    at: str
    site: str
    topic: str
    service: str
    caller: str
    clinician: str
    patient: str
    content: str
    cards: tuple[str, ...]
    seal: Callable[[], bytes] | None = None
    sealed: bytes | None = None

    @property
    def size(self) -> int:
        """Approximate size in memory, in bytes."""
        unsealed = 0 if self.seal is None else _CARD_BYTES * len(self.cards)
        return 600 + len(self.content) + (len(self.sealed) if self.sealed else unsealed)


class Trail:
    """Adds rows to the table in batches, every few seconds, in the thread that runs `flush`.

    ``lost(n)`` is called for rows that could not be kept.
    """

    def __init__(self, database: Database, lost: Callable[[int], None]) -> None:
        self._database = database
        self._lost = lost
        self._lock = threading.Lock()
        self._rows: list[AuditRow] = []
        self._bytes = 0
        self._dropped = 0
        self._failing = False
        after_fork(self._forked)

    @property
    def degraded(self) -> bool:
        """Whether rows cannot be written, or were lost since the last successful write."""
        return self._failing

    def add(self, row: AuditRow) -> None:
        """Keep ``row`` for the next `flush`; where the limits are reached, count it as lost."""
        with self._lock:
            if len(self._rows) < MOST_ROWS and self._bytes + row.size <= MOST_BYTES:
                self._rows.append(row)
                self._bytes += row.size
                return
        self.lose()

    def lose(self) -> None:
        """Count a call whose row is lost."""
        with self._lock:
            self._dropped += 1
            self._failing = True
        self._lost(1)

    def write(self, rows: Sequence[AuditRow]) -> None:
        """Write ``rows`` now; when this returns they are on disk. Raises Unavailable."""
        rows = [_sealed(row) for row in rows]
        try:
            with self._database.write(prompt=True, patience_s=PATIENCE_S) as connection:
                connection.execute(insert(audit), [_values(row) for row in rows])
                cards = [
                    {"card": card, "record": row.record, "at": row.at}
                    for row in rows
                    for card in dict.fromkeys(row.cards)
                ]
                if cards:
                    connection.execute(insert(audit_cards), cards)
        except Unavailable as error:
            if not self._failing:
                logs.logger(__name__).error("audit_not_written", reason=error.what)
            self._failing = True
            raise
        self._failing = False

    def flush(self) -> None:
        """Write what was added. Raises Unavailable, and keeps what was not written.

        After a failure it tries to write even without rows: where the trail is required, no call
        may be answered (and so add a row) until `degraded` is False again.
        """
        with self._lock:
            rows, self._rows, self._bytes = self._rows, [], 0
        if self._failing and not rows:
            with self._database.write():
                pass
            self._failing = False
        # All are encrypted first: what cards said must not wait in memory for the database.
        rows = [_sealed_if_possible(row) for row in rows]
        while rows:
            try:
                self.write(rows[:_BATCH])
            except Unavailable:
                with self._lock:
                    self._rows[:0] = rows
                    self._bytes += sum(row.size for row in rows)
                raise
            rows = rows[_BATCH:]
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            logs.logger(__name__).error("audit_lost", rows=dropped)

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._rows, self._bytes, self._dropped = [], 0, 0  # the parent writes its own


def _sealed_if_possible(row: AuditRow) -> AuditRow:
    """The row, without what its cards said where that cannot be sealed: no other row is lost."""
    try:
        return _sealed(row)
    except Exception as error:
        logs.logger(__name__).error("audit_not_sealed", **logs.described(error))
        return row._replace(seal=None)


def _sealed(row: AuditRow) -> AuditRow:
    if row.seal is None:
        return row
    time.sleep(0)  # let waiting calls go first
    return row._replace(sealed=row.seal(), seal=None)


def _values(row: AuditRow) -> dict[str, Any]:
    values = row._asdict()
    del values["cards"], values["seal"]
    return values


def find(database: Database, card: str) -> list[dict[str, Any]]:
    """The rows of the calls in which the card was sent, oldest first. Raises Unavailable."""
    query = (
        select(audit)
        .join(audit_cards, audit_cards.c.record == audit.c.record)
        .where(audit_cards.c.card == card)
        .order_by(audit.c.at)
    )
    with database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
