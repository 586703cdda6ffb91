"""Database work that a card waits for: done within a fifth of a second, or not at all.

The work is done on a few separate threads. The caller waits ``PATIENCE_S`` and then continues
without it, whatever causes the delay: a lock, a full disk, a connection that cannot be made, or a
server that was stopped in the middle of a response.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cds_service.errors import Unavailable

PATIENCE_S = 0.2
THREADS = 8

T = TypeVar("T")


class PromptRunner:
    """Runs work on other threads with a time limit; ``late()`` is called when it is exceeded."""

    def __init__(self, late: Callable[[], None]) -> None:
        self._late = late
        self._threads: ThreadPoolExecutor | None = None
        self._pid = 0

    def __call__(self, work: Callable[[], T]) -> T:
        """The result (or exception) of ``work``. Raises Unavailable where it takes too long."""
        if self._threads is None or self._pid != os.getpid():
            self._threads = ThreadPoolExecutor(THREADS, "cds-database")
            self._pid = os.getpid()
        future = self._threads.submit(work)
        try:
            return future.result(PATIENCE_S)
        except TimeoutError:
            future.cancel()  # if it has not started
            self._late()
            raise Unavailable(
                f"The database did not respond within {PATIENCE_S:g} s.",
                "Check that it runs, and what delays it.",
            ) from None
