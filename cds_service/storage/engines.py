"""The engines for the two kinds of database: time limits, transactions, durability."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, exc
from sqlalchemy.engine import URL, Connection, Engine

from cds_service.errors import Unavailable
from cds_service.storage.watch import Watch

CONNECT_SECONDS = 2
"""How long connecting to a PostgreSQL server may take (the minimum of libpq)."""
PING_SECONDS = 1.0
"""How long a server may take to respond to a ping."""
BUSY_SECONDS = 5.0
"""How long a SQLite writer waits for another one."""

_POSTGRES_SESSION = """
SELECT set_config('statement_timeout', '10s', false), set_config('lock_timeout', '5s', false),
       set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                       ELSE current_setting('synchronous_commit') END, false)
"""


def sqlite(url: URL) -> Engine:
    """An engine with explicit transactions, controlled by the options that ``Database`` sets."""
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=8,
        max_overflow=10,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def _own_transactions(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin or commit by itself

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        durable = options.get("sqlite_durable", True)
        busy = options.get("sqlite_busy_ms", int(BUSY_SECONDS * 1000))
        if connection.info.get("busy_ms") != busy:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={busy}")
            connection.info["busy_ms"] = busy
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.exec_driver_sql(options.get("sqlite_begin", "BEGIN IMMEDIATE"))

    return engine


def postgres(url: URL, watch: Watch) -> Engine:
    """An engine with short time limits and durable commits.

    Connections are tested before they are used again; ``watch`` cuts those that do not respond.
    """
    limits = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "cds-service",
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        # Prepared statements break behind poolers that change the server connection.
        "prepare_threshold": None,
    }
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=8,
        max_overflow=10,
        pool_timeout=BUSY_SECONDS,
        connect_args={name: value for name, value in limits.items() if name not in url.query},
    )

    @event.listens_for(engine, "connect")
    def _session(connection: Any, record: Any) -> None:
        with watch.over(connection, PING_SECONDS):
            connection.execute(_POSTGRES_SESSION)
            connection.commit()
        record.info["new"] = True

    @event.listens_for(engine, "checkout")
    def _alive(connection: Any, record: Any, _proxy: object) -> None:
        # SQLAlchemy's own ping would wait indefinitely for a server that was stopped.
        if record.info.pop("new", False):
            return
        try:
            with watch.over(connection, PING_SECONDS):
                connection.autocommit = True
                connection.execute("SELECT 1")
                connection.autocommit = False
        except Exception:
            raise exc.DisconnectionError from None

    return engine


def prepare_file(path: Path) -> None:
    """Create the file so that only its owner can read it: it has comments and the card key."""
    if path.parent.is_dir() and not path.exists():
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError:
            return  # connecting will report the reason like any other failure


def compact(engine: Engine) -> None:
    """Rewrite the SQLite file without what was deleted. Raises Unavailable."""
    try:
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("VACUUM")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except Exception as error:
        raise Unavailable(
            f"What was deleted may still be in free pages of the file ({type(error).__name__}).",
            "Stop the service and try again.",
        ) from None


def turn_on_wal(engine: Engine) -> None:
    """Switch the file to WAL mode permanently. Raises SQLAlchemy's OperationalError."""
    # SQLite does not wait by itself when two processes switch an empty file to WAL.
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA journal_mode=WAL")
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise exc.OperationalError(None, None, error) from None
            time.sleep(0.02)
        else:
            return
