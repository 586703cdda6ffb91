"""The database for feedback, counters and token ids: SQLite by default, PostgreSQL by URL.

It is connected on demand, so the service starts and returns cards while the database is
unavailable. Every use first makes sure that the tables exist (``migrate``), so a database that
becomes available later, or comes back empty, gets its tables. Every failure of the database is
``Unavailable`` with advice; its text never has values.

SQLite runs in WAL mode; a transaction that returns is on disk (``synchronous=FULL``) unless it
asked for less. Several processes on one host may share the file; several hosts need PostgreSQL,
and SQLite's file must not be on a network share.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import exc, text
from sqlalchemy.engine import URL, Connection, Engine, make_url

from cds_service.errors import StartupError, Unavailable
from cds_service.ops.breaker import CLOSED, Breaker
from cds_service.ops.forks import after_fork
from cds_service.storage import engines, prompt_runner
from cds_service.storage.prompt_runner import PromptRunner
from cds_service.storage.watch import Watch

if TYPE_CHECKING:
    from alembic.config import Config

BREAKER_OPEN_SECONDS = 5.0
"""After a failure, prompt calls do without the database for this long, or until another call
(``probe``, from the upkeep thread) succeeds."""
STATEMENT_SECONDS = 12.0
"""How long one transaction may take, measured by the client."""
MIGRATION_SECONDS = 90.0
ROOM = 8
"""Most concurrent transactions that are not prompt (feedback, audit, upkeep)."""
ROOM_SECONDS = 5.0
"""How long another one waits for one of them to end."""

T = TypeVar("T")

_MIGRATION_LOCK = 0x636473_66656564
"""Key of the PostgreSQL advisory lock under which one process migrates ("cds" "feed")."""

_POSTGRES_NAMES = {"postgres", "postgresql", "postgresql+psycopg"}
_SQLITE_NAMES = {"sqlite", "sqlite+pysqlite"}


def open_database(url: str) -> Database:
    """The database at ``url`` (SQLAlchemy form), not yet connected.

    Accepts ``sqlite:///file.db`` and ``postgresql://user:password@host/name``.
    Raises StartupError for anything else, without quoting a password.
    """
    fix = "Use sqlite:///file.db or postgresql://user:password@host/name."
    try:
        read = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise StartupError("CDS_DATABASE_URL cannot be read.", fix) from None
    if read.drivername in _POSTGRES_NAMES:
        if find_spec("psycopg") is None:
            raise StartupError(
                "CDS_DATABASE_URL names PostgreSQL, but its driver is not installed.",
                "Install the service with its extra: pip install '.[postgres]'.",
            )
        return Database(read.set(drivername="postgresql+psycopg"))
    if read.drivername not in _SQLITE_NAMES:
        raise StartupError(f"CDS_DATABASE_URL: no support for {read.drivername}.", fix)
    if read.database in {None, "", ":memory:"} or "mode=memory" in url:
        raise StartupError(
            "CDS_DATABASE_URL names a database in memory, which would lose what was acknowledged.",
            "Name a file: sqlite:///file.db.",
        )
    return Database(read.set(drivername="sqlite+pysqlite"))


_upgrading = threading.Lock()


def _forked() -> None:
    global _upgrading  # noqa: PLW0603 - another thread of the parent may have held it
    _upgrading = threading.Lock()


after_fork(_forked)


class Database:
    """Transactions on one database; thread-safe, and safe for forked workers."""

    def __init__(self, url: URL) -> None:
        self.url = url.render_as_string(hide_password=True)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._url = url
        self.on_breaker_change: Callable[[str], None] = lambda _state: None
        self._breaker = self._new_breaker()
        self._failed_at = float("-inf")
        self._migrated = False
        self._room = threading.BoundedSemaphore(ROOM)
        self._watch = Watch()
        self._promptly = PromptRunner(self._too_late)
        self._engine: Engine | None = None
        self._lock = threading.RLock()
        after_fork(self._forked)

    @property
    def exists(self) -> bool:
        """Whether there is a database to read: a SQLite file is made by the first write."""
        return not self.is_sqlite or Path(str(self._url.database)).is_file()

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine of this process, made on demand."""
        with self._lock:
            if self._engine is None:
                if self.is_sqlite:
                    self._engine = engines.sqlite(self._url)
                else:
                    self._engine = engines.postgres(self._url, self._watch)
            return self._engine

    def run_promptly(self, work: Callable[[], T]) -> T:
        """The result of ``work``, which uses ``read`` or ``write`` with ``prompt``.

        Raises Unavailable after a fifth of a second.
        """
        if self._breaker.refuses:
            raise _unavailable("The database is unavailable.")
        return self._promptly(work)

    @contextmanager
    def read(self, *, prompt: bool = False) -> Iterator[Connection]:
        """A connection in a transaction that only reads. Raises Unavailable.

        With ``prompt`` it raises at once after a recent failure, so that no card waits for a
        database that is unavailable.
        """
        with self._transaction(prompt, {"sqlite_begin": "BEGIN"}) as connection:
            yield connection

    @contextmanager
    def write(
        self, *, prompt: bool = False, durable: bool = True, patience_s: float | None = None
    ) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end of the block, all or nothing.

        With ``durable=False`` it survives, on SQLite, the end of the process but perhaps not a
        power cut. With ``prompt`` (see ``read``) it waits at most ``patience_s`` seconds for
        another writer (default: a fifth of a second). Raises Unavailable; then nothing was written.
        """
        options = {"sqlite_begin": "BEGIN IMMEDIATE", "sqlite_durable": durable}
        with self._transaction(prompt, options, patience_s) as connection:
            yield connection

    def migrate(self) -> None:
        """Migrate the tables to this program's schema; one process at a time, others wait.

        A database with a newer schema is left unchanged (migrations only add). Raises
        Unavailable.
        """
        started = time.monotonic()
        with self._lock:
            if self._migrated:
                return
            if self._failed_at > started:  # another thread failed while this one waited
                raise _unavailable("The database is unavailable.")
            with self._translated(), ExitStack() as stack:
                if self.is_sqlite:
                    engines.prepare_file(Path(str(self._url.database)))
                    engines.turn_on_wal(self.engine)
                with self.engine.connect() as connection, connection.begin():
                    if not self.is_sqlite:
                        stack.enter_context(self._watched(connection, MIGRATION_SECONDS))
                        connection.execute(text("SET LOCAL statement_timeout = '60s'"))
                        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
                        lock = text("SELECT pg_advisory_xact_lock(:key)")
                        connection.execute(lock, {"key": _MIGRATION_LOCK})
                    _upgrade(connection)
            self._migrated = True

    def ready(self) -> bool:
        """Whether the database responds within a fifth of a second and has its tables."""

        def look_up() -> None:
            with self.read(prompt=True) as connection:
                connection.execute(text("SELECT 1 FROM alembic_version"))

        try:
            self.run_promptly(look_up)
        except Unavailable:
            return False
        return True

    def probe(self) -> None:
        """Try again after a failure, so that no prompt call has to. Raises Unavailable."""
        if self._breaker.state != CLOSED:
            with self.write():  # reading works even while another process locks a SQLite file
                pass

    def close(self) -> None:
        """Close all connections. The database may be used again afterwards."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def _transaction(
        self, prompt: bool, options: dict[str, Any], patience_s: float | None = None
    ) -> Iterator[Connection]:
        if prompt:
            if not self._breaker.allows():
                raise _unavailable("The database is unavailable.")
        elif not self._room.acquire(timeout=ROOM_SECONDS):
            raise _unavailable("Too many calls wait for the database.")
        try:
            if not self._migrated:
                self.migrate()
            in_time = prompt_runner.PATIENCE_S if patience_s is None else patience_s
            seconds = in_time if prompt else engines.BUSY_SECONDS
            with self._translated(), self.engine.connect() as connection:
                connection.execution_options(sqlite_busy_ms=int(seconds * 1000), **options)
                with self._watched(connection, STATEMENT_SECONDS), connection.begin():
                    yield connection
        finally:
            if not prompt:
                self._room.release()

    def _watched(self, connection: Connection, seconds: float) -> AbstractContextManager[None]:
        """Cuts a connection to a server after ``seconds``."""
        if self.is_sqlite:
            return nullcontext()
        return self._watch.over(connection.connection.driver_connection, seconds)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.DBAPIError, exc.TimeoutError) as error:
            if _refuses_this_only(error):
                self._breaker.succeeded()  # it has responded
            else:
                self._failed_at = time.monotonic()
                self._breaker.failed()
            if _tables_missing(error):  # the database was replaced: make them before the next use
                self._migrated = False
            # "from None": SQLAlchemy's own text may have values of the statement.
            raise _unavailable(*_explain(error)) from None
        self._breaker.succeeded()

    def _too_late(self) -> None:
        self._failed_at = time.monotonic()
        self._breaker.failed()

    def _new_breaker(self) -> Breaker:
        def on_change(state: str) -> None:
            self.on_breaker_change(state)  # looked up now, because it may be set later

        return Breaker(1, BREAKER_OPEN_SECONDS, on_change)

    def _forked(self) -> None:
        self._lock = threading.RLock()
        self._room = threading.BoundedSemaphore(ROOM)
        self._breaker = self._new_breaker()
        if self._engine is not None:
            self._engine.dispose(close=False)  # the connections belong to the parent
            self._engine = None


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.runtime.migration import MigrationContext

    newest, known = _revisions()
    current = set(MigrationContext.configure(connection).get_current_heads())
    # At the newest there is nothing to do; Alembic takes longer to find that than all the rest.
    if current != newest and current <= known:
        config = _alembic()
        config.attributes["connection"] = connection
        # Alembic keeps its state in module variables: one thread at a time.
        with _upgrading:
            command.upgrade(config, "head")


