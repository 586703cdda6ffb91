"""All data of release 1 are there after the upgrade, and release 1 can still run alongside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import release_1
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import exc, select, text

from cds_service.core.identity import ANYBODY
from cds_service.errors import Unavailable
from cds_service.feedback.card_ids import CardIds, RuleVersion
from cds_service.feedback.records import open_records
from cds_service.feedback.report import report
from cds_service.storage import tables
from cds_service.storage.database import open_database

RULES = [RuleVersion("low-magnesium", "1.3.0")]


def test_nothing_of_release_1_is_lost(database_url: str) -> None:
    release_1.make(database_url)
    records = open_records(database_url, RULES)
    records.start()
    with records.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        known, unknown = connection.execute(select(tables.feedback)).all()
    assert (known.card, known.outcome, known.reason_code, known.comment, known.rule) == (
        "3c368aac-764b-8e66-85f8-5ff368000001", "overridden", "known", "Known for years",
        "low-magnesium",
    )  # fmt: skip
    assert (known.issuer, known.tenant, known.site) == ("", "", "default")
    assert (unknown.card, unknown.suggestions, unknown.rule) == ("made up", '["a"]', None)
    counts = report(records.database)
    assert (counts.total, counts.unknown) == (2, 1)
    [line] = counts.rules
    assert (line.version, line.shown, line.overridden, line.comments) == ("1.2.0", 9, 1, 1)
    assert line.reasons == {"known": 1}
    assert report(records.database, site="default").as_json() == counts.as_json()
    assert report(records.database, site="north").total == 0
    # The key stays, and a token that was used before the upgrade is still used.
    card = records.card_ids.new("low-magnesium", "1.3.0", _patient(), "e")
    assert CardIds(bytes.fromhex(release_1.KEY)).was_made_for(card, ANYBODY)
    assert not records.replay.first_use("https://ehr.example", release_1.DIGEST, 9e9)
    records.close()
    records.database.close()


def _patient():  # type: ignore[no-untyped-def]
    from patients import patient

    return patient()


def test_release_1_can_keep_writing_to_the_upgraded_database(database_url: str) -> None:
    """During a rolling upgrade both run, and what the older one writes is counted."""
    release_1.make(database_url)
    database = open_database(database_url)
    database.migrate()
    with database.write() as connection:
        for statement in (
            "INSERT INTO shown VALUES ('s', 'low-magnesium', '1.2.0', '2026-11-20', 1) ON CONFLICT "
            "(service, rule, version, day) DO UPDATE SET cards = shown.cards + excluded.cards",
            "INSERT INTO feedback (service, card, outcome, outcome_at, received_at, rule, version, "
            "suggestions) VALUES ('s', 'c', 'accepted', '2026-11-20T10:00:00.000000000Z', "
            "'2026-11-20T10:00:00.000000000Z', 'low-magnesium', '1.2.0', '[]') "
            "ON CONFLICT (card, outcome, outcome_at) DO NOTHING",
        ):
            connection.execute(text(statement))
    [line] = report(database).rules
    assert (line.shown, line.accepted, line.overridden) == (10, 1, 1)
    database.close()


@pytest.mark.parametrize("table", ["audit", "audit_cards"])
def test_the_audit_trail_cannot_be_rewritten(database_url: str, table: str) -> None:
    database = open_database(database_url)
    at = "2026-11-20T10:00:00.000000000Z"
    rows = {
        "audit": dict.fromkeys(
            ("record", "site", "topic", "service", "caller", "clinician", "patient", "content"), "x"
        ),
        "audit_cards": {"record": "x", "card": "x"},
    }
    with database.write() as connection:
        audit_table = tables.metadata.tables[table]
        connection.execute(tables.insert_into(connection, audit_table), rows[table] | {"at": at})
    with pytest.raises((Unavailable, exc.DBAPIError)), database.write() as connection:
        connection.execute(text(f"UPDATE {table} SET record = 'y'"))
    with database.read() as connection:
        assert connection.execute(select(audit_table.c.record)).scalar_one() == "x"
    database.close()


def test_only_the_owner_can_read_a_file_of_release_1_after_the_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    release_1.make(f"sqlite:///{path}")
    path.chmod(0o600)
    database = open_database(f"sqlite:///{path}")
    database.migrate()
    assert path.stat().st_mode & 0o777 == 0o600
    database.close()


def test_one_process_can_create_two_databases_at_the_same_time(tmp_path: Path) -> None:
    """Alembic keeps its state in module variables: in parallel, one run would use the other's."""
    for turn in range(5):
        databases = [
            open_database(f"sqlite:///{tmp_path}/{turn}-{number}.db") for number in range(6)
        ]
        with ThreadPoolExecutor(len(databases)) as threads:
            for migration in [threads.submit(database.migrate) for database in databases]:
                migration.result()
        for database in databases:
            assert database.ready()
            database.close()
