"""The life cycle of stored data: exported, deleted after its retention, erased on demand.

This is for feedback, counts of rules and the audit trail. Token ids expire by themselves and card
keys by rotation; neither is exported.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Table, delete, select

from cds_service.core.identity import DEFAULT_SITE
from cds_service.storage import engines
from cds_service.storage.database import Database
from cds_service.storage.tables import (
    audit,
    audit_cards,
    counts,
    denominators,
    feedback,
    shown,
    unknown_feedback,
)

_BATCH = 1000
_EVERY = 3600.0


class StoredTable(NamedTuple):
    """One table of stored data, and the column with the time of a row."""

    table: Table
    when: Column[str]
    audit: bool = False


STORED_TABLES = (
    StoredTable(feedback, feedback.c.received_at),
    StoredTable(unknown_feedback, unknown_feedback.c.received_at),
    StoredTable(counts, counts.c.day),
    StoredTable(shown, shown.c.day),
    StoredTable(denominators, denominators.c.day),
    StoredTable(audit, audit.c.at, audit=True),
)
"""``audit_cards`` is deleted with ``audit``: it is only an index of that table."""


def export(database: Database, site: str | None = None) -> Iterator[dict[str, Any]]:
    """Every stored row, of one site or with None of all, as plain values with its ``table``.

    Encrypted content stays encrypted, as base64. Raises Unavailable.
    """
    with database.read() as connection:
        for stored in STORED_TABLES:
            query = select(stored.table).order_by(*stored.table.primary_key.columns)
            if (condition := _of_site(stored.table, site)) is not None:
                query = query.where(condition)
            elif site not in {None, DEFAULT_SITE}:
                continue  # counted before there were sites
            rows = connection.execution_options(yield_per=_BATCH).execute(query)
            for row in rows.mappings():
                yield {"table": stored.table.name} | {
                    name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
                    for name, value in row.items()
                }


def erase(database: Database, before: date, site: str | None = None) -> dict[str, int]:
    """Delete rows from before ``before``, of one site or with None of all.

    Returns the number of deleted rows by table. On SQLite the file is then rewritten, so that
    nothing deleted is left in free pages. Raises Unavailable, also where the file is in use for
    too long.
    """
    erased: dict[str, int] = {}
    for stored in STORED_TABLES:
        if site in {None, DEFAULT_SITE} or "site" in stored.table.c:
            erased[stored.table.name] = _delete(database, stored, before, site)
    if database.is_sqlite and any(erased.values()):
        engines.compact(database.engine)
    return erased


def _delete(
    database: Database,
    stored: StoredTable,
    before: date,
    site: str | None,
    batches: int | None = None,
) -> int:
    """Delete in short transactions, at most ``batches`` of them; returns the deleted rows."""
    table, (key, *more) = stored.table, stored.table.primary_key.columns
    where = [stored.when < before.isoformat()]
    if (condition := _of_site(table, site)) is not None:
        where.append(condition)
    deleted = 0
    while batches is None or batches > 0:
        with database.write() as connection:
            if more:  # these tables have only a few rows per day
                return int(connection.execute(delete(table).where(*where)).rowcount)
            old = connection.execute(select(key).where(*where).limit(_BATCH)).scalars().all()
            if stored.audit:
                connection.execute(delete(audit_cards).where(audit_cards.c.record.in_(old)))
            connection.execute(delete(table).where(key.in_(old)))
        deleted += len(old)
        if len(old) < _BATCH:
            break
        batches = None if batches is None else batches - 1
    return deleted


def _of_site(table: Table, site: str | None) -> ColumnElement[bool] | None:
    return None if site is None or "site" not in table.c else table.c.site == site


class Retention:
    """Deletes rows older than their retention in days, once an hour: a task of the upkeep."""

    def __init__(
        self,
        database: Database,
        days: int | None,
        audit_days: int | None,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._days = days
        self._audit_days = audit_days
        self._today = today
        self._clock = clock
        self._next = 0.0

    def __call__(self) -> None:
        """Delete expired rows, at most some thousand at a time. Raises Unavailable."""
        if self._clock() < self._next:
            return
        for stored in STORED_TABLES:
            days = self._audit_days if stored.audit else self._days
            if days is not None:
                before = self._today() - timedelta(days=days)
                if _delete(self._database, stored, before, None, batches=1) == _BATCH:
                    return  # the rest next time
        self._next = self._clock() + _EVERY
