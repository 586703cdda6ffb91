"""A bulkhead for each FHIR server: threads, a breaker and a figure of its own.

A server that hangs keeps the threads of its own callers only, and after a few calls in a row
without an answer its callers are told so at once instead of waiting for the deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from cds_service.ops.breaker import Breaker
from cds_service.ops.forks import after_fork
from cds_service.outbound.transport import Crew, Room

FAILURES = 5
"""Calls in a row to which a server answered nothing at all, until it is left alone."""
OPEN_S = 1.0
"""Seconds until it is tried again: a server that is back is used within a second."""

Heard = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Server:
    """What the queries to one server share."""

    crew: Crew
    breaker: Breaker


class Servers:
    """The FHIR servers of one process, by their entry in the allowlist.

    ``heard(server, state)`` hears when a breaker changes. A forked worker begins anew: a fork
    keeps neither threads nor connections.
    """

    def __init__(self, heard: Heard = lambda _server, _state: None) -> None:
        self._heard = heard
        self._made: dict[str, Server] = {}
        self._lock = threading.Lock()
        self.room = Room()
        after_fork(self._forked)

    def at(self, listed: str) -> Server:
        """What is kept for the entry ``listed`` of the allowlist."""
        found = self._made.get(listed)
        if found is None:
            with self._lock:
                found = self._made.get(listed)
                if found is None:
                    breaker = Breaker(FAILURES, OPEN_S, lambda state: self._heard(listed, state))
                    found = self._made[listed] = Server(Crew(), breaker)
        return found

    def _forked(self) -> None:
        self._made, self._lock, self.room = {}, threading.Lock(), Room()
