"""Circuit breakers: a partner that does not respond is not called for a while.

A partner is a FHIR server or the database. Calls that would only wait for it fail at once; after
``open_s`` seconds one call tries it again (half-open), and its outcome decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half-open"

OnChange = Callable[[str], None]


class Breaker:
    """Opens after ``failures`` failures in a row; thread-safe, but not across a fork.

    ``on_change(state)`` is called on each change. ``clock()`` gives monotonic seconds.
    """

    def __init__(
        self,
        failures: int,
        open_s: float,
        on_change: OnChange = lambda _state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = failures
        self._open_s = open_s
        self._on_change = on_change
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
        """Whether `allows` would give False; reading this changes nothing."""
        return self._state != CLOSED and self._clock() < self._again_at

    def allows(self) -> bool:
        """Whether the partner may be called now; the caller must then report the outcome."""
        if self._state == CLOSED:
            return True
        with self._lock:
            now = self._clock()
            if now < self._again_at:
                return False
            # One call tries. If it never reports, another may try after the same time.
            self._again_at = now + self._open_s
            self._become(HALF_OPEN)
            return True

    def succeeded(self) -> None:
        """Report that the partner responded."""
        if not self._in_a_row:
            return
        with self._lock:
            self._in_a_row = 0
            self._become(CLOSED)

    def failed(self) -> None:
        """Report that the partner did not respond, or responded with an error."""
        with self._lock:
            self._in_a_row += 1
            if self._state != CLOSED or self._in_a_row >= self._most:
                self._again_at = self._clock() + self._open_s
                self._become(OPEN)

    def _become(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._on_change(state)
