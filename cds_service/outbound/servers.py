"""A bulkhead for each FHIR server: its own threads, breaker and metric.

A server that hangs blocks only the threads of its own callers, and after a few calls in a row
without a response its callers fail at once instead of waiting for the deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from cds_service.ops.breaker import Breaker
from cds_service.ops.forks import after_fork
from cds_service.outbound.transport import ByteBudget, Workers

FAILURES = 5
"""Number of calls in a row without any response after which a server is no longer called."""
OPEN_S = 1.0
"""Seconds until it is tried again: a server that has recovered is used within a second."""

OnServerChange = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Server:
    """What all queries to one server share."""

    workers: Workers
    breaker: Breaker


class Servers:
    """The FHIR servers of one process, by their entry in the allowlist.

    ``on_change(server, state)`` is called when a breaker changes. A forked worker starts afresh,
    because a fork keeps neither threads nor connections.
    """

    def __init__(self, on_change: OnServerChange = lambda _server, _state: None) -> None:
        self._on_change = on_change
        self._servers: dict[str, Server] = {}
        self._lock = threading.Lock()
        self.budget = ByteBudget()
        after_fork(self._forked)

    def at(self, listed: str) -> Server:
        """The server for the entry ``listed`` of the allowlist."""
        found = self._servers.get(listed)
        if found is None:
            with self._lock:
                found = self._servers.get(listed)
                if found is None:
                    breaker = Breaker(
                        FAILURES, OPEN_S, lambda state: self._on_change(listed, state)
                    )
                    found = self._servers[listed] = Server(Workers(), breaker)
        return found

    def _forked(self) -> None:
        self._servers, self._lock, self.budget = {}, threading.Lock(), ByteBudget()
