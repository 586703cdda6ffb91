"""What the database is asked to do and to keep: bytes of a row, transactions, milliseconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from sqlalchemy import Table, event, text

from cds_service.core.identity import ANYBODY, Identity
from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.records import Records, open_records
from cds_service.storage.database import Database
from cds_service.storage.tables import counts, feedback, token_ids
from hooks import TOPIC

CARDS_A_CALL = 8
_SERVICE = TOPIC.services[0].id


@dataclass(frozen=True)
class Writes:
    """One kind of write: bytes of a row with its indexes, and what one call asks for."""

    what: str
    bytes_row: float
    rows_call: float
    transactions_call: float
    ms_transaction: float


@dataclass(frozen=True)
class DatabaseFigures:
    """One database. ``shown_rows`` is the most counters of a day."""

    kind: str
    feedback: Writes
    shown: Writes
    tokens: Writes
    shown_rows: int


def measure(url: str, rows: int) -> DatabaseFigures:
    """Write ``rows`` of each kind into the empty database at ``url``."""
    records = open_records(url, [RuleVersion(one.id, one.version) for one in TOPIC.rules])
    records.database.migrate()
    try:
        return DatabaseFigures(
            kind="SQLite" if records.database.is_sqlite else "PostgreSQL",
            feedback=_feedback(records, [(one.id, one.version) for one in TOPIC.rules], rows),
            shown=_shown(
                records,
                [
                    (service.id, one.id, one.version)
                    for service in TOPIC.services
                    for one in service.rules
                ],
                rows,
            ),
            tokens=_tokens(records, rows),
            shown_rows=len(TOPIC.rules),
        )
    finally:
        records.database.close()


def _feedback(records: Records, rules: list[tuple[str, str]], rows: int) -> Writes:
    bodies = [
        {"feedback": [_answer(records, *rules[number % len(rules)], number)]}
        for number in range(rows)
    ]
    before = _size(records.database, feedback)
    with _counted(records.database) as commits:
        started = time.perf_counter()
        for body in bodies:
            records.feedback.save(_SERVICE, body)
        seconds = time.perf_counter() - started
        count = len(commits)
    bytes_row = (_size(records.database, feedback) - before) / rows
    return Writes("feedback", bytes_row, 1, count / rows, seconds / count * 1e3)


def _answer(records: Records, rule: str, version: str, number: int) -> dict[str, object]:
    """Half accepted with one suggestion; half overridden with a reason, half of those in words."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    card = records.card_ids.new(
        rule, version, Identity(ANYBODY, "", f"patient-{number}"), "evidence"
    )
    answer: dict[str, object] = {"card": card, "outcomeTimestamp": at.isoformat()}
    if number % 2:
        return answer | {"outcome": "accepted", "acceptedSuggestions": [{"id": card}]}
    reason = {"code": "not-now", "system": "https://ehr.example/reasons", "display": "Not now"}
    override: dict[str, object] = {"reason": reason}
    if number % 4:
        override["userComment"] = "Seen; the level is drawn again tomorrow, with the others."
    return answer | {"outcome": "overridden", "overrideReason": override}


def _shown(records: Records, rules: list[tuple[str, str, str]], rows: int) -> Writes:
    """A row for each rule and day, however many cards; all since the last write go in one."""
    before = _size(records.database, counts)
    days = max(1, rows // len(rules))
    for number in range(days):
        for service, rule, version in rules:
            day = date(2026, 1, 1) + timedelta(days=number)
            records.shown.add(service, rule, version, day)
    records.shown.flush()
    bytes_row = (_size(records.database, counts) - before) / (days * len(rules))
    calls = 100
    for _ in range(calls):
        for service, rule, version in rules[:CARDS_A_CALL]:
            records.shown.add(service, rule, version, date(2027, 1, 1))
    with _counted(records.database) as commits:
        started = time.perf_counter()
        records.shown.flush()
        seconds = time.perf_counter() - started
        count = len(commits)
    return Writes(
        "shown cards", bytes_row, CARDS_A_CALL / calls, count / calls, seconds / count * 1e3
    )


def _tokens(records: Records, rows: int) -> Writes:
    expires = time.time() + 300
    digests = [sha256(str(number).encode()).hexdigest() for number in range(rows)]
    before = _size(records.database, token_ids)
    with _counted(records.database) as commits:
        started = time.perf_counter()
        for digest in digests:
            records.replay.first_use("https://ehr.example", digest, expires)
        seconds = time.perf_counter() - started
        count = len(commits)
    bytes_row = (_size(records.database, token_ids) - before) / rows
    return Writes("token ids", bytes_row, 1, count / rows, seconds / count * 1e3)


@contextmanager
def _counted(database: Database) -> Iterator[list[None]]:
    """A list that grows by one with each commit."""
    commits: list[None] = []

    def note(_connection: object) -> None:
        commits.append(None)

    event.listen(database.engine, "commit", note)
    try:
        yield commits
    finally:
        event.remove(database.engine, "commit", note)


def _size(database: Database, table: Table) -> int:
    """Bytes of the table with its indexes; on SQLite, of the whole file."""
    with database.read() as connection:
        if database.is_sqlite:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            return int(pages) * int(connection.execute(text("PRAGMA page_size")).scalar_one())
        name = {"name": table.name}
        return int(
            connection.execute(text("SELECT pg_total_relation_size(:name)"), name).scalar_one()
        )
