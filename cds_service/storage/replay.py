"""Remembers the ids of used tokens for all workers and hosts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from sqlalchemy import delete, select
from sqlalchemy.engine import Connection

from cds_service.errors import Unavailable
from cds_service.ops import logs
from cds_service.storage.database import Database
from cds_service.storage.tables import insert_into, kept_secrets, token_ids

PURGE_SECONDS = 600.0
NOTE_SECONDS = 60.0
"""How often the time up to which ids were remembered is stored."""
GAP_SECONDS = 300.0
"""A database in which no such time was stored for this long may be an old backup."""
_NOTE = "tokens_remembered_until"
_FLOOR = "tokens_issued_from"
LATEST = 2**53
"""The last Unix second that is stored, so that no column overflows whatever a token claims."""


class DatabaseReplay:
    """Says whether a token id is used for the first time.

    ``leeway`` seconds after its expiry a token is refused for its age, and its id is forgotten.
    ``clock()`` gives Unix time in seconds.

    A database that was restored from an old backup has forgotten ids, and its stored time shows
    this. Then tokens issued before this process first asked are refused, because any of them may
    have been used.
    """

    def __init__(
        self, database: Database, leeway: float = 60.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._leeway = leeway
        self._clock = clock
        self._purge_at = 0.0
        self._note_at = 0.0
        self._issued_from: float | None = None  # None: not read since the database became available

    def first_use(
        self, client: str, jti_digest: str, expires: float, issued: float = math.inf
    ) -> bool:
        """Store the token's id until ``expires`` (Unix seconds) + leeway.

        False where it was stored already, or where the token was ``issued`` before the time from
        which this database has ids. Atomic: of any number of simultaneous calls, on any host, one
        gets True. On SQLite the id survives the end of the process, but perhaps not a power cut
        in the same second. Raises Unavailable when the database does not respond within a fifth
        of a second; the caller decides what follows.
        """
        now = self._clock()
        try:
            return self._database.run_promptly(
                lambda: self._first_use(client, jti_digest, expires, issued, now)
            )
        except Unavailable:
            self._issued_from = None  # it may be a backup when it is available again
            raise

    def _first_use(
        self, client: str, jti_digest: str, expires: float, issued: float, now: float
    ) -> bool:
        with self._database.write(prompt=True, durable=False) as connection:
            insert = insert_into(connection, token_ids).on_conflict_do_nothing(
                index_elements=["client", "digest"]
            )
            row = {
                "client": client,
                "digest": jti_digest,
                "expires": math.ceil(min(expires + self._leeway, LATEST)),
            }
            if self._issued_from is None:
                self._issued_from = self._floor(connection, now)
            if issued < self._issued_from:
                logs.logger(__name__).warning("token_from_before_a_gap")
                return False
            inserted = connection.execute(insert.returning(token_ids.c.client), row)
            first = inserted.one_or_none() is not None
            if now >= self._purge_at:
                connection.execute(delete(token_ids).where(token_ids.c.expires < now))
                self._purge_at = now + PURGE_SECONDS
            if now >= self._note_at:
                _note(connection, _NOTE, now)
                self._note_at = now + NOTE_SECONDS
        return first

    def _floor(self, connection: Connection, now: float) -> float:
        """The earliest permitted issue time of tokens; 0 where the database is up to date."""
        names = kept_secrets.c.name.in_((_NOTE, _FLOOR))
        query = select(kept_secrets.c.name, kept_secrets.c.value).where(names)
        noted = {name: float(value) for name, value in connection.execute(query)}
        if _NOTE in noted and now - noted[_NOTE] > GAP_SECONDS:
            # Stored for the other processes, to which the database now looks up to date.
            _note(connection, _FLOOR, now)
            return float(math.floor(now))
        return noted.get(_FLOOR, 0.0)


def _note(connection: Connection, name: str, now: float) -> None:
    insert = insert_into(connection, kept_secrets)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["name"], set_={"value": insert.excluded.value}
        ),
        {"name": name, "value": str(math.floor(now))},
    )
