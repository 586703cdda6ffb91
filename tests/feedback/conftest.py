"""Both databases: SQLite in a temporary file, and a real PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from cds_service.feedback.card_ids import CardIds, RuleVersion
from cds_service.feedback.card_keys import CardKeys
from cds_service.feedback.rules_seen import RulesSeen
from cds_service.feedback.store import FeedbackStore
from cds_service.storage.database import Database, open_database
from cds_service.storage.tables import metadata
from tests.testing.databases import empty_sqlite
from tests.testing.thorough import thorough

RULES = (RuleVersion("low-magnesium", "1.2.0"), RuleVersion("quinine-draft", "2.0.0"))


def _programs() -> Path | None:
    """The folder of PostgreSQL's server programs, newest version first."""
    on_path = shutil.which("initdb")
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda program: int(program.parts[-3]),
        reverse=True,
    )
    candidates = [*installed, *([Path(on_path)] if on_path else [])]
    return candidates[0].parent if candidates else None


class Cluster:
    """A private PostgreSQL server on a free loopback port, without other data."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="cds-postgres-"))
        # The server refuses to run as root.
        self._as: list[str] = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._as = ["runuser", "-u", "postgres", "--"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "--auth=trust", "--username=cds", "--encoding=UTF8", "--no-sync")
        self.start()
        self.url = f"postgresql://cds@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        # Tests kill processes but never cut the power: what the system was given is safe.
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "--wait", "--silent", "--log", log, "--options", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """``immediate``: without waiting for clients."""
        self._run("pg_ctl", "--wait", "--silent", "--mode", mode, "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        data = str(self._folder / "data")
        command = [*self._as, str(self._programs / program), "--pgdata", data, *arguments]
        # No pipes: the server keeps the descriptors it inherits.
        with (self._folder / f"{program}.out").open("w") as out:
            process = subprocess.run(
                command, cwd=self._folder, stdout=out, stderr=subprocess.STDOUT, check=False
            )
        if process.returncode:
            raise RuntimeError((self._folder / f"{program}.out").read_text())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server that the test may stop and start."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    if os.geteuid() == 0 and not shutil.which("runuser"):
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    server = Cluster(programs)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """URL of a server on which databases may be created: the one given, or a private one."""
    given = os.environ.get("CDS_TEST_POSTGRES_URL")
    if given:
        return given
    private: Cluster = request.getfixturevalue("cluster")
    return private.url


class PostgresDatabase:
    """A database for one test alone, which need not exist yet."""

    def __init__(self, server: str) -> None:
        self._server = make_url(server).set(drivername="postgresql+psycopg")
        self._name = f"cds_test_{uuid.uuid4().hex}"
        named = self._server.set(database=self._name, drivername="postgresql")
        self.url = named.render_as_string(hide_password=False)
        self._has_tables = False

    def create(self) -> None:
        self.admin(f"CREATE DATABASE {self._name}")

    def drop(self) -> None:
        self.admin(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")

    def cut_connections(self) -> None:
        """Cut all connections, as a restart of the server does."""
        self.admin(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'"
        )

    def empty(self) -> None:
        """Drop all tables."""
        self.admin("DROP SCHEMA public CASCADE; CREATE SCHEMA public", self._own)
        self._has_tables = False

    def empty_tables(self) -> None:
        """Delete all rows, or make the tables where the last test had others."""
        if self._has_tables:
            self.admin(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY", self._own)
            return
        self.empty()
        database = open_database(self.url)
        database.migrate()
        database.close()
        self._has_tables = True

    @property
    def _own(self) -> URL:
        return self._server.set(database=self._name)

    def admin(self, statement: str, where: URL | None = None) -> None:
        """Run one statement on the server, or in the database ``where``."""
        engine = create_engine(where or self._server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture
def postgres_database(postgres_server: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(postgres_server)
    database.create()
    yield database
    database.drop()


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: str) -> Iterator[PostgresDatabase]:
    """One database for all tests that need no more than empty tables: making one is slow."""
    database = PostgresDatabase(postgres_server)
    database.create()
    yield database
    database.drop()


@pytest.fixture
def empty_postgres(shared_postgres: PostgresDatabase) -> str:
    """URL of the shared database, with nothing in it."""
    shared_postgres.cut_connections()
    shared_postgres.empty()
    return shared_postgres.url


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may be slow, except where a test measures how long the service waits."""
    if request.node.get_closest_marker("timed") is None:
        monkeypatch.setattr("cds_service.storage.prompt_runner.PATIENCE_S", 30.0)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'kept.db'}"


# Every day on SQLite; what PostgreSQL does by itself has tests of its own. The gate runs both.
@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, thorough])])
def kind(request: pytest.FixtureRequest) -> str:
    """Of database."""
    name: str = request.param
    return name


@pytest.fixture
def database_url(request: pytest.FixtureRequest, kind: str) -> str:
    """URL of a database with nothing in it."""
    url: str = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "empty_postgres")
    return url


@pytest.fixture
def sqlite_tables_url(tmp_path: Path) -> str:
    return empty_sqlite(tmp_path / "kept.db")


@pytest.fixture
def postgres_tables_url(shared_postgres: PostgresDatabase) -> str:
    shared_postgres.cut_connections()
    shared_postgres.empty_tables()
    return shared_postgres.url


@pytest.fixture
def tables_url(request: pytest.FixtureRequest, kind: str) -> str:
    """URL of a database with empty tables: the migrations take longer than most tests."""
    url: str = request.getfixturevalue(f"{kind}_tables_url")
    return url


@pytest.fixture
def database(tables_url: str) -> Iterator[Database]:
    its_database = open_database(tables_url)
    its_database.migrate()  # as at the start of the service: no prompt call waits for it
    yield its_database
    its_database.close()


@pytest.fixture
def keys() -> CardKeys:
    return CardKeys("a key for tests only")


@pytest.fixture
def card_ids(keys: CardKeys) -> CardIds:
    return keys.ids


@pytest.fixture
def store(database: Database, keys: CardKeys) -> FeedbackStore:
    return FeedbackStore(database, RulesSeen(RULES), keys)
