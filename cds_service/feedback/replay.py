"""Remembers the ids of tokens that were used, for all workers and hosts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from sqlalchemy import delete

from cds_service.feedback.database import Database
from cds_service.feedback.tables import insert_into, token_ids

PURGE_SECONDS = 600.0
LATEST = 2**53
"""The last Unix second that is kept; no column overflows whatever a token claims."""


class DatabaseReplay:
    """Says of each token id whether this is its first use.

    ``leeway`` seconds after its end a token is refused for its age, and its id is forgotten.
    ``clock()`` gives Unix time in seconds.
    """

    def __init__(
        self, database: Database, leeway: float = 60.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._leeway = leeway
        self._clock = clock
        self._purge_at = 0.0

    def first_use(self, client: str, jti_digest: str, expires: float) -> bool:
        """Keep the token's id until ``expires`` (Unix seconds) + leeway; False if it was kept.

        Atomic: of any number of simultaneous calls, on any host, one gets True. On SQLite
        the id survives the end of the process, but perhaps not a power cut in the same
        second. Raises Unavailable when the database is away: the caller decides.
        """
        now = self._clock()
        with self._database.write(hurry=True, durable=False) as connection:
            insert = insert_into(connection, token_ids).on_conflict_do_nothing(
                index_elements=["client", "digest"]
            )
            row = {
                "client": client,
                "digest": jti_digest,
                "expires": math.ceil(min(expires + self._leeway, LATEST)),
            }
            kept = connection.execute(insert.returning(token_ids.c.client), row)
            first = kept.one_or_none() is not None
            if now >= self._purge_at:
                connection.execute(delete(token_ids).where(token_ids.c.expires < now))
                self._purge_at = now + PURGE_SECONDS
        return first
