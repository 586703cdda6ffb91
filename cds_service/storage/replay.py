"""Remembers the ids of tokens that were used, for all workers and hosts."""

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
"""How often it is written down that ids were remembered."""
GAP_SECONDS = 300.0
"""A database that has noted nothing for so long may be an old one."""
_NOTE = "tokens_remembered_until"
_FLOOR = "tokens_issued_from"
LATEST = 2**53
"""The last Unix second that is kept; no column overflows whatever a token claims."""


class DatabaseReplay:
    """Says of each token id whether this is its first use.

    ``leeway`` seconds after its end a token is refused for its age, and its id is forgotten.
    ``clock()`` gives Unix time in seconds.

    A database that was restored from an old backup has forgotten ids. It also says that it has
    remembered nothing lately; so tokens issued before this process first asked are then refused,
    as any of them may have been used.
    """

    def __init__(
        self, database: Database, leeway: float = 60.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._leeway = leeway
        self._clock = clock
        self._purge_at = 0.0
        self._note_at = 0.0
        self._issued_from: float | None = None  # None: not asked since the database was there

    def first_use(
        self, client: str, jti_digest: str, expires: float, issued: float = math.inf
    ) -> bool:
        """Keep the token's id until ``expires`` (Unix seconds) + leeway; False if it was kept,
        or if the token was ``issued`` before what this database can vouch for.

        Atomic: of any number of simultaneous calls, on any host, one gets True. On SQLite
        the id survives the end of the process, but perhaps not a power cut in the same
        second. Raises Unavailable when the database does not answer within a fifth of a
        second: the caller decides.
        """
        now = self._clock()
        try:
            return self._database.in_a_hurry(
                lambda: self._first_use(client, jti_digest, expires, issued, now)
            )
        except Unavailable:
            self._issued_from = None  # what comes back may be a backup
            raise

    def _first_use(
        self, client: str, jti_digest: str, expires: float, issued: float, now: float
    ) -> bool:
        with self._database.write(hurry=True, durable=False) as connection:
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
            kept = connection.execute(insert.returning(token_ids.c.client), row)
            first = kept.one_or_none() is not None
            if now >= self._purge_at:
                connection.execute(delete(token_ids).where(token_ids.c.expires < now))
                self._purge_at = now + PURGE_SECONDS
            if now >= self._note_at:
                _note(connection, _NOTE, now)
                self._note_at = now + NOTE_SECONDS
        return first

    def _floor(self, connection: Connection, now: float) -> float:
        """From when on tokens must be issued; 0 where the database remembered some lately."""
        names = kept_secrets.c.name.in_((_NOTE, _FLOOR))
        query = select(kept_secrets.c.name, kept_secrets.c.value).where(names)
        noted = {name: float(value) for name, value in connection.execute(query)}
        if _NOTE in noted and now - noted[_NOTE] > GAP_SECONDS:
            # For the other processes, too: what they find from now on looks new.
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
