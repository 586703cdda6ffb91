"""Token replay while the database is unavailable: each process remembers for itself.

A hospital's decision support must not go dark with its feedback database. While that is
away, a token is good once for each worker instead of once for all; what a worker let in
meanwhile it still refuses when the database is back. Feedback, which needs the database
anyway, ends with 503.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cds_service.errors import Unavailable
from cds_service.ops import logs
from cds_service.trust.callers import ReplayStore

MOST = 100_000
"""Tokens one process remembers; beyond, a replay cannot be excluded and the call ends with 503."""


class RemembersWhileAway:
    """A `ReplayStore` that falls back to the memory of this process.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, store: ReplayStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._used: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def first_use(self, client: str, jti_digest: str, expires: float, issued: float = 0.0) -> bool:
        """Whether this is the first use, as far as the store or else this process can tell.

        Raises Unavailable when the database is unavailable and the memory is full.
        """
        key = (client, jti_digest)
        if key in self._used:
            return False
        try:
            return self._store.first_use(client, jti_digest, expires, issued)
        except Unavailable:
            logs.logger(__name__).warning("replay_store_away", reason="remembered in this process")
            return self._remember(key, expires)

    def _remember(self, key: tuple[str, str], expires: float) -> bool:
        with self._lock:
            if key in self._used:
                return False
            if len(self._used) >= MOST:
                now = self._clock()
                self._used = {one: end for one, end in self._used.items() if end > now}
            if len(self._used) >= MOST:
                raise Unavailable("Tokens cannot be remembered.", "Try again in a minute.")
            self._used[key] = expires
            return True
