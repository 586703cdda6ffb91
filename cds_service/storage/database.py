"""The database behind feedback, counters and token ids: SQLite by default, PostgreSQL by URL.

Nothing is connected until something is asked, so the service starts and answers cards while
the database is away. Every use makes sure first that the tables are there (``migrate``), so a
database that comes late, or comes back empty, mends itself. Every failure of the database is
``Unavailable`` with what to do; values never appear in its text.

SQLite runs in WAL mode; a transaction that returns is on the disk (``synchronous=FULL``)
unless it asked for less. Several processes of one host may share the file; several hosts
need PostgreSQL, and SQLite's file must not lie on a network share.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import exc, text
from sqlalchemy.engine import URL, Connection, Engine, make_url

from cds_service.errors import StartupError, Unavailable
from cds_service.storage import engines
from cds_service.storage.forks import after_fork

AWAY_SECONDS = 5.0
"""After it could not be reached, calls in a hurry take the database to be away for so long,
or until another call (``probe``, from the upkeep thread) has found it back."""

_MIGRATION_LOCK = 0x636473_66656564
"""Key of the PostgreSQL advisory lock under which one process migrates ("cds" "feed")."""

_POSTGRES_NAMES = {"postgres", "postgresql", "postgresql+psycopg"}
_SQLITE_NAMES = {"sqlite", "sqlite+pysqlite"}


def open_database(url: str) -> Database:
    """The database at ``url`` (SQLAlchemy form), not yet connected.

    Accepts ``sqlite:///file.db`` and ``postgresql://user:password@host/name``.
    Raises StartupError for anything else, without repeating a password.
    """
    mend = "Use sqlite:///file.db or postgresql://user:password@host/name."
    try:
        read = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise StartupError("CDS_DATABASE_URL cannot be read.", mend) from None
    if read.drivername in _POSTGRES_NAMES:
        if find_spec("psycopg") is None:
            raise StartupError(
                "CDS_DATABASE_URL names PostgreSQL, and its driver is not installed.",
                "Install the service with its extra: pip install '.[postgres]'.",
            )
        return Database(read.set(drivername="postgresql+psycopg"))
    if read.drivername not in _SQLITE_NAMES:
        raise StartupError(f"CDS_DATABASE_URL: no support for {read.drivername}.", mend)
    if read.database in {None, "", ":memory:"} or "mode=memory" in url:
        raise StartupError(
            "CDS_DATABASE_URL names a database in memory, which forgets what was acknowledged.",
            "Name a file: sqlite:///file.db.",
        )
    return Database(read.set(drivername="sqlite+pysqlite"))


class Database:
    """Transactions on one database, safe for threads and forked workers."""

    def __init__(self, url: URL) -> None:
        self.url = url.render_as_string(hide_password=True)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._url = url
        self._failed_at = float("-inf")
        self._migrated = False
        self._engine: Engine | None = None
        self._lock = threading.RLock()
        after_fork(self._forked)

    @property
    def exists(self) -> bool:
        """Whether there is something to read: an SQLite file is made by the first who writes."""
        return not self.is_sqlite or Path(str(self._url.database)).is_file()

    @property
    def engine(self) -> Engine:
        """This process's SQLAlchemy engine, made when first needed."""
        with self._lock:
            if self._engine is None:
                make = engines.sqlite if self.is_sqlite else engines.postgres
                self._engine = make(self._url)
            return self._engine

    @contextmanager
    def read(self, *, hurry: bool = False) -> Iterator[Connection]:
        """A connection in a transaction that only reads.

        ``hurry``: right after a failure, do not try again but raise at once, so that a
        card never waits for a database that is away. Raises Unavailable.
        """
        with self._transaction(hurry, {"sqlite_begin": "BEGIN"}) as connection:
            yield connection

    @contextmanager
    def write(self, *, hurry: bool = False, durable: bool = True) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end of the block, all or nothing.

        ``durable=False``: on SQLite, survive the end of the process but perhaps not a power
        cut. ``hurry`` as for ``read``. Raises Unavailable; then nothing was acknowledged.
        """
        options = {"sqlite_begin": "BEGIN IMMEDIATE", "sqlite_durable": durable}
        with self._transaction(hurry, options) as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the tables to this program's shape; one process at a time, others wait.

        A database already shaped by a newer program is left alone (steps only add).
        Raises Unavailable when the database is away.
        """
        asked = time.monotonic()
        with self._lock:
            if self._migrated:
                return
            if self._failed_at > asked:  # it failed for another thread while this one waited
                raise _unavailable("The database is away.")
            with self._translated():
                if self.is_sqlite:
                    engines.prepare_file(Path(str(self._url.database)))
                    engines.turn_on_wal(self.engine)
                with self.engine.connect() as connection, connection.begin():
                    if not self.is_sqlite:
                        connection.execute(text("SET LOCAL statement_timeout = '60s'"))
                        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
                        lock = text("SELECT pg_advisory_xact_lock(:key)")
                        connection.execute(lock, {"key": _MIGRATION_LOCK})
                    _upgrade(connection)
            self._migrated = True

    def ready(self) -> bool:
        """Whether the database answers and has its tables."""
        try:
            with self.read() as connection:
                connection.execute(text("SELECT 1 FROM alembic_version"))
        except Unavailable:
            return False
        return True

    def probe(self) -> None:
        """After a failure, try again, so that no call in a hurry has to. Raises Unavailable."""
        if self._failed_at > float("-inf"):
            with self.read():
                pass

    def close(self) -> None:
        """Give back all connections. The database may be used again afterwards."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def _transaction(self, hurry: bool, options: dict[str, Any]) -> Iterator[Connection]:
        if hurry and time.monotonic() - self._failed_at < AWAY_SECONDS:
            raise _unavailable("The database is away.")
        if not self._migrated:
            self.migrate()
        with self._translated(), self.engine.connect() as connection:
            connection.execution_options(**options)
            with connection.begin():
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.DBAPIError, exc.TimeoutError) as error:
            if _is_away(error):
                self._failed_at = time.monotonic()
            if _tables_missing(error):  # the database was replaced: make them before the next use
                self._migrated = False
            # "from None": SQLAlchemy's own text can carry the values of the statement.
            raise _unavailable(*_explain(error)) from None
        self._failed_at = float("-inf")

    def _forked(self) -> None:
        self._lock = threading.RLock()
        if self._engine is not None:
            self._engine.dispose(close=False)  # the connections belong to the parent
            self._engine = None


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "cds_service.storage:migrations")
    config.attributes["connection"] = connection
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    current = set(MigrationContext.configure(connection).get_current_heads())
    if current <= known:
        command.upgrade(config, "head")


_REASONS = {
    "database or disk is full": "Free space on the disk of the database.",
    "database is locked": "Another process holds it for long: end it, or use PostgreSQL.",
    "readonly": "Give the service the right to write to the file and its folder.",
    "unable to open": "Make the folder, and give the service the right to write there.",
    "not a database": "Name another file, or restore it from a backup.",
    "malformed": "Restore the file from a backup.",
    # What libpq says on connecting carries no SQLSTATE, only words.
    "does not exist": "Create the database and the user that CDS_DATABASE_URL names.",
    "password authentication": "Mend user or password in CDS_DATABASE_URL.",
    "too many": "Raise the server's max_connections, or run fewer workers.",
}
_STATES = {
    "42P01": "Send the same again: the tables are made anew.",
    "53100": "Free space on the disk of the database.",
    "42501": "Give the user of CDS_DATABASE_URL the rights on the tables.",
}


def _is_away(error: Exception) -> bool:
    """Whether the database could not be reached, rather than refused one statement."""
    if not isinstance(error, exc.DBAPIError):
        return True  # no connection came free in time
    # psycopg says None where the server gave no SQLSTATE: it was not reached. SQLite has none.
    unreached = getattr(error.orig, "sqlstate", "") is None
    return error.connection_invalidated or unreached or "unable to open" in str(error.orig)


def _tables_missing(error: Exception) -> bool:
    cause = getattr(error, "orig", None)
    return "no such table" in str(cause) or getattr(cause, "sqlstate", None) == "42P01"


def _explain(error: Exception) -> tuple[str, str]:
    cause = getattr(error, "orig", None) or error
    state = str(getattr(cause, "sqlstate", None) or "")
    said = str(cause)
    mend = _STATES.get(state) or next((_REASONS[key] for key in _REASONS if key in said), "")
    name = f"{type(cause).__name__} {state}".strip()
    return f"The database cannot be used ({name}).", mend


def _unavailable(what: str, mend: str = "") -> Unavailable:
    return Unavailable(what, mend or "Send the same again later; see that the database runs.")
