"""Token ids, the shared card key, and the maintenance thread."""

from __future__ import annotations

import threading

import pytest
from patients import patient
from sqlalchemy import func, select
from structlog.testing import capture_logs

from cds_service.core.identity import ANYBODY
from cds_service.errors import StartupError, Unavailable
from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.records import open_records
from cds_service.feedback.report import report
from cds_service.storage.database import Database, open_database
from cds_service.storage.replay import PURGE_SECONDS, DatabaseReplay
from cds_service.storage.tables import token_ids
from cds_service.storage.upkeep import Upkeep

RULES = [RuleVersion("low-magnesium", "1.2.0")]
CARD = ("low-magnesium", "1.2.0", patient(), "e")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_is_used_once_per_client(database: Database) -> None:
    replay = DatabaseReplay(database, clock=Clock())
    assert replay.first_use("https://a.example", "j1", 1_000_300)
    assert not replay.first_use("https://a.example", "j1", 1_000_300)
    assert replay.first_use("https://b.example", "j1", 1_000_300)
    assert replay.first_use("https://a.example", "j2", 1_000_300)


def test_a_token_is_remembered_after_a_restart(tables_url: str) -> None:
    for first in (True, False):
        database = open_database(tables_url)
        assert DatabaseReplay(database, clock=Clock()).first_use("a", "j", 1_000_300) is first
        database.close()


def test_token_ids_are_deleted_only_after_their_token_expires(database: Database) -> None:
    clock = Clock()
    replay = DatabaseReplay(database, leeway=60, clock=clock)
    stored = 0

    def stored_after(name: str) -> int:
        replay.first_use("a", name, clock.now + 100)
        with database.read() as connection:
            query = select(func.count()).select_from(token_ids)
            return int(connection.execute(query).scalar_one())

    stored = stored_after("j1")
    clock.now += 160
    DatabaseReplay(database, leeway=60, clock=clock).first_use("a", "j2", clock.now + 100)
    assert stored == 1
    assert not replay.first_use("a", "j1", clock.now)
    clock.now += PURGE_SECONDS + 200
    assert stored_after("j3") == 1


@pytest.mark.parametrize("expires", [float("inf"), 1e300, 2**63])
def test_a_token_that_never_ends_is_remembered(database: Database, expires: float) -> None:
    replay = DatabaseReplay(database)
    assert replay.first_use("a", "j", expires)
    assert not replay.first_use("a", "j", expires)


def test_the_replay_check_reports_an_unavailable_database(tmp_path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'none' / 'kept.db'}")
    with pytest.raises(Unavailable):
        DatabaseReplay(database).first_use("a", "j", 1)
    database.close()


def test_all_processes_share_the_card_key(tables_url: str) -> None:
    first, second = open_records(tables_url, RULES), open_records(tables_url, RULES)
    first.start()
    second.start()
    assert second.card_ids.was_made_for(first.card_ids.new(*CARD), ANYBODY)
    first.close()
    second.close()


def test_a_card_key_from_the_settings_needs_no_database(tmp_path, tables_url: str) -> None:
    unavailable = open_records(
        f"sqlite:///{tmp_path / 'none' / 'x.db'}", RULES, "sixteen or longer"
    )
    available = open_records(tables_url, RULES, "sixteen or longer")
    available.start()
    assert available.card_ids.was_made_for(unavailable.card_ids.new(*CARD), ANYBODY)
    unavailable.close()
    available.close()


def test_a_short_card_key_refuses_to_start(sqlite_url: str) -> None:
    with pytest.raises(StartupError, match="CDS_CARD_KEY"):
        open_records(sqlite_url, RULES, "fifteen letters")


def test_the_service_starts_without_its_database_and_recovers(tmp_path) -> None:
    folder = tmp_path / "late"
    records = open_records(f"sqlite:///{folder / 'kept.db'}", RULES)
    records.start()
    temporary = records.card_ids.new(*CARD)
    records.count_shown("s", *RULES[0])
    folder.mkdir()
    records.upkeep.run_once()
    lasting = records.card_ids.new(*CARD)
    other = open_records(f"sqlite:///{folder / 'kept.db'}", RULES)
    other.start()
    assert other.card_ids.was_made_for(lasting, ANYBODY)
    # What was shown meanwhile counts too: the temporary key was stored among the earlier ones.
    assert other.card_ids.was_made_for(temporary, ANYBODY)
    assert report(other.database).rules[0].shown == 1
    records.close()
    other.close()


def test_counts_of_shown_cards_are_written_at_the_end(tables_url: str) -> None:
    records = open_records(tables_url, RULES)
    records.start()
    records.count_shown("s", *RULES[0])
    records.close()
    records.close()
    assert report(records.database).rules[0].shown == 1
    records.database.close()


def test_the_maintenance_thread_repeats_its_tasks() -> None:
    turns = threading.Semaphore(0)
    others = set(threading.enumerate())  # of services that other tests made
    upkeep = Upkeep([turns.release], every=0.001)
    upkeep.touch()
    upkeep.touch()
    assert all(turns.acquire(timeout=10) for _ in range(3))
    own = [
        thread
        for thread in threading.enumerate()
        if thread not in others and thread.name == "cds-upkeep"
    ]
    assert len(own) == 1
    upkeep.close()
    assert not own[0].is_alive()


def test_one_failing_task_does_not_stop_the_others() -> None:
    runs = []

    def unavailable() -> None:
        raise Unavailable("unavailable")

    def broken() -> None:
        raise LookupError("canary")

    upkeep = Upkeep([unavailable, broken, lambda: runs.append(1)])
    with capture_logs() as lines:  # however another test has set up the log
        upkeep.run_once()
        upkeep.run_once()
    assert runs == [1, 1]
    output = str(lines)
    assert [line["event"] for line in lines].count("database_unavailable") == 1
    assert "LookupError" in output
    assert "canary" not in output