@cache
def _revisions() -> tuple[set[str], set[str]]:
    """The newest revision of the schema, and all that this program knows."""
    from alembic.script import ScriptDirectory

    steps = ScriptDirectory.from_config(_alembic())
    return set(steps.get_heads()), {step.revision for step in steps.walk_revisions()}


def _alembic() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "cds_service.storage:migrations")
    return config


_REASONS = {
    "database or disk is full": "Free space on the disk of the database.",
    "database is locked": "Another process keeps it locked: end that process, or use PostgreSQL.",
    "readonly": "Give the service write permission for the file and its folder.",
    "unable to open": "Create the folder, and give the service write permission.",
    "not a database": "Name another file, or restore it from a backup.",
    "malformed": "Restore the file from a backup.",
    # Errors of libpq while connecting have no SQLSTATE, only text.
    "does not exist": "Create the database and the user that CDS_DATABASE_URL names.",
    "password authentication": "Correct user or password in CDS_DATABASE_URL.",
    "too many": "Raise the server's max_connections, or run fewer workers.",
}
_STATES = {
    "42P01": "Send the same again: the tables are recreated.",
    "53100": "Free space on the disk of the database.",
    "42501": "Give the user of CDS_DATABASE_URL privileges on the tables.",
}


def _refuses_this_only(error: Exception) -> bool:
    """Whether a working database refuses one statement because of its content.

    SQLSTATE class 40: a conflict with another transaction; 54: something is too long or too much.
    """
    state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
    return isinstance(error, exc.IntegrityError | exc.DataError) or state[:2] in ("40", "54")


def _tables_missing(error: Exception) -> bool:
    cause = getattr(error, "orig", None)
    return "no such table" in str(cause) or getattr(cause, "sqlstate", None) == "42P01"


def _explain(error: Exception) -> tuple[str, str]:
    cause = getattr(error, "orig", None) or error
    state = str(getattr(cause, "sqlstate", None) or "")
    message = str(cause)
    fix = _STATES.get(state) or next((_REASONS[key] for key in _REASONS if key in message), "")
    name = f"{type(cause).__name__} {state}".strip()
    return f"The database cannot be used ({name}).", fix


def _unavailable(what: str, fix: str = "") -> Unavailable:
    return Unavailable(what, fix or "Send the same again later; check that the database runs.")
