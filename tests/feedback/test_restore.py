"""A restored backup: none of its data are lost, and no earlier token is accepted again."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from patients import patient
from sqlalchemy import select
from sqlalchemy.engine import make_url
from test_feedback_answers import overridden

from cds_service.core.identity import ANYBODY
from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.records import Records, open_records
from cds_service.feedback.report import report
from cds_service.storage.database import open_database
from cds_service.storage.replay import GAP_SECONDS, DatabaseReplay
from cds_service.storage.tables import kept_secrets

RULE = RuleVersion("low-magnesium", "1.2.0")
DAY = 86_400.0
EHR = "https://ehr.example"


class Clock:
    now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def _sqlite(url: str, folder: Path) -> Callable[[], None]:
    """Backs up while the database is in use; returns what restores it."""
    path, backup = Path(str(make_url(url).database)), folder / "backup.db"
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()

    def restore() -> None:
        for path_in_use in path.parent.glob(f"{path.name}*"):
            path_in_use.unlink()
        shutil.copy(backup, path)

    return restore


def _postgres(url: str, folder: Path) -> Callable[[], None]:
    if not shutil.which("pg_dump") or not shutil.which("pg_restore"):
        pytest.skip("no pg_dump on this machine")
    dump = folder / "cds.dump"
    subprocess.run(["pg_dump", "--format", "custom", "--file", str(dump), url], check=True)

    def restore() -> None:
        command = ["pg_restore", "--clean", "--if-exists", "--no-owner", "--dbname", url, str(dump)]
        subprocess.run(command, check=True)

    return restore


def _backup(url: str, folder: Path) -> Callable[[], None]:
    return (_sqlite if url.startswith("sqlite") else _postgres)(url, folder)


def _opened(url: str) -> Records:
    records = open_records(url, [RULE])
    records.start()
    return records


def _closed(records: Records) -> None:
    records.close()
    records.database.close()


def test_everything_that_was_backed_up_is_restored(database_url: str, tmp_path: Path) -> None:
    records = _opened(database_url)
    card = records.card_ids.new(*RULE, patient(), "e")
    records.count_shown("s", *RULE)
    records.upkeep.run_once()
    records.feedback.save("s", {"feedback": [overridden(card=card)]})
    restore = _backup(database_url, tmp_path)
    records.feedback.save("s", {"feedback": [overridden(card="later")]})
    before = report(records.database, [RULE]).rules
    _closed(records)
    restore()

    records = _opened(database_url)
    assert report(records.database, [RULE]).rules == before
    assert report(records.database).total == 1
    # Cards shown before, also after the backup, are still this service's.
    assert records.card_ids.was_made_for(card, ANYBODY)
    other = overridden(card=card, outcomeTimestamp="2026-11-23T00:00:00Z")
    assert records.feedback.save("s", {"feedback": [other]}).unknown == 0
    _closed(records)


def test_a_token_used_after_the_backup_is_not_valid_again(
    database_url: str, tmp_path: Path
) -> None:
    clock = Clock()
    database = open_database(database_url)
    replay = DatabaseReplay(database, clock=clock)
    assert replay.first_use(EHR, "morning", clock.now + 300, clock.now)
    restore = _backup(database_url, tmp_path)
    clock.now += DAY
    used_at = clock.now - 5
    # The service ran all the time: it records that it remembers, and refuses nothing.
    replay = DatabaseReplay(database, clock=clock)
    database.close()

    restore()

    database = open_database(database_url)
    for worker in range(2):
        clock.now += 1
        again = DatabaseReplay(database, clock=clock)
        assert not again.first_use(EHR, "evening", used_at + 300, used_at)
        assert again.first_use(EHR, f"fresh {worker}", clock.now + 300, clock.now)
        assert not again.first_use(EHR, f"fresh {worker}", clock.now + 300, clock.now)
    database.close()


def test_an_immediate_restart_refuses_no_token(database_url: str) -> None:
    clock = Clock()
    database = open_database(database_url)
    for _ in range(3):
        replay = DatabaseReplay(database, clock=clock)
        assert replay.first_use(EHR, f"j{clock.now}", clock.now + 300, clock.now - 60)
        clock.now += GAP_SECONDS - 1
    # After a longer pause only those that were made before it ended.
    clock.now += 2
    replay = DatabaseReplay(database, clock=clock)
    assert not replay.first_use(EHR, "old", clock.now + 300, clock.now - 60)
    assert replay.first_use(EHR, "new", clock.now + 300, clock.now)
    database.close()


def test_a_process_without_calls_overnight_refuses_nothing(database_url: str) -> None:
    clock = Clock()
    database = open_database(database_url)
    replay = DatabaseReplay(database, clock=clock)
    assert replay.first_use(EHR, "evening", clock.now + 300, clock.now)
    clock.now += DAY / 2
    assert replay.first_use(EHR, "morning", clock.now + 300, clock.now - 60)
    with database.read() as connection:
        query = select(kept_secrets.c.value).where(kept_secrets.c.name.like("tokens_%"))
        assert connection.execute(query).scalars().all() == [str(int(clock.now))]
    database.close()
