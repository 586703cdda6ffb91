"""Circuit breakers: a partner that does not answer is left alone for a while.

A partner is a FHIR server, or the database. Who would only wait for it is told so at once;
after ``open_s`` seconds one call tries it again (half-open), and its outcome decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half-open"

Heard = Callable[[str], None]


class Breaker:
    """Opens after ``failures`` failures in a row; safe for threads, not across a fork.

    ``heard(state)`` hears of each change. ``clock`` counts seconds and never goes back.
    """

    def __init__(
        self,
        failures: int,
        open_s: float,
        heard: Heard = lambda _state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = failures
        self._open_s = open_s
        self._heard = heard
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._state = CLOSED
        self._again_at = 0.0

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        return self._state

    @property
    def refuses(self) -> bool:
        """Whether `allows` would say no; asking changes nothing."""
        return self._state != CLOSED and self._clock() < self._again_at

    def allows(self) -> bool:
        """Whether the partner may be asked now; a caller that may reports what became of it."""
        if self._state == CLOSED:
            return True
        with self._lock:
            now = self._clock()
            if now < self._again_at:
                return False
            # One call tries. Should it never report, another does after the same time.
            self._again_at = now + self._open_s
            self._become(HALF_OPEN)
            return True

    def succeeded(self) -> None:
        """The partner has answered."""
        if not self._in_a_row:
            return
        with self._lock:
            self._in_a_row = 0
            self._become(CLOSED)

    def failed(self) -> None:
        """The partner has not answered, or only to say that it cannot."""
        with self._lock:
            self._in_a_row += 1
            if self._state != CLOSED or self._in_a_row >= self._most:
                self._again_at = self._clock() + self._open_s
                self._become(OPEN)

    def _become(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._heard(state)
