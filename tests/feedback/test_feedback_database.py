"""The service's database: late, unavailable, full, locked, restarted, older and newer."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, func, select, text

from cds_service.errors import StartupError, Unavailable
from cds_service.storage import database as module
from cds_service.storage import engines
from cds_service.storage.database import Database, open_database
from cds_service.storage.tables import insert_into, kept_secrets, metadata


def _keep(database: Database, name: str, value: str = "x") -> None:
    with database.write() as connection:
        connection.execute(insert_into(connection, kept_secrets), {"name": name, "value": value})


def _count(database: Database) -> int:
    with database.read() as connection:
        query = select(func.count()).select_from(kept_secrets)
        return int(connection.execute(query).scalar_one())


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("not a url", id="no URL at all"),
        pytest.param("mysql://h/x", id="another database"),
        pytest.param("postgresql+psycopg2://h/x", id="another driver"),
        pytest.param("sqlite://", id="in memory"),
        pytest.param("sqlite:///:memory:", id="in memory, named"),
        pytest.param("sqlite:///file:x?mode=memory&uri=true", id="in memory, by option"),
    ],
)
def test_a_url_that_cannot_be_used_refuses_to_start(url: str) -> None:
    with pytest.raises(StartupError) as refused:
        open_database(url)
    assert "CDS_DATABASE_URL" in refused.value.what
    assert refused.value.fix


def test_no_error_or_url_shows_the_password() -> None:
    database = open_database("postgresql://cds:canary@127.0.0.1:9/x")
    assert "canary" not in database.url
    with pytest.raises(Unavailable) as unavailable:
        database.migrate()
    assert "canary" not in str(unavailable.value)
    with pytest.raises(StartupError) as refused:
        open_database("nothing://cds:canary@127.0.0.1/x")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_url_scheme_of_postgresql_is_accepted(scheme: str) -> None:
    assert open_database(f"{scheme}://h/x").url == "postgresql+psycopg://h/x"


def test_postgresql_without_its_driver_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(StartupError) as refused:
        open_database("postgresql://h/x")
    assert ".[postgres]" in refused.value.fix


def test_the_migrated_tables_match_the_models(database_url: str) -> None:
    database = open_database(database_url)
    database.migrate()
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_migrating_again_changes_nothing(database_url: str) -> None:
    first = open_database(database_url)
    _keep(first, "a")
    first.close()
    second = open_database(database_url)
    second.migrate()
    assert _count(second) == 1
    second.close()


def test_a_database_migrated_by_a_newer_program_is_used_unchanged(database_url: str) -> None:
    newer = open_database(database_url)
    with newer.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer.close()
    older = open_database(database_url)
    _keep(older, "a")
    with older.read() as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    assert version == "9999"
    older.close()


def test_an_error_in_the_block_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(LookupError), database.write() as connection:
        connection.execute(insert_into(connection, kept_secrets), {"name": "a", "value": "x"})
        raise LookupError
    assert _count(database) == 0


def test_sqlite_that_becomes_available_after_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "not-mounted-yet"
    database = open_database(f"sqlite:///{folder / 'kept.db'}")
    assert not database.ready()
    with pytest.raises(Unavailable, match="folder"):
        _keep(database, "a")
    folder.mkdir()
    _keep(database, "a")
    assert database.ready()
    database.close()


@pytest.mark.postgres
def test_postgresql_that_becomes_available_after_the_start(postgres_database) -> None:
    postgres_database.drop()
    database = open_database(postgres_database.url)
    assert not database.ready()
    with pytest.raises(Unavailable, match="Create the database"):
        _keep(database, "a")
    postgres_database.create()
    _keep(database, "a")
    assert database.ready()
    database.close()


@pytest.mark.postgres
def test_cut_connections_are_reopened(postgres_database) -> None:
    database = open_database(postgres_database.url)
    _keep(database, "a")
    postgres_database.cut_connections()
    _keep(database, "b")
    assert _count(database) == 2
    database.close()


@pytest.mark.postgres
def test_a_server_that_stops_and_starts_again(cluster, postgres_database) -> None:
    if str(cluster.port) not in postgres_database.url:
        pytest.skip("the server given by CDS_TEST_POSTGRES_URL is not ours to stop")
    database = open_database(postgres_database.url)
    _keep(database, "a")
    cluster.stop()
    try:
        assert not database.ready()
        with pytest.raises(Unavailable):
            _keep(database, "b")
    finally:
        cluster.start()
    _keep(database, "b")
    assert _count(database) == 2
    database.close()


@pytest.mark.postgres
def test_a_commit_waits_for_the_disk_whatever_the_server_setting(
    postgres_database,
) -> None:
    name = postgres_database.url.rsplit("/", 1)[1]
    postgres_database.admin(f"ALTER DATABASE {name} SET synchronous_commit = off")
    database = open_database(postgres_database.url)
    with database.write() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
    database.close()


def test_sqlite_commits_to_the_disk_unless_told_otherwise(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    with database.write(durable=False) as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 1
    with database.write() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
    database.close()


def test_dropped_tables_are_created_again(database: Database) -> None:
    _keep(database, "a")
    with database.write() as connection:
        for table in [*metadata.tables, "alembic_version"]:
            connection.execute(text(f"DROP TABLE {table}"))
    with pytest.raises(Unavailable):
        _keep(database, "b")
    _keep(database, "b")
    assert _count(database) == 1


def test_a_full_disk_is_reported_and_loses_nothing_acknowledged(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    _keep(database, "a")

    @event.listens_for(database.engine, "begin")
    def _full(connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # rounded up to the present size

    with pytest.raises(Unavailable, match="Free space"):
        _keep(database, "b", "x" * 100_000)
    assert _count(database) == 1
    database.close()


def test_a_database_that_stays_locked_is_reported(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    database = open_database(sqlite_url)
    _keep(database, "a")
    other = sqlite3.connect(tmp_path / "kept.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="Another process"):
        _keep(database, "b")
    assert _count(database) == 1  # readers are not kept waiting
    other.execute("ROLLBACK")
    other.close()
    _keep(database, "b")
    database.close()


def test_without_a_free_connection_the_caller_is_asked_to_retry(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM_SECONDS", 0.05)
    database = open_database(sqlite_url)
    database.migrate()
    with ExitStack() as stack:
        for _ in range(module.ROOM):
            stack.enter_context(database.read())
        with pytest.raises(Unavailable, match="Too many"), database.read():
            pytest.fail("there is no more room")
        with database.read(prompt=True):  # urgent calls have room of their own
            pass
    assert database.ready()
    database.close()


def test_a_dangling_link_is_reported_like_a_missing_folder(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "kept.db").symlink_to(tmp_path / "nowhere" / "kept.db")
    database = open_database(sqlite_url)
    with pytest.raises(Unavailable, match="folder"):
        database.migrate()
    database.close()


def test_a_file_that_is_not_a_database_is_reported(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "kept.db").write_bytes(b"something else entirely" * 100)
    database = open_database(sqlite_url)
    with pytest.raises(Unavailable, match="Name another file"):
        database.migrate()
    database.close()


def test_only_the_owner_can_read_the_file(sqlite_url: str, tmp_path: Path) -> None:
    database = open_database(sqlite_url)
    _keep(database, "a")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"kept.db": 0o600, "kept.db-wal": 0o600, "kept.db-shm": 0o600}
    database.close()


def test_an_urgent_call_does_not_try_a_database_that_has_just_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BREAKER_OPEN_SECONDS", 3600)
    folder = tmp_path / "late"
    database = open_database(f"sqlite:///{folder / 'kept.db'}")
    with pytest.raises(Unavailable):
        database.migrate()
    folder.mkdir()
    with pytest.raises(Unavailable, match="unavailable"), database.read(prompt=True):
        pass
    with database.read():  # another call finds it available again, so urgent calls use it again
        pass
    with database.read(prompt=True):
        pass
    database.close()


def test_the_probe_finds_a_database_that_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BREAKER_OPEN_SECONDS", 3600)
    folder = tmp_path / "late"
    database = open_database(f"sqlite:///{folder / 'kept.db'}")
    database.probe()  # nothing has failed yet: nothing is tried
    with pytest.raises(Unavailable):
        database.migrate()
    with pytest.raises(Unavailable):
        database.probe()
    folder.mkdir()
    database.probe()
    with database.read(prompt=True):
        pass
    database.close()


def test_one_refused_statement_does_not_make_the_database_unavailable(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BREAKER_OPEN_SECONDS", 3600)
    _keep(database, "a")
    with pytest.raises(Unavailable):
        _keep(database, "a")
    with database.read(prompt=True):
        pass


@pytest.mark.postgres
def test_an_unreachable_server_is_unavailable_at_once_for_urgent_calls(
    postgres_database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BREAKER_OPEN_SECONDS", 3600)
    postgres_database.drop()
    database = open_database(postgres_database.url)
    with pytest.raises(Unavailable):
        database.migrate()
    postgres_database.create()
    with pytest.raises(Unavailable, match="unavailable"), database.read(prompt=True):
        pass
    database.close()


def test_no_value_of_a_failed_statement_is_repeated(database: Database) -> None:
    _keep(database, "canary-name", "canary-value")
    with pytest.raises(Unavailable) as refused:
        _keep(database, "canary-name", "canary-value")
    assert "canary" not in str(refused.value)
    assert refused.value.__suppress_context__
    assert "canary-value" not in str(refused.value.__context__)
